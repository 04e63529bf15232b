//! What belongs here: `cargo xtask faults`. Faults by the thousand, each from a seed, are injected into the real steps and the real logic of
//! the programs, in virtual time; each class says what counts as noticed, within what time, by which requirement, and what would be unsafe.
//!
//! - [`class`]: what a class of faults is, and what came of one fault; [`classes`]: all of them.
//! - [`campaign`]: the rounds over all classes; [`report`]: their figures; [`prove`]: one reaction after another is switched off, and the campaign has to
//!   notice.
//! - The benches, each with the real steps that its faults meet: [`seals`], [`heartbeats`], [`driver`], [`door`], [`safety`], [`voice`], [`dialogue`],
//!   [`sensing`].
//!
//! Process faults (overrun, panic, hang, kill) on real processes are in `tests/reactions`; a full disk and a kill between two writes in
//! `nodes/dialogue/outbox` (tests `full`, `crash`).

pub mod campaign;
pub mod class;
pub mod classes;
pub mod damage;
pub mod dialogue;
pub mod door;
pub mod driver;
pub mod heartbeats;
pub mod prove;
pub mod report;
pub mod rig;
pub mod safety;
pub mod seals;
pub mod sensing;
pub mod voice;
