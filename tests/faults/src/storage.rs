//! A disk that is full, under the real outbox: at any one write, and for as long as it stays so.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use redb::{Database, DatabaseError, StorageBackend, backends::FileBackend};
use troika_kit::{Duration, Time};
use troika_outbox::{Disk, Limits, New, Outbox, OutboxError, Priority, Put};

use crate::class::{Dice, Ground, Off, Verdict};

/// What is put in waits for long, so that nothing but the disk may take it away.
const LIVES: Duration = Duration::from_secs(3_600);
const START: Time = Time::from_nanos(1_800_000_000_000_000_000);

/// Writes that there is room for; none where there is no bound.
#[derive(Debug, Clone, Default)]
struct Room(Arc<Mutex<Option<u64>>>);

impl Room {
    fn set(&self, writes: Option<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = writes;
    }

    fn take(&self) -> io::Result<()> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    /// There is still some.
    fn is_left(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) != Some(0)
    }
}

/// A file on such a disk.
#[derive(Debug)]
struct Full {
    file: FileBackend,
    left: Room,
}

impl StorageBackend for Full {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.file.len()? {
            self.left.take()?;
        }
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        // A file system may find only now that there is no room.
        self.left.take()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.left.take()?;
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

struct SmallDisk {
    path: PathBuf,
    left: Room,
}

impl Disk for SmallDisk {
    fn open(&self) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path);
        let file = FileBackend::new(file.map_err(|error| DatabaseError::Storage(error.into()))?)?;
        Database::builder().create_with_backend(Full { file, left: self.left.clone() })
    }
}

fn item(key: u64, bytes: usize) -> New {
    New {
        key: key.to_string(),
        kind: "faults".into(),
        priority: Priority::Urgent,
        lives: LIVES,
        cost: 0,
        payload: vec![key as u8; bytes],
    }
}

/// The keys of all that waits.
fn waiting(outbox: &mut Outbox) -> anyhow::Result<BTreeSet<u64>> {
    let mut keys = BTreeSet::new();
    while let Some(item) = outbox.take(START + Duration::from_secs(1))? {
        keys.insert(item.key.parse().context("the key of an item")?);
    }
    Ok(keys)
}

/// Items are put in until the disk has no more room; it is told to who puts them in, what was acknowledged is there after a restart, and more is
/// taken where there is room again.
pub(crate) fn full(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let folder = tempfile::tempdir().context("no folder")?;
    let left = Room::default();
    let disk = || Box::new(SmallDisk { path: folder.path().join("outbox"), left: left.clone() });
    let limits = || Limits { items: 1_000, bytes: 1 << 30, bytes_a_day: 1 << 30, ..Limits::default() };
    let mut outbox = Outbox::on(disk(), limits())?;
    let (mut acknowledged, mut told) = (BTreeSet::new(), false);
    let bytes = 100 + dice.below(20_000);
    let full_after = dice.below(120) as u64;
    for key in 0..20 {
        if key == 4 {
            left.set(Some(full_after));
        }
        match outbox.put(START, &item(key, bytes)) {
            Ok(Put::Queued(_) | Put::Waits(_)) => drop(acknowledged.insert(key)),
            Ok(_) => {}
            Err(OutboxError::DiskFull) if ground.without(Off::DiskFull) => drop(acknowledged.insert(key)),
            Err(OutboxError::DiskFull) => {
                told = true;
                // It stays full for a while.
                left.set(Some(dice.below(3) as u64));
            }
            Err(other) => {
                return Ok(vec![Verdict::of(None, Some(format!("told as another fault: {other}")))]);
            }
        }
    }
    // Whether the disk was ever full is the dice's; where it was not, all had to be taken.
    let noticed = told || acknowledged.len() == 20 && left.is_left();
    left.set(None);
    let goes_on = matches!(outbox.put(START, &item(99, 100)), Ok(Put::Queued(_) | Put::Waits(_)));
    acknowledged.insert(99);
    drop(outbox);
    let found = waiting(&mut Outbox::on(disk(), limits())?)?;
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    let harm = (!lost.is_empty()).then(|| format!("acknowledged, and not there after a restart: {lost:?}"));
    Ok(vec![Verdict::of((noticed && goes_on).then_some(Duration::ZERO), harm)])
}
