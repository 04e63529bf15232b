//! What the threads have in common: messages come in on the transport's threads, the page and Foxglove are served from others.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use troika_host::{HostClock, sync::Wake};
use troika_kit::Message as _;
use troika_msgs::{
    sensor_msgs::Image,
    troika::{DriverState, Gesture},
};

use crate::{
    foxglove::hub::{Hub, Key},
    model::{Model, PICTURE},
    picture::Camera,
};

/// Pages at once.
const MOST_PAGES: usize = 32;

/// All of it. No two of its locks are held at once.
pub(crate) struct Shared {
    pub(crate) clock: HostClock,
    pub(crate) model: Mutex<Model>,
    pub(crate) camera: Mutex<Camera>,
    pub(crate) hub: Mutex<Hub>,
    /// The newest picture's number.
    pub(crate) picture: watch::Sender<u64>,
    /// Something waits for a client of the hub.
    pub(crate) moved: watch::Sender<u64>,
    pub(crate) ending: watch::Sender<bool>,
    /// What is to be listened to may have changed.
    pub(crate) wake: Wake,
    /// What the page is made of, of what is listened to.
    pub(crate) chosen: Mutex<BTreeSet<Key>>,
    pub(crate) pages: Arc<Semaphore>,
    /// Where this listens, for a person.
    pub(crate) place: String,
    /// Whether pictures are shown.
    pub(crate) images: bool,
    /// Origins that Foxglove's pages may have beside its own.
    pub(crate) origins: Vec<String>,
    /// This process, for clients that come back.
    pub(crate) session: String,
    /// Only who is on this machine may see it.
    pub(crate) loopback: bool,
}

/// Locked, also where another thread has panicked: what is shown is never worth more than one frame.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(place: String, images: bool, origins: Vec<String>, loopback: bool) -> Shared {
        let clock = HostClock::start();
        Shared {
            clock,
            model: Mutex::default(),
            camera: Mutex::default(),
            hub: Mutex::default(),
            picture: watch::Sender::new(0),
            moved: watch::Sender::new(0),
            ending: watch::Sender::new(false),
            wake: Wake::default(),
            chosen: Mutex::default(),
            pages: Arc::new(Semaphore::new(MOST_PAGES)),
            place,
            images,
            origins,
            session: clock.now().as_nanos().to_string(),
            loopback,
        }
    }

    /// A message, on the transport's thread.
    pub(crate) fn heard(&self, key: &Key, cdr: &[u8]) {
        let now = self.clock.now();
        if lock(&self.chosen).contains(key) {
            let (topic, type_name) = key;
            if type_name == PICTURE {
                self.frame(topic, cdr);
            } else {
                lock(&self.model).heard(topic, type_name, cdr, now);
                self.seen(type_name, cdr);
            }
        }
        if lock(&self.hub).message(key, cdr, now) {
            self.moved.send_modify(|count| *count += 1);
        }
    }

    fn frame(&self, topic: &str, cdr: &[u8]) {
        let now = self.clock.now();
        let wants = lock(&self.camera).wants(now);
        let image = if wants { Image::decode(cdr).map(Some) } else { Ok(None) };
        lock(&self.model).count(topic, PICTURE, image.is_ok(), now);
        if let Ok(Some(image)) = image {
            let another = lock(&self.camera).frame(image, now);
            self.shows(another);
        }
    }

    fn seen(&self, type_name: &str, cdr: &[u8]) {
        if !lock(&self.camera).is_looked_at(self.clock.now()) {
            return;
        }
        if type_name == DriverState::TYPE.name
            && let Ok(state) = DriverState::decode(cdr)
        {
            let another = lock(&self.camera).driver(&state);
            self.shows(another);
        } else if type_name == Gesture::TYPE.name
            && let Ok(gesture) = Gesture::decode(cdr)
        {
            lock(&self.camera).hand(&gesture);
        }
    }

    fn shows(&self, another: bool) {
        if another && let Some(picture) = lock(&self.camera).shown() {
            self.picture.send_replace(picture.number);
        }
    }

    /// The page's state.
    pub(crate) fn state(&self) -> Value {
        let now = self.clock.now();
        let mut state = lock(&self.model).state(now);
        let clients = lock(&self.hub).clients();
        state["view"] = json!({"place": self.place, "images": self.images, "foxglove_clients": clients});
        state
    }
}
