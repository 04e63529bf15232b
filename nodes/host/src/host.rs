//! The wall-clock executor: each node on a thread of its own, its slots filled by the transport's threads and its outputs
//! carried away by an ordinary one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use troika_arena::Arena;
use troika_kit::{Step, Wake as WakeOn};
use troika_transport::{NodeHandle, Subscription, Transport, TransportError};

use crate::{
    bind::bind,
    clock::{Clock, HostClock},
    edge::Edge,
    heartbeat,
    options::{HostOptions, NodeOptions, SpawnError},
    outbox::{Outbox, outbox},
    own_parameters,
    parameters::ParameterServer,
    runner::Runner,
    sched::{self, Notice, Policy, WakeLatency},
    schedule::Schedule,
    stats::{NodeEvent, NodeStats, Record, books},
    sync::{StopToken, Vital, Wake},
};

/// The nodes of one process. Dropping it stops them.
pub struct Host {
    options: HostOptions,
    shared: Arc<Shared>,
    nodes: Vec<Node>,
    /// Opens when the nodes may run.
    go: StopToken,
    stop: StopToken,
    housekeeper: Option<JoinHandle<()>>,
    _awake: Option<WakeLatency>,
}

struct Node {
    wake: Wake,
    thread: JoinHandle<()>,
    courier: JoinHandle<()>,
    subscriptions: Vec<Box<dyn Subscription>>,
    parameters: ParameterServer,
    handle: Box<dyn NodeHandle>,
    record: Arc<Record>,
}

struct Shared {
    transport: Arc<dyn Transport>,
    clock: HostClock,
    records: Mutex<Vec<Arc<Record>>>,
    notices: Mutex<Vec<Notice>>,
    beats: Mutex<Vec<heartbeat::Beater>>,
}

/// What is left to say when all nodes have stopped.
#[derive(Debug)]
pub struct RunReport {
    /// The last figures of every node.
    pub stats: Vec<NodeStats>,
    /// What the machine did not allow.
    pub notices: Vec<Notice>,
    /// Nodes whose thread ended by a panic outside the step: a defect of the host.
    pub died: Vec<String>,
}

/// A view of a running host, for a terminal view or a report; cheap to clone.
#[derive(Clone)]
pub struct HostHandle(Arc<Shared>);

impl Host {
    /// Readies the process: locks memory, as the options say. What is refused becomes a notice.
    pub fn new(options: HostOptions, transport: Arc<dyn Transport>) -> Host {
        let mut notices = Vec::new();
        if options.mlock
            && let Err(notice) = sched::lock_memory()
        {
            notices.push(notice);
        }
        let awake = options.wake_latency_us.map(WakeLatency::hold).transpose();
        let awake = awake.unwrap_or_else(|notice| {
            notices.push(notice);
            None
        });
        let shared = Shared {
            transport,
            clock: HostClock::start(),
            records: Mutex::default(),
            notices: Mutex::new(notices),
            beats: Mutex::default(),
        };
        Host {
            options,
            shared: Arc::new(shared),
            nodes: Vec::new(),
            go: StopToken::new(),
            stop: StopToken::new(),
            housekeeper: None,
            _awake: awake,
        }
    }

    /// The host's time line.
    pub fn clock(&self) -> HostClock {
        self.shared.clock
    }

    /// A view for other threads.
    pub fn handle(&self) -> HostHandle {
        HostHandle(self.shared.clone())
    }

    /// The figures of every node, in order of spawning.
    pub fn stats(&self) -> Vec<NodeStats> {
        self.handle().stats()
    }

    /// What the machine did not allow so far. A node's own notices come when its thread has started.
    pub fn notices(&self) -> Vec<Notice> {
        self.handle().notices()
    }

    /// Declares a node on the transport and makes its threads; it steps from [`Host::start`] on.
    ///
    /// # Errors
    /// See [`SpawnError`]; nothing of the node is left then.
    pub fn spawn<S: Step>(&mut self, step: S, options: NodeOptions) -> Result<(), SpawnError> {
        let name = options.full_name();
        let contract = options.check::<S::Inputs, S::Outputs>(S::CONTRACT)?;
        if self.nodes.iter().any(|node| node.record.node == name) {
            return Err(SpawnError::Twice(name));
        }
        let refused = |why: TransportError| SpawnError::Transport { node: name.clone(), why };
        let no_thread = |why: std::io::Error| SpawnError::Thread { node: name.clone(), why };

        let (recorder, put, record) = books(name.clone(), contract);
        let handle = self.shared.transport.node(&options.namespace, &options.name).map_err(refused)?;
        let wake = Wake::default();
        let wake_port = match contract.spec().wake {
            WakeOn::Input(port) => Some(port),
            WakeOn::Period => None,
        };
        let clock = self.shared.clock;
        let bound = bind::<S>(&*handle, &options, wake_port, &wake, &Clock::Host(clock), &record.cells)
            .map_err(refused)?;
        let (outbox, courier) = outbox(bound.publishers, options.buffer, clock, record.clone(), put);
        let beater = match self.options.heartbeat {
            true => Some(heartbeat::Beater::declare(&*handle, record.clone()).map_err(refused)?),
            false => None,
        };

        let mut parameters = own_parameters::declared(&contract, options.sched, S::LEVELS, options.level);
        parameters.extend(options.parameters.iter().cloned());
        let accept = own_parameters::accept(S::LEVELS, record.cells.clone());
        let parameters = ParameterServer::declare(&*handle, &name, parameters, accept, Clock::Host(clock))
            .map_err(refused)?;

        let policy = self.options.courier;
        let shared = self.shared.clone();
        let courier_name = format!("{name} (courier)");
        let courier = thread::Builder::new()
            .name(format!("{}>", options.name))
            .spawn(move || {
                if policy != Policy::Other {
                    shared.ready(&courier_name, policy, None);
                }
                courier.run();
            })
            .map_err(no_thread)?;

        let mut runner = Runner::new(step, bound.inputs, bound.outputs, contract, recorder);
        runner.level(options.level);
        if let Some(injection) = &options.inject {
            runner.inject(injection.clone());
        }
        let asked = if self.options.rt_allowed { options.sched } else { Policy::Other };
        if asked != options.sched {
            lock(&self.shared.notices).push(Notice {
                who: name.clone(),
                what: "real-time priority is switched off: runs at normal priority".into(),
                mend: "allow it in the system file or on the command line".into(),
            });
        }
        let mut node = NodeLoop {
            runner,
            outbox,
            wake: wake.clone(),
            clock,
            vital: options.vital.clone(),
            go: self.go.clone(),
            stop: self.stop.clone(),
        };
        let cores = options.cores.clone();
        let arena = options.arena;
        let shared = self.shared.clone();
        let flag = record.clone();
        // When this fails, the closure is dropped with the outbox in it, and the courier ends by itself.
        let thread = thread::Builder::new()
            .name(options.name.clone())
            .stack_size(options.stack)
            .spawn(move || {
                if let Some(arena) = shared.arena(&flag, arena) {
                    node.runner.use_arena(arena);
                }
                flag.cells.real_time.set(shared.ready(&flag.node, asked, cores.as_deref()));
                node.run();
            })
            .map_err(no_thread)?;

        lock(&self.shared.records).push(record.clone());
        lock(&self.shared.beats).extend(beater);
        let subscriptions = bound.subscriptions;
        self.nodes.push(Node { wake, thread, courier, subscriptions, parameters, handle, record });
        Ok(())
    }

    /// Lets all nodes step; also those that are spawned later.
    pub fn start(&mut self) {
        if self.housekeeper.is_none() {
            let (shared, stop) = (self.shared.clone(), self.stop.clone());
            let made = thread::Builder::new().name("troika-beat".into()).spawn(move || {
                while !stop.wait_for(heartbeat::BEAT) {
                    shared.beat();
                }
                shared.beat(); // the last figures
            });
            match made {
                Ok(thread) => self.housekeeper = Some(thread),
                Err(why) => lock(&self.shared.notices).push(Notice {
                    who: "process".into(),
                    what: format!("no thread for heartbeats ({why}): none are published"),
                    mend: "raise the limit of threads (ulimit -u)".into(),
                }),
            }
        }
        // Here, since a transport may make its threads when they are first needed.
        if self.options.courier != Policy::Other
            && let Err(notice) = sched::raise_threads(self.shared.transport.threads(), self.options.courier)
        {
            lock(&self.shared.notices).push(notice);
        }
        self.go.stop();
    }

    /// Starts the nodes, waits for the stop, and joins everything.
    pub fn run_until(mut self, stop: &StopToken) -> RunReport {
        self.start();
        stop.wait();
        self.shut_down()
    }

    /// Stops the nodes and joins everything: their last outputs are put first.
    pub fn stop(mut self) -> RunReport {
        self.shut_down()
    }

    fn shut_down(&mut self) -> RunReport {
        self.stop.stop();
        self.go.stop();
        for node in &self.nodes {
            node.wake.announce();
        }
        let mut died = Vec::new();
        let nodes = std::mem::take(&mut self.nodes);
        let mut handles = Vec::new();
        for node in nodes {
            // The step thread first: it holds the outbox, and the courier ends with it.
            let stepped = node.thread.join().is_ok();
            let delivered = node.courier.join().is_ok();
            if !(stepped && delivered) {
                died.push(node.record.node.clone());
            }
            drop((node.subscriptions, node.parameters));
            handles.push(node.handle);
        }
        if let Some(housekeeper) = self.housekeeper.take()
            && housekeeper.join().is_err()
        {
            died.push("troika-beat".into());
        }
        lock(&self.shared.beats).clear();
        drop(handles); // off the graph, after the last heartbeat
        RunReport { stats: self.stats(), notices: self.notices(), died }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.nodes.is_empty() || self.housekeeper.is_some() {
            self.shut_down();
        }
    }
}

impl Shared {
    fn ready(&self, who: &str, policy: Policy, cores: Option<&[usize]>) -> bool {
        let mut notices = Vec::new();
        let real_time = sched::ready_thread(who, policy, cores, &mut notices);
        lock(&self.notices).extend(notices);
        real_time
    }

    /// The arena of a node, made on its own thread; none was asked for, or a notice says why there is none.
    fn arena(&self, record: &Record, bytes: usize) -> Option<Arena> {
        if bytes == 0 {
            return None;
        }
        let notice = |what: String, mend: &str| {
            lock(&self.notices).push(Notice { who: record.node.clone(), what, mend: mend.into() });
        };
        match Arena::new(bytes) {
            Ok(arena) => {
                if !arena.is_locked() {
                    notice("its arena is not locked in memory".into(), sched::MEND_MEMLOCK);
                }
                record.use_arena(arena.meter());
                Some(arena)
            }
            Err(why) => {
                notice(
                    format!("no arena of {bytes} bytes ({why}): its steps allocate from the system"),
                    "free memory, or lower `arena_mib`",
                );
                None
            }
        }
    }

    fn beat(&self) {
        let now = self.clock.now();
        for beater in lock(&self.beats).iter_mut() {
            beater.beat(now);
        }
    }
}

impl HostHandle {
    /// The figures of every node, in order of spawning.
    pub fn stats(&self) -> Vec<NodeStats> {
        lock(&self.0.records).iter().map(|record| record.stats()).collect()
    }

    /// The faults of each node since the last call, by its full name: for a log on an ordinary thread.
    pub fn events(&self) -> Vec<(String, NodeEvent)> {
        let records = lock(&self.0.records).clone();
        let of = |record: &Arc<Record>| {
            let node = record.node.clone();
            record.events().into_iter().map(move |event| (node.clone(), event)).collect::<Vec<_>>()
        };
        records.iter().flat_map(of).collect()
    }

    /// What the machine did not allow so far.
    pub fn notices(&self) -> Vec<Notice> {
        lock(&self.0.notices).clone()
    }

    /// The host's time line.
    pub fn clock(&self) -> HostClock {
        self.0.clock
    }

    /// A node without a step, for the ends that are threads of their own: views, recorders, devices.
    ///
    /// # Errors
    /// What the transport says.
    pub fn edge(&self, namespace: &str, name: &str) -> Result<Edge, TransportError> {
        Edge::new(&*self.0.transport, Clock::Host(self.0.clock), namespace, name)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct NodeLoop<S: Step> {
    runner: Runner<S>,
    outbox: Outbox,
    wake: Wake,
    clock: HostClock,
    vital: Option<Vital>,
    go: StopToken,
    stop: StopToken,
}

impl<S: Step> NodeLoop<S> {
    /// Tells a watchdog, if there is one. Nothing more of a node that is given up: its fall-back goes on here, and to the watchdog it
    /// is a step that never ends, so that its process is started again.
    fn vital(&self, tell: impl FnOnce(&Vital, Duration)) {
        if let Some(vital) = self.vital.as_ref().filter(|_| !self.runner.is_given_up()) {
            tell(vital, Duration::from_nanos(self.clock.to_monotonic(self.clock.now())));
        }
    }

    /// Steps until the stop. From the first release on: wait-free slots, the clock, and the two futex calls; nothing else.
    fn run(mut self) {
        self.go.wait();
        let started = self.clock.now();
        let mut schedule = Schedule::new(&self.runner.contract(), started);
        while !self.stop.is_stopped() {
            let seen = self.wake.seen(); // before looking, so that what comes in between is not slept over
            let clock = self.clock;
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
                self.wake.wait(seen, Some(clock.to_monotonic(schedule.due())));
                continue;
            };
            self.runner.leave(ran, || clock.now(), &mut self.outbox);
            self.vital(|vital, _| vital.end());
        }
        // Stopped on purpose: nothing more is owed.
        if let Some(vital) = &self.vital {
            vital.rest();
        }
        // The node's own code may panic once more while it is dropped; the thread still ends in order.
        let runner = self.runner;
        let _ = catch_unwind(AssertUnwindSafe(move || drop(runner)));
    }
}
