//! A suite's tests, with what they say kept for the trace: the user sees all but cargo's messages, a file has both, and in its first line the
//! source that it is of.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, PipeReader, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::{
    source,
    steps::{cargo, root, target},
};

/// A process that a test leaves behind has our pipe; it is not waited for longer.
const LEFT_BEHIND: Duration = Duration::from_secs(3);

/// Where what the suites said is kept.
pub(crate) fn folder() -> PathBuf {
    target().join("trace")
}

/// `cargo test`, which says what it runs.
pub(crate) fn test(arguments: &[&str]) -> Command {
    let mut command = cargo(&["test", "--message-format", "json-render-diagnostics"]);
    command.args(arguments);
    command
}

/// Runs it; what it says goes to the file of that name too.
pub(crate) fn told(name: &str, command: &mut Command) -> anyhow::Result<()> {
    fs::create_dir_all(folder())?;
    let path = folder().join(format!("{name}.log"));
    let mut log = File::create(&path).with_context(|| path.display().to_string())?;
    // First of all: what it is of. The trace takes no log of another source.
    writeln!(log, "source: {}", source::of(&root())?)?;
    let (reader, writer) = io::pipe()?;
    // The trace reads its words, whatever the terminal or the environment wants.
    command.env("CARGO_TERM_COLOR", "never");
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn().context("cannot run cargo")?;
    // Our ends of the pipe go, so that it ends with the child.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let (sender, done) = mpsc::channel();
    thread::spawn(move || drop(sender.send(copy(reader, log))));
    let status = child.wait()?;
    match done.recv_timeout(LEFT_BEHIND) {
        Ok(copied) => copied.with_context(|| path.display().to_string())?,
        Err(_) => println!("note: a process that a test started still runs"),
    }
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

fn copy(reader: PipeReader, mut log: File) -> io::Result<()> {
    let (mut reader, mut line) = (BufReader::new(reader), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        log.write_all(&line)?;
        if !line.starts_with(b"{\"reason\":") {
            let mut out = io::stdout().lock();
            out.write_all(&line)?;
            out.flush()?;
        }
        line.clear();
    }
    Ok(())
}
