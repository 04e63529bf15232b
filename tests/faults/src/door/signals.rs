//! What befalls the vehicle's signals on their way.

use troika_kit::Duration;
use troika_msgs::{
    std_msgs::Header,
    troika::{SafetyState, VehicleSignals},
};

use super::{BELIEVED, GATED, SIGNALS, STANDSTILL, Vehicle};
use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::{cut, flipped},
    rig::{SLICE, due},
};

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
