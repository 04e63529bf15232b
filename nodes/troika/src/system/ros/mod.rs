//! ROS 2's arguments on a system: names, topics and parameters that `--ros-args` gives are written into the system's table, so that
//! what runs is a system file like any other, and whatever is wrong is told by the argument that said so.

mod qos;
#[cfg(test)]
mod tests;

use std::ops::Range;

use toml::{Table, Value as Toml};
use troika_host::service::OF_EVERY_NODE;
use troika_ros_args::{Origin, Param, Refused, RosArgs, Value};

use super::{Problem, place, problem::nearest};
use crate::kind::Kind;

/// Parameters of this name are not the kind's, but say how its node runs.
const OURS: &str = "troika.";
/// What of a `[nodes.NAME]` table can be said as `troika.KEY` …
const OF_NODES: [&str; 7] =
    ["autostart", "cores", "level", "arena_mib", "period_ms", "deadline_ms", "budget_ms"];
/// … and of a `[processes.NAME]` table.
const OF_PROCESSES: [&str; 5] = ["lock_memory", "wake_latency_us", "floor", "nice", "watchdog"];
/// SCHED_FIFO at this priority.
const PRIORITY: &str = "priority";
const SIM_TIME: &str = "use_sim_time";

/// A system with ROS's arguments in it.
#[derive(Debug)]
pub(crate) struct Overlaid {
    /// As a system file.
    pub text: String,
    /// What was asked for and does nothing.
    pub notices: Vec<String>,
    placed: Vec<Placed>,
}

/// Something in the text that an argument put there.
#[derive(Debug)]
struct Placed {
    /// From the top: tables, then the key.
    path: Vec<String>,
    /// The argument.
    written: String,
}

/// A node while the arguments are laid on it.
struct Target {
    name: String,
    process: String,
    kind: Option<&'static dyn Kind>,
}

/// Writes `ros` into a system's table, which is sound by itself. `kinds` are the kinds there are.
///
/// # Errors
/// An argument that no system can follow.
pub(crate) fn overlay(
    mut system: Table,
    ros: &RosArgs,
    kinds: &[&'static dyn Kind],
) -> Result<Overlaid, Refused> {
    let mut notices: Vec<String> = ros.idle.iter().map(ToString::to_string).collect();
    let mut used = vec![false; ros.rules().len()];
    let mut placed = Vec::new();
    rename(&mut system, ros, &mut used)?;
    let namespace = namespace(&mut system, ros, &mut used)?;
    let targets = targets(&system, kinds);
    for target in &targets {
        services(&mut system, target, &namespace, ros, &mut used, &mut placed);
        let ports = target.kind.into_iter().flat_map(|kind| kind.inputs().iter().chain(kind.outputs()));
        for port in ports {
            let remap = at(&mut system, &["nodes", &target.name, "remap"]);
            let Some(remap) = remap else { continue };
            let topic = remap.get(port.name).and_then(Toml::as_str).unwrap_or(port.topic);
            if let Some((rule, to)) = ros.topic(&target.name, &namespace, port.name, topic) {
                used[rule] = true;
                remap.insert(port.name.to_owned(), Toml::String(to));
                let path = ["nodes", &target.name, "remap", port.name].map(str::to_owned).to_vec();
                placed.push(Placed { path, written: format!("-r {}", ros.rules()[rule].written) });
            }
        }
    }
    for (rule, _) in ros.rules().iter().zip(used).filter(|(_, used)| !used) {
        notices.push(unused(rule, &targets));
    }

    let prefix = namespace.trim_end_matches('/');
    let full_names: Vec<String> = targets.iter().map(|target| format!("{prefix}/{}", target.name)).collect();
    for argument in ros.misdirected(&full_names) {
        notices.push(format!(
            "{argument}: no node of this name in the root namespace, so it changes nothing, as in rcl; leave the node out, or \
             write {} into a parameter file",
            full_names.join(" or ")
        ));
    }
    for (target, full_name) in targets.iter().zip(&full_names) {
        parameters(&mut system, target, ros.params(full_name), &mut placed, &mut notices)?;
    }
    tidy(&mut system, &targets);
    let text = toml::to_string(&system)
        .map_err(|why| Refused::new("--ros-args", why.to_string(), "run the system without them"))?;
    Ok(Overlaid { text, notices, placed })
}

/// Rules for names that services have, too.
fn services(
    system: &mut Table,
    target: &Target,
    namespace: &str,
    ros: &RosArgs,
    used: &mut [bool],
    placed: &mut Vec<Placed>,
) {
    // One that is a program of its own serves none.
    if target.kind.is_some_and(|kind| kind.program().is_some()) {
        return;
    }
    for service in OF_EVERY_NODE {
        let Some(named) = at(system, &["nodes", &target.name, "services"]) else { return };
        let own = named.get(service).and_then(Toml::as_str);
        let full_name = match own {
            Some(own) => troika_ros_args::expand(own, &target.name, namespace),
            None => troika_ros_args::expand(&format!("~/{service}"), &target.name, namespace),
        };
        if let Some((rule, to)) = ros.service(&target.name, namespace, &full_name) {
            used[rule] = true;
            named.insert(service.to_owned(), Toml::String(to));
            let path = ["nodes", &target.name, "services", service].map(str::to_owned).to_vec();
            placed.push(Placed { path, written: format!("-r {}", ros.rules()[rule].written) });
        }
    }
}

fn targets(system: &Table, kinds: &[&'static dyn Kind]) -> Vec<Target> {
    let nodes = system.get("nodes").and_then(Toml::as_table);
    let of = |(name, node): (&String, &Toml)| {
        let word = |key: &str| node.get(key).and_then(Toml::as_str);
        Target {
            name: name.clone(),
            process: word("process").map_or_else(super::default_process, str::to_owned),
            kind: kinds.iter().copied().find(|kind| word("kind") == Some(kind.name())),
        }
    };
    nodes.into_iter().flatten().map(of).collect()
}

/// `__node`.
fn rename(system: &mut Table, ros: &RosArgs, used: &mut [bool]) -> Result<(), Refused> {
    let Some(nodes) = at(system, &["nodes"]) else { return Ok(()) };
    let mut renamed = Table::new();
    let mut names = Vec::new();
    for (name, node) in std::mem::take(nodes) {
        let to = match ros.node_name(&name) {
            Some((rule, to)) => {
                used[rule] = true;
                if let Some(_twice) = renamed.get(to) {
                    return Err(Refused::new(
                        format!("-r {}", ros.rules()[rule].written),
                        format!("gives two nodes the name {to}"),
                        "write NODE:__node:=NAME, for one node of the system",
                    ));
                }
                to.to_owned()
            }
            None => name.clone(),
        };
        names.push((name, to.clone()));
        renamed.insert(to, node);
    }
    *nodes = renamed;
    let chains = system.get_mut("chains").and_then(Toml::as_table_mut);
    for chain in chains.into_iter().flat_map(|chains| chains.iter_mut()).map(|(_, chain)| chain) {
        let members = chain.get_mut("nodes").and_then(Toml::as_array_mut);
        for member in members.into_iter().flatten() {
            if let Some((_, to)) = names.iter().find(|(from, _)| member.as_str() == Some(from)) {
                *member = Toml::String(to.clone());
            }
        }
    }
    Ok(())
}

/// `__ns`: a system has one namespace.
fn namespace(system: &mut Table, ros: &RosArgs, used: &mut [bool]) -> Result<String, Refused> {
    let names: Vec<String> =
        at(system, &["nodes"]).into_iter().flat_map(|nodes| nodes.keys().cloned()).collect();
    let Some(head) = at(system, &["system"]) else { return Ok("/".to_owned()) };
    let own = head.get("namespace").and_then(Toml::as_str).unwrap_or("/").to_owned();
    let mut given: Option<String> = None;
    for name in names {
        let found = ros.namespace(&name);
        found.iter().for_each(|(rule, _)| used[*rule] = true);
        let to = found.map_or(own.as_str(), |(_, to)| to);
        if given.as_deref().is_some_and(|other| other != to) {
            return Err(Refused::new(
                "-r NODE:__ns:=/NAMESPACE",
                "a system has one namespace",
                "write __ns:=/NAMESPACE for all of its nodes, or run the nodes one by one: troika node KIND",
            ));
        }
        given = Some(to.to_owned());
    }
    let namespace = given.unwrap_or(own);
    head.insert("namespace".to_owned(), Toml::String(namespace.clone()));
    Ok(namespace)
}

fn unused(rule: &troika_ros_args::Rule, targets: &[Target]) -> String {
    let why = if rule.is_of_services() {
        format!(
            "no node has such a service; every node has {}",
            OF_EVERY_NODE.map(|name| format!("~/{name}")).join(", ")
        )
    } else if let [Target { name, kind: Some(kind), .. }] = targets {
        let ports = kind.inputs().iter().chain(kind.outputs());
        let all: Vec<String> = ports.map(|port| format!("{} ({})", port.name, port.topic)).collect();
        format!("{name} has no such topic; it has {}", all.join(", "))
    } else {
        "no node has this name or such a topic".to_owned()
    };
    format!("-r {}: changes nothing: {why}", rule.written)
}

fn parameters(
    system: &mut Table,
    target: &Target,
    mut params: Vec<Param>,
    placed: &mut Vec<Placed>,
    notices: &mut Vec<String>,
) -> Result<(), Refused> {
    for param in params.extract_if(.., |param| param.name == SIM_TIME) {
        let path = ["system", SIM_TIME].map(str::to_owned).to_vec();
        let told = at(system, &["system"]).and_then(|head| head.get(SIM_TIME)).cloned();
        if placed.iter().any(|one| one.path == path) && told != Some(toml_of(&param.value)) {
            return Err(Refused::new(
                param.origin.to_string(),
                "a system has one time",
                "give use_sim_time to all of its nodes (/**), or run the nodes one by one: troika node KIND",
            ));
        }
        put(system, path, toml_of(&param.value), &param, placed)?;
    }
    let (qos, params): (Vec<_>, Vec<_>) =
        params.into_iter().partition(|param| param.name.starts_with(qos::OVERRIDES));
    for param in qos {
        match qos::of(&param, target, system)? {
            Some((path, value)) => put(system, path, value, &param, placed)?,
            None => notices.push(format!(
                "{}: {} has no such topic: {} changes nothing",
                param.origin, target.name, param.name
            )),
        }
    }
    let (ours, of_kind): (Vec<_>, Vec<_>) =
        params.into_iter().partition(|param| param.name.starts_with(OURS));
    for param in ours {
        put(system, own_place(&param, target)?, own_value(&param), &param, placed)?;
    }
    for param in foreign(system, target, of_kind, notices)? {
        put(system, place_of(&param, target), toml_of(&param.value), &param, placed)?;
    }
    Ok(())
}

/// Where a parameter of the kind stands.
fn place_of(param: &Param, target: &Target) -> Vec<String> {
    let head = ["nodes", &target.name, "params"].map(str::to_owned);
    head.into_iter().chain(param.name.split('.').map(str::to_owned)).collect()
}

/// Where a `troika.` parameter stands.
fn own_place(param: &Param, target: &Target) -> Result<Vec<String>, Refused> {
    let key = param.name.strip_prefix(OURS).unwrap_or_default();
    let path = if key == PRIORITY {
        ["nodes", &target.name, "sched"]
    } else if OF_NODES.contains(&key) {
        ["nodes", &target.name, key]
    } else if OF_PROCESSES.contains(&key) {
        ["processes", &target.process, key]
    } else {
        let keys = || OF_NODES.into_iter().chain(OF_PROCESSES).chain([PRIORITY]);
        let way_out = match nearest(key, keys()) {
            Some(near) => format!("did you mean {OURS}{near}?"),
            None => format!(
                "there are {}",
                keys().map(|key| format!("{OURS}{key}")).collect::<Vec<_>>().join(", ")
            ),
        };
        return Err(Refused::new(
            param.origin.to_string(),
            format!("there is no parameter {}", param.name),
            way_out,
        ));
    };
    Ok(path.map(str::to_owned).to_vec())
}

fn own_value(param: &Param) -> Toml {
    let value = toml_of(&param.value);
    match param.name.strip_prefix(OURS) {
        Some(PRIORITY) => {
            let fifo = [("policy".to_owned(), "fifo".into()), (PRIORITY.to_owned(), value)];
            Toml::Table(fifo.into_iter().collect())
        }
        _ => value,
    }
}

/// Parameters without those that a file gives to many nodes and this kind does not have: in ROS they are not declared, and pass by.
fn foreign(
    system: &Table,
    target: &Target,
    mut params: Vec<Param>,
    notices: &mut Vec<String>,
) -> Result<Vec<Param>, Refused> {
    let Some(kind) = target.kind else { return Ok(params) };
    loop {
        let (mut tried, mut placed) = (system.clone(), Vec::new());
        for param in &params {
            put(&mut tried, place_of(param, target), toml_of(&param.value), param, &mut placed)?;
        }
        let Ok(text) = toml::to_string(&tried) else { return Ok(params) };
        let Err(problem) = kind.check_params(&text, &target.name) else { return Ok(params) };
        let unknown = problem.message.starts_with("unknown field");
        let culprit = problem.span.filter(|_| unknown).and_then(|span| find(&placed, &text, &span));
        let Some(index) = culprit else { return Ok(params) };
        if !matches!(params[index].origin, Origin::File { for_all: true, .. }) {
            return Ok(params);
        }
        let param = params.remove(index);
        let near = problem.help.map_or_else(String::new, |help| format!("; {help}"));
        notices.push(format!(
            "{}: {} ({}) has no parameter {}: left to other nodes{near}",
            param.origin,
            target.name,
            kind.name(),
            param.name
        ));
    }
}

/// Writes a value where it belongs.
fn put(
    system: &mut Table,
    path: Vec<String>,
    value: Toml,
    param: &Param,
    placed: &mut Vec<Placed>,
) -> Result<(), Refused> {
    let written = param.origin.to_string();
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    let (Some((last, tables)), true) = (keys.split_last(), keys.iter().all(|key| !key.is_empty())) else {
        return Err(Refused::new(written, format!("'{}' is no parameter name", param.name), "write a.b.c"));
    };
    match at(system, tables) {
        Some(table) => table.insert((*last).to_owned(), value),
        None => {
            return Err(Refused::new(
                written,
                format!("{} stands below a name that has a value of its own", param.name),
                "give one of the two",
            ));
        }
    };
    placed.push(Placed { path, written });
    Ok(())
}

fn toml_of(value: &Value) -> Toml {
    match value {
        Value::Bool(bool) => Toml::Boolean(*bool),
        Value::Int(int) => Toml::Integer(*int),
        Value::Double(double) => Toml::Float(*double),
        Value::Text(text) => Toml::String(text.clone()),
        Value::List(values) => Toml::Array(values.iter().map(toml_of).collect()),
    }
}

/// The table of a path, made where there is none; none where something else stands.
fn at<'a>(table: &'a mut Table, path: &[&str]) -> Option<&'a mut Table> {
    path.iter().try_fold(table, |table, key| {
        table.entry((*key).to_owned()).or_insert_with(|| Toml::Table(Table::new())).as_table_mut()
    })
}

/// Takes away the empty tables of ports and services that no rule moved.
fn tidy(system: &mut Table, targets: &[Target]) {
    for target in targets {
        let Some(node) = at(system, &["nodes", &target.name]) else { continue };
        for table in ["remap", "services"] {
            if node.get(table).and_then(Toml::as_table).is_some_and(Table::is_empty) {
                node.remove(table);
            }
        }
    }
}

/// Which of the placed values stands here: its value, its key, or a name above it.
fn find(placed: &[Placed], text: &str, span: &Range<usize>) -> Option<usize> {
    let holds = |found: Option<Range<usize>>| found.is_some_and(|found| found.contains(&span.start));
    placed.iter().position(|one| {
        let path: Vec<&str> = one.path.iter().map(String::as_str).collect();
        // The first four of a parameter's path are `nodes`, the node, `params` and a name.
        let names = 4.min(path.len())..=path.len();
        holds(place::of_value(text, &path))
            // A priority is written as a table of its own.
            || holds(place::of_value(text, &[&path[..], &[PRIORITY]].concat()))
            || names.into_iter().any(|end| holds(place::of_key(text, &path[..end])))
    })
}

impl Overlaid {
    /// A problem of the text, told by the argument that it comes from, if it comes from one.
    pub(crate) fn explain(&self, problem: Problem) -> Problem {
        let there = problem.span.as_ref().and_then(|span| find(&self.placed, &self.text, span));
        // A value out of its bounds has no place; its message names it.
        let named = || {
            self.placed.iter().position(|one| {
                let last = one.path.last().map_or("", String::as_str);
                problem
                    .message
                    .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .any(|word| word == last)
            })
        };
        match there.or_else(named) {
            Some(index) => Problem {
                message: format!("{}: {}", self.placed[index].written, problem.message),
                span: None,
                ..problem
            },
            None if problem.message.contains("missing field") => Problem { span: None, ..problem }
                .help("give it: --ros-args -p NAME:=VALUE, or in a --params-file"),
            None => problem,
        }
    }
}
