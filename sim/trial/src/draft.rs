//! Scenarios from a seed, and of one that fails the smallest that still does. A draft is what can be made smaller; as TOML it is a scenario
//! like any other, judged by the alerts that the rules raise on the truth, and by the table of rules.

use std::fmt::{self, Write as _};

use troika_kit::counted;
use troika_world::chance::Chance;

/// An act, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftAct {
    /// All but its length: `act = "glance", at = "lap"`.
    pub text: String,
    /// Its length, tenths of a second.
    pub tenths: u32,
    /// The shortest that it may be.
    pub least: u32,
}

/// A stretch with one driver, light and speed.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftSegment {
    /// The face.
    pub face: &'static str,
    /// The light.
    pub light: &'static str,
    /// km/h.
    pub speed_kmh: u32,
    /// One after the other.
    pub acts: Vec<DraftAct>,
}

/// A scenario that can be made smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Of all chance in it.
    pub seed: u64,
    /// Frames without a face, glare.
    pub sensing: [f32; 2],
    /// One after the other.
    pub segments: Vec<DraftSegment>,
}

const FACES: [&str; 8] = ["ada", "ben", "chi", "dai", "efe", "fola", "gus", "hana"];
const LIGHTS: [&str; 6] = ["day", "overcast", "dim", "side_left", "side_right", "night_ir"];
/// Not the passenger: he is five degrees from the right mirror's edge, and a mirror has its first second free.
const PLACES: [&str; 6] = ["left_mirror", "right_mirror", "rear_mirror", "cluster", "console", "lap"];
const MOMENTS: [&str; 4] = ["left_mirror", "right_mirror", "rear_mirror", "cluster"];
/// The rules' limits, tenths of a second: what ends so near one of them may be told either way by who sees it a few frames later.
const LIMITS: [u32; 7] = [15, 30, 35, 40, 50, 60, 70];
const CLEAR_OF: u32 = 5;

/// The shortest length from `tenths` on that is clear of all limits.
fn clear(mut tenths: u32) -> u32 {
    while let Some(limit) = LIMITS.iter().find(|limit| limit.abs_diff(tenths) < CLEAR_OF) {
        tenths = limit + CLEAR_OF;
    }
    tenths
}

/// Segments that fill the seconds; each lasts `least` tenths of a second and up to `more` besides, but the last.
fn segments(
    chance: &mut Chance,
    seconds: u32,
    (least, more): (i64, usize),
    make: fn(&mut Chance, i64) -> DraftSegment,
) -> Vec<DraftSegment> {
    let mut segments = Vec::new();
    let mut left = i64::from(seconds) * 10;
    while left > 0 {
        let length = left.min(least + chance.below(more) as i64);
        left -= length;
        segments.push(make(chance, length));
    }
    segments
}

impl Draft {
    /// A drive of about so many seconds.
    pub fn random(seed: u64, seconds: u32) -> Draft {
        let mut chance = Chance::new(seed, 3);
        let sensing = [chance.between(0.0, 2.0), if chance.unit() < 0.3 { 0.5 } else { 0.0 }];
        let segments = segments(&mut chance, seconds, (200, 400), DraftSegment::random);
        Draft { seed, sensing, segments }
    }

    /// A drive of about so many seconds in which nobody is distracted or tired: mirrors and cluster for a moment, talk, now and then a yawn.
    pub fn attentive(seed: u64, seconds: u32) -> Draft {
        let mut chance = Chance::new(seed, 5);
        let sensing = [chance.between(0.0, 2.0), chance.between(0.0, 1.0)];
        let segments = segments(&mut chance, seconds, (600, 1_200), DraftSegment::attentive);
        Draft { seed, sensing, segments }
    }

    fn acts(&self) -> usize {
        self.segments.iter().map(|segment| segment.acts.len()).sum()
    }

    /// How long it lasts, tenths of a second.
    pub fn tenths(&self) -> u32 {
        self.segments.iter().flat_map(|segment| &segment.acts).map(|act| act.tenths).sum()
    }

    /// Those that are one step smaller, the smallest first.
    fn smaller(&self) -> Vec<Draft> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut Draft)| {
            let mut draft = self.clone();
            change(&mut draft);
            draft.segments.retain(|segment| !segment.acts.is_empty());
            if draft != *self && draft.tenths() > 0 {
                all.push(draft);
            }
        };
        for n in 0..self.segments.len() {
            add(&|draft| drop(draft.segments.remove(n)));
        }
        for (n, segment) in self.segments.iter().enumerate() {
            for k in 0..segment.acts.len() {
                add(&|draft| drop(draft.segments[n].acts.remove(k)));
            }
        }
        add(&|draft| draft.sensing = [0.0; 2]);
        for (n, segment) in self.segments.iter().enumerate() {
            add(&|draft| (draft.segments[n].light, draft.segments[n].face) = ("day", "ada"));
            add(&|draft| draft.segments[n].speed_kmh = 60);
            for (k, act) in segment.acts.iter().enumerate() {
                for shorter in [act.least, act.tenths / 2, act.tenths.saturating_sub(5)].map(clear) {
                    if (act.least..act.tenths).contains(&shorter) {
                        add(&|draft| draft.segments[n].acts[k].tenths = shorter);
                    }
                }
            }
        }
        all
    }

    /// The smallest that still `fails`, looked for until nothing smaller does or it was asked `most` times.
    pub fn shrink(self, most: usize, mut fails: impl FnMut(&Draft) -> bool) -> Draft {
        let (mut smallest, mut asked) = (self, 0);
        loop {
            let next = smallest.smaller().into_iter().find(|draft| {
                asked += 1;
                asked <= most && fails(draft)
            });
            match next {
                Some(draft) => smallest = draft,
                None => return smallest,
            }
        }
    }
}

impl DraftSegment {
    fn empty(chance: &mut Chance) -> DraftSegment {
        DraftSegment {
            face: FACES[chance.below(FACES.len())],
            light: LIGHTS[chance.below(LIGHTS.len())],
            speed_kmh: 10 * (1 + chance.below(13) as u32),
            acts: Vec::new(),
        }
    }

    fn attentive(chance: &mut Chance, tenths: i64) -> DraftSegment {
        let mut segment = DraftSegment::empty(chance);
        let mut left = tenths;
        while left > 0 {
            let watch = 40 + chance.below(160) as u32;
            let (text, tenths) = match chance.below(20) {
                // At most a second and a half, as glances of attentive driving are (NHTSA 2013-0137: eyes off the road up to 2 s).
                0..=13 => {
                    let at = MOMENTS[chance.below(MOMENTS.len())];
                    (format!("act = \"glance\", at = \"{at}\""), 4 + chance.below(12) as u32)
                }
                14..=18 => ("act = \"talk\"".into(), 10 + chance.below(40) as u32),
                _ => ("act = \"yawn\"".into(), 25 + chance.below(20) as u32),
            };
            segment.acts.push(DraftAct { text: "act = \"attentive\"".into(), tenths: watch, least: 10 });
            segment.acts.push(DraftAct { text, tenths, least: 4 });
            left -= i64::from(watch + tenths);
        }
        segment
    }

    fn random(chance: &mut Chance, tenths: i64) -> DraftSegment {
        let mut segment = DraftSegment::empty(chance);
        let mut left = tenths;
        let mut add = |text: String, tenths: u32, least: u32| {
            let tenths = clear(tenths.max(least));
            left -= i64::from(tenths);
            segment.acts.push(DraftAct { text, tenths, least });
            left > 0
        };
        loop {
            let watch = 15 + chance.below(80) as u32;
            if !add("act = \"attentive\"".into(), watch, 10) {
                return segment;
            }
            let acted = if chance.unit() < 0.5 { ", control = true" } else { "" };
            let (text, tenths, least) = match chance.below(10) {
                0..=4 => {
                    let at = PLACES[chance.below(PLACES.len())];
                    let long = if chance.unit() < 0.4 { 75 } else { 14 };
                    (format!("act = \"glance\", at = \"{at}\"{acted}"), 4 + chance.below(long) as u32, 2)
                }
                5 => ("act = \"talk\"".into(), 10 + chance.below(40) as u32, 2),
                6 => ("act = \"yawn\"".into(), 25 + chance.below(20) as u32, 15),
                7 => ("act = \"eyes_closed\"".into(), 6 + chance.below(80) as u32, 3),
                8 => {
                    let droop = format!("act = \"eyes_closed\", droop = true{acted}");
                    (droop, 20 + chance.below(70) as u32, 3)
                }
                _ => {
                    let how = if chance.unit() < 0.5 { "lean" } else { "cover" };
                    (format!("act = \"face_lost\", how = \"{how}\""), 20 + chance.below(60) as u32, 20)
                }
            };
            if !add(text, tenths, least) {
                return segment;
            }
        }
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [dropouts, glare] = self.sensing;
        writeln!(f, "name = \"random: seed {}, {}\"", self.seed, counted(self.acts(), "act"))?;
        writeln!(f, "seed = {}", self.seed)?;
        writeln!(f, "sensing = {{ dropouts_a_minute = {dropouts:.2}, glare_a_minute = {glare:.2} }}")?;
        for segment in &self.segments {
            let mut acts = String::new();
            for act in &segment.acts {
                let seconds = f64::from(act.tenths) / 10.0;
                let _ = writeln!(acts, "    {{ {}, s = {seconds:.1} }},", act.text);
            }
            writeln!(f, "\n[[segment]]\nface = \"{}\"\nlight = \"{}\"", segment.face, segment.light)?;
            writeln!(f, "speed_kmh = {:.1}\nacts = [\n{acts}]", f64::from(segment.speed_kmh))?;
        }
        // Drowsiness is a share of a minute: a drive that comes near its limit is told either way, seconds apart.
        writeln!(f, "\n[[expect]]\nalerts = \"as_truth\"\nexcept = [\"drowsiness\"]")?;
        // The truth is looked at by the profiles' own limits: one that is wrong is right there.
        writeln!(f, "\n[[expect]]\nalerts = \"as_table\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Case;

    #[test]
    fn every_seed_gives_a_scenario_and_always_the_same() {
        for seed in 0..60 {
            let draft = Draft::random(seed, 90);
            assert_eq!(draft, Draft::random(seed, 90));
            let case = Case::parse("draft.toml", &draft.to_string()).expect("a draft is a scenario");
            assert!(case.drive.seconds() >= 90.0 && case.drive.seconds() < 110.0, "{seed}");
            assert!((case.drive.seconds() - draft.tenths() as f32 / 10.0).abs() < 0.01);
        }
    }

    #[test]
    fn of_a_drive_that_fails_for_one_glance_that_glance_is_left() {
        let long = |draft: &Draft| {
            let lap = |act: &DraftAct| act.text.contains("lap") && act.tenths >= 33;
            draft.segments.iter().any(|segment| segment.acts.iter().any(lap))
        };
        let seed = (0..).find(|seed| long(&Draft::random(*seed, 120))).expect("some drive has one");
        let smallest = Draft::random(seed, 120).shrink(10_000, |draft| long(draft));
        assert_eq!((smallest.segments.len(), smallest.acts()), (1, 1));
        assert!(smallest.tenths() < 50, "{smallest}");
        assert!(Case::parse("small.toml", &smallest.to_string()).is_ok());
    }

    #[test]
    fn what_is_looked_for_is_looked_for_so_often_and_no_more() {
        let mut asked = 0;
        Draft::random(1, 60).shrink(7, |_| {
            asked += 1;
            true
        });
        assert_eq!(asked, 7);
    }
}
