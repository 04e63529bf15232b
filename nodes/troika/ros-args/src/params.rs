//! Parameters: `-p NAME:=VALUE` and `--params-file FILE`, and which of them are a node's.

use std::fmt;

use crate::{
    Refused, Value,
    rules::is_token,
    value::{Fault, Tree, documents, value},
};

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// `rate`, or `camera.fov_deg` for one in a map.
    pub name: String,
    /// What it is set to.
    pub value: Value,
    /// Where that was written.
    pub origin: Origin,
}

/// Where a parameter was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `-p` with this.
    Argument(String),
    /// In a file.
    File {
        /// As given.
        path: String,
        /// From 1.
        line: usize,
        /// Its key has a wildcard, so it may be meant for other nodes.
        for_all: bool,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Argument(written) => write!(f, "-p {written}"),
            Origin::File { path, line, .. } => write!(f, "{path}:{line}"),
        }
    }
}

/// All that was given: keys in the order in which they first appeared, each with its parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table(Vec<(String, Vec<Param>)>);

/// The key of `-p` without a node.
const EVERY: &str = "/**";
const PARAMETERS: &str = "ros__parameters";

impl Table {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in `NAME:=VALUE` or `NODE:NAME:=VALUE`.
    pub(crate) fn assign(&mut self, written: &str) -> Result<(), Refused> {
        let refused = |reason: String| {
            Refused::new(
                format!("-p {written}"),
                reason,
                "write NAME:=VALUE or NODE:NAME:=VALUE, the value as in YAML: 30, 1.5, true, text, [1, 2]",
            )
        };
        let (name, text) = written.split_once(":=").ok_or_else(|| refused("has no := in it".to_owned()))?;
        let (node, name) = match name.split_once(':') {
            Some((node, name)) if is_token(node) => (node, name),
            Some((node, _)) => return Err(refused(format!("'{node}' is no node name"))),
            None => (EVERY, name),
        };
        if !name.split('.').all(is_part) {
            return Err(refused(format!("'{name}' is no parameter name")));
        }
        let no_value = |fault: Fault| refused(format!("the value is none: {}", fault.1));
        let found = documents(text).map_err(no_value)?;
        let [(line, tree)] = &found[..] else { return Err(refused("has no value".to_owned())) };
        let value = value(*line, tree).map_err(no_value)?;
        let origin = Origin::Argument(written.to_owned());
        self.set(node, Param { name: name.to_owned(), value, origin });
        Ok(())
    }

    /// Takes in a parameter file.
    pub(crate) fn file(&mut self, path: &str, text: &str) -> Result<(), Refused> {
        let refused = |Fault(line, reason): Fault| {
            Refused::new(
                format!("{path}:{line}"),
                reason,
                "a parameter file has node names or wildcards (/**, /car/*, /car/dms), each with ros__parameters: and the \
                 parameters below it",
            )
        };
        for (line, document) in documents(text).map_err(refused)? {
            let Tree::Map(entries) = document else {
                return Err(refused(Fault(line, "is no map".to_owned())));
            };
            self.nodes(path, "", &entries).map_err(refused)?;
        }
        Ok(())
    }

    /// The names above `ros__parameters`.
    fn nodes(&mut self, path: &str, above: &str, entries: &[(usize, String, Tree)]) -> Result<(), Fault> {
        for (line, key, tree) in entries {
            let Tree::Map(inner) = tree else {
                return Err(Fault(*line, format!("'{key}' has a value where {PARAMETERS} is expected")));
            };
            match key.as_str() {
                PARAMETERS if above.is_empty() => {
                    return Err(Fault(*line, format!("no node's name stands above {PARAMETERS}")));
                }
                PARAMETERS => self.below(path, above, "", inner)?,
                _ => {
                    let parts = key.trim_start_matches('/');
                    if !parts.split('/').all(|part| is_token(part) || matches!(part, "*" | "**")) {
                        return Err(Fault(*line, format!("'{key}' is no node name and no namespace")));
                    }
                    let whole = if above.is_empty() { key.clone() } else { format!("{above}/{parts}") };
                    self.nodes(path, &whole, inner)?;
                }
            }
        }
        Ok(())
    }

    /// The parameters below `ros__parameters`, or below a name of theirs.
    fn below(
        &mut self,
        path: &str,
        node: &str,
        above: &str,
        entries: &[(usize, String, Tree)],
    ) -> Result<(), Fault> {
        for (line, key, tree) in entries {
            let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            if let Tree::Map(inner) = tree {
                self.below(path, node, &name, inner)?;
                continue;
            }
            let value =
                value(*line, tree).map_err(|Fault(line, why)| Fault(line, format!("{name}: {why}")))?;
            let origin = Origin::File { path: path.to_owned(), line: *line, for_all: node.contains('*') };
            self.set(node, Param { name, value, origin });
        }
        Ok(())
    }

    fn set(&mut self, key: &str, param: Param) {
        // `dms` and `/dms` are two keys, each with its place, though both match the same node.
        let params = match self.0.iter_mut().position(|(other, _)| other == key) {
            Some(at) => &mut self.0[at].1,
            None => {
                self.0.push((key.to_owned(), Vec::new()));
                let last = self.0.len() - 1;
                &mut self.0[last].1
            }
        };
        put(params, param);
    }

    pub(crate) fn of(&self, full_name: &str) -> Vec<Param> {
        let mut found = Vec::new();
        for (_, params) in self.0.iter().filter(|(key, _)| matches(key, full_name)) {
            params.iter().for_each(|param| put(&mut found, param.clone()));
        }
        found
    }

    pub(crate) fn misdirected(&self, full_names: &[String]) -> Vec<String> {
        let lost = self.0.iter().filter(|(key, _)| !full_names.iter().any(|name| matches(key, name)));
        lost.flat_map(|(_, params)| params)
            .filter(|param| matches!(param.origin, Origin::Argument(_)))
            .map(|param| param.origin.to_string())
            .collect()
    }
}

/// A part of a parameter's name.
fn is_part(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with(|c: char| c.is_ascii_digit())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/'))
}

/// The last value of a name is its value.
fn put(params: &mut Vec<Param>, param: Param) {
    match params.iter_mut().find(|other| other.name == param.name) {
        Some(other) => *other = param,
        None => params.push(param),
    }
}

/// `*` is one part of a name, `**` any number of them.
fn matches(key: &str, full_name: &str) -> bool {
    fn parts(name: &str) -> Vec<&str> {
        name.split('/').filter(|part| !part.is_empty()).collect()
    }
    fn all(key: &[&str], name: &[&str]) -> bool {
        match key {
            [] => name.is_empty(),
            ["**", rest @ ..] => (0..=name.len()).any(|skip| all(rest, &name[skip..])),
            [first, rest @ ..] => name
                .split_first()
                .is_some_and(|(part, left)| (*first == "*" || first == part) && all(rest, left)),
        }
    }
    all(&parts(key), &parts(full_name))
}
