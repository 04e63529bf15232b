//! Damage to messages on their way: bits, lengths, values.

use troika_kit::Message;
use troika_msgs::{
    protect::{Protected, Seal},
    troika::{DriverAlert, DriverState, Heartbeat, SafetyState, Slot, VehicleCommand, VehicleSignals},
};

use crate::class::Dice;

/// The message's CDR; empty where it has none, which no receiver takes for a message.
pub fn cdr<T: Message>(message: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    if message.encode(&mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// One to four bits turned, behind the encapsulation header, which is the middleware's own.
pub fn flip(bytes: &mut [u8], dice: &mut Dice) {
    let header = 4.min(bytes.len());
    if bytes.len() == header {
        return;
    }
    for _ in 0..=dice.below(4) {
        let at = header + dice.below(bytes.len() - header);
        bytes[at] ^= 1 << dice.below(8);
    }
}

/// Bits turned so that what is read is another value, or none. Bits of padding change nothing and are no fault.
pub fn flipped<T: Message + PartialEq>(message: &T, dice: &mut Dice) -> Vec<u8> {
    let whole = cdr(message);
    loop {
        let mut bytes = whole.clone();
        flip(&mut bytes, dice);
        // A value with a NaN in it equals nothing: held by its bytes.
        let same = T::decode(&bytes).is_ok_and(|read| read == *message || cdr(&read) == whole);
        if !same || whole.len() <= 4 {
            return bytes;
        }
    }
}

/// The same; with the check switched off, what is read of it comes with a protection that is right.
pub fn flipped_under<T: Protected + PartialEq>(
    message: &T,
    resealed: Option<&mut Seal<T>>,
    dice: &mut Dice,
) -> Vec<u8> {
    let bytes = flipped(message, dice);
    if let (Some(seal), Ok(mut read)) = (resealed, T::decode(&bytes))
        && seal.seal(&mut read).is_ok()
    {
        return cdr(&read);
    }
    bytes
}

/// Cut short anywhere.
pub fn cut<T: Message>(message: &T, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = cdr(message);
    bytes.truncate(dice.below(bytes.len().max(1)));
    bytes
}

/// A protected message whose values can be damaged one by one.
pub trait Damaged: Protected + Clone + PartialEq {
    /// What it is called in the names of classes.
    const NAME: &'static str;
    /// One that may be sent.
    fn sample(dice: &mut Dice) -> Self;
    /// Another value in one field, as a fault in memory would leave it behind the decoder.
    fn damage(&mut self, dice: &mut Dice);
}

fn word(dice: &mut Dice) -> String {
    (0..1 + dice.below(12)).map(|_| char::from(b'a' + (dice.byte() % 26))).collect()
}

impl Damaged for Heartbeat {
    const NAME: &'static str = "heartbeat";

    fn sample(dice: &mut Dice) -> Self {
        Heartbeat {
            node: "/driver_state".into(),
            status: Heartbeat::OK,
            reason: word(dice),
            steps: dice.below(1 << 20) as u64,
            ..Heartbeat::default()
        }
    }

    fn damage(&mut self, dice: &mut Dice) {
        match dice.below(6) {
            0 => self.status = self.status.wrapping_add(1 + dice.byte() % 254),
            1 => self.steps ^= 1 << dice.below(40),
            2 => self.reason.push_str(&word(dice)),
            3 => self.sequence ^= 1 << dice.below(32),
            4 => self.latency_counts[dice.below(12)] ^= 1 << dice.below(32),
            _ => self.faults ^= 1 << dice.below(30),
        }
    }
}

impl Damaged for SafetyState {
    const NAME: &'static str = "safety_state";

    fn sample(dice: &mut Dice) -> Self {
        let lost = if dice.coin() { vec!["driver_monitoring".to_owned()] } else { Vec::new() };
        let state = if lost.is_empty() { SafetyState::NOMINAL } else { SafetyState::SAFE };
        SafetyState { state, lost, ..SafetyState::default() }
    }

    fn damage(&mut self, dice: &mut Dice) {
        match dice.below(3) {
            0 => self.state = self.state.wrapping_add(1 + dice.byte() % 254),
            1 => self.lost.push(word(dice)),
            _ => self.sequence ^= 1 << dice.below(32),
        }
    }
}

impl Damaged for DriverAlert {
    const NAME: &'static str = "driver_alert";

    fn sample(dice: &mut Dice) -> Self {
        DriverAlert {
            profile: "euro_ncap".into(),
            kind: 1 + dice.byte() % 8,
            phase: DriverAlert::RAISED,
            elapsed_s: dice.between(1.0, 6.0),
            limit_s: 3.0,
            speed_kmh: dice.between(20.0, 130.0),
            requirement: "SR-DMS-006".into(),
            ..DriverAlert::default()
        }
    }

    fn damage(&mut self, dice: &mut Dice) {
        match dice.below(4) {
            0 => self.kind ^= 1 << dice.below(8),
            1 => self.phase = DriverAlert::CLEARED,
            2 => self.profile.push_str(&word(dice)),
            _ => self.sequence ^= 1 << dice.below(32),
        }
    }
}

impl Damaged for VehicleCommand {
    const NAME: &'static str = "vehicle_command";

    fn sample(dice: &mut Dice) -> Self {
        let slots = [("position", "rear_left"), ("action", "open"), ("percent", "20")];
        VehicleCommand {
            id: word(dice),
            function: "window.move".into(),
            slots: slots.map(|(name, value)| Slot { name: name.into(), value: value.into() }).to_vec(),
            source: VehicleCommand::VOICE,
            confidence: dice.between(0.7, 1.0),
            utterance: "open the window".into(),
            ..VehicleCommand::default()
        }
    }

    fn damage(&mut self, dice: &mut Dice) {
        match dice.below(6) {
            0 => {
                self.function = "charge_port.move".into();
                self.slots = vec![Slot { name: "action".into(), value: "open".into() }];
            }
            1 => self.confirmed = !self.confirmed,
            2 => {
                self.function = "cruise.set".into();
                self.slots = vec![Slot { name: "kmh".into(), value: "180".into() }];
                self.source = VehicleCommand::API;
            }
            3 => self.id.push_str(&word(dice)),
            4 => match self.slots.last_mut() {
                Some(slot) => slot.value.push('0'),
                None => self.sequence ^= 1,
            },
            _ => self.source = self.source.wrapping_add(1),
        }
    }
}

impl Damaged for DriverState {
    const NAME: &'static str = "driver_state";

    fn sample(dice: &mut Dice) -> Self {
        DriverState {
            state: dice.byte() % 4,
            confidence: dice.between(0.4, 1.0),
            face_detected: true,
            gaze_zone: 1 + dice.byte() % 8,
            eye_openness_left: dice.between(0.0, 1.0),
            eye_openness_right: dice.between(0.0, 1.0),
            model: word(dice),
            ..DriverState::default()
        }
    }

    fn damage(&mut self, dice: &mut Dice) {
        match dice.below(5) {
            0 => self.state = self.state.wrapping_add(1 + dice.byte() % 254),
            1 => self.eye_openness_left += 1.0,
            2 => self.gaze_zone ^= 1 << dice.below(8),
            3 => self.header.stamp.nanosec ^= 1 << dice.below(30),
            _ => self.sequence ^= 1 << dice.below(32),
        }
    }
}

impl Damaged for VehicleSignals {
    const NAME: &'static str = "vehicle_signals";

    fn sample(dice: &mut Dice) -> Self {
        VehicleSignals {
            speed_kmh: dice.between(1.0, 200.0),
            gear: 127,
            ignition_on: true,
            ..VehicleSignals::default()
        }
    }

    fn damage(&mut self, dice: &mut Dice) {
        match dice.below(5) {
            0 => self.speed_kmh = 0.0,
            1 => self.speed_kmh *= dice.between(1.5, 9.0),
            2 => self.driver_acted = !self.driver_acted,
            3 => self.ignition_on = !self.ignition_on,
            _ => self.sequence ^= 1 << dice.below(32),
        }
    }
}
