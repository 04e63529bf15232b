//! The end-to-end protection itself, on each type that has it: what its receiver is told of a message that was damaged on the way.

use troika_e2e::Status;
use troika_kit::Duration;
use troika_msgs::protect::{Opener, Seal, sender};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::{Damaged, cdr, cut, flipped},
};

/// Faults of one call.
const TIMES: usize = 60;

/// What was done to a message.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Bits,
    Field,
    Cut,
    Repeated,
    Reordered,
    Lost,
    Foreign,
    Bare,
}

fn sender_of<T: Damaged>() -> &'static str {
    match T::NAME {
        "vehicle_command" => sender::VOICE,
        "safety_state" => sender::SUPERVISOR,
        "driver_alert" => sender::MONITOR,
        "driver_state" => sender::DRIVER_STATE,
        "vehicle_signals" => sender::SIGNALS,
        _ => "/driver_state",
    }
}

fn sealed<T: Damaged>(seal: &mut Seal<T>, dice: &mut Dice) -> anyhow::Result<T> {
    let mut message = T::sample(dice);
    seal.seal(&mut message)?;
    Ok(message)
}

fn inject<T: Damaged>(fault: Fault, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let name = sender_of::<T>();
    let mut verdicts = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let (mut seal, mut opener) = (Seal::<T>::new(name), Opener::<T>::new(name));
        let mut last = sealed(&mut seal, dice)?;
        for _ in 0..dice.below(6) {
            opener.open(Some(&last));
            last = sealed(&mut seal, dice)?;
        }
        opener.open(Some(&last));
        let next = sealed(&mut seal, dice)?;
        // What the receiver's middleware makes of it: a value, or none.
        let came: Option<T> = match fault {
            Fault::Bits => T::decode(&flipped(&next, dice)).ok(),
            Fault::Cut => T::decode(&cut(&next, dice)).ok(),
            Fault::Field => {
                let mut changed = next.clone();
                changed.damage(dice);
                Some(changed)
            }
            Fault::Repeated => Some(last.clone()),
            Fault::Reordered => {
                opener.open(Some(&next));
                Some(last.clone())
            }
            Fault::Lost => {
                for _ in 0..4 + dice.below(20) {
                    sealed(&mut seal, dice)?;
                }
                Some(sealed(&mut seal, dice)?)
            }
            Fault::Foreign => Some(sealed(&mut Seal::<T>::new("/elsewhere"), dice)?),
            Fault::Bare => {
                let mut bare = next.clone();
                bare.e2e_mut().clear();
                Some(bare)
            }
        };
        let status = came.as_ref().map(|came| opener.open(Some(came)));
        let believed = matches!(status, Some(Status::Ok | Status::OkSomeLost))
            || ground.without(Off::EndToEnd) && status.is_some();
        let other = came.as_ref().is_some_and(|came| cdr(came) != cdr(&next));
        let harm = (believed && other).then(|| format!("another {} was believed", T::NAME));
        verdicts.push(Verdict::of((!believed).then_some(Duration::ZERO), harm));
    }
    Ok(verdicts)
}

macro_rules! injections {
    ($($name:ident: $fault:ident of $type:ident),+ $(,)?) => {
        $(#[doc = concat!(stringify!($fault), " of ", stringify!($type), ".")]
        /// # Errors
        /// A message that cannot be protected.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            inject::<troika_msgs::troika::$type>(Fault::$fault, ground, dice)
        })+
    };
}

injections! {
    heartbeat_bits: Bits of Heartbeat,
    heartbeat_field: Field of Heartbeat,
    heartbeat_cut: Cut of Heartbeat,
    heartbeat_repeated: Repeated of Heartbeat,
    heartbeat_reordered: Reordered of Heartbeat,
    heartbeat_lost: Lost of Heartbeat,
    heartbeat_foreign: Foreign of Heartbeat,
    heartbeat_bare: Bare of Heartbeat,
    command_bits: Bits of VehicleCommand,
    command_field: Field of VehicleCommand,
    command_cut: Cut of VehicleCommand,
    command_foreign: Foreign of VehicleCommand,
    state_bits: Bits of SafetyState,
    state_field: Field of SafetyState,
    state_repeated: Repeated of SafetyState,
    state_foreign: Foreign of SafetyState,
    alert_bits: Bits of DriverAlert,
    alert_field: Field of DriverAlert,
    alert_repeated: Repeated of DriverAlert,
    alert_lost: Lost of DriverAlert,
    seen_bits: Bits of DriverState,
    seen_field: Field of DriverState,
    seen_repeated: Repeated of DriverState,
    seen_foreign: Foreign of DriverState,
    signals_bits: Bits of VehicleSignals,
    signals_field: Field of VehicleSignals,
    signals_repeated: Repeated of VehicleSignals,
    signals_foreign: Foreign of VehicleSignals,
}
