//! One conversation with the command step, in virtual time: what each utterance of it means, what the gates say and what the assistant
//! replies. The vehicle stands or drives as is said, and its body takes every command on. Pure.

use std::fmt::Write as _;

use troika_kit::{Duration, Events, Latest, Sample, Step as _, Tick, Time};
use troika_msgs::{
    std_msgs::Header,
    troika::{
        CommandResult, LanguageReply, LanguageRequest, Transcript, Understanding, VehicleCommand,
        VehicleSignals, VoiceReply,
    },
};

use super::{Outcome, told};
use crate::{
    cascade::{Cascade, Stage},
    command::{CommandNode, Inputs, Outputs},
    matcher::Matcher,
};

/// When it begins: ages have room before it.
const START: Time = Time::from_nanos(3_600_000_000_000);
/// From one typed utterance to the end of the next: nobody takes the second for the first one going on.
const TURN: Duration = Duration::from_secs(3);
/// How long a typed utterance is taken to have been.
const SAID_IN: Duration = Duration::from_secs(1);

/// The step, and who talks to it.
pub struct Conversation {
    node: CommandNode,
    matcher: &'static Matcher,
    speed_kmh: f32,
    now: Time,
    steps: u64,
}

/// What became of one utterance.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// What each stage made of it, and which word held.
    pub understanding: Understanding,
    /// What was carried out.
    pub commands: Vec<VehicleCommand>,
    /// What the assistant says; nothing while the language model is asked.
    pub reply: Option<VoiceReply>,
    /// What the language model is asked.
    pub request: Option<LanguageRequest>,
}

impl Conversation {
    /// With the stages; `language`: whether a language model is there to be asked.
    pub fn new(cascade: Cascade, language: bool, speed_kmh: f32) -> Conversation {
        let matcher = cascade.matcher();
        Conversation { node: CommandNode::new(cascade, language), matcher, speed_kmh, now: START, steps: 0 }
    }

    /// Words, a moment after those before.
    pub fn says(&mut self, words: &str) -> Turn {
        let at = self.now.since(START) + TURN;
        self.hears(
            at,
            Transcript {
                text: words.to_owned(),
                confidence: 1.0,
                audio_duration: SAID_IN.into(),
                ..Transcript::default()
            },
        )
    }

    /// The words of an utterance that ended at `end` of the conversation. They are there as soon as it ended: how long a recogniser took
    /// changes nothing about what an answer answers.
    pub fn hears(&mut self, end: Duration, words: Transcript) -> Turn {
        self.now = self.now.max(START + end);
        let utterance_id = format!("u{}", self.steps);
        let heard = Transcript { header: Header::at(self.now), utterance_id, r#final: true, ..words };
        let inputs = Inputs { transcript: self.one(heard.clone()), ..Inputs::default() };
        let mut turn = self.turn(inputs, &heard.text);
        if turn.understanding.meaning.is_empty() {
            turn.understanding = self.unspoken_to(&heard.text);
        }
        turn
    }

    /// The language model's word on what it was asked: a meaning, or none.
    pub fn answers(&mut self, request: &LanguageRequest, meaning: Option<&str>) -> Turn {
        let reply = LanguageReply {
            request_id: request.request_id.clone(),
            status: if meaning.is_some() { LanguageReply::DONE } else { LanguageReply::UNAVAILABLE },
            text: meaning.unwrap_or_default().to_owned(),
            confidence: 1.0,
            ..LanguageReply::default()
        };
        let inputs = Inputs { language: self.one(reply), ..Inputs::default() };
        self.turn(inputs, &request.text)
    }

    fn turn(&mut self, inputs: Inputs, words: &str) -> Turn {
        let outputs = self.step(inputs);
        let commands = outputs.command.sent().to_vec();
        if !commands.is_empty() {
            let taken = commands.iter().map(|command| CommandResult {
                command_id: command.id.clone(),
                function: command.function.clone(),
                status: CommandResult::ACCEPTED,
                ..CommandResult::default()
            });
            let received = self.now;
            let result = Events::holding(taken.map(|value| Sample { value, received }));
            self.step(Inputs { result, ..Inputs::default() });
        }
        let understanding = outputs.understanding.sent().last().cloned();
        Turn {
            understanding: understanding
                .unwrap_or_else(|| Understanding { text: words.to_owned(), ..Understanding::default() }),
            commands,
            reply: outputs.reply.sent().last().cloned(),
            request: outputs.language.sent().last().cloned(),
        }
    }

    fn step(&mut self, inputs: Inputs) -> Outputs {
        let tick = Tick { seq: self.steps, release: self.now, now: self.now, level: 0 };
        self.steps += 1;
        let signals = VehicleSignals { speed_kmh: self.speed_kmh, ..VehicleSignals::default() };
        let inputs = Inputs { signals: Latest::holding(signals, self.now), ..inputs };
        let mut outputs = Outputs::default();
        if let Err(fault) = self.node.step(&tick, &inputs, &mut outputs) {
            self.node.fall_back(&tick, &fault, &mut outputs);
        }
        outputs
    }

    fn one<T, const N: usize>(&self, value: T) -> Events<T, N> {
        Events::holding([Sample { value, received: self.now }])
    }

    /// What no stage was asked about: a yes without a question.
    fn unspoken_to(&self, words: &str) -> Understanding {
        let yes = self.matcher.yes_or_no(words) == Some(true);
        Understanding {
            text: words.to_owned(),
            stages: vec![Stage::Templates.to_string()],
            meanings: vec![told(&self.matcher.understand(words))],
            confidences: vec![1.0],
            chosen: Stage::Context.to_string(),
            meaning: "reject".to_owned(),
            confidence: 1.0,
            reason: if yes { "a yes to nothing that was asked" } else { "nothing was made of it" }.to_owned(),
            ..Understanding::default()
        }
    }
}

impl Turn {
    /// What becomes of the commands; none of what is no command.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.reply.as_ref().map(|reply| reply.kind) {
            _ if !self.commands.is_empty() => Some(Outcome::Executed),
            // What lacks something is asked for before any gate.
            Some(VoiceReply::CONFIRM) if self.understanding.meaning != "ask" => Some(Outcome::Confirm),
            Some(VoiceReply::REFUSED) => Some(Outcome::Refused),
            _ => None,
        }
    }

    /// What the assistant says, where it says anything.
    pub fn says(&self) -> Option<&str> {
        self.reply.as_ref().map(|reply| reply.text.as_str()).filter(|text| !text.is_empty())
    }

    /// What a stage made of it, and how sure it was, where it looked.
    pub fn stage(&self, stage: Stage) -> Option<(&str, f32)> {
        let one = &self.understanding;
        let at = one.stages.iter().position(|name| *name == stage.to_string())?;
        Some((one.meanings.get(at)?.as_str(), *one.confidences.get(at)?))
    }

    /// The stages, for a person.
    pub fn stages_told(&self) -> String {
        let one = &self.understanding;
        let mut text = String::new();
        // Writing to a String cannot fail.
        for ((stage, meaning), sure) in one.stages.iter().zip(&one.meanings).zip(&one.confidences) {
            let _ = writeln!(text, "  {stage:<14}{meaning} ({sure:.2})");
        }
        let (chosen, sure, reason) = (&one.chosen, one.confidence, &one.reason);
        let _ = writeln!(text, "understood  {} ({chosen}, {sure:.2}: {reason})", one.meaning);
        text
    }

    /// The gate and the reply, for a person.
    pub fn end_told(&self, speed_kmh: f32) -> String {
        let mut text = String::new();
        if let Some(outcome) = self.outcome() {
            let _ = writeln!(text, "gate        at {speed_kmh} km/h: {outcome}");
        }
        let says = match self.says() {
            Some(says) => says,
            None if self.understanding.meaning == "dialogue" => "nothing: for the dialogue",
            None => "nothing: not for us",
        };
        let _ = writeln!(text, "says        {says}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked() -> Conversation {
        at(0.0)
    }

    fn at(speed_kmh: f32) -> Conversation {
        Conversation::new(Cascade::new(Matcher::english(), None), false, speed_kmh)
    }

    #[test]
    fn a_yes_to_nothing_that_was_asked_is_no_command() {
        let turn = parked().says("yes");
        assert_eq!(turn.understanding.meaning, "reject");
        assert_eq!(turn.understanding.reason, "a yes to nothing that was asked");
        assert_eq!((turn.outcome(), turn.says()), (None, None));
    }

    #[test]
    fn what_is_asked_back_for_is_carried_out_after_a_yes() {
        let mut talk = parked();
        let asked = talk.says("call Anna");
        assert_eq!(asked.outcome(), Some(Outcome::Confirm));
        assert!(asked.says().is_some_and(|says| says.starts_with("Shall I")), "{:?}", asked.says());
        let done = talk.says("yes");
        assert_eq!(done.outcome(), Some(Outcome::Executed));
        assert_eq!(done.commands[0].function, "phone.call");
    }

    #[test]
    fn what_follows_on_is_read_with_what_was_done() {
        let mut talk = parked();
        talk.says("turn on my seat heating to two");
        let turn = talk.says("and the passenger's too");
        assert_eq!(turn.understanding.meaning, "seat.heating seat=passenger level=2");
        assert_eq!(turn.outcome(), Some(Outcome::Executed));
    }

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let turn = at(80.0).says("open the trunk");
        assert_eq!(turn.outcome(), Some(Outcome::Refused));
        let told = turn.end_told(80.0);
        assert!(told.contains("at 80 km/h: refused") && told.contains("stands still"), "{told}");
    }

    #[test]
    fn a_question_of_its_own_has_no_gate() {
        let mut talk = parked();
        let turn = talk.says("turn on my seat heating");
        assert_eq!((turn.understanding.meaning.as_str(), turn.outcome()), ("ask", None));
        assert!(turn.says().is_some());
        assert_eq!(talk.says("two").understanding.meaning, "seat.heating seat=driver level=2");
    }
}
