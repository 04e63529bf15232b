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

struct Change {
    node: Shared,
    wanted: Wanted,
    reply: Reply<ChangeState>,
}

/// Carries changes out, one after another, from the host's start on. Dropping it waits for the one that is under way.
pub(crate) struct Caretaker {
    changes: Option<mpsc::Sender<Change>>,
    thread: Option<JoinHandle<()>>,
}

impl Caretaker {
    pub(crate) fn start(go: StopToken) -> io::Result<Caretaker> {
        let (changes, asked) = mpsc::channel::<Change>();
        let thread = thread::Builder::new().name("troika-life".into()).spawn(move || {
            // Who asks before the nodes may run is answered then.
            go.wait();
            for change in asked {
                let success = lock(&change.node).change(&change.wanted);
                change.reply.answer(Ok(ChangeStateResponse { success }));
            }
        })?;
        Ok(Caretaker { changes: Some(changes), thread: Some(thread) })
    }
}

impl Drop for Caretaker {
    /// The servers that hand it changes are dropped before.
    fn drop(&mut self) {
        drop(self.changes.take());
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
        let (node, changes) = (node.clone(), caretaker.changes.clone());
        let change = answering_later::<ChangeState>(move |asked, reply| {
            let change = Change { node: node.clone(), wanted: asked.transition, reply };
            // When the host ends, the reply is dropped, and so refused.
            let _ended = changes.as_ref().map(|changes| changes.send(change));
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
