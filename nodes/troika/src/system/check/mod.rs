//! What is wrong with a system file that reads well: unknown kinds, unsound contracts, type mismatches, and (in
//! [`scheduling`]) priorities against the contracts, cores with more work than time, chains that take longer than they may.

mod production;
mod scheduling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_spanned::Spanned;
use troika_host::service::OF_EVERY_NODE;
use troika_kit::{Class, Contract, Direction, PortSpec, TypeInfo};

use super::{Node, Problem, Process, System, TransportKind, Watchdog, params_of, place, problem::nearest};
use crate::{
    kind::{FROM_WHERE, Kind},
    transport::{MEND_NO_DDS, MEND_NO_ROS2, NO_DDS, NO_ROS2},
};

/// Everything that is wrong, errors first. `kinds` are the kinds there are, `cores` this machine's number of cores.
pub(crate) fn check(text: &str, system: &System, kinds: &[&'static dyn Kind], cores: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    let known: BTreeMap<&str, (&Spanned<Node>, &'static dyn Kind)> = system
        .nodes
        .iter()
        .filter_map(|(name, node)| {
            let wanted = node.get_ref().kind.get_ref();
            let kind = kinds.iter().copied().find(|kind| kind.name() == wanted);
            if kind.is_none() {
                problems.push(unknown_kind(&node.get_ref().kind, kinds));
            }
            kind.map(|kind| (name.as_str(), (node, kind)))
        })
        .collect();

    if known.is_empty() && problems.is_empty() {
        problems
            .push(Problem::error("the system has no nodes").help("add a [nodes.NAME] table with a `kind`"));
    }
    problems.extend(head(text, system));
    let mut contracts = BTreeMap::new();
    for (name, (node, kind)) in &known {
        problems.extend(kind.check_params(text, name).err().map(|problem| {
            let params = params_of(text, name);
            let quoted = params.as_ref().and_then(|params| place::of_quoted(params, &problem.message));
            let named = params.as_ref().and_then(|params| place::of_named(params, &problem.message));
            match (problem.span.clone(), quoted, named) {
                (Some(span), ..) => problem.at(span),
                // A value that is quoted in full is most often a file, unless it is an address.
                (_, Some(span), _) => {
                    let told = problem.message.to_lowercase();
                    let of_a_file = ["read", "open", "find", "found", "folder", "no such"]
                        .iter()
                        .any(|word| told.contains(word));
                    if problem.help.is_some() || !of_a_file || text[span.clone()].contains("://") {
                        problem.at(span)
                    } else {
                        problem.at(span).help(FROM_WHERE)
                    }
                }
                (.., Some(span)) => problem.at(span),
                // A parameter that is missing has no place of its own.
                (None, None, None) => {
                    Problem { message: format!("`{name}`: {}", problem.message), ..problem }
                        .at(node.get_ref().kind.span())
                }
            }
        }));
        problems.extend(ports(node.get_ref(), *kind));
        match contract(node.get_ref(), *kind) {
            Ok(Some(contract)) => drop(contracts.insert(*name, contract)),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
        problems.extend(scheduling::placement(text, name, node.get_ref(), *kind, cores));
    }
    problems.extend(topics(text, &system.system.from_outside, &known));
    problems.extend(links(text, system));
    problems.extend(scheduling::check(system, &known, &contracts, cores));
    problems.extend(processes(text, system, &known));
    problems.extend(production::check(text, system, &known));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}

/// The `[system]` table, and the nodes' names.
fn head(text: &str, system: &System) -> Vec<Problem> {
    let mut problems = Vec::new();
    let head = &system.system;
    let namespace = head.namespace.get_ref();
    if namespace != "/" && !valid_name(namespace) {
        problems.push(
            Problem::error(format!("`{namespace}` is no ROS 2 namespace"))
                .at(head.namespace.span())
                .help("`/`, or parts of letters, digits and _, each after a /, none starting with a digit: `/car/front`"),
        );
    }
    let share = *head.real_time_share.get_ref();
    if !(share > 0.0 && share <= 1.0) {
        problems.push(
            Problem::error("`real_time_share` is over 0 and at most 1")
                .at(head.real_time_share.span())
                .help("it is a share of one core; the transport's ordinary threads live on the rest"),
        );
    }
    if let Some(black_box) = &head.black_box
        && let Some(why) = black_box.get_ref().wrong()
    {
        let problem = Problem::error(format!("the black box cannot be kept like this: {why}"));
        problems.push(problem.at(black_box.span()).help(
            "black_box = { folder = \"FOLDER\", seconds = 60, after_s = 5, mib = 64, files = 10, raw = false }; all but the folder may be left out",
        ));
    }
    if let Some(black_box) = &head.black_box
        && let Some(why) = black_box.get_ref().unwritable()
    {
        let problem = Problem::error(format!("the black box has no place: {why}"));
        problems
            .push(problem.at(black_box.span()).help("name a folder that can be written into, or be made"));
    }
    if let (Some(key), Err(error)) = (&head.model_key, head.trusted()) {
        problems.push(Problem::error(format!("{error:#}")).at(key.span()).help(
            "`troika models keygen FILE` makes a secret key and FILE.pub, which is the one to name here",
        ));
    }
    for (name, node) in &system.nodes {
        if !valid_name(&format!("/{name}")) || name.contains('/') {
            problems.push(
                Problem::error(format!("`{name}` is no ROS 2 node name"))
                    .at(place::of_key(text, &["nodes", name]).unwrap_or(node.get_ref().kind.span()))
                    .help("letters, digits and _, not starting with a digit"),
            );
        }
    }
    if head.transport == TransportKind::Mem {
        let problem = Problem::error("the mem transport reaches one process, and `troika run` starts those of a system beside its own")
            .help("use transport = \"zenoh\" or \"dds\"; one node runs by `troika node KIND --transport mem`, a system's detectors by `troika score`");
        problems.push(match place::of_value(text, &["system", "transport"]) {
            Some(place) => problem.at(place),
            None => problem,
        });
    }
    let lacking = match head.transport {
        TransportKind::Dds if !cfg!(feature = "dds") => Some((NO_DDS, MEND_NO_DDS)),
        TransportKind::Ros2 if !cfg!(feature = "ros2") => Some((NO_ROS2, MEND_NO_ROS2)),
        _ => None,
    };
    if let Some((what, mend)) = lacking {
        let problem = Problem::error(what).help(mend);
        problems.push(match place::of_value(text, &["system", "transport"]) {
            Some(place) => problem.at(place),
            None => problem,
        });
    }
    if matches!(head.transport, TransportKind::Dds | TransportKind::Ros2) && head.shared_memory {
        let problem = Problem::warning(
            "shared memory is zenoh's: DDS and ROS 2 carry large messages as they are set up",
        )
        .help("leave `shared_memory` out, or use transport = \"zenoh\"");
        problems.push(match place::of_value(text, &["system", "shared_memory"]) {
            Some(place) => problem.at(place),
            None => problem,
        });
    }
    problems
}

/// What measures the link measures another one than the cloud is reached over.
fn links(text: &str, system: &System) -> Vec<Problem> {
    let of_kind = |kind: &'static str| {
        system.nodes.iter().filter(move |(_, node)| node.get_ref().kind.get_ref() == kind)
    };
    let mut problems = Vec::new();
    for (link, _) in of_kind("link") {
        let measured = ["nodes", link, "params", "endpoint"];
        let Some((endpoint, place)) = place::text_of(text, &measured).filter(|(one, _)| !one.is_empty())
        else {
            continue;
        };
        // Questions over a zenoh router and the outbox over HTTPS beside it go to one gateway by two ways: either stands for both.
        let to_the_gateway = of_kind("uplink").any(|(uplink, _)| {
            let url = place::text_of(text, &["nodes", uplink, "params", "cloud", "url"]);
            url.and_then(|(url, _)| host_and_port(&url))
                .is_some_and(|host| own_name(&host) == own_name(&endpoint))
        });
        for (bridge, _) in of_kind("bridge") {
            let path = ["nodes", bridge, "params", "dialogue", "cloud", "url"];
            let Some((url, _)) = place::text_of(text, &path) else { continue };
            if to_the_gateway && url.starts_with("zenoh") {
                continue;
            }
            let same = |host: &String| own_name(host) == own_name(&endpoint);
            let Some(host) = host_and_port(&url).filter(|host| !same(host)) else { continue };
            problems.push(
                Problem::warning(format!(
                    "`{link}` measures the way to {endpoint}, and `{bridge}` asks {url}"
                ))
                .at(place.clone())
                .help(format!("endpoint = {host:?}, unless another way is meant to stand for that one")),
            );
        }
    }
    problems
}

/// This machine by one of its names.
fn own_name(endpoint: &str) -> String {
    endpoint.replace("127.0.0.1:", "localhost:").replace("[::1]:", "localhost:")
}

/// `gateway.example:443` of `https://gateway.example/v1`; none of what is no address.
fn host_and_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let port = match scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (has_port, port) {
        (true, _) => Some(host.to_owned()),
        (false, port) => port.map(|port| format!("{host}:{port}")),
    }
}

fn unknown_kind(kind: &Spanned<String>, kinds: &[&'static dyn Kind]) -> Problem {
    let names = kinds.iter().map(|kind| kind.name());
    let problem = Problem::error(format!("there is no node kind `{}`", kind.get_ref())).at(kind.span());
    match nearest(kind.get_ref(), names.clone()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the kinds are {}", names.collect::<Vec<_>>().join(", "))),
    }
}

/// The kind's contract, tightened as the file says.
pub(crate) fn contract(node: &Node, kind: &dyn Kind) -> Result<Option<Contract>, Problem> {
    let Some(base) = kind.contract() else { return Ok(None) };
    for field in [&node.period_ms, &node.deadline_ms, &node.budget_ms].into_iter().flatten() {
        if !(field.get_ref().is_finite() && *field.get_ref() > 0.0) {
            return Err(Problem::error("a time is a number of milliseconds over zero").at(field.span()));
        }
    }
    let [period, deadline, budget] = node.tightened();
    base.tighten(period, deadline, budget).map(Some).map_err(|error| {
        let spec = base.spec();
        let span = [&node.deadline_ms, &node.budget_ms, &node.period_ms]
            .into_iter()
            .flatten()
            .next()
            .map_or(node.kind.span(), Spanned::span);
        Problem::error(error.to_string()).at(span).help(format!(
            "the contract of `{}`: period {:?}, deadline {:?}, budget {:?}",
            spec.node, spec.period, spec.deadline, spec.budget
        ))
    })
}

fn ports(node: &Node, kind: &dyn Kind) -> Vec<Problem> {
    let all: Vec<&PortSpec> = kind.inputs().iter().chain(kind.outputs()).collect();
    let mut problems = Vec::new();
    let named = node.remap.iter().map(|(port, topic)| (port, topic.span()));
    for (port, span) in named.chain(node.qos.iter().map(|(port, qos)| (port, qos.span()))) {
        if !all.iter().any(|spec| spec.name == port) {
            let names: Vec<_> = all.iter().map(|spec| spec.name).collect();
            let help = match nearest(port, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its ports are {}", names.join(", ")),
            };
            problems
                .push(Problem::error(format!("`{}` has no port `{port}`", kind.name())).at(span).help(help));
        }
    }
    for qos in node.qos.values() {
        for (name, ms) in qos.get_ref().times() {
            if !(0.001..=1e9).contains(ms.get_ref()) {
                problems.push(
                    Problem::error(format!("`{name}` is {} ms", ms.get_ref()))
                        .at(ms.span())
                        .help("a time of a QoS is 0.001 to 1e9 ms; leave it out for none"),
                );
            }
        }
        if let Some(depth) = qos.get_ref().depth.as_ref().filter(|depth| *depth.get_ref() == 0) {
            problems
                .push(Problem::error("`depth` is 0").at(depth.span()).help("at least one message is kept"));
        }
    }
    for (service, name) in &node.services {
        if !OF_EVERY_NODE.contains(&service.as_str()) {
            let help = match nearest(service, OF_EVERY_NODE) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("every node has {}", OF_EVERY_NODE.join(", ")),
            };
            problems.push(
                Problem::error(format!("no node has a service `{service}`")).at(name.span()).help(help),
            );
        }
    }
    let named = node.remap.values().map(|topic| ("topic", topic));
    for (what, name) in named.chain(node.services.values().map(|service| ("service", service))) {
        if !valid_name(name.get_ref()) {
            problems.push(
                Problem::error(format!("`{}` is no absolute ROS 2 {what} name", name.get_ref()))
                    .at(name.span())
                    .help(format!("a {what} starts with / and has parts of letters, digits and _, none starting with a digit")),
            );
        }
    }
    problems
}

fn valid_name(name: &str) -> bool {
    name.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with(|c: char| c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    })
}

/// The topic that a port is on.
pub(crate) fn topic_of<'a>(node: &'a Node, spec: &'a PortSpec) -> &'a str {
    node.remap.get(spec.name).map_or(spec.topic, |topic| topic.get_ref().as_str())
}

type Known<'a> = BTreeMap<&'a str, (&'a Spanned<Node>, &'static dyn Kind)>;

fn topics(text: &str, from_outside: &[Spanned<String>], known: &Known<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wanted = BTreeSet::new();
    let mut types: BTreeMap<&str, (TypeInfo, &str, &str)> = BTreeMap::new();
    let mut published: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, (node, kind)) in known {
        let silent = kind.silent(text, name);
        for spec in kind.inputs().iter().chain(kind.outputs()) {
            let topic = topic_of(node.get_ref(), spec);
            let span = node.get_ref().remap.get(spec.name).map_or(node.get_ref().kind.span(), Spanned::span);
            match types.get(topic) {
                Some((ty, other, port)) if ty.name != spec.ty.name => problems.push(
                    Problem::error(format!(
                        "type mismatch on {topic}: `{name}.{}` is {}, `{other}.{port}` is {}",
                        spec.name, spec.ty.name, ty.name
                    ))
                    .at(span)
                    .help("remap one of the two ports to another topic"),
                ),
                Some(_) => {}
                None => drop(types.insert(topic, (spec.ty, name, spec.name))),
            }
            if spec.direction == Direction::Out && !silent.contains(&spec.name) {
                published.entry(topic).or_default().push(name);
            }
        }
    }
    for (name, (node, kind)) in known {
        let silent = kind.silent(text, name);
        for spec in kind.inputs().iter().filter(|spec| !silent.contains(&spec.name)) {
            let topic = topic_of(node.get_ref(), spec);
            wanted.insert(topic);
            // Every node's host publishes its heartbeats.
            let outside = topic == troika_host::heartbeat::TOPIC
                || from_outside.iter().any(|one| one.get_ref() == topic);
            if !published.contains_key(topic) && !outside {
                problems.push(
                    Problem::warning(format!(
                        "nothing in this system publishes {topic}, which `{name}.{}` reads",
                        spec.name
                    ))
                    .at(node.get_ref().kind.span())
                    .help("another ROS 2 node must publish it (then name it in `from_outside` of [system]), or remap the port"),
                );
            }
        }
    }
    for topic in from_outside.iter().filter(|topic| !wanted.contains(topic.get_ref().as_str())) {
        problems.push(
            Problem::warning(format!("nothing in this system reads {}", topic.get_ref()))
                .at(topic.span())
                .help("`from_outside` names the topics that others publish for it"),
        );
    }
    for (topic, publishers) in published {
        // Events of several sources stand in one queue; of states, only one source's newest is the state.
        let mut readers = known.values().flat_map(|(node, kind)| {
            kind.inputs().iter().filter(move |spec| topic_of(node.get_ref(), spec) == topic)
        });
        let is_state = readers.any(|spec| spec.capacity == 1);
        if is_state && let [_, second, ..] = publishers[..] {
            problems.push(
                Problem::warning(format!(
                    "{topic} has {} publishers: {}",
                    publishers.len(),
                    publishers.join(", ")
                ))
                .at(known[second].0.get_ref().kind.span())
                .help(
                    "readers see them mixed: remap a port (remap = { port = \"/topic\" }), or remove a node",
                ),
            );
        }
    }
    problems
}

/// The process table that is meant, where there is none of this name.
fn near<'a>(system: &'a System, process: &str) -> Option<&'a str> {
    let known = system.processes.contains_key(process);
    nearest(process, system.processes.keys().map(String::as_str)).filter(|_| !known)
}

/// Ten a second: more is no restart but a loop.
const MOST_RESTARTS: u32 = 600;

fn processes(text: &str, system: &System, known: &Known<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let at = |process: &str, key: &str, table: &Spanned<Process>| {
        place::of_value(text, &["processes", process, key]).unwrap_or_else(|| table.span())
    };
    for (name, process) in &system.processes {
        if !system.nodes.values().any(|node| node.get_ref().process == *name) {
            problems.push(Problem::warning(format!("no node runs in process `{name}`")).at(process.span()));
        }
        if !(0..=19).contains(&process.get_ref().nice) {
            problems.push(Problem::error("`nice` is 0 to 19").at(at(name, "nice", process)));
        }
        if system.restarts_per_minute(name).is_some_and(|most| most > MOST_RESTARTS) {
            problems.push(
                Problem::error(format!("`restarts_per_minute` is 0 to {MOST_RESTARTS}"))
                    .at(place::of_value(text, &["processes", name, "watchdog", "restarts_per_minute"])
                        .unwrap_or_else(|| at(name, "watchdog", process)))
                    .help("a process that needs more than a few is broken, and its restarts take the machine's time; 0 is never"),
            );
        }
    }
    for (name, (node, _)) in known {
        // The default one needs no table.
        let process = node.get_ref().process.as_str();
        if let Some(near) = near(system, process)
            && let Some(written) = place::of_value(text, &["nodes", name, "process"])
        {
            problems.push(
                Problem::error(format!(
                    "`{name}` runs in process `{process}`, which has no [processes.{process}] table"
                ))
                .at(written)
                .help(format!("did you mean `{near}`? If not, add the table; it may be empty")),
            );
        }
    }
    for (process, settings) in &system.processes {
        let one = settings.get_ref();
        let Some(restarts) = one.restarts_per_minute else { continue };
        let wrong = if one.watchdog != Watchdog::Off {
            Some(("its watchdog starts it again", "write `watchdog = { restarts_per_minute = N }`"))
        } else if one.essential {
            let way_out = "write `essential = false`, or `watchdog = true`";
            Some(("the run ends when an essential process fails", way_out))
        } else if restarts > MOST_RESTARTS {
            Some(("it is 0 to 600", "a process that needs more than a few is broken"))
        } else {
            None
        };
        if let Some((why, help)) = wrong {
            problems.push(
                Problem::error(format!("process '{process}': `restarts_per_minute`: {why}"))
                    .at(at(process, "restarts_per_minute", settings))
                    .help(help),
            );
        }
    }
    for (name, (node, kind)) in known {
        let alone =
            known.values().filter(|(other, _)| other.get_ref().process == node.get_ref().process).count()
                == 1;
        let settings = system.processes.get(&node.get_ref().process);
        let of_real_time_nodes = settings.iter().flat_map(|settings| {
            let one = settings.get_ref();
            [
                ("lock_memory", one.lock_memory),
                ("wake_latency_us", one.wake_latency_us.is_some()),
                ("floor", one.floor),
                ("watchdog", one.watchdog != Watchdog::Off),
            ]
            .into_iter()
            .filter_map(move |(key, set)| set.then_some((key, settings)))
        });
        for (key, settings) in of_real_time_nodes.filter(|_| kind.program().is_some()) {
            problems.push(
                Problem::error(format!(
                    "`{name}` is a program of its own: `{key}` is for processes of real-time nodes"
                ))
                .at(at(&node.get_ref().process, key, settings))
                .help("leave it out of this process, which may have `nice` and `essential`"),
            );
        }
        let hard = kind.contract().is_some_and(|contract| contract.spec().class == Class::Hard);
        let misspelt = near(system, &node.get_ref().process).is_some();
        if hard && !misspelt && settings.is_none_or(|settings| !settings.get_ref().lock_memory) {
            let process = &node.get_ref().process;
            let place = settings.map(|settings| at(process, "lock_memory", settings));
            problems.push(
                Problem::warning(format!(
                    "`{name}` has a hard deadline, and its process `{process}` does not lock its memory: a page that is read from \
                     disk delays a step by milliseconds"
                ))
                .at(place.unwrap_or(node.get_ref().kind.span()))
                .help(format!("[processes.{process}] lock_memory = true")),
            );
        }
        if kind.program().is_some() && !alone {
            problems.push(
                Problem::error(format!(
                    "`{name}` is a program of its own and shares process `{}`",
                    node.get_ref().process
                ))
                .at(node.get_ref().kind.span())
                .help("give it a process of its own, for example process = \"voice\""),
            );
        }
    }
    problems
}
