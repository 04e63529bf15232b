//! Our transport inside one process. Its subscribers are called before the put returns, so no thread is woken: the cost is two copies
//! at most.

use std::sync::PoisonError;

use troika_kit::{Qos, Time, TypeInfo};
use troika_transport::{NodeHandle, Publisher, Transport as _};
use troika_transport_mem::MemTransport;

use super::{Receiver, Sender};
use crate::child::Shared;

const TYPE: TypeInfo = TypeInfo { name: "troika_msgs/msg/Bench", hash: "RIHS01_0" };

struct Mem {
    publisher: Box<dyn Publisher>,
    _node: Box<dyn NodeHandle>,
}

impl super::Send for Mem {
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.publisher.put(bytes, Time::ZERO)?)
    }
}

/// Both ends.
pub fn both(notes: Shared) -> anyhow::Result<(Sender, Receiver)> {
    let transport = MemTransport::new();
    let node = transport.node("/", "bench")?;
    let take = move |bytes: &[u8], _: &_| notes.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
    let subscription = node.subscribe("/bench", TYPE, Qos::DEFAULT, Box::new(take))?;
    let publisher = node.publisher("/bench", TYPE, Qos::DEFAULT)?;
    Ok((Box::new(Mem { publisher, _node: node }), Box::new(subscription)))
}
