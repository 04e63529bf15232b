//! The client and the whole dialogue against a service on loopback, over real TLS, that misbehaves by script.

#![expect(
    clippy::disallowed_methods,
    reason = "a service sleeps, and how soon a socket is closed is measured, by the wall clock"
)]

mod client;
mod hand_over;
mod service;
