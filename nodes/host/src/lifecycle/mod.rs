//! A node's life cycle as ROS 2 has it: the states and transitions ([`machine`], pure), what a transition does to a node
//! ([`managed`]), and the services and events by which others see and move it ([`serve`]).

mod machine;
mod managed;
mod serve;

pub use machine::{GRAPH, Outcome, State, Transition, asked, available, ended};
pub(crate) use managed::{Managed, Shared as SharedManaged, lock};
pub(crate) use serve::{Caretaker, LifecycleServer};
