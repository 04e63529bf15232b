//! A node's evidence of life and of lateness (SR-TIM-004): its counts, and its latency over the last 10 s, published from an
//! ordinary thread. A supervisor in another process acts on its absence.

use std::{sync::Arc, time::Duration};

use troika_kit::{Message, Qos, Time};
use troika_msgs::{protect::Seal, std_msgs::Header, troika::Heartbeat};
use troika_transport::{NodeHandle, Publisher, TransportError};

use crate::{
    clock::Clock,
    stats::{Record, Status},
    sync::Snapshot,
};

/// Where heartbeats are published.
pub const TOPIC: &str = "/troika/heartbeat";

/// Heartbeats are this far apart: at least once a second, with 100 ms of room for a loaded machine.
pub const BEAT: Duration = Duration::from_millis(900);

/// Publishes one node's heartbeats.
pub(crate) struct Beater {
    publisher: Box<dyn Publisher>,
    record: Arc<Record>,
    clock: Clock,
    seal: Seal<Heartbeat>,
    buffer: Vec<u8>,
}

impl Beater {
    pub(crate) fn declare(
        handle: &dyn NodeHandle,
        record: Arc<Record>,
        clock: Clock,
    ) -> Result<Self, TransportError> {
        let publisher = handle.publisher(TOPIC, Heartbeat::TYPE, Qos::DEFAULT)?;
        let seal = Seal::new(&record.node);
        Ok(Beater { publisher, record, clock, seal, buffer: Vec::new() })
    }

    /// Its process is another one from here on, which numbers its own.
    pub(crate) fn begin_anew(&mut self) {
        self.seal = Seal::new(&self.record.node);
    }

    /// Publishes the next one. What the transport refuses is counted with the node's own puts.
    pub(crate) fn beat(&mut self) {
        let now = self.clock.now();
        let mut message = message(&self.record, now);
        if self.seal.seal(&mut message).is_ok()
            && message.encode(&mut self.buffer).is_ok()
            && let Err(why) = self.publisher.put(&self.buffer, now)
        {
            self.record.put_failed(why.to_string());
        }
    }
}

fn message(record: &Record, now: Time) -> Heartbeat {
    troika_safety::fulfils![SR_TIM_004];
    let beat = record.beat(now);
    let cells = &record.cells;
    Heartbeat {
        header: Header::at(now),
        node: record.node.clone(),
        status: match beat.status {
            Status::Ok => Heartbeat::OK,
            Status::Degraded => Heartbeat::DEGRADED,
            Status::Unavailable => Heartbeat::UNAVAILABLE,
        },
        reason: beat.reason,
        steps: cells.steps.get(),
        worked: cells.worked.get(),
        late: cells.late.get(),
        too_late: cells.too_late.get(),
        missed: cells.missed.get(),
        faults: cells.faults.get(),
        fall_backs: cells.fall_backs.get(),
        dropped: record.dropped(),
        undecodable: cells.undecodable.get(),
        latency_p50_us: micros(beat.latency.quantile(0.5)),
        latency_p99_us: micros(beat.latency.quantile(0.99)),
        latency_max_us: micros(beat.latency.max()),
        latency_counts: latency_counts(&beat.latency),
        real_time: cells.real_time.get(),
        ..Heartbeat::default()
    }
}

/// The edges between the ranges of `latency_counts`, milliseconds.
pub const LATENCY_EDGES_MS: [u64; 11] = [1, 2, 3, 5, 8, 12, 17, 25, 33, 50, 100];

fn latency_counts(latency: &Snapshot) -> [u32; 12] {
    let ranges = latency.ranges(&LATENCY_EDGES_MS.map(Duration::from_millis));
    std::array::from_fn(|index| ranges.get(index).map_or(0, |count| (*count).min(u64::from(u32::MAX)) as u32))
}

/// Microseconds, at most what the field holds (71 minutes).
fn micros(duration: Duration) -> u32 {
    duration.as_micros().min(u128::from(u32::MAX)) as u32
}
