//! The monitor: frames in, alerts out, all active profiles at once.

use core::time::Duration;

use troika_kit::Time;

use crate::{
    Alert, Kind, Observation, Profile, State, Vehicle, Zone,
    eyes::Eyes,
    rules::{Active, Frame, Gaze},
    timer::Is,
};

/// Frames further apart than this show nothing of the time between.
pub const GAP: Duration = Duration::from_millis(300);
/// A stamp that lies back by more than this is no late frame but a new time line: a looped video, a restarted camera.
pub const NEW_TIME_LINE: Duration = Duration::from_secs(1);

/// Frames that were not taken as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Frames with the stamp of the frame before: left out.
    pub duplicates: u64,
    /// Frames older than the frame before: left out.
    pub out_of_order: u64,
    /// Times between frames longer than [`GAP`]: unknown.
    pub gaps: u64,
    /// Times that a new time line began.
    pub time_lines: u64,
}

/// The timers of all active profiles. Allocates when it is made, and not after.
#[derive(Debug)]
pub struct Monitor {
    profiles: Vec<Active>,
    eyes: Eyes,
    /// Up to where time has been accounted for: a frame's stamp, or a silence.
    clock: Option<Time>,
    last_frame: Option<Time>,
    was: Gaze,
    /// An act of the driver that came with a frame that was left out.
    acted: bool,
    counts: Counts,
    alerts: Vec<Alert>,
}

impl Monitor {
    /// A monitor with these profiles active. The house's own profile (`troika`: monitoring unavailable, SR-DMS-007) is added
    /// if it is not among them: a blind monitor must say so under any rules.
    pub fn new(profiles: impl IntoIterator<Item = Profile>) -> Monitor {
        let mut profiles: Vec<Active> = profiles.into_iter().map(Active::new).collect();
        if !profiles.iter().any(|active| active.name() == "troika") {
            profiles.extend(Profile::built_in("troika").map(Active::new));
        }
        // A frame after a gap is two steps.
        let most = 2 * profiles.iter().map(Active::most).sum::<usize>();
        Monitor {
            profiles,
            eyes: Eyes::default(),
            clock: None,
            last_frame: None,
            was: Gaze::Unknown,
            acted: false,
            counts: Counts::default(),
            alerts: Vec::with_capacity(most),
        }
    }

    /// Takes a frame and gives the alerts that it raises and clears.
    pub fn observe(&mut self, seen: &Observation) -> &[Alert] {
        self.alerts.clear();
        self.acted |= seen.vehicle.driver_acted;
        troika_safety::fulfils![SR_DMS_019];
        // A frame may also lie behind a silence that was told. Far behind, waiting for it to catch up would stop the clocks.
        if self.clock.is_some_and(|clock| clock.since(seen.stamp) > NEW_TIME_LINE) {
            self.counts.time_lines += 1;
            self.eyes.reset();
            (self.clock, self.was) = (None, Gaze::Unknown);
            self.profiles.iter_mut().for_each(|active| active.forget(seen.stamp));
        } else if self.last_frame == Some(seen.stamp) {
            self.counts.duplicates += 1;
            return &self.alerts;
        } else if self.last_frame.is_some_and(|last| seen.stamp < last) {
            self.counts.out_of_order += 1;
            return &self.alerts;
        }
        self.last_frame = Some(seen.stamp);
        // A silence may have been told up to a later time than this frame's.
        let now = seen.stamp.max(self.clock.unwrap_or(seen.stamp));
        if let Some(clock) = self.clock.filter(|clock| now.since(*clock) > GAP) {
            self.counts.gaps += 1;
            self.step(clock, None, &seen.vehicle);
        }
        self.step(now, Some(seen), &seen.vehicle);
        &self.alerts
    }

    /// Tells that no frame has come up to `now`, on the stamps' time line. After [`GAP`] without one the driver is unknown.
    pub fn silent(&mut self, now: Time, vehicle: &Vehicle) -> &[Alert] {
        self.alerts.clear();
        self.acted |= vehicle.driver_acted;
        let clock = self.clock.unwrap_or(now);
        let heard = self.last_frame.is_some_and(|last| now.since(last) <= GAP);
        if !heard && now >= clock {
            self.step(clock, None, vehicle);
            self.step(now, None, vehicle);
        }
        &self.alerts
    }

    /// Another monitor speaks from here on: clears what this one raised, and forgets what it saw.
    pub fn end(&mut self, now: Time, vehicle: &Vehicle) -> &[Alert] {
        self.alerts.clear();
        let now = now.max(self.clock.unwrap_or(now));
        let unknown = Frame {
            before: now,
            was: Gaze::Unknown,
            now,
            gaze: Gaze::Unknown,
            eyes: Is::Unknown,
            closed_since: now,
            nominal: true,
            vehicle: *vehicle,
        };
        for active in &mut self.profiles {
            active.end(&unknown, &mut self.alerts);
        }
        self.eyes.reset();
        (self.clock, self.last_frame, self.was, self.acted) = (None, None, Gaze::Unknown, false);
        &self.alerts
    }

    /// All alerts of a recording.
    pub fn run<'o>(&mut self, frames: impl IntoIterator<Item = &'o Observation>) -> Vec<Alert> {
        frames.into_iter().flat_map(|frame| self.observe(frame).to_vec()).collect()
    }

    /// What is raised now: profile and kind.
    pub fn raised(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.profiles.iter().flat_map(|active| active.raised().map(move |kind| (active.name(), kind)))
    }

    /// Frames that were not taken as they came.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn step(&mut self, now: Time, seen: Option<&Observation>, vehicle: &Vehicle) {
        let gaze = seen.map_or(Gaze::Unknown, gaze);
        let (eyes, closed_since) = self.eyes.update(now, seen);
        debug_assert!(gaze != Gaze::Unknown || eyes == Is::Unknown);
        let frame = Frame {
            before: self.clock.unwrap_or(now),
            was: self.was,
            now,
            gaze,
            eyes,
            closed_since,
            nominal: seen.is_none_or(|seen| seen.nominal),
            vehicle: Vehicle { driver_acted: core::mem::take(&mut self.acted), ..*vehicle },
        };
        for active in &mut self.profiles {
            active.step(&frame, &mut self.alerts);
        }
        (self.clock, self.was) = (Some(now), gaze);
    }
}

/// The state decides; the zone tells where a gaze away is.
fn gaze(seen: &Observation) -> Gaze {
    match seen.state {
        State::Unknown => Gaze::Unknown,
        State::EyesClosed => Gaze::Closed,
        State::Attentive => Gaze::At(Zone::Forward),
        State::LookingAway => match seen.zone {
            Zone::Unknown | Zone::Forward => Gaze::At(Zone::Other),
            zone => Gaze::At(zone),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_the_most_alerts_of_a_frame_after_a_gap() {
        // Each lamp of euro_ncap (five) and of troika (one), put out and lit, in each of two steps.
        let monitor = Monitor::new(Profile::built_in("euro_ncap"));
        assert!(monitor.alerts.capacity() >= 2 * 2 * 6, "{}", monitor.alerts.capacity());
    }
}
