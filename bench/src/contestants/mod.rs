//! Who takes part, and how each sends and receives: every contestant is given bytes in the sender's memory and hands over bytes that
//! the receiver can read.

mod dds;
mod iceoryx;
mod mem;
mod slot;
mod socket;
mod zenoh;

use std::{any::Any, path::PathBuf};

use clap::ValueEnum;

use crate::child::Shared;

/// A contestant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Contestant {
    /// The host's latest-value slot and wake-up, from thread to thread.
    Slot,
    /// Our `mem` transport; its subscribers are called within the put.
    Mem,
    /// Our zenoh transport over TCP on the loopback: what is shipped.
    ZenohTcp,
    /// Our zenoh transport over a Unix socket.
    ZenohUnix,
    /// The same with zenoh's shared memory.
    ZenohShm,
    /// iceoryx2, publish-subscribe with an event to wake the receiver.
    Iceoryx2,
    /// CycloneDDS, reliable, on the loopback.
    Cyclonedds,
    /// A Unix stream socket.
    Socket,
}

/// Where the two processes of a contestant meet.
#[derive(Debug, Clone)]
pub struct Place {
    /// Sockets lie here; its name is of this run alone.
    pub folder: PathBuf,
    /// A free TCP port.
    pub port: u16,
}

impl Place {
    /// A name of this run alone.
    pub fn name(&self) -> String {
        self.folder
            .file_name()
            .map_or_else(|| "troika-bench".into(), |name| name.to_string_lossy().into_owned())
    }
}

/// The sending end.
pub trait Send {
    /// Sends a message.
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()>;
}

/// The sending end.
pub type Sender = Box<dyn Send>;

/// The receiving end: lasts until it is dropped.
pub type Receiver = Box<dyn Any>;

/// Makes both ends in this process.
pub type Within = fn(Shared) -> anyhow::Result<(Sender, Receiver)>;

impl Contestant {
    /// In the order of the table.
    pub const ALL: [Contestant; 8] = [
        Contestant::Slot,
        Contestant::Mem,
        Contestant::ZenohTcp,
        Contestant::ZenohUnix,
        Contestant::ZenohShm,
        Contestant::Iceoryx2,
        Contestant::Cyclonedds,
        Contestant::Socket,
    ];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Contestant::Slot => "slot",
            Contestant::Mem => "mem",
            Contestant::ZenohTcp => "zenoh-tcp",
            Contestant::ZenohUnix => "zenoh-unix",
            Contestant::ZenohShm => "zenoh-shm",
            Contestant::Iceoryx2 => "iceoryx2",
            Contestant::Cyclonedds => "cyclonedds",
            Contestant::Socket => "socket",
        }
    }

    /// As in the table.
    pub fn title(self) -> &'static str {
        match self {
            Contestant::Slot => "our slot (threads)",
            Contestant::Mem => "our mem (a call)",
            Contestant::ZenohTcp => "our zenoh, tcp",
            Contestant::ZenohUnix => "our zenoh, unix socket",
            Contestant::ZenohShm => "our zenoh, unix + shm",
            Contestant::Iceoryx2 => "iceoryx2",
            Contestant::Cyclonedds => "CycloneDDS",
            Contestant::Socket => "unix socket",
        }
    }

    /// For those that stay in one process.
    pub fn within(self) -> Option<Within> {
        match self {
            Contestant::Slot => Some(slot::both),
            Contestant::Mem => Some(mem::both),
            _ => None,
        }
    }

    /// The receiving end, in a process of its own.
    pub fn receive(self, place: &Place, notes: Shared) -> anyhow::Result<Receiver> {
        match self {
            Contestant::ZenohTcp => zenoh::receive(zenoh::Over::Tcp, place, notes),
            Contestant::ZenohUnix => zenoh::receive(zenoh::Over::Unix, place, notes),
            Contestant::ZenohShm => zenoh::receive(zenoh::Over::UnixShm, place, notes),
            Contestant::Iceoryx2 => iceoryx::receive(place, notes),
            Contestant::Cyclonedds => dds::receive(place, notes),
            Contestant::Socket => socket::receive(place, notes),
            Contestant::Slot | Contestant::Mem => anyhow::bail!("{} is one process", self.name()),
        }
    }

    /// The sending end; the receiving one is there.
    pub fn send(self, place: &Place) -> anyhow::Result<Sender> {
        match self {
            Contestant::ZenohTcp => zenoh::send(zenoh::Over::Tcp, place),
            Contestant::ZenohUnix => zenoh::send(zenoh::Over::Unix, place),
            Contestant::ZenohShm => zenoh::send(zenoh::Over::UnixShm, place),
            Contestant::Iceoryx2 => iceoryx::send(place),
            Contestant::Cyclonedds => dds::send(place),
            Contestant::Socket => socket::send(place),
            Contestant::Slot | Contestant::Mem => anyhow::bail!("{} is one process", self.name()),
        }
    }
}
