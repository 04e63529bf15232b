//! What befalls commands on their way.

use troika_kit::Duration;
use troika_msgs::{
    protect::Seal,
    std_msgs::Header,
    troika::{SafetyState, Slot, VehicleCommand},
};

use super::{ANSWERED_WITHIN, BELIEVED, COMMAND, GATED, STANDSTILL, Vehicle};
use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::{Damaged, cut, flipped},
    rig::SLICE,
};

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
