//! What the monitor is told of one frame.

use troika_kit::Time;

use crate::Vehicle;

/// The driver in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// When the frame was taken.
    pub stamp: Time,
    /// What the driver does; it decides, the rest refines.
    pub state: State,
    /// Where the gaze is, looked at while [`State::LookingAway`].
    pub zone: Zone,
    /// Mean openness of the eyes that are seen, 0 closed to 1 open: tells when a closure began. None: no eye is seen, and whether they are closed
    /// is not known.
    pub openness: Option<f32>,
    /// The sensing is as it should be: no eyewear, light or occlusion in the way.
    pub nominal: bool,
    /// The vehicle at that time.
    pub vehicle: Vehicle,
}

/// What the driver does; the numbers are those of `DriverState.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[repr(u8)]
pub enum State {
    /// No usable face or eyes.
    #[default]
    Unknown = 0,
    /// Eyes open or blinking, gaze in the forward view.
    Attentive = 1,
    /// Gaze outside the forward view.
    LookingAway = 2,
    /// Eyes closed for longer than a blink.
    EyesClosed = 3,
}

impl State {
    /// From `DriverState.state`; a number without a meaning is unknown.
    pub const fn from_message(state: u8) -> State {
        match state {
            1 => State::Attentive,
            2 => State::LookingAway,
            3 => State::EyesClosed,
            _ => State::Unknown,
        }
    }
}

/// Where the gaze is; the numbers are those of `DriverState.gaze_zone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Zone {
    /// Not known.
    #[default]
    Unknown = 0,
    /// The forward view.
    Forward = 1,
    /// The left mirror.
    LeftMirror = 2,
    /// The right mirror.
    RightMirror = 3,
    /// The rear mirror.
    RearMirror = 4,
    /// The instrument cluster.
    Cluster = 5,
    /// Below a plane 30 degrees down: lap, console, hand-held phone.
    #[serde(rename = "area_3")]
    Area3 = 6,
    /// Roof, and beyond 55 degrees sideways.
    #[serde(rename = "area_1")]
    Area1 = 7,
    /// Away from the forward view, none of the others.
    Other = 8,
}

impl Zone {
    /// From `DriverState.gaze_zone`; a number without a meaning is unknown.
    pub const fn from_message(zone: u8) -> Zone {
        match zone {
            1 => Zone::Forward,
            2 => Zone::LeftMirror,
            3 => Zone::RightMirror,
            4 => Zone::RearMirror,
            5 => Zone::Cluster,
            6 => Zone::Area3,
            7 => Zone::Area1,
            8 => Zone::Other,
            _ => Zone::Unknown,
        }
    }
}

/// A set of zones, as a bit a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Zones(u16);

impl Zones {
    pub(crate) fn new(zones: &[Zone]) -> Zones {
        Zones(zones.iter().fold(0, |bits, zone| bits | 1 << *zone as u8))
    }

    pub(crate) fn has(self, zone: Zone) -> bool {
        self.0 & 1 << zone as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_message_is_its_state_or_zone_and_any_other_is_unknown() {
        for state in [State::Unknown, State::Attentive, State::LookingAway, State::EyesClosed] {
            assert_eq!(State::from_message(state as u8), state);
        }
        for zone in 0..=8 {
            assert_eq!(Zone::from_message(zone) as u8, zone);
        }
        assert_eq!((State::from_message(4), Zone::from_message(9)), (State::Unknown, Zone::Unknown));
    }
}
