//! The node as a step: replies and activity in, orders to a [`Mouth`] and what it plays out.

use std::path::Path;

use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Out, Step, Tick, Time, Wake, ports,
    requirements as sr,
};
use troika_msgs::{
    std_msgs::{self, Header},
    troika::{AudioChunk, VoiceActivity, VoiceReply},
};

use crate::{
    config::{BargeIn, Config, ConfigError},
    speaker::{Clock, Speaker},
    track::Played,
    turns::{Act, Turns},
};

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// What the assistant says.
        reply: Events<VoiceReply, 16> = "/voice/reply",
        /// Who speaks.
        activity: Events<VoiceActivity, 16> = "/voice/activity",
        /// Silence, please: what is being said and what waits is let go. A button on the steering wheel; its text says who asks.
        cancel: Events<std_msgs::String, 4> = "/voice/cancel",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// What leaves the loudspeaker, as it does: by it the microphone's end tells an echo from a voice.
        playback: Out<AudioChunk, 16> = "/voice/playback",
    }
}

/// Trouble that lasts faults this often, so that each heartbeat shows it.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Who speaks: the shell of this node.
#[cfg_attr(test, mockall::automock)]
pub trait Mouth: Send {
    /// Begins to say a text under a number; what it was saying, it says no more.
    fn say(&mut self, number: u64, text: &str);
    /// Falls silent.
    fn hush(&mut self);
    /// What was said to its end, or could not be said, since the last call.
    fn said(&mut self) -> Option<u64>;
    /// What was played since the last call, with its samples a second.
    fn played(&mut self) -> Option<(u32, Played)>;
    /// What is wrong, if anything is.
    fn trouble(&mut self) -> Option<String>;
}

/// Why the node was not made. A sound card or a voice that is missing is no reason: it may come, and it is told.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// A parameter cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No thread.
    #[error("no thread to speak on: {0}")]
    Thread(#[from] std::io::Error),
}

/// The node.
pub struct SpeechNode {
    turns: Turns,
    mouth: Box<dyn Mouth>,
    told: Option<Time>,
    reasons: Reasons,
}

/// Texts that a fault can carry. They stay for good, so there is a bound.
#[derive(Default)]
struct Reasons(Vec<&'static str>);

impl Reasons {
    const MOST: usize = 16;

    fn of(&mut self, reason: &str) -> &'static str {
        if let Some(same) = self.0.iter().find(|known| **known == reason) {
            return same;
        }
        if self.0.len() == Self::MOST {
            return "speech";
        }
        let kept: &'static str = reason.to_owned().leak();
        self.0.push(kept);
        kept
    }
}

impl SpeechNode {
    /// The node with a voice of `store` (none, and why, where there is no place for models), paths from `base`, and the host's
    /// clock. Its threads run from here on; the voice is loaded by one of them.
    ///
    /// # Errors
    /// See [`SpeechError`].
    pub fn new(
        config: &Config,
        store: Result<troika_models::Store, String>,
        base: &Path,
        clock: Clock,
    ) -> Result<SpeechNode, SpeechError> {
        config.check(base)?;
        let speaker = Speaker::start(config, store, base, clock)?;
        Ok(SpeechNode::with_mouth(config, Box::new(speaker)))
    }

    /// The node with this mouth.
    pub fn with_mouth(config: &Config, mouth: Box<dyn Mouth>) -> SpeechNode {
        let turns = Turns::new(config.barge_in == BargeIn::Voice);
        SpeechNode { turns, mouth, told: None, reasons: Reasons::default() }
    }

    /// What came since the last step, in the order of its arrival.
    fn take_in(&mut self, now: Time, inputs: &Inputs) -> bool {
        enum Came<'a> {
            Reply(&'a VoiceReply),
            Activity(bool),
            Cancel,
        }
        let replies = inputs.reply.iter().map(|one| (one.received, Came::Reply(&one.value)));
        let activity = inputs.activity.iter().map(|one| (one.received, Came::Activity(one.value.speaking)));
        let cancels = inputs.cancel.iter().map(|one| (one.received, Came::Cancel));
        let mut all: Vec<(Time, Came<'_>)> = replies.chain(activity).chain(cancels).collect();
        all.sort_by_key(|(received, _)| *received);
        for (_, came) in &all {
            match came {
                Came::Reply(reply) => self.turns.reply(now, reply),
                Came::Activity(speaking) => self.turns.activity(now, *speaking),
                Came::Cancel => self.turns.cancel(),
            }
        }
        !all.is_empty()
    }
}

impl Step for SpeechNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    /// A timer: the mouth's news come by themselves. Of the 100 ms in which it is to be silent (SR-VOI-005), a step takes 10 at
    /// most, the sound card's buffers 40, the fade 5.
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "speech",
        wake: Wake::Period,
        period: Duration::from_millis(10),
        deadline: Duration::from_millis(10),
        budget: Duration::from_millis(4),
        class: Class::Best,
        requirements: &[sr::SR_VOI_005],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        // What was said to its end before somebody spoke was not broken off by that.
        while let Some(number) = self.mouth.said() {
            self.turns.said(number);
        }
        let mut worked = self.take_in(tick.now, inputs);
        while let Some(act) = self.turns.next(tick.now) {
            worked = true;
            match act {
                Act::Say { number, text } => self.mouth.say(number, &text),
                Act::Hush(why) => {
                    self.mouth.hush();
                    tracing::info!(?why, "broken off");
                }
            }
        }
        while let Some((rate, played)) = self.mouth.played() {
            worked = true;
            outputs.playback.send(chunk(rate, &played));
        }
        let due = !worked && self.told.is_none_or(|told| tick.now.since(told) >= TOLD_EVERY);
        if due && let Some(trouble) = self.mouth.trouble() {
            self.told = Some(tick.now);
            return Err(Fault::Unavailable(self.reasons.of(&trouble)));
        }
        Ok(if worked { Done::Worked } else { Done::Idle })
    }

    /// Nothing: what is being said goes on.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}

fn chunk(rate: u32, played: &Played) -> AudioChunk {
    AudioChunk {
        header: Header::at(played.at),
        sample_rate: rate,
        channels: 1,
        samples: played.samples.iter().map(|sample| (sample * 32_767.0) as i16).collect(),
    }
}

#[cfg(test)]
mod tests;
