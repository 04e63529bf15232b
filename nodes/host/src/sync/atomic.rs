//! The atomics that this room's files are written over. tests/loom compiles the same files over loom's, which try every order of
//! events that the memory model allows.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
