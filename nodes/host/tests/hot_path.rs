//! SR-TIM-005, by an allocator that counts what a marked thread does: from a node's tenth step to its last, nothing on its
//! thread allocates or frees: neither the wait, nor freezing, stepping, falling back, encoding and handing over, nor the
//! counts.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
};

use common::*;
use troika_host::{
    Host, HostOptions, NodeOptions,
    sync::Counter,
    tape::{Tape, TapeItem, WhenFull},
};
use troika_kit::{Class, Contract, Done, Events, Fault, Latest, Out, Qos, Step, Tick, Wake, ports};
use troika_transport_mem::MemTransport;

thread_local! {
    static HOT: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn note() {
    // A thread that is ending has no locals left; it is not hot any more.
    if HOT.try_with(Cell::get).unwrap_or(false) {
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note();
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Steps until the counting stops.
const STEPS: u64 = 200;

ports! {
    /// In: both kinds of input, with heap memory in them.
    pub struct Both {
        /// The newest.
        latest: Latest<Blob> = "/latest",
        /// Each.
        each: Events<Blob, 4> = "/each",
    }
}

ports! {
    /// Out.
    pub struct Sizes {
        /// Sizes of what came.
        size: Out<Number, 5> = "/size",
    }
}

/// Measures blobs, and marks its thread between its tenth step and its last.
struct Measuring {
    steps: u64,
    calls: Arc<Counter>,
    done: Arc<Counter>,
    /// Allocates once while hot: what the count must show.
    sins: bool,
}

impl Step for Measuring {
    type Inputs = Both;
    type Outputs = Sizes;
    const CONTRACT: Contract = contract(Wake::Input("latest"), Class::Hard);

    fn step(&mut self, _: &Tick, inputs: &Both, outputs: &mut Sizes) -> Result<Done, Fault> {
        self.steps += 1;
        match self.steps {
            10 => HOT.set(true),
            20 if self.sins => drop(std::hint::black_box(vec![0_u8; 100])),
            STEPS => {
                HOT.set(false);
                self.calls.set(CALLS.get());
                self.done.set(1);
            }
            _ => {}
        }
        let latest = inputs.latest.fresh().ok_or(Fault::StaleInput { port: "latest" })?;
        outputs.size.send(Number(latest.value.0.len() as u64));
        inputs.each.iter().for_each(|blob| outputs.size.send(Number(blob.value.0.len() as u64)));
        if self.steps.is_multiple_of(7) { Err(Fault::BadInput("every seventh")) } else { Ok(Done::Worked) }
    }

    fn fall_back(&mut self, _: &Tick, _: &Fault, outputs: &mut Sizes) {
        outputs.size.send(FALL_BACK);
    }
}

/// Runs the node for [`STEPS`] steps, recorded or not; gives the allocator calls on its thread, and the answers that were heard.
fn run(sins: bool, recorded: bool) -> (u64, u64) {
    let mem = Arc::new(MemTransport::new());
    let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, mem);
    let (calls, done) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
    let node = Measuring { steps: 0, calls: calls.clone(), done: done.clone(), sins };
    let (tape, mut reader) = Tape::new(1 << 20, WhenFull::Lose);
    let mut on_tape = 0;
    let options = NodeOptions { tape: recorded.then_some(tape), ..NodeOptions::new("measuring") };
    host.spawn(node, options).unwrap();
    let edge = host.handle().edge("/", "feeder").unwrap();
    let heard = Arc::new(Counter::default());
    let hearing = heard.clone();
    let _sizes = edge.subscribe::<Number>("/size", Qos::DEFAULT, move |_| hearing.add(1)).unwrap();
    let mut latest = edge.publisher::<Blob>("/latest", Qos::DEFAULT).unwrap();
    let mut each = edge.publisher::<Blob>("/each", Qos::DEFAULT).unwrap();
    host.start();
    let pause = troika_host::StopToken::new();
    while done.get() == 0 {
        each.send(&Blob(vec![1; 300])).unwrap();
        latest.send(&Blob(vec![2; 2000])).unwrap();
        pause.wait_for(troika_kit::Duration::from_millis(1));
        reader.take(|item| on_tape += u64::from(matches!(item, TapeItem::Step { .. })));
    }
    let report = host.stop();
    assert!(report.died.is_empty(), "{:?}", report.died);
    assert!(report.stats[0].faults > 0, "the fall-back was part of it");
    assert_eq!(report.stats[0].buffer_growths, 0);
    assert_eq!(on_tape > STEPS, recorded, "{on_tape} entries of its steps");
    (calls.get(), heard.get())
}

#[test]
fn a_nodes_thread_neither_allocates_nor_frees() {
    troika_safety::verifies![SR_TIM_005, SR_OBS_001];
    for recorded in [false, true] {
        let (calls, heard) = run(false, recorded);
        assert_eq!(calls, 0, "allocator calls on the node's thread");
        assert!(heard > 0, "its outputs arrived");
    }
}

#[test]
fn the_count_would_show_a_single_allocation() {
    assert_eq!(run(true, false).0, 2, "one allocation and its free");
}
