//! Publishers and subscriptions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use troika_kit::{Liveliness, Qos, Time, TypeInfo};
use troika_transport::{Meta, OnMessage, Publisher, Subscription, TransportError};

use crate::{
    ffi::{Beside, Deaf, Guid, Quality, Reader, Writer},
    graph::End,
    inbox::{Bound, Event, Inbox},
    transport::{Presence, Shown, declare_error, lock},
    wire,
};

/// Publishers that a subscription knows the type of, at most; then it asks again.
const REMEMBERED: usize = 1024;

/// What rmw_cyclonedds makes of a profile. Keep last 0 is 1.
pub(crate) fn quality(qos: Qos, user_data: &[u8]) -> Quality<'_> {
    Quality {
        reliable: qos.reliable,
        transient_local: qos.transient_local,
        depth: i32::try_from(qos.depth.max(1)).unwrap_or(i32::MAX),
        deadline: qos.deadline,
        lifespan: qos.lifespan,
        lease: qos.lease,
        manual_by_topic: qos.liveliness == Liveliness::ManualByTopic,
        ignore_own: false,
        user_data,
    }
}

/// A writer on a topic. Fields are dropped in their order: off the graph first.
pub(crate) struct DdsPublisher {
    _shown: Shown,
    writer: Writer,
}

impl DdsPublisher {
    pub(crate) fn new(
        presence: &Arc<Presence>,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
    ) -> Result<DdsPublisher, TransportError> {
        let (name, type_name) = spelled(topic, ty)?;
        let user_data = wire::endpoint_user_data(ty.hash);
        let writer = presence
            .session
            .participant
            .writer(&name, &type_name, &quality(qos, &user_data), Arc::new(Deaf))
            .map_err(|error| declare_error(topic, error))?;
        let end = End { topic: name, type_name, type_hash: ty.hash.to_owned(), writes: true };
        let shown = presence.show(vec![(writer.guid, end)]);
        Ok(DdsPublisher { _shown: shown, writer })
    }
}

/// DDS's names of a topic and its type.
fn spelled(topic: &str, ty: TypeInfo) -> Result<(String, String), TransportError> {
    let type_name =
        wire::topic_type(ty.name).map_err(|error| declare_error(topic, format!("'{}': {error}", ty.name)))?;
    Ok((wire::topic(topic), type_name))
}

impl Publisher for DdsPublisher {
    fn put(&mut self, cdr: &[u8], stamp: Time) -> Result<(), TransportError> {
        self.writer.write(cdr, Some(stamp), Beside::default()).map(drop).map_err(|error| {
            tracing::debug!(%error, "a message did not leave");
            TransportError::Closed
        })
    }
}

/// A place for a reader that its own inbox's handler looks into; empty once it is to go.
pub(crate) type Place<T> = Arc<Mutex<Option<T>>>;

/// Whether a writer's messages are of this type: DDS itself compares names alone. Who gives no hash is believed.
pub(crate) struct SameType {
    hash: &'static str,
    hash_of: fn(&[u8]) -> &str,
    reader: Place<Reader>,
    known: HashMap<Guid, bool>,
}

impl SameType {
    /// `hash_of` reads it from an endpoint's user data.
    pub(crate) fn new(hash: &'static str, hash_of: fn(&[u8]) -> &str, reader: Place<Reader>) -> SameType {
        SameType { hash, hash_of, reader, known: HashMap::new() }
    }

    pub(crate) fn of(&mut self, writer: Guid) -> bool {
        if let Some(same) = self.known.get(&writer) {
            return *same;
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let (hash, known) = (self.hash, &mut self.known);
        if let Some(reader) = &*lock(&self.reader) {
            let asked = reader.matched(|seen| {
                let theirs = (self.hash_of)(seen.user_data);
                let same = hash.is_empty() || theirs.is_empty() || theirs == hash;
                if known.insert(seen.guid, same).is_none() && !same {
                    tracing::warn!(
                        topic = seen.topic,
                        theirs,
                        ours = hash,
                        "a publisher of another type of the same name is not heard"
                    );
                }
            });
            if let Err(error) = asked {
                tracing::debug!(%error, "who writes");
            }
        }
        // One that is gone already: its message was taken while it was matched.
        *self.known.entry(writer).or_insert(true)
    }
}

/// A reader on a topic.
pub(crate) struct DdsSubscription {
    shown: Option<Shown>,
    reader: Place<Reader>,
    inbox: Arc<Inbox>,
}

impl DdsSubscription {
    pub(crate) fn new(
        presence: &Arc<Presence>,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        mut on_message: OnMessage,
    ) -> Result<DdsSubscription, TransportError> {
        let (name, type_name) = spelled(topic, ty)?;
        let user_data = wire::endpoint_user_data(ty.hash);
        let reader: Place<Reader> = Arc::default();
        let mut same = SameType::new(ty.hash, wire::type_hash_of, reader.clone());
        // Of what a writer said before, a late joiner gets as many as both keep.
        let last = if qos.transient_local { u64::from(qos.depth.max(1)) } else { u64::MAX };
        let handler = move |event: Event<'_>| {
            if let Event::Message(sample) = event
                && sample.later() < last
                && same.of(sample.writer())
            {
                let meta = Meta {
                    source_time: sample.source_time(),
                    sequence: sample.sequence(),
                    gid: sample.writer(),
                };
                on_message(sample.bytes(), &meta);
            }
        };
        let bound = Bound { depth: qos.depth.max(1) as usize, slack: qos.reliable && !qos.transient_local };
        let inbox = Inbox::new(presence.session.queue(), bound, Box::new(handler));
        let made = presence
            .session
            .participant
            .reader(&name, &type_name, &quality(qos, &user_data), inbox.clone())
            .map_err(|error| declare_error(topic, error))?;
        let end = End { topic: name, type_name, type_hash: ty.hash.to_owned(), writes: false };
        let guid = made.guid;
        *lock(&reader) = Some(made);
        let shown = presence.show(vec![(guid, end)]);
        Ok(DdsSubscription { shown: Some(shown), reader, inbox })
    }
}

impl Subscription for DdsSubscription {}

impl Drop for DdsSubscription {
    /// Waits for a call that is under way, unless it is made in one.
    fn drop(&mut self) {
        drop(self.shown.take());
        let reader = lock(&self.reader).take();
        drop(reader);
        self.inbox.close();
    }
}
