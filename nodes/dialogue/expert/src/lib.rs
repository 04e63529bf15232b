//! What belongs here: a scripted stand-in for a language model in the cloud, so that the demo and the tests have a service to talk to
//! where there is none; and the tasks that whoever answers is judged by. It is no language model, and says so wherever it names itself.
//!
//! [`agent`] decides what is answered, [`chat`] is the interface, [`topics`] what it knows; [`server`] is the edge, with the faults of
//! [`fault`]. [`tasks`] and [`judge`] are apart from it: they know nothing of who answers.

pub mod agent;
pub mod chat;
pub mod fault;
pub mod judge;
mod language;
pub mod server;
pub mod tasks;
pub mod topics;

pub use agent::Expert;
