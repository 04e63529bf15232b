//! Why a `.tflite` file was refused.

use thiserror::Error;

/// One reason per kind of damage, so that a caller can tell a broken download from a network it cannot run.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes do not carry the flatbuffer identifier `TFL3`.
    #[error("not a .tflite file (no TFL3 identifier)")]
    NotTflite,
    /// An offset or a length points outside the file.
    #[error("truncated or corrupt: {what} at byte {at} lies outside the file")]
    OutOfBounds {
        /// What was being read.
        what: &'static str,
        /// Its position in the file.
        at: usize,
    },
    /// A part that every network has is not there.
    #[error("corrupt: {what} is missing")]
    Missing {
        /// The missing part.
        what: &'static str,
    },
    /// An index names nothing.
    #[error("corrupt: {what} index {index} is out of range")]
    BadIndex {
        /// What the index should name.
        what: &'static str,
        /// The index.
        index: i64,
    },
    /// A count or a size above what this reader accepts (it bounds memory before it is asked for).
    #[error("{what} is {value}, over the limit of {limit}")]
    OverLimit {
        /// What is counted.
        what: &'static str,
        /// The value in the file.
        value: usize,
        /// The limit.
        limit: usize,
    },
    /// An operator that no network of ours uses and that is not implemented.
    #[error("operator {index} ({name}) is not supported{detail}")]
    Unsupported {
        /// Position of the operator in the file.
        index: usize,
        /// Its name, or its code.
        name: String,
        /// What about it, when the operator itself is known.
        detail: String,
    },
    /// Shapes or types that contradict each other.
    #[error("operator {index} is inconsistent: {why}")]
    Inconsistent {
        /// Position of the operator in the file.
        index: usize,
        /// The contradiction.
        why: String,
    },
    /// tract refused the graph.
    #[error("tract refused the graph: {0}")]
    Tract(String),
}

impl From<tract_core::internal::TractError> for ReadError {
    fn from(e: tract_core::internal::TractError) -> Self {
        ReadError::Tract(format!("{e:#}"))
    }
}
