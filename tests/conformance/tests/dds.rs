//! The suite over DDS: each participant a CycloneDDS domain of its own, as if it were a process, found over the loopback without
//! multicast.

use troika_conformance::{Network, own_dds};
use troika_transport_dds::{DdsOptions, DdsTransport, DiscoveryRange};

fn network() -> Network {
    let (domain, uri) = own_dds();
    Box::new(move || {
        let range = DiscoveryRange::Localhost;
        let options = DdsOptions { domain, range, uri: uri.clone(), ..DdsOptions::default() };
        Box::new(DdsTransport::open(options).expect("open"))
    })
}

troika_conformance::suite!(network);
