//! The outbox's file, the rules and the report put together: what comes and what the gateway says in, receipts and what is to be sent out. Time is
//! an argument, and the file the only I/O.
//!
//! One exchange at a time. What an answer settles and the disk does not take is said to the disk again, and is not sent again meanwhile.

use troika_dialogue::Fault;
use troika_kit::{Duration, Time};
use troika_link::{Sample, Source};
use troika_msgs::{
    std_msgs::Header,
    troika::{
        DialogueReply, DriverAlert, DriverState, LinkSample, LinkState, OutboxItem, OutboxReceipt,
        RoutingDecision,
    },
};
use troika_outbox::{Charge, Item, Most, Outbox, OutboxError, Outcome, Priority, Put, Waiting};

use crate::{
    answers::{Meaning, Then, meaning},
    config::{DeliveryConfig, UplinkConfig},
    item,
    link::{Quality, Way},
    pace::{Pause, Window},
    report::{Facts, Schedule},
};

/// What waits for its next try is looked at again so often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// After an error of the disk.
const DISK_AGAIN: Duration = Duration::from_secs(5);
/// What has expired is looked for so often.
const EXPIRE: Duration = Duration::from_secs(5);
/// The brackets of a batch.
const BRACKETS: u64 = 2;

/// One request to the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Below `/v1`.
    pub path: &'static str,
    /// JSON.
    pub body: String,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq)]
pub enum Out {
    /// On /cloud/outbox_receipt.
    Receipt(OutboxReceipt),
    /// On /link/sample.
    Sample(LinkSample),
    /// What somebody should know, said once until it changes.
    Told(String),
}

enum Flying {
    Batch(Vec<Item>),
    Report,
}

/// The whole of it.
pub struct Sender {
    outbox: Outbox,
    config: DeliveryConfig,
    driver: bool,
    reports: Option<Schedule>,
    facts: Facts,
    window: Window,
    pause: Pause,
    /// Items at once, at most: fewer after a batch that was refused, until the one that is wrong is found.
    items: usize,
    flying: Option<Flying>,
    unsettled: Vec<(u64, Outcome)>,
    look_at: Time,
    expire_at: Time,
    disk_at: Time,
    gateway: String,
    gateway_told: Told,
    disk_told: Told,
}

/// What was told last, so that it is said where it changes and not each time.
#[derive(Default)]
struct Told(String);

impl Told {
    fn say(&mut self, told: &str, out: &mut Vec<Out>) {
        if self.0 != told {
            told.clone_into(&mut self.0);
            out.push(Out::Told(told.to_owned()));
        }
    }

    fn over(&mut self, told: &str, out: &mut Vec<Out>) {
        if !std::mem::take(&mut self.0).is_empty() {
            out.push(Out::Told(told.to_owned()));
        }
    }
}

impl Sender {
    /// Of a file that is open.
    pub fn new(outbox: Outbox, config: &UplinkConfig) -> Sender {
        let delivery = config.delivery;
        let ms = Duration::from_millis;
        Sender {
            outbox,
            config: delivery,
            driver: config.report.driver_state,
            reports: (config.report.report_s > 0).then(|| Schedule::new(config.report)),
            facts: Facts::default(),
            window: Window::new(delivery.bytes_a_minute),
            pause: Pause::new(ms(delivery.pause_first_ms), ms(delivery.pause_longest_ms)),
            items: usize::try_from(delivery.batch_items).unwrap_or(1),
            flying: None,
            unsettled: Vec::new(),
            look_at: Time::ZERO,
            expire_at: Time::ZERO,
            disk_at: Time::ZERO,
            gateway: config.cloud.url.clone(),
            gateway_told: Told::default(),
            disk_told: Told::default(),
        }
    }

    /// The link.
    pub fn link(&mut self, now: Time, link: LinkState) {
        let before = Way::of(now, self.facts.heard());
        self.facts.link(now, link);
        let way = Way::of(now, self.facts.heard());
        if (way.quality, way.free) != (before.quality, before.free) {
            self.look_at = now;
        }
        if before.quality == Quality::Closed && way.quality != Quality::Closed {
            self.pause.lift();
        }
    }

    /// Who the gateway takes us for: what is put from here on is theirs alone, and what somebody else put is held back.
    pub fn belongs_to(&mut self, now: Time, who: Option<&str>) -> Vec<Out> {
        let mut out = Vec::new();
        self.outbox.belongs_to(who.unwrap_or_default());
        match self.outbox.held_back() {
            Ok(others) => out.extend(others.iter().map(|(other, count)| Out::Told(held(other, *count, who)))),
            Err(error) => self.disk(now, &error, &mut out),
        }
        out
    }

    /// The files that lead to the gateway are others than before, and fit: the next try is now, whatever was waited for.
    pub fn renewed(&mut self, now: Time) -> Vec<Out> {
        let mut out = Vec::new();
        self.pause.mended(now);
        self.look_at = now;
        if let Err(error) = self.outbox.hurry(now) {
            self.disk(now, &error, &mut out);
        }
        out
    }

    /// Somebody is to answer.
    pub fn decision(&mut self, decision: &RoutingDecision) {
        self.facts.decision(decision);
    }

    /// Somebody answers.
    pub fn reply(&mut self, now: Time, reply: &DialogueReply) {
        self.facts.reply(now, reply);
    }

    /// One frame's word on the driver.
    pub fn driver(&mut self, driver: &DriverState) {
        self.facts.driver(driver);
    }

    /// The driver is warned.
    pub fn alert(&mut self, alert: &DriverAlert) {
        self.facts.alert(alert);
    }

    /// Something that may wait. Its receipt says `queued` when it is on the disk.
    pub fn item(&mut self, now: Time, item: &OutboxItem) -> Out {
        let refused = |reason: u8, told: String| OutboxReceipt {
            state: OutboxReceipt::REFUSED,
            reason,
            told,
            ..receipt(now, &item.key)
        };
        let put = item::kept(item).map(|new| self.outbox.put(now, &new));
        let of = |state| OutboxReceipt { state, ..receipt(now, &item.key) };
        Out::Receipt(match put {
            Ok(Ok(Put::Queued(_))) => {
                self.look_at = now;
                if item.priority == OutboxItem::URGENT {
                    self.pause.wanted();
                }
                of(OutboxReceipt::QUEUED)
            }
            Ok(Ok(Put::Waits(_))) => of(OutboxReceipt::WAITS),
            Ok(Ok(Put::Delivered(_))) => of(OutboxReceipt::DELIVERED),
            Ok(Ok(Put::Other { waits })) => {
                let what = if waits { "wait on the disk" } else { "were delivered" };
                let told = format!(
                    "the key {:?} was used before for other words, which {what}; these are not kept and not sent: give them a key of \
                     their own",
                    item.key
                );
                refused(OutboxReceipt::MALFORMED, told)
            }
            Err(told) => refused(OutboxReceipt::MALFORMED, told),
            Ok(Err(error)) => {
                let reason = match error {
                    OutboxError::Full { .. } => OutboxReceipt::FULL,
                    OutboxError::TooLarge { .. } => OutboxReceipt::TOO_BIG,
                    OutboxError::Name { .. } => OutboxReceipt::MALFORMED,
                    OutboxError::Limits(_)
                    | OutboxError::DiskFull
                    | OutboxError::Taken
                    | OutboxError::Damaged(_)
                    | OutboxError::Disk(_) => OutboxReceipt::DISK,
                };
                refused(reason, error.to_string())
            }
        })
    }

    /// What is due now: receipts for what has expired, and at most one request, which is answered before there is another.
    pub fn step(&mut self, now: Time) -> (Vec<Out>, Option<Exchange>) {
        let mut out = Vec::new();
        self.tidy(now, &mut out);
        if self.flying.is_some() || now < self.pause.until() {
            return (out, None);
        }
        let way = Way::of(now, self.facts.heard());
        if way.quality == Quality::Closed {
            return (out, None);
        }
        let exchange = self.report(now, way).or_else(|| self.batch(now, way, &mut out));
        (out, exchange)
    }

    /// What the gateway said to the last request.
    pub fn answered(&mut self, now: Time, answer: &Result<String, Fault>) -> Vec<Out> {
        let mut out = Vec::new();
        self.look_at = now;
        if answer.is_err() {
            self.facts.failed();
        }
        match self.flying.take() {
            None => {}
            Some(Flying::Report) => {
                // A report that failed is old: the next one goes in its place.
                let Meaning { then, told, .. } = meaning(&[], &answer.clone().map(|_| EMPTY.to_owned()));
                self.then(now, then, &told, &mut out);
            }
            Some(Flying::Batch(items)) => {
                let keys: Vec<_> = items.iter().map(|item| item.key.as_str()).collect();
                let Meaning { outcomes, then, told } = meaning(&keys, answer);
                let most = usize::try_from(self.config.batch_items).unwrap_or(1);
                match then {
                    Then::Fewer => self.items = (items.len() / 2).max(1),
                    _ => self.items = self.items.saturating_mul(2).min(most),
                }
                let settled: Vec<_> = items.iter().map(|item| item.id).zip(outcomes).collect();
                for (item, (_, outcome)) in items.iter().zip(&settled) {
                    out.extend(became(now, &item.key, *outcome, &told).map(Out::Receipt));
                }
                self.settle(now, settled, &mut out);
                self.then(now, then, &told, &mut out);
            }
        }
        out.extend(carried(now, answer).map(Out::Sample));
        out
    }

    fn then(&mut self, now: Time, then: Then, told: &str, out: &mut Vec<Out>) {
        match then {
            Then::GoOn | Then::Fewer => self.pause.over(),
            Then::Pause(asked) => self.pause.begin(now, asked),
            Then::Trouble => self.pause.begin_longest(now),
        }
        match then {
            Then::GoOn | Then::Fewer => self.gateway_told.over("the gateway answers again", out),
            Then::Pause(_) | Then::Trouble => {
                self.gateway_told.say(&format!("the gateway at {}: {told}", self.gateway), out);
            }
        }
    }

    fn settle(&mut self, now: Time, settled: Vec<(u64, Outcome)>, out: &mut Vec<Out>) {
        if let Err(error) = self.outbox.settle(now, &settled) {
            let again =
                settled.into_iter().filter(|(_, one)| matches!(one, Outcome::Delivered | Outcome::Hopeless));
            self.unsettled.extend(again);
            self.disk(now, &error, out);
        }
    }

    fn disk(&mut self, now: Time, error: &OutboxError, out: &mut Vec<Out>) {
        self.disk_at = now + DISK_AGAIN;
        self.disk_told.say(&error.to_string(), out);
    }

    /// What the disk did not take before, and what has expired.
    fn tidy(&mut self, now: Time, out: &mut Vec<Out>) {
        if now < self.disk_at {
            return;
        }
        if !self.unsettled.is_empty() {
            let settled = std::mem::take(&mut self.unsettled);
            self.settle(now, settled, out);
        }
        if now >= self.expire_at {
            self.expire_at = now + EXPIRE;
            match self.outbox.expire(now) {
                Ok(expired) => {
                    self.disk_told.over("the outbox's disk takes again", out);
                    let told =
                        |key: &str| OutboxReceipt { state: OutboxReceipt::EXPIRED, ..receipt(now, key) };
                    out.extend(expired.iter().map(|(key, _)| Out::Receipt(told(key))));
                }
                Err(error) => self.disk(now, &error, out),
            }
        }
    }

    fn report(&mut self, now: Time, way: Way) -> Option<Exchange> {
        let schedule = self.reports.as_mut()?;
        if now < schedule.due(now, way) {
            return None;
        }
        // Where the disk does not say, what deliveries cost is not told.
        let cost = self.outbox.spent(now).map(|spent| spent.cost).unwrap_or_default();
        let report = self.facts.report(now, cost, self.driver);
        let body = serde_json::to_string(&report).ok()?;
        schedule.goes(now, body.len());
        self.flying = Some(Flying::Report);
        Some(Exchange { path: "/vehicle/report", body })
    }

    fn batch(&mut self, now: Time, way: Way, out: &mut Vec<Out>) -> Option<Exchange> {
        if now < self.look_at.max(self.disk_at) {
            return None;
        }
        self.look_at = now + LOOK_AGAIN;
        let left = self.window.left(now).saturating_sub(BRACKETS);
        let first = self.config.batch_bytes.min(left);
        let most = Most { items: self.items, bytes: way.at_once.min(first), first };
        let config = self.config;
        let items = match self.outbox.take_some(now, most, |one| charge(now, way, &config, one)) {
            Ok(items) => items,
            Err(error) => {
                self.disk(now, &error, out);
                return None;
            }
        };
        if items.is_empty() {
            return None;
        }
        let each = items.iter().map(|item| (item.key.as_str(), item.kind.as_str(), item.payload.as_slice()));
        let Some(body) = item::batch(each) else {
            let hopeless = items.iter().map(|item| (item.id, Outcome::Hopeless)).collect();
            self.settle(now, hopeless, out);
            self.disk_told.say("the outbox's file has payloads that are not this process's: dropped", out);
            return None;
        };
        self.window.spend(now, body.len() as u64);
        self.flying = Some(Flying::Batch(items));
        Some(Exchange { path: "/outbox", body })
    }
}

/// What an exchange says of the link: whoever answers, with whatever status, is reached over it.
fn carried(now: Time, answer: &Result<String, Fault>) -> Option<LinkSample> {
    let sample = match answer {
        Err(Fault::Files(_) | Fault::Cancelled) => return None,
        Err(fault) if fault.of_link() => Sample::failed(Source::Passive),
        Ok(_) | Err(_) => Sample { rtt: None, ..Sample::round_trip(Source::Passive, Duration::ZERO) },
    };
    Some(LinkSample { header: Header::at(now), ..sample.to_message() })
}

/// What is told of what another put.
fn held(other: &str, count: u64, who: Option<&str>) -> String {
    let (things, wait, goes) = match count {
        1 => ("thing", "waits and is", "it goes when the certificate is"),
        _ => ("things", "wait and are", "they go when the certificate is"),
    };
    let us = who.map_or_else(|| "has no certificate".to_owned(), |who| format!("is {who}"));
    format!(
        "{count} {things} put as {other} {wait} held back, since this vehicle {us} now: {goes} {other}'s again, unless their time ends before"
    )
}

/// What a gateway says to a batch of nothing.
const EMPTY: &str = r#"{"accepted":[],"known":[],"full":[]}"#;

/// Whether one may go now, and what it takes.
fn charge(now: Time, way: Way, config: &DeliveryConfig, one: &Waiting<'_>) -> Option<Charge> {
    let last_call = one.expires.since(now) <= Duration::from_secs(config.last_call_s);
    if one.priority == Priority::Bulk && !way.easy() && !last_call {
        return None;
    }
    let bytes = item::sent_bytes(one.key, one.kind, one.bytes);
    let price = bytes.saturating_mul(config.microeuro_a_megabyte).div_ceil(1_000_000);
    let cost = if way.free { 0 } else { price };
    // What it may cost is the sender's word, to the last minute of its life.
    (cost <= one.cost).then_some(Charge { bytes, cost })
}

fn receipt(now: Time, key: &str) -> OutboxReceipt {
    OutboxReceipt { header: Header::at(now), key: key.to_owned(), ..OutboxReceipt::default() }
}

fn became(now: Time, key: &str, outcome: Outcome, told: &str) -> Option<OutboxReceipt> {
    match outcome {
        Outcome::Delivered => Some(OutboxReceipt { state: OutboxReceipt::DELIVERED, ..receipt(now, key) }),
        Outcome::Hopeless => Some(OutboxReceipt {
            state: OutboxReceipt::REFUSED,
            reason: OutboxReceipt::GATEWAY,
            told: told.to_owned(),
            ..receipt(now, key)
        }),
        Outcome::Failed(_) | Outcome::Again => None,
    }
}

#[cfg(test)]
mod tests;
