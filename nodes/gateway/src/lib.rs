//! The cloud side.
