//! What no node can read, from writers that are none of ours, on DDS and on zenoh. On rcl: `tests/ros2.rs`.

use std::sync::Arc;

use troika_interop::{Ours, Peer, free_port, garbage, on_dds, own_domain};
use troika_transport::Transport;

#[test]
fn what_rustdds_sends_and_nobody_can_read_is_counted_and_told_on_dds() {
    troika_safety::verifies![SR_DAT_001];
    let domain = own_domain();
    let transport: Arc<dyn Transport> = Arc::new(on_dds(domain));
    garbage::is_counted_and_told_and_the_rest_goes_on(
        &transport,
        || garbage::by_rustdds(domain),
        || Peer::ros2(domain, "peer"),
    );
}

#[test]
fn what_a_zenoh_session_sends_and_nobody_can_read_is_counted_and_told() {
    troika_safety::verifies![SR_DAT_001];
    let port = free_port();
    let ours = Ours::open(port);
    let transport: Arc<dyn Transport> = Arc::new(ours.transport);
    garbage::is_counted_and_told_and_the_rest_goes_on(
        &transport,
        || garbage::by_zenoh(port),
        || Peer::start("sdk_peer", port),
    );
}
