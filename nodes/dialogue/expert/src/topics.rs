//! General knowledge: a few dozen questions with their answers, found by the words that tell them apart. Pure.

use serde::Deserialize;
use strsim::damerau_levenshtein;
use troika_dialogue::sentences::plain_words;

const TOPICS: &str = include_str!("../topics.toml");

/// Words of questions that tell nothing apart.
const STOP: &[&str] = &[
    "a", "about", "an", "and", "are", "as", "at", "be", "can", "could", "did", "do", "does", "explain",
    "far", "for", "from", "give", "had", "has", "have", "hey", "how", "i", "if", "in", "is", "it", "its",
    "know", "let", "long", "made", "many", "me", "much", "my", "of", "on", "or", "please", "should", "so",
    "some", "take", "tell", "that", "the", "there", "they", "thing", "this", "to", "us", "was", "we", "were",
    "what", "whats", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
];

/// From so much agreement on, a question is one that is known (1: all telling words, and no others). Chosen on the wordings of the file:
/// two of their words in three.
const ENOUGH: f64 = 0.6;
/// From so many letters on, one may be wrong.
const ONE_WRONG: usize = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    topic: Vec<TopicFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicFile {
    ask: Vec<String>,
    answer: String,
}

/// Questions and answers.
#[derive(Debug, Clone)]
pub struct Topics {
    topics: Vec<Topic>,
}

#[derive(Debug, Clone)]
struct Topic {
    ask: Vec<Vec<String>>,
    answer: String,
}

/// A file that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicsError {
    /// Not the format.
    #[error("{0}")]
    Toml(String),
    /// A question that would answer anything.
    #[error("the wording {0:?} has no telling word: name what it is about")]
    Empty(String),
}

impl Topics {
    /// Those that ship.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub fn shipped() -> Topics {
        match Topics::read(TOPICS) {
            Ok(topics) => topics,
            Err(error) => unreachable!("topics.toml, {error}"),
        }
    }

    /// Reads a file of topics.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(text: &str) -> Result<Topics, TopicsError> {
        let file: File = toml::from_str(text).map_err(|error| TopicsError::Toml(error.to_string()))?;
        let mut topics = Vec::new();
        for topic in file.topic {
            let mut ask = Vec::new();
            for wording in topic.ask {
                let words = telling(&wording);
                if words.is_empty() && plain_words(&wording).len() < 3 {
                    return Err(TopicsError::Empty(wording));
                }
                ask.push(if words.is_empty() { plain_words(&wording) } else { words });
            }
            topics.push(Topic { ask, answer: topic.answer });
        }
        Ok(Topics { topics })
    }

    /// The answer to a question that is known.
    pub fn answer(&self, question: &str) -> Option<&str> {
        let (said, all) = (telling(question), plain_words(question));
        let said = if said.is_empty() { &all } else { &said };
        let best = self.topics.iter().map(|topic| {
            let agreement = topic.ask.iter().map(|ask| agreement(said, ask)).fold(0.0, f64::max);
            (agreement, topic)
        });
        let (agreement, topic) = best.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        (agreement >= ENOUGH).then_some(topic.answer.as_str())
    }

    /// All answers.
    pub fn answers(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| topic.answer.as_str())
    }
}

fn telling(text: &str) -> Vec<String> {
    let mut words = plain_words(text);
    words.retain(|word| !STOP.contains(&word.as_str()));
    words.dedup();
    words
}

/// Dice's coefficient over words.
fn agreement(said: &[String], ask: &[String]) -> f64 {
    let shared = ask.iter().filter(|word| said.iter().any(|said| alike(said, word))).count();
    2.0 * shared as f64 / (said.len() + ask.len()).max(1) as f64
}

fn alike(said: &str, word: &str) -> bool {
    let stem = |word: &str| word.strip_suffix('s').unwrap_or(word).to_owned();
    said == word
        || stem(said) == stem(word)
        || (word.len() >= ONE_WRONG && damerau_levenshtein(said, word) <= 1)
}

#[cfg(test)]
mod tests {
    use troika_dialogue::sentences::Sentences;

    use super::*;

    #[test]
    fn every_wording_finds_its_own_answer() {
        let topics = Topics::shipped();
        assert!(topics.topics.len() >= 50);
        let file: File = toml::from_str(TOPICS).expect("a file");
        for topic in file.topic {
            for wording in topic.ask {
                assert_eq!(topics.answer(&wording), Some(topic.answer.as_str()), "{wording}");
            }
        }
    }

    #[test]
    fn answers_are_of_one_to_four_sentences() {
        for answer in Topics::shipped().answers() {
            let mut sentences = Sentences::default();
            sentences.push(&format!("{answer} "));
            let count = std::iter::from_fn(|| sentences.whole()).count();
            assert!((1..=5).contains(&count), "{count}: {answer}");
        }
    }

    #[test]
    fn another_wording_is_found_and_another_question_is_not() {
        let topics = Topics::shipped();
        assert!(topics.answer("Could you tell me who Ada Lovelace was?").expect("known").contains("program"));
        assert!(topics.answer("Which planets does our solar system have").expect("known").contains("eight"));
        for unknown in [
            "Who is the king of Sweden?",
            "What is the weather like?",
            "Open the window",
            "",
            "Is there a cafe near the station?",
        ] {
            assert_eq!(topics.answer(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_fault_in_the_file_is_told() {
        assert!(
            Topics::read("topic = [{ ask = [\"x\"], answr = \"y\" }]")
                .expect_err("refused")
                .to_string()
                .contains("answr")
        );
        assert_eq!(
            Topics::read("topic = [{ ask = [\"what is\"], answer = \"y\" }]").expect_err("refused"),
            TopicsError::Empty("what is".into())
        );
    }
}
