//! The queue itself.

use std::{io, path::Path};

use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};
use troika_kit::{Duration, Time};

use crate::{
    Disk, FileDisk, Item, Limits, LimitsError, New,
    item::{Head, Priority},
};

/// Heads, by id.
const HEADS: TableDefinition<u64, &[u8]> = TableDefinition::new("heads");
/// Payloads, by id: apart, so that looking for what is next reads no payload.
const PAYLOADS: TableDefinition<u64, &[u8]> = TableDefinition::new("payloads");
/// What goes first: by rank, then by age.
const ORDER: TableDefinition<(u8, u64), ()> = TableDefinition::new("order");
/// Key to id, of what waits and of what was delivered.
const KEYS: TableDefinition<&str, u64> = TableDefinition::new("keys");
/// Id to key of what was delivered.
const DELIVERED: TableDefinition<u64, &str> = TableDefinition::new("delivered");
/// Next id, bytes that wait, the day and what it spent.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

const DAY: u64 = 86_400_000_000_000;

/// What became of a [`Outbox::put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is on the disk.
    Queued(u64),
    /// One with this key waits already.
    Waits(u64),
    /// One with this key was delivered.
    Delivered(u64),
}

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queued {
    /// Items.
    pub items: u64,
    /// Their payloads' bytes.
    pub bytes: u64,
}

/// What this day has spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Bytes sent, failed tries too.
    pub bytes: u64,
    /// Cost, in millionths.
    pub cost: u64,
}

/// What a transaction comes to.
enum Comes<T> {
    /// It is written.
    To(T),
    /// There is nothing to write, so the disk is left alone.
    ToNothing(Result<T, OutboxError>),
}

/// Why the outbox did not do it. Nothing that was acknowledged is lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The limits make no sense.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// As many wait as may.
    #[error(
        "the outbox is full: {items} items, {bytes} bytes wait, and {priority:?} may use {share} % of its room; it empties when there is a link"
    )]
    Full {
        /// Items.
        items: u64,
        /// Bytes.
        bytes: u64,
        /// Of what was to be put.
        priority: Priority,
        /// How much of the room it may use.
        share: u64,
    },
    /// One alone is too large.
    #[error("{bytes} bytes are more than one item may have ({most})")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The most.
        most: u64,
    },
    /// A key or a kind that is none.
    #[error("a key has 1 to 128 bytes and a kind at most 64; this has {key} and {kind}")]
    Name {
        /// Bytes of the key.
        key: usize,
        /// Bytes of the kind.
        kind: usize,
    },
    /// The disk has no room. What waits stays; put it again when there is room.
    #[error("the disk is full: what waits is safe, nothing more is taken until there is room")]
    DiskFull,
    /// Another process has it.
    #[error("another process has the outbox open; one outbox belongs to one process")]
    Taken,
    /// No outbox, or a damaged one.
    #[error(
        "the outbox's file is damaged or no outbox ({0}); move it away to begin anew, and keep it to be looked at"
    )]
    Damaged(String),
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(io::Error),
}

impl From<redb::Error> for OutboxError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OutboxError::DiskFull,
                io::ErrorKind::InvalidData => OutboxError::Damaged(error.to_string()),
                _ => OutboxError::Disk(error),
            },
            redb::Error::DatabaseAlreadyOpen => OutboxError::Taken,
            other => OutboxError::Damaged(other.to_string()),
        }
    }
}

/// The queue. One process has it; one method at a time.
pub struct Outbox {
    disk: Box<dyn Disk>,
    /// None: the disk failed, and it has to be opened anew.
    store: Option<Database>,
    limits: Limits,
    /// Taken and neither delivered nor failed yet; forgotten when the process ends, so that it is tried again.
    out: Vec<u64>,
}

impl Outbox {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Limits that make no sense, another process that has it, a file that is none, a disk that fails.
    pub fn open(path: &Path, limits: Limits) -> Result<Outbox, OutboxError> {
        Outbox::on(Box::new(FileDisk(path.into())), limits)
    }

    /// Opens it wherever it is.
    ///
    /// # Errors
    /// As [`Outbox::open`].
    pub fn on(disk: Box<dyn Disk>, limits: Limits) -> Result<Outbox, OutboxError> {
        limits.check()?;
        let mut outbox = Outbox { disk, store: None, limits, out: Vec::new() };
        outbox.with_write(|write| {
            // So that reading never meets a table that is not there.
            write.open_table(HEADS)?;
            write.open_table(PAYLOADS)?;
            write.open_table(ORDER)?;
            write.open_table(KEYS)?;
            write.open_table(DELIVERED)?;
            write.open_table(NUMBERS)?;
            Ok(Comes::To(()))
        })?;
        Ok(outbox)
    }

    /// Puts something into the queue. When this returns `Queued` it is on the disk.
    ///
    /// # Errors
    /// It does not fit, or the disk has no room or fails; then it is not in the queue, or it is after a restart (put it again: the key
    /// makes one of both).
    pub fn put(&mut self, now: Time, new: &New) -> Result<Put, OutboxError> {
        let limits = self.limits;
        let bytes = new.payload.len() as u64;
        if new.key.is_empty() || new.key.len() > 128 || new.kind.len() > 64 {
            return Err(OutboxError::Name { key: new.key.len(), kind: new.kind.len() });
        }
        if bytes > limits.item_bytes {
            return Err(OutboxError::TooLarge { bytes, most: limits.item_bytes });
        }
        self.with_write(|write| {
            let mut keys = write.open_table(KEYS)?;
            if let Some(id) = keys.get(new.key.as_str())?.map(|id| id.value()) {
                let waits = write.open_table(HEADS)?.get(id)?.is_some();
                return Ok(Comes::ToNothing(Ok(if waits { Put::Waits(id) } else { Put::Delivered(id) })));
            }
            let mut heads = write.open_table(HEADS)?;
            let mut numbers = write.open_table(NUMBERS)?;
            let waiting = number(&numbers, "bytes")?;
            let share = new.priority.share();
            if heads.len()? + 1 > limits.items * share / 100 || waiting + bytes > limits.bytes * share / 100 {
                let priority = new.priority;
                let full = OutboxError::Full { items: heads.len()?, bytes: waiting, priority, share };
                return Ok(Comes::ToNothing(Err(full)));
            }
            let id = number(&numbers, "next")?;
            numbers.insert("next", id + 1)?;
            numbers.insert("bytes", waiting + bytes)?;
            let head = Head {
                key: new.key.clone(),
                kind: new.kind.clone(),
                priority: new.priority,
                expires_ns: (now + new.lives).as_nanos(),
                not_before_ns: 0,
                tries: 0,
                cost: new.cost,
                bytes,
            };
            heads.insert(id, encode(&head)?.as_slice())?;
            write.open_table(PAYLOADS)?.insert(id, new.payload.as_slice())?;
            write.open_table(ORDER)?.insert((new.priority.rank(), id), ())?;
            keys.insert(new.key.as_str(), id)?;
            Ok(Comes::To(Put::Queued(id)))
        })
    }

    /// What is to be delivered next; none: nothing waits, or its time has not come, or the day's budgets are spent. Its bytes and cost are
    /// spent with this, whatever comes of it, so that no crash spends them twice over.
    ///
    /// # Errors
    /// The disk.
    pub fn take(&mut self, now: Time) -> Result<Option<Item>, OutboxError> {
        let (limits, out) = (self.limits, self.out.clone());
        let item = self.with_write(|write| {
            let mut heads = write.open_table(HEADS)?;
            let mut numbers = write.open_table(NUMBERS)?;
            let spent = spent(&numbers, now)?;
            let mut found = None;
            for entry in write.open_table(ORDER)?.iter()? {
                let (_, id) = entry?.0.value();
                if out.contains(&id) {
                    continue;
                }
                let Some(head) = heads.get(id)?.map(|head| decode(head.value())).transpose()? else {
                    continue;
                };
                let share = head.priority.share();
                let in_time = head.expires_ns > now.as_nanos() && head.not_before_ns <= now.as_nanos();
                let in_budget = spent.bytes.saturating_add(head.bytes) <= limits.bytes_a_day * share / 100
                    && spent.cost.saturating_add(head.cost) <= limits.cost_a_day * share / 100;
                if in_time && in_budget {
                    found = Some((id, head));
                    break;
                }
            }
            let Some((id, mut head)) = found else { return Ok(Comes::ToNothing(Ok(None))) };
            head.tries = head.tries.saturating_add(1);
            heads.insert(id, encode(&head)?.as_slice())?;
            let day = number(&numbers, "day")?.max(now.as_nanos() / DAY);
            numbers.insert("day", day)?;
            numbers.insert("spent_bytes", spent.bytes + head.bytes)?;
            numbers.insert("spent_cost", spent.cost + head.cost)?;
            let payloads = write.open_table(PAYLOADS)?;
            let payload = payloads.get(id)?.map(|payload| payload.value().to_vec()).unwrap_or_default();
            Ok(Comes::To(Some(Item {
                id,
                key: head.key,
                kind: head.kind,
                priority: head.priority,
                expires: Time::from_nanos(head.expires_ns),
                tries: head.tries,
                cost: head.cost,
                payload,
            })))
        })?;
        self.out.extend(item.as_ref().map(|item| item.id));
        Ok(item)
    }

    /// The other end has said that it has it: it leaves the queue, and its key is remembered.
    ///
    /// # Errors
    /// The disk; then it is delivered once more, and the other end sees by the key that it has it.
    pub fn delivered(&mut self, id: u64) -> Result<(), OutboxError> {
        let remembered = self.limits.remembered;
        self.with_write(|write| {
            let Some(head) = remove(write, id)? else { return Ok(Comes::ToNothing(Ok(()))) };
            let mut delivered = write.open_table(DELIVERED)?;
            delivered.insert(id, head.key.as_str())?;
            while delivered.len()? > remembered {
                let Some(oldest) = delivered.pop_first()?.map(|(_, key)| key.value().to_owned()) else {
                    break;
                };
                write.open_table(KEYS)?.remove(oldest.as_str())?;
            }
            Ok(Comes::To(()))
        })?;
        self.out.retain(|one| *one != id);
        Ok(())
    }

    /// It was not delivered: it is tried again after a while that doubles, or after what the other end asked for.
    ///
    /// # Errors
    /// The disk; then it is tried again earlier.
    pub fn failed(&mut self, now: Time, id: u64, retry_after: Option<Duration>) -> Result<(), OutboxError> {
        let limits = self.limits;
        self.out.retain(|one| *one != id);
        self.with_write(|write| {
            let mut heads = write.open_table(HEADS)?;
            let Some(mut head) = heads.get(id)?.map(|head| decode(head.value())).transpose()? else {
                return Ok(Comes::ToNothing(Ok(())));
            };
            let doubled = limits.retry_first_ms.saturating_mul(1 << head.tries.saturating_sub(1).min(30));
            let own = Duration::from_millis(doubled.min(limits.retry_longest_ms));
            head.not_before_ns = (now + retry_after.unwrap_or_default().max(own)).as_nanos();
            heads.insert(id, encode(&head)?.as_slice())?;
            Ok(Comes::To(()))
        })
    }

    /// Takes out what has expired and is not being delivered, and tells it: key and kind.
    ///
    /// # Errors
    /// The disk.
    pub fn expire(&mut self, now: Time) -> Result<Vec<(String, String)>, OutboxError> {
        let out = self.out.clone();
        self.with_write(|write| {
            let mut expired = Vec::new();
            for entry in write.open_table(HEADS)?.iter()? {
                let (id, head) = entry?;
                let head = decode(head.value())?;
                if head.expires_ns <= now.as_nanos() && !out.contains(&id.value()) {
                    expired.push(id.value());
                }
            }
            if expired.is_empty() {
                return Ok(Comes::ToNothing(Ok(Vec::new())));
            }
            let mut told = Vec::new();
            for id in expired {
                if let Some(head) = remove(write, id)? {
                    write.open_table(KEYS)?.remove(head.key.as_str())?;
                    told.push((head.key, head.kind));
                }
            }
            Ok(Comes::To(told))
        })
    }

    /// What waits.
    ///
    /// # Errors
    /// The disk.
    pub fn queued(&mut self) -> Result<Queued, OutboxError> {
        self.with_read(|store| {
            let read = store.begin_read()?;
            let bytes = number(&read.open_table(NUMBERS)?, "bytes")?;
            Ok(Queued { items: read.open_table(HEADS)?.len()?, bytes })
        })
    }

    /// What this day has spent.
    ///
    /// # Errors
    /// The disk.
    pub fn spent(&mut self, now: Time) -> Result<Spent, OutboxError> {
        self.with_read(|store| spent(&store.begin_read()?.open_table(NUMBERS)?, now))
    }

    fn store(&mut self) -> Result<&Database, OutboxError> {
        if self.store.is_none() {
            self.store = Some(self.disk.open().map_err(redb::Error::from)?);
        }
        self.store.as_ref().ok_or(OutboxError::Taken)
    }

    fn with_read<T>(
        &mut self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, OutboxError> {
        let done = work(self.store()?);
        self.mind(done)
    }

    /// One transaction: all of it is on the disk when this returns, or nothing.
    fn with_write<T>(
        &mut self,
        work: impl FnOnce(&WriteTransaction) -> Result<Comes<T>, redb::Error>,
    ) -> Result<T, OutboxError> {
        let store = self.store()?;
        let done = (|| {
            let write = store.begin_write()?;
            match work(&write)? {
                Comes::To(value) => write.commit().map(|()| Ok(value)).map_err(redb::Error::from),
                Comes::ToNothing(value) => write.abort().map(|()| value).map_err(redb::Error::from),
            }
        })();
        self.mind(done)?
    }

    /// After an error of the disk the store takes nothing more; it is opened anew when it is next wanted.
    fn mind<T>(&mut self, done: Result<T, redb::Error>) -> Result<T, OutboxError> {
        done.map_err(|error| {
            self.store = None;
            error.into()
        })
    }
}

/// Takes an item out of the queue, all but its key.
fn remove(write: &WriteTransaction, id: u64) -> Result<Option<Head>, redb::Error> {
    let head = write.open_table(HEADS)?.remove(id)?.map(|head| decode(head.value())).transpose()?;
    if let Some(head) = &head {
        write.open_table(PAYLOADS)?.remove(id)?;
        write.open_table(ORDER)?.remove((head.priority.rank(), id))?;
        let mut numbers = write.open_table(NUMBERS)?;
        let waiting = number(&numbers, "bytes")?;
        numbers.insert("bytes", waiting.saturating_sub(head.bytes))?;
    }
    Ok(head)
}

fn number(numbers: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64, redb::Error> {
    Ok(numbers.get(name)?.map_or(0, |value| value.value()))
}

fn spent(numbers: &impl ReadableTable<&'static str, u64>, now: Time) -> Result<Spent, redb::Error> {
    // A clock that goes back to the day before does not get that day's budget again.
    if now.as_nanos() / DAY > number(numbers, "day")? {
        return Ok(Spent::default());
    }
    Ok(Spent { bytes: number(numbers, "spent_bytes")?, cost: number(numbers, "spent_cost")? })
}

fn encode(head: &Head) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(head).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

fn decode(bytes: &[u8]) -> Result<Head, redb::Error> {
    serde_json::from_slice(bytes).map_err(|error| redb::Error::Corrupted(error.to_string()))
}
