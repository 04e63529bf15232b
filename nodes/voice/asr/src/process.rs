//! The voice process: audio to words on /voice/transcript, who speaks on /voice/activity, and the step that makes commands of the
//! words. Voice activity has a thread of its own (the main one): it goes on while an utterance is recognised, which takes a second,
//! so that whoever speaks meanwhile is noticed. Ordinary threads, memory not locked: whatever runs at deadlines goes before.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use anyhow::Context as _;
use troika_host::{Host, HostClock, HostOptions, NodeOptions, StopToken, edge::TypedPublisher, signal};
use troika_kit::{Duration, Qos, Time};
use troika_msgs::{
    std_msgs::Header,
    troika::{AudioChunk, Transcript, VoiceActivity},
};
use troika_transport_open::Carrier;
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    cascade::Cascade,
    command::CommandNode,
    config::{SourceConfig, VoiceConfig},
    intent::IntentModel,
    matcher::Matcher,
    vad::{EndpointSettings, Silero},
};

use crate::{
    listen::{Cutter, Noticed, Said, samples_long},
    source::{self, Heard},
    whisper::Recogniser,
};

/// The topic of the words.
pub const TRANSCRIPT: &str = "/voice/transcript";
/// The topic of who speaks.
pub const ACTIVITY: &str = "/voice/activity";
/// The topic of what the loudspeaker plays (of the node `speech`).
pub const PLAYBACK: &str = "/voice/playback";
/// Utterances that wait for the recogniser: half a minute of work. A file waits for a place; of a microphone, what finds none is lost.
const WAITING: usize = 16;
/// Pieces of playback that wait for the next chunk of audio: 10 s.
const PLAYED: usize = 1_000;
/// How long the transport may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long commands and their results may still be on their way after the last audio.
const LINGER: Duration = Duration::from_secs(2);

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

    let carrier =
        Carrier { router: config.router.clone(), dds: config.dds, ros2: config.ros2, domain: config.domain };
    let transport = carrier.open()?;
    let host_options = HostOptions { mlock: false, rt_allowed: false, ..HostOptions::default() };
    let mut host = Host::new(host_options, transport);
    let mut node = NodeOptions::new(format!("{}_command", config.name));
    node.namespace.clone_from(&config.namespace);
    host.spawn(CommandNode::new(cascade(config)?, config.language), node)?;
    let clock = host.clock();
    let edge = host.handle().edge(&config.namespace, &config.name)?;
    let mut words = edge.publisher::<Transcript>(TRANSCRIPT, Qos::DEFAULT)?;
    let mut activity = edge.publisher::<VoiceActivity>(ACTIVITY, Qos::DEFAULT)?;
    let played: Arc<Mutex<Vec<AudioChunk>>> = Arc::default();
    let _playback = {
        let played = played.clone();
        edge.subscribe::<AudioChunk>(PLAYBACK, Qos::DEFAULT, move |chunk| {
            let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
            if played.len() < PLAYED {
                played.push(chunk.value);
            }
        })?
    };
    host.start();

    let model = config.model.clone();
    let (utterances, waiting) = sync_channel(WAITING);
    let recognising = thread::Builder::new()
        .name("voice-words".into())
        .spawn({
            let stop = stop.clone();
            move || recognise(&mut recogniser, &mut words, &waiting, clock, &stop, &model)
        })
        .context("no thread for the recogniser")?;
    let source = source::start(&config.source, clock, stop.clone())?;
    let patient = !matches!(config.source, SourceConfig::Microphone { .. });
    let mut names = Names::default();
    let mut cutter = Cutter::new(silero, EndpointSettings::default());
    while !stop.is_stopped() && !recognising.is_finished() {
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
        for played in std::mem::take(&mut *played.lock().unwrap_or_else(PoisonError::into_inner)) {
            let at = Time::from_stamp(played.header.stamp.sec, played.header.stamp.nanosec);
            let samples: Vec<f32> =
                played.samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
            cutter.played(at, played.sample_rate, &samples);
        }
        for noticed in cutter.push(&chunk)? {
            let (at, said) = match noticed {
                Noticed::Began(at) => {
                    let began =
                        VoiceActivity { header: Header::at(at), speaking: true, ..Default::default() };
                    activity.send(&began)?;
                    continue;
                }
                Noticed::Ended(at, said) => (at, said.map(|said| names.name(said))),
            };
            let utterance_id = said.as_ref().map_or_else(String::new, |named| named.id.clone());
            activity.send(&VoiceActivity { header: Header::at(at), speaking: false, utterance_id })?;
            if let Some(named) = said {
                hand_on(&utterances, named, patient);
            }
        }
    }
    // The recogniser does what it was given, or ends after the utterance at hand when it is to stop.
    drop(utterances);
    let recognised = recognising.join();
    stop.wait_for(LINGER);
    signal::end_within(CLOSING);
    host.stop();
    recognised.map_err(|_panicked| anyhow::anyhow!("the recogniser's thread panicked"))?
}

/// An utterance with its name, on its way to the recogniser.
struct Named {
    id: String,
    said: Said,
}

/// Names utterances: `u1`, `u2`, …, or as the file that they are of.
#[derive(Default)]
struct Names {
    count: u64,
    last: String,
}

impl Names {
    fn name(&mut self, said: Said) -> Named {
        self.count += 1;
        let id = match &said.label {
            // A pause may cut a file in two: the first has the file's name.
            Some(label) if *label != self.last => {
                self.last.clone_from(label);
                label.clone()
            }
            Some(label) => format!("{label}.{}", self.count),
            None => format!("u{}", self.count),
        };
        Named { id, said }
    }
}

/// To the recogniser. A file waits for a place; a person goes on speaking, and what finds no place is lost.
fn hand_on(utterances: &SyncSender<Named>, named: Named, patient: bool) {
    if patient {
        // It may have failed: that is told at the end.
        let _ended = utterances.send(named);
    } else if let Err(TrySendError::Full(lost)) = utterances.try_send(named) {
        eprintln!("voice: the recogniser is {WAITING} utterances behind: {} is lost", lost.id);
    }
}

/// The recogniser's thread: utterances to words.
fn recognise(
    recogniser: &mut Recogniser,
    words: &mut TypedPublisher<Transcript>,
    waiting: &Receiver<Named>,
    clock: HostClock,
    stop: &StopToken,
    model: &str,
) -> anyhow::Result<()> {
    while let Ok(Named { id, said }) = waiting.recv() {
        if stop.is_stopped() {
            break;
        }
        let heard = recogniser.recognise(&said.utterance.samples)?;
        words.send(&Transcript {
            header: Header::at(said.end_of_speech),
            utterance_id: id,
            text: heard.text,
            r#final: true,
            confidence: heard.confidence,
            audio_duration: samples_long(said.utterance.samples.len() as u64).into(),
            latency: clock.now().since(said.end_of_speech).into(),
            model: model.to_owned(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use troika_voice::vad::Utterance;

    use super::*;

    fn said(label: Option<&str>) -> Said {
        let utterance = Utterance { samples: Vec::new(), end_of_speech: 0, noticed: 0 };
        Said { utterance, end_of_speech: Time::ZERO, label: label.map(str::to_owned) }
    }

    #[test]
    fn utterances_are_named_by_their_file_or_counted() {
        let mut names = Names::default();
        let mut name = |label| names.name(said(label)).id;
        assert_eq!(
            [name(None), name(Some("07")), name(Some("07")), name(Some("08"))],
            ["u1", "07", "07.3", "08"]
        );
    }

    #[test]
    fn what_finds_no_place_with_the_recogniser_is_lost_and_holds_nobody_up() {
        let (send, receive) = sync_channel(1);
        for id in ["a", "b"] {
            hand_on(&send, Named { id: id.to_owned(), said: said(None) }, false);
        }
        assert_eq!(receive.recv().map(|named| named.id), Ok("a".to_owned()));
        assert!(receive.try_recv().is_err());
    }
}
