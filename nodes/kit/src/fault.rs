//! Why a step did not do its job. `Copy`, so that a real-time thread can hand it on without allocating.

use core::time::Duration;

/// Why a step did not do its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The step would have started more than min(period, 50 ms) after its release.
    #[error("too late by {by:?}")]
    TooLate {
        /// Time from release to start.
        by: Duration,
    },
    /// The step of a hard node ended after its deadline.
    #[error("missed its deadline by {by:?}")]
    Missed {
        /// Time from the deadline to the end of the step.
        by: Duration,
    },
    /// An input is older than the node accepts, or never came.
    #[error("input {port} is stale")]
    StaleInput {
        /// The port's name.
        port: &'static str,
    },
    /// A model or device that the node needs is not there.
    #[error("unavailable: {0}")]
    Unavailable(&'static str),
    /// The input cannot be used.
    #[error("bad input: {0}")]
    BadInput(&'static str),
    /// A model run failed.
    #[error("model run failed: {0}")]
    Model(&'static str),
    /// Its process hangs or is gone: what a stand-in in another process says.
    #[error("its process does not answer")]
    Unresponsive,
    /// The step panicked; the host caught it.
    #[error("the step panicked")]
    Panicked,
}
