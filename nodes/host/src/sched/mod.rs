//! What belongs here: what the host asks of the operating system so that a step runs when it should: policy, cores, locked
//! memory, touched stacks. A right that is missing is a [`Notice`], never an end: the node runs on without it.

mod raw;

use std::{fmt, hint::black_box, io, num::NonZeroU64, time::Duration};

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{Resource, getrlimit},
    thread::{CapabilitySet, CpuSet, capabilities, sched_setaffinity, set_current_timer_slack},
};

/// Stack that a node's thread touches before its first step: no page fault for it later.
const TOUCHED_STACK: usize = 512 << 10;

/// A thread's scheduling policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The ordinary one (`SCHED_OTHER`).
    Other,
    /// First in, first out at a real-time priority, 1..=99 (`SCHED_FIFO`). Nodes lie well under the floor thread's 90.
    Fifo(u8),
    /// Earliest deadline first (`SCHED_DEADLINE`): the kernel grants `runtime` of every `period`, before `deadline`, and stops
    /// the thread until the next period when it takes more. Runs above every FIFO thread. It excludes `cores`: the kernel
    /// takes no affinity narrower than the thread's root domain.
    Deadline {
        /// Execution time in each period.
        runtime: Duration,
        /// From release to end.
        deadline: Duration,
        /// Between releases.
        period: Duration,
    },
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::Other => f.write_str("SCHED_OTHER"),
            Policy::Fifo(priority) => write!(f, "SCHED_FIFO {priority}"),
            Policy::Deadline { runtime, deadline, period } => {
                write!(f, "SCHED_DEADLINE {runtime:?} of every {period:?} within {deadline:?}")
            }
        }
    }
}

/// Something that the machine did not allow, for a person: loud, and once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Who is concerned: a node's full name, or the process.
    pub who: String,
    /// What was asked for and refused, and what holds instead.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  to mend: {}", self.who, self.what, self.mend)
    }
}

/// How to get a real-time priority.
pub const MEND_PRIORITY: &str = "run as root, or `setcap cap_sys_nice=ep <binary>`, or `ulimit -r 95` \
     (limits.conf: `@realtime - rtprio 95`); in a container `--cap-add SYS_NICE --ulimit rtprio=95`; on cgroup v1 \
     write a time to cpu.rt_runtime_us of the process's cpu cgroup";
/// How to get a deadline thread: no limit grants it, only the capability (sched(7)).
pub const MEND_DEADLINE: &str = "run as root, or `setcap cap_sys_nice=ep <binary>`; in a container `--cap-add SYS_NICE`; or take \
     policy \"fifo\", which a limit can grant";
/// How to have a deadline thread admitted.
pub const MEND_ADMISSION: &str = "the kernel has given its deadline time away (kernel.sched_rt_runtime_us of every \
     kernel.sched_rt_period_us, on each core): lower the budgets or rates of the nodes with policy \"deadline\", or see with \
     `chrt --all-tasks --pid <pid>` who else has it";
/// How to be allowed to lock memory.
pub const MEND_MEMLOCK: &str = "run as root, or `setcap cap_ipc_lock=ep <binary>`, or `ulimit -l unlimited` \
     (limits.conf: `@realtime - memlock unlimited`); in a container `--cap-add IPC_LOCK --ulimit memlock=-1`";

/// Sets the calling thread's policy.
///
/// # Errors
/// `EPERM` without the right (for a deadline also with an affinity narrower than the machine), `EINVAL` for a priority outside
/// 1..=99 or not `runtime <= deadline <= period`, `EBUSY` when the kernel admits no more deadline threads.
pub fn set_policy(policy: Policy) -> io::Result<()> {
    raw::set_policy(0, attributes(policy)?)
}

fn attributes(policy: Policy) -> io::Result<raw::Attributes> {
    Ok(match policy {
        Policy::Other => raw::Attributes::Other,
        Policy::Fifo(0) => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
        Policy::Fifo(priority) => raw::Attributes::Fifo(priority),
        Policy::Deadline { runtime, deadline, period } => {
            let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            raw::Attributes::Deadline {
                runtime: nanos(runtime),
                deadline: nanos(deadline),
                period: nanos(period),
            }
        }
    })
}

/// Sets the policy of this process's threads whose names begin with one of `prefixes`: a library's, that cannot be asked
/// themselves. Gives how many there were.
///
/// # Errors
/// The notice that says what holds instead.
pub fn raise_threads(prefixes: &[&str], policy: Policy) -> Result<usize, Notice> {
    if prefixes.is_empty() {
        return Ok(0);
    }
    let refused = |why: io::Error| Notice {
        who: "process".into(),
        what: format!(
            "the transport's threads run at normal priority ({why}): on a busy machine a message waits for its turn"
        ),
        mend: MEND_PRIORITY.into(),
    };
    let attributes = attributes(policy).map_err(refused)?;
    let mut raised = 0;
    for thread in std::fs::read_dir("/proc/self/task").map_err(refused)?.flatten() {
        // A thread may end between the listing and here.
        let Ok(name) = std::fs::read_to_string(thread.path().join("comm")) else { continue };
        let number = thread.file_name().to_str().and_then(|number| number.parse().ok());
        let Some(number) = number.filter(|_| prefixes.iter().any(|prefix| name.starts_with(prefix))) else {
            continue;
        };
        match raw::set_policy(number, attributes) {
            Ok(()) => raised += 1,
            Err(why) if why.raw_os_error() == Some(libc::ESRCH) => {}
            Err(why) => return Err(refused(why)),
        }
    }
    Ok(raised)
}

/// The kernel's quality-of-service file for the time that a core may take to wake up (Documentation/power/pm_qos_interface.rst).
pub(crate) const WAKE_LATENCY: &str = "/dev/cpu_dma_latency";
/// How to be allowed to bound it.
pub(crate) const MEND_WAKE_LATENCY: &str = "run as root, or let a group of yours write it: a udev rule \
     `KERNEL==\"cpu_dma_latency\", GROUP=\"realtime\", MODE=\"0660\"`; in a container `--device /dev/cpu_dma_latency`; or boot \
     with idle=poll";

/// A bound on how long a core may take to wake from idleness, for the whole machine, while this is held (`cyclictest` holds 0).
/// A core that sleeps deeply wakes late, and a halted virtual one waits until it is given a real one.
#[derive(Debug)]
pub struct WakeLatency {
    /// The kernel drops the bound when the last holder closes it, however its process ends.
    _held: std::fs::File,
}

impl WakeLatency {
    /// Holds a bound of so many microseconds; 0 lets no core sleep, at the price of its power.
    ///
    /// # Errors
    /// The notice that says what holds instead.
    pub fn hold(microseconds: u32) -> Result<WakeLatency, Notice> {
        let open = || -> io::Result<std::fs::File> {
            let mut file = std::fs::OpenOptions::new().write(true).open(WAKE_LATENCY)?;
            // Binary, as the machine has its integers: a signed 32-bit number of microseconds.
            let bound = i32::try_from(microseconds).unwrap_or(i32::MAX);
            io::Write::write_all(&mut file, &bound.to_ne_bytes())?;
            Ok(file)
        };
        open().map(|held| WakeLatency { _held: held }).map_err(|why| Notice {
            who: "process".into(),
            what: format!(
                "{WAKE_LATENCY}: {why}: an idle core may sleep deeply, and a step then starts late"
            ),
            mend: MEND_WAKE_LATENCY.into(),
        })
    }
}

/// Lets the calling thread run on these cores only.
///
/// # Errors
/// `EINVAL` when none of them exists or is allowed.
pub fn set_cores(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        if *core >= CpuSet::MAX_CPU {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Locks the process's memory, as far as that is sound here.
///
/// With the right to lock without bound: all pages, present and future, as they are touched (`MCL_ONFAULT`, so that thread
/// stacks and pools are not pinned whole). Without it, only what is there now: `MCL_FUTURE` under a limit would make a
/// later allocation or thread start fail.
///
/// # Errors
/// The notice that says what holds instead.
pub fn lock_memory() -> Result<(), Notice> {
    troika_safety::fulfils![SR_TIM_005, SR_TIM_017];
    raw::keep_heap();
    let limit = getrlimit(Resource::Memlock).current; // None: no limit
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT;
    let unbounded = limit.is_none() || has_capability(CapabilitySet::IPC_LOCK);
    let result = mlockall(if unbounded { flags | MlockAllFlags::FUTURE } else { flags });
    match result {
        Ok(()) if unbounded => Ok(()),
        Ok(()) => Err(Notice {
            who: "process".into(),
            what: format!(
                "only the memory present now is locked: the limit is {} KiB",
                limit.unwrap_or(0) >> 10
            ),
            mend: MEND_MEMLOCK.into(),
        }),
        Err(why) => Err(Notice {
            who: "process".into(),
            what: format!(
                "memory is not locked ({why}; the limit is {}): a page that was swapped out or never read delays a step",
                limit.map_or("none".into(), |bytes| format!("{} KiB", bytes >> 10))
            ),
            mend: MEND_MEMLOCK.into(),
        }),
    }
}

/// Readies the calling thread for a node: touches its stack, sets cores, then the policy. True if it is real-time now.
pub(crate) fn ready_thread(
    who: &str,
    policy: Policy,
    cores: Option<&[usize]>,
    notices: &mut Vec<Notice>,
) -> bool {
    troika_safety::fulfils![SR_TIM_017];
    touch_stack();
    // An ordinary thread's timers fire up to 50 us late by default; a real-time thread's do not. Needs no right.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    if let Some(cores) = cores
        && let Err(why) = set_cores(cores)
    {
        notices.push(Notice {
            who: who.into(),
            what: format!("cannot run on cores {cores:?} ({why}): runs on any core"),
            mend: format!(
                "name cores that exist and that the process may use (it has {})",
                std::thread::available_parallelism().map_or(0, usize::from)
            ),
        });
    }
    if policy == Policy::Other {
        return false;
    }
    match set_policy(policy) {
        Ok(()) => true,
        Err(why) => {
            notices.push(Notice {
                who: who.into(),
                what: format!(
                    "NO REAL-TIME PRIORITY: {policy} refused ({why}): runs at normal priority, its deadlines are not held under load"
                ),
                mend: match why.raw_os_error() {
                    Some(libc::EBUSY) => MEND_ADMISSION.into(),
                    _ if matches!(policy, Policy::Deadline { .. }) => MEND_DEADLINE.into(),
                    _ => MEND_PRIORITY.into(),
                },
            });
            false
        }
    }
}

#[inline(never)]
fn touch_stack() {
    let mut stack = [0_u8; TOUCHED_STACK];
    for page in stack.chunks_mut(4096) {
        page[0] = 1;
    }
    black_box(&mut stack);
}

/// True if the calling thread holds this capability; false where the kernel does not say.
pub(crate) fn has_capability(one: CapabilitySet) -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_locked_or_the_notice_says_how_to_get_there() {
        match lock_memory() {
            Ok(()) => {
                let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
                let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).map(str::trim);
                assert!(locked.is_some_and(|size| size != "0 kB"), "{locked:?}");
            }
            Err(notice) => assert!(notice.mend.contains("memlock"), "{notice}"),
        }
        // Other tests of this process go on unlocked.
        rustix::mm::munlockall().expect("always allowed");
    }

    #[test]
    fn a_deadline_thread_runs_and_may_start_ordinary_threads() {
        let policy = Policy::Deadline {
            runtime: Duration::from_millis(1),
            deadline: Duration::from_millis(50),
            period: Duration::from_millis(100),
        };
        let tried = std::thread::spawn(move || {
            set_policy(policy)?;
            // Without reset-on-fork the kernel refuses this thread any child.
            Ok::<_, io::Error>(std::thread::spawn(|| 7).join().expect("the child ran"))
        });
        match tried.join().expect("it ran on") {
            Ok(answer) => assert_eq!(answer, 7),
            // A machine without the right: refused, and nothing else.
            Err(why) => assert!(!has_capability(CapabilitySet::SYS_NICE), "{why}"),
        }
    }

    #[test]
    fn a_runtime_over_its_deadline_is_refused() {
        let policy = Policy::Deadline {
            runtime: Duration::from_millis(20),
            deadline: Duration::from_millis(10),
            period: Duration::from_millis(30),
        };
        let refused = std::thread::spawn(move || set_policy(policy)).join().expect("it ran on");
        assert!(refused.is_err());
    }

    #[test]
    fn a_librarys_threads_are_raised_by_their_names_and_no_others() {
        let raised = std::thread::spawn(|| {
            let (sender, parked) = std::sync::mpsc::channel::<()>();
            let waiting = std::thread::Builder::new()
                .name("raise-me-0".into())
                .spawn(move || {
                    let _ = parked.recv();
                    policy_of_this_thread()
                })
                .expect("a thread");
            let raised = raise_threads(&["raise-me-"], Policy::Fifo(1));
            drop(sender);
            (raised, waiting.join().expect("it ran on"), policy_of_this_thread())
        });
        let (raised, theirs, ours) = raised.join().expect("it ran on");
        assert_eq!(ours, libc::SCHED_OTHER);
        match raised {
            // The name is set by the new thread itself, so it may not have been there yet.
            Ok(count) => assert_eq!(theirs, if count == 1 { libc::SCHED_FIFO } else { libc::SCHED_OTHER }),
            Err(notice) => assert!(notice.mend.contains("cap_sys_nice"), "{notice}"),
        }
    }

    /// Without reset-on-fork's flag.
    fn policy_of_this_thread() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
        // Field 41 of proc_pid_stat(5); the name, the second field, ends with the last bracket.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        fields.split_whitespace().nth(41 - 3).and_then(|field| field.parse().ok()).expect("a policy")
    }

    #[test]
    fn a_bound_on_waking_is_held_or_the_notice_says_how_to_get_there() {
        match WakeLatency::hold(100) {
            Ok(held) => {
                let mut now = [0; 4];
                let mut file = std::fs::File::open(WAKE_LATENCY).expect("it was opened for writing");
                io::Read::read_exact(&mut file, &mut now).expect("the bound that holds");
                assert!(i32::from_ne_bytes(now) <= 100);
                drop(held);
            }
            Err(notice) => assert!(notice.mend.contains("cpu_dma_latency"), "{notice}"),
        }
    }

    #[test]
    fn an_impossible_priority_and_an_impossible_core_are_notices_and_the_thread_runs_on() {
        troika_safety::verifies![SR_TIM_017];
        let notices = std::thread::spawn(|| {
            let mut notices = Vec::new();
            let real_time = ready_thread("/dms", Policy::Fifo(100), Some(&[100_000]), &mut notices);
            assert!(!real_time);
            notices
        })
        .join()
        .expect("the thread ran on");
        assert_eq!(notices.len(), 2);
        assert!(notices.iter().all(|notice| notice.who == "/dms" && !notice.mend.is_empty()));
        assert!(notices[1].what.contains("NO REAL-TIME PRIORITY"), "{}", notices[1]);
    }
}
