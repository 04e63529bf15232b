//! The safety state on its way to who limits himself by it: the supervisor says safe, and something else is made of it. What is behind a gate must
//! stay shut, half a second later at the latest.

use troika_kit::{Duration, Message as _};
use troika_msgs::{
    protect::Seal,
    troika::{SafetyState, VehicleCommand},
};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::{cut, flipped},
    door::{GATED, STANDSTILL, Vehicle},
};

const SAFETY: &str = "/safety/state";
/// Silence of half a second is the safe state; a state each 0.1 s.
pub const LIMITED_WITHIN: Duration = Duration::from_millis(650);

/// What is made of the state.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Bits,
    Field,
    Cut,
    Repeated,
    Recorded,
    Foreign,
    Bare,
    Lost,
}

fn tampered(fault: Fault, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut vehicle = Vehicle::new(ground)?;
    let mut recorded = Vec::new();
    for _ in 0..if fault == Fault::Recorded { 25 } else { 1 } {
        let good = vehicle.safety(SafetyState::NOMINAL)?;
        vehicle.tell(&good)?;
        vehicle.pass(Duration::from_millis(100))?;
        recorded.push(good);
    }
    vehicle.state = None;
    let onset = vehicle.rig.now();
    let (mut noticed, mut harm) = (None, None);
    for round in 0..20 {
        let said = vehicle.safety(SafetyState::SAFE)?;
        match fault {
            Fault::Lost => {}
            Fault::Bits | Fault::Cut => {
                let bytes = if fault == Fault::Bits { flipped(&said, dice) } else { cut(&said, dice) };
                match SafetyState::decode(&bytes) {
                    Ok(state) => vehicle.tell_damaged(nominal(state, vehicle.without(Off::EndToEnd)))?,
                    Err(_) => vehicle.rig.put::<SafetyState>(SAFETY, &bytes)?,
                }
            }
            Fault::Field => {
                vehicle.tell_damaged(SafetyState {
                    state: SafetyState::NOMINAL,
                    lost: Vec::new(),
                    ..said
                })?;
            }
            Fault::Repeated | Fault::Recorded => {
                vehicle.tell_damaged(recorded[round.min(recorded.len() - 1)].clone())?;
            }
            Fault::Foreign => {
                let mut foreign = SafetyState { state: SafetyState::NOMINAL, ..said };
                Seal::new("/elsewhere").seal(&mut foreign)?;
                vehicle.tell_damaged(foreign)?;
            }
            Fault::Bare => {
                vehicle.tell_damaged(SafetyState { state: SafetyState::NOMINAL, e2e: Vec::new(), ..said })?;
            }
        }
        let (function, slots) = GATED[dice.below(STANDSTILL)];
        let command: VehicleCommand = vehicle.command(function, slots)?;
        let after = vehicle.rig.now().since(onset);
        let verdict = vehicle.refused(&command)?;
        if verdict.noticed.is_some() && noticed.is_none() {
            noticed = Some(after);
        }
        if let Some(what) = verdict.harm.filter(|_| after > LIMITED_WITHIN) {
            harm = harm.or(Some(format!("{what} {:.1} s into the safe state", after.as_secs_f32())));
        }
        vehicle.pass(Duration::from_millis(40))?;
    }
    Ok(vec![Verdict::of(noticed, harm)])
}

/// With the check switched off, damage is what it would be at worst.
fn nominal(state: SafetyState, worst: bool) -> SafetyState {
    if worst { SafetyState { state: SafetyState::NOMINAL, ..state } } else { state }
}

macro_rules! injections {
    ($($name:ident: $fault:ident),+ $(,)?) => {
        $(#[doc = concat!("The supervisor says safe; on the way: ", stringify!($fault), ".")]
        /// # Errors
        /// What the bench itself cannot do.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            tampered(Fault::$fault, ground, dice)
        })+
    };
}

injections! {
    bits: Bits,
    field: Field,
    truncated: Cut,
    repeated: Repeated,
    recorded: Recorded,
    foreign: Foreign,
    bare: Bare,
    lost: Lost,
}
