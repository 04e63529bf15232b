//! What a node did, as counts and histograms: written by the node's and the transport's threads, read by anybody as a
//! snapshot. The words are those of the contract:
//!
//! - *release*: the input's arrival at the host, or the timer's due time.
//! - *late*: the step started more than min(0.2 x period, 5 ms) after its release (too late ones included);
//!   *too late*: more than min(period, 50 ms).
//! - *missed*: the output left after release + deadline, or never. It has *left* when it was handed to the ring from which an
//!   ordinary thread puts it on the transport; when that put has returned is recorded beside it (`put`, `put_late`).
//!
//! The clock is `CLOCK_MONOTONIC` on a host, the virtual clock in a simulation.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use rtrb::{Consumer, Producer, RingBuffer};
use troika_arena::{Meter, Usage};
use troika_kit::{Class, Contract, Fault, Time};

use crate::{
    lifecycle::State,
    qos::{PortWatch, QosStats},
    sync::{Counter, Flag, Histogram, HistogramWriter, Snapshot, TimeCell, histogram},
    watch,
};

/// Events that wait for the ordinary thread; more are dropped (their faults are counted all the same).
const EVENTS: usize = 64;
/// Events kept for the reader; the oldest go first.
const KEPT: usize = 256;
/// Heartbeats that the latency figures look back over: 10 s at one a second.
const WINDOW: usize = 10;

/// A fault, when it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeEvent {
    /// When.
    pub at: Time,
    /// What.
    pub fault: Fault,
}

/// How a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Steps succeed.
    Ok,
    /// Faults, fall-backs, or (of a hard node) steps over their budget in the last interval.
    Degraded,
    /// It cannot do its job.
    Unavailable,
}

/// A node's figures at one moment.
#[derive(Debug, Clone)]
pub struct NodeStats {
    /// Full name, `/ns/name`.
    pub node: String,
    /// The contract that holds.
    pub contract: Contract,
    /// Runs at a real-time policy.
    pub real_time: bool,
    /// How it does.
    pub status: Status,
    /// The newest fault.
    pub last_fault: Option<NodeEvent>,
    /// Why the last put on the transport failed, if one did.
    pub put_error: Option<String>,
    /// Releases handled: stepped, fallen back, or passed over because the next release had come.
    pub steps: u64,
    /// Steps that had something to do.
    pub worked: u64,
    /// See the module.
    pub late: u64,
    /// See the module.
    pub too_late: u64,
    /// See the module.
    pub missed: u64,
    /// Steps that gave a fault or panicked.
    pub faults: u64,
    /// Of these, panics.
    pub panics: u64,
    /// Fall-backs published.
    pub fall_backs: u64,
    /// Steps whose execution took longer than the budget.
    pub over_budget: u64,
    /// Steps that the node passed over because of its level.
    pub skipped: u64,
    /// Its level now: an index into [`troika_kit::Step::LEVELS`].
    pub level: usize,
    /// How often the governor changed it.
    pub level_changes: u64,
    /// Messages dropped: queues that were full, outputs over their bound or behind the transport.
    pub dropped: u64,
    /// Messages on its inputs that were no value of their type.
    pub undecodable: u64,
    /// Requests to its services that were none.
    pub unreadable: u64,
    /// Messages on its inputs that were.
    pub received: u64,
    /// Of these, values of latest-value inputs that were overwritten before a step saw them.
    pub overwritten: u64,
    /// Puts that returned after release + deadline.
    pub put_late: u64,
    /// Puts that the transport refused.
    pub put_failed: u64,
    /// Encode buffers that had to grow: allocations on the node's thread.
    pub buffer_growths: u64,
    /// Its ports with timed QoS policies.
    pub qos: Vec<QosStats>,
    /// Its arena, if it has one.
    pub arena: Option<Usage>,
    /// Release to output left, of steps that worked and of fall-backs.
    pub latency: Snapshot,
    /// Release to step start.
    pub lateness: Snapshot,
    /// Step start to step end.
    pub execution: Snapshot,
    /// Release to put returned.
    pub put: Snapshot,
}

#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) steps: Counter,
    pub(crate) worked: Counter,
    pub(crate) late: Counter,
    pub(crate) too_late: Counter,
    pub(crate) missed: Counter,
    pub(crate) faults: Counter,
    pub(crate) panics: Counter,
    pub(crate) fall_backs: Counter,
    pub(crate) over_budget: Counter,
    pub(crate) skipped: Counter,
    pub(crate) level: Counter,
    pub(crate) level_changes: Counter,
    /// How the level is to be chosen from now on: see [`crate::governor::LevelPlan::code`]; 0 is as it was.
    pub(crate) level_plan: Counter,
    /// Dropped on the ports themselves; the node's thread keeps the total.
    pub(crate) port_dropped: Counter,
    /// Dropped because all encode buffers were on their way, or a value had no CDR form.
    pub(crate) unsent: Counter,
    pub(crate) undecodable: Counter,
    /// Of its services' requests.
    pub(crate) unreadable: Arc<Counter>,
    pub(crate) received: Counter,
    pub(crate) overwritten: Counter,
    pub(crate) put_late: Counter,
    pub(crate) put_failed: Counter,
    pub(crate) buffer_growths: Counter,
    /// Its step runs since then; zero where none runs.
    pub(crate) began: TimeCell,
    pub(crate) real_time: Flag,
    /// The host gave up on the node (repeated panics).
    pub(crate) given_up: Flag,
    /// It is not active: what comes on its inputs is not kept.
    pub(crate) deaf: Flag,
}

/// The node thread's end.
pub(crate) struct Recorder {
    pub(crate) cells: Arc<Cells>,
    pub(crate) latency: HistogramWriter,
    pub(crate) lateness: HistogramWriter,
    pub(crate) execution: HistogramWriter,
    pub(crate) events: Producer<NodeEvent>,
}

/// Everybody else's end.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) node: String,
    pub(crate) contract: Contract,
    pub(crate) cells: Arc<Cells>,
    /// Its ports with timed QoS policies.
    watches: Mutex<Vec<Arc<PortWatch>>>,
    /// Where it is in its life cycle, as a number of [`State`]; unknown of a node that has none.
    pub(crate) state: Counter,
    latency: Histogram,
    lateness: Histogram,
    execution: Histogram,
    put: Histogram,
    arena: OnceLock<Meter>,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    incoming: Consumer<NodeEvent>,
    events: VecDeque<NodeEvent>,
    last_fault: Option<NodeEvent>,
    put_error: Option<String>,
    /// Figures at the last heartbeats, oldest first.
    beats: VecDeque<Snapshot>,
    at_last_beat: (u64, u64, u64),
    over_budget_told: u64,
    status: Status,
    reason: String,
    /// What was last said on /rosout.
    said: Option<(Status, String)>,
}

/// The figures of one heartbeat.
pub(crate) struct Beat {
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) latency: Snapshot,
}

/// Whoever runs a step for so long does not come back from it: of a hard node as its watchdog judges, where it has one; others share the machine's
/// ordinary time, and may be kept from it for a second.
fn hangs_after(contract: &Contract) -> Duration {
    let spec = contract.spec();
    let least = if spec.class == Class::Hard { watch::DEAD_AFTER } else { Duration::from_secs(3) };
    least.max(10 * spec.period)
}

/// A node's books: for the node's thread, for its courier, for everybody else.
pub(crate) fn books(node: String, contract: Contract) -> (Recorder, HistogramWriter, Arc<Record>) {
    let cells = Arc::new(Cells::default());
    let (latency_in, latency) = histogram();
    let (lateness_in, lateness) = histogram();
    let (execution_in, execution) = histogram();
    let (put_in, put) = histogram();
    let (events_in, incoming) = RingBuffer::new(EVENTS);
    let recorder = Recorder {
        cells: cells.clone(),
        latency: latency_in,
        lateness: lateness_in,
        execution: execution_in,
        events: events_in,
    };
    let log = Mutex::new(Log {
        incoming,
        events: VecDeque::new(),
        last_fault: None,
        put_error: None,
        beats: VecDeque::new(),
        at_last_beat: (0, 0, 0),
        over_budget_told: 0,
        status: Status::Ok,
        reason: String::new(),
        said: None,
    });
    let arena = OnceLock::new();
    (
        recorder,
        put_in,
        Arc::new(Record {
            node,
            contract,
            cells,
            watches: Mutex::default(),
            state: Counter::default(),
            latency,
            lateness,
            execution,
            put,
            arena,
            log,
        }),
    )
}

impl Log {
    fn take_in(&mut self) {
        while let Ok(event) = self.incoming.pop() {
            self.last_fault = Some(event);
            if self.events.len() == KEPT {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
    }
}

impl Record {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whose usage [`Record::stats`] tells; the first one stays.
    pub(crate) fn use_arena(&self, meter: Meter) {
        let _first_stays = self.arena.set(meter);
    }

    pub(crate) fn put_failed(&self, why: String) {
        self.cells.put_failed.add(1);
        self.log().put_error = Some(why);
    }

    /// Where it is in its life cycle.
    pub(crate) fn state(&self) -> State {
        u8::try_from(self.state.get()).ok().and_then(State::of).unwrap_or(State::Unknown)
    }

    pub(crate) fn watch(&self, ports: Vec<Arc<PortWatch>>) {
        *self.watches.lock().unwrap_or_else(PoisonError::into_inner) = ports;
    }

    pub(crate) fn watches(&self) -> Vec<Arc<PortWatch>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it does as of the last heartbeat, when that is not what this call gave before; nothing of one that was well all along.
    pub(crate) fn news(&self) -> Option<(Status, String)> {
        let mut log = self.log();
        let now = (log.status, log.reason.clone());
        if log.said.as_ref().map_or(now.0 == Status::Ok, |said| *said == now) {
            return None;
        }
        log.said = Some(now.clone());
        let text = match now {
            (Status::Ok, _) => "well again".to_owned(),
            (_, reason) => reason,
        };
        Some((now.0, text))
    }

    /// The faults since the last call.
    pub(crate) fn events(&self) -> Vec<NodeEvent> {
        let mut log = self.log();
        log.take_in();
        log.events.drain(..).collect()
    }

    /// The figures for a heartbeat: called once a second.
    pub(crate) fn beat(&self, now: Time) -> Beat {
        let mut log = self.log();
        log.take_in();
        let cells = &self.cells;
        let counts = (cells.faults.get(), cells.fall_backs.get(), cells.worked.get());
        let before = std::mem::replace(&mut log.at_last_beat, counts);
        let worked = counts.2 > before.2;
        let troubled = counts.0 > before.0 || counts.1 > before.1;
        let last = log.last_fault.map(|event| event.fault);
        troika_safety::fulfils![SR_TIM_011];
        // Nothing rests on the budget of a node that is not hard.
        let over = if self.contract.spec().class == Class::Hard { cells.over_budget.get() } else { 0 };
        let over_now = over - std::mem::replace(&mut log.over_budget_told, over);
        let (status, reason) = match last {
            _ if !matches!(self.state(), State::Unknown | State::Active) => {
                (Status::Unavailable, self.state().label().to_owned())
            }
            _ if cells.given_up.get() => {
                (Status::Unavailable, "its step panicked repeatedly and is not called any more".into())
            }
            _ if let Some(runs) = self.hangs(now) => (
                Status::Unavailable,
                format!("its step does not return: it runs for {:.1} s", runs.as_secs_f64()),
            ),
            Some(fault @ Fault::Unavailable(_)) if troubled && !worked => {
                (Status::Unavailable, fault.to_string())
            }
            Some(fault) if troubled => (Status::Degraded, fault.to_string()),
            None if troubled => (Status::Degraded, String::new()),
            _ => (Status::Ok, String::new()),
        };
        let (status, reason) = match over_now {
            0 => (status, reason),
            _ => (status.max(Status::Degraded), with_overruns(reason, over_now, over)),
        };
        log.status = status;
        log.reason.clone_from(&reason);
        let now = self.latency.snapshot();
        let latency = log.beats.front().map_or_else(|| now.clone(), |then| now.since(then));
        if log.beats.len() == WINDOW {
            log.beats.pop_front();
        }
        log.beats.push_back(now);
        Beat { status, reason, latency }
    }

    /// How long a step runs by now that will not come back (SR-TIM-021).
    fn hangs(&self, now: Time) -> Option<Duration> {
        troika_safety::fulfils![SR_TIM_021];
        let began = self.cells.began.get();
        let runs = now.since(began);
        (began != Time::ZERO && runs > hangs_after(&self.contract)).then_some(runs)
    }

    /// Everything, now.
    pub(crate) fn stats(&self) -> NodeStats {
        let (last_fault, put_error, status) = {
            let mut log = self.log();
            log.take_in();
            let status = if self.cells.given_up.get() { Status::Unavailable } else { log.status };
            (log.last_fault, log.put_error.clone(), status)
        };
        let cells = &self.cells;
        NodeStats {
            node: self.node.clone(),
            contract: self.contract,
            real_time: cells.real_time.get(),
            status,
            last_fault,
            put_error,
            steps: cells.steps.get(),
            worked: cells.worked.get(),
            late: cells.late.get(),
            too_late: cells.too_late.get(),
            missed: cells.missed.get(),
            faults: cells.faults.get(),
            panics: cells.panics.get(),
            fall_backs: cells.fall_backs.get(),
            over_budget: cells.over_budget.get(),
            skipped: cells.skipped.get(),
            level: cells.level.get() as usize,
            level_changes: cells.level_changes.get(),
            dropped: self.dropped(),
            undecodable: cells.undecodable.get(),
            unreadable: cells.unreadable.get(),
            received: cells.received.get(),
            overwritten: cells.overwritten.get(),
            put_late: cells.put_late.get(),
            put_failed: cells.put_failed.get(),
            buffer_growths: cells.buffer_growths.get(),
            qos: self.watches().iter().map(|watch| watch.stats()).collect(),
            arena: self.arena.get().map(Meter::usage),
            latency: self.latency.snapshot(),
            lateness: self.lateness.snapshot(),
            execution: self.execution.snapshot(),
            put: self.put.snapshot(),
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.cells.port_dropped.get() + self.cells.unsent.get()
    }
}

/// Steps over the budget, beside what else there is to say: how many since the last heartbeat, and in all.
fn with_overruns(reason: String, since: u64, all: u64) -> String {
    let overruns = format!("over its budget {since} times since the last heartbeat, {all} in all");
    if reason.is_empty() { overruns } else { format!("{reason}; {overruns}") }
}

impl NodeStats {
    /// The declared class: whether a miss is a fault.
    pub fn class(&self) -> Class {
        self.contract.spec().class
    }

    /// Release to output left: p50, p99, p99.9 and the maximum.
    pub fn latency_quantiles(&self) -> [Duration; 4] {
        quantiles(&self.latency)
    }
}

/// p50, p99, p99.9 and the maximum.
pub fn quantiles(of: &Snapshot) -> [Duration; 4] {
    [of.quantile(0.5), of.quantile(0.99), of.quantile(0.999), of.max()]
}

#[cfg(test)]
mod tests {
    use troika_kit::{ContractSpec, Wake};

    use super::*;

    fn of(class: Class, period_ms: u64) -> (Recorder, Arc<Record>) {
        let contract = Contract::new(ContractSpec {
            node: "steps",
            wake: Wake::Period,
            period: Duration::from_millis(period_ms),
            deadline: Duration::from_millis(period_ms),
            budget: Duration::from_millis(1),
            class,
            requirements: &[],
        });
        let (recorder, _, record) = books("/steps".to_owned(), contract);
        (recorder, record)
    }

    #[test]
    fn a_heartbeat_says_of_a_step_that_does_not_return_that_it_does_not() {
        troika_safety::verifies![SR_TIM_021];
        let at = |ms: u64| Time::from_nanos((1_000_000 + ms) * 1_000_000);
        for (class, period, limit) in [
            (Class::Hard, 33, 500),
            (Class::Hard, 60, 600),
            (Class::Firm, 20, 3_000),
            (Class::Best, 400, 4_000),
            (Class::Firm, 1_000, 10_000),
        ] {
            let (recorder, record) = of(class, period);
            assert_eq!(record.beat(at(90_000)).status, Status::Ok, "no step runs");
            recorder.cells.began.set(at(0));
            assert_eq!(record.beat(at(limit)).status, Status::Ok, "{class:?} {period}");
            let beat = record.beat(at(limit + 1));
            assert_eq!(beat.status, Status::Unavailable, "{class:?} {period}");
            assert!(beat.reason.starts_with("its step does not return: it runs for "), "{}", beat.reason);
            recorder.cells.began.set(Time::ZERO);
            assert_eq!(record.beat(at(limit + 2)).status, Status::Ok, "it came back");
        }
    }
}
