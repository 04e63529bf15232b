//! Our zenoh transport between two processes, as peers without a router. Bytes are taken in the subscription's callback, on
//! zenoh's thread.

use std::sync::PoisonError;

use troika_kit::{Qos, Time, TypeInfo};
use troika_transport::{NodeHandle, Publisher, Transport as _};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};

use super::{Place, Receiver, Sender};
use crate::child::Shared;

const TYPE: TypeInfo = TypeInfo {
    name: "troika_msgs/msg/Bench",
    hash: "RIHS01_0000000000000000000000000000000000000000000000000000000000000000",
};

/// The link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Tcp,
    Unix,
    UnixShm,
}

fn open(over: Over, place: &Place, listens: bool) -> anyhow::Result<ZenohTransport> {
    let endpoint = match over {
        Over::Tcp => format!("tcp/127.0.0.1:{}", place.port),
        Over::Unix => format!("unixsock-stream/{}", place.folder.join("zenoh").display()),
        Over::UnixShm => format!("unixsock-stream/{}", place.folder.join("zenoh-shm").display()),
    };
    let mut options = ZenohOptions {
        router: endpoint.clone(),
        shared_memory: over == Over::UnixShm,
        ..ZenohOptions::default()
    };
    let (listen, connect) = if listens {
        (format!("[\"{endpoint}\"]"), "[]".to_owned())
    } else {
        ("[]".to_owned(), format!("[\"{endpoint}\"]"))
    };
    options.overrides.push(("listen/endpoints".into(), listen));
    options.overrides.push(("connect/endpoints".into(), connect));
    Ok(ZenohTransport::open(options)?)
}

struct Zenoh {
    publisher: Box<dyn Publisher>,
    _node: Box<dyn NodeHandle>,
}

impl super::Send for Zenoh {
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.publisher.put(bytes, Time::ZERO)?)
    }
}

/// The sending end.
pub fn send(over: Over, place: &Place) -> anyhow::Result<Sender> {
    let node = open(over, place, false)?.node("/", "sender")?;
    let publisher = node.publisher("/bench", TYPE, Qos::DEFAULT)?;
    Ok(Box::new(Zenoh { publisher, _node: node }))
}

/// The receiving end.
pub fn receive(over: Over, place: &Place, notes: Shared) -> anyhow::Result<Receiver> {
    let node = open(over, place, true)?.node("/", "receiver")?;
    let take = move |bytes: &[u8], _: &_| notes.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
    let subscription = node.subscribe("/bench", TYPE, Qos::DEFAULT, Box::new(take))?;
    Ok(Box::new((subscription, node)))
}
