//! A lane and who steers in it. A single-track vehicle at small angles, a road that bends, wind from the side, and a driver who holds the
//! lane with a delay: with the eyes on the road; without them the wheel stays as it is. Made for the steering angle that the
//! drowsiness node reads, not for the tyre.

use std::collections::VecDeque;

use crate::chance::Chance;

/// Wheelbase of a middle-sized car, m; turns of the steering wheel for one of the wheels.
const WHEELBASE_M: f32 = 2.7;
const STEERING_RATIO: f32 = 15.0;
/// From seeing to steering, s.
const DELAY_S: f32 = 0.25;
/// How the driver weighs being beside the lane's middle (rad a metre) and heading away from it (rad a rad).
const OF_OFFSET: f32 = 0.004;
const OF_HEADING: f32 = 0.10;
/// The hands' own unrest, rad at the wheels.
const UNREST: f32 = 0.0006;

/// The vehicle in its lane.
#[derive(Debug, Clone)]
pub struct Road {
    chance: Chance,
    /// 1/m, and its slow change.
    bend: f32,
    wind: f32,
    /// m to the left of the lane's middle; rad.
    offset: f32,
    heading: f32,
    /// rad at the wheels: as they are, and as the driver wanted them.
    wheels: f32,
    wanted: VecDeque<f32>,
}

impl Road {
    /// In the lane's middle.
    pub fn new(seed: u64) -> Road {
        Road {
            chance: Chance::new(seed, 2),
            bend: 0.0,
            wind: 0.0,
            offset: 0.0,
            heading: 0.0,
            wheels: 0.0,
            wanted: VecDeque::new(),
        }
    }

    /// m to the left of the lane's middle.
    pub fn offset_m(&self) -> f32 {
        self.offset
    }

    /// So many seconds at this speed (m/s). The steering wheel's angle, degrees to the left.
    pub fn pass(&mut self, step: f32, speed: f32, eyes_on_road: bool) -> f32 {
        let slow = |value: f32, size: f32, seconds: f32, draw: f32| {
            let kept = libm::expf(-step / seconds);
            value * kept + size * libm::sqrtf(1.0 - kept * kept) * draw
        };
        self.bend = slow(self.bend, 0.000_4, 6.0, self.chance.normal());
        self.wind = slow(self.wind, 0.000_8, 1.5, self.chance.normal());
        if eyes_on_road {
            let unrest = UNREST * self.chance.normal();
            let wanted = self.bend * WHEELBASE_M - OF_OFFSET * self.offset - OF_HEADING * self.heading;
            self.wanted.push_back((wanted + unrest).clamp(-0.5, 0.5));
        } else if let Some(last) = self.wanted.back().copied() {
            self.wanted.push_back(last);
        }
        if self.wanted.len() as f32 * step > DELAY_S
            && let Some(wanted) = self.wanted.pop_front()
        {
            // Arms and gear follow in a tenth of a second.
            self.wheels += (wanted - self.wheels) * (step / 0.1).min(1.0);
        }
        let turn = speed * ((self.wheels + self.wind) / WHEELBASE_M - self.bend);
        self.heading = (self.heading + turn * step).clamp(-0.5, 0.5);
        // Beyond the next lane the story would be another one.
        self.offset = (self.offset + speed * self.heading * step).clamp(-5.0, 5.0);
        self.wheels.to_degrees() * STEERING_RATIO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(road: &mut Road, seconds: f32, eyes: bool) -> (f32, f32) {
        let (mut furthest, mut widest) = (0.0_f32, 0.0_f32);
        for _ in 0..(seconds * 30.0) as usize {
            let angle = road.pass(1.0 / 30.0, 25.0, eyes);
            furthest = furthest.max(road.offset_m().abs());
            widest = widest.max(angle.abs());
        }
        (furthest, widest)
    }

    #[test]
    fn who_watches_the_road_stays_in_the_lane_with_a_hand_that_moves_little() {
        for seed in 0..20 {
            let (furthest, widest) = drive(&mut Road::new(seed), 600.0, true);
            assert!(furthest < 1.2, "{seed}: {furthest} m");
            assert!((2.0..30.0).contains(&widest), "{seed}: {widest} degrees");
        }
    }

    #[test]
    fn who_does_not_leaves_it_and_the_wheel_stands_still_meanwhile() {
        let mut left = 0;
        for seed in 0..20 {
            let mut road = Road::new(seed);
            drive(&mut road, 60.0, true);
            drive(&mut road, 1.0, false);
            let before = road.pass(1.0 / 30.0, 25.0, false);
            let (furthest, _) = drive(&mut road, 6.0, false);
            let after = road.pass(1.0 / 30.0, 25.0, false);
            assert!((before - after).abs() < 0.3, "{seed}: {before} {after}");
            left += usize::from(furthest > 1.2);
        }
        assert!(left >= 12, "{left} of 20");
    }
}
