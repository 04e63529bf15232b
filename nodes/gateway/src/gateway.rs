//! What all connections share, and what goes on beside them: quotas to the store, certificates read again, a look at the upstreams.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::ServerConfig;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use troika_dialogue::{Fault, breaker};
use troika_kit::Duration;

use crate::{
    audit::Audit,
    board::Board,
    cache::Cache,
    config::{Config, UpstreamConfig, ms},
    folders::{self, FolderError},
    gate::Gate,
    mesh,
    metrics::{self, Metrics},
    pool::Pool,
    queue::Queue,
    quota::{Book, Limits},
    store::{Keeps, Store, StoreError},
    tls::{Files, TlsError},
    tracer::Tracer,
    upstream::{Upstream, UpstreamError},
};

/// Upstreams that nobody asked are looked at so often.
const LOOK: Duration = Duration::from_secs(10);
/// A look takes no longer.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);
/// A store that nothing is brought to is written all the same, each so many rounds: `/ready` says whether it can be.
const STORE_ROUNDS: u32 = 10;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says itself what it is")]
pub enum StartError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("trace: {reason}")]
    Trace { reason: UpstreamError },
    #[error("upstream {name}: {reason}")]
    Upstream { name: String, reason: UpstreamError },
    #[error("store: {0}")]
    Store(StoreError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("audit file {}: {reason}", path.display())]
    Audit { path: std::path::PathBuf, reason: std::io::Error },
}

/// TLS as it stands now.
pub struct Tls {
    /// For the next handshake.
    pub config: Arc<ServerConfig>,
    /// Serial numbers whose connections are closed.
    pub revoked: Arc<HashSet<Vec<u8>>>,
}

/// How an upstream is.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// It answered the last time; none before the first.
    pub fine: Option<bool>,
    /// What it failed at.
    pub fault: Option<&'static str>,
    asked: bool,
}

/// The whole.
pub struct Gateway {
    /// Its file.
    pub config: Config,
    /// Models, with the bits of the upstreams that have them.
    pub models: BTreeMap<String, u64>,
    /// As in the file.
    pub upstreams: Vec<Upstream>,
    /// The way to them.
    pub gate: Arc<Gate>,
    /// Kept things.
    pub store: Store,
    /// The record.
    pub audit: Audit,
    /// What is counted.
    pub metrics: Metrics,
    /// Where spans go.
    pub tracer: Tracer,
    book: Mutex<Book>,
    board: Mutex<Board>,
    cache: Mutex<Cache>,
    health: Mutex<Vec<Health>>,
    store_fine: watch::Sender<bool>,
    router: watch::Sender<bool>,
    tls: watch::Sender<Arc<Tls>>,
    ending: watch::Sender<bool>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can stop half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_tls(dir: &Path) -> Result<(Files, Tls), TlsError> {
    let files = Files::read(dir)?;
    let tls = Tls { config: Arc::new(files.server()?), revoked: files.revoked().clone() };
    Ok((files, tls))
}

fn upstreams(config: &Config) -> Result<Vec<Upstream>, StartError> {
    let connect = ms(config.times.connect_ms);
    let one = |one: &UpstreamConfig| {
        Upstream::new(one, connect).map_err(|reason| StartError::Upstream { name: one.name.clone(), reason })
    };
    config.upstreams.iter().map(one).collect()
}

/// The files that a gateway writes, with their keys.
fn kept(config: &Config) -> impl Iterator<Item = (&'static str, &Path)> {
    let audit = config.audit.as_deref().map(|file| ("audit", file));
    std::iter::once(("store", config.store.as_path())).chain(audit)
}

impl Gateway {
    /// Reads what the file names, and changes nothing.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn check(config: &Config) -> Result<(), StartError> {
        upstreams(config)?;
        read_tls(&config.tls)?;
        if config.mesh.is_some() {
            mesh::credentials(&config.tls)?;
        }
        if let Some(trace) = &config.trace {
            Tracer::check(trace).map_err(|reason| StartError::Trace { reason })?;
        }
        for (key, file) in kept(config) {
            folders::check(key, file)?;
        }
        Ok(())
    }

    /// Reads and opens what the file names. Within a tokio runtime: what goes on beside the connections begins here.
    ///
    /// # Errors
    /// What cannot be read or opened.
    pub async fn start(config: Config) -> Result<Arc<Gateway>, StartError> {
        let upstreams = upstreams(&config)?;
        let limits = Limits {
            requests_a_minute: config.quota.requests_a_minute,
            tokens_a_day: config.quota.tokens_a_day,
            micro_euro_a_day: config.quota.micro_euro_a_day,
        };
        let keeps = Keeps { limits, inbox: config.limits.inbox, delivered: config.limits.delivered };
        let (files, tls) = read_tls(&config.tls)?;
        if config.mesh.is_some() {
            mesh::credentials(&config.tls)?;
        }
        for (key, file) in kept(&config) {
            if let Some(made) = folders::prepare(key, file)? {
                eprintln!("notice: {} is made, for `{key}`", made.display());
            }
        }
        let store = Store::open(&config.store, keeps).map_err(StartError::Store)?;
        let book = Book::new(limits, store.load().await.map_err(StartError::Store)?);
        let metrics = Metrics::new();
        let audit = Audit::open(config.audit.as_deref(), metrics.audit_lost.clone())
            .map_err(|reason| StartError::Audit { path: config.audit.clone().unwrap_or_default(), reason })?;
        let tracer =
            Tracer::start(config.trace.as_ref(), &metrics).map_err(|reason| StartError::Trace { reason })?;
        let most: Vec<u32> = config.upstreams.iter().map(|one| one.concurrent).collect();
        let queue = Queue::new(config.queue.total, config.queue.a_vehicle);
        let pool = Pool::new(queue, config.queue.running_a_vehicle, &most, breaker::Limits::default());
        let gateway = Arc::new(Gateway {
            models: config.models(),
            gate: Gate::new(pool),
            store,
            audit,
            metrics,
            tracer,
            book: Mutex::new(book),
            board: Mutex::new(Board::new(config.limits.vehicles)),
            cache: Mutex::new(Cache::new(config.cache.bytes, Duration::from_secs(config.cache.keep_s))),
            health: Mutex::new(vec![Health::default(); upstreams.len()]),
            store_fine: watch::Sender::new(true),
            router: watch::Sender::new(false),
            tls: watch::Sender::new(Arc::new(tls)),
            ending: watch::Sender::new(false),
            upstreams,
            config,
        });
        tokio::spawn(gateway.clone().bring());
        tokio::spawn(gateway.clone().reload(files));
        for at in 0..gateway.upstreams.len() {
            tokio::spawn(gateway.clone().look(at));
        }
        Ok(gateway)
    }

    /// The accounts.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        locked(&self.book)
    }

    /// The page's lines.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        locked(&self.board)
    }

    /// Answers kept.
    pub fn cache(&self) -> MutexGuard<'_, Cache> {
        locked(&self.cache)
    }

    /// How each upstream is.
    pub fn health(&self) -> Vec<Health> {
        locked(&self.health).clone()
    }

    /// TLS, and when it changes.
    pub fn tls(&self) -> watch::Receiver<Arc<Tls>> {
        self.tls.subscribe()
    }

    /// Whether the gateway is going, and when.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// It is going.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Whether the store could be written the last time.
    pub fn store_fine(&self) -> bool {
        *self.store_fine.borrow()
    }

    /// Whether a router of the fleet's has us, and when that changes.
    pub fn router(&self) -> &watch::Sender<bool> {
        &self.router
    }

    /// Whether somebody sensible would send a vehicle here.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), &'static str> {
        if *self.ending.borrow() {
            Err("ending")
        } else if !self.store_fine() {
            Err("the store cannot be written")
        } else if !self.health().iter().any(|one| one.fine == Some(true)) {
            Err("no upstream answers")
        } else if self.config.mesh.is_some() && !*self.router.borrow() {
            Err("no router takes us")
        } else {
            Ok(())
        }
    }

    /// An upstream has answered, or not.
    pub fn was(&self, upstream: usize, outcome: Result<(), &Fault>) {
        let fault = outcome.err().map(Fault::name);
        if let (Some(fault), Some(one)) = (fault, self.upstreams.get(upstream)) {
            self.metrics
                .failures
                .get_or_create(&metrics::Failure { upstream: one.name.clone(), fault })
                .inc();
        }
        // What it refuses says that it is there.
        let fine = outcome.is_ok() || fault == Some("refused");
        if let Some(one) = locked(&self.health).get_mut(upstream) {
            let before = std::mem::replace(one, Health { fine: Some(fine), fault, asked: true }).fine;
            let name = self.upstreams.get(upstream).map_or("", |one| one.name.as_str());
            match (before, fine, outcome) {
                (Some(true) | None, false, Err(why)) => {
                    eprintln!(
                        "notice: the upstream {name:?} does not answer: {why}; it is left alone and tried again"
                    );
                }
                (Some(false), true, _) => eprintln!("notice: the upstream {name:?} answers again"),
                _ => {}
            }
        }
    }

    /// Brings what was used to the store, and reads what others brought there. Once more when asked to.
    pub async fn share(&self) {
        let used = self.book().unwritten();
        match self.store.add(used.clone()).await {
            Ok(sums) => {
                self.book().kept(&used, sums);
                if !self.store_fine.send_replace(true) {
                    eprintln!("notice: the store is written again");
                }
            }
            Err(why) => {
                self.metrics.store_failed.inc();
                if self.store_fine.send_replace(false) {
                    eprintln!(
                        "error: the store cannot be written: {why}; quotas are kept in memory meanwhile"
                    );
                }
            }
        }
    }

    async fn bring(self: Arc<Gateway>) {
        let mut rounds = interval(ms(self.config.quota.share_ms));
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for round in 0u32.. {
            rounds.tick().await;
            if round.is_multiple_of(STORE_ROUNDS) || !self.book().unwritten().is_empty() {
                self.share().await;
            }
        }
    }

    async fn reload(self: Arc<Gateway>, mut had: Files) {
        let mut rounds = interval(ms(self.config.times.reload_ms));
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = String::new();
        loop {
            rounds.tick().await;
            match Files::read(&self.config.tls) {
                Ok(files) if files == had => {}
                Ok(files) => match files.server() {
                    Ok(config) => {
                        let revoked = files.revoked().clone();
                        self.tls.send_replace(Arc::new(Tls { config: Arc::new(config), revoked }));
                        eprintln!("notice: {} was read again", self.config.tls.display());
                        told.clear();
                        had = files;
                    }
                    Err(why) => self.not_reloaded(&why, &mut told),
                },
                Err(why) => self.not_reloaded(&why, &mut told),
            }
        }
    }

    /// Between two files of a renewal they may not fit: the next round finds out. Told once.
    fn not_reloaded(&self, why: &TlsError, told: &mut String) {
        troika_safety::fulfils![SR_FLT_005];
        let text = why.to_string();
        if *told != text {
            self.metrics.reload_failed.inc();
            eprintln!("error: {text}; what was read before goes on to hold");
            *told = text;
        }
    }

    async fn look(self: Arc<Gateway>, at: usize) {
        let mut rounds = interval(LOOK);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let asked = locked(&self.health).get_mut(at).is_some_and(|one| std::mem::take(&mut one.asked));
            if let (false, Some(upstream)) = (asked, self.upstreams.get(at)) {
                let outcome = timeout(LOOK_PATIENCE, upstream.look())
                    .await
                    .unwrap_or(Err(Fault::Timeout("the list of models")));
                self.was(at, outcome.as_ref().copied());
                if let Some(one) = locked(&self.health).get_mut(at) {
                    one.asked = false;
                }
            }
        }
    }

    /// Gauges are set when somebody reads them.
    pub fn metrics_text(&self) -> String {
        let (waiting, each) = self.gate.look(self.upstreams.len());
        self.metrics.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        for (one, (running, alive)) in self.upstreams.iter().zip(each) {
            let label = metrics::Upstream { upstream: one.name.clone() };
            self.metrics.running.get_or_create(&label).set(running.into());
            self.metrics.asked.get_or_create(&label).set(alive.into());
        }
        self.metrics.text()
    }
}
