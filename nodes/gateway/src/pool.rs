//! Which request goes to which upstream, and when: the queue, the upstreams' room, their breakers. Pure.

use std::collections::HashMap;

use troika_dialogue::{
    Fault,
    breaker::{self, Breaker},
};
use troika_kit::{Duration, Time};

use crate::{
    identity::VehicleId,
    queue::{Came, Queue, Ticket},
};

/// How a request at an upstream ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// It was answered.
    Answered,
    /// The upstream failed.
    Failed(Fault),
    /// The vehicle went, or our own time was over: that says nothing of the upstream.
    Left,
}

/// Why a request does not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Too many wait; about then there is room.
    Full(Duration),
    /// Every upstream that has the model has failed; the first is tried again then.
    Down(Duration),
}

#[derive(Debug)]
struct Slot {
    most: u32,
    running: u32,
    breaker: Breaker,
}

impl Slot {
    fn dead_until(&self, now: Time) -> Option<Time> {
        match self.breaker.state() {
            breaker::State::Open(until) if until > now => Some(until),
            _ => None,
        }
    }
}

/// Upstreams and who waits for them.
#[derive(Debug)]
pub struct Pool {
    slots: Vec<Slot>,
    queue: Queue,
    running: HashMap<VehicleId, u32>,
    running_a_vehicle: u32,
    mean: Duration,
}

impl Pool {
    /// Upstreams that take so many requests at once each.
    pub fn new(queue: Queue, running_a_vehicle: u32, most: &[u32], limits: breaker::Limits) -> Pool {
        let slot = |most: &u32| Slot { most: *most, running: 0, breaker: Breaker::new(limits) };
        Pool {
            slots: most.iter().map(slot).collect(),
            queue,
            running: HashMap::new(),
            running_a_vehicle: running_a_vehicle.max(1),
            mean: Duration::from_secs(2),
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many are at an upstream.
    pub fn running(&self, upstream: usize) -> u32 {
        self.slots.get(upstream).map_or(0, |slot| slot.running)
    }

    /// Whether an upstream is asked: not while its breaker is open.
    pub fn alive(&self, now: Time, upstream: usize) -> bool {
        self.slots.get(upstream).is_some_and(|slot| slot.dead_until(now).is_none())
    }

    fn bits(&self, fits: impl Fn(&Slot) -> bool) -> u64 {
        self.slots.iter().enumerate().filter(|(_, slot)| fits(slot)).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// A request comes, for one of these upstreams; `again` where one has failed it already. With its ticket, that of another which has to go for it.
    ///
    /// # Errors
    /// Where there is no room, or nobody to ask.
    pub fn enter(
        &mut self,
        now: Time,
        vehicle: &VehicleId,
        cost: u64,
        eligible: u64,
        again: bool,
    ) -> Result<(Ticket, Option<Ticket>), NoRoom> {
        let alive = self.bits(|slot| slot.dead_until(now).is_none());
        if eligible & alive == 0 {
            let mine = self.slots.iter().enumerate().filter(|(at, _)| eligible >> at & 1 == 1);
            let until = mine.filter_map(|(_, slot)| slot.dead_until(now)).min();
            return Err(NoRoom::Down(until.map_or(Duration::from_secs(1), |until| until.since(now))));
        }
        if again {
            return Ok((self.queue.come_back(vehicle, eligible), None));
        }
        match self.queue.come(vehicle, cost, eligible) {
            Came::Waits(ticket) => Ok((ticket, None)),
            Came::Instead(ticket, gone) => Ok((ticket, Some(gone))),
            Came::Full => Err(NoRoom::Full(self.wait())),
        }
    }

    /// About how long who comes last now would wait.
    pub fn wait(&self) -> Duration {
        let room: u32 = self.slots.iter().map(|slot| slot.most).sum();
        let ahead = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        self.mean.saturating_mul(ahead) / room.max(1)
    }

    /// The next that can run, and where. Whoever gets it tells its end by [`Pool::ended`].
    pub fn grant(&mut self, now: Time) -> Option<(Ticket, usize, VehicleId)> {
        let free = self.bits(|slot| {
            slot.running < slot.most
                && slot.dead_until(now).is_none()
                && slot.breaker.state() != breaker::State::HalfOpen
        });
        let (running, most) = (&self.running, self.running_a_vehicle);
        let may_run = |vehicle: &VehicleId| running.get(vehicle).is_none_or(|count| *count < most);
        let (ticket, vehicle, can) = self.queue.next(free, may_run)?;
        // The first of the file that can: they stand there in the order of preference.
        let upstream = can.trailing_zeros() as usize;
        let slot = self.slots.get_mut(upstream)?;
        slot.breaker.ask(now);
        slot.running += 1;
        *self.running.entry(vehicle.clone()).or_insert(0) += 1;
        Some((ticket, upstream, vehicle))
    }

    /// One that waits no longer.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.queue.take(ticket)
    }

    /// A request that runs is being answered: an upstream that was being tried takes others from now on.
    pub fn begun(&mut self, upstream: usize) {
        if let Some(slot) = self.slots.get_mut(upstream) {
            slot.breaker.begun();
        }
    }

    /// A request that ran has ended.
    pub fn ended(&mut self, now: Time, upstream: usize, vehicle: &VehicleId, how: &Ended, took: Duration) {
        if let Some(count) = self.running.get_mut(vehicle) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(vehicle);
            }
        }
        let Some(slot) = self.slots.get_mut(upstream) else { return };
        slot.running = slot.running.saturating_sub(1);
        match how {
            Ended::Answered => {
                slot.breaker.succeeded();
                self.mean = (self.mean * 7 + took) / 8;
            }
            Ended::Failed(fault) => slot.breaker.failed(now, fault),
            Ended::Left => slot.breaker.left(now),
        }
    }

    /// Those that wait for nobody but upstreams that have failed.
    pub fn hopeless(&mut self, now: Time) -> Vec<Ticket> {
        let alive = self.bits(|slot| slot.dead_until(now).is_none());
        self.queue.take_hopeless(alive)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(index: usize) -> VehicleId {
        VehicleId::new(&format!("v{index}")).expect("an id")
    }

    fn pool(most: &[u32]) -> Pool {
        Pool::new(Queue::new(100, 10), 2, most, breaker::Limits::default())
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    fn reset() -> Ended {
        Ended::Failed(Fault::Reset("by peer".into()))
    }

    #[test]
    fn a_vehicle_that_asks_a_lot_leaves_room_for_others() {
        let mut pool = pool(&[4]);
        for _ in 0..6 {
            pool.enter(at(0), &id(0), 1, 1, false).expect("waits");
        }
        pool.enter(at(0), &id(1), 1, 1, false).expect("waits");
        let granted: Vec<_> = std::iter::from_fn(|| pool.grant(at(0))).map(|grant| grant.2).collect();
        assert_eq!(granted, [id(0), id(1), id(0)]);
    }

    #[test]
    fn the_first_upstream_is_preferred_and_the_next_takes_what_it_cannot() {
        let mut pool = pool(&[1, 1]);
        for vehicle in 0..3 {
            pool.enter(at(0), &id(vehicle), 1, 0b11, false).expect("waits");
        }
        let granted: Vec<_> = std::iter::from_fn(|| pool.grant(at(0))).map(|grant| grant.1).collect();
        assert_eq!(granted, [0, 1]);
    }

    #[test]
    fn who_waits_for_a_dead_upstream_alone_is_told_at_once() {
        let mut pool = pool(&[1, 1]);
        for _ in 0..3 {
            let (ticket, _) = pool.enter(at(0), &id(0), 1, 0b01, false).expect("waits");
            let (granted, upstream, vehicle) = pool.grant(at(0)).expect("runs");
            assert_eq!((granted, upstream), (ticket, 0));
            if pool.waiting() == 0 {
                pool.enter(at(0), &id(1), 1, 0b01, false).expect("waits behind it");
            }
            pool.ended(at(0), 0, &vehicle, &reset(), Duration::ZERO);
            if pool.alive(at(0), 0) {
                let (_, _, vehicle) = pool.grant(at(0)).expect("runs");
                pool.ended(at(0), 0, &vehicle, &Ended::Left, Duration::ZERO);
            }
        }
        assert_eq!(pool.hopeless(at(0)).len(), 1);
        assert!(matches!(pool.enter(at(0), &id(0), 1, 0b01, false), Err(NoRoom::Down(_))));
        assert!(pool.enter(at(0), &id(0), 1, 0b10, false).is_ok());
        assert!(pool.enter(at(2_000), &id(0), 1, 0b01, false).is_ok(), "one finds out");
    }

    #[test]
    fn after_a_blip_the_first_words_of_one_answer_let_everybody_in_again() {
        let mut pool = pool(&[4]);
        let wait = |pool: &mut Pool, vehicle| {
            pool.enter(at(2_000), &id(vehicle), 1, 1, false).expect("waits");
        };
        for vehicle in 0..3 {
            pool.enter(at(0), &id(vehicle), 1, 1, false).expect("waits");
        }
        for (_, _, vehicle) in std::iter::from_fn(|| pool.grant(at(0))).collect::<Vec<_>>() {
            pool.ended(at(0), 0, &vehicle, &reset(), Duration::ZERO);
        }
        (0..3).for_each(|vehicle| wait(&mut pool, vehicle));
        let (_, _, trial) = pool.grant(at(2_000)).expect("one finds out");
        assert_eq!(pool.grant(at(2_000)), None, "the others wait for it");
        pool.begun(0);
        let others: Vec<_> = std::iter::from_fn(|| pool.grant(at(2_300))).collect();
        assert_eq!(others.len(), 2, "and not for its end");
        pool.ended(at(9_000), 0, &trial, &Ended::Answered, Duration::from_secs(7));
        assert!(pool.alive(at(9_000), 0));
    }

    proptest! {
        #[test]
        fn room_is_kept_to_and_comes_back(
            steps in prop::collection::vec((0u8..5, 0usize..4, 1u64..4, 0u64..500), 1..300)) {
            let mut pool = pool(&[2, 1]);
            let mut running: Vec<(usize, VehicleId)> = Vec::new();
            let mut now = at(0);
            for (what, vehicle, eligible, later) in steps {
                now = now + Duration::from_millis(later);
                match what {
                    0 | 1 => { let _ = pool.enter(now, &id(vehicle), 1, eligible, what == 1); }
                    2 => if let Some((_, upstream, vehicle)) = pool.grant(now) {
                        running.push((upstream, vehicle));
                    },
                    _ => if !running.is_empty() {
                        let (upstream, vehicle) = running.swap_remove(later as usize % running.len());
                        let how = match later % 3 { 0 => Ended::Answered, 1 => reset(), _ => Ended::Left };
                        pool.ended(now, upstream, &vehicle, &how, Duration::from_millis(later));
                        pool.hopeless(now);
                    },
                }
                for (upstream, most) in [(0, 2), (1, 1)] {
                    let count = running.iter().filter(|one| one.0 == upstream).count() as u32;
                    prop_assert_eq!(pool.running(upstream), count);
                    prop_assert!(count <= most);
                }
            }
            for (upstream, vehicle) in running.drain(..) {
                pool.ended(now, upstream, &vehicle, &Ended::Answered, Duration::ZERO);
            }
            // Long after, everything that waits gets its turn.
            now = now + Duration::from_secs(600);
            while let Some((_, upstream, vehicle)) = pool.grant(now) {
                pool.ended(now, upstream, &vehicle, &Ended::Answered, Duration::ZERO);
            }
            prop_assert_eq!(pool.waiting(), 0);
            prop_assert!(pool.running.is_empty());
        }
    }
}
