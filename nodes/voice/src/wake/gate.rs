//! Which utterances are for us.

use serde::{Deserialize, Serialize};
use troika_kit::{Duration, Time};

/// So long after the wake word, or after a question that was asked back, an utterance may begin.
pub const FOLLOW_WITHIN: Duration = Duration::from_secs(8);
/// The wake word begins an utterance: a second of it, and the time that hearing it takes.
const BEGINS_WITHIN: Duration = Duration::from_millis(2_500);
/// It is noticed so long after it was said, at most.
const NOTICED_AFTER: Duration = Duration::from_millis(600);
/// A button is pressed a little late, and let go a little early.
const BUTTON_ROOM: Duration = Duration::from_millis(300);

/// Whom we listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Whoever speaks.
    #[default]
    Always,
    /// Who says "hey troika" first, was asked something, or holds the button.
    Word,
    /// Who holds the button.
    PushToTalk,
}

/// What was heard, asked and pressed last.
#[derive(Debug, Clone)]
pub struct Gate {
    mode: Mode,
    word: Option<Time>,
    asked: Option<Time>,
    pressed: Option<Time>,
    let_go: Option<Time>,
}

impl Gate {
    /// Nothing was said yet.
    pub fn new(mode: Mode) -> Gate {
        Gate { mode, word: None, asked: None, pressed: None, let_go: None }
    }

    /// Its mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The wake word ended at `at`.
    pub fn word(&mut self, at: Time) {
        self.word = Some(at);
    }

    /// The assistant asked something back at `at`: the answer needs no wake word.
    pub fn asked_back(&mut self, at: Time) {
        self.asked = Some(at);
    }

    /// The button, each time that its state is told; gives true when it was let go.
    pub fn button(&mut self, at: Time, pressed: bool) -> bool {
        match (self.is_pressed(), pressed) {
            (false, true) => {
                self.pressed = Some(at);
                self.let_go = None;
                false
            }
            (true, false) => {
                self.let_go = Some(at);
                true
            }
            _ => false,
        }
    }

    fn is_pressed(&self) -> bool {
        self.pressed.is_some() && self.let_go.is_none()
    }

    /// Whether an utterance that began and ended (or has come so far) then is for us.
    pub fn lets(&self, began: Time, ended: Time) -> bool {
        let after = |opened: Option<Time>| {
            opened.is_some_and(|opened| began >= opened && began.since(opened) <= FOLLOW_WITHIN)
        };
        match self.mode {
            Mode::Always => true,
            Mode::Word => {
                let with = self.word.is_some_and(|word| {
                    word >= began && word.since(began) <= BEGINS_WITHIN && word <= ended + NOTICED_AFTER
                });
                with || after(self.word) || after(self.asked) || self.held(began, ended)
            }
            Mode::PushToTalk => self.held(began, ended),
        }
    }

    /// Whether the button was held during some of it.
    fn held(&self, began: Time, ended: Time) -> bool {
        self.pressed.is_some_and(|pressed| {
            let let_go = self.let_go.map_or(ended, |let_go| let_go + BUTTON_ROOM);
            ended + BUTTON_ROOM >= pressed && began <= let_go
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn without_a_wake_word_nobody_is_listened_to_unless_always() {
        assert!(Gate::new(Mode::Always).lets(ms(0), ms(900)));
        assert!(!Gate::new(Mode::Word).lets(ms(0), ms(900)));
        assert!(!Gate::new(Mode::PushToTalk).lets(ms(0), ms(900)));
    }

    #[test]
    fn an_utterance_that_begins_with_the_word_or_follows_it_is_for_us() {
        let mut gate = Gate::new(Mode::Word);
        gate.word(ms(10_900));
        assert!(gate.lets(ms(10_000), ms(13_000)), "hey troika, open the window");
        assert!(gate.lets(ms(12_000), ms(13_000)), "hey troika … open the window");
        assert!(gate.lets(ms(18_900), ms(20_000)));
        assert!(!gate.lets(ms(18_901), ms(20_000)), "8 s are over");
        assert!(!gate.lets(ms(5_000), ms(14_000)), "the word is somewhere in a long talk");
        assert!(!gate.lets(ms(9_000), ms(10_000)), "what was said before it");
    }

    #[test]
    fn the_answer_to_a_question_needs_no_wake_word() {
        let mut gate = Gate::new(Mode::Word);
        gate.asked_back(ms(20_000));
        assert!(gate.lets(ms(21_000), ms(21_500)));
        assert!(!gate.lets(ms(28_500), ms(29_000)));
        assert!(!gate.lets(ms(19_500), ms(20_500)), "said before it was asked");
    }

    #[test]
    fn a_held_button_lets_what_is_said_meanwhile_through_and_no_more() {
        let mut gate = Gate::new(Mode::PushToTalk);
        assert!(!gate.button(ms(1_000), true));
        assert!(!gate.button(ms(1_020), true), "told again");
        assert!(gate.lets(ms(800), ms(1_500)), "begun a little early");
        assert!(gate.button(ms(3_000), false));
        assert!(gate.lets(ms(1_500), ms(3_400)));
        assert!(!gate.lets(ms(3_500), ms(4_000)));
        assert!(!gate.lets(ms(100), ms(600)));
        assert!(!gate.button(ms(3_100), false), "told again");
        assert!(!gate.button(ms(5_000), true));
        assert!(gate.lets(ms(5_100), ms(6_000)));
    }
}
