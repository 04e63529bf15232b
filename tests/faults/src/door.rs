//! Signals and commands on their way to the real vehicle: what its body is asked to do is what counts.

use std::sync::{Arc, Mutex, PoisonError};

use troika_host::{NodeOptions, simulate::Collected};
use troika_kit::{Duration, Time};
use troika_msgs::{
    protect::{Seal, sender},
    std_msgs::Header,
    troika::{CommandResult, SafetyState, Slot, VehicleCommand, VehicleSignals},
};
use troika_vehicle::{
    Body, SignalsFrom, SimulatedBody, VehicleNode,
    body::{Act, Progress, Readings, Unwilling},
    catalogue::Call,
    simulated::Drive,
};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::{Damaged, cdr, cut, flipped},
    rig::{Rig, SLICE, due},
};

const SIGNALS: &str = "/vehicle/signals";
const COMMAND: &str = "/voice/command";
const SAFETY: &str = "/safety/state";
/// Two steps of the vehicle, and a slice of the bench's.
pub const ANSWERED_WITHIN: Duration = Duration::from_millis(50);
/// Signals are believed for so long.
const BELIEVED: Duration = Duration::from_millis(500);

/// What a body was asked to begin.
pub type Begun = Arc<Mutex<Vec<Call>>>;

/// The simulated body, which notes what it is asked to do.
struct Noting {
    body: SimulatedBody,
    begun: Begun,
}

impl Body for Noting {
    fn readings(&mut self, now: Time) -> Readings {
        self.body.readings(now)
    }

    fn begin(&mut self, now: Time, call: &Call) -> Result<Act, Unwilling> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        self.body.begin(now, call)
    }

    fn progress(&mut self, now: Time, act: Act) -> Progress {
        self.body.progress(now, act)
    }

    fn stop(&mut self, now: Time, act: Act) {
        self.body.stop(now, act);
    }
}

/// A vehicle, with everything that it reads in the bench's hands.
pub struct Vehicle {
    /// The simulation.
    pub rig: Rig,
    begun: Begun,
    results: Collected<CommandResult>,
    seal: Seal<VehicleCommand>,
    supervisor: Seal<SafetyState>,
    speeds: Seal<VehicleSignals>,
    number: u32,
    off: Option<Off>,
    /// What the bench says of the speed itself, each 20 ms; none: nothing.
    pub speed: Option<f32>,
    /// What the supervisor says, ten times a second; none: nothing.
    pub state: Option<u8>,
}

impl Vehicle {
    /// Standing, nominal, with fresh signals.
    ///
    /// # Errors
    /// What the simulation says.
    pub fn new(ground: &Ground<'_>) -> anyhow::Result<Vehicle> {
        Vehicle::with(ground, |node| node)
    }

    /// The same that takes protected commands alone.
    fn guarded(ground: &Ground<'_>) -> anyhow::Result<Vehicle> {
        Vehicle::with(ground, VehicleNode::protected_only)
    }

    fn with(
        ground: &Ground<'_>,
        made: fn(VehicleNode<Noting>) -> VehicleNode<Noting>,
    ) -> anyhow::Result<Vehicle> {
        let mut rig = Rig::new()?;
        let begun = Begun::default();
        let body = Noting { body: SimulatedBody::new(Drive::default()), begun: begun.clone() };
        rig.spawn(made(VehicleNode::with_body(body, SignalsFrom::External)), NodeOptions::new("vehicle"))?;
        let results = rig.simulation.collect("/vehicle/command_result")?;
        let mut vehicle = Vehicle {
            rig,
            begun,
            results,
            seal: Seal::new(sender::VOICE),
            supervisor: Seal::new(sender::SUPERVISOR),
            speeds: Seal::new(sender::SIGNALS),
            number: 0,
            off: ground.off,
            speed: Some(0.0),
            state: Some(SafetyState::NOMINAL),
        };
        vehicle.pass(Duration::from_millis(300))?;
        Ok(vehicle)
    }

    /// What the vehicle does is the same whatever is switched off elsewhere.
    pub fn without(&self, off: Off) -> bool {
        self.off == Some(off)
    }

    /// Lets time pass; signals and states go on.
    ///
    /// # Errors
    /// What the simulation says.
    pub fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = self.rig.now() + time;
        while self.rig.now() < until {
            let since = self.rig.since_start();
            if let Some(kmh) = self.speed.filter(|_| due(since, Duration::from_millis(20))) {
                let signals = self.says(kmh);
                self.signals(&signals)?;
            }
            if let Some(state) = self.state.filter(|_| due(since, Duration::from_millis(100))) {
                let state = self.safety(state)?;
                self.tell(&state)?;
            }
            self.rig.pass(SLICE.min(until.since(self.rig.now())));
        }
        Ok(())
    }

    /// A message of the signals of now.
    pub fn says(&self, kmh: f32) -> VehicleSignals {
        VehicleSignals {
            header: Header::at(self.rig.now()),
            speed_kmh: kmh,
            gear: if kmh == 0.0 { 0 } else { 127 },
            ignition_on: true,
            ..VehicleSignals::default()
        }
    }

    /// Puts signals on their topic; where the gates are off, they are told that the vehicle stands.
    ///
    /// # Errors
    /// What the transport says.
    pub fn signals(&mut self, signals: &VehicleSignals) -> anyhow::Result<()> {
        let mut signals = signals.clone();
        if self.without(Off::Gates) {
            signals = self.says(0.0);
        }
        if self.without(Off::SignalAge) {
            signals.header = Header::at(self.rig.now());
        }
        self.speeds.seal(&mut signals)?;
        self.rig.send(SIGNALS, &signals)
    }

    /// What another says in the body's place: without protection, or with its own.
    fn foreign_signals(&mut self, signals: VehicleSignals, dice: &mut Dice) -> anyhow::Result<()> {
        if self.without(Off::EndToEnd) {
            return self.signals(&signals);
        }
        let mut signals = signals;
        if dice.coin() {
            Seal::new("/elsewhere").seal(&mut signals)?;
        }
        self.rig.send(SIGNALS, &signals)
    }

    /// A state as the supervisor sends it.
    ///
    /// # Errors
    /// One that cannot be protected.
    pub fn safety(&mut self, state: u8) -> anyhow::Result<SafetyState> {
        let mut said = SafetyState { header: Header::at(self.rig.now()), state, ..SafetyState::default() };
        self.supervisor.seal(&mut said)?;
        Ok(said)
    }

    /// A state to its readers.
    ///
    /// # Errors
    /// What the transport says.
    pub fn tell(&self, state: &SafetyState) -> anyhow::Result<()> {
        if self.without(Off::SafeState) { Ok(()) } else { self.rig.send(SAFETY, state) }
    }

    /// A state that was damaged on its way. With the check switched off it is protected as if it were the supervisor's own.
    ///
    /// # Errors
    /// What the transport says.
    pub fn tell_damaged(&mut self, mut state: SafetyState) -> anyhow::Result<()> {
        if self.without(Off::EndToEnd) {
            self.supervisor.seal(&mut state)?;
        }
        self.tell(&state)
    }

    /// A command, protected as the voice's.
    ///
    /// # Errors
    /// One that cannot be protected.
    pub fn command(&mut self, function: &str, slots: &[(&str, &str)]) -> anyhow::Result<VehicleCommand> {
        self.number += 1;
        let slot = |(name, value): &(&str, &str)| Slot { name: (*name).into(), value: (*value).into() };
        let mut command = VehicleCommand {
            header: Header::at(self.rig.now()),
            id: format!("fault/{}", self.number),
            function: function.to_owned(),
            slots: slots.iter().map(slot).collect(),
            source: VehicleCommand::VOICE,
            confidence: 0.9,
            ..VehicleCommand::default()
        };
        self.seal.seal(&mut command)?;
        Ok(command)
    }

    /// The same command with a protection of now.
    ///
    /// # Errors
    /// One that cannot be protected.
    pub fn sealed(&mut self, mut command: VehicleCommand) -> anyhow::Result<VehicleCommand> {
        self.seal.seal(&mut command)?;
        Ok(command)
    }

    /// Puts a command on its topic.
    ///
    /// # Errors
    /// What the transport says.
    pub fn order(&mut self, command: &VehicleCommand) -> anyhow::Result<()> {
        let mut command = command.clone();
        if self.without(Off::CommandAge) {
            command.header = Header::default();
        }
        if self.without(Off::Memory) {
            self.number += 1;
            command.id = format!("fault/{}", self.number);
        }
        if [Off::EndToEnd, Off::CommandAge, Off::Memory].into_iter().any(|off| self.without(off)) {
            command.source = VehicleCommand::VOICE;
            self.seal.seal(&mut command)?;
        }
        self.rig.send(COMMAND, &command)
    }

    /// What the body was asked to do since this was asked last.
    pub fn begun(&self) -> Vec<Call> {
        std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Orders it, and waits for what becomes of it: refused after how long, or what the body was asked to do.
    ///
    /// # Errors
    /// What the transport says.
    pub fn refused(&mut self, command: &VehicleCommand) -> anyhow::Result<Verdict> {
        self.begun();
        self.results.take();
        let from = self.rig.now();
        self.order(command)?;
        self.pass(ANSWERED_WITHIN + SLICE)?;
        Ok(self.outcome(from))
    }

    /// Whether something was refused since then, and whether the body was asked to do something.
    fn outcome(&mut self, from: Time) -> Verdict {
        let refused =
            self.results.take().into_iter().find(|result| result.value.status == CommandResult::REFUSED);
        let begun = self.begun();
        let harm = begun.first().map(|call| format!("{} was carried out", call.function));
        let noticed = refused.filter(|_| begun.is_empty()).map(|result| result.received.since(from));
        Verdict::of(noticed, harm)
    }
}

/// A function that a gate keeps shut for who speaks while the vehicle moves, or has not confirmed.
pub const GATED: [(&str, &[(&str, &str)]); 6] = [
    ("trunk.move", &[("action", "open")]),
    ("door.lock", &[("action", "unlock")]),
    ("charge_port.move", &[("action", "open")]),
    ("phone.call", &[("contact", "anna")]),
    ("cruise.set", &[("kmh", "120")]),
    ("drive_mode.set", &[("mode", "sport")]),
];
/// Of these, those that are open at standstill.
pub const STANDSTILL: usize = 3;

/// What befalls the signals.
#[derive(Clone, Copy, PartialEq)]
enum Signals {
    Lost,
    Cut,
    Stuck,
    Late,
    NoNumber,
    Bits,
    Foreign,
    Reordered,
}

/// The vehicle stood, and drives off as its signals fail; what is only for standstill is asked for again and again.
fn signals(fault: Signals, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut vehicle = Vehicle::new(ground)?;
    vehicle.speed = None;
    let onset = vehicle.rig.now();
    let last = vehicle.says(0.0);
    let kmh = dice.between(5.0, 130.0);
    let late_by = dice.ms(700, 4_000);
    let mut group = Vec::new();
    let (mut verdicts, mut next) = (Vec::new(), onset + BELIEVED + SLICE);
    while vehicle.rig.now() < onset + Duration::from_millis(2_500) {
        // The supervisor goes on: it is not its silence that shuts the gates here.
        if due(vehicle.rig.since_start(), Duration::from_millis(100)) {
            let nominal = vehicle.safety(SafetyState::NOMINAL)?;
            vehicle.tell(&nominal)?;
        }
        if due(vehicle.rig.since_start(), Duration::from_millis(20)) {
            let drives = vehicle.says(kmh);
            match fault {
                Signals::Lost if vehicle.without(Off::SignalAge) => vehicle.signals(&last)?,
                Signals::Lost => {}
                Signals::Cut if vehicle.without(Off::SignalAge) => vehicle.signals(&last)?,
                Signals::Cut => vehicle.rig.put::<VehicleSignals>(SIGNALS, &cut(&drives, dice))?,
                Signals::Stuck => vehicle.signals(&last)?,
                Signals::Late => {
                    let header = Header::at(vehicle.rig.now() - late_by);
                    vehicle.signals(&VehicleSignals { header, ..last.clone() })?;
                }
                Signals::NoNumber => {
                    let speed_kmh = *dice.one_of(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
                    vehicle.signals(&VehicleSignals { speed_kmh, ..drives })?;
                }
                Signals::Bits if vehicle.without(Off::Gates) => vehicle.signals(&last)?,
                Signals::Bits => {
                    let mut drives = drives;
                    vehicle.speeds.seal(&mut drives)?;
                    vehicle.rig.put::<VehicleSignals>(SIGNALS, &flipped(&drives, dice))?;
                }
                Signals::Foreign => {
                    vehicle.signals(&drives)?;
                    let zero = VehicleSignals { speed_kmh: 0.0, gear: 0, ..drives };
                    vehicle.foreign_signals(zero, dice)?;
                }
                Signals::Reordered => {
                    group.push(drives);
                    if group.len() == 6 {
                        dice.shuffle(&mut group);
                        for signals in group.drain(..) {
                            vehicle.signals(&signals)?;
                        }
                    }
                }
            }
        }
        if vehicle.rig.now() >= next {
            next = next + dice.ms(60, 200);
            let (function, slots) = GATED[dice.below(STANDSTILL)];
            let command = vehicle.command(function, slots)?;
            vehicle.begun();
            vehicle.results.take();
            let from = vehicle.rig.now();
            vehicle.order(&command)?;
            // Signals go on meanwhile with the next slices.
            vehicle.rig.pass(Duration::from_millis(25));
            verdicts.push(vehicle.outcome(from));
        }
        vehicle.rig.pass(Duration::from_millis(5));
    }
    Ok(verdicts)
}

/// What befalls a command.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Bits,
    Field,
    Cut,
    Foreign,
    BareGated,
    Bare,
    ForgedApi,
    Late,
    Unknown,
    Moving,
}

const TIMES: usize = 30;

fn commands(fault: Fault, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut vehicle = match fault {
        Fault::Bare | Fault::ForgedApi => Vehicle::guarded(ground)?,
        _ => Vehicle::new(ground)?,
    };
    let moves = matches!(fault, Fault::BareGated | Fault::ForgedApi | Fault::Moving);
    if moves {
        vehicle.speed = Some(dice.between(0.5, 150.0));
        vehicle.pass(Duration::from_millis(60))?;
    }
    let mut verdicts = Vec::new();
    for _ in 0..TIMES {
        let (function, slots) = *dice.one_of(&GATED);
        let gated = vehicle.command(function, slots)?;
        // At standstill this one would be carried out as it is.
        let free = vehicle.command("trunk.move", &[("action", "open")])?;
        let verdict = match fault {
            Fault::Bits | Fault::Cut => {
                let bytes = if fault == Fault::Bits { flipped(&free, dice) } else { cut(&free, dice) };
                vehicle.begun();
                let from = vehicle.rig.now();
                if ground.without(Off::EndToEnd) {
                    vehicle.order(&free)?;
                } else {
                    vehicle.rig.put::<VehicleCommand>(COMMAND, &bytes)?;
                }
                vehicle.pass(ANSWERED_WITHIN)?;
                let outcome = vehicle.outcome(from);
                // Bytes that are no message are counted where they came, and nobody hears of them.
                let noticed =
                    if outcome.harm.is_none() { outcome.noticed.or(Some(Duration::ZERO)) } else { None };
                Verdict::of(noticed, outcome.harm)
            }
            Fault::Field => {
                let mut changed = free;
                changed.damage(dice);
                vehicle.refused(&changed)?
            }
            Fault::Foreign => {
                let mut foreign = free;
                Seal::new("/elsewhere").seal(&mut foreign)?;
                vehicle.refused(&foreign)?
            }
            Fault::BareGated => {
                let source = *dice.one_of(&[
                    VehicleCommand::VOICE,
                    VehicleCommand::GESTURE,
                    VehicleCommand::CLOUD,
                    0,
                    77,
                ]);
                let bare = VehicleCommand { e2e: Vec::new(), source, ..gated };
                vehicle.refused(&bare)?
            }
            Fault::Bare => {
                let bare = VehicleCommand { e2e: Vec::new(), ..free };
                vehicle.refused(&bare)?
            }
            Fault::ForgedApi => {
                let command = vehicle.command("cruise.set", &[("kmh", "180")])?;
                let forged = vehicle.sealed(VehicleCommand { source: VehicleCommand::API, ..command })?;
                vehicle.refused(&forged)?
            }
            Fault::Late => {
                let header = Header::at(vehicle.rig.now() - dice.ms(1_050, 90_000));
                let late = vehicle.sealed(VehicleCommand { header, ..free })?;
                vehicle.refused(&late)?
            }
            Fault::Unknown => {
                let name: String = (0..dice.below(40))
                    .map(|_| char::from(dice.byte() & 0x7f))
                    .filter(|c| *c != '\0')
                    .collect();
                let mut command = VehicleCommand { function: name, ..free };
                if dice.coin() {
                    command.function = "trunk.move".into();
                    command.slots =
                        vec![Slot { name: "action".into(), value: format!("open{}", dice.byte()) }];
                }
                let unknown = vehicle.sealed(command)?;
                vehicle.refused(&unknown)?
            }
            Fault::Moving => {
                let source =
                    *dice.one_of(&[VehicleCommand::VOICE, VehicleCommand::GESTURE, VehicleCommand::CLOUD, 0]);
                let standstill = GATED.iter().take(STANDSTILL).any(|(name, _)| *name == gated.function);
                // Confirming opens no gate but the one that asks for it.
                let confirmed = dice.coin() && (standstill || gated.function == "cruise.set");
                let mut breach = VehicleCommand { source, confirmed, ..gated };
                if source == VehicleCommand::VOICE {
                    breach = vehicle.sealed(breach)?;
                } else {
                    // The voice's protection says that it is the voice's.
                    breach.e2e.clear();
                }
                vehicle.refused(&breach)?
            }
        };
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// A command comes again, 2 to 20 times, at once or minutes later.
///
/// # Errors
/// What the bench itself cannot do.
pub fn replayed(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut vehicle = Vehicle::new(ground)?;
    let mut verdicts = Vec::new();
    for _ in 0..10 {
        let command = vehicle.command("window.move", &[("position", "rear_left"), ("action", "open")])?;
        let times = 2 + dice.below(18);
        vehicle.begun();
        for time in 0..times {
            let from = vehicle.rig.now();
            vehicle.results.take();
            vehicle.order(&command)?;
            vehicle.pass(dice.ms(20, 45))?;
            let told = vehicle.results.take();
            let begun = vehicle.begun().len();
            if time == 0 {
                anyhow::ensure!(begun == 1, "the first is carried out");
                continue;
            }
            let harm = (begun > 0).then(|| "a command was carried out twice".to_owned());
            let noticed = told.first().filter(|_| begun == 0).map(|told| told.received.since(from));
            verdicts.push(Verdict::of(noticed, harm));
        }
    }
    Ok(verdicts)
}

/// Hundreds of commands at once, most behind a gate that is shut; then one that is due.
///
/// # Errors
/// What the bench itself cannot do.
pub fn flood(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut vehicle = Vehicle::new(ground)?;
    vehicle.speed = Some(dice.between(5.0, 150.0));
    vehicle.pass(Duration::from_millis(60))?;
    let before = dropped(&vehicle);
    let from = vehicle.rig.now();
    let count = 200 + dice.below(800);
    for n in 0..count {
        let (function, slots) = *dice.one_of(&GATED);
        let command = vehicle.command(function, slots)?;
        vehicle.order(&command)?;
        if n % 50 == 49 {
            vehicle.pass(SLICE)?;
        }
    }
    vehicle.pass(Duration::from_millis(60))?;
    let begun = vehicle.begun();
    let counted = dropped(&vehicle) > before;
    let window = vehicle.command("window.move", &[("position", "rear_left"), ("action", "open")])?;
    vehicle.order(&window)?;
    vehicle.pass(ANSWERED_WITHIN)?;
    let then = vehicle.begun();
    let harm = match (begun.first(), then.as_slice()) {
        (Some(call), _) => Some(format!("{} was carried out in the flood", call.function)),
        (None, [one]) if one.function == "window.move" => None,
        _ => Some("what was due after the flood was not carried out".to_owned()),
    };
    let noticed = counted.then(|| vehicle.rig.now().since(from));
    Ok(vec![Verdict::of(noticed, harm)])
}

fn dropped(vehicle: &Vehicle) -> u64 {
    vehicle.rig.simulation.stats().iter().map(|stats| stats.dropped).sum()
}

/// What is behind a gate is asked for while the whole is in its safe state, or while nothing is heard of the supervisor.
///
/// # Errors
/// What the bench itself cannot do.
pub fn safe_state(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut vehicle = Vehicle::new(ground)?;
    vehicle.state = if dice.coin() { Some(SafetyState::SAFE) } else { None };
    vehicle.pass(BELIEVED + Duration::from_millis(110))?;
    let mut verdicts = Vec::new();
    for _ in 0..TIMES {
        let (function, slots) = GATED[dice.below(STANDSTILL)];
        let command = vehicle.command(function, slots)?;
        verdicts.push(vehicle.refused(&command)?);
    }
    Ok(verdicts)
}

macro_rules! injections {
    ($by:ident of $kind:ident: $($name:ident: $fault:ident),+ $(,)?) => {
        $(#[doc = concat!("On the way to the vehicle: ", stringify!($fault), ".")]
        /// # Errors
        /// What the bench itself cannot do.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            $by($kind::$fault, ground, dice)
        })+
    };
}

injections! { signals of Signals:
    signals_lost: Lost,
    signals_truncated: Cut,
    signals_stuck: Stuck,
    signals_late: Late,
    signals_no_number: NoNumber,
    signals_bits: Bits,
    signals_foreign: Foreign,
    signals_reordered: Reordered,
}

injections! { commands of Fault:
    command_bits: Bits,
    command_field: Field,
    command_truncated: Cut,
    command_foreign: Foreign,
    command_bare_gated: BareGated,
    command_bare: Bare,
    command_forged_api: ForgedApi,
    command_late: Late,
    command_unknown: Unknown,
    command_moving: Moving,
}

/// The bytes of a state, for who damages them.
pub fn bytes_of(state: &SafetyState) -> Vec<u8> {
    cdr(state)
}
