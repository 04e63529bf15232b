//! Binds a node's ports to a transport: a subscription that decodes into each input's slot on the transport's thread, and a
//! publisher for each output. What cannot be decoded is counted, and the node never sees it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use troika_kit::{Events, Latest, Message, Out, PortSpec, PortVisitor, Ports, Qos, Step};
use troika_transport::{NodeHandle, Publisher, Subscription, TransportError};

use crate::{
    clock::Clock,
    options::NodeOptions,
    qos::{PortWatch, Watcher},
    stats::Cells,
    sync::{self, Wake},
    tape::{Departures, OnTape, Steps},
};

/// A node's ports on a transport.
pub(crate) struct Bound<S: Step> {
    pub(crate) inputs: S::Inputs,
    pub(crate) outputs: S::Outputs,
    pub(crate) subscriptions: Vec<Box<dyn Subscription>>,
    /// One for each output port, with the number of messages that a step may send on it.
    pub(crate) publishers: Vec<(Box<dyn Publisher>, usize)>,
    /// Those that have a timed QoS policy.
    pub(crate) watches: Vec<Arc<PortWatch>>,
    /// Where its steps and what leaves it are recorded.
    pub(crate) tape: Option<(Steps, Departures)>,
}

/// Declares every port of the node. Messages on `wake_port` announce themselves on `wake`; `watcher` looks after timed QoS policies.
pub(crate) fn bind<S: Step>(
    handle: &dyn NodeHandle,
    options: &NodeOptions,
    wake_port: Option<&'static str>,
    wake: &Wake,
    clock: &Clock,
    cells: &Arc<Cells>,
    watcher: Option<&Watcher>,
) -> Result<Bound<S>, TransportError> {
    let mut binder = Binder {
        handle,
        options,
        wake_port,
        wake,
        clock,
        cells,
        watcher,
        subscriptions: Vec::new(),
        publishers: Vec::new(),
        watches: Vec::new(),
        tape: options
            .tape
            .as_ref()
            .map(|tape| tape.node::<S::Inputs, S::Outputs>(S::CONTRACT.spec().node, options)),
        input: 0,
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
            let Binder { subscriptions, publishers, watches, tape, .. } = binder;
            let tape = tape.map(|tape| (tape.steps(), tape.departures()));
            Ok(Bound { inputs, outputs, subscriptions, publishers, watches, tape })
        }
    }
}

/// A value, or `None` for bytes that are none: `decode` does not panic by contract, and if it did, the transport's thread
/// must outlive it.
pub(crate) fn decode<T: Message>(cdr: &[u8]) -> Option<T> {
    troika_safety::fulfils![SR_DAT_001, SR_DAT_011];
    catch_unwind(AssertUnwindSafe(|| T::decode(cdr).ok())).unwrap_or(None)
}

struct Binder<'a> {
    handle: &'a dyn NodeHandle,
    options: &'a NodeOptions,
    wake_port: Option<&'static str>,
    wake: &'a Wake,
    clock: &'a Clock,
    cells: &'a Arc<Cells>,
    watcher: Option<&'a Watcher>,
    subscriptions: Vec<Box<dyn Subscription>>,
    publishers: Vec<(Box<dyn Publisher>, usize)>,
    watches: Vec<Arc<PortWatch>>,
    tape: Option<OnTape>,
    /// The index of the next input.
    input: u16,
    failed: Option<TransportError>,
}

/// What became of a value in its port's slot.
struct Kept {
    /// A value was overwritten unseen.
    overwritten: bool,
    /// Which of all that found room it is, from 1; 0 is one that did not.
    count: u64,
}

impl Binder<'_> {
    /// Subscribes; `put` gets each value with its arrival.
    fn subscribe<T: Message>(
        &mut self,
        spec: &PortSpec,
        mut put: impl FnMut(T, troika_kit::Time) -> Kept + Send + 'static,
    ) {
        let wake = (self.wake_port == Some(spec.name)).then(|| self.wake.clone());
        let (clock, cells) = (self.clock.clone(), self.cells.clone());
        let topic = self.options.topic(spec.name, spec.topic);
        let qos = self.qos(spec);
        let watch = self.watch(spec, &topic, false);
        let mut tape = self.tape.as_ref().map(|tape| tape.arrivals(self.input));
        self.input += 1;
        let on_message = Box::new(move |cdr: &[u8], meta: &troika_transport::Meta| {
            if cells.deaf.get() {
                return;
            }
            let received = clock.now(); // before decoding: the arrival is the release, and nothing moves it
            if watch.as_ref().is_some_and(|watch| !watch.message(meta.gid, meta.source_time)) {
                return;
            }
            let Some(value) = decode::<T>(cdr) else {
                cells.undecodable.add(1);
                return;
            };
            cells.received.add(1);
            let kept = put(value, received);
            if kept.overwritten {
                cells.overwritten.add(1);
            }
            if let Some(wake) = &wake {
                wake.announce();
            }
            // Last, so that the node does not wait for it.
            if let Some(tape) = &mut tape {
                tape.came(kept.count, received, meta.source_time, cdr);
            }
        });
        match self.handle.subscribe(&topic, spec.ty, qos, on_message) {
            Ok(subscription) => self.subscriptions.push(subscription),
            Err(why) => self.failed = self.failed.take().or(Some(why)),
        }
    }

    fn qos(&self, spec: &PortSpec) -> Qos {
        self.options.qos.get(spec.name).copied().unwrap_or(spec.qos)
    }

    fn watch(&mut self, spec: &PortSpec, topic: &str, publishes: bool) -> Option<Arc<PortWatch>> {
        match self.watcher?.port(spec.name, topic, publishes, self.qos(spec)) {
            Ok(watch) => {
                self.watches.extend(watch.clone());
                watch
            }
            Err(why) => {
                self.failed = self.failed.take().or(Some(why));
                None
            }
        }
    }
}

impl PortVisitor for Binder<'_> {
    fn latest<T: Message>(&mut self, spec: &PortSpec, port: &mut Latest<T>) {
        let (mut writer, reader) = sync::latest();
        port.bind(Box::new(reader));
        self.subscribe(spec, move |value, received| {
            let overwritten = writer.put(value, received);
            Kept { overwritten, count: writer.count() }
        });
    }

    fn events<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Events<T, N>) {
        let (mut writer, reader) = sync::events(N);
        port.bind(Box::new(reader));
        self.subscribe(spec, move |value, received| {
            // A drop is counted in the queue itself.
            let count = if writer.put(value, received) { writer.taken_in() } else { 0 };
            Kept { overwritten: false, count }
        });
    }

    fn out<T: Message, const N: usize>(&mut self, spec: &PortSpec, _: &mut Out<T, N>) {
        let topic = self.options.topic(spec.name, spec.topic);
        let watch = self.watch(spec, &topic, true);
        match (self.handle.publisher(&topic, spec.ty, self.qos(spec)), watch.zip(self.watcher)) {
            (Ok(publisher), Some((watch, watcher))) => {
                self.publishers.push((watcher.watched(publisher, watch), N));
            }
            (Ok(publisher), None) => self.publishers.push((publisher, N)),
            (Err(why), _) => self.failed = self.failed.take().or(Some(why)),
        }
    }
}
