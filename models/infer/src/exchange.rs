//! Another network in the place of one that runs. A candidate is read from a folder with a passport of its own, and must pass its
//! golden outputs before it is offered; the running one takes it between two runs, without waiting, and hands itself back to be
//! dropped elsewhere. Until then, and when the candidate is refused, the old one runs on.
//!
//! The thread that runs the network (a real-time one) does one `arc_swap` load a run, and at the exchange one `try_lock` and a swap
//! of pointers: it allocates nothing, frees nothing and waits for nobody.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwapOption;
use thiserror::Error;
use troika_tflite::Kernels;

use crate::{
    golden::{self, Agreement, GoldenError},
    network::{Network, NetworkError},
    parts::Parts,
    passport::{Passport, PassportError, Sha256, TensorSpec},
    signature::{PublicKey, SecretKey, Signed},
    store::StoreError,
};

/// The file in a candidate's folder that describes it.
const PASSPORT: &str = "model.toml";
/// Its signature.
const SIGNATURE: &str = "model.toml.sig";

/// Why a candidate is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A file of the folder cannot be read.
    #[error("{path}: {reason}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: std::io::Error,
    },
    /// Its passport is wrong.
    #[error(transparent)]
    Passport(#[from] PassportError),
    /// There is no model of its name whose place it could take.
    #[error(transparent)]
    Unknown(#[from] StoreError),
    /// The system takes signed models only, and this one is not, or not by the right key.
    #[error("{path}: {reason}; this system takes models that are signed with its key (`troika models sign`)", path = .path.display())]
    Unsigned {
        /// The signature's file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is another model.
    #[error("its passport is that of `{found}`, not of `{expected}`")]
    Other {
        /// In the passport.
        found: String,
        /// The running one.
        expected: String,
    },
    /// The bytes are not those that its passport names.
    #[error("its sha256 is {found}, its passport says {expected}")]
    WrongHash {
        /// Of the bytes.
        found: Sha256,
        /// In the passport.
        expected: Sha256,
    },
    /// The bytes make no network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Another shape or range than the network that runs: whoever runs it counts on those.
    #[error("its {what} differ from those of the network that runs")]
    Differs {
        /// Inputs or outputs.
        what: &'static str,
    },
    /// It asks to be held to less than the network that runs.
    #[error(
        "its golden outputs may differ by {found:e}, those of the network that runs by {allowed:e} at most"
    )]
    Looser {
        /// In its passport.
        found: f32,
        /// In the running one's.
        allowed: f32,
    },
    /// It does not compute what its reference computes.
    #[error(transparent)]
    Golden(#[from] GoldenError),
}

/// A candidate that was read and not yet looked at.
#[derive(Debug)]
pub struct Candidate {
    passport: Passport,
    bytes: Vec<u8>,
    golden: Option<Vec<u8>>,
}

impl Candidate {
    /// Reads a folder with a `model.toml`, the file that it names, and its golden outputs.
    ///
    /// `trusted`: only one with this key's signature is read.
    ///
    /// # Errors
    /// A file that is not there, a signature that is not right, or a passport that is wrong.
    pub fn read(folder: &Path, trusted: Option<&PublicKey>) -> Result<Candidate, Refusal> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|reason| Refusal::Io { path, reason })
        };
        let written = read(PASSPORT)?;
        let text = String::from_utf8_lossy(&written).into_owned();
        let passport = Passport::parse(&text, &folder.join(PASSPORT).display().to_string())?;
        let bytes = read(&passport.file)?;
        let golden = passport.golden.as_ref().map(|golden| read(&golden.file)).transpose()?;
        troika_safety::fulfils![SR_DAT_008];
        if let Some(key) = trusted {
            let path = folder.join(SIGNATURE);
            let golden = golden.as_deref().unwrap_or_default();
            let signed = Signed { passport: &written, model: &bytes, golden };
            let signature = std::fs::read_to_string(&path).map_err(|error| error.to_string());
            let checked =
                signature.and_then(|text| key.verify(&signed, &text).map_err(|error| error.to_string()));
            checked.map_err(|reason| Refusal::Unsigned { path, reason })?;
        }
        Ok(Candidate { passport, bytes, golden })
    }

    /// Its passport.
    pub fn passport(&self) -> &Passport {
        &self.passport
    }

    /// The network's file; [`Place::examine`] holds it against the passport's hash.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Signs the folder: writes the signature's file, and gives its path.
    ///
    /// # Errors
    /// A file that is not there or a passport that is wrong; a key that is none.
    pub fn sign(folder: &Path, key: &SecretKey) -> Result<PathBuf, Refusal> {
        let candidate = Candidate::read(folder, None)?;
        let at = folder.join(PASSPORT);
        let passport = std::fs::read(&at).map_err(|reason| Refusal::Io { path: at, reason })?;
        let golden = candidate.golden.as_deref().unwrap_or_default();
        let signed = Signed { passport: &passport, model: &candidate.bytes, golden };
        let path = folder.join(SIGNATURE);
        let text = key
            .sign(&signed)
            .map_err(|reason| Refusal::Unsigned { path: path.clone(), reason: reason.to_string() })?;
        std::fs::write(&path, text).map_err(|reason| Refusal::Io { path: path.clone(), reason })?;
        Ok(path)
    }
}

/// Where a running network takes its successor from. Cloning gives another end of the same.
#[derive(Clone)]
pub struct Exchange(Arc<Shared>);

struct Shared {
    place: Place,
    offer: ArcSwapOption<Offer>,
}

/// What a candidate must fit: the network that has the place now.
pub(crate) struct Place {
    pub(crate) model: String,
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) parts: usize,
    pub(crate) kernels: Kernels,
    /// See [`crate::passport::Golden::max_abs_error`].
    pub(crate) tolerance: Option<f32>,
}

struct Offer(Mutex<Held>);

/// First the new network, then the old one.
struct Held {
    parts: Parts,
    taken: bool,
}

/// A network that was offered, until [`Offered::ended`] ends the offer.
pub struct Offered {
    exchange: Exchange,
    offer: Arc<Offer>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exchange").field(&self.0.place.model).finish()
    }
}

impl Exchange {
    pub(crate) fn new(model: &str, network: &Network) -> Exchange {
        let place = Place {
            model: model.to_owned(),
            inputs: network.inputs().to_vec(),
            outputs: network.outputs().to_vec(),
            parts: network.parts(),
            kernels: network.kernels(),
            tolerance: network.tolerance(),
        };
        Exchange(Arc::new(Shared { place, offer: ArcSwapOption::empty() }))
    }

    /// The model that runs.
    pub fn model(&self) -> &str {
        &self.0.place.model
    }

    /// Whether the network still exists.
    pub(crate) fn is_live(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Makes the candidate's network and holds it to its golden outputs. Takes as long as a few runs; the running network is not
    /// touched.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn examine(&self, candidate: &Candidate) -> Result<(Network, Agreement), Refusal> {
        self.0.place.examine(candidate)
    }

    /// Offers a network that [`Exchange::examine`] gave; the running one takes it before its next run.
    pub fn offer(&self, network: Network) -> Offered {
        let held = Held { parts: network.into_parts(), taken: false };
        let offer = Arc::new(Offer(Mutex::new(held)));
        self.0.offer.store(Some(Arc::clone(&offer)));
        Offered { exchange: self.clone(), offer }
    }

    /// Takes what is offered, if something is, by exchanging it with `parts`. Never waits.
    pub(crate) fn take(&self, parts: &mut Parts) {
        let offer = self.0.offer.load();
        let Some(offer) = &*offer else { return };
        // Held by the other side only while it looks whether it was taken; then at the next run.
        let Ok(mut held) = offer.0.try_lock() else { return };
        if !held.taken {
            held.taken = true;
            std::mem::swap(parts, &mut held.parts);
        }
    }
}

impl Place {
    /// See [`Exchange::examine`].
    pub(crate) fn examine(&self, candidate: &Candidate) -> Result<(Network, Agreement), Refusal> {
        troika_safety::fulfils![SR_DAT_004];
        let Candidate { passport, bytes, golden } = candidate;
        if passport.name != self.model {
            return Err(Refusal::Other { found: passport.name.clone(), expected: self.model.clone() });
        }
        let found = Sha256::of(bytes);
        if found != passport.sha256 {
            return Err(Refusal::WrongHash { found, expected: passport.sha256 });
        }
        let same = |a: &[TensorSpec], b: &[TensorSpec]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.shape == b.shape && a.range == b.range)
        };
        if !same(&passport.inputs, &self.inputs) {
            return Err(Refusal::Differs { what: "inputs" });
        }
        if !same(&passport.outputs, &self.outputs) {
            return Err(Refusal::Differs { what: "outputs" });
        }
        if let (Some(allowed), Some(golden)) = (self.tolerance, &passport.golden)
            && golden.max_abs_error > allowed
        {
            return Err(Refusal::Looser { found: golden.max_abs_error, allowed });
        }
        let mut network = Network::load_with(passport, bytes, self.parts, self.kernels)?;
        let reference = golden.as_deref().ok_or(GoldenError::None)?;
        let agreement = golden::compare(passport, &mut network, reference)?;
        Ok((network, agreement))
    }
}

impl Offered {
    /// Whether the running network has become this one.
    pub fn is_taken(&self) -> bool {
        self.offer.0.lock().unwrap_or_else(PoisonError::into_inner).taken
    }

    /// Ends the offer. True once the running thread holds nothing of it any more: only then may this be dropped, so that what is
    /// freed is freed here.
    pub fn ended(&self) -> bool {
        let current = self.exchange.0.offer.load();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &self.offer)) {
            drop(current);
            self.exchange.0.offer.store(None);
        }
        Arc::strong_count(&self.offer) == 1
    }
}
