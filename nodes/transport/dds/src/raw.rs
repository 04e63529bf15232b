//! A topic whatever its type is, for tools that look: a reader for each type that somebody publishes there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use troika_kit::Qos;
use troika_transport::{Subscription, TransportError};

use crate::{
    endpoints::quality,
    ffi::Reader,
    inbox::{Bound, Event, Inbox},
    transport::{Session, lock},
    wire,
};

/// Called with each message: the type's name (`package/msg/Name`) and the bytes. The same rules as for
/// [`troika_transport::OnMessage`].
pub type OnRawMessage = Box<dyn FnMut(&str, &[u8]) + Send>;

/// Whoever publishes is heard, whatever it offers; a tool that is late loses messages, not memory.
const QOS: Qos = Qos { depth: 64, ..Qos::SENSOR };

/// The readers by DDS's name of the type.
#[derive(Default)]
struct Readers(BTreeMap<String, (Reader, Arc<Inbox>)>);

impl Drop for Readers {
    fn drop(&mut self) {
        for (reader, inbox) in std::mem::take(&mut self.0).into_values() {
            drop(reader);
            inbox.close();
        }
    }
}

struct Raw {
    session: Weak<Session>,
    topic: String,
    on_message: Arc<Mutex<OnRawMessage>>,
    readers: Mutex<Readers>,
}

impl Raw {
    /// Makes readers of types that came since.
    fn look(&self) {
        let Some(session) = self.session.upgrade() else { return };
        let types = session.types_on(&self.topic);
        let mut readers = lock(&self.readers);
        for dds_type in types {
            if readers.0.contains_key(&dds_type) {
                continue;
            }
            let (on_message, name) = (self.on_message.clone(), wire::ros_type(&dds_type));
            let handler = move |event: Event<'_>| {
                if let Event::Message(sample) = event {
                    (lock(&on_message))(&name, sample.bytes());
                }
            };
            let bound = Bound { depth: QOS.depth as usize, slack: false };
            let inbox = Inbox::new(session.queue(), bound, Box::new(handler));
            let made = session.participant.reader(&self.topic, &dds_type, &quality(QOS, &[]), inbox.clone());
            match made {
                Ok(reader) => drop(readers.0.insert(dds_type, (reader, inbox))),
                Err(error) => tracing::warn!(%error, topic = self.topic, dds_type, "a type is not looked at"),
            }
        }
    }
}

/// Fields are dropped in their order: no reader comes any more, then they go.
struct Watched {
    _watch: Box<dyn Subscription>,
    _raw: Arc<Raw>,
    _session: Arc<Session>,
}

impl Subscription for Watched {}

/// Subscribes; nodes do not show it as theirs.
pub(crate) fn subscribe(
    session: &Arc<Session>,
    topic: &str,
    on_message: OnRawMessage,
) -> Result<Box<dyn Subscription>, TransportError> {
    wire::check_topic(topic).map_err(|_| TransportError::Name(topic.to_owned()))?;
    let raw = Arc::new(Raw {
        session: Arc::downgrade(session),
        topic: wire::topic(topic),
        on_message: Arc::new(Mutex::new(on_message)),
        readers: Mutex::default(),
    });
    let looks = Arc::downgrade(&raw);
    let watch = session.watchers.add(Box::new(move || {
        if let Some(raw) = looks.upgrade() {
            raw.look();
        }
    }));
    raw.look();
    Ok(Box::new(Watched { _watch: watch, _raw: raw, _session: session.clone() }))
}
