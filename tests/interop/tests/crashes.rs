//! A peer that dies without a word and comes back, on zenoh and on DDS: each time it is found again, and we hold no more than before. A test
//! program of its own and one test at a time: threads, files and shared memory are counted, of this whole process.

use troika_interop::{Ours, Peer, free_port, lives::each_life_is_heard_and_hears_us, on_dds, own_domain};
use troika_transport::Transport;

#[test]
fn pyzeros_is_heard_again_after_each_crash() {
    let port = free_port();
    let ours = Ours::open(port);
    each_life_is_heard_and_hears_us(&ours.transport, &*ours.node, |_| Peer::start("pyzeros_peer", port));
}

#[test]
fn rclpy_on_dds_is_heard_again_after_each_crash() {
    let domain = own_domain();
    let ours = on_dds(domain);
    let node = ours.node("/car", "ours").expect("node");
    each_life_is_heard_and_hears_us(&ours, &*node, |life| Peer::ros2(domain, &format!("peer_{life}")));
}
