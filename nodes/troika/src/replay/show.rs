//! What a replay found, for a person.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;
use troika_kit::counted;
use troika_record::replay::{Difference, NodeReport, OfTopic, Report, Verdict};

/// A recording, node by node.
pub(super) fn show(file: &Path, report: &Report, changed: &BTreeMap<String, Vec<String>>) {
    println!("{}", file.display());
    for notice in &report.notices {
        println!("  notice: {notice}");
    }
    for node in &report.nodes {
        println!("  {:<28}{}", node.node, line(node));
        if let Some(changed) = changed.get(&node.node) {
            println!("    {}", parameters(changed, &node.verdict));
        }
        for (topic, of) in &node.topics {
            println!("    {}", counts(topic, of));
            of.first.iter().for_each(show_difference);
        }
    }
}

/// What another system file did to a node.
pub(super) fn parameters(changed: &[String], verdict: &Verdict) -> String {
    let came = match verdict {
        _ if changed.is_empty() => {
            return "its parameters are those that it had: --system changes nothing of it".to_owned();
        }
        Verdict::Identical => "changed nothing that it sends",
        _ => "as asked for",
    };
    format!("its parameters, {came}: {}", changed.join("; "))
}

fn line(node: &NodeReport) -> String {
    let done = format!("{}, {}", counted(node.steps, "step"), counted(node.messages, "message"));
    let mut line = match &node.verdict {
        Verdict::Identical => format!("{done}: identical"),
        Verdict::Different => format!("{done}: {} DIFFER", node.differing),
        Verdict::UpToAHole(why) => format!("{done}: identical up to a hole in the recording: {why}"),
        Verdict::NotReplayed(why) => format!("not replayed: {why}"),
        Verdict::LeftOut(why) if node.steps == 0 => format!("NOT COMPARED: {why}"),
        Verdict::LeftOut(why) => format!("{done}: identical up to there, the rest NOT COMPARED: {why}"),
        Verdict::Failed(why) => format!("{done}: cannot be replayed: {why}"),
    };
    if node.nearly_equal > 0 {
        line += &format!("; {} within the last digits of floats", node.nearly_equal);
    }
    if node.not_recorded > 0 {
        line += &format!("; {}", unsent(node));
    }
    line
}

/// What differs on a topic, in numbers.
fn counts(topic: &str, of: &OfTopic) -> String {
    let what = [(of.changed, "changed"), (of.added, "added"), (of.gone, "gone")];
    let told: Vec<String> =
        what.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let topic = if topic.is_empty() { "outcomes of steps" } else { topic };
    format!("{topic}: {}", told.join(", "))
}

/// Why messages are not in the recording, on which topics, and what would have them in it.
fn unsent(node: &NodeReport) -> String {
    let (are, they) = if node.not_recorded == 1 { ("is", "it was") } else { ("are", "they were") };
    let on: Vec<String> =
        node.unsent_on.iter().map(|(topic, number)| format!("{number} on {topic}")).collect();
    let on = if on.is_empty() { String::new() } else { format!(" ({})", on.join(", ")) };
    format!(
        "{}{on} {are} not in the recording: {they} never sent, because the transport had not taken those before, or found no room in \
         the recorder's queue (a notice tells then); record again with less to do on the machine, or without --raw, to have all compared",
        counted(node.not_recorded, "message")
    )
}

fn show_difference(first: &Difference) {
    let (since, seconds) = (first.since_start_s, first.time_ns as f64 / 1e9);
    println!(
        "      first at {since:.6} s of the recording ({seconds:.6}), step {}: {}",
        first.step, first.what
    );
    for field in &first.fields {
        let side = |name: &str, value: &Option<Value>, words: &Option<String>| {
            let words = words.as_ref().map_or(String::new(), |words| format!(" ({words})"));
            value.as_ref().map(|value| format!("{name} {value}{words}"))
        };
        let sides =
            [side("recorded", &field.recorded, &field.recorded_is), side("now", &field.now, &field.now_is)];
        println!(
            "        {:<26} {}",
            field.field,
            sides.into_iter().flatten().collect::<Vec<_>>().join("  ")
        );
    }
}

/// What was compared, and what was not: the last line.
pub(super) fn summary<'r>(nodes: impl Iterator<Item = &'r NodeReport> + Clone) -> String {
    let named = |is: &dyn Fn(&Verdict) -> bool| -> Vec<&str> {
        nodes.clone().filter(|node| is(&node.verdict)).map(|node| node.node.as_str()).collect()
    };
    // Of a folder's files each may have the same nodes.
    let part = |what: &str, names: Vec<&str>| {
        let mut told: Vec<(&str, usize)> = Vec::new();
        for name in &names {
            match told.iter_mut().find(|(known, _)| known == name) {
                Some((_, times)) => *times += 1,
                None => told.push((name, 1)),
            }
        }
        let told = told.iter().map(|(name, times)| match times {
            1 => (*name).to_owned(),
            times => format!("{name} in {times} files"),
        });
        (!names.is_empty())
            .then(|| format!("{} {what}: {}", names.len(), told.collect::<Vec<_>>().join(", ")))
    };
    let identical = named(&|verdict| *verdict == Verdict::Identical);
    let parts = [
        Some(format!("{} identical", identical.len())),
        part("came out otherwise", named(&|verdict| *verdict == Verdict::Different)),
        part(
            "not replayed to the end",
            named(&|verdict| matches!(verdict, Verdict::UpToAHole(_) | Verdict::Failed(_))),
        ),
        part(
            "NOT COMPARED, for want of what they saw (--raw records it)",
            named(&|verdict| matches!(verdict, Verdict::LeftOut(_))),
        ),
        part(
            "not compared, for the reason told with each",
            named(&|verdict| matches!(verdict, Verdict::NotReplayed(_))),
        ),
    ];
    let all = counted(nodes.clone().count(), "node");
    format!("{all}: {}", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_compared_is_told_in_the_last_line_and_what_differs_by_topic() {
        let node = |name: &str, verdict| NodeReport::new(name, "", verdict);
        let left_out = node("/driver_state", Verdict::LeftOut("no picture".into()));
        assert_eq!(line(&left_out), "NOT COMPARED: no picture");
        let nodes = [
            node("/driver_monitor", Verdict::Identical),
            left_out,
            node("/camera", Verdict::NotReplayed("a device".into())),
        ];
        let twice =
            [node("/speech", Verdict::NotReplayed("a device".into())), nodes[2].clone(), nodes[2].clone()];
        assert!(
            summary(twice.iter()).ends_with(": /speech, /camera in 2 files"),
            "{}",
            summary(twice.iter())
        );
        assert_eq!(
            summary(nodes.iter()),
            "3 nodes: 1 identical; 1 NOT COMPARED, for want of what they saw (--raw records it): /driver_state; \
             1 not compared, for the reason told with each: /camera"
        );
        let of = OfTopic { changed: 3, gone: 1, ..OfTopic::default() };
        assert_eq!(counts("/a", &of), "/a: 3 changed, 1 gone");
    }

    #[test]
    fn messages_that_are_not_in_the_recording_are_told_with_topic_and_reason() {
        let node = NodeReport {
            node: "/camera".into(),
            kind: "sim_driver".into(),
            verdict: Verdict::Identical,
            steps: 1,
            messages: 2,
            differing: 0,
            nearly_equal: 0,
            not_recorded: 21,
            unsent_on: BTreeMap::from([("/cabin/camera/image_raw".to_owned(), 21)]),
            first: None,
            topics: BTreeMap::new(),
        };
        let told = line(&node);
        assert!(
            told.starts_with(
                "1 step, 2 messages: identical; 21 messages (21 on /cabin/camera/image_raw) are not"
            ),
            "{told}"
        );
        assert!(told.contains("never sent") && told.contains("less to do"), "{told}");
    }
}
