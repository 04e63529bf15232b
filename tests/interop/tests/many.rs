//! Many messages each way with a peer in a process of its own, on zenoh and on DDS: none is lost, each is the next. On rcl:
//! `tests/ros2.rs`. `cargo xtask soak` asks for ten thousand.

use troika_interop::{Ours, Peer, free_port, many, on_dds, own_domain};
use troika_transport::Transport;

/// In every run.
const FEW: u32 = 2000;
/// zenoh has room for two batches of 64 KiB in each direction, and drops what does not find any for a millisecond, reliable or not,
/// as rmw_zenoh does: who sends is no further ahead than what fits.
const AHEAD: u32 = 100;

#[test]
fn numbers_pass_both_ways_with_pyzeros() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("pyzeros_peer", port);
    many::numbers_arrive_in_order(&mut peer, &ours.transport, &*ours.node, many::count(FEW), AHEAD);
}

#[test]
fn numbers_pass_both_ways_with_rclpy_on_dds() {
    let domain = own_domain();
    let ours = on_dds(domain);
    let node = ours.node("/car", "ours").expect("node");
    let count = many::count(FEW);
    many::numbers_arrive_in_order(&mut Peer::ros2(domain, "peer"), &ours, &*node, count, count);
}
