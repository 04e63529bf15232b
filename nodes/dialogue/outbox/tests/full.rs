//! A full disk: a small one of its own where that may be mounted, and one that is made full at every single write.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use redb::{Database, DatabaseError, StorageBackend, backends::FileBackend};
use troika_kit::{Duration, Time};
use troika_outbox::{Disk, Limits, New, Outbox, OutboxError, Priority, Put};

fn at(seconds: u64) -> Time {
    Time::from_nanos(1_800_000_000_000_000_000) + Duration::from_secs(seconds)
}

fn new(key: u64, bytes: usize) -> New {
    New {
        key: key.to_string(),
        kind: "test".into(),
        priority: Priority::Urgent,
        lives: Duration::from_secs(3600),
        cost: 0,
        payload: vec![key as u8; bytes],
    }
}

fn limits() -> Limits {
    Limits { items: 1_000_000, bytes: 1 << 40, bytes_a_day: 1 << 40, ..Limits::default() }
}

/// All keys that wait, with their payloads looked at.
fn keys(outbox: &mut Outbox) -> BTreeSet<u64> {
    let mut keys = BTreeSet::new();
    while let Some(item) = outbox.take(at(1)).expect("reading") {
        let key: u64 = item.key.parse().expect("a number");
        assert!(item.payload.iter().all(|byte| *byte == key as u8), "{key} is not what was put");
        assert!(keys.insert(key));
    }
    keys
}

/// A file that takes so many writes, and so many bytes, and then has no room.
#[derive(Debug)]
struct Quota {
    file: FileBackend,
    left: Arc<Mutex<Room>>,
}

#[derive(Debug, Clone, Copy)]
struct Room {
    writes: u64,
    length: u64,
}

impl Quota {
    fn room(&self, end: u64) -> io::Result<()> {
        let mut left = self.left.lock().expect("not poisoned");
        if left.writes == 0 || end > left.length {
            return Err(io::ErrorKind::StorageFull.into());
        }
        left.writes -= 1;
        Ok(())
    }
}

impl StorageBackend for Quota {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.file.len()? {
            self.room(len)?;
        }
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        // As a file system may that gives room only now.
        self.room(0)?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room(offset + data.len() as u64)?;
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

struct QuotaDisk {
    path: PathBuf,
    left: Arc<Mutex<Room>>,
}

impl Disk for QuotaDisk {
    fn open(&self) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path);
        let file = FileBackend::new(file.map_err(|error| DatabaseError::Storage(error.into()))?)?;
        Database::builder().create_with_backend(Quota { file, left: self.left.clone() })
    }
}

const PLENTY: Room = Room { writes: u64::MAX, length: u64::MAX };

#[test]
fn a_disk_that_is_full_at_any_write_loses_nothing_acknowledged() {
    troika_safety::verifies![SR_OUT_003];
    let mut refused = 0;
    for writes in 0..120 {
        let folder = tempfile::tempdir().expect("a folder");
        let left = Arc::new(Mutex::new(PLENTY));
        let disk = || Box::new(QuotaDisk { path: folder.path().join("outbox"), left: left.clone() });
        let mut outbox = Outbox::on(disk(), limits()).expect("an outbox");
        let mut acknowledged = BTreeSet::new();
        let mut put = |outbox: &mut Outbox, key| match outbox.put(at(0), &new(key, 3000)) {
            Ok(Put::Queued(_)) => drop(acknowledged.insert(key)),
            Ok(other) => panic!("{other:?}"),
            Err(OutboxError::DiskFull) => refused += 1,
            Err(other) => panic!("after {writes} writes: {other}"),
        };
        (0..5).for_each(|key| put(&mut outbox, key));
        *left.lock().expect("not poisoned") = Room { writes, ..PLENTY };
        (5..15).for_each(|key| put(&mut outbox, key));
        // Room again, in the same process: it goes on by itself.
        *left.lock().expect("not poisoned") = PLENTY;
        let before = acknowledged.clone();
        let found = keys(&mut outbox);
        assert!(found.is_superset(&before), "after {writes} writes: {found:?}, acknowledged {before:?}");
        drop(outbox);
        let mut outbox = Outbox::on(disk(), limits()).expect("an outbox");
        assert_eq!(keys(&mut outbox), found, "after {writes} writes and a restart");
        assert!(matches!(outbox.put(at(2), &new(99, 3000)), Ok(Put::Queued(_))));
    }
    assert!(refused > 100, "only {refused} refusals: the disk was hardly ever full");
}

/// A file system of 6 MiB: mounted where that is allowed, a quota of the same size where not.
struct Small {
    folder: tempfile::TempDir,
    mounted: bool,
    left: Arc<Mutex<Room>>,
}

impl Small {
    fn new() -> Small {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|done| done.status.success());
        let length = if mounted { u64::MAX } else { 6 << 20 };
        Small { folder, mounted, left: Arc::new(Mutex::new(Room { length, ..PLENTY })) }
    }

    /// To twice its size.
    fn grows(&self) {
        self.left.lock().expect("not poisoned").length = if self.mounted { u64::MAX } else { 12 << 20 };
        if self.mounted {
            let done = Command::new("mount").args(["-o", "remount,size=12m"]).arg(self.path()).status();
            assert!(done.is_ok_and(|status| status.success()), "the small disk does not grow");
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> Outbox {
        let path = self.path().join("outbox");
        let disk = QuotaDisk { path, left: self.left.clone() };
        if self.mounted { Outbox::open(&disk.path, limits()) } else { Outbox::on(Box::new(disk), limits()) }
            .expect("an outbox")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        if self.mounted {
            let done = Command::new("umount").arg(self.path()).status();
            assert!(done.is_ok_and(|status| status.success()), "{} stays mounted", self.path().display());
        }
    }
}

#[test]
fn a_small_disk_fills_is_refused_clearly_and_takes_again_when_there_is_room() {
    troika_safety::verifies![SR_OUT_003];
    let small = Small::new();
    let mut outbox = small.open();
    let mut acknowledged = BTreeSet::new();
    let mut key = 0;
    let error = loop {
        match outbox.put(at(0), &new(key, 50_000)) {
            Ok(Put::Queued(_)) => drop(acknowledged.insert(key)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        key += 1;
        assert!(key < 1000, "6 MiB hold no 50 MB");
    };
    assert!(matches!(error, OutboxError::DiskFull), "{error}");
    assert!(error.to_string().contains("what waits is safe"), "{error}");
    println!(
        "{} of 50 kB taken on {} of 6 MiB",
        acknowledged.len(),
        if small.mounted { "a tmpfs" } else { "a quota" }
    );
    assert!(acknowledged.len() > 20);
    // What a process finds that comes after a `kill -9` on the full disk, where it finds room again.
    let copy = tempfile::tempdir().expect("a folder");
    let elsewhere = copy.path().join("outbox");
    fs::copy(small.path().join("outbox"), &elsewhere).expect("copied");
    let mut found = keys(&mut Outbox::open(&elsewhere, limits()).expect("it opens where there is room"));
    // The one that was refused may be there or not.
    found.remove(&key);
    assert_eq!(found, acknowledged);
    // Room again: the same process goes on.
    small.grows();
    assert!(matches!(outbox.put(at(0), &new(key, 50_000)), Ok(Put::Queued(_) | Put::Waits(_))));
    acknowledged.insert(key);
    assert_eq!(keys(&mut outbox), acknowledged);
}
