//! Typed services: those that every node of the host has, and servers and clients for the ends that are threads of their own
//! ([`crate::Edge`]).

use std::{
    marker::PhantomData,
    sync::{Arc, mpsc},
    time::Duration,
};

use troika_kit::{Message, Service};
use troika_transport::{CallError, Client, Meta, NodeHandle, OnRequest, Respond, Server, TransportError};

use crate::{clock::Clock, options::NodeOptions, sync::Counter};

/// The services of every node of the host, by their names below the node's own.
pub const OF_EVERY_NODE: [&str; 11] = [
    "list_parameters",
    "get_parameters",
    "get_parameter_types",
    "describe_parameters",
    "set_parameters",
    "set_parameters_atomically",
    "get_state",
    "get_available_states",
    "get_available_transitions",
    "get_transition_graph",
    "change_state",
];

/// What a node serves its own services with.
#[derive(Clone, Copy)]
pub(crate) struct Serving<'a> {
    pub(crate) handle: &'a dyn NodeHandle,
    /// For its names.
    pub(crate) options: &'a NodeOptions,
    /// Where requests that are none are counted.
    pub(crate) unreadable: &'a Arc<Counter>,
}

impl Serving<'_> {
    /// Serves one of [`OF_EVERY_NODE`], under the name that it has been given.
    pub(crate) fn serve<S: Service>(
        &self,
        name: &str,
        mut answer: impl FnMut(S::Request) -> Result<S::Response, String> + Send + 'static,
    ) -> Result<Box<dyn Server>, TransportError> {
        self.serve_later::<S>(name, move |request, reply| reply.answer(answer(request)))
    }

    /// The same where an answer may take its time.
    pub(crate) fn serve_later<S: Service>(
        &self,
        name: &str,
        answer: impl FnMut(S::Request, Reply<S>) + Send + 'static,
    ) -> Result<Box<dyn Server>, TransportError> {
        let on_request = answering_later::<S>(self.unreadable.clone(), answer);
        self.handle.serve(&self.options.service(name), S::TYPE, on_request)
    }
}

/// A service that is served. Dropping it ends it.
pub struct TypedServer {
    _server: Box<dyn Server>,
    unreadable: Arc<Counter>,
}

/// Asks one service.
pub struct TypedClient<S> {
    client: Box<dyn Client>,
    clock: Clock,
    buffer: Vec<u8>,
    service: PhantomData<fn(&S)>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The request has no CDR form.
    #[error(transparent)]
    Encode(#[from] troika_kit::EncodeError),
    /// The transport refused.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Nobody answers, or the server could not.
    #[error(transparent)]
    Call(#[from] CallError),
    /// No answer in the time that was given.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// What was answered is no value of the type.
    #[error("the answer: {0}")]
    Decode(#[from] troika_kit::DecodeError),
}

/// What a server does with bytes: a request that is none is counted and refused, and the node's code never sees it.
fn answering_later<S: Service>(
    unreadable: Arc<Counter>,
    mut answer: impl FnMut(S::Request, Reply<S>) + Send + 'static,
) -> OnRequest {
    Box::new(move |cdr: &[u8], _: &Meta, respond: Respond| match S::Request::decode(cdr) {
        Ok(request) => answer(request, Reply { respond, service: PhantomData }),
        Err(error) => {
            unreadable.add(1);
            respond.answer(Err(format!("no request of {}: {error}", S::TYPE.name)));
        }
    })
}

/// Takes the answer to one request.
pub(crate) struct Reply<S> {
    respond: Respond,
    service: PhantomData<fn(&S)>,
}

impl<S: Service> Reply<S> {
    /// Gives it, or why there is none.
    pub(crate) fn answer(self, answer: Result<S::Response, String>) {
        self.respond.answer(answer.and_then(|answer| {
            let mut cdr = Vec::new();
            answer.encode(&mut cdr).map_err(|error| error.to_string())?;
            Ok(cdr)
        }));
    }
}

impl TypedServer {
    pub(crate) fn serve<S: Service>(
        handle: &dyn NodeHandle,
        service: &str,
        mut answer: impl FnMut(S::Request) -> Result<S::Response, String> + Send + 'static,
    ) -> Result<TypedServer, TransportError> {
        let unreadable = Arc::<Counter>::default();
        let on_request =
            answering_later::<S>(unreadable.clone(), move |request, reply| reply.answer(answer(request)));
        Ok(TypedServer { _server: handle.serve(service, S::TYPE, on_request)?, unreadable })
    }

    /// Requests that were none.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.get()
    }
}

impl<S: Service> TypedClient<S> {
    pub(crate) fn new(client: Box<dyn Client>, clock: Clock) -> TypedClient<S> {
        TypedClient { client, clock, buffer: Vec::new(), service: PhantomData }
    }

    /// Whether a server is there now.
    ///
    /// # Errors
    /// What the transport says.
    pub fn is_served(&self) -> Result<bool, TransportError> {
        self.client.is_served()
    }

    /// Asks, and waits for the answer, at most `wait`.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn ask(&mut self, request: &S::Request, wait: Duration) -> Result<S::Response, AskError> {
        request.encode(&mut self.buffer)?;
        let (sender, answers) = mpsc::channel();
        let on_reply = move |answer: Result<&[u8], CallError>| {
            let _nobody_waits_any_more = sender.send(answer.map(S::Response::decode));
        };
        self.client.call(&self.buffer, self.clock.now(), Box::new(on_reply))?;
        let answer = answers.recv_timeout(wait).map_err(|_| AskError::Late(wait))?;
        Ok(answer??)
    }
}
