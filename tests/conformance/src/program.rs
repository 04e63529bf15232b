//! A program under test as a process of its own, without what the person who runs the tests has set for their own systems.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// It, and the lines that it tells people; dropping it kills it.
#[derive(Debug)]
pub struct Program(Child, Receiver<String>);

impl Program {
    /// Starts a file with `--config`. What it tells on its standard error is told on ours too.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(file: &str, settings: &str) -> Program {
        let mut command = Command::new(file);
        for ours in ["ROS_DOMAIN_ID", "TROIKA_ZENOH_ENDPOINT", "TROIKA_ZENOH_SHM", "TROIKA_ZENOH_SOCKETS"] {
            command.env_remove(ours);
        }
        command.args(["--config", settings]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (sender, told) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("{line}");
                // The test may have ended.
                let _ = sender.send(line);
            }
        });
        Program(child, told)
    }

    /// The next line that it tells people.
    ///
    /// # Panics
    /// When none comes within that time.
    pub fn tells(&mut self, within: Duration) -> String {
        self.1.recv_timeout(within).expect("it tells something")
    }

    /// Lines that it tells people, until one says one of these.
    ///
    /// # Panics
    /// When it tells nothing more within that time.
    pub fn says(&mut self, one_of: &[&str], within: Duration) -> String {
        loop {
            let told = self.tells(within);
            if one_of.iter().any(|wanted| told.contains(wanted)) {
                return told;
            }
        }
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it had ended by itself.
    pub fn kill(mut self) {
        assert_eq!(self.0.try_wait().expect("it is ours"), None, "it ended by itself");
        self.0.kill().expect("kill -9");
        self.0.wait().expect("it has ended");
    }

    /// What Ctrl-C and service managers send; it must end well within that time.
    ///
    /// # Panics
    /// When it does not.
    pub fn ends(mut self, signal: Signal, within: Duration) {
        let pid = Pid::from_raw(self.0.id().try_into().expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it runs");
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("it is ours") {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(begin.elapsed() < within, "it does not end");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
