//! The black box: the last minute of a process in memory, bounded in time and in bytes, written out as a recording when an alert is
//! raised or a node gives a fault. At most so many files: the oldest goes.
//!
//! Each file has the whole time before what it is of, also where another file has some of that. What goes on and on must not push out the file of
//! how it began. A fault that does not rest is written as it begins, and once more when it rests. An alert that is raised again soon after it was written goes into
//! a file of its own that begins where the first one ends, and comes when a whole one is full. Each file names what it is of, and all that happened
//! in it.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    time::Duration,
};

use troika_kit::{Message as _, Time};
use troika_msgs::{
    names::alert_in_words,
    troika::{DriverAlert, RecordedStep},
};

use crate::{
    Bag, BagError, Entry, Message, Store,
    replay::about::{self, AboutRecording},
    step,
};

/// So long after a node's first step its fall-backs are those of a start: what it reads is on its way, and a thread has its first pages to
/// fetch. One that goes on longer is told then.
const STARTING: Duration = Duration::from_secs(5);

/// How a black box is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Where its files go.
    pub folder: PathBuf,
    /// How far back it goes.
    pub before: Duration,
    /// How much longer it goes on after what happened.
    pub after: Duration,
    /// Bytes of messages that it holds at most.
    pub bytes: usize,
    /// Files that are kept.
    pub files: usize,
}

/// A ring of what was recorded. It takes entries as a file does, and writes files of its own.
pub struct BlackBox {
    limits: Limits,
    /// What each file's name begins with: the process.
    name: String,
    /// What every file begins with, and each node that was made.
    heads: Vec<Entry>,
    held: VecDeque<Message>,
    bytes: usize,
    now: Time,
    /// The file that is to be written.
    due: Option<Due>,
    /// When each thing happened last: what goes on and on is written once.
    seen: BTreeMap<String, Time>,
    /// What happened while what is held was, and when, the oldest first.
    happened: VecDeque<(Time, String)>,
    /// Faults that go on, and when each came last.
    lasting: BTreeMap<String, Time>,
    /// When the newest file was written.
    written: Option<Time>,
    /// Each node's first step in this life, and what it has lacked since then.
    began: BTreeMap<String, (Time, Option<String>)>,
    tell: Box<dyn FnMut(String) + Send>,
}

/// A file that is to be written.
struct Due {
    /// What happened, the first of it first.
    whys: Vec<String>,
    /// What is older is not in it.
    from: Time,
    at: Time,
    /// It may wait until then, for what else happens.
    latest: Time,
}

/// Something that is worth a file.
enum Happened {
    /// Each one is news: it was cleared in between.
    Alert(String),
    /// News only after a pause, since a node that is broken falls back at every step.
    Fault(String),
}

impl BlackBox {
    /// An empty one for a process; `tell` is told of each file, or why there is none. What a life of the process before this one was ended
    /// while writing goes: no file would ever be made of it, and nothing else counts it.
    pub fn new(limits: Limits, name: &str, mut tell: impl FnMut(String) + Send + 'static) -> BlackBox {
        troika_safety::fulfils![SR_OBS_004];
        // Without the folder there is none, and why there is no folder is told with the first file.
        for part in files_of(&limits.folder, name, UNFINISHED).unwrap_or_default() {
            tell(match std::fs::remove_file(&part) {
                Ok(()) => format!("black box: {} was not finished: removed", part.display()),
                Err(error) => format!("black box: {} was not finished: {error}", part.display()),
            });
        }
        BlackBox {
            limits,
            name: name.to_owned(),
            heads: Vec::new(),
            held: VecDeque::new(),
            bytes: 0,
            now: Time::ZERO,
            due: None,
            seen: BTreeMap::new(),
            happened: VecDeque::new(),
            lasting: BTreeMap::new(),
            written: None,
            began: BTreeMap::new(),
            tell: Box::new(tell),
        }
    }

    fn hold(&mut self, message: Message) {
        self.now = self.now.max(message.log_time);
        self.bytes += message.cdr.len();
        if let Some(happened) = self.happening(&message) {
            self.note(happened);
        }
        self.held.push_back(message);
        let (now, after) = (self.now, self.limits.after);
        let rested: Vec<_> = self.lasting.extract_if(.., |_, last| now.since(*last) > after).collect();
        rested.into_iter().for_each(|(why, last)| self.rested(why, last));
        let oldest = self.now - self.limits.before - self.longest();
        while self.happened.front().is_some_and(|(at, _)| *at < oldest) {
            self.happened.pop_front();
        }
        while self.held.front().is_some_and(|first| first.log_time < oldest || self.bytes > self.limits.bytes)
        {
            self.bytes -= self.held.pop_front().map_or(0, |first| first.cdr.len());
        }
    }

    /// From what happened first to the end of its file, at most: twice the usual, for what happens shortly after.
    fn longest(&self) -> Duration {
        self.limits.after * 2
    }

    /// What a message tells that is worth a file.
    fn happening(&mut self, message: &Message) -> Option<Happened> {
        let ty = message.topic.ty.name;
        if ty == DriverAlert::TYPE.name {
            let alert = DriverAlert::decode(&message.cdr).ok()?;
            let kind = alert_in_words(alert.kind).map_or_else(|| alert.kind.to_string(), str::to_owned);
            return (alert.phase == DriverAlert::RAISED).then(|| {
                Happened::Alert(format!("alert {kind} ({}) on {}", alert.profile, message.topic.name))
            });
        }
        if ty == step::TYPE.name {
            let step = RecordedStep::decode(&message.cdr).ok()?;
            let node = step::node_of(&message.topic.name)?;
            let (began, lacks) = self.began.entry(node.to_owned()).or_insert((self.now, None));
            if step.fault == RecordedStep::NO_FAULT {
                return None;
            }
            let is_lack = step.fault == RecordedStep::UNAVAILABLE;
            if self.now.since(*began) < STARTING {
                if is_lack {
                    *lacks = Some(step.fault_text);
                }
                return None;
            }
            // No sound card, no model: it was told when the run began, and nothing has happened.
            if is_lack && lacks.as_ref() == Some(&step.fault_text) {
                return None;
            }
            return Some(Happened::Fault(format!("{node} fell back")));
        }
        None
    }

    /// Has a file written of it, or named in the one that is to be written.
    fn note(&mut self, happened: Happened) {
        troika_safety::fulfils![SR_OBS_004];
        let (why, is_alert) = match happened {
            Happened::Alert(why) => (why, true),
            Happened::Fault(why) => (why, false),
        };
        let before = self.seen.insert(why.clone(), self.now);
        let is_new = before.is_none_or(|before| self.now.since(before) > self.limits.before);
        // A node that falls back at each step is in the list once a second.
        let again =
            |(at, known): &(Time, String)| *known == why && self.now.since(*at) < Duration::from_secs(1);
        if is_alert || !self.happened.iter().rev().any(again) {
            self.happened.push_back((self.now, why.clone()));
        }
        if !is_new && !is_alert {
            self.lasting.insert(why, self.now);
            return;
        }
        let a_whole_before = self.now - self.limits.before;
        let mut at = self.now + self.limits.after;
        // The same alert soon after it was written: its file waits until there is a whole one to write.
        if let Some(written) = self.written.filter(|_| !is_new) {
            at = at.max(written + self.limits.before);
        }
        let longest = self.longest();
        match &mut self.due {
            Some(due) => {
                if is_new {
                    due.from = due.from.min(a_whole_before);
                }
                // What waits is written with what does not; what does not waits for what comes shortly after.
                due.at = if at < due.at { at } else { at.min(due.latest).max(due.at) };
                due.latest = due.latest.min(self.now + longest).max(due.at);
                if !due.whys.contains(&why) {
                    due.whys.push(why);
                }
            }
            None => {
                let latest = at.max(self.now + longest);
                // The same again: its beginning is in the file before.
                let written =
                    self.written.filter(|_| !is_new).map(|written| written + Duration::from_nanos(1));
                let from = written.unwrap_or(a_whole_before);
                self.due = Some(Due { whys: vec![why], from, at, latest });
            }
        }
    }

    /// A fault that went on has rested since `last`: how it ended is written, unless the file of something else has it.
    fn rested(&mut self, why: String, last: Time) {
        if self.written.is_some_and(|written| written >= last) {
            return;
        }
        let why = format!("{why}, for the last time");
        match &mut self.due {
            Some(due) => due.whys.push(why),
            None => {
                let behind = self.written.map_or(Time::ZERO, |written| written + Duration::from_nanos(1));
                let from = behind.max(last - self.limits.before);
                self.due = Some(Due { whys: vec![why], from, at: self.now, latest: self.now });
            }
        }
    }

    /// Writes what is held and wanted. It stays held: what happens next has its own time before it.
    fn write(&mut self, due: &Due) {
        let why = due.whys.join("; ");
        self.written = Some(self.now);
        let told = match self.file(&why, due.from) {
            Ok(file) => format!("black box: {why}: {}", file.display()),
            Err(error) => format!("black box: {why}: not written: {error}"),
        };
        (self.tell)(told);
    }

    fn file(&self, why: &str, from: Time) -> Result<PathBuf, BagError> {
        let folder = &self.limits.folder;
        let told = |why| BagError::File { file: folder.clone(), why };
        std::fs::create_dir_all(folder).map_err(told)?;
        // Room first: the oldest goes before the newest comes.
        make_room(folder, &self.name, self.limits.files.max(1) - 1).map_err(told)?;
        let file = folder.join(file_name(&self.name, self.now));
        // Under another name until it is whole.
        let unfinished = file.with_extension(&UNFINISHED[1..]);
        let mut bag = Bag::create(&unfinished)?;
        let written = self.fill(&mut bag, why, from);
        drop(bag);
        let renamed = written.and_then(|()| {
            let told = |why| BagError::File { file: file.clone(), why };
            std::fs::rename(&unfinished, &file).map_err(told)
        });
        if renamed.is_err() {
            let _gone_already = std::fs::remove_file(&unfinished);
        }
        renamed.map(|()| file)
    }

    fn fill(&self, bag: &mut Bag, why: &str, from: Time) -> Result<(), BagError> {
        for head in &self.heads {
            bag.put(head.clone())?;
        }
        let mut all: Vec<&str> = Vec::new();
        for (_, what) in self.happened.iter().filter(|(at, _)| *at >= from) {
            if !all.contains(&what.as_str()) {
                all.push(what);
            }
        }
        let fields = BTreeMap::from([("why".to_owned(), why.to_owned()), ("all".to_owned(), all.join("; "))]);
        bag.put(Entry::Metadata { name: "troika.black_box".to_owned(), fields })?;
        for message in self.held.iter().filter(|message| message.log_time >= from) {
            bag.put(Entry::Message(message.clone()))?;
        }
        bag.finish()
    }
}

impl Store for BlackBox {
    fn put(&mut self, entry: Entry) -> Result<(), BagError> {
        match entry {
            Entry::Message(message) => self.hold(message),
            Entry::Metadata { name, fields } => {
                // A node that was made again takes the place of the one before.
                if name == about::NODE {
                    let node = fields.get("name").cloned();
                    self.heads.retain(|head| !is_of_node(head, node.as_deref()));
                    self.began.remove(node.as_deref().unwrap_or_default());
                }
                let fields = match name == about::RECORDING {
                    // Its files begin when they do.
                    true => AboutRecording { in_the_middle: true, ..AboutRecording::of(&fields) }.fields(),
                    false => fields,
                };
                if [about::NODE, about::RECORDING, about::MODELS].contains(&name.as_str()) {
                    self.heads.push(Entry::Metadata { name, fields });
                }
            }
            attachment @ Entry::Attachment { .. } => self.heads.push(attachment),
        }
        if let Some(due) = self.due.take_if(|due| due.at <= self.now) {
            self.write(&due);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BagError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BagError> {
        for (why, last) in std::mem::take(&mut self.lasting) {
            self.rested(why, last);
        }
        if let Some(due) = self.due.take() {
            self.write(&due);
        }
        Ok(())
    }
}

fn is_of_node(head: &Entry, node: Option<&str>) -> bool {
    let Entry::Metadata { name, fields } = head else { return false };
    name == about::NODE && fields.get("name").map(String::as_str) == node
}

/// `cabin-1735689600.123.mcap`: names sort by time.
fn file_name(process: &str, now: Time) -> String {
    let (sec, nanosec) = now.to_stamp();
    format!("{process}-{sec:010}.{:03}.mcap", nanosec / 1_000_000)
}

/// How a file's name ends, and one's that is being written.
const WHOLE: &str = ".mcap";
const UNFINISHED: &str = ".mcap.part";

/// The files of the process with names that end so.
fn files_of(folder: &Path, process: &str, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stamp = name.strip_prefix(process).and_then(|rest| rest.strip_prefix('-'));
        let is_ours = stamp
            .and_then(|stamp| stamp.strip_suffix(ending))
            .is_some_and(|stamp| stamp.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        if is_ours {
            files.push(path);
        }
    }
    Ok(files)
}

/// Removes the oldest files of the process until `most` are left.
fn make_room(folder: &Path, process: &str, most: usize) -> std::io::Result<()> {
    troika_safety::fulfils![SR_OBS_004];
    let mut files = files_of(folder, process, WHOLE)?;
    files.sort();
    for file in files.iter().take(files.len().saturating_sub(most)) {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
