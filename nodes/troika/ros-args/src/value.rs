//! YAML's scalars and lists as ROS parameters, typed as `rcl_yaml_param_parser` types them.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

/// A parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true`, `yes`, `on`, `y`, and their opposites.
    Bool(bool),
    /// Decimal, `0x` or, with a zero first, octal.
    Int(i64),
    /// Any other number, `.inf` and `.nan`.
    Double(f64),
    /// What is quoted, and all the rest.
    Text(String),
    /// Values of one type.
    List(Vec<Value>),
}

/// YAML, before it is known what its parts mean; with the line (from 1) of each.
pub(crate) enum Tree {
    Scalar { text: String, quoted: bool },
    List(Vec<(usize, Tree)>),
    Map(Vec<(usize, String, Tree)>),
}

/// Why a text is not what was wanted, and the line (from 1).
pub(crate) struct Fault(pub usize, pub String);

/// Deeper ones are no parameters, and would take the stack.
const DEEPEST: usize = 32;

/// The documents of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<(usize, Tree)>, Fault> {
    let mut events = Parser::new_from_str(text).map(|event| event.map_err(|error| fault_of(&error)));
    let mut found = Vec::new();
    while let Some(event) = events.next() {
        match event?.0 {
            Event::DocumentStart(_) => found.extend(tree(&mut events, DEEPEST)?),
            _ => continue,
        }
    }
    Ok(found)
}

fn fault_of(error: &ScanError) -> Fault {
    Fault(error.marker().line(), error.info().to_owned())
}

/// The next value; none where a collection ends.
fn tree<'a>(
    events: &mut impl Iterator<Item = Result<(Event<'a>, saphyr_parser::Span), Fault>>,
    depth: usize,
) -> Result<Option<(usize, Tree)>, Fault> {
    let Some(next) = events.next() else { return Ok(None) };
    let (event, span) = next?;
    let line = span.start.line();
    if depth == 0 {
        return Err(Fault(line, "is nested too deep".to_owned()));
    }
    let tree = match event {
        Event::Scalar(text, style, _, tag) => Tree::Scalar {
            text: text.into_owned(),
            quoted: matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted)
                || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str"),
        },
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            while let Some(item) = tree(events, depth - 1)? {
                items.push(item);
            }
            Tree::List(items)
        }
        Event::MappingStart(..) => {
            let mut entries = Vec::new();
            while let Some((line, key)) = tree(events, depth - 1)? {
                let Tree::Scalar { text, .. } = key else {
                    return Err(Fault(line, "a key is a word".to_owned()));
                };
                let Some((_, value)) = tree(events, depth - 1)? else { break };
                entries.push((line, text, value));
            }
            Tree::Map(entries)
        }
        Event::Alias(_) => return Err(Fault(line, "aliases (*name) are not for parameters".to_owned())),
        _ => return Ok(None),
    };
    Ok(Some((line, tree)))
}

/// A scalar or a list as a value.
pub(crate) fn value(line: usize, tree: &Tree) -> Result<Value, Fault> {
    match tree {
        Tree::Scalar { text, quoted: false } if text.is_empty() => {
            Err(Fault(line, "has no value".to_owned()))
        }
        Tree::Scalar { text, quoted } => Ok(scalar(text, *quoted)),
        Tree::Map(_) => Err(Fault(line, "a map is no value".to_owned())),
        Tree::List(items) => {
            let mut values: Vec<Value> = Vec::new();
            for (line, item) in items {
                let Tree::Scalar { .. } = item else {
                    return Err(Fault(*line, "a list holds no lists and no maps".to_owned()));
                };
                let value = value(*line, item)?;
                if let Some(first) = values.first()
                    && std::mem::discriminant(first) != std::mem::discriminant(&value)
                {
                    return Err(Fault(
                        *line,
                        "a list's values are all of one type (1.0 and 1 are two)".to_owned(),
                    ));
                }
                values.push(value);
            }
            Ok(Value::List(values))
        }
    }
}

fn scalar(text: &str, quoted: bool) -> Value {
    if quoted {
        return Value::Text(text.to_owned());
    }
    match text {
        "Y" | "y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "N" | "n" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Value::Double(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Double(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Double(f64::NEG_INFINITY),
        _ => match (whole(text), text.parse::<f64>()) {
            (Some(whole), _) => Value::Int(whole),
            // A number too large for one is text.
            (None, Ok(double)) if double.is_finite() || !text.contains(|c: char| c.is_ascii_digit()) => {
                Value::Double(double)
            }
            (None, _) => Value::Text(text.to_owned()),
        },
    }
}

/// As C's `strtoll` reads it with base 0.
fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, base) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_digit(base)) {
        return None;
    }
    let size = i128::from_str_radix(digits, base).ok()?;
    i64::try_from(if negative { -size } else { size }).ok()
}
