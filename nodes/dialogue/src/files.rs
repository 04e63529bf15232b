//! The files that lead to a service (key, authority, certificate), and whether they are others than when they were last looked at.

use std::{fmt, fs, os::unix::fs::MetadataExt as _, path::PathBuf, time::SystemTime};

use crate::cloud::CloudConfig;

/// Length, time of change and number of each file; none: it is not there. A file that was renamed into place has another number,
/// whatever its times are.
type Stamp = Vec<Option<(u64, SystemTime, u64)>>;

/// Those that the parameters name.
#[derive(Debug, Clone)]
pub struct Files {
    paths: Vec<PathBuf>,
    seen: Stamp,
}

impl Files {
    /// As they are now, there or not.
    pub fn of(config: &CloudConfig) -> Files {
        let all = [&config.key_file, &config.ca_file, &config.certificate_file, &config.private_key_file];
        let paths: Vec<PathBuf> = all.into_iter().flatten().cloned().collect();
        Files { seen: stamp(&paths), paths }
    }

    /// Whether one of them has come, gone or changed since this was last asked.
    pub fn changed(&mut self) -> bool {
        let now = stamp(&self.paths);
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    /// Where one has changed: what is to be told, and whether all of them fit now. `whom`: who is asked with them.
    pub fn news<E: fmt::Display>(
        &mut self,
        whom: &str,
        check: impl FnOnce() -> Result<(), E>,
    ) -> Option<News> {
        self.changed().then(|| match check() {
            Ok(()) => {
                News { told: format!("the files that lead to the {whom} are new: it is asked with them"), fit: true }
            }
            Err(error) => News {
                told: format!(
                    "{error}; the {whom} is asked with the files of before, where there were any, until that is mended"
                ),
                fit: false,
            },
        })
    }
}

/// Files that are others than before.
#[derive(Debug)]
pub struct News {
    /// What is to be told.
    pub told: String,
    /// They fit each other, and can be used.
    pub fit: bool,
}

fn stamp(paths: &[PathBuf]) -> Stamp {
    let of = |path: &PathBuf| {
        let about = fs::metadata(path).ok()?;
        Some((about.len(), about.modified().ok()?, about.ino()))
    };
    paths.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_comes_goes_or_is_replaced_by_its_like_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let config = CloudConfig {
            key_file: Some(path.clone()),
            ..CloudConfig::new("https://gateway.example/v1", "large")
        };
        let mut files = Files::of(&config);
        assert!(!files.changed());
        fs::write(&path, "one").unwrap();
        assert!(files.changed() && !files.changed());
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "two").unwrap();
        fs::File::options().append(true).open(&other).unwrap().set_modified(time).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(files.changed() && !files.changed(), "the same length and time, and another file");
        fs::remove_file(&path).unwrap();
        assert!(files.changed() && !files.changed());
    }
}
