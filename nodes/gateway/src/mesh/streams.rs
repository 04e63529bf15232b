//! Which questions are under way, so that each can be ended from outside.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::identity::VehicleId;

type Key = (VehicleId, String, String);

/// Questions under way, by vehicle, session and number.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<Key, Arc<watch::Sender<Option<&'static str>>>>>);

/// One of them.
pub(super) struct Stream(watch::Receiver<Option<&'static str>>);

impl Stream {
    /// Until somebody ends it; why.
    pub(super) async fn ended(mut self) -> &'static str {
        match self.0.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or("gone"),
            Err(_) => "gone",
        }
    }
}

impl Streams {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Arc<watch::Sender<Option<&'static str>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another question; none where one of that number is under way.
    pub(super) fn begin(&self, vehicle: &VehicleId, session: &str, request: &str) -> Option<Stream> {
        let key = (vehicle.clone(), session.to_owned(), request.to_owned());
        let mut all = self.all();
        if all.contains_key(&key) {
            return None;
        }
        let (sender, receiver) = watch::channel(None);
        all.insert(key, Arc::new(sender));
        Some(Stream(receiver))
    }

    /// It is over.
    pub(super) fn end(&self, vehicle: &VehicleId, session: &str, request: &str) {
        self.all().remove(&(vehicle.clone(), session.to_owned(), request.to_owned()));
    }

    /// Its vehicle takes it back. Of one that is not under way nothing is known, and nothing happens.
    pub(super) fn cancel(&self, vehicle: &VehicleId, session: &str, request: &str) {
        troika_safety::fulfils![SR_FLT_004];
        let key = (vehicle.clone(), session.to_owned(), request.to_owned());
        if let Some(sender) = self.all().get(&key) {
            sender.send_replace(Some("cancelled"));
        }
    }

    /// A session of the vehicle's has ended, and its questions with it.
    pub(super) fn gone(&self, vehicle: &VehicleId, session: &str) {
        for (_, sender) in self.all().iter().filter(|((whose, of, _), _)| whose == vehicle && of == session) {
            sender.send_replace(Some("gone"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> VehicleId {
        VehicleId::new(text).expect("an id")
    }

    #[tokio::test]
    async fn a_question_is_ended_by_its_vehicle_and_by_no_other() {
        troika_safety::verifies![SR_FLT_004];
        let streams = Streams::default();
        let mine = streams.begin(&id("anna"), "aa", "1").expect("the first");
        let other = streams.begin(&id("anna"), "aa", "2").expect("another");
        assert!(streams.begin(&id("anna"), "aa", "1").is_none(), "doubled");
        streams.cancel(&id("bruno"), "aa", "1");
        streams.gone(&id("bruno"), "aa");
        streams.gone(&id("anna"), "bb");
        assert_eq!(*mine.0.borrow(), None);
        streams.cancel(&id("anna"), "aa", "1");
        assert_eq!(mine.ended().await, "cancelled");
        streams.gone(&id("anna"), "aa");
        assert_eq!(other.ended().await, "gone");
        streams.end(&id("anna"), "aa", "1");
        assert!(streams.begin(&id("anna"), "aa", "1").is_some(), "its number is free again");
    }
}
