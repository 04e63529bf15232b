//! What is wrong with a system file that reads well: unknown kinds, unsound contracts, type mismatches, priorities against
//! the contracts, cores with more work than time.

use std::collections::BTreeMap;

use serde_spanned::Spanned;
use troika_kit::{Class, Contract, Direction, PortSpec, TypeInfo};

use super::{Node, Problem, Sched, System, TransportKind, problem::nearest};
use crate::kind::Kind;

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
    let mut contracts = BTreeMap::new();
    for (name, (node, kind)) in &known {
        problems.extend(kind.check_params(text, name).err().map(|problem| {
            match problem.span {
                Some(_) => problem,
                // A parameter that is missing has no place of its own.
                None => Problem { message: format!("`{name}`: {}", problem.message), ..problem }
                    .at(node.get_ref().kind.span()),
            }
        }));
        problems.extend(ports(node.get_ref(), *kind));
        match contract(node.get_ref(), *kind) {
            Ok(Some(contract)) => drop(contracts.insert(*name, contract)),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
        problems.extend(placement(node.get_ref(), *kind, cores));
    }
    problems.extend(topics(text, &known));
    problems.extend(priorities(&known, &contracts));
    problems.extend(load(system, &known, &contracts, cores));
    problems.extend(processes(system, &known));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
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
    for (port, topic) in &node.remap {
        if !all.iter().any(|spec| spec.name == port) {
            let names: Vec<_> = all.iter().map(|spec| spec.name).collect();
            let help = match nearest(port, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its ports are {}", names.join(", ")),
            };
            problems.push(
                Problem::error(format!("`{}` has no port `{port}`", kind.name())).at(topic.span()).help(help),
            );
        }
        if !valid_topic(topic.get_ref()) {
            problems.push(
                Problem::error(format!("`{}` is no absolute ROS 2 topic name", topic.get_ref()))
                    .at(topic.span())
                    .help("a topic starts with / and has parts of letters, digits and _, none starting with a digit"),
            );
        }
    }
    problems
}

fn valid_topic(topic: &str) -> bool {
    topic.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with(|c: char| c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    })
}

fn placement(node: &Node, kind: &dyn Kind, cores: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(wanted) = &node.cores {
        if wanted.get_ref().is_empty() {
            problems.push(
                Problem::error("`cores` names no core")
                    .at(wanted.span())
                    .help("leave the key out for all cores"),
            );
        }
        for core in wanted.get_ref().iter().filter(|core| **core >= cores) {
            problems.push(
                Problem::error(format!("there is no core {core} on this machine"))
                    .at(wanted.span())
                    .help(format!("this machine has cores 0 to {}", cores.saturating_sub(1))),
            );
        }
    }
    if let Some(sched) = &node.sched {
        if let Sched::Fifo { priority } = sched.get_ref()
            && !(1..=98).contains(priority)
        {
            problems.push(
                Problem::error(format!("priority {priority} is outside 1 to 98"))
                    .at(sched.span())
                    .help("99 is the kernel's own (migration, watchdog)"),
            );
        }
        if kind.program().is_some() {
            problems.push(
                Problem::error(format!(
                    "`{}` is a program of its own and takes no scheduling policy",
                    kind.name()
                ))
                .at(sched.span())
                .help("set `nice` of its process instead"),
            );
        }
    }
    problems
}

/// The topic that a port is on.
pub(crate) fn topic_of<'a>(node: &'a Node, spec: &'a PortSpec) -> &'a str {
    node.remap.get(spec.name).map_or(spec.topic, |topic| topic.get_ref().as_str())
}

type Known<'a> = BTreeMap<&'a str, (&'a Spanned<Node>, &'static dyn Kind)>;

fn topics(text: &str, known: &Known<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
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
            if !published.contains_key(topic) {
                problems.push(
                    Problem::warning(format!(
                        "nothing in this system publishes {topic}, which `{name}.{}` reads",
                        spec.name
                    ))
                    .at(node.get_ref().kind.span())
                    .help("another ROS 2 node must publish it, or remap the port"),
                );
            }
        }
    }
    for (topic, publishers) in published {
        if let [_, second, ..] = publishers[..] {
            problems.push(
                Problem::warning(format!(
                    "{topic} has {} publishers: {}",
                    publishers.len(),
                    publishers.join(", ")
                ))
                .at(known[second].0.get_ref().kind.span())
                .help("readers see them mixed: remap a port (remap = { \"port\" = \"/topic\" }), or remove a node"),
            );
        }
    }
    problems
}

/// A nearer deadline or a harder class must not run below a looser one.
fn priorities(known: &Known<'_>, contracts: &BTreeMap<&str, Contract>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let rank = |name: &str| match known[name].0.get_ref().sched.as_ref().map(Spanned::get_ref) {
        Some(Sched::Fifo { priority }) => *priority,
        _ => 0,
    };
    for (name, contract) in contracts {
        for (other, lower) in contracts {
            let harder = contract.spec().class < lower.spec().class;
            if harder && rank(name) < rank(other) {
                problems.push(
                    Problem::error(format!(
                        "priority inversion: `{name}` ({:?}) runs at {} below `{other}` ({:?}) at {}",
                        contract.spec().class,
                        rank(name),
                        lower.spec().class,
                        rank(other)
                    ))
                    .at(known[name]
                        .0
                        .get_ref()
                        .sched
                        .as_ref()
                        .map_or(known[name].0.get_ref().kind.span(), Spanned::span))
                    .help(format!("give `{name}` a priority of at least {}", rank(other))),
                );
            }
        }
        if contract.spec().class == Class::Hard && rank(name) == 0 {
            problems.push(
                Problem::warning(format!("`{name}` has a hard deadline but runs as an ordinary thread"))
                    .at(known[name].0.get_ref().kind.span())
                    .help("give it sched = { policy = \"fifo\", priority = 80 }"),
            );
        }
    }
    problems
}

/// Budget over period, summed per core; a node on several cores counts a share on each.
fn load(
    system: &System,
    known: &Known<'_>,
    contracts: &BTreeMap<&str, Contract>,
    cores: usize,
) -> Vec<Problem> {
    let mut real_time = vec![0.0; cores];
    let mut total = vec![0.0; cores];
    for (name, contract) in contracts {
        let node = known[name].0.get_ref();
        let utilisation = contract.spec().budget.as_secs_f64() / contract.spec().period.as_secs_f64();
        let on: Vec<usize> = match &node.cores {
            Some(wanted) => wanted.get_ref().iter().copied().filter(|core| *core < cores).collect(),
            None => (0..cores).collect(),
        };
        for core in &on {
            let share = utilisation / on.len() as f64;
            total[*core] += share;
            if matches!(node.sched.as_ref().map(Spanned::get_ref), Some(Sched::Fifo { .. })) {
                real_time[*core] += share;
            }
        }
    }
    let mut problems = Vec::new();
    let allowed = system.system.real_time_share;
    for core in 0..cores {
        if real_time[core] > allowed {
            problems.push(
                Problem::error(format!(
                    "core {core} is overloaded: real-time nodes may need {:.0} % of it, {:.0} % are allowed",
                    real_time[core] * 100.0,
                    allowed * 100.0
                ))
                .help("spread the nodes with `cores`, lower a rate, or raise system.real_time_share (the transport's ordinary threads live on the rest)"),
            );
        } else if total[core] > 1.0 {
            problems.push(
                Problem::warning(format!(
                    "core {core} may be overloaded: the budgets of its nodes add up to {:.0} % of it",
                    total[core] * 100.0
                ))
                .help("nodes of class Best give way; frames may be skipped under load"),
            );
        }
    }
    problems
}

fn processes(system: &System, known: &Known<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, process) in &system.processes {
        if !system.nodes.values().any(|node| node.get_ref().process == *name) {
            problems.push(Problem::warning(format!("no node runs in process `{name}`")).at(process.span()));
        }
        if !(0..=19).contains(&process.get_ref().nice) {
            problems.push(Problem::error("`nice` is 0 to 19").at(process.span()));
        }
    }
    for (name, (node, _)) in known {
        let process = node.get_ref().process.as_str();
        let near = nearest(process, system.processes.keys().map(String::as_str));
        if let Some(near) = near.filter(|_| !system.processes.contains_key(process)) {
            problems.push(
                Problem::warning(format!(
                    "`{name}` runs in process `{process}`, which has no [processes.{process}] table"
                ))
                .at(node.get_ref().kind.span())
                .help(format!("did you mean `{near}`? If not, add the table")),
            );
        }
    }
    let mut names: Vec<&str> = known.values().map(|(node, _)| node.get_ref().process.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for (name, (node, kind)) in known {
        let alone =
            known.values().filter(|(other, _)| other.get_ref().process == node.get_ref().process).count()
                == 1;
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
    if system.system.transport == TransportKind::Mem && names.len() > 1 {
        problems.push(
            Problem::error(format!(
                "the mem transport reaches one process, the system has {}: {}",
                names.len(),
                names.join(", ")
            ))
            .help("use transport = \"zenoh\", or put every node in one process"),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::{kinds::KINDS, system::parse};

    const HEAD: &str = "[system]\nname = \"t\"\n";
    const DETECTORS: &str = "[nodes.camera]\nkind = \"sim_driver\"\nparams = { scenario = \"../../sim/scenarios/demo-30s.toml\", drives_vehicle = true }\n\
         [nodes.driver_state]\nkind = \"driver_state\"\nsched = { policy = \"fifo\", priority = 80 }\n\
         [nodes.driver_monitor]\nkind = \"driver_monitor\"\nsched = { policy = \"fifo\", priority = 81 }\n";

    fn problems(text: &str) -> Vec<Problem> {
        let text = format!("{HEAD}{text}");
        let system = parse(&text).unwrap_or_else(|problem| panic!("{problem}"));
        check(&text, &system, KINDS, 2)
    }

    /// The one error of a text, with the text that it points at.
    fn error(text: &str) -> (String, String) {
        let whole = format!("{HEAD}{text}");
        let all = problems(text);
        let errors: Vec<&Problem> =
            all.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert_eq!(errors.len(), 1, "{all:?}");
        let at = errors[0].span.clone().map_or(String::new(), |span| whole[span].to_owned());
        (errors[0].message.clone(), at)
    }

    #[test]
    fn the_detectors_behind_a_simulated_driver_are_fine() {
        let errors: Vec<_> =
            problems(DETECTORS).into_iter().filter(|one| one.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn an_unknown_kind_is_named_with_the_nearest_one() {
        let all = problems("[nodes.a]\nkind = \"driver_stat\"\n");
        assert_eq!(all[0].help.as_deref(), Some("did you mean `driver_state`?"));
    }

    #[test]
    fn an_unknown_parameter_is_found_at_its_own_line() {
        let text = DETECTORS.replace("scenario =", "scenery =");
        let (message, _) = error(&text);
        assert!(message.contains("scenery"), "{message}");
    }

    #[test]
    fn a_loosened_contract_is_refused_and_the_contract_shown() {
        let text =
            DETECTORS.replace("kind = \"driver_state\"\n", "kind = \"driver_state\"\ndeadline_ms = 50\n");
        let (message, at) = error(&text);
        assert!(message.contains("looser"), "{message}");
        assert_eq!(at, "50");
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let text =
            DETECTORS.replace("kind = \"driver_state\"\n", "kind = \"driver_state\"\nbudget_ms = -1\n");
        assert_eq!(error(&text).1, "-1");
    }

    #[test]
    fn a_port_that_is_not_there_is_named_with_the_nearest_one() {
        let text = format!("{DETECTORS}[nodes.driver_monitor.remap]\nstat = \"/x\"\n");
        let help =
            problems(&text).into_iter().find(|one| one.message.contains("no port")).and_then(|one| one.help);
        assert_eq!(help.as_deref(), Some("did you mean `state`?"));
    }

    #[test]
    fn two_types_on_one_topic_are_a_mismatch() {
        let text = format!("{DETECTORS}[nodes.driver_monitor.remap]\nstate = \"/vehicle/signals\"\n");
        let found = problems(&text);
        assert!(
            found.iter().any(|one| one.message.contains("type mismatch on /vehicle/signals")),
            "{found:?}"
        );
    }

    #[test]
    fn a_hard_node_below_a_softer_one_is_an_inversion() {
        let text = DETECTORS.replace(
            "kind = \"sim_driver\"\n",
            "kind = \"sim_driver\"\nsched = { policy = \"fifo\", priority = 90 }\ncores = [1]\n",
        );
        let found = problems(&text);
        assert!(found.iter().any(|one| one.message.starts_with("priority inversion")), "{found:?}");
    }

    #[test]
    fn one_core_for_all_real_time_nodes_is_an_overload() {
        let text = DETECTORS.replace("priority = 80 }", "priority = 80 }\ncores = [0]");
        let text = format!(
            "{text}[nodes.more]\nkind = \"driver_state\"\nsched = {{ policy = \"fifo\", priority = 79 }}\ncores = [0]\n"
        );
        let found = problems(&text);
        assert!(found.iter().any(|one| one.message.contains("core 0 is overloaded")), "{found:?}");
    }

    #[test]
    fn a_core_that_is_not_there_is_refused() {
        let text = DETECTORS.replace("priority = 80 }", "priority = 80 }\ncores = [7]");
        assert!(error(&text).0.contains("no core 7"));
    }

    #[test]
    fn mem_does_not_reach_another_process() {
        let text =
            DETECTORS.replace("kind = \"driver_state\"\n", "kind = \"driver_state\"\nprocess = \"other\"\n");
        let whole = format!("[system]\nname = \"t\"\ntransport = \"mem\"\n{text}");
        let system = parse(&whole).unwrap_or_else(|problem| panic!("{problem}"));
        let found = check(&whole, &system, KINDS, 2);
        assert!(found.iter().any(|one| one.message.contains("mem transport")), "{found:?}");
    }
}
