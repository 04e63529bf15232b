//! Signed candidates: who made a system's key says which models may take another's place while it runs. Ed25519 (RFC 8032) over the digests of the
//! passport, the model and its golden outputs, in `model.toml.sig` beside them.

use std::{fmt, str::FromStr};

use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};

use crate::passport::Sha256;

/// What is signed begins with this, so that no signature of anything else fits.
const CONTEXT: &[u8] = b"troika model candidate, version 1\0";

/// A key or a signature that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not the hexadecimal digits that it has to be.
    #[error("{what}: {digits} hexadecimal digits are wanted on a line of their own")]
    Digits {
        /// Of what.
        what: &'static str,
        /// How many.
        digits: usize,
    },
    /// No secret key of Ed25519 (PKCS #8).
    #[error("the secret key is no Ed25519 key in PKCS #8")]
    Key,
    /// The system has no random numbers.
    #[error("no random numbers are to be had")]
    Random,
    /// It is another's, or of something else.
    #[error("the signature is not of this key, or not of these files")]
    Wrong,
}

/// Whose signatures are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Who signs.
pub struct SecretKey(Vec<u8>);

/// The files of a candidate, as they lie there.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `model.toml`.
    pub passport: &'a [u8],
    /// The file that it names.
    pub model: &'a [u8],
    /// The golden outputs; empty where it has none.
    pub golden: &'a [u8],
}

impl Signed<'_> {
    fn message(&self) -> Vec<u8> {
        let digests = [self.passport, self.model, self.golden].map(|bytes| Sha256::of(bytes).to_string());
        [CONTEXT, digests.concat().as_bytes()].concat()
    }
}

impl PublicKey {
    /// Whether the text of a `.sig` file is this key's signature of these files.
    ///
    /// # Errors
    /// It is not.
    pub fn verify(&self, signed: &Signed, signature: &str) -> Result<(), SignatureError> {
        let signature = digits::<64>("signature", signature)?;
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(&signed.message(), &signature).map_err(|_| SignatureError::Wrong)
    }
}

impl SecretKey {
    /// A new one.
    ///
    /// # Errors
    /// No random numbers.
    pub fn generate() -> Result<SecretKey, SignatureError> {
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SignatureError::Random)?;
        Ok(SecretKey(document.as_ref().to_vec()))
    }

    /// Its other half.
    ///
    /// # Errors
    /// It is no key.
    pub fn public(&self) -> Result<PublicKey, SignatureError> {
        let key = self.pair()?.public_key().as_ref().try_into();
        key.map(PublicKey).map_err(|_| SignatureError::Key)
    }

    /// The text of a `.sig` file.
    ///
    /// # Errors
    /// It is no key.
    pub fn sign(&self, signed: &Signed) -> Result<String, SignatureError> {
        Ok(hex(self.pair()?.sign(&signed.message()).as_ref()) + "\n")
    }

    fn pair(&self) -> Result<Ed25519KeyPair, SignatureError> {
        Ed25519KeyPair::from_pkcs8(&self.0).map_err(|_| SignatureError::Key)
    }

    /// As it is written to a file that nobody else may read.
    pub fn to_text(&self) -> String {
        format!(
            "# A secret key: whoever has it signs models for every system that trusts its other half.\n{}\n",
            hex(&self.0)
        )
    }
}

impl FromStr for SecretKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<SecretKey, SignatureError> {
        let key = SecretKey(bytes(line(text)).ok_or(SignatureError::Key)?);
        key.pair().map(drop)?;
        Ok(key)
    }
}

impl FromStr for PublicKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<PublicKey, SignatureError> {
        digits::<32>("public key", text).map(PublicKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "PublicKey({self})")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("SecretKey(…)")
    }
}

/// The line of a file that is no comment.
fn line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
}

fn digits<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], SignatureError> {
    let bytes = bytes(line(text)).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(SignatureError::Digits { what, digits: 2 * N })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Signed = Signed { passport: b"name = \"a\"", model: b"weights", golden: b"golden" };

    #[test]
    fn a_signature_is_of_one_key_and_of_every_byte_of_the_files() {
        troika_safety::verifies![SR_DAT_008];
        let (maker, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let (key, signature) = (maker.public().unwrap(), maker.sign(&FILES).unwrap());
        assert_eq!(key.verify(&FILES, &signature), Ok(()));
        assert_eq!(other.public().unwrap().verify(&FILES, &signature), Err(SignatureError::Wrong));
        for changed in [
            Signed { passport: b"name = \"b\"", ..FILES },
            Signed { model: b"weight", ..FILES },
            Signed { golden: b"", ..FILES },
            Signed { passport: FILES.model, model: FILES.passport, ..FILES },
        ] {
            assert_eq!(key.verify(&changed, &signature), Err(SignatureError::Wrong), "{changed:?}");
        }
    }

    #[test]
    fn keys_and_signatures_are_text_and_what_is_none_is_told() {
        let key = SecretKey::generate().unwrap();
        let read: SecretKey = key.to_text().parse().unwrap();
        let public: PublicKey = format!("# of a test\n{}\n", key.public().unwrap()).parse().unwrap();
        assert_eq!(public.verify(&FILES, &read.sign(&FILES).unwrap()), Ok(()));
        assert!(!format!("{key:?}").contains(&hex(&key.0)), "a secret is not shown");
        assert_eq!("zz".parse::<SecretKey>().map(drop), Err(SignatureError::Key));
        assert!("0123".parse::<PublicKey>().unwrap_err().to_string().contains("64 hexadecimal digits"));
        let wrong = public.verify(&FILES, "").unwrap_err().to_string();
        assert!(wrong.contains("signature: 128"), "{wrong}");
    }
}
