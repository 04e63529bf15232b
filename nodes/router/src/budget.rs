//! What the cloud may cost a day, in bytes and in money. What is decided is reserved; what it took in the end is settled.

use troika_kit::{Duration, Time};

/// A day; from the first charge, not from midnight: the vehicle may be anywhere.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Requests under way at once that are kept apart; more are charged as reserved and not settled.
const UNDER_WAY: usize = 64;

/// What something costs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Both ways, with what the protocols add.
    pub bytes: f64,
    /// Millionths of a euro.
    pub microeuro: f64,
}

/// What is left of the day.
#[derive(Debug, Clone)]
pub struct Ledger {
    limit: Cost,
    spent: Cost,
    since: Option<Time>,
    under_way: Vec<(String, Cost)>,
}

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Bytes.
    Bytes,
    /// Money.
    Money,
}

impl Ledger {
    /// So much a day.
    pub fn new(limit: Cost) -> Ledger {
        Ledger { limit, spent: Cost::default(), since: None, under_way: Vec::new() }
    }

    /// Whether so much can be paid.
    ///
    /// # Errors
    /// What there is too little of.
    pub fn can(&mut self, now: Time, cost: Cost) -> Result<(), Spent> {
        if self.since.is_some_and(|since| now.since(since) >= DAY) {
            (self.spent, self.since) = (Cost::default(), None);
        }
        if self.spent.bytes + cost.bytes > self.limit.bytes {
            return Err(Spent::Bytes);
        }
        if self.spent.microeuro + cost.microeuro > self.limit.microeuro {
            return Err(Spent::Money);
        }
        Ok(())
    }

    /// Reserves what a request is expected to take.
    pub fn reserve(&mut self, now: Time, request: &str, cost: Cost) {
        self.since.get_or_insert(now);
        self.add(cost, 1.0);
        if self.under_way.len() < UNDER_WAY {
            self.under_way.push((request.to_owned(), cost));
        }
    }

    /// What a request took in the end. Of one that was not reserved, nothing is settled: its costs are not this router's.
    pub fn settle(&mut self, request: &str, took: Cost) {
        if let Some(at) = self.under_way.iter().position(|(id, _)| id == request) {
            let (_, reserved) = self.under_way.swap_remove(at);
            self.add(reserved, -1.0);
            self.add(took, 1.0);
        }
    }

    /// Spent or reserved so far today.
    pub fn spent(&self) -> Cost {
        self.spent
    }

    fn add(&mut self, cost: Cost, sign: f64) {
        self.spent.bytes = (self.spent.bytes + sign * cost.bytes).max(0.0);
        self.spent.microeuro = (self.spent.microeuro + sign * cost.microeuro).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Cost = Cost { bytes: 10_000.0, microeuro: 300.0 };

    #[test]
    fn what_was_reserved_is_settled_and_the_next_day_begins_anew() {
        let start = Time::from_stamp(1_000, 0);
        let mut ledger = Ledger::new(Cost { bytes: 25_000.0, microeuro: 500.0 });
        assert_eq!(ledger.can(start, TURN), Ok(()));
        ledger.reserve(start, "a", TURN);
        assert_eq!(ledger.can(start, TURN), Err(Spent::Money));
        ledger.settle("a", Cost { bytes: 18_000.0, microeuro: 100.0 });
        ledger.settle("a", Cost { bytes: 1.0, microeuro: 1.0 });
        ledger.settle("somebody else's", TURN);
        assert_eq!(ledger.spent(), Cost { bytes: 18_000.0, microeuro: 100.0 });
        assert_eq!(ledger.can(start, TURN), Err(Spent::Bytes));
        assert_eq!(ledger.can(start + DAY, TURN), Ok(()));
    }

    #[test]
    fn a_day_is_one_of_24_hours_from_the_first_charge_and_a_limit_may_be_reached() {
        let start = Time::from_stamp(1_000, 0);
        let mut ledger = Ledger::new(Cost { bytes: 20_000.0, microeuro: 600.0 });
        ledger.reserve(start, "a", TURN);
        assert_eq!(ledger.can(start, TURN), Ok(()), "just what there is");
        ledger.reserve(start + Duration::from_secs(3_600), "b", TURN);
        assert_eq!(ledger.can(start, Cost { bytes: 1.0, microeuro: 0.0 }), Err(Spent::Bytes));
        assert_eq!(ledger.can(start, Cost { bytes: 0.0, microeuro: 1.0 }), Err(Spent::Money));
        let day = Duration::from_secs(86_400);
        assert_eq!(ledger.can(start + day - Duration::from_nanos(1), TURN), Err(Spent::Bytes));
        assert_eq!((ledger.can(start + day, TURN), ledger.spent()), (Ok(()), Cost::default()));
    }

    #[test]
    fn more_requests_under_way_than_are_kept_apart_are_charged_as_reserved() {
        let start = Time::from_stamp(1_000, 0);
        let mut ledger = Ledger::new(Cost { bytes: 1e9, microeuro: 1e9 });
        let one = Cost { bytes: 1.0, microeuro: 1.0 };
        (0..=UNDER_WAY).for_each(|n| ledger.reserve(start, &n.to_string(), one));
        let none = Cost::default();
        ledger.settle(&UNDER_WAY.to_string(), none);
        assert_eq!(ledger.spent().bytes, UNDER_WAY as f64 + 1.0, "the last is not known apart");
        ledger.settle(&(UNDER_WAY - 1).to_string(), none);
        assert_eq!(ledger.spent(), Cost { bytes: UNDER_WAY as f64, microeuro: UNDER_WAY as f64 });
        // What a day began with may be settled in the next: it gives nothing back that was not spent.
        ledger.can(start + DAY, one).expect("a new day");
        ledger.settle("0", none);
        assert_eq!(ledger.spent(), none);
    }
}
