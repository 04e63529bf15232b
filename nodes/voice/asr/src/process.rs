//! The voice process: audio to words on /voice/transcript, and the step that makes commands of them. Ordinary threads, memory not
//! locked: whatever runs at deadlines goes before.

use std::sync::Arc;

use anyhow::Context as _;
use troika_host::{Host, HostClock, HostOptions, NodeOptions, edge::TypedPublisher, signal};
use troika_kit::{Duration, Qos, Time};
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
    words,
};

use crate::{
    listen::{Listener, Said, Step, samples_long},
    source::{self, Heard},
    whisper::{Recogniser, Settings},
    worker::Worker,
};

/// The topic of the words.
pub const TRANSCRIPT: &str = "/voice/transcript";
/// How often answers are looked for.
const LOOK: Duration = Duration::from_millis(10);
/// How long the words of what was said last may take.
const LAST_WORDS: Duration = Duration::from_secs(30);
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
    let settings = Settings { threads: config.threads, ..Settings::default() };
    let recogniser = Recogniser::load(&config.whisper_file()?, settings)?;
    let silero = Silero::load(&config.vad_file()?)?;

    let transport = open(config)?;
    let host_options = HostOptions { mlock: false, rt_allowed: false, ..HostOptions::default() };
    let mut host = Host::new(host_options, transport);
    let mut node = NodeOptions::new(format!("{}_command", config.name));
    node.namespace.clone_from(&config.namespace);
    host.spawn(CommandNode::new(cascade(config)?, config.language), node)?;
    let clock = host.clock();
    let edge = host.handle().edge(&config.namespace, &config.name)?;
    let words = edge.publisher::<Transcript>(TRANSCRIPT, Qos::DEFAULT)?;
    host.start();

    let source = source::start(&config.source, clock, stop.clone())?;
    let listener = Listener::new(silero, EndpointSettings::default(), config.pace());
    let worker = Worker::start(recogniser, clock).context("no thread for the recogniser")?;
    let mut voice = Voice {
        clock,
        listener,
        worker,
        words,
        model: config.model.clone(),
        count: 1,
        labelled: String::new(),
        current: None,
    };
    let mut heard_until = clock.now();
    while !stop.is_stopped() {
        match source.chunks.recv_timeout(LOOK) {
            Ok(Heard::Chunk(chunk)) => {
                heard_until = chunk.end;
                let steps = voice.listener.push(&chunk)?;
                voice.act(steps)?;
            }
            Ok(Heard::Note(note)) => eprintln!("voice: {note}"),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        }
        voice.answers()?;
    }
    if !stop.is_stopped() {
        let steps = voice.listener.finish(heard_until);
        voice.act(steps)?;
        let until = clock.now() + LAST_WORDS;
        while voice.worker.busy() && !stop.is_stopped() && clock.now() < until {
            stop.wait_for(LOOK);
            voice.answers()?;
        }
    }
    stop.wait_for(LINGER);
    signal::end_within(CLOSING);
    host.stop();
    Ok(())
}

/// The loop's state.
struct Voice {
    clock: HostClock,
    listener: Listener,
    worker: Worker,
    words: TypedPublisher<Transcript>,
    model: String,
    /// The number of the utterance that is being said.
    count: u64,
    labelled: String,
    /// When the utterance that is being said began.
    current: Option<Time>,
}

impl Voice {
    /// What the recogniser has found meanwhile.
    fn answers(&mut self) -> anyhow::Result<()> {
        while let Some(answered) = self.worker.answer() {
            let steps = self.listener.heard(self.clock.now(), answered.id, answered.heard?, answered.took);
            self.act(steps)?;
        }
        Ok(())
    }

    fn act(&mut self, steps: Vec<Step>) -> anyhow::Result<()> {
        for step in steps {
            match step {
                Step::Began(at) => self.current = Some(at),
                Step::Decode(id, samples) => {
                    // Its queue has room for all that the turns ask for at once.
                    anyhow::ensure!(self.worker.decode(id, samples), "the recogniser's thread has ended");
                }
                Step::Cancel(id) => self.worker.cancel(id),
                Step::Partial(heard) => {
                    let began = self.current.unwrap_or(self.clock.now());
                    let so_far = self.clock.now().since(began);
                    self.send(format!("u{}", self.count), heard, false, self.clock.now(), so_far)?;
                }
                Step::Final(said, heard) => {
                    let id = self.id(&said);
                    let audio = samples_long(said.utterance.samples.len() as u64);
                    if let Some(doubt) = heard.doubt {
                        eprintln!("voice: {id}: not taken for words: {doubt}");
                    }
                    self.send(id, heard, true, said.end_of_speech, audio)?;
                }
                Step::Lost(said) => {
                    let id = self.id(&said);
                    eprintln!("voice: {id}: the recogniser is too far behind; what was said is lost");
                }
            }
        }
        Ok(())
    }

    /// The utterance's id, and the next one's number.
    fn id(&mut self, said: &Said) -> String {
        let count = self.count;
        self.count += 1;
        match &said.label {
            // A pause may cut a file in two: the first has the file's name.
            Some(label) if *label != self.labelled => {
                self.labelled.clone_from(label);
                label.clone()
            }
            Some(label) => format!("{label}.{count}"),
            None => format!("u{count}"),
        }
    }

    fn send(
        &mut self,
        utterance_id: String,
        heard: words::Heard,
        r#final: bool,
        at: Time,
        audio: Duration,
    ) -> anyhow::Result<()> {
        let column = |of: fn(&words::Word) -> f32| heard.words.iter().map(of).collect();
        self.words.send(&Transcript {
            header: Header::at(at),
            utterance_id,
            r#final,
            confidence: heard.confidence,
            audio_duration: audio.into(),
            latency: self.clock.now().since(at).into(),
            model: self.model.clone(),
            word_confidence: column(|word| word.confidence),
            word_start_s: column(|word| word.start_s),
            word_end_s: column(|word| word.end_s),
            words: heard.words.iter().map(|word| word.text.clone()).collect(),
            text: heard.text,
        })?;
        Ok(())
    }
}
