//! Answers that may be given again: to the same vehicle, for exactly the same body, where nothing was left to chance and no tool is called. Bounded in
//! bytes and time; the oldest goes first. Pure. It holds words, in memory alone, and is off unless the file says how many bytes.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use troika_kit::{Duration, Time};

use crate::identity::VehicleId;

type Key = (VehicleId, Bytes);

#[derive(Debug, Clone)]
struct Answer {
    body: Bytes,
    until: Time,
}

/// Answers kept.
#[derive(Debug)]
pub struct Cache {
    most: usize,
    keep: Duration,
    bytes: usize,
    answers: HashMap<Key, Answer>,
    order: VecDeque<Key>,
}

impl Cache {
    /// So many bytes at most, each for so long; 0 bytes keep nothing.
    pub fn new(most: usize, keep: Duration) -> Cache {
        Cache { most, keep, bytes: 0, answers: HashMap::new(), order: VecDeque::new() }
    }

    /// Whether anything is kept at all.
    pub fn on(&self) -> bool {
        self.most > 0
    }

    /// The largest answer that is worth keeping: an eighth of the room.
    pub fn largest(&self) -> usize {
        self.most / 8
    }

    /// The answer of before.
    pub fn get(&self, now: Time, vehicle: &VehicleId, request: &Bytes) -> Option<Bytes> {
        let answer = self.answers.get(&(vehicle.clone(), request.clone()))?;
        (answer.until > now).then(|| answer.body.clone())
    }

    /// Keeps an answer.
    pub fn put(&mut self, now: Time, vehicle: &VehicleId, request: Bytes, body: Bytes) {
        let size = request.len() + body.len();
        if size > self.largest() {
            return;
        }
        let key = (vehicle.clone(), request);
        self.remove(&key);
        while self.bytes + size > self.most {
            let Some(oldest) = self.order.front().cloned() else { break };
            self.remove(&oldest);
        }
        self.bytes += size;
        self.order.push_back(key.clone());
        self.answers.insert(key, Answer { body, until: now + self.keep });
    }

    fn remove(&mut self, key: &Key) {
        if let Some(gone) = self.answers.remove(key) {
            self.bytes -= key.1.len() + gone.body.len();
            self.order.retain(|other| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> VehicleId {
        VehicleId::new(name).expect("an id")
    }

    #[test]
    fn an_answer_is_given_again_to_the_same_vehicle_alone_and_for_a_while() {
        let mut cache = Cache::new(8000, Duration::from_secs(10));
        let at = |s| Time::ZERO + Duration::from_secs(s);
        cache.put(at(0), &id("anna"), "q".into(), "a".into());
        assert_eq!(cache.get(at(9), &id("anna"), &"q".into()), Some("a".into()));
        assert_eq!(cache.get(at(9), &id("bruno"), &"q".into()), None);
        assert_eq!(cache.get(at(9), &id("anna"), &"q ".into()), None);
        assert_eq!(cache.get(at(10), &id("anna"), &"q".into()), None);
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let mut cache = Cache::new(1000, Duration::from_secs(10));
        for number in 0..100u8 {
            let answer = Bytes::from(vec![number; usize::from(number)]);
            cache.put(Time::ZERO, &id("anna"), vec![number].into(), answer);
            assert!(cache.bytes <= 1000 && cache.order.len() == cache.answers.len());
        }
        assert!(cache.get(Time::ZERO, &id("anna"), &vec![99].into()).is_some());
        cache.put(Time::ZERO, &id("anna"), "large".into(), vec![0; 126].into());
        assert!(
            cache.get(Time::ZERO, &id("anna"), &"large".into()).is_none(),
            "one does not push out the rest"
        );
        let mut off = Cache::new(0, Duration::from_secs(10));
        off.put(Time::ZERO, &id("anna"), "q".into(), "a".into());
        assert!(off.answers.is_empty());
    }
}
