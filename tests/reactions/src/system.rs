//! A system under test: `troika run` in a folder of its own, where what it injects is noted.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::peer::pause;

/// How long a system may take to stop.
const GRACE: Duration = Duration::from_secs(30);

/// A fault that was injected, as its node noted it before it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The node's full name.
    pub node: String,
    /// Its release, nanoseconds on its host's time line.
    pub release: u64,
    /// Its tick, as its release.
    pub tick: u64,
    /// When it happened, nanoseconds of `CLOCK_MONOTONIC`.
    pub onset: u64,
}

/// The lines of the log of injections; a last one that is not whole yet is left out.
pub fn injected(log: &str) -> Vec<Injected> {
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let read = |line: &str| {
        let mut words = line.split(' ');
        let node = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        let (_step, release, tick, onset): (u64, _, _, _) = (number()?, number()?, number()?, number()?);
        Some(Injected { node, release, tick, onset })
    };
    whole.lines().filter_map(read).collect()
}

/// A system that runs.
pub struct System {
    child: Child,
    folder: tempfile::TempDir,
    endpoint: String,
}

impl System {
    /// Starts `troika` on a system file.
    pub fn start(troika: &Path, file: &Path, endpoint: &str) -> anyhow::Result<System> {
        let make = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix("troika-reactions-");
            builder
        };
        // In memory where there is one: a note must not wait for a disk.
        let folder = make().tempdir_in("/dev/shm").or_else(|_| make().tempdir())?;
        let printed = File::create(folder.path().join("printed"))?;
        let child = Command::new(troika)
            .arg("run")
            .arg(file)
            .args(["--headless", "--router", endpoint])
            // The peer's: this run is alone at its router.
            .env("ROS_DOMAIN_ID", "0")
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(printed.try_clone()?)
            .stderr(printed)
            .spawn()
            .with_context(|| format!("cannot start {}", troika.display()))?;
        Ok(System { child, folder, endpoint: endpoint.to_owned() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What was injected so far.
    pub fn injected(&self) -> Vec<Injected> {
        injected(&fs::read_to_string(self.path("injected")).unwrap_or_default())
    }

    /// Fails when the system has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the system ended ({status}); it printed:\n{}", self.printed());
        }
        Ok(())
    }

    /// The end of what it printed.
    pub fn printed(&self) -> String {
        let text = fs::read_to_string(self.path("printed")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// The process of nodes `name`, if it runs: not its watchdog.
    pub fn process(&self, name: &str) -> Option<Pid> {
        let is_it = |line: &[u8]| {
            let words: Vec<&str> = line.split(|byte| *byte == 0).flat_map(str::from_utf8).collect();
            words.contains(&self.endpoint.as_str())
                && words.contains(&"--vitals")
                && words.windows(2).any(|pair| pair == ["--process", name])
        };
        fs::read_dir("/proc").ok()?.find_map(|entry| {
            let entry = entry.ok()?;
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            if is_it(&line) { Pid::from_raw(pid) } else { None }
        })
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Stops it in order.
    pub fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.pid() {
            kill_process(pid, Signal::INT)?;
        }
        let mut waited = Duration::ZERO;
        while waited < GRACE {
            if let Some(status) = self.child.try_wait()? {
                if !status.success() {
                    bail!("the system ended with {status}; it printed:\n{}", self.printed());
                }
                return Ok(());
            }
            pause(Duration::from_millis(20));
            waited += Duration::from_millis(20);
        }
        bail!("the system does not stop; it printed:\n{}", self.printed())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), self.pid()) {
            let _gone = kill_process_group(pid, Signal::KILL);
            let _ended = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_whole_yet_is_left_out() {
        let log = "/motion 3 5 7 11\n/motion 6 15 17 21\n/motion 9 25 2";
        let one = |release, tick, onset| Injected { node: "/motion".into(), release, tick, onset };
        assert_eq!(injected(log), [one(5, 7, 11), one(15, 17, 21)]);
        assert!(injected("/mot").is_empty());
    }
}
