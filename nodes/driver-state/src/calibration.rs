//! Where this driver's forward gaze is, learnt while driving. Faces differ from the canonical one (a longer nose reads as a
//! lowered head, by up to 11 degrees on rendered faces), and seats and mounts differ too; but a driver looks at the road more
//! than anywhere else.
//!
//! A map of 2 degree cells around the configured forward view counts how long the gaze stays in each, forgetting with a time
//! constant of a minute. The offset is the middle of the densest place. Its bound is the map's: +-8 degrees of yaw and +-14
//! of pitch. A larger one is a misplaced camera, which the configuration must say. Gazes outside the map (lap, mirrors)
//! count for nothing.

use crate::gaze::Direction;

/// Degrees across a cell.
const CELL: f32 = 2.0;
/// Cells to either side of the middle: the bounds of the offset.
const SIDE_YAW: usize = 4;
const SIDE_PITCH: usize = 7;
const COLUMNS: usize = 2 * SIDE_YAW + 1;
const ROWS: usize = 2 * SIDE_PITCH + 1;
/// Seconds after which a look counts a third.
const FORGET_S: f32 = 60.0;
/// What is assumed before anything was seen: this many seconds of looking straight ahead.
const PRIOR_S: f32 = 0.15;
/// What is left of it when another driver may be there: less than any limit of a distraction, so that a new face is not taken
/// for one that looks away.
const DOUBTED_S: f32 = 1.0;
/// The place is this many cells wide to either side of its middle: fixations on the road wander by about 4 degrees.
const REACH: isize = 2;

/// The map.
#[derive(Debug, Clone)]
pub struct Forward {
    seconds: Box<[[f32; COLUMNS]; ROWS]>,
    offset: Direction,
}

impl Default for Forward {
    fn default() -> Self {
        let mut seconds = Box::new([[0.0; COLUMNS]; ROWS]);
        seconds[SIDE_PITCH][SIDE_YAW] = PRIOR_S;
        Forward { seconds, offset: Direction::default() }
    }
}

impl Forward {
    /// What to take from a gaze.
    pub fn offset(&self) -> Direction {
        self.offset
    }

    /// Takes in a gaze (before the offset) that was held for `step` seconds.
    pub fn learn(&mut self, gaze: Direction, step: f32) {
        /// A longer gap between frames (seconds) was not seen.
        const MAX_STEP_S: f32 = 0.1;
        let step = step.min(MAX_STEP_S);
        let cell = |angle: f32, side: usize| {
            let at = (angle / CELL).round() + side as f32;
            (at >= 0.0 && at <= 2.0 * side as f32).then_some(at as usize)
        };
        let (Some(column), Some(row)) = (cell(gaze.yaw, SIDE_YAW), cell(gaze.pitch, SIDE_PITCH)) else {
            return;
        };
        let keep = 1.0 - step / FORGET_S;
        self.seconds.iter_mut().flatten().for_each(|cell| *cell *= keep);
        self.seconds[row][column] += step;
        self.offset = self.densest();
    }

    /// Whoever is there now may be somebody else: what was learnt counts for no more than [`DOUBTED_S`], so that as long a look
    /// at the road by another driver outweighs it.
    pub fn doubt(&mut self) {
        let sum: f32 = self.seconds.iter().flatten().sum();
        if sum > DOUBTED_S {
            self.seconds.iter_mut().flatten().for_each(|cell| *cell *= DOUBTED_S / sum);
        }
    }

    fn densest(&self) -> Direction {
        let (mut best, mut at) = (0.0, self.offset);
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let (sum, mean) = self.around(row, column);
                if sum > best {
                    (best, at) = (sum, mean);
                }
            }
        }
        at
    }

    /// Seconds in a place, and its mean gaze.
    fn around(&self, row: usize, column: usize) -> (f32, Direction) {
        let (mut sum, mut yaw, mut pitch) = (0.0, 0.0, 0.0);
        for dy in -REACH..=REACH {
            for dx in -REACH..=REACH {
                let at = row.checked_add_signed(dy).zip(column.checked_add_signed(dx));
                let Some((y, x)) = at.filter(|(y, x)| *y < ROWS && *x < COLUMNS) else { continue };
                // Nearer cells count more, so that the middle of an even place wins.
                let weight = self.seconds[y][x] / (1.0 + 0.25 * (dx * dx + dy * dy) as f32);
                sum += weight;
                yaw += weight * (x as f32 - SIDE_YAW as f32) * CELL;
                pitch += weight * (y as f32 - SIDE_PITCH as f32) * CELL;
            }
        }
        if sum <= 0.0 {
            return (0.0, Direction::default());
        }
        (sum, Direction { yaw: yaw / sum, pitch: pitch / sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(forward: &mut Forward, yaw: f32, pitch: f32, seconds: f32) {
        for _ in 0..(seconds * 30.0) as usize {
            forward.learn(Direction { yaw, pitch }, 1.0 / 30.0);
        }
    }

    #[test]
    fn a_face_that_reads_low_is_learnt_within_seconds() {
        let mut forward = Forward::default();
        look(&mut forward, 1.0, -9.0, 3.0);
        let offset = forward.offset();
        assert!((offset.pitch + 9.0).abs() < 1.5 && (offset.yaw - 1.0).abs() < 1.5, "{offset:?}");
    }

    #[test]
    fn glances_to_the_lap_and_the_mirrors_teach_nothing() {
        let mut forward = Forward::default();
        look(&mut forward, 0.0, 0.0, 5.0);
        look(&mut forward, 0.0, -40.0, 60.0);
        look(&mut forward, 35.0, -5.0, 60.0);
        let offset = forward.offset();
        assert!(offset.yaw.abs() < 0.5 && offset.pitch.abs() < 0.5, "{offset:?}");
    }

    #[test]
    fn the_offset_is_bounded() {
        let mut forward = Forward::default();
        look(&mut forward, 8.9, -14.9, 600.0);
        let offset = forward.offset();
        assert!(offset.yaw <= 8.0 && offset.pitch >= -14.0, "{offset:?}");
        look(&mut forward, f32::NAN, f32::NAN, 1.0);
        assert!(forward.offset().yaw.is_finite());
    }

    #[test]
    fn a_long_look_at_the_cluster_does_not_move_an_attentive_drivers_road() {
        let mut forward = Forward::default();
        look(&mut forward, 0.0, 0.0, 30.0);
        look(&mut forward, 0.0, -13.0, 10.0);
        assert!(forward.offset().pitch.abs() < 1.0, "{:?}", forward.offset());
    }

    #[test]
    fn another_driver_is_learnt_within_two_seconds_when_the_first_may_be_gone() {
        let mut forward = Forward::default();
        look(&mut forward, 0.0, 8.0, 120.0);
        forward.doubt();
        assert!((forward.offset().pitch - 8.0).abs() < 1.5, "the first may be back: {:?}", forward.offset());
        look(&mut forward, 0.0, -10.0, 2.0);
        assert!((forward.offset().pitch + 10.0).abs() < 1.5, "{:?}", forward.offset());
    }
}
