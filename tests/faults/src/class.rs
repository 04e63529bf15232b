//! What a class of faults is, and what came of one.

use troika_kit::Duration;
use troika_safety::Requirement;

use crate::sensing::Eyes;

/// What came of one injected fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How long after its onset it was noticed, or what it threatened was done all the same; none: nobody noticed it.
    pub noticed: Option<Duration>,
    /// What happened that must not.
    pub harm: Option<String>,
}

impl Verdict {
    /// Noticed so long after its onset.
    pub fn noticed(after: Duration) -> Verdict {
        Verdict { noticed: Some(after), harm: None }
    }

    /// As was found: when it was noticed, and what happened that must not.
    pub fn of(noticed: Option<Duration>, harm: Option<String>) -> Verdict {
        Verdict { noticed, harm }
    }
}

/// A reaction that is switched off to see whether the campaign notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Off {
    /// End-to-end checks find nothing: what was tampered with comes with a protection that is right.
    EndToEnd,
    /// The supervisor says nominal whatever it hears.
    Supervisor,
    /// The monitor's alerts do not leave.
    Alerts,
    /// The monitor clears what it raised when a message is garbage: its clearings are real, its raisings come again.
    Latch,
    /// The gates are told a speed of 0 km/h.
    Gates,
    /// The door forgets ids.
    Memory,
    /// The door does not look at a command's stamp.
    CommandAge,
    /// Readers of the safety state are not told it.
    SafeState,
    /// The door does not look at the age of signals.
    SignalAge,
    /// Nobody tells that a command has no result.
    NoResult,
    /// Every utterance is a new conversation with a new node: no count of commands.
    Rate,
    /// Every transcript is sure.
    Confidence,
    /// The microphone's watch hears good sound.
    Microphone,
    /// A frame's age is not looked at.
    FrameAge,
    /// A node's fall-backs do not leave.
    FallBacks,
    /// A model is what its passport says, whatever it is.
    Passport,
    /// What the cloud sends is not bounded: all of it is said.
    StreamBounds,
    /// A cloud that stalls is waited for.
    Patience,
    /// What is private is told to be public.
    Privacy,
    /// Who decides is believed, and the answer to a question without a decision is left out.
    Undecided,
    /// A tool that does not exist does something.
    Tools,
    /// An outbox on a full disk says that it took what it did not.
    DiskFull,
}

/// Where the faults of a class are injected.
pub struct Ground<'a> {
    /// What is switched off.
    pub off: Option<Off>,
    /// Pictures and networks, made once.
    pub eyes: &'a Eyes,
}

impl Ground<'_> {
    /// Whether this reaction is switched off.
    pub fn without(&self, off: Off) -> bool {
        self.off == Some(off)
    }
}

/// Injects some faults of a class: each gives a verdict.
pub type Inject = fn(&Ground<'_>, &mut Dice) -> anyhow::Result<Vec<Verdict>>;

/// A class of faults; `I` injects them: in virtual time, or into real processes ([`crate::live`]).
#[derive(Clone, Copy)]
pub struct Class<I = Inject> {
    /// Its name: what it befalls, and what the fault is.
    pub name: &'static str,
    /// What is injected.
    pub fault: &'static str,
    /// What counts as noticed, and what is done then.
    pub reaction: &'static str,
    /// What would be unsafe.
    pub harm: &'static str,
    /// What demands the reaction.
    pub requirement: Requirement,
    /// The reaction's limit, after the onset.
    pub limit: Duration,
    /// Why nothing notices it today, with the failure's id in `safety/analysis/failures.toml` where it has one. Without: the reaction is claimed.
    pub gap: Option<&'static str>,
    /// Calls a round: what costs little is done more often.
    pub times: u64,
    /// Does it.
    pub inject: I,
}

/// Chance: the same for the same seed, class and round, on every machine.
#[derive(Debug, Clone)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Of a campaign's seed, a class and a round.
    pub fn new(seed: u64, class: &str, round: u64) -> Dice {
        let named = class.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let seed = seed.rotate_left(32) ^ named ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Dice(fastrand::Rng::with_seed(seed))
    }

    /// A whole number below `below`, which is 1 or more.
    pub fn below(&mut self, below: usize) -> usize {
        self.0.usize(0..below.max(1))
    }

    /// One of these; the list is never empty.
    pub fn one_of<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.f32()
    }

    /// A time from `low` to `high` ms.
    pub fn ms(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.0.u64(low..=high))
    }

    /// Heads.
    pub fn coin(&mut self) -> bool {
        self.0.bool()
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        self.0.shuffle(of);
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.0.u8(..)
    }
}
