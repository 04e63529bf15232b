//! What belongs here: the dialogue's questions over zenoh instead of HTTPS. [`wire`] is what both sides say to each other, pure; [`client`] is
//! the vehicle's side, an [`Upstream`](troika_dialogue::Upstream) like the one over HTTPS; [`service`] the same for files that come, go and are
//! renewed; [`config`] is how both open a session.

pub mod client;
pub mod config;
pub mod service;
pub mod wire;

pub use client::{MeshError, MeshUpstream};
pub use config::Scheme;
pub use service::OverZenoh;
