//! A look into a topic whatever its type is, for tools: a subscription for each type that the graph shows, of the node that looks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use troika_kit::Qos;
use troika_transport::{Meta, Subscription};

use crate::{
    endpoints::{Ros2Subscription, Ros2Watch, profile},
    rcl::{self, MessageType, RclError},
    session::{Entry, Session, Subscribed, Watching, lock},
};

/// Called with each message: its type's name (`package/msg/Name`) and the bytes.
pub type OnRawMessage = Box<dyn FnMut(&str, &[u8]) + Send>;

/// Subscribes to all types there are, and to those that come, until what is returned is dropped.
pub(crate) fn subscribe(
    session: &Arc<Session>,
    topic: &str,
    on_message: OnRawMessage,
) -> Box<dyn Subscription> {
    let mut look = Look {
        session: Arc::downgrade(session),
        topic: topic.to_owned(),
        on_message: Arc::new(Mutex::new(on_message)),
        heard: BTreeMap::new(),
    };
    look.again();
    let watching = Arc::new(Watching { on_change: Mutex::new(Some(Box::new(move || look.again()))) });
    let id = session.add(Entry::Watch(watching.clone()));
    Box::new(Ros2Watch { id, watching, session: session.clone() })
}

struct Look {
    /// Weak: the session holds this.
    session: Weak<Session>,
    topic: String,
    on_message: Arc<Mutex<OnRawMessage>>,
    /// By type; none of one that cannot be heard.
    heard: BTreeMap<String, Option<Ros2Subscription>>,
}

impl Look {
    fn again(&mut self) {
        let Some(session) = self.session.upgrade() else { return };
        let topics = match session.observer.topics() {
            Ok(topics) => topics,
            Err(error) => {
                tracing::warn!(%error, "cannot look at the graph");
                return;
            }
        };
        let of_topic = topics.into_iter().filter(|(name, _)| *name == self.topic);
        for type_name in of_topic.flat_map(|(_, types)| types) {
            if self.heard.contains_key(&type_name) {
                continue;
            }
            let heard = self.hear(&session, &type_name);
            if let Err(error) = &heard {
                tracing::warn!(%error, topic = self.topic, "cannot be heard");
            }
            self.heard.insert(type_name, heard.ok());
        }
    }

    fn hear(&self, session: &Arc<Session>, type_name: &str) -> Result<Ros2Subscription, RclError> {
        let ty = MessageType::find(type_name, None)?;
        let subscription = rcl::Subscription::new(&session.observer, &self.topic, ty, profile(Qos::SENSOR))?;
        let (on_message, type_name) = (self.on_message.clone(), type_name.to_owned());
        let call = move |cdr: &[u8], _: &Meta| lock(&on_message)(&type_name, cdr);
        let subscribed = Arc::new(Subscribed { subscription, on_message: Mutex::new(Some(Box::new(call))) });
        let id = session.add(Entry::Subscription(subscribed.clone()));
        Ok(Ros2Subscription { id, subscribed, session: session.clone() })
    }
}
