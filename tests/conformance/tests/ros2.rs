//! The suite over rcl and its RMW, each test in a domain of its own. Which capabilities are not claimed, and why, says the README of
//! nodes/transport/ros2.

use troika_conformance::{Network, free_domain};
use troika_transport_ros2::{Ros2Options, Ros2Transport};

fn network() -> Network {
    let domain = Some(free_domain());
    Box::new(move || Box::new(Ros2Transport::open(Ros2Options { domain }).expect("open")))
}

troika_conformance::suite!(network);
troika_conformance::capabilities!(network; garbage_is_delivered_as_it_is);
