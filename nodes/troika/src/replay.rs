//! `troika replay`: does the steps of a recording again and compares what they send, byte by byte.

mod show;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::bail;
use serde::Serialize;
use troika_kit::counted;
use troika_models::Store;
use troika_record::{
    BagReader,
    bag::channels,
    machine,
    replay::{
        self, Beside, Made, MakesNodes, Report, Verdict,
        about::{AboutNode, AboutRecording},
    },
    step,
};

use crate::{
    bag,
    kind::Making,
    kinds,
    run::recording,
    status_line::StatusLine,
    system::{self, Source, System, problem::nearest},
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
    /// Fail too where a node was not compared, or not to the end, because the recording lacks what it saw (pictures, without --raw).
    #[arg(long)]
    strict: bool,
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
    let mut recorded = BTreeSet::new();
    let files = bag::files(&arguments.files)?;
    for file in &files {
        if let Some(wanted) = &arguments.node {
            let nodes = nodes_of(file)?;
            let has = nodes.iter().any(|node| is_called(node, wanted));
            recorded.extend(nodes);
            // Nobody waits for pictures that nobody looks at.
            if !has {
                if !arguments.json {
                    println!("{}\n  no step of a node '{wanted}' is in it", file.display());
                }
                continue;
            }
        }
        let mut reader = BagReader::open(file)?;
        let mut makes = Makes::new(other.clone(), arguments.node.clone());
        makes.progress = Some(Progress::new(file));
        let mut others: Vec<_> = beside(file, &files)
            .into_iter()
            .filter_map(|file| Some((BagReader::open(&file).ok()?, Makes::new(None, None), file)))
            .collect();
        let others = others.iter_mut().map(|(bag, makes, file)| Beside {
            name: file.display().to_string(),
            bag,
            makes,
        });
        let node = arguments.node.as_deref();
        let report = replay::replay_beside(&mut reader, others.collect(), node, &mut makes);
        makes.progress = None;
        if !arguments.json {
            show::show(file, &report, &makes.changed);
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
        let near = nearest(wanted, recorded.iter().map(|node| last_part(node)));
        let near = near.map_or(String::new(), |near| format!(" (did you mean {near}?)"));
        bail!("no node '{wanted}' is in the recording{near}; without --node all of its nodes are replayed");
    }
    if !arguments.json {
        println!("{}", show::summary(nodes()));
    }
    let of = |is: fn(&Verdict) -> bool| nodes().filter(|node| is(&node.verdict)).count();
    let different = of(|verdict| *verdict == Verdict::Different);
    let unfinished = of(|verdict| matches!(verdict, Verdict::UpToAHole(_) | Verdict::Failed(_)));
    if different > 0 {
        bail!("{different} of {} came out otherwise", counted(nodes().count(), "node"));
    }
    if unfinished > 0 {
        bail!("{unfinished} of {} could not be replayed to the end", counted(nodes().count(), "node"));
    }
    if of(|verdict| *verdict == Verdict::Identical) == 0 {
        bail!("no node was compared to its end");
    }
    if nodes().map(|node| node.messages).sum::<u64>() == 0 {
        bail!("no message was compared");
    }
    let left_out = of(|verdict| matches!(verdict, Verdict::LeftOut(_)));
    if arguments.strict && left_out > 0 {
        bail!(
            "{left_out} of {} could not be compared, for want of what the recording leaves out",
            counted(nodes().count(), "node")
        );
    }
    let cut = all.iter().filter(|of| !of.report.whole).count();
    if arguments.whole && cut > 0 {
        bail!(
            "{cut} of {} {} not whole",
            counted(all.len(), "recording"),
            if cut == 1 { "is" } else { "are" }
        );
    }
    Ok(())
}

/// Recordings that may have what this one lacks: the others that were named, and those in its folder.
fn beside(file: &Path, named: &[PathBuf]) -> Vec<PathBuf> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut others = named.to_vec();
    others.extend(bag::files(&[folder.to_owned()]).unwrap_or_default());
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut seen = BTreeSet::from([whole(file)]);
    others.retain(|other| seen.insert(whole(other)));
    others
}

/// The nodes of which a recording has steps.
fn nodes_of(file: &Path) -> anyhow::Result<Vec<String>> {
    let all = channels(file)?;
    Ok(all.iter().filter_map(|channel| step::node_of(&channel.topic)).map(str::to_owned).collect())
}

fn last_part(node: &str) -> &str {
    node.rsplit('/').next().unwrap_or(node)
}

/// By its full name, or by the last part of it.
fn is_called(node: &str, wanted: &str) -> bool {
    node == wanted || last_part(node) == wanted
}

/// The parameters in which two system files differ for a node: `name: 1 then, 2 now`.
fn changed_parameters(node: &str, then: &str, now: &str) -> Vec<String> {
    let of = |text: &str| {
        let mut found = BTreeMap::new();
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        let params = table.get("nodes").and_then(|nodes| nodes.get(node)).and_then(|node| node.get("params"));
        if let Some(params) = params {
            leaves("", params, &mut found);
        }
        found
    };
    let (then, now) = (of(then), of(now));
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let side = |all: &BTreeMap<String, String>, name: &String| {
        all.get(name).cloned().unwrap_or_else(|| "not given".to_owned())
    };
    names
        .into_iter()
        .filter(|name| then.get(*name) != now.get(*name))
        .map(|name| format!("{name}: {} then, {} now", side(&then, name), side(&now, name)))
        .collect()
}

fn leaves(at: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(all) => {
            let dot = if at.is_empty() { "" } else { "." };
            all.iter().for_each(|(name, value)| leaves(&format!("{at}{dot}{name}"), value, into));
        }
        value => drop(into.insert(at.to_owned(), value.to_string())),
    }
}

/// Makes nodes by the system file of the recording, or by another one.
struct Makes {
    other: Option<(Source, System)>,
    /// This node alone.
    only: Option<String>,
    /// Of each node that is made by another file: the parameters that are not as they were.
    changed: BTreeMap<String, Vec<String>>,
    recorded: Option<(Source, System)>,
    floats_may_differ: bool,
    progress: Option<Progress>,
}

/// How far a replay is.
struct Progress {
    file: String,
    start: Instant,
    line: StatusLine,
}

impl Progress {
    fn new(file: &Path) -> Progress {
        Progress { file: file.display().to_string(), start: Instant::now(), line: StatusLine::new() }
    }

    fn tell(&mut self, read: u64, of: u64) {
        let (file, start) = (&self.file, self.start);
        self.line.tell(|| progress(file, read, of, start.elapsed()));
    }
}

fn progress(file: &str, read: u64, of: u64, elapsed: Duration) -> String {
    let share = read as f64 / of.max(1) as f64;
    let mut line = format!("{file}: {:.0} %, {:.0} s", share * 100.0, elapsed.as_secs_f64());
    // A guess from little says nothing.
    if share > 0.02 {
        line += &format!(", about {:.0} s left", elapsed.as_secs_f64() / share * (1.0 - share));
    }
    line
}

impl Makes {
    fn new(other: Option<(Source, System)>, only: Option<String>) -> Makes {
        Makes {
            other,
            only,
            changed: BTreeMap::new(),
            recorded: None,
            floats_may_differ: false,
            progress: None,
        }
    }

    /// Parameters of the other file that differ from the recorded ones, and have no part in this replay.
    fn without_effect(&self, then: &str, system: &System) -> Vec<String> {
        let Some((source, _)) = &self.other else { return Vec::new() };
        let others = system.nodes.keys().filter(|name| {
            self.only.as_deref().is_some_and(|only| last_part(only) != name.as_str())
                && !changed_parameters(name, then, &source.text).is_empty()
        });
        let told = |name: &String| {
            format!("{} has other parameters for {name} too, which --node leaves out", source.path)
        };
        others.map(told).collect()
    }
}

impl Makes {
    /// Chooses what networks run on: as they ran then, or as the other file has it, which moves floats.
    fn kernels(&mut self, recorded: &System) -> Option<String> {
        let then = recorded.system.fast_networks;
        let here = self.other.as_ref().map_or(then, |(_, other)| other.system.fast_networks);
        if let Err(error) = kinds::choose_kernels(here) {
            self.floats_may_differ = true;
            return Some(format!(
                "{error}: floats may differ by {} of their size",
                troika_record::compare::TOLERANCE
            ));
        }
        let told = |fast| if fast { "our kernels" } else { "tract's own operators" };
        (then != here).then(|| {
            self.floats_may_differ = true;
            format!(
                "networks ran on {} (fast_networks), and run on {} here: floats may differ by {} of their size",
                told(then),
                told(here),
                troika_record::compare::TOLERANCE
            )
        })
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
                told.extend(self.without_effect(&text, &system));
                told.extend(self.kernels(&system));
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
        if let (Some((other, _)), Some((then, _))) = (other, &self.recorded) {
            self.changed.insert(node.name.clone(), changed_parameters(name, &then.text, &other.text));
        }
        let base = std::env::current_dir().map_err(|why| why.to_string())?;
        let made = kind.replay(&Making { text: &source.text, node: name, base, models: None });
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

    fn progress(&mut self, read: u64, of: u64) {
        if let Some(progress) = &mut self.progress {
            progress.tell(read, of);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_is_told_with_what_is_left() {
        let told = |read| progress("run.mcap", read, 1000, Duration::from_secs(10));
        assert_eq!(told(500), "run.mcap: 50 %, 10 s, about 10 s left");
        assert_eq!(told(10), "run.mcap: 1 %, 10 s");
        assert_eq!(progress("run.mcap", 0, 0, Duration::ZERO), "run.mcap: 0 %, 0 s");
    }

    #[test]
    fn what_another_system_file_changes_is_told_also_where_it_changes_nothing() {
        let then = "[nodes.a]\nkind = 'a'\nparams = { limit = 1, deep = { x = 'y' } }\n";
        assert_eq!(changed_parameters("a", then, then), Vec::<String>::new());
        let now = "[nodes.a]\nkind = 'a'\nparams = { deep = { x = 'z' }, more = true }\n";
        let changed = changed_parameters("a", then, now);
        assert_eq!(
            changed,
            [
                "deep.x: \"y\" then, \"z\" now",
                "limit: 1 then, not given now",
                "more: not given then, true now"
            ]
        );
        use show::parameters;
        assert!(parameters(&[], &Verdict::Identical).contains("changes nothing"));
        assert!(parameters(&changed, &Verdict::Identical).contains("changed nothing that it sends: deep.x"));
        assert!(parameters(&changed, &Verdict::Different).contains("as asked for: deep.x"));
    }
}
