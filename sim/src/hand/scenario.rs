//! Scenarios of hands: who makes which gestures, as TOML. Unknown keys and impossible acts are refused, with the line.
//!
//! ```toml
//! name = "a minute of gestures"
//! seed = 7                      # places, joints, movements and the sensor's noise
//!
//! [camera]                      # optional, as in the driver's scenarios
//!
//! [[segment]]
//! person = "ada"                # hand, skin and face of one of the built-in identities
//! hand = "right"                # or "left"
//! light = "day"                 # day, overcast, dim, side_left, side_right, night_ir
//! driver = true                 # the driver is behind the hand; false (the default) is an empty cabin
//! acts = [
//!     { act = "open_palm", s = 2.0 },          # fist, point, thumb_up, thumb_down, ok; relaxed is no gesture
//!     { act = "swipe_left", s = 1.2 },         # swipe_right: as seen in the picture
//!     { act = "rotate_clockwise", s = 3.0 },   # rotate_counter_clockwise: the fingertip circles, as seen in the picture
//!     { act = "move", s = 2.0 },               # any movement that is no gesture
//!     { act = "absent", s = 1.0 },             # the hand goes, and comes again with the next act
//!     { act = "fist", s = 1.0, at = [0.1, 0.0, 0.5], roll_deg = 20, tilt_deg = 10, turn_deg = -30 },
//! ]
//! ```
//! `at` is the middle of the hand in metres from the camera: to the picture's right, down, away. Angles are those of
//! [`super::Placement`], on a right hand; a left hand mirrors them. What an act does not say is chosen by the seed.

use std::path::Path;

use serde::{Deserialize, de::IntoDeserializer as _};
use toml::Spanned;

use crate::{
    camera::Camera,
    hand::mesh::HandMesh,
    hand::pose::HandShapeName,
    light::Light,
    scenario::{LONGEST_S, Length, Lines, ScenarioError, read_text},
};

/// A scenario as it is written.
#[derive(Debug, Clone)]
pub struct HandScenario {
    /// Its name.
    pub name: String,
    /// What all chance in it comes from.
    pub seed: u64,
    /// The camera and its mounting.
    pub camera: Camera,
    /// One after the other.
    pub segments: Vec<HandSegment>,
}

/// A stretch with one hand and one light.
#[derive(Debug, Clone)]
pub struct HandSegment {
    /// The person's number.
    pub identity: usize,
    /// The right hand, else the left.
    pub right: bool,
    /// The light.
    pub light: Light,
    /// The driver is behind the hand.
    pub driver: bool,
    /// One after the other.
    pub acts: Vec<HandAct>,
}

/// One thing that a hand does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HandAct {
    /// What.
    pub kind: HandActKind,
    /// For how long, seconds.
    pub seconds: f32,
    /// The middle of the hand from the camera, metres; None: somewhere in the middle of the picture.
    pub at: Option<[f32; 3]>,
    /// Degrees, as in [`super::Placement`]; None: as people do, by the seed.
    pub angles_deg: [Option<f32>; 3],
}

/// What a hand does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandActKind {
    /// Holds a shape.
    Hold(HandShapeName),
    /// Sweeps across the picture: to its left, else to its right.
    Swipe {
        /// To the picture's left.
        left: bool,
    },
    /// The pointing fingertip circles.
    Rotate {
        /// As seen in the picture.
        clockwise: bool,
    },
    /// Moves about, with nothing meant.
    Move,
    /// Is not in the picture.
    Absent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    name: String,
    seed: u64,
    #[serde(default)]
    camera: Camera,
    segment: Vec<SegmentText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentText {
    person: Spanned<String>,
    hand: Side,
    light: Light,
    #[serde(default)]
    driver: bool,
    acts: Vec<Spanned<ActText>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Side {
    Right,
    Left,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ActName {
    OpenPalm,
    Fist,
    Point,
    ThumbUp,
    ThumbDown,
    Ok,
    Relaxed,
    SwipeLeft,
    SwipeRight,
    RotateClockwise,
    RotateCounterClockwise,
    Move,
    Absent,
}

impl HandActKind {
    /// The act of a name, as files have it.
    ///
    /// # Errors
    /// Which names there are.
    pub fn named(name: &str) -> Result<HandActKind, String> {
        let named = ActName::deserialize(name.into_deserializer());
        named.map(ActName::kind).map_err(|why: serde::de::value::Error| why.to_string())
    }

    /// How long it lasts at least, seconds: a hand takes a third of a second to get there, a swipe half a second and its stroke.
    pub fn shortest_s(self) -> f32 {
        match self {
            HandActKind::Swipe { .. } => 0.9,
            HandActKind::Rotate { .. } => 1.0,
            _ => 0.5,
        }
    }
}

impl ActName {
    fn kind(self) -> HandActKind {
        use HandActKind::Hold;
        match self {
            ActName::OpenPalm => Hold(HandShapeName::OpenPalm),
            ActName::Fist => Hold(HandShapeName::Fist),
            ActName::Point => Hold(HandShapeName::Point),
            ActName::ThumbUp => Hold(HandShapeName::ThumbUp),
            ActName::ThumbDown => Hold(HandShapeName::ThumbDown),
            ActName::Ok => Hold(HandShapeName::Ok),
            ActName::Relaxed => Hold(HandShapeName::Relaxed),
            ActName::SwipeLeft => HandActKind::Swipe { left: true },
            ActName::SwipeRight => HandActKind::Swipe { left: false },
            ActName::RotateClockwise => HandActKind::Rotate { clockwise: true },
            ActName::RotateCounterClockwise => HandActKind::Rotate { clockwise: false },
            ActName::Move => HandActKind::Move,
            ActName::Absent => HandActKind::Absent,
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct ActText {
    act: ActName,
    s: f32,
    at: Option<[f32; 3]>,
    roll_deg: Option<f32>,
    tilt_deg: Option<f32>,
    turn_deg: Option<f32>,
}

/// Distances at which a hand can be from the camera, metres: nearer it does not fit into the picture.
const REACH_M: [f32; 2] = [0.2, 1.2];

impl HandScenario {
    /// Whether a scenario's text is meant as one of hands: its first segment says which hand. The driver's have no such key.
    pub fn is_named_by(text: &str) -> bool {
        let table: Option<toml::Table> = text.parse().ok();
        let segments = table.as_ref().and_then(|table| table.get("segment")?.as_array());
        segments.and_then(|all| all.first()?.get("hand")).is_some()
    }

    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// The file's name and reason, or the line.
    pub fn read(path: &Path) -> Result<HandScenario, ScenarioError> {
        HandScenario::parse(&read_text(path)?)
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// All that is wrong, with its line; what no TOML reader understands hides the rest.
    pub fn parse(text: &str) -> Result<HandScenario, ScenarioError> {
        let lines = Lines(text);
        let at = |byte, reason| lines.error(byte, reason);
        let file: FileText = lines.parse()?;
        let mut faults = Vec::new();
        faults.extend(file.camera.check().err().map(|reason| at(0, reason.into())));
        let mesh = HandMesh::built_in();
        let mut segments = Vec::new();
        let mut length = Length::default();
        for segment in &file.segment {
            let name = segment.person.get_ref();
            let identity = mesh.shapes.iter().position(|known| known.name == *name).unwrap_or_else(|| {
                let known: Vec<_> = mesh.shapes.iter().map(|shape| shape.name.as_str()).collect();
                let reason = format!("nobody is called '{name}'; there are {}", known.join(", "));
                faults.push(at(segment.person.span().start, reason));
                0
            });
            let mut acts = Vec::new();
            for act in &segment.acts {
                let read = read_act(act.get_ref()).and_then(|read| length.add(read.seconds).map(|()| read));
                match read {
                    Ok(read) => acts.push(read),
                    Err(reason) => faults.push(at(act.span().start, reason)),
                }
            }
            segments.push(HandSegment {
                identity,
                right: segment.hand == Side::Right,
                light: segment.light,
                driver: segment.driver,
                acts,
            });
        }
        if faults.is_empty() {
            faults.extend(length.check().err().map(|reason| at(0, reason)));
        }
        match ScenarioError::of(faults) {
            Some(faults) => Err(faults),
            None => Ok(HandScenario { name: file.name, seed: file.seed, camera: file.camera, segments }),
        }
    }

    /// How long it lasts.
    pub fn seconds(&self) -> f32 {
        self.segments.iter().flat_map(|segment| &segment.acts).map(|act| act.seconds).sum()
    }
}

fn read_act(text: &ActText) -> Result<HandAct, String> {
    let kind = text.act.kind();
    let angles_deg = [text.roll_deg, text.tilt_deg, text.turn_deg];
    let shortest = kind.shortest_s();
    if !(shortest..=LONGEST_S).contains(&text.s) {
        return Err(format!("this act lasts from {shortest} to {LONGEST_S} s"));
    }
    if kind == HandActKind::Absent && (text.at.is_some() || angles_deg.iter().any(Option::is_some)) {
        return Err("a hand that is absent is at no place".into());
    }
    if let Some([x, y, z]) = text.at
        && !(x.abs() <= 1.0 && y.abs() <= 1.0 && (REACH_M[0]..=REACH_M[1]).contains(&z))
    {
        return Err(format!(
            "a hand is up to 1 m beside the camera's axis and {} to {} m away",
            REACH_M[0], REACH_M[1]
        ));
    }
    if angles_deg.iter().flatten().any(|angle| angle.is_nan() || angle.abs() > 180.0) {
        return Err("an angle is -180 to 180 degrees".into());
    }
    Ok(HandAct { kind, seconds: text.s, at: text.at, angles_deg })
}
