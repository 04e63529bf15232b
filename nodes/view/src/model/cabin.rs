//! What is there now, as the last message said it: the driver, the hand, the vehicle, the link.

use serde_json::{Value, json};
use troika_kit::Time;
use troika_msgs::troika::{DriverState, Drowsiness, Gesture, LinkState, VehicleSignals};

use super::{SHORT, age, clip, number};
use crate::words;

/// The last of each, and when it came.
#[derive(Debug, Default)]
pub(super) struct Cabin {
    driver: Option<(Value, Time)>,
    drowsiness: Option<(Value, Time)>,
    gesture: Option<(Value, Time)>,
    /// The last gesture that was one: they are over sooner than they are read.
    shown: Option<(Value, Time)>,
    vehicle: Option<(Value, Time)>,
    link: Option<(Value, Time)>,
}

impl Cabin {
    pub(super) fn driver(&mut self, message: DriverState, now: Time) {
        let value = json!({
            "state": words::driver(message.state), "confidence": number(message.confidence, 2),
            "face": message.face_detected, "gaze_zone": words::zone(message.gaze_zone),
            "gaze_deg": [number(message.gaze_yaw_deg, 1), number(message.gaze_pitch_deg, 1)],
            "head_deg": [number(message.head_yaw_deg, 1), number(message.head_pitch_deg, 1),
                         number(message.head_roll_deg, 1)],
            "eyes": [number(message.eye_openness_left, 2), number(message.eye_openness_right, 2)],
            "mouth": number(message.mouth_opening, 2), "perclos": number(message.perclos, 3),
            "model": clip(&message.model, SHORT),
        });
        self.driver = Some((value, now));
    }

    pub(super) fn drowsiness(&mut self, message: &Drowsiness, now: Time) {
        let value = json!({
            "level": words::drowsiness(message.level), "confidence": number(message.confidence, 2),
            "blinks_per_minute": number(message.blinks_per_minute, 1),
            "heart_rate_bpm": number(message.heart_rate_bpm, 0),
        });
        self.drowsiness = Some((value, now));
    }

    pub(super) fn gesture(&mut self, message: &Gesture, now: Time) {
        let value = json!({
            "kind": words::gesture(message.kind), "confidence": number(message.confidence, 2),
            "hand": message.hand_detected, "action": clip(&message.action, SHORT),
        });
        if !matches!(message.kind, Gesture::UNKNOWN | Gesture::NONE) {
            self.shown = Some((value.clone(), now));
        }
        self.gesture = Some((value, now));
    }

    pub(super) fn vehicle(&mut self, message: &VehicleSignals, now: Time) {
        let value = json!({
            "speed_kmh": number(message.speed_kmh, 1), "steering_deg": number(message.steering_angle_deg, 1),
            "gear": message.gear, "ignition": message.ignition_on,
        });
        self.vehicle = Some((value, now));
    }

    pub(super) fn link(&mut self, message: &LinkState, now: Time) {
        let range = |low, mid, high| json!([number(low, 0), number(mid, 0), number(high, 0)]);
        let value = json!({
            "state": words::link(message.state), "bearer": words::bearer(message.bearer),
            "metered": match message.metered {
                LinkState::METERED_NO => json!(false),
                LinkState::METERED_YES => json!(true),
                _ => Value::Null,
            },
            "rtt_ms": range(message.rtt_low_ms, message.rtt_ms, message.rtt_high_ms),
            "down_kbps": range(message.down_low_kbps, message.down_kbps, message.down_high_kbps),
            "up_kbps": range(message.up_low_kbps, message.up_kbps, message.up_high_kbps),
            "loss": [number(message.loss, 3), number(message.loss_high, 3)],
            "stall_s": number(message.stall_s, 1), "sample_age_s": number(message.age_s, 1),
        });
        self.link = Some((value, now));
    }

    pub(super) fn state(&self, now: Time, state: &mut Value) {
        let all = [
            ("driver", &self.driver),
            ("drowsiness", &self.drowsiness),
            ("gesture", &self.gesture),
            ("gesture_shown", &self.shown),
            ("vehicle", &self.vehicle),
            ("link", &self.link),
        ];
        for (name, last) in all {
            state[name] = match last {
                Some((value, came)) => {
                    let mut value = value.clone();
                    value["age_s"] = age(*came, now);
                    value
                }
                None => Value::Null,
            };
        }
    }
}
