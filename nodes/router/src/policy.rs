//! The policy: one TOML file. A fault in it is told with its line.

mod number;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub(crate) use number::{Amount, Chance, Count, Rate, Seconds, Share};

use crate::{
    privacy::PrivateWords,
    request::{Privacy, Task},
};

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The vehicle function itself.
    Vehicle,
    /// The language model on the vehicle.
    OnVehicle,
    /// The language model in the cloud.
    Cloud,
    /// A fixed sentence.
    Canned,
}

/// The driver's state, as far as a policy may look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// Not known; nothing is concluded from that.
    Unknown,
    /// Looks ahead.
    Attentive,
    /// Looks elsewhere.
    LookingAway,
    /// Has closed eyes.
    EyesClosed,
}

/// A policy that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct PolicyError {
    /// What was read: the file's name.
    pub file: String,
    /// Where, from 1.
    pub line: usize,
    /// Why, for a person.
    pub reason: String,
}

/// A policy.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) rules: Rules,
    pub(crate) private_words: PrivateWords,
}

const TROIKA: &str = include_str!("../policies/troika.toml");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    policy: Spanned<String>,
    pub(crate) cloud_tasks: Vec<Spanned<Task>>,
    pub(crate) deadline_s: Each<Seconds>,
    pub(crate) tokens: Each<Count>,
    pub(crate) worth: Worth,
    pub(crate) budget: Budget,
    pub(crate) link: Link,
    pub(crate) driver: DriverRules,
    pub(crate) redact: RedactRules,
    private_words: Spanned<Phrases>,
    #[serde(default)]
    private_patterns: Patterns,
    pub(crate) model: Vec<Spanned<Model>>,
}

/// One of each for the tasks that are talked about.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Each<T> {
    short_answer: T,
    navigation: T,
    dialogue: T,
}

impl<T: Copy> Each<T> {
    /// A task of which nothing is known is taken for a dialogue: the longest.
    pub(crate) fn of(&self, task: Task) -> T {
        match task {
            Task::ShortAnswer => self.short_answer,
            Task::Navigation => self.navigation,
            Task::Dialogue | Task::Unknown | Task::VehicleFunction => self.dialogue,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worth {
    pub(crate) gain: Chance,
    pub(crate) margin: Chance,
    pub(crate) hold_s: Seconds,
    pub(crate) chance_a_cent: Amount,
    pub(crate) chance_a_megabyte: Amount,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    pub(crate) bytes_a_day: Amount,
    pub(crate) cents_a_day: Amount,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    pub(crate) kbps_unknown: Rate,
    pub(crate) most_loss: Share,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriverRules {
    pub(crate) brief_when: Vec<Driver>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedactRules {
    pub(crate) street_addresses: bool,
}

/// Regular expressions a class: what is looked for beside the phrases.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Patterns {
    contacts: Vec<Spanned<String>>,
    messages: Vec<Spanned<String>>,
    cabin_image: Vec<Spanned<String>>,
    driver_state: Vec<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    contacts: Vec<String>,
    messages: Vec<String>,
    cabin_image: Vec<String>,
    driver_state: Vec<String>,
}

/// A model that can answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) tier: Tier,
    /// Of the prompt; of the cloud's it is part of `first_token_s`.
    pub(crate) prompt_tokens_per_s: Option<Rate>,
    pub(crate) tokens_per_s: Rate,
    pub(crate) first_token_s: Seconds,
    #[serde(default)]
    pub(crate) microeuro_a_prompt_token: Amount,
    #[serde(default)]
    pub(crate) microeuro_a_token: Amount,
    pub(crate) answers: Each<[Chance; 2]>,
    /// On the vehicle: the chance where the planner understood the question, so that the map answers it.
    pub(crate) planned: Option<Chance>,
}

impl Model {
    /// The chance of a good answer, whenever it comes. `planned`: the vehicle's planner understood the question.
    pub(crate) fn answers_well(&self, task: Task, complexity: f64, planned: bool) -> f64 {
        if let Some(chance) = self.planned.filter(|_| planned) {
            return chance.0;
        }
        let [easy, hard] = self.answers.of(task);
        easy.0 + (hard.0 - easy.0) * complexity.clamp(0.0, 1.0)
    }
}

impl Policy {
    /// Reads a policy. `file` is what an error calls the text.
    ///
    /// # Errors
    /// The first fault, with its line: bad TOML, an unknown or missing key, a number out of its range, a model that is there twice, a
    /// task that cannot leave the vehicle.
    pub fn parse(file: &str, text: &str) -> Result<Policy, PolicyError> {
        troika_safety::fulfils![SR_DAT_007];
        let fault = |at: usize, reason: String| {
            let before = text.as_bytes().get(..at).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            PolicyError { file: file.to_owned(), line, reason }
        };
        let rules: Rules = toml::from_str(text)
            .map_err(|error| fault(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        rules.check().map_err(|(at, reason)| fault(at, reason))?;
        let phrases = rules.private_words.get_ref();
        let classes = [
            (Privacy::Contacts, &phrases.contacts[..]),
            (Privacy::Messages, &phrases.messages[..]),
            (Privacy::CabinImage, &phrases.cabin_image[..]),
            (Privacy::DriverState, &phrases.driver_state[..]),
        ];
        let private_words = PrivateWords::new(classes).map_err(|_| {
            fault(rules.private_words.span().start, "too many phrases to look for".to_owned())
        })?;
        let patterns = &rules.private_patterns;
        let classes = [
            (Privacy::Contacts, &patterns.contacts),
            (Privacy::Messages, &patterns.messages),
            (Privacy::CabinImage, &patterns.cabin_image),
            (Privacy::DriverState, &patterns.driver_state),
        ];
        let each = classes.into_iter().flat_map(|(privacy, all)| all.iter().map(move |one| (privacy, one)));
        let private_words = each.into_iter().try_fold(private_words, |words, (privacy, pattern)| {
            let told =
                |error: regex::Error| fault(pattern.span().start, format!("no regular expression: {error}"));
            words.or_like(privacy, pattern.get_ref()).map_err(told)
        })?;
        Ok(Policy { rules, private_words })
    }

    /// The policy that ships.
    pub fn built_in() -> Policy {
        match Policy::parse("troika.toml", TROIKA) {
            Ok(policy) => policy,
            // The file is compiled in and a test reads it: this cannot be met at run time.
            Err(error) => unreachable!("{error}"),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.rules.policy.get_ref()
    }

    /// The privacy that the words of a request tell, whatever was said of it: for [`crate::privacy::may_leave`].
    pub fn words_say(&self, text: &str) -> Privacy {
        self.private_words.of(text)
    }

    /// From the end of a question to the first words of its answer.
    pub fn deadline(&self, task: Task) -> troika_kit::Duration {
        self.rules.deadline_s.of(task).duration()
    }

    /// Whether street addresses are replaced in what leaves.
    pub fn redacts_street_addresses(&self) -> bool {
        self.rules.redact.street_addresses
    }
}

#[cfg(test)]
impl Policy {
    /// The one that ships, with a model on the vehicle that answers easy questions.
    pub(crate) fn capable() -> Policy {
        let shipped =
            "answers = { short_answer = [0.12, 0.05], navigation = [0.02, 0.02], dialogue = [0.05, 0.02] }";
        let better =
            "answers = { short_answer = [0.75, 0.20], navigation = [0.92, 0.40], dialogue = [0.50, 0.15] }";
        assert!(TROIKA.contains(shipped), "the policy has changed");
        Policy::parse("capable.toml", &TROIKA.replace(shipped, better)).unwrap()
    }
}

impl Rules {
    fn check(&self) -> Result<(), (usize, String)> {
        let refuse = |at: usize, reason: &str| Err((at, reason.to_owned()));
        if self.policy.get_ref().trim().is_empty() {
            return refuse(self.policy.span().start, "a policy has a name");
        }
        for task in &self.cloud_tasks {
            if matches!(task.get_ref(), Task::Unknown | Task::VehicleFunction) {
                return refuse(
                    task.span().start,
                    "this task never leaves the vehicle; short_answer, navigation and dialogue may",
                );
            }
        }
        for (n, spanned) in self.model.iter().enumerate() {
            let (at, model) = (spanned.span().start, spanned.get_ref());
            if model.name.trim().is_empty() {
                return refuse(at, "a model has a name");
            }
            if self.model[..n].iter().any(|other| other.get_ref().name == model.name) {
                return Err((at, format!("the model '{}' is there twice", model.name)));
            }
            if !matches!(model.tier, Tier::OnVehicle | Tier::Cloud) {
                return refuse(at, "a model's tier is on_vehicle or cloud");
            }
            if model.tier == Tier::OnVehicle && model.prompt_tokens_per_s.is_none() {
                return refuse(at, "a model on the vehicle has prompt_tokens_per_s: how fast it reads");
            }
            if model.tier == Tier::Cloud && model.planned.is_some() {
                return refuse(at, "planned is of a model on the vehicle: the map is there");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(from: &str, to: &str) -> PolicyError {
        assert!(TROIKA.contains(from), "{from}");
        Policy::parse("mine.toml", &TROIKA.replacen(from, to, 1)).unwrap_err()
    }

    fn line_of(text: &str) -> usize {
        1 + TROIKA[..TROIKA.find(text).unwrap()].matches('\n').count()
    }

    #[test]
    fn the_policy_that_ships_can_be_used() {
        let policy = Policy::built_in();
        assert_eq!((policy.name(), policy.rules.model.len()), ("troika", 3));
        assert_eq!(policy.private_words.of("read me my last message"), Privacy::Messages);
    }

    #[test]
    fn words_between_people_are_private_however_they_are_put_and_talk_of_the_world_is_not() {
        let policy = Policy::built_in();
        for text in [
            "what did Anna write to me",
            "did Anna write back",
            "read my text from Julia",
            "who called me yesterday",
            "send Anna that I love her",
            "tell Maria in a message that I will be late",
            "what did my wife text me",
            "did my brother call",
            "answer Tom that I agree",
            "show me the photos Lisa sent me",
            "what's my home address",
            "what is my pin",
            "what is in my calendar today",
            "my wife's phone number please",
            "please call Peter",
            "tell me about Frau Schneider from Hamburg",
            "was hat Anna geschrieben",
            "schreib Anna dass ich später komme",
            "wer hat mich angerufen",
            "do you think I look tired today",
            "am I looking tired",
            "was I looking away from the road",
            "how sleepy do you think I am",
            "did I nod off a moment ago",
            "who is my contact for the insurance",
            "give me the contact for the garage",
            "is the rear seat child asleep",
            "who is on the passenger seat",
            "is there somebody in the back",
            "does my son sleep",
            "are the kids buckled up",
            "wer sitzt auf dem rücksitz",
        ] {
            assert_ne!(policy.words_say(text), Privacy::Public, "{text}");
        }
        for text in [
            "tell me about the sea",
            "tell me something about the history of this town",
            "why do they call it the big smoke",
            "what do you call a baby swan",
            "did Mozart write the magic flute",
            "who wrote the magic flute",
            "send me to the airport",
            "show me the way to the museum",
            "call a taxi",
            "how do letters get to the moon",
            "what does the museum have to say about me and my time",
            "is my car too heavy for this bridge",
            "why do babies get tired so fast",
            "how long do babies sleep",
            "what is the best child seat for a baby",
            "is the museum empty in the morning",
            "how long does a driver stay attentive",
            "erzähl mir was über das meer",
            "wie komme ich zum flughafen",
        ] {
            assert_eq!(policy.words_say(text), Privacy::Public, "{text}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_with_its_line() {
        let error = refused("driver_state = [\n    '", "driver_state = [\n    '(");
        assert!(error.reason.contains("no regular expression"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        troika_safety::verifies![SR_DAT_007];
        let error = refused("gain = 0.15", "gian = 0.15");
        assert!(error.reason.contains("gian"), "{error}");
        assert_eq!(error.line, line_of("gain = 0.15"));
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_with_its_line_and_its_range() {
        for (from, to, range) in [
            ("gain = 0.15", "gain = 1.5", "0 to 1"),
            ("hold_s = 60.0", "hold_s = -1.0", "0 to 3600"),
            ("most_loss = 0.3", "most_loss = nan", "0 to 1"),
            ("kbps_unknown = 40.0", "kbps_unknown = 0.0", "over 0"),
            ("cents_a_day = 50.0", "cents_a_day = -3.0", "0 or more"),
            ("short_answer = 40", "short_answer = 0", "1 to"),
        ] {
            let error = refused(from, to);
            assert!(error.reason.contains(range), "{error}");
            assert_eq!(error.line, line_of(from), "{error}");
            assert!(error.to_string().starts_with("mine.toml, line "), "{error}");
        }
    }

    #[test]
    fn a_policy_cannot_send_a_vehicle_function_away() {
        let error = refused("\"short_answer\", ", "\"vehicle_function\", ");
        assert!(error.reason.contains("never leaves"), "{error}");
        assert_eq!(error.line, line_of("cloud_tasks ="));
    }

    #[test]
    fn models_are_told_apart_and_have_a_tier_that_answers() {
        assert!(refused("\"cloud-large\"", "\"cloud-small\"").reason.contains("twice"));
        assert!(refused("tier = \"cloud\"", "tier = \"canned\"").reason.contains("on_vehicle or cloud"));
        assert!(refused("prompt_tokens_per_s = 83.0\n", "").reason.contains("how fast it reads"));
        assert!(
            refused("first_token_s = 0.45\n", "first_token_s = 0.45\nplanned = 0.9\n")
                .reason
                .contains("the map")
        );
    }

    #[test]
    fn numbers_at_the_edges_of_their_ranges_are_taken() {
        for (from, to) in [
            ("gain = 0.15", "gain = 1.0"),
            ("hold_s = 60.0", "hold_s = 3600.0"),
            ("cents_a_day = 50.0", "cents_a_day = 0.0"),
            ("short_answer = 40", "short_answer = 100000"),
            ("kbps_unknown = 40.0", "kbps_unknown = 999999999.0"),
        ] {
            assert!(TROIKA.contains(from), "{from}");
            assert!(Policy::parse("mine.toml", &TROIKA.replacen(from, to, 1)).is_ok(), "{to}");
        }
        for (from, to) in [
            ("hold_s = 60.0", "hold_s = 3601.0"),
            ("cents_a_day = 50.0", "cents_a_day = 1e15"),
            ("short_answer = 40", "short_answer = 100001"),
            ("kbps_unknown = 40.0", "kbps_unknown = 1e9"),
            ("policy = \"troika\"", "policy = \" \""),
            ("name = \"cloud-large\"", "name = \"\""),
        ] {
            assert_eq!(
                refused(from, to).line,
                line_of(from).max(1) - usize::from(from.starts_with("name")),
                "{to}"
            );
        }
        assert!(refused("\"short_answer\", ", "\"unknown\", ").reason.contains("never leaves"));
    }

    #[test]
    fn what_a_policy_says_is_what_it_tells() {
        let policy = Policy::built_in();
        let seconds = [Task::ShortAnswer, Task::Navigation, Task::Dialogue, Task::Unknown]
            .map(|task| policy.deadline(task).as_secs());
        assert_eq!(seconds, [4, 5, 6, 6]);
        assert!(policy.redacts_street_addresses());
        let off = TROIKA.replacen("street_addresses = true", "street_addresses = false", 1);
        assert!(!Policy::parse("mine.toml", &off).unwrap().redacts_street_addresses());
        let model = policy.rules.model[2].get_ref();
        let near = |complexity: f64, planned: bool, wanted: f64| {
            (model.answers_well(Task::Navigation, complexity, planned) - wanted).abs() < 1e-9
        };
        assert!(
            near(0.0, false, 0.97)
                && near(1.0, false, 0.93)
                && near(0.25, true, 0.96)
                && near(7.0, false, 0.93)
        );
        assert_eq!(policy.rules.model[0].get_ref().answers_well(Task::Dialogue, 0.5, true), 0.97);
    }
}
