//! A scenario of hands played out: shot and truth of every frame. Pure; needs no picture.

use troika_msgs::troika::GestureTruth;

use crate::{
    hand::{
        mesh::HandMesh,
        pose::{HandPose, HandShapeName, pinch},
        rig::Skeleton,
        scenario::{HandAct, HandActKind, HandScenario, HandSegment},
        scene::{HandShot, Placement},
    },
    math::{Random, lerp},
    pose::Pose,
    script::{RATE, between, ease, wave},
};

/// A hand goes from one shape and place to the next in this time, seconds.
const CHANGE_S: f32 = 0.35;
/// The share of that time after which the new shape is made out.
const MADE: f32 = 0.75;
/// Frames on either side of a change of gesture that are not scored: 200 ms.
const TRANSITION_FRAMES: usize = 6;
/// From here a hand comes, and there it goes: metres below its place, out of the picture.
const BELOW_M: f32 = 0.42;
/// A hand is held this far from the middle of the picture, metres: beside the face rather than before it.
const ASIDE_M: f32 = 0.08;
/// Deviation of the joints between people, and of one person's gesture between one time and the next, degrees.
const PERSON_DEG: f32 = 5.0;
const TIME_DEG: f32 = 3.0;

/// What is true of a frame besides what the picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GestureLabel {
    /// `GestureTruth.gesture`.
    pub gesture: u8,
    /// Within 200 ms of a change of gesture.
    pub in_transition: bool,
}

/// One frame: what to render, and what is true.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedShot {
    /// What to render.
    pub shot: HandShot,
    /// What is true.
    pub label: GestureLabel,
}

/// Every frame of a scenario.
pub struct HandScript {
    /// In order, 30 a second.
    pub shots: Vec<TimedShot>,
}

impl HandScript {
    /// Plays the scenario out.
    pub fn new(scenario: &HandScenario) -> HandScript {
        let mesh = HandMesh::built_in();
        let mut random = Random::new(scenario.seed);
        let mut shots = Vec::new();
        let mut seconds = 0.0;
        for segment in &scenario.segments {
            let shape = &mesh.shapes[segment.identity.min(mesh.shapes.len() - 1)];
            let skeleton = Skeleton::new(shape);
            // A person's own way, the same in every scenario.
            let mut person = Random::new(1000 + 2 * segment.identity as u64 + u64::from(segment.right));
            let shapes =
                HandShapeName::ALL.map(|name| (name, HandPose::named(name).shaken(&mut person, PERSON_DEG)));
            let mut player = Player { segment, last: None, sway: core::array::from_fn(|_| random.unit()) };
            for act in &segment.acts {
                let hold = |name: HandShapeName, random: &mut Random| {
                    let own = shapes.iter().find(|known| known.0 == name);
                    let own = own.map_or_else(|| HandPose::named(name), |known| known.1);
                    let pose = own.shaken(random, TIME_DEG);
                    if name == HandShapeName::Ok { pinch(&skeleton, shape, &pose) } else { pose }
                };
                let plan = Plan::new(act, segment.right, &hold, &mut random);
                let start = seconds;
                seconds += act.seconds;
                while (shots.len() as f32) < (seconds * RATE).round() {
                    let frame = shots.len();
                    let t = frame as f32 / RATE;
                    let noise_seed = scenario.seed.wrapping_mul(1_000_003).wrapping_add(frame as u64);
                    shots.push(player.play(&plan, t, t - start, noise_seed));
                }
                player.end(&plan);
            }
        }
        let changes: Vec<usize> =
            (1..shots.len()).filter(|n| shots[*n].label.gesture != shots[n - 1].label.gesture).collect();
        for change in changes {
            let end = (change + TRANSITION_FRAMES).min(shots.len());
            for shot in &mut shots[change.saturating_sub(TRANSITION_FRAMES)..end] {
                shot.label.in_transition = true;
            }
        }
        HandScript { shots }
    }
}

/// Joints, and where the hand's middle is and how it is turned.
#[derive(Clone, Copy)]
struct Still {
    pose: HandPose,
    at: [f32; 3],
    angles: [f32; 3],
}

impl Still {
    fn between(&self, other: &Still, share: f32) -> Still {
        Still {
            pose: self.pose.between(&other.pose, share),
            at: core::array::from_fn(|k| lerp(self.at[k], other.at[k], share)),
            angles: core::array::from_fn(|k| lerp(self.angles[k], other.angles[k], share)),
        }
    }
    fn below(&self) -> Still {
        Still { at: [self.at[0], self.at[1] + BELOW_M, self.at[2]], ..*self }
    }
}

/// An act with its chances taken.
enum Plan {
    Hold {
        gesture: u8,
        still: Still,
    },
    /// From the first to the second, from `start` on for `stroke` seconds.
    Swipe {
        gesture: u8,
        from: Still,
        to: Still,
        start: f32,
        stroke: f32,
        arc: f32,
    },
    Rotate {
        gesture: u8,
        still: Still,
        radius: f32,
        turns_per_s: f32,
        phase: f32,
        oval: f32,
    },
    /// To each of these in turn; each with its time.
    Move {
        stops: Vec<(f32, Still)>,
    },
    Absent,
}

impl Plan {
    fn new(
        act: &HandAct,
        right: bool,
        hold: &dyn Fn(HandShapeName, &mut Random) -> HandPose,
        random: &mut Random,
    ) -> Plan {
        let side = if right { 1.0 } else { -1.0 };
        let mut near = |size: f32| size * random.normal().clamp(-2.0, 2.0);
        let around = [near(0.025), near(0.02), near(0.025)];
        let wobble = [near(7.0), near(7.0), near(8.0)];
        let flip = near(1.0) > 0.0;
        // On the hand's own side of the face, but a stroke is across the middle.
        let aside = if matches!(act.kind, HandActKind::Swipe { .. }) { 0.0 } else { -side * ASIDE_M };
        let still = |pose: HandPose, usual: [f32; 3]| Still {
            pose,
            at: act.at.unwrap_or([around[0] + aside, 0.01 + around[1], 0.46 + around[2]]),
            angles: core::array::from_fn(|k| {
                // Rolls and turns are mirrored on a left hand.
                let mirror = if k == 1 { 1.0 } else { side };
                mirror * act.angles_deg[k].unwrap_or(usual[k] + wobble[k])
            }),
        };
        match act.kind {
            HandActKind::Absent => Plan::Absent,
            HandActKind::Hold(name) => {
                Plan::Hold { gesture: name.gesture(), still: still(hold(name, random), usual(name, flip)) }
            }
            HandActKind::Swipe { left } => {
                let flat = hold(HandShapeName::OpenPalm, random);
                let together = HandPose { spread: flat.spread.map(|deg| 0.3 * deg), ..flat };
                let middle = still(together, [0.0, 4.0, -32.0]);
                let way = if left { -1.0 } else { 1.0 };
                let half = between(random, 0.12, 0.17);
                let end = |share: f32| Still {
                    at: [middle.at[0] + share * way * half, middle.at[1], middle.at[2]],
                    angles: [middle.angles[0] + share * way * 9.0, middle.angles[1], middle.angles[2]],
                    ..middle
                };
                let stroke = between(random, 0.28, 0.42);
                Plan::Swipe {
                    gesture: if left { GestureTruth::SWIPE_LEFT } else { GestureTruth::SWIPE_RIGHT },
                    from: end(-1.0),
                    to: end(1.0),
                    start: (0.5 * (act.seconds - stroke)).min(0.7),
                    stroke,
                    arc: between(random, -0.02, 0.02),
                }
            }
            HandActKind::Rotate { clockwise } => Plan::Rotate {
                gesture: if clockwise {
                    GestureTruth::ROTATE_CLOCKWISE
                } else {
                    GestureTruth::ROTATE_COUNTER_CLOCKWISE
                },
                still: still(hold(HandShapeName::Point, random), [-8.0, 8.0, -10.0]),
                radius: between(random, 0.032, 0.055),
                turns_per_s: between(random, 0.9, 1.5) * if clockwise { 1.0 } else { -1.0 },
                phase: between(random, 0.0, core::f32::consts::TAU),
                oval: between(random, 0.8, 1.2),
            },
            HandActKind::Move => {
                let mut stops = Vec::new();
                let mut t = 0.0;
                let mut at = still(hold(HandShapeName::Relaxed, random), [0.0; 3]).at;
                while t < act.seconds {
                    let loose = HandPose::named(HandShapeName::Relaxed).shaken(random, 9.0);
                    let mut stop = still(loose, [10.0, -8.0, -20.0]);
                    let far = |random: &mut Random, size: f32| size * (2.0 * random.unit() - 1.0);
                    // Up and down, near and far as it likes; sideways no further than a swipe could be taken for.
                    at = [
                        at[0] + far(random, 0.04),
                        stop.at[1] + far(random, 0.07),
                        stop.at[2] + far(random, 0.05),
                    ];
                    stop.at = at;
                    stop.angles = [
                        stop.angles[0] + far(random, 25.0),
                        stop.angles[1] + far(random, 12.0),
                        stop.angles[2] + far(random, 25.0),
                    ];
                    stops.push((t, stop));
                    t += between(random, 0.6, 1.1);
                }
                Plan::Move { stops }
            }
        }
    }
}

/// Roll, tilt and turn of a right hand that holds a shape. `flip`: of two ways that are usual, the other one.
fn usual(name: HandShapeName, flip: bool) -> [f32; 3] {
    match name {
        HandShapeName::OpenPalm | HandShapeName::Ok => [4.0, 2.0, -6.0],
        HandShapeName::Fist => [4.0, 6.0, -8.0],
        HandShapeName::Point => [-6.0, 6.0, -10.0],
        // The bent fingers are to the camera, or the back of the hand half away.
        HandShapeName::ThumbUp => [-90.0, 0.0, if flip { -35.0 } else { -140.0 }],
        HandShapeName::ThumbDown => [90.0, 0.0, if flip { 20.0 } else { -20.0 }],
        HandShapeName::Relaxed => [14.0, -10.0, -24.0],
    }
}

/// The state that goes from act to act.
struct Player<'a> {
    segment: &'a HandSegment,
    /// How the last act ended; None: with no hand in the picture.
    last: Option<Still>,
    sway: [f32; 12],
}

impl Player<'_> {
    fn play(&mut self, plan: &Plan, t: f32, into: f32, noise_seed: u64) -> TimedShot {
        let change = ease(into / CHANGE_S);
        let come = |to: &Still| self.last.unwrap_or_else(|| to.below()).between(to, change);
        let made = into >= MADE * CHANGE_S;
        let (still, gesture) = match plan {
            Plan::Absent => {
                // It goes, and after that it is not there.
                let gone = self.last.map(|last| last.between(&last.below(), change)).filter(|_| change < 1.0);
                (gone, GestureTruth::NONE)
            }
            Plan::Hold { gesture, still } => {
                (Some(come(still)), if made { *gesture } else { GestureTruth::NONE })
            }
            Plan::Swipe { gesture, from, to, start, stroke, arc } => {
                let share = ((into - start) / stroke).clamp(0.0, 1.0);
                let mut still = if into < *start { come(from) } else { from.between(to, smooth(share)) };
                still.at[1] += arc * libm::sinf(share * core::f32::consts::PI);
                // After the stroke the hand slackens.
                let slack = ease((into - start - stroke - 0.1) / 0.4);
                still.pose = still.pose.between(&HandPose::named(HandShapeName::Relaxed), 0.8 * slack);
                let moving = into >= *start && into < start + stroke;
                (Some(still), if moving { *gesture } else { GestureTruth::NONE })
            }
            Plan::Rotate { gesture, still, radius, turns_per_s, phase, oval } => {
                let mut still = come(still);
                let begin = MADE * CHANGE_S;
                let grown = ease((into - begin + 0.1) / 0.2);
                let (s, c) = libm::sincosf(phase + core::f32::consts::TAU * turns_per_s * (into - begin));
                still.at[0] += grown * radius * oval * c;
                still.at[1] += grown * radius / oval * s;
                (Some(still), if made { *gesture } else { GestureTruth::NONE })
            }
            Plan::Move { stops } => (stops.first().map(|_| self.wander(stops, into)), GestureTruth::NONE),
        };
        let sway = &self.sway;
        let placement = still.map(|still| {
            let at = [
                still.at[0] + wave(t, &sway[0..2], 0.004),
                still.at[1] + wave(t, &sway[2..4], 0.004),
                still.at[2] + wave(t, &sway[4..6], 0.005),
            ];
            let [roll, tilt, turn] = still.angles;
            Placement::around(
                at,
                roll + wave(t, &sway[6..8], 1.5),
                tilt + wave(t, &sway[8..10], 1.5),
                turn + wave(t, &sway[10..12], 1.5),
            )
        });
        let segment = self.segment;
        let driver = segment.driver.then(|| Pose {
            identity: segment.identity,
            light: segment.light,
            head_yaw_deg: wave(t, &sway[2..4], 2.0),
            head_pitch_deg: wave(t, &sway[4..6], 1.5),
            head_roll_deg: wave(t, &sway[6..8], 1.2),
            offset_m: [wave(t, &sway[8..10], 0.006), 0.0, wave(t, &sway[0..2], 0.006)],
            ..Pose::default()
        });
        TimedShot {
            shot: HandShot {
                identity: segment.identity,
                right: segment.right,
                light: segment.light,
                pose: still.map_or_else(|| HandPose::named(HandShapeName::Relaxed), |still| still.pose),
                placement,
                driver,
                noise_seed,
            },
            label: GestureLabel { gesture, in_transition: false },
        }
    }

    /// From stop to stop, without rest.
    fn wander(&self, stops: &[(f32, Still)], into: f32) -> Still {
        let number = stops.partition_point(|stop| stop.0 <= into).max(1) - 1;
        let (start, to) = &stops[number];
        let from = match number {
            0 => self.last.unwrap_or_else(|| to.below()),
            _ => stops[number - 1].1,
        };
        from.between(to, smooth((into - start) / 0.6))
    }

    fn end(&mut self, plan: &Plan) {
        self.last = match plan {
            Plan::Absent => None,
            Plan::Hold { still, .. } | Plan::Rotate { still, .. } => Some(*still),
            Plan::Swipe { to, .. } => {
                let slack = to.pose.between(&HandPose::named(HandShapeName::Relaxed), 0.8);
                Some(Still { pose: slack, ..*to })
            }
            Plan::Move { stops } => stops.last().map(|stop| stop.1),
        };
    }
}

/// A movement with a bell-shaped speed, 0 .. 1.
fn smooth(x: f32) -> f32 {
    let x = x.clamp(0.0, 1.0);
    x * x * x * (10.0 - 15.0 * x + 6.0 * x * x)
}
