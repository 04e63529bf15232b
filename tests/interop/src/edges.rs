//! Values of every message with its fields at their edges, made from the .msg files alone: a new message is covered by being there.
//!
//! A field takes its edges one after another from round to round, beginning at another one than its neighbour. In [`ROUNDS`]
//! rounds each has had them all. Pure.

use std::{fs, path::Path};

use serde_json::{Number, Value as Json, json};
use troika_msgs_codegen::{Array, Base, Interfaces, MsgFile, Primitive, Type, parse::parse};

/// As many as the kind with the most edges has.
pub const ROUNDS: usize = FLOATS.len();

/// Of either width. NaN is the one that Python makes.
const FLOATS: [(u32, u64); 12] = [
    (0x8000_0000, 0x8000_0000_0000_0000), // -0.0
    (0x7fc0_0000, 0x7ff8_0000_0000_0000), // NaN
    (0x7f80_0000, 0x7ff0_0000_0000_0000), // infinity
    (0xff80_0000, 0xfff0_0000_0000_0000), // -infinity
    (0x7f7f_ffff, 0x7fef_ffff_ffff_ffff), // the largest
    (0xff7f_ffff, 0xffef_ffff_ffff_ffff), // the lowest
    (0x0080_0000, 0x0010_0000_0000_0000), // the smallest normal one
    (0x0000_0001, 0x0000_0000_0000_0001), // the smallest
    (0x807f_ffff, 0x800f_ffff_ffff_ffff), // the largest negative subnormal one
    (0x3dcc_cccd, 0x3fb9_9999_9999_999a), // 0.1
    (0xbf80_0000, 0xbff0_0000_0000_0000), // -1
    (0x0000_0000, 0x0000_0000_0000_0000),
];
/// Beyond ASCII in one to four bytes each, what JSON and C escape, a NUL's neighbour.
const TEXTS: [&str; 4] =
    ["", "a", "grüß dich \u{2713} \u{65e5}\u{672c} \u{1f697}", "\"\\\t\r\n\u{1}\u{7f}%s{}"];
/// The bytes of a long text: more than 16 bits count.
const LONG_TEXT: usize = 70_000;
/// The elements of a long sequence of bytes: more than 16 bits count.
const MANY_BYTES: usize = 65_537;
/// The elements of a long sequence of anything else: more than 8 bits count, and more than a message's other fields.
const MANY: usize = 300;

/// A value of a message or of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A bool.
    Bool(bool),
    /// An integer of any width and sign.
    Integer(Number),
    /// A float32 by its bits.
    Single(u32),
    /// A float64 by its bits.
    Double(u64),
    /// A string.
    Text(String),
    /// An array or a sequence.
    List(Vec<Value>),
    /// A message's fields by name, in the order of the file.
    Message(Vec<(String, Value)>),
}

impl Value {
    /// As the peers are told it, and tell it: exactly, see `peers/judge.py`.
    pub fn exact(&self) -> Json {
        match self {
            Value::Single(bits) if f32::from_bits(*bits).is_nan() => json!("nan"),
            Value::Double(bits) if f64::from_bits(*bits).is_nan() => json!("nan"),
            Value::Single(bits) => json!(format!("{bits:08x}")),
            Value::Double(bits) => json!(format!("{bits:016x}")),
            _ => self.json(Value::exact),
        }
    }

    /// As our own tools show it: an infinity or NaN is null, a float32 in its shortest form.
    pub fn shown(&self) -> Json {
        match self {
            Value::Single(bits) => shortest(serde_json::to_string(&f32::from_bits(*bits))),
            Value::Double(bits) => shortest(serde_json::to_string(&f64::from_bits(*bits))),
            _ => self.json(Value::shown),
        }
    }

    fn json(&self, inner: fn(&Value) -> Json) -> Json {
        match self {
            Value::Bool(flag) => json!(flag),
            Value::Integer(number) => Json::Number(number.clone()),
            Value::Text(text) => json!(text),
            Value::List(items) => items.iter().map(inner).collect(),
            Value::Message(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), inner(value))).collect()
            }
            Value::Single(_) | Value::Double(_) => inner(self),
        }
    }
}

fn shortest(text: serde_json::Result<String>) -> Json {
    text.and_then(|text| serde_json::from_str(&text)).expect("a float is told as a number or null")
}

/// The messages of this repository: ours, and the standard ones that it carries.
///
/// # Panics
/// When the .msg files cannot be read.
pub fn interfaces() -> Interfaces {
    let msgs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../msgs");
    let mut files = Vec::new();
    read("troika_msgs", &msgs.join("msg"), &mut files);
    for package in fs::read_dir(msgs.join("ros")).expect("the standard packages") {
        let package = package.expect("an entry");
        if package.path().is_dir() {
            let name = package.file_name().into_string().expect("a package's name");
            read(&name, &package.path().join("msg"), &mut files);
        }
    }
    Interfaces::new(files).expect("the .msg files hold together")
}

fn read(package: &str, folder: &Path, into: &mut Vec<MsgFile>) {
    // A package may have services alone.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a message's name");
        into.push(parse(package, name, &fs::read_to_string(&path).expect("text")).expect("a .msg file"));
    }
}

/// A round's value of a message.
pub fn message(set: &Interfaces, file: &MsgFile, round: usize) -> Value {
    fields(set, file, round, false)
}

/// `inside`: within an array, where long values would multiply.
fn fields(set: &Interfaces, file: &MsgFile, turn: usize, inside: bool) -> Value {
    let field = |at: usize, ty: &Type| match ty.array {
        Array::One => one(set, &ty.base, turn + at, inside),
        array => {
            let count = count(array, &ty.base, turn + at, inside);
            Value::List((0..count).map(|i| one(set, &ty.base, turn + at + i, true)).collect())
        }
    };
    Value::Message(file.fields.iter().enumerate().map(|(at, f)| (f.name.clone(), field(at, &f.ty))).collect())
}

fn count(array: Array, base: &Base, turn: usize, inside: bool) -> usize {
    let many = match base {
        // Once in all rounds: some judges take a second for it.
        Base::Primitive(Primitive::Byte | Primitive::Uint8 | Primitive::Int8 | Primitive::Bool)
            if turn % ROUNDS == ROUNDS - 1 =>
        {
            MANY_BYTES
        }
        _ => MANY,
    };
    match array {
        Array::One => 1,
        Array::Fixed(length) => length as usize,
        Array::Bounded(bound) => [0, bound, 1, bound - 1][turn % 4] as usize,
        Array::Unbounded if inside => turn % 3,
        Array::Unbounded => [0, 1, 2, many][turn % 4],
    }
}

fn one(set: &Interfaces, base: &Base, turn: usize, inside: bool) -> Value {
    match base {
        Base::Primitive(primitive) => number(*primitive, turn),
        Base::String(bound) => Value::Text(text(*bound, turn, inside)),
        Base::WString(_) => unreachable!("no type with a wstring is generated"),
        Base::Message { package, name, .. } => {
            let file = set.get(&format!("{package}/msg/{name}")).expect("references resolve");
            fields(set, file, turn, inside)
        }
    }
}

fn number(primitive: Primitive, turn: usize) -> Value {
    let signed = |bits: u32| {
        let max = i64::MAX >> (64 - bits);
        Value::Integer([-max - 1, max, 0, -1, 1, 0x55][turn % 6].into())
    };
    let unsigned = |bits: u32| {
        let max = u64::MAX >> (64 - bits);
        Value::Integer([0, max, max / 2 + 1, 1, 0x55][turn % 5].into())
    };
    match primitive {
        Primitive::Bool => Value::Bool(turn.is_multiple_of(2)),
        Primitive::Byte | Primitive::Uint8 => unsigned(8),
        Primitive::Int8 => signed(8),
        Primitive::Uint16 => unsigned(16),
        Primitive::Int16 => signed(16),
        Primitive::Uint32 => unsigned(32),
        Primitive::Int32 => signed(32),
        Primitive::Uint64 => unsigned(64),
        Primitive::Int64 => signed(64),
        Primitive::Float32 => Value::Single(FLOATS[turn % FLOATS.len()].0),
        Primitive::Float64 => Value::Double(FLOATS[turn % FLOATS.len()].1),
    }
}

fn text(bound: Option<u32>, turn: usize, inside: bool) -> String {
    let most = bound.map_or(if inside { MANY } else { LONG_TEXT }, |bound| bound as usize);
    let mut text = match TEXTS.get(turn % (TEXTS.len() + 1)) {
        Some(text) => (*text).to_owned(),
        None => TEXTS[2].repeat(most / TEXTS[2].len() + 1),
    };
    while text.len() > most {
        text.pop();
    }
    if turn % (TEXTS.len() + 1) == TEXTS.len() {
        // The last character may have been cut off whole.
        text.push_str(&"x".repeat(most - text.len()));
    }
    text
}
