//! The load: what else the machine has to do, at normal priority.

use std::{
    hint::spin_loop,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use troika_host::StopToken;

/// A busy machine, until it is dropped.
pub struct Load {
    /// In words.
    pub what: String,
    stop: StopToken,
    threads: Vec<JoinHandle<()>>,
    stress: Option<Child>,
}

impl Load {
    /// One busy thread on every core; with stress-ng, if it is installed, memory and system calls besides.
    pub fn start() -> Load {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let stop = StopToken::new();
        let busy = |stop: StopToken| {
            move || {
                while !stop.is_stopped() {
                    (0..100_000).for_each(|_| spin_loop());
                }
            }
        };
        let threads = (0..cores).map(|_| thread::spawn(busy(stop.clone()))).collect();
        let stress = Command::new("stress-ng")
            .args(["--vm", "1", "--vm-bytes", "64M", "--switch", "1", "--quiet"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok();
        let besides = if stress.is_some() { ", stress-ng --vm 1 --switch 1" } else { " (no stress-ng)" };
        Load { what: format!("{cores} busy threads{besides}"), stop, threads, stress }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
        if let Some(stress) = &mut self.stress {
            if let Some(pid) = i32::try_from(stress.id()).ok().and_then(rustix::process::Pid::from_raw) {
                // Asked, so that it ends its own workers.
                let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            let _ended = stress.wait();
        }
    }
}
