//! The key `black_box` of a system file: how the last minute of each process is kept, and where it is written to when something happens.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
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

    /// Why no file can come into its folder, if that shows without making one.
    pub(crate) fn unwritable(&self) -> Option<String> {
        let shown = self.folder.display();
        // It is made when it is needed: until then the nearest folder above it has to let it be made.
        let there = self.folder.ancestors().map(of_here).find(|folder| folder.exists())?;
        if !there.is_dir() {
            return Some(format!("{} is no folder, and files would go into {shown}", there.display()));
        }
        // A file without a name, which is gone at once: what may be written says little where the kernel or the disk refuses.
        let why = tempfile::tempfile_in(there).err()?;
        Some(format!("nothing can be written into {}: {why}", there.display()))
    }

    /// Makes its folder, when a run begins: not when something has happened.
    ///
    /// # Errors
    /// It cannot be made or written into.
    pub(crate) fn make_folder(&self) -> anyhow::Result<()> {
        let made = std::fs::create_dir_all(&self.folder).and_then(|()| tempfile::tempfile_in(&self.folder));
        made.map(drop).with_context(|| {
            format!("the black box's folder {} cannot be written into", self.folder.display())
        })
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

/// The last ancestor of a relative path is the folder that it starts from.
fn of_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
