//! A router of a test's own.
#![allow(dead_code, reason = "each test file uses its part")]

use troika_conformance::free_port;
use troika_transport_zenoh::{RouterGuard, ZenohOptions};

/// An endpoint that nobody listens on.
pub(crate) fn free_endpoint() -> String {
    format!("tcp/127.0.0.1:{}", free_port())
}

/// A router at a new endpoint.
pub(crate) fn router() -> (String, RouterGuard) {
    let endpoint = free_endpoint();
    let guard = RouterGuard::ensure(&endpoint).expect("the port is free");
    assert!(guard.is_started(), "nobody else is at {endpoint}");
    (endpoint, guard)
}

/// A session at that router.
pub(crate) fn joining(endpoint: &str) -> ZenohOptions {
    ZenohOptions { router: endpoint.to_owned(), ..ZenohOptions::default() }
}
