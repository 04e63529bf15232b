//! The few system calls that no safe crate of ours wraps. Everything here has a safe face.

use std::io;

/// Sets the calling thread's policy: `SCHED_FIFO` at `priority`, or `SCHED_OTHER` for 0.
pub(super) fn set_policy(priority: u8) -> io::Result<()> {
    let policy = if priority == 0 { libc::SCHED_OTHER } else { libc::SCHED_FIFO };
    // SAFETY: sched_param is plain integers, for which all zeroes is a value.
    let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
    param.sched_priority = i32::from(priority);
    // SAFETY: pthread_self is the calling thread, which is alive; `param` outlives the call, which only reads it.
    match unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &param) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

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
