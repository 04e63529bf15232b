//! The voice process: audio to words on /voice/transcript, and the step that makes commands of them. Ordinary threads, memory not
//! locked: whatever runs at deadlines goes before.

use std::sync::Arc;

use anyhow::Context as _;
use troika_host::{Host, HostOptions, NodeOptions, signal};
use troika_kit::{Duration, Qos};
use troika_msgs::{std_msgs::Header, troika::Transcript};
use troika_transport::Transport;
#[cfg(feature = "dds")]
use troika_transport_dds::{DdsOptions, DdsTransport};
#[cfg(feature = "ros2")]
use troika_transport_ros2::{Ros2Options, Ros2Transport};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    cascade::Cascade,
    command::CommandNode,
    config::VoiceConfig,
    intent::IntentModel,
    matcher::Matcher,
    vad::{EndpointSettings, Silero},
};

use crate::{
    listen::{Cutter, samples_long},
    source::{self, Heard},
    whisper::Recogniser,
};

/// The topic of the words.
pub const TRANSCRIPT: &str = "/voice/transcript";
/// How long the transport may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long commands and their results may still be on their way after the last audio.
const LINGER: Duration = Duration::from_secs(2);

fn open(config: &VoiceConfig) -> anyhow::Result<Arc<dyn Transport>> {
    if config.dds {
        return dds(config);
    }
    if config.ros2 {
        return ros2(config);
    }
    let mut options = ZenohOptions::from_env()?;
    if let Some(router) = &config.router {
        options.router.clone_from(router);
    }
    if let Some(domain) = config.domain {
        options.domain = domain;
    }
    Ok(Arc::new(ZenohTransport::open(options)?))
}

#[cfg(feature = "dds")]
fn dds(config: &VoiceConfig) -> anyhow::Result<Arc<dyn Transport>> {
    let mut options = DdsOptions::from_env()?;
    if let Some(domain) = config.domain {
        options.domain = domain;
    }
    Ok(Arc::new(DdsTransport::open(options)?))
}

#[cfg(not(feature = "dds"))]
fn dds(_: &VoiceConfig) -> anyhow::Result<Arc<dyn Transport>> {
    anyhow::bail!("this troika-voice was built without DDS: build it with the feature `dds`")
}

#[cfg(feature = "ros2")]
fn ros2(config: &VoiceConfig) -> anyhow::Result<Arc<dyn Transport>> {
    Ok(Arc::new(Ros2Transport::open(Ros2Options { domain: config.domain })?))
}

#[cfg(not(feature = "ros2"))]
fn ros2(_: &VoiceConfig) -> anyhow::Result<Arc<dyn Transport>> {
    anyhow::bail!("this troika-voice was built without rcl: build it where ROS 2 is with the feature `ros2`")
}

/// The stages that understand.
fn cascade(config: &VoiceConfig) -> anyhow::Result<Cascade> {
    let network =
        config.intent.as_ref().map(|path| IntentModel::load(path, Catalogue::built_in())).transpose()?;
    Ok(Cascade::new(Matcher::english(), network))
}

/// Runs until the source ends, or SIGINT or SIGTERM comes.
///
/// # Errors
/// When a model, the source or the transport is not to be had.
pub fn run(config: &VoiceConfig) -> anyhow::Result<()> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    if let Some(nice) = config.nice
        && let Err(error) = rustix::process::nice(nice)
    {
        eprintln!("voice: cannot take niceness {nice}: {error}; running on as it is");
    }
    // The models first: without them there is nothing to show on the graph.
    let mut recogniser = Recogniser::load(&config.whisper_file()?, config.threads, true)?;
    let silero = Silero::load(&config.vad_file()?)?;

    let transport = open(config)?;
    let host_options = HostOptions { mlock: false, rt_allowed: false, ..HostOptions::default() };
    let mut host = Host::new(host_options, transport);
    let mut node = NodeOptions::new(format!("{}_command", config.name));
    node.namespace.clone_from(&config.namespace);
    host.spawn(CommandNode::new(cascade(config)?, config.language), node)?;
    let clock = host.clock();
    let edge = host.handle().edge(&config.namespace, &config.name)?;
    let mut words = edge.publisher::<Transcript>(TRANSCRIPT, Qos::DEFAULT)?;
    host.start();

    let source = source::start(&config.source, clock, stop.clone())?;
    let mut cutter = Cutter::new(silero, EndpointSettings::default());
    let mut count = 0u64;
    let mut labelled = String::new();
    while !stop.is_stopped() {
        let heard = match source.chunks.recv_timeout(Duration::from_millis(200)) {
            Ok(heard) => heard,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => continue,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        };
        let chunk = match heard {
            Heard::Chunk(chunk) => chunk,
            Heard::Note(note) => {
                eprintln!("voice: {note}");
                continue;
            }
        };
        for said in cutter.push(&chunk)? {
            let heard = recogniser.recognise(&said.utterance.samples)?;
            count += 1;
            let id = match said.label {
                // A pause may cut a file in two: the first has the file's name.
                Some(label) if label != labelled => {
                    labelled.clone_from(&label);
                    label
                }
                Some(label) => format!("{label}.{count}"),
                None => format!("u{count}"),
            };
            let now = clock.now();
            words.send(&Transcript {
                header: Header::at(said.end_of_speech),
                utterance_id: id,
                text: heard.text,
                r#final: true,
                confidence: heard.confidence,
                audio_duration: samples_long(said.utterance.samples.len() as u64).into(),
                latency: now.since(said.end_of_speech).into(),
                model: config.model.clone(),
            })?;
        }
    }
    stop.wait_for(LINGER);
    signal::end_within(CLOSING);
    host.stop();
    Ok(())
}
