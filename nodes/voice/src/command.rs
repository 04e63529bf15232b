//! From words to vehicle commands: what the stages understood, behind the catalogue's gates, as a pure step.
//!
//! What is understood but not surely is first held against the language model's word, where there is one and it answers within
//! [`LANGUAGE_WITHIN`]; what is then still not sure is asked back for, like what wants a confirmation. A question ("To how many
//! degrees?") takes its answer, and what follows on the last command ("and the passenger's too") is read with it. Each
//! utterance's stages and reasons are published. A question of the world is put to the language model too, while nobody else answers
//! dialogue; what it says moves nothing. Where there is a dialogue, the question goes there with what it is about ([`topic`]).
//!
//! Who talks on and on is not talking to the vehicle: what follows within a breath of words that were not for it is not carried out but
//! asked back for, and where it is not even sure, nothing is said (`command/overheard.rs`).
//!
//! A gate that wants a standstill wants a speed that is known, at most [`SIGNALS_FRESH`] old and 0 km/h (SR-VOI-001). What
//! must not be done by voice is refused with an explanation (SR-VOI-002). What wants a confirmation is asked back for and
//! kept for [`CONFIRM_WITHIN`]; only a plain yes carries it out, and anything else lets it go (SR-VOI-003). An utterance of
//! several commands is carried out as one: if one is refused, none is sent. A command without a result within
//! [`RESULT_WITHIN`] is told to have failed (SR-VOI-004).

mod overheard;
mod talk;
mod under_way;

use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Latest, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_msgs::{
    speed::SpeedReader,
    std_msgs::Header,
    troika::{
        CommandResult, DialogueRequest, Drowsiness, LanguageReply, LanguageRequest, Transcript,
        Understanding, VehicleCommand, VehicleSignals, VoiceReply,
    },
};
use troika_vehicle::catalogue::{Call, Catalogue, Situation, Source, Verdict};

use crate::{
    cascade::{Answer, Cascade},
    eval,
    matcher::{Matcher, Understood},
    replies::Replies,
    tongue::Tongue,
    topic,
};
use overheard::Overheard;
use talk::Talk;
pub use under_way::{RATE, RATE_WITHIN, RESULT_WITHIN};
use under_way::{UnderWay, Waiting};

/// How long an asked-back command waits for its yes, two or three seconds of which pass while the question is spoken. What counts is
/// when the yes was said, not when a busy machine had its words.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
/// A stamp that is older than this, or of the future, is not of this clock.
const STAMP_WITHIN: Duration = Duration::from_secs(60);
/// A speed older than this is unknown: 5 messages of /vehicle/signals at 50 Hz may be lost, and a schedule's jitter.
pub const SIGNALS_FRESH: Duration = Duration::from_millis(500);
/// A drowsiness older than this is unknown: it is published once a second.
pub const DROWSINESS_FRESH: Duration = Duration::from_secs(5);
/// How long the language model may take over an utterance that the other stages are not sure of.
pub const LANGUAGE_WITHIN: Duration = Duration::from_millis(1_500);
/// How long it may take over a question of the world.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// An answer that it is less sure of is not given: a small model talks as readily when it does not know.
pub const ANSWER_FROM: f32 = 0.6;
/// Words that the recogniser is less sure of than this are not acted upon: asked to be said again.
pub const CONFIDENT_FROM: f32 = 0.7;
/// What is said longer after the last question is another conversation.
pub const CONVERSATION_WITHIN: Duration = Duration::from_secs(300);
ports! {
    /// What the node reads.
    pub struct Inputs {
        /// The words of each utterance.
        transcript: Events<Transcript, 8> = "/voice/transcript",
        /// The vehicle's speed.
        signals: Latest<VehicleSignals> = "/vehicle/signals",
        /// What became of the commands.
        result: Events<CommandResult, 32> = "/vehicle/command_result",
        /// How drowsy the driver is: a drowsy one is spoken to briefly.
        drowsiness: Latest<Drowsiness> = "/cabin/drowsiness",
        /// What the language model says.
        language: Events<LanguageReply, 8> = "/voice/language_reply",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Vehicle functions to carry out.
        command: Out<VehicleCommand, 8> = "/voice/command",
        /// What the assistant says to the driver.
        reply: Out<VoiceReply, 16> = "/voice/reply",
        /// What each stage made of the words, and which word held.
        understanding: Out<Understanding, 8> = "/voice/understanding",
        /// What the language model is asked.
        language: Out<LanguageRequest, 8> = "/voice/language_request",
        /// What is no vehicle function and for the dialogue.
        dialogue: Out<DialogueRequest, 8> = "/dialogue/request",
    }
}

/// The node.
pub struct CommandNode {
    cascade: Cascade,
    /// Whether a language model is there to be asked.
    language: bool,
    /// The conversation with the dialogue, where there is one, and when it was last spoken with.
    dialogue: Option<Conversation>,
    asked: Option<Asked>,
    talk: Talk,
    overheard: Overheard,
    open: Option<Open>,
    question: Option<Question>,
    under_way: UnderWay,
    /// How fast the vehicle is.
    speed: SpeedReader,
    /// The driver is drowsy, as far as is known.
    brief: bool,
}

/// An utterance that the language model is asked about.
struct Open {
    heard: Transcript,
    answer: Answer,
    since: Time,
}

/// A conversation with the dialogue.
#[derive(Default)]
struct Conversation {
    tongue: Tongue,
    /// Of the utterance that began it, so that no other has it, of an earlier life of this node neither.
    id: String,
    last: Option<Time>,
}

/// A question of the world that the language model is to answer.
struct Question {
    heard: Transcript,
    since: Time,
}

/// What was asked back for.
struct Asked {
    calls: Vec<Call>,
    utterance: String,
    confidence: f32,
    since: Time,
}

impl Default for CommandNode {
    fn default() -> Self {
        CommandNode::new(Cascade::new(Matcher::english(), None), false)
    }
}

impl CommandNode {
    /// The node with its stages; `language`: whether a language model is there to be asked.
    pub fn new(cascade: Cascade, language: bool) -> CommandNode {
        CommandNode {
            cascade,
            language,
            dialogue: None,
            asked: None,
            talk: Talk::default(),
            overheard: Overheard::default(),
            open: None,
            question: None,
            under_way: UnderWay::default(),
            speed: SpeedReader::default(),
            brief: false,
        }
    }

    /// The same, with a dialogue that takes what is no vehicle function, whatever else there is.
    pub fn with_dialogue(self, tongue: Tongue) -> CommandNode {
        CommandNode { dialogue: Some(Conversation { tongue, ..Conversation::default() }), ..self }
    }

    fn replies(&self) -> &'static Replies {
        self.cascade.matcher().replies()
    }

    fn transcript(&mut self, tick: &Tick, heard: &Transcript, speed: Option<f32>, outputs: &mut Outputs) {
        if !heard.r#final {
            return;
        }
        let matcher = self.cascade.matcher();
        let replies = matcher.replies();
        let said = said(tick, heard);
        // What was over before the question was asked is no answer to it.
        let asked = self
            .asked
            .take()
            .filter(|asked| said >= asked.since && said.since(asked.since) <= CONFIRM_WITHIN);
        troika_safety::fulfils![SR_VOI_007];
        // What is no number is unsure too.
        let unsure = heard.confidence.is_nan() || heard.confidence < CONFIDENT_FROM;
        let yes_or_no = matcher.yes_or_no(&heard.text);
        if let Some(asked) = asked {
            if let Some(yes) = yes_or_no {
                self.overheard.heard(heard, true);
                let calls = asked.calls.clone();
                let understood = if yes { Understood::Commands(calls) } else { Understood::Reject };
                let reason = if yes { "a yes to what was asked" } else { "a no to what was asked" };
                let alone = matcher.understand(&heard.text);
                publish(tick, heard, &Answer::context(understood, alone, reason.to_owned()), outputs);
            }
            match yes_or_no {
                // A yes that was hardly heard is none.
                Some(true) if !unsure => return self.carry_out(tick, heard, asked, speed, outputs),
                Some(true) => {
                    self.asked = Some(asked);
                    return say(tick, heard, VoiceReply::CONFIRM, &replies.again, outputs);
                }
                Some(false) => return say(tick, heard, VoiceReply::REJECTED, &replies.let_go, outputs),
                None => {}
            }
        }
        if let Some(question) = self.question.take() {
            // Who speaks on has moved on.
            outputs.language.send(LanguageRequest {
                header: Header::at(tick.now),
                request_id: question.heard.utterance_id,
                task: LanguageRequest::CANCEL,
                ..LanguageRequest::default()
            });
        }
        if let Some(open) = self.open.take() {
            // Nobody has heard a question about it yet: what is said now is no answer to one.
            let no = yes_or_no == Some(false);
            let text = if no { &replies.let_go } else { &replies.again };
            say(tick, &open.heard, VoiceReply::REJECTED, text, outputs);
            if no {
                return;
            }
        }
        // A yes to nothing that was asked.
        if yes_or_no == Some(true) {
            return say(tick, heard, VoiceReply::REJECTED, "", outputs);
        }
        let mut answer = self.talk.understand(&self.cascade, &heard.text, said);
        let others = self.overheard.goes_on(heard);
        let ours = !others && matches!(answer.understood, Understood::Commands(_) | Understood::Ask(_));
        self.overheard.heard(heard, ours);
        if others {
            answer.reason.push_str("; it follows on talk that was not for us");
        }
        publish(tick, heard, &answer, outputs);
        match &answer.understood {
            Understood::Reject => say(tick, heard, VoiceReply::REJECTED, "", outputs),
            Understood::Commands(calls) if others && !unsure && answer.sure() => {
                let request = request(tick, heard, calls, answer.confidence);
                self.ask_back(tick, heard, request, speed, outputs);
            }
            Understood::Commands(_) | Understood::Ask(_) if others => {
                say(tick, heard, VoiceReply::REJECTED, "", outputs);
            }
            Understood::Dialogue if self.dialogue.is_some() => {
                if !unsure && !others {
                    self.converse(heard, said, outputs);
                }
            }
            Understood::Dialogue if self.language && !unsure && !others => {
                outputs.language.send(LanguageRequest {
                    header: Header::at(tick.now),
                    request_id: heard.utterance_id.clone(),
                    task: LanguageRequest::ANSWER,
                    text: heard.text.clone(),
                    context: String::new(),
                    so_far: String::new(),
                    deadline: ANSWER_WITHIN.into(),
                });
                self.question = Some(Question { heard: heard.clone(), since: tick.now });
            }
            Understood::Dialogue => say(tick, heard, VoiceReply::DIALOGUE, "", outputs),
            Understood::Commands(_) | Understood::Ask(_) if unsure => {
                say(tick, heard, VoiceReply::REJECTED, &replies.again, outputs);
            }
            Understood::Ask(question) => {
                self.talk.asked(&heard.text, tick.now);
                say(tick, heard, VoiceReply::CONFIRM, question, outputs);
            }
            Understood::Commands(_) if !answer.sure() && self.language => {
                outputs.language.send(LanguageRequest {
                    header: Header::at(tick.now),
                    request_id: heard.utterance_id.clone(),
                    task: LanguageRequest::INTERPRET,
                    text: heard.text.clone(),
                    context: answer.candidates().join(","),
                    so_far: String::new(),
                    deadline: LANGUAGE_WITHIN.into(),
                });
                self.open = Some(Open { heard: heard.clone(), answer, since: tick.now });
            }
            Understood::Commands(_) => self.decided(tick, heard, &answer, speed, outputs),
        }
    }

    /// A question for the dialogue, with what its router must know of it. Who answers also speaks.
    fn converse(&mut self, heard: &Transcript, said: Time, outputs: &mut Outputs) {
        let Some(conversation) = &mut self.dialogue else { return };
        if conversation.last.is_none_or(|last| said.since(last) > CONVERSATION_WITHIN) {
            conversation.id = format!("voice-{}", heard.utterance_id);
        }
        conversation.last = Some(said);
        let (task, privacy) = topic::of(self.cascade.matcher(), &heard.text);
        outputs.dialogue.send(DialogueRequest {
            header: Header::at(said),
            request_id: heard.utterance_id.clone(),
            conversation_id: conversation.id.clone(),
            text: heard.text.clone(),
            language: conversation.tongue.code().to_owned(),
            task,
            privacy,
            complexity: f32::NAN,
            ..DialogueRequest::default()
        });
    }

    /// What the language model says of the open utterance: its word counts only for a reading that another stage has too.
    fn language(&mut self, tick: &Tick, reply: &LanguageReply, speed: Option<f32>, outputs: &mut Outputs) {
        if reply.status == LanguageReply::PARTIAL {
            return;
        }
        if let Some(question) =
            self.question.take_if(|question| question.heard.utterance_id == reply.request_id)
        {
            let known = reply.status == LanguageReply::DONE && reply.confidence >= ANSWER_FROM;
            let text = if known { &reply.text } else { &self.replies().unknown };
            return say(tick, &question.heard, VoiceReply::DIALOGUE, text, outputs);
        }
        let Some(open) = self.open.take_if(|open| open.heard.utterance_id == reply.request_id) else {
            return;
        };
        let meaning =
            (reply.status == LanguageReply::DONE).then(|| eval::meaning(&reply.text).ok()).flatten();
        let answer = open.answer.with_language(meaning.as_ref());
        publish(tick, &open.heard, &answer, outputs);
        self.decided(tick, &open.heard, &answer, speed, outputs);
    }

    /// A reading that is acted upon where it is sure, and asked back for where it is not.
    fn decided(
        &mut self,
        tick: &Tick,
        heard: &Transcript,
        answer: &Answer,
        speed: Option<f32>,
        outputs: &mut Outputs,
    ) {
        let Understood::Commands(calls) = &answer.understood else {
            return say(tick, heard, VoiceReply::REJECTED, &self.replies().again, outputs);
        };
        let request = request(tick, heard, calls, answer.confidence);
        if answer.sure() {
            return self.gate(tick, heard, request, speed, outputs);
        }
        self.ask_back(tick, heard, request, speed, outputs);
    }

    /// "Shall I …?", but for what would be refused all the same.
    fn ask_back(
        &mut self,
        tick: &Tick,
        heard: &Transcript,
        request: Asked,
        speed: Option<f32>,
        outputs: &mut Outputs,
    ) {
        match verdict(&request.calls, speed, true) {
            Verdict::Refuse(why) => {
                say(tick, heard, VoiceReply::REFUSED, &self.replies().refused(&why), outputs)
            }
            Verdict::Execute | Verdict::Confirm => {
                say(tick, heard, VoiceReply::CONFIRM, &self.replies().ask_back(&request.calls), outputs);
                self.asked = Some(request);
            }
        }
    }

    /// The gates over what was understood: carry out, ask back or refuse.
    fn gate(
        &mut self,
        tick: &Tick,
        heard: &Transcript,
        request: Asked,
        speed: Option<f32>,
        outputs: &mut Outputs,
    ) {
        troika_safety::fulfils![SR_VOI_015];
        match verdict(&request.calls, speed, false) {
            Verdict::Execute => self.send(tick, heard, &request, false, outputs),
            Verdict::Refuse(why) => {
                say(tick, heard, VoiceReply::REFUSED, &self.replies().refused(&why), outputs)
            }
            Verdict::Confirm => self.ask_back(tick, heard, request, speed, outputs),
        }
    }

    /// After a yes. The situation may have changed since the question, so the gates are asked again.
    fn carry_out(
        &mut self,
        tick: &Tick,
        heard: &Transcript,
        asked: Asked,
        speed: Option<f32>,
        outputs: &mut Outputs,
    ) {
        troika_safety::fulfils![SR_VOI_015];
        match verdict(&asked.calls, speed, true) {
            Verdict::Execute => self.send(tick, heard, &asked, true, outputs),
            Verdict::Refuse(why) => {
                say(tick, heard, VoiceReply::REFUSED, &self.replies().refused(&why), outputs)
            }
            // A confirmed situation never asks again; should a gate do so, nothing is done.
            Verdict::Confirm => say(tick, heard, VoiceReply::REJECTED, &self.replies().let_go, outputs),
        }
    }

    fn send(
        &mut self,
        tick: &Tick,
        heard: &Transcript,
        request: &Asked,
        confirmed: bool,
        outputs: &mut Outputs,
    ) {
        let Some(first) = self.under_way.send(tick, heard, request, confirmed, outputs) else {
            return say(tick, heard, VoiceReply::REFUSED, &self.replies().too_many, outputs);
        };
        self.talk.done(&request.calls, tick.now);
        let text = self.replies().carried_out(&request.calls, self.brief);
        outputs.reply.send(VoiceReply {
            header: Header::at(tick.now),
            utterance_id: heard.utterance_id.clone(),
            text,
            kind: VoiceReply::COMMAND,
            command_id: first,
        });
    }

    /// A command that failed is told.
    fn failed(&self, tick: &Tick, waiting: Waiting, why: &str, outputs: &mut Outputs) {
        outputs.reply.send(VoiceReply {
            header: Header::at(tick.now),
            utterance_id: waiting.utterance_id,
            text: self.replies().failed(&waiting.function, why),
            kind: VoiceReply::REFUSED,
            command_id: waiting.id,
        });
    }
}

/// The strictest verdict of all calls. Only a gate that wants a confirmation is opened by one.
fn verdict(calls: &[Call], speed_kmh: Option<f32>, confirmed: bool) -> Verdict {
    troika_safety::fulfils![SR_VOI_006];
    let situation = Situation { speed_kmh, source: Source::Voice, confirmed };
    let verdicts = || calls.iter().map(|call| Catalogue::built_in().gate(call, &situation));
    let refused = verdicts().find(|verdict| matches!(verdict, Verdict::Refuse(_)));
    let asks = verdicts().any(|verdict| verdict == Verdict::Confirm);
    refused.unwrap_or(if asks { Verdict::Confirm } else { Verdict::Execute })
}

/// What each stage made of an utterance.
fn publish(tick: &Tick, heard: &Transcript, answer: &Answer, outputs: &mut Outputs) {
    let stages = answer.stages();
    outputs.understanding.send(Understanding {
        header: Header::at(tick.now),
        utterance_id: heard.utterance_id.clone(),
        text: heard.text.clone(),
        stages: stages.iter().map(|(stage, _, _)| stage.to_string()).collect(),
        meanings: stages.iter().map(|(_, meaning, _)| meaning.clone()).collect(),
        confidences: stages.iter().map(|(_, _, confidence)| *confidence).collect(),
        chosen: answer.stage.to_string(),
        meaning: eval::told(&answer.understood),
        confidence: answer.confidence,
        reason: answer.reason.clone(),
    });
}

/// When it was said: the end of speech, where its stamp is of this clock.
fn said(tick: &Tick, heard: &Transcript) -> Time {
    let stamp = heard.header.time();
    if stamp <= tick.now && tick.now.since(stamp) <= STAMP_WITHIN { stamp } else { tick.now }
}

/// Commands that were understood so surely, as they are carried out or asked back for.
fn request(tick: &Tick, heard: &Transcript, calls: &[Call], sure: f32) -> Asked {
    Asked {
        calls: calls.to_vec(),
        utterance: heard.text.clone(),
        confidence: heard.confidence.min(sure),
        since: tick.now,
    }
}

fn say(tick: &Tick, heard: &Transcript, kind: u8, text: &str, outputs: &mut Outputs) {
    outputs.reply.send(VoiceReply {
        header: Header::at(tick.now),
        utterance_id: heard.utterance_id.clone(),
        text: text.to_owned(),
        kind,
        command_id: String::new(),
    });
}

impl Step for CommandNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    /// A timer, not an input, so that a missing result and a question without an answer are noticed in silence too.
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "voice_command",
        wake: Wake::Period,
        period: Duration::from_millis(20),
        deadline: Duration::from_millis(20),
        budget: Duration::from_millis(10),
        class: Class::Firm,
        requirements: &[
            requirements::SR_VOI_001,
            requirements::SR_VOI_002,
            requirements::SR_VOI_003,
            requirements::SR_VOI_004,
            requirements::SR_DAT_009,
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let speed = self.speed.kmh(tick.now, &inputs.signals, SIGNALS_FRESH);
        self.brief = inputs
            .drowsiness
            .within(tick.now, DROWSINESS_FRESH)
            .is_some_and(|drowsiness| drowsiness.level == Drowsiness::DROWSY);
        let mut worked = false;
        for result in inputs.result.iter() {
            worked = true;
            if let Some(waiting) = self.under_way.answered(&result.value) {
                self.failed(tick, waiting, &result.value.reason, outputs);
            }
        }
        for reply in inputs.language.iter() {
            worked = true;
            self.language(tick, &reply.value, speed, outputs);
        }
        if let Some(open) = self.open.take_if(|open| tick.now.since(open.since) > LANGUAGE_WITHIN) {
            worked = true;
            self.decided(tick, &open.heard, &open.answer, speed, outputs);
        }
        if let Some(question) =
            self.question.take_if(|question| tick.now.since(question.since) > ANSWER_WITHIN)
        {
            worked = true;
            say(tick, &question.heard, VoiceReply::DIALOGUE, &self.replies().unknown, outputs);
        }
        for heard in inputs.transcript.iter() {
            worked = true;
            self.transcript(tick, &heard.value, speed, outputs);
        }
        while let Some(waiting) = self.under_way.overdue(tick.now) {
            worked = true;
            self.failed(tick, waiting, &self.replies().no_answer, outputs);
        }
        Ok(if worked { Done::Worked } else { Done::Idle })
    }

    /// Nothing is carried out, and what was asked back for is let go. A step that only comes late has lost nothing (what was heard waits
    /// for the next), and on a busy machine that is every other second: the talk goes on.
    fn fall_back(&mut self, _: &Tick, fault: &Fault, _: &mut Outputs) {
        if matches!(fault, Fault::TooLate { .. }) {
            return;
        }
        self.asked = None;
        self.open = None;
        self.question = None;
        self.talk = Talk::default();
    }
}

#[cfg(test)]
mod tests;
