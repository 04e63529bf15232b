//! What belongs here: what may wait until there is a link, or a cheaper one. A durable queue with priorities, expiry, and budgets of bytes and
//! cost a day, in one file ([`redb`]: pure Rust, one file, a commit is on the disk when it returns).
//!
//! - What [`Outbox::put`] has acknowledged survives `kill -9`, a power cut as far as the disk keeps its word, and a full disk.
//! - It is delivered at least once and carries an idempotency key; [`Seen`] at the other end makes that exactly once.
//! - Nothing is dropped in silence: what expires is told, what does not fit is refused.
//!
//! Time is an argument. The file is the only I/O.

mod item;
mod limits;
mod outbox;
mod seen;
mod store;
mod tables;

pub use item::{Charge, Item, Most, New, Outcome, Priority, Waiting};
pub use limits::{Limits, LimitsError};
pub use outbox::{Outbox, OutboxError, Put, Queued, Spent};
pub use seen::Seen;
pub use store::{Disk, FileDisk};
