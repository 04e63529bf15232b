//! What waits.

use serde::{Deserialize, Serialize};
use troika_kit::{Duration, Time};

/// What goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody waits for it: a message that the driver dictated.
    Urgent,
    /// A question "tell me when you know".
    Normal,
    /// A summary that anybody may read tomorrow.
    Bulk,
}

impl Priority {
    /// All of them, the first first.
    pub const ALL: [Priority; 3] = [Priority::Urgent, Priority::Normal, Priority::Bulk];

    pub(crate) fn rank(self) -> u8 {
        match self {
            Priority::Urgent => 0,
            Priority::Normal => 1,
            Priority::Bulk => 2,
        }
    }

    /// Of room and budgets, how many hundredths it may use, so that something is left for what is more urgent.
    pub(crate) fn share(self) -> u64 {
        match self {
            Priority::Urgent => 100,
            Priority::Normal => 80,
            Priority::Bulk => 50,
        }
    }
}

/// What is to be put into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// The idempotency key: the same for the same thing, however often it is put or sent. 1 to 128 bytes.
    pub key: String,
    /// What it is, for who delivers it. At most 64 bytes.
    pub kind: String,
    /// What goes first.
    pub priority: Priority,
    /// After so long it is worth nothing and is not sent any more.
    pub lives: Duration,
    /// What one delivery costs beside its bytes, in millionths of the budget's unit.
    pub cost: u64,
    /// What is delivered.
    pub payload: Vec<u8>,
}

/// What is to be delivered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the queue; [`crate::Outbox::delivered`] wants it.
    pub id: u64,
    /// See [`New::key`]. Goes along with the delivery.
    pub key: String,
    /// See [`New::kind`].
    pub kind: String,
    /// See [`New::priority`].
    pub priority: Priority,
    /// Worth nothing from then on.
    pub expires: Time,
    /// The how manyth try this is, from 1.
    pub tries: u32,
    /// See [`New::cost`].
    pub cost: u64,
    /// What is delivered.
    pub payload: Vec<u8>,
}

/// What waits, as far as who chooses what goes needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// See [`New::key`].
    pub key: &'a str,
    /// See [`New::kind`].
    pub kind: &'a str,
    /// See [`New::priority`].
    pub priority: Priority,
    /// Worth nothing from then on.
    pub expires: Time,
    /// Tries so far.
    pub tries: u32,
    /// See [`New::cost`].
    pub cost: u64,
    /// Bytes of the payload.
    pub bytes: u64,
}

/// What a try takes of the day's budgets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// Bytes, with what goes around the payload.
    pub bytes: u64,
    /// In millionths of the budget's unit.
    pub cost: u64,
}

/// How much is taken at once. The first that does not fit ends it, so that nothing small goes past something large for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Items.
    pub items: usize,
    /// Bytes of all of them, as charged.
    pub bytes: u64,
    /// Bytes of the first, which may have more than `bytes`.
    pub first: u64,
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The other end has said that it has it.
    Delivered,
    /// It is tried again after a while that doubles, and not before this is over.
    Failed(Option<Duration>),
    /// Nothing is known against it: it is tried again as soon as may be.
    Again,
    /// It can never be delivered: it and its key are forgotten.
    Hopeless,
}

/// As it is in the file, beside the payload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) priority: Priority,
    pub(crate) expires_ns: u64,
    pub(crate) not_before_ns: u64,
    pub(crate) tries: u32,
    pub(crate) cost: u64,
    pub(crate) bytes: u64,
    /// Who put it ([`crate::Outbox::belongs_to`]); empty: whoever delivers.
    #[serde(default)]
    pub(crate) owner: String,
}

impl Head {
    /// Whether who is called so may deliver it.
    pub(crate) fn goes_for(&self, who: &str) -> bool {
        self.owner.is_empty() || self.owner == who
    }

    /// Whether it may be tried at this time, given the longest wait after a try.
    pub(crate) fn due(&self, now: Time, longest: Duration) -> bool {
        // No try asks for a longer wait: what is further away was said by a clock that was ahead.
        self.not_before_ns <= now.as_nanos() || self.not_before_ns > (now + longest).as_nanos()
    }

    pub(crate) fn waiting(&self) -> Waiting<'_> {
        Waiting {
            key: &self.key,
            kind: &self.kind,
            priority: self.priority,
            expires: Time::from_nanos(self.expires_ns),
            tries: self.tries,
            cost: self.cost,
            bytes: self.bytes,
        }
    }
}
