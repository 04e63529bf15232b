//! A router of a test's own.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::TcpListener;

use troika_transport_zenoh::{RouterGuard, ZenohOptions};

/// An endpoint that nobody listens on.
pub(crate) fn free_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    format!("tcp/{}", listener.local_addr().expect("bound"))
}

/// A router at a new endpoint. Another program may take a port between the look and the start: then the next one.
pub(crate) fn router() -> (String, RouterGuard) {
    for _ in 0..10 {
        let endpoint = free_endpoint();
        if let Ok(guard) = RouterGuard::ensure(&endpoint)
            && guard.is_started()
        {
            return (endpoint, guard);
        }
    }
    panic!("no port of ten could be had");
}

/// A session at that router.
pub(crate) fn joining(endpoint: &str) -> ZenohOptions {
    ZenohOptions { router: endpoint.to_owned(), ..ZenohOptions::default() }
}
