//! What a dialogue remembers: the last exchanges as they were, those before as a summary, all within a budget of tokens, since the model
//! on the vehicle reads some 80 tokens a second and has few to give. Pure.
//!
//! The summary is made of the text itself (a question's beginning and its answer's first sentence), so it says nothing that was not said
//! and costs no model. One that a model made can be put in its place ([`Memory::replace_summary`]).

use std::collections::VecDeque;

use crate::{chat::Message, sentences::Sentences};

/// Words of a question that its summary keeps.
const QUESTION_WORDS: usize = 12;
/// Words of an answer that its summary keeps.
const ANSWER_WORDS: usize = 20;

/// A question and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exchange {
    asked: String,
    answered: String,
    audience: Audience,
}

/// Who may read something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// The vehicle alone.
    Vehicle,
    /// The cloud too.
    Cloud,
}

/// What a dialogue remembers.
#[derive(Debug, Clone)]
pub struct Memory {
    budget: usize,
    summary: VecDeque<(String, Audience)>,
    exchanges: VecDeque<Exchange>,
}

/// How many tokens a text is at most, by its bytes: English is four a token in SmolLM2's vocabulary, names and German three.
pub fn tokens(text: &str) -> usize {
    text.len().div_ceil(3) + 4
}

impl Memory {
    /// Nothing yet, and so many tokens of it at most.
    pub fn new(budget: usize) -> Memory {
        Memory { budget, summary: VecDeque::new(), exchanges: VecDeque::new() }
    }

    /// An exchange more, and who may read of it later. What was not said is not remembered as said: `answered` is what came out.
    pub fn add(&mut self, asked: &str, answered: &str, audience: Audience) {
        self.exchanges.push_back(Exchange { asked: asked.into(), answered: answered.into(), audience });
        while self.tokens() > self.budget {
            if self.exchanges.len() > 1
                && let Some(oldest) = self.exchanges.pop_front()
            {
                self.summary.push_back((in_short(&oldest), oldest.audience));
            } else if self.summary.pop_front().is_none() {
                // One exchange alone is over the budget: its beginning stays, as a summary.
                let Some(only) = self.exchanges.pop_front() else { return };
                let mut short = in_short(&only);
                let room = self.budget.saturating_sub(tokens("")) * 3;
                let end = (0..=short.len().min(room)).rev().find(|end| short.is_char_boundary(*end));
                short.truncate(end.unwrap_or(0));
                if !short.is_empty() && tokens(&short) <= self.budget {
                    self.summary.push_back((short, only.audience));
                }
                return;
            }
        }
    }

    /// The summary as that audience may read it, a line for each exchange.
    pub fn summary(&self, audience: Audience) -> String {
        troika_safety::fulfils![SR_RTE_008];
        let lines = self.summary.iter().filter(|(_, who)| *who >= audience).map(|(line, _)| line.as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A better summary of the same, for those who might read all of it. Refused where it is longer than the budget leaves room for.
    pub fn replace_summary(&mut self, summary: &str) -> bool {
        let audience = self.summary.iter().map(|(_, who)| *who).min().unwrap_or(Audience::Vehicle);
        let line = (summary.to_owned(), audience);
        let before = std::mem::replace(&mut self.summary, VecDeque::from([line]));
        let fits = self.tokens() <= self.budget;
        if !fits {
            self.summary = before;
        }
        fits
    }

    /// Whether there is something in it that the cloud may not read.
    pub fn is_private(&self) -> bool {
        let of_exchanges = self.exchanges.iter().map(|exchange| exchange.audience);
        self.summary.iter().map(|(_, who)| *who).chain(of_exchanges).any(|who| who == Audience::Vehicle)
    }

    /// The dialogue so far as that audience may read it, as messages: the summary as a word to the model, then the exchanges.
    pub fn messages(&self, audience: Audience) -> Vec<Message> {
        troika_safety::fulfils![SR_RTE_008];
        let mut messages = Vec::new();
        let summary = self.summary(audience);
        if !summary.is_empty() {
            messages.push(Message::System(format!("Before this: {summary}")));
        }
        for exchange in self.exchanges.iter().filter(|exchange| exchange.audience >= audience) {
            messages.push(Message::User(exchange.asked.clone()));
            messages.push(Message::Assistant(exchange.answered.clone()));
        }
        messages
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.summary.clear();
        self.exchanges.clear();
    }

    /// Tokens that it holds, at most.
    pub fn tokens(&self) -> usize {
        let summary = self.summary.iter().map(|(line, _)| tokens(line)).sum::<usize>();
        summary + self.exchanges.iter().map(|one| tokens(&one.asked) + tokens(&one.answered)).sum::<usize>()
    }
}

fn in_short(exchange: &Exchange) -> String {
    let first = |text: &str, most: usize| {
        let mut sentences = Sentences::default();
        sentences.push(text);
        let sentence = sentences.whole().unwrap_or_else(|| sentences.rest());
        let words: Vec<&str> = sentence.split_whitespace().collect();
        let cut = if words.len() > most { " …" } else { "" };
        format!("{}{cut}", words[..words.len().min(most)].join(" "))
    };
    let answered = first(&exchange.answered, ANSWER_WORDS);
    let answered = if answered.is_empty() { "nothing".to_owned() } else { answered };
    format!("asked \"{}\", answered \"{answered}\"", first(&exchange.asked, QUESTION_WORDS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_exchange_stays_word_for_word_and_the_ones_before_in_short() {
        let mut memory = Memory::new(90);
        memory.add(
            "Is there a cafe near?",
            "The Old Mill Cafe is near. It is open until nine and has a terrace on the river.",
            Audience::Cloud,
        );
        memory.add("How far is it?", "It is 1.5 km.", Audience::Cloud);
        memory.add(
            "Take me there.",
            "Turn left, then follow the river to the bridge. You arrive at 14:35.",
            Audience::Cloud,
        );
        let messages = memory.messages(Audience::Cloud);
        assert_eq!(
            messages[0],
            Message::System(
                "Before this: asked \"Is there a cafe near?\", answered \"The Old Mill Cafe is near.\""
                    .into()
            )
        );
        assert_eq!(messages[messages.len() - 2], Message::User("Take me there.".into()));
        assert!(memory.tokens() <= 90);
    }

    #[test]
    fn a_summary_that_is_too_long_is_refused() {
        let mut memory = Memory::new(40);
        memory.add("a", "b", Audience::Cloud);
        assert!(!memory.replace_summary(&"long ".repeat(60)));
        assert_eq!(memory.summary(Audience::Cloud), "");
        assert!(memory.replace_summary("They want a cafe."));
    }

    #[test]
    fn what_stays_in_the_vehicle_is_remembered_for_it_alone_in_the_summary_too() {
        troika_safety::verifies![SR_RTE_008];
        let mut memory = Memory::new(70);
        let tired =
            "You look tired. You have yawned four times in ten minutes, and your eyes were often closed.";
        memory.add("Am I tired?", tired, Audience::Vehicle);
        memory.add("Is there a cafe near?", "The Old Mill Cafe is near.", Audience::Cloud);
        memory.add("How far is it?", "It is 1.5 km by road.", Audience::Cloud);
        let read = |audience| format!("{:?}", memory.messages(audience));
        assert!(memory.summary(Audience::Vehicle).contains("tired"), "{}", read(Audience::Vehicle));
        assert!(!read(Audience::Cloud).contains("tired"), "{}", read(Audience::Cloud));
        assert!(read(Audience::Cloud).contains("1.5 km"));
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_its_budget(
            budget in 0usize..200,
            exchanges in prop::collection::vec(("(?s).{0,200}", "(?s).{0,400}"), 1..12),
        ) {
            let mut memory = Memory::new(budget);
            for (asked, answered) in exchanges {
                memory.add(&asked, &answered, Audience::Cloud);
                prop_assert!(memory.tokens() <= budget, "{} of {budget}", memory.tokens());
            }
        }
    }
}
