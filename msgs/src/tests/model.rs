//! A second, plain CDR writer, driven by the .msg files, to hold the generated code against. It shares the parser with it
//! and nothing else.

use proptest::{collection::vec, prelude::*};
use troika_msgs_codegen::{Array, Base, Interfaces, MsgFile, Primitive, Type};

/// A value of any type.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Number { size: usize, bits: u64, float: bool },
    Text(String),
    Message(Vec<(String, Value)>),
    Array(Vec<Value>),
    Sequence(Vec<Value>),
}

/// Any value of a message.
pub(super) fn message(set: &'static Interfaces, file: &MsgFile) -> BoxedStrategy<Value> {
    if file.fields.is_empty() {
        let only = ("".to_owned(), Value::Number { size: 1, bits: 0, float: false });
        return Just(Value::Message(vec![only])).boxed();
    }
    let names: Vec<String> = file.fields.iter().map(|f| f.name.clone()).collect();
    let fields: Vec<_> = file.fields.iter().map(|f| field(set, &f.ty)).collect();
    fields.prop_map(move |values| Value::Message(names.iter().cloned().zip(values).collect())).boxed()
}

fn field(set: &'static Interfaces, ty: &Type) -> BoxedStrategy<Value> {
    let one = element(set, &ty.base);
    let most = |n: u32| (n as usize).min(5);
    match ty.array {
        Array::One => one,
        Array::Fixed(n) => vec(one, n as usize).prop_map(Value::Array).boxed(),
        Array::Bounded(n) => vec(one, 0..=most(n)).prop_map(Value::Sequence).boxed(),
        Array::Unbounded => vec(one, 0..=5).prop_map(Value::Sequence).boxed(),
    }
}

fn element(set: &'static Interfaces, base: &Base) -> BoxedStrategy<Value> {
    match base {
        Base::Primitive(p) => {
            let (size, float) = match p {
                Primitive::Bool => return any::<bool>().prop_map(|b| number(1, b.into())).boxed(),
                Primitive::Byte | Primitive::Uint8 | Primitive::Int8 => (1, false),
                Primitive::Int16 | Primitive::Uint16 => (2, false),
                Primitive::Int32 | Primitive::Uint32 => (4, false),
                Primitive::Int64 | Primitive::Uint64 => (8, false),
                Primitive::Float32 => (4, true),
                Primitive::Float64 => (8, true),
            };
            let quiet_nan = if size == 4 { 0xffc0_0001 } else { 0xfff8_0000_0000_0001 };
            let bits = if float {
                prop_oneof![9 => any::<u64>(), 1 => Just(quiet_nan)].boxed()
            } else {
                any::<u64>().boxed()
            };
            bits.prop_map(move |bits| Value::Number { size, bits, float }).boxed()
        }
        Base::String(bound) => {
            let most = bound.map_or(usize::MAX, |b| b as usize);
            any::<String>()
                .prop_map(move |mut text| {
                    text.retain(|c| c != '\0');
                    while text.len() > most {
                        text.pop();
                    }
                    Value::Text(text)
                })
                .boxed()
        }
        Base::WString(_) => unreachable!("no type with a wstring is generated"),
        Base::Message { package, folder, name } => {
            let name = format!("{package}/{}/{name}", folder.name());
            message(set, set.get(&name).expect("references resolve"))
        }
    }
}

fn number(size: usize, bits: u64) -> Value {
    Value::Number { size, bits, float: false }
}

/// CDR with its encapsulation header; every padding byte is `padding`.
pub(super) fn cdr(value: &Value, big_endian: bool, padding: u8) -> Vec<u8> {
    let mut body = Vec::new();
    write(value, big_endian, padding, &mut body);
    let mut out = vec![0, u8::from(!big_endian), 0, 0];
    out.extend(body);
    out
}

fn write(value: &Value, big: bool, padding: u8, out: &mut Vec<u8>) {
    match value {
        Value::Number { size, bits, .. } => {
            while !out.len().is_multiple_of(*size) {
                out.push(padding);
            }
            let mut bytes = bits.to_le_bytes()[..*size].to_vec();
            if big {
                bytes.reverse();
            }
            out.extend(bytes);
        }
        Value::Text(text) => {
            write(&number(4, text.len() as u64 + 1), big, padding, out);
            out.extend(text.as_bytes());
            out.push(0);
        }
        Value::Message(fields) => fields.iter().for_each(|(_, v)| write(v, big, padding, out)),
        Value::Array(values) => values.iter().for_each(|v| write(v, big, padding, out)),
        Value::Sequence(values) => {
            write(&number(4, values.len() as u64), big, padding, out);
            values.iter().for_each(|v| write(v, big, padding, out));
        }
    }
}

/// The canonical form of `crate::protect`, of a whole message: without its field `e2e`.
pub(super) fn canonical(message: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let Value::Message(fields) = message else { panic!("only messages are protected") };
    fields.iter().filter(|(name, _)| name != "e2e").for_each(|(_, v)| pack(v, &mut out));
    out
}

fn pack(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number { size: 4, bits, float: true } if f32::from_bits(*bits as u32).is_nan() => {
            out.extend([0, 0, 0xc0, 0x7f]);
        }
        Value::Number { size: 8, bits, float: true } if f64::from_bits(*bits).is_nan() => {
            out.extend([0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
        }
        Value::Number { size, bits, .. } => out.extend(&bits.to_le_bytes()[..*size]),
        Value::Text(text) => {
            out.extend((text.len() as u32).to_le_bytes());
            out.extend(text.as_bytes());
        }
        Value::Message(fields) => fields.iter().for_each(|(_, v)| pack(v, out)),
        Value::Array(values) => values.iter().for_each(|v| pack(v, out)),
        Value::Sequence(values) => {
            out.extend((values.len() as u32).to_le_bytes());
            values.iter().for_each(|v| pack(v, out));
        }
    }
}
