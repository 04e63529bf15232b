//! Whose turn it is: which reply is said, which waits, which is let go. Pure; time is an argument.
//!
//! - A reply without words says nothing, and changes nothing.
//! - A reply to another utterance replaces what is being said and what waits: who spoke again has moved on. (A spoken "never
//!   mind" is such an utterance; its reply ends the one before.)
//! - A reply to the same utterance waits its turn: "OK: …" and then what became of it.
//! - A *failure* (refused, of a command that had been sent) replaces nothing, and nothing but a cancel drops it: the driver
//!   believes in an act that did not happen. It takes the place of the acknowledgement of its utterance that still waits.
//! - Somebody begins to speak: silence (barge-in), and what waits is dropped, failures apart. Nothing begins until that has
//!   ended, or [`LONGEST_TURN`] has passed, for when the end was lost.
//! - An answer of the dialogue comes sentence by sentence: what still waits of it grows, so that none of it is one too many, and
//!   none is stale while what came before it is being said. What comes of one that a cancel or a speaker ended is not said: its sentences are
//!   sent one by one, and some are on their way.
//! - At most [`MOST`] wait; the oldest goes first, failures last. What waited for too long is dropped.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};
use troika_msgs::troika::VoiceReply;

/// Replies that wait at once.
pub const MOST: usize = 4;
/// A reply that could not be said for so long is of no use any more: the driver has gone on.
pub const STALE: Duration = Duration::from_secs(10);
/// A failure is worth telling for longer.
pub const STALE_FAILURE: Duration = Duration::from_secs(30);
/// Nobody's turn is longer: the endpointer cuts an utterance at 12 s, and its end has a second to come.
pub const LONGEST_TURN: Duration = Duration::from_secs(13);
/// Letters of a reply that are said; a longer one ends at the last sentence or word before. A minute of speech.
pub const LONGEST_TEXT: usize = 800;

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Begin to say this.
    Say {
        /// Told back with [`Turns::said`].
        number: u64,
        /// The words.
        text: String,
    },
    /// Fall silent.
    Hush(Why),
}

/// Why a reply was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody began to speak.
    BargeIn,
    /// A newer reply takes its place.
    Replaced,
    /// Somebody asked for silence.
    Cancelled,
}

/// A reply in its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Turn {
    number: u64,
    utterance_id: String,
    text: String,
    kind: u8,
    failure: bool,
    since: Time,
}

/// The state machine.
#[derive(Debug)]
pub struct Turns {
    barge_in: bool,
    last: u64,
    saying: Option<Turn>,
    waiting: VecDeque<Turn>,
    /// Since when somebody speaks.
    talking: Option<Time>,
    hush: Option<Why>,
    dropped: u64,
    /// The utterance whose answer of the dialogue came last, and the one of which no more is said.
    answered: String,
    ended: Option<String>,
}

impl Turns {
    /// Nothing said and nothing to say. Without `barge_in` it does not matter who speaks.
    pub fn new(barge_in: bool) -> Turns {
        Turns {
            barge_in,
            last: 0,
            saying: None,
            waiting: VecDeque::with_capacity(MOST + 1),
            talking: None,
            hush: None,
            dropped: 0,
            answered: String::new(),
            ended: None,
        }
    }

    /// A reply came.
    pub fn reply(&mut self, now: Time, reply: &VoiceReply) {
        let text = words(&reply.text);
        if text.is_empty() {
            return;
        }
        if reply.kind == VoiceReply::DIALOGUE {
            if self.ended.as_ref() == Some(&reply.utterance_id) {
                self.dropped += 1;
                return;
            }
            self.answered.clone_from(&reply.utterance_id);
        }
        let failure = reply.kind == VoiceReply::REFUSED && !reply.command_id.is_empty();
        let same = |turn: &Turn| turn.utterance_id == reply.utterance_id;
        if failure {
            self.drop_waiting(|turn| same(turn) && turn.kind == VoiceReply::COMMAND);
        } else {
            if self.saying.as_ref().is_some_and(|saying| !same(saying)) {
                self.hush.get_or_insert(Why::Replaced);
            }
            self.drop_waiting(|turn| !same(turn) && !turn.failure);
        }
        if reply.kind == VoiceReply::DIALOGUE
            && let Some(before) = self.waiting.back_mut().filter(|turn| same(turn))
            && before.kind == VoiceReply::DIALOGUE
            && before.text.len() + text.len() < LONGEST_TEXT
        {
            before.text.push(' ');
            before.text.push_str(&text);
            before.since = now;
            return;
        }
        self.last += 1;
        self.waiting.push_back(Turn {
            number: self.last,
            utterance_id: reply.utterance_id.clone(),
            text,
            kind: reply.kind,
            failure,
            since: now,
        });
        if self.waiting.len() > MOST {
            let oldest = self.waiting.iter().position(|turn| !turn.failure).unwrap_or(0);
            self.waiting.remove(oldest);
            self.dropped += 1;
        }
    }

    /// Somebody began to speak, or ended.
    pub fn activity(&mut self, now: Time, speaking: bool) {
        troika_safety::fulfils![SR_ATT_002];
        if !self.barge_in {
            return;
        }
        self.talking = speaking.then_some(now);
        if speaking {
            if self.saying.is_some() {
                self.hush = Some(Why::BargeIn);
            }
            self.ended = Some(self.answered.clone());
            self.drop_waiting(|turn| !turn.failure);
        }
    }

    /// Somebody asked for silence: all is let go.
    pub fn cancel(&mut self) {
        if self.saying.is_some() {
            self.hush = Some(Why::Cancelled);
        }
        self.ended = Some(self.answered.clone());
        self.drop_waiting(|_| true);
    }

    /// This one has been said to its end, or cannot be said.
    pub fn said(&mut self, number: u64) {
        if self.saying.as_ref().is_some_and(|saying| saying.number == number) {
            self.saying = None;
            self.hush = None;
        }
    }

    /// What is to be done next; ask until there is nothing.
    pub fn next(&mut self, now: Time) -> Option<Act> {
        if let Some(why) = self.hush.take() {
            self.saying = None;
            return Some(Act::Hush(why));
        }
        if let Some(saying) = &self.saying {
            // The rest of an answer waits for its beginning.
            let rest = self
                .waiting
                .iter_mut()
                .filter(|turn| turn.kind == VoiceReply::DIALOGUE && turn.utterance_id == saying.utterance_id);
            rest.for_each(|turn| turn.since = now);
        }
        troika_safety::fulfils![SR_ATT_003];
        self.drop_waiting(|turn| now.since(turn.since) > if turn.failure { STALE_FAILURE } else { STALE });
        if self.talking.is_some_and(|since| now.since(since) > LONGEST_TURN) {
            self.talking = None;
        }
        if self.saying.is_some() || self.talking.is_some() {
            return None;
        }
        let turn = self.waiting.pop_front()?;
        let act = Act::Say { number: turn.number, text: turn.text.clone() };
        self.saying = Some(turn);
        Some(act)
    }

    /// Replies that were never begun: stale, replaced, or too many.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn drop_waiting(&mut self, which: impl Fn(&Turn) -> bool) {
        let before = self.waiting.len();
        self.waiting.retain(|turn| !which(turn));
        self.dropped += (before - self.waiting.len()) as u64;
    }
}

/// What of a text is said: on one line, no longer than [`LONGEST_TEXT`].
fn words(text: &str) -> String {
    let mut line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut said = String::new();
    let first = line.next().unwrap_or_default();
    said.push_str(first);
    for word in line {
        said.push(' ');
        said.push_str(word);
    }
    if let Some((end, _)) = said.char_indices().nth(LONGEST_TEXT) {
        said.truncate(end);
        let end = said.rfind(['.', '!', '?']).map(|at| at + 1).or(said.rfind(' ')).unwrap_or(end);
        said.truncate(end);
    }
    said
}

#[cfg(test)]
mod tests;
