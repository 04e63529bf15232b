//! Binds a node's ports to a transport: a subscription that decodes into each input's slot on the transport's thread, and a
//! publisher for each output. What cannot be decoded is counted, and the node never sees it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use troika_kit::{Events, Latest, Message, Out, PortSpec, PortVisitor, Ports, Step};
use troika_transport::{NodeHandle, Publisher, Subscription, TransportError};

use crate::{
    clock::Clock,
    options::NodeOptions,
    stats::Cells,
    sync::{self, Wake},
};

/// A node's ports on a transport.
pub(crate) struct Bound<S: Step> {
    pub(crate) inputs: S::Inputs,
    pub(crate) outputs: S::Outputs,
    pub(crate) subscriptions: Vec<Box<dyn Subscription>>,
    /// One for each output port, with the number of messages that a step may send on it.
    pub(crate) publishers: Vec<(Box<dyn Publisher>, usize)>,
}

/// Declares every port of the node. Messages on `wake_port` announce themselves on `wake`.
pub(crate) fn bind<S: Step>(
    handle: &dyn NodeHandle,
    options: &NodeOptions,
    wake_port: Option<&'static str>,
    wake: &Wake,
    clock: &Clock,
    cells: &Arc<Cells>,
) -> Result<Bound<S>, TransportError> {
    let mut binder = Binder {
        handle,
        options,
        wake_port,
        wake,
        clock,
        cells,
        subscriptions: Vec::new(),
        publishers: Vec::new(),
        failed: None,
    };
    let mut inputs = S::Inputs::default();
    let mut outputs = S::Outputs::default();
    // Outputs first: whoever sees the subscriptions can rely on an answer.
    outputs.visit(&mut binder);
    inputs.visit(&mut binder);
    match binder.failed {
        Some(why) => Err(why),
        None => {
            Ok(Bound { inputs, outputs, subscriptions: binder.subscriptions, publishers: binder.publishers })
        }
    }
}

/// A value, or `None` for bytes that are none: `decode` does not panic by contract, and if it did, the transport's thread
/// must outlive it.
pub(crate) fn decode<T: Message>(cdr: &[u8]) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| T::decode(cdr).ok())).unwrap_or(None)
}

struct Binder<'a> {
    handle: &'a dyn NodeHandle,
    options: &'a NodeOptions,
    wake_port: Option<&'static str>,
    wake: &'a Wake,
    clock: &'a Clock,
    cells: &'a Arc<Cells>,
    subscriptions: Vec<Box<dyn Subscription>>,
    publishers: Vec<(Box<dyn Publisher>, usize)>,
    failed: Option<TransportError>,
}

impl Binder<'_> {
    /// Subscribes; `put` gets each value with its arrival and says whether a value was overwritten unseen.
    fn subscribe<T: Message>(
        &mut self,
        spec: &PortSpec,
        mut put: impl FnMut(T, troika_kit::Time) -> bool + Send + 'static,
    ) {
        let wake = (self.wake_port == Some(spec.name)).then(|| self.wake.clone());
        let (clock, cells) = (self.clock.clone(), self.cells.clone());
        let on_message = Box::new(move |cdr: &[u8], _: &troika_transport::Meta| {
            if cells.deaf.get() {
                return;
            }
            let received = clock.now(); // before decoding: the arrival is the release, and nothing moves it
            let Some(value) = decode::<T>(cdr) else {
                cells.undecodable.add(1);
                return;
            };
            cells.received.add(1);
            if put(value, received) {
                cells.overwritten.add(1);
            }
            if let Some(wake) = &wake {
                wake.announce();
            }
        });
        let topic = self.options.topic(spec.name, spec.topic);
        match self.handle.subscribe(&topic, spec.ty, spec.qos, on_message) {
            Ok(subscription) => self.subscriptions.push(subscription),
            Err(why) => self.failed = self.failed.take().or(Some(why)),
        }
    }
}

impl PortVisitor for Binder<'_> {
    fn latest<T: Message>(&mut self, spec: &PortSpec, port: &mut Latest<T>) {
        let (mut writer, reader) = sync::latest();
        port.bind(Box::new(reader));
        self.subscribe(spec, move |value, received| writer.put(value, received));
    }

    fn events<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Events<T, N>) {
        let (mut writer, reader) = sync::events(N);
        port.bind(Box::new(reader));
        self.subscribe(spec, move |value, received| {
            writer.put(value, received); // a drop is counted in the queue itself
            false
        });
    }

    fn out<T: Message, const N: usize>(&mut self, spec: &PortSpec, _: &mut Out<T, N>) {
        let topic = self.options.topic(spec.name, spec.topic);
        match self.handle.publisher(&topic, spec.ty, spec.qos) {
            Ok(publisher) => self.publishers.push((publisher, N)),
            Err(why) => self.failed = self.failed.take().or(Some(why)),
        }
    }
}
