//! The process: what comes from the transport, from the service's threads and from the clock goes to [`Bridge`] one by one, on one
//! ordinary thread; what it says is published. Memory is not locked: whatever runs at deadlines goes before.
#![expect(clippy::disallowed_methods, reason = "the driver's clock is read here, for times of arrival")]

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use troika_dialogue::{
    Files, FromCloud, HttpUpstream, Navigation, Planner, Session, Situation, Traffic, Upstream, Words,
    otlp::{self, Span},
};
use troika_dialogue_mesh::OverZenoh;
use troika_host::{
    HostClock,
    edge::{Edge, TypedPublisher, TypedSubscription},
    health::Heart,
    heartbeat, signal,
    sync::StopToken,
};
use troika_kit::{Duration, Message, PortSpec, Ports, Qos, Time};
use troika_msgs::troika::{
    DialogueReply, DialogueRequest, Heartbeat, LanguageReply, LanguageRequest, LinkSample, LinkState,
    RoutingDecision, VoiceActivity, VoiceReply,
};
use troika_router::Redactor;
use troika_transport::{Transport, name::full_node_name};
use troika_transport_open::{Carrier, RouterWatch};

use crate::{
    bridge::{Bridge, Out, Parts, Sentences},
    config::{BridgeConfig, TraceConfig},
    guard::{Guard, Guarded},
    local::OnVehicle,
    offline::OnTheMap,
    ports::{Inputs, Outputs},
};

/// How long the transport may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long a reply may still be on its way.
const LINGER: Duration = Duration::from_millis(200);
/// How often an idle process looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);
/// How often the cloud's files and the router are looked at.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Questions whose steps wait for the collector; more are dropped.
const STEPS_WAIT: usize = 64;

/// What comes.
enum Came {
    Request(DialogueRequest),
    Decision(Box<RoutingDecision>),
    Language(LanguageReply),
    Link(Box<LinkState>),
    Activity(VoiceActivity),
    Beat(Box<Heartbeat>),
    Cloud(u64, FromCloud),
    Traffic(u64, Traffic),
}

/// Runs until SIGINT or SIGTERM comes.
///
/// # Errors
/// Settings that cannot be used, or when the transport is not to be had.
pub fn run(config: &BridgeConfig) -> anyhow::Result<()> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    if let Some(nice) = config.nice
        && let Err(error) = rustix::process::nice(nice)
    {
        eprintln!("bridge: cannot take niceness {nice}: {error}; running on as it is");
    }
    let carrier =
        Carrier { router: config.router.clone(), dds: config.dds, ros2: config.ros2, domain: config.domain };
    let (transport, router) = carrier.open_watched()?;
    run_on(config, &*transport, Some(router), &stop, || signal::end_within(CLOSING))
}

/// Runs on this transport, whose router is watched where one is given, until `stop`; `ending` is called when it goes.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    config: &BridgeConfig,
    transport: &dyn Transport,
    router: Option<RouterWatch>,
    stop: &StopToken,
    ending: impl FnOnce(),
) -> anyhow::Result<()> {
    let (sender, inbox) = channel();
    let mut around = Around {
        router: router.unwrap_or_default(),
        files: Files::of(&config.dialogue.cloud),
        next: Time::ZERO,
    };
    let clock = HostClock::start();
    let mut bridge = bridge(config, &sender, clock.now().as_nanos() / 1_000_000)?;
    let edge = Edge::new(transport, troika_host::Clock::Host(clock), &config.namespace, &config.name)?;
    let subscriptions = subscriptions(&edge, &sender)?;
    let mut mouths = Mouths::new(&edge, config)?;
    serve(config, &mut bridge, &mut around, &inbox, &clock, stop, &mut mouths)?;
    ending();
    let ended = bridge.stopping(clock.now());
    mouths.publish(ended)?;
    // Not `stop`, which is stopped.
    StopToken::new().wait_for(LINGER);
    drop(subscriptions);
    Ok(())
}

/// What is looked at beside the messages.
struct Around {
    router: RouterWatch,
    files: Files,
    next: Time,
}

impl Around {
    fn look(&mut self, config: &BridgeConfig, bridge: &mut Bridge, now: Time) -> Vec<Out> {
        if now < self.next {
            return Vec::new();
        }
        self.next = now + LOOK_AROUND;
        let mut out: Vec<Out> = self.router.look().into_iter().map(Out::Told).collect();
        if let Some(news) = self.files.news("cloud", || config.check_clouds_files()) {
            out.push(Out::Told(news.told));
            if news.fit {
                out.extend(bridge.renewed(now));
            }
        }
        out
    }
}

/// The bridge with the real service behind it.
fn bridge(config: &BridgeConfig, sender: &Sender<Came>, life: u64) -> anyhow::Result<Bridge> {
    config.check_but_clouds_files()?;
    if let Err(error) = config.check_clouds_files() {
        eprintln!(
            "notice: the cloud is not asked: {error}; the vehicle answers by itself until that is mended"
        );
    }
    let (said, carried) = (sender.clone(), sender.clone());
    // Nobody listens any more where the process ends.
    let sink = Arc::new(move |stream, what| drop(said.send(Came::Cloud(stream, what))));
    let meter = Arc::new(move |stream, traffic| drop(carried.send(Came::Traffic(stream, traffic))));
    let cloud = &config.dialogue.cloud;
    let service: Box<dyn Upstream> = if cloud.over_zenoh() {
        Box::new(OverZenoh::new(cloud, sink, meter))
    } else {
        Box::new(HttpUpstream::when_there(cloud, sink)?.metered(meter))
    };
    with_service(config, service, here(config), "on_vehicle", life)
}

/// The bridge of these settings with this service, whatever that is. `local_model`: what the vehicle's model is called. `life`: another number for each
/// process, since the model on the vehicle outlives it, and what it still says to the one before is no answer to this one.
///
/// # Errors
/// Settings that cannot be used.
pub fn with_service(
    config: &BridgeConfig,
    service: impl Upstream + 'static,
    here: Situation,
    local_model: &str,
    life: u64,
) -> anyhow::Result<Bridge> {
    let policy = Arc::new(config.policy()?);
    let guard = Guard::new(Redactor::new(&config.names()?, policy.redacts_street_addresses())?);
    let navigation = Navigation::new(config.town()?, here);
    let planner = Planner::new(Words::english(), config.town()?);
    let offline = OnTheMap::new(planner, navigation.clone());
    let tools = offline.tools();
    let name = format!("{}-{life:x}", config.name);
    let local = OnVehicle::new(&name, config.language, Some(Box::new(offline)));
    let session = Session::new(
        config.dialogue.manner()?,
        Box::new(Guarded::new(guard.clone(), service)),
        Some(Box::new(local.clone())),
        Box::new(tools),
    );
    let parts = Parts {
        guard,
        local,
        policy,
        navigation,
        service: config.dialogue.cloud.url.clone(),
        cloud_model: config.dialogue.cloud.model.clone(),
        local_model: local_model.into(),
        sentences: Sentences::default(),
        price: (config.microeuro_a_prompt_token, config.microeuro_a_token),
        traced: config.trace.is_some(),
    };
    Ok(Bridge::new(session, parts))
}

fn serve(
    config: &BridgeConfig,
    bridge: &mut Bridge,
    around: &mut Around,
    inbox: &Receiver<Came>,
    clock: &HostClock,
    stop: &StopToken,
    mouths: &mut Mouths,
) -> anyhow::Result<()> {
    while !stop.is_stopped() {
        let now = clock.now();
        let wait = bridge.due(now).map_or(LOOK, |due| due.since(now).min(LOOK));
        let out = match inbox.recv_timeout(wait) {
            Ok(came) => {
                // It is asked with the files as they are now.
                if matches!(came, Came::Request(_)) {
                    around.next = Time::ZERO;
                    mouths.publish(around.look(config, bridge, clock.now()))?;
                }
                hear(config, bridge, clock.now(), came)
            }
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        mouths.publish(out)?;
        let out = around.look(config, bridge, clock.now());
        mouths.publish(out)?;
        let out = bridge.tick(clock.now());
        mouths.publish(out)?;
        mouths.heart.beat(clock.now())?;
    }
    Ok(())
}

fn hear(config: &BridgeConfig, bridge: &mut Bridge, now: Time, came: Came) -> Vec<Out> {
    match came {
        Came::Request(request) => bridge.request(now, &request, here(config)),
        Came::Decision(decision) => bridge.decision(now, &decision),
        Came::Language(reply) => bridge.language(now, &reply),
        Came::Link(state) => bridge.link(now, &state),
        Came::Activity(activity) if activity.speaking => bridge.speaking(now),
        Came::Beat(beat) => {
            let language = full_node_name(&config.namespace, &config.language_node);
            // One that says that it has no model is no sign of one.
            if beat.status != Heartbeat::UNAVAILABLE && beat.node == language {
                bridge.language_beats(now);
            }
            Vec::new()
        }
        Came::Activity(_) => Vec::new(),
        Came::Cloud(stream, what) => bridge.cloud(now, stream, what),
        Came::Traffic(stream, traffic) => {
            bridge.traffic(stream, traffic);
            Vec::new()
        }
    }
}

/// Where the vehicle is, and what the driver's clock says.
fn here(config: &BridgeConfig) -> Situation {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let minutes = i64::try_from(seconds / 60 % 1440).unwrap_or_default() + i64::from(config.utc_offset_min);
    let minute_of_day = u32::try_from(minutes.rem_euclid(1440)).unwrap_or_default();
    Situation { east_m: config.east_m, north_m: config.north_m, minute_of_day }
}

fn subscriptions(edge: &Edge, sender: &Sender<Came>) -> anyhow::Result<Vec<TypedSubscription>> {
    let [request, decision, language, link, activity] = *<Inputs as Ports>::SPECS else {
        unreachable!("the ports are five, as written in ports.rs");
    };
    let subscriptions = vec![
        subscribe::<DialogueRequest>(edge, request, sender, Came::Request)?,
        subscribe::<RoutingDecision>(edge, decision, sender, |one| Came::Decision(Box::new(one)))?,
        subscribe::<LanguageReply>(edge, language, sender, Came::Language)?,
        subscribe::<LinkState>(edge, link, sender, |one| Came::Link(Box::new(one)))?,
        subscribe::<VoiceActivity>(edge, activity, sender, Came::Activity)?,
        edge.subscribe::<Heartbeat>(heartbeat::TOPIC, Qos::DEFAULT, {
            let sender = sender.clone();
            move |sample| drop(sender.send(Came::Beat(Box::new(sample.value))))
        })?,
    ];
    Ok(subscriptions)
}

fn subscribe<T: Message + 'static>(
    edge: &Edge,
    port: PortSpec,
    sender: &Sender<Came>,
    of: fn(T) -> Came,
) -> anyhow::Result<TypedSubscription> {
    let sender = sender.clone();
    let each = move |sample: troika_kit::Sample<T>| drop(sender.send(of(sample.value)));
    Ok(edge.subscribe::<T>(port.topic, port.qos, each)?)
}

/// A thread that brings steps to the collector. Nothing waits for it; what it does not take is gone.
fn collector(config: &TraceConfig) -> anyhow::Result<SyncSender<Vec<Span>>> {
    let client = config.client()?;
    let endpoint = config.endpoint.clone();
    let (sender, steps) = sync_channel::<Vec<Span>>(STEPS_WAIT);
    let bring = move || {
        let mut failing = false;
        for spans in steps {
            let body = otlp::export("troika-bridge", env!("CARGO_PKG_NAME"), &spans);
            let told = match client.post("/v1/traces", &body) {
                Ok(_) if !failing => continue,
                Ok(_) => "takes steps again".to_owned(),
                Err(_) if failing => continue,
                Err(why) => format!("takes no steps, which are dropped: {why}"),
            };
            failing = !failing;
            eprintln!("bridge: the collector {endpoint} {told}");
        }
    };
    thread::Builder::new().name("trace".into()).spawn(bring).context("no thread for the collector")?;
    Ok(sender)
}

struct Mouths {
    reply: TypedPublisher<DialogueReply>,
    speech: TypedPublisher<VoiceReply>,
    language: TypedPublisher<LanguageRequest>,
    sample: TypedPublisher<LinkSample>,
    steps: Option<SyncSender<Vec<Span>>>,
    heart: Heart,
}

impl Mouths {
    fn new(edge: &Edge, config: &BridgeConfig) -> anyhow::Result<Mouths> {
        let [reply, speech, language, sample] = *<Outputs as Ports>::SPECS else {
            unreachable!("the ports are four, as written in ports.rs");
        };
        Ok(Mouths {
            reply: edge.publisher(reply.topic, reply.qos)?,
            speech: edge.publisher(speech.topic, speech.qos)?,
            language: edge.publisher(language.topic, language.qos)?,
            sample: edge.publisher(sample.topic, sample.qos)?,
            steps: config.trace.as_ref().map(collector).transpose()?,
            heart: Heart::new(edge, &config.namespace, &config.name)?,
        })
    }

    fn publish(&mut self, out: Vec<Out>) -> anyhow::Result<()> {
        for one in out {
            match one {
                Out::Reply(reply) => self.reply.send(&reply)?,
                Out::Speech(reply) => self.speech.send(&reply)?,
                Out::Language(request) => self.language.send(&request)?,
                Out::Sample(sample) => self.sample.send(&sample)?,
                Out::Told(told) => eprintln!("bridge: {told}"),
                Out::Steps(steps) => {
                    if let Some(Err(TrySendError::Full(_))) = self.steps.as_ref().map(|to| to.try_send(steps))
                    {
                        eprintln!("bridge: the collector is slow: the steps of a question are dropped");
                    }
                }
            }
        }
        Ok(())
    }
}
