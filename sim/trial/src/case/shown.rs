//! Gestures that are shown to the camera: `[[gesture]]` of a scenario.

use serde::Deserialize;
use troika_sim::{
    Scenario,
    hand::{HandAct, HandActKind, HandScenario, HandSegment},
};

/// A gesture that is shown.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// When the hand comes, s.
    pub at_s: f64,
    /// For how long, s: with its coming, a third of a second.
    pub for_s: f64,
    /// What the hand does, as in the scenarios of hands: `thumb_up`, `swipe_left`, `rotate_clockwise`, …
    pub show: String,
    /// Which hand.
    #[serde(default)]
    pub hand: Side,
    /// A name by which expectations find its time.
    pub mark: Option<String>,
}

/// Which hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Side {
    #[default]
    Right,
    Left,
}

impl Shown {
    /// From and to, s.
    pub fn span(&self) -> (f64, f64) {
        (self.at_s, self.at_s + self.for_s)
    }

    /// Whether it can be shown in a scenario of so many seconds.
    pub(super) fn check(&self, seconds: f64) -> Result<(), String> {
        let kind = HandActKind::named(&self.show)?;
        if kind == HandActKind::Absent {
            return Err("a hand is absent while no [[gesture]] is on".into());
        }
        let shortest = kind.shortest_s();
        if self.for_s.is_nan() || (self.for_s as f32) < shortest {
            return Err(format!("`{}` takes {shortest} s at least: `for_s`", self.show));
        }
        match self.span() {
            (from, to) if from >= 0.0 && to <= seconds => Ok(()),
            (from, to) => {
                Err(format!("it is on from {from} to {to} s, and the scenario from 0 to {seconds} s"))
            }
        }
    }
}

/// What the hand does all the time: the gestures in their order, in the light of the drive and by the driver's own hand.
///
/// # Errors
/// Two gestures at once.
pub(super) fn played(drive: &Scenario, mut all: Vec<Shown>) -> Result<Option<HandScenario>, (f64, String)> {
    if all.is_empty() {
        return Ok(None);
    }
    all.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let mut segments = Vec::new();
    let mut end = 0.0;
    let act = |kind, seconds: f64| HandAct { kind, seconds: seconds as f32, at: None, angles_deg: [None; 3] };
    for one in &all {
        if one.at_s < end {
            return Err((one.at_s, format!("the gesture before is on until {end} s: there is one hand")));
        }
        let on = drive.segment_at(one.at_s as f32);
        let kind = HandActKind::named(&one.show).map_err(|why| (one.at_s, why))?;
        segments.push(HandSegment {
            identity: on.identity,
            right: one.hand == Side::Right,
            light: on.light,
            driver: true,
            acts: vec![act(HandActKind::Absent, one.at_s - end), act(kind, one.for_s)],
        });
        end = one.at_s + one.for_s;
    }
    if let Some(last) = segments.last_mut() {
        last.acts.push(act(HandActKind::Absent, f64::from(drive.seconds()) - end));
    }
    Ok(Some(HandScenario { name: drive.name.clone(), seed: drive.seed, camera: drive.camera, segments }))
}
