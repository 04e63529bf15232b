//! SIGINT and SIGTERM as a request to stop; another one, a second or more later, ends the process at once, for when the first was of no
//! use. Sooner, it is the same request said twice: a launcher and its terminal each tell a process group.

use std::{
    io,
    sync::{Arc, atomic},
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGPIPE, SIGTERM},
    flag,
    iterator::Signals,
};

use crate::sync::StopToken;

/// How long a signal after the first is taken for the same.
const TWICE: Duration = Duration::from_secs(1);

/// A token that SIGINT or SIGTERM stops. A signal more than a second after it ends the process with 128 + its number. Call it once, from
/// main.
///
/// # Errors
/// When the handlers or their thread cannot be installed.
#[expect(clippy::disallowed_types, reason = "signal-hook's interface")]
pub fn stop_on_signals() -> io::Result<StopToken> {
    let stop = StopToken::new();
    let armed = Arc::new(atomic::AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 128 + signal, armed.clone())?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("troika-signals".into()).spawn({
        let stop = stop.clone();
        move || {
            if signals.forever().next().is_some() {
                stop.stop();
                thread::sleep(TWICE);
                armed.store(true, atomic::Ordering::Relaxed);
            }
        }
    })?;
    Ok(stop)
}

/// Ends the process with success after this time, if it has not ended by itself by then. For when its work is done and only the
/// transport is left to close: a peer that hangs, or a router that is gone, must not keep it.
pub fn end_within(limit: Duration) {
    let waiting = std::thread::Builder::new().name("end".into()).spawn(move || {
        std::thread::sleep(limit);
        std::process::exit(0);
    });
    // Without a thread it ends when the transport lets it.
    drop(waiting);
}

/// Ends the process quietly when the reader of its output goes away, as `tool | head` expects; Rust's own default is a panic.
/// For programs that print and end, not for those that run nodes.
///
/// # Errors
/// When the handler cannot be installed.
#[expect(clippy::disallowed_types, reason = "signal-hook's interface")]
pub fn end_on_closed_pipe() -> io::Result<()> {
    flag::register_conditional_default(SIGPIPE, Arc::new(atomic::AtomicBool::new(true))).map(drop)
}
