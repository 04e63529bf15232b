//! Decoding of MediaPipe's hand landmark network (lite): 21 points, presence and handedness, and the region of the next
//! frame. Pure; the network runs elsewhere.
//!
//! Numbers as in MediaPipe's `hand_landmark_cpu` and `hand_landmark_landmarks_to_roi` graphs (Apache-2.0).

use troika_frame::{roi::Roi, warp::Affine};

use crate::palm;

/// Side of the picture that the network sees, pixels.
pub const SIDE: usize = 224;
/// Points of a hand: the wrist, then four of each finger from its base to its tip, thumb first.
pub const POINTS: usize = 21;
/// The wrist.
pub const WRIST: usize = 0;
/// The index finger's base.
pub const INDEX_BASE: usize = 5;
/// The index finger's tip.
pub const INDEX_TIP: usize = 8;
/// The middle finger's base.
pub const MIDDLE_BASE: usize = 9;
const RING_BASE: usize = 13;

/// Points that move little when fingers bend: wrist, thumb without its tip, base and middle of each finger. The next region
/// comes from them, so that a closing hand does not make it jump.
const STABLE: [usize; 12] = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18];
/// The next region is this many times the stable points' rectangle …
const ROI_SCALE: f32 = 2.0;
/// … moved by this share of its height towards the fingers.
const ROI_SHIFT: f32 = 0.1;

/// A hand in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hand {
    /// See [`POINTS`]: frame pixels.
    pub points: [[f32; 2]; POINTS],
    /// 0..1: that this is a hand.
    pub presence: f32,
    /// 0..1: that it is a right hand, in a picture that is no mirror; in a mirror it is the left one.
    pub right: f32,
}

impl Hand {
    /// From the network's outputs: `raw` holds [`POINTS`] x 3 numbers in pixels of its input; `map` is the one that the
    /// picture was taken with. None when an answer is no number.
    pub fn decode(raw: &[f32], presence: f32, right: f32, map: &Affine) -> Option<Hand> {
        let mut points = [[0.0; 2]; POINTS];
        for (point, xyz) in points.iter_mut().zip(raw.chunks_exact(3)) {
            *point = map.apply(xyz[0], xyz[1]);
        }
        let sound =
            points.iter().flatten().all(|n| n.is_finite()) && presence.is_finite() && right.is_finite();
        (sound && raw.len() == POINTS * 3).then_some(Hand { points, presence, right })
    }

    /// Where the network looks in the next frame: the stable points' rectangle, the fingers up, larger.
    pub fn roi(&self) -> Roi {
        let p = &self.points;
        let towards = [0, 1].map(|i| ((p[INDEX_BASE][i] + p[RING_BASE][i]) / 2.0 + p[MIDDLE_BASE][i]) / 2.0);
        let angle = palm::upright(p[WRIST], towards);
        let (s, c) = angle.sin_cos();
        // In the hand's own axes.
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for index in STABLE {
            let [x, y] = p[index];
            let own = [c * x + s * y, -s * x + c * y];
            for i in [0, 1] {
                low[i] = low[i].min(own[i]);
                high[i] = high[i].max(own[i]);
            }
        }
        let [x, y] = [(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0];
        let centre = [c * x - s * y, s * x + c * y];
        palm::expand(centre, [high[0] - low[0], high[1] - low[1]], angle, ROI_SHIFT, ROI_SCALE)
    }

    /// From the wrist to the middle finger's base, pixels: the measure of the hand's size.
    pub fn palm_length(&self) -> f32 {
        let (a, b) = (self.points[WRIST], self.points[MIDDLE_BASE]);
        (b[0] - a[0]).hypot(b[1] - a[1])
    }

    /// x, y, width, height around all points: frame pixels.
    pub fn rect(&self) -> [f32; 4] {
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for point in &self.points {
            for i in [0, 1] {
                low[i] = low[i].min(point[i]);
                high[i] = high[i].max(point[i]);
            }
        }
        [low[0], low[1], high[0] - low[0], high[1] - low[1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Affine = Affine { right: [1.0, 0.0], down: [0.0, 1.0], origin: [0.0, 0.0] };

    /// A coarse upright hand: the wrist at the origin, bases 10 up, tips 20 up.
    fn hand() -> Hand {
        let mut points = [[0.0; 2]; POINTS];
        for finger in 0..5 {
            for joint in 0..4 {
                points[1 + 4 * finger + joint] = [5.0 * finger as f32 - 10.0, -10.0 - 3.0 * joint as f32];
            }
        }
        Hand { points, presence: 1.0, right: 1.0 }
    }

    fn turned(hand: &Hand, angle: f32) -> Hand {
        let (s, c) = angle.sin_cos();
        Hand { points: hand.points.map(|[x, y]| [c * x - s * y, s * x + c * y]), ..*hand }
    }

    #[test]
    fn points_are_where_the_map_puts_them() {
        let map = Affine { origin: [100.0, 50.0], ..WHOLE };
        let mut raw = vec![0.0; POINTS * 3];
        (raw[60], raw[61], raw[62]) = (7.0, 8.0, 9.0);
        let hand = Hand::decode(&raw, 0.9, 0.1, &map).expect("sound");
        assert_eq!((hand.points[0], hand.points[20]), ([100.0, 50.0], [107.0, 58.0]));
    }

    #[test]
    fn an_answer_that_is_no_number_or_is_short_is_no_hand() {
        let mut raw = vec![0.0; POINTS * 3];
        assert!(Hand::decode(&raw[..60], 0.9, 0.5, &WHOLE).is_none());
        assert!(Hand::decode(&raw, f32::NAN, 0.5, &WHOLE).is_none());
        raw[30] = f32::INFINITY;
        assert!(Hand::decode(&raw, 0.9, 0.5, &WHOLE).is_none());
    }

    #[test]
    fn the_next_region_turns_with_the_hand_and_keeps_its_size() {
        let upright = hand().roi();
        for angle in [-2.5, -1.0, 0.4, 1.5, 3.0_f32] {
            let roi = turned(&hand(), angle).roi();
            let off = (roi.angle - upright.angle - angle).rem_euclid(core::f32::consts::TAU);
            assert!(off.min(core::f32::consts::TAU - off) < 1e-4, "{angle}: {roi:?}");
            assert!((roi.size[0] - upright.size[0]).abs() < 1e-3, "{angle}: {roi:?}");
            let (s, c) = angle.sin_cos();
            let centre = [
                c * upright.centre[0] - s * upright.centre[1],
                s * upright.centre[0] + c * upright.centre[1],
            ];
            assert!((roi.centre[0] - centre[0]).hypot(roi.centre[1] - centre[1]) < 1e-3, "{angle}: {roi:?}");
        }
    }

    #[test]
    fn the_next_region_holds_every_point() {
        let (hand, roi) = (hand(), hand().roi());
        for [x, y] in hand.points {
            let inside = [x - roi.centre[0], y - roi.centre[1]].iter().all(|d| d.abs() < 0.75 * roi.size[0]);
            assert!(inside, "{x} {y} of {roi:?}");
        }
    }

    #[test]
    fn bending_the_finger_tips_does_not_move_the_next_region() {
        let mut bent = hand();
        for tip in [4, 7, 8, 11, 12, 15, 16, 19, 20] {
            bent.points[tip] = [0.0, -5.0];
        }
        assert_eq!(bent.roi(), hand().roi());
    }
}
