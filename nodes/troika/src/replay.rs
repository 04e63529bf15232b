//! `troika replay`: does the steps of a recording again and compares what they send, byte by byte.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::bail;
use serde::Serialize;
use troika_models::Store;
use troika_record::{
    BagReader, machine,
    replay::{
        self, Difference, Made, MakesNodes, NodeReport, Report, Verdict,
        about::{AboutNode, AboutRecording},
    },
};

use crate::{
    bag,
    kind::Making,
    kinds,
    run::recording,
    system::{self, Source, System},
};

/// `troika replay`.
#[derive(clap::Args)]
pub(crate) struct ReplayArguments {
    /// Recordings of `troika run --record` or `troika score --record`, or folders of them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// This node alone.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Make the nodes that are asked for with the parameters of this system file, in place of those that they had: what would have come
    /// out otherwise?
    #[arg(long, value_name = "FILE")]
    system: Option<PathBuf>,
    /// Fail too where a recording was cut, is damaged, or has no end: what is in it is compared all the same.
    #[arg(long)]
    whole: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct OfFile {
    file: String,
    #[serde(flatten)]
    report: Report,
}

/// Replays each file.
///
/// # Errors
/// A file cannot be read, or something came out otherwise, or could not be done again.
pub(crate) fn replay(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let other = arguments.system.as_deref().map(crate::load_checked).transpose()?;
    let mut all = Vec::new();
    for file in bag::files(&arguments.files)? {
        let mut reader = BagReader::open(&file)?;
        let mut makes = Makes::new(other.clone());
        let report = replay::replay(&mut reader, arguments.node.as_deref(), &mut makes);
        if !arguments.json {
            show(&file, &report);
        }
        all.push(OfFile { file: file.display().to_string(), report });
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    let nodes = || all.iter().flat_map(|of| &of.report.nodes);
    if let Some(wanted) = &arguments.node
        && nodes().next().is_none()
    {
        bail!("no node '{wanted}' is in the recording; without --node all of its nodes are replayed");
    }
    let of = |is: fn(&Verdict) -> bool| nodes().filter(|node| is(&node.verdict)).count();
    let different = of(|verdict| *verdict == Verdict::Different);
    let unfinished = of(|verdict| matches!(verdict, Verdict::UpToAHole(_) | Verdict::Failed(_)));
    if different > 0 {
        bail!("{different} of {} nodes came out otherwise", nodes().count());
    }
    if unfinished > 0 {
        bail!("{unfinished} of {} nodes could not be replayed to the end", nodes().count());
    }
    if of(|verdict| *verdict == Verdict::Identical) == 0 {
        bail!("nothing was compared");
    }
    let cut = all.iter().filter(|of| !of.report.whole).count();
    if arguments.whole && cut > 0 {
        bail!("{cut} of {} recordings are not whole", all.len());
    }
    Ok(())
}

/// Makes nodes by the system file of the recording, or by another one.
struct Makes {
    other: Option<(Source, System)>,
    recorded: Option<(Source, System)>,
    floats_may_differ: bool,
}

impl Makes {
    fn new(other: Option<(Source, System)>) -> Makes {
        Makes { other, recorded: None, floats_may_differ: false }
    }
}

impl MakesNodes for Makes {
    fn begin(&mut self, about: &AboutRecording, system: Option<&str>) -> Vec<String> {
        let mut told = Vec::new();
        let here = machine::instruction_set();
        if about.instruction_set != here {
            self.floats_may_differ = true;
            told.push(format!(
                "it ran on {}, this is {here}: floats may differ by {} of their size",
                about.instruction_set,
                troika_record::compare::TOLERANCE
            ));
        }
        let text = system.unwrap_or_default().to_owned();
        let now = recording::files(&text, |_| true);
        for (file, sha256) in &about.files {
            match now.get(file) {
                Some(here) if here == sha256 => {}
                Some(_) => {
                    told.push(format!("{file} has changed since: nodes that read it may come out otherwise"))
                }
                None => told.push(format!("{file} is not there any more")),
            }
        }
        match system::parse(&text) {
            Ok(system) => {
                self.recorded = Some((Source { path: "the recorded system".to_owned(), text }, system));
            }
            Err(problem) => told.push(format!("its system file cannot be read: {problem}")),
        }
        told
    }

    fn models(&mut self, models: &BTreeMap<String, String>) -> Vec<String> {
        let Ok(store) = kinds::models() else { return Vec::new() };
        let changed = models.iter().filter_map(|(name, sha256)| changed(&store, name, sha256));
        changed.collect()
    }

    fn make(&mut self, node: &AboutNode, asked_for: bool) -> Result<Made, String> {
        let name = node.name.rsplit('/').next().unwrap_or(&node.name);
        let other = self.other.as_ref().filter(|_| asked_for);
        let Some((source, system)) = other.or(self.recorded.as_ref()) else {
            return Err("there is no system file to make it by".to_owned());
        };
        let Some(of_file) = system.nodes.get(name) else {
            return Err(format!("{} has no node '{name}'", source.path));
        };
        let kind = of_file.get_ref().kind.get_ref();
        let kind = kinds::find(kind).ok_or_else(|| format!("there is no node kind `{kind}`"))?;
        if kind.name() != node.kind {
            return Err(format!("it was a {}, and is a {} in {}", node.kind, kind.name(), source.path));
        }
        let base = std::env::current_dir().map_err(|why| why.to_string())?;
        let made = kind.replay(&Making { text: &source.text, node: name, base });
        match made.map_err(|why| format!("{why:#}"))? {
            Some(replays) => Ok(Made::Node(replays)),
            None => {
                Ok(Made::Not("it has a device: its steps are no function of what is recorded".to_owned()))
            }
        }
    }

    fn floats_may_differ(&self) -> bool {
        self.floats_may_differ
    }
}

fn changed(store: &Store, name: &str, sha256: &str) -> Option<String> {
    let here = store.passport(name).ok().map(|passport| passport.sha256.to_string());
    let short = |sha256: &str| sha256.get(..12).unwrap_or(sha256).to_owned();
    match here {
        Some(here) if here == sha256 => None,
        Some(here) => Some(format!(
            "the model {name} was {}…, and is {}…: its nodes may come out otherwise",
            short(sha256),
            short(&here)
        )),
        None => Some(format!("there is no model {name} here")),
    }
}

fn show(file: &Path, report: &Report) {
    println!("{}", file.display());
    for notice in &report.notices {
        println!("  notice: {notice}");
    }
    for node in &report.nodes {
        println!("  {:<28}{}", node.node, line(node));
        if let Some(first) = &node.first {
            show_difference(first);
        }
    }
}

fn line(node: &NodeReport) -> String {
    let done = format!("{} steps, {} messages", node.steps, node.messages);
    let mut line = match &node.verdict {
        Verdict::Identical => format!("{done}: identical"),
        Verdict::Different => format!("{done}: {} DIFFER", node.differing),
        Verdict::UpToAHole(why) => format!("{done}: identical up to a hole in the recording: {why}"),
        Verdict::NotReplayed(why) => format!("not replayed: {why}"),
        Verdict::Failed(why) => format!("{done}: cannot be replayed: {why}"),
    };
    if node.nearly_equal > 0 {
        line += &format!("; {} within the last digits of floats", node.nearly_equal);
    }
    if node.not_recorded > 0 {
        line += &format!("; {} messages are not in the recording", node.not_recorded);
    }
    line
}

fn show_difference(first: &Difference) {
    let seconds = first.time_ns as f64 / 1e9;
    let on = if first.topic.is_empty() { String::new() } else { format!(" on {}", first.topic) };
    println!("    first at {seconds:.6} s, step {}{on}: {}", first.step, first.what);
    for field in &first.fields {
        println!("      {:<26} recorded {}  now {}", field.field, field.recorded, field.now);
    }
}
