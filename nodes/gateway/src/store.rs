//! What must outlive the process: what quotas were used, which deliveries have arrived, and those that nobody has fetched yet. One `redb` file.
//!
//! The file is opened for each batch of work and closed again, so several gateways on one machine (or one volume) share it: whoever comes second
//! waits some milliseconds. One thread does the work; what is asked for meanwhile goes into the next batch, one commit for all of it.
#![expect(clippy::disallowed_methods, reason = "waits for the file that another gateway holds: an edge")]

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use redb::{Database, DatabaseError, ReadableTable as _, StorageError, TableDefinition, WriteTransaction};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    audit,
    identity::VehicleId,
    quota::{Account, Limits, Used},
};

type Sums = (u64, u64, u64, u64);
const QUOTA: TableDefinition<&str, Sums> = TableDefinition::new("quota");
const SEEN: TableDefinition<(&str, &str), u64> = TableDefinition::new("seen");
const ORDER: TableDefinition<(&str, u64), &str> = TableDefinition::new("order");
/// The next number of a vehicle's delivery, and the oldest that is remembered.
const COUNTS: TableDefinition<&str, (u64, u64)> = TableDefinition::new("counts");
const INBOX: TableDefinition<u64, &[u8]> = TableDefinition::new("inbox");

/// Another gateway holds the file for milliseconds; so long says that something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Jobs that wait, at most.
const WAITING: usize = 1024;
const CACHE: usize = 4 << 20;

/// The store cannot do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The library's or the disk's.
    #[error("{}: {reason}", path.display())]
    Fails {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Too much waits for the disk.
    #[error("too much waits for the store")]
    Busy,
}

/// One delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The sender's key.
    pub id: String,
    /// What it is.
    pub kind: String,
    /// What it says.
    pub body: Value,
}

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is kept.
    Accepted,
    /// It was kept before.
    Known,
    /// There is no room: nobody fetches.
    Full,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Load(Reply<Vec<(VehicleId, Account)>>),
    Use(Vec<(VehicleId, Used)>, Reply<Vec<(VehicleId, Account)>>),
    Deliver(VehicleId, String, Vec<Delivery>, Reply<Vec<Delivered>>),
    Fetch(u64, usize, Reply<Vec<(u64, Value)>>),
    Fetched(u64, Reply<u64>),
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Keeps {
    /// Quotas, for what a [`Used`] makes of an [`Account`].
    pub limits: Limits,
    /// Deliveries that wait to be fetched.
    pub inbox: u64,
    /// Delivered ids of each vehicle.
    pub delivered: u64,
}

/// The store, from any task.
#[derive(Clone)]
pub struct Store {
    jobs: SyncSender<Job>,
}

impl Store {
    /// Opens the file once, to see that it can be, and begins.
    ///
    /// # Errors
    /// Where it cannot be opened or written.
    pub fn open(path: &Path, keeps: Keeps) -> Result<Store, StoreError> {
        let (jobs, waiting) = sync_channel(WAITING);
        let work = Work { path: path.into(), keeps };
        work.with(|transaction| {
            transaction.open_table(QUOTA)?;
            transaction.open_table(SEEN)?;
            transaction.open_table(ORDER)?;
            transaction.open_table(COUNTS)?;
            transaction.open_table(INBOX)?;
            Ok(())
        })?;
        thread::Builder::new()
            .name("store".into())
            .spawn(move || work.run(&waiting))
            .map_err(|error| StoreError::Fails { path: path.into(), reason: error.to_string() })?;
        Ok(Store { jobs })
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(job(reply)).map_err(|_| StoreError::Busy)?;
        answer.await.unwrap_or(Err(StoreError::Busy))
    }

    /// Every account.
    ///
    /// # Errors
    /// The disk's.
    pub async fn load(&self) -> Result<Vec<(VehicleId, Account)>, StoreError> {
        self.ask(Job::Load).await
    }

    /// Adds what was used; the new accounts, with what other gateways added.
    ///
    /// # Errors
    /// The disk's. Nothing was added then.
    pub async fn add(&self, used: Vec<(VehicleId, Used)>) -> Result<Vec<(VehicleId, Account)>, StoreError> {
        self.ask(|reply| Job::Use(used, reply)).await
    }

    /// Keeps deliveries that have not come before. When this returns they are on the disk.
    ///
    /// # Errors
    /// The disk's. None was kept then.
    pub async fn deliver(
        &self,
        vehicle: &VehicleId,
        at: String,
        batch: Vec<Delivery>,
    ) -> Result<Vec<Delivered>, StoreError> {
        self.ask(|reply| Job::Deliver(vehicle.clone(), at, batch, reply)).await
    }

    /// Deliveries after this number, the oldest first.
    ///
    /// # Errors
    /// The disk's.
    pub async fn fetch(&self, after: u64, most: usize) -> Result<Vec<(u64, Value)>, StoreError> {
        self.ask(|reply| Job::Fetch(after, most, reply)).await
    }

    /// Those up to this number have been fetched and are not kept any longer; how many that were.
    ///
    /// # Errors
    /// The disk's.
    pub async fn fetched(&self, upto: u64) -> Result<u64, StoreError> {
        self.ask(|reply| Job::Fetched(upto, reply)).await
    }
}

type Done<'a> = Box<dyn FnOnce(Option<&StoreError>) + 'a>;

struct Work {
    path: PathBuf,
    keeps: Keeps,
}

impl Work {
    fn run(&self, waiting: &Receiver<Job>) {
        while let Ok(first) = waiting.recv() {
            let mut jobs = vec![first];
            while let Some(job) = (jobs.len() < 256).then(|| waiting.try_recv().ok()).flatten() {
                jobs.push(job);
            }
            // Answers go out when the commit has come back, and not before.
            let mut done: Vec<Done<'_>> = Vec::new();
            let mut unanswered = Vec::new();
            let committed = self.with(|transaction| {
                for job in jobs.drain(..) {
                    match self.job(transaction, job) {
                        Ok(answer) => done.push(answer),
                        Err((answer, error)) => {
                            unanswered.push(answer);
                            return Err(error);
                        }
                    }
                }
                Ok(())
            });
            let error = committed.err();
            // Of a batch that failed nothing was kept, so every one of it is told so.
            for answer in done.into_iter().chain(unanswered) {
                answer(error.as_ref());
            }
        }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let doing = || {
            let database = self.database()?;
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            let out = work(&transaction)?;
            transaction.commit()?;
            Ok(out)
        };
        doing().map_err(|error: redb::Error| StoreError::Fails {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn database(&self) -> Result<Database, redb::Error> {
        let began = Instant::now();
        // Deliveries have somebody's words in them: nobody else reads them.
        drop(audit::open(&self.path).map_err(StorageError::from)?);
        loop {
            match Database::builder().set_cache_size(CACHE).create(&self.path) {
                Err(DatabaseError::DatabaseAlreadyOpen) if began.elapsed() < PATIENCE => {
                    thread::sleep(LOOK_AGAIN)
                }
                other => return Ok(other?),
            }
        }
    }

    fn job<'a>(&self, transaction: &WriteTransaction, job: Job) -> Result<Done<'a>, (Done<'a>, redb::Error)> {
        match job {
            Job::Load(reply) => answer(reply, load(transaction)),
            Job::Use(used, reply) => answer(reply, add(transaction, used, &self.keeps.limits)),
            Job::Deliver(vehicle, at, batch, reply) => {
                answer(reply, deliver(transaction, &vehicle, &at, batch, &self.keeps))
            }
            Job::Fetch(after, most, reply) => answer(reply, fetch(transaction, after, most)),
            Job::Fetched(upto, reply) => answer(reply, fetched(transaction, upto)),
        }
    }
}

fn answer<'a, T: Send + 'a>(
    reply: Reply<T>,
    outcome: Result<T, redb::Error>,
) -> Result<Done<'a>, (Done<'a>, redb::Error)> {
    let (value, error) = match outcome {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    };
    let done: Done<'a> = Box::new(move |failed| {
        let out = match (failed, value) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(value)) => Ok(value),
            (None, None) => Err(StoreError::Busy),
        };
        let _ = reply.send(out);
    });
    match error {
        None => Ok(done),
        Some(error) => Err((done, error)),
    }
}

fn account((day, tokens, micro_euro, full_ns): Sums) -> Account {
    Account { day, tokens, micro_euro, full_ns }
}

fn load(transaction: &WriteTransaction) -> Result<Vec<(VehicleId, Account)>, redb::Error> {
    let table = transaction.open_table(QUOTA)?;
    let mut all = Vec::new();
    for entry in table.iter()? {
        let (vehicle, sums) = entry?;
        if let Ok(vehicle) = VehicleId::new(vehicle.value()) {
            all.push((vehicle, account(sums.value())));
        }
    }
    Ok(all)
}

fn add(
    transaction: &WriteTransaction,
    used: Vec<(VehicleId, Used)>,
    limits: &Limits,
) -> Result<Vec<(VehicleId, Account)>, redb::Error> {
    let mut table = transaction.open_table(QUOTA)?;
    let mut sums = Vec::new();
    for (vehicle, used) in used {
        let before = table.get(vehicle.as_str())?.map(|sums| account(sums.value())).unwrap_or_default();
        let sum = before.with(&used, limits);
        table.insert(vehicle.as_str(), (sum.day, sum.tokens, sum.micro_euro, sum.full_ns))?;
        sums.push((vehicle, sum));
    }
    Ok(sums)
}

fn deliver(
    transaction: &WriteTransaction,
    vehicle: &VehicleId,
    at: &str,
    batch: Vec<Delivery>,
    keeps: &Keeps,
) -> Result<Vec<Delivered>, redb::Error> {
    let mut seen = transaction.open_table(SEEN)?;
    let mut order = transaction.open_table(ORDER)?;
    let mut counts = transaction.open_table(COUNTS)?;
    let mut inbox = transaction.open_table(INBOX)?;
    let name = vehicle.as_str();
    let (mut next, mut oldest) = counts.get(name)?.map_or((0, 0), |both| both.value());
    let (mut first, mut last) =
        (inbox.first()?.map_or(0, |one| one.0.value()), inbox.last()?.map_or(0, |one| one.0.value()));
    // Numbers go on where everything was fetched: the highest is kept beside.
    last = last.max(counts.get("")?.map_or(0, |both| both.value().0));
    if first == 0 {
        first = last + 1;
    }
    let mut out = Vec::with_capacity(batch.len());
    for one in batch {
        troika_safety::fulfils![SR_OUT_002];
        if seen.get((name, one.id.as_str()))?.is_some() {
            out.push(Delivered::Known);
            continue;
        }
        if last + 1 - first >= keeps.inbox {
            out.push(Delivered::Full);
            continue;
        }
        last += 1;
        let line =
            json!({"vehicle": name, "id": one.id, "kind": one.kind, "at": at, "body": one.body}).to_string();
        inbox.insert(last, line.as_bytes())?;
        seen.insert((name, one.id.as_str()), next)?;
        order.insert((name, next), one.id.as_str())?;
        next += 1;
        while next - oldest > keeps.delivered {
            let old = order.remove((name, oldest))?.map(|id| id.value().to_owned());
            if let Some(old) = old {
                seen.remove((name, old.as_str()))?;
            }
            oldest += 1;
        }
        out.push(Delivered::Accepted);
    }
    counts.insert(name, (next, oldest))?;
    counts.insert("", (last, 0))?;
    Ok(out)
}

fn fetch(transaction: &WriteTransaction, after: u64, most: usize) -> Result<Vec<(u64, Value)>, redb::Error> {
    let inbox = transaction.open_table(INBOX)?;
    let mut out = Vec::new();
    for entry in inbox.range(after.saturating_add(1)..)?.take(most) {
        let (number, line) = entry?;
        out.push((number.value(), serde_json::from_slice(line.value()).unwrap_or(Value::Null)));
    }
    Ok(out)
}

fn fetched(transaction: &WriteTransaction, upto: u64) -> Result<u64, redb::Error> {
    let mut inbox = transaction.open_table(INBOX)?;
    let mut count = 0;
    for entry in inbox.extract_from_if(..=upto, |_, _| true)? {
        entry?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps() -> Keeps {
        let limits = Limits { requests_a_minute: 60, tokens_a_day: 1000, micro_euro_a_day: 1000 };
        Keeps { limits, inbox: 5, delivered: 3 }
    }

    fn anna() -> VehicleId {
        VehicleId::new("anna").expect("an id")
    }

    fn one(id: &str) -> Delivery {
        Delivery { id: id.into(), kind: "message".into(), body: json!("hello") }
    }

    async fn put(store: &Store, ids: &[&str]) -> Vec<Delivered> {
        let batch = ids.iter().map(|id| one(id)).collect();
        store.deliver(&anna(), "now".into(), batch).await.expect("kept")
    }

    #[tokio::test]
    async fn a_delivery_counts_once_whichever_gateway_it_comes_to_and_after_a_restart() {
        troika_safety::verifies![SR_OUT_002];
        use Delivered::{Accepted, Known};
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("s.redb");
        let first = Store::open(&path, keeps()).expect("opens");
        let second = Store::open(&path, keeps()).expect("opens beside it");
        assert_eq!(put(&first, &["1", "2", "1"]).await, [Accepted, Accepted, Known]);
        assert_eq!(put(&second, &["2", "3"]).await, [Known, Accepted]);
        drop((first, second));
        let again = Store::open(&path, keeps()).expect("opens again");
        assert_eq!(put(&again, &["3"]).await, [Known]);
        let other = VehicleId::new("bruno").expect("an id");
        let theirs = again.deliver(&other, "now".into(), vec![one("3")]).await.expect("kept");
        assert_eq!(theirs, [Accepted], "each vehicle has its own");
        let all = again.fetch(0, 100).await.expect("read");
        assert_eq!(all.iter().map(|one| one.1["id"].clone()).collect::<Vec<_>>(), ["1", "2", "3", "3"]);
        assert_eq!(again.fetched(all[1].0).await.expect("written"), 2);
        assert_eq!(again.fetch(0, 100).await.expect("read").len(), 2);
    }

    #[tokio::test]
    async fn what_nobody_fetches_fills_it_and_the_ids_are_bounded() {
        use Delivered::{Accepted, Full, Known};
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(&dir.path().join("s.redb"), keeps()).expect("opens");
        assert_eq!(
            put(&store, &["1", "2", "3", "4", "5", "6"]).await,
            [Accepted, Accepted, Accepted, Accepted, Accepted, Full]
        );
        store.fetched(5).await.expect("written");
        assert_eq!(
            put(&store, &["6", "5", "1"]).await,
            [Accepted, Known, Accepted],
            "of three, 1 was forgotten"
        );
    }

    #[tokio::test]
    async fn two_gateways_count_together_and_a_restart_forgets_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("s.redb");
        let stores =
            [Store::open(&path, keeps()), Store::open(&path, keeps())].map(|one| one.expect("opens"));
        let used = Used { requests: 1, full_ns: 5, day: 3, tokens: 10, micro_euro: 2 };
        for round in 0..20 {
            stores[round % 2].add(vec![(anna(), used)]).await.expect("added");
        }
        drop(stores);
        let store = Store::open(&path, keeps()).expect("opens");
        let all = store.load().await.expect("read");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].1.tokens, all[0].1.micro_euro, all[0].1.day), (200, 40, 3));
    }

    #[test]
    fn a_file_that_is_no_store_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("s.redb");
        std::fs::write(&path, "something else".repeat(1000)).expect("written");
        let said = Store::open(&path, keeps()).err().expect("refused").to_string();
        assert!(said.contains("s.redb"), "{said}");
    }
}
