//! The scenario set, as it concerns one network: the files whose behaviour stands on it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use troika_sim::{Scenario, hand::HandScenario};
use troika_trial::{Case, Level, What};
use troika_voice::eval;

use crate::{kinds, sim};

/// The drives and hands that are scored.
const SCORED: &str = "sim/scenarios";
/// English lines that the intent network was not trained on.
const LINES: [&str; 4] = [
    "nodes/voice/fixtures/text/en.tsv",
    "nodes/voice/fixtures/text/held-out.tsv",
    "nodes/voice/fixtures/unseen.tsv",
    "models/intent_slots_en/data/dev-d.tsv",
];

/// What stands on a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The driver's state: alerts, and the drowsiness.
    Driver,
    /// The drowsiness alone.
    Drowsiness,
    /// Gestures.
    Hands,
    /// What is understood of words.
    Words,
    /// All that looks at pictures.
    Pictures,
}

impl Subject {
    /// Of a network; none where no scenario shows what it does.
    pub(super) fn of(network: &str) -> Option<Subject> {
        Some(match network {
            "face_detection_short_range" | "face_landmark" | "iris_landmark" | "eye_state" => Subject::Driver,
            "blink_drowsiness" => Subject::Drowsiness,
            "palm_detection_lite" | "hand_landmark_lite" | "gesture_static" | "gesture_motion" => {
                Subject::Hands
            }
            "intent_slots_en" => Subject::Words,
            _ => return None,
        })
    }
}

/// What is played.
pub(super) enum Act {
    /// A driver, rendered.
    Drive(Scenario),
    /// A driver, as the networks would see him.
    Perceived(Scenario),
    /// A hand, rendered.
    Hand(HandScenario),
    /// Words, each with where it is from.
    Words(Vec<(String, String)>),
}

/// One of the set.
pub(super) struct Scene {
    pub(super) file: PathBuf,
    pub(super) act: Act,
    /// What goes wrong meanwhile, where the file says so.
    pub(super) case: Option<Box<Case>>,
}

impl Scene {
    /// How long it is, s; of words, how many lines.
    pub(super) fn length(&self) -> f64 {
        match &self.act {
            Act::Drive(drive) | Act::Perceived(drive) => f64::from(drive.seconds()),
            Act::Hand(hand) => f64::from(hand.seconds()),
            Act::Words(lines) => lines.len() as f64,
        }
    }
}

/// What a file is to a subject.
enum Read {
    Concerns(Box<Scene>),
    /// It would, but cannot be compared so.
    LeftOut(&'static str),
    Nothing,
}

/// The scenes of a subject, the longest first, so that no core waits for one at the end; and the files that are left out, with the reason.
///
/// # Errors
/// A file that cannot be used, or a folder that is elsewhere; one that was `named` and does not concern the subject.
pub(super) fn all(subject: Subject, named: &[PathBuf]) -> anyhow::Result<(Vec<Scene>, Vec<String>)> {
    let files = if named.is_empty() { files(subject)? } else { named.to_vec() };
    let (mut scenes, mut left_out) = (Vec::new(), Vec::new());
    for file in files {
        let shown = file.display().to_string();
        match read(&file, subject).with_context(|| shown.clone())? {
            Read::Concerns(scene) => scenes.push(*scene),
            Read::LeftOut(why) => left_out.push(format!("{shown}: {why}")),
            Read::Nothing if named.is_empty() => {}
            Read::Nothing => bail!(
                "{shown}: nothing in it stands on what is compared: name a scenario with pictures of a driver or of hands, or for intent_slots_en a file of lines"
            ),
        }
    }
    if scenes.is_empty() {
        // What was named is left out: why says more than that nothing is left.
        if !left_out.is_empty() {
            bail!("nothing is left to compare by: {}", left_out.join("; "));
        }
        bail!("there is no scenario to compare by");
    }
    scenes.sort_by(|a, b| b.length().total_cmp(&a.length()));
    Ok((scenes, left_out))
}

fn files(subject: Subject) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if subject == Subject::Words {
        for file in LINES {
            if !Path::new(file).exists() {
                bail!(sim::elsewhere(file, "name files of lines with --scenario"));
            }
            files.push(file.into());
        }
    }
    if !Path::new(SCORED).exists() {
        bail!(sim::elsewhere(SCORED, "name scenario files with --scenario"));
    }
    files.extend(sim::files(&[SCORED.into(), sim::CASES.into()])?);
    Ok(files)
}

fn read(file: &Path, subject: Subject) -> anyhow::Result<Read> {
    let scene = |act, case| Read::Concerns(Box::new(Scene { file: file.to_path_buf(), act, case }));
    let text = fs::read_to_string(file).context("cannot read it")?;
    if file.extension().is_some_and(|extension| extension == "tsv") {
        let lines =
            eval::cases(&text)?.into_iter().map(|case| (format!("line {}", case.line), case.utterance));
        return Ok(match subject {
            Subject::Words => scene(Act::Words(lines.collect()), None),
            _ => Read::Nothing,
        });
    }
    let pictures = matches!(subject, Subject::Driver | Subject::Drowsiness | Subject::Pictures);
    // A scenario that is judged says what it expects; those that are scored have the truth for that.
    if !text.parse::<toml::Table>()?.contains_key("expect") {
        return Ok(match kinds::is_of_hands(file)? {
            true if matches!(subject, Subject::Hands | Subject::Pictures) => {
                scene(Act::Hand(HandScenario::read(file)?), None)
            }
            false if pictures => scene(Act::Drive(Scenario::read(file)?), None),
            _ => Read::Nothing,
        });
    }
    let case = Case::parse(&file.display().to_string(), &text)?;
    if subject == Subject::Words {
        let says = case.says.iter().map(|say| (format!("{:.1} s", say.at_s), say.words.clone()));
        let lines: Vec<_> = says.collect();
        return Ok(if lines.is_empty() { Read::Nothing } else { scene(Act::Words(lines), None) });
    }
    let act = match (subject, &case.hand, case.level) {
        (Subject::Hands | Subject::Pictures, Some(hand), _) => Act::Hand(hand.clone()),
        (Subject::Driver | Subject::Drowsiness | Subject::Pictures, _, Level::Pixels) => {
            Act::Drive(case.drive.clone())
        }
        (Subject::Drowsiness, _, Level::Landmarks) => Act::Perceived(case.drive.clone()),
        _ => return Ok(Read::Nothing),
    };
    let troubles = |what| case.troubles.iter().any(|trouble| trouble.what == what);
    if troubles(What::ModelSwapped) {
        return Ok(Read::LeftOut(
            "it puts another network in the place of one that runs, so that what is compared would not run to its end; `troika sim run` plays it",
        ));
    }
    if troubles(What::ModelMissing) {
        return Ok(Read::LeftOut("its networks are missing"));
    }
    if troubles(What::Garbage) {
        return Ok(Read::LeftOut("bytes that are no message are sent to its nodes"));
    }
    Ok(scene(act, Some(Box::new(case))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
    }

    #[test]
    fn whoever_names_a_file_that_is_left_out_alone_is_told_why() {
        let swapped = root("sim/scenarios/cases/pixels-model-swapped.toml");
        let told = match all(Subject::Pictures, std::slice::from_ref(&swapped)) {
            Ok(_) => panic!("it is left out"),
            Err(error) => format!("{error:#}"),
        };
        assert!(told.contains("pixels-model-swapped.toml: it puts another network"), "{told}");
        // With another one it is a line of the table.
        let both = [swapped, root("sim/scenarios/demo-30s.toml")];
        let (scenes, left_out) = all(Subject::Pictures, &both).expect("one of them is played");
        assert!(scenes.len() == 1 && left_out.len() == 1, "{left_out:?}");
    }

    #[test]
    fn a_file_is_played_for_the_networks_that_it_stands_on() {
        let concerns = |file: &str, subject| match read(&root(file), subject).expect(file) {
            Read::Concerns(scene) => match scene.act {
                Act::Drive(_) => "drive",
                Act::Perceived(_) => "perceived",
                Act::Hand(_) => "hand",
                Act::Words(_) => "words",
            },
            Read::LeftOut(_) => "left out",
            Read::Nothing => "nothing",
        };
        for (file, driver, drowsiness, hands, words) in [
            ("sim/scenarios/demo-30s.toml", "drive", "drive", "nothing", "nothing"),
            ("sim/scenarios/hands-short.toml", "nothing", "nothing", "hand", "nothing"),
            ("sim/scenarios/cases/pixels-hat.toml", "drive", "drive", "nothing", "nothing"),
            ("sim/scenarios/cases/pixels-model-swapped.toml", "left out", "left out", "nothing", "nothing"),
            ("sim/scenarios/cases/ncap-sleep.toml", "nothing", "perceived", "nothing", "nothing"),
            ("sim/scenarios/cases/gesture-fist.toml", "nothing", "perceived", "hand", "nothing"),
            ("sim/scenarios/cases/voice-temperature.toml", "nothing", "perceived", "nothing", "words"),
            ("nodes/voice/fixtures/unseen.tsv", "nothing", "nothing", "nothing", "words"),
        ] {
            assert_eq!(concerns(file, Subject::Driver), driver, "{file}");
            assert_eq!(concerns(file, Subject::Drowsiness), drowsiness, "{file}");
            assert_eq!(concerns(file, Subject::Hands), hands, "{file}");
            assert_eq!(concerns(file, Subject::Words), words, "{file}");
        }
        assert!(read(&root("sim/scenarios/none.toml"), Subject::Driver).is_err());
    }
}
