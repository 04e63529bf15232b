//! The targets, by what they read.

#[cfg(feature = "all")]
mod fleet;
#[cfg(feature = "all")]
mod http;
#[cfg(feature = "all")]
mod maps;
#[cfg(feature = "all")]
mod media;
mod messages;
#[cfg(feature = "all")]
mod models;
#[cfg(feature = "all")]
mod programs;
mod ros;
mod settings;
#[cfg(feature = "all")]
mod talk;
#[cfg(feature = "all")]
mod wire;

use crate::Target;

/// Those that build within minutes, with a sanitiser too: they stand on no network, neural or other.
pub const LIGHT: [&[Target]; 3] = [messages::ALL, ros::ALL, settings::ALL];
#[cfg(feature = "all")]
const REST: [&[Target]; 8] =
    [maps::ALL, models::ALL, media::ALL, talk::ALL, fleet::ALL, wire::ALL, programs::ALL, http::ALL];
#[cfg(not(feature = "all"))]
const REST: [&[Target]; 0] = [];

/// All of them.
pub fn all() -> impl Iterator<Item = Target> {
    LIGHT.into_iter().chain(REST).flatten().copied()
}

/// The one of that name.
pub fn named(name: &str) -> Option<Target> {
    all().find(|target| target.name == name)
}

/// Input as text. Files and topics that are no UTF-8 are refused before a parser sees them; so that mutations are not lost on that, what is none is
/// replaced.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// An error for a person: some words, and not the whole input again and again.
fn told(error: &dyn std::fmt::Display, input: &[u8]) {
    let words = error.to_string();
    assert!(!words.trim().is_empty(), "an error without words");
    assert!(
        words.len() <= 4_000 + 4 * input.len(),
        "an error of {} bytes for {} of input",
        words.len(),
        input.len()
    );
}

/// The same, with a line that the input has.
fn told_with_line(error: &dyn std::fmt::Display, line: usize, input: &[u8]) {
    told(error, input);
    let lines = text(input).lines().count();
    assert!(line <= lines + 1, "line {line} of {lines}");
}

/// A file without a disk, for readers that take a path.
#[cfg(feature = "all")]
fn as_file(bytes: &[u8]) -> (std::fs::File, std::path::PathBuf) {
    use std::{io::Write as _, os::fd::AsRawFd as _};
    let made = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC);
    let mut file = std::fs::File::from(made.expect("a file in memory"));
    file.write_all(bytes).expect("room in memory");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    (file, path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<&str> = all().map(|target| target.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.iter().all(|name| named(name).is_some_and(|target| target.name == *name)));
        assert!(named("no-such").is_none());
    }
}
