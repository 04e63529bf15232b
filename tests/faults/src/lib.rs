//! What belongs here: `cargo xtask faults`. Faults by the thousand, each from a seed, are injected into the real steps and the real logic of
//! the programs, in virtual time; each class says what counts as noticed, within what time, by which requirement, and what would be unsafe.
//!
//! - [`class`]: what a class of faults is, and what came of one fault; [`classes`]: all of them.
//! - [`campaign`]: the rounds over all classes; [`report`]: their figures; [`prove`]: one reaction after another is switched off, and the campaign has to
//!   notice.
//! - The benches, each with the real steps that its faults meet: [`seals`], [`heartbeats`], [`driver`], [`door`], [`safety`], [`voice`], [`dialogue`],
//!   [`sensing`], [`storage`].
//!
//! - [`live`]: what takes a process, a machine or a network, on real ones in real time.
//!
//! How soon faults of a step (overrun, panic, hang) are answered is measured in `tests/reactions`; a kill between two writes is in
//! `nodes/dialogue/outbox` (test `kill`).

pub mod campaign;
pub mod class;
pub mod classes;
pub mod damage;
pub mod dialogue;
pub mod door;
pub mod driver;
pub mod heartbeats;
pub mod live;
pub mod prove;
pub mod report;
pub mod rig;
pub mod safety;
pub mod seals;
pub mod sensing;
pub mod storage;
pub mod voice;
