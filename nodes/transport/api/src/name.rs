//! ROS 2 names (the rules of `rmw_validate_full_topic_name`, `rmw_validate_namespace`, `rmw_validate_node_name`).

/// The longest topic name and namespace that rmw takes, in bytes (255 less the room for a prefix).
const TOPIC_MAX: usize = 247;
/// The longest node name that rmw takes, in bytes.
const NODE_MAX: usize = 255;

/// Why a name is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Topics and namespaces are absolute here.
    #[error("it does not start with '/'")]
    NotAbsolute,
    /// Nothing between two slashes, or at the end.
    #[error("it has an empty part")]
    EmptyPart,
    /// Only letters, digits and '_' are allowed.
    #[error("it has a character other than letters, digits and '_'")]
    Character,
    /// A part starts with a digit.
    #[error("a part of it starts with a digit")]
    LeadingDigit,
    /// Longer than rmw allows.
    #[error("it is too long")]
    TooLong,
    /// Not `package/msg/Name`, nor `package::msg::dds_::Name_`.
    #[error("it is no type name")]
    Type,
}

/// One part of a name, between two slashes.
pub fn check_part(part: &str) -> Result<(), NameError> {
    match part.as_bytes() {
        [] => Err(NameError::EmptyPart),
        [first, ..] if first.is_ascii_digit() => Err(NameError::LeadingDigit),
        bytes if bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') => Ok(()),
        _ => Err(NameError::Character),
    }
}

/// An absolute topic name, `/cabin/driver_state`.
pub fn check_topic(name: &str) -> Result<(), NameError> {
    let rest = name.strip_prefix('/').ok_or(NameError::NotAbsolute)?;
    if name.len() > TOPIC_MAX {
        return Err(NameError::TooLong);
    }
    rest.split('/').try_for_each(check_part)
}

/// A namespace, `/` or `/car/front`.
pub fn check_namespace(name: &str) -> Result<(), NameError> {
    if name == "/" { Ok(()) } else { check_topic(name) }
}

/// A node's own name, without its namespace.
pub fn check_node_name(name: &str) -> Result<(), NameError> {
    if name.len() > NODE_MAX {
        return Err(NameError::TooLong);
    }
    check_part(name)
}

/// `/name` or `/ns/name`.
pub fn full_node_name(namespace: &str, name: &str) -> String {
    if namespace == "/" { format!("/{name}") } else { format!("{namespace}/{name}") }
}
