//! What a composition root says about the host and about each node, and what can be wrong with it.

use std::collections::BTreeMap;

use troika_kit::{Contract, Ports, Qos, Wake, contract::ContractError};
use troika_transport::TransportError;

use crate::{
    governor::LevelPlan, inject::Injection, parameters::Declared, sched::Policy, service::OF_EVERY_NODE,
    sync::Vital, tape::Tape,
};

/// Stack of a node's thread. tract's deepest graphs need well under 1 MiB; an explicit size keeps what `mlockall` pins
/// small.
pub const NODE_STACK: usize = 4 << 20;
/// First size of an output's encode buffers. A larger message makes its buffer grow once; the growth is counted.
pub const OUT_BUFFER: usize = 16 << 10;

/// What the process allows its nodes.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Lock memory (`mlockall`), so that no page of the process is ever fetched from disk.
    pub mlock: bool,
    /// Let nodes have the real-time policy that they ask for; false runs all at normal priority.
    pub rt_allowed: bool,
    /// Policy of the threads that carry messages, below every node: ours that hand outputs to the transport, and the transport's
    /// own. As ordinary threads they wait behind a busy machine; and one that a node takes the core from, in the middle of handing
    /// a frame to the next node, goes on elsewhere only if it is a real-time thread, which the kernel moves at once.
    pub courier: Policy,
    /// Let no core take longer than this to wake from idleness, in microseconds, while the host lives; the whole machine is
    /// concerned ([`sched::WakeLatency`](crate::sched::WakeLatency)).
    pub wake_latency_us: Option<u32>,
    /// Nodes have their time from `/clock`, as ROS 2's `use_sim_time` says; while it stands, they stand.
    pub use_sim_time: bool,
    /// Publish a heartbeat for each node, once a second, on [`crate::heartbeat::TOPIC`].
    pub heartbeat: bool,
}

impl Default for HostOptions {
    fn default() -> Self {
        HostOptions {
            mlock: true,
            rt_allowed: true,
            courier: Policy::Other,
            wake_latency_us: None,
            use_sim_time: false,
            heartbeat: true,
        }
    }
}

/// How one node runs.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The node's name in the graph, without a slash.
    pub name: String,
    /// `/` or `/car/front`.
    pub namespace: String,
    /// Port name to topic. An absolute topic stands as it is, `x` is `<namespace>/x`, `~/x` is `<namespace>/<name>/x`.
    pub remaps: BTreeMap<String, String>,
    /// The name of one of [`OF_EVERY_NODE`](crate::service::OF_EVERY_NODE) to another, written as topics are; else it is below the
    /// node's own.
    pub services: BTreeMap<String, String>,
    /// Port name to the QoS that it has in place of its own.
    pub qos: BTreeMap<String, Qos>,
    /// The thread's scheduling policy.
    pub sched: Policy,
    /// The cores that the thread may run on; `None` is any.
    pub cores: Option<Vec<usize>>,
    /// The node's contract, tightened; `None` is as the node declares it.
    pub contract: Option<Contract>,
    /// Stack size of the thread, in bytes.
    pub stack: usize,
    /// First size of each encode buffer, in bytes: set it to the largest message of a `Hard` node.
    pub buffer: usize,
    /// Bytes of locked memory that its step allocates from ([`troika_arena`]), for what libraries allocate at every step; 0 is
    /// none. It serves where the program's allocator is [`troika_arena::ArenaAllocator`].
    pub arena: usize,
    /// How its level is chosen.
    pub level: LevelPlan,
    /// Whether a node with a life cycle ([`crate::Host::manage`]) is configured and activated by the host; else it waits for
    /// somebody to ask for it.
    pub autostart: bool,
    /// Its parameters, beside those that every node has.
    pub parameters: Vec<Declared>,
    /// Where it writes its signs of life for a watchdog in another process.
    pub vital: Option<Vital>,
    /// What is done to it on purpose, in tests of what happens then. Under a virtual clock: nothing, see
    /// [`crate::simulate::Timing`].
    pub inject: Option<Injection>,
    /// Where what it sees and does is written to, if it is recorded.
    pub tape: Option<Tape>,
}

impl NodeOptions {
    /// Defaults for a node of this name: root namespace, no remaps, normal priority, any core, the declared contract.
    pub fn new(name: impl Into<String>) -> Self {
        NodeOptions {
            name: name.into(),
            namespace: "/".into(),
            remaps: BTreeMap::new(),
            services: BTreeMap::new(),
            qos: BTreeMap::new(),
            sched: Policy::Other,
            cores: None,
            contract: None,
            stack: NODE_STACK,
            buffer: OUT_BUFFER,
            arena: 0,
            level: LevelPlan::Governed,
            autostart: true,
            parameters: Vec::new(),
            vital: None,
            inject: None,
            tape: None,
        }
    }

    /// The same with one more port sent to another topic.
    pub fn remap(mut self, port: impl Into<String>, topic: impl Into<String>) -> Self {
        self.remaps.insert(port.into(), topic.into());
        self
    }

    /// The same under another policy.
    pub fn sched(mut self, policy: Policy) -> Self {
        self.sched = policy;
        self
    }

    /// The same with an arena of so many bytes.
    pub fn arena(mut self, bytes: usize) -> Self {
        self.arena = bytes;
        self
    }

    /// The same with a tightened contract.
    pub fn contract(mut self, contract: Contract) -> Self {
        self.contract = Some(contract);
        self
    }

    /// `/ns/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace.trim_end_matches('/'), self.name)
    }

    /// The topic of a port: its remap, else its default.
    pub(crate) fn topic(&self, port: &str, default: &str) -> String {
        self.expand(self.remaps.get(port).map_or(default, String::as_str))
    }

    /// The name of one of its services.
    pub(crate) fn service(&self, service: &str) -> String {
        match self.services.get(service) {
            Some(name) => self.expand(name),
            None => format!("{}/{service}", self.full_name()),
        }
    }

    fn expand(&self, name: &str) -> String {
        let namespace = self.namespace.trim_end_matches('/');
        if let Some(private) = name.strip_prefix("~/") {
            format!("{namespace}/{}/{private}", self.name)
        } else if name.starts_with('/') {
            name.into()
        } else {
            format!("{namespace}/{name}")
        }
    }

    /// Checks remaps and contract against the node's own ports and contract; gives the contract that holds.
    pub(crate) fn check<I: Ports, O: Ports>(&self, declared: Contract) -> Result<Contract, SpawnError> {
        let ports = || I::SPECS.iter().chain(O::SPECS);
        let named = self.remaps.keys().chain(self.qos.keys());
        if let Some(port) = named.clone().find(|key| ports().all(|spec| spec.name != key.as_str())) {
            return Err(SpawnError::UnknownPort {
                node: self.full_name(),
                port: port.clone(),
                known: ports().map(|spec| spec.name).collect::<Vec<_>>().join(", "),
            });
        }
        if let Some(service) = self.services.keys().find(|key| !OF_EVERY_NODE.contains(&key.as_str())) {
            let (service, known) = (service.clone(), OF_EVERY_NODE.join(", "));
            return Err(SpawnError::UnknownService { node: self.full_name(), service, known });
        }
        if let Wake::Input(port) = declared.spec().wake
            && I::SPECS.iter().all(|spec| spec.name != port)
        {
            return Err(SpawnError::WakePort { node: self.full_name(), port });
        }
        let Some(asked) = self.contract else { return Ok(declared) };
        let spec = asked.spec();
        declared
            .tighten(Some(spec.period), Some(spec.deadline), Some(spec.budget))
            .map_err(|why| SpawnError::Contract { node: self.full_name(), why })
    }
}

/// Why a node cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A remap or a QoS names a port that the node has not.
    #[error("{node} has no port '{port}'; it has: {known}")]
    UnknownPort {
        /// The node's full name.
        node: String,
        /// The unknown port.
        port: String,
        /// The ports that it has.
        known: String,
    },
    /// A service that the node has not is given a name.
    #[error("{node} has no service '{service}'; it has: {known}")]
    UnknownService {
        /// The node's full name.
        node: String,
        /// The unknown service.
        service: String,
        /// The services that it has.
        known: String,
    },
    /// The contract wakes on an input that the node has not.
    #[error("{node} wakes on input '{port}', which it has not")]
    WakePort {
        /// The node's full name.
        node: String,
        /// The missing port.
        port: &'static str,
    },
    /// The contract given is looser than the node's own, or unsound.
    #[error("{node}: {why}")]
    Contract {
        /// The node's full name.
        node: String,
        /// What is wrong with it.
        why: ContractError,
    },
    /// Its step cannot be made.
    #[error("{why}")]
    Make {
        /// The node's full name.
        node: String,
        /// The maker's reason.
        why: String,
    },
    /// Two nodes of one name.
    #[error("a node {0} runs already: give one of them another name or namespace")]
    Twice(String),
    /// The transport refused.
    #[error("{node}: {why}")]
    Transport {
        /// The node's full name.
        node: String,
        /// Its reason.
        why: TransportError,
    },
    /// No memory for its arena.
    #[error("{node}: no arena: {why}")]
    Arena {
        /// The node's full name.
        node: String,
        /// Its reason.
        why: std::io::Error,
    },
    /// The operating system gave no thread.
    #[error("{node}: no thread: {why}")]
    Thread {
        /// The node's full name.
        node: String,
        /// Its reason.
        why: std::io::Error,
    },
}
