//! The suite over zenoh: each participant a session of its own, found through a router of the test's own.

mod support;

use troika_transport_zenoh::ZenohTransport;

troika_conformance::suite!(|| -> troika_conformance::Network {
    let (endpoint, router) = support::router();
    Box::new(move || {
        assert!(router.is_started());
        Box::new(ZenohTransport::open(support::joining(&endpoint)).expect("open"))
    })
});
