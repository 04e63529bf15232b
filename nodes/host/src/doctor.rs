//! What this machine allows a real-time process, each with the command that mends it. What can be tried is tried (on a
//! thread of its own), since limits, capabilities and cgroups all have a say.

use std::{fs, thread, time::Duration};

use rustix::{
    process::{Resource, getrlimit},
    thread::CapabilitySet,
    time::{ClockId, clock_getres},
};

use crate::sched::{
    MEND_ADMISSION, MEND_DEADLINE, MEND_MEMLOCK, MEND_PRIORITY, MEND_WAKE_LATENCY, Policy, WAKE_LATENCY,
    has_capability, set_policy,
};

/// Memory that one of our processes may touch: models, arenas, pools and stacks; below it, locking fails in the field.
const NEEDED_MEMLOCK: u64 = 512 << 20;

/// One thing about the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in two or three words.
    pub what: &'static str,
    /// As a real-time process needs it.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// The command, or the place, that mends it; of no use when `ok`.
    pub mend: String,
}

/// Looks at everything.
pub fn inspect() -> Vec<Finding> {
    vec![
        priority(),
        deadline(),
        memory(),
        clock(),
        throttling(
            read("/proc/sys/kernel/sched_rt_runtime_us").as_deref(),
            read("/proc/sys/kernel/sched_rt_period_us").as_deref(),
        ),
        preemption(&read("/proc/version").unwrap_or_default(), read("/sys/kernel/realtime").as_deref()),
        cgroup(),
        governor(),
        idle(),
        cores(read("/sys/devices/system/cpu/isolated").as_deref()),
    ]
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn priority() -> Finding {
    // Really tried: the capability may be there and a cgroup refuse it all the same.
    let tried = thread::spawn(|| set_policy(Policy::Fifo(80)));
    let limit = getrlimit(Resource::Rtprio).current;
    let sources = format!(
        "CAP_SYS_NICE {}, RLIMIT_RTPRIO {}",
        if has_capability(CapabilitySet::SYS_NICE) { "yes" } else { "no" },
        limit.map_or("unlimited".into(), |n| n.to_string())
    );
    let (ok, detail) = match tried.join() {
        Ok(Ok(())) => (true, format!("SCHED_FIFO 80 granted ({sources})")),
        Ok(Err(why)) => (false, format!("SCHED_FIFO 80 refused: {why} ({sources})")),
        Err(_) => (false, "could not be tried".into()),
    };
    Finding { what: "real-time priority", ok, detail, mend: MEND_PRIORITY.into() }
}

fn deadline() -> Finding {
    // A thousandth of one core: enough to see whether the kernel admits one.
    let policy = Policy::Deadline {
        runtime: Duration::from_micros(100),
        deadline: Duration::from_millis(100),
        period: Duration::from_millis(100),
    };
    let tried = thread::spawn(move || set_policy(policy)).join();
    let (ok, detail) = match &tried {
        Ok(Ok(())) => (true, "granted".to_owned()),
        Ok(Err(why)) => (false, format!("refused: {why}")),
        Err(_) => (false, "could not be tried".into()),
    };
    let busy = matches!(&tried, Ok(Err(why)) if why.raw_os_error() == Some(libc::EBUSY));
    let mend = if busy { MEND_ADMISSION } else { MEND_DEADLINE };
    Finding { what: "SCHED_DEADLINE", ok, detail, mend: mend.into() }
}

fn memory() -> Finding {
    let limit = getrlimit(Resource::Memlock).current;
    let capable = has_capability(CapabilitySet::IPC_LOCK);
    let ok = capable || limit.is_none_or(|bytes| bytes >= NEEDED_MEMLOCK);
    let detail = format!(
        "RLIMIT_MEMLOCK {}, CAP_IPC_LOCK {}",
        limit.map_or("unlimited".into(), |bytes| format!("{} KiB", bytes >> 10)),
        if capable { "yes" } else { "no" }
    );
    Finding { what: "memory locking", ok, detail, mend: MEND_MEMLOCK.into() }
}

fn clock() -> Finding {
    let resolution = clock_getres(ClockId::Monotonic);
    let nanos = resolution.tv_sec as u64 * 1_000_000_000 + resolution.tv_nsec as u64;
    let source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .unwrap_or_else(|| "unknown".into());
    // A source that needs a system call or a device access for each read costs every step.
    let slow = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"].contains(&source.as_str());
    Finding {
        what: "clock",
        ok: nanos <= 1_000 && !slow,
        detail: format!("CLOCK_MONOTONIC from {source}, resolution {nanos} ns"),
        mend: "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource, or boot with clocksource=tsc; \
               high-resolution timers: CONFIG_HIGH_RES_TIMERS"
            .into(),
    }
}

fn throttling(runtime: Option<&str>, period: Option<&str>) -> Finding {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let (ok, detail) = match (number(runtime), number(period)) {
        (Some(-1), _) => {
            (true, "off: a real-time thread that never sleeps can take its core for good".into())
        }
        (Some(0), _) => (false, "real-time threads get no time at all".into()),
        // The kernel's default leaves 5 % to others. Our nodes sleep every period, so it does not bite; less might.
        (Some(runtime), Some(period)) if period > 0 => (
            runtime * 100 >= period * 95,
            format!(
                "real-time threads get {runtime} of every {period} us: a thread that never sleeps is stopped for the rest"
            ),
        ),
        _ => (false, "the kernel does not say".into()),
    };
    Finding {
        what: "real-time throttling",
        ok,
        detail,
        mend: "sysctl -w kernel.sched_rt_runtime_us=950000 (of kernel.sched_rt_period_us=1000000)".into(),
    }
}

fn preemption(version: &str, realtime: Option<&str>) -> Finding {
    let rt = realtime == Some("1") || version.contains("PREEMPT_RT");
    let model =
        ["PREEMPT_RT", "PREEMPT_DYNAMIC", "PREEMPT"].into_iter().find(|model| version.contains(model));
    let release = version.split_whitespace().nth(2).unwrap_or("unknown");
    Finding {
        what: "kernel preemption",
        ok: rt,
        detail: format!("{release}, {}", if rt { "PREEMPT_RT" } else { model.unwrap_or("no preemption") }),
        mend: "install a PREEMPT_RT kernel (Debian: apt install linux-image-rt-amd64); without one the tail is milliseconds, \
               and PREEMPT_DYNAMIC kernels are better with preempt=full on the boot line"
            .into(),
    }
}

fn cgroup() -> Finding {
    let what = "cgroups";
    let mend = "move the process to a cgroup with real-time time (echo 950000 > <its cpu cgroup>/cpu.rt_runtime_us), or use \
                cgroup v2 (systemd.unified_cgroup_hierarchy=1)"
        .to_owned();
    let of_process = read("/proc/self/cgroup").unwrap_or_default();
    let Some(path) = cpu_cgroup_v1(&of_process) else {
        return Finding { what, ok: true, detail: "no v1 cpu cgroup".into(), mend };
    };
    let runtimes = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"]
        .iter()
        .find_map(|root| read(&format!("{root}{path}/cpu.rt_runtime_us")));
    match runtimes.as_deref() {
        Some("0") => Finding {
            what,
            ok: false,
            detail: format!("v1 cpu cgroup {path} gives real-time threads no time: SCHED_FIFO is refused"),
            mend,
        },
        Some(runtime) => {
            Finding { what, ok: true, detail: format!("v1 cpu cgroup {path}: {runtime} us a second"), mend }
        }
        None => {
            Finding { what, ok: true, detail: format!("v1 cpu cgroup {path} without real-time groups"), mend }
        }
    }
}

/// The process's path in the v1 cpu hierarchy, from `/proc/self/cgroup` lines such as `4:cpu,cpuacct:/user`.
fn cpu_cgroup_v1(of_process: &str) -> Option<&str> {
    of_process.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        controllers.split(',').any(|one| one == "cpu").then_some(path)
    })
}

fn governor() -> Finding {
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    Finding {
        what: "CPU governor",
        ok: governor.as_deref().is_none_or(|governor| governor == "performance"),
        detail: governor
            .unwrap_or_else(|| "none: the frequency is not the guest's (or the kernel's) to set".into()),
        mend: "cpupower frequency-set -g performance".into(),
    }
}

fn idle() -> Finding {
    let driver = read("/sys/devices/system/cpu/cpuidle/current_driver").unwrap_or_else(|| "none".into());
    let writable = fs::OpenOptions::new().write(true).open(WAKE_LATENCY);
    let allowed = match &writable {
        Ok(_) => format!("{WAKE_LATENCY} may be held (`wake_latency_us` of a process)"),
        Err(why) => format!("{WAKE_LATENCY}: {why}"),
    };
    Finding {
        what: "idle states",
        ok: writable.is_ok() || driver == "none",
        detail: format!("driver {driver}; {allowed}"),
        mend: MEND_WAKE_LATENCY.into(),
    }
}

fn cores(isolated: Option<&str>) -> Finding {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let isolated = isolated.filter(|list| !list.is_empty());
    Finding {
        what: "cores",
        // One core has no room for transport threads beside a real-time one.
        ok: cores >= 2,
        detail: format!("{cores} usable, isolated: {}", isolated.unwrap_or("none")),
        mend: "give the process at least 2 cores; for the tightest tail boot with isolcpus=<n> nohz_full=<n> and name the \
               core in the node's `cores`"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_says_what_was_found_and_how_to_mend_it() {
        let findings = inspect();
        assert!(findings.len() >= 9);
        for finding in findings {
            assert!(
                !finding.what.is_empty() && !finding.detail.is_empty() && !finding.mend.is_empty(),
                "{finding:?}"
            );
        }
    }

    #[test]
    fn throttling_is_fine_at_the_kernels_default_and_not_below_it() {
        assert!(throttling(Some("950000"), Some("1000000")).ok);
        assert!(throttling(Some("-1"), Some("1000000")).ok);
        assert!(!throttling(Some("100000"), Some("1000000")).ok);
        assert!(!throttling(Some("0"), Some("1000000")).ok);
        assert!(!throttling(None, None).ok);
    }

    #[test]
    fn a_preempt_rt_kernel_is_told_from_a_dynamic_one() {
        let dynamic = "Linux version 6.18.44 (gcc) #1 SMP PREEMPT_DYNAMIC Mon";
        assert!(!preemption(dynamic, None).ok);
        assert_eq!(preemption(dynamic, None).detail, "6.18.44, PREEMPT_DYNAMIC");
        assert!(preemption("Linux version 6.1.0-rt (gcc) #1 SMP PREEMPT_RT Debian", None).ok);
        assert!(preemption(dynamic, Some("1")).ok);
    }

    #[test]
    fn the_v1_cpu_cgroup_is_found_among_others() {
        assert_eq!(cpu_cgroup_v1("5:memory:/a\n4:cpu,cpuacct:/user.slice\n0::/b"), Some("/user.slice"));
        assert_eq!(cpu_cgroup_v1("4:cpuset:/x\n0::/init.scope"), None);
    }
}
