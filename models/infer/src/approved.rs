//! Models of the catalogue that a key's owner lets run: one signature for each, in the cache beside their bytes (`signatures/<name>.sig`), over
//! the passport, the bytes and the golden outputs as a candidate's is ([`crate::signature`]). A passport is part of the program and names its
//! bytes by their hash; the signature says who approved of both.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    signature::{SecretKey, Signed},
    store::{CATALOGUE, Store, StoreError, beside},
};

/// The variable that names the file of a public key: processes that have it load models that this key has signed, and no others. `troika run`
/// gives it to the processes of a system with `production = true`.
pub const KEY: &str = "TROIKA_MODEL_KEY";

impl Store {
    /// As [`KEY`] says.
    pub(crate) fn demanding(self) -> Result<Store, StoreError> {
        let Some(path) = env::var_os(KEY).filter(|path| !path.is_empty()).map(PathBuf::from) else {
            return Ok(self);
        };
        let text = fs::read_to_string(&path).map_err(|error| error.to_string());
        let key = text.and_then(|text| text.parse().map_err(|error| format!("{error}")));
        key.map(|key| self.signed_by(key)).map_err(|reason| StoreError::Key { path, reason })
    }

    /// Where the signature of the model `name` lies, or would lie.
    pub fn signature(&self, name: &str) -> PathBuf {
        self.root().join("signatures").join(format!("{name}.sig"))
    }

    /// Signs the model `name` as it is here, and gives the signature's path.
    ///
    /// # Errors
    /// It is not here, or not what its passport says; no such key; the file cannot be written.
    pub fn sign(&self, name: &str, key: &SecretKey) -> Result<PathBuf, StoreError> {
        let bytes = self.hashed(name)?;
        let path = self.signature(name);
        let refused = |reason: String| StoreError::Key { path: path.clone(), reason };
        let signed = self.as_released(name, &bytes).ok_or_else(|| refused(NO_PASSPORT.to_owned()))?;
        let text = key.sign(&signed).map_err(|error| refused(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.map_err(|reason| StoreError::Io { path: path.clone(), reason })?;
        Ok(path)
    }

    /// Whether the key that is demanded, if one is, has signed the model `name` with these bytes.
    pub(crate) fn is_signed(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        troika_safety::fulfils![SR_DAT_012];
        let Some(key) = &self.trusted else { return Ok(()) };
        let path = self.signature(name);
        let verified = || {
            let signed = self.as_released(name, bytes).ok_or_else(|| NO_PASSPORT.to_owned())?;
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            key.verify(&signed, &text).map_err(|error| error.to_string())
        };
        verified().map_err(|reason| StoreError::Unsigned {
            name: name.to_owned(),
            path: path.clone(),
            reason,
        })
    }

    /// What is signed of a model: its passport and golden outputs as the program has them, and its bytes.
    fn as_released<'a>(&self, name: &str, model: &'a [u8]) -> Option<Signed<'a>> {
        let entry = CATALOGUE.iter().find(|entry| entry.folder == name)?;
        let golden = self.passport(name).ok()?.golden.as_ref();
        let golden = golden.and_then(|golden| beside(name, &golden.file)).unwrap_or_default();
        Some(Signed { passport: entry.passport.as_bytes(), model, golden })
    }
}

const NO_PASSPORT: &str = "the program has no passport of it";
