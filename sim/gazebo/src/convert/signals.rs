//! What Gazebo has no message of its own for: the vehicle's signals as named parameters, sound as bytes.

use std::collections::BTreeMap;

use troika_msgs::troika::{AudioChunk, VehicleSignals};

use super::{Both, Unconvertible, common, common::wrong};
use crate::wire::{self, Any, Value};

// COVESA VSS's names, as VehicleSignals.msg has them.
const SPEED: &str = "Vehicle.Speed";
const STEERING: &str = "Vehicle.Chassis.SteeringWheel.Angle";
const GEAR: &str = "Vehicle.Powertrain.Transmission.CurrentGear";
const POWER: &str = "Vehicle.LowVoltageSystemState";
/// VSS has no name for it.
const ACTED: &str = "Troika.DriverActed";

fn any(value: Value) -> Any {
    let r#type = match value {
        Value::Double(_) => 1,
        Value::Int(_) => 2,
        Value::Text(_) => 3,
        Value::Bool(_) => 4,
    };
    Any { r#type, value: Some(value) }
}

struct Params(BTreeMap<String, Any>);

impl Params {
    fn get(&self, name: &'static str) -> Result<&Value, Unconvertible> {
        let any = self.0.get(name).ok_or_else(|| wrong(name, "it is missing"))?;
        any.value
            .as_ref()
            .ok_or_else(|| wrong(name, "it has no value, or one that is no number, text or boolean"))
    }

    fn number(&self, name: &'static str) -> Result<f64, Unconvertible> {
        match self.get(name)? {
            Value::Double(number) => Ok(*number),
            Value::Int(number) => Ok(f64::from(*number)),
            _ => Err(wrong(name, "it is no number")),
        }
    }
}

impl Both for VehicleSignals {
    type Theirs = wire::Param;

    fn from_gazebo(theirs: wire::Param) -> Result<Self, Unconvertible> {
        let params = Params(theirs.params);
        let gear = match params.get(GEAR)? {
            Value::Int(gear) => {
                i8::try_from(*gear).map_err(|_| wrong(GEAR, format!("there is no gear {gear}")))?
            }
            _ => return Err(wrong(GEAR, "it is no int32")),
        };
        let ignition_on = match params.get(POWER)? {
            Value::Text(state) => matches!(state.as_str(), "ON" | "START"),
            _ => return Err(wrong(POWER, "it is no text")),
        };
        let driver_acted = match params.get(ACTED) {
            Ok(Value::Bool(acted)) => *acted,
            Ok(_) => return Err(wrong(ACTED, "it is no boolean")),
            Err(_) => false,
        };
        Ok(VehicleSignals {
            header: common::header(theirs.header.as_ref())?,
            speed_kmh: params.number(SPEED)? as f32,
            steering_angle_deg: params.number(STEERING)? as f32,
            gear,
            ignition_on,
            driver_acted,
            // Gazebo's message has no place for a protection: these are whoever's.
            ..VehicleSignals::default()
        })
    }

    fn into_gazebo(self) -> Result<wire::Param, Unconvertible> {
        let power = if self.ignition_on { "ON" } else { "OFF" };
        let params = [
            (SPEED, Value::Double(self.speed_kmh.into())),
            (STEERING, Value::Double(self.steering_angle_deg.into())),
            (GEAR, Value::Int(self.gear.into())),
            (POWER, Value::Text(power.to_owned())),
            (ACTED, Value::Bool(self.driver_acted)),
        ];
        Ok(wire::Param {
            header: Some(common::their_header(&self.header)?),
            params: params.into_iter().map(|(name, value)| (name.to_owned(), any(value))).collect(),
        })
    }

    fn set_frame(&mut self, frame: &str) {
        frame.clone_into(&mut self.header.frame_id);
    }
}

// In the header of the bytes.
const RATE: &str = "sample_rate";
const CHANNELS: &str = "channels";
const FORMAT: &str = "format";
/// Signed, 16 bits, little endian: ALSA's and ffmpeg's name.
const S16LE: &str = "s16le";

impl Both for AudioChunk {
    type Theirs = wire::Bytes;

    fn from_gazebo(theirs: wire::Bytes) -> Result<Self, Unconvertible> {
        let header = theirs.header.as_ref();
        match common::named(header, FORMAT) {
            Some(S16LE) => {}
            other => return Err(wrong("header.format", format!("{other:?} is not '{S16LE}'"))),
        }
        fn number<N: std::str::FromStr>(
            header: Option<&wire::Header>,
            key: &'static str,
        ) -> Result<N, Unconvertible> {
            let text = common::named(header, key).ok_or_else(|| wrong(key, "it is not in the header"))?;
            text.parse().map_err(|_| wrong(key, format!("'{text}' is no such number")))
        }
        let channels: u8 = number(header, CHANNELS)?;
        let (samples, rest) = theirs.data.as_chunks::<2>();
        if channels == 0 || !rest.is_empty() || !samples.len().is_multiple_of(usize::from(channels)) {
            let bytes = theirs.data.len();
            return Err(wrong("data", format!("{bytes} bytes are no whole samples of {channels} channels")));
        }
        Ok(AudioChunk {
            header: common::header(header)?,
            sample_rate: number(header, RATE)?,
            channels,
            samples: samples.iter().map(|two| i16::from_le_bytes(*two)).collect(),
        })
    }

    fn into_gazebo(self) -> Result<wire::Bytes, Unconvertible> {
        let mut header = common::their_header(&self.header)?;
        common::name(&mut header, FORMAT, S16LE);
        common::name(&mut header, RATE, &self.sample_rate.to_string());
        common::name(&mut header, CHANNELS, &self.channels.to_string());
        let data = self.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Ok(wire::Bytes { header: Some(header), data })
    }

    fn set_frame(&mut self, frame: &str) {
        frame.clone_into(&mut self.header.frame_id);
    }
}
