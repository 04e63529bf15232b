//! The wall-clock executor: each node on a thread of its own, its slots filled by the transport's threads and its outputs
//! carried away by an ordinary one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use troika_arena::Arena;
use troika_kit::{Message as _, Qos, Step};
use troika_msgs::rosgraph_msgs;
use troika_transport::{Meta, Transport, TransportError};

use crate::{
    body::{Body, Parts},
    clock::{Clock, HostClock, RosTime},
    edge::Edge,
    heartbeat,
    lifecycle::{self, Caretaker, LifecycleServer, Managed, SharedManaged, State},
    options::{HostOptions, NodeOptions, SpawnError},
    own_parameters,
    parameters::ParameterServer,
    qos::Watcher,
    rosout::Rosout,
    sched::{self, Notice, Policy, WakeLatency},
    service::Serving,
    stats::{NodeEvent, NodeStats, Record, books},
    sync::{StopToken, Wake},
};

/// Of subscriptions of /clock, as rclcpp has it (`ClockQoS`): best effort, the last one.
const CLOCK_QOS: Qos = Qos { reliable: false, depth: 1, ..Qos::DEFAULT };

/// The nodes of one process. Dropping it stops them.
pub struct Host {
    options: HostOptions,
    shared: Arc<Shared>,
    nodes: Vec<Node>,
    /// Opens when the nodes may run.
    go: StopToken,
    stop: StopToken,
    housekeeper: Option<JoinHandle<()>>,
    caretaker: Option<Caretaker>,
    _awake: Option<WakeLatency>,
}

/// Fields are dropped in their order: the name last.
struct Node {
    lifecycle: Option<LifecycleServer>,
    _parameters: ParameterServer,
    record: Arc<Record>,
    managed: SharedManaged,
}

pub(crate) struct Shared {
    transport: Arc<dyn Transport>,
    pub(crate) clock: HostClock,
    records: Mutex<Vec<Arc<Record>>>,
    notices: Mutex<Vec<Notice>>,
    beats: Mutex<Vec<heartbeat::Beater>>,
    /// Who has news for /rosout.
    reports: Mutex<Vec<SharedManaged>>,
    pub(crate) watcher: Watcher,
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
        let clock = HostClock::start();
        let shared = Shared {
            watcher: Watcher::new(transport.clone(), clock),
            transport,
            clock,
            records: Mutex::default(),
            notices: Mutex::new(notices),
            beats: Mutex::default(),
            reports: Mutex::default(),
        };
        Host {
            options,
            shared: Arc::new(shared),
            nodes: Vec::new(),
            go: StopToken::new(),
            stop: StopToken::new(),
            housekeeper: None,
            caretaker: None,
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

    /// Declares a node on the transport and makes its threads; it steps from [`Host::start`] on, while the host lives.
    ///
    /// # Errors
    /// See [`SpawnError`]; nothing of the node is left then.
    pub fn spawn<S: Step>(&mut self, step: S, options: NodeOptions) -> Result<(), SpawnError> {
        let mut step = Some(step);
        let make = move || step.take().ok_or_else(|| "it was made once".to_owned());
        let mut managed = self.declare(Box::new(make), &options)?;
        managed.configure()?;
        managed.life.activate(false)?;
        self.take_in::<S>(managed, options)
    }

    /// Declares a node with a life cycle, as ROS 2 has it for managed nodes: others configure, activate, deactivate and clean it up
    /// by its services. `make` makes its step, again at each configuring. With `options.autostart` it is configured here and active
    /// from [`Host::start`] on.
    ///
    /// # Errors
    /// See [`SpawnError`]; nothing of the node is left then.
    pub fn manage<S: Step>(
        &mut self,
        make: impl FnMut() -> Result<S, String> + Send + 'static,
        options: NodeOptions,
    ) -> Result<(), SpawnError> {
        let refused = |why: TransportError| SpawnError::Transport { node: options.full_name(), why };
        let managed = self.declare(Box::new(make), &options)?;
        let mut managed = managed.with_life_cycle().map_err(refused)?;
        if options.autostart {
            managed.configure()?;
            managed.went(State::Configuring);
            managed.life.activate(false)?;
            if self.housekeeper.is_some() {
                managed.went(State::Activating);
            }
        }
        self.take_in::<S>(managed, options)
    }

    /// The node's name on the transport, and nothing that runs.
    fn declare<S: Step>(
        &self,
        make: Box<dyn FnMut() -> Result<S, String> + Send>,
        options: &NodeOptions,
    ) -> Result<Managed, SpawnError> {
        let name = options.full_name();
        let contract = options.check::<S::Inputs, S::Outputs>(S::CONTRACT)?;
        if self.nodes.iter().any(|node| node.record.node == name) {
            return Err(SpawnError::Twice(name));
        }
        let refused = |why: TransportError| SpawnError::Transport { node: name.clone(), why };
        let (recorder, put, record) = books(name.clone(), contract);
        let handle = self.shared.transport.node(&options.namespace, &options.name).map_err(refused)?;
        let rosout = Rosout::declare(&*handle, &name).map_err(refused)?;
        let policy = if self.options.rt_allowed { options.sched } else { Policy::Other };
        if policy != options.sched {
            self.shared.notice(Notice {
                who: name,
                what: "real-time priority is switched off: runs at normal priority".into(),
                mend: "allow it in the system file or on the command line".into(),
            });
        }
        let wake = Wake::default();
        let ros_time =
            self.options.use_sim_time.then(|| (Arc::new(RosTime::new(wake.clone())), wake.clone()));
        let clock = match &ros_time {
            Some((time, _)) => Clock::Ros(time.clone()),
            None => Clock::Host(self.shared.clock),
        };
        let life = Body::new(Parts {
            make,
            options: options.clone(),
            contract,
            record: record.clone(),
            books: (recorder, put),
            shared: self.shared.clone(),
            go: self.go.clone(),
            courier: self.options.courier,
            policy,
            ros_time,
        });
        Ok(Managed::plain(Box::new(life), handle, record, rosout, clock))
    }

    /// Its services and heartbeats, and its place in the host.
    fn take_in<S: Step>(&mut self, managed: Managed, mut options: NodeOptions) -> Result<(), SpawnError> {
        let record = managed.record.clone();
        let name = record.node.clone();
        let refused = |why: TransportError| SpawnError::Transport { node: name.clone(), why };
        let clock = managed.clock();
        let beater = match self.options.heartbeat {
            true => Some(
                heartbeat::Beater::declare(&*managed.handle, record.clone(), clock.clone())
                    .map_err(refused)?,
            ),
            false => None,
        };
        let mut declared =
            own_parameters::declared(&record.contract, options.sched, S::LEVELS, options.level, &clock);
        declared.append(&mut options.parameters);
        let accept = own_parameters::accept(S::LEVELS, record.cells.clone());
        let unreadable = &record.cells.unreadable;
        let serving = Serving { handle: &*managed.handle, options: &options, unreadable };
        let parameters =
            ParameterServer::declare(serving, declared, accept, clock.clone()).map_err(refused)?;
        let managed = Arc::new(Mutex::new(managed));
        let lifecycle = {
            let node = lifecycle::lock(&managed);
            match node.has_life_cycle() {
                true => {
                    let caretaker = match &mut self.caretaker {
                        Some(caretaker) => caretaker,
                        none => {
                            let no_thread = |why| SpawnError::Thread { node: name.clone(), why };
                            none.insert(Caretaker::start(self.go.clone()).map_err(no_thread)?)
                        }
                    };
                    let serving = Serving { handle: &*node.handle, options: &options, unreadable };
                    let server = LifecycleServer::declare(serving, &record, &managed, caretaker);
                    Some(server.map_err(refused)?)
                }
                false => None,
            }
        };
        if let Clock::Ros(time) = clock {
            let jumped = self.caretaker.as_ref().map(|caretaker| caretaker.on_jump(&managed));
            let on_clock = move |cdr: &[u8], _: &Meta| {
                let Ok(said) = rosgraph_msgs::Clock::decode(cdr) else { return };
                if time.set(said.clock.into())
                    && let Some(jumped) = &jumped
                {
                    jumped();
                }
            };
            let mut node = lifecycle::lock(&managed);
            let ty = rosgraph_msgs::Clock::TYPE;
            let subscription = node.handle.subscribe("/clock", ty, CLOCK_QOS, Box::new(on_clock));
            node.time = Some(subscription.map_err(refused)?);
        }
        lock(&self.shared.records).push(record.clone());
        lock(&self.shared.beats).extend(beater);
        lock(&self.shared.reports).push(managed.clone());
        self.nodes.push(Node { lifecycle, _parameters: parameters, record, managed });
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
        for node in &self.nodes {
            let mut managed = lifecycle::lock(&node.managed);
            if managed.state() == State::Inactive {
                // By itself: nobody else's change is carried out before.
                managed.went(State::Activating);
            }
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
        let mut nodes = std::mem::take(&mut self.nodes);
        // First of all nobody changes them any more.
        for node in &mut nodes {
            drop(node.lifecycle.take());
            let time = lifecycle::lock(&node.managed).time.take();
            drop(time);
        }
        self.go.stop(); // the caretaker may wait for it
        drop(self.caretaker.take());
        for node in &nodes {
            lifecycle::lock(&node.managed).life.ask_to_stop();
        }
        let mut died = Vec::new();
        for node in &nodes {
            let mut managed = lifecycle::lock(&node.managed);
            let rested = managed.life.deactivate(None).is_ok();
            if !(managed.life.clean_up() && rested) {
                died.push(node.record.node.clone());
            }
        }
        if let Some(housekeeper) = self.housekeeper.take()
            && housekeeper.join().is_err()
        {
            died.push("troika-beat".into());
        }
        lock(&self.shared.beats).clear();
        lock(&self.shared.reports).clear();
        drop(nodes); // off the graph, after the last heartbeat
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
    pub(crate) fn notice(&self, notice: Notice) {
        lock(&self.notices).push(notice);
    }

    pub(crate) fn ready(&self, who: &str, policy: Policy, cores: Option<&[usize]>) -> bool {
        let mut notices = Vec::new();
        let real_time = sched::ready_thread(who, policy, cores, &mut notices);
        lock(&self.notices).extend(notices);
        real_time
    }

    /// The arena of a node, made on its own thread; none was asked for, or a notice says why there is none.
    pub(crate) fn arena(&self, record: &Record, bytes: usize) -> Option<Arena> {
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
        for beater in lock(&self.beats).iter_mut() {
            beater.beat();
        }
        let reports = lock(&self.reports).clone();
        for node in reports {
            // One that changes now has its say afterwards.
            if let Ok(mut node) = node.try_lock() {
                node.report();
            }
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
