//! The language model's process: requests from /voice/language_request, replies to /voice/language_reply. One ordinary thread does the
//! work and memory is not locked: whatever runs at deadlines goes before. Without its model it runs all the same, and says so to
//! every request.

use std::sync::{
    Arc,
    mpsc::{Receiver, RecvTimeoutError, sync_channel},
};

use anyhow::Context as _;
use troika_host::{
    HostClock,
    edge::{Edge, TypedPublisher},
    health::Heart,
    signal,
    sync::{Counter, StopToken},
};
use troika_kit::{Duration, PortSpec, Ports, Time};
use troika_models::Store;
use troika_msgs::{
    std_msgs::Header,
    troika::{LanguageReply, LanguageRequest},
};
use troika_transport_open::Carrier;
use troika_voice::language::{Inputs, Outputs, SlmConfig};

use crate::{
    desk::Desk,
    engine::Engine,
    llama::{Llama, LoadError, Weights},
    prompt::{Holding, Prompts},
};

/// How long the transport may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long a reply may still be on its way.
const LINGER: Duration = Duration::from_millis(200);
/// Whoever listens to an answer while it comes is told so often that it is worked on.
const SIGN: Duration = Duration::from_secs(1);
/// How often an idle process looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

const REQUEST: PortSpec = <Inputs as Ports>::SPECS[0];
const REPLY: PortSpec = <Outputs as Ports>::SPECS[0];

/// What is between the transport's thread and the one that works.
struct Door {
    desk: Desk,
    inbox: Receiver<LanguageRequest>,
    /// Requests that came while the inbox was full.
    dropped: Arc<Counter>,
    told_dropped: u64,
    replies: TypedPublisher<LanguageReply>,
    clock: HostClock,
    stop: StopToken,
    heart: Heart,
    /// When somebody was last told that the work goes on.
    sign: Time,
}

/// Runs until SIGINT or SIGTERM comes.
///
/// # Errors
/// When the transport is not to be had.
pub fn run(config: &SlmConfig) -> anyhow::Result<()> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    if let Some(nice) = config.nice
        && let Err(error) = rustix::process::nice(nice)
    {
        eprintln!("slm: cannot take niceness {nice}: {error}; running on as it is");
    }
    let carrier =
        Carrier { router: config.router.clone(), dds: config.dds, ros2: config.ros2, domain: config.domain };
    let transport = carrier.open()?;
    let clock = HostClock::start();
    let edge = Edge::new(&*transport, troika_host::Clock::Host(clock), &config.namespace, &config.name)?;
    let (sender, inbox) = sync_channel::<LanguageRequest>(REQUEST.capacity);
    let dropped = Arc::new(Counter::default());
    let full = dropped.clone();
    let mut taken = edge.publisher::<LanguageReply>(REPLY.topic, REPLY.qos)?;
    // More than none when the model is loaded.
    let ready = Arc::new(Counter::default());
    let loaded = ready.clone();
    // Requests that come while the model is loaded wait in the inbox.
    let subscription = edge.subscribe::<LanguageRequest>(REQUEST.topic, REQUEST.qos, move |request| {
        let reason = if loaded.get() > 0 { "" } else { "the model is being loaded" };
        let answer = takes(&request.value, reason)
            .map(|answer| LanguageReply { header: Header::at(clock.now()), ..answer });
        if sender.try_send(request.value).is_err() {
            full.add(1);
        } else if let Some(answer) = answer {
            // Who does not hear it takes the model for gone, and has another way.
            let _ = taken.send(&answer);
        }
    })?;
    let replies = edge.publisher::<LanguageReply>(REPLY.topic, REPLY.qos)?;
    let prompts = Prompts::english();
    let holding = Holding { to_candidates: config.restrict, ..Holding::default() };
    let desk = Desk::new(prompts.clone(), holding, &config.model);
    let heart = Heart::new(&edge, &config.namespace, &config.name)?;
    let (stop_here, sign) = (stop.clone(), Time::ZERO);
    let mut door =
        Door { desk, inbox, dropped, told_dropped: 0, replies, clock, stop: stop_here, heart, sign };
    match weights(config) {
        Ok(weights) => match Llama::new(&weights, &prompts, config.threads, &|| stop.is_stopped()) {
            Ok(mut llama) => {
                ready.add(1);
                door.serve(Some(&mut llama))?;
            }
            Err(LoadError::Stopped) => {}
            Err(error) => door.serve_without(&error.to_string())?,
        },
        Err(error) => door.serve_without(&format!("{error:#}"))?,
    }
    signal::end_within(CLOSING);
    StopToken::new().wait_for(LINGER);
    drop(subscription);
    Ok(())
}

/// Said at once of an answer that somebody listens to while it comes: this process is there and has the question, however long the model takes.
fn takes(request: &LanguageRequest, reason: &str) -> Option<LanguageReply> {
    (request.task == LanguageRequest::CONTINUE).then(|| LanguageReply {
        request_id: request.request_id.clone(),
        status: LanguageReply::PARTIAL,
        reason: reason.to_owned(),
        ..LanguageReply::default()
    })
}

/// The model's weights: of the file in the settings, or of the store's, checked.
///
/// # Errors
/// When it is not there, not what its passport says, or nothing that llama.cpp takes.
pub fn weights(config: &SlmConfig) -> anyhow::Result<Weights> {
    let store = Store::open_in(config.models.as_deref());
    let folder = store.as_ref().ok().map(|store| store.root().join("beginnings"));
    let file = match &config.file {
        Some(file) => file.clone(),
        None => store?.load_path(&config.model)?,
    };
    let weights = Weights::load(&file, config.lora.as_deref())?;
    // Without a store there is no place of ours on this machine.
    Ok(match folder {
        Some(folder) => weights.keeping(&folder),
        None => weights,
    })
}

/// What the model calls itself to those who ask over a network: its file's name up to the first dot, `smollm2-135m-instruct`.
///
/// # Errors
/// Where there is no such passport.
pub fn model_name(config: &SlmConfig) -> anyhow::Result<String> {
    let file = match &config.file {
        Some(file) => file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        None => Store::open_in(config.models.as_deref())?.passport(&config.model)?.file.clone(),
    };
    Ok(file.split('.').next().unwrap_or_default().to_lowercase())
}

impl Door {
    fn serve_without(&mut self, reason: &str) -> anyhow::Result<()> {
        eprintln!(
            "notice: slm is unavailable: {reason}; `troika models pull` fetches, `troika models verify` checks"
        );
        let why = format!("no language model: {reason}");
        let told = self.desk.without_model(self.clock.now(), &why);
        self.heart.health.lasting(why);
        self.tell(&told)?;
        self.serve(None)
    }

    fn serve(&mut self, mut engine: Option<&mut dyn Engine>) -> anyhow::Result<()> {
        while !self.stop.is_stopped() {
            self.heart.beat(self.clock.now())?;
            if self.desk.is_idle() {
                match self.inbox.recv_timeout(LOOK) {
                    Ok(request) => self.take(&request)?,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            // All that came, so that a cancel is not behind the work that it ends.
            while let Ok(request) = self.inbox.try_recv() {
                self.take(&request)?;
            }
            if let Some(engine) = engine.as_deref_mut()
                && !self.desk.is_idle()
            {
                let before = self.clock.now();
                let mut replies = self.desk.advance(before, engine);
                // The desk knows the time before the pass, and the pass belongs to the latency.
                let after = self.clock.now();
                for reply in &mut replies {
                    reply.header = Header::at(after);
                    reply.latency = (Duration::from(reply.latency.clone()) + after.since(before)).into();
                }
                self.tell(&replies)?;
                if after.since(self.sign) >= SIGN {
                    self.sign = after;
                    let signs = self.desk.signs(after);
                    self.tell(&signs)?;
                }
            }
        }
        let ended = self.desk.end(self.clock.now(), LanguageReply::UNAVAILABLE, "the process ends");
        self.tell(&ended)
    }

    fn take(&mut self, request: &LanguageRequest) -> anyhow::Result<()> {
        let replies = self.desk.receive(self.clock.now(), request);
        let dropped = self.dropped.get();
        if dropped > self.told_dropped {
            eprintln!(
                "slm: {} requests came while {} waited, and are lost",
                dropped - self.told_dropped,
                REQUEST.capacity
            );
            self.told_dropped = dropped;
        }
        self.tell(&replies)
    }

    fn tell(&mut self, replies: &[LanguageReply]) -> anyhow::Result<()> {
        for reply in replies {
            self.replies.send(reply)?;
        }
        Ok(())
    }
}
