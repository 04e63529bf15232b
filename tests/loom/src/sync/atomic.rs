//! loom's atomics.

#[allow(unused_imports, reason = "the futex, which has a model here, uses one of them")]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
