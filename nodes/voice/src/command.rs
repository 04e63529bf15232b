//! From words to vehicle commands: the matcher's answer behind the catalogue's gates, as a pure step.
//!
//! A gate that wants a standstill wants a speed that is known, at most [`SIGNALS_FRESH`] old and 0 km/h (SR-VOI-001). What
//! must not be done by voice is refused with an explanation (SR-VOI-002). What wants a confirmation is asked back for and
//! kept for [`CONFIRM_WITHIN`]; only a plain yes carries it out, and anything else lets it go (SR-VOI-003). An utterance of
//! several commands is carried out as one: if one is refused, none is sent. A command without a result within
//! [`RESULT_WITHIN`] is told to have failed (SR-VOI-004).

mod replies;

use std::collections::VecDeque;

use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Latest, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_msgs::{
    std_msgs::Header,
    troika::{CommandResult, Slot, Transcript, VehicleCommand, VehicleSignals, VoiceReply},
};
use troika_vehicle::catalogue::{Call, Catalogue, Situation, Source, Verdict};

use crate::matcher::{Matcher, Understood};

/// How long an asked-back command waits for its yes.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(8);
/// A speed older than this is unknown: 5 messages of /vehicle/signals at 50 Hz may be lost, and a schedule's jitter.
pub const SIGNALS_FRESH: Duration = Duration::from_millis(500);
/// How long a command waits for the body's first answer.
pub const RESULT_WITHIN: Duration = Duration::from_secs(1);
/// Words that the recogniser is less sure of than this are not acted upon: asked to be said again.
pub const CONFIDENT_FROM: f32 = 0.7;
/// Commands that are waited for at once; the oldest is told to have failed when there are more.
const WAITING: usize = 32;
/// Commands of one utterance.
const MOST: usize = 8;

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// The words of each utterance.
        transcript: Events<Transcript, 8> = "/voice/transcript",
        /// The vehicle's speed.
        signals: Latest<VehicleSignals> = "/vehicle/signals",
        /// What became of the commands.
        result: Events<CommandResult, 32> = "/vehicle/command_result",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Vehicle functions to carry out.
        command: Out<VehicleCommand, 8> = "/voice/command",
        /// What the assistant says to the driver.
        reply: Out<VoiceReply, 16> = "/voice/reply",
    }
}

/// The node.
pub struct CommandNode {
    matcher: &'static Matcher,
    sequence: u32,
    asked: Option<Asked>,
    waiting: VecDeque<Waiting>,
}

/// What was asked back for.
struct Asked {
    calls: Vec<Call>,
    utterance: String,
    confidence: f32,
    since: Time,
}

/// A command on its way.
struct Waiting {
    id: String,
    utterance_id: String,
    function: String,
    since: Time,
}

impl Default for CommandNode {
    fn default() -> Self {
        CommandNode::new(Matcher::english())
    }
}

impl CommandNode {
    /// The node with a matcher.
    pub fn new(matcher: &'static Matcher) -> CommandNode {
        CommandNode { matcher, sequence: 0, asked: None, waiting: VecDeque::with_capacity(WAITING + MOST) }
    }

    fn transcript(&mut self, tick: &Tick, heard: &Transcript, speed: Option<f32>, outputs: &mut Outputs) {
        if !heard.r#final {
            return;
        }
        let asked = self.asked.take().filter(|asked| tick.now.since(asked.since) <= CONFIRM_WITHIN);
        // What is no number is unsure too.
        let unsure = heard.confidence.is_nan() || heard.confidence < CONFIDENT_FROM;
        if let Some(asked) = asked {
            match self.matcher.yes_or_no(&heard.text) {
                // A yes that was hardly heard is none.
                Some(true) if !unsure => return self.carry_out(tick, heard, asked, speed, outputs),
                Some(true) => {
                    self.asked = Some(asked);
                    return say(tick, heard, VoiceReply::CONFIRM, replies::AGAIN, outputs);
                }
                Some(false) => return say(tick, heard, VoiceReply::REJECTED, replies::LET_GO, outputs),
                None => {}
            }
        }
        match self.matcher.understand(&heard.text) {
            Understood::Reject => say(tick, heard, VoiceReply::REJECTED, "", outputs),
            Understood::Dialogue => say(tick, heard, VoiceReply::DIALOGUE, "", outputs),
            Understood::Commands(_) | Understood::Ask(_) if unsure => {
                say(tick, heard, VoiceReply::REJECTED, replies::AGAIN, outputs);
            }
            Understood::Ask(question) => say(tick, heard, VoiceReply::CONFIRM, &question, outputs),
            Understood::Commands(calls) => {
                let request = Asked {
                    calls,
                    utterance: heard.text.clone(),
                    confidence: heard.confidence,
                    since: tick.now,
                };
                self.gate(tick, heard, request, speed, outputs);
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
        match verdict(&request.calls, speed, false) {
            Verdict::Execute => self.send(tick, heard, &request, false, outputs),
            Verdict::Refuse(why) => say(tick, heard, VoiceReply::REFUSED, &replies::refused(&why), outputs),
            Verdict::Confirm => {
                say(tick, heard, VoiceReply::CONFIRM, &replies::ask_back(&request.calls), outputs);
                self.asked = Some(request);
            }
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
        match verdict(&asked.calls, speed, true) {
            Verdict::Execute => self.send(tick, heard, &asked, true, outputs),
            Verdict::Refuse(why) => say(tick, heard, VoiceReply::REFUSED, &replies::refused(&why), outputs),
            // A confirmed situation never asks again; should a gate do so, nothing is done.
            Verdict::Confirm => say(tick, heard, VoiceReply::REJECTED, replies::LET_GO, outputs),
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
        let mut first = String::new();
        for (index, call) in request.calls.iter().take(MOST).enumerate() {
            let id = format!("{}/{index}", heard.utterance_id);
            if first.is_empty() {
                first.clone_from(&id);
            }
            outputs.command.send(VehicleCommand {
                header: Header::at(tick.now),
                sequence: self.sequence,
                e2e: Vec::new(),
                id: id.clone(),
                function: call.function.clone(),
                slots: call
                    .slots
                    .iter()
                    .map(|(name, value)| Slot { name: name.clone(), value: value.clone() })
                    .collect(),
                source: VehicleCommand::VOICE,
                confirmed,
                confidence: request.confidence,
                utterance: request.utterance.clone(),
            });
            self.sequence = self.sequence.wrapping_add(1);
            self.waiting.push_back(Waiting {
                id,
                utterance_id: heard.utterance_id.clone(),
                function: call.function.clone(),
                since: tick.now,
            });
        }
        let text = replies::carried_out(&request.calls);
        outputs.reply.send(VoiceReply {
            header: Header::at(tick.now),
            utterance_id: heard.utterance_id.clone(),
            text,
            kind: VoiceReply::COMMAND,
            command_id: first,
        });
    }

    /// The first answer of the body ends the waiting; a refusal or a failure is told.
    fn result(&mut self, tick: &Tick, result: &CommandResult, outputs: &mut Outputs) {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.id == result.command_id) else {
            return;
        };
        let Some(waiting) = self.waiting.remove(at) else { return };
        if matches!(result.status, CommandResult::ACCEPTED | CommandResult::DONE) {
            return;
        }
        outputs.reply.send(VoiceReply {
            header: Header::at(tick.now),
            utterance_id: waiting.utterance_id,
            text: replies::failed(&waiting.function, &result.reason),
            kind: VoiceReply::REFUSED,
            command_id: waiting.id,
        });
    }

    /// Commands that nobody answered.
    fn overdue(&mut self, tick: &Tick, outputs: &mut Outputs) -> bool {
        let mut any = false;
        while let Some(waiting) = self.waiting.front() {
            if tick.now.since(waiting.since) <= RESULT_WITHIN && self.waiting.len() <= WAITING {
                break;
            }
            let Some(waiting) = self.waiting.pop_front() else { break };
            any = true;
            outputs.reply.send(VoiceReply {
                header: Header::at(tick.now),
                utterance_id: waiting.utterance_id,
                text: replies::failed(&waiting.function, replies::NO_ANSWER),
                kind: VoiceReply::REFUSED,
                command_id: waiting.id,
            });
        }
        any
    }
}

/// The strictest verdict of all calls. Only a gate that wants a confirmation is opened by one.
fn verdict(calls: &[Call], speed_kmh: Option<f32>, confirmed: bool) -> Verdict {
    let situation = Situation { speed_kmh, source: Source::Voice, confirmed };
    let verdicts = || calls.iter().map(|call| Catalogue::built_in().gate(call, &situation));
    let refused = verdicts().find(|verdict| matches!(verdict, Verdict::Refuse(_)));
    let asks = verdicts().any(|verdict| verdict == Verdict::Confirm);
    refused.unwrap_or(if asks { Verdict::Confirm } else { Verdict::Execute })
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
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let speed = inputs
            .signals
            .within(tick.now, SIGNALS_FRESH)
            .map(|signals| signals.speed_kmh)
            .filter(|speed| speed.is_finite());
        let mut worked = false;
        for result in inputs.result.iter() {
            worked = true;
            self.result(tick, &result.value, outputs);
        }
        for heard in inputs.transcript.iter() {
            worked = true;
            self.transcript(tick, &heard.value, speed, outputs);
        }
        worked |= self.overdue(tick, outputs);
        Ok(if worked { Done::Worked } else { Done::Idle })
    }

    /// Nothing is carried out, and what was asked back for is let go.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {
        self.asked = None;
    }
}

#[cfg(test)]
mod tests;
