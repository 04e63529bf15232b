//! Commands on their way: no more than a driver speaks, each protected, each waited for until the body answers.

use std::collections::VecDeque;

use troika_kit::{Duration, Tick, Time};
use troika_msgs::{
    protect::{Seal, sender},
    std_msgs::Header,
    troika::{CommandResult, Slot, Transcript, VehicleCommand},
};

use super::{Asked, Outputs};

/// Commands within [`RATE_WITHIN`] at most: nobody speaks more, a stuck recogniser or a radio may.
pub const RATE: usize = 12;
/// See [`RATE`].
pub const RATE_WITHIN: Duration = Duration::from_secs(10);
/// How long a command waits for the body's first answer.
pub const RESULT_WITHIN: Duration = Duration::from_secs(1);
/// Commands that are waited for at once; the oldest is told to have failed when there are more.
const WAITING: usize = 32;
/// Commands of one utterance.
const MOST: usize = 8;

/// A command that the body has not answered.
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) utterance_id: String,
    pub(super) function: String,
    since: Time,
}

/// Those that were sent.
pub(super) struct UnderWay {
    seal: Seal<VehicleCommand>,
    waiting: VecDeque<Waiting>,
    /// When the last [`RATE`] of them were.
    sent: VecDeque<Time>,
}

impl Default for UnderWay {
    fn default() -> Self {
        UnderWay {
            seal: Seal::new(sender::VOICE),
            waiting: VecDeque::with_capacity(WAITING + MOST),
            sent: VecDeque::with_capacity(RATE),
        }
    }
}

impl UnderWay {
    /// Sends the commands of an utterance. The first one's id; none where they are too many in too short a time: then none is sent.
    pub(super) fn send(
        &mut self,
        tick: &Tick,
        heard: &Transcript,
        request: &Asked,
        confirmed: bool,
        outputs: &mut Outputs,
    ) -> Option<String> {
        while self.sent.front().is_some_and(|sent| tick.now.since(*sent) > RATE_WITHIN) {
            self.sent.pop_front();
        }
        let count = request.calls.len().min(MOST);
        troika_safety::fulfils![SR_VOI_008];
        if self.sent.len() + count > RATE {
            return None;
        }
        self.sent.extend(std::iter::repeat_n(tick.now, count));
        let id = |index: usize| format!("{}/{index}", heard.utterance_id);
        for (index, call) in request.calls.iter().take(MOST).enumerate() {
            let slots = call.slots.iter();
            let mut command = VehicleCommand {
                header: Header::at(tick.now),
                id: id(index),
                function: call.function.clone(),
                slots: slots.map(|(name, value)| Slot { name: name.clone(), value: value.clone() }).collect(),
                source: VehicleCommand::VOICE,
                confirmed,
                confidence: request.confidence,
                utterance: request.utterance.clone(),
                ..VehicleCommand::default()
            };
            // What cannot be protected cannot be encoded either, and no transport takes it.
            let _protected = self.seal.seal(&mut command);
            outputs.command.send(command);
            self.waiting.push_back(Waiting {
                id: id(index),
                utterance_id: heard.utterance_id.clone(),
                function: call.function.clone(),
                since: tick.now,
            });
        }
        Some(id(0))
    }

    /// The first answer of the body ends the waiting. The command, where it was refused or failed.
    pub(super) fn answered(&mut self, result: &CommandResult) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.id == result.command_id)?;
        let waiting = self.waiting.remove(at)?;
        let well = matches!(result.status, CommandResult::ACCEPTED | CommandResult::DONE);
        (!well).then_some(waiting)
    }

    /// The next that nobody answered in its time.
    pub(super) fn overdue(&mut self, now: Time) -> Option<Waiting> {
        let crowded = self.waiting.len() > WAITING;
        let due = |waiting: &Waiting| crowded || now.since(waiting.since) > RESULT_WITHIN;
        if self.waiting.front().is_some_and(due) { self.waiting.pop_front() } else { None }
    }
}
