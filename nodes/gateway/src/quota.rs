//! What a vehicle may use: requests a minute, tokens a day, money a day. Pure; days are UTC.
//!
//! Requests go by the generic cell rate algorithm (ITU-T I.371, annex A): one number for each vehicle, the time at which its bucket is full again.
//! What was used since the store was last written is a [`Used`], and adding one to an [`Account`] gives the same whoever adds first: two gateways
//! on one store count together, and let through too much at most what they do between two writes.

use std::collections::HashMap;

use troika_kit::{Duration, Time};

use crate::identity::VehicleId;

const MINUTE: u64 = 60_000_000_000;
const DAY: u64 = 86_400_000_000_000;
/// Gateways on one store bring the time at which a bucket is full as many minutes ahead as they are, at most. One that is further ahead was said by
/// a clock that was wrong: a process keeps to the clock of its start.
const AHEAD: u64 = 10 * MINUTE;

/// What each vehicle may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute, at least 1; so many at once after a minute's rest.
    pub requests_a_minute: u32,
    /// Tokens a day.
    pub tokens_a_day: u64,
    /// Millionths of a euro a day.
    pub micro_euro_a_day: u64,
}

/// What a vehicle has used, as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// The day since 1970 that the sums are of.
    pub day: u64,
    /// Tokens of that day.
    pub tokens: u64,
    /// Millionths of a euro of that day.
    pub micro_euro: u64,
    /// The bucket of requests is full again then, ns since 1970.
    pub full_ns: u64,
}

/// What was used since the store was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Requests.
    pub requests: u32,
    /// As far as the gateway that counted them knows, the bucket is full again then, ns since 1970.
    pub full_ns: u64,
    /// The day that the sums are of.
    pub day: u64,
    /// Tokens.
    pub tokens: u64,
    /// Millionths of a euro.
    pub micro_euro: u64,
}

/// Why a request is not let in, and when the next may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Of requests a minute.
    Requests(Duration),
    /// Of tokens a day.
    Tokens(Duration),
    /// Of money a day.
    Money(Duration),
}

impl Account {
    /// With what was used on top.
    #[must_use]
    pub fn with(self, used: &Used, limits: &Limits) -> Account {
        let mut sum = self;
        if used.requests > 0 {
            let each = MINUTE / u64::from(limits.requests_a_minute.max(1));
            sum.full_ns = if sum.full_ns > used.full_ns.saturating_add(AHEAD) {
                used.full_ns
            } else {
                sum.full_ns.saturating_add(each * u64::from(used.requests)).max(used.full_ns)
            };
        }
        if used.tokens > 0 || used.micro_euro > 0 {
            if !sum.counts(used.day) {
                (sum.day, sum.tokens, sum.micro_euro) = (used.day, 0, 0);
            }
            sum.tokens = sum.tokens.saturating_add(used.tokens);
            sum.micro_euro = sum.micro_euro.saturating_add(used.micro_euro);
        }
        sum
    }

    /// Whether the sums are this day's: also those of the next, which a clock that is somewhat ahead began. A day further on is of a clock that was wrong,
    /// and would be spent for as long.
    fn counts(&self, day: u64) -> bool {
        self.day == day || self.day == day + 1
    }
}

#[derive(Debug, Default)]
struct Entry {
    kept: Account,
    used: Used,
    held_tokens: u64,
    held_micro_euro: u64,
}

/// What is promised to a request that runs. It is given back as it is, with what was used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Held {
    vehicle: VehicleId,
    tokens: u64,
    micro_euro: u64,
}

/// All accounts of a gateway.
#[derive(Debug)]
pub struct Book {
    limits: Limits,
    entries: HashMap<VehicleId, Entry>,
}

impl Book {
    /// With what the store has.
    pub fn new(limits: Limits, kept: impl IntoIterator<Item = (VehicleId, Account)>) -> Book {
        let entries =
            kept.into_iter().map(|(vehicle, kept)| (vehicle, Entry { kept, ..Entry::default() })).collect();
        Book { limits, entries }
    }

    /// Lets a request in that will use so much at most, or says why not.
    ///
    /// # Errors
    /// Which quota is spent. Nothing is used then.
    pub fn admit(
        &mut self,
        now: Time,
        vehicle: &VehicleId,
        tokens: u64,
        micro_euro: u64,
    ) -> Result<Held, Spent> {
        let (now, day) = (now.as_nanos(), now.as_nanos() / DAY);
        let entry = self.entries.entry(vehicle.clone()).or_default();
        if entry.kept.full_ns > now.saturating_add(AHEAD) {
            entry.kept.full_ns = now;
        }
        let sum = entry.kept.with(&entry.used, &self.limits);
        let each = MINUTE / u64::from(self.limits.requests_a_minute.max(1));
        let over = sum.full_ns.saturating_sub(now).saturating_sub(MINUTE - each);
        if over > 0 {
            return Err(Spent::Requests(Duration::from_nanos(over)));
        }
        let (spent, cost) = if sum.counts(day) { (sum.tokens, sum.micro_euro) } else { (0, 0) };
        let midnight = Duration::from_nanos((day + 1) * DAY - now);
        if spent + entry.held_tokens + tokens > self.limits.tokens_a_day {
            return Err(Spent::Tokens(midnight));
        }
        if cost + entry.held_micro_euro + micro_euro > self.limits.micro_euro_a_day {
            return Err(Spent::Money(midnight));
        }
        entry.used.full_ns = sum.full_ns.max(now).saturating_add(each);
        entry.used.requests = entry.used.requests.saturating_add(1);
        entry.held_tokens += tokens;
        entry.held_micro_euro += micro_euro;
        Ok(Held { vehicle: vehicle.clone(), tokens, micro_euro })
    }

    /// A request has ended and used this.
    pub fn settle(&mut self, now: Time, held: Held, tokens: u64, micro_euro: u64) {
        let day = now.as_nanos() / DAY;
        let entry = self.entries.entry(held.vehicle).or_default();
        entry.held_tokens = entry.held_tokens.saturating_sub(held.tokens);
        entry.held_micro_euro = entry.held_micro_euro.saturating_sub(held.micro_euro);
        if entry.used.day != day {
            (entry.used.day, entry.used.tokens, entry.used.micro_euro) = (day, 0, 0);
        }
        entry.used.tokens = entry.used.tokens.saturating_add(tokens);
        entry.used.micro_euro = entry.used.micro_euro.saturating_add(micro_euro);
    }

    /// What the store is to be told; it still counts here until [`Book::kept`].
    pub fn unwritten(&self) -> Vec<(VehicleId, Used)> {
        let some = |used: &Used| used.requests > 0 || used.tokens > 0 || used.micro_euro > 0;
        self.entries
            .iter()
            .filter(|(_, entry)| some(&entry.used))
            .map(|(vehicle, entry)| (vehicle.clone(), entry.used))
            .collect()
    }

    /// The store has taken this and now says that.
    pub fn kept(&mut self, written: &[(VehicleId, Used)], sums: Vec<(VehicleId, Account)>) {
        for (vehicle, wrote) in written {
            let Some(entry) = self.entries.get_mut(vehicle) else { continue };
            let used = &mut entry.used;
            used.requests = used.requests.saturating_sub(wrote.requests);
            if used.day == wrote.day {
                used.tokens = used.tokens.saturating_sub(wrote.tokens);
                used.micro_euro = used.micro_euro.saturating_sub(wrote.micro_euro);
            }
        }
        for (vehicle, sum) in sums {
            self.entries.entry(vehicle).or_default().kept = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { requests_a_minute: 6, tokens_a_day: 1000, micro_euro_a_day: 500 };

    fn anna() -> VehicleId {
        VehicleId::new("anna").expect("an id")
    }

    fn at(s: u64) -> Time {
        Time::ZERO + Duration::from_secs(1_800_000_000 / 86_400 * 86_400 + s)
    }

    #[test]
    fn six_a_minute_come_at_once_and_then_one_each_ten_seconds() {
        let mut book = Book::new(LIMITS, []);
        for _ in 0..6 {
            assert!(book.admit(at(0), &anna(), 1, 0).is_ok());
        }
        assert_eq!(book.admit(at(0), &anna(), 1, 0), Err(Spent::Requests(Duration::from_secs(10))));
        assert!(book.admit(at(10), &anna(), 1, 0).is_ok());
        assert!(book.admit(at(10), &anna(), 1, 0).is_err());
        assert!(book.admit(at(10), &VehicleId::new("bruno").expect("an id"), 1, 0).is_ok(), "each by itself");
    }

    #[test]
    fn what_runs_is_counted_as_if_it_used_all_that_it_may() {
        let mut book = Book::new(LIMITS, []);
        let held = book.admit(at(0), &anna(), 800, 0).expect("let in");
        assert!(matches!(book.admit(at(0), &anna(), 300, 0), Err(Spent::Tokens(_))));
        book.settle(at(1), held, 100, 0);
        assert!(book.admit(at(1), &anna(), 300, 0).is_ok());
    }

    #[test]
    fn a_day_begins_anew_at_midnight_and_that_is_what_is_told() {
        let mut book = Book::new(LIMITS, []);
        let held = book.admit(at(86_000), &anna(), 900, 500).expect("let in");
        book.settle(at(86_010), held, 900, 500);
        assert_eq!(book.admit(at(86_100), &anna(), 1, 1), Err(Spent::Money(Duration::from_secs(300))));
        assert_eq!(book.admit(at(86_100), &anna(), 101, 0), Err(Spent::Tokens(Duration::from_secs(300))));
        assert!(book.admit(at(86_400), &anna(), 900, 500).is_ok());
    }

    /// A gateway that begins anew with what the store has; it lets in what it can at this time, writes, and gives how many those were.
    fn start(store: &mut Account, time: Time, tokens: u64) -> u32 {
        let mut book = Book::new(LIMITS, [(anna(), *store)]);
        let mut let_in = 0;
        while let Ok(held) = book.admit(time, &anna(), tokens, 0) {
            book.settle(time, held, tokens, 0);
            let_in += 1;
            // In the middle too, so that what the store says then counts.
            if let_in == 1 {
                let wrote = book.unwritten();
                *store = store.with(&wrote[0].1, &LIMITS);
                book.kept(&wrote, vec![(anna(), *store)]);
            }
        }
        for (_, used) in book.unwritten() {
            *store = store.with(&used, &LIMITS);
        }
        let_in
    }

    #[test]
    fn after_a_start_with_a_clock_that_was_ahead_requests_are_let_in_and_counted_as_ever() {
        for ahead in [86_400, 30 * 86_400, 4000 * 86_400] {
            let mut store = Account::default();
            assert_eq!(start(&mut store, at(ahead), 1), 6);
            assert_eq!(start(&mut store, at(0), 1), 6, "right again, {ahead} s");
            assert_eq!(start(&mut store, at(0), 1), 0, "and no more than ever");
            assert_eq!(start(&mut store, at(60), 1), 6);
        }
    }

    #[test]
    fn after_a_start_with_a_clock_that_was_ahead_a_day_has_its_tokens_and_no_more() {
        for (ahead, today) in [(86_400, 3), (2 * 86_400, 5), (4000 * 86_400, 5)] {
            let mut store = Account::default();
            assert_eq!(start(&mut store, at(ahead), 400), 2);
            let mut let_in = 0;
            for minute in 0..10 {
                let_in += start(&mut store, at(minute * 60), 200);
            }
            assert_eq!(let_in + if ahead == 86_400 { 2 } else { 0 }, today, "{ahead} s ahead");
        }
        // The day that was begun too early, and the one after.
        let mut store = Account::default();
        assert_eq!(start(&mut store, at(86_400), 1000), 1);
        assert_eq!([at(0), at(86_460), at(2 * 86_400)].map(|time| start(&mut store, time, 1000)), [0, 0, 1]);
    }

    proptest! {
        #[test]
        fn two_gateways_that_write_in_any_order_reach_the_same_sum(
            spends in prop::collection::vec((any::<bool>(), 0u64..100, 0u64..50), 0..40), order: bool) {
            let mut books = [Book::new(LIMITS, []), Book::new(LIMITS, [])];
            let mut sum = (0, 0);
            for (which, tokens, cost) in spends {
                let book = &mut books[usize::from(which)];
                if let Ok(held) = book.admit(at(0), &anna(), tokens, cost) {
                    book.settle(at(0), held, tokens, cost);
                    sum = (sum.0 + tokens, sum.1 + cost);
                }
            }
            let mut store = Account::default();
            let (first, second) = (usize::from(order), usize::from(!order));
            for which in [first, second] {
                for (_, used) in books[which].unwritten() {
                    store = store.with(&used, &LIMITS);
                }
            }
            prop_assert_eq!((store.tokens, store.micro_euro), sum);
        }

        #[test]
        fn however_requests_come_a_minute_has_no_more_than_twice_the_rate(
            waits in prop::collection::vec(0u64..20_000, 1..200)) {
            let mut book = Book::new(Limits { tokens_a_day: u64::MAX / 4, ..LIMITS }, []);
            let (mut now, mut let_in) = (at(0), Vec::new());
            for wait in waits {
                now = now + Duration::from_millis(wait);
                if let Ok(held) = book.admit(now, &anna(), 1, 0) {
                    book.settle(now, held, 1, 0);
                    let_in.push(now);
                }
                // Written at any moment, nothing changes.
                if wait % 3 == 0 {
                    let wrote = book.unwritten();
                    let sums: Vec<_> = wrote.iter().map(|(vehicle, used)| {
                        (vehicle.clone(), book.entries[vehicle].kept.with(used, &book.limits))
                    }).collect();
                    book.kept(&wrote, sums);
                }
            }
            for (index, from) in let_in.iter().enumerate() {
                let within = let_in[index..].iter().take_while(|when| when.since(*from) < Duration::from_secs(60)).count();
                prop_assert!(within <= 12, "{within} within a minute");
            }
        }
    }
}
