//! What belongs here: from driver states to alerts, by the timers of the driver-monitoring rules. Pure.
//!
//! The rules are data (`profiles/*.toml`, [`Profile`]); several are active at once and each alert names its own.
//! [`Monitor`] takes one [`Observation`] a frame and gives the alerts that the frame raises or clears; time comes from the
//! frames' stamps. [`MonitorNode`] is the monitor as a step.
//!
//! What the machine does with what it does not know:
//! - A frame without usable face or eyes is *unknown*. It never counts as closed eyes or as a glance, and it never clears
//!   an alert: up to 0.3 s of it is bridged, more ends every clock that has not run out yet.
//! - Frames further apart than 0.3 s: the time between is unknown. Duplicates and frames out of order are left out.
//! - Vehicle signals that are stale (0.5 s), absent or no number: the vehicle is taken to move, at any speed that a rule
//!   asks for. That is the restrictive branch: alerts come, and they come after the strictest limit.

pub mod alert;
mod eyes;
mod monitor;
mod node;
pub mod observation;
pub mod profile;
mod rules;
mod timer;
pub mod vehicle;

pub use alert::{Alert, Kind, Phase};
pub use monitor::{Counts, GAP, Monitor, NEW_TIME_LINE};
pub use node::{Config, ConfigError, Inputs, MonitorNode, Outputs};
pub use observation::{Observation, State, Zone};
pub use profile::{Profile, ProfileError};
pub use vehicle::{Signals, Vehicle, VehicleView};
