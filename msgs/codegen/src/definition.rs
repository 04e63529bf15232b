//! The text of a message type as recordings carry it: the schema encoding `ros2msg` of MCAP (mcap.dev, registry), as rosbag2 writes it.
//! The type's own .msg file comes first; each that it contains follows once, below a line of `=` and its name as `MSG: package/Name`.

use crate::{Folder, Interfaces, MsgFile, SetError, hash::rihs01, parse};

/// Between two files: 80 of `=`, as in rosbag2.
const LINE: usize = 80;
/// Before a file's name.
const NAME: &str = "MSG: ";

/// The text of `file`, which is one of `set`.
pub fn ros2msg(set: &Interfaces, file: &MsgFile) -> String {
    let mut text = with_line_end(&file.text);
    for name in set.referenced(file) {
        // Only messages can be contained in one, so each has a file.
        let Some(inner) = set.get(&name).filter(|inner| inner.folder == Folder::Msg) else { continue };
        text += &"=".repeat(LINE);
        text += &format!("\n{NAME}{}/{}\n", inner.package, inner.name);
        text += &with_line_end(&inner.text);
    }
    text
}

fn with_line_end(text: &str) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Why a text gives no type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Not `package/msg/Name`.
    #[error("'{0}' is no name of a message type")]
    Name(String),
    /// One of the files in it.
    #[error("{file}: {why}")]
    File {
        /// Its name in the text.
        file: String,
        /// What is wrong with it.
        why: parse::ParseError,
    },
    /// The files do not hold together.
    #[error(transparent)]
    Set(#[from] SetError),
}

/// The REP 2011 hash of the type `name` (`package/msg/Name`), made from its text alone: of a type that this build does not know.
///
/// # Errors
/// See [`DefinitionError`].
pub fn hash_of(name: &str, text: &str) -> Result<String, DefinitionError> {
    let bad_name = |name: &str| DefinitionError::Name(name.to_owned());
    let mut files = Vec::new();
    for (at, part) in parts(text).into_iter().enumerate() {
        let (full, body) = match at {
            0 => (name, part),
            _ => {
                let (first, body) = part.split_once('\n').unwrap_or((part.as_str(), ""));
                let full = first.trim().strip_prefix(NAME.trim_end()).ok_or_else(|| bad_name(first))?.trim();
                (full, body.to_owned())
            }
        };
        let (package, short) = package_and_name(full).ok_or_else(|| bad_name(full))?;
        let told = |why| DefinitionError::File { file: full.to_owned(), why };
        files.push(parse::parse(package, short, &body).map_err(told)?);
    }
    let set = Interfaces::new(files)?;
    let (package, short) = package_and_name(name).ok_or_else(|| bad_name(name))?;
    let file = set.get(&format!("{package}/msg/{short}")).ok_or_else(|| bad_name(name))?;
    Ok(rihs01(&set, file))
}

/// `package/msg/Name` and `package/Name` are both in use.
fn package_and_name(full: &str) -> Option<(&str, &str)> {
    match full.split('/').collect::<Vec<_>>()[..] {
        [package, "msg", name] | [package, name] => Some((package, name)),
        _ => None,
    }
}

/// The files of a text, cut at the lines of `=`.
fn parts(text: &str) -> Vec<String> {
    let is_cut = |line: &str| line.len() >= 3 && line.bytes().all(|byte| byte == b'=');
    let mut parts = vec![String::new()];
    for line in text.lines() {
        match parts.last_mut() {
            Some(part) if !is_cut(line.trim_end()) => {
                part.push_str(line);
                part.push('\n');
            }
            _ => parts.push(String::new()),
        }
    }
    parts
}
