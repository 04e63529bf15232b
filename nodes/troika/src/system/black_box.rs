//! The key `black_box` of a system file: how the last minute of each process is kept, and where it is written to when something happens.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;
use troika_record::black_box::Limits;

/// `black_box = { folder = "…" }`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlackBoxSettings {
    /// Where its files go.
    pub folder: PathBuf,
    /// How far back a file goes.
    #[serde(default = "BlackBoxSettings::usual_seconds")]
    pub seconds: f64,
    /// How much longer it goes on after what happened.
    #[serde(default = "BlackBoxSettings::usual_after")]
    pub after_s: f64,
    /// MiB of messages that each process holds at most.
    #[serde(default = "BlackBoxSettings::usual_mib")]
    pub mib: usize,
    /// Files that are kept of each process.
    #[serde(default = "BlackBoxSettings::usual_files")]
    pub files: usize,
    /// Raw images and audio of the cabin too.
    #[serde(default)]
    pub raw: bool,
}

impl BlackBoxSettings {
    /// The longest times that are kept or waited for.
    const LONGEST_S: f64 = 3600.0;

    fn usual_seconds() -> f64 {
        60.0
    }

    fn usual_after() -> f64 {
        5.0
    }

    fn usual_mib() -> usize {
        64
    }

    fn usual_files() -> usize {
        10
    }

    /// What is wrong with it, if anything.
    pub(crate) fn wrong(&self) -> Option<&'static str> {
        let time = |seconds: f64, least: f64| (least..=Self::LONGEST_S).contains(&seconds);
        match self {
            _ if !time(self.seconds, 1.0) => Some("`seconds` is 1 to 3600"),
            _ if !time(self.after_s, 0.0) => Some("`after_s` is 0 to 3600"),
            _ if self.mib == 0 || self.files == 0 => Some("`mib` and `files` are 1 at least"),
            _ => None,
        }
    }

    /// As the black box takes it.
    pub(crate) fn limits(&self) -> Limits {
        let time = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Limits {
            folder: self.folder.clone(),
            before: time(self.seconds),
            after: time(self.after_s),
            bytes: self.mib << 20,
            files: self.files,
        }
    }
}
