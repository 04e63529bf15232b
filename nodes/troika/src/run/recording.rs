//! The recording of one process: `troika run --record`, and the black box of a system file. What nodes see and do goes onto a tape,
//! and one ordinary thread from there into files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde_spanned::Spanned;
use toml::Value;
use troika_host::{
    HostClock,
    tape::{Tape, WhenFull},
};
use troika_models::{Sha256, Store as Models};
use troika_record::{
    Bag, Entry, Store,
    black_box::BlackBox,
    machine,
    privacy::Privacy,
    replay::about::{self, AboutRecording},
    spool::{Ender, Notes, Spool},
};

use super::RunArguments;
use crate::system::{Source, System};

/// Messages that wait for the disk, at most: of pictures 9 s.
const WAITING: u64 = 256 << 20;
/// A parameter's file that is larger is told by its name alone.
const LARGEST: u64 = 64 << 20;

/// A process's recording under way.
pub(super) struct Recording {
    tape: Tape,
    spool: Spool,
}

impl Recording {
    /// What the arguments and the system file want, if anything.
    ///
    /// # Errors
    /// A file cannot be made.
    pub(super) fn start(
        arguments: &RunArguments,
        process: &str,
        source: &Source,
        system: &System,
    ) -> anyhow::Result<Option<Recording>> {
        let mut stores: Vec<(Privacy, Box<dyn Store>)> = Vec::new();
        if let Some(folder) = &arguments.record {
            let file = free_file(folder, process)?;
            let bag = Bag::create(&file).context("cannot record")?;
            stores.push((Privacy::raw(arguments.raw), Box::new(bag)));
        }
        if let Some(settings) = system.system.black_box.as_ref().map(Spanned::get_ref) {
            let shown = process.to_owned();
            let tell = move |told: String| tell!("{shown}: {told}");
            let black_box = BlackBox::new(settings.limits(), process, tell);
            stores.push((Privacy::raw(settings.raw), Box::new(black_box)));
        }
        if stores.is_empty() {
            return Ok(None);
        }
        let raw = stores.iter().any(|(privacy, _)| *privacy == Privacy::KeepRaw);
        let of_process =
            |node: &str| system.nodes.get(node).is_some_and(|one| one.get_ref().process == process);
        let first = heading(process, source, raw, of_process).into();
        let (tape, reader) = Tape::new(WAITING, WhenFull::Lose);
        let shown = process.to_owned();
        let spool = Spool::start(reader, first, stores, move |told| tell!("notice: {shown}: {told}"))
            .context("no thread for the recording")?;
        Ok(Some(Recording { tape, spool }))
    }

    /// In virtual time, where nobody is late: into one file, and nothing is lost.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn of_simulation(file: &Path, source: &Source, raw: bool) -> anyhow::Result<Recording> {
        /// Little, so that what is made again in a replay need not be kept for long.
        const WAITING: u64 = 64 << 20;
        let bag = Bag::create(file).context("cannot record")?;
        let first = heading("simulation", source, raw, |_| true).into();
        let (tape, reader) = Tape::new(WAITING, WhenFull::Wait);
        let stores: Vec<(Privacy, Box<dyn Store>)> = vec![(Privacy::raw(raw), Box::new(bag))];
        let spool = Spool::start(reader, first, stores, |told| tell!("notice: {told}"))
            .context("no thread for the recording")?;
        Ok(Recording { tape, spool })
    }

    /// Where a node writes to.
    pub(super) fn tape(&self) -> Tape {
        self.tape.clone()
    }

    /// For who else has something to say.
    pub(super) fn notes(&self) -> Notes {
        self.spool.notes()
    }

    /// For who may have to end it while its owner cannot.
    pub(super) fn ender(&self) -> Ender {
        self.spool.ender()
    }

    /// Notes the models that were handed out by now.
    pub(super) fn models(&self, store: &Models) {
        self.notes().note(about::MODELS, models(store));
    }

    /// Ends it, when all nodes have.
    pub(super) fn finish(self) {
        self.spool.finish();
    }
}

/// The models that were handed out, with the sha256 of what they were loaded from.
pub(crate) fn models(store: &Models) -> BTreeMap<String, String> {
    let exchanges = store.exchanges();
    let named = exchanges.iter().filter_map(|exchange| store.passport(exchange.model()).ok());
    named.map(|passport| (passport.name.clone(), passport.sha256.to_string())).collect()
}

/// What every recording begins with.
fn heading(process: &str, source: &Source, raw: bool, of: impl Fn(&str) -> bool) -> [Entry; 2] {
    let about = AboutRecording {
        process: process.to_owned(),
        instruction_set: machine::instruction_set(),
        raw,
        in_the_middle: false,
        files: files(&source.text, of),
    };
    [
        Entry::Metadata { name: about::RECORDING.to_owned(), fields: about.fields() },
        Entry::Attachment {
            name: about::SYSTEM.to_owned(),
            media_type: "application/toml".to_owned(),
            time: HostClock::start().now(),
            bytes: source.text.clone().into_bytes(),
        },
    ]
}

/// The files that the nodes' parameters name, with their sha256.
pub(crate) fn files(text: &str, of: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let mut found = BTreeMap::new();
    for (name, node) in table.get("nodes").and_then(Value::as_table).into_iter().flatten() {
        if let Some(params) = node.get("params").filter(|_| of(name)) {
            walk(params, &mut found);
        }
    }
    found
}

fn walk(value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::String(path) => {
            let small = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
            if let Some(bytes) = small.then(|| fs::read(path).ok()).flatten() {
                found.insert(path.clone(), Sha256::of(&bytes).to_string());
            }
        }
        Value::Array(all) => all.iter().for_each(|one| walk(one, found)),
        Value::Table(all) => all.values().for_each(|one| walk(one, found)),
        _ => {}
    }
}

/// `FOLDER/PROCESS.mcap`; of a process that was started again `PROCESS-2.mcap`, since what it recorded before is there.
pub(super) fn free_file(folder: &Path, process: &str) -> anyhow::Result<PathBuf> {
    let names = (1..).map(|life| match life {
        1 => format!("{process}.mcap"),
        life => format!("{process}-{life}.mcap"),
    });
    for name in names.take(1000) {
        let file = folder.join(name);
        if !file.exists() {
            return Ok(file);
        }
    }
    bail!("{} is full of recordings of '{process}'", folder.display())
}

/// The folder of a run's recordings, made if need be.
///
/// # Errors
/// It cannot be made, or holds something already.
pub(super) fn ready(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    if entries.next().is_some() {
        bail!("{} holds something already: give --record a new folder", folder.display());
    }
    Ok(())
}
