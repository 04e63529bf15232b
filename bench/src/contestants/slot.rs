//! The host's latest-value slot and wake-up: what lies between a transport's thread and a node's. The value is copied into memory of
//! its own first, as decoding does.

use std::{sync::PoisonError, thread::JoinHandle};

use troika_host::{
    StopToken,
    sync::{LatestWriter, Wake, latest},
};
use troika_kit::{LatestSource as _, Time};

use super::{Receiver, Sender};
use crate::child::Shared;

struct Slot {
    writer: LatestWriter<Vec<u8>>,
    wake: Wake,
}

impl super::Send for Slot {
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.writer.put(bytes.to_vec(), Time::ZERO);
        self.wake.announce();
        Ok(())
    }
}

/// The receiving thread.
struct Node {
    stop: StopToken,
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.stop();
        self.wake.announce();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Both ends.
pub fn both(notes: Shared) -> anyhow::Result<(Sender, Receiver)> {
    let (writer, mut reader) = latest::<Vec<u8>>();
    let (stop, wake) = (StopToken::new(), Wake::default());
    let (stopped, woken) = (stop.clone(), wake.clone());
    let thread = std::thread::Builder::new().name("slot".into()).spawn(move || {
        while !stopped.is_stopped() {
            let seen = woken.seen();
            if !reader.refresh() {
                woken.wait(seen, None);
                continue;
            }
            if let Some(sample) = reader.current() {
                notes.lock().unwrap_or_else(PoisonError::into_inner).take(&sample.value);
            }
        }
    })?;
    Ok((Box::new(Slot { writer, wake: wake.clone() }), Box::new(Node { stop, wake, thread: Some(thread) })))
}
