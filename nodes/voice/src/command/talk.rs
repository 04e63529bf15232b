//! What the talk was about: a question that waits for its answer, and what was done last.

use troika_kit::{Duration, Time};
use troika_vehicle::catalogue::Call;

use crate::{
    cascade::{Answer, Cascade, Stage},
    matcher::Understood,
};

/// How long a question waits for its answer: as long as for a yes.
const ANSWER_WITHIN: Duration = super::CONFIRM_WITHIN;
/// How long "a bit more" still speaks of what was done. Longer, and nobody remembers what "the other one" was.
pub(super) const FOLLOW_WITHIN: Duration = Duration::from_secs(30);

/// The state of the talk.
#[derive(Default)]
pub(super) struct Talk {
    question: Option<(String, Time)>,
    last: Option<(Call, Time)>,
}

impl Talk {
    /// A command lacked something and was asked back for.
    pub(super) fn asked(&mut self, utterance: &str, now: Time) {
        self.question = Some((utterance.to_owned(), now));
    }

    /// Commands were sent.
    pub(super) fn done(&mut self, calls: &[Call], now: Time) {
        // What was done before the last is over.
        self.last = calls.last().map(|call| (call.clone(), now));
        self.question = None;
    }

    /// What an utterance means, in this talk or by itself.
    pub(super) fn understand(&mut self, cascade: &Cascade, utterance: &str, now: Time) -> Answer {
        let alone = cascade.matcher().understand(utterance);
        self.context(cascade, utterance, &alone, now).unwrap_or_else(|| cascade.beside(alone, utterance))
    }

    /// What it means in this talk; `alone`: what the templates make of it by itself. Nothing when it stands by itself.
    fn context(
        &mut self,
        cascade: &Cascade,
        utterance: &str,
        alone: &Understood,
        now: Time,
    ) -> Option<Answer> {
        let question = self.question.take().filter(|(_, since)| now.since(*since) <= ANSWER_WITHIN);
        // A whole command of its own is neither an answer nor a follow-up, unless it speaks of what was last: "a bit more" is the
        // volume only where nothing was.
        if matches!(alone, Understood::Commands(_)) && !cascade.matcher().speaks_of_last(utterance) {
            return None;
        }
        if let Some((asked, _)) = question {
            let together = format!("{asked} {utterance}");
            let answer = cascade.understand(&together);
            if matches!(answer.understood, Understood::Commands(_)) {
                return Some(
                    answer.because(Stage::Context, format!("the answer to what \"{asked}\" lacked")),
                );
            }
        }
        let (last, _) = self.last.as_ref().filter(|(_, since)| now.since(*since) <= FOLLOW_WITHIN)?;
        let calls = cascade.matcher().follow_up(utterance, last)?;
        Some(Answer::context(
            Understood::Commands(calls),
            alone.clone(),
            format!("follows on {}", last.function),
        ))
    }
}
