//! The queue itself.

use std::{collections::BTreeMap, io, path::Path};

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, WriteTransaction};
use troika_kit::{Duration, Time};

use crate::{
    Charge, Disk, FileDisk, Item, Limits, LimitsError, Most, New, Outcome, Waiting,
    item::{Head, Priority},
    tables::{
        DELIVERED, Day, HEADS, KEYS, NUMBERS, ORDER, PAYLOADS, WORDS, day, decode, done, encode, forget,
        number, postpone, words,
    },
};

/// What became of a [`Outbox::put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is on the disk.
    Queued(u64),
    /// One with this key waits already.
    Waits(u64),
    /// One with this key was delivered.
    Delivered(u64),
    /// One with this key and other words waits, or was delivered. This one is not kept.
    Other {
        /// The other one still waits.
        waits: bool,
    },
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
    #[error(
        "another process has this outbox open: does another system, or another troika-uplink, run with the same `file`? Stop it, or give each \
         a `file` of its own"
    )]
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
    /// Who delivers; empty: nobody in particular.
    owner: String,
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
        let mut outbox = Outbox { disk, store: None, limits, out: Vec::new(), owner: String::new() };
        outbox.with_write(|write| {
            // So that reading never meets a table that is not there.
            write.open_table(HEADS)?;
            write.open_table(PAYLOADS)?;
            write.open_table(ORDER)?;
            write.open_table(KEYS)?;
            write.open_table(DELIVERED)?;
            write.open_table(WORDS)?;
            write.open_table(NUMBERS)?;
            Ok(Comes::To(()))
        })?;
        Ok(outbox)
    }

    /// Who delivers from here on, as the other end knows them; empty: nobody in particular. What is put is theirs. What somebody else put
    /// stays until that one delivers again, or it expires; what nobody in particular put goes.
    pub fn belongs_to(&mut self, who: &str) {
        who.clone_into(&mut self.owner);
    }

    /// Who else has something waiting, and how many items.
    ///
    /// # Errors
    /// The disk.
    pub fn held_back(&mut self) -> Result<BTreeMap<String, u64>, OutboxError> {
        let owner = self.owner.clone();
        self.with_read(|store| {
            let mut others = BTreeMap::new();
            for entry in store.begin_read()?.open_table(HEADS)?.iter()? {
                let head = decode(entry?.1.value())?;
                if !head.goes_for(&owner) {
                    *others.entry(head.owner).or_insert(0) += 1;
                }
            }
            Ok(others)
        })
    }

    /// What waits for its next try need not: what made the tries fail has been mended.
    ///
    /// # Errors
    /// The disk; then each is tried when its time has come.
    pub fn hurry(&mut self, now: Time) -> Result<(), OutboxError> {
        self.with_write(|write| {
            let mut heads = write.open_table(HEADS)?;
            let mut late = Vec::new();
            for entry in heads.iter()? {
                let (id, head) = entry?;
                let head = decode(head.value())?;
                if head.not_before_ns > now.as_nanos() {
                    late.push((id.value(), head));
                }
            }
            if late.is_empty() {
                return Ok(Comes::ToNothing(Ok(())));
            }
            for (id, mut head) in late {
                // The waits double anew as well.
                (head.not_before_ns, head.tries) = (now.as_nanos(), 0);
                heads.insert(id, encode(&head)?.as_slice())?;
            }
            Ok(Comes::To(()))
        })
    }

    /// Puts something into the queue. When this returns `Queued` it is on the disk.
    ///
    /// # Errors
    /// It does not fit, or the disk has no room or fails; then it is not in the queue, or it is after a restart (put it again: the key
    /// makes one of both).
    pub fn put(&mut self, now: Time, new: &New) -> Result<Put, OutboxError> {
        let limits = self.limits;
        let (owner, said) = (self.owner.clone(), words(new));
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
                let before = write.open_table(WORDS)?.get(id)?.map(|words| words.value());
                if before.is_some_and(|before| before != said) {
                    return Ok(Comes::ToNothing(Ok(Put::Other { waits })));
                }
                return Ok(Comes::ToNothing(Ok(if waits { Put::Waits(id) } else { Put::Delivered(id) })));
            }
            let mut heads = write.open_table(HEADS)?;
            let mut numbers = write.open_table(NUMBERS)?;
            let waiting = number(&numbers, "bytes")?;
            troika_safety::fulfils![SR_OUT_006];
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
                owner,
            };
            heads.insert(id, encode(&head)?.as_slice())?;
            write.open_table(PAYLOADS)?.insert(id, new.payload.as_slice())?;
            write.open_table(ORDER)?.insert((new.priority.rank(), id), ())?;
            keys.insert(new.key.as_str(), id)?;
            write.open_table(WORDS)?.insert(id, said)?;
            Ok(Comes::To(Put::Queued(id)))
        })
    }

    /// What is to be delivered next; none: nothing waits, or its time has not come, or the day's budgets are spent. Its bytes and cost are
    /// spent with this, whatever comes of it, so that no crash spends them twice over.
    ///
    /// # Errors
    /// The disk.
    pub fn take(&mut self, now: Time) -> Result<Option<Item>, OutboxError> {
        let one = Most { items: 1, bytes: u64::MAX, first: u64::MAX };
        let taken = self.take_some(now, one, |one| Some(Charge { bytes: one.bytes, cost: one.cost }))?;
        Ok(taken.into_iter().next())
    }

    /// Several that are to be delivered together, in their order: of what could go now, those for which `choose` says what the try takes.
    /// As with [`Outbox::take`] that is spent with this; one commit for all of them.
    ///
    /// # Errors
    /// The disk.
    pub fn take_some(
        &mut self,
        now: Time,
        most: Most,
        choose: impl Fn(&Waiting<'_>) -> Option<Charge>,
    ) -> Result<Vec<Item>, OutboxError> {
        let limits = self.limits;
        let longest = Duration::from_millis(limits.retry_longest_ms);
        let (out, owner) = (&self.out, &self.owner);
        let items = Self::write(&*self.disk, &mut self.store, |write| {
            let mut heads = write.open_table(HEADS)?;
            let mut numbers = write.open_table(NUMBERS)?;
            let Day { day, ahead, mut spent } = day(&numbers, now)?;
            let (mut found, mut bytes) = (Vec::new(), 0_u64);
            for entry in write.open_table(ORDER)?.iter()? {
                if found.len() >= most.items {
                    break;
                }
                let (_, id) = entry?.0.value();
                if out.contains(&id) {
                    continue;
                }
                let Some(head) = heads.get(id)?.map(|head| decode(head.value())).transpose()? else {
                    continue;
                };
                troika_safety::fulfils![SR_OUT_004, SR_OUT_005];
                let due = head.due(now, longest);
                if head.expires_ns <= now.as_nanos() || !due || !head.goes_for(owner) {
                    continue;
                }
                let Some(charge) = choose(&head.waiting()) else { continue };
                troika_safety::fulfils![SR_OUT_006];
                let share = head.priority.share();
                let in_budget = spent.bytes.saturating_add(charge.bytes) <= limits.bytes_a_day * share / 100
                    && spent.cost.saturating_add(charge.cost) <= limits.cost_a_day * share / 100;
                if !in_budget {
                    continue;
                }
                bytes = bytes.saturating_add(charge.bytes);
                let fits = if found.is_empty() { charge.bytes <= most.first } else { bytes <= most.bytes };
                if !fits {
                    break;
                }
                spent.bytes += charge.bytes;
                spent.cost += charge.cost;
                found.push((id, head));
            }
            let corrected = day < number(&numbers, "day")?;
            if found.is_empty() && !corrected {
                return Ok(Comes::ToNothing(Ok(Vec::new())));
            }
            // That of a clock that was ahead goes also where its budget is spent and nothing can: the next day would not begin else.
            numbers.insert("day", day)?;
            numbers.insert("ahead", ahead)?;
            numbers.insert("spent_bytes", spent.bytes)?;
            numbers.insert("spent_cost", spent.cost)?;
            let payloads = write.open_table(PAYLOADS)?;
            let mut items = Vec::new();
            for (id, mut head) in found {
                head.tries = head.tries.saturating_add(1);
                heads.insert(id, encode(&head)?.as_slice())?;
                let payload = payloads.get(id)?.map(|payload| payload.value().to_vec()).unwrap_or_default();
                items.push(Item {
                    id,
                    key: head.key,
                    kind: head.kind,
                    priority: head.priority,
                    expires: Time::from_nanos(head.expires_ns),
                    tries: head.tries,
                    cost: head.cost,
                    payload,
                });
            }
            Ok(Comes::To(items))
        })?;
        self.out.extend(items.iter().map(|item| item.id));
        Ok(items)
    }

    /// The other end has said that it has it: it leaves the queue, and its key is remembered.
    ///
    /// # Errors
    /// The disk; then it is delivered once more, and the other end sees by the key that it has it.
    pub fn delivered(&mut self, id: u64) -> Result<(), OutboxError> {
        self.settle(Time::ZERO, &[(id, Outcome::Delivered)])
    }

    /// It was not delivered: it is tried again after a while that doubles, or after what the other end asked for.
    ///
    /// # Errors
    /// The disk; then it is tried again earlier.
    pub fn failed(&mut self, now: Time, id: u64, retry_after: Option<Duration>) -> Result<(), OutboxError> {
        self.settle(now, &[(id, Outcome::Failed(retry_after))])
    }

    /// What became of what was taken, in one commit.
    ///
    /// # Errors
    /// The disk. Then nothing of it is written: what failed is tried again earlier; what was delivered or is hopeless stays taken, so that it
    /// is not sent again before a restart, and this can be said again.
    pub fn settle(&mut self, now: Time, outcomes: &[(u64, Outcome)]) -> Result<(), OutboxError> {
        let goes = |outcome: &Outcome| matches!(outcome, Outcome::Delivered | Outcome::Hopeless);
        let back = |id: &u64| outcomes.iter().any(|one| one.0 == *id && !goes(&one.1));
        self.out.retain(|id| !back(id));
        let limits = self.limits;
        Self::write(&*self.disk, &mut self.store, |write| {
            let mut changed = false;
            for (id, outcome) in outcomes {
                changed |= match outcome {
                    Outcome::Again => false,
                    Outcome::Delivered => done(write, *id, limits.remembered)?,
                    Outcome::Hopeless => forget(write, *id)?.is_some(),
                    Outcome::Failed(wait) => postpone(write, now, *id, *wait, &limits)?,
                };
            }
            Ok(if changed { Comes::To(()) } else { Comes::ToNothing(Ok(())) })
        })?;
        self.out.retain(|id| !outcomes.iter().any(|one| one.0 == *id));
        Ok(())
    }

    /// Takes out what has expired and is not being delivered, and tells it: key and kind.
    ///
    /// # Errors
    /// The disk.
    pub fn expire(&mut self, now: Time) -> Result<Vec<(String, String)>, OutboxError> {
        troika_safety::fulfils![SR_OUT_004];
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
                told.extend(forget(write, id)?.map(|head| (head.key, head.kind)));
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
        self.with_read(|store| Ok(day(&store.begin_read()?.open_table(NUMBERS)?, now)?.spent))
    }

    fn with_read<T>(
        &mut self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, OutboxError> {
        let done = work(opened(&*self.disk, &mut self.store)?);
        mind(&mut self.store, done)
    }

    fn with_write<T>(
        &mut self,
        work: impl FnOnce(&WriteTransaction) -> Result<Comes<T>, redb::Error>,
    ) -> Result<T, OutboxError> {
        Self::write(&*self.disk, &mut self.store, work)
    }

    /// One transaction: all of it is on the disk when this returns, or nothing.
    fn write<T>(
        disk: &dyn Disk,
        store: &mut Option<Database>,
        work: impl FnOnce(&WriteTransaction) -> Result<Comes<T>, redb::Error>,
    ) -> Result<T, OutboxError> {
        troika_safety::fulfils![SR_OUT_001];
        let open = opened(disk, store)?;
        let done = (|| {
            let write = open.begin_write()?;
            match work(&write)? {
                Comes::To(value) => write.commit().map(|()| Ok(value)).map_err(redb::Error::from),
                Comes::ToNothing(value) => write.abort().map(|()| value).map_err(redb::Error::from),
            }
        })();
        mind(store, done)?
    }
}

fn opened<'a>(disk: &dyn Disk, store: &'a mut Option<Database>) -> Result<&'a Database, OutboxError> {
    if store.is_none() {
        *store = Some(disk.open().map_err(redb::Error::from)?);
    }
    store.as_ref().ok_or(OutboxError::Taken)
}

/// After an error of the disk the store takes nothing more; it is opened anew when it is next wanted.
fn mind<T>(store: &mut Option<Database>, done: Result<T, redb::Error>) -> Result<T, OutboxError> {
    troika_safety::fulfils![SR_OUT_003];
    done.map_err(|error| {
        *store = None;
        error.into()
    })
}
