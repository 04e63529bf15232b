//! Who is next: start-time fair queueing over vehicles (Goyal, Vin, Cheng: SIGCOMM 1996). Pure.
//!
//! Each request gets a start tag when it comes: the later of the queue's virtual time and the end of the same vehicle's request before it; its end is
//! its start plus its cost. The lowest start goes first. So a vehicle that has nothing waiting is never behind another's backlog: at most one
//! request of each other vehicle goes before its own.

use std::collections::{BTreeMap, HashMap};

use crate::identity::VehicleId;

/// A request that waits.
pub type Ticket = u64;
type Key = (u64, Ticket);

#[derive(Debug)]
struct Waiting {
    vehicle: VehicleId,
    end: u64,
    eligible: u64,
}

/// The requests that wait.
#[derive(Debug)]
pub struct Queue {
    most: usize,
    most_a_vehicle: usize,
    now: u64,
    next: Ticket,
    waiting: BTreeMap<Key, Waiting>,
    starts: HashMap<Ticket, u64>,
    vehicles: HashMap<VehicleId, Vec<Key>>,
    ends: HashMap<VehicleId, u64>,
}

/// What became of a request that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It waits.
    Waits(Ticket),
    /// It waits, and another one, the newest of who had most waiting, has to go.
    Instead(Ticket, Ticket),
    /// There is no room for it.
    Full,
}

impl Queue {
    /// Empty; so many wait at most, in all and of one vehicle.
    pub fn new(most: usize, most_a_vehicle: usize) -> Queue {
        Queue {
            most: most.max(1),
            most_a_vehicle: most_a_vehicle.max(1),
            now: 0,
            next: 0,
            waiting: BTreeMap::new(),
            starts: HashMap::new(),
            vehicles: HashMap::new(),
            ends: HashMap::new(),
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A request comes. `eligible` has a bit for each upstream that can answer it.
    pub fn come(&mut self, vehicle: &VehicleId, cost: u64, eligible: u64) -> Came {
        let mine = self.vehicles.get(vehicle).map_or(0, Vec::len);
        if mine >= self.most_a_vehicle {
            return Came::Full;
        }
        let mut gone = None;
        if self.waiting.len() >= self.most {
            let most = self.vehicles.iter().max_by_key(|(id, keys)| (keys.len(), *id));
            let newest = most.filter(|(_, keys)| keys.len() > mine + 1).and_then(|(_, keys)| keys.last());
            let Some((_, ticket)) = newest.copied() else { return Came::Full };
            self.take(ticket);
            gone = Some(ticket);
        }
        troika_safety::fulfils![SR_FLT_006];
        let start = self.ends.get(vehicle).copied().unwrap_or(0).max(self.now);
        let ticket = self.insert(vehicle, start, cost.max(1), eligible);
        gone.map_or(Came::Waits(ticket), |gone| Came::Instead(ticket, gone))
    }

    /// A request that was next already, and failed through no fault of its own, comes back: at the front, and it is not charged again.
    pub fn come_back(&mut self, vehicle: &VehicleId, eligible: u64) -> Ticket {
        self.insert(vehicle, self.now, 0, eligible)
    }

    fn insert(&mut self, vehicle: &VehicleId, start: u64, cost: u64, eligible: u64) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        let end = start.saturating_add(cost);
        let keys = self.vehicles.entry(vehicle.clone()).or_default();
        let at = keys.partition_point(|key| *key < (start, ticket));
        keys.insert(at, (start, ticket));
        let last = self.ends.entry(vehicle.clone()).or_insert(0);
        *last = (*last).max(end);
        self.starts.insert(ticket, start);
        self.waiting.insert((start, ticket), Waiting { vehicle: vehicle.clone(), end, eligible });
        ticket
    }

    /// The next that one of these upstreams can answer and whose vehicle may have another one running; and the upstreams that can.
    pub fn next(
        &mut self,
        free: u64,
        may_run: impl Fn(&VehicleId) -> bool,
    ) -> Option<(Ticket, VehicleId, u64)> {
        let ((start, ticket), _) =
            self.waiting.iter().find(|(_, one)| one.eligible & free != 0 && may_run(&one.vehicle))?;
        let (start, ticket) = (*start, *ticket);
        let one = self.remove((start, ticket))?;
        self.now = self.now.max(start);
        self.forget();
        Some((ticket, one.vehicle, one.eligible & free))
    }

    /// One that waits no longer: nobody wants its answer, or its time is over. Whether it did.
    pub fn take(&mut self, ticket: Ticket) -> bool {
        let Some(start) = self.starts.get(&ticket).copied() else { return false };
        let Some(one) = self.remove((start, ticket)) else { return false };
        // What was never served is not charged, where nothing came after it.
        if self.ends.get(&one.vehicle) == Some(&one.end) {
            self.ends.insert(one.vehicle, start);
        }
        true
    }

    /// Those that none of these upstreams can answer: they wait no longer.
    pub fn take_hopeless(&mut self, alive: u64) -> Vec<Ticket> {
        let hopeless: Vec<Ticket> =
            self.waiting.iter().filter(|(_, one)| one.eligible & alive == 0).map(|(key, _)| key.1).collect();
        hopeless.into_iter().filter(|ticket| self.take(*ticket)).collect()
    }

    fn remove(&mut self, key: Key) -> Option<Waiting> {
        let one = self.waiting.remove(&key)?;
        self.starts.remove(&key.1);
        if let Some(keys) = self.vehicles.get_mut(&one.vehicle) {
            if let Ok(at) = keys.binary_search(&key) {
                keys.remove(at);
            }
            if keys.is_empty() {
                self.vehicles.remove(&one.vehicle);
            }
        }
        Some(one)
    }

    /// Ends that lie behind say nothing any more. Looked at seldom, so that it costs each request little.
    fn forget(&mut self) {
        if self.next.is_multiple_of(256) || self.ends.len() > 4 * self.most {
            let now = self.now;
            self.ends.retain(|_, end| *end > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(index: usize) -> VehicleId {
        VehicleId::new(&format!("v{index}")).expect("an id")
    }

    fn ticket(came: Came) -> Ticket {
        match came {
            Came::Waits(ticket) | Came::Instead(ticket, _) => ticket,
            Came::Full => panic!("there is room"),
        }
    }

    #[test]
    fn who_asks_seldom_is_not_behind_who_asks_all_the_time() {
        let mut queue = Queue::new(100, 100);
        for _ in 0..50 {
            queue.come(&id(0), 10, 1);
        }
        let seldom = ticket(queue.come(&id(1), 10, 1));
        let order: Vec<_> = (0..3).map(|_| queue.next(1, |_| true).expect("waits").0).collect();
        assert!(order[..2].contains(&seldom), "{order:?}");
    }

    #[test]
    fn a_free_upstream_takes_the_first_that_it_has_the_model_for() {
        let mut queue = Queue::new(10, 10);
        queue.come(&id(0), 1, 0b01);
        let other = ticket(queue.come(&id(1), 1, 0b10));
        assert_eq!(queue.next(0b10, |_| true).map(|next| next.0), Some(other));
        assert_eq!(queue.next(0b10, |_| true), None);
    }

    #[test]
    fn over_the_bound_the_newest_of_who_has_most_goes() {
        let mut queue = Queue::new(3, 3);
        queue.come(&id(0), 1, 1);
        queue.come(&id(0), 1, 1);
        let newest = ticket(queue.come(&id(0), 1, 1));
        assert!(matches!(queue.come(&id(1), 1, 1), Came::Instead(_, gone) if gone == newest));
        assert_eq!(queue.come(&id(1), 1, 1), Came::Full, "nobody has more than it would have");
        assert_eq!(queue.come(&id(0), 1, 1), Came::Full);
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn what_comes_back_is_next_and_not_charged_again() {
        let mut queue = Queue::new(10, 10);
        queue.come(&id(0), 5, 0b11);
        let (_, vehicle, _) = queue.next(0b01, |_| true).expect("waits");
        queue.come(&id(1), 5, 0b10);
        let again = queue.come_back(&vehicle, 0b10);
        let order: Vec<_> = (0..2).map(|_| queue.next(0b10, |_| true).expect("waits").0).collect();
        assert!(order.contains(&again));
        assert!(queue.is_empty());
    }

    #[test]
    fn what_no_upstream_can_answer_any_more_does_not_wait_for_it() {
        let mut queue = Queue::new(10, 10);
        let dead = ticket(queue.come(&id(0), 1, 0b01));
        queue.come(&id(1), 1, 0b11);
        assert_eq!(queue.take_hopeless(0b10), [dead]);
        assert_eq!(queue.len(), 1);
    }

    proptest! {
        #[test]
        fn no_vehicle_waits_behind_anothers_backlog(
            backlog in prop::collection::vec((0usize..5, 1u64..1000), 1..200),
            served in 0usize..50, cost in 1u64..1000) {
            troika_safety::verifies![SR_FLT_006];
            let mut queue = Queue::new(1000, 1000);
            for (vehicle, cost) in &backlog {
                queue.come(&id(*vehicle), *cost, 1);
            }
            for _ in 0..served {
                queue.next(1, |_| true);
            }
            let others = (0..5).filter(|other| queue.vehicles.contains_key(&id(*other))).count();
            let mine = ticket(queue.come(&id(9), cost, 1));
            let mut before = 0;
            while queue.next(1, |_| true).is_some_and(|next| next.0 != mine) {
                before += 1;
            }
            prop_assert!(before <= others, "{before} before it, of {others} others");
        }

        #[test]
        fn backlogged_vehicles_share_by_cost(costs in prop::collection::vec(1u64..20, 4)) {
            let mut queue = Queue::new(100_000, 100_000);
            for (vehicle, cost) in costs.iter().enumerate() {
                for _ in 0..400 {
                    queue.come(&id(vehicle), *cost, 1);
                }
            }
            let mut served = [0u64; 4];
            for _ in 0..300 {
                let (_, vehicle, _) = queue.next(1, |_| true).expect("waits");
                let at: usize = vehicle.as_str()[1..].parse().expect("a number");
                served[at] += costs[at];
            }
            let (least, most) = (served.iter().min().expect("four"), served.iter().max().expect("four"));
            prop_assert!(most - least <= 40, "{served:?}");
        }

        #[test]
        fn nothing_is_lost_and_nothing_is_stuck(
            steps in prop::collection::vec((0u8..4, 0usize..6, 1u64..100, 1u64..4), 1..300)) {
            let mut queue = Queue::new(20, 6);
            let mut waits = std::collections::BTreeSet::new();
            for (what, vehicle, cost, eligible) in steps {
                match what {
                    0 | 1 => match queue.come(&id(vehicle), cost, eligible) {
                        Came::Waits(ticket) => { waits.insert(ticket); }
                        Came::Instead(ticket, gone) => {
                            prop_assert!(waits.remove(&gone));
                            waits.insert(ticket);
                        }
                        Came::Full => {}
                    },
                    2 => if let Some((ticket, _, can)) = queue.next(eligible, |_| true) {
                        prop_assert!(waits.remove(&ticket));
                        prop_assert!(can & eligible != 0);
                    },
                    _ => if let Some(ticket) = waits.pop_first() {
                        prop_assert!(queue.take(ticket));
                        prop_assert!(!queue.take(ticket));
                    },
                }
                prop_assert_eq!(queue.len(), waits.len());
                prop_assert!(queue.len() <= 20);
            }
            while let Some((ticket, ..)) = queue.next(u64::MAX, |_| true) {
                prop_assert!(waits.remove(&ticket));
            }
            prop_assert!(waits.is_empty() && queue.vehicles.is_empty() && queue.starts.is_empty());
        }
    }
}
