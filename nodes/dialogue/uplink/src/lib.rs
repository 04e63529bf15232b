//! What belongs here: the vehicle's own senders, a process of their own. What may wait comes in on `/cloud/outbox`, is on the disk before its
//! receipt is given, and goes to the gateway when the link, the budgets and the gateway allow; and a short report of the vehicle goes to the
//! fleet's page.
//!
//! [`link`] says what may go now, [`pace`] how much and how soon after a failure, [`answers`] what the gateway's word means, [`report`] what is
//! told of the vehicle: all pure. [`sender`] puts them and the outbox's file together, with time as an argument; [`process`] has the threads,
//! the socket and the transport.

pub mod answers;
pub mod config;
pub mod identity;
pub mod item;
pub mod link;
pub mod pace;
mod place;
pub mod ports;
pub mod process;
pub mod report;
pub mod sender;

pub use config::UplinkConfig;
pub use sender::{Exchange, Out, Sender};
