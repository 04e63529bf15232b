//! The models on this machine: the catalogue of passports, and a cache of verified bytes.
//!
//! Bytes lie under their own sha256 (`sha256/<digest>`) with a link by name beside them (`by-name/<file>`), so that two
//! versions never collide. They are hashed again on every load: what a disk or another program changed is refused.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fs, io};

use thiserror::Error;
use troika_tflite::Kernels;

use crate::beside::Beside;
use crate::exchange::{Candidate, Exchange};
use crate::network::{Network, NetworkError};
use crate::passport::{Format, Passport, PassportError, Registry, Sha256};
use crate::signature::PublicKey;

pub(crate) struct Entry {
    pub(crate) folder: &'static str,
    pub(crate) passport: &'static str,
    pub(crate) files: &'static [(&'static str, &'static [u8])],
}

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// Why a model cannot be had from the store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A passport is wrong.
    #[error(transparent)]
    Passport(#[from] PassportError),
    /// No model of that name.
    #[error("no model is called `{name}`; there are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// It was never fetched.
    #[error("model `{name}` is not in {path}: fetch it with `troika models pull {name}`", path = .path.display())]
    Absent {
        /// The model.
        name: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// The bytes are not those that the passport names.
    #[error("model `{name}` refused: its sha256 is {found}, the passport says {expected}; delete {path} and fetch it again with `troika models pull {name}`", path = .path.display())]
    WrongHash {
        /// The model.
        name: String,
        /// Of the bytes found.
        found: Sha256,
        /// Of the passport.
        expected: Sha256,
        /// The file.
        path: PathBuf,
    },
    /// Neither `TROIKA_MODELS`, `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("no place for the models: set TROIKA_MODELS or HOME")]
    NoPlace,
    /// Models are loaded that a key has signed alone, and this one is not, or not by that key, or not as it lies here.
    #[error(
        "model `{name}` refused: {path}: {reason}; this system loads models that its `model_key` has signed (`troika models sign --key FILE --here`)",
        path = .path.display()
    )]
    Unsigned {
        /// The model.
        name: String,
        /// The signature's file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key that models have to be signed with cannot be read, or a key that shall sign is none.
    #[error("the key of the models, {path}: {reason}", path = .path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file system refused.
    #[error("{path}: {reason}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: io::Error,
    },
    /// The bytes are right and do not make a network.
    #[error("model `{name}`: {reason}")]
    Network {
        /// The model.
        name: String,
        /// The reason.
        reason: NetworkError,
    },
}

/// The catalogue and the cache.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    passports: Vec<Passport>,
    /// Where the networks that were handed out take their successors from. Clones of a store share it.
    live: Arc<Mutex<Vec<Exchange>>>,
    pub(crate) kernels: Kernels,
    /// In the places of models of the catalogue: see [`Store::with_candidate`].
    pub(crate) candidates: Vec<Arc<Candidate>>,
    pub(crate) beside: Option<Beside>,
    /// See [`Store::signed_by`].
    pub(crate) trusted: Option<PublicKey>,
}

impl Store {
    /// The cache at `TROIKA_MODELS`, else `$XDG_CACHE_HOME/troika/models`, else `~/.cache/troika/models`; where [`crate::KEY`] names a public key, of
    /// models that it has signed alone.
    pub fn open_default() -> Result<Self, StoreError> {
        let var = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = var("TROIKA_MODELS")
            .or_else(|| Some(var("XDG_CACHE_HOME")?.join("troika/models")))
            .or_else(|| Some(var("HOME")?.join(".cache/troika/models")));
        Self::open(root.ok_or(StoreError::NoPlace)?)?.demanding()
    }

    /// The cache in a folder that is named, else where [`Store::open_default`] says.
    pub fn open_in(folder: Option<&Path>) -> Result<Self, StoreError> {
        folder.map_or_else(Self::open_default, |folder| Self::open(folder)?.demanding())
    }

    /// The cache at `root`, which need not exist yet.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let mut passports = Vec::new();
        for entry in CATALOGUE {
            let file = format!("models/{}/model.toml", entry.folder);
            let passport = Passport::parse(entry.passport, &file)?;
            if passport.name != entry.folder {
                let why = format!("the name must be that of the folder, `{}`", entry.folder);
                return Err(PassportError { file, line: 1, why }.into());
            }
            passports.push(passport);
        }
        Ok(Store::with_passports(root, passports))
    }

    /// The cache at `root` with passports that are not in the catalogue.
    pub fn with_passports(root: impl Into<PathBuf>, passports: Vec<Passport>) -> Self {
        Store {
            root: root.into(),
            passports,
            live: Arc::default(),
            kernels: Kernels::Fast,
            candidates: Vec::new(),
            beside: None,
            trusted: None,
        }
    }

    /// The same with another passport in the place of the one of its name, and networks that are exchanged apart from this one's.
    pub(crate) fn replaced(&self, passport: Passport) -> Store {
        let mut store = Store { live: Arc::default(), ..self.clone() };
        store
            .passports
            .iter_mut()
            .filter(|one| one.name == passport.name)
            .for_each(|one| *one = passport.clone());
        store
    }

    /// The same, its networks made of other kernels.
    #[must_use]
    pub fn with_kernels(self, kernels: Kernels) -> Self {
        Store { kernels, ..self }
    }

    /// The same, of models alone that this key has signed.
    #[must_use]
    pub fn signed_by(self, key: PublicKey) -> Self {
        Store { trusted: Some(key), ..self }
    }

    /// The cache's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every passport, by name.
    pub fn passports(&self) -> &[Passport] {
        &self.passports
    }

    /// The passport of `name`.
    pub fn passport(&self, name: &str) -> Result<&Passport, StoreError> {
        self.passports.iter().find(|p| p.name == name).ok_or_else(|| StoreError::Unknown {
            name: name.to_owned(),
            known: self.passports.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Where the released bytes of `passport` lie, or would lie.
    pub fn blob(&self, passport: &Passport) -> PathBuf {
        self.root.join("sha256").join(passport.sha256.to_string())
    }

    /// The link by name to [`Self::blob`], for programs that want a path.
    pub fn link(&self, passport: &Passport) -> PathBuf {
        self.root.join("by-name").join(&passport.file)
    }

    /// Whether the bytes are here (or in the binary); they are not read.
    pub fn is_present(&self, passport: &Passport) -> bool {
        self.candidate(&passport.name).is_some()
            || embedded(passport).is_some()
            || fs::metadata(self.blob(passport)).is_ok_and(|m| m.is_file() && m.len() == passport.size)
    }

    /// The bytes of `name`, hashed and found to be those of its passport, and signed where that is demanded ([`Store::signed_by`]).
    pub fn load_bytes(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        // It was hashed when it was examined, its signature too, and has not left this process's memory since.
        if let Some(candidate) = self.candidate(name) {
            return Ok(candidate.bytes().to_vec());
        }
        let bytes = self.hashed(name)?;
        self.is_signed(name, &bytes)?;
        Ok(bytes)
    }

    /// The bytes of `name`, whoever signed them.
    pub(crate) fn hashed(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let passport = self.passport(name)?;
        let path = self.blob(passport);
        let bytes = match embedded(passport) {
            Some(bytes) => bytes.to_vec(),
            None => fs::read(&path).map_err(|reason| match reason.kind() {
                io::ErrorKind::NotFound => StoreError::Absent { name: name.to_owned(), path: path.clone() },
                _ => StoreError::Io { path: path.clone(), reason },
            })?,
        };
        let found = Sha256::of(&bytes);
        if found != passport.sha256 {
            let expected = passport.sha256;
            return Err(StoreError::WrongHash { name: name.to_owned(), found, expected, path });
        }
        Ok(bytes)
    }

    /// The path of `name` for a library that opens files itself (whisper.cpp); hashed first, like [`Self::load_bytes`].
    pub fn load_path(&self, name: &str) -> Result<PathBuf, StoreError> {
        self.load_bytes(name)?;
        Ok(self.blob(self.passport(name)?))
    }

    /// The network `name`, ready to run.
    pub fn network(&self, name: &str) -> Result<Network, StoreError> {
        self.network_in_parts(name, 1)
    }

    /// The same in parts: see [`Network::load_in_parts`].
    pub fn network_in_parts(&self, name: &str, parts: usize) -> Result<Network, StoreError> {
        let bytes = self.load_bytes(name)?;
        let network = Network::load_with(self.passport(name)?, &bytes, parts, self.kernels)
            .map_err(|reason| StoreError::Network { name: name.to_owned(), reason })?;
        let network = match &self.beside {
            Some(beside) => beside.join(self, name, network)?,
            None => network,
        };
        let (network, exchange) = network.exchangeable(name);
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(Exchange::is_live);
        live.push(exchange);
        Ok(network)
    }

    /// The networks of this store and its clones that exist now, each a place where another can be offered.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(Exchange::is_live);
        live.clone()
    }
}

/// The bytes of a model whose source is this repository.
fn embedded(passport: &Passport) -> Option<&'static [u8]> {
    match passport.sources.as_slice() {
        [one] if one.registry == Registry::Repo => beside(&passport.name, one.member.as_deref()?),
        _ => None,
    }
}

/// A file that lies beside the passport.
pub(crate) fn beside(model: &str, file: &str) -> Option<&'static [u8]> {
    let entry = CATALOGUE.iter().find(|e| e.folder == model)?;
    Some(entry.files.iter().find(|f| f.0 == file)?.1)
}

impl Passport {
    /// Whether tract runs it.
    pub fn is_network(&self) -> bool {
        matches!(self.format, Format::Tflite | Format::Onnx)
    }
}
