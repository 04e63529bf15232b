//! The services of a node's life cycle, and the thread that carries changes out: making a node takes as long as loading its models,
//! and no transport's thread waits for that.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use troika_kit::Service;
use troika_msgs::lifecycle_msgs::{
    ChangeState, ChangeStateResponse, GetAvailableStates, GetAvailableStatesResponse,
    GetAvailableTransitions, GetAvailableTransitionsResponse, GetState, GetStateResponse,
    Transition as Wanted,
};
use troika_transport::{NodeHandle, Server, TransportError};

use super::{
    machine::{GRAPH, State, available},
    managed::{Shared, lock},
};
use crate::{
    service::{Reply, answering, answering_later},
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
    /// Serves them under the node's full name.
    ///
    /// # Errors
    /// What the transport says.
    pub(crate) fn declare(
        handle: &dyn NodeHandle,
        record: &Arc<Record>,
        node: &Shared,
        caretaker: &Caretaker,
    ) -> Result<LifecycleServer, TransportError> {
        let name = |service: &str| format!("{}/{service}", record.node);
        let (node, jobs) = (node.clone(), caretaker.jobs.clone());
        let change = answering_later::<ChangeState>(move |asked, reply| {
            let change = Job::Change { node: node.clone(), wanted: asked.transition, reply };
            // When the host ends, the reply is dropped, and so refused.
            let _ended = jobs.as_ref().map(|jobs| jobs.send(change));
        });
        let transitions = |response: fn(State) -> GetAvailableTransitionsResponse| {
            let record = record.clone();
            answering::<GetAvailableTransitions>(move |_| Ok(response(record.state())))
        };
        let state = {
            let record = record.clone();
            answering::<GetState>(move |_| Ok(GetStateResponse { current_state: record.state().message() }))
        };
        let states = answering::<GetAvailableStates>(|_| {
            let available_states = State::ALL.iter().map(|state| state.message()).collect();
            Ok(GetAvailableStatesResponse { available_states })
        });
        let from_here = transitions(|state| GetAvailableTransitionsResponse {
            available_transitions: available(state).map(super::Transition::description).collect(),
        });
        let graph = transitions(|_| GetAvailableTransitionsResponse {
            available_transitions: GRAPH.iter().map(super::Transition::description).collect(),
        });
        let servers = vec![
            handle.serve(&name("get_state"), GetState::TYPE, state)?,
            handle.serve(&name("get_available_states"), GetAvailableStates::TYPE, states)?,
            handle.serve(&name("get_available_transitions"), GetAvailableTransitions::TYPE, from_here)?,
            handle.serve(&name("get_transition_graph"), GetAvailableTransitions::TYPE, graph)?,
            handle.serve(&name("change_state"), ChangeState::TYPE, change)?,
        ];
        Ok(LifecycleServer { _servers: servers })
    }
}
