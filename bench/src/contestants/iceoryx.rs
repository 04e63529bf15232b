//! iceoryx2: the sender copies its bytes into a loaned sample, an event wakes the receiver, which reads them where they lie.

use std::{
    sync::{PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context as _;
use iceoryx2::{
    port::{notifier::Notifier, publisher::Publisher},
    prelude::*,
};
use troika_host::StopToken;

use super::{Place, Receiver, Sender};
use crate::{child::Shared, message::SIZES};

/// How often the receiver looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

struct Iceoryx {
    publisher: Publisher<ipc::Service, [u8], ()>,
    notifier: Notifier<ipc::Service>,
}

impl super::Send for Iceoryx {
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let sample = self.publisher.loan_slice_uninit(bytes.len())?;
        sample.write_from_slice(bytes).send()?;
        self.notifier.notify()?;
        Ok(())
    }
}

fn node() -> anyhow::Result<Node<ipc::Service>> {
    Ok(NodeBuilder::new().signal_handling_mode(SignalHandlingMode::Disabled).create::<ipc::Service>()?)
}

/// The sending end.
pub fn send(place: &Place) -> anyhow::Result<Sender> {
    let (node, name) = (node()?, ServiceName::new(&place.name())?);
    let service = node
        .service_builder(&name)
        .publish_subscribe::<[u8]>()
        .subscriber_max_buffer_size(8)
        .open_or_create()?;
    let publisher = service.publisher_builder().initial_max_slice_len(SIZES[SIZES.len() - 1]).create()?;
    let notifier = node.service_builder(&name).event().open_or_create()?.notifier_builder().create()?;
    Ok(Box::new(Iceoryx { publisher, notifier }))
}

/// The receiving thread.
struct Taker {
    stop: StopToken,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The receiving end.
pub fn receive(place: &Place, notes: Shared) -> anyhow::Result<Receiver> {
    let stop = StopToken::new();
    let (stopped, name) = (stop.clone(), place.name());
    let (ready, is_ready) = mpsc::channel();
    let thread = std::thread::Builder::new().name("iceoryx2".into()).spawn(move || {
        if let Err(error) = take(&name, &stopped, &notes, &ready) {
            eprintln!("iceoryx2: {error:#}");
        }
    })?;
    is_ready.recv().context("iceoryx2's receiver did not start")?;
    Ok(Box::new(Taker { stop, thread: Some(thread) }))
}

fn take(name: &str, stop: &StopToken, notes: &Shared, ready: &mpsc::Sender<()>) -> anyhow::Result<()> {
    let (node, name) = (node()?, ServiceName::new(name)?);
    let service = node
        .service_builder(&name)
        .publish_subscribe::<[u8]>()
        .subscriber_max_buffer_size(8)
        .open_or_create()?;
    let subscriber = service.subscriber_builder().create()?;
    let listener = node.service_builder(&name).event().open_or_create()?.listener_builder().create()?;
    ready.send(())?;
    while !stop.is_stopped() {
        listener.timed_wait(|_| {}, LOOK)?;
        while let Some(sample) = subscriber.receive()? {
            notes.lock().unwrap_or_else(PoisonError::into_inner).take(sample.payload());
        }
    }
    Ok(())
}
