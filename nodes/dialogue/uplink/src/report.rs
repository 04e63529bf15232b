//! What the fleet's page is told of the vehicle, and how often. States and numbers: no word that was said, no image, and of the driver one word,
//! where the vehicle's owner wants that told.

use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;
use troika_kit::{Duration, Time};
use troika_msgs::troika::{DialogueReply, DriverAlert, DriverState, LinkState, RoutingDecision};

use crate::{
    config::ReportConfig,
    link::{SILENT, Way},
};

/// Who answered longer ago answers now no more; the latency is of as long.
const RECENT: Duration = Duration::from_secs(60);
/// Answers in that time, at most: one a fraction of a second is no driver.
const MOST_ANSWERS: usize = 256;
/// Questions that have no answer yet, at most.
const MOST_ASKED: usize = 64;
/// What goes around a report, bytes: the request's head, the answer's, what TLS adds to both.
const AROUND: u64 = 400;
const DAY: u64 = 86_400_000_000_000;

/// A report as it goes: `POST /v1/vehicle/report`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    link: &'static str,
    rtt_ms: Option<f32>,
    down_kbps: Option<f32>,
    tier: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver_state: Option<&'static str>,
    latency_ms: Option<f32>,
    errors: u64,
    cost_micro_euro: u64,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Facts {
    link: Option<(Time, LinkState)>,
    tier: Option<(Time, u8)>,
    asked: VecDeque<(String, Time)>,
    answered: VecDeque<(Time, f32)>,
    errors: u64,
    cost: (u64, u64),
    /// Since the last report, how many frames showed each state.
    driver: [u64; 4],
    raised: BTreeSet<u8>,
}

impl Facts {
    /// The link.
    pub fn link(&mut self, now: Time, link: LinkState) {
        self.link = Some((now, link));
    }

    /// The link as it was heard last, and when.
    pub fn heard(&self) -> Option<&(Time, LinkState)> {
        self.link.as_ref()
    }

    /// Somebody is to answer.
    pub fn decision(&mut self, decision: &RoutingDecision) {
        if self.asked.len() == MOST_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((decision.request_id.clone(), decision.header.time()));
    }

    /// Somebody answers.
    pub fn reply(&mut self, now: Time, reply: &DialogueReply) {
        if !reply.text.is_empty() {
            self.tier = Some((now, reply.tier));
            if let Some(at) = self.asked.iter().position(|(id, _)| *id == reply.request_id)
                && let Some((_, since)) = self.asked.remove(at)
            {
                self.forget(now);
                if self.answered.len() == MOST_ANSWERS {
                    self.answered.pop_front();
                }
                self.answered.push_back((now, reply.header.time().since(since).as_secs_f32() * 1e3));
            }
        }
        if reply.done {
            self.asked.retain(|(id, _)| *id != reply.request_id);
            self.errors += u64::from(reply.outcome == DialogueReply::FAILED);
            self.cost = (day(now), self.cost(now) + u64::from(reply.cost_microeuro));
        }
    }

    /// One frame's word on the driver.
    pub fn driver(&mut self, driver: &DriverState) {
        if let Some(count) = self.driver.get_mut(usize::from(driver.state)) {
            *count += 1;
        }
    }

    /// A warning is raised, or cleared.
    pub fn alert(&mut self, alert: &DriverAlert) {
        match alert.phase {
            DriverAlert::RAISED => drop(self.raised.insert(alert.kind)),
            DriverAlert::CLEARED => drop(self.raised.remove(&alert.kind)),
            _ => {}
        }
    }

    /// Something failed.
    pub fn failed(&mut self) {
        self.errors += 1;
    }

    /// Millionths of a euro that answers cost today (UTC).
    fn cost(&self, now: Time) -> u64 {
        if self.cost.0 == day(now) { self.cost.1 } else { 0 }
    }

    fn forget(&mut self, now: Time) {
        while self.answered.front().is_some_and(|(at, _)| now.since(*at) >= RECENT) {
            self.answered.pop_front();
        }
    }

    /// What is told now. `delivered_cost`: what deliveries cost today; `driver`: whether the driver's state is told.
    pub fn report(&mut self, now: Time, delivered_cost: u64, driver: bool) -> Report {
        self.forget(now);
        let link = self.link.as_ref().filter(|(at, _)| now.since(*at) < SILENT).map(|(_, link)| link);
        let number = |value: f32| (value.is_finite() && value >= 0.0).then_some(value);
        let tier = self.tier.filter(|(at, _)| now.since(*at) < RECENT).map(|(_, tier)| tier);
        troika_safety::fulfils![SR_RTE_012];
        let frames = std::mem::take(&mut self.driver);
        Report {
            link: match link.map(|link| link.state) {
                Some(LinkState::UP) => "up",
                Some(LinkState::DOWN) => "down",
                _ => "unknown",
            },
            rtt_ms: link.and_then(|link| number(link.rtt_ms)),
            down_kbps: link.and_then(|link| number(link.down_kbps)),
            tier: match tier {
                Some(DialogueReply::VEHICLE) => "vehicle",
                Some(DialogueReply::ON_VEHICLE) => "on_vehicle",
                Some(DialogueReply::CLOUD) => "cloud",
                Some(DialogueReply::CANNED) => "canned",
                _ => "none",
            },
            driver_state: driver.then(|| summary(&self.raised, frames)),
            latency_ms: median(self.answered.iter().map(|(_, ms)| *ms).collect()),
            errors: self.errors,
            cost_micro_euro: self.cost(now) + delivered_cost,
        }
    }
}

/// One word on the driver: what a warning says while one is raised, else what most frames since the last report showed. A glance into a mirror
/// is no news; no frame, or a camera that sees no face, is *unknown*.
fn summary(raised: &BTreeSet<u8>, frames: [u64; 4]) -> &'static str {
    let any = |kinds: &[u8]| kinds.iter().any(|kind| raised.contains(kind));
    if any(&[DriverAlert::SLEEP, DriverAlert::MICROSLEEP, DriverAlert::UNRESPONSIVE]) {
        return "eyes_closed";
    }
    if any(&[DriverAlert::LONG_DISTRACTION, DriverAlert::REPEATED_GLANCES, DriverAlert::PHONE_USE]) {
        return "looking_away";
    }
    let most = frames.iter().enumerate().filter(|(_, count)| **count > 0).max_by_key(|(_, count)| **count);
    match most.and_then(|(state, _)| u8::try_from(state).ok()) {
        _ if any(&[DriverAlert::MONITORING_UNAVAILABLE]) => "unknown",
        Some(DriverState::ATTENTIVE) => "attentive",
        Some(DriverState::LOOKING_AWAY) => "looking_away",
        Some(DriverState::EYES_CLOSED) => "eyes_closed",
        _ => "unknown",
    }
}

fn median(mut all: Vec<f32>) -> Option<f32> {
    all.sort_by(f32::total_cmp);
    all.get(all.len().saturating_sub(1) / 2).copied()
}

fn day(now: Time) -> u64 {
    now.as_nanos() / DAY
}

/// When a report is due.
#[derive(Debug)]
pub struct Schedule {
    config: ReportConfig,
    last: Option<Time>,
    /// The day, and its bytes.
    spent: (u64, u64),
    /// Bytes of the last one: so will the next be.
    size: u64,
}

impl Schedule {
    /// By these settings.
    pub fn new(config: ReportConfig) -> Schedule {
        Schedule { config, last: None, spent: (0, 0), size: AROUND }
    }

    /// Bytes of today.
    pub fn spent(&self, now: Time) -> u64 {
        if self.spent.0 == day(now) { self.spent.1 } else { 0 }
    }

    /// When the next is due over this link: each `report_s`, on a link that is poor or costs each `thrift_s`, and never so often that the day's
    /// bytes would end before the day.
    pub fn due(&self, now: Time, way: Way) -> Time {
        let Some(last) = self.last else { return now };
        let own = Duration::from_secs(if way.easy() { self.config.report_s } else { self.config.thrift_s });
        let tomorrow = Time::from_nanos((day(now) + 1) * DAY);
        let left = self.config.bytes_a_day.saturating_sub(self.spent(now));
        match left / self.size {
            0 => tomorrow.max(last + own),
            more => last + own.max(tomorrow.since(now) / u32::try_from(more).unwrap_or(u32::MAX)),
        }
    }

    /// It goes.
    pub fn goes(&mut self, now: Time, body: usize) {
        self.last = Some(now);
        self.size = body as u64 + AROUND;
        self.spent = (day(now), self.spent(now) + self.size);
    }
}

#[cfg(test)]
mod tests;
