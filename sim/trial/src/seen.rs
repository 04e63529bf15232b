//! What was seen while a scenario ran.

use troika_msgs::troika::{
    CommandResult, DialogueReply, DriverAlert, DriverState, DriverTruth, RoutingDecision, SafetyState,
    VehicleCommand, VehicleSignals, VoiceReply,
};

/// A message, when it was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<T> {
    /// Seconds since the scenario began.
    pub at: f64,
    /// It.
    pub value: T,
}

/// What a node did, by its own count.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeSeen {
    /// As the system calls it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Steps, in all; none while its process was gone.
    pub steps: u64,
    /// Results after the deadline.
    pub missed: u64,
    /// Fall-backs, those that were said in its place too.
    pub fall_backs: u64,
    /// Of these, those that its stand-in said while its process was gone.
    pub stood_in: u64,
    /// From the release to the start, the longest, ms.
    pub lateness_ms: f64,
    /// The level that it ended at: 0 is the dearest.
    pub level: u64,
    /// Changes of its level.
    pub level_changes: u64,
}

/// A network that was offered in the place of one that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The one that ran.
    pub model: String,
    /// Why it was refused, or was not taken; none: it runs.
    pub refused: Option<String>,
}

/// Everything that expectations look at, each topic in time's order.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// How long it ran, s.
    pub seconds: f64,
    /// /cabin/driver_alert
    pub alerts: Vec<Event<DriverAlert>>,
    /// /cabin/driver_state
    pub states: Vec<Event<DriverState>>,
    /// /vehicle/signals
    pub signals: Vec<Event<VehicleSignals>>,
    /// The monitor's profiles.
    pub profiles: Vec<String>,
    /// From this confidence of a driver state on its monitor takes sensing for nominal.
    pub nominal_confidence: f32,
    /// /safety/state
    pub safety: Vec<Event<SafetyState>>,
    /// /sim/driver_truth
    pub truths: Vec<Event<DriverTruth>>,
    /// The alerts that the same rules raise on the truth, by when their limits pass.
    pub due: Vec<Event<DriverAlert>>,
    /// When glare blinded the camera: from and to, s.
    pub blinded: Vec<(f64, f64)>,
    /// /voice/command
    pub commands: Vec<Event<VehicleCommand>>,
    /// /vehicle/command_result
    pub results: Vec<Event<CommandResult>>,
    /// /voice/reply
    pub speech: Vec<Event<VoiceReply>>,
    /// /dialogue/decision
    pub decisions: Vec<Event<RoutingDecision>>,
    /// /dialogue/reply
    pub replies: Vec<Event<DialogueReply>>,
    /// Networks that were offered.
    pub swaps: Vec<Event<Swap>>,
    /// What the cloud was told, word for word.
    pub left: String,
    /// The nodes.
    pub nodes: Vec<NodeSeen>,
}
