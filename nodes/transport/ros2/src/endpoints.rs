//! What a node has: publishers, subscriptions, servers and clients, as the transport's API has them.

use std::{mem, sync::Arc, time::Duration};

use r2r_rcl::{
    rmw_qos_durability_policy_e as Durability, rmw_qos_history_policy_e as History,
    rmw_qos_liveliness_policy_e as Alive, rmw_qos_profile_t, rmw_qos_reliability_policy_e as Reliability,
    rmw_time_s,
};
use troika_kit::{Liveliness, Qos, Time};
use troika_transport::{CallError, Client, OnReply, Publisher, Server, Subscription, TransportError};

use crate::{
    rcl,
    session::{Asking, Served, Session, Subscribed, Watching, lock},
};

/// As rcl has it; what [`Qos`] does not say is the RMW's default.
pub(crate) fn profile(qos: Qos) -> rmw_qos_profile_t {
    let defaults = rcl::default_qos();
    rmw_qos_profile_t {
        history: History::RMW_QOS_POLICY_HISTORY_KEEP_LAST,
        // 0 is "as the system likes".
        depth: qos.depth.max(1) as usize,
        reliability: match qos.reliable {
            true => Reliability::RMW_QOS_POLICY_RELIABILITY_RELIABLE,
            false => Reliability::RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT,
        },
        durability: match qos.transient_local {
            true => Durability::RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL,
            false => Durability::RMW_QOS_POLICY_DURABILITY_VOLATILE,
        },
        deadline: qos.deadline.map_or(defaults.deadline, time),
        lifespan: qos.lifespan.map_or(defaults.lifespan, time),
        liveliness: match qos.liveliness {
            Liveliness::Automatic => Alive::RMW_QOS_POLICY_LIVELINESS_AUTOMATIC,
            Liveliness::ManualByTopic => Alive::RMW_QOS_POLICY_LIVELINESS_MANUAL_BY_TOPIC,
        },
        liveliness_lease_duration: qos.lease.map_or(defaults.liveliness_lease_duration, time),
        ..defaults
    }
}

fn time(duration: Duration) -> rmw_time_s {
    rmw_time_s { sec: duration.as_secs(), nsec: u64::from(duration.subsec_nanos()) }
}

/// Fields are dropped in their order: the session last.
pub(crate) struct Ros2Publisher {
    pub(crate) publisher: rcl::Publisher,
    pub(crate) session: Arc<Session>,
}

impl Publisher for Ros2Publisher {
    /// The source time that peers see is the RMW's own, of this moment: rcl lets nobody set it.
    fn put(&mut self, cdr: &[u8], _stamp: Time) -> Result<(), TransportError> {
        self.publisher.publish(cdr).map_err(|error| {
            tracing::warn!(%error, open = self.session.is_open(), "a message did not leave");
            TransportError::Closed
        })
    }
}

/// A subscription's place in the session.
pub(crate) struct Ros2Subscription {
    pub(crate) id: u64,
    pub(crate) subscribed: Arc<Subscribed>,
    pub(crate) session: Arc<Session>,
}

impl Subscription for Ros2Subscription {}

impl Drop for Ros2Subscription {
    /// Waits for a call that is under way; so never drop a subscription inside its own call.
    fn drop(&mut self) {
        let called = lock(&self.subscribed.on_message).take();
        self.session.remove(self.id);
        drop(called);
    }
}

/// A watch's place in the session.
pub(crate) struct Ros2Watch {
    pub(crate) id: u64,
    pub(crate) watching: Arc<Watching>,
    pub(crate) session: Arc<Session>,
}

impl Subscription for Ros2Watch {}

impl Drop for Ros2Watch {
    /// Waits for a call that is under way; so never drop a watch inside its own call.
    fn drop(&mut self) {
        let called = lock(&self.watching.on_change).take();
        self.session.remove(self.id);
        drop(called);
    }
}

/// A server's place in the session.
pub(crate) struct Ros2Server {
    pub(crate) id: u64,
    pub(crate) served: Arc<Served>,
    pub(crate) session: Arc<Session>,
}

impl Server for Ros2Server {}

impl Drop for Ros2Server {
    /// Waits for a call that is under way; so never drop a server inside its own call.
    fn drop(&mut self) {
        let called = lock(&self.served.on_request).take();
        self.session.remove(self.id);
        drop(called);
    }
}

/// A client's place in the session.
pub(crate) struct Ros2Client {
    pub(crate) id: u64,
    pub(crate) asking: Arc<Asking>,
    pub(crate) session: Arc<Session>,
}

impl Ros2Client {
    fn give_up(&self, whom: impl IntoIterator<Item = OnReply>, why: &CallError) {
        for on_reply in self.session.tell(whom, why) {
            on_reply(Err(why.clone()));
        }
    }
}

impl Client for Ros2Client {
    /// A request to nobody is not sent: ROS 2 would lose it without a word. The time that the server sees is the RMW's own.
    fn call(&mut self, cdr: &[u8], _stamp: Time, on_reply: OnReply) -> Result<(), TransportError> {
        if !self.is_served()? {
            self.give_up([on_reply], &CallError::Nobody);
            return Ok(());
        }
        let request = match self.asking.client.request(cdr) {
            Ok(request) => request,
            Err(error) => {
                self.give_up([on_reply], &CallError::Refused(format!("this is no request: {error}")));
                return Ok(());
            }
        };
        // Held until its number is in: the answer may be there before this returns.
        let mut waiting = lock(&self.asking.waiting);
        let number = self.asking.client.send(&request).map_err(|error| {
            tracing::warn!(%error, "a request did not leave");
            TransportError::Closed
        })?;
        waiting.replies.insert(number, on_reply);
        drop(waiting);
        // The session's end may have come between.
        if !self.session.is_open() {
            let late = mem::take(&mut lock(&self.asking.waiting).replies);
            self.give_up(late.into_values(), &CallError::Nobody);
        }
        Ok(())
    }

    fn is_served(&self) -> Result<bool, TransportError> {
        if !self.session.is_open() {
            return Err(TransportError::Closed);
        }
        self.asking.client.is_served().map_err(|error| {
            tracing::warn!(%error, "cannot look for a server");
            TransportError::Closed
        })
    }
}

impl Drop for Ros2Client {
    /// Who still waits is told that nobody answers.
    fn drop(&mut self) {
        let late = mem::take(&mut lock(&self.asking.waiting).replies);
        self.give_up(late.into_values(), &CallError::Nobody);
        self.session.remove(self.id);
    }
}
