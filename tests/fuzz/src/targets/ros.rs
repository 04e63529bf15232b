//! ROS 2's command line and parameter files.

use super::{text, told};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("ros_args", arguments, &[]).cases(4_000).longest(4 << 10),
    Target::text(
        "ros_params",
        parameters,
        &["launch/ros/*.yaml", "nodes/troika/ros-args/tests/rcl/files/*.yaml"],
    )
    .memory(1 << 20, 2_000),
];

/// A command line, one argument a line: parted into rules, parameters and the program's own, or refused with the way out.
fn arguments(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let line = std::iter::once("node").chain(text.lines()).map(Into::into);
    match troika_ros_args::read(line, |_| Err("no such file".to_owned())) {
        Ok(line) => {
            for name in ["driver_state", "a"] {
                let _ = (
                    line.ros.node_name(name),
                    line.ros.namespace(name),
                    line.ros.params(&format!("/{name}")),
                );
                if let Some((_, topic)) = line.ros.topic(name, "/car", "image", "~/image") {
                    assert!(topic.starts_with('/'), "{topic:?} is no full name");
                }
            }
            true
        }
        Err(refused) => {
            assert!(!refused.way_out.is_empty());
            told(&refused, bytes);
            false
        }
    }
}

/// A parameter file: read twice it says the same.
fn parameters(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let read = || {
        let line = ["node", "--ros-args", "--params-file", "f.yaml"].map(Into::into);
        troika_ros_args::read(line, |_| Ok(text.clone().into_owned()))
    };
    match read() {
        Ok(line) => {
            let names = ["/driver_state".to_owned()];
            let _ = (line.ros.params("/driver_state"), line.ros.misdirected(&names));
            true
        }
        Err(refused) => {
            told(&refused, bytes);
            assert_eq!(read(), Err(refused));
            false
        }
    }
}
