//! The link's edge on a link that is simulated: probes go through it, and what they showed comes back when it would.

use std::sync::Arc;

use troika_link::{Bearer, Coverage, Edge, Kind, Metered, Probe, Sample};
use troika_router::simulate::{Air, sent};

/// Seconds of virtual time since the link's own time began.
pub type Clock = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The edge of [`troika_link::LinkNode`]: a mobile link that is paid by the byte.
pub struct AirEdge {
    air: Air,
    clock: Clock,
    /// When it is over, its number and what it shows.
    under_way: Option<(f64, u64, Sample)>,
}

impl AirEdge {
    /// With nothing under way.
    pub fn new(air: Air, clock: Clock) -> AirEdge {
        AirEdge { air, clock, under_way: None }
    }
}

impl Edge for AirEdge {
    fn can_probe(&self) -> bool {
        true
    }

    fn start(&mut self, number: u64, probe: Probe) {
        let (over, sample) = sent(&self.air, (self.clock)(), probe);
        self.under_way = Some((over, number, sample));
    }

    fn take(&mut self) -> Option<(u64, Sample)> {
        let now = (self.clock)();
        self.under_way.take_if(|(over, ..)| *over <= now).map(|(_, number, sample)| (number, sample))
    }

    fn bearer(&mut self) -> Bearer {
        Bearer { kind: Kind::Cellular, metered: Metered::Yes }
    }

    fn keep(&mut self, _: &Coverage) {}
}
