//! SIGINT and SIGTERM as a request to stop; a second one ends the process at once, for when the first was of no use.

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

/// A token that SIGINT or SIGTERM stops. The second signal ends the process with 128 + its number. Call it once, from main.
///
/// # Errors
/// When the handlers or their thread cannot be installed.
#[expect(clippy::disallowed_types, reason = "signal-hook's interface")]
pub fn stop_on_signals() -> io::Result<StopToken> {
    let stop = StopToken::new();
    let once = Arc::new(atomic::AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds `once` unset, and sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, once.clone())?;
        flag::register(signal, once.clone())?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("troika-signals".into()).spawn({
        let stop = stop.clone();
        move || {
            if signals.forever().next().is_some() {
                stop.stop();
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
