//! The suite over the transport inside one process.

use troika_conformance::Network;
use troika_transport_mem::MemTransport;

fn network() -> Network {
    let network = MemTransport::new();
    Box::new(move || Box::new(network.clone()))
}

troika_conformance::suite!(network);
troika_conformance::capabilities!(network; a_volatile_neighbour_of_a_lasting_subscription_gets_what_follows_alone);
