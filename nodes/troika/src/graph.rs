//! `troika graph`: who publishes what to whom, as text, Mermaid or DOT. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use troika_kit::Direction;

use crate::{
    kind::{Kind, live_outputs},
    kinds,
    system::{
        System,
        check::{contract, topic_of},
    },
};

/// How the graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One node after the other.
    Text,
    /// For a page of documentation.
    Mermaid,
    /// For graphviz.
    Dot,
}

/// The graph of a system whose kinds are all known.
///
/// `source` is the system file's text: parameters may switch ports off.
pub(crate) fn draw(source: &str, system: &System, kinds: &[&'static dyn Kind], format: Format) -> String {
    let mut out = String::new();
    let nodes: Vec<_> = system
        .nodes
        .iter()
        .filter_map(|(name, node)| {
            let kind = kinds.iter().find(|kind| kind.name() == node.get_ref().kind.get_ref())?;
            Some((name, node.get_ref(), *kind))
        })
        .collect();
    let mut edges: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (from, from_node, from_kind) in &nodes {
        for output in live_outputs(*from_kind, source, from) {
            let topic = topic_of(from_node, output);
            let read = nodes
                .iter()
                .any(|(_, node, kind)| kind.inputs().iter().any(|input| topic_of(node, input) == topic));
            if !read {
                edges.entry((from, "others")).or_default().push(topic);
            }
            for (to, to_node, to_kind) in &nodes {
                if to_kind.inputs().iter().any(|input| topic_of(to_node, input) == topic) {
                    edges.entry((from, to)).or_default().push(topic);
                }
            }
        }
    }
    let result = match format {
        Format::Text => text(&mut out, source, system, &nodes),
        Format::Mermaid => arrows(&mut out, "flowchart LR\n", "", &edges, |from, to, topics| {
            format!("    {from} -->|{}| {to}\n", topics.join("<br/>"))
        }),
        Format::Dot => arrows(&mut out, "digraph system {\n", "}\n", &edges, |from, to, topics| {
            format!("    \"{from}\" -> \"{to}\" [label=\"{}\"];\n", topics.join("\\n"))
        }),
    };
    result.unwrap_or_default();
    out
}

fn text(
    out: &mut String,
    source: &str,
    system: &System,
    nodes: &[(&String, &crate::system::Node, &'static dyn Kind)],
) -> std::fmt::Result {
    writeln!(out, "{}: {}", system.system.name, system.system.description)?;
    if let Some(networks) = kinds::networks_on(system) {
        writeln!(out, "the detectors' networks run {}", networks.kernels())?;
    }
    for (name, node, kind) in nodes {
        writeln!(out, "\n{name} ({}, process {})", kind.name(), node.process)?;
        if let Some(contract) = contract(node, *kind).ok().flatten() {
            let spec = contract.spec();
            let policy = node
                .sched
                .as_ref()
                .map_or(String::new(), |sched| format!("; {}", sched.get_ref().policy(&contract)));
            let requirements: Vec<&str> = spec.requirements.iter().map(|one| one.id()).collect();
            writeln!(
                out,
                "    {:?}: period {:.1?}, deadline {:?}, budget {:?}{policy}{}{}",
                spec.class,
                spec.period,
                spec.deadline,
                spec.budget,
                if requirements.is_empty() { "" } else { "; carries " },
                requirements.join(" ")
            )?;
        }
        for spec in kind.inputs().iter().chain(live_outputs(*kind, source, name)) {
            let arrow = if spec.direction == Direction::Out { "->" } else { "<-" };
            writeln!(out, "    {arrow} {:<32} {}", topic_of(node, spec), spec.ty.name)?;
        }
    }
    Ok(())
}

fn arrows(
    out: &mut String,
    head: &str,
    tail: &str,
    edges: &BTreeMap<(&str, &str), Vec<&str>>,
    line: impl Fn(&str, &str, &[&str]) -> String,
) -> std::fmt::Result {
    out.write_str(head)?;
    for ((from, to), topics) in edges {
        out.write_str(&line(from, to, topics))?;
    }
    out.write_str(tail)
}
