//! How far something is: one line on a terminal, written over, and gone at the end. Elsewhere nothing.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// Between two lines: soon enough for a person, seldom enough for the terminal.
const PAUSE: Duration = Duration::from_millis(250);

/// The line.
pub(crate) struct StatusLine {
    on_terminal: bool,
    told: Instant,
    shown: bool,
}

impl StatusLine {
    /// Nothing is shown until [`StatusLine::tell`] has something to say for a while.
    pub(crate) fn new() -> StatusLine {
        StatusLine { on_terminal: io::stderr().is_terminal(), told: Instant::now(), shown: false }
    }

    /// Shows what `line` says, unless something was shown just now.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.on_terminal && self.told.elapsed() >= PAUSE {
            (self.told, self.shown) = (Instant::now(), true);
            // Whoever has closed the terminal still gets the result.
            let _ = write!(io::stderr(), "\r\x1b[K{}", line());
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
