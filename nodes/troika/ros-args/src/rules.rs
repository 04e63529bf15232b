//! Remap rules: `FROM:=TO`, `__node:=NAME`, `__ns:=/NAMESPACE`, each for one node when `NODE:` stands before it.

use crate::Refused;

/// A remap rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The one node that it is for, by its name without namespace.
    pub(crate) node: Option<String>,
    /// What it does.
    pub(crate) what: What,
    /// As it was written.
    pub written: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Node(String),
    Namespace(String),
    Name { from: String, to: String, of: Of },
}

/// Which names a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Topics,
    Services,
    Both,
}

const FORMS: &str = "write FROM:=TO, NODE:FROM:=TO, __node:=NAME or __ns:=/NAMESPACE";

impl Rule {
    /// Reads one.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(written: &str) -> Result<Rule, Refused> {
        let refused = |reason: String| Refused::new(format!("-r {written}"), reason, FORMS);
        let (matched, to) = written.split_once(":=").ok_or_else(|| refused("has no := in it".to_owned()))?;
        let schemes = [("rostopic://", Of::Topics), ("rosservice://", Of::Services)];
        let (node, from) = match matched.split_once(':') {
            Some((node, from)) if !schemes.iter().any(|(scheme, _)| matched.starts_with(scheme)) => {
                if !is_token(node) {
                    return Err(refused(format!("'{node}' is no node name")));
                }
                (Some(node.to_owned()), from)
            }
            _ => (None, matched),
        };
        let name = |name: &str| match is_name(name) {
            true => Ok(name.to_owned()),
            false => Err(refused(format!("'{name}' is no ROS name"))),
        };
        let what = match from {
            "__node" | "__name" if is_token(to) => What::Node(to.to_owned()),
            "__node" | "__name" => return Err(refused(format!("'{to}' is no node name"))),
            "__ns" if to == "/" || (to.starts_with('/') && is_name(to)) => What::Namespace(to.to_owned()),
            "__ns" => return Err(refused(format!("'{to}' is no namespace: one starts with a /"))),
            _ if from.contains('*') || to.contains('\\') => {
                return Err(refused("wildcards in remaps are not implemented, in rcl neither".to_owned()));
            }
            _ => {
                let schemed = schemes.iter().find_map(|(scheme, of)| Some((from.strip_prefix(scheme)?, *of)));
                let (from, of) = schemed.unwrap_or((from, Of::Both));
                What::Name { from: name(from)?, to: name(to)?, of }
            }
        };
        Ok(Rule { node, what, written: written.to_owned() })
    }

    /// Whether it is about services alone.
    pub fn is_of_services(&self) -> bool {
        matches!(self.what, What::Name { of: Of::Services, .. })
    }
}

/// A name as it stands in rules: relative (`image`), private (`~/image`) or absolute (`/cam/image`).
pub fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix("~/").or_else(|| name.strip_prefix('/')).unwrap_or(name);
    rest.split('/').all(is_token)
}

/// A name's part: letters, digits and single underscores, no digit first.
pub fn is_token(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with(|c: char| c.is_ascii_digit())
        && !part.contains("__")
        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The absolute name that a name means to a node: `image` is the namespace's, `~/image` the node's own.
pub fn expand(name: &str, node: &str, namespace: &str) -> String {
    let namespace = namespace.trim_end_matches('/');
    match name.strip_prefix("~/") {
        Some(rest) => format!("{namespace}/{node}/{rest}"),
        None if name.starts_with('/') => name.to_owned(),
        None => format!("{namespace}/{name}"),
    }
}
