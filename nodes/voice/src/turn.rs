//! When an utterance is decoded. Waiting for the end of speech to be sure and decoding after it adds up; so the decoder starts at the
//! first pause, on the guess that the speaker has ended, and its answer is the utterance's if nobody goes on. While somebody speaks,
//! the growing utterance is decoded now and then for what is shown (partials), never in the way of a final. How long a pause ends
//! an utterance follows from what was heard: a whole command needs no more, a sentence that breaks off gets time.
//!
//! Pure: time is an argument, the decoder and the audio are elsewhere. Bounded: at most [`MOST_WAITING`] utterances wait for their
//! words; what comes over it is lost, and said so.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};

use crate::matcher::{Matcher, Understood};

/// Utterances that wait for their words: at a second each they are some ten seconds late by then.
pub const MOST_WAITING: usize = 8;

/// How a turn is paced. Frames are 32 ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// From one partial's words to the next one's beginning, at least; none without partials.
    pub partial_every: Option<Duration>,
    /// Frames of silence after which the decoder starts on the guess that this is the end.
    pub guess: usize,
    /// Frames of silence that end a whole command.
    pub whole: usize,
    /// Frames of silence that end what may or may not be whole, and what was not heard yet.
    pub usual: usize,
    /// Frames of silence that end a sentence that breaks off.
    pub broken_off: usize,
}

impl Default for Pace {
    /// Partials every 0.7 s; decoded after 192 ms of silence; 320, 416 and 704 ms end it.
    fn default() -> Self {
        Pace {
            partial_every: Some(Duration::from_millis(700)),
            guess: 6,
            whole: 10,
            usual: 13,
            broken_off: 22,
        }
    }
}

/// How far an utterance has come by its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A command, or an answer: nothing need follow.
    Whole,
    /// It may be.
    Open,
    /// Something must follow.
    BrokenOff,
}

/// How far these words have come.
pub fn progress(matcher: &Matcher, text: &str) -> Progress {
    let words = matcher.words();
    let bare = words.bare(text);
    let Some(last) = bare.split(' ').next_back().filter(|word| !word.is_empty()) else {
        return Progress::Open;
    };
    if words.unending.iter().any(|word| word == last) || text.ends_with("...") || text.ends_with(['-', ',']) {
        return Progress::BrokenOff;
    }
    if matcher.yes_or_no(text).is_some() {
        return Progress::Whole;
    }
    match matcher.understand(text) {
        Understood::Commands(_) => Progress::Whole,
        Understood::Ask(_) => Progress::BrokenOff,
        Understood::Dialogue | Understood::Reject => Progress::Open,
    }
}

/// What is seen of the stream after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Somebody speaks, or did a moment ago.
    pub speaking: bool,
    /// Frames of silence since.
    pub silent_frames: usize,
    /// The utterance is over with this frame.
    pub over: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act<H> {
    /// Decode the utterance so far; the answer goes to [`Turn::heard`].
    Decode(u64),
    /// That answer is wanted no more.
    Cancel(u64),
    /// Show these words.
    Partial(H),
    /// The words of the oldest utterance that is over.
    Final(H),
    /// The newest utterance gets no words: too many wait.
    Lost,
    /// So many frames of silence end the utterance.
    Patience(usize),
}

/// The state machine. `H` is what was heard.
pub struct Turn<H> {
    pace: Pace,
    next: u64,
    speaking: bool,
    partial: Option<u64>,
    guess: Option<(u64, Option<H>)>,
    /// Utterances that are over, the oldest first: what is decoded of each, and its words, where an older one has none yet.
    waiting: VecDeque<(u64, Option<H>)>,
    partial_due: Time,
}

impl<H: Clone> Turn<H> {
    /// At the start of a stream.
    pub fn new(pace: Pace) -> Turn<H> {
        Turn {
            pace,
            next: 0,
            speaking: false,
            partial: None,
            guess: None,
            waiting: VecDeque::new(),
            partial_due: Time::ZERO,
        }
    }

    /// A frame more of the stream.
    pub fn frame(&mut self, now: Time, seen: Seen) -> Vec<Act<H>> {
        let mut acts = Vec::new();
        if seen.over {
            self.over(&mut acts);
            return acts;
        }
        if !seen.speaking {
            return acts;
        }
        if !self.speaking {
            self.speaking = true;
            self.partial_due = now + self.pace.partial_every.unwrap_or_default();
        }
        if seen.silent_frames == 0 {
            if let Some((id, heard)) = self.guess.take() {
                // They go on: what is being decoded is a partial now.
                self.partial = heard.is_none().then_some(id);
                acts.push(Act::Patience(self.pace.usual));
            }
            let due = self.pace.partial_every.is_some() && now >= self.partial_due;
            if due && self.partial.is_none() && self.waiting.is_empty() {
                let id = self.decode(&mut acts);
                self.partial = Some(id);
            }
        } else if seen.silent_frames >= self.pace.guess && self.guess.is_none() {
            acts.extend(self.partial.take().map(Act::Cancel));
            let id = self.decode(&mut acts);
            self.guess = Some((id, None));
        }
        acts
    }

    /// The answer to a decoding, and how long it took.
    pub fn heard(&mut self, now: Time, id: u64, heard: H, took: Duration, progress: Progress) -> Vec<Act<H>> {
        if let Some((_, words)) = self.waiting.iter_mut().find(|(waiting, _)| *waiting == id) {
            *words = Some(heard);
            return self.finals();
        }
        if self.partial == Some(id) {
            self.partial = None;
            // A core that is busy decodes slowly; half of the time is left to others.
            let every = self.pace.partial_every.unwrap_or_default();
            self.partial_due = now + every.max(took);
            return vec![Act::Partial(heard)];
        }
        match &mut self.guess {
            Some((guess, words)) if *guess == id => {
                *words = Some(heard.clone());
                let patience = match progress {
                    Progress::Whole => self.pace.whole,
                    Progress::Open => self.pace.usual,
                    Progress::BrokenOff => self.pace.broken_off,
                };
                vec![Act::Partial(heard), Act::Patience(patience)]
            }
            _ => Vec::new(),
        }
    }

    fn over(&mut self, acts: &mut Vec<Act<H>>) {
        self.speaking = false;
        acts.extend(self.partial.take().map(Act::Cancel));
        match self.guess.take() {
            Some((_, Some(heard))) if self.waiting.is_empty() => acts.push(Act::Final(heard)),
            guess if self.waiting.len() >= MOST_WAITING => {
                acts.extend(guess.map(|(id, _)| Act::Cancel(id)));
                acts.push(Act::Lost);
            }
            // Words that are there before an older utterance's wait for those: who hears them takes them for the oldest's.
            Some(guess) => self.waiting.push_back(guess),
            None => {
                let id = self.decode(acts);
                self.waiting.push_back((id, None));
            }
        }
        acts.push(Act::Patience(self.pace.usual));
    }

    /// The words of those that are over, as far as they are there in their order.
    fn finals(&mut self) -> Vec<Act<H>> {
        let mut acts = Vec::new();
        while let Some((_, words)) = self.waiting.front_mut()
            && let Some(heard) = words.take()
        {
            self.waiting.pop_front();
            acts.push(Act::Final(heard));
        }
        acts
    }

    fn decode(&mut self, acts: &mut Vec<Act<H>>) -> u64 {
        let id = self.next;
        self.next += 1;
        acts.push(Act::Decode(id));
        id
    }
}

#[cfg(test)]
mod tests;
