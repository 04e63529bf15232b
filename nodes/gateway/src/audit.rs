//! The record of who asked when and what it cost: a line of JSON for each request, and none of the words. Who was not let in and whose
//! connection was closed has a line too (`event`).
//!
//! A thread of its own writes it. What cannot be written, on a full disk or because the disk is slow, is counted and told; requests go on.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use prometheus_client::metrics::counter::Counter;
use serde::Serialize;

/// Lines that wait for the disk, at most.
const WAITING: usize = 8192;

troika_safety::fulfils![SR_FLT_008];
/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// When it came, RFC 3339.
    pub at: String,
    /// Who, by the certificate.
    pub vehicle: String,
    /// Which model, where we have it.
    pub model: String,
    /// Who answered; none where nobody was asked.
    pub upstream: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// How it ended: `done`, or a name of what went wrong.
    pub end: &'static str,
    /// Token by token.
    pub streamed: bool,
    /// Given from memory.
    pub cached: bool,
    /// Upstreams that were asked.
    pub tries: u32,
    /// Of the request's body.
    pub bytes_in: usize,
    /// Of the answer's body.
    pub bytes_out: usize,
    /// Asked.
    pub tokens_in: u64,
    /// Answered.
    pub tokens_out: u64,
    /// The upstream did not say how many tokens there were.
    pub estimated: bool,
    /// In the queue.
    pub queue_ms: u64,
    /// From the request's arrival to the answer's first byte.
    pub first_byte_ms: Option<u64>,
    /// From its arrival to its end.
    pub total_ms: u64,
    /// Millionths of a euro.
    pub cost_micro_euro: u64,
    /// The W3C trace.
    pub trace: String,
}

/// What happened at the door, beside requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, RFC 3339.
    pub at: String,
    /// `refused`: a certificate that was not taken. `closed`: a connection whose certificate was no longer good.
    pub event: &'static str,
    /// Why, as the metrics have it.
    pub why: &'static str,
    /// Whose, by a certificate that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    /// Whose, as a certificate says that was not taken: nobody has vouched for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// Its serial number, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Address of the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Refusals of before that have no line, since there were too many in their minute.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Where entries go.
#[derive(Clone)]
pub struct Audit {
    lines: Option<SyncSender<Vec<u8>>>,
    lost: Counter,
}

impl Audit {
    /// Begins a file, or goes on with it; without one nothing is written.
    ///
    /// # Errors
    /// Where it cannot be opened now: later that is no reason to stop.
    pub fn open(path: Option<&Path>, lost: Counter) -> io::Result<Audit> {
        let Some(path) = path else { return Ok(Audit { lines: None, lost }) };
        let (sender, receiver) = sync_channel(WAITING);
        let file = open(path)?;
        let writer =
            Writer { path: path.into(), file: Some(file), torn: false, failing: false, lost: lost.clone() };
        thread::Builder::new().name("audit".into()).spawn(move || writer.run(&receiver))?;
        Ok(Audit { lines: Some(sender), lost })
    }

    /// Writes an entry down, some time soon.
    pub fn write(&self, entry: &Entry) {
        self.line(entry);
    }

    /// The same, of what happened at the door.
    pub fn event(&self, event: &Event) {
        self.line(event);
    }

    fn line(&self, entry: &impl Serialize) {
        let Some(lines) = &self.lines else { return };
        let sent = serde_json::to_vec(entry).map(|mut line| {
            line.push(b'\n');
            lines.try_send(line)
        });
        if !matches!(sent, Ok(Ok(()))) {
            self.lost.inc();
        }
    }
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    torn: bool,
    failing: bool,
    lost: Counter,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        while let Ok(mut batch) = lines.recv() {
            let mut count = 1;
            while let Some(line) = (batch.len() < 1 << 16).then(|| lines.try_recv().ok()).flatten() {
                batch.extend_from_slice(&line);
                count += 1;
            }
            match self.put(&batch) {
                Ok(()) if self.failing => {
                    eprintln!("notice: the audit file {} is written again", self.path.display());
                    self.failing = false;
                }
                Ok(()) => {}
                Err(why) => {
                    self.lost.inc_by(count);
                    if !self.failing {
                        eprintln!(
                            "error: the audit file {} cannot be written: {why}; requests go on and what is not \
                             written is counted (gateway_audit_lost_total)",
                            self.path.display()
                        );
                    }
                    self.failing = true;
                }
            }
        }
    }

    fn put(&mut self, batch: &[u8]) -> io::Result<()> {
        // Somebody may have put the file aside, to be kept or packed.
        let there = fs::metadata(&self.path).ok().map(|data| (data.dev(), data.ino()));
        let ours =
            self.file.as_ref().and_then(|file| file.metadata().ok()).map(|data| (data.dev(), data.ino()));
        if there.is_none() || there != ours {
            self.file = Some(open(&self.path)?);
            self.torn = false;
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if self.torn {
            // The end of a line that the full disk took half of.
            file.write_all(b"\n")?;
            self.torn = false;
        }
        let wrote = file.write_all(batch);
        self.torn = wrote.is_err();
        wrote
    }
}

/// A file that its owner alone reads, made where there is none.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            at: "2026-01-01T00:00:00Z".into(),
            vehicle: "anna".into(),
            model: "m".into(),
            upstream: None,
            status: 200,
            end: "done",
            streamed: true,
            cached: false,
            tries: 1,
            bytes_in: 1,
            bytes_out: 1,
            tokens_in: 1,
            tokens_out: 1,
            estimated: false,
            queue_ms: 0,
            first_byte_ms: None,
            total_ms: 1,
            cost_micro_euro: 1,
            trace: "0".into(),
        }
    }

    fn wait(what: impl Fn() -> bool) {
        let (_nobody, never) = std::sync::mpsc::channel::<()>();
        for _ in 0..2000 {
            if what() {
                return;
            }
            let _ = never.recv_timeout(std::time::Duration::from_millis(10));
        }
        panic!("not within 20 s");
    }

    #[test]
    fn a_full_disk_is_counted_and_stops_nothing() {
        let lost = Counter::default();
        // Linux's device that is always full.
        let audit = Audit::open(Some(Path::new("/dev/full")), lost.clone()).expect("opens");
        for _ in 0..10 {
            audit.write(&entry());
        }
        wait(|| lost.get() == 10);
    }

    #[test]
    fn a_file_that_was_put_aside_is_begun_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("audit.jsonl");
        let audit = Audit::open(Some(&path), Counter::default()).expect("opens");
        audit.write(&entry());
        let lines = |path: &Path| fs::read_to_string(path).map_or(0, |text| text.lines().count());
        wait(|| lines(&path) == 1);
        fs::rename(&path, dir.path().join("old")).expect("moved");
        audit.write(&entry());
        wait(|| lines(&path) == 1);
        assert_eq!(lines(&dir.path().join("old")), 1);
    }
}
