//! New sentences, with what is due and the open one did not tell.

use crate::{phrase::scan::Subject, words::Slot};

use super::{Ending, Whence};

impl Ending<'_> {
    /// Whether lengths are from several places.
    fn mixed(&self) -> bool {
        self.results.subjects.windows(2).any(|pair| pair[0].from != pair[1].from)
    }

    /// New sentences with what is due.
    pub(super) fn rest(&mut self) {
        let go_on = self.voice.words.go_on.clone();
        for subject in 0..self.results.subjects.len() {
            let due = self.due(subject);
            let Subject { found, name, .. } = self.results.subjects[subject].clone();
            if found && self.wanted(subject) && !self.scan.told[subject].name {
                self.scan.told[subject].name = true;
                let facts = self.facts(subject, due, Whence::Name);
                let joint =
                    if due.street || facts.is_empty() { " " } else { self.voice.words.say.comma.as_str() };
                let facts = format!("{name}{joint}{facts}").trim_end().to_owned();
                let sentence = self.voice.fill(&go_on.there_is, &[(Slot::Facts, &facts)]);
                self.scan.current = Some(subject);
                self.add(&sentence);
            } else if due.any() {
                let from = |of: usize| &self.results.subjects[of].from;
                let template = match self.scan.current {
                    // Of two look-ups, "the first one" would be taken for the place that was named last.
                    Some(other) if from(other) != from(subject) => &go_on.other_is,
                    // Behind a sentence that was left, "it" is nobody.
                    Some(_) if self.mixed() && self.out.ends_with(&go_on.broken_off) => &go_on.other_is,
                    Some(other) if other != subject && found => &go_on.first_is,
                    _ => &go_on.it_is,
                };
                let facts = self.facts(subject, due, Whence::Name);
                let sentence = self.voice.fill(template, &[(Slot::Name, &name), (Slot::Facts, &facts)]);
                self.scan.current = Some(subject);
                self.add(&sentence);
            }
            if due.arrival {
                let arrival = self.arrival(subject);
                let sentence = self.voice.fill(&go_on.arrival, &[(Slot::Arrival, &arrival)]);
                self.add(&sentence);
            }
        }
        self.streets();
        let others: Vec<usize> = self.unnamed().into_iter().filter(|at| *at > 0).collect();
        // Who asks for the way to one of them does not ask for the others.
        if !self.voice.brief && !self.results.subjects.iter().any(|subject| subject.asked) {
            let names: Vec<&str> = others.iter().map(|at| self.results.subjects[*at].name.as_str()).collect();
            if let Some(also) = self.voice.also(&names) {
                self.add(&also);
            }
        }
    }

    fn streets(&mut self) {
        let legs = &self.results.legs;
        if self.scan.legs >= legs.len() {
            return;
        }
        let sentence = if self.scan.legs == 0 {
            if self.voice.brief {
                self.voice.fill(&self.words().say.start_brief, &[(Slot::Street, &legs[0].street)])
            } else {
                self.voice.steps(legs)
            }
        } else {
            format!("{}{}", self.words().go_on.then_turn, self.voice.steps(&legs[self.scan.legs..]))
        };
        self.scan.legs = legs.len();
        self.add(&sentence);
    }
}
