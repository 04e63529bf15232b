//! One .msg file: text to [`MsgFile`], by the grammar of ROS 2's own reader (rosidl_adapter): a line is
//! `type name [default]` or `type NAME=value`, and `#` starts a comment everywhere, also within a string.

/// A primitive type of the interface language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Primitive {
    Bool,
    Byte,
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Float32,
    Float64,
}

/// What one element is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// A number or a bool. `char` reads as [`Primitive::Uint8`], as in ROS 2.
    Primitive(Primitive),
    /// UTF-8 text, with its bound in bytes if it has one.
    String(Option<u32>),
    /// UTF-16 text, with its bound if it has one. Hashed, but the Rust types do not carry it.
    WString(Option<u32>),
    /// Another message.
    Message {
        /// Its package.
        package: String,
        /// Where in it.
        folder: Folder,
        /// Its name.
        name: String,
    },
}

/// Which of a package's folders a type is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Folder {
    /// `msg`.
    Msg,
    /// `srv`: a service's request, response and event, and the service itself.
    Srv,
}

impl Folder {
    /// As in a type's name.
    pub fn name(self) -> &'static str {
        match self {
            Folder::Msg => "msg",
            Folder::Srv => "srv",
        }
    }
}

/// How many elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Array {
    /// Exactly one, not in an array.
    One,
    /// `T[N]`.
    Fixed(u32),
    /// `T[<=N]`.
    Bounded(u32),
    /// `T[]`.
    Unbounded,
}

/// A field's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// What one element is.
    pub base: Base,
    /// How many of them.
    pub array: Array,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its type.
    pub ty: Type,
    /// Its name.
    pub name: String,
    /// Its default: checked, and unquoted if a string, when it is a single one; that of an array as it is written.
    pub default: Option<String>,
    /// Its comments.
    pub docs: Vec<String>,
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Its type: a primitive or an unbounded string.
    pub base: Base,
    /// Its name.
    pub name: String,
    /// Its value as written, unquoted if a string.
    pub value: String,
    /// Its comments.
    pub docs: Vec<String>,
}

/// A .msg file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsgFile {
    /// The package it belongs to.
    pub package: String,
    /// Where in it.
    pub folder: Folder,
    /// The message's name.
    pub name: String,
    /// The comments before the first declaration.
    pub docs: Vec<String>,
    /// In the order written, which is the order on the wire.
    pub fields: Vec<Field>,
    /// In the order written.
    pub constants: Vec<Constant>,
    /// The whole file; empty of what ROS 2 makes beside a service.
    pub text: String,
}

impl MsgFile {
    /// `package/msg/Name`.
    pub fn full_name(&self) -> String {
        full_name(&self.package, self.folder, &self.name)
    }
}

/// `package/msg/Name`, or `package/srv/Name`.
pub(crate) fn full_name(package: &str, folder: Folder, name: &str) -> String {
    format!("{package}/{}/{name}", folder.name())
}

/// A .msg file that cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParseError {
    /// Counted from 1; 0 for the file's own name.
    pub line: usize,
    /// What is wrong.
    pub kind: ParseErrorKind,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The package or message name is not one that ROS 2 takes.
    #[error("'{0}' is no valid package or message name")]
    Name(String),
    /// Not a type.
    #[error("'{0}' is no type")]
    Type(String),
    /// A bound or array length that is no number from 1 to 2^32 - 1.
    #[error("'{0}' is no bound (1 to 4294967295)")]
    Bound(String),
    /// A type without a name after it.
    #[error("a type without a name")]
    NoName,
    /// Fields are lower_case_with_underscores.
    #[error("'{0}' is no valid field name (lower case, single underscores)")]
    FieldName(String),
    /// Constants are UPPER_CASE.
    #[error("'{0}' is no valid constant name (upper case, single underscores)")]
    ConstantName(String),
    /// Only primitives and strings may be constants.
    #[error("a constant must be a primitive or a string")]
    ConstantType,
    /// A value that its type cannot hold.
    #[error("'{0}' is no value of its type")]
    Value(String),
    /// A message has its own defaults.
    #[error("a field that is a message cannot have a default")]
    DefaultType,
    /// A .srv file has two halves.
    #[error("a service has one line `---`, between request and response")]
    Separator,
    /// Said twice.
    #[error("'{0}' is declared twice")]
    Twice(String),
}

/// Reads one .msg file.
pub fn parse(package: &str, name: &str, text: &str) -> Result<MsgFile, ParseError> {
    let at = |line, kind| ParseError { line, kind };
    if !is_package(package) || !is_message_name(name) {
        return Err(at(0, ParseErrorKind::Name(format!("{package}/{name}"))));
    }
    let mut file = MsgFile {
        package: package.to_owned(),
        folder: Folder::Msg,
        name: name.to_owned(),
        docs: Vec::new(),
        fields: Vec::new(),
        constants: Vec::new(),
        text: text.to_owned(),
    };
    let mut above: Vec<String> = Vec::new(); // comment lines waiting for what they describe
    let mut last = Last::Nothing;
    for (number, raw) in text.lines().enumerate() {
        let number = number + 1;
        let raw = raw.replace('\t', " ");
        let (code, comment) = match raw.find('#') {
            Some(i) => (raw[..i].trim(), Some(raw[i..].trim_start_matches('#').trim())),
            None => (raw.trim(), None),
        };
        if code.is_empty() {
            match comment {
                // An indented comment line goes on where the declaration above it left off.
                Some(text) if raw.starts_with(' ') && last != Last::Nothing => {
                    last.docs(&mut file).push(text.to_owned());
                }
                Some(text) => above.push(text.to_owned()),
                None => {}
            }
            continue;
        }
        if last == Last::Nothing {
            file.docs = core::mem::take(&mut above);
        }
        let mut docs = core::mem::take(&mut above);
        docs.extend(comment.filter(|c| !c.is_empty()).map(str::to_owned));
        last = declaration(code, docs, &mut file).map_err(|kind| at(number, kind))?;
    }
    if last == Last::Nothing {
        file.docs = above;
    }
    Ok(file)
}

/// What the last declaration was; always the last of its list.
#[derive(PartialEq)]
enum Last {
    Nothing,
    Field,
    Constant,
}

impl Last {
    fn docs<'a>(&self, file: &'a mut MsgFile) -> &'a mut Vec<String> {
        let MsgFile { docs, fields, constants, .. } = file;
        match self {
            Last::Nothing => docs,
            Last::Field => fields.last_mut().map_or(docs, |f| &mut f.docs),
            Last::Constant => constants.last_mut().map_or(docs, |c| &mut c.docs),
        }
    }
}

fn declaration(code: &str, docs: Vec<String>, file: &mut MsgFile) -> Result<Last, ParseErrorKind> {
    let (type_text, rest) = code.split_once(' ').ok_or(ParseErrorKind::NoName)?;
    let ty = parse_type(type_text, &file.package)?;
    let rest = rest.trim();
    if let Some((name, value)) = rest.split_once('=') {
        let (name, value) = (name.trim(), value.trim());
        if ty.array != Array::One || !matches!(ty.base, Base::Primitive(_) | Base::String(None)) {
            return Err(ParseErrorKind::ConstantType);
        }
        if !is_constant_name(name) {
            return Err(ParseErrorKind::ConstantName(name.to_owned()));
        }
        if file.constants.iter().any(|c| c.name == name) {
            return Err(ParseErrorKind::Twice(name.to_owned()));
        }
        let value = parse_value(&ty.base, value)?;
        file.constants.push(Constant { base: ty.base, name: name.to_owned(), value, docs });
        return Ok(Last::Constant);
    }
    let (name, default) = match rest.split_once(' ') {
        Some((name, default)) => (name, Some(default.trim())),
        None => (rest, None),
    };
    if !is_lower_name(name) {
        return Err(ParseErrorKind::FieldName(name.to_owned()));
    }
    if file.fields.iter().any(|f| f.name == name) {
        return Err(ParseErrorKind::Twice(name.to_owned()));
    }
    let default = match default {
        None => None,
        Some(_) if matches!(ty.base, Base::Message { .. }) => return Err(ParseErrorKind::DefaultType),
        Some(text) if ty.array == Array::One => Some(parse_value(&ty.base, text)?),
        Some(text) => Some(text.to_owned()),
    };
    file.fields.push(Field { ty, name: name.to_owned(), default, docs });
    Ok(Last::Field)
}

fn parse_type(text: &str, package: &str) -> Result<Type, ParseErrorKind> {
    let no_type = || ParseErrorKind::Type(text.to_owned());
    let (base, array) = match text.strip_suffix(']') {
        None => (text, Array::One),
        Some(inner) => {
            let (base, bound) = inner.rsplit_once('[').ok_or_else(no_type)?;
            let array = match (bound, bound.strip_prefix("<=")) {
                ("", _) => Array::Unbounded,
                (_, Some(n)) => Array::Bounded(parse_bound(n)?),
                (n, None) => Array::Fixed(parse_bound(n)?),
            };
            (base, array)
        }
    };
    let base = match base {
        "bool" => Base::Primitive(Primitive::Bool),
        "byte" => Base::Primitive(Primitive::Byte),
        "char" | "uint8" => Base::Primitive(Primitive::Uint8),
        "int8" => Base::Primitive(Primitive::Int8),
        "int16" => Base::Primitive(Primitive::Int16),
        "uint16" => Base::Primitive(Primitive::Uint16),
        "int32" => Base::Primitive(Primitive::Int32),
        "uint32" => Base::Primitive(Primitive::Uint32),
        "int64" => Base::Primitive(Primitive::Int64),
        "uint64" => Base::Primitive(Primitive::Uint64),
        "float32" => Base::Primitive(Primitive::Float32),
        "float64" => Base::Primitive(Primitive::Float64),
        "string" => Base::String(None),
        "wstring" => Base::WString(None),
        other => {
            if let Some(n) = other.strip_prefix("string<=") {
                Base::String(Some(parse_bound(n)?))
            } else if let Some(n) = other.strip_prefix("wstring<=") {
                Base::WString(Some(parse_bound(n)?))
            } else {
                let (package, name) = other.split_once('/').unwrap_or((package, other));
                if !is_package(package) || !is_message_name(name) {
                    return Err(no_type());
                }
                Base::Message { package: package.to_owned(), folder: Folder::Msg, name: name.to_owned() }
            }
        }
    };
    Ok(Type { base, array })
}

fn parse_bound(text: &str) -> Result<u32, ParseErrorKind> {
    match text.parse() {
        Ok(n) if n > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(n),
        _ => Err(ParseErrorKind::Bound(text.to_owned())),
    }
}

/// Checks a constant's or a default's value; strings lose their quotes.
fn parse_value(base: &Base, text: &str) -> Result<String, ParseErrorKind> {
    let wrong = || ParseErrorKind::Value(text.to_owned());
    let whole = |low: i128, high: i128| match text.parse::<i128>() {
        Ok(v) if (low..=high).contains(&v) => Ok(v.to_string()),
        _ => Err(wrong()),
    };
    let float = || match text.parse::<f64>() {
        Ok(v) if v.is_finite() => Ok(text.to_owned()),
        _ => Err(wrong()),
    };
    match base {
        Base::Primitive(p) => match p {
            Primitive::Bool => match text {
                "true" | "True" | "1" => Ok("true".to_owned()),
                "false" | "False" | "0" => Ok("false".to_owned()),
                _ => Err(wrong()),
            },
            Primitive::Byte | Primitive::Uint8 => whole(0, u8::MAX.into()),
            Primitive::Int8 => whole(i8::MIN.into(), i8::MAX.into()),
            Primitive::Int16 => whole(i16::MIN.into(), i16::MAX.into()),
            Primitive::Uint16 => whole(0, u16::MAX.into()),
            Primitive::Int32 => whole(i32::MIN.into(), i32::MAX.into()),
            Primitive::Uint32 => whole(0, u32::MAX.into()),
            Primitive::Int64 => whole(i64::MIN.into(), i64::MAX.into()),
            Primitive::Uint64 => whole(0, u64::MAX.into()),
            Primitive::Float32 | Primitive::Float64 => float(),
        },
        Base::String(bound) => {
            let value = unquote(text).ok_or_else(wrong)?;
            let too_long = bound.is_some_and(|b| value.len() > b as usize);
            if too_long || value.contains('\0') { Err(wrong()) } else { Ok(value) }
        }
        Base::WString(_) => unquote(text).ok_or_else(wrong),
        Base::Message { .. } => Err(ParseErrorKind::DefaultType),
    }
}

/// A string's value. Within quotes, the quote itself is written with a backslash; any other escape is refused rather than
/// misread, as is a quote that ends nothing.
fn unquote(text: &str) -> Option<String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return if text.contains(['"', '\'', '\\']) { None } else { Some(text.to_owned()) };
    };
    let mut value = String::new();
    let mut rest = text[1..].chars();
    loop {
        match rest.next()? {
            c if c == quote => break,
            '\\' => value.push(rest.next().filter(|c| *c == quote)?),
            c => value.push(c),
        }
    }
    if rest.next().is_none() { Some(value) } else { None }
}

fn is_lower_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('_')
        && !text.contains("__")
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_package(text: &str) -> bool {
    is_lower_name(text)
}

fn is_message_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_constant_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && !text.ends_with('_')
        && !text.contains("__")
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}
