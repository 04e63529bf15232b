//! A model's passport: where its bytes come from, what they must be, what goes in and out, and under which licence.

use serde::Deserialize;
use thiserror::Error;

/// What a `models/<name>/model.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passport {
    /// The folder's name, by which everything refers to the model.
    pub name: String,
    /// What it does, in a few words.
    pub job: String,
    /// How its bytes are to be read.
    pub format: Format,
    /// Its name in the cache.
    pub file: String,
    /// Of the released bytes, after joining, cutting and conversion.
    pub sha256: Sha256,
    /// Of the released bytes.
    pub size: u64,
    /// SPDX expression.
    pub licence: String,
    /// Who made it; shown with the licence.
    pub attribution: String,
    /// The sets it belongs to: `demo`, `test`.
    #[serde(default)]
    pub sets: Vec<String>,
    /// Where the bytes come from; several are joined in this order, or handed to the converter.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
    /// Makes the released bytes from the sources.
    #[serde(default)]
    pub convert: Option<String>,
    /// Inputs, in the order of the file.
    #[serde(default, rename = "input")]
    pub inputs: Vec<TensorSpec>,
    /// Outputs, in the order of the file.
    #[serde(default, rename = "output")]
    pub outputs: Vec<TensorSpec>,
    /// How long it may take, and what supports that.
    #[serde(default)]
    pub latency: Option<Latency>,
    /// Reference outputs of another runtime.
    #[serde(default)]
    pub golden: Option<Golden>,
}

/// How a model's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// TensorFlow Lite, by `troika-tflite`.
    Tflite,
    /// ONNX, by tract.
    Onnx,
    /// whisper.cpp's.
    Ggml,
    /// llama.cpp's.
    Gguf,
    /// Not a network.
    Data,
}

/// Where a source comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// The Python package index.
    Pypi,
    /// The npm registry.
    Npm,
    /// The model's own folder in this repository.
    Repo,
}

/// One file of one package.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Where the package is.
    pub registry: Registry,
    /// Its name there; empty for `repo`.
    #[serde(default)]
    pub package: String,
    /// Exactly this version.
    #[serde(default)]
    pub version: String,
    /// The package file (wheel or tarball).
    #[serde(default)]
    pub artifact: String,
    /// Of the package file.
    #[serde(default)]
    pub artifact_sha256: Option<Sha256>,
    /// The file inside; absent where the package file itself is released.
    #[serde(default)]
    pub member: Option<String>,
    /// First byte and the byte after the last, where only part of the member is meant.
    #[serde(default)]
    pub slice: Option<[u64; 2]>,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Its name in the file.
    pub name: String,
    /// Every axis fixed.
    pub shape: Vec<usize>,
    /// `f32`.
    pub dtype: Dtype,
    /// What the numbers are, with units.
    pub meaning: String,
    /// Lowest and highest value that goes in (pictures are scaled to it).
    #[serde(default)]
    pub range: Option<[f32; 2]>,
    /// Order of the colours of a picture.
    #[serde(default)]
    pub colour: Option<String>,
}

impl TensorSpec {
    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Element types that our networks use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE 754 single precision.
    F32,
}

/// A latency budget.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Thread time of one run.
    pub budget_ms: f64,
    /// What was measured, where.
    pub evidence: String,
}

/// Reference outputs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The values, beside the passport: see [`crate::golden`].
    pub file: String,
    /// What made them.
    pub reference: String,
    /// Greatest difference allowed.
    pub max_abs_error: f32,
}

/// A SHA-256 digest, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Sha256(sha2::Sha256::digest(bytes).into())
    }
    /// A digest that was computed elsewhere.
    pub fn new(digest: [u8; 32]) -> Self {
        Sha256(digest)
    }
}

impl TryFrom<String> for Sha256 {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a sha256 of 64 hexadecimal digits");
        let mut digest = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(wrong());
        }
        for (byte, pair) in digest.iter_mut().zip(pairs) {
            let digits = std::str::from_utf8(pair).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or_else(wrong)?;
        }
        Ok(Sha256(digest))
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}
impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a passport is not accepted.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{file}:{line}: {why}")]
pub struct PassportError {
    /// The passport.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

impl Passport {
    /// Reads a passport; `file` is named in errors.
    pub fn parse(text: &str, file: &str) -> Result<Self, PassportError> {
        let error = |line, why: String| PassportError { file: file.to_owned(), line, why };
        let passport: Passport = toml::from_str(text).map_err(|e| {
            let start = e.span().map_or(0, |s| s.start).min(text.len());
            error(
                text.as_bytes()[..start].iter().filter(|b| **b == b'\n').count() + 1,
                e.message().to_owned(),
            )
        })?;
        let line_of =
            |key: &str| text.lines().position(|l| l.trim_start().starts_with(key)).map_or(1, |n| n + 1);
        if passport.licence.trim().is_empty() {
            return Err(error(
                line_of("licence"),
                "the licence is missing: state its SPDX identifier".into(),
            ));
        }
        if passport.sources.is_empty() {
            return Err(error(1, "no [[source]]: nothing says where the bytes come from".into()));
        }
        // The names become paths in the cache.
        let plain = |s: &str| {
            !s.is_empty()
                && !s.starts_with('.')
                && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+".contains(&b))
        };
        let golden = passport.golden.as_ref();
        let beside = golden.map(|golden| ("[golden]", &golden.file));
        for (key, name) in [("name", &passport.name), ("file", &passport.file)].into_iter().chain(beside) {
            if !plain(name) {
                return Err(error(line_of(key), format!("`{name}` is not a plain file name")));
            }
        }
        if let Some(golden) =
            golden.filter(|golden| !(golden.max_abs_error > 0.0 && golden.max_abs_error.is_finite()))
        {
            let why = format!(
                "`max_abs_error` is {}: a difference over 0 that still counts as none",
                golden.max_abs_error
            );
            return Err(error(line_of("max_abs_error"), why));
        }
        for source in &passport.sources {
            let remote = source.registry != Registry::Repo;
            if remote
                && (source.artifact_sha256.is_none() || !plain(&source.artifact) || source.version.is_empty())
            {
                let why = "a source needs `package`, `version`, `artifact` and `artifact_sha256`";
                return Err(error(line_of("[[source]]"), why.into()));
            }
            if !remote && source.member.as_deref().is_none_or(|m| !plain(m)) {
                return Err(error(
                    line_of("[[source]]"),
                    "a source in this repository needs a `member`".into(),
                ));
            }
            if source.slice.is_some_and(|[from, to]| from >= to) {
                return Err(error(line_of("slice"), "the slice is empty".into()));
            }
        }
        Ok(passport)
    }
}
