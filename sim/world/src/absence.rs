//! While a process is gone its node does no steps, whatever the clock of a simulation counts for it: here they are counted apart.

use std::sync::{Arc, Mutex, PoisonError};

/// Counts the releases that came while a node's process was gone. A clone counts into the same.
#[derive(Debug, Clone, Default)]
pub struct Absence(Arc<Mutex<Absent>>);

/// What came while it was gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Absent {
    /// Releases, which were no steps of the node.
    pub releases: u64,
    /// Of these, those at which its stand-in said the fall-back.
    pub stood_in: u64,
}

impl Absence {
    /// A release came; `stood_in`: its stand-in spoke.
    pub fn count(&self, stood_in: bool) {
        let mut absent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        absent.releases += 1;
        absent.stood_in += u64::from(stood_in);
    }

    /// What came so far.
    pub fn absent(&self) -> Absent {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
