//! A real system, and the peer outside that shows it a driver, drives the vehicle and hears what is said.

use std::{
    collections::VecDeque,
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use anyhow::{Context as _, bail};
use rustix::process::Pid;
use troika_host::{HostClock, StopToken};
use troika_kit::{Duration, Time};
use troika_msgs::{
    protect::{Protected, Seal, intact, sender},
    std_msgs::{self, Header},
    troika::{CommandResult, DriverAlert, DriverState, SafetyState, Slot, VehicleCommand, VehicleSignals},
};
use troika_reactions::{
    peer::{Peer, eager, now, pause},
    system::System,
};
use troika_transport::Publisher;

use crate::{class::Verdict, damage::cdr, driver};

/// Signals come each 20 ms, and with every second of them what is seen: a frame each 40 ms.
const TICK: Duration = Duration::from_millis(20);
/// Before a fault all is well for so long.
const CALM: Duration = Duration::from_millis(700);
/// A system that is not well again by then never is.
const NEVER: Duration = Duration::from_secs(40);
/// From closed eyes to an alert of any kind, and for the way here; after that nobody was told.
const TOO_LATE: Duration = Duration::from_millis(5_450 + 1_000);
/// A process of small nodes has 20 to 40 MB; what more it may have while it is flooded.
const GROWS_BY_KB: u64 = 256 << 10;

/// What was said, with its arrival (ns of `CLOCK_MONOTONIC`).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// The kind of an alert and whether it is raised or cleared.
    Alert(u8, u8),
    /// The state of the whole, and when it was said.
    State(u8, Time),
    /// What became of an order.
    Result(String, u8),
}

/// What the driver thread shows.
#[derive(Debug, Default)]
struct Scene {
    closed: bool,
    stands: bool,
    /// What was sent last, as an eavesdropper has it.
    recorded: VecDeque<(Vec<u8>, Vec<u8>)>,
}

/// What the eavesdropper holds of it: 4 s.
const RECORDED: usize = 100;

type Heard = Arc<Mutex<Vec<(u64, Said)>>>;

/// The bench.
pub struct Bench {
    pub(super) system: System,
    /// Where its router is.
    pub(super) endpoint: String,
    scene: Arc<Mutex<Scene>>,
    heard: Heard,
    stop: StopToken,
    driver: Option<JoinHandle<()>>,
    orders: Box<dyn Publisher>,
    resets: Box<dyn Publisher>,
    ordered: u64,
    /// The monitor's process, when all was well.
    monitor: Option<Pid>,
    /// That nobody looks is as good as that a driver sleeps.
    pub(super) blind_counts: bool,
    why_not: String,
    _peer: Peer,
}

impl Bench {
    pub(super) fn start(troika: &Path, peer: Peer) -> anyhow::Result<Bench> {
        let heard = Heard::default();
        let note = |into: &Heard| {
            let into = into.clone();
            move |at: u64, said: Said| locked(&into).push((at, said))
        };
        // What its sender did not protect is another's, who may say what he likes.
        let (alerts, states, results) = (note(&heard), note(&heard), note(&heard));
        peer.listen("/cabin/driver_alert", move |at, alert: DriverAlert| {
            if genuine(&alert, &[sender::MONITOR, sender::STAND_IN, sender::SUPERVISOR]) {
                alerts(at, Said::Alert(alert.kind, alert.phase));
            }
        })?;
        peer.listen("/safety/state", move |at, state: SafetyState| {
            if genuine(&state, &[sender::SUPERVISOR]) {
                states(at, Said::State(state.state, state.header.time()));
            }
        })?;
        peer.listen("/vehicle/command_result", move |at, result: CommandResult| {
            results(at, Said::Result(result.command_id, result.status));
        })?;
        let (scene, stop) = (Arc::<Mutex<Scene>>::default(), StopToken::new());
        let driver = eager(|| drive(&peer, scene.clone(), stop.clone()))?;
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("systems/live.toml");
        let mut bench = Bench {
            system: System::start(troika, &file, &peer.endpoint)?,
            endpoint: peer.endpoint.clone(),
            scene,
            heard,
            stop,
            driver: Some(driver),
            orders: peer.publisher::<VehicleCommand>("/voice/command")?,
            resets: peer.publisher::<std_msgs::Bool>("/safety/reset")?,
            ordered: 0,
            monitor: None,
            blind_counts: true,
            why_not: String::new(),
            _peer: peer,
        };
        if !bench.calm()? {
            bail!("the system does not become nominal; it printed:\n{}", bench.system.printed());
        }
        Ok(bench)
    }

    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.stop.stop();
        if let Some(driver) = self.driver.take() {
            let _ended = driver.join();
        }
        self.system.stop()
    }

    /// Why the last fault could not be injected.
    pub(super) fn why_not(&self) -> &str {
        &self.why_not
    }

    /// A fault that this machine has no means for.
    pub(super) fn cannot(&mut self, why: String) -> anyhow::Result<Option<Verdict>> {
        self.why_not = why;
        Ok(None)
    }

    /// The process of these nodes; one that is just being started again is waited for.
    pub(super) fn process(&self, name: &str) -> anyhow::Result<Pid> {
        let began = now();
        loop {
            match self.system.process(name) {
                Some(pid) => return Ok(pid),
                None if now() - began > nanos(NEVER) => bail!("there is no process {name}"),
                None => pause(Duration::from_millis(50)),
            }
        }
    }

    /// The driver's eyes close now, or open.
    pub(super) fn eyes(&self, closed: bool) -> u64 {
        locked(&self.scene).closed = closed;
        now()
    }

    /// The vehicle stands, or drives at 60 km/h.
    pub(super) fn stands(&self, stands: bool) {
        locked(&self.scene).stands = stands;
    }

    /// Driver states and signals that were sent, as an eavesdropper has them.
    pub(super) fn recorded(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        locked(&self.scene).recorded.iter().cloned().collect()
    }

    /// Orders the trunk open, which is for standstill; the order's id.
    pub(super) fn order(&mut self) -> anyhow::Result<String> {
        self.ordered += 1;
        let id = format!("live-{}", self.ordered);
        let clock = HostClock::start();
        self.orders.put(&cdr(&trunk(&id, clock.now().into())), clock.now())?;
        Ok(id)
    }

    /// What was said since, in its order.
    pub(super) fn since(&self, from: u64) -> Vec<(u64, Said)> {
        locked(&self.heard).iter().filter(|(at, _)| *at >= from).cloned().collect()
    }

    /// The first that is one of these, since then; waits for it.
    pub(super) fn until(
        &mut self,
        from: u64,
        limit: Duration,
        is: impl Fn(&Said) -> bool,
    ) -> anyhow::Result<Option<u64>> {
        loop {
            if let Some((at, _)) = self.since(from).into_iter().find(|(_, said)| is(said)) {
                return Ok(Some(at - from));
            }
            if now() - from > nanos(limit) {
                return Ok(None);
            }
            self.system.check()?;
            pause(Duration::from_millis(5));
        }
    }

    /// Awake at 60 km/h until all is well again; whether it was.
    pub(super) fn calm(&mut self) -> anyhow::Result<bool> {
        self.eyes(false);
        self.stands(false);
        let began = now();
        let monitor = self.process("cabin")?;
        if self.monitor.replace(monitor) != Some(monitor) {
            // What stands when its sender dies is over (DriverAlert.msg): nobody is left to clear it.
            locked(&self.heard).retain(|(_, said)| !matches!(said, Said::Alert(..)));
        }
        let mut reset_at = 0;
        loop {
            let at = now();
            let recent = self.since(at.saturating_sub(nanos(CALM)));
            // A machine that is busy with something else makes ordinary nodes late, and the whole degraded: that is not what is looked for here.
            let states = recent.iter().filter(|(_, said)| matches!(said, Said::State(..))).count();
            let worse = recent.iter().any(|(_, said)| {
                matches!(said, Said::Alert(_, DriverAlert::RAISED) | Said::State(SafetyState::SAFE, _))
            });
            if states >= 3 && !worse && !self.stands_raised() {
                // A bench that runs for an hour holds what is of use.
                locked(&self.heard)
                    .retain(|(then, said)| *then + nanos(NEVER) > at || matches!(said, Said::Alert(..)));
                return Ok(true);
            }
            if at - began > nanos(NEVER) {
                return Ok(false);
            }
            if at - reset_at > 2_000_000_000 {
                reset_at = at;
                self.resets.put(&cdr(&std_msgs::Bool { data: true }), HostClock::start().now())?;
            }
            self.system.check()?;
            pause(Duration::from_millis(20));
        }
    }

    /// Whether an alert of closed eyes stands that was not cleared.
    fn stands_raised(&self) -> bool {
        let all = self.since(0);
        let last = all.iter().rev().find_map(|(_, said)| match said {
            Said::Alert(kind, phase) if closed(*kind) => Some(*phase),
            _ => None,
        });
        last == Some(DriverAlert::RAISED)
    }

    /// A driver falls asleep at 60 km/h while something goes on: when that was told, or that nobody looks; since the eyes closed.
    pub(super) fn falls_asleep(&mut self, open_for: Duration) -> anyhow::Result<Verdict> {
        let began = now();
        pause(open_for);
        let awake = self.since(began);
        let at = self.eyes(true);
        let mut verdict = self.told_of_sleep(at)?;
        let lied = |said: &Said| matches!(said, Said::Alert(kind, DriverAlert::RAISED) if closed(*kind));
        if awake.iter().any(|(_, said)| lied(said)) {
            verdict.harm.get_or_insert_with(|| "an alert of closed eyes while they were open".to_owned());
        }
        Ok(verdict)
    }

    /// When a driver who sleeps was told of, or that nobody looks.
    pub(super) fn told_of_sleep(&mut self, from: u64) -> anyhow::Result<Verdict> {
        let blind_counts = self.blind_counts;
        let told = |said: &Said| {
            matches!(said, Said::Alert(DriverAlert::SLEEP | DriverAlert::UNRESPONSIVE, DriverAlert::RAISED))
                || blind_counts && unavailable(said)
        };
        let noticed = self.until(from, TOO_LATE, told)?;
        let harm = noticed.is_none().then(|| format!("a driver slept for {TOO_LATE:?} and nobody said so"));
        Ok(Verdict::of(noticed.map(Duration::from_nanos), harm))
    }

    /// That one comes back to all well belongs to its reaction.
    pub(super) fn back(&mut self, mut verdict: Verdict) -> anyhow::Result<Option<Verdict>> {
        if !self.calm()? {
            verdict.noticed = None;
            let printed = self.system.printed();
            verdict.harm.get_or_insert_with(|| format!("all is not well again after {NEVER:?}: {printed}"));
        }
        Ok(Some(verdict))
    }

    /// Its processes, and what memory each has, kB: what a peer may say ends none and lets none grow.
    pub(super) fn processes(&self) -> anyhow::Result<Vec<(&'static str, Pid, u64)>> {
        ["cabin", "supervisor", "ends"]
            .into_iter()
            .map(|name| {
                let pid = self.process(name)?;
                let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
                let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
                let kb = resident.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
                Ok((name, pid, kb.with_context(|| format!("{name} has no VmRSS"))?))
            })
            .collect()
    }

    /// What became of its processes since.
    pub(super) fn grown(&self, before: &[(&'static str, Pid, u64)]) -> anyhow::Result<Option<String>> {
        let after = self.processes()?;
        let worse = before.iter().zip(&after).find_map(|((name, pid, kb), (_, pid_now, kb_now))| {
            if pid != pid_now {
                return Some(format!("the process {name} ended"));
            }
            (*kb_now > kb + GROWS_BY_KB).then(|| format!("the process {name} grew from {kb} to {kb_now} kB"))
        });
        Ok(worse)
    }
}

/// That nobody looks at the driver: by the monitor, in its place, or by the whole's state.
fn unavailable(said: &Said) -> bool {
    matches!(
        said,
        Said::Alert(DriverAlert::MONITORING_UNAVAILABLE, DriverAlert::RAISED)
            | Said::State(SafetyState::SAFE, _)
    )
}

/// In the unit of [`now`].
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn closed(kind: u8) -> bool {
    matches!(kind, DriverAlert::MICROSLEEP | DriverAlert::SLEEP | DriverAlert::UNRESPONSIVE)
}

fn genuine<T: Protected>(message: &T, senders: &[&str]) -> bool {
    intact(message, senders) == Some(true)
}

/// What is for standstill alone.
pub(super) fn trunk(id: &str, stamp: troika_msgs::builtin_interfaces::Time) -> VehicleCommand {
    VehicleCommand {
        header: Header { stamp, frame_id: String::new() },
        id: id.to_owned(),
        function: "trunk.move".to_owned(),
        slots: vec![Slot { name: "action".into(), value: "open".into() }],
        source: VehicleCommand::API,
        confirmed: true,
        confidence: 1.0,
        ..VehicleCommand::default()
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends what the detector and the vehicle say, until the stop.
fn drive(peer: &Peer, scene: Arc<Mutex<Scene>>, stop: StopToken) -> anyhow::Result<JoinHandle<()>> {
    let mut states = peer.publisher::<DriverState>("/cabin/driver_state")?;
    let mut speeds = peer.publisher::<VehicleSignals>("/vehicle/signals")?;
    let (mut seal, mut speed_seal) = (Seal::new(sender::DRIVER_STATE), Seal::new(sender::SIGNALS));
    let clock = HostClock::start();
    let mut odd = false;
    let mut tick = move || -> Option<()> {
        let at = clock.now();
        let (closed, stands) = {
            let scene = locked(&scene);
            (scene.closed, scene.stands)
        };
        let signals = VehicleSignals {
            header: Header::at(at),
            speed_kmh: if stands { 0.0 } else { 60.0 },
            gear: if stands { 0 } else { 127 },
            ignition_on: true,
            ..VehicleSignals::default()
        };
        let signals = cdr(&speed_seal.sealed(signals)?);
        speeds.put(&signals, at).ok()?;
        odd = !odd;
        if odd {
            let state = cdr(&seal.sealed(driver::seen(at, closed))?);
            states.put(&state, at).ok()?;
            let recorded = &mut locked(&scene).recorded;
            recorded.push_back((state, signals));
            if recorded.len() > RECORDED {
                recorded.pop_front();
            }
        }
        Some(())
    };
    let run = move || {
        while !stop.wait_for(TICK) {
            // What is lost is missed by the nodes, and seen there.
            let _lost = tick();
        }
    };
    std::thread::Builder::new().name("driver".into()).spawn(run).context("no thread for the driver")
}
