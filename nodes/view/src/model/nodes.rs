//! The nodes as their heartbeats tell of them.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use troika_host::heartbeat::{BEAT, LATENCY_EDGES_MS};
use troika_kit::Time;
use troika_msgs::troika::Heartbeat;

use super::{SHORT, age, clip};
use crate::words;

/// Nodes at once; the one that was silent for the longest gives its place up.
const MOST: usize = 64;
/// A node whose heartbeats stay out for so long is told as silent: two of them, and time for a third on its way.
pub(super) const SILENT: Duration = Duration::from_millis(3 * BEAT.as_millis() as u64);
/// One that is silent for so long is not shown any more.
const GONE: Duration = Duration::from_secs(600);

/// The last heartbeat of each.
#[derive(Debug, Default)]
pub(super) struct Nodes(BTreeMap<String, (Heartbeat, Time)>);

impl Nodes {
    /// Takes a heartbeat; whether its node has begun anew since the last.
    pub(super) fn beat(&mut self, mut beat: Heartbeat, now: Time) -> bool {
        beat.node = clip(&beat.node, SHORT);
        beat.reason = clip(&beat.reason, SHORT);
        beat.e2e = Vec::new();
        if self.0.len() >= MOST
            && !self.0.contains_key(&beat.node)
            && let Some(oldest) =
                self.0.iter().min_by_key(|(_, (_, came))| *came).map(|(node, _)| node.clone())
        {
            self.0.remove(&oldest);
        }
        let steps = beat.steps;
        let before = self.0.insert(beat.node.clone(), (beat, now));
        before.is_some_and(|(before, _)| before.steps > steps)
    }

    pub(super) fn state(&self, now: Time) -> Value {
        troika_safety::fulfils![SR_OBS_007];
        let micros = |us: u32| f64::from(us) / 1e3;
        let each = self.0.values().filter(|(_, came)| now.since(*came) < GONE).map(|(beat, came)| {
            json!({
                "node": beat.node, "age_s": age(*came, now), "silent": now.since(*came) > SILENT,
                "status": words::status(beat.status), "reason": beat.reason, "steps": beat.steps,
                "worked": beat.worked, "late": beat.late, "too_late": beat.too_late, "missed": beat.missed,
                "faults": beat.faults, "fall_backs": beat.fall_backs, "dropped": beat.dropped,
                "undecodable": beat.undecodable, "real_time": beat.real_time,
                "p50_ms": micros(beat.latency_p50_us), "p99_ms": micros(beat.latency_p99_us),
                "max_ms": micros(beat.latency_max_us), "counts": beat.latency_counts,
            })
        });
        json!({"edges_ms": LATENCY_EDGES_MS, "each": each.collect::<Vec<_>>()})
    }
}
