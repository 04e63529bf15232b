//! The process that a watchdog watches, started and buried by an ordinary thread. Neither may be done by the watchdog itself: a new
//! process is an ordinary thread until it has its program, and its parent stands still for so long; and the kernel clears a dead
//! process's entries of `/proc` by spinning until whoever looks at them has let go (`release_task`, `shrink_dcache_parent`), which at
//! a real-time priority keeps that somebody from running: a watchdog that waited for its child took its core for one to two seconds
//! in one of seven burials while another program listed the processes.

use std::{
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::RunArguments;

/// How long the process may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(8);
/// Between two looks while it stops.
const ROUND: Duration = Duration::from_millis(5);

/// What the ordinary thread tells.
enum News {
    /// A handle of the process, which stays this process's when its number is another's; and the number.
    Started(OwnedFd, u32),
    Failed(anyhow::Error),
    /// What a dead process left.
    Buried(ExitStatus),
}

/// What happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// It ended: told once.
    pub ended: bool,
    /// It was started, and this is its number.
    pub started: Option<u32>,
    /// With this, if it was not killed by us; told when it is buried, a while after it ended.
    pub by_itself: Option<ExitStatus>,
    /// It could not be started again, for this reason; another start may be ordered.
    pub failed: Option<anyhow::Error>,
}

/// The process that is watched.
pub(super) struct Ward {
    orders: Option<Sender<()>>,
    news: Receiver<News>,
    process: Option<Running>,
    /// Starts that were ordered and not told of.
    on_its_way: bool,
    /// We ended it.
    killed: bool,
}

/// A process that was started, and not seen to have ended.
struct Running {
    handle: OwnedFd,
    number: u32,
}

impl Ward {
    /// Starts it; its number too.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(
        arguments: &RunArguments,
        process: &str,
        figures: &Path,
        page: &Path,
    ) -> anyhow::Result<(Ward, u32)> {
        // The file that runs here, and not what lies in its place by then: an update may have removed it or put another version there.
        let mut command = Command::new("/proc/self/exe");
        command.arg0(std::env::current_exe().context("cannot find this program's own file")?);
        command.arg("run").arg(&arguments.system).args(["--process", process]);
        command.arg("--figures").arg(figures).arg("--vitals").arg(page);
        arguments.hand_on(&mut command);
        command.stdin(Stdio::null());
        let (orders, ordered) = channel();
        let (tell, news) = channel();
        std::thread::Builder::new()
            .name("troika-ward".into())
            .spawn(move || serve(&mut command, &ordered, &tell))
            .context("cannot start a thread")?;
        let mut ward = Ward { orders: Some(orders), news, process: None, on_its_way: false, killed: false };
        ward.start_again();
        let (process, number) = match ward.news.recv() {
            Ok(News::Started(handle, number)) => (Running { handle, number }, number),
            Ok(News::Failed(why)) => return Err(why),
            Ok(News::Buried(_)) | Err(_) => return Err(anyhow!("the thread that starts processes ended")),
        };
        ward.process = Some(process);
        ward.on_its_way = false;
        Ok((ward, number))
    }

    /// Orders another start, which [`Ward::look`] tells of.
    pub(super) fn start_again(&mut self) {
        if let Some(orders) = &self.orders {
            self.on_its_way = orders.send(()).is_ok();
        }
    }

    /// It runs, as far as was seen, and was not killed by us.
    pub(super) fn lives(&self) -> bool {
        self.process.is_some() && !self.killed
    }

    /// It runs no more, and is not gone yet: the kernel takes its memory from it, which on a machine without time takes as long as a hang
    /// does to be noticed.
    pub(super) fn is_ending(&self) -> bool {
        let Some(process) = &self.process else { return false };
        std::fs::read_to_string(format!("/proc/{}/stat", process.number)).is_ok_and(|stat| says_ending(&stat))
    }

    /// What happened; waits for nothing.
    pub(super) fn look(&mut self) -> Seen {
        let mut seen = Seen::default();
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Started(handle, number) => {
                    self.process = Some(Running { handle, number });
                    self.on_its_way = false;
                    self.killed = false;
                    seen.started = Some(number);
                }
                News::Failed(why) => {
                    self.on_its_way = false;
                    seen.failed = Some(why);
                }
                News::Buried(status) if !self.killed => seen.by_itself = Some(status),
                News::Buried(_) => {}
            }
        }
        if let Some(process) = &self.process
            && has_ended(&process.handle)
        {
            self.process = None;
            seen.ended = true;
        }
        seen
    }

    /// What it left, after it ended: waits until it is buried.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.news.iter().find_map(|news| if let News::Buried(status) = news { Some(status) } else { None })
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        self.killed = true;
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            let _gone_already = pidfd_send_signal(&process.handle, signal);
        }
    }

    /// Asks it to stop, and waits; longer than that it is not waited for. How many starts were told of meanwhile: one that was ordered
    /// just before. What a person is to know of it is told with `tell`, which must not wait.
    pub(super) fn stop(&mut self, tell: impl FnOnce(String)) -> u64 {
        self.orders = None;
        let (mut waited, mut asked, mut started) = (Duration::ZERO, false, 0);
        while waited < GRACE {
            started += u64::from(self.look().started.is_some());
            if self.process.is_none() && !self.on_its_way {
                return started;
            }
            if self.process.is_some() && !asked {
                self.signal(Signal::TERM);
                asked = true;
            }
            std::thread::sleep(ROUND);
            waited += ROUND;
        }
        self.kill();
        tell(format!("the process that is watched did not stop within {GRACE:?}: killed"));
        started
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// A process's handle can be read from when it has ended, buried or not (pidfd_open(2)).
fn has_ended(process: &OwnedFd) -> bool {
    let mut handles = [PollFd::new(process, PollFlags::IN)];
    poll(&mut handles, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// Whether a process's line of `/proc` says that it was killed or ends (proc_pid_stat(5): the flags are the ninth field, the signals that
/// wait for it the 31st, and the 52nd what it will leave or what stopped it; the second field, the program's name, may hold anything).
/// The three overlap: a process takes the signal from those that wait before it has the flag, and may lose its core between the two.
fn says_ending(stat: &str) -> bool {
    /// `PF_EXITING` of the kernel's sched.h.
    const EXITING: u64 = 0x4;
    const KILL: u64 = 1 << (Signal::KILL.as_raw() - 1);
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let number = |field: usize| -> u64 {
        fields.split_whitespace().nth(field - 3).and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let leaves = number(52);
    let only_stopped = [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU]
        .iter()
        .any(|signal| u64::try_from(signal.as_raw()) == Ok(leaves));
    number(9) & EXITING > 0 || number(31) & KILL > 0 || (leaves > 0 && !only_stopped)
}

fn begin(command: &mut Command) -> anyhow::Result<(Child, OwnedFd)> {
    let mut child = command.spawn().context("cannot start the process that is watched")?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process without a number")?;
    // Not buried yet, so the number is its own.
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => Ok((child, handle)),
        Err(why) => {
            // Nobody could end it later.
            let _ended_already = child.kill();
            let _buried_already = child.wait();
            Err(why).context("no handle of the process that is watched")
        }
    }
}

/// Starts and buries, one after the other, until nobody orders any more. The process is told when this thread ends, and ends itself
/// then, so it must last as long as the watchdog does.
fn serve(command: &mut Command, ordered: &Receiver<()>, tell: &Sender<News>) {
    let mut before = false;
    while ordered.recv().is_ok() {
        let mut child = match begin(command) {
            Ok((child, handle)) => {
                let _nobody_listens = tell.send(News::Started(handle, child.id()));
                child
            }
            Err(why) => {
                // No memory, no process more, no file: another order may find it there again.
                let _nobody_listens = tell.send(News::Failed(why));
                continue;
            }
        };
        if !before {
            before = true;
            command.arg("--again");
        }
        if let Ok(status) = child.wait() {
            let _nobody_listens = tell.send(News::Buried(status));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_killed_ends_and_one_that_hangs_does_not() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("a process");
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("not buried yet");
        assert!(!says_ending(&stat()), "{}", stat());
        let pid = Pid::from_raw(child.id() as i32).expect("a number");
        rustix::process::kill_process(pid, Signal::STOP).expect("its parent may");
        assert!(!says_ending(&stat()), "stopped, and nothing is on its way: {}", stat());
        // From here on, whether it has looked at its signals or not.
        rustix::process::kill_process(pid, Signal::KILL).expect("its parent may");
        assert!(says_ending(&stat()), "{}", stat());
        let handle = pidfd_open(pid, PidfdFlags::empty()).expect("a handle");
        poll(&mut [PollFd::new(&handle, PollFlags::IN)], None).expect("it ends");
        assert!(says_ending(&stat()), "dead, and not buried: {}", stat());
        child.wait().expect("buried");
    }

    #[test]
    fn a_start_that_was_ordered_just_before_the_stop_is_told_of_and_stopped() {
        let (orders, ordered) = channel();
        let (tell, news) = channel();
        let mut command = Command::new("sleep");
        command.arg("1000");
        let server = std::thread::spawn(move || serve(&mut command, &ordered, &tell));
        let mut ward = Ward { orders: Some(orders), news, process: None, on_its_way: false, killed: false };
        ward.start_again();
        assert_eq!(ward.stop(|told| panic!("{told}")), 1);
        assert!(ward.process.is_none() && !ward.killed, "it went when it was asked to");
        server.join().expect("nobody orders any more");
    }

    #[test]
    fn a_start_that_fails_is_told_of_and_another_may_be_ordered() {
        troika_safety::verifies![SR_TIM_009];
        let (orders, ordered) = channel();
        let (tell, news) = channel();
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("sh");
        let mut command = Command::new(&program);
        command.args(["-c", "exec sleep 1000"]);
        let server = std::thread::spawn(move || serve(&mut command, &ordered, &tell));
        let mut ward = Ward { orders: Some(orders), news, process: None, on_its_way: false, killed: false };
        let next = |ward: &mut Ward| {
            ward.start_again();
            loop {
                let seen = ward.look();
                if seen.started.is_some() || seen.failed.is_some() {
                    return seen;
                }
                std::thread::sleep(ROUND);
            }
        };
        for _ in 0..2 {
            let seen = next(&mut ward);
            assert!(seen.failed.is_some() && !seen.ended && !ward.lives(), "there is no such file: {seen:?}");
        }
        std::os::unix::fs::symlink("/bin/sh", &program).expect("a program");
        let seen = next(&mut ward);
        assert!(seen.started.is_some() && ward.lives(), "{seen:?}");
        assert_eq!(ward.stop(|told| panic!("{told}")), 0);
        server.join().expect("nobody orders any more");
    }

    #[test]
    fn a_programs_name_does_not_pass_for_its_flags() {
        let line = |flags: &str, waiting: &str, leaves: &str| {
            format!(
                "S 1 2 3 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 9 9 9 9 9 9 9 9 9 {waiting} 0 0 0 0 0 0 17 1 0 0 0 0 0 9 9 9 9 9 9 9 {leaves}"
            )
        };
        assert!(!says_ending(&format!("7 (a) R 1 1 1 1 1 4) {}", line("4194304", "0", "0"))));
        for (flags, waiting, leaves) in
            [("4194308", "0", "0"), ("4194304", "256", "0"), ("4194304", "0", "9"), ("4194304", "0", "256")]
        {
            assert!(
                says_ending(&format!("7 (a) {}", line(flags, waiting, leaves))),
                "{flags} {waiting} {leaves}"
            );
        }
        assert!(!says_ending(&format!("7 (a) {}", line("4194304", "0", "19"))), "stopped");
        assert!(!says_ending("") && !says_ending("7 (a) S"));
    }
}
