//! Audio that another node publishes: messages to chunks, on a thread that notices when none come.

use std::{
    sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread,
};

use troika_host::{
    HostClock, StopToken,
    edge::{Edge, TypedSubscription},
};
use troika_kit::{Duration, Qos, Time};
use troika_msgs::troika::AudioChunk;
use troika_voice::audio::{Stream, Watch};

use super::{Heard, SourceError};
use crate::listen::Chunk;

/// Messages between the transport's thread and ours.
const MESSAGES: usize = 128;

/// Subscribes; the thread ends when the subscription, the receiver of its chunks or the token does.
pub(super) fn start(
    topic: &str,
    edge: &Edge,
    clock: HostClock,
    stop: StopToken,
    send: SyncSender<Heard>,
) -> Result<TypedSubscription, SourceError> {
    let (arrived, messages) = sync_channel::<AudioChunk>(MESSAGES);
    let name = topic.to_owned();
    let run = move || {
        let (mut stream, mut watch) = (Stream::default(), Watch::new(clock.now()));
        let mut refused = 0u64;
        while !stop.is_stopped() {
            let message = match messages.recv_timeout(Duration::from_millis(100)) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = clock.now();
            let mut told = Vec::new();
            if let Some(message) = message {
                let stamp = Time::from_stamp(message.header.stamp.sec, message.header.stamp.nanosec);
                match stream.push(stamp, message.sample_rate, message.channels, &message.samples) {
                    Ok(piece) => {
                        if let Some(gap) = piece.gap {
                            told.push(Heard::Note(format!(
                                "{name}: {} ms of audio are missing",
                                gap.as_millis()
                            )));
                        }
                        if watch.heard(now, &piece.samples) {
                            told.push(Heard::Well(format!("{name}: audio is heard again")));
                        }
                        told.push(Heard::Chunk(Chunk {
                            samples: piece.samples,
                            end: piece.end,
                            label: None,
                        }));
                    }
                    Err(why) => {
                        refused += 1;
                        if refused.is_power_of_two() {
                            told.push(Heard::Note(format!(
                                "{name}: a message is left out: {why} ({refused} so far)"
                            )));
                        }
                    }
                }
            }
            if let Some(trouble) = watch.trouble(now) {
                told.push(Heard::Trouble(format!("{name}: {trouble}")));
            }
            for heard in told {
                match send.try_send(heard) {
                    // A loop that is 10 s behind loses audio; what it loses is the next gap.
                    Ok(()) | Err(TrySendError::Full(_)) => {}
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
        }
    };
    thread::Builder::new().name("voice-topic".into()).spawn(run).map_err(SourceError::Thread)?;
    edge.subscribe::<AudioChunk>(topic, Qos::DEFAULT, move |message| {
        // The transport's thread must not wait: what does not fit is a gap.
        let _ = arrived.try_send(message.value);
    })
    .map_err(|why| SourceError::Topic { topic: topic.to_owned(), why: why.to_string() })
}
