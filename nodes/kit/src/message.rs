//! What a message is to the rest: a named, hashed type with a CDR form. The types themselves live in `msgs/`.

use core::time::Duration;

/// A ROS 2 interface type, by name and by hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeInfo {
    /// `package/msg/Name`, for example `sensor_msgs/msg/Image`.
    pub name: &'static str,
    /// The REP 2011 hash, `RIHS01_` and 64 hexadecimal digits.
    pub hash: &'static str,
}

/// CDR that cannot be read as the type it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first four bytes name no encapsulation that we read (plain CDR, little or big endian).
    #[error("unknown CDR encapsulation")]
    Encapsulation,
    /// The bytes end before the value does.
    #[error("CDR ends before the value does")]
    Truncated,
    /// A sequence or string is longer than its bound or than the bytes that are left.
    #[error("a length in the CDR is over its bound")]
    Oversized,
    /// The bytes are no value of the type (a string that is no UTF-8, a bool that is 7).
    #[error("the CDR holds no value of the type")]
    Invalid,
}

/// A value that has no CDR form (a bounded sequence over its bound).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value has no CDR form")]
pub struct EncodeError;

/// A message type: what the transports carry.
pub trait Message: Clone + core::fmt::Debug + Default + PartialEq + Send + Sync + 'static {
    /// Name and hash.
    const TYPE: TypeInfo;

    /// Replaces `out` with the value's CDR: 4 bytes of encapsulation header (little endian), then the value. Allocates
    /// only when `out` is too small.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads a value from CDR with its encapsulation header. Never panics and never allocates more than a small
    /// multiple of `cdr.len()`.
    fn decode(cdr: &[u8]) -> Result<Self, DecodeError>;
}

/// A service: a request that is answered.
pub trait Service: Send + Sync + 'static {
    /// `package/srv/Name` and the service's own hash.
    const TYPE: TypeInfo;
    /// What is asked.
    type Request: Message;
    /// What is answered.
    type Response: Message;
}

/// What a publisher offers or a subscription asks for: ROS 2's policies, without those that only defer to the middleware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qos {
    /// Resend what was lost.
    pub reliable: bool,
    /// A late joiner gets the last `depth` samples.
    pub transient_local: bool,
    /// History depth (keep last).
    pub depth: u32,
    /// The longest time between two messages of a publisher; a longer one is told at both ends. None: any.
    pub deadline: Option<Duration>,
    /// The age from which on a message is not delivered any more. None: none.
    pub lifespan: Option<Duration>,
    /// What counts as a publisher's sign of life.
    pub liveliness: Liveliness,
    /// The longest time between two signs of a publisher's life; a longer one is told to its subscriptions. None: any.
    pub lease: Option<Duration>,
}

/// What counts as a publisher's sign of life (`rmw_qos_liveliness_policy_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Liveliness {
    /// That its process is there.
    #[default]
    Automatic,
    /// A message of its, or its word that it lives.
    ManualByTopic,
}

impl Qos {
    /// ROS 2's default profile: reliable, volatile, keep last 10.
    pub const DEFAULT: Qos = Qos {
        reliable: true,
        transient_local: false,
        depth: 10,
        deadline: None,
        lifespan: None,
        liveliness: Liveliness::Automatic,
        lease: None,
    };
    /// ROS 2's sensor-data profile: best effort, volatile, keep last 5.
    pub const SENSOR: Qos = Qos { reliable: false, depth: 5, ..Qos::DEFAULT };
}
