//! The kinds of node that a system file can name: one line each. A kind of your own goes here.

use std::{
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

use anyhow::Context as _;
use troika_bridge::{BridgeConfig, ports as bridge};
use troika_camera::CameraNode;
use troika_driver_state::{node::DriverStateNode, store};
use troika_drowsiness::DrowsinessNode;
use troika_gesture::{node::GestureNode, store as gesture_store};
use troika_host::HostClock;
use troika_kit::{Contract, Direction, Duration, PortSpec, Ports};
use troika_link::{LinkNode, shell::SystemEdge};
use troika_models::{Isa, Kernels, Store, StoreError, signature::PublicKey};
use troika_monitor::MonitorNode;
use troika_router::RouterNode;
use troika_sim::{
    Scenario, SimDriver,
    hand::{self, HandScenario, SimHand},
};
use troika_speech::{SpeechNode, config::BargeIn};
use troika_supervisor::{SupervisorNode, keepalive::Watchdogs};
use troika_template::Template;
use troika_uplink::{UplinkConfig, ports as uplink};
use troika_vehicle::{SignalsFrom, SimulatedBody, VehicleNode};
use troika_voice::{
    command,
    config::{SourceConfig, VoiceConfig},
    ears,
    language::{self, SlmConfig},
    wake::Mode,
};

use crate::{
    kind::{Kind, Making, Runtime, StepKind, unusable_file, unused},
    system::{self, Problem, System},
};

/// Every kind there is.
pub(crate) const KINDS: &[&dyn Kind] = &[
    &StepKind::<troika_camera::Config, CameraNode>::new(
        "frames of a camera, a video file or an image folder",
        camera,
    )
    .with_device()
    .example("source = { kind = \"v4l2\", device = \"/dev/video0\" }")
    .files(|config| config.check().and_then(|()| config.check_files()).map_err(|error| error.to_string())),
    &StepKind::<troika_driver_state::config::Config, DriverStateNode>::new(
        "camera frame to driver state",
        driver_state,
    )
    .files(|config| config.check().map_err(|error| error.to_string()))
    .arena(8)
    .stand_in(|config, _| Ok(DriverStateNode::unavailable(&config, "its process does not answer")?)),
    &StepKind::<troika_monitor::Config, MonitorNode>::new(
        "driver state to alerts, by the rule profiles",
        monitor,
    )
    .stand_in(|config, making| Ok(monitor(config, making)?.standing_in()))
    .files(|config| {
        config.profiles(|path| std::fs::read_to_string(path)).map(drop).map_err(|error| error.to_string())
    }),
    &StepKind::<troika_gesture::config::Config, GestureNode>::new(
        "camera frame to hand gestures, and to the vehicle functions that they stand for",
        gesture,
    )
    .files(|config| {
        config.check().map_err(|error| error.to_string())?;
        config.mapping(|path| std::fs::read_to_string(path)).map(drop).map_err(|error| error.to_string())
    })
    .silent(|config| unused([(config.commands, "command")]))
    .arena(16)
    .stand_in(|config, _| {
        let mapping = config.mapping(|path| std::fs::read_to_string(path))?;
        Ok(GestureNode::unavailable(&config, mapping, "its process does not answer")?)
    }),
    &StepKind::<troika_drowsiness::Config, DrowsinessNode>::new(
        "blinks, steering and pulse to drowsiness",
        drowsiness,
    )
    .silent(|config| unused([(config.pulse, "ppg"), (config.pulse, "pulse")])),
    &StepKind::<troika_sim::Config, SimDriver>::new(
        "a rendered driver with ground truth, from a scenario",
        sim_driver,
    )
    .files(|config| Scenario::read(&config.scenario).map(drop).map_err(|error| error.to_string()))
    .silent(|config| unused([(config.drives_vehicle, "signals")])),
    &StepKind::<hand::Config, SimHand>::new(
        "a rendered hand that gestures, with ground truth, from a scenario",
        sim_hand,
    )
    .files(|config| HandScenario::read(&config.scenario).map(drop).map_err(|error| error.to_string())),
    &StepKind::<troika_vehicle::Config, VehicleNode<SimulatedBody>>::new(
        "vehicle signals out, vehicle commands carried out",
        vehicle,
    )
    .silent(|config| unused([(config.signals != SignalsFrom::External, "signals")])),
    &StepKind::<troika_supervisor::Config, SupervisorNode<Watchdogs>>::new(
        "heartbeats to the state of the whole: nominal, degraded, safe",
        supervisor,
    )
    // A replay must not feed the watchdogs of the machine that it runs on.
    .replayed_by(|config, _| Ok(SupervisorNode::new(config, Watchdogs::default())?))
    .files(|config| config.check().map_err(|error| error.to_string())),
    &StepKind::<troika_speech::Config, SpeechNode>::new(
        "what the assistant says is spoken, until somebody speaks",
        speech,
    )
    .with_device()
    .files(|config| config.check(Path::new(".")).map_err(|error| error.to_string()))
    .silent(|config| {
        unused([(config.barge_in == BargeIn::Voice, "activity"), (config.cancel_button, "cancel")])
    }),
    &StepKind::<troika_link::Config, LinkNode<SystemEdge>>::new(
        "what the link to the cloud is like, from the traffic that there is and a few probes",
        link,
    )
    .with_device()
    .files(|config| config.check().map_err(|error| error.to_string())),
    &StepKind::<troika_router::Config, RouterNode>::new(
        "who answers a request: the vehicle, the model on it, the cloud's; and why",
        router,
    )
    .files(|config| {
        config.policy(|path| std::fs::read_to_string(path)).map(drop).map_err(|error| error.to_string())
    }),
    &StepKind::<troika_template::Config, Template>::new(
        "the smallest node: whether the vehicle stands",
        |config, _| Ok(Template::new(config)),
    )
    .stand_in(|config, _| Ok(Template::new(config))),
    &Voice,
    &Slm,
    &Bridge,
    &Uplink,
];

/// The process's one store of models, so that what it handed out can be exchanged ([`crate::run::keeper`]).
///
/// # Errors
/// There is no place for models.
pub(crate) fn models() -> Result<Store, StoreError> {
    static STORE: OnceLock<Store> = OnceLock::new();
    if let Some(store) = STORE.get() {
        return Ok(store.clone());
    }
    let store = Store::open_default()?.with_kernels(KERNELS.get().copied().unwrap_or_default());
    let store = match DEMANDED.get() {
        Some(key) => store.signed_by(*key),
        None => store,
    };
    Ok(STORE.get_or_init(|| store).clone())
}

/// Whose signature every model of [`models`] has to have.
static DEMANDED: OnceLock<PublicKey> = OnceLock::new();

/// Demands it, before the first node is made; a process has one system, and asks once.
pub(crate) fn demand_signatures(of: PublicKey) {
    let _ = DEMANDED.set(of);
}

/// What the networks of [`models`] are made of; a process has one system, which says so once.
static KERNELS: OnceLock<Kernels> = OnceLock::new();

/// Chooses it, before the first node is made.
///
/// # Errors
/// This process has networks that are made otherwise.
pub(crate) fn choose_kernels(fast: bool) -> anyhow::Result<()> {
    let wanted = if fast { Kernels::Fast } else { Kernels::Plain };
    anyhow::ensure!(
        *KERNELS.get_or_init(|| wanted) == wanted,
        "`fast_networks` is on in one system file and off in another; one program runs one of them at a time"
    );
    Ok(())
}

/// The kinds whose networks `fast_networks` is about; those of the voice, in a process of its own, are always the fast ones.
const DETECTORS: [&str; 3] = ["driver_state", "drowsiness", "gesture"];

/// What the detectors' networks of a system run on here; none where it has no detector.
pub(crate) fn networks_on(system: &System) -> Option<NetworksOn> {
    let mut nodes = system.nodes.values();
    let any = nodes.any(|node| DETECTORS.contains(&node.get_ref().kind.get_ref().as_str()));
    let fast_networks = system.system.fast_networks;
    any.then(|| NetworksOn { fast_networks, instructions: fast_networks.then(|| Isa::detect().to_string()) })
}

/// See [`networks_on`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct NetworksOn {
    /// Our kernels; else tract's own operators.
    pub(crate) fast_networks: bool,
    /// The widest instructions that this machine has for ours.
    pub(crate) instructions: Option<String>,
}

impl NetworksOn {
    /// Whatever the machine.
    pub(crate) fn kernels(&self) -> &'static str {
        if self.fast_networks { "on our kernels" } else { "on tract's own operators (fast_networks = false)" }
    }
}

impl fmt::Display for NetworksOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kernels())?;
        self.instructions.iter().try_for_each(|instructions| write!(f, " ({instructions} here)"))
    }
}

/// The kind of a name.
pub(crate) fn find(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

fn camera(config: troika_camera::Config, making: &Making<'_>) -> anyhow::Result<CameraNode> {
    let clock = HostClock::start();
    Ok(CameraNode::new(&config, &making.base, Arc::new(move || clock.now()))?)
}

/// Without its models the node runs all the same and says that it is unavailable (SR-DAT-002).
fn driver_state(
    config: troika_driver_state::config::Config,
    making: &Making<'_>,
) -> anyhow::Result<DriverStateNode> {
    let networks =
        making.models().map_err(anyhow::Error::from).and_then(|store| Ok(store::open_all(&store)?));
    match networks {
        Ok(networks) => Ok(DriverStateNode::new(&config, networks, store::MODEL)?),
        Err(error) => {
            tell!(
                "notice: {} is unavailable: {error:#}; `troika models pull` fetches, `troika models verify` checks",
                making.node
            );
            Ok(DriverStateNode::unavailable(&config, &format!("{error:#}"))?)
        }
    }
}

/// As [`driver_state`]: without its models the node runs all the same and says so (SR-DAT-002).
fn gesture(config: troika_gesture::config::Config, making: &Making<'_>) -> anyhow::Result<GestureNode> {
    let mapping = config.mapping(|path| std::fs::read_to_string(path))?;
    let networks =
        making.models().map_err(anyhow::Error::from).and_then(|store| Ok(gesture_store::open_all(&store)?));
    match networks {
        Ok(networks) => Ok(GestureNode::new(&config, mapping, networks, gesture_store::MODEL)?),
        Err(error) => {
            tell!(
                "notice: {} is unavailable: {error:#}; `troika models pull` fetches, `troika models verify` checks",
                making.node
            );
            Ok(GestureNode::unavailable(&config, mapping, &format!("{error:#}"))?)
        }
    }
}

/// Without its voice the node speaks all the same, with espeak-ng's; without a sound card it is not heard. It says so (SR-DAT-002).
fn speech(config: troika_speech::Config, making: &Making<'_>) -> anyhow::Result<SpeechNode> {
    let clock = HostClock::start();
    let store = models().map_err(|error| error.to_string());
    if let Err(why) = troika_speech::voices::present(&config, &store) {
        tell!("notice: {} has espeak-ng's own voice: {why}", making.node);
    }
    Ok(SpeechNode::new(&config, store, &making.base, Arc::new(move || clock.now()))?)
}

/// Without its memory of the road the node begins a new one, and says so.
fn link(config: troika_link::Config, making: &Making<'_>) -> anyhow::Result<LinkNode<SystemEdge>> {
    let (memory, told) = troika_link::shell::recall(&config);
    if let Some(why) = told {
        tell!("notice: {}: {why}", making.node);
    }
    let edge = SystemEdge::new(&config);
    Ok(LinkNode::new(&config, memory, edge)?)
}

fn router(config: troika_router::Config, _: &Making<'_>) -> anyhow::Result<RouterNode> {
    let policy = config.policy(|path| std::fs::read_to_string(path))?;
    let planner = config.planner(|path| std::fs::read_to_string(path))?;
    Ok(RouterNode::new(&config, policy, planner))
}

fn monitor(config: troika_monitor::Config, _: &Making<'_>) -> anyhow::Result<MonitorNode> {
    Ok(MonitorNode::new(&config, |path| std::fs::read_to_string(path))?)
}

/// This process takes the place of one that ended while the system ran.
static AGAIN: OnceLock<()> = OnceLock::new();

/// Says so, before the first node is made.
pub(crate) fn begin_again() {
    AGAIN.get_or_init(|| ());
}

/// The watchdogs are those that systemd and the parameters name.
fn supervisor(
    config: troika_supervisor::Config,
    making: &Making<'_>,
) -> anyhow::Result<SupervisorNode<Watchdogs>> {
    let device = (!config.hardware_watchdog.is_empty()).then(|| making.base.join(&config.hardware_watchdog));
    let within = std::env::var("WATCHDOG_USEC").ok().and_then(|told| told.parse().ok());
    let socket = std::env::var_os("NOTIFY_SOCKET");
    let watchdogs = Watchdogs::open(socket.as_deref(), within.map(Duration::from_micros), device.as_deref())?;
    let supervisor = SupervisorNode::new(config, watchdogs)?;
    Ok(if AGAIN.get().is_some() { supervisor.again() } else { supervisor })
}

/// Without its head the node runs all the same, on what else there is (SR-DAT-002).
fn drowsiness(config: troika_drowsiness::Config, making: &Making<'_>) -> anyhow::Result<DrowsinessNode> {
    let node = match making.models() {
        Ok(store) => DrowsinessNode::open(config, &store),
        Err(error) => DrowsinessNode::without_head(config, &error.to_string()),
    };
    if node.model() != troika_drowsiness::store::MODEL {
        tell!("notice: the blinks of {} are {}", making.node, node.model());
    }
    Ok(node)
}

fn sim_driver(config: troika_sim::Config, _: &Making<'_>) -> anyhow::Result<SimDriver> {
    Ok(SimDriver::new(&Scenario::read(&config.scenario)?, &config))
}

fn sim_hand(config: hand::Config, _: &Making<'_>) -> anyhow::Result<SimHand> {
    Ok(SimHand::new(&HandScenario::read(&config.scenario)?, &config))
}

fn vehicle(config: troika_vehicle::Config, _: &Making<'_>) -> anyhow::Result<VehicleNode<SimulatedBody>> {
    Ok(VehicleNode::new(&config)?)
}

/// The simulated driver of a scenario that also drives the vehicle, its parameters, and how long the scenario is.
pub(crate) fn scenario_driver(path: &Path) -> anyhow::Result<(SimDriver, toml::Table, Duration)> {
    let scenario = Scenario::read(path)?;
    let config = troika_sim::Config {
        scenario: path.to_path_buf(),
        repeat: false,
        drives_vehicle: true,
        smooth: true,
    };
    let driver = SimDriver::new(&scenario, &config);
    Ok((driver, toml::Table::try_from(&config)?, Duration::from_secs_f32(scenario.seconds())))
}

/// The simulated hand of a scenario, its parameters, and how long the scenario is.
pub(crate) fn scenario_hand(path: &Path) -> anyhow::Result<(SimHand, toml::Table, Duration)> {
    let scenario = HandScenario::read(path)?;
    let config = hand::Config { scenario: path.to_path_buf(), repeat: false, smooth: true, prerender: false };
    let hand = SimHand::new(&scenario, &config);
    Ok((hand, toml::Table::try_from(&config)?, Duration::from_secs_f32(scenario.seconds())))
}

/// Whether a scenario file is one of hands.
pub(crate) fn is_of_hands(path: &Path) -> anyhow::Result<bool> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the scenario {}", path.display()))?;
    Ok(HandScenario::is_named_by(&text))
}

/// Speech: a program of its own, because whisper.cpp and `troika` do not belong in one binary.
struct Voice;

/// What the program publishes: the step's outputs, and the transcripts and the activity that it makes itself.
const VOICE_OUTPUTS: [PortSpec; 8] = {
    let step = <command::Outputs as Ports>::SPECS;
    let heard = <command::Inputs as Ports>::SPECS[0];
    let spoken = <troika_speech::node::Inputs as Ports>::SPECS[1];
    assert!(step.len() == 5, "a new output of the command node belongs here too");
    let audio = <ears::Outputs as Ports>::SPECS[0];
    [
        step[0],
        step[1],
        step[2],
        step[3],
        step[4],
        turned(heard, Direction::Out),
        turned(spoken, Direction::Out),
        audio,
    ]
};

/// What it reads: the step's inputs, what the loudspeaker plays, the talk button and the cabin's audio.
const VOICE_INPUTS: [PortSpec; 8] = {
    let step = <command::Inputs as Ports>::SPECS;
    let playback = <troika_speech::node::Outputs as Ports>::SPECS[0];
    assert!(step.len() == 5, "a new input of the command node belongs here too");
    let [button, audio] = *<ears::Inputs as Ports>::SPECS else {
        panic!("a new input of the ears belongs here too")
    };
    [step[0], step[1], step[2], step[3], step[4], turned(playback, Direction::EventsIn), button, audio]
};

/// Another node's port, seen from its other end.
const fn turned(spec: PortSpec, direction: Direction) -> PortSpec {
    PortSpec { direction, ..spec }
}

impl Kind for Voice {
    fn name(&self) -> &'static str {
        "voice"
    }
    fn summary(&self) -> &'static str {
        "speech to vehicle commands, in a process of its own"
    }
    fn contract(&self) -> Option<Contract> {
        None
    }
    fn inputs(&self) -> &'static [PortSpec] {
        &VOICE_INPUTS
    }
    fn outputs(&self) -> &'static [PortSpec] {
        &VOICE_OUTPUTS
    }
    fn silent(&self, text: &str, node: &str) -> Vec<&'static str> {
        let Ok(config) = system::read_params::<VoiceConfig>(text, node) else { return Vec::new() };
        unused([
            (config.language, "language"),
            (config.dialogue, "dialogue"),
            (config.wake != Mode::Always, "button"),
            (matches!(config.source, SourceConfig::Topic { .. }), "audio"),
            (config.publish_audio, "cabin_audio"),
        ])
    }
    fn check_params(&self, text: &str, node: &str) -> Result<(), Problem> {
        let config = system::read_params::<VoiceConfig>(text, node)?;
        config.check_language().map_err(|error| Problem::error(error.to_string()))?;
        let missing = match &config.source {
            SourceConfig::Files { folder, .. } => Some(folder).filter(|folder| !folder.is_dir()),
            SourceConfig::Wav { path } => Some(path).filter(|path| !path.is_file()),
            SourceConfig::Microphone { .. } | SourceConfig::Topic { .. } => None,
        };
        if let Some(path) = missing {
            return Err(unusable_file(format!("{} is not there", path.display())));
        }
        if let SourceConfig::Files { folder, gap_s, wait_s } = &config.source {
            if [gap_s, wait_s].into_iter().any(|pause| !(0.0..=3600.0).contains(pause)) {
                return Err(Problem::error("`gap_s` and `wait_s` are 0 to 3600 seconds"));
            }
            crate::run::expected_of(folder).map_err(|error| Problem::error(format!("{error:#}")))?;
        }
        Ok(())
    }
    fn start(&self, _: &Making<'_>, _: troika_host::NodeOptions, _: Runtime<'_>) -> anyhow::Result<()> {
        anyhow::bail!("voice runs as a program of its own")
    }
    fn program(&self) -> Option<&'static str> {
        Some("troika-voice")
    }
    fn settings(&self, text: &str, node: &str) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::to_value(system::read_params::<VoiceConfig>(text, node)?)?)
    }
}

/// The language model: a program of its own, because llama.cpp and whisper.cpp do not belong in one binary either.
struct Slm;

impl Kind for Slm {
    fn name(&self) -> &'static str {
        "slm"
    }
    fn summary(&self) -> &'static str {
        "the language model on the vehicle, in a process of its own"
    }
    fn contract(&self) -> Option<Contract> {
        None
    }
    fn inputs(&self) -> &'static [PortSpec] {
        <language::Inputs as Ports>::SPECS
    }
    fn outputs(&self) -> &'static [PortSpec] {
        <language::Outputs as Ports>::SPECS
    }
    fn check_params(&self, text: &str, node: &str) -> Result<(), Problem> {
        let config = system::read_params::<SlmConfig>(text, node)?;
        let missing = [&config.file, &config.lora].into_iter().flatten().find(|path| !path.is_file());
        match missing {
            Some(path) => Err(unusable_file(format!("{} is not there", path.display()))),
            None if config.threads == 0 => Err(Problem::error("`threads` is 1 at least")),
            None => Ok(()),
        }
    }
    fn start(&self, _: &Making<'_>, _: troika_host::NodeOptions, _: Runtime<'_>) -> anyhow::Result<()> {
        anyhow::bail!("slm runs as a program of its own")
    }
    fn program(&self) -> Option<&'static str> {
        Some("troika-slm")
    }
    fn settings(&self, text: &str, node: &str) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::to_value(system::read_params::<SlmConfig>(text, node)?)?)
    }
}

/// The dialogue: a program of its own, because it waits for sockets and talks to a service outside the vehicle.
struct Bridge;

impl Kind for Bridge {
    fn name(&self) -> &'static str {
        "bridge"
    }
    fn summary(&self) -> &'static str {
        "dialogue with the cloud, handed over to the vehicle's model when it must be, in a process of its own"
    }
    fn contract(&self) -> Option<Contract> {
        None
    }
    fn inputs(&self) -> &'static [PortSpec] {
        <bridge::Inputs as Ports>::SPECS
    }
    fn outputs(&self) -> &'static [PortSpec] {
        <bridge::Outputs as Ports>::SPECS
    }
    fn silent(&self, text: &str, node: &str) -> Vec<&'static str> {
        let Ok(config) = system::read_params::<BridgeConfig>(text, node) else { return Vec::new() };
        unused([(config.language, "language")])
    }
    fn check_params(&self, text: &str, node: &str) -> Result<(), Problem> {
        let config = system::read_params::<BridgeConfig>(text, node)?;
        config.check_but_clouds_files().map_err(|error| Problem::error(error.to_string()))?;
        config.check_clouds_files().map_err(|error| {
            Problem::warning(error.to_string())
                .help("it runs all the same: the vehicle answers by itself until that is mended, and then asks the cloud")
        })?;
        config
            .dialogue
            .cloud
            .unusual()
            .map_or(Ok(()), |told| Err(Problem::warning(format!("dialogue.{told}"))))
    }
    fn start(&self, _: &Making<'_>, _: troika_host::NodeOptions, _: Runtime<'_>) -> anyhow::Result<()> {
        anyhow::bail!("bridge runs as a program of its own")
    }
    fn program(&self) -> Option<&'static str> {
        Some("troika-bridge")
    }
    fn settings(&self, text: &str, node: &str) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::to_value(system::read_params::<BridgeConfig>(text, node)?)?)
    }
}

/// The vehicle's own senders: a program of its own, because it waits for a disk and for sockets.
struct Uplink;

impl Kind for Uplink {
    fn name(&self) -> &'static str {
        "uplink"
    }
    fn summary(&self) -> &'static str {
        "what may wait is delivered to the gateway, and the vehicle reported to the fleet's page, in a process of its own"
    }
    fn contract(&self) -> Option<Contract> {
        None
    }
    fn inputs(&self) -> &'static [PortSpec] {
        <uplink::Inputs as Ports>::SPECS
    }
    fn outputs(&self) -> &'static [PortSpec] {
        <uplink::Outputs as Ports>::SPECS
    }
    fn silent(&self, text: &str, node: &str) -> Vec<&'static str> {
        let Ok(config) = system::read_params::<UplinkConfig>(text, node) else { return Vec::new() };
        let (reports, driver) = config.reads();
        unused([(reports, "decision"), (reports, "reply"), (driver, "driver"), (driver, "alert")])
    }
    fn check_params(&self, text: &str, node: &str) -> Result<(), Problem> {
        let config = system::read_params::<UplinkConfig>(text, node)?;
        config.check_but_clouds_files().map_err(|error| Problem::error(error.to_string()))?;
        config.check_clouds_files().map_err(|error| {
            Problem::warning(error.to_string())
                .help("it runs all the same: what may wait is kept until that is mended")
        })?;
        config.unusual().map_or(Ok(()), |told| Err(Problem::warning(told)))
    }
    fn start(&self, _: &Making<'_>, _: troika_host::NodeOptions, _: Runtime<'_>) -> anyhow::Result<()> {
        anyhow::bail!("uplink runs as a program of its own")
    }
    fn program(&self) -> Option<&'static str> {
        Some("troika-uplink")
    }
    fn settings(&self, text: &str, node: &str) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::to_value(system::read_params::<UplinkConfig>(text, node)?)?)
    }
}
