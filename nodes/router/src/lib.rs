//! What belongs here: who answers a request (the vehicle itself, the model on it, the cloud's, a fixed sentence), why, and what may leave
//! the vehicle for it.
//!
//! [`privacy`] has the rule of what may leave, in code; [`redact`] replaces what is personal in it and puts it back; [`Policy`] is the
//! rest, as a file; [`Router`] decides and [`RouterNode`] is that as a step. [`simulate`] shows what a policy would do over a recorded
//! link. All of it is pure.

pub mod budget;
pub mod decide;
pub mod node;
pub mod policy;
mod predict;
pub mod privacy;
pub mod reason;
pub mod redact;
pub mod request;
pub mod simulate;
pub mod words;

pub use budget::Cost;
pub use decide::{Decision, Router, Weighed, World};
pub use node::{Config, ConfigError, Inputs, Outputs, RouterNode};
pub use policy::{Driver, Policy, PolicyError, Tier};
pub use reason::{Counts, Reason};
pub use redact::{Outbound, Redactor, Restorer, Vault};
pub use request::{Privacy, Request, Task};
