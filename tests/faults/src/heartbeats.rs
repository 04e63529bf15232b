//! Heartbeats on their way to the real supervisor. In each fault one node of the monitoring is gone or cannot work, while something keeps coming
//! in its name; that the whole is nominal then would be the lie that the supervisor is there to prevent.

use troika_host::{NodeOptions, simulate::Collected};
use troika_kit::{Duration, Time};
use troika_msgs::{
    protect::Seal,
    std_msgs::Header,
    troika::{DriverAlert, Heartbeat, SafetyState},
};
use troika_supervisor::{Config, SupervisorNode};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::{Damaged, cdr, cut, flipped},
    rig::{Rig, SLICE},
};

/// As the host sends them.
const BEAT: Duration = Duration::from_millis(900);
/// The two nodes that monitoring stands on.
const NODES: [&str; 2] = ["/driver_state", "/driver_monitor"];
/// SR-SUP-002.
pub const SILENT_WITHIN: Duration = Duration::from_millis(2_600);
/// Two old heartbeats, which may be a node's that began again, are believed.
pub const ALTERNATING_WITHIN: Duration = Duration::from_millis(2_600 + 2 * 900);
/// A state leaves each 0.1 s.
const ROUND: Duration = Duration::from_millis(100);

/// The supervisor, and the nodes that it hears.
struct Watch {
    rig: Rig,
    seals: [Seal<Heartbeat>; 2],
    states: Collected<SafetyState>,
    alerts: Collected<DriverAlert>,
    said: Vec<(Time, u8)>,
    raised: Vec<(Time, u8)>,
    deaf: bool,
    checked: bool,
    last: [Heartbeat; 2],
    /// All of each, in their order.
    sent: [Vec<Heartbeat>; 2],
}

impl Watch {
    fn new(ground: &Ground<'_>) -> anyhow::Result<Watch> {
        let mut rig = Rig::new()?;
        rig.spawn(SupervisorNode::new(Config::default(), ())?, NodeOptions::new("supervisor"))?;
        let states = rig.simulation.collect("/safety/state")?;
        let alerts = rig.simulation.collect("/cabin/driver_alert")?;
        Ok(Watch {
            rig,
            seals: NODES.map(Seal::new),
            states,
            alerts,
            said: Vec::new(),
            raised: Vec::new(),
            deaf: ground.without(Off::Supervisor),
            checked: !ground.without(Off::EndToEnd),
            last: Default::default(),
            sent: Default::default(),
        })
    }

    fn message(&mut self, node: usize, status: u8) -> anyhow::Result<Heartbeat> {
        let header = Header::at(self.rig.now());
        let mut beat = Heartbeat { header, node: NODES[node].into(), status, ..Heartbeat::default() };
        self.seals[node].seal(&mut beat)?;
        Ok(beat)
    }

    fn beat(&mut self, node: usize, status: u8) -> anyhow::Result<()> {
        let beat = self.message(node, status)?;
        self.rig.send("/troika/heartbeat", &beat)?;
        self.sent[node].push(beat.clone());
        self.last[node] = beat;
        Ok(())
    }

    /// Bytes that come in a node's name, as they are; with the check switched off they come as if they passed it.
    fn tampered(&mut self, node: usize, bytes: &[u8]) -> anyhow::Result<()> {
        if !self.checked {
            let status = self.last[node].status;
            return self.beat(node, status);
        }
        self.rig.put::<Heartbeat>("/troika/heartbeat", bytes)
    }

    /// Lets time pass, and notes what the supervisor says.
    fn pass(&mut self, time: Duration) {
        self.rig.pass(time);
        for state in self.states.take() {
            let state_said = if self.deaf { SafetyState::NOMINAL } else { state.value.state };
            self.said.push((state.received, state_said));
        }
        let alerts = self.alerts.take().into_iter().filter(|_| !self.deaf);
        self.raised.extend(alerts.map(|alert| (alert.received, alert.value.phase)));
    }

    /// Both nodes are well until the whole is nominal, and some time longer.
    fn well(&mut self, dice: &mut Dice) -> anyhow::Result<()> {
        for _ in 0..2 + dice.below(5) {
            for node in 0..2 {
                self.beat(node, Heartbeat::OK)?;
            }
            self.pass(BEAT);
        }
        let nominal = self.said.last().is_some_and(|(_, said)| *said == SafetyState::NOMINAL);
        anyhow::ensure!(nominal, "the whole is not nominal while all is well: {:?}", self.said.last());
        Ok(())
    }

    /// The first safe state from then on.
    fn safe_since(&self, from: Time) -> Option<Duration> {
        let safe = |(at, said): &&(Time, u8)| *at >= from && *said == SafetyState::SAFE;
        self.said.iter().find(safe).map(|(at, _)| at.since(from))
    }

    /// What was not safe between these, which are after the limit.
    fn unsafe_between(&self, from: Time, to: Time) -> Option<String> {
        let wrong = |(at, said): &&(Time, u8)| (from..to).contains(at) && *said != SafetyState::SAFE;
        let (at, said) = self.said.iter().find(wrong)?;
        let word = if *said == SafetyState::NOMINAL { "nominal" } else { "degraded" };
        Some(format!("{word} {:.1} s after monitoring was lost", at.since(from).as_secs_f32()))
    }
}

/// What comes in the name of a node that is gone.
#[derive(Clone, Copy, PartialEq)]
enum Comes {
    Bits,
    Field,
    Cut,
    Repeated,
    Alternating,
    Delayed,
    Nothing,
    Foreign,
    Bare,
}

fn gone(comes: Comes, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut watch = Watch::new(ground)?;
    watch.well(dice)?;
    let victim = dice.below(2);
    watch.beat(victim, Heartbeat::OK)?;
    let last = watch.rig.now();
    let delay = dice.ms(3_000, 6_000);
    let mut late: Vec<(Time, Heartbeat)> = Vec::new();
    let mut next = [last + BEAT; 2];
    next[1 - victim] = last + dice.ms(0, 800);
    let until = last + Duration::from_secs(8);
    let (mut turn, before) = (0, 1 + dice.below(6));
    while watch.rig.now() < until {
        let now = watch.rig.now();
        for (node, due) in next.iter_mut().enumerate() {
            if now < *due {
                continue;
            }
            *due = *due + BEAT;
            if node != victim {
                watch.beat(node, Heartbeat::OK)?;
                continue;
            }
            turn += 1;
            let bytes = match comes {
                Comes::Nothing => continue,
                Comes::Bits => {
                    let beat = watch.message(victim, Heartbeat::OK)?;
                    flipped(&beat, dice)
                }
                Comes::Cut => {
                    let beat = watch.message(victim, Heartbeat::OK)?;
                    cut(&beat, dice)
                }
                Comes::Field => {
                    let mut beat = watch.message(victim, Heartbeat::UNAVAILABLE)?;
                    beat.damage(dice);
                    beat.status = Heartbeat::OK;
                    cdr(&beat)
                }
                Comes::Repeated => cdr(&watch.last[victim]),
                Comes::Alternating if turn % 2 == 0 => cdr(&watch.last[victim]),
                Comes::Alternating => cdr(&watch.older_of(victim, before)),
                Comes::Delayed => {
                    let beat = watch.message(victim, Heartbeat::OK)?;
                    late.push((now + delay, beat));
                    continue;
                }
                Comes::Foreign => {
                    let header = Header::at(now);
                    let mut beat = Heartbeat { header, node: NODES[victim].into(), ..Heartbeat::default() };
                    Seal::new("/elsewhere").seal(&mut beat)?;
                    cdr(&beat)
                }
                Comes::Bare => {
                    let header = Header::at(now);
                    cdr(&Heartbeat {
                        header,
                        node: NODES[victim].into(),
                        sequence: turn,
                        ..Heartbeat::default()
                    })
                }
            };
            watch.tampered(victim, &bytes)?;
        }
        let (there, rest): (Vec<_>, Vec<_>) = late.into_iter().partition(|(at, _)| *at <= now);
        late = rest;
        for (_, beat) in there {
            watch.tampered(victim, &cdr(&beat))?;
        }
        watch.pass(SLICE);
    }
    // What was delayed comes in the end, and the node is trusted again after 5 s.
    let to = if comes == Comes::Delayed { last + delay } else { until };
    // The first two old ones in turn may be a node that began again.
    let limit = if comes == Comes::Alternating { ALTERNATING_WITHIN } else { SILENT_WITHIN };
    let harm = watch.unsafe_between(last + limit + ROUND, to);
    Ok(vec![Verdict::of(watch.safe_since(last), harm)])
}

impl Watch {
    /// A heartbeat of the node from `before` its last one, as far as there are such.
    fn older_of(&self, node: usize, before: usize) -> Heartbeat {
        let sent = &self.sent[node];
        sent[sent.len().saturating_sub(1 + before)].clone()
    }
}

macro_rules! gone {
    ($($name:ident: $comes:ident),+ $(,)?) => {
        $(#[doc = concat!("A node is gone; what comes in its name: ", stringify!($comes), ".")]
        /// # Errors
        /// What the bench itself cannot do.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            gone(Comes::$comes, ground, dice)
        })+
    };
}

gone! {
    bits: Bits,
    field: Field,
    truncated: Cut,
    repeated: Repeated,
    alternating: Alternating,
    delayed: Delayed,
    lost: Nothing,
    foreign: Foreign,
    bare: Bare,
}

/// The node's own heartbeats, recorded and played again in their order after it is gone: each is right, and as old as the recording.
///
/// # Errors
/// What the bench itself cannot do.
pub fn recorded(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut watch = Watch::new(ground)?;
    let victim = dice.below(2);
    let mut recording = Vec::new();
    for _ in 0..8 {
        for node in 0..2 {
            watch.beat(node, Heartbeat::OK)?;
        }
        recording.push(watch.last[victim].clone());
        watch.pass(BEAT);
    }
    let last = watch.rig.now();
    for turn in 0..12 {
        watch.beat(1 - victim, Heartbeat::OK)?;
        let beat = cdr(&recording[turn % recording.len()]);
        watch.rig.put::<Heartbeat>("/troika/heartbeat", &beat)?;
        watch.pass(BEAT);
    }
    let harm = watch.unsafe_between(last + SILENT_WITHIN + ROUND, watch.rig.now());
    let noticed = watch.safe_since(last);
    Ok(vec![Verdict::of(noticed, harm)])
}

/// A node is silent until the driver is told: the supervisor's own alert.
///
/// # Errors
/// What the bench itself cannot do.
pub fn silent(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut watch = Watch::new(ground)?;
    watch.well(dice)?;
    let victim = dice.below(2);
    watch.beat(victim, Heartbeat::OK)?;
    let last = watch.rig.now();
    while watch.rig.now() < last + Duration::from_secs(10) {
        watch.beat(1 - victim, Heartbeat::OK)?;
        watch.pass(BEAT);
    }
    let raised = watch.raised.iter().find(|(at, phase)| *at >= last && *phase == DriverAlert::RAISED);
    let cleared = watch.raised.iter().any(|(at, phase)| *at >= last && *phase == DriverAlert::CLEARED);
    let harm = cleared.then(|| "the alert was cleared while the node was silent".to_owned());
    Ok(vec![Verdict::of(raised.map(|(at, _)| at.since(last)), harm)])
}

/// A node says that it cannot work.
///
/// # Errors
/// What the bench itself cannot do.
pub fn unavailable(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut watch = Watch::new(ground)?;
    watch.well(dice)?;
    let victim = dice.below(2);
    watch.pass(dice.ms(0, 300));
    let from = watch.rig.now();
    for _ in 0..6 {
        watch.beat(victim, Heartbeat::UNAVAILABLE)?;
        watch.beat(1 - victim, Heartbeat::OK)?;
        watch.pass(BEAT);
    }
    let harm = watch.unsafe_between(from + 2 * ROUND, watch.rig.now());
    Ok(vec![Verdict::of(watch.safe_since(from), harm)])
}

/// A node comes and goes: three losses, and then it is well for half a minute.
///
/// # Errors
/// What the bench itself cannot do.
pub fn flaps(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut watch = Watch::new(ground)?;
    watch.well(dice)?;
    let victim = dice.below(2);
    let mut verdicts = Vec::new();
    for loss in 1..=3 {
        let from = watch.rig.now();
        watch.beat(victim, Heartbeat::UNAVAILABLE)?;
        watch.beat(1 - victim, Heartbeat::OK)?;
        watch.pass(BEAT);
        // Five seconds until it is trusted again; the third time never.
        let well = if loss == 3 { 34 } else { 7 + dice.below(3) };
        for _ in 0..well {
            for node in 0..2 {
                watch.beat(node, Heartbeat::OK)?;
            }
            watch.pass(BEAT);
        }
        let trusted = from + BEAT + Duration::from_secs(5) - ROUND;
        let until = if loss == 3 { watch.rig.now() } else { trusted };
        let harm = watch.unsafe_between(from + 2 * ROUND, until);
        verdicts.push(Verdict::of(watch.safe_since(from), harm));
    }
    Ok(verdicts)
}
