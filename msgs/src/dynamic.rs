//! Every message type by its name, for tools that learn the type at run time (`troika topic echo`).

use serde::Serialize;
use troika_kit::{DecodeError, Message, TypeInfo};

/// What a tool can do with a type that it knows by name only.
#[derive(Debug, Clone, Copy)]
pub struct TypeEntry {
    info: TypeInfo,
    definition: &'static str,
    to_json: fn(&[u8]) -> Result<serde_json::Value, DecodeError>,
    recode: fn(&[u8], &mut Vec<u8>) -> Result<(), DecodeError>,
}

impl TypeEntry {
    pub(crate) const fn of<T: Message + Serialize>(definition: &'static str) -> TypeEntry {
        TypeEntry { info: T::TYPE, definition, to_json: to_json::<T>, recode: recode::<T> }
    }

    /// Name and hash.
    pub const fn info(&self) -> TypeInfo {
        self.info
    }

    /// Its .msg file and those of all that it contains, as recordings carry them (the schema encoding `ros2msg` of MCAP).
    pub const fn definition(&self) -> &'static str {
        self.definition
    }

    /// The message as JSON: fields by name in the order of the .msg file. A float that is not finite is `null`; arrays
    /// come whole, however large.
    pub fn to_json(&self, cdr: &[u8]) -> Result<serde_json::Value, DecodeError> {
        (self.to_json)(cdr)
    }

    /// Replaces `out` with the same message as we write it: little endian, padding of zeros.
    pub fn recode(&self, cdr: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        (self.recode)(cdr, out)
    }
}

/// The type of a name like `sensor_msgs/msg/Image`, if it is one of ours.
pub fn lookup(type_name: &str) -> Option<&'static TypeEntry> {
    all().iter().find(|entry| entry.info.name == type_name)
}

/// Every type's name, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().iter().map(|entry| entry.info.name)
}

/// Every type, sorted by name.
pub fn all() -> &'static [TypeEntry] {
    crate::types::TYPES
}

fn to_json<T: Message + Serialize>(cdr: &[u8]) -> Result<serde_json::Value, DecodeError> {
    // By way of text, because it writes an f32 in its shortest form: 0.1 stays 0.1 and not 0.10000000149011612.
    let text = serde_json::to_string(&T::decode(cdr)?).map_err(|_| DecodeError::Invalid)?;
    serde_json::from_str(&text).map_err(|_| DecodeError::Invalid)
}

fn recode<T: Message>(cdr: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    // What was decoded keeps to every bound, so it has a CDR form.
    T::decode(cdr)?.encode(out).map_err(|_| DecodeError::Invalid)
}
