//! Scenarios: what the driver does, as TOML. Unknown keys and impossible acts are refused, with the line.
//!
//! ```toml
//! name = "a minute on the road"
//! seed = 7                      # blinks, fixations, sway and the sensor's noise
//!
//! [camera]                      # optional; metres from the driver's nominal eye point: left, up, forward
//! position_m = [-0.06, -0.13, 0.62]
//! aim_m = [0.0, -0.02, 0.0]
//! focal_px = 620.0
//!
//! [[segment]]
//! face = "ada"                  # one of the built-in faces
//! light = "day"                 # day, overcast, dim, side_left, side_right, night_ir
//! wears = "hat"                 # optional: glasses, sunglasses, mask, beard, hat
//! speed_kmh = [60.0, 80.0]      # from, to; one number for a steady speed
//! vibration_mm = 4.0            # optional: how far a rough road moves the head up and down at most, 0 to 20
//! acts = [
//!     { act = "attentive", s = 10.0 },                # fixations in the forward view, blinks
//!     { act = "glance", at = "left_mirror", s = 0.9 }, # or yaw_deg and pitch_deg in place of `at`
//!     { act = "talk", s = 5.0 },
//!     { act = "yawn", s = 4.0 },
//!     { act = "head_turn", yaw_deg = 20.0, s = 2.0 },  # the head turns, the eyes stay on the road
//!     { act = "eyes_closed", s = 2.0, droop = true },  # droop: the head sinks
//!     { act = "face_lost", how = "lean", s = 6.0 },    # leans out of the picture, or "cover": a hand before the face
//! ]
//! ```
//! Any act may say `control = true`: the driver acts on a control (steering, pedal, button) as it begins; and `mark = "glance"`: a name by
//! which expectations find its time ([`Mark`]).

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::{camera::Camera, head::Head, light::Light, slip};

/// A scenario that cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The text is not what it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// 1, 2, …
        line: usize,
        /// What is wrong, and the way out.
        reason: String,
    },
    /// Several things are not what they should be, in the text's order.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<ScenarioError>),
}

impl ScenarioError {
    /// One for all of them; none: nothing is wrong.
    pub(crate) fn of(mut all: Vec<ScenarioError>) -> Option<ScenarioError> {
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(ScenarioError::Several(all)),
        }
    }

    /// Each fault by itself, as a person reads it in a file of this name.
    pub fn told(&self, file: &str) -> Vec<String> {
        match self {
            ScenarioError::Read { .. } => vec![self.to_string()],
            ScenarioError::Line { line, reason } => vec![format!("{file}, line {line}: {reason}")],
            ScenarioError::Several(all) => all.iter().flat_map(|one| one.told(file)).collect(),
        }
    }
}

/// A scenario as it is written.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What all chance in it comes from.
    pub seed: u64,
    /// The camera and its mounting.
    pub camera: Camera,
    /// One after the other.
    pub segments: Vec<Segment>,
    /// The acts that have a name, in their order.
    pub marks: Vec<Mark>,
}

/// When an act that has a name takes place.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// It begins, seconds.
    pub from_s: f32,
    /// And ends.
    pub to_s: f32,
}

/// A stretch with one face, one light and one speed (or ramp).
#[derive(Debug, Clone)]
pub struct Segment {
    /// The face's number.
    pub identity: usize,
    /// The light.
    pub light: Light,
    /// What the driver has on.
    pub wears: Wear,
    /// At its start and at its end.
    pub speed_kmh: [f32; 2],
    /// How far a rough road moves the head up and down at most, mm.
    pub vibration_mm: f32,
    /// One after the other.
    pub acts: Vec<Act>,
}

/// What a driver has on that hides a part of the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wear {
    /// Nothing.
    #[default]
    Nothing,
    /// Clear glasses.
    Glasses,
    /// Glasses that no eye is seen through.
    Sunglasses,
    /// Mouth and nose are covered.
    Mask,
    /// A full beard.
    Beard,
    /// A cap with a peak.
    Hat,
}

impl Wear {
    /// All of them.
    pub const ALL: [Wear; 6] =
        [Wear::Nothing, Wear::Glasses, Wear::Sunglasses, Wear::Mask, Wear::Beard, Wear::Hat];
}

/// One thing that the driver does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Act {
    /// What.
    pub kind: ActKind,
    /// For how long, seconds.
    pub seconds: f32,
    /// The driver acts on a control as it begins.
    pub control: bool,
}

/// What a driver does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActKind {
    /// Watches the road.
    Attentive,
    /// Watches the road and talks.
    Talk,
    /// Watches the road and yawns.
    Yawn,
    /// Looks at a place: degrees to the left, and up, from the forward view.
    Glance {
        /// Degrees to the driver's left.
        yaw_deg: f32,
        /// Degrees up.
        pitch_deg: f32,
    },
    /// Turns the head, with the eyes on the road.
    HeadTurn {
        /// Degrees to the driver's left.
        yaw_deg: f32,
        /// Degrees up.
        pitch_deg: f32,
    },
    /// Closes the eyes.
    EyesClosed {
        /// The head sinks.
        droop: bool,
    },
    /// Leans out of the picture.
    Lean,
    /// Holds a hand before the face.
    Cover,
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

/// A segment as it is written; [`Scenario::of`] reads what it says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentText {
    face: Spanned<String>,
    light: Light,
    #[serde(default)]
    wears: Wear,
    speed_kmh: Spanned<SpeedText>,
    #[serde(default = "smooth")]
    vibration_mm: Spanned<f32>,
    acts: Vec<Spanned<ActText>>,
}

fn smooth() -> Spanned<f32> {
    Spanned::new(0..0, 0.0)
}

#[derive(Deserialize, Clone, Copy)]
#[serde(untagged, expecting = "expected a speed, km/h, or two of them: [from, to]")]
enum SpeedText {
    Steady(f32),
    Ramp([f32; 2]),
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum ActName {
    Attentive,
    Talk,
    Yawn,
    Glance,
    HeadTurn,
    EyesClosed,
    FaceLost,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Place {
    LeftMirror,
    RightMirror,
    RearMirror,
    Cluster,
    Console,
    Lap,
    Passenger,
}

impl Place {
    /// Where it is for a left-hand driver of a middle-sized car, degrees to the left and up.
    fn bearing(self) -> (f32, f32) {
        match self {
            Place::LeftMirror => (40.0, -9.0),
            Place::RightMirror => (-54.0, -9.0),
            Place::RearMirror => (-28.0, 11.0),
            Place::Cluster => (0.0, -17.0),
            Place::Console => (-24.0, -38.0),
            Place::Lap => (-3.0, -42.0),
            Place::Passenger => (-75.0, -2.0),
        }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum How {
    Lean,
    Cover,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct ActText {
    act: ActName,
    s: f32,
    at: Option<Place>,
    yaw_deg: Option<f32>,
    pitch_deg: Option<f32>,
    droop: Option<bool>,
    how: Option<How>,
    #[serde(default)]
    control: bool,
    mark: Option<String>,
}

/// An hour: longer than any scenario, and short enough to hold every frame's pose.
pub(crate) const LONGEST_S: f32 = 3600.0;

/// A scenario's text.
///
/// # Errors
/// The file's name and reason.
pub(crate) fn read_text(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path)
        .map_err(|error| ScenarioError::Read { path: path.display().to_string(), reason: error.to_string() })
}

/// A scenario's text, for errors with their line.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'t>(pub(crate) &'t str);

impl Lines<'_> {
    /// What is wrong at a byte.
    pub(crate) fn error(self, byte: usize, reason: String) -> ScenarioError {
        ScenarioError::Line { line: 1 + self.0.bytes().take(byte).filter(|b| *b == b'\n').count(), reason }
    }

    /// The file as it is written.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(self) -> Result<T, ScenarioError> {
        slip::read(self.0).map_err(|faults| {
            let faults = faults.into_iter().map(|(line, reason)| ScenarioError::Line { line, reason });
            ScenarioError::of(faults.collect()).unwrap_or_else(|| self.error(0, "cannot be read".to_owned()))
        })
    }
}

/// How long a scenario is, act by act.
#[derive(Default)]
pub(crate) struct Length(f32);

impl Length {
    /// One more act; the first that is too much says so, and those behind it do not.
    pub(crate) fn add(&mut self, seconds: f32) -> Result<(), String> {
        let fitted = self.0 <= LONGEST_S;
        self.0 += seconds;
        if fitted && self.0 > LONGEST_S {
            return Err(format!("a scenario lasts at most {LONGEST_S} s"));
        }
        Ok(())
    }

    /// After the last one.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.0 < 0.1 { Err("the scenario has no acts".into()) } else { Ok(()) }
    }
}

impl Scenario {
    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// The file's name and reason, or the line.
    pub fn read(path: &Path) -> Result<Scenario, ScenarioError> {
        Scenario::parse(&read_text(path)?)
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// All that is wrong, with its line; what no TOML reader understands hides the rest.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let file: FileText = Lines(text).parse()?;
        Scenario::of(text, file.name, file.seed, file.camera, &file.segment)
    }

    /// A scenario of segments that are part of a larger file, whose text is `text`.
    ///
    /// # Errors
    /// All that is wrong, with its line; what no TOML reader understands hides the rest.
    pub fn of(
        text: &str,
        name: String,
        seed: u64,
        camera: Camera,
        segment: &[SegmentText],
    ) -> Result<Scenario, ScenarioError> {
        let lines = Lines(text);
        let at = |byte, reason| lines.error(byte, reason);
        let mut faults = Vec::new();
        faults.extend(camera.check().err().map(|reason| at(0, reason.into())));
        let head = Head::built_in();
        let (mut segments, mut marks) = (Vec::new(), Vec::new());
        let mut length = Length::default();
        for segment in segment {
            let name = segment.face.get_ref();
            let identity = head.identities().position(|known| known == name).unwrap_or_else(|| {
                let known: Vec<_> = head.identities().collect();
                let reason = format!("no face is called '{name}'; there are {}", known.join(", "));
                faults.push(at(segment.face.span().start, reason));
                0
            });
            let speed_kmh = match *segment.speed_kmh.get_ref() {
                SpeedText::Steady(speed) => [speed; 2],
                SpeedText::Ramp(ramp) => ramp,
            };
            if speed_kmh.iter().any(|speed| !(0.0..=300.0).contains(speed)) {
                faults.push(at(segment.speed_kmh.span().start, "a speed is 0 to 300 km/h".into()));
            }
            let mut acts = Vec::new();
            for act in &segment.acts {
                let from_s = length.0;
                let read = read_act(act.get_ref()).and_then(|read| length.add(read.seconds).map(|()| read));
                match read {
                    Ok(read) => acts.push(read),
                    Err(reason) => faults.push(at(act.span().start, reason)),
                }
                let name = act.get_ref().mark.clone();
                marks.extend(name.map(|name| Mark { name, from_s, to_s: length.0 }));
            }
            let vibration_mm = *segment.vibration_mm.get_ref();
            if !(0.0..=20.0).contains(&vibration_mm) {
                faults.push(at(segment.vibration_mm.span().start, "a vibration is 0 to 20 mm".into()));
            }
            let (light, wears) = (segment.light, segment.wears);
            segments.push(Segment { identity, light, wears, speed_kmh, vibration_mm, acts });
        }
        if faults.is_empty() {
            faults.extend(length.check().err().map(|reason| at(0, reason)));
        }
        match ScenarioError::of(faults) {
            Some(faults) => Err(faults),
            None => Ok(Scenario { name, seed, camera, segments, marks }),
        }
    }

    /// The segment that is on at so many seconds; after the last one, that.
    pub fn segment_at(&self, seconds: f32) -> &Segment {
        let mut end = 0.0;
        let on = self.segments.iter().find(|segment| {
            end += segment.acts.iter().map(|act| act.seconds).sum::<f32>();
            seconds < end
        });
        // A scenario without a segment is refused.
        on.unwrap_or(&self.segments[self.segments.len() - 1])
    }

    /// How long it lasts.
    pub fn seconds(&self) -> f32 {
        self.segments.iter().flat_map(|segment| &segment.acts).map(|act| act.seconds).sum()
    }
}

fn read_act(text: &ActText) -> Result<Act, String> {
    let unwanted = [
        ("at", text.at.is_some(), text.act == ActName::Glance),
        ("yaw_deg", text.yaw_deg.is_some(), matches!(text.act, ActName::Glance | ActName::HeadTurn)),
        ("pitch_deg", text.pitch_deg.is_some(), matches!(text.act, ActName::Glance | ActName::HeadTurn)),
        ("droop", text.droop.is_some(), text.act == ActName::EyesClosed),
        ("how", text.how.is_some(), text.act == ActName::FaceLost),
    ];
    if let Some((key, ..)) = unwanted.iter().find(|(_, given, taken)| *given && !taken) {
        return Err(format!("this act takes no `{key}`"));
    }
    let angles = (text.yaw_deg.unwrap_or(0.0), text.pitch_deg.unwrap_or(0.0));
    let shortest = match text.act {
        ActName::FaceLost => 2.0,
        ActName::Yawn => 1.5,
        ActName::EyesClosed => 0.3,
        _ => 0.2,
    };
    if !(shortest..=LONGEST_S).contains(&text.s) {
        return Err(format!("this act lasts from {shortest} to {LONGEST_S} s"));
    }
    if !(-80.0..=80.0).contains(&angles.0) || !(-60.0..=40.0).contains(&angles.1) {
        return Err("a driver turns -80 to 80 degrees sideways and -60 to 40 up".into());
    }
    let kind = match text.act {
        ActName::Attentive => ActKind::Attentive,
        ActName::Talk => ActKind::Talk,
        ActName::Yawn => ActKind::Yawn,
        ActName::Glance => {
            let (yaw_deg, pitch_deg) = match (text.at, text.yaw_deg.or(text.pitch_deg)) {
                (Some(place), None) => place.bearing(),
                (None, Some(_)) => angles,
                _ => return Err("a glance says `at`, or `yaw_deg` and `pitch_deg`".into()),
            };
            ActKind::Glance { yaw_deg, pitch_deg }
        }
        ActName::HeadTurn => {
            // Further than eyes turn back, the gaze would leave the road.
            if angles.0.abs() > 34.0 || angles.1.abs() > 22.0 {
                return Err(
                    "with the eyes on the road, a head turns up to 34 degrees sideways and 22 up or down"
                        .into(),
                );
            }
            ActKind::HeadTurn { yaw_deg: angles.0, pitch_deg: angles.1 }
        }
        ActName::EyesClosed => ActKind::EyesClosed { droop: text.droop.unwrap_or(false) },
        ActName::FaceLost => match text.how.unwrap_or(How::Lean) {
            How::Lean => ActKind::Lean,
            How::Cover => ActKind::Cover,
        },
    };
    Ok(Act { kind, seconds: text.s, control: text.control })
}
