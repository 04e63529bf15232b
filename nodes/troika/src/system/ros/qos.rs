//! ROS's QoS overrides, `qos_overrides.TOPIC.publisher|subscription.POLICY` (rclcpp, "QoS overriding options"; times in nanoseconds),
//! as the table that a system file has for them.

use toml::{Table, Value as Toml};
use troika_kit::Direction;
use troika_ros_args::{Param, Refused, Value};

use super::{Target, at, toml_of};
use crate::system::problem::nearest;

/// Before all of them.
pub(super) const OVERRIDES: &str = "qos_overrides.";

/// ROS's policies, and the keys that they have here.
const POLICIES: [(&str, &str); 7] = [
    ("reliability", "reliability"),
    ("durability", "durability"),
    ("depth", "depth"),
    ("deadline", "deadline_ms"),
    ("lifespan", "lifespan_ms"),
    ("liveliness", "liveliness"),
    ("liveliness_lease_duration", "liveliness_lease_ms"),
];

/// Where one of them stands and what it says there; none when the node has no such topic.
pub(super) fn of(
    param: &Param,
    target: &Target,
    system: &mut Table,
) -> Result<Option<(Vec<String>, Toml)>, Refused> {
    let refuse = |why: String, way_out: String| Err(Refused::new(param.origin.to_string(), why, way_out));
    let rest = param.name.strip_prefix(OVERRIDES).unwrap_or_default();
    let mut parts = rest.rsplitn(3, '.');
    let (Some(policy), Some(entity), Some(topic)) = (parts.next(), parts.next(), parts.next()) else {
        let way_out = format!("write {OVERRIDES}/TOPIC.subscription.deadline");
        return refuse(format!("'{}' is no QoS override", param.name), way_out);
    };
    // Several of one topic are told apart by an id, which nodes here have no need for.
    let publishes = match entity.split('_').next() {
        Some("publisher") => true,
        Some("subscription") => false,
        _ => {
            return refuse(
                format!("'{entity}' is no end of a topic"),
                "write publisher or subscription".into(),
            );
        }
    };
    let Some((_, key)) = POLICIES.iter().find(|(name, _)| *name == policy) else {
        let names = POLICIES.map(|(name, _)| name);
        let way_out = match nearest(policy, names) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", names.join(", ")),
        };
        return refuse(format!("there is no QoS policy '{policy}' to override"), way_out);
    };
    let value = match &param.value {
        Value::Int(nanoseconds) if key.ends_with("_ms") => Toml::Float(*nanoseconds as f64 / 1e6),
        other => toml_of(other),
    };
    let Some(kind) = target.kind else { return Ok(None) };
    let remap = at(system, &["nodes", &target.name, "remap"]).map(|table| table.clone()).unwrap_or_default();
    let mut ports = kind.inputs().iter().chain(kind.outputs());
    let port = ports.find(|port| {
        let of_port = remap.get(port.name).and_then(Toml::as_str).unwrap_or(port.topic);
        of_port == topic && publishes == (port.direction == Direction::Out)
    });
    Ok(port.map(|port| (["nodes", &target.name, "qos", port.name, key].map(str::to_owned).to_vec(), value)))
}
