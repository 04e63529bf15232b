//! The suite over zenoh: each participant a session of its own, found through a router of the test's own.

mod support;

use troika_conformance::Network;
use troika_transport_zenoh::ZenohTransport;

fn network() -> Network {
    let (endpoint, router) = support::router();
    Box::new(move || {
        assert!(router.is_started());
        Box::new(ZenohTransport::open(support::joining(&endpoint)).expect("open"))
    })
}

troika_conformance::suite!(network);
troika_conformance::capabilities!(network; a_volatile_neighbour_of_a_lasting_subscription_gets_what_follows_alone);
