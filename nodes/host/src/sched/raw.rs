//! The few system calls that no safe crate of ours wraps. Everything here has a safe face.

use std::io;

/// What the calling thread is to run as.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attributes {
    /// `SCHED_OTHER`.
    Other,
    /// `SCHED_FIFO` at this priority.
    Fifo(u8),
    /// `SCHED_DEADLINE`, in nanoseconds.
    Deadline { runtime: u64, deadline: u64, period: u64 },
}

/// Sets a thread's policy (sched_setattr(2)); thread 0 is the calling one. Threads that it starts are ordinary ones (reset on
/// fork): a deadline thread could start none otherwise, and a library's helper must not inherit a detector's priority.
pub(super) fn set_policy(thread: libc::pid_t, attributes: Attributes) -> io::Result<()> {
    // SAFETY: sched_attr is plain integers, for which all zeroes is a value.
    let mut attr: libc::sched_attr = unsafe { std::mem::zeroed() };
    attr.size = size_of::<libc::sched_attr>() as u32;
    let policy = match attributes {
        Attributes::Other => libc::SCHED_OTHER,
        Attributes::Fifo(priority) => {
            attr.sched_priority = u32::from(priority);
            attr.sched_flags = RESET_ON_FORK;
            libc::SCHED_FIFO
        }
        Attributes::Deadline { runtime, deadline, period } => {
            attr.sched_runtime = runtime;
            attr.sched_deadline = deadline;
            attr.sched_period = period;
            attr.sched_flags = RESET_ON_FORK;
            libc::SCHED_DEADLINE
        }
    };
    attr.sched_policy = policy as u32;
    // SAFETY: a thread that is gone is an error; the kernel only reads `attr`, which says its own size and outlives the call.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attr, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `SCHED_FLAG_RESET_ON_FORK` of linux/sched.h.
const RESET_ON_FORK: u64 = 1;

/// Makes glibc's allocator keep what it has: freed memory is not given back to the kernel, and large blocks come from the
/// heap instead of fresh mappings, so that a steady state has no page faults. Elsewhere: nothing.
pub(super) fn keep_heap() {
    #[cfg(target_env = "gnu")]
    {
        /// glibc's largest allowed value on 64 bits (HEAP_MAX_SIZE / 2).
        const LARGEST: libc::c_int = 32 << 20;
        // SAFETY: mallopt only sets two numbers of the allocator.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}
