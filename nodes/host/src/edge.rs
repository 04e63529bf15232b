//! A node without a step: typed publishers, subscriptions and services for the ends that are threads of their own (views, recorders,
//! devices). Never for a real-time thread.

use std::{marker::PhantomData, sync::Arc};

use troika_kit::{Message, Qos, Sample, Service, Time};
use troika_transport::{NodeHandle, Publisher, Subscription, Transport, TransportError};

use crate::{
    bind::decode,
    clock::Clock,
    service::{TypedClient, TypedServer},
    sync::Counter,
};

/// A presence on the transport, with the host's time line. Dropping it takes it off the graph.
pub struct Edge {
    handle: Box<dyn NodeHandle>,
    clock: Clock,
}

/// Publishes one type on one topic.
pub struct TypedPublisher<T> {
    publisher: Box<dyn Publisher>,
    clock: Clock,
    buffer: Vec<u8>,
    ty: PhantomData<fn(&T)>,
}

/// A living subscription. Dropping it ends it.
pub struct TypedSubscription {
    _subscription: Box<dyn Subscription>,
    undecodable: Arc<Counter>,
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The value has no CDR form.
    #[error(transparent)]
    Encode(#[from] troika_kit::EncodeError),
    /// The transport refused.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl Edge {
    /// Makes the presence known.
    ///
    /// # Errors
    /// What the transport says.
    pub fn new(
        transport: &dyn Transport,
        clock: Clock,
        namespace: &str,
        name: &str,
    ) -> Result<Edge, TransportError> {
        Ok(Edge { handle: transport.node(namespace, name)?, clock })
    }

    /// The time line.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A publisher on an absolute topic.
    ///
    /// # Errors
    /// What the transport says.
    pub fn publisher<T: Message>(&self, topic: &str, qos: Qos) -> Result<TypedPublisher<T>, TransportError> {
        let publisher = self.handle.publisher(topic, T::TYPE, qos)?;
        Ok(TypedPublisher { publisher, clock: self.clock.clone(), buffer: Vec::new(), ty: PhantomData })
    }

    /// A subscription on an absolute topic; `on_message` runs on the transport's thread.
    ///
    /// # Errors
    /// What the transport says.
    pub fn subscribe<T: Message>(
        &self,
        topic: &str,
        qos: Qos,
        mut on_message: impl FnMut(Sample<T>) + Send + 'static,
    ) -> Result<TypedSubscription, TransportError> {
        let clock = self.clock.clone();
        let undecodable = Arc::new(Counter::default());
        let counted = undecodable.clone();
        let each = move |cdr: &[u8], _: &troika_transport::Meta| {
            let received = clock.now();
            match decode(cdr) {
                Some(value) => on_message(Sample { value, received }),
                None => counted.add(1),
            }
        };
        let subscription = self.handle.subscribe(topic, T::TYPE, qos, Box::new(each))?;
        Ok(TypedSubscription { _subscription: subscription, undecodable })
    }

    /// Serves a service of an absolute name; `answer` runs on the transport's thread, one request at a time.
    ///
    /// # Errors
    /// What the transport says.
    pub fn serve<S: Service>(
        &self,
        service: &str,
        answer: impl FnMut(S::Request) -> Result<S::Response, String> + Send + 'static,
    ) -> Result<TypedServer, TransportError> {
        TypedServer::serve::<S>(&*self.handle, service, answer)
    }

    /// A client of a service of an absolute name.
    ///
    /// # Errors
    /// What the transport says.
    pub fn client<S: Service>(&self, service: &str) -> Result<TypedClient<S>, TransportError> {
        Ok(TypedClient::new(self.handle.client(service, S::TYPE)?, self.clock.clone()))
    }
}

impl<T: Message> TypedPublisher<T> {
    /// Publishes one message, stamped now.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn send(&mut self, message: &T) -> Result<(), PublishError> {
        message.encode(&mut self.buffer)?;
        Ok(self.publisher.put(&self.buffer, self.clock.now())?)
    }
}

impl TypedSubscription {
    /// Messages that were no value of the type.
    pub fn undecodable(&self) -> u64 {
        self.undecodable.get()
    }
}
