//! One reply, put together from two hands: what the cloud said until it broke off, and what the model on the vehicle goes on with.
//! Sentences come out whole and in order; none that the cloud said comes out again.
//!
//! A model that goes on from a text may start the sentence again, or the last few, or loop. So its words are held against what is
//! there: sentences at its beginning that are the end of what was said are left out, the words of the open sentence are left out
//! where it begins with them, and a sentence of four words or more that was said before is left out anywhere. Short ones ("Turn left.")
//! may come again: a route has them.

use std::collections::VecDeque;

use crate::{
    grounded::Facts,
    sentences::{Sentences, bare, bare_words, words},
};

/// From so many words on, a sentence is not said twice in one reply by the model on the vehicle.
const TELLING: usize = 4;
/// So many words of an open sentence, said again, are a repetition; fewer may be the language's.
const OVERLAP: usize = 3;

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// The large model in the cloud.
    Cloud,
    /// The small one on the vehicle.
    Local,
}

/// What was left out of the vehicle's continuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Sentences that had been said.
    pub repeated: u32,
    /// Sentences with a place, number or time that no tool told.
    pub ungrounded: u32,
    /// How many of either came last, one after another.
    pub in_a_row: u32,
}

/// The reply so far.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    said: String,
    /// Whole sentences that are out, as they are compared.
    sentences: Vec<Vec<String>>,
    /// The part of a sentence that is out, its rest not yet.
    open: String,
    waiting: Sentences,
    local: Option<Joint>,
    facts: Option<Facts>,
    left_out: LeftOut,
    /// So many bytes at the beginning of what waits are the cloud's own words: they are not held against the tools.
    clouds: usize,
}

/// Where the vehicle's words meet the cloud's.
#[derive(Debug, Clone, Default)]
struct Joint {
    text: Sentences,
    /// Sentences that may be the end of what was said, once more.
    held: VecDeque<String>,
    /// The first sentence that is new has been found.
    closed: bool,
}

impl Reply {
    /// What is out.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// What was left out.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Whether the vehicle's words have not met the cloud's yet.
    pub fn finding(&self) -> bool {
        self.local.as_ref().is_some_and(|joint| !joint.closed)
    }

    /// Whether text came that is not out.
    pub fn waits(&self) -> bool {
        !self.waiting.waiting().trim().is_empty()
    }

    /// What the tools told: from here on the vehicle's sentences are held against it.
    pub fn know(&mut self, facts: Facts) {
        self.facts.get_or_insert_default().extend(facts);
    }

    /// Words of the cloud.
    pub fn cloud(&mut self, text: &str) {
        self.waiting.push(text);
    }

    /// The stream ended, and another goes on: its last words and the next one's first are of two sentences.
    pub fn pause(&mut self) {
        if self.waits() {
            self.waiting.push("\n");
        }
    }

    /// All text so far, to the end of its last whole word: what the vehicle's model is to go on from.
    pub fn so_far(&self) -> String {
        let waiting = self.waiting.waiting();
        format!("{}{}", self.said, &waiting[..self.waiting.word_boundary()])
    }

    /// From here on the words are the vehicle's; half a word of the cloud's is let go.
    pub fn hand_over(&mut self) {
        self.waiting.cut_half_word();
        self.local = Some(Joint::default());
    }

    /// Words of the vehicle's model. Before [`Reply::hand_over`] they are the cloud's.
    pub fn local(&mut self, text: &str) {
        match &mut self.local {
            Some(joint) if !joint.closed => joint.text.push(text),
            _ => self.waiting.push(text),
        }
    }

    /// The sentences that are ready. `dry`: nothing is left to be spoken, so a long one comes out in parts, of at least so many words.
    pub fn ready(&mut self, dry: Option<usize>) -> Vec<String> {
        self.join(false);
        let mut out = Vec::new();
        while let Some(whole) = self.waiting.whole() {
            self.release(whole, &mut out);
        }
        // The vehicle's sentences are looked at whole.
        if let (Some(least), None) = (dry, &self.local)
            && let Some(clause) = self.waiting.clause(least)
        {
            self.open.push_str(&clause);
            self.said.push_str(&clause);
            out.push(clause);
        }
        out
    }

    /// Lets go of the vehicle's sentence that is not whole: what its model itself doubts is not said. The cloud's words stay.
    pub fn doubt(&mut self) {
        match &mut self.local {
            Some(joint) if !joint.closed => *joint = Joint::default(),
            // Behind a sentence of the vehicle's there are no words of the cloud's any more.
            Some(_) => drop(self.waiting.rest()),
            None => {}
        }
    }

    /// The rest, at the end. `cut`: it is not the true one, so half a word of it is let go.
    pub fn finish(&mut self, cut: bool) -> Vec<String> {
        if cut {
            match &mut self.local {
                Some(joint) if !joint.closed => joint.text.cut_half_word(),
                _ => self.waiting.cut_half_word(),
            }
        }
        self.join(true);
        let mut out = self.ready(None);
        let rest = self.waiting.rest();
        if !rest.trim().is_empty() {
            self.release(rest, &mut out);
        }
        out
    }

    /// Brings the vehicle's first words to the cloud's last ones.
    fn join(&mut self, all: bool) {
        troika_safety::fulfils![SR_RTE_004];
        let Some(joint) = &mut self.local else { return };
        if joint.closed {
            return;
        }
        loop {
            let next = joint.text.whole().or_else(|| {
                let rest = if all { joint.text.rest() } else { String::new() };
                (!rest.trim().is_empty()).then_some(rest)
            });
            let Some(next) = next else { break };
            joint.held.push_back(next);
            let held: Vec<Vec<String>> = joint.held.iter().map(|one| bare_words(one)).collect();
            let starts = (0..self.sentences.len()).filter(|start| {
                let (len, rest) = (held.len(), &self.sentences[*start..]);
                len <= rest.len() && rest[..len] == held[..]
            });
            match starts.max() {
                Some(start) if start + held.len() == self.sentences.len() => {
                    let again = u32::try_from(held.len()).unwrap_or(u32::MAX);
                    self.left_out.repeated += again;
                    self.left_out.in_a_row += again;
                    joint.held.clear();
                }
                Some(_) => {}
                None => {
                    joint.closed = true;
                    break;
                }
            }
        }
        if all {
            joint.closed = true;
        }
        if !joint.closed {
            return;
        }
        let mut text: String = joint.held.drain(..).collect();
        text.push_str(&joint.text.rest());
        let open = format!("{}{}", self.open, self.waiting.waiting());
        let text = without_overlap(&open, text.trim_start());
        self.clouds = self.waiting.waiting().len();
        self.waiting.push(text);
    }

    fn release(&mut self, text: String, out: &mut Vec<String>) {
        let whole = format!("{}{text}", self.open);
        let bare = bare_words(&whole);
        let (clouds, vehicles) = text.split_at(self.clouds.min(text.len()));
        self.clouds -= clouds.len();
        if self.local.is_some() && self.open.is_empty() {
            if bare.len() >= TELLING && self.sentences.contains(&bare) {
                self.left_out.repeated += 1;
                self.left_out.in_a_row += 1;
                return;
            }
            troika_safety::fulfils![SR_RTE_007];
            if self.facts.as_ref().is_some_and(|facts| facts.check(vehicles).is_err()) {
                self.left_out.ungrounded += 1;
                self.left_out.in_a_row += 1;
                return;
            }
            self.left_out.in_a_row = 0;
        }
        self.open.clear();
        if !bare.is_empty() {
            self.sentences.push(bare);
        }
        self.said.push_str(&text);
        out.push(text);
    }
}

/// What of `text` is new behind an open sentence.
fn without_overlap<'a>(open: &str, text: &'a str) -> &'a str {
    let before = bare_words(open);
    // The ends of the text's words, as many as the open sentence has.
    let mut ends = Vec::new();
    let mut after = Vec::new();
    let mut start = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        start += word.len();
        let bare = bare(word);
        if !bare.is_empty() {
            after.push(bare);
            ends.push(start);
        }
        if after.len() == before.len() {
            break;
        }
    }
    let capital = |text: &str| text.trim_start().chars().next().is_some_and(char::is_uppercase);
    for len in (1..=after.len()).rev() {
        let again = before.ends_with(&after[..len]);
        // The whole open sentence once more; one word of it may be the language's ("very very") unless both begin a sentence.
        let whole = len == before.len() && (len >= 2 || (capital(open) && capital(text)));
        if again && (whole || len >= OVERLAP) {
            return &text[ends[len - 1]..];
        }
    }
    text
}

/// How long a text takes to be spoken, at so many words a second.
pub fn speaking_seconds(text: &str, words_per_second: f32) -> f32 {
    words(text) as f32 / words_per_second
}

#[cfg(test)]
mod tests;
