//! A scenario played out: the pose and the truth of every frame. Pure; needs no picture.

use troika_msgs::{
    std_msgs::Header,
    troika::{DriverState, DriverTruth},
};

use crate::{
    camera::Camera,
    math::{Random, V3, dot, rotation, scale, sub, unit},
    pose::Pose,
    scenario::{Act, ActKind, Scenario, Segment},
};

/// Frames a second.
pub const RATE: f32 = 30.0;
/// The forward view: half its width and height, degrees (22 x 14 in all, as the rules have it).
pub const FORWARD_DEG: [f32; 2] = [11.0, 7.0];
/// Lids under this are closed (80 %, as PERCLOS has it, and a little for the way down).
const CLOSED: f32 = 0.25;
/// A closure up to this is a blink, seconds.
const BLINK_S: f32 = 0.4;
/// Frames on either side of a change of state that are not scored: 200 ms.
const TRANSITION_FRAMES: usize = 6;

/// What is true of one frame, but for its stamp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// `DriverState.state`.
    pub state: u8,
    /// `DriverState.ZONE_*`.
    pub gaze_zone: u8,
    /// The face is in the picture, uncovered, and turned to the camera by less than 75 degrees.
    pub face_visible: bool,
    /// Head and eyes together, degrees to the driver's left of the forward view.
    pub gaze_yaw_deg: f32,
    /// Degrees up.
    pub gaze_pitch_deg: f32,
    /// 0 closed .. 1 open.
    pub eye_openness: f32,
    /// The vehicle's speed.
    pub speed_kmh: f32,
    /// The driver acted on a control since the last frame.
    pub driver_acted: bool,
    /// Within 200 ms of a change of state.
    pub in_transition: bool,
}

impl Truth {
    /// As a message.
    pub fn message(&self, header: Header) -> DriverTruth {
        DriverTruth {
            header,
            state: self.state,
            gaze_zone: self.gaze_zone,
            face_visible: self.face_visible,
            gaze_yaw_deg: self.gaze_yaw_deg,
            gaze_pitch_deg: self.gaze_pitch_deg,
            eye_openness: self.eye_openness,
            speed_kmh: self.speed_kmh,
            driver_acted: self.driver_acted,
            in_transition: self.in_transition,
        }
    }
}

/// One frame: what to render, and what is true.
#[derive(Debug, Clone, PartialEq)]
pub struct Shot {
    /// What to render.
    pub pose: Pose,
    /// What is true.
    pub truth: Truth,
}

/// Every frame of a scenario.
pub struct Script {
    /// In order, 30 a second.
    pub shots: Vec<Shot>,
}

impl Script {
    /// Plays the scenario out.
    pub fn new(scenario: &Scenario) -> Script {
        let mut random = Random::new(scenario.seed);
        let plan = Plan::new(scenario, &mut random);
        let sway: [f32; 12] = core::array::from_fn(|_| random.unit());
        let mut player = Player::default();
        let mut shots: Vec<Shot> = (0..(plan.seconds * RATE).round() as usize)
            .map(|frame| player.play(scenario, &plan, &sway, frame))
            .collect();
        let changes: Vec<usize> =
            (1..shots.len()).filter(|n| shots[*n].truth.state != shots[n - 1].truth.state).collect();
        for change in changes {
            let end = (change + TRANSITION_FRAMES).min(shots.len());
            for shot in &mut shots[change.saturating_sub(TRANSITION_FRAMES)..end] {
                shot.truth.in_transition = true;
            }
        }
        Script { shots }
    }

    /// Share of the frames in each state (`DriverState.state`).
    pub fn shares(&self) -> [f32; 4] {
        core::array::from_fn(|state| {
            let frames = self.shots.iter().filter(|shot| usize::from(shot.truth.state) == state).count();
            frames as f32 / self.shots.len().max(1) as f32
        })
    }
}

/// A gaze zone (`DriverState.ZONE_*`) of a gaze, degrees. The boxes are those that driver-state has by default.
pub fn zone(yaw: f32, pitch: f32) -> u8 {
    let within = |y: [f32; 2], p: [f32; 2]| yaw >= y[0] && yaw < y[1] && pitch >= p[0] && pitch < p[1];
    if yaw.abs() <= FORWARD_DEG[0] && pitch.abs() <= FORWARD_DEG[1] {
        DriverState::ZONE_FORWARD
    } else if within([25.0, 55.0], [-22.0, 5.0]) {
        DriverState::ZONE_LEFT_MIRROR
    } else if within([-70.0, -42.0], [-22.0, 5.0]) {
        DriverState::ZONE_RIGHT_MIRROR
    } else if within([-42.0, -16.0], [2.0, 22.0]) {
        DriverState::ZONE_REAR_MIRROR
    } else if within([-14.0, 14.0], [-29.0, -7.0]) {
        DriverState::ZONE_CLUSTER
    } else if pitch < -30.0 {
        DriverState::ZONE_AREA_3
    } else if yaw.abs() > 55.0 || pitch > 30.0 {
        DriverState::ZONE_AREA_1
    } else {
        DriverState::ZONE_OTHER
    }
}

/// A fixation: from `start` on, gaze and head make for these.
struct Fixation {
    start: f32,
    gaze: [f32; 2],
    head: [f32; 2],
}

/// Lids down: from, to, seconds; how long they take each way.
struct Closure {
    start: f32,
    end: f32,
    down: f32,
    up: f32,
}

struct Timed {
    start: f32,
    end: f32,
    act: Act,
}

/// All that happens, with its times.
struct Plan {
    seconds: f32,
    fixations: Vec<Fixation>,
    closures: Vec<Closure>,
    acts: Vec<Timed>,
    /// Start and end of each segment.
    segments: Vec<[f32; 2]>,
}

impl Plan {
    fn new(scenario: &Scenario, random: &mut Random) -> Plan {
        let mut plan =
            Plan { seconds: 0.0, fixations: vec![], closures: vec![], acts: vec![], segments: vec![] };
        let mut next_blink = between(random, 1.0, 4.0);
        for segment in &scenario.segments {
            let start = plan.seconds;
            for act in &segment.acts {
                plan.act(act, &mut next_blink, random);
            }
            plan.segments.push([start, plan.seconds]);
        }
        plan
    }

    fn act(&mut self, act: &Act, next_blink: &mut f32, random: &mut Random) {
        let (start, end) = (self.seconds, self.seconds + act.seconds);
        self.seconds = end;
        self.acts.push(Timed { start, end, act: *act });
        let mut t = start;
        while t < end {
            let near_road =
                [(2.6 * random.normal()).clamp(-6.0, 6.0), (1.2 * random.normal()).clamp(-2.5, 2.5)];
            let jitter = [0.7 * random.normal().clamp(-2.0, 2.0), 0.5 * random.normal().clamp(-2.0, 2.0)];
            let (gaze, head, pause) = match act.kind {
                ActKind::Glance { yaw_deg, pitch_deg } => {
                    let gaze = [yaw_deg + jitter[0], pitch_deg + jitter[1]];
                    // The head takes part of a glance, and all that the eyes cannot.
                    let head = [part(gaze[0], 0.55, 26.0), part(gaze[1], 0.5, 18.0)];
                    (gaze, head, between(random, 0.6, 1.2))
                }
                ActKind::HeadTurn { yaw_deg, pitch_deg } => {
                    (near_road, [yaw_deg, pitch_deg], between(random, 0.6, 1.5))
                }
                _ => (near_road, [0.3 * near_road[0], 0.3 * near_road[1]], between(random, 0.5, 1.8)),
            };
            self.fixations.push(Fixation { start: t, gaze, head });
            if matches!(act.kind, ActKind::EyesClosed { .. }) {
                break;
            }
            t += pause;
        }
        if matches!(act.kind, ActKind::EyesClosed { .. }) {
            self.closures.push(Closure { start, end, down: 0.12, up: 0.16 });
            *next_blink = end + between(random, 0.6, 3.0);
            return;
        }
        // About 15 blinks a minute of 0.1 to 0.3 s.
        *next_blink = next_blink.max(start + 0.15);
        while *next_blink + 0.35 < end {
            let length = between(random, 0.1, 0.3);
            self.closures.push(Closure {
                start: *next_blink,
                end: *next_blink + length,
                down: 0.4 * length,
                up: 0.5 * length,
            });
            *next_blink += between(random, 1.8, 6.0);
        }
    }
}

/// What the head takes of an angle: a share, and whatever is over `reach` for the eyes.
fn part(angle: f32, share: f32, reach: f32) -> f32 {
    let head = angle * share;
    if (angle - head).abs() > reach { angle - reach * angle.signum() } else { head }
}

pub(crate) fn between(random: &mut Random, low: f32, high: f32) -> f32 {
    low + (high - low) * random.unit()
}

/// A movement of one angle with a bell-shaped speed.
#[derive(Clone, Copy, Default)]
struct Move {
    from: f32,
    to: f32,
    start: f32,
    seconds: f32,
}

impl Move {
    fn at(&self, t: f32) -> f32 {
        let x = if self.seconds > 0.0 { ((t - self.start) / self.seconds).clamp(0.0, 1.0) } else { 1.0 };
        self.from + (self.to - self.from) * x * x * x * (10.0 - 15.0 * x + 6.0 * x * x)
    }
    fn aim(&mut self, t: f32, to: f32, seconds: f32) {
        *self = Move { from: self.at(t), to, start: t, seconds };
    }
}

/// The state that goes from frame to frame.
#[derive(Default)]
struct Player {
    fixation: usize,
    gaze: [Move; 2],
    head: [Move; 2],
    closed_since: Option<usize>,
    /// Where the eyes last looked while they were open.
    zone: Option<u8>,
}

impl Player {
    fn play(&mut self, scenario: &Scenario, plan: &Plan, sway: &[f32; 12], frame: usize) -> Shot {
        let t = frame as f32 / RATE;
        while let Some(fixation) = plan.fixations.get(self.fixation).filter(|f| f.start <= t) {
            for axis in 0..2 {
                let jump = (fixation.gaze[axis] - self.gaze[axis].at(t)).abs();
                let turn = (fixation.head[axis] - self.head[axis].at(t)).abs();
                // A saccade: 21 ms and 2.2 ms a degree. A head: a quarter of a second and 150 degrees a second.
                self.gaze[axis].aim(t, fixation.gaze[axis], 0.021 + 0.0022 * jump);
                self.head[axis].aim(t, fixation.head[axis], 0.25 + turn / 150.0);
            }
            self.fixation += 1;
        }
        let (number, span) = segment_at(plan, t);
        let segment = &scenario.segments[number];
        let index = plan.acts.partition_point(|timed| timed.end <= t).min(plan.acts.len() - 1);
        let timed = &plan.acts[index];
        let (into, left) = (t - timed.start, timed.end - t);
        let mut pose = Pose {
            identity: segment.identity,
            wears: segment.wears,
            light: segment.light,
            head_yaw_deg: self.head[0].at(t) + wave(t, &sway[0..2], 0.9),
            head_pitch_deg: self.head[1].at(t) + wave(t, &sway[2..4], 0.7),
            head_roll_deg: wave(t, &sway[4..6], 1.2),
            offset_m: [
                wave(t, &sway[6..8], 0.006),
                wave(t, &sway[8..10], 0.003),
                wave(t, &sway[10..12], 0.006),
            ],
            noise_seed: scenario.seed.wrapping_mul(1_000_003).wrapping_add(frame as u64),
            ..Pose::default()
        };
        shake(&mut pose, t, segment.vibration_mm);
        let openness = plan.closures.iter().map(|closure| closure.openness(t)).fold(1.0f32, f32::min);
        (pose.openness_left, pose.openness_right) = (openness, openness);
        // There and back again within the act.
        let bell = |rise: f32, fall: f32| ease(into / rise).min(ease(left / fall));
        match timed.act.kind {
            ActKind::Talk => {
                let syllable =
                    wave(t, &sway[0..2], 1.0) * 0.3 + libm::sinf(t * 27.0) * libm::sinf(t * 7.3 + sway[3]);
                pose.jaw_open = 0.32 * syllable.max(0.0) * bell(0.2, 0.2);
                pose.funnel = 0.3 * libm::sinf(t * 11.0 + sway[5]).max(0.0) * bell(0.2, 0.2);
            }
            ActKind::Yawn => {
                let wide = bell(0.45 * timed.act.seconds, 0.3 * timed.act.seconds);
                pose.jaw_open = 0.95 * wide;
                pose.brows = 0.4 * wide;
                let narrowed = openness.min(1.0 - 0.45 * wide);
                (pose.openness_left, pose.openness_right) = (narrowed, narrowed);
            }
            ActKind::EyesClosed { droop: true } => {
                // It sinks when the eyes are surely closed and is up again before they open.
                let sunk = ease((into - 0.5) / 1.2).min(ease((left - 0.4) / 0.4));
                pose.head_pitch_deg -= 14.0 * sunk;
                pose.head_roll_deg += 5.0 * sunk;
            }
            ActKind::Lean => {
                let out = bell(0.7, 0.7);
                pose.offset_m[0] += 0.55 * out;
                pose.offset_m[1] -= 0.10 * out;
                pose.head_roll_deg -= 12.0 * out;
            }
            ActKind::Cover => pose.cover = bell(0.35, 0.35),
            _ => {}
        }
        // With the lids down the eyes stay as they are in the head.
        if openness < 0.1 {
            pose.eye_pitch_deg = -4.0;
        } else {
            pose.look_at(self.gaze[0].at(t), self.gaze[1].at(t));
        }
        let truth = self.truth(scenario, segment, span, &pose, frame, timed);
        Shot { pose, truth }
    }

    fn truth(
        &mut self,
        scenario: &Scenario,
        segment: &Segment,
        span: [f32; 2],
        pose: &Pose,
        frame: usize,
        timed: &Timed,
    ) -> Truth {
        let t = frame as f32 / RATE;
        let openness = pose.openness_left;
        let (yaw, pitch) =
            if openness < 0.1 { (self.gaze[0].at(t), self.gaze[1].at(t)) } else { pose.gaze_deg() };
        if openness < CLOSED {
            self.closed_since.get_or_insert(frame);
        } else {
            self.closed_since = None;
        }
        let closed_s = self.closed_since.map_or(0.0, |since| (frame - since) as f32 / RATE);
        let face_visible = visible(&scenario.camera, pose);
        // Behind lids nobody sees where an eye looks: whoever closes them in a glance away looks away until it counts as closed.
        if self.closed_since.is_none() || self.zone.is_none() {
            self.zone = Some(zone(yaw, pitch));
        }
        let looked_at = self.zone.unwrap_or(DriverState::ZONE_UNKNOWN);
        let gaze_zone = if face_visible { looked_at } else { DriverState::ZONE_UNKNOWN };
        let state = if !face_visible {
            DriverState::UNKNOWN
        } else if closed_s > BLINK_S {
            DriverState::EYES_CLOSED
        } else if gaze_zone == DriverState::ZONE_FORWARD {
            DriverState::ATTENTIVE
        } else {
            DriverState::LOOKING_AWAY
        };
        let along = ((t - span[0]) / (span[1] - span[0]).max(1e-3)).clamp(0.0, 1.0);
        Truth {
            state,
            gaze_zone,
            face_visible,
            gaze_yaw_deg: yaw,
            gaze_pitch_deg: pitch,
            eye_openness: openness,
            speed_kmh: segment.speed_kmh[0] + (segment.speed_kmh[1] - segment.speed_kmh[0]) * along,
            driver_acted: timed.act.control && frame == (timed.start * RATE).ceil() as usize,
            in_transition: false,
        }
    }
}

impl Closure {
    fn openness(&self, t: f32) -> f32 {
        if t <= self.start || t >= self.end {
            return 1.0;
        }
        1.0 - ease((t - self.start) / self.down).min(ease((self.end - t) / self.up))
    }
}

fn segment_at(plan: &Plan, t: f32) -> (usize, [f32; 2]) {
    let number = plan.segments.partition_point(|span| span[1] <= t).min(plan.segments.len() - 1);
    (number, plan.segments[number])
}

/// The eyes' middle and the mouth are in the picture, no hand covers them, and the face is turned to the camera.
fn visible(camera: &Camera, pose: &Pose) -> bool {
    let head = rotation(pose.head_yaw_deg, pose.head_pitch_deg, pose.head_roll_deg);
    let forward = crate::math::apply(&head, [0.0, 0.0, 1.0]);
    let eyes: V3 = pose.offset_m;
    let to_camera = unit(sub(camera.position_m, eyes));
    let view = camera.view(1.0);
    // A hand's breadth around the eyes' middle: outer corners and chin.
    let inside = [[0.045, 0.0, 0.0], [-0.045, 0.0, 0.0], [0.0, -0.09, 0.02]].iter().all(|p| {
        let p = scale([p[0] + eyes[0], p[1] + eyes[1], p[2] + eyes[2]], 10.0);
        let (x, y, inverse) = view.project(p);
        inverse > 0.0 && x > 0.0 && y > 0.0 && x < camera.width as f32 && y < camera.height as f32
    });
    inside && pose.cover < 0.4 && dot(forward, to_camera) > 0.26
}

/// 0 .. 1 with a soft start and end.
pub(crate) fn ease(x: f32) -> f32 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// What a rough road does to a seated head: up and down at the 4 to 6 Hz at which a seated body resonates (ISO 2631-1), half as far sideways at
/// the 2 Hz of the seat's back, and a nod with it.
fn shake(pose: &mut Pose, t: f32, vibration_mm: f32) {
    let swing = |hz: f32| libm::sinf(core::f32::consts::TAU * hz * t);
    // Two that beat: no two seconds are alike.
    let up = 0.6 * swing(4.7) + 0.4 * swing(6.1);
    pose.offset_m[1] += vibration_mm * 1e-3 * up;
    pose.offset_m[0] += vibration_mm * 0.5e-3 * swing(2.1);
    pose.head_pitch_deg += vibration_mm * 0.15 * up;
}

/// A slow, aperiodic movement.
pub(crate) fn wave(t: f32, phase: &[f32], size: f32) -> f32 {
    let [a, b] = [phase[0] * core::f32::consts::TAU, phase[1] * core::f32::consts::TAU];
    size * (0.6 * libm::sinf(t * 0.83 + a) + 0.4 * libm::sinf(t * 1.91 + b))
}
