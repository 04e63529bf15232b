//! What the pose head sees of a hand and what its answer means. Pure; the network runs elsewhere.

use core::f32::consts::FRAC_PI_2;

use crate::{
    gesture::{Gesture, Told},
    hand::{MIDDLE_BASE, POINTS, WRIST},
};

/// Numbers that go in: 21 points x, y and the hand's direction x, y.
pub const FEATURES: usize = POINTS * 2 + 2;
/// Probabilities that come out, in the order none, then [`POSES`].
pub const CLASSES: usize = POSES.len() + 1;
/// The poses in the head's order, after "none".
pub const POSES: [Gesture; 6] =
    [Gesture::OpenPalm, Gesture::Fist, Gesture::Point, Gesture::ThumbUp, Gesture::ThumbDown, Gesture::Ok];

/// The features of 21 points of a mirrored picture (as the person sees themself), any unit: as `features` of the head's
/// `train.py`. The hand from its wrist, turned so that the middle finger's base is straight above, in units of its largest
/// coordinate; then where that finger pointed before. None for a hand without extent.
pub fn features(points: &[[f32; 2]; POINTS]) -> Option<[f32; FEATURES]> {
    let [wx, wy] = points[WRIST];
    let along = [points[MIDDLE_BASE][0] - wx, points[MIDDLE_BASE][1] - wy];
    let length = along[0].hypot(along[1]);
    let [ax, ay] = along.map(|n| n / length);
    let mut out = [0.0; FEATURES];
    let mut largest = 0.0_f32;
    for (pair, [x, y]) in out.chunks_exact_mut(2).zip(points) {
        let (x, y) = (x - wx, y - wy);
        (pair[0], pair[1]) = (ax * y - ay * x, -(ax * x + ay * y));
        largest = largest.max(pair[0].abs()).max(pair[1].abs());
    }
    let usable = length.is_normal() && largest.is_normal();
    out[..POINTS * 2].iter_mut().for_each(|n| *n /= largest);
    (out[POINTS * 2], out[POINTS * 2 + 1]) = (ax, ay);
    (usable && out.iter().all(|n| n.is_finite())).then_some(out)
}

/// How far the hand leans from fingers up, radians, 0 to pi.
pub fn lean(features: &[f32; FEATURES]) -> f32 {
    let [x, y] = [features[POINTS * 2], features[POINTS * 2 + 1]];
    // y is down: straight up is -1.
    (y.atan2(x.abs()) + FRAC_PI_2).abs()
}

/// The pose that the head tells: the likeliest, when it is at least as likely as `least` asks of it. A pose other than a thumb counts
/// only while the hand leans less than `max_lean` (radians) from fingers up: a hand that hangs or rests is no signal.
pub fn told(
    probabilities: &[f32; CLASSES],
    lean: f32,
    least: impl Fn(Gesture) -> f32,
    max_lean: f32,
) -> Option<Told> {
    let (index, probability) = best(probabilities)?;
    let gesture = *POSES.get(index.checked_sub(1)?)?;
    let upright = matches!(gesture, Gesture::ThumbUp | Gesture::ThumbDown) || lean <= max_lean;
    (probability >= least(gesture) && upright).then_some(Told { gesture, probability })
}

/// The likeliest class; none when a probability is no number.
pub(crate) fn best(probabilities: &[f32]) -> Option<(usize, f32)> {
    if !probabilities.iter().all(|p| p.is_finite()) {
        return None;
    }
    probabilities.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use core::f32::consts::PI;

    use super::*;

    fn hand() -> [[f32; 2]; POINTS] {
        let mut points = [[0.0; 2]; POINTS];
        for (i, point) in points.iter_mut().enumerate().skip(1) {
            *point = [3.0 * (i % 5) as f32 - 6.0, -2.0 * i as f32];
        }
        points[MIDDLE_BASE] = [0.0, -30.0];
        points
    }

    fn turned(points: &[[f32; 2]; POINTS], angle: f32) -> [[f32; 2]; POINTS] {
        let (s, c) = angle.sin_cos();
        points.map(|[x, y]| [c * x - s * y, s * x + c * y])
    }

    #[test]
    fn the_shape_is_the_same_wherever_the_hand_is_however_large_and_whichever_way_it_points() {
        let first = features(&hand()).expect("sound");
        for angle in [0.0, 0.7, 2.0, -2.8_f32] {
            let moved = turned(&hand(), angle).map(|[x, y]| [40.0 * x + 300.0, 40.0 * y + 200.0]);
            let other = features(&moved).expect("sound");
            let off =
                first.iter().zip(other).take(POINTS * 2).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{angle}: {off}");
            let leans = lean(&other);
            assert!((leans - angle.abs()).abs() < 1e-3, "{angle}: {leans}");
        }
    }

    #[test]
    fn an_upright_hand_is_as_it_lies_in_the_picture() {
        let seen = features(&hand()).expect("sound");
        // The wrist at zero; x to the right, y down, in units of the largest coordinate (40).
        assert_eq!(seen[..2], [0.0, 0.0]);
        assert!((seen[2] - -3.0 / 40.0).abs() < 1e-6 && (seen[3] - -2.0 / 40.0).abs() < 1e-6, "{seen:?}");
        assert_eq!(seen[42..], [0.0, -1.0]);
    }

    #[test]
    fn a_hand_of_one_point_or_of_no_numbers_has_no_features() {
        assert_eq!(features(&[[5.0; 2]; POINTS]), None);
        let mut points = hand();
        points[4][1] = f32::NAN;
        assert_eq!(features(&points), None);
    }

    #[test]
    fn none_an_unsure_answer_and_a_hanging_hand_tell_nothing() {
        let sure = [0.05, 0.9, 0.01, 0.01, 0.01, 0.01, 0.01];
        let palm = told(&sure, 0.2, |_| 0.7, 1.3).expect("told");
        assert_eq!(palm, Told { gesture: Gesture::OpenPalm, probability: 0.9 });
        assert_eq!(told(&sure, 0.2, |_| 0.95, 1.3), None, "unsure");
        assert_eq!(told(&sure, PI, |_| 0.7, 1.3), None, "fingers down");
        assert_eq!(told(&[0.9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0], 0.0, |_| 0.7, 1.3), None, "none");
        assert_eq!(told(&[f32::NAN; CLASSES], 0.0, |_| 0.0, 1.3), None, "no numbers");
        let least = |gesture| if gesture == Gesture::OpenPalm { 0.95 } else { 0.5 };
        assert_eq!(told(&sure, 0.2, least, 1.3), None, "an open palm must be surer");
        let ok = [0.05, 0.4, 0.0, 0.0, 0.0, 0.0, 0.55];
        assert_eq!(told(&ok, 0.2, least, 1.3).map(|told| told.gesture), Some(Gesture::Ok));
        let thumb = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        assert_eq!(
            told(&thumb, FRAC_PI_2 + 0.3, |_| 0.7, 1.3).map(|told| told.gesture),
            Some(Gesture::ThumbDown)
        );
    }
}
