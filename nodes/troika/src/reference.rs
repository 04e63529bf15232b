//! `troika reference`: topics, QoS and parameters of every kind of node, as Markdown, from what the code declares. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use troika_host::parameters::type_name;
use troika_kit::{Direction, Liveliness, PortSpec, Qos};
use troika_msgs::rcl_interfaces::{ParameterDescriptor, ParameterType, ParameterValue};

use crate::{kind::Kind, parameters::REQUIRED};

/// The page.
pub(crate) fn page(kinds: &[&'static dyn Kind]) -> String {
    let mut out = String::from(
        "# Topics, QoS and parameters\n\n`troika reference > launch/ros/REFERENCE.md` writes this page from what the code declares; a \
         test compares them. Topics are those before remapping, QoS that before `qos` and `qos_overrides`.\n",
    );
    topics(&mut out, kinds);
    of_every_node(&mut out);
    out.push_str("\n## Kinds\n");
    for kind in kinds {
        of_kind(&mut out, *kind);
    }
    out
}

#[derive(Default)]
struct Topic<'a> {
    published: Vec<String>,
    read: Vec<String>,
    ty: &'a str,
    /// Each QoS once.
    qos: Vec<String>,
}

fn topics(out: &mut String, kinds: &[&'static dyn Kind]) {
    let mut all: BTreeMap<&str, Topic<'_>> = BTreeMap::new();
    for kind in kinds {
        for spec in kind.inputs().iter().chain(kind.outputs()) {
            let topic = all.entry(spec.topic).or_default();
            topic.ty = spec.ty.name;
            let end = format!("`{}`", kind.name());
            let (ends, side) = match spec.direction {
                Direction::Out => (&mut topic.published, "offered"),
                Direction::LatestIn | Direction::EventsIn => (&mut topic.read, "asked for"),
            };
            if !ends.contains(&end) {
                ends.push(end);
            }
            let qos = format!("{side}: {}", shown(&spec.qos));
            if !topic.qos.contains(&qos) {
                topic.qos.push(qos);
            }
        }
    }
    out.push_str("\n## Topics\n\n| topic | type | published by | read by | QoS |\n|---|---|---|---|---|\n");
    for (name, Topic { published, read, ty, qos }) in all {
        let or_others =
            |ends: Vec<String>| if ends.is_empty() { "others".to_owned() } else { ends.join(", ") };
        let _ = writeln!(
            out,
            "| `{name}` | `{ty}` | {} | {} | {} |",
            or_others(published),
            or_others(read),
            qos.join("; ")
        );
    }
}

/// In ROS's words.
fn shown(qos: &Qos) -> String {
    let mut words = vec![
        if qos.reliable { "reliable" } else { "best effort" }.to_owned(),
        if qos.transient_local { "transient local" } else { "volatile" }.to_owned(),
        format!("keep last {}", qos.depth),
    ];
    let mut time = |name: &str, time: Option<std::time::Duration>| {
        words.extend(time.map(|time| format!("{name} {time:?}")));
    };
    time("deadline", qos.deadline);
    time("lifespan", qos.lifespan);
    time("lease", qos.lease);
    if qos.liveliness == Liveliness::ManualByTopic {
        words.push("manual by topic".to_owned());
    }
    words.join(", ")
}

fn of_every_node(out: &mut String) {
    out.push_str(
        "\n## Every node\n\n\
         | | |\n|---|---|\n\
         | publishes | `/rosout` (`rcl_interfaces/msg/Log`), `/parameter_events` (`rcl_interfaces/msg/ParameterEvent`), \
         `/troika/heartbeat` (`troika_msgs/msg/Heartbeat`, at least once a second), `~/transition_event` \
         (`lifecycle_msgs/msg/TransitionEvent`) |\n\
         | serves | `~/list_parameters`, `~/get_parameters`, `~/get_parameter_types`, `~/describe_parameters`, `~/set_parameters`, \
         `~/set_parameters_atomically` (`rcl_interfaces`); `~/get_state`, `~/change_state`, `~/get_available_states`, \
         `~/get_available_transitions`, `~/get_transition_graph` (`lifecycle_msgs`) |\n\
         | parameters | `use_sim_time`, `troika.class`, `troika.period_ms`, `troika.deadline_ms`, `troika.budget_ms`, `troika.policy`; \
         with levels `troika.level`, which may be set while it runs |\n",
    );
}

fn of_kind(out: &mut String, kind: &'static dyn Kind) {
    let _ = write!(out, "\n### `{}`\n\n{}.", kind.name(), capitalised(kind.summary()));
    if let Some(contract) = kind.contract() {
        let spec = contract.spec();
        let _ = write!(
            out,
            " {:?}: period {:?}, deadline {:?}, budget {:?}.",
            spec.class, spec.period, spec.deadline, spec.budget
        );
    }
    if let levels @ [_, _, ..] = kind.levels() {
        let _ = write!(out, " Levels: {}.", levels.join(", "));
    }
    out.push_str("\n\n| port | topic | type | QoS |\n|---|---|---|---|\n");
    for spec in kind.inputs().iter().chain(kind.outputs()) {
        let _ = writeln!(
            out,
            "| `{}` {} | `{}` | `{}` | {} |",
            spec.name,
            way(spec),
            spec.topic,
            spec.ty.name,
            shown(&spec.qos)
        );
    }
    let parameters = kind.parameters();
    if parameters.is_empty() {
        return;
    }
    out.push_str("\n| parameter | type | default | |\n|---|---|---|---|\n");
    for one in parameters {
        let about = &one.descriptor;
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {}{} |",
            about.name,
            type_name(about.r#type),
            value(&one.value),
            about.description.replace('\n', " ").replace('|', "\\|"),
            range(about)
        );
    }
}

fn way(spec: &PortSpec) -> &'static str {
    match spec.direction {
        Direction::Out => "out",
        Direction::LatestIn => "in, the newest",
        Direction::EventsIn => "in, each",
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn value(value: &ParameterValue) -> String {
    match value.r#type {
        ParameterType::PARAMETER_BOOL => value.bool_value.to_string(),
        ParameterType::PARAMETER_INTEGER => value.integer_value.to_string(),
        ParameterType::PARAMETER_DOUBLE => value.double_value.to_string(),
        ParameterType::PARAMETER_STRING if value.string_value == REQUIRED => "to be given".to_owned(),
        ParameterType::PARAMETER_STRING => format!("`{:?}`", value.string_value),
        ParameterType::PARAMETER_BOOL_ARRAY => format!("{:?}", value.bool_array_value),
        ParameterType::PARAMETER_INTEGER_ARRAY => format!("{:?}", value.integer_array_value),
        ParameterType::PARAMETER_DOUBLE_ARRAY => format!("{:?}", value.double_array_value),
        ParameterType::PARAMETER_STRING_ARRAY => format!("`{:?}`", value.string_array_value),
        _ => "not set".to_owned(),
    }
}

fn range(about: &ParameterDescriptor) -> String {
    let whole =
        about.integer_range.first().map(|range| format!(" ({} to {})", range.from_value, range.to_value));
    let real = about
        .floating_point_range
        .first()
        .map(|range| format!(" ({} to {})", range.from_value, range.to_value));
    let words = Some(&about.additional_constraints).filter(|words| !words.is_empty());
    whole.or(real).or(words.map(|words| format!(" ({words})"))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;

    #[test]
    fn the_page_in_the_repository_is_what_the_code_declares() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../launch/ros/REFERENCE.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == page(KINDS),
            "launch/ros/REFERENCE.md is not up to date: troika reference > launch/ros/REFERENCE.md"
        );
    }

    #[test]
    fn every_kind_tells_its_parameters() {
        for kind in KINDS.iter().filter(|kind| kind.contract().is_some()) {
            assert!(!kind.parameters().is_empty(), "{}", kind.name());
        }
    }
}
