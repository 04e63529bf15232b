//! Typed services and clients for the ends that are threads of their own ([`crate::Edge`]).

use std::{marker::PhantomData, sync::mpsc, time::Duration};

use troika_kit::{Message, Service};
use troika_transport::{CallError, Client, Meta, OnRequest, Respond, Server, TransportError};

use crate::clock::Clock;

/// A service that is served. Dropping it ends it.
pub struct TypedServer {
    _server: Box<dyn Server>,
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

/// What a server does with bytes: a request that is none is refused, and the node's code never sees it.
pub(crate) fn answering<S: Service>(
    mut answer: impl FnMut(S::Request) -> Result<S::Response, String> + Send + 'static,
) -> OnRequest {
    answering_later::<S>(move |request, reply| reply.answer(answer(request)))
}

/// The same for a server that may take its time.
pub(crate) fn answering_later<S: Service>(
    mut answer: impl FnMut(S::Request, Reply<S>) + Send + 'static,
) -> OnRequest {
    Box::new(move |cdr: &[u8], _: &Meta, respond: Respond| match S::Request::decode(cdr) {
        Ok(request) => answer(request, Reply { respond, service: PhantomData }),
        Err(error) => respond.answer(Err(format!("no request of {}: {error}", S::TYPE.name))),
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
    pub(crate) fn new(server: Box<dyn Server>) -> TypedServer {
        TypedServer { _server: server }
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
