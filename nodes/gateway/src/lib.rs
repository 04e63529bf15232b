//! What belongs here: the cloud's side. Many vehicles in over HTTPS with certificates of the fleet's own, any OpenAI-compatible service
//! behind; who may, how much, who is next, and what it cost.

pub mod clock;
pub mod config;
pub mod fleet;
pub mod identity;
pub mod queue;
pub mod quota;
pub mod request;
pub mod sse;
pub mod tls;
pub mod trace;
