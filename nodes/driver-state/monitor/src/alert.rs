//! What the monitor says.

use core::time::Duration;
use std::sync::Arc;

use troika_kit::Time;
use troika_safety::Requirement;

use crate::Zone;

/// An alert that a frame raised or cleared. Cloning it does not allocate.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The frame's stamp.
    pub at: Time,
    /// The profile that the rule belongs to.
    pub profile: Arc<str>,
    /// What it is about.
    pub kind: Kind,
    /// Raised or cleared.
    pub phase: Phase,
    /// Where the gaze was.
    pub zone: Zone,
    /// How long the condition had held; for a share of time, how much of the window.
    pub elapsed: Duration,
    /// The limit that passed.
    pub limit: Duration,
    /// The vehicle's speed then; `None` when it was unknown.
    pub speed_kmh: Option<f32>,
    /// The requirement that the rule carries (SR-DMS-001).
    pub requirement: Requirement,
}

/// What an alert is about; the numbers are those of `DriverAlert.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// One glance was too long.
    LongDistraction = 1,
    /// Short glances added up.
    RepeatedGlances = 2,
    /// The gaze was on a phone. No rule raises it yet: no input tells a phone.
    PhoneUse = 3,
    /// Eyes closed, short.
    Microsleep = 4,
    /// Eyes closed.
    Sleep = 5,
    /// No reaction; latched until the driver acts.
    Unresponsive = 6,
    /// Drowsy.
    Drowsiness = 7,
    /// The driver has not been seen for too long.
    MonitoringUnavailable = 8,
}

/// Raised or cleared; the numbers are those of `DriverAlert.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// The limit passed; given again when the rule repeats its warning.
    Raised = 1,
    /// The condition ended.
    Cleared = 2,
}
