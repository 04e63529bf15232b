//! The vehicle as the rules see it, and what becomes of signals that are old.

use core::time::Duration;

use troika_kit::Time;

/// Signals older than this are not believed: 25 messages of a 50 Hz signal.
pub const SIGNALS_STALE: Duration = Duration::from_millis(500);

/// The vehicle at one frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vehicle {
    /// Its speed without sign; `None` when it is unknown or stale, and then every speed is assumed that a rule asks for.
    pub speed_kmh: Option<f32>,
    /// The driver acted on a control since the last observation.
    pub driver_acted: bool,
    /// The ignition is known to be off: the trip is over.
    pub parked: bool,
}

impl Vehicle {
    /// At `kmh` or more, or unknown.
    pub fn at_least(&self, kmh: f32) -> bool {
        troika_safety::fulfils![SR_DMS_013];
        self.speed_kmh.is_none_or(|speed| speed >= kmh)
    }

    /// Faster than `kmh`, or unknown.
    pub fn above(&self, kmh: f32) -> bool {
        self.speed_kmh.is_none_or(|speed| speed > kmh)
    }
}

/// One message of the vehicle's signals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signals {
    /// When it reached this host.
    pub received: Time,
    /// When it was made; [`Time::ZERO`] when not told.
    pub stamp: Time,
    /// The speed; backwards is negative.
    pub speed_kmh: f32,
    /// The ignition.
    pub ignition_on: bool,
    /// The driver acted on a control since the message before.
    pub driver_acted: bool,
}

/// Gathers signals between frames. An act of the driver waits here until a frame asks, so that none is lost.
#[derive(Debug, Clone, Default)]
pub struct VehicleView {
    last: Option<Signals>,
    acted: bool,
}

impl VehicleView {
    /// Takes one message.
    pub fn take(&mut self, signals: Signals) {
        self.acted |= signals.driver_acted;
        self.last = Some(signals);
    }

    /// The vehicle for a frame that is looked at now.
    pub fn at(&mut self, now: Time) -> Vehicle {
        troika_safety::fulfils![SR_DMS_013];
        let driver_acted = core::mem::take(&mut self.acted);
        let believed = self.last.filter(|signals| {
            // A stamp that was never set tells no age; delivery may also have been late.
            let made = if signals.stamp == Time::ZERO { signals.received } else { signals.stamp };
            now.since(signals.received) <= SIGNALS_STALE && now.since(made) <= SIGNALS_STALE
        });
        Vehicle {
            speed_kmh: believed.map(|signals| signals.speed_kmh.abs()).filter(|speed| speed.is_finite()),
            driver_acted,
            parked: believed.is_some_and(|signals| !signals.ignition_on && signals.speed_kmh == 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(at: u64, speed_kmh: f32) -> Signals {
        let at = Time::from_nanos(at * 1_000_000);
        Signals { received: at, stamp: at, speed_kmh, ignition_on: true, driver_acted: false }
    }

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn signals_are_believed_for_half_a_second_and_not_a_millisecond_longer() {
        troika_safety::verifies![SR_DMS_013];
        let mut view = VehicleView::default();
        assert_eq!(view.at(at(0)).speed_kmh, None, "never received");
        view.take(signals(1_000, 30.0));
        assert_eq!(view.at(at(1_500)).speed_kmh, Some(30.0));
        let stale = view.at(at(1_501));
        assert_eq!(stale.speed_kmh, None);
        assert!(stale.at_least(50.0) && stale.above(70.0), "the restrictive branch");
    }

    #[test]
    fn a_message_that_was_long_under_way_is_stale_when_it_comes() {
        troika_safety::verifies![SR_DMS_013];
        let mut view = VehicleView::default();
        view.take(Signals { stamp: at(100), ..signals(1_000, 0.0) });
        assert_eq!(view.at(at(1_000)).speed_kmh, None);
        view.take(Signals { stamp: Time::ZERO, ..signals(1_000, 0.0) });
        assert_eq!(view.at(at(1_000)).speed_kmh, Some(0.0), "an unset stamp tells no age");
    }

    #[test]
    fn a_speed_that_is_no_number_is_unknown_and_backwards_is_a_speed() {
        troika_safety::verifies![SR_DMS_013];
        let mut view = VehicleView::default();
        for (speed, seen) in [(f32::NAN, None), (f32::INFINITY, None), (-4.0, Some(4.0)), (0.0, Some(0.0))] {
            view.take(signals(1, speed));
            assert_eq!(view.at(at(1)).speed_kmh, seen);
        }
    }

    #[test]
    fn an_act_between_two_frames_is_told_once_and_never_lost() {
        let mut view = VehicleView::default();
        view.take(Signals { driver_acted: true, ..signals(10, 50.0) });
        view.take(signals(30, 50.0));
        assert!(view.at(at(33)).driver_acted);
        assert!(!view.at(at(66)).driver_acted);
    }

    #[test]
    fn a_trip_is_over_where_the_ignition_is_known_to_be_off_in_a_standing_vehicle() {
        let mut view = VehicleView::default();
        let mut parked = |ignition_on: bool, speed_kmh: f32, after: u64| {
            view.take(Signals { ignition_on, ..signals(1_000, speed_kmh) });
            view.at(at(1_000 + after)).parked
        };
        assert!(parked(false, 0.0, 0));
        assert!(!parked(true, 0.0, 0), "a red light");
        assert!(!parked(false, 3.0, 0), "it rolls");
        assert!(!parked(false, 0.0, 501), "nobody has said so for half a second");
    }
}
