//! What a vehicle's body is to the node: a simulation now; CAN with a DBC, or a VSS databroker, is a second implementation
//! of the same trait. No call blocks: a body that has to ask somebody answers [`Progress::Unanswered`] until it knows.

use troika_kit::Time;

use crate::catalogue::Call;

/// What the body measures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Readings {
    /// Vehicle.Speed; backwards is negative.
    pub speed_kmh: f32,
    /// Vehicle.Chassis.SteeringWheel.Angle
    pub steering_angle_deg: f32,
    /// Vehicle.Powertrain.Transmission.CurrentGear: -1 reverse, 0 neutral, 1.. forward, 127 drive
    pub gear: i8,
    /// Vehicle.LowVoltageSystemState is ON or START
    pub ignition_on: bool,
    /// The driver acted on a control since the last reading.
    pub driver_acted: bool,
}

/// One act under way, as the body counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Act(pub u64);

/// How far an act is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The body has not answered.
    Unanswered,
    /// It is being carried out.
    Running,
    /// It is done; an answer for the driver if one was asked for (`vehicle.query`).
    Done(Option<String>),
    /// It was not carried out: the reason.
    Failed(String),
}

/// Why the body does not begin an act; the text is for the driver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwilling(pub String);

/// A vehicle's body.
#[cfg_attr(test, mockall::automock)]
pub trait Body: Send + 'static {
    /// What it measures now.
    fn readings(&mut self, now: Time) -> Readings;

    /// Begins an act. The call is a valid one of the catalogue, in canonical form, and its gates are open.
    ///
    /// # Errors
    /// [`Unwilling`] when the body says no at once.
    fn begin(&mut self, now: Time, call: &Call) -> Result<Act, Unwilling>;

    /// How far an act is. After [`Progress::Done`] or [`Progress::Failed`] it is not asked for again.
    fn progress(&mut self, now: Time, act: Act) -> Progress;

    /// Stops an act where it is; it is not asked for again.
    fn stop(&mut self, now: Time, act: Act);
}
