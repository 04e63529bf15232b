//! The REP 2011 hash of a message, or of a service as a message of its parts: SHA-256 over a JSON text of its fields and of every type that it contains, with
//! exactly the spaces, the order and the type numbers of rosidl's generator. Constants, defaults and comments are no part.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::{Array, Base, Interfaces, MsgFile, Primitive, Type, parse::full_name};

/// `RIHS01_` and 64 hexadecimal digits.
pub fn rihs01(set: &Interfaces, file: &MsgFile) -> String {
    let digest = Sha256::digest(description(set, file).as_bytes());
    let mut hash = String::from("RIHS01_");
    for byte in digest {
        let _ = write!(hash, "{byte:02x}"); // writing to a String cannot fail
    }
    hash
}

/// The text that is hashed. Names are ASCII by the grammar, so nothing needs escaping.
pub fn description(set: &Interfaces, file: &MsgFile) -> String {
    let mut text = String::from("{\"type_description\": ");
    individual(file, &mut text);
    text.push_str(", \"referenced_type_descriptions\": [");
    let mut first = true;
    for inner in set.referenced(file).iter().filter_map(|name| set.get(name)) {
        if !first {
            text.push_str(", ");
        }
        first = false;
        individual(inner, &mut text);
    }
    text.push_str("]}");
    text
}

fn individual(file: &MsgFile, out: &mut String) {
    let _ = write!(out, "{{\"type_name\": \"{}\", \"fields\": [", file.full_name());
    if file.fields.is_empty() {
        // rosidl gives an empty structure one member, in C, on the wire and in the hash.
        field("structure_needs_at_least_one_member", 3, 0, 0, "", out);
    }
    for (i, f) in file.fields.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        let (id, string_capacity, nested) = type_id(&f.ty);
        let capacity = match f.ty.array {
            Array::Fixed(n) | Array::Bounded(n) => n,
            Array::One | Array::Unbounded => 0,
        };
        field(&f.name, id, capacity, string_capacity, &nested, out);
    }
    out.push_str("]}");
}

fn field(name: &str, id: u8, capacity: u32, string_capacity: u32, nested: &str, out: &mut String) {
    let _ = write!(
        out,
        "{{\"name\": \"{name}\", \"type\": {{\"type_id\": {id}, \"capacity\": {capacity}, \
         \"string_capacity\": {string_capacity}, \"nested_type_name\": \"{nested}\"}}}}"
    );
}

/// The number of `type_description_interfaces/msg/FieldType`, the string's bound, and the nested type's name.
fn type_id(ty: &Type) -> (u8, u32, String) {
    let (id, string_capacity, nested) = match &ty.base {
        Base::Message { package, folder, name } => (1, 0, full_name(package, *folder, name)),
        Base::Primitive(p) => (primitive_id(*p), 0, String::new()),
        Base::String(None) => (17, 0, String::new()),
        Base::WString(None) => (18, 0, String::new()),
        Base::String(Some(n)) => (21, *n, String::new()),
        Base::WString(Some(n)) => (22, *n, String::new()),
    };
    let offset = match ty.array {
        Array::One => 0,
        Array::Fixed(_) => 48,
        Array::Bounded(_) => 96,
        Array::Unbounded => 144,
    };
    (id + offset, string_capacity, nested)
}

fn primitive_id(p: Primitive) -> u8 {
    match p {
        Primitive::Int8 => 2,
        Primitive::Uint8 => 3,
        Primitive::Int16 => 4,
        Primitive::Uint16 => 5,
        Primitive::Int32 => 6,
        Primitive::Uint32 => 7,
        Primitive::Int64 => 8,
        Primitive::Uint64 => 9,
        Primitive::Float32 => 10,
        Primitive::Float64 => 11,
        Primitive::Bool => 15,
        Primitive::Byte => 16,
    }
}
