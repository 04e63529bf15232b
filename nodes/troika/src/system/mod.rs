//! What belongs here: the system file (`launch/systems/*.toml`): which nodes run, in which process, at which priority, with
//! which parameters. Reading it ([`load`]) and finding what is wrong with it ([`check`]) are pure; a [`Problem`] points at
//! the line at fault and names the way out.

pub(crate) mod black_box;
pub(crate) mod check;
#[cfg(test)]
mod fuzz;
pub(crate) mod place;
pub(crate) mod problem;
pub(crate) mod qos;
pub(crate) mod ros;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde::Deserialize;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};
use troika_host::{InjectedFault, Injection, InjectionLog, Policy, watch::RESTARTS_A_MINUTE};
use troika_kit::Contract;
use troika_models::signature::PublicKey;

use crate::{kind::Kind, kinds};

use black_box::BlackBoxSettings;
pub(crate) use problem::{Problem, Severity};
use qos::PortQos;

/// A system file as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct System {
    /// The `[system]` table.
    pub system: Head,
    /// The `[nodes.NAME]` tables.
    pub nodes: BTreeMap<String, Spanned<Node>>,
    /// The `[processes.NAME]` tables; a process that is only named by nodes has the defaults.
    #[serde(default)]
    pub processes: BTreeMap<String, Spanned<Process>>,
    /// The `[chains.NAME]` tables.
    #[serde(default)]
    pub chains: BTreeMap<String, Spanned<Chain>>,
}

/// A `[chains.NAME]` table: nodes that a message passes through, and how long that may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chain {
    /// The nodes, in order.
    pub nodes: Spanned<Vec<String>>,
    /// From the first node's release to the last one's output, milliseconds, without transport.
    pub goal_ms: Spanned<f64>,
}

/// The `[system]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// The system's name.
    pub name: String,
    /// One sentence for `troika graph` and the terminal view.
    #[serde(default)]
    pub description: String,
    /// What carries the messages.
    #[serde(default)]
    pub transport: TransportKind,
    /// Carry camera frames and other large messages between its processes through shared memory.
    #[serde(default)]
    pub shared_memory: bool,
    /// Its nodes have their time from `/clock`, as in ROS 2; while that stands, they stand.
    #[serde(default)]
    pub use_sim_time: bool,
    /// ROS 2 namespace of every node, `/` or `/car/front`.
    #[serde(default = "root_namespace")]
    pub namespace: Spanned<String>,
    /// Topics that others than this system publish: a vehicle's own nodes, people. Nothing is missing where nothing in it does.
    #[serde(default)]
    pub from_outside: Vec<Spanned<String>>,
    /// The highest share of one core that real-time nodes may use, so that the transport's ordinary threads still run.
    #[serde(default = "default_real_time_share")]
    pub real_time_share: Spanned<f64>,
    /// Keep the last minute of each process in memory, and write it out when something happens.
    #[serde(default)]
    pub black_box: Option<Spanned<BlackBoxSettings>>,
    /// The public key of who may put another model in the place of one that runs; without it anybody may who reaches the topic.
    #[serde(default)]
    pub model_key: Option<Spanned<PathBuf>>,
    /// What a system on the road must have is wanted: signed models, watchdogs, a supervisor, commands of their senders alone; see
    /// [`check`](crate::system::check).
    #[serde(default)]
    pub production: bool,
    /// Run the detectors' networks on our kernels; else on tract's own operators, which take several times as long.
    #[serde(default = "yes")]
    pub fast_networks: bool,
}

impl Head {
    /// Whose models are taken while the system runs.
    ///
    /// # Errors
    /// A file that is not there, or holds no key.
    pub(crate) fn trusted(&self) -> anyhow::Result<Option<PublicKey>> {
        let Some(path) = self.model_key.as_ref().map(Spanned::get_ref) else { return Ok(None) };
        let text = std::fs::read_to_string(path).with_context(|| format!("model_key: {}", path.display()))?;
        text.parse().map(Some).with_context(|| format!("model_key: {}", path.display()))
    }

    /// The file of the key that every model has to be signed with; none where any model of the program's passports is taken.
    pub(crate) fn demanded_key(&self) -> Option<&Path> {
        let key = self.model_key.as_ref().filter(|_| self.production);
        key.map(|key| key.get_ref().as_path())
    }
}

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TransportKind {
    /// Inside one process; other processes of the system are not reached.
    Mem,
    /// zenoh, as ROS 2 peers on rmw_zenoh speak it.
    #[default]
    Zenoh,
    /// DDS (CycloneDDS), as ROS 2 peers on any DDS speak it.
    Dds,
    /// ROS 2's own client library, rcl, over whatever RMW it is set up with.
    Ros2,
}

fn yes() -> bool {
    true
}

fn root_namespace() -> Spanned<String> {
    Spanned::new(0..0, "/".to_owned())
}

fn default_real_time_share() -> Spanned<f64> {
    Spanned::new(0..0, 0.7)
}

fn default_process() -> String {
    "main".to_owned()
}

/// A `[processes.NAME]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Process {
    /// Lock the process's memory (never where speech or language models run).
    pub lock_memory: bool,
    /// Let no core of the machine take longer than this to wake from idleness while the process runs, microseconds.
    pub wake_latency_us: Option<u32>,
    /// Measure the machine's scheduling floor beside this process's nodes.
    pub floor: bool,
    /// `nice` value of the process's ordinary threads, 0 to 19.
    pub nice: i32,
    /// Watch its nodes from a second process, which publishes their fall-backs when they hang or are gone, and starts them again.
    pub watchdog: Watchdog,
    /// Whether the system ends when this process fails. One that is not essential is told, started again, and in the end done without.
    pub essential: bool,
    /// How often a minute one that is not essential and has no watchdog is started again when it fails.
    pub restarts_per_minute: Option<u32>,
}

impl Default for Process {
    fn default() -> Self {
        Process {
            lock_memory: false,
            wake_latency_us: None,
            floor: false,
            nice: 0,
            watchdog: Watchdog::Off,
            essential: true,
            restarts_per_minute: None,
        }
    }
}

/// `watchdog = true`, or `{ restarts_per_minute = N }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Watchdog {
    /// None.
    #[default]
    Off,
    /// One that starts the process again, so often a minute at most.
    On {
        /// 0 is never: its nodes' fall-backs are published from the first failure on.
        restarts_per_minute: u32,
    },
}

impl<'de> Deserialize<'de> for Watchdog {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Limits {
            restarts_per_minute: u32,
        }
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Watchdog;
            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("true, false or { restarts_per_minute = N }")
            }
            fn visit_bool<E>(self, on: bool) -> Result<Watchdog, E> {
                let usual = Watchdog::On { restarts_per_minute: RESTARTS_A_MINUTE as u32 };
                Ok(if on { usual } else { Watchdog::Off })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Watchdog, A::Error> {
                let limits = Limits::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Watchdog::On { restarts_per_minute: limits.restarts_per_minute })
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// A `[nodes.NAME]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    /// Which kind of node: `troika graph --kinds` lists them.
    pub kind: Spanned<String>,
    /// The process that it runs in.
    #[serde(default = "default_process")]
    pub process: String,
    /// Scheduling policy; by default that of an ordinary thread.
    #[serde(default)]
    pub sched: Option<Spanned<Sched>>,
    /// Cores that it may run on; by default all.
    #[serde(default)]
    pub cores: Option<Spanned<Vec<usize>>>,
    /// Locked memory that its step allocates from, MiB; by default as the kind needs.
    #[serde(default)]
    pub arena_mib: Option<Spanned<usize>>,
    /// One of the kind's levels, for good; by default the host chooses by the measured slack.
    #[serde(default)]
    pub level: Option<Spanned<String>>,
    /// Port name to topic name.
    #[serde(default)]
    pub remap: BTreeMap<String, Spanned<String>>,
    /// The name of a service that every node has, to the one that it has in place of that below the node's own.
    #[serde(default)]
    pub services: BTreeMap<String, Spanned<String>>,
    /// Port name to the QoS that it has in place of its own.
    #[serde(default)]
    pub qos: BTreeMap<String, Spanned<PortQos>>,
    /// A period shorter than the kind's contract, milliseconds.
    #[serde(default)]
    pub period_ms: Option<Spanned<f64>>,
    /// A deadline shorter than the kind's contract, milliseconds.
    #[serde(default)]
    pub deadline_ms: Option<Spanned<f64>>,
    /// A budget smaller than the kind's contract, milliseconds.
    #[serde(default)]
    pub budget_ms: Option<Spanned<f64>>,
    /// Whether it is configured and activated when its process starts; else it waits for ROS 2's lifecycle services.
    #[serde(default = "yes")]
    pub autostart: bool,
    /// A fault on purpose, to see what follows.
    #[serde(default)]
    pub inject: Option<Spanned<Inject>>,
    /// The kind's own parameters; read by the kind, see [`params_of`].
    #[serde(default)]
    #[expect(dead_code, reason = "here so that the key is known")]
    pub params: Option<toml::Table>,
}

/// A fault on purpose.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inject {
    /// What its step does.
    pub fault: InjectKind,
    /// For how long, when it overruns, milliseconds.
    #[serde(default)]
    pub ms: Option<u64>,
    /// The first step that does it, counted at each start of the process.
    pub at_step: u64,
    /// Again every so many steps; left out, once.
    #[serde(default)]
    pub every: u64,
    /// A file to which the time of each is appended.
    #[serde(default)]
    pub log: Option<PathBuf>,
}

/// What an injected step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InjectKind {
    /// It never returns, and takes its core.
    Hang,
    /// It never returns, and waits.
    Block,
    /// It computes for `ms` first.
    Overrun,
    /// It panics.
    Panic,
}

impl Inject {
    /// As the host takes it; `node` is the node's full name.
    ///
    /// # Errors
    /// The log cannot be opened.
    pub(crate) fn injection(&self, node: &str) -> anyhow::Result<Injection> {
        let fault = match self.fault {
            InjectKind::Hang => InjectedFault::Hang,
            InjectKind::Block => InjectedFault::Block,
            InjectKind::Overrun => InjectedFault::Overrun(Duration::from_millis(self.ms.unwrap_or_default())),
            InjectKind::Panic => InjectedFault::Panic,
        };
        let open = |path: &PathBuf| {
            InjectionLog::open(path, node).with_context(|| format!("cannot append to {}", path.display()))
        };
        let log = self.log.as_ref().map(open).transpose()?;
        Ok(Injection { fault, at_step: self.at_step, every: self.every, log })
    }
}

/// Scheduling policy.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "SchedTable")]
pub(crate) enum Sched {
    /// SCHED_FIFO at a priority of 1 to 98.
    Fifo {
        /// Higher runs first.
        priority: u8,
    },
    /// SCHED_DEADLINE; what is left out is the contract's budget, deadline and period.
    Deadline {
        /// Execution time in each period, milliseconds.
        runtime_ms: Option<f64>,
        /// From release to end, milliseconds.
        deadline_ms: Option<f64>,
        /// Between releases, milliseconds.
        period_ms: Option<f64>,
    },
    /// An ordinary thread.
    Other {},
}

/// A `sched` table as written. A tagged enum would be shorter, and would lose the places of its keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchedTable {
    policy: PolicyName,
    priority: Option<u8>,
    runtime_ms: Option<f64>,
    deadline_ms: Option<f64>,
    period_ms: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PolicyName {
    Fifo,
    Deadline,
    Other,
}

impl TryFrom<SchedTable> for Sched {
    type Error = &'static str;

    fn try_from(table: SchedTable) -> Result<Sched, &'static str> {
        let SchedTable { policy, priority, runtime_ms, deadline_ms, period_ms } = table;
        let times = runtime_ms.or(deadline_ms).or(period_ms).is_some();
        match (policy, priority) {
            (PolicyName::Fifo, Some(priority)) if !times => Ok(Sched::Fifo { priority }),
            (PolicyName::Fifo, None) => Err("policy \"fifo\" needs `priority`, 1 to 98"),
            (PolicyName::Fifo, Some(_)) => Err("policy \"fifo\" has `priority` and no times"),
            (PolicyName::Deadline, None) => Ok(Sched::Deadline { runtime_ms, deadline_ms, period_ms }),
            (PolicyName::Deadline, Some(_)) => {
                Err("policy \"deadline\" has no `priority`: it runs above every \"fifo\"")
            }
            (PolicyName::Other, None) if !times => Ok(Sched::Other {}),
            (PolicyName::Other, _) => {
                Err("policy \"other\" is an ordinary thread: it has no `priority` and no times")
            }
        }
    }
}

impl Sched {
    /// Runtime, deadline and period that the policy reserves; zero for a number that is no time.
    pub(crate) fn reservation(&self, contract: &Contract) -> Option<[Duration; 3]> {
        let Sched::Deadline { runtime_ms, deadline_ms, period_ms } = *self else { return None };
        let spec = contract.spec();
        let time = |ms: Option<f64>, declared: Duration| match ms {
            Some(ms) => Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default(),
            None => declared,
        };
        Some([time(runtime_ms, spec.budget), time(deadline_ms, spec.deadline), time(period_ms, spec.period)])
    }

    /// As the host takes it.
    pub(crate) fn policy(&self, contract: &Contract) -> Policy {
        match (*self, self.reservation(contract)) {
            (Sched::Fifo { priority }, _) => Policy::Fifo(priority),
            (_, Some([runtime, deadline, period])) => Policy::Deadline { runtime, deadline, period },
            (Sched::Other {} | Sched::Deadline { .. }, None) => Policy::Other,
        }
    }
}

impl Node {
    /// The contract's tightened numbers: period, deadline, budget.
    pub(crate) fn tightened(&self) -> [Option<Duration>; 3] {
        let millis = |field: &Option<Spanned<f64>>| {
            field.as_ref().and_then(|ms| Duration::try_from_secs_f64(ms.get_ref() / 1000.0).ok())
        };
        [millis(&self.period_ms), millis(&self.deadline_ms), millis(&self.budget_ms)]
    }
}

impl System {
    /// Whether the system ends when this process fails.
    pub(crate) fn is_essential(&self, process: &str) -> bool {
        self.processes.get(process).is_none_or(|settings| settings.get_ref().essential)
    }

    /// How often a minute the process may be started again, if it has a watchdog.
    pub(crate) fn restarts_per_minute(&self, process: &str) -> Option<u32> {
        match self.processes.get(process)?.get_ref().watchdog {
            Watchdog::Off => None,
            Watchdog::On { restarts_per_minute } => Some(restarts_per_minute),
        }
    }

    /// How often a minute the process is started again by the run itself: not, where it is essential (the run ends) or has a watchdog.
    pub(crate) fn starts_again(&self, process: &str) -> usize {
        let Some(settings) = self.processes.get(process).map(|settings| settings.get_ref()) else { return 0 };
        if settings.essential || settings.watchdog != Watchdog::Off {
            return 0;
        }
        settings.restarts_per_minute.map_or(RESTARTS_A_MINUTE, |most| most as usize)
    }

    /// The nodes that `troika` itself hosts in this process, in the order in which they are made.
    pub(crate) fn hosted<'a>(
        &'a self,
        process: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Node, &'static dyn Kind)> {
        self.nodes.iter().filter_map(move |(name, node)| {
            let node = node.get_ref();
            let kind = kinds::find(node.kind.get_ref())?;
            (node.process == process && kind.program().is_none()).then_some((name.as_str(), node, kind))
        })
    }

    /// The full name of a node.
    pub(crate) fn full_name(&self, node: &str) -> String {
        format!("{}/{node}", self.system.namespace.get_ref().trim_end_matches('/'))
    }

    /// The full names of all nodes.
    pub(crate) fn full_names(&self) -> Vec<String> {
        self.nodes.keys().map(|name| self.full_name(name)).collect()
    }

    /// The full names of the nodes that must be there for the system to start.
    pub(crate) fn essential_nodes(&self) -> Vec<String> {
        self.nodes
            .iter()
            .filter(|(_, node)| self.is_essential(&node.get_ref().process))
            .map(|(name, _)| self.full_name(name))
            .collect()
    }
}

/// A system file with its text, so that problems can point into it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// As given by the user.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// Reads a system file.
///
/// # Errors
/// The file cannot be read, is no TOML, or has an unknown or missing key.
pub(crate) fn load(path: &Path) -> Result<(Source, System), Box<(Source, Problem)>> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let source = Source { path: shown.clone(), text: String::new() };
        Box::new((
            source,
            Problem::error(format!("cannot read {shown}: {error}"))
                .help("give the path of a system file, for example launch/systems/cabin.toml"),
        ))
    })?;
    let source = Source { path: shown, text };
    match parse(&source.text) {
        Ok(system) => Ok((source, system)),
        Err(problem) => Err(Box::new((source, problem))),
    }
}

/// Reads the text of a system file.
pub(crate) fn parse(text: &str) -> Result<System, Problem> {
    troika_safety::fulfils![SR_DAT_007];
    toml::from_str(text).map_err(|error| {
        let problem = Problem::of_toml(&error);
        match problem.help.is_none().then(|| home_of(&problem.message)).flatten() {
            Some(table) => problem.help(format!("it is a key of {table}")),
            None => problem,
        }
    })
}

/// The table whose key this is, when a message says that it is unknown where it stands.
fn home_of(message: &str) -> Option<&'static str> {
    /// What the reader says of a key that no table has: all that it knows.
    fn keys<T: serde::de::DeserializeOwned>() -> String {
        toml::from_str::<T>("\"-\" = 0").err().map_or_else(String::new, |error| error.message().to_owned())
    }
    let unknown = message.strip_prefix("unknown field ")?.split('`').nth(1)?;
    let homes = [
        ("[system]", keys::<Head>()),
        ("[processes.NAME]", keys::<Process>()),
        ("[nodes.NAME]", keys::<Node>()),
        ("[chains.NAME]", keys::<Chain>()),
        ("[nodes.NAME.qos.PORT]", keys::<PortQos>()),
        ("a node's `sched`: sched = { policy = \"fifo\", priority = 80 }", keys::<SchedTable>()),
    ];
    let quoted = format!("`{unknown}`");
    homes.into_iter().find(|(_, keys)| keys.contains(&quoted)).map(|(table, _)| table)
}

/// The parameters of one node, with their places in the file, for the kind to read. `None` when there are none.
pub(crate) fn params_of<'t>(text: &'t str, node: &str) -> Option<Spanned<DeValue<'t>>> {
    let mut file = DeTable::parse(text).ok()?.into_inner();
    let DeValue::Table(mut nodes) = file.remove("nodes")?.into_inner() else { return None };
    let DeValue::Table(mut node) = nodes.remove(node)?.into_inner() else { return None };
    node.remove("params")
}

/// Reads a kind's parameters; an absent `params` table is an empty one.
///
/// # Errors
/// An unknown key or a value of the wrong type, with its place in the file.
pub(crate) fn read_params<T: serde::de::DeserializeOwned>(text: &str, node: &str) -> Result<T, Problem> {
    let result = match params_of(text, node) {
        Some(value) => T::deserialize(toml::de::ValueDeserializer::from(value)),
        None => T::deserialize(toml::Table::new()),
    };
    result.map_err(|error| Problem::of_toml(&error))
}
