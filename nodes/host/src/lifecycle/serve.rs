//! The services of a node's life cycle, and the thread that carries changes out: making a node takes as long as loading its models,
//! and no transport's thread waits for that.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use troika_msgs::lifecycle_msgs::{
    ChangeState, ChangeStateRequest, ChangeStateResponse, GetAvailableStates, GetAvailableStatesResponse,
    GetAvailableTransitions, GetAvailableTransitionsResponse, GetState, GetStateResponse,
    Transition as Wanted,
};
use troika_transport::{Server, TransportError};

use super::{
    machine::{GRAPH, State, available},
    managed::{Shared, lock},
};
use crate::{
    service::{Reply, Serving},
    stats::Record,
    sync::StopToken,
};

enum Job {
    Change { node: Shared, wanted: Wanted, reply: Reply<ChangeState> },
    BeginAnew { node: Shared },
}

/// Carries changes out, one after another, from the host's start on. Dropping it waits for the one that is under way.
pub(crate) struct Caretaker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Caretaker {
    pub(crate) fn start(go: StopToken) -> io::Result<Caretaker> {
        let (jobs, asked) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name("troika-life".into()).spawn(move || {
            // Who asks before the nodes may run is answered then.
            go.wait();
            for job in asked {
                match job {
                    Job::Change { node, wanted, reply } => {
                        let success = lock(&node).change(&wanted);
                        reply.answer(Ok(ChangeStateResponse { success }));
                    }
                    Job::BeginAnew { node } => lock(&node).begin_anew(),
                }
            }
        })?;
        Ok(Caretaker { jobs: Some(jobs), thread: Some(thread) })
    }

    /// What to call when a node's time went back. It does not keep the node.
    pub(crate) fn on_jump(&self, node: &Shared) -> impl Fn() + Send + use<> {
        let (node, jobs) = (Arc::downgrade(node), self.jobs.clone());
        move || {
            if let (Some(node), Some(jobs)) = (node.upgrade(), &jobs) {
                // When the host ends, nothing begins any more.
                let _ended = jobs.send(Job::BeginAnew { node });
            }
        }
    }
}

impl Drop for Caretaker {
    /// The servers that hand it changes are dropped before.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It panics never: what a node's code does there is caught.
            let _ = thread.join();
        }
    }
}

/// Serves a node's life cycle until it is dropped.
pub(crate) struct LifecycleServer {
    _servers: Vec<Box<dyn Server>>,
}

impl LifecycleServer {
    /// Serves them.
    ///
    /// # Errors
    /// What the transport says.
    pub(crate) fn declare(
        serving: Serving<'_>,
        record: &Arc<Record>,
        node: &Shared,
        caretaker: &Caretaker,
    ) -> Result<LifecycleServer, TransportError> {
        let (node, jobs) = (node.clone(), caretaker.jobs.clone());
        let change = move |asked: ChangeStateRequest, reply| {
            let change = Job::Change { node: node.clone(), wanted: asked.transition, reply };
            // When the host ends, the reply is dropped, and so refused.
            let _ended = jobs.as_ref().map(|jobs| jobs.send(change));
        };
        let state = {
            let record = record.clone();
            move |_| Ok(GetStateResponse { current_state: record.state().message() })
        };
        let states = |_| {
            let available_states = State::ALL.iter().map(|state| state.message()).collect();
            Ok(GetAvailableStatesResponse { available_states })
        };
        let from_here = {
            let record = record.clone();
            move |_| {
                let available_transitions =
                    available(record.state()).map(super::Transition::description).collect();
                Ok(GetAvailableTransitionsResponse { available_transitions })
            }
        };
        let graph = |_| {
            let available_transitions = GRAPH.iter().map(super::Transition::description).collect();
            Ok(GetAvailableTransitionsResponse { available_transitions })
        };
        let servers = vec![
            serving.serve::<GetState>("get_state", state)?,
            serving.serve::<GetAvailableStates>("get_available_states", states)?,
            serving.serve::<GetAvailableTransitions>("get_available_transitions", from_here)?,
            serving.serve::<GetAvailableTransitions>("get_transition_graph", graph)?,
            serving.serve_later::<ChangeState>("change_state", change)?,
        ];
        Ok(LifecycleServer { _servers: servers })
    }
}
