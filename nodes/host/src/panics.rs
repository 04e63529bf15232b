//! What a panic in a node's code prints. By default the panicking thread writes it itself, to a terminal or a pipe that may stand
//! still, and with `RUST_BACKTRACE` looks up every name first: a tenth of a second and more at a real-time priority, before the
//! fall-back can leave. Here an ordinary thread writes it.

use std::{
    cell::Cell,
    fmt::{self, Write as _},
    io::{self, Write as _},
    panic::{set_hook, take_hook},
    sync::mpsc::sync_channel,
    thread,
};

/// Panics that wait to be told; more are counted in the nodes' figures alone.
const WAITING: usize = 16;

thread_local! {
    static IN_NODE: Cell<bool> = const { Cell::new(false) };
}

/// Marks what runs as a node's own code; it must not unwind.
pub(crate) fn within_node<T>(code: impl FnOnce() -> T) -> T {
    IN_NODE.set(true);
    let value = code();
    IN_NODE.set(false);
    value
}

/// From here on, panics in nodes' code are told by an ordinary thread, without a backtrace. All others are told as before. For a
/// process of real-time nodes; call it once, from main.
///
/// # Errors
/// There is no thread for it.
pub fn tell_from_an_ordinary_thread() -> io::Result<()> {
    let (tell, told) = sync_channel::<Line>(WAITING);
    thread::Builder::new().name("troika-panics".into()).spawn(move || {
        while let Ok(line) = told.recv() {
            // `eprintln!` panics when its reader is gone, and the process would end with it.
            let _nobody_reads = writeln!(io::stderr(), "{}", String::from_utf8_lossy(line.text()));
        }
    })?;
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if !IN_NODE.get() {
            return before(panic);
        }
        let mut line = Line::default();
        let thread = thread::current();
        let why = panic.payload_as_str().unwrap_or("no message");
        // A line that is cut or lost is a panic that is counted all the same.
        let _cut = write!(line, "{} panicked: ", thread.name().unwrap_or("a node"))
            .and_then(|()| panic.location().map_or(Ok(()), |at| write!(line, "{at}: ")))
            .and_then(|()| line.write_str(why));
        let _lost = tell.try_send(line);
    }));
    Ok(())
}

/// A line of fixed length: nothing is allocated for it, which would be in the node's arena.
struct Line {
    bytes: [u8; 240],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line { bytes: [0; 240], length: 0 }
    }
}

impl Line {
    fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let fits = text.len().min(room.len());
        room[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.length += fits;
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_what_fits() {
        let mut line = Line::default();
        assert!(line.write_str("motion panicked: ").is_ok());
        assert_eq!(line.text(), b"motion panicked: ");
        assert!(line.write_str(&"x".repeat(300)).is_err());
        assert_eq!(line.text().len(), 240);
    }
}
