//! What belongs here: what happens in the cabin ([`Script`]), and the filming of it: frames and signals with their
//! rates, jitter and losses.

use super::random::Random;
use crate::interval::Interval;
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Frame, Profile, Signal, State, Trace, Zone};

/// "Frames: a blink is < 0.4 s": what is longer is `EYES_CLOSED`.
const BLINK: Ns = 400 * MS;
/// Before the first frame, so that its speed is known.
const SIGNALS_LEAD: Ns = 120 * MS;

/// What the driver does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Look {
    /// Eyes open at a zone, but for the [`Script::blinks`].
    At(Zone),
    /// Eyes shut, the gaze before it at a zone.
    Shut(Zone),
    /// No face in the frame.
    NoFace,
    /// A face whose eyes are not seen.
    NoEyes,
}

/// How the camera and the bus deliver.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    /// From one frame to the next, without jitter.
    pub frame: Ns,
    /// Each stamp is off by up to this much, either way; less than half a frame.
    pub jitter: Ns,
    /// How many of a thousand frames begin a loss of one to five frames.
    pub losses_permille: usize,
    /// From one signal to the next; each is up to 4 ms late.
    pub signal: Ns,
}

/// A scene. All times count from its start.
#[derive(Clone, Debug)]
pub struct Script {
    /// Becomes [`Trace::name`].
    pub name: String,
    /// Becomes [`Trace::profiles`].
    pub profiles: Vec<Profile>,
    /// What the driver does, one after the other, and for how long.
    pub looks: Vec<(Ns, Look)>,
    /// From when on, in km/h; sorted.
    pub speeds: Vec<(Ns, f32)>,
    /// From when on, 0..1; sorted.
    pub perclos: Vec<(Ns, f32)>,
    /// When the lids are shut for a moment; of account only in a [`Look::At`].
    pub blinks: Vec<Interval>,
    /// The camera has no zone during a blink.
    pub blinks_hide_zone: bool,
    /// When [`Frame::sensing_nominal`] is false.
    pub poor_sensing: Vec<Interval>,
    /// When the driver acts on a control; the next signal that is not lost tells of it.
    pub acts: Vec<Ns>,
    /// The same from start to end.
    pub cadence: Cadence,
    /// The start of the scene on the time line of the trace.
    pub begins: Ns,
}

impl Script {
    /// All looks together.
    #[must_use]
    pub fn length(&self) -> Ns {
        self.looks.iter().map(|(length, _)| length).sum()
    }

    /// Appends what the driver does next, and for how long.
    pub fn look(&mut self, look: Look, length: Ns) -> &mut Self {
        self.looks.push((length, look));
        self
    }

    /// Appends open eyes at the forward view.
    pub fn road(&mut self, length: Ns) -> &mut Self {
        self.look(Look::At(Zone::Forward), length)
    }
}

/// Films the scene.
#[must_use]
pub fn film(script: &Script, seed: u64, random: &mut Random) -> Trace {
    Trace {
        name: script.name.clone(),
        seed,
        profiles: script.profiles.clone(),
        frames: frames(script, random),
        signals: signals(script, random),
    }
}

fn frames(script: &Script, random: &mut Random) -> Vec<Frame> {
    let ends: Vec<(Ns, Look)> = script
        .looks
        .iter()
        .scan(0, |end, (length, look)| {
            *end += length;
            Some((*end, *look))
        })
        .collect();
    let mut shut_since = None;
    let mut lost = 0;
    let mut all = Vec::new();
    for tick in 0..script.length() / script.cadence.frame {
        let t = tick * script.cadence.frame + random.between(-script.cadence.jitter, script.cadence.jitter);
        if lost == 0 && random.below(1_000) < script.cadence.losses_permille {
            lost = 1 + random.below(5);
        }
        if lost > 0 {
            lost -= 1;
            continue;
        }
        let at = ends.partition_point(|(end, _)| *end <= t);
        let Some((_, look)) = ends.get(at).or(ends.last()) else {
            continue;
        };
        all.push(frame(script, t, *look, &mut shut_since, random));
    }
    all
}

fn frame(script: &Script, t: Ns, look: Look, shut_since: &mut Option<Ns>, random: &mut Random) -> Frame {
    let poor = script.poor_sensing.iter().any(|part| part.contains(t));
    let blink = matches!(look, Look::At(_)) && script.blinks.iter().any(|blink| blink.contains(t));
    let (zone, shut) = match look {
        Look::At(zone) => (zone, blink),
        Look::Shut(zone) => (zone, true),
        Look::NoFace | Look::NoEyes => (Zone::Unknown, false),
    };
    *shut_since = if shut { shut_since.or(Some(t)) } else { None };
    let asleep = shut_since.is_some_and(|since| t - since > BLINK);
    let state = match (look, zone) {
        (Look::NoFace | Look::NoEyes, _) => State::Unknown,
        _ if asleep => State::EyesClosed,
        (_, Zone::Forward) => State::Attentive,
        _ => State::LookingAway,
    };
    let hidden = asleep || (blink && script.blinks_hide_zone);
    let gaze_zone = if hidden { Zone::Unknown } else { zone };
    let (gaze_yaw_deg, gaze_pitch_deg) = gaze_zone.typical_direction();
    let openness = match (state, shut) {
        (State::Unknown, _) => f32::NAN,
        (_, true) => random.pick([0.0, 0.02, 0.05, 0.1]),
        (_, false) => random.pick([0.8, 0.85, 0.9, 1.0]),
    };
    Frame {
        stamp_ns: script.begins + t,
        state,
        confidence: if state == State::Unknown {
            0.1
        } else if poor {
            0.45
        } else {
            0.92
        },
        face_detected: look != Look::NoFace,
        gaze_zone,
        gaze_yaw_deg,
        gaze_pitch_deg,
        eye_openness_left: openness,
        eye_openness_right: openness,
        perclos: at(&script.perclos, t, 0.03),
        sensing_nominal: !poor,
    }
}

fn signals(script: &Script, random: &mut Random) -> Vec<Signal> {
    let mut all: Vec<Signal> = Vec::new();
    let mut told = Ns::MIN;
    for tick in 0..(script.length() + SIGNALS_LEAD) / script.cadence.signal {
        let t = tick * script.cadence.signal - SIGNALS_LEAD + random.between(0, 4 * MS);
        if tick > 0 && random.below(1_000) < script.cadence.losses_permille {
            continue;
        }
        let driver_acted = script.acts.iter().any(|act| told < *act && *act <= t);
        all.push(Signal {
            stamp_ns: script.begins + t,
            speed_kmh: at(&script.speeds, t.max(0), 0.0),
            driver_acted,
        });
        told = t;
    }
    all
}

/// The value of a step function; `before` where it has not begun.
fn at(steps: &[(Ns, f32)], t: Ns, before: f32) -> f32 {
    let begun = steps.partition_point(|(from, _)| *from <= t);
    begun.checked_sub(1).and_then(|i| steps.get(i)).map_or(before, |(_, value)| *value)
}

/// Blinks of an ordinary driver, one in two to six seconds.
#[must_use]
pub(super) fn ordinary_blinks(length: Ns, random: &mut Random) -> Vec<Interval> {
    let mut blinks = Vec::new();
    let mut t = random.between(0, 4 * SECOND);
    while t < length {
        let end = t + random.between(100 * MS, 390 * MS);
        blinks.push(Interval::new(t, end));
        t = end + random.between(2 * SECOND, 6 * SECOND);
    }
    blinks
}
