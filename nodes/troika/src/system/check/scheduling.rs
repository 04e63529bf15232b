//! Whether the machine can do it in time, by the contracts' budgets: places, priorities, the load of each core, the longest
//! response of each real-time node, and chains of nodes against their end-to-end goal. Nothing here is a measured worst case.

use std::{collections::BTreeMap, time::Duration};

use serde_spanned::Spanned;
use troika_kit::{Class, Contract, Wake};

use super::{Known, Node, Problem, System, topic_of};
use crate::{
    kind::Kind,
    system::{InjectKind, Sched, place::of_value},
};

/// All of it.
pub(super) fn check(
    system: &System,
    known: &Known<'_>,
    contracts: &BTreeMap<&str, Contract>,
    cores: usize,
) -> Vec<Problem> {
    let mut problems = priorities(known, contracts);
    problems.extend(load(system, known, contracts, cores));
    problems.extend(responses(known, contracts, cores));
    problems.extend(chains(system, known, contracts));
    problems
}

/// The arena's own bound ([`troika_host::ArenaAllocator`]).
const LARGEST_ARENA_MIB: usize = 127;

/// Cores, memory and policy of one node.
pub(super) fn placement(text: &str, name: &str, node: &Node, kind: &dyn Kind, cores: usize) -> Vec<Problem> {
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
    if let Some(arena) = &node.arena_mib
        && *arena.get_ref() > LARGEST_ARENA_MIB
    {
        problems.push(
            Problem::error(format!("an arena has at most {LARGEST_ARENA_MIB} MiB"))
                .at(arena.span())
                .help("it is touched and locked whole; leave the key out for what the kind needs"),
        );
    }
    if let Some(level) = &node.level
        && !kind.levels().contains(&level.get_ref().as_str())
    {
        problems.push(
            Problem::error(format!("`{}` has no level '{}'", kind.name(), level.get_ref()))
                .at(level.span())
                .help(format!(
                    "its levels are {}; leave the key out to have one chosen by the measured slack",
                    kind.levels().join(", ")
                )),
        );
    }
    if let Some(inject) = &node.inject {
        problems.push(
            Problem::warning("a fault is injected into this node: it does wrong on purpose")
                .at(inject.span())
                .help("leave `inject` out of a system that drives"),
        );
    }
    if let Some(inject) = &node.inject
        && (inject.get_ref().fault == InjectKind::Overrun) != inject.get_ref().ms.is_some_and(|ms| ms > 0)
    {
        problems.push(
            Problem::error("`ms` says how long an overrun computes, and nothing else")
                .at(inject.span())
                .help(
                    "inject = { fault = \"overrun\", ms = 40, at_step = 100 }; the other faults have no `ms`",
                ),
        );
    }
    let Some(sched) = &node.sched else { return problems };
    match sched.get_ref() {
        Sched::Fifo { priority } if !(1..=98).contains(priority) => problems.push(
            Problem::error(format!("priority {priority} is outside 1 to 98"))
                .at(of_value(text, &["nodes", name, "sched", "priority"]).unwrap_or_else(|| sched.span()))
                .help("99 is the kernel's own (migration, watchdog)"),
        ),
        Sched::Deadline { .. } if node.cores.is_some() => problems.push(
            Problem::error("policy \"deadline\" and `cores` exclude each other")
                .at(sched.span())
                .help("the kernel spreads deadline threads over all cores: leave `cores` out, or take policy \"fifo\""),
        ),
        sched_of @ Sched::Deadline { .. } => {
            if let Some(contract) = kind.contract()
                && let Some(wrong) = unsound(sched_of, &contract)
            {
                problems.push(Problem::error(wrong).at(sched.span()).help(
                    "0 < runtime_ms <= deadline_ms <= period_ms; left out, they are the contract's budget, deadline and period",
                ));
            }
        }
        Sched::Fifo { .. } | Sched::Other {} => {}
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
    problems
}

fn unsound(sched: &Sched, contract: &Contract) -> Option<String> {
    let [runtime, deadline, period] = sched.reservation(contract)?;
    let sound = !runtime.is_zero() && runtime <= deadline && deadline <= period;
    (!sound)
        .then(|| format!("a reservation of {runtime:?} of every {period:?} within {deadline:?} is unsound"))
}

fn sched_of(node: &Node) -> Option<&Sched> {
    node.sched.as_ref().map(Spanned::get_ref)
}

/// Who runs first: deadline threads above every FIFO thread, ordinary ones below.
fn rank(node: &Node) -> u8 {
    match sched_of(node) {
        Some(Sched::Deadline { .. }) => 100,
        Some(Sched::Fifo { priority }) => *priority,
        Some(Sched::Other {}) | None => 0,
    }
}

fn place(node: &Spanned<Node>) -> std::ops::Range<usize> {
    let node = node.get_ref();
    node.sched.as_ref().map_or(node.kind.span(), Spanned::span)
}

/// A harder class must not run below a softer one, and of two alike the nearer deadline runs first (deadline-monotonic order,
/// the best of all fixed orders when deadlines lie within periods: Leung and Whitehead 1982).
fn priorities(known: &Known<'_>, contracts: &BTreeMap<&str, Contract>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, contract) in contracts {
        let (mine, node) = (contract.spec(), known[name].0);
        let my_rank = rank(node.get_ref());
        for (other, lower) in contracts {
            let (theirs, their_rank) = (lower.spec(), rank(known[other].0.get_ref()));
            if mine.class < theirs.class && my_rank < their_rank {
                problems.push(
                    Problem::error(format!(
                        "priority inversion: `{name}` ({:?}) runs at {my_rank} below `{other}` ({:?}) at {their_rank}",
                        mine.class, theirs.class,
                    ))
                    .at(place(node))
                    .help(format!("give `{name}` a priority of at least {their_rank}")),
                );
            }
            let both_fifo = (1..100).contains(&my_rank) && (1..100).contains(&their_rank);
            if mine.class == theirs.class
                && both_fifo
                && mine.deadline < theirs.deadline
                && my_rank <= their_rank
            {
                let how = if my_rank < their_rank { "below" } else { "beside" };
                problems.push(
                    Problem::warning(format!(
                        "`{name}` has the nearer deadline ({:?}) and runs at {my_rank} {how} `{other}` ({:?}) at {their_rank}",
                        mine.deadline, theirs.deadline
                    ))
                    .at(place(node))
                    .help("the nearer deadline gets the higher priority"),
                );
            }
        }
        if mine.class == Class::Hard && my_rank == 0 {
            problems.push(
                Problem::warning(format!("`{name}` has a hard deadline but runs as an ordinary thread"))
                    .at(node.get_ref().kind.span())
                    .help("give it sched = { policy = \"fifo\", priority = 80 }"),
            );
        }
    }
    problems
}

/// The cores that a node may run on.
fn cores_of(node: &Node, cores: usize) -> Vec<usize> {
    match &node.cores {
        Some(wanted) => wanted.get_ref().iter().copied().filter(|core| *core < cores).collect(),
        None => (0..cores).collect(),
    }
}

/// What a node may need of a core.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Need<'a> {
    node: &'a str,
    share: f64,
    real_time: bool,
}

/// Budget over period, summed per core; a node on several cores counts a share on each.
fn load(
    system: &System,
    known: &Known<'_>,
    contracts: &BTreeMap<&str, Contract>,
    cores: usize,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut needs: Vec<Vec<Need<'_>>> = vec![Vec::new(); cores];
    for (name, contract) in contracts {
        let node = known[name].0.get_ref();
        let reserved = sched_of(node).and_then(|sched| sched.reservation(contract));
        let (time, period) = match reserved {
            Some([runtime, _, period]) => (runtime, period),
            None => (contract.spec().budget, contract.spec().period),
        };
        let utilisation = time.as_secs_f64() / period.as_secs_f64();
        let on = cores_of(node, cores);
        for core in &on {
            let share = utilisation / on.len() as f64;
            needs[*core].push(Need { node: name, share, real_time: rank(node) > 0 });
        }
    }
    let allowed = *system.system.real_time_share.get_ref();
    // Nodes that may run anywhere make cores alike: told once.
    let mut told: Vec<(Vec<usize>, &[Need<'_>])> = Vec::new();
    for (core, needs) in needs.iter().enumerate() {
        match told.iter_mut().find(|(_, others)| others == needs) {
            Some((cores, _)) => cores.push(core),
            None => told.push((vec![core], needs)),
        }
    }
    for (on, needs) in told {
        let real_time: f64 = needs.iter().filter(|need| need.real_time).map(|need| need.share).sum();
        let total: f64 = needs.iter().map(|need| need.share).sum();
        let overloaded = real_time > allowed;
        if !overloaded && total <= 1.0 {
            continue;
        }
        let mut most: Vec<&Need<'_>> = needs.iter().filter(|need| !overloaded || need.real_time).collect();
        most.sort_by(|a, b| b.share.total_cmp(&a.share));
        let of: Vec<String> =
            most.iter().map(|need| format!("{} {:.0} %", need.node, need.share * 100.0)).collect();
        let which = match &on[..] {
            [one] => format!("core {one}"),
            several => format!("each of the cores {several:?}"),
        };
        let problem = if overloaded {
            Problem::error(format!(
                "{which} is overloaded: real-time nodes may need {:.0} % of it, {:.0} % are allowed: {}",
                real_time * 100.0,
                allowed * 100.0,
                of.join(", ")
            ))
            .help("spread the nodes with `cores`, lower a rate, or raise system.real_time_share (the transport's ordinary threads live on the rest)")
        } else {
            Problem::warning(format!(
                "{which} may be overloaded: the budgets of its nodes add up to {:.0} % of it: {}",
                total * 100.0,
                of.join(", ")
            ))
            .help("ordinary nodes give way; frames may be skipped under load. A node that never takes its budget may be given a smaller `budget_ms`")
        };
        problems.push(problem.at(place(known[most[0].node].0)));
    }
    problems
}

/// One real-time node, for the analysis of responses.
struct Task {
    budget: Duration,
    deadline: Duration,
    period: Duration,
}

/// FIFO nodes whose longest response, by the budgets, is over their deadline.
fn responses(known: &Known<'_>, contracts: &BTreeMap<&str, Contract>, cores: usize) -> Vec<Problem> {
    let task = |contract: &Contract| {
        let spec = contract.spec();
        Task { budget: spec.budget, deadline: spec.deadline, period: spec.period }
    };
    let mut problems = Vec::new();
    for (name, contract) in contracts {
        let node = known[name].0;
        let (mine, on) = (rank(node.get_ref()), cores_of(node.get_ref(), cores));
        if !(1..100).contains(&mine) || on.is_empty() {
            continue;
        }
        let before: Vec<(&str, Task)> = contracts
            .iter()
            .filter(|(other, _)| {
                let theirs = known[*other].0.get_ref();
                // Of equal priority, the other may have come first.
                *other != name
                    && rank(theirs) >= mine
                    && cores_of(theirs, cores).iter().any(|core| on.contains(core))
            })
            .map(|(other, contract)| (*other, task(contract)))
            .collect();
        let tasks: Vec<&Task> = before.iter().map(|(_, task)| task).collect();
        let own = task(contract);
        if response(&own, &tasks, on.len()).is_none() {
            let names: Vec<_> = before.iter().map(|(name, _)| format!("`{name}`")).collect();
            problems.push(
                Problem::warning(format!(
                    "`{name}` may miss its deadline of {:?}: its budget is {:?}, and {} run before it on the same cores",
                    own.deadline,
                    own.budget,
                    names.join(", ")
                ))
                .at(place(node))
                .help("give them cores of their own with `cores`, or tighten a budget that is never used with `budget_ms`"),
            );
        }
    }
    problems
}

/// The longest time from release to end on `cores` cores with these nodes before it; `None` when that is over the deadline.
///
/// On one core the exact analysis (Joseph and Pandya 1986); on several that of Bertogna and Cirinei (RTSS 2007), which is an
/// upper bound: each of the others is counted with what it may carry in, and no more of it than the time that it can stand in
/// the way.
fn response(own: &Task, before: &[&Task], cores: usize) -> Option<Duration> {
    let mut longest = own.budget;
    loop {
        let in_the_way = if cores == 1 {
            before.iter().map(|task| task.budget * ceiling(longest, task.period)).sum()
        } else {
            let most = longest.saturating_sub(own.budget) + Duration::from_nanos(1);
            let sum: Duration = before.iter().map(|task| workload(task, longest).min(most)).sum();
            sum / cores as u32
        };
        let next = own.budget + in_the_way;
        if next > own.deadline {
            return None;
        }
        if next <= longest {
            return Some(longest);
        }
        longest = next;
    }
}

fn ceiling(time: Duration, period: Duration) -> u32 {
    time.as_nanos().div_ceil(period.as_nanos()) as u32
}

/// What a node may execute within a window, with what it carries in.
fn workload(task: &Task, window: Duration) -> Duration {
    let reach = window + task.deadline - task.budget;
    let whole = (reach.as_nanos() / task.period.as_nanos()) as u32;
    task.budget * whole + task.budget.min(reach - task.period * whole)
}

/// Chains: each node reads what the one before it publishes, and the sum of what each may take is within the goal.
fn chains(system: &System, known: &Known<'_>, contracts: &BTreeMap<&str, Contract>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for chain in system.chains.values() {
        let (place, chain) = (chain.get_ref().nodes.span(), chain.get_ref());
        let names: Vec<&str> = chain.nodes.get_ref().iter().map(String::as_str).collect();
        if names.len() < 2 {
            problems.push(
                Problem::error("a chain has two nodes at least")
                    .at(place)
                    .help("name the nodes that a message passes through, in order; or leave the chain out"),
            );
            continue;
        }
        if let Some(missing) = names.iter().find(|name| !system.nodes.contains_key(**name)) {
            problems.push(
                Problem::error(format!("the chain names `{missing}`, which is no node of this system"))
                    .at(place)
                    .help(format!(
                        "the nodes are {}",
                        system.nodes.keys().cloned().collect::<Vec<_>>().join(", ")
                    )),
            );
            continue;
        }
        for pair in names.windows(2) {
            let (Some((from, from_kind)), Some((to, to_kind))) = (known.get(pair[0]), known.get(pair[1]))
            else {
                continue;
            };
            let published: Vec<&str> =
                from_kind.outputs().iter().map(|spec| topic_of(from.get_ref(), spec)).collect();
            if !to_kind.inputs().iter().any(|spec| published.contains(&topic_of(to.get_ref(), spec))) {
                problems.push(
                    Problem::error(format!("`{}` reads nothing that `{}` publishes", pair[1], pair[0]))
                        .at(place.clone())
                        .help("a chain follows the messages: `troika graph` draws them"),
                );
            }
        }
        let goal = Duration::try_from_secs_f64(chain.goal_ms.get_ref() / 1000.0).unwrap_or_default();
        if goal.is_zero() {
            problems.push(
                Problem::error("a goal is a number of milliseconds over zero").at(chain.goal_ms.span()),
            );
            continue;
        }
        let takes: Duration = names
            .iter()
            .enumerate()
            .filter_map(|(place, name)| Some(longest_of(place, contracts.get(name)?)))
            .sum();
        if takes > goal {
            problems.push(
                Problem::error(format!(
                    "the chain may take {takes:?} by its nodes' contracts, its goal is {goal:?}"
                ))
                .at(chain.goal_ms.span())
                .help("tighten `deadline_ms` (or `period_ms`, for a node that runs by the clock) of its nodes, or raise the goal; transport comes on top"),
            );
        }
    }
    problems
}

/// What a node may add to a chain: its deadline; and a period more when it looks by the clock and not at each message, except
/// for the first, whose release begins the chain.
fn longest_of(place: usize, contract: &Contract) -> Duration {
    let spec = contract.spec();
    match spec.wake {
        Wake::Period if place > 0 => spec.period + spec.deadline,
        Wake::Period | Wake::Input(_) => spec.deadline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(budget: u64, deadline: u64, period: u64) -> Task {
        let ms = Duration::from_millis;
        Task { budget: ms(budget), deadline: ms(deadline), period: ms(period) }
    }

    #[test]
    fn on_one_core_the_response_is_the_textbooks() {
        // Liu and Layland's classic: C = 1, 2, 3; T = 4, 6, 13: the third ends at 10.
        let (first, second, third) = (task(1, 4, 4), task(2, 6, 6), task(3, 13, 13));
        assert_eq!(response(&first, &[], 1), Some(Duration::from_millis(1)));
        assert_eq!(response(&second, &[&first], 1), Some(Duration::from_millis(3)));
        assert_eq!(response(&third, &[&first, &second], 1), Some(Duration::from_millis(10)));
        assert_eq!(response(&task(3, 9, 13), &[&first, &second], 1), None, "one less is too little");
    }

    #[test]
    fn a_node_with_a_core_to_spare_is_less_in_the_way() {
        let (detector, gesture) = (task(25, 33, 33), task(20, 33, 33));
        assert_eq!(response(&gesture, &[&detector], 1), None);
        assert!(response(&gesture, &[&detector], 2).is_some());
        assert_eq!(response(&gesture, &[&detector, &detector, &detector], 2), None);
    }
}
