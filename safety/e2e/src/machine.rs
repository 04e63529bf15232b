//! Whether a channel can be trusted, from the last checks together: the check state machine of PRS_E2EProtocol R23-11, chapter "E2E state
//! machine". One that may not be trusted is one whose data are not used.

use crate::profile::Status;

/// What is held of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Nothing usable has come yet.
    NoData,
    /// Something has; not enough to trust it.
    Init,
    /// What comes may be used.
    Valid,
    /// What comes may not be used, until enough of it is right again.
    Invalid,
}

/// How many of the last checks are looked at in a state, how many must be right, and how many may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Checks that are looked at, 1 to 32.
    pub size: u32,
    /// Of those, [`Status::Ok`] or [`Status::OkSomeLost`] at least.
    pub least_ok: u32,
    /// Of those, [`Status::Error`] at most.
    pub most_errors: u32,
}

/// A window for each state, and whether what was seen before counts in [`Trust::Invalid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Windows {
    /// In [`Trust::Init`].
    pub init: Window,
    /// In [`Trust::Valid`].
    pub valid: Window,
    /// In [`Trust::Invalid`].
    pub invalid: Window,
    /// Everything is forgotten on the way to [`Trust::Invalid`].
    pub clear_to_invalid: bool,
}

/// What makes no machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Nothing is looked at, or more than is kept.
    #[error("a window of {0} checks: 1 to 32 are kept")]
    Size(u32),
    /// More are wanted right than are looked at, or none.
    #[error("{least_ok} right ones are wanted of a window of {size}")]
    LeastOk {
        /// Wanted.
        least_ok: u32,
        /// Looked at.
        size: u32,
    },
}

/// The machine of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    windows: Windows,
    trust: Trust,
    /// The last checks, the latest in the lowest bit: which were right, which were errors.
    ok: u32,
    errors: u32,
}

impl Window {
    const fn check(&self) -> Result<(), WindowError> {
        if self.size == 0 || self.size > 32 {
            return Err(WindowError::Size(self.size));
        }
        if self.least_ok == 0 || self.least_ok > self.size {
            return Err(WindowError::LeastOk { least_ok: self.least_ok, size: self.size });
        }
        Ok(())
    }

    fn counts(&self, bits: u32) -> u32 {
        (bits & (u32::MAX >> (32 - self.size))).count_ones()
    }
}

impl Machine {
    /// In [`Trust::NoData`].
    ///
    /// # Errors
    /// A window of no size, or one that can never be enough.
    pub fn new(windows: Windows) -> Result<Machine, WindowError> {
        for window in [windows.init, windows.valid, windows.invalid] {
            window.check()?;
        }
        Ok(Machine { windows, trust: Trust::NoData, ok: 0, errors: 0 })
    }

    /// What is held of the channel now.
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// Takes in a check, once in each period.
    pub fn add(&mut self, status: Status) -> Trust {
        let ok = matches!(status, Status::Ok | Status::OkSomeLost);
        let error = matches!(status, Status::Error(_));
        (self.ok, self.errors) = (self.ok << 1 | u32::from(ok), self.errors << 1 | u32::from(error));
        let within = |window: &Window| window.counts(self.errors) <= window.most_errors;
        let enough = |window: &Window| within(window) && window.counts(self.ok) >= window.least_ok;
        let next = match self.trust {
            Trust::NoData if error || status == Status::NoNewData => Trust::NoData,
            Trust::NoData => Trust::Init,
            Trust::Init if enough(&self.windows.init) => Trust::Valid,
            Trust::Init if within(&self.windows.init) => Trust::Init,
            Trust::Valid if enough(&self.windows.valid) => Trust::Valid,
            Trust::Invalid if enough(&self.windows.invalid) => Trust::Valid,
            Trust::Init | Trust::Valid | Trust::Invalid => Trust::Invalid,
        };
        if next == Trust::Invalid && self.trust != Trust::Invalid && self.windows.clear_to_invalid {
            (self.ok, self.errors) = (0, 0);
        }
        self.trust = next;
        next
    }
}

#[cfg(test)]
mod tests;
