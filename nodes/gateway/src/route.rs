//! Runs a stock zenohd on a router's folder, and another in its place when the folder changes: zenoh reads its access control at its start alone.
//!
//! Who was let in and is no longer is shut out at once; who is new waits until [`Settle`] has passed, so that many who are enrolled together
//! cost one restart. Routers on one folder take turns: a lock in it is held from the end of the old zenohd until the new one listens. One that
//! dies is started again, after a pause that grows while it goes on dying. A folder that makes no router changes nothing and is told.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, IsTerminal as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tokio::{sync::watch, time::sleep};
use troika_dialogue_mesh::config::{ONE_THREAD, Scheme, THREADS, locator};
use troika_kit::{Duration, Time};

use crate::{access, clock, fleet::ROUTER_FILE};

/// How often folder and router are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is looked whether the new one listens.
const STEP: Duration = Duration::from_millis(20);
/// A router that does not listen by then is taken for one that died.
const PATIENCE: Duration = Duration::from_secs(600);
/// The first pause before one that died is started again, and the longest.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MOST: Duration = Duration::from_secs(10);
/// One that lived so long died of something else than the one before.
const LIVED: Duration = Duration::from_secs(60);

/// Why no router is run.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The folder's file.
    #[error("{}: {reason}; `troika-gateway fleet router DIR` makes it", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A listener that is none.
    #[error("--listen {0}")]
    Listen(String),
    /// A router that is none.
    #[error("--connect {0}")]
    Connect(String),
    /// No listener.
    #[error("--listen: one address at least, for example quic/0.0.0.0:7447")]
    Nowhere,
    /// A port that somebody else has, before the first router is there.
    #[error("--listen: port {0} is taken by another program; end it, or listen on another port")]
    Taken(u16),
    /// The program.
    #[error("cannot run {}: {reason}; it is the crate zenohd, see the gateway's README", path.display())]
    Program {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The lock.
    #[error("{}: {reason}", path.display())]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// What is run.
#[derive(Debug, Clone)]
pub struct Route {
    /// The router's folder: `router/` of the fleet's.
    pub folder: PathBuf,
    /// zenohd.
    pub program: PathBuf,
    /// Where it listens: `tls/HOST:PORT`, `quic/HOST:PORT`.
    pub listen: Vec<String>,
    /// Other routers.
    pub connect: Vec<String>,
    /// Who is new waits so long for others.
    pub settle: Duration,
}

/// What a router was started on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    /// All that zenohd reads.
    bytes: Vec<u8>,
    vehicles: BTreeSet<String>,
}

/// What zenohd reads in its folder.
const FILES: [&str; 3] = [ROUTER_FILE, "router.pem", "ca.pem"];

/// Which files these are, as far as the system tells without reading them: whoever replaces one as a whole changes it.
fn stamp(dir: &Path) -> Vec<Option<(u64, i64, i64, u64)>> {
    let of = |name| {
        let file = fs::metadata(dir.join(name)).ok()?;
        Some((file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
    };
    FILES.into_iter().map(of).collect()
}

impl Folder {
    fn read(dir: &Path) -> Result<Folder, RouteError> {
        let mut bytes = Vec::new();
        let mut vehicles = BTreeSet::new();
        for name in FILES {
            let path = dir.join(name);
            let wrong = |reason: String| RouteError::Folder { path: path.clone(), reason };
            let mut one = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
            if name == ROUTER_FILE {
                let file = serde_json::from_slice(&one).map_err(|error| wrong(error.to_string()))?;
                vehicles = access::vehicles(&file).map_err(|told| wrong(told.into()))?;
            }
            bytes.append(&mut one);
        }
        Ok(Folder { bytes, vehicles })
    }
}

/// When the router is to start anew. Pure.
#[derive(Debug)]
struct Settle {
    settle: Duration,
    changed: Option<Time>,
}

impl Settle {
    fn due(&mut self, now: Time, runs: &Folder, is: &Folder) -> bool {
        if runs == is {
            self.changed = None;
            return false;
        }
        let since = *self.changed.get_or_insert(now);
        // Somebody is out: revoked, or ended.
        !runs.vehicles.is_subset(&is.vehicles) || now.since(since) >= self.settle
    }
}

/// How long to wait before one that died is started again. Pure.
#[derive(Debug)]
struct Pause(Duration);

impl Pause {
    fn after(&mut self, lived: Duration) -> Duration {
        if lived >= LIVED {
            self.0 = PAUSE;
        }
        let pause = self.0;
        self.0 = self.0.saturating_mul(2).min(PAUSE_MOST);
        pause
    }
}

impl Route {
    fn check(&self) -> Result<Vec<(Scheme, u16)>, RouteError> {
        let mut ports = Vec::new();
        for one in &self.listen {
            let (scheme, address) = locator(one).map_err(RouteError::Listen)?;
            // `locator` has seen that it ends with a port.
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default();
            ports.push((scheme, port));
        }
        for one in &self.connect {
            locator(one).map_err(RouteError::Connect)?;
        }
        if ports.is_empty() { Err(RouteError::Nowhere) } else { Ok(ports) }
    }

    fn start(&self) -> Result<Child, RouteError> {
        let mut command = Command::new(&self.program);
        // What it logs is no answer of ours.
        command
            .current_dir(&self.folder)
            .args(["--config", ROUTER_FILE])
            .stdin(Stdio::null())
            .stdout(io::stderr());
        for one in &self.listen {
            command.args(["--listen", one]);
        }
        for one in &self.connect {
            command.args(["--connect", one]);
        }
        let tls = self.listen.iter().chain(&self.connect).any(|one| one.starts_with("tls/"));
        if tls && std::env::var_os(THREADS).is_none() {
            command.env(THREADS, ONE_THREAD);
        }
        if std::env::var_os("RUST_LOG").is_none() {
            // It would write down its whole list at each start.
            command.env("RUST_LOG", "warn");
        }
        if !io::stderr().is_terminal() {
            // Its log is read as a file, or by a journal.
            command.env("NO_COLOR", "1");
        }
        command.spawn().map_err(|reason| RouteError::Program { path: self.program.clone(), reason })
    }

    /// Waits its turn. None: it is to end.
    async fn turn(&self, ending: &mut watch::Receiver<bool>) -> Result<Option<File>, RouteError> {
        let path = self.folder.join(".roll");
        let wrong = |reason| RouteError::Lock { path: path.clone(), reason };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(wrong)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(reason)) => return Err(RouteError::Lock { path, reason }),
            }
            if pause(LOOK, ending).await {
                return Ok(None);
            }
        }
    }

    /// Runs until it is told to end.
    ///
    /// # Errors
    /// What is wrong with the folder, the addresses or the program at the start. Later it goes on with what it has.
    pub async fn run(mut self, mut ending: watch::Receiver<bool>) -> Result<(), RouteError> {
        let ports = self.check()?;
        if self.program.components().count() > 1 {
            // The router runs in its folder.
            let found = fs::canonicalize(&self.program);
            self.program =
                found.map_err(|reason| RouteError::Program { path: self.program.clone(), reason })?;
        }
        let mut runs = Folder::read(&self.folder)?;
        if let Some((_, port)) = ports.iter().find(|(scheme, port)| taken(*scheme, *port)) {
            return Err(RouteError::Taken(*port));
        }
        let mut settle = Settle { settle: self.settle, changed: None };
        let (mut dying, mut told) = (Pause(PAUSE), String::new());
        loop {
            let Some(turn) = self.turn(&mut ending).await? else { return Ok(()) };
            let mut seen = stamp(&self.folder);
            if let Ok(now) = Folder::read(&self.folder) {
                runs = now;
            }
            let mut is = Ok(runs.clone());
            let mut child = Guarded(self.start()?);
            let began = clock::now();
            let up = listens(&mut child.0, &ports, &mut ending).await;
            drop(turn);
            if up {
                let (count, s) = (runs.vehicles.len(), if runs.vehicles.len() == 1 { "" } else { "s" });
                println!("router: {} with {count} vehicle{s}", self.listen.join(" "));
            }
            let died = loop {
                if *ending.borrow() {
                    return Ok(());
                }
                if !up || matches!(child.0.try_wait(), Ok(Some(_)) | Err(_)) {
                    break true;
                }
                let now = stamp(&self.folder);
                if now != seen {
                    (seen, is) = (now, Folder::read(&self.folder));
                }
                match &is {
                    Ok(is) if settle.due(clock::now(), &runs, is) => break false,
                    Ok(_) => told.clear(),
                    Err(why) if told != why.to_string() => {
                        told = why.to_string();
                        eprintln!("error: {told}; the router goes on with what it has");
                    }
                    Err(_) => {}
                }
                pause(LOOK, &mut ending).await;
            };
            if died {
                let wait = dying.after(clock::now().since(began));
                eprintln!("error: the router has died; another is started in {} ms", wait.as_millis());
                drop(child);
                if pause(wait, &mut ending).await {
                    return Ok(());
                }
            } else {
                // The old one goes when its turn has come, so that another router is there meanwhile.
                let Some(turn) = self.turn(&mut ending).await? else { return Ok(()) };
                eprintln!("notice: the folder has changed; the router starts anew");
                drop(child);
                drop(turn);
            }
        }
    }
}

/// A router that ends with us. It keeps nothing, so it needs no time for it.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// True when it is to end.
async fn pause(time: Duration, ending: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = sleep(time) => false,
        ended = ending.wait_for(|ending| *ending) => ended.is_ok(),
    }
}

/// Waits until the router can be reached; false when it died, took too long, or we are to end.
async fn listens(child: &mut Child, ports: &[(Scheme, u16)], ending: &mut watch::Receiver<bool>) -> bool {
    let began = clock::now();
    while clock::now().since(began) < PATIENCE {
        // Not by a connection: zenohd would wait 100 ms with all others after one that makes no handshake.
        let open = ports.iter().all(|(scheme, port)| taken(*scheme, *port));
        // Afterwards: another program may have the port, and ours has died of it.
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return false;
        }
        if open {
            return true;
        }
        if pause(STEP, ending).await {
            return false;
        }
    }
    false
}

/// Whether somebody listens on the port.
fn taken(scheme: Scheme, port: u16) -> bool {
    let table = |name| fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default();
    match scheme {
        Scheme::Tls => bound(&table("tcp"), port, true) || bound(&table("tcp6"), port, true),
        Scheme::Quic => bound(&table("udp"), port, false) || bound(&table("udp6"), port, false),
    }
}

/// Whether a port is somebody's, in Linux's table of sockets (proc_net_tcp): the second column is ADDRESS:PORT, the fourth the state, 0A of one
/// that listens. Pure.
fn bound(table: &str, port: u16, listening: bool) -> bool {
    let end = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let local = columns.next().is_some_and(|local| local.ends_with(&end));
        let state = columns.nth(1);
        local && (!listening || state == Some("0A"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(vehicles: &[&str]) -> Folder {
        let bytes = vehicles.concat().into_bytes();
        Folder { bytes, vehicles: vehicles.iter().map(|id| (*id).to_owned()).collect() }
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn who_is_out_is_out_at_once_and_who_is_new_waits_for_others() {
        let mut settle = Settle { settle: Duration::from_secs(10), changed: None };
        let runs = folder(&["anna", "bruno"]);
        assert!(!settle.due(at(0), &runs, &runs));
        assert!(settle.due(at(1), &runs, &folder(&["anna"])));
        let mut settle = Settle { settle: Duration::from_secs(10), changed: None };
        assert!(!settle.due(at(1_000), &runs, &folder(&["anna", "bruno", "clara"])));
        assert!(!settle.due(at(9_000), &runs, &folder(&["anna", "bruno", "clara", "dora"])));
        assert!(
            settle.due(at(11_000), &runs, &folder(&["anna", "bruno", "clara", "dora"])),
            "counted from the first"
        );
        assert!(settle.due(at(1_000), &runs, &folder(&["bruno", "clara"])), "one in and one out");
    }

    #[test]
    fn one_that_goes_on_dying_is_started_less_and_less_often() {
        let mut pause = Pause(PAUSE);
        let short = Duration::from_millis(10);
        assert_eq!(
            [pause.after(short), pause.after(short), pause.after(short)].map(|one| one.as_millis()),
            [200, 400, 800]
        );
        for _ in 0..20 {
            pause.after(short);
        }
        assert_eq!(pause.after(short), PAUSE_MOST);
        assert_eq!(pause.after(LIVED), PAUSE);
    }

    #[test]
    fn a_router_listens_with_certificates_or_not_at_all() {
        let route = |listen: &[&str]| Route {
            folder: "r".into(),
            program: "zenohd".into(),
            listen: listen.iter().map(|one| (*one).to_owned()).collect(),
            connect: Vec::new(),
            settle: Duration::ZERO,
        };
        let ports = route(&["tls/0.0.0.0:7447", "quic/[::]:7448"]).check().expect("fine");
        assert_eq!(ports, [(Scheme::Tls, 7447), (Scheme::Quic, 7448)]);
        assert!(matches!(route(&["tcp/0.0.0.0:7447"]).check(), Err(RouteError::Listen(_))));
        assert!(matches!(route(&[]).check(), Err(RouteError::Nowhere)));
    }

    #[test]
    fn a_port_is_found_in_linuxs_table_where_somebody_listens() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n   \
                     0: 0100007F:1D17 00000000:0000 0A 00000000:00000000 00:00000000 00000000\n   \
                     1: 0100007F:1D18 0100007F:1D17 01 00000000:00000000 00:00000000 00000000\n";
        assert!(bound(table, 7447, true));
        assert!(!bound(table, 7448, true), "a connection from there");
        assert!(bound(table, 7448, false));
        assert!(!bound("", 7447, false));
    }
}
