//! The disk under what waits for a link.

use troika_kit::Duration;
use troika_safety as sr;

use crate::{class::Class, storage};

/// See the table of the room's README.
pub(super) const CLASSES: &[Class] = &[Class {
    name: "disk.full",
    fault: "the disk is full from any one write on",
    reaction: "who puts something in is told, and more is taken when there is room again",
    harm: "what was acknowledged is gone after a restart",
    requirement: sr::SR_OUT_003,
    limit: Duration::from_millis(1),
    gap: None,
    times: 2,
    inject: storage::full,
}];
