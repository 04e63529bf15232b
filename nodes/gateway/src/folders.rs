//! The folders of the files that the gateway writes: there and writable, or said before anything is served.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statfs};

/// File systems of the kernel's own, in which nobody makes a file (`linux/magic.h`): `/proc`, `/sys`, and what is mounted below it. Root may
/// write by their modes, so that those do not tell.
const KERNELS: [i64; 4] = [0x9fa0, 0x6265_6572, 0x6367_7270, 0x0027_e0eb];

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Neither its folder nor the folder above is there: one is made, a whole path is more likely a slip of the pen.
    #[error("`{key}`: there is no folder {}; make it with: mkdir -p {}", folder.display(), folder.display())]
    Missing {
        /// The key of the gateway's file.
        key: &'static str,
        /// Which.
        folder: PathBuf,
    },
    /// It is there, and may not be used.
    #[error("`{key}`: {}: {reason}; the gateway writes there as the user that runs it", path.display())]
    Refused {
        /// The key of the gateway's file.
        key: &'static str,
        /// A file, or its folder.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn writable(key: &'static str, folder: &Path) -> Result<(), FolderError> {
    let refused = |reason| FolderError::Refused { key, path: folder.into(), reason };
    if !fs::metadata(folder).map_err(refused)?.is_dir() {
        return Err(refused(io::ErrorKind::NotADirectory.into()));
    }
    if statfs(folder).is_ok_and(|about| KERNELS.contains(&about.f_type)) {
        return Err(refused(io::Error::other("it is the kernel's own, and holds no files of others")));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|reason| refused(reason.into()))
}

/// Whether `file` can be written, or could be once [`prepare`] has made its folder. Changes nothing.
///
/// # Errors
/// Why not, and what to do about it.
pub fn check(key: &'static str, file: &Path) -> Result<(), FolderError> {
    let folder = folder_of(file);
    if !folder.exists() {
        let above = folder_of(folder);
        if !above.exists() {
            return Err(FolderError::Missing { key, folder: folder.into() });
        }
        return writable(key, above);
    }
    writable(key, folder)?;
    match OpenOptions::new().append(true).open(file) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
            Err(FolderError::Refused { key, path: file.into(), reason })
        }
        _ => Ok(()),
    }
}

/// As [`check`]; then the folder is there. It is returned where it was not: readable for whoever runs the gateway alone.
///
/// # Errors
/// Why it cannot be, and what to do about it.
pub fn prepare(key: &'static str, file: &Path) -> Result<Option<PathBuf>, FolderError> {
    check(key, file)?;
    let folder = folder_of(file);
    if folder.exists() {
        return Ok(None);
    }
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.map_err(|reason| FolderError::Refused { key, path: folder.into(), reason })?;
    Ok(Some(folder.into()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_folder_is_made_for_its_owner_alone_and_a_check_makes_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("state/store.redb");
        check("store", &file).expect("could be made");
        assert!(!dir.path().join("state").exists());
        assert_eq!(prepare("store", &file).expect("made"), Some(dir.path().join("state")));
        let mode = fs::metadata(dir.path().join("state")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(prepare("store", &file).expect("there"), None);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_with_the_way_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let told = check("audit", &dir.path().join("no/such/audit.jsonl")).expect_err("missing").to_string();
        assert!(told.starts_with("`audit`: there is no folder") && told.contains("mkdir -p"), "{told}");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        let told = check("store", &file.join("store.redb")).expect_err("a file").to_string();
        assert!(told.contains("not a directory"), "{told}");
        let told = check("store", Path::new("/proc/store.redb")).expect_err("the kernel's").to_string();
        assert!(told.contains("kernel's own"), "{told}");
        let told = check("store", dir.path()).expect_err("a folder").to_string();
        assert!(told.contains("s a directory"), "{told}");
    }
}
