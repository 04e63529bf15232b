//! What a gesture does, as data: a vehicle function of the catalogue, or an answer to a question. Read once at start.

use std::{collections::BTreeMap, io, path::Path};

use serde::Deserialize;
use troika_kit::{Duration, Time};
use troika_msgs::troika::Slot;
use troika_vehicle::catalogue::{Call, CallError, Catalogue, Situation, Source, Verdict};

use crate::{debounce, debounce::Phase, gesture::Gesture};

/// The mapping that is used when none is named.
const BUILT_IN: &str = include_str!("../mapping.toml");

/// What one gesture does.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    gesture: Gesture,
    repeat: Option<Duration>,
    what: What,
}

/// See [`Act`].
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A vehicle function with its slots.
    Function {
        /// Its name in the catalogue.
        name: String,
        /// All of its slots, checked.
        slots: Vec<Slot>,
    },
    /// The answer to a question that the vehicle asked back.
    Answer(Answer),
}

/// See [`What`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Confirm,
    /// No.
    Cancel,
}

impl What {
    /// As in `Gesture.action`.
    pub fn name(&self) -> &str {
        match self {
            What::Function { name, .. } => name,
            What::Answer(Answer::Confirm) => "confirm",
            What::Answer(Answer::Cancel) => "cancel",
        }
    }
}

/// A mapping file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// It cannot be read.
    #[error("cannot read the mapping {file}: {reason}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        reason: io::Error,
    },
    /// It is no TOML, or has an unknown key or gesture.
    #[error("{file}: {reason}")]
    Toml {
        /// The file.
        file: String,
        /// With line and column.
        reason: String,
    },
    /// One gesture does two things.
    #[error("{file}: {gesture} is there twice")]
    Twice {
        /// The file.
        file: String,
        /// The gesture.
        gesture: &'static str,
    },
    /// Neither or both of `function` and `answer`.
    #[error("{file}: {gesture} has either a function or an answer")]
    What {
        /// The file.
        file: String,
        /// The gesture.
        gesture: &'static str,
    },
    /// A function that the catalogue does not have so.
    #[error("{file}: {gesture}: {reason}")]
    Call {
        /// The file.
        file: String,
        /// The gesture.
        gesture: &'static str,
        /// What is wrong.
        reason: Box<CallError>,
    },
    /// A function that the body would refuse from a gesture, whatever the situation.
    #[error("{file}: {gesture}: {function} is not carried out for a gesture alone")]
    Gated {
        /// The file.
        file: String,
        /// The gesture.
        gesture: &'static str,
        /// The function.
        function: String,
    },
    /// A repetition out of bounds.
    #[error("{file}: {gesture}: repeat_s is 0.1 to 10, for a gesture that can be held")]
    Repeat {
        /// The file.
        file: String,
        /// The gesture.
        gesture: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    on: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    gesture: Gesture,
    function: Option<String>,
    #[serde(default)]
    slots: BTreeMap<String, String>,
    answer: Option<Answer>,
    repeat_s: Option<f32>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    acts: Vec<Act>,
    /// When the gesture that is held acted last.
    acted: Time,
}

impl Mapping {
    /// The mapping of a file, or the built-in one.
    ///
    /// # Errors
    /// The first fault of the file.
    pub fn open(
        file: Option<&Path>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Mapping, MappingError> {
        let Some(path) = file else { return Mapping::parse("mapping.toml", BUILT_IN) };
        let name = path.display().to_string();
        let text = read(path).map_err(|reason| MappingError::Read { file: name.clone(), reason })?;
        Mapping::parse(&name, &text)
    }

    /// Reads a mapping; `file` is for the errors.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(file: &str, text: &str) -> Result<Mapping, MappingError> {
        let file = file.to_owned();
        let read: File = toml::from_str(text)
            .map_err(|error| MappingError::Toml { file: file.clone(), reason: error.to_string() })?;
        let mut acts: Vec<Act> = Vec::with_capacity(read.on.len());
        for entry in read.on {
            if acts.iter().any(|act| act.gesture == entry.gesture) {
                return Err(MappingError::Twice { file, gesture: entry.gesture.name() });
            }
            acts.push(entry.act(&file)?);
        }
        Ok(Mapping { acts, acted: Time::ZERO })
    }

    /// What is to be done in this frame.
    pub fn act(&mut self, now: Time, verdict: &debounce::Verdict) -> Option<&What> {
        let gesture = verdict.gesture?;
        let act = self.acts.iter().find(|act| act.gesture == gesture)?;
        let due = match verdict.phase {
            Phase::Started => true,
            Phase::Held => act.repeat.is_some_and(|repeat| now.since(self.acted) >= repeat),
            Phase::Idle | Phase::Ended => false,
        };
        if due {
            self.acted = now;
        }
        due.then_some(&act.what)
    }
}

impl Entry {
    fn act(self, file: &str) -> Result<Act, MappingError> {
        let (file, gesture) = (file.to_owned(), self.gesture.name());
        let repeat = match self.repeat_s {
            None => None,
            Some(seconds) if (0.1..=10.0).contains(&seconds) && !self.gesture.is_swipe() => {
                Some(Duration::from_secs_f32(seconds))
            }
            Some(_) => return Err(MappingError::Repeat { file, gesture }),
        };
        let what = match (self.function, self.answer) {
            (Some(function), None) => function_of(file, gesture, function, self.slots)?,
            (None, Some(answer)) if self.slots.is_empty() => What::Answer(answer),
            _ => return Err(MappingError::What { file, gesture }),
        };
        Ok(Act { gesture: self.gesture, repeat, what })
    }
}

fn function_of(
    file: String,
    gesture: &'static str,
    function: String,
    slots: BTreeMap<String, String>,
) -> Result<What, MappingError> {
    let catalogue = Catalogue::built_in();
    let call = Call { function, slots: slots.into_iter().collect() };
    let call = match catalogue.validate(&call) {
        Ok(call) => call,
        Err(reason) => return Err(MappingError::Call { file, gesture, reason: Box::new(reason) }),
    };
    troika_safety::fulfils![SR_VOI_017];
    // The situation in which the most is allowed: what is refused even so would never be done.
    let standing = Situation { speed_kmh: Some(0.0), source: Source::Gesture, confirmed: false };
    if catalogue.gate(&call, &standing) != Verdict::Execute {
        return Err(MappingError::Gated { file, gesture, function: call.function });
    }
    let slots = call.slots.into_iter().map(|(name, value)| Slot { name, value }).collect();
    Ok(What::Function { name: call.function, slots })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    fn verdict(gesture: Gesture, phase: Phase) -> debounce::Verdict {
        debounce::Verdict { gesture: Some(gesture), phase, confidence: 0.9, held: Duration::ZERO }
    }

    fn built_in() -> Mapping {
        Mapping::open(None, |_| unreachable!("no file is read")).expect("the built-in mapping is sound")
    }

    fn refusal(text: &str) -> String {
        Mapping::parse("my.toml", text).expect_err("refused").to_string()
    }

    #[test]
    fn the_built_in_mapping_has_volume_track_call_and_answers() {
        let mut mapping = built_in();
        for (gesture, name) in [
            (Gesture::RotateClockwise, "media.volume"),
            (Gesture::RotateCounterClockwise, "media.volume"),
            (Gesture::SwipeRight, "media.control"),
            (Gesture::SwipeLeft, "media.control"),
            (Gesture::ThumbUp, "phone.control"),
            (Gesture::ThumbDown, "phone.control"),
            (Gesture::Ok, "confirm"),
            (Gesture::OpenPalm, "cancel"),
        ] {
            assert_eq!(mapping.act(at(0), &verdict(gesture, Phase::Started)).map(What::name), Some(name));
        }
        for unmapped in [Gesture::Fist, Gesture::Point] {
            assert_eq!(mapping.act(at(0), &verdict(unmapped, Phase::Started)), None);
        }
    }

    #[test]
    fn a_turn_that_goes_on_repeats_and_a_held_thumb_does_not() {
        let mut mapping = built_in();
        let mut count =
            |gesture, phase, ms| usize::from(mapping.act(at(ms), &verdict(gesture, phase)).is_some());
        let mut turns = count(Gesture::RotateClockwise, Phase::Started, 0);
        turns += (1..=30).map(|i| count(Gesture::RotateClockwise, Phase::Held, 33 * i)).sum::<usize>();
        assert_eq!(turns, 3, "at 0, 0.43 and 0.86 s");
        assert_eq!(count(Gesture::RotateClockwise, Phase::Ended, 1100), 0);
        assert_eq!(count(Gesture::ThumbUp, Phase::Started, 2000), 1);
        assert_eq!((1..=60).map(|i| count(Gesture::ThumbUp, Phase::Held, 2000 + 33 * i)).sum::<usize>(), 0);
    }

    #[test]
    fn a_file_replaces_the_built_in_mapping() {
        let text = "[[on]]\ngesture = 'fist'\nfunction = 'media.control'\nslots = { action = 'pause' }";
        let mut mapping = Mapping::open(Some(Path::new("my.toml")), |_| Ok(text.to_owned())).expect("sound");
        assert!(mapping.act(at(0), &verdict(Gesture::Fist, Phase::Started)).is_some());
        assert!(mapping.act(at(0), &verdict(Gesture::ThumbUp, Phase::Started)).is_none());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_told_with_what_is_wrong() {
        troika_safety::verifies![SR_VOI_017];
        for (text, says) in [
            ("[[on]]\ngesture = 'wave'\nanswer = 'confirm'", "line 2"),
            ("[[on]]\ngesture = 'ok'\nanwser = 'confirm'", "anwser"),
            ("[[on]]\ngesture = 'ok'", "either a function or an answer"),
            ("[[on]]\ngesture = 'ok'\nanswer = 'confirm'\nfunction = 'media.control'", "either a function"),
            ("[[on]]\ngesture = 'ok'\nfunction = 'media.controll'", "media.controll"),
            ("[[on]]\ngesture = 'ok'\nfunction = 'media.control'", "needs 'action'"),
            ("[[on]]\ngesture = 'ok'\nfunction = 'cruise.set'\nslots = { kmh = '100' }", "not carried out"),
            ("[[on]]\ngesture = 'ok'\nanswer = 'cancel'\nrepeat_s = 0.01", "repeat_s"),
            ("[[on]]\ngesture = 'swipe_left'\nanswer = 'cancel'\nrepeat_s = 1.0", "repeat_s"),
            (
                "[[on]]\ngesture = 'ok'\nanswer = 'cancel'\n[[on]]\ngesture = 'ok'\nanswer = 'confirm'",
                "twice",
            ),
        ] {
            let why = refusal(text);
            assert!(why.starts_with("my.toml") && why.contains(says), "{text}: {why}");
        }
        let gone = Mapping::open(Some(Path::new("gone.toml")), |_| Err(io::ErrorKind::NotFound.into()));
        assert!(gone.expect_err("refused").to_string().contains("gone.toml"));
    }
}
