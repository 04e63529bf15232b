//! The step: a node's whole behaviour, as one pure function of time, frozen inputs and its own state.

use crate::{Contract, Fault, Ports, Time};

/// When a step runs. Time arrives here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// 0, 1, 2, … for this node since it started.
    pub seq: u64,
    /// The input's arrival at the host, or the timer's due time; nothing moves it.
    pub release: Time,
    /// When the host called the step.
    pub now: Time,
    /// How much of its work the step is to do: an index into [`Step::LEVELS`], 0 is all of it.
    pub level: usize,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// There was something to do and it was done.
    Worked,
    /// Nothing to do; not counted in the latency statistics.
    Idle,
    /// There was something to do and the level said to pass it over: counted as skipped, not in the latency statistics.
    Skipped,
}

/// A node: pure, without clock, thread, I/O or transport. The same inputs and ticks give the same outputs, bit for bit.
pub trait Step: Send + 'static {
    /// The input ports, made with [`crate::ports!`].
    type Inputs: Ports;
    /// The output ports, made with [`crate::ports!`].
    type Outputs: Ports;

    /// The node kind's contract.
    const CONTRACT: Contract;

    /// The ways in which the step can do its work, dearest first; the host chooses one by the measured slack
    /// ([`Tick::level`]). Most nodes have one. A node at its last level still does its job.
    const LEVELS: &'static [&'static str] = &["full"];

    /// One step. The inputs are frozen; what is sent to the outputs leaves when the step returns.
    ///
    /// # Errors
    /// A [`Fault`]; the host then clears the outputs and calls [`Step::fall_back`] in the same tick.
    fn step(
        &mut self,
        tick: &Tick,
        inputs: &Self::Inputs,
        outputs: &mut Self::Outputs,
    ) -> Result<Done, Fault>;

    /// What to publish instead when the step faulted, or would have started too late. Cheap and infallible.
    fn fall_back(&mut self, tick: &Tick, why: &Fault, outputs: &mut Self::Outputs);

    /// Called on a stand-in alone, which published fall-backs for a node of another process: that node is back, and speaks for
    /// itself. What was raised in its place and would stand for good is ended here. A state needs nothing: the node's own
    /// next message replaces it.
    fn give_way(&mut self, _tick: &Tick, _outputs: &mut Self::Outputs) {}
}
