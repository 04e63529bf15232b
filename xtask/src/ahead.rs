//! What the later suites stand on is built while the tests of the first wait for what they test, which leaves half of a machine of two cores idle.
//! It gives way to them: a thread of `SCHED_IDLE` has a processor when nothing else wants it. Each suite builds its own all the same, finds it
//! done, and is the one that fails where it cannot be.
#![allow(clippy::disallowed_methods, reason = "waits for a program to end")]

use std::{
    fs::{self, File},
    path::absolute,
    process::{Child, Command},
};

use anyhow::Context as _;

use crate::steps::{built, target};

/// The command that does it, unseen in the help.
pub(crate) const COMMAND: &str = "ahead";

/// It runs.
pub(crate) struct Ahead(Child);

impl Ahead {
    /// Starts it. What it says goes to a file.
    pub(crate) fn start() -> anyhow::Result<Ahead> {
        let path = target().join("ahead.log");
        fs::create_dir_all(target())?;
        let log = File::create(&path).with_context(|| path.display().to_string())?;
        // Ends, and all that it started, when this program does, however that comes about.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "timeout", "2h", "chrt", "--idle", "0"]);
        // As the whole build made it: this program's own file may have gone with that.
        command.arg(absolute(built("xtask"))?).arg(COMMAND).stdout(log.try_clone()?).stderr(log);
        Ok(Ahead(command.spawn().context("cannot run setpriv (util-linux)")?))
    }

    /// Waits for its end: from here on, who comes next builds with both cores.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        if self.0.try_wait()?.is_none() {
            println!(
                "\nwhat the other suites stand on is still being built: {}",
                target().join("ahead.log").display()
            );
        }
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // `timeout` hands it on to all of its group. Gone already is as well.
        let _ = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .stderr(std::process::Stdio::null())
            .status();
    }
}
