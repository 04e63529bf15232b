//! What belongs here: the cloud's side. Many vehicles in over HTTPS and zenoh with certificates of the fleet's own, any OpenAI-compatible service
//! behind; who may, how much, who is next, and what it cost.

pub mod access;
pub mod api;
pub mod audit;
pub mod board;
pub mod cache;
pub mod clock;
pub mod config;
pub mod door;
pub mod fleet;
pub mod folders;
pub mod gate;
pub mod gateway;
pub mod identity;
pub mod io;
pub mod job;
pub mod mesh;
pub mod metrics;
pub mod page;
pub mod pool;
pub mod queue;
pub mod quota;
pub mod relay;
pub mod request;
pub mod route;
pub mod serve;
pub mod spans;
pub mod sse;
pub mod store;
pub mod tls;
pub mod trace;
pub mod tracer;
pub mod upstream;
