//! From a node's thread to the transport: encoded messages travel in pooled buffers over a wait-free ring to an ordinary
//! thread, the courier, which puts them on the transport and hands the buffers back. When all buffers of an output are on
//! their way (the transport stands still), a message is dropped and counted; the node never waits.

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};
use troika_kit::{Contract, Tick};
use troika_transport::Publisher;

use crate::{
    clock::{Clock, HostClock},
    runner::{Encode, Sink},
    stats::{Cells, Record},
    sync::{HistogramWriter, PostReader, PostWriter, post},
    tape::Departures,
};

/// Steps whose outputs may be on their way at once.
const STEPS_ON_THE_WAY: usize = 4;

struct Parcel {
    port: usize,
    bytes: Vec<u8>,
    tick: Tick,
}

/// The node thread's end.
pub(crate) struct Outbox {
    full: PostWriter<Parcel>,
    free: Vec<Consumer<Vec<u8>>>,
    cells: Arc<Cells>,
}

/// A publisher, and the way back for its buffers.
type PortEnd = (Box<dyn Publisher>, Producer<Vec<u8>>);

/// The ordinary thread's end.
pub(crate) struct Courier {
    full: PostReader<Parcel>,
    puts: Puts,
}

/// What it does with a parcel.
struct Puts {
    ports: Vec<PortEnd>,
    clock: Clock,
    /// Peers see the machine's time on what is sent, also in a simulation, as in ROS.
    stamps: Option<HostClock>,
    contract: Contract,
    record: Arc<Record>,
    put: HistogramWriter,
    /// Where what leaves is recorded.
    tape: Option<Departures>,
}

/// An outbox for these publishers, each with the number of messages that a step may send on it; `buffer` is the first size
/// of each encode buffer.
pub(crate) fn outbox(
    publishers: Vec<(Box<dyn Publisher>, usize)>,
    buffer: usize,
    clock: &Clock,
    host: HostClock,
    record: Arc<Record>,
    put: HistogramWriter,
    tape: Option<Departures>,
) -> (Outbox, Courier) {
    let sizes: Vec<usize> = publishers.iter().map(|(_, most)| most * STEPS_ON_THE_WAY).collect();
    let (full_in, full_out) = post(sizes.iter().sum());
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
    let cells = record.cells.clone();
    let stamps = matches!(clock, Clock::Ros(_)).then_some(host);
    let puts = Puts { ports, clock: clock.clone(), stamps, contract: record.contract, record, put, tape };
    (Outbox { full: full_in, free, cells }, Courier { full: full_out, puts })
}

impl Sink for Outbox {
    fn send(&mut self, port: usize, tick: &Tick, encode: &mut Encode<'_>) {
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
        let _ = self.full.put(Parcel { port, bytes, tick: *tick });
    }

    fn flush(&mut self) {
        self.full.flush();
    }
}

impl Courier {
    /// Puts what comes until the outbox is gone and its last parcel is put; gives its book back.
    pub(crate) fn run(self) -> HistogramWriter {
        let Courier { full, mut puts } = self;
        full.run(|parcel| puts.deliver(parcel));
        puts.put
    }
}

impl Puts {
    fn deliver(&mut self, parcel: Parcel) {
        let (publisher, free) = &mut self.ports[parcel.port];
        if !parcel.bytes.is_empty() {
            let Tick { seq, now, release, .. } = parcel.tick;
            let stamp = self.stamps.map_or(now, HostClock::now);
            match publisher.put(&parcel.bytes, stamp) {
                Ok(()) => {
                    let took = self.clock.now().since(release);
                    self.put.record(took);
                    if took > self.contract.spec().deadline {
                        self.record.cells.put_late.add(1);
                    }
                }
                Err(why) => self.record.put_failed(why.to_string()),
            }
            if let Some(tape) = &mut self.tape {
                tape.left(parcel.port, seq, stamp, &parcel.bytes);
            }
        }
        let _ = free.push(parcel.bytes); // the ring holds every buffer of the port
    }
}
