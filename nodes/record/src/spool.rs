//! The one thread that reads a tape and writes the recording. An ordinary one: a disk that stands still costs the recording its holes,
//! and the nodes nothing.

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use troika_host::{sync::StopToken, tape::TapeReader};

use crate::{BagError, Entry, Store, join::Joiner, privacy::Privacy};

/// Between two readings of the tape, while something is on it and while nothing is.
const BUSY: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_millis(10);
/// What a killed process may lose, and the longest chunk: of less, the index of each would be as much as what is in it.
const FLUSH: Duration = Duration::from_millis(250);

/// A recording under way. Dropping it ends it.
pub struct Spool {
    stop: StopToken,
    done: StopToken,
    notes: Sender<Entry>,
    thread: Option<JoinHandle<()>>,
}

/// Puts something into a recording beside what nodes do.
#[derive(Debug, Clone)]
pub struct Notes(Sender<Entry>);

impl Notes {
    /// Metadata.
    pub fn note(&self, name: &str, fields: BTreeMap<String, String>) {
        // A recording that has ended takes nothing any more.
        let _over = self.0.send(Entry::Metadata { name: name.to_owned(), fields });
    }
}

/// Ends a recording from another thread than its owner's.
#[derive(Debug, Clone)]
pub struct Ender {
    stop: StopToken,
    done: StopToken,
}

impl Ender {
    /// Has what is left written, with the account at its end, and waits so long at most; false if that was too short.
    pub fn end_within(&self, limit: Duration) -> bool {
        self.stop.stop();
        self.done.wait_for(limit)
    }
}

impl Spool {
    /// Writes what is on the tape into these stores, each with what it may keep, after `first`. `tell` is told once when one of them
    /// cannot be written any more; the tape is read on all the same.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn start(
        tape: TapeReader,
        first: Vec<Entry>,
        stores: Vec<(Privacy, Box<dyn Store>)>,
        tell: impl FnMut(String) + Send + 'static,
    ) -> std::io::Result<Spool> {
        let (stop, done) = (StopToken::new(), StopToken::new());
        let (notes, noted) = channel();
        let any_raw = stores.iter().any(|(privacy, _)| *privacy == Privacy::KeepRaw);
        let joiner = Joiner::new(Privacy::raw(any_raw));
        let writer = Writer { stores, tell: Box::new(tell) };
        let (stopped, over) = (stop.clone(), done.clone());
        let thread = std::thread::Builder::new().name("troika-record".into()).spawn(move || {
            run(tape, joiner, first, writer, &noted, &stopped);
            over.stop();
        })?;
        Ok(Spool { stop, done, notes, thread: Some(thread) })
    }

    /// For who may have to end it while its owner cannot.
    pub fn ender(&self) -> Ender {
        Ender { stop: self.stop.clone(), done: self.done.clone() }
    }

    /// For who else has something to say.
    pub fn notes(&self) -> Notes {
        Notes(self.notes.clone())
    }

    /// Writes what is left and ends it.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.end();
    }
}

struct Writer {
    /// Those that have not failed.
    stores: Vec<(Privacy, Box<dyn Store>)>,
    tell: Box<dyn FnMut(String) + Send>,
}

impl Writer {
    fn each(&mut self, mut act: impl FnMut(Privacy, &mut dyn Store) -> Result<(), BagError>) {
        let tell = &mut self.tell;
        troika_safety::fulfils![SR_OBS_001];
        self.stores.retain_mut(|(privacy, store)| match act(*privacy, &mut **store) {
            Ok(()) => true,
            Err(why) => {
                tell(format!("{why}; what was recorded until now is there, and nothing more is recorded"));
                false
            }
        });
    }

    fn put(&mut self, entries: &mut Vec<Entry>) {
        for entry in entries.drain(..) {
            self.each(|privacy, store| match &entry {
                Entry::Message(message) if privacy.leaves_out(message.topic.ty.name) => Ok(()),
                entry => store.put(entry.clone()),
            });
        }
    }
}

fn run(
    mut tape: TapeReader,
    mut joiner: Joiner,
    mut entries: Vec<Entry>,
    mut writer: Writer,
    noted: &Receiver<Entry>,
    stop: &StopToken,
) {
    writer.put(&mut entries);
    writer.each(|_, store| store.flush());
    let mut since_flush = Duration::ZERO;
    loop {
        let last = stop.is_stopped(); // before reading, so that what came until then is read
        let mut any = false;
        tape.take(|item| {
            any = true;
            joiner.take(item, &mut entries);
        });
        joiner.settle(&mut entries);
        entries.extend(noted.try_iter());
        if last {
            joiner.finish(&mut entries);
        }
        writer.put(&mut entries);
        if last {
            writer.each(|_, store| store.finish());
            return;
        }
        let pause = if any { BUSY } else { IDLE };
        stop.wait_for(pause);
        since_flush += pause;
        if since_flush >= FLUSH {
            since_flush = Duration::ZERO;
            writer.each(|_, store| store.flush());
        }
    }
}
