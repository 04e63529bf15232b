//! What a hosted node is made of between its making and its end: its step in a runner, the slots and subscriptions of its ports, the
//! courier of its outputs, and, while it is active, its thread. All generic code of a node is here; [`Life`] is what the rest sees.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use troika_kit::{Contract, Step, Wake as WakeOn};
use troika_transport::{NodeHandle, Subscription, TransportError};

use crate::{
    bind::bind,
    clock::{Clock, HostClock, RosTime},
    host::Shared,
    options::{NodeOptions, SpawnError},
    outbox::{Outbox, outbox},
    runner::Runner,
    sched::Policy,
    schedule::Schedule,
    stats::{Record, Recorder},
    sync::{HistogramWriter, StopToken, Vital, Wake},
};

/// How long a step that is under way may go on when its node is deactivated.
const LAST_STEP: Duration = Duration::from_secs(2);

/// Makes a node's step; again after each cleanup.
pub(crate) type Make<S> = Box<dyn FnMut() -> Result<S, String> + Send>;

/// Why a node cannot be deactivated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// Its step does not return.
    Hangs,
    /// Its thread ended by a panic outside the step: a defect of the host.
    Died,
}

/// A node's life below its name: all that the life cycle asks of it.
pub(crate) trait Life: Send {
    /// Makes it and binds its ports; it does not run yet.
    fn configure(&mut self, handle: &dyn NodeHandle) -> Result<(), SpawnError>;
    /// Gives it a thread, which steps when the host has started. What came before it is forgotten if `afresh`.
    fn activate(&mut self, afresh: bool) -> Result<(), SpawnError>;
    /// Asks its thread to end.
    fn ask_to_stop(&self);
    /// Ends its thread, after the step that is under way. `patience`: how long that may take.
    fn deactivate(&mut self, patience: Option<Duration>) -> Result<(), Stuck>;
    /// Undoes `configure`; false when a thread of it had died. It must not be active.
    fn clean_up(&mut self) -> bool;
}

/// How long [`Life::deactivate`] waits on the way to another state.
pub(crate) const ON_REQUEST: Option<Duration> = Some(LAST_STEP);

pub(crate) struct Body<S: Step> {
    make: Make<S>,
    options: NodeOptions,
    contract: Contract,
    record: Arc<Record>,
    shared: Arc<Shared>,
    /// Opens when the nodes of the host may run.
    go: StopToken,
    /// Of the thread that hands outputs to the transport.
    courier: Policy,
    /// The real-time policy that it gets.
    policy: Policy,
    ros_time: Option<(Arc<RosTime>, Wake)>,
    books: Option<(Recorder, HistogramWriter)>,
    configured: Option<Configured<S>>,
}

struct Configured<S: Step> {
    thread: Thread<S>,
    wake: Wake,
    courier: JoinHandle<HistogramWriter>,
    subscriptions: Vec<Box<dyn Subscription>>,
}

enum Thread<S: Step> {
    Resting(Box<(Runner<S>, Outbox)>),
    Running {
        thread: JoinHandle<(Runner<S>, Outbox)>,
        stop: StopToken,
    },
    /// It did not come back.
    Lost,
}

/// What a body is made with.
pub(crate) struct Parts<S> {
    pub(crate) make: Make<S>,
    pub(crate) options: NodeOptions,
    pub(crate) contract: Contract,
    pub(crate) record: Arc<Record>,
    pub(crate) books: (Recorder, HistogramWriter),
    pub(crate) shared: Arc<Shared>,
    pub(crate) go: StopToken,
    pub(crate) courier: Policy,
    pub(crate) policy: Policy,
    /// ROS time, of a node with `use_sim_time`.
    pub(crate) ros_time: Option<(Arc<RosTime>, Wake)>,
}

impl<S: Step> Body<S> {
    pub(crate) fn new(parts: Parts<S>) -> Body<S> {
        let Parts { make, options, contract, record, books, shared, go, courier, policy, ros_time } = parts;
        let (books, configured) = (Some(books), None);
        Body { make, options, contract, record, shared, go, courier, policy, ros_time, books, configured }
    }

    fn name(&self) -> String {
        self.record.node.clone()
    }

    fn clock(&self) -> Clock {
        match &self.ros_time {
            Some((time, _)) => Clock::Ros(time.clone()),
            None => Clock::Host(self.shared.clock),
        }
    }

    fn no_thread(&self) -> impl Fn(std::io::Error) -> SpawnError + use<S> {
        let node = self.name();
        move |why| SpawnError::Thread { node: node.clone(), why }
    }
}

impl<S: Step> Life for Body<S> {
    fn configure(&mut self, handle: &dyn NodeHandle) -> Result<(), SpawnError> {
        let step = (self.make)().map_err(|why| SpawnError::Make { node: self.name(), why })?;
        let wake = self.ros_time.as_ref().map_or_else(Wake::default, |(_, wake)| wake.clone());
        let wake_port = match self.contract.spec().wake {
            WakeOn::Input(port) => Some(port),
            WakeOn::Period => None,
        };
        let (clock, cells) = (self.clock(), &self.record.cells);
        let watcher = Some(&self.shared.watcher);
        let bound = bind::<S>(handle, &self.options, wake_port, &wake, &clock, cells, watcher)
            .map_err(|why: TransportError| SpawnError::Transport { node: self.name(), why })?;
        let Some((recorder, put)) = self.books.take() else {
            // Never: they are there whenever it is not configured, and it is configured once at a time.
            return Err(SpawnError::Twice(self.name()));
        };
        cells.given_up.set(false);
        self.record.watch(bound.watches);
        let (steps, departures) = bound.tape.unzip();
        let (outbox, courier) = outbox(
            bound.publishers,
            self.options.buffer,
            &clock,
            self.shared.clock,
            self.record.clone(),
            put,
            departures,
        );
        let (policy, shared) = (self.courier, self.shared.clone());
        let courier_name = format!("{} (courier)", self.record.node);
        let courier = thread::Builder::new()
            .name(format!("{}>", self.options.name))
            .spawn(move || {
                if policy != Policy::Other {
                    shared.ready(&courier_name, policy, None);
                }
                courier.run()
            })
            .map_err(self.no_thread())?;
        let mut runner = Runner::new(step, bound.inputs, bound.outputs, self.contract, recorder);
        runner.level(self.options.level);
        if let Some(steps) = steps {
            runner.record(steps);
        }
        if let Some(injection) = &self.options.inject {
            runner.inject(injection.clone());
        }
        let thread = Thread::Resting(Box::new((runner, outbox)));
        self.configured = Some(Configured { thread, wake, courier, subscriptions: bound.subscriptions });
        Ok(())
    }

    fn activate(&mut self, afresh: bool) -> Result<(), SpawnError> {
        let (no_thread, clock) = (self.no_thread(), self.clock());
        let Some(configured) = &mut self.configured else { return Ok(()) };
        let Thread::Resting(parts) = std::mem::replace(&mut configured.thread, Thread::Lost) else {
            return Ok(());
        };
        let (mut runner, outbox) = *parts;
        if afresh {
            // A command that was given while nobody carried it out is not carried out now.
            runner.forget_inputs();
        }
        self.record.cells.deaf.set(false);
        let stop = StopToken::new();
        let mut node = NodeLoop {
            runner,
            outbox,
            wake: configured.wake.clone(),
            clock,
            host: self.shared.clock,
            vital: self.options.vital.clone(),
            go: self.go.clone(),
            stop: stop.clone(),
        };
        let (cores, arena) = (self.options.cores.clone(), self.options.arena);
        let (shared, record, policy) = (self.shared.clone(), self.record.clone(), self.policy);
        let thread = thread::Builder::new()
            .name(self.options.name.clone())
            .stack_size(self.options.stack)
            .spawn(move || {
                if !node.runner.has_arena()
                    && let Some(arena) = shared.arena(&record, arena)
                {
                    node.runner.use_arena(arena);
                }
                record.cells.real_time.set(shared.ready(&record.node, policy, cores.as_deref()));
                node.run()
            })
            .map_err(no_thread)?;
        configured.thread = Thread::Running { thread, stop };
        Ok(())
    }

    fn ask_to_stop(&self) {
        if let Some(Configured { thread: Thread::Running { stop, .. }, wake, .. }) = &self.configured {
            stop.stop();
            wake.announce();
        }
    }

    fn deactivate(&mut self, patience: Option<Duration>) -> Result<(), Stuck> {
        self.ask_to_stop();
        self.record.cells.deaf.set(true);
        self.record.watches().iter().for_each(|watch| watch.rest());
        let Some(configured) = &mut self.configured else { return Ok(()) };
        let Thread::Running { thread, .. } = &configured.thread else { return Ok(()) };
        if let Some(patience) = patience {
            const LOOK: Duration = Duration::from_millis(1);
            let mut waited = Duration::ZERO;
            while !thread.is_finished() {
                if waited >= patience {
                    return Err(Stuck::Hangs);
                }
                thread::sleep(LOOK);
                waited += LOOK;
            }
        }
        let Thread::Running { thread, .. } = std::mem::replace(&mut configured.thread, Thread::Lost) else {
            return Ok(());
        };
        let back = thread.join().map_err(|_panic| Stuck::Died)?;
        configured.thread = Thread::Resting(Box::new(back));
        Ok(())
    }

    fn clean_up(&mut self) -> bool {
        let Some(configured) = self.configured.take() else { return true };
        let Configured { thread, courier, subscriptions, .. } = configured;
        // The node's end first: it holds the outbox, and the courier ends with it.
        let recorder = match thread {
            Thread::Resting(parts) => {
                let (runner, outbox) = *parts;
                drop(outbox);
                // The node's own code may panic once more while it is dropped; this thread goes on.
                catch_unwind(AssertUnwindSafe(move || runner.into_book())).ok()
            }
            Thread::Running { .. } | Thread::Lost => None,
        };
        let put = courier.join().ok();
        drop(subscriptions);
        self.shared.watcher.forget(&self.record.watches());
        match (recorder, put) {
            (Some(recorder), Some(put)) => {
                self.books = Some((recorder, put));
                true
            }
            _ => false,
        }
    }
}

struct NodeLoop<S: Step> {
    runner: Runner<S>,
    outbox: Outbox,
    wake: Wake,
    clock: Clock,
    host: HostClock,
    vital: Option<Vital>,
    go: StopToken,
    stop: StopToken,
}

impl<S: Step> NodeLoop<S> {
    /// Tells a watchdog, if there is one. Nothing more of a node that is given up: its fall-back goes on here, and to the watchdog it
    /// is a step that never ends, so that its process is started again.
    fn vital(&self, tell: impl FnOnce(&Vital, Duration)) {
        if let Some(vital) = self.vital.as_ref().filter(|_| !self.runner.is_given_up()) {
            tell(vital, Duration::from_nanos(self.host.to_monotonic(self.host.now())));
        }
    }

    /// Steps until the stop. From the first release on: wait-free slots, the clock, and the two futex calls; nothing else.
    fn run(mut self) -> (Runner<S>, Outbox) {
        troika_safety::fulfils![SR_TIM_005];
        // A stop opens it too: the host stops all its nodes after it let them go.
        self.go.wait();
        let clock = self.clock.clone();
        let mut started = clock.now();
        let mut last = started;
        let mut schedule = Schedule::new(&self.runner.contract(), started);
        while !self.stop.is_stopped() {
            let seen = self.wake.seen(); // before looking, so that what comes in between is not slept over
            let now = clock.now();
            if now < last {
                // Time went back: what was due in its future is due no more.
                started = now;
                schedule = Schedule::new(&self.runner.contract(), now);
            }
            last = now;
            self.vital(Vital::begin);
            let ran = if let Some(arrival) = self.runner.arrival() {
                // What waited since before the start is released by the start.
                let release = arrival.max(started);
                schedule.heard(release);
                self.runner.run(release, || clock.now())
            } else if let Some(due) = schedule.take(clock.now()) {
                if let Some(ran) = self.runner.pass_over(&due, clock.now()) {
                    self.runner.leave(ran, || clock.now(), &mut self.outbox);
                }
                self.runner.run(due.release, || clock.now())
            } else {
                self.vital(|vital, _| vital.end());
                let until = match &clock {
                    // It is woken by each move of its time, and gives a sign of life while that stands.
                    Clock::Ros(_) => self.host.now() + self.runner.contract().spec().period,
                    _ => schedule.due(),
                };
                self.wake.wait(seen, Some(self.host.to_monotonic(until)));
                continue;
            };
            self.runner.leave(ran, || clock.now(), &mut self.outbox);
            self.vital(|vital, _| vital.end());
        }
        // Stopped on purpose: nothing more is owed.
        if let Some(vital) = &self.vital {
            vital.rest();
        }
        (self.runner, self.outbox)
    }
}
