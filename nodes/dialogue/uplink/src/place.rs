//! Whether a file could be made and written where the settings name it. Changes nothing.

use std::path::Path;

use rustix::fs::{Access, access, statfs};

/// File systems of the kernel's own, in which nobody makes a file: `/proc`, `/sys`, and what is mounted below it (`linux/magic.h`). Root may
/// write by their modes, so that those do not tell.
const KERNELS: [i64; 4] = [0x9fa0, 0x6265_6572, 0x6367_7270, 0x0027_e0eb];

/// The nearest folder of the file that is there is one, and may be written.
///
/// # Errors
/// Why not, in words that begin with the path.
pub(crate) fn check(file: &Path) -> Result<(), String> {
    if file.is_dir() {
        return Err(format!("{} is a folder", file.display()));
    }
    let above =
        file.ancestors().skip(1).map(|one| if one.as_os_str().is_empty() { Path::new(".") } else { one });
    let Some(folder) = above.into_iter().find(|folder| folder.exists()) else { return Ok(()) };
    let told = |what: &dyn std::fmt::Display| Err(format!("{} {what}", folder.display()));
    if !folder.is_dir() {
        return told(&"is no folder");
    }
    if statfs(folder).is_ok_and(|about| KERNELS.contains(&about.f_type)) {
        return told(&"is the kernel's own, and holds no files of others");
    }
    let name = if file.exists() { file } else { folder };
    match access(name, Access::WRITE_OK) {
        Ok(()) => Ok(()),
        Err(reason) => Err(format!("{} cannot be written: {}", name.display(), std::io::Error::from(reason))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_in_a_folder_that_is_there_or_can_be() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check(&folder.path().join("outbox.redb")), Ok(()));
        assert_eq!(check(&folder.path().join("a/b/outbox.redb")), Ok(()), "they are made");
        assert!(check(folder.path()).unwrap_err().ends_with("is a folder"));
        for kernels in ["/proc/outbox.redb", "/proc/self/fd/x", "/sys/outbox.redb"] {
            let told = check(Path::new(kernels)).unwrap_err();
            assert!(told.contains("kernel's own"), "{told}");
        }
        assert_eq!(check(Path::new("outbox.redb")), Ok(()), "from here");
    }
}
