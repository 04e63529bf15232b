//! What is listened to: what the page is made of, and whatever a Foxglove client is subscribed to; pictures only while somebody looks. Each
//! topic once, however many want it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use troika_host::clock::monotonic_nanos;
use troika_kit::{Message as _, Qos};
use troika_msgs::{dynamic, sensor_msgs, troika};
use troika_transport::{Endpoint, NodeHandle, Subscription, Transport, TransportError};

use crate::{
    foxglove::hub::Key,
    model::{PICTURE, TYPES},
    present::Present,
    shared::{Shared, lock},
};

/// Whom others see.
const NAME: &str = "troika_view";
/// At least so often it is looked whether to stop, and who is there.
const LOOK: Duration = Duration::from_millis(200);
/// A volatile, best-effort reader hears every publisher, whatever that offers.
const QOS: Qos = Qos { reliable: false, depth: 1000, ..Qos::DEFAULT };
/// Whose publishers stand by what they raised.
const ALERT: &str = troika::DriverAlert::TYPE.name;
/// Who hears nothing for so long is told.
const NOTHING: Duration = Duration::from_secs(5);
/// Of these there is one on the page: that of the usual topic, or else the first by its name.
const ONE: [(&str, &str); 6] = [
    (sensor_msgs::Image::TYPE.name, "/cabin/camera/image_raw"),
    (troika::DriverState::TYPE.name, "/cabin/driver_state"),
    (troika::Drowsiness::TYPE.name, "/cabin/drowsiness"),
    (troika::Gesture::TYPE.name, "/cabin/gesture"),
    (troika::VehicleSignals::TYPE.name, "/vehicle/signals"),
    (troika::LinkState::TYPE.name, "/link/state"),
];

/// The topics that the page is made of.
pub(crate) fn chosen(endpoints: &[Endpoint]) -> BTreeSet<Key> {
    // As ros2 bag: not what is hidden.
    let all: BTreeSet<Key> = endpoints
        .iter()
        .filter(|end| end.publishes && !end.topic.contains("/_"))
        .filter(|end| end.type_name == PICTURE || TYPES.contains(&end.type_name.as_str()))
        .map(|end| (end.topic.clone(), end.type_name.clone()))
        .collect();
    let is_the_one = |(topic, type_name): &Key| {
        let Some((_, usual)) = ONE.iter().find(|(name, _)| name == type_name) else { return true };
        let mut same = all.iter().filter(|(_, other)| other == type_name).map(|(topic, _)| topic.as_str());
        let first = same.clone().next();
        let one = same.find(|topic| topic == usual).or(first);
        one == Some(topic)
    };
    all.iter().filter(|key| is_the_one(key)).cloned().collect()
}

/// What is done where there is nothing.
const START: &str = "Start a system there: troika run launch/systems/cabin.toml";

/// A node's ears on a transport.
pub(crate) struct Ears<'a> {
    transport: &'a dyn Transport,
    node: Box<dyn NodeHandle>,
    shared: Arc<Shared>,
    subscriptions: BTreeMap<Key, Box<dyn Subscription>>,
    present: Present,
    /// What the transport refused is told once.
    refused: BTreeSet<Key>,
    _watch: Box<dyn Subscription>,
}

impl<'a> Ears<'a> {
    pub(crate) fn new(transport: &'a dyn Transport, shared: Arc<Shared>) -> Result<Ears<'a>, TransportError> {
        let node = transport.node("/", NAME)?;
        let wake = shared.wake.clone();
        let watch = transport.watch_graph(Box::new(move || wake.announce()))?;
        let (subscriptions, refused) = (BTreeMap::new(), BTreeSet::new());
        let present = Present::default();
        Ok(Ears { transport, node, shared, subscriptions, present, refused, _watch: watch })
    }

    /// Listens until it is to stop.
    pub(crate) fn run(
        mut self,
        leaves_out: &dyn Fn(&str) -> bool,
        stopped: &dyn Fn() -> bool,
        told: &mut dyn FnMut(String),
    ) -> Result<(), TransportError> {
        let start = self.shared.clock.now();
        let (mut told_nothing, mut had) = (false, false);
        while !stopped() {
            let seen = self.shared.wake.seen();
            self.listen(leaves_out, told)?;
            let has = !lock(&self.shared.chosen).is_empty();
            if had && !has {
                told(format!("nobody is there any more: {}. {START}", self.shared.place));
            }
            had = has;
            if !told_nothing && self.shared.clock.now().since(start) >= NOTHING {
                told_nothing = true;
                if lock(&self.shared.chosen).is_empty() {
                    told(format!("nothing is to be seen yet: {}. {START}", self.shared.place));
                }
            }
            let until = monotonic_nanos() + LOOK.as_nanos() as u64;
            self.shared.wake.wait(seen, Some(until));
        }
        Ok(())
    }

    /// Subscribes to what is wanted now, and to no more.
    fn listen(
        &mut self,
        leaves_out: &dyn Fn(&str) -> bool,
        told: &mut dyn FnMut(String),
    ) -> Result<(), TransportError> {
        let graph = self.transport.graph()?;
        let endpoints = self.present.look(graph.endpoints, self.shared.clock.now());
        lock(&self.shared.hub).graph(&endpoints, leaves_out);
        let raising = endpoints.iter().filter(|end| end.publishes && end.type_name == ALERT);
        lock(&self.shared.model).raising(raising.map(|end| end.node.clone()).collect());
        self.shared.moved.send_modify(|count| *count += 1);
        let mut wanted = chosen(&endpoints);
        wanted.retain(|(_, type_name)| !leaves_out(type_name));
        lock(&self.shared.chosen).clone_from(&wanted);
        let looked_at = lock(&self.shared.camera).is_looked_at(self.shared.clock.now());
        if !looked_at {
            wanted.retain(|(_, type_name)| type_name != PICTURE);
            lock(&self.shared.camera).rest();
        }
        wanted.extend(lock(&self.shared.hub).wanted());
        self.subscriptions.retain(|key, _| wanted.contains(key));
        for key in wanted {
            if self.subscriptions.contains_key(&key) || self.refused.contains(&key) {
                continue;
            }
            match self.subscribe(&key) {
                Ok(Some(subscription)) => {
                    self.subscriptions.insert(key, subscription);
                }
                Ok(None) => {}
                Err(why) => {
                    told(format!("{} is not heard: {why}", key.0));
                    self.refused.insert(key);
                }
            }
        }
        Ok(())
    }

    fn subscribe(&self, key: &Key) -> Result<Option<Box<dyn Subscription>>, TransportError> {
        let Some(entry) = dynamic::lookup(&key.1) else { return Ok(None) };
        let (shared, heard) = (self.shared.clone(), key.clone());
        let on_message = move |cdr: &[u8], _: &troika_transport::Meta| shared.heard(&heard, cdr);
        Ok(Some(self.node.subscribe(&key.0, entry.info(), QOS, Box::new(on_message))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(topic: &str, type_name: &str, publishes: bool) -> Endpoint {
        Endpoint {
            node: "/n".into(),
            topic: topic.into(),
            type_name: type_name.into(),
            type_hash: String::new(),
            publishes,
        }
    }

    #[test]
    fn the_page_is_made_of_the_usual_topics_or_of_whatever_has_their_types() {
        let (state, image) = (troika::DriverState::TYPE.name, PICTURE);
        let names = |all: &[Endpoint]| chosen(all).into_iter().map(|(topic, _)| topic).collect::<Vec<_>>();
        let mut all = vec![
            end("/car/cabin/driver_state", state, true),
            end("/a/driver_state", state, true),
            end("/cabin/camera/image_raw", image, false),
            end("/rear/image_raw", image, true),
            end("/troika/heartbeat", troika::Heartbeat::TYPE.name, true),
            end("/other/heartbeat", troika::Heartbeat::TYPE.name, true),
            end("/_recorded/x", troika::DriverAlert::TYPE.name, true),
            end("/scan", "sensor_msgs/msg/Imu", true),
        ];
        assert_eq!(
            names(&all),
            ["/a/driver_state", "/other/heartbeat", "/rear/image_raw", "/troika/heartbeat"]
        );
        all.push(end("/cabin/driver_state", state, true));
        assert!(names(&all).contains(&"/cabin/driver_state".to_owned()));
        assert!(!names(&all).contains(&"/a/driver_state".to_owned()));
    }
}
