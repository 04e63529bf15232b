//! What belongs here: what every node that looks at camera frames needs, and nothing of what it looks for.
//!
//! - [`image`]: a checked view of a frame in any encoding that we read.
//! - [`warp`]: a part of it, turned and scaled, sampled where it lies.
//! - [`roi`]: rotated regions of a frame, and how a network's answers map back.
//! - [`still`]: pictures that are the same again and again.
//! - [`ssd`]: decoding what MediaPipe's anchor detectors answer.

pub mod image;
pub mod roi;
pub mod ssd;
pub mod still;
pub mod warp;
