//! A set of messages and services to Rust source: one module a package, one structure a message, a registry of all messages. The source refers
//! to `crate::cdr`, `crate::dynamic`, `crate::long` and `crate::protect` of `troika-msgs`, which includes it.

use std::fmt::Write;

use crate::{Array, Base, Field, Interfaces, MsgFile, Primitive, SrvFile, Type, definition, hash::rihs01};

/// Something that the Rust types do not carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} {field}: {what}")]
pub struct Unsupported {
    /// The message.
    pub message: String,
    /// The field.
    pub field: String,
    /// What about it.
    pub what: &'static str,
}

/// Arrays up to this length have `Default` and serde in the standard library and in serde; longer ones are `crate::long::Long`.
const LONGEST_ARRAY: u32 = 32;

/// The Rust source of a set. Package `troika_msgs` becomes module `troika`; every other keeps its name. Packages in
/// `elsewhere` are referred to but not made.
pub fn source(set: &Interfaces, elsewhere: &[&str]) -> Result<String, Unsupported> {
    let mut out = String::from("// Made from the .msg files by troika-msgs-codegen.\n");
    let here = || set.iter().filter(|f| !elsewhere.contains(&f.package.as_str()));
    let services = || set.services().iter().filter(|one| !elsewhere.contains(&one.package.as_str()));
    let mut packages: Vec<&str> = here().map(|f| f.package.as_str()).collect();
    packages.extend(services().map(|one| one.package.as_str()));
    packages.sort_unstable();
    packages.dedup();
    for package in packages {
        let _ = writeln!(out, "/// Messages and services of `{package}`.\npub mod {} {{", module(package));
        for file in set.iter().filter(|f| f.package == package) {
            message(set, file, &mut out)?;
        }
        for one in set.services().iter().filter(|one| one.package == package) {
            service(set, one, &mut out)?;
        }
        out.push_str("}\n");
    }
    out.push_str("pub(crate) static TYPES: &[crate::dynamic::TypeEntry] = &[\n");
    for file in here() {
        let (path, text) = (path(&file.package, &file.name), definition::ros2msg(set, file));
        let _ = writeln!(out, "crate::dynamic::TypeEntry::of::<{path}>({text:?}),");
    }
    out.push_str("];\n");
    Ok(out)
}

fn service(set: &Interfaces, file: &SrvFile, out: &mut String) -> Result<(), Unsupported> {
    message(set, &file.request, out)?;
    message(set, &file.response, out)?;
    let _ = writeln!(
        out,
        "/// The service `{0}`.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq)]\n\
         pub struct {1};\n\
         impl troika_kit::Service for {1} {{\n\
         const TYPE: troika_kit::TypeInfo = troika_kit::TypeInfo {{ name: \"{0}\", hash: \"{2}\" }};\n\
         type Request = {3};\n\
         type Response = {4};\n}}",
        file.full_name(),
        file.name,
        rihs01(set, &file.whole()),
        rust_name(&file.request.name),
        rust_name(&file.response.name),
    );
    Ok(())
}

/// `GetState_Request` is `GetStateRequest` in Rust.
fn rust_name(name: &str) -> String {
    name.replace('_', "")
}

fn message(set: &Interfaces, file: &MsgFile, out: &mut String) -> Result<(), Unsupported> {
    let name = &rust_name(&file.name);
    if name == "Self" {
        let what = "a message cannot be called Self in Rust";
        return Err(Unsupported { message: file.full_name(), field: String::new(), what });
    }
    docs(&file.docs, &format!("`{}`.", file.full_name()), out);
    let by_hand = file.fields.iter().any(|f| f.default.is_some());
    let default = if by_hand { "" } else { "Default, " };
    let _ =
        writeln!(out, "#[derive(Debug, Clone, {default}PartialEq, serde::Serialize, serde::Deserialize)]");
    let _ = writeln!(out, "pub struct {name} {{");
    for f in &file.fields {
        docs(&f.docs, &format!("`{}`", f.name), out);
        let _ = writeln!(out, "pub {}: {},", ident(&f.name), field_type(file, f)?);
    }
    out.push_str("}\n");
    if by_hand {
        let _ = writeln!(out, "impl ::core::default::Default for {name} {{ fn default() -> Self {{ Self {{");
        for f in &file.fields {
            let value = match &f.default {
                None => "::core::default::Default::default()".to_owned(),
                Some(text) => {
                    literal(&f.ty.base, text) + if is_string(&f.ty.base) { ".to_owned()" } else { "" }
                }
            };
            let _ = writeln!(out, "{}: {value},", ident(&f.name));
        }
        out.push_str("} } }\n");
    }
    if !file.constants.is_empty() {
        let _ = writeln!(out, "impl {name} {{");
        for c in &file.constants {
            docs(&c.docs, &format!("`{}` = {}", c.name, c.value), out);
            let ty = match &c.base {
                Base::Primitive(p) => primitive(*p),
                _ => "&'static str",
            };
            let _ = writeln!(out, "pub const {}: {ty} = {};", c.name, literal(&c.base, &c.value));
        }
        out.push_str("}\n");
    }
    cdr_impl(file, out);
    let _ = writeln!(
        out,
        "impl troika_kit::Message for {name} {{\n\
         const TYPE: troika_kit::TypeInfo = troika_kit::TypeInfo {{ name: \"{}\", hash: \"{}\" }};\n\
         fn encode(&self, out: &mut ::std::vec::Vec<u8>) -> ::core::result::Result<(), troika_kit::EncodeError> {{ crate::cdr::encode(self, out) }}\n\
         fn decode(cdr: &[u8]) -> ::core::result::Result<Self, troika_kit::DecodeError> {{ crate::cdr::decode(cdr) }}\n}}",
        file.full_name(),
        rihs01(set, file)
    );
    if is_protected(file) {
        protected_impl(file, out);
    }
    Ok(())
}

fn cdr_impl(file: &MsgFile, out: &mut String) {
    let _ = writeln!(out, "impl crate::cdr::Cdr for {} {{", rust_name(&file.name));
    out.push_str("const MIN_SIZE: usize = 0");
    for f in &file.fields {
        let _ = write!(out, " + {}", min_size(&f.ty));
    }
    if file.fields.is_empty() {
        out.push_str(" + 1");
    }
    out.push_str(";\nfn write(&self, w: &mut crate::cdr::Writer<'_>) -> ::core::result::Result<(), troika_kit::EncodeError> {\n");
    for f in &file.fields {
        write_field(f, out);
    }
    if file.fields.is_empty() {
        out.push_str("crate::cdr::Cdr::write(&0u8, w)?;\n"); // rosidl's structure_needs_at_least_one_member
    }
    out.push_str("Ok(())\n}\n");
    out.push_str("fn read(r: &mut crate::cdr::Reader<'_>) -> ::core::result::Result<Self, troika_kit::DecodeError> {\n");
    if file.fields.is_empty() {
        out.push_str("let _: u8 = crate::cdr::Cdr::read(r)?;\n");
    }
    out.push_str("Ok(Self {\n"); // the fields of a structure expression are evaluated in the order written
    for f in &file.fields {
        let _ = writeln!(out, "{}: {},", ident(&f.name), read_expr(&f.ty));
    }
    out.push_str("})\n}\n}\n");
}

fn protected_impl(file: &MsgFile, out: &mut String) {
    let _ = writeln!(
        out,
        "impl crate::protect::Protected for {} {{\n\
         fn sequence(&self) -> u32 {{ self.sequence }}\n\
         fn set_sequence(&mut self, sequence: u32) {{ self.sequence = sequence; }}\n\
         fn e2e(&self) -> &[u8] {{ &self.e2e }}\n\
         fn e2e_mut(&mut self) -> &mut ::std::vec::Vec<u8> {{ &mut self.e2e }}\n\
         fn write_covered(&self, w: &mut crate::cdr::Writer<'_>) -> ::core::result::Result<(), troika_kit::EncodeError> {{",
        file.name
    );
    for f in file.fields.iter().filter(|f| f.name != "e2e") {
        write_field(f, out);
    }
    out.push_str("Ok(())\n}\n}\n");
}

/// A message carries end-to-end protection when it has both of these fields.
fn is_protected(file: &MsgFile) -> bool {
    let has = |name: &str, p: Primitive, array: Array| {
        file.fields.iter().any(|f| f.name == name && f.ty.base == Base::Primitive(p) && f.ty.array == array)
    };
    has("sequence", Primitive::Uint32, Array::One) && has("e2e", Primitive::Uint8, Array::Unbounded)
}

fn write_field(f: &Field, out: &mut String) {
    let name = ident(&f.name);
    if let Array::Bounded(n) = f.ty.array {
        let _ = writeln!(out, "crate::cdr::within(self.{name}.len(), {n})?;");
    }
    if let Base::String(Some(n)) = f.ty.base {
        let _ = match f.ty.array {
            Array::One => writeln!(out, "crate::cdr::within(self.{name}.len(), {n})?;"),
            _ => writeln!(out, "for s in &self.{name} {{ crate::cdr::within(s.len(), {n})?; }}"),
        };
    }
    let _ = writeln!(out, "crate::cdr::Cdr::write(&self.{name}, w)?;");
}

fn read_expr(ty: &Type) -> String {
    let bound = match ty.array {
        Array::Bounded(n) => n.to_string(),
        _ => "u32::MAX".to_owned(),
    };
    match (&ty.base, ty.array) {
        (Base::String(Some(n)), Array::One) => format!("r.string({n})?"),
        (Base::String(Some(n)), Array::Fixed(_)) => format!("r.bounded_strings({n})?"),
        (Base::String(Some(n)), _) => format!("r.bounded_string_sequence({bound}, {n})?"),
        (_, Array::One | Array::Fixed(_)) => "crate::cdr::Cdr::read(r)?".to_owned(),
        (_, Array::Bounded(_) | Array::Unbounded) => format!("r.sequence({bound})?"),
    }
}

fn min_size(ty: &Type) -> String {
    let one = format!("<{} as crate::cdr::Cdr>::MIN_SIZE", element_type(&ty.base));
    match ty.array {
        Array::One => one,
        Array::Fixed(n) => format!("{one} * {n}"),
        Array::Bounded(_) | Array::Unbounded => "4".to_owned(),
    }
}

fn field_type(file: &MsgFile, f: &Field) -> Result<String, Unsupported> {
    let unsupported = |what| Unsupported { message: file.full_name(), field: f.name.clone(), what };
    if matches!(f.ty.base, Base::WString(_)) {
        return Err(unsupported("wstring has no Rust type here; use string"));
    }
    if f.default.is_some() && f.ty.array != Array::One {
        return Err(unsupported("the default of an array is not made in Rust"));
    }
    let element = element_type(&f.ty.base);
    match f.ty.array {
        Array::One => Ok(element),
        Array::Fixed(n) if n > LONGEST_ARRAY && matches!(f.ty.base, Base::String(Some(_))) => {
            Err(unsupported("arrays of more than 32 bounded strings have no Rust type here"))
        }
        Array::Fixed(n) if n > LONGEST_ARRAY => Ok(format!("crate::long::Long<{element}, {n}>")),
        Array::Fixed(n) => Ok(format!("[{element}; {n}]")),
        Array::Bounded(_) | Array::Unbounded => Ok(format!("::std::vec::Vec<{element}>")),
    }
}

fn element_type(base: &Base) -> String {
    match base {
        Base::Primitive(p) => primitive(*p).to_owned(),
        Base::String(_) | Base::WString(_) => "::std::string::String".to_owned(),
        Base::Message { package, name, .. } => format!("crate::{}", path(package, &rust_name(name))),
    }
}

fn primitive(p: Primitive) -> &'static str {
    match p {
        Primitive::Bool => "bool",
        Primitive::Byte | Primitive::Uint8 => "u8",
        Primitive::Int8 => "i8",
        Primitive::Int16 => "i16",
        Primitive::Uint16 => "u16",
        Primitive::Int32 => "i32",
        Primitive::Uint32 => "u32",
        Primitive::Int64 => "i64",
        Primitive::Uint64 => "u64",
        Primitive::Float32 => "f32",
        Primitive::Float64 => "f64",
    }
}

fn is_string(base: &Base) -> bool {
    matches!(base, Base::String(_))
}

/// A value as Rust writes it; the parser has checked that its type holds it.
fn literal(base: &Base, text: &str) -> String {
    match base {
        Base::Primitive(p @ (Primitive::Float32 | Primitive::Float64)) => {
            // `1` and `.5` are floats in a .msg file but not in Rust; the debug form of a float always is.
            format!("{:?}{}", text.parse::<f64>().unwrap_or(f64::NAN), primitive(*p))
        }
        Base::Primitive(_) => text.to_owned(),
        _ => format!("{text:?}"),
    }
}

fn module(package: &str) -> String {
    if package == "troika_msgs" { "troika".to_owned() } else { ident(package) }
}

fn path(package: &str, name: &str) -> String {
    format!("{}::{name}", module(package))
}

/// Every word that Rust keeps for itself and that a field or package could be called.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

fn ident(name: &str) -> String {
    match name {
        "self" | "super" | "crate" => format!("{name}_"), // these have no raw form
        _ if KEYWORDS.contains(&name) => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

/// Doc lines as attributes; what rustdoc would take for a link or HTML is escaped.
fn docs(lines: &[String], otherwise: &str, out: &mut String) {
    if lines.iter().all(String::is_empty) {
        let _ = writeln!(out, "#[doc = {otherwise:?}]");
        return;
    }
    for line in lines {
        let mut text = String::new();
        for c in line.chars() {
            if matches!(c, '[' | ']' | '<' | '>' | '*' | '`') {
                text.push('\\');
            }
            text.push(c);
        }
        let _ = writeln!(out, "#[doc = {text:?}]");
    }
}
