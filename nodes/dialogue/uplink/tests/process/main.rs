//! The program itself: topics over a real zenoh router, and a real gateway behind TLS with the vehicle's certificate.
#![allow(clippy::disallowed_methods, reason = "a test of real time")]

mod gateway;
mod kills;
mod vehicle;
mod ways;
