//! From a node's thread to the transport: encoded messages travel in pooled buffers over a wait-free ring to an ordinary
//! thread, the courier, which puts them on the transport and hands the buffers back. When all buffers of an output are on
//! their way (the transport stands still), a message is dropped and counted; the node never waits.

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};
use troika_kit::{Contract, Time};
use troika_transport::Publisher;

use crate::{
    clock::HostClock,
    runner::{Encode, Sink},
    stats::{Cells, Record},
    sync::{HistogramWriter, Wake},
};

/// Steps whose outputs may be on their way at once.
const STEPS_ON_THE_WAY: usize = 4;

struct Parcel {
    port: usize,
    bytes: Vec<u8>,
    stamp: Time,
    release: Time,
}

/// The node thread's end.
pub(crate) struct Outbox {
    full: Producer<Parcel>,
    free: Vec<Consumer<Vec<u8>>>,
    cells: Arc<Cells>,
    /// Below `full`, since fields are dropped in this order: when the courier is woken for the last time, it finds the ring
    /// abandoned, and ends after its last parcel.
    wake: Farewell,
}

/// A publisher, and the way back for its buffers.
type PortEnd = (Box<dyn Publisher>, Producer<Vec<u8>>);

/// The ordinary thread's end.
pub(crate) struct Courier {
    full: Consumer<Parcel>,
    ports: Vec<PortEnd>,
    wake: Wake,
    clock: HostClock,
    contract: Contract,
    record: Arc<Record>,
    put: HistogramWriter,
}

/// An outbox for these publishers, each with the number of messages that a step may send on it; `buffer` is the first size
/// of each encode buffer.
pub(crate) fn outbox(
    publishers: Vec<(Box<dyn Publisher>, usize)>,
    buffer: usize,
    clock: HostClock,
    record: Arc<Record>,
    put: HistogramWriter,
) -> (Outbox, Courier) {
    let sizes: Vec<usize> = publishers.iter().map(|(_, most)| most * STEPS_ON_THE_WAY).collect();
    let (full_in, full_out) = RingBuffer::new(sizes.iter().sum());
    let mut free = Vec::new();
    let mut ports = Vec::new();
    for ((publisher, _), size) in publishers.into_iter().zip(sizes) {
        let (mut free_in, free_out) = RingBuffer::new(size);
        for _ in 0..size {
            // Written once, so that the pages are there (and locked) before the first step.
            let mut bytes = vec![0xA5; buffer];
            bytes.clear();
            let _ = free_in.push(bytes); // the ring holds exactly these
        }
        free.push(free_out);
        ports.push((publisher, free_in));
    }
    let wake = Wake::default();
    let cells = record.cells.clone();
    (
        Outbox { full: full_in, free, cells, wake: Farewell(wake.clone()) },
        Courier { full: full_out, ports, wake, clock, contract: record.contract, record, put },
    )
}

impl Sink for Outbox {
    fn send(&mut self, port: usize, stamp: Time, release: Time, encode: &mut Encode<'_>) {
        let Ok(mut bytes) = self.free[port].pop() else {
            self.cells.unsent.add(1);
            return;
        };
        let before = bytes.capacity();
        let encoded = encode(&mut bytes);
        if bytes.capacity() != before {
            self.cells.buffer_growths.add(1);
        }
        if encoded.is_err() {
            // The buffer still takes the tour, so that the pool stays whole; empty bytes are not put.
            self.cells.unsent.add(1);
            bytes.clear();
        }
        // Cannot be full: it holds every buffer that there is.
        let _ = self.full.push(Parcel { port, bytes, stamp, release });
    }

    fn flush(&mut self) {
        self.wake.0.announce();
    }
}

/// Announces when it is dropped.
struct Farewell(Wake);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.announce();
    }
}

impl Courier {
    /// Puts what comes until the outbox is gone and its last parcel is put.
    pub(crate) fn run(mut self) {
        loop {
            let seen = self.wake.seen();
            let last = self.full.is_abandoned();
            while let Ok(parcel) = self.full.pop() {
                self.deliver(parcel);
            }
            if last {
                return;
            }
            if self.full.is_abandoned() {
                continue; // abandoned between the two looks: one more look for its last parcels
            }
            self.wake.wait(seen, None);
        }
    }

    fn deliver(&mut self, parcel: Parcel) {
        let (publisher, free) = &mut self.ports[parcel.port];
        if !parcel.bytes.is_empty() {
            match publisher.put(&parcel.bytes, parcel.stamp) {
                Ok(()) => {
                    let took = self.clock.now().since(parcel.release);
                    self.put.record(took);
                    if took > self.contract.spec().deadline {
                        self.record.cells.put_late.add(1);
                    }
                }
                Err(why) => self.record.put_failed(why.to_string()),
            }
        }
        let _ = free.push(parcel.bytes); // the ring holds every buffer of the port
    }
}
