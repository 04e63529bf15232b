//! What a run tells a person, on standard error. `eprintln!` panics when its reader is gone (`| tee log`, and tee was ended): a conductor
//! that ends so ends every process, so a line that nobody reads is lost instead. One that nobody takes (a terminal that was stopped,
//! a journal that hangs) keeps who writes it: a watchdog has a [`Teller`] write.

use std::{
    fmt,
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// `eprintln!` for whoever must go on when nobody reads.
macro_rules! tell {
    ($($said:tt)*) => { $crate::tell::line(format_args!($($said)*)) };
}

/// Writes a line; see [`tell!`].
pub(crate) fn line(told: fmt::Arguments<'_>) {
    // A reader that is gone is no reason to stop.
    let _nobody_reads = writeln!(io::stderr(), "{told}");
}

/// Lines that wait to be written; more are lost.
const WAITING: usize = 64;
/// How long its end waits for the last of them.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Has an ordinary thread write, so that nobody waits for whoever reads.
pub(crate) struct Teller {
    lines: Option<SyncSender<String>>,
    written: Receiver<()>,
}

impl Teller {
    /// Starts the thread; it has the priority of who calls.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(crate) fn start() -> io::Result<Teller> {
        Teller::over(io::stderr())
    }

    fn over(mut to: impl Write + Send + 'static) -> io::Result<Teller> {
        let (lines, told) = sync_channel::<String>(WAITING);
        let (done, written) = sync_channel(1);
        thread::Builder::new().name("troika-tell".into()).spawn(move || {
            for line in told {
                let _nobody_reads = writeln!(to, "{line}").and_then(|()| to.flush());
            }
            let _nobody_waits = done.send(());
        })?;
        Ok(Teller { lines: Some(lines), written })
    }

    /// Has a line written; waits for nothing.
    pub(crate) fn tell(&self, line: String) {
        if let Some(lines) = &self.lines {
            let _lost = lines.try_send(line);
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.lines = None;
        let _stands_still = self.written.recv_timeout(LAST_WORDS);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc::channel};

    use super::*;

    /// Takes nothing until it is told to.
    struct StandsStill(Receiver<()>);

    impl Write for StandsStill {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _goes_on = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Refuses what has "gone" in it, and keeps the rest.
    struct Gone(Arc<Mutex<Vec<u8>>>);

    impl Write for Gone {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.starts_with(b"gone") {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whoever_tells_does_not_wait_for_a_reader_that_stands_still() {
        troika_safety::verifies![SR_TIM_008];
        let (_go_on, stands_still) = channel();
        let teller = Teller::over(StandsStill(stands_still)).expect("a thread");
        (0..10 * WAITING).for_each(|n| teller.tell(format!("line {n}")));
        // Its end waits for a while and no longer.
        drop(teller);
    }

    #[test]
    fn a_reader_that_is_gone_ends_nobody_and_the_last_words_are_waited_for() {
        let kept = Arc::default();
        let teller = Teller::over(Gone(Arc::clone(&kept))).expect("a thread");
        ["gone 1", "here", "gone 2"].into_iter().for_each(|line| teller.tell(line.to_owned()));
        drop(teller);
        assert!(kept.lock().unwrap().starts_with(b"here"));
    }
}
