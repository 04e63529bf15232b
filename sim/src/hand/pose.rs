//! Joint angles: the named hand shapes, and what makes one person's gesture differ from another's.

use troika_msgs::troika::GestureTruth;

use crate::{
    hand::{mesh::HandShape, rig::Skeleton},
    math::{Random, length, lerp, sub},
};

/// A hand's 20 joint angles, degrees. All zero is a flat hand with its fingers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HandPose {
    /// By finger, index to little finger: how far knuckle, middle and end joint bend.
    pub flexion: [[f32; 3]; 4],
    /// By finger, index to little finger: towards the thumb's side.
    pub spread: [f32; 4],
    /// The thumb: its direction, away from the fingers in the palm's plane and out of that plane; then how far its knuckle
    /// and its end joint bend.
    pub thumb: [f32; 4],
}

/// A shape that a hand can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandShapeName {
    /// All fingers straight and apart.
    OpenPalm,
    /// All fingers bent, the thumb over them.
    Fist,
    /// The index finger straight, the others bent.
    Point,
    /// The thumb straight and up, the others bent.
    ThumbUp,
    /// The same, down.
    ThumbDown,
    /// The tips of thumb and index finger meet, the others are straight.
    Ok,
    /// Nothing meant.
    Relaxed,
}

impl HandShapeName {
    /// All of them.
    pub const ALL: [HandShapeName; 7] = [
        HandShapeName::OpenPalm,
        HandShapeName::Fist,
        HandShapeName::Point,
        HandShapeName::ThumbUp,
        HandShapeName::ThumbDown,
        HandShapeName::Ok,
        HandShapeName::Relaxed,
    ];

    /// `GestureTruth.gesture` while a hand holds this shape.
    pub fn gesture(self) -> u8 {
        match self {
            HandShapeName::OpenPalm => GestureTruth::OPEN_PALM,
            HandShapeName::Fist => GestureTruth::FIST,
            HandShapeName::Point => GestureTruth::POINT,
            HandShapeName::ThumbUp => GestureTruth::THUMB_UP,
            HandShapeName::ThumbDown => GestureTruth::THUMB_DOWN,
            HandShapeName::Ok => GestureTruth::OK,
            HandShapeName::Relaxed => GestureTruth::NONE,
        }
    }
}

/// Fingers that are bent into the palm.
const BENT: [f32; 3] = [83.0, 104.0, 68.0];
/// Thumb laid over bent fingers.
const OVER: [f32; 4] = [14.0, 52.0, 26.0, 48.0];

impl HandPose {
    /// The shape as it is in the book.
    pub fn named(name: HandShapeName) -> HandPose {
        match name {
            HandShapeName::OpenPalm => HandPose {
                flexion: [[2.0, 5.0, 3.0], [2.0, 5.0, 3.0], [3.0, 6.0, 4.0], [4.0, 7.0, 4.0]],
                spread: [9.0, 2.0, -6.0, -13.0],
                thumb: [46.0, 14.0, 2.0, 4.0],
            },
            HandShapeName::Fist => HandPose { flexion: [BENT; 4], spread: [0.0; 4], thumb: OVER },
            HandShapeName::Point => HandPose {
                flexion: [[4.0, 5.0, 3.0], BENT, BENT, BENT],
                spread: [2.0, 0.0, 0.0, 0.0],
                thumb: OVER,
            },
            HandShapeName::ThumbUp | HandShapeName::ThumbDown => HandPose {
                flexion: [[80.0, 104.0, 68.0], BENT, BENT, BENT],
                spread: [0.0; 4],
                thumb: [62.0, 4.0, -4.0, -12.0],
            },
            HandShapeName::Ok => HandPose {
                flexion: [[46.0, 52.0, 28.0], [16.0, 14.0, 8.0], [9.0, 10.0, 6.0], [6.0, 8.0, 5.0]],
                spread: [4.0, 2.0, -5.0, -12.0],
                thumb: [26.0, 46.0, 12.0, 24.0],
            },
            HandShapeName::Relaxed => HandPose {
                flexion: [[22.0, 30.0, 18.0], [28.0, 36.0, 20.0], [33.0, 40.0, 22.0], [36.0, 42.0, 24.0]],
                spread: [4.0, 0.0, -3.0, -7.0],
                thumb: [34.0, 30.0, 8.0, 14.0],
            },
        }
    }

    /// Half a way between two shapes, or any other share of it.
    pub fn between(&self, other: &HandPose, share: f32) -> HandPose {
        let mix = |a: f32, b: f32| lerp(a, b, share);
        HandPose {
            flexion: core::array::from_fn(|f| {
                core::array::from_fn(|k| mix(self.flexion[f][k], other.flexion[f][k]))
            }),
            spread: core::array::from_fn(|f| mix(self.spread[f], other.spread[f])),
            thumb: core::array::from_fn(|k| mix(self.thumb[k], other.thumb[k])),
        }
    }

    /// Every joint a little otherwise, with a deviation of `deg`; within what joints do.
    pub(crate) fn shaken(&self, random: &mut Random, deg: f32) -> HandPose {
        let mut pose = *self;
        let mut about = |angle: f32, size: f32, low: f32, high: f32| {
            (angle + size * deg * random.normal().clamp(-2.0, 2.0)).clamp(low, high)
        };
        for finger in &mut pose.flexion {
            finger[0] = about(finger[0], 1.0, -12.0, 94.0);
            finger[1] = about(finger[1], 1.0, 0.0, 112.0);
            // The end joint follows the middle one.
            finger[2] = about(finger[2], 0.7, -4.0, 80.0);
        }
        for spread in &mut pose.spread {
            *spread = about(*spread, 0.5, -22.0, 20.0);
        }
        pose.thumb = [
            about(pose.thumb[0], 0.8, 0.0, 75.0),
            about(pose.thumb[1], 0.8, -5.0, 65.0),
            about(pose.thumb[2], 0.8, -12.0, 55.0),
            about(pose.thumb[3], 0.8, -25.0, 75.0),
        ];
        pose
    }
}

/// Distance between the two tips' landmarks when thumb and finger touch, dm: both lie inside the flesh.
const PINCHED: f32 = 0.15;

/// Brings the tips of thumb and index finger together, by the least change that does: noise in the joints takes them apart.
pub(crate) fn pinch(skeleton: &Skeleton, shape: &HandShape, pose: &HandPose) -> HandPose {
    let square = |x: f32| x * x;
    let cost = |tried: &HandPose| {
        let gap = length(sub(skeleton.tip(shape, tried, 0), skeleton.tip(shape, tried, 1))) - PINCHED;
        let moved: f32 = (0..4).map(|k| square(tried.thumb[k] - pose.thumb[k])).sum::<f32>()
            + (0..3).map(|k| square(tried.flexion[0][k] - pose.flexion[0][k])).sum::<f32>();
        // A tenth of a millimetre is worth ten degrees.
        gap * gap + 1e-8 * moved
    };
    let mut best = *pose;
    let mut least = cost(&best);
    for step in [8.0, 4.0, 2.0, 1.0, 0.5] {
        for _ in 0..12 {
            let before = least;
            for joint in 0..6 {
                for way in [step, -step] {
                    let mut tried = best;
                    match joint {
                        0..4 => tried.thumb[joint] += way,
                        _ => tried.flexion[0][joint - 4] += way,
                    }
                    let now = cost(&tried);
                    if now < least {
                        (best, least) = (tried, now);
                    }
                }
            }
            if least >= before {
                break;
            }
        }
    }
    best
}
