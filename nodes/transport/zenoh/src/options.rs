//! What a session is opened with, from the environment or by hand, and the zenoh configurations that come of it.

use std::{borrow::Cow, net::ToSocketAddrs as _, path::PathBuf};

use rustix::{
    process::{Resource, getrlimit},
    thread::{CapabilitySet, capabilities},
};
use zenoh::Config;

use crate::closed;

/// Where rmw_zenoh's router listens and its sessions look for it.
pub const DEFAULT_ENDPOINT: &str = "tcp/localhost:7447";

/// What a session is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZenohOptions {
    /// ROS's domain: peers of other domains are not seen.
    pub domain: u32,
    /// The router's endpoint. A session joins the router when it is there, now or later; it never starts one (that is
    /// [`crate::RouterGuard::ensure`]).
    pub router: String,
    /// A zenoh configuration file (JSON5) in place of ours for the session; it names its own endpoints.
    pub session_config: Option<PathBuf>,
    /// A zenoh configuration file (JSON5) in place of ours for a router that we start.
    pub router_config: Option<PathBuf>,
    /// Single settings (path, JSON5 value) laid over the session's configuration.
    pub overrides: Vec<(String, String)>,
    /// Topics whose messages go before others on a crowded link (zenoh's data-high priority).
    pub high_priority: Vec<String>,
    /// Carry large messages between processes of this machine through shared memory. Off as in rmw_zenoh: a process that
    /// is killed leaves its segments in `/dev/shm`.
    pub shared_memory: bool,
    /// The vehicle's own folder of sockets: its processes speak over those, and who comes by TCP may look and no more. None: whoever
    /// reaches the endpoint may do all, as in ROS 2.
    pub sockets: Option<PathBuf>,
}

impl Default for ZenohOptions {
    fn default() -> ZenohOptions {
        ZenohOptions {
            domain: 0,
            router: DEFAULT_ENDPOINT.to_owned(),
            session_config: None,
            router_config: None,
            overrides: Vec::new(),
            high_priority: Vec::new(),
            shared_memory: false,
            sockets: None,
        }
    }
}

/// An environment that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not a number.
    #[error("ROS_DOMAIN_ID is '{0}': set it to a number from 0 to 4294967295, or unset it")]
    Domain(String),
    /// Not `path=value` pairs.
    #[error("ZENOH_CONFIG_OVERRIDE has '{0}': write path=value pairs with ';' between them")]
    Override(String),
    /// Neither `0` nor `1`.
    #[error("TROIKA_ZENOH_SHM is '{0}': set it to 0 or 1, or unset it")]
    SharedMemory(String),
    /// Sockets of our own, and a configuration that knows nothing of them.
    #[error("TROIKA_ZENOH_SOCKETS closes the links that {0} would open otherwise: unset one of them")]
    Sockets(&'static str),
}

impl ZenohOptions {
    /// From `ROS_DOMAIN_ID`, `ZENOH_SESSION_CONFIG_URI`, `ZENOH_ROUTER_CONFIG_URI` and `ZENOH_CONFIG_OVERRIDE`, as
    /// rmw_zenoh reads them, and our own `TROIKA_ZENOH_ENDPOINT`, `TROIKA_ZENOH_SHM` and `TROIKA_ZENOH_SOCKETS`.
    pub fn from_env() -> Result<ZenohOptions, OptionsError> {
        ZenohOptions::from_lookup(|name| std::env::var(name).ok())
    }

    /// The same from any table of variables. An empty variable counts as unset.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<ZenohOptions, OptionsError> {
        let get = |name: &str| lookup(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let mut options = ZenohOptions::default();
        if let Some(text) = get("ROS_DOMAIN_ID") {
            options.domain = text.parse().map_err(|_| OptionsError::Domain(text))?;
        }
        if let Some(endpoint) = get("TROIKA_ZENOH_ENDPOINT") {
            options.router = endpoint;
        }
        options.session_config = get("ZENOH_SESSION_CONFIG_URI").map(PathBuf::from);
        options.router_config = get("ZENOH_ROUTER_CONFIG_URI").map(PathBuf::from);
        if let Some(text) = get("ZENOH_CONFIG_OVERRIDE") {
            for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
                let (path, value) =
                    pair.split_once('=').ok_or_else(|| OptionsError::Override(pair.to_owned()))?;
                options.overrides.push((path.trim().to_owned(), value.trim().to_owned()));
            }
        }
        options.shared_memory = match get("TROIKA_ZENOH_SHM").as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => return Err(OptionsError::SharedMemory(other.to_owned())),
        };
        options.sockets = get("TROIKA_ZENOH_SOCKETS").map(PathBuf::from);
        for (name, file) in [
            ("ZENOH_SESSION_CONFIG_URI", &options.session_config),
            ("ZENOH_ROUTER_CONFIG_URI", &options.router_config),
        ] {
            if options.sockets.is_some() && file.is_some() {
                return Err(OptionsError::Sockets(name));
            }
        }
        Ok(options)
    }

    /// The session's configuration: rmw_zenoh's, less what only very large ROS launches need.
    ///
    /// # Errors
    /// A configuration file, a setting or a folder of sockets that cannot be used.
    pub fn session_config(&self) -> zenoh::Result<Config> {
        let mut config = match &self.session_config {
            Some(path) => Config::from_file(path)
                .map_err(|error| format!("ZENOH_SESSION_CONFIG_URI is {}: {error}", path.display()))?,
            None => {
                let mut config = Config::default();
                let (endpoint, listen) = match &self.sockets {
                    Some(folder) => (json(&closed::router(folder)?), json(&closed::session(folder)?)),
                    None => (json(&reachable(&self.router)), json(&reachable("tcp/localhost:0"))),
                };
                for (path, value) in [
                    ("mode", "\"peer\""),
                    ("connect/endpoints", &format!("[{endpoint}]")),
                    // Go on without the router and connect when it comes, for as long as the session lasts.
                    ("connect/timeout_ms", "-1"),
                    ("connect/exit_on_failure", "false"),
                    (
                        "connect/retry",
                        "{ period_init_ms: 250, period_max_ms: 2000, period_increase_factor: 2 }",
                    ),
                    ("listen/endpoints", &format!("[{listen}]")),
                    ("scouting/multicast/enabled", "false"),
                    ("scouting/gossip/enabled", "true"),
                    // As rmw_zenoh: sessions learn of each other from the router alone, and of two sessions one connects. When both
                    // do, zenoh closes one of the two links; sessions that come and go under load were heard again only 28 s later.
                    ("scouting/gossip/target", "{ router: [\"router\", \"peer\"], peer: [\"router\"] }"),
                    ("scouting/gossip/autoconnect", "{ router: [], peer: [\"router\", \"peer\"] }"),
                    (
                        "scouting/gossip/autoconnect_strategy",
                        "{ peer: { to_router: \"always\", to_peer: \"greater-zid\" } }",
                    ),
                    // Wait this long (ms) for the router's answer, and for the peers that it knows, before going on without. A
                    // peer that was killed a moment ago never answers, so a process that is started again waits all of it.
                    ("scouting/delay", "500"),
                    // ROS peers tell replays from news by zenoh's own time stamps.
                    ("timestamping/enabled", "true"),
                    // Wait for a free buffer up to these times (us) before a message is dropped: rmw_zenoh's 1 ms loses
                    // whole camera frames when two cores are busy. Puts come from threads that may wait.
                    ("transport/link/tx/queue/congestion_control/drop/wait_before_drop", "10000"),
                    (
                        "transport/link/tx/queue/congestion_control/drop/max_wait_before_drop_fragments",
                        "100000",
                    ),
                    ("transport/shared_memory/enabled", "false"),
                ] {
                    config.insert_json5(path, value)?;
                }
                if self.sockets.is_some() {
                    config.insert_json5("access_control", &closed::access())?;
                    // Who cannot come to our socket is gone to, whichever number is the greater.
                    let strategy = r#"{ peer: { to_router: "always", to_peer: "always" } }"#;
                    config.insert_json5("scouting/gossip/autoconnect_strategy", strategy)?;
                }
                if self.shared_memory && may_share_memory() {
                    config.insert_json5("transport/shared_memory/enabled", "true")?;
                    // At the start, and not with the first frame.
                    config.insert_json5("transport/shared_memory/mode", "\"init\"")?;
                }
                config
            }
        };
        for (path, value) in &self.overrides {
            config
                .insert_json5(path, value)
                .map_err(|error| format!("ZENOH_CONFIG_OVERRIDE has {path}={value}: {error}"))?;
        }
        Ok(config)
    }
}

/// What zenoh may come to lock for one session: its pool of 16 MiB, those of its peers that it maps, and their books.
const SHARED: u64 = 128 << 20;

/// Whether this process may lock as much memory as sharing it takes: zenoh locks every segment, and panics where it may not.
pub fn may_share_memory() -> bool {
    let capable = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    may_lock(capable, getrlimit(Resource::Memlock).current)
}

/// `limit` is in bytes; none is none.
fn may_lock(capable: bool, limit: Option<u64>) -> bool {
    capable || limit.is_none_or(|bytes| bytes >= SHARED)
}

/// A router's configuration: listens on `listen`, and in the options' folder of sockets; routes, looks for nobody.
pub(crate) fn router_config(listen: &str, options: &ZenohOptions) -> zenoh::Result<Config> {
    if let Some(path) = &options.router_config {
        let told = |error| format!("ZENOH_ROUTER_CONFIG_URI is {}: {error}", path.display());
        return Ok(Config::from_file(path).map_err(told)?);
    }
    let mut config = Config::default();
    let mut endpoints = vec![json(listen)];
    if let Some(folder) = &options.sockets {
        endpoints.push(json(&closed::router(folder)?));
        config.insert_json5("access_control", &closed::access())?;
    }
    for (path, value) in [
        ("mode", "\"router\""),
        ("listen/endpoints", format!("[{}]", endpoints.join(", ")).as_str()),
        ("connect/endpoints", "[]"),
        ("scouting/multicast/enabled", "false"),
        ("scouting/gossip/enabled", "true"),
        ("timestamping/enabled", "true"),
        ("transport/shared_memory/enabled", "false"),
    ] {
        config.insert_json5(path, value)?;
    }
    Ok(config)
}

/// A client that connects once, to see who answers.
pub(crate) fn probe_config(endpoint: &str) -> zenoh::Result<Config> {
    let mut config = Config::default();
    for (path, value) in [
        ("mode", "\"client\""),
        ("connect/endpoints", format!("[{}]", json(&reachable(endpoint))).as_str()),
        // The bound (ms) for all of it: an address that swallows packets answers never.
        ("connect/timeout_ms", "4000"),
        ("connect/exit_on_failure", "true"),
        ("scouting/multicast/enabled", "false"),
        ("scouting/gossip/enabled", "false"),
        // Whoever accepts and then says nothing for this long (ms) is no router.
        ("transport/unicast/open_timeout", "2000"),
        ("transport/shared_memory/enabled", "false"),
    ] {
        config.insert_json5(path, value)?;
    }
    Ok(config)
}

/// The endpoint as it can be reached: `localhost` is the loopback whether or not the machine can look it up (RFC 6761, 6.3). A
/// bare container has no hosts file.
pub(crate) fn reachable(endpoint: &str) -> Cow<'_, str> {
    by_loopback(endpoint, || ("localhost", 0).to_socket_addrs().is_ok())
}

fn by_loopback(endpoint: &str, known: impl FnOnce() -> bool) -> Cow<'_, str> {
    match endpoint.strip_prefix("tcp/localhost:") {
        Some(port) if !known() => format!("tcp/127.0.0.1:{port}").into(),
        _ => endpoint.into(),
    }
}

/// A JSON string.
fn json(text: &str) -> String {
    let escaped: String =
        text.chars().flat_map(|c| if c == '"' || c == '\\' { vec!['\\', c] } else { vec![c] }).collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn memory_is_shared_only_where_it_may_be_locked() {
        assert!(may_lock(true, Some(65_536)));
        assert!(may_lock(false, None));
        assert!(may_lock(false, Some(512 << 20)));
        assert!(!may_lock(false, Some(8 << 20)));
    }

    fn from(vars: &[(&str, &str)]) -> Result<ZenohOptions, OptionsError> {
        ZenohOptions::from_lookup(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn localhost_is_the_loopback_on_a_machine_that_does_not_know_it() {
        assert_eq!(by_loopback("tcp/localhost:7447", || false), "tcp/127.0.0.1:7447");
        assert_eq!(by_loopback("tcp/localhost:7447", || true), "tcp/localhost:7447");
        assert_eq!(by_loopback("tcp/router.fleet:7447", || false), "tcp/router.fleet:7447");
    }

    #[test]
    fn an_empty_environment_means_ros_defaults() {
        let options = from(&[("ROS_DOMAIN_ID", "")]).expect("empty is unset");
        assert_eq!(options, ZenohOptions::default());
        assert_eq!((options.domain, options.router.as_str()), (0, "tcp/localhost:7447"));
    }

    #[test]
    fn the_environment_is_honoured() {
        let options = from(&[
            ("ROS_DOMAIN_ID", "42"),
            ("TROIKA_ZENOH_ENDPOINT", "tcp/10.0.0.1:7447"),
            ("ZENOH_ROUTER_CONFIG_URI", "/etc/router.yaml"),
            ("ZENOH_CONFIG_OVERRIDE", "mode=\"client\"; scouting/delay=7;"),
            ("TROIKA_ZENOH_SHM", "1"),
        ])
        .expect("well formed");
        assert_eq!(options.domain, 42);
        assert_eq!(options.router, "tcp/10.0.0.1:7447");
        assert_eq!(options.router_config.as_deref(), Some(Path::new("/etc/router.yaml")));
        assert!(options.shared_memory);
        let config = options.session_config().expect("a configuration");
        assert_eq!(config.get_json("mode").ok().as_deref(), Some("\"client\""));
        assert_eq!(config.get_json("scouting/delay").ok().as_deref(), Some("7"));
        assert_eq!(config.get_json("connect/endpoints").ok().as_deref(), Some("[\"tcp/10.0.0.1:7447\"]"));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        assert_eq!(from(&[("ROS_DOMAIN_ID", "-1")]), Err(OptionsError::Domain("-1".into())));
        assert_eq!(from(&[("ZENOH_CONFIG_OVERRIDE", "mode")]), Err(OptionsError::Override("mode".into())));
        let both = [("TROIKA_ZENOH_SOCKETS", "/run/troika"), ("ZENOH_ROUTER_CONFIG_URI", "/etc/router.yaml")];
        assert_eq!(from(&both), Err(OptionsError::Sockets("ZENOH_ROUTER_CONFIG_URI")));
        assert_eq!(from(&both[..1]).expect("alone").sockets.as_deref(), Some(Path::new("/run/troika")));
        assert_eq!(from(&[("TROIKA_ZENOH_SHM", "yes")]), Err(OptionsError::SharedMemory("yes".into())));
    }

    #[test]
    fn our_configurations_are_ones_that_zenoh_takes() {
        ZenohOptions::default().session_config().expect("session");
        router_config("tcp/127.0.0.1:0", &ZenohOptions::default()).expect("router");
        probe_config("tcp/localhost:7447").expect("probe");
    }
}
