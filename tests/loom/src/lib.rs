//! The very files of `nodes/host/src/sync`, over loom's atomics in place of the machine's, with the two libraries under them.
//! See README.md.

// The files say `rtrb::` and `triple_buffer::`: here that is this crate, with the libraries' sources over loom.
extern crate self as rtrb;
extern crate self as triple_buffer;

pub use loomed::{
    rtrb::{Consumer, Producer, PushError, RingBuffer},
    triple_buffer::{Input, Output, TripleBuffer},
};

#[allow(warnings, clippy::all, reason = "not our code")]
mod loomed {
    pub mod rtrb {
        include!(concat!(env!("OUT_DIR"), "/rtrb/lib.rs"));
    }
    pub mod triple_buffer {
        include!(concat!(env!("OUT_DIR"), "/triple_buffer/lib.rs"));
    }
}

pub mod sync;
pub mod tracked;
