//! One node between its slots: freezes inputs, judges lateness, calls the step or the fall-back, counts. The wall-clock
//! executor and the simulation both run nodes through this, so what one proves holds for the other. Allocates nothing and
//! takes no lock.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arc_swap::ArcSwap;
use troika_arena::Arena;
use troika_kit::{
    Class, Contract, Done, EncodeError, Events, Fault, Latest, Message, Out, PortSpec, PortVisitor, Ports,
    Step, Tick, Time, Wake,
};

use crate::{
    governor::{Governor, LevelPlan},
    inject::Injection,
    panics::within_node,
    schedule::Due,
    stats::{NodeEvent, Recorder},
    tape::{Outcome, StepEntry, Steps},
};

/// Panics in a row after which a step is not called any more: its state cannot be trusted, and a restart is the
/// supervisor's to decide.
const PANICS_IN_A_ROW: u32 = 3;

/// Where encoded outputs go.
pub(crate) trait Sink {
    /// Takes one message of the output port with this index, of the step with this tick.
    fn send(&mut self, port: usize, tick: &Tick, encode: &mut Encode<'_>);
    /// All outputs of a step were sent.
    fn flush(&mut self);
}

/// Writes a message's CDR into a buffer.
pub(crate) type Encode<'a> = dyn FnMut(&mut Vec<u8>) -> Result<(), EncodeError> + 'a;

/// A step that has run and whose outputs have not left yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    tick: Tick,
    counts: bool,
}

pub(crate) struct Runner<S: Step> {
    step: S,
    inputs: S::Inputs,
    outputs: S::Outputs,
    contract: Contract,
    seq: u64,
    panics_in_a_row: u32,
    /// The fall-back itself panicked: no code of the node is called any more.
    silent: bool,
    /// Where the node's own code allocates, if anywhere but the system.
    arena: Option<Arena>,
    inject: Option<Injection>,
    /// Steps that ran.
    ran: u64,
    governor: Governor,
    /// The plan that it was last asked for, as a code.
    level_plan: u64,
    book: Recorder,
    /// Where its steps are recorded.
    tape: Option<Steps>,
}

/// Calls the node's own code: inside its arena, and with its panics caught.
fn node_code<T>(arena: Option<&Arena>, code: impl FnOnce() -> T) -> std::thread::Result<T> {
    let caught = || within_node(|| catch_unwind(AssertUnwindSafe(code)));
    match arena {
        Some(arena) => arena.within(caught),
        None => caught(),
    }
}

impl<S: Step> Runner<S> {
    pub(crate) fn new(
        step: S,
        inputs: S::Inputs,
        outputs: S::Outputs,
        contract: Contract,
        book: Recorder,
    ) -> Self {
        Runner {
            step,
            inputs,
            outputs,
            contract,
            seq: 0,
            panics_in_a_row: 0,
            silent: false,
            arena: None,
            inject: None,
            ran: 0,
            governor: Governor::new(&contract, S::LEVELS.len(), LevelPlan::Governed),
            level_plan: 0,
            book,
            tape: None,
        }
    }

    /// Records its steps.
    pub(crate) fn record(&mut self, tape: Steps) {
        self.tape = Some(tape);
    }

    fn on_tape(&mut self, entry: StepEntry) {
        if let Some(tape) = &mut self.tape {
            tape.put(entry);
        }
    }

    /// Chooses its level in this way.
    pub(crate) fn level(&mut self, plan: LevelPlan) {
        self.governor = Governor::new(&self.contract, S::LEVELS.len(), plan);
        self.book.cells.level.set(self.governor.level() as u64);
    }

    /// Chooses its level as somebody asked for since.
    fn follow_plan(&mut self) {
        let asked = self.book.cells.level_plan.get();
        if asked != self.level_plan
            && let Some(plan) = LevelPlan::of_code(asked)
        {
            self.level_plan = asked;
            self.level(plan);
        }
    }

    /// Its step, or its fall-back, is not called any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.book.cells.given_up.get()
    }

    fn changed_level(&self) {
        self.book.cells.level.set(self.governor.level() as u64);
        self.book.cells.level_changes.add(1);
    }

    /// Does this to it on purpose.
    pub(crate) fn inject(&mut self, injection: Injection) {
        self.inject = Some(injection);
    }

    /// Lets the node's code allocate from `arena`.
    pub(crate) fn use_arena(&mut self, arena: Arena) {
        // `arc_swap` (models that are exchanged while they run) takes a note of each thread at its first load and gives it to another
        // thread when this one ends: it must be the system's memory, not this arena's.
        drop(ArcSwap::from_pointee(()).load());
        self.arena = Some(arena);
    }

    pub(crate) fn has_arena(&self) -> bool {
        self.arena.is_some()
    }

    /// Takes what came so far for old: queues are empty, and what is held is not new.
    pub(crate) fn forget_inputs(&mut self) {
        // The first takes what waits, the second hands it back.
        for _ in 0..2 {
            self.inputs.visit(&mut FreezeRest { except: None });
        }
    }

    /// Ends it; its book may be gone on with by the next one.
    pub(crate) fn into_book(self) -> Recorder {
        let Runner { step, inputs, outputs, arena, book, .. } = self;
        // In its arena, as it was made and run; a panic of the step's own code goes on to the caller.
        drop((step, inputs, outputs));
        drop(arena);
        book
    }

    pub(crate) fn contract(&self) -> Contract {
        self.contract
    }

    /// Freezes the input that the contract wakes on; its arrival, if a new one is there.
    pub(crate) fn arrival(&mut self) -> Option<Time> {
        let Wake::Input(port) = self.contract.spec().wake else { return None };
        let mut wake = FreezeOne { port, arrival: None };
        self.inputs.visit(&mut wake);
        wake.arrival
    }

    /// Counts the releases that passed before the node looked, if any: the next one had come by then, so each was too late.
    /// The fall-back is published once for all of them; [`Runner::leave`] must follow what is returned.
    pub(crate) fn pass_over(&mut self, due: &Due, now: Time) -> Option<Ran> {
        troika_safety::fulfils![SR_TIM_013];
        if due.passed == 0 {
            return None;
        }
        let best = self.contract.spec().class == Class::Best; // has no fall-back for lateness
        let uncounted = if best { due.passed } else { due.passed - 1 };
        let cells = &self.book.cells;
        cells.steps.add(uncounted);
        cells.late.add(uncounted);
        cells.too_late.add(uncounted);
        cells.missed.add(uncounted);
        self.seq += uncounted;
        if best { None } else { Some(self.too_late(due.before, now)) }
    }

    /// Handles one release: the step, or the fall-back when it is too late. [`Runner::leave`] must follow.
    pub(crate) fn run(&mut self, release: Time, mut now: impl FnMut() -> Time) -> Ran {
        let start = now();
        let contract = self.contract;
        let spec = contract.spec();
        troika_safety::fulfils![SR_TIM_002];
        let too_late = start.since(release) > self.contract.too_late_after();
        // `Best` is "as soon as the machine allows": counted, and run all the same.
        if too_late && spec.class != Class::Best {
            return self.too_late(release, start);
        }
        troika_safety::fulfils![SR_TIM_019];
        // Only now, so that what waits in the other inputs is not lost to a step that is passed over.
        let wake = match spec.wake {
            Wake::Input(port) => Some(port),
            Wake::Period => None,
        };
        self.inputs.visit(&mut FreezeRest { except: wake });
        let tick = self.tick(release, start);
        troika_safety::fulfils![SR_TIM_012];
        if self.silent || self.panics_in_a_row >= PANICS_IN_A_ROW {
            self.on_tape(StepEntry::Ended(Outcome::NotCalled));
            self.fall_back(&tick, Fault::Panicked);
            return Ran { tick, counts: true };
        }
        if let Some(tape) = &mut self.tape {
            tape.frozen(&mut self.inputs);
        }
        let inject = self.inject.as_ref().filter(|inject| inject.is_due(self.ran));
        self.ran += 1;
        let step = || {
            if let Some(inject) = inject {
                inject.happen(&tick, &mut now);
            }
            self.step.step(&tick, &self.inputs, &mut self.outputs)
        };
        self.book.cells.began.set(start);
        let done = node_code(self.arena.as_ref(), step).unwrap_or_else(|_panic| {
            self.book.cells.panics.add(1);
            self.panics_in_a_row += 1;
            if self.panics_in_a_row == PANICS_IN_A_ROW {
                self.book.cells.given_up.set(true);
            }
            Err(Fault::Panicked)
        });
        self.book.cells.began.set(Time::ZERO);
        self.on_tape(StepEntry::Ended(match done {
            Ok(Done::Worked) => Outcome::Worked,
            Ok(Done::Idle) => Outcome::Idle,
            Ok(Done::Skipped) => Outcome::Skipped,
            Err(_) => Outcome::Fault,
        }));
        let end = now();
        let took = end.since(start);
        self.book.execution.record(took);
        troika_safety::fulfils![SR_TIM_011];
        if took > spec.budget {
            self.book.cells.over_budget.add(1);
        }
        if done != Err(Fault::Panicked) {
            self.panics_in_a_row = 0;
        }
        match done {
            Ok(Done::Worked) => {
                self.book.cells.worked.add(1);
                if self.governor.observe(end, end.since(release), took) {
                    self.changed_level();
                }
                let late = end.since(release).saturating_sub(spec.deadline);
                if spec.class == Class::Hard && !late.is_zero() {
                    self.replace_late(&tick, Fault::Missed { by: late });
                }
            }
            Ok(Done::Idle) => return Ran { tick, counts: false },
            Ok(Done::Skipped) => {
                self.book.cells.skipped.add(1);
                return Ran { tick, counts: false };
            }
            Err(fault) => {
                troika_safety::fulfils![SR_TIM_003];
                self.book.cells.faults.add(1);
                self.fall_back(&tick, fault);
            }
        }
        Ran { tick, counts: true }
    }

    /// Hands the outputs to the sink, and judges whether they left in time.
    pub(crate) fn leave(&mut self, ran: Ran, now: impl FnOnce() -> Time, sink: &mut impl Sink) {
        let mut sender = SendAll { sink, port: 0, tick: ran.tick, sent: 0, dropped: 0 };
        let unsent = self.book.cells.unsent.get();
        self.outputs.visit(&mut sender);
        let (messages, mut dropped) = (sender.sent, sender.dropped);
        let sent = messages > 0;
        if sent {
            sink.flush();
        }
        let unsent = (self.book.cells.unsent.get() - unsent) as u32;
        self.on_tape(StepEntry::Left { messages, unsent });
        let mut count = CountDropped { dropped: 0 };
        self.inputs.visit(&mut count);
        dropped += count.dropped;
        self.book.cells.port_dropped.set(dropped);
        if ran.counts || sent {
            let latency = now().since(ran.tick.release);
            self.book.latency.record(latency);
            if latency > self.contract.spec().deadline {
                self.book.cells.missed.add(1);
            }
        }
    }

    fn tick(&mut self, release: Time, now: Time) -> Tick {
        self.follow_plan();
        let tick = Tick { seq: self.seq, release, now, level: self.governor.level() };
        self.seq += 1;
        let by = now.since(release);
        self.book.lateness.record(by);
        self.book.cells.steps.add(1);
        if by > self.contract.late_after() {
            self.book.cells.late.add(1);
        }
        if by > self.contract.too_late_after() {
            self.book.cells.too_late.add(1);
        }
        if let Some(tape) = &mut self.tape {
            tape.begin(&tick);
        }
        tick
    }

    fn too_late(&mut self, release: Time, now: Time) -> Ran {
        let tick = self.tick(release, now);
        if self.governor.too_late(now) {
            self.changed_level();
        }
        self.on_tape(StepEntry::Ended(Outcome::NotCalled));
        self.fall_back(&tick, Fault::TooLate { by: now.since(release) });
        Ran { tick, counts: true }
    }

    /// A hard node's result came after its deadline: its states give way to the fall-back's. Events stay: an alert that is late
    /// is still an alert, and the step will not raise it again.
    fn replace_late(&mut self, tick: &Tick, why: Fault) {
        troika_safety::fulfils![SR_TIM_006];
        self.outputs.visit(&mut ClearStates);
        self.call_fall_back(tick, why);
    }

    fn fall_back(&mut self, tick: &Tick, why: Fault) {
        self.outputs.visit(&mut Clear);
        self.call_fall_back(tick, why);
    }

    fn call_fall_back(&mut self, tick: &Tick, why: Fault) {
        self.book.cells.fall_backs.add(1);
        // A full ring loses the event's text; the counts have it all the same.
        let _ = self.book.events.push(NodeEvent { at: tick.now, fault: why });
        self.on_tape(StepEntry::FellBack(why));
        if self.silent {
            return;
        }
        let fall_back = || self.step.fall_back(tick, &why, &mut self.outputs);
        if node_code(self.arena.as_ref(), fall_back).is_err() {
            self.silent = true;
            self.outputs.visit(&mut Clear);
            self.book.cells.panics.add(1);
            self.book.cells.given_up.set(true);
        }
    }
}

struct FreezeOne {
    port: &'static str,
    arrival: Option<Time>,
}

impl PortVisitor for FreezeOne {
    fn latest<T: Message>(&mut self, spec: &PortSpec, port: &mut Latest<T>) {
        if spec.name == self.port && port.freeze() {
            self.arrival = port.fresh().map(|sample| sample.received);
        }
    }
    fn events<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Events<T, N>) {
        if spec.name == self.port && port.freeze() {
            self.arrival = port.iter().next().map(|sample| sample.received);
        }
    }
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Out<T, N>) {}
}

struct FreezeRest {
    except: Option<&'static str>,
}

impl PortVisitor for FreezeRest {
    fn latest<T: Message>(&mut self, spec: &PortSpec, port: &mut Latest<T>) {
        if Some(spec.name) != self.except {
            port.freeze();
        }
    }
    fn events<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Events<T, N>) {
        if Some(spec.name) != self.except {
            port.freeze();
        }
    }
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Out<T, N>) {}
}

pub(crate) struct Clear;

impl PortVisitor for Clear {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Events<T, N>) {}
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Out<T, N>) {
        port.clear();
    }
}

/// Clears the outputs that hold one message: states, of which only the newest counts. Those that hold more carry events.
pub(crate) struct ClearStates;

impl PortVisitor for ClearStates {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Events<T, N>) {}
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Out<T, N>) {
        if N == 1 {
            port.clear();
        }
    }
}

struct CountDropped {
    dropped: u64,
}

impl PortVisitor for CountDropped {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Events<T, N>) {
        self.dropped += port.dropped();
    }
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Out<T, N>) {}
}

struct SendAll<'a, K> {
    sink: &'a mut K,
    port: usize,
    tick: Tick,
    sent: u32,
    dropped: u64,
}

impl<K: Sink> PortVisitor for SendAll<'_, K> {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Events<T, N>) {}
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Out<T, N>) {
        for message in port.sent() {
            self.sent += 1;
            self.sink.send(self.port, &self.tick, &mut |buffer| message.encode(buffer));
        }
        port.clear();
        self.dropped += port.dropped();
        self.port += 1;
    }
}
