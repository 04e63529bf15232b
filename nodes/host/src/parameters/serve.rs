//! The services that every ROS 2 node has for its parameters, and what it tells of them on `/parameter_events`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use troika_kit::{Message, Qos, Service};
use troika_msgs::rcl_interfaces::{
    DescribeParameters, DescribeParametersResponse, GetParameterTypes, GetParameterTypesResponse,
    GetParameters, GetParametersResponse, ListParameters, ListParametersResponse, Parameter, ParameterEvent,
    SetParameters, SetParametersAtomically, SetParametersAtomicallyResponse, SetParametersResponse,
};
use troika_transport::{Publisher, Server, TransportError};

use super::store::{Change, Declared, Parameters};
use crate::{clock::Clock, service::Serving};

/// Where changes are told.
const EVENTS: &str = "/parameter_events";
/// As rclcpp has it (`rmw_qos_profile_parameter_events`): reliable, volatile, the last 1000.
const EVENTS_QOS: Qos = Qos { depth: 1000, ..Qos::DEFAULT };

/// A node's own say in a change, which it carries out when it agrees.
pub(crate) type Accept = Box<dyn FnMut(&Parameter) -> Result<(), String> + Send>;

/// Serves a node's parameters until it is dropped.
pub(crate) struct ParameterServer {
    _servers: Vec<Box<dyn Server>>,
}

struct State {
    node: String,
    parameters: Parameters,
    accept: Accept,
    events: Box<dyn Publisher>,
    clock: Clock,
    buffer: Vec<u8>,
}

impl ParameterServer {
    /// Serves them, and tells of those that there are.
    ///
    /// # Errors
    /// What the transport says.
    pub(crate) fn declare(
        serving: Serving<'_>,
        parameters: Vec<Declared>,
        accept: Accept,
        clock: Clock,
    ) -> Result<ParameterServer, TransportError> {
        let events = serving.handle.publisher(EVENTS, ParameterEvent::TYPE, EVENTS_QOS)?;
        let state = State {
            node: serving.options.full_name(),
            parameters: Parameters::new(parameters),
            accept,
            events,
            clock,
            buffer: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let servers = vec![
            serve::<ListParameters>(serving, "list_parameters", &state, |state, asked| {
                ListParametersResponse { result: state.parameters.list(&asked.prefixes, asked.depth) }
            })?,
            serve::<GetParameters>(serving, "get_parameters", &state, |state, asked| {
                GetParametersResponse { values: state.parameters.get(&asked.names) }
            })?,
            serve::<GetParameterTypes>(serving, "get_parameter_types", &state, |state, asked| {
                GetParameterTypesResponse { types: state.parameters.types(&asked.names) }
            })?,
            serve::<DescribeParameters>(serving, "describe_parameters", &state, |state, asked| {
                DescribeParametersResponse { descriptors: state.parameters.describe(&asked.names) }
            })?,
            serve::<SetParameters>(serving, "set_parameters", &state, |state, asked| {
                let (results, changed) = state.parameters.set(&asked.parameters, &mut state.accept);
                state.tell(Vec::new(), changed);
                SetParametersResponse { results }
            })?,
            serve::<SetParametersAtomically>(
                serving,
                "set_parameters_atomically",
                &state,
                |state, asked| {
                    let (result, changed) =
                        state.parameters.set_atomically(&asked.parameters, &mut state.accept);
                    state.tell(Vec::new(), changed);
                    SetParametersAtomicallyResponse { result }
                },
            )?,
        ];
        let mut state = lock(&state);
        let new = state.parameters.all().collect();
        state.tell(new, Change::new());
        Ok(ParameterServer { _servers: servers })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve<S: Service>(
    serving: Serving<'_>,
    name: &str,
    state: &Arc<Mutex<State>>,
    answer: impl Fn(&mut State, S::Request) -> S::Response + Send + 'static,
) -> Result<Box<dyn Server>, TransportError> {
    let state = state.clone();
    serving.serve::<S>(name, move |request| Ok(answer(&mut lock(&state), request)))
}

impl State {
    fn tell(&mut self, new: Vec<Parameter>, changed: Change) {
        if new.is_empty() && changed.is_empty() {
            return;
        }
        let now = self.clock.now();
        let event = ParameterEvent {
            stamp: now.into(),
            node: self.node.clone(),
            new_parameters: new,
            changed_parameters: changed,
            deleted_parameters: Vec::new(),
        };
        // Who listens has asked for news, not for the state: a put that fails is not made up for.
        if event.encode(&mut self.buffer).is_ok() {
            let _closing = self.events.put(&self.buffer, now);
        }
    }
}
