//! Puts another model in the place of one that runs: takes requests on a topic, has the candidate examined on an ordinary thread
//! beside the nodes, offers it, and tells what became of it. The network that runs is touched by its own thread only
//! ([`troika_models::Exchange`]).

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use troika_host::{Clock, Edge, HostClock, edge::TypedSubscription, sync::StopToken};
use troika_kit::Qos;
use troika_models::{Candidate, Exchange, Offered, Store, signature::PublicKey};
use troika_msgs::{
    std_msgs::Header,
    troika::{ModelUpdate, ModelUpdateResult},
};
use troika_record::{replay::about, spool::Notes};
use troika_transport::{Endpoint, Transport};

/// Where requests come from.
pub(crate) const REQUESTS: &str = "/troika/model_update";
/// Where their results go.
pub(crate) const RESULTS: &str = "/troika/model_update_result";
/// A network that runs at all has run by then: that of the irises waits for open eyes.
const TAKEN_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks whether it was taken.
const LOOK: Duration = Duration::from_millis(10);
/// Requests that wait; more are not heard.
const WAITING: usize = 8;

/// Serves a process's networks until it is dropped.
pub(super) struct Keeper {
    _requests: TypedSubscription,
    stop: StopToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keeper {
    /// For the networks that `store` has handed out; none where there are none. `lowered` names the nodes that are not at their
    /// first level now, each with its level; `trusted` is whose models alone are taken. A recording is told of each change.
    ///
    /// # Errors
    /// What the transport or the operating system says.
    pub(super) fn start(
        store: Store,
        trusted: Option<PublicKey>,
        process: &str,
        namespace: &str,
        transport: &dyn Transport,
        lowered: impl Fn() -> Vec<String> + Send + 'static,
        notes: Option<Notes>,
    ) -> anyhow::Result<Option<Keeper>> {
        if store.exchanges().is_empty() {
            return Ok(None);
        }
        let edge =
            Edge::new(transport, Clock::Host(HostClock::start()), namespace, &format!("{process}_models"))?;
        let mut results = edge.publisher::<ModelUpdateResult>(RESULTS, Qos::DEFAULT)?;
        let (sender, receiver) = mpsc::sync_channel::<ModelUpdate>(WAITING);
        let requests = edge.subscribe::<ModelUpdate>(REQUESTS, Qos::DEFAULT, move |sample| {
            let _full_or_over = sender.try_send(sample.value);
        })?;
        let stop = StopToken::new();
        let (process, stopped) = (process.to_owned(), stop.clone());
        let serve = move || {
            while !stopped.is_stopped() {
                let Ok(request) = receiver.recv_timeout(10 * LOOK) else { continue };
                let mut result =
                    serve_all(&store.exchanges(), &request, trusted.as_ref(), &stopped, &lowered);
                result.header = Header { stamp: edge.now().into(), frame_id: String::new() };
                (result.id, result.model) = (request.id.clone(), request.model.clone());
                result.process.clone_from(&process);
                if let Some(notes) = notes.as_ref().filter(|_| result.status == ModelUpdateResult::TAKEN) {
                    let fields = [("model", &result.model), ("sha256", &result.sha256)];
                    let fields = fields.map(|(key, value)| (key.to_owned(), value.clone()));
                    notes.note(about::MODEL_CHANGE, fields.into());
                }
                if result.status != ModelUpdateResult::NOT_RUN {
                    let told = match result.status {
                        ModelUpdateResult::TAKEN => "runs now".to_owned(),
                        ModelUpdateResult::NOT_TAKEN => format!("is not taken: {}", result.reason),
                        _ => format!("is refused: {}; the old one runs on", result.reason),
                    };
                    tell!("notice: {}: the one in {} {told}", request.model, request.folder);
                }
                if let Err(error) = results.send(&result) {
                    tell!("notice: {RESULTS}: {error}");
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("troika-models".into())
            .spawn(serve)
            .context("no thread for model updates")?;
        Ok(Some(Keeper { _requests: requests, stop, thread: Some(thread) }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One request, for every network of this model in the process; the first that did not take it is told.
fn serve_all(
    exchanges: &[Exchange],
    request: &ModelUpdate,
    trusted: Option<&PublicKey>,
    stop: &StopToken,
    lowered: &impl Fn() -> Vec<String>,
) -> ModelUpdateResult {
    let mut told = ModelUpdateResult {
        status: ModelUpdateResult::NOT_RUN,
        max_abs_error: f32::NAN,
        reason: "no node of this process runs it".to_owned(),
        ..ModelUpdateResult::default()
    };
    for exchange in exchanges.iter().filter(|one| one.model() == request.model) {
        told = serve(exchange, Path::new(&request.folder), trusted, stop, lowered);
        if told.status != ModelUpdateResult::TAKEN {
            break;
        }
    }
    told
}

/// One candidate for one network.
fn serve(
    exchange: &Exchange,
    folder: &Path,
    trusted: Option<&PublicKey>,
    stop: &StopToken,
    lowered: &impl Fn() -> Vec<String>,
) -> ModelUpdateResult {
    let refused = |reason: String| ModelUpdateResult {
        status: ModelUpdateResult::REFUSED,
        max_abs_error: f32::NAN,
        reason,
        ..ModelUpdateResult::default()
    };
    let candidate = match Candidate::read(folder, trusted) {
        Ok(candidate) => candidate,
        Err(why) => return refused(why.to_string()),
    };
    let sha256 = candidate.passport().sha256.to_string();
    let (network, agreement) = match exchange.examine(&candidate) {
        Ok(passed) => passed,
        Err(why) => return ModelUpdateResult { sha256, ..refused(why.to_string()) },
    };
    let offered = exchange.offer(network);
    let mut waited = Duration::ZERO;
    while !offered.is_taken() && waited < TAKEN_WITHIN && !stop.wait_for(LOOK) {
        waited += LOOK;
    }
    withdraw(&offered, stop);
    let (status, reason) = if offered.is_taken() {
        (ModelUpdateResult::TAKEN, String::new())
    } else {
        let why = match &lowered()[..] {
            [] => String::new(),
            nodes => format!(", and a level may leave it out: {}", nodes.join(", ")),
        };
        (ModelUpdateResult::NOT_TAKEN, format!("no node ran this network within {TAKEN_WITHIN:?}{why}"))
    };
    ModelUpdateResult {
        sha256,
        status,
        reason,
        max_abs_error: agreement.max_abs_error,
        ..ModelUpdateResult::default()
    }
}

/// Ends the offer, so that the old network is dropped here and nowhere else.
fn withdraw(offered: &Offered, stop: &StopToken) {
    while !offered.ended() && !stop.wait_for(LOOK) {}
}

/// Asks every process with models for an exchange, and waits for their answers, at most `wait`.
///
/// # Errors
/// What the transport says.
pub(crate) fn ask(
    transport: &dyn Transport,
    model: &str,
    folder: PathBuf,
    wait: Duration,
) -> anyhow::Result<Vec<ModelUpdateResult>> {
    let edge = Edge::new(transport, Clock::Host(HostClock::start()), "/", "troika_models")?;
    let (sender, receiver) = mpsc::channel();
    let _results = edge.subscribe::<ModelUpdateResult>(RESULTS, Qos::DEFAULT, move |sample| {
        let _over = sender.send(sample.value);
    })?;
    let mut requests = edge.publisher::<ModelUpdate>(REQUESTS, Qos::DEFAULT)?;
    let graph = crate::topic::settled_graph(transport)?;
    let serves = |one: &&Endpoint| one.topic == REQUESTS && !one.publishes;
    let servers = graph.endpoints.iter().filter(serves).count();
    if servers == 0 {
        anyhow::bail!(
            "no process with models is on this router: start a system, or name its router with --router"
        );
    }
    let id = format!("{}-{}", std::process::id(), edge.now().as_nanos());
    let folder = folder.into_os_string().into_string().ok().context("the folder's name is no UTF-8")?;
    let header = Header { stamp: edge.now().into(), frame_id: String::new() };
    requests.send(&ModelUpdate { header, id: id.clone(), model: model.to_owned(), folder })?;
    let (begin, mut answers) = (Instant::now(), Vec::new());
    while let Some(left) = wait.checked_sub(begin.elapsed()) {
        match receiver.recv_timeout(left) {
            Ok(result) if result.id == id => {
                answers.push(result);
                if answers.len() >= servers {
                    break;
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Ok(answers)
}
