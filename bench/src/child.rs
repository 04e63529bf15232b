//! The receiving process: takes messages until its input ends, and writes what it has noted when asked. And the parent's end of it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, bail};

use crate::{
    contestants::{Contestant, Place},
    message::Notes,
};

/// What a receiving thread writes into.
pub type Shared = Arc<Mutex<Notes>>;

/// Takes the notes out, and leaves room for the next.
pub fn report(notes: &Shared) -> Notes {
    std::mem::replace(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner), Notes::new())
}

/// The receiving process.
pub fn receive(contestant: Contestant, folder: &Path, port: u16) -> anyhow::Result<()> {
    let notes: Shared = Arc::new(Mutex::new(Notes::new()));
    let place = Place { folder: folder.to_path_buf(), port };
    let receiver = contestant.receive(&place, notes.clone())?;
    println!("ready");
    for line in std::io::stdin().lines() {
        if line?.trim() == "report" {
            println!("{}", serde_json::to_string(&report(&notes))?);
            std::io::stdout().flush()?;
        }
    }
    drop(receiver);
    Ok(())
}

/// The parent's end.
pub struct Process {
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a receiving process; it is ready when this returns.
    pub fn start(contestant: Contestant, place: &Place) -> anyhow::Result<Process> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["receive", contestant.name()])
            .arg(&place.folder)
            .arg(place.port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take().context("a pipe")?;
        let answers = BufReader::new(child.stdout.take().context("a pipe")?);
        let mut process = Process { child, ask: Some(ask), answers };
        let ready = process.line()?;
        if ready != "ready" {
            bail!("the receiver of {} did not start: '{ready}'", contestant.name());
        }
        Ok(process)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// What it has noted since the last time.
    pub fn report(&mut self) -> anyhow::Result<Notes> {
        writeln!(self.ask.as_mut().context("it is asked before it is dropped")?, "report")?;
        let line = self.line()?;
        serde_json::from_str(&line).with_context(|| format!("a receiver's report: '{line}'"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.ask.take());
        let _ = self.child.wait(); // its input has ended, so it ends
    }
}
