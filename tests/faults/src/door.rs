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
    damage::cdr,
    rig::{Rig, SLICE, due},
};

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

mod orders;
mod signals;

pub use orders::*;
pub use signals::*;

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

/// The bytes of a state, for who damages them.
pub fn bytes_of(state: &SafetyState) -> Vec<u8> {
    cdr(state)
}
