//! Pictures that are the same again and again: a sensor, a driver or a grabber that stands still. A sensor's noise alone makes each frame
//! another one.

use troika_kit::{Duration, Time};

/// Bytes of a frame that are held against the next one's, spread over all of it: of as many of a real sensor some always differ. What changes
/// between them alone is not seen.
const COMPARED: usize = 4_096;

/// Looks at one camera.
#[derive(Debug, Clone)]
pub struct Still {
    limit: Duration,
    before: Vec<u8>,
    length: usize,
    /// Since when they are the same.
    since: Option<Time>,
}

impl Still {
    /// The same frame for so long is a camera that stands still; zero: nobody looks.
    pub fn new(limit: Duration) -> Still {
        Still { limit, before: Vec::with_capacity(COMPARED), length: 0, since: None }
    }

    /// A frame that was taken then; whether the camera stands still. Allocates nothing, and reads 4,096 bytes.
    pub fn stands(&mut self, taken: Time, data: &[u8]) -> bool {
        if self.limit.is_zero() || data.is_empty() {
            return false;
        }
        // Odd, so that a stride over rows and channels meets all of them.
        let stride = (data.len() / COMPARED).max(1) | 1;
        let picked = || data.iter().step_by(stride).take(COMPARED);
        let same = self.length == data.len() && picked().eq(&self.before);
        if !same {
            self.before.clear();
            self.before.extend(picked());
            self.length = data.len();
            self.since = Some(taken);
        }
        self.since.is_some_and(|since| taken.since(since) >= self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(frame: u64) -> Time {
        Time::from_nanos(1_000_000_000 + frame * 33_333_333)
    }

    #[test]
    fn the_same_picture_for_a_second_is_a_camera_that_stands_still_and_one_byte_is_enough_to_tell() {
        troika_safety::verifies![SR_DMS_025];
        let mut still = Still::new(Duration::from_secs(1));
        let mut picture = vec![7_u8; 640 * 480];
        let told: Vec<bool> = (0..40).map(|frame| still.stands(at(frame), &picture)).collect();
        assert_eq!(told.iter().position(|stands| *stands), Some(31), "a second, to the frame");
        picture[0] ^= 1;
        assert!(!still.stands(at(41), &picture), "it moves again");
        let mut other = picture.clone();
        for frame in 42..200_u64 {
            // A sensor's noise: a bit in a thousand bytes.
            other.iter_mut().step_by(1_000 + (frame % 7) as usize).for_each(|byte| *byte ^= 1);
            assert!(!still.stands(at(frame), &other), "{frame}");
        }
        let mut off = Still::new(Duration::ZERO);
        assert!((0..100).all(|frame| !off.stands(at(frame), &picture)));
        assert!(!Still::new(Duration::from_secs(1)).stands(at(0), &[]));
    }
}
