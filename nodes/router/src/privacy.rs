//! What may leave the vehicle. The rule is here, in one function, and not in a policy file: a policy can forbid more, never allow more.

use regex::{Regex, RegexBuilder};

use crate::request::{Privacy, Request, Task};

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// It is carried out by the vehicle.
    VehicleFunction,
    /// Its class is private, or not told.
    PrivateClass,
    /// Its words are of private things, whatever was said of it.
    PrivateWords,
    /// An image belongs to it.
    Image,
    /// What kind of task it is was not told.
    UnknownTask,
}

/// Whether a request may leave at all (SR-RTE-001). `by_words`: what [`PrivateWords`] makes of its text.
///
/// # Errors
/// Why it stays.
pub fn may_leave(request: &Request, by_words: Privacy) -> Result<Permit<'_>, Stays> {
    if request.has_image {
        return Err(Stays::Image);
    }
    // Every case is written out: a new class does not compile until it is decided whether it stays.
    match request.task {
        Task::VehicleFunction => return Err(Stays::VehicleFunction),
        Task::Unknown => return Err(Stays::UnknownTask),
        Task::ShortAnswer | Task::Navigation | Task::Dialogue => {}
    }
    let stays = |privacy| match privacy {
        Privacy::Public => false,
        Privacy::Unknown
        | Privacy::Contacts
        | Privacy::Messages
        | Privacy::CabinImage
        | Privacy::DriverState => true,
    };
    if stays(request.privacy) {
        return Err(Stays::PrivateClass);
    }
    if stays(by_words) {
        return Err(Stays::PrivateWords);
    }
    Ok(Permit(request))
}

/// That these very words may leave. [`may_leave`] makes it and nothing else does; with it [`crate::redact`] makes what is sent.
#[derive(Debug, Clone, Copy)]
pub struct Permit<'a>(&'a Request);

impl Permit<'_> {
    /// The words as they were said: to be redacted, not to be sent.
    pub(crate) fn words(&self) -> &str {
        &self.0.text
    }
}

/// The stricter of two.
pub fn stricter(a: Privacy, b: Privacy) -> Privacy {
    a.max(b)
}

/// Words that make a request private whatever was said of it: a second look, for what the first one missed.
#[derive(Debug, Clone)]
pub struct PrivateWords {
    classes: Vec<(Privacy, Regex)>,
    patterns: Vec<(Privacy, Regex)>,
}

/// Who is nobody in particular where a pattern looks for a person (`(?<who>…)`): "tell me about the sea" is told to nobody.
const NOBODY: &[&str] = &[
    "a",
    "about",
    "all",
    "an",
    "any",
    "anything",
    "at",
    "back",
    "for",
    "from",
    "how",
    "i",
    "if",
    "in",
    "it",
    "me",
    "more",
    "off",
    "on",
    "out",
    "some",
    "something",
    "that",
    "the",
    "these",
    "this",
    "those",
    "to",
    "up",
    "us",
    "what",
    "when",
    "where",
    "which",
    "why",
    "you",
    "das",
    "den",
    "der",
    "die",
    "dir",
    "ein",
    "eine",
    "einen",
    "es",
    "mal",
    "mir",
    "uns",
    "was",
    "wie",
    "wo",
];

impl PrivateWords {
    /// Of phrases a class; each is looked for as whole words, in any case.
    ///
    /// # Errors
    /// More phrases than make a pattern (64 MiB compiled).
    pub fn new<'a>(
        classes: impl IntoIterator<Item = (Privacy, &'a [String])>,
    ) -> Result<PrivateWords, regex::Error> {
        let mut made = Vec::new();
        for (privacy, phrases) in classes {
            made.extend(whole_words(phrases)?.map(|words| (privacy, words)));
        }
        Ok(PrivateWords { classes: made, patterns: Vec::new() })
    }

    /// The same, with what one pattern a class finds, in any case. A group `who` in it stands for a person, and somebody must be named; where
    /// a group `me` is there, whoever speaks says their own name, which is replaced in what leaves.
    ///
    /// # Errors
    /// No regular expression.
    pub fn or_like(mut self, privacy: Privacy, pattern: &str) -> Result<PrivateWords, regex::Error> {
        let pattern = RegexBuilder::new(pattern).case_insensitive(true).size_limit(16 << 20).build()?;
        self.patterns.push((privacy, pattern));
        Ok(self)
    }

    /// The strictest class that the words name; public where they name none.
    pub fn of(&self, text: &str) -> Privacy {
        let named =
            self.classes.iter().filter(|(_, words)| words.is_match(text)).map(|(privacy, _)| *privacy);
        let somebody = |found: regex::Captures<'_>| {
            found.name("me").is_none()
                && found.name("who").is_none_or(|who| !NOBODY.contains(&who.as_str().to_lowercase().as_str()))
        };
        let like = self.patterns.iter().filter(|(_, pattern)| pattern.captures_iter(text).any(somebody));
        named.chain(like.map(|(privacy, _)| *privacy)).fold(Privacy::Public, stricter)
    }
}

/// One pattern for any of the phrases, with any white space between their words. None where there is no phrase in them.
pub(crate) fn whole_words<S: AsRef<str>>(phrases: &[S]) -> Result<Option<Regex>, regex::Error> {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    // An edge of a word only where the phrase has a letter there: "C++" ends in none.
    let edge = |c| if is_word(c) { r"\b" } else { "" };
    let bounded = |phrase: &str| {
        let words: Vec<_> = phrase.split_whitespace().map(regex::escape).collect();
        let trimmed = phrase.trim();
        format!("{}{}{}", edge(trimmed.chars().next()), words.join(r"\s+"), edge(trimmed.chars().next_back()))
    };
    let mut phrases: Vec<String> =
        phrases.iter().map(AsRef::as_ref).filter(|phrase| !phrase.trim().is_empty()).map(bounded).collect();
    // The longest first: of "Anna" and "Anna Maria" the second is what was said.
    phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
    if phrases.is_empty() {
        return Ok(None);
    }
    RegexBuilder::new(&phrases.join("|")).case_insensitive(true).size_limit(64 << 20).build().map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use troika_kit::Time;

    use super::*;

    fn request(task: Task, privacy: Privacy, has_image: bool) -> Request {
        Request {
            id: "1".into(),
            conversation: String::new(),
            text: String::new(),
            task,
            privacy,
            has_image,
            complexity: None,
            asked: Time::ZERO,
            deadline: None,
        }
    }

    #[test]
    fn of_every_combination_only_public_words_of_a_known_task_without_an_image_leave() {
        troika_safety::verifies![SR_RTE_001];
        let mut left = Vec::new();
        for task in Task::ALL {
            for said in Privacy::ALL {
                for by_words in Privacy::ALL {
                    for has_image in [false, true] {
                        if may_leave(&request(task, said, has_image), by_words).is_ok() {
                            left.push((task, said, by_words, has_image));
                        }
                    }
                }
            }
        }
        let public = |task| (task, Privacy::Public, Privacy::Public, false);
        assert_eq!(left, [Task::ShortAnswer, Task::Navigation, Task::Dialogue].map(public));
    }

    fn words() -> PrivateWords {
        let messages = ["text message".to_owned(), "inbox".to_owned()];
        let driver = ["am i tired".to_owned()];
        PrivateWords::new([(Privacy::Messages, &messages[..]), (Privacy::DriverState, &driver[..])]).unwrap()
    }

    #[test]
    fn words_of_private_things_are_private_as_whole_words_in_any_case() {
        for text in ["What is in my Inbox?", "read the text\n message", "inbox"] {
            assert_eq!(words().of(text), Privacy::Messages, "{text}");
        }
        assert_eq!(words().of("Am I tired, and what is in my inbox"), Privacy::DriverState);
        assert_eq!(words().of("the inboxes of the letter museum"), Privacy::Public);
    }

    #[test]
    fn a_pattern_of_somebody_needs_somebody() {
        let words = words().or_like(Privacy::Contacts, r"\b(?:tell|send) (?<who>\w+)").unwrap();
        assert_eq!(words.of("Send Anna that I am late"), Privacy::Contacts);
        assert_eq!(words.of("tell me about the sea"), Privacy::Public);
        assert_eq!(words.of("tell me about the sea and tell Anna"), Privacy::Contacts);
        assert!(words.or_like(Privacy::Contacts, "(").is_err());
    }

    #[test]
    fn who_says_their_own_name_may_ask_and_who_names_another_may_not() {
        let words = crate::Policy::built_in();
        assert_eq!(words.words_say("I am Mr. Baker, what is the capital of Peru"), Privacy::Public);
        assert_eq!(words.words_say("what is the number of Mr. Baker"), Privacy::Contacts);
        assert_eq!(words.words_say("I'm Dr. Baker and where does Mrs. Olsen live"), Privacy::Contacts);
    }

    proptest! {
        #[test]
        fn a_private_phrase_is_seen_wherever_it_stands(before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let text = format!("{before} inbox {after}");
            prop_assert_eq!(words().of(&text), Privacy::Messages);
        }
    }
}
