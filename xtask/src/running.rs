//! A program that runs beside, and ends when its handle goes.
#![allow(clippy::disallowed_methods, reason = "waits for a program to end")]

use std::{
    process::{Child, Command, ExitStatus},
    thread::sleep,
    time::Duration,
};

use anyhow::Context as _;

/// How long it may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Such a program.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Running> {
        command.spawn().map(Running).with_context(|| format!("cannot start {command:?}"))
    }

    /// What it ended with, if it has ended by itself.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Asks it to end, and kills it when it does not: stress-ng and troika end their children when they are asked, not when they are
    /// killed.
    fn end(&mut self) -> std::io::Result<()> {
        if self.0.try_wait()?.is_some() {
            return Ok(());
        }
        Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status()?;
        let mut waited = Duration::ZERO;
        while waited < GRACE {
            if self.0.try_wait()?.is_some() {
                return Ok(());
            }
            sleep(LOOK);
            waited += LOOK;
        }
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(why) = self.end() {
            eprintln!("note: process {} may still run: {why}", self.0.id());
        }
    }
}
