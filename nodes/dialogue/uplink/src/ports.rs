//! The topics of the process.

use troika_kit::{Events, Latest, Out, ports};
use troika_msgs::troika::{
    DialogueReply, DriverAlert, DriverState, LinkSample, LinkState, OutboxItem, OutboxReceipt,
    RoutingDecision,
};

ports! {
    /// What the process reads.
    pub struct Inputs {
        /// What may wait.
        item: Events<OutboxItem, 64> = "/cloud/outbox",
        /// The link.
        link: Latest<LinkState> = "/link/state",
        /// When an answer was asked for.
        decision: Events<RoutingDecision, 8> = "/dialogue/decision",
        /// Who answers, how soon, and what it cost.
        reply: Events<DialogueReply, 256> = "/dialogue/reply",
        /// The driver, for the report's one word on it.
        driver: Latest<DriverState> = "/cabin/driver_state",
        /// What the driver is warned of.
        alert: Events<DriverAlert, 16> = "/cabin/driver_alert",
    }
}

ports! {
    /// What the process says.
    pub struct Outputs {
        /// What became of what may wait.
        receipt: Out<OutboxReceipt, 256> = "/cloud/outbox_receipt",
        /// Whether the link carried what was sent.
        sample: Out<LinkSample, 16> = "/link/sample",
    }
}
