//! What belongs here: recordings. What nodes saw and did ([`troika_host::tape`]) is put in order ([`join`]) and written as an MCAP file
//! that any ROS 2 tool reads ([`bag`]), or kept for the last minute and written when something happens ([`black_box`]). From such a
//! file the steps are done again and what they send is compared, byte by byte ([`replay`], [`compare`]).
//!
//! Which threads write, which nodes there are and what a person is told is decided by who uses this (`nodes/troika`).

pub mod bag;
pub mod black_box;
pub mod compare;
pub mod join;
pub mod machine;
pub mod privacy;
pub mod replay;
pub mod spool;
pub mod step;

pub use bag::{Bag, BagError, BagReader, Entry, Message, Record, Store, Topic};
