//! The voice process: audio to words on /voice/transcript, who speaks on /voice/activity, and the step that makes commands of the
//! words. Voice activity has a thread of its own (the main one): it goes on while an utterance is recognised, which takes a second,
//! so that whoever speaks meanwhile is noticed. Ordinary threads, memory not locked: whatever runs at deadlines goes before.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
};

use anyhow::Context as _;
use troika_host::{
    Host, HostClock, HostOptions, NodeOptions, StopToken,
    edge::{Edge, TypedPublisher, TypedSubscription},
    health::Health,
    heartbeat, signal,
};
use troika_kit::{Duration, Ports, Qos, Time};
use troika_models::Store;
use troika_msgs::{
    std_msgs::{Bool, Header},
    troika::{AudioChunk, Heartbeat, Transcript, VoiceActivity, VoiceReply},
};
use troika_transport::Transport;
use troika_transport_open::Carrier;
use troika_voice::{
    audio::{RATE, message},
    command::CommandNode,
    config::{CABIN_AUDIO, SourceConfig, VoiceConfig},
    ears,
    matcher::Matcher,
    vad::{EndpointSettings, Silero},
    wake::{self, Gate, Mode, Spotter},
    words,
};

use crate::{
    listen::{Listener, Said, Spoken, Step, samples_long},
    source::{self, Heard, Missing},
    stages,
    whisper::{Recogniser, Settings},
    worker::Worker,
};

/// The topic of the words.
pub const TRANSCRIPT: &str = "/voice/transcript";
/// The topic of who speaks.
pub const ACTIVITY: &str = "/voice/activity";
/// The topic of what the loudspeaker plays (of the node `speech`).
pub const PLAYBACK: &str = "/voice/playback";
/// The topic of the talk button.
const PUSH_TO_TALK: &str = <ears::Inputs as Ports>::SPECS[0].topic;
/// The topic of what the assistant says.
const REPLY: &str = "/voice/reply";
/// What others tell, between two looks.
const TOLD: usize = 64;
/// Pieces of playback that wait for the next chunk of audio: 10 s.
const PLAYED: usize = 1_000;
/// How often answers are looked for.
const LOOK: Duration = Duration::from_millis(10);
/// How long the words of what was said last may take.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// How long the transport may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long commands and their results may still be on their way after the last audio.
const LINGER: Duration = Duration::from_secs(2);

/// Runs until the source ends, or SIGINT or SIGTERM comes.
///
/// # Errors
/// When a model, the transport or the source is not to be had; a microphone is awaited.
pub fn run(config: &VoiceConfig) -> anyhow::Result<()> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    if let Some(nice) = config.nice
        && let Err(error) = rustix::process::nice(nice)
    {
        eprintln!("voice: cannot take niceness {nice}: {error}; running on as it is");
    }
    let carrier =
        Carrier { router: config.router.clone(), dds: config.dds, ros2: config.ros2, domain: config.domain };
    on(config, Missing::IsAwaited, || carrier.open(), &stop)
}

/// The same on a transport that is opened when the models are there: without them there is nothing to show on the graph.
pub(crate) fn on(
    config: &VoiceConfig,
    missing: Missing,
    open: impl FnOnce() -> anyhow::Result<Arc<dyn Transport>>,
    stop: &StopToken,
) -> anyhow::Result<()> {
    let settings = Settings { threads: config.threads, ..Settings::of(config.spoken_language) };
    let recogniser = Recogniser::load(&config.whisper_file()?, settings)?;
    let silero = Silero::load(&config.vad_file()?)?;

    let transport = open()?;
    let host_options = HostOptions { mlock: false, rt_allowed: false, ..HostOptions::default() };
    let mut host = Host::new(host_options, transport);
    let mut node = NodeOptions::new(format!("{}_command", config.name));
    node.namespace.clone_from(&config.namespace);
    let commands = CommandNode::new(stages::cascade(config)?, config.language);
    host.spawn(
        if config.dialogue { commands.with_dialogue(config.spoken_language) } else { commands },
        node,
    )?;
    let clock = host.clock();
    let edge = host.handle().edge(&config.namespace, &config.name)?;
    let (tell, told) = sync_channel(TOLD);
    let played = Played::default();
    let _others = others(&edge, tell, &played)?;
    let out = Out::new(&edge, config)?;
    host.start();

    let mut health = Health::new(full_name(config), clock.now());
    let spotter = match config.wake {
        Mode::Word => match spotter(config) {
            Ok(spotter) => Some(spotter),
            Err(why) => {
                let why = format!("the wake word cannot be heard, the button still works: {why:#}");
                eprintln!("voice: {why}");
                health.lasting(why);
                None
            }
        },
        Mode::Always | Mode::PushToTalk => None,
    };
    let source = source::start(&config.source, missing, &edge, clock, stop.clone())?;
    let mut voice = Voice {
        clock,
        listener: Listener::new(
            silero,
            EndpointSettings::default(),
            config.pace(),
            Matcher::of(config.spoken_language),
        ),
        worker: Worker::start(recogniser, clock).context("no thread for the recogniser")?,
        gate: Gate::new(config.wake),
        spotter,
        health,
        played,
        out,
        model: config.model.clone(),
        names: Names::new(clock.now()),
        named: VecDeque::new(),
        began: clock.now(),
    };
    let mut heard_until = clock.now();
    while !stop.is_stopped() {
        match source.chunks.recv_timeout(LOOK) {
            Ok(heard) => {
                if let Heard::Chunk(chunk) = &heard {
                    heard_until = chunk.end;
                }
                let gone = matches!(heard, Heard::Gone(_));
                voice.heard(heard)?;
                if gone {
                    let steps = voice.listener.finish(heard_until);
                    voice.act(steps)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        voice.told(&told, heard_until)?;
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

/// The process's own node.
fn full_name(config: &VoiceConfig) -> String {
    format!("{}/{}", config.namespace.trim_end_matches('/'), config.name)
}

/// The wake word's networks, from the store.
fn spotter(config: &VoiceConfig) -> anyhow::Result<Spotter> {
    let store = Store::open_in(config.models.as_deref())?;
    let bytes = |name| store.load_bytes(name);
    let (mel, embedding) = (bytes("wakeword_melspectrogram")?, bytes("wakeword_embedding")?);
    Ok(Spotter::new(&mel, &embedding, &bytes("hey_troika")?)?)
}

/// What others tell.
enum Told {
    /// The button, and whether it is held.
    Button(Time, bool),
    /// The assistant asked something.
    AskedBack(Time),
}

/// What the loudspeaker plays, until the next chunk of audio.
type Played = Arc<Mutex<Vec<AudioChunk>>>;

/// Hears what others tell, and what the loudspeaker plays.
fn others(edge: &Edge, tell: SyncSender<Told>, played: &Played) -> anyhow::Result<[TypedSubscription; 3]> {
    let pressed = tell.clone();
    let button = edge.subscribe::<Bool>(PUSH_TO_TALK, Qos::DEFAULT, move |button| {
        let _ = pressed.try_send(Told::Button(button.received, button.value.data));
    })?;
    let replies = edge.subscribe::<VoiceReply>(REPLY, Qos::DEFAULT, move |reply| {
        if reply.value.kind == VoiceReply::CONFIRM {
            let _ = tell.try_send(Told::AskedBack(reply.received));
        }
    })?;
    let played = played.clone();
    let playback = edge.subscribe::<AudioChunk>(PLAYBACK, Qos::DEFAULT, move |chunk| {
        let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
        if played.len() < PLAYED {
            played.push(chunk.value);
        }
    })?;
    Ok([button, replies, playback])
}

/// What the process itself publishes.
struct Out {
    words: TypedPublisher<Transcript>,
    activity: TypedPublisher<VoiceActivity>,
    beats: TypedPublisher<Heartbeat>,
    audio: Option<TypedPublisher<AudioChunk>>,
}

impl Out {
    fn new(edge: &Edge, config: &VoiceConfig) -> anyhow::Result<Out> {
        let audio = match config.publish_audio && !matches!(config.source, SourceConfig::Topic { .. }) {
            true => Some(edge.publisher(CABIN_AUDIO, Qos::DEFAULT)?),
            false => None,
        };
        Ok(Out {
            words: edge.publisher(TRANSCRIPT, Qos::DEFAULT)?,
            activity: edge.publisher(ACTIVITY, Qos::DEFAULT)?,
            beats: edge.publisher(heartbeat::TOPIC, Qos::DEFAULT)?,
            audio,
        })
    }
}

/// Names utterances: `u1-19a3c5f2b10`, `u2-19a3c5f2b10`, …, or as the file that they are of.
struct Names {
    /// When this process began, ms: what is asked for under a name is remembered by others, who outlive it.
    life: u64,
    count: u64,
    last: String,
}

impl Names {
    fn new(began: Time) -> Names {
        Names { life: began.as_nanos() / 1_000_000, count: 0, last: String::new() }
    }

    /// The id of an utterance that is over.
    fn name(&mut self, label: Option<&str>) -> String {
        let counted = self.next();
        self.count += 1;
        match label {
            // A pause may cut a file in two: the first has the file's name.
            Some(label) if label != self.last => {
                label.clone_into(&mut self.last);
                self.last.clone()
            }
            Some(label) => format!("{label}.{}", self.count),
            None => counted,
        }
    }

    /// The number of the utterance that is being said.
    fn next(&self) -> String {
        format!("u{}-{:x}", self.count + 1, self.life)
    }

    /// That was no utterance: what follows it in its file has the file's name.
    fn forget(&mut self, id: Option<&str>) {
        if id == Some(self.last.as_str()) {
            self.last.clear();
        }
    }
}

/// The loop's state.
struct Voice {
    clock: HostClock,
    listener: Listener,
    worker: Worker,
    gate: Gate,
    spotter: Option<Spotter>,
    health: Health,
    played: Played,
    out: Out,
    model: String,
    names: Names,
    /// The ids of the utterances that are over and have no words yet, in order; none where the gate let none through.
    named: VecDeque<Option<String>>,
    /// When the utterance that is being said began.
    began: Time,
}

impl Voice {
    fn heard(&mut self, heard: Heard) -> anyhow::Result<()> {
        match heard {
            Heard::Chunk(chunk) => {
                if let Some(spotter) = &mut self.spotter
                    && let Some(behind) = spotter.push(&chunk.samples)?
                {
                    self.gate.word(chunk.end - samples_long(behind));
                }
                if let Some(audio) = &mut self.out.audio {
                    let (first, samples) = message(&chunk.samples, chunk.end);
                    audio.send(&AudioChunk {
                        header: Header::at(first),
                        sample_rate: RATE,
                        channels: 1,
                        samples,
                    })?;
                }
                for played in std::mem::take(&mut *self.played.lock().unwrap_or_else(PoisonError::into_inner))
                {
                    let at = Time::from_stamp(played.header.stamp.sec, played.header.stamp.nanosec);
                    let samples: Vec<f32> =
                        played.samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
                    self.listener.played(at, played.sample_rate, &samples);
                }
                let steps = self.listener.push(&chunk)?;
                self.act(steps)?;
            }
            Heard::Note(note) => eprintln!("voice: {note}"),
            Heard::Trouble(trouble) | Heard::Gone(trouble) => {
                eprintln!("voice: {trouble}");
                self.health.passing(Some(trouble));
            }
            Heard::Well(note) => {
                eprintln!("voice: {note}");
                self.health.passing(None);
            }
        }
        Ok(())
    }

    fn told(&mut self, told: &Receiver<Told>, heard_until: Time) -> anyhow::Result<()> {
        while let Ok(told) = told.try_recv() {
            match told {
                Told::AskedBack(at) => self.gate.asked_back(at),
                Told::Button(at, pressed) => {
                    // Let go, what was said is over: nothing need be waited for.
                    if self.gate.button(at, pressed) && self.gate.lets(self.began, heard_until) {
                        let steps = self.listener.finish(heard_until);
                        self.act(steps)?;
                    }
                }
            }
        }
        if let Some(beat) = self.health.beat(self.clock.now()) {
            self.out.beats.send(&beat)?;
        }
        Ok(())
    }

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
                Step::Began(at) => {
                    self.began = at;
                    self.tell(at, true, String::new())?;
                }
                Step::Ended(at, spoken) => self.ended(at, spoken)?,
                Step::Decode(id, samples) => self.decode(id, samples)?,
                Step::Cancel(id) => self.worker.cancel(id),
                Step::Partial(mut heard) => {
                    wake::strip(&mut heard);
                    let now = self.clock.now();
                    if !heard.text.is_empty() && self.gate.lets(self.began, now) {
                        self.send(self.names.next(), heard, false, now, now.since(self.began))?;
                    }
                }
                Step::Final(said, heard) => {
                    let id = self.named.pop_front().flatten();
                    self.said(id, &said, heard)?;
                }
                Step::Lost(_) => {
                    if let Some(id) = self.named.pop_back().flatten() {
                        eprintln!("voice: {id}: the recogniser is too far behind; what was said is lost");
                    }
                }
            }
        }
        Ok(())
    }

    fn decode(&mut self, id: u64, samples: Vec<f32>) -> anyhow::Result<()> {
        if !self.gate.lets(self.began, self.clock.now()) {
            // Not for us so far: nothing is decoded of it, and nothing heard.
            let nothing = words::Heard::default();
            let steps = self.listener.heard(self.clock.now(), id, nothing, Duration::ZERO);
            return self.act(steps);
        }
        // Its queue has room for all that the turns ask for at once.
        anyhow::ensure!(self.worker.decode(id, samples), "the recogniser's thread has ended");
        Ok(())
    }

    /// Nobody speaks any more. That is told at once and not with the words: who speaks next may begin before they are there.
    fn ended(&mut self, at: Time, spoken: Option<Spoken>) -> anyhow::Result<()> {
        let mut id = None;
        if let Some(Spoken { began, label }) = spoken {
            id = self.gate.lets(began, at).then(|| self.names.name(label.as_deref()));
            self.named.push_back(id.clone());
        }
        self.tell(at, false, id.unwrap_or_default())
    }

    /// Who speaks.
    fn tell(&mut self, at: Time, speaking: bool, utterance_id: String) -> anyhow::Result<()> {
        Ok(self.out.activity.send(&VoiceActivity { header: Header::at(at), speaking, utterance_id })?)
    }

    fn said(&mut self, id: Option<String>, said: &Said, mut heard: words::Heard) -> anyhow::Result<()> {
        if !self.gate.lets(said.began, said.end_of_speech) {
            return Ok(());
        }
        let spoken = !heard.text.is_empty();
        wake::strip(&mut heard);
        if spoken && heard.text.is_empty() {
            // The wake word alone: what follows counts.
            self.names.forget(id.as_deref());
            return Ok(());
        }
        // The gate may have opened meanwhile: the wake word is noticed late.
        let id = id.unwrap_or_else(|| self.names.name(said.label.as_deref()));
        if let Some(doubt) = heard.doubt {
            eprintln!("voice: {id}: not taken for words: {doubt}");
        }
        let audio = samples_long(said.utterance.samples.len() as u64);
        self.send(id, heard, true, said.end_of_speech, audio)
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
        self.out.words.send(&Transcript {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utterances_are_named_by_their_file_or_counted() {
        let mut names = Names::new(Time::from_nanos(0x2a_000_000 * 1_000_000));
        let mut name = |label| names.name(label);
        assert_eq!(
            [name(None), name(Some("07")), name(Some("07")), name(Some("08"))],
            ["u1-2a000000", "07", "07.3", "08"]
        );
        assert_eq!(names.next(), "u5-2a000000");
        // Who is started again gives no name again.
        assert_ne!(Names::new(Time::from_nanos(0x2a_000_001 * 1_000_000)).next(), "u1-2a000000");
    }

    #[test]
    fn what_follows_a_wake_word_alone_has_the_files_name() {
        let mut names = Names::new(Time::ZERO);
        let alone = names.name(Some("07"));
        names.forget(Some(&alone));
        assert_eq!(names.name(Some("07")), "07");
    }
}
