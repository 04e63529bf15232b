//! What belongs here: what every node is made of, and nothing that has a clock, a thread, I/O or a transport.
//!
//! A node is a pure [`Step`] with a [`Contract`]: time arrives in a [`Tick`], messages arrive frozen in input ports and
//! leave through output ports ([`ports!`]). The host (`nodes/host`) owns everything impure.

pub mod contract;
pub mod fault;
pub mod late;
pub mod message;
pub mod port;
pub mod step;
pub mod time;
pub mod words;

pub use contract::{Class, Contract, ContractSpec, Wake};
pub use fault::Fault;
pub use late::Lateness;
pub use message::{DecodeError, EncodeError, Liveliness, Message, Qos, Service, TypeInfo};
pub use port::{
    Direction, EventSource, Events, Latest, LatestSource, Out, Port, PortSpec, PortVisitor, Ports, Sample,
};
pub use step::{Done, Step, Tick};
pub use time::Time;
pub use troika_safety as requirements;
pub use words::counted;

pub use core::time::Duration;
