//! The suite over the transport inside one process.

use troika_transport_mem::MemTransport;

troika_conformance::suite!(|| -> troika_conformance::Network {
    let network = MemTransport::new();
    Box::new(move || Box::new(network.clone()))
});
