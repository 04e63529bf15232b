//! What belongs here: a stand-in for a language model in the cloud, so that the demo and the tests have a service to talk to where there
//! is none; and the tasks that whoever answers is judged by. It is a script, or a small model beside it, and says which wherever it
//! names itself.
//!
//! [`agent`] decides what the script answers, [`chat`] is the interface, [`topics`] what it knows; [`embedded`] asks the small model;
//! [`vehicle`] takes what an uplink sends; [`server`] is the edge, with the faults of [`fault`]. [`tasks`] and [`judge`] are apart from it: they know nothing of who answers.

pub mod agent;
pub mod chat;
pub mod embedded;
pub mod fault;
pub mod judge;
mod language;
pub mod server;
pub mod tasks;
pub mod topics;
pub mod vehicle;

pub use agent::Expert;
