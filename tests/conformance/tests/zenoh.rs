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
troika_conformance::capabilities!(network;
    a_volatile_neighbour_of_a_lasting_subscription_gets_what_follows_alone,
    a_shallow_late_joiner_gets_the_last_alone,
    a_message_has_the_stamp_that_it_was_given,
    a_request_has_the_stamp_that_it_was_given,
    a_hosted_node_minds_lifespan,
    garbage_is_delivered_as_it_is,
    requests_and_answers_of_any_bytes_arrive_as_they_are,
    another_hash_on_the_same_topic_stays_apart,
    another_hash_of_the_same_service_stays_apart,
    a_refusal_reaches_the_client_with_its_reason,
    a_request_that_is_dropped_is_refused,
    a_request_whose_server_is_replaced_is_told,
    a_service_is_on_the_graph_with_its_hash,
);
