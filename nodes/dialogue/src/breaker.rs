//! A circuit breaker: who has failed several times is not asked for a while, then once. Time is an argument.

use troika_kit::{Duration, Time};

use crate::fault::Fault;

/// When the breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many failures in a row open it.
    pub failures: u32,
    /// It first stays open so long, then twice as long each time.
    pub first: Duration,
    /// Never longer than this, whatever the service asks for.
    pub longest: Duration,
    /// What a person must mend (402, 401, a certificate) is tried again after this.
    pub to_mend: Duration,
}

impl Default for Limits {
    /// Three failures; 2 s to 2 minutes; a minute where somebody has to do something.
    fn default() -> Self {
        Limits {
            failures: 3,
            first: Duration::from_secs(2),
            longest: Duration::from_secs(120),
            to_mend: Duration::from_secs(60),
        }
    }
}

/// Whether the service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Closed,
    /// Not before then.
    Open(Time),
    /// One request is on its way to find out.
    HalfOpen,
}

/// The breaker of one service.
#[derive(Debug, Clone)]
pub struct Breaker {
    limits: Limits,
    state: State,
    failures: u32,
    opened: u32,
}

impl Breaker {
    /// Closed.
    pub fn new(limits: Limits) -> Breaker {
        Breaker { limits, state: State::Closed, failures: 0, opened: 0 }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether a request may be made now. After an open time one may, and whoever asked makes it: its end must be told.
    pub fn ask(&mut self, now: Time) -> bool {
        match self.state {
            State::Closed => true,
            State::HalfOpen => false,
            State::Open(until) if now >= until => {
                self.state = State::HalfOpen;
                true
            }
            State::Open(_) => false,
        }
    }

    /// The service begins to answer: a trial has found out, and others need not wait for its end. One that breaks off is the last failure that
    /// it takes to open again, for as long as where the trial had failed.
    pub fn begun(&mut self) {
        if self.state == State::HalfOpen {
            self.state = State::Closed;
            self.failures = self.failures.max(self.limits.failures.saturating_sub(1));
        }
    }

    /// The service answered.
    pub fn succeeded(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
        self.opened = 0;
    }

    /// The request was ended by us before it was known how it goes: a trial is no trial then.
    pub fn left(&mut self, now: Time) {
        if self.state == State::HalfOpen {
            self.state = State::Open(now);
        }
    }

    /// What it may have failed for has been mended: who may ask after the open time may ask now. One that is on its way goes on.
    pub fn mended(&mut self, now: Time) {
        self.opened = 0;
        if let State::Open(until) = self.state {
            self.state = State::Open(until.min(now));
        }
    }

    /// The request failed.
    pub fn failed(&mut self, now: Time, fault: &Fault) {
        match fault {
            // Files are looked at before each question, and nobody is asked where they are not there.
            Fault::Cancelled | Fault::Files(_) => return self.left(now),
            // The service is there; this request is wrong.
            Fault::Refused { .. } => return self.succeeded(),
            Fault::PaymentRequired | Fault::Unauthorized(_) | Fault::Tls(_) => {
                self.state = State::Open(now + self.limits.to_mend);
                return;
            }
            _ => {}
        }
        self.failures = self.failures.saturating_add(1);
        let wait = fault.retry_after();
        let trial = self.state == State::HalfOpen;
        if wait.is_some() || trial || self.failures >= self.limits.failures {
            let own = self.limits.first.saturating_mul(1 << self.opened.min(16));
            let open = wait.map_or(own, |wait| wait.max(self.limits.first)).min(self.limits.longest);
            self.opened = self.opened.saturating_add(1);
            self.state = State::Open(now + open);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    fn reset() -> Fault {
        Fault::Reset("by peer".into())
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let mut breaker = Breaker::new(Limits::default());
        for _ in 0..2 {
            breaker.failed(at(0), &reset());
        }
        assert!(breaker.ask(at(1)));
        breaker.failed(at(1), &reset());
        assert!(!breaker.ask(at(2000)));
        assert!(breaker.ask(at(2001)), "one finds out");
        assert!(!breaker.ask(at(2001)), "the next does not");
        breaker.succeeded();
        assert!(breaker.ask(at(2002)));
    }

    #[test]
    fn each_failed_trial_doubles_the_wait_up_to_a_bound() {
        let mut breaker = Breaker::new(Limits::default());
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            breaker.failed(now, &reset());
            if let State::Open(until) = breaker.state() {
                waits.push(until.since(now).as_secs());
                now = until;
                assert!(breaker.ask(now));
            }
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 120, 120, 120, 120]);
    }

    #[test]
    fn retry_after_is_kept_to_at_the_first_time() {
        let mut breaker = Breaker::new(Limits::default());
        breaker.failed(at(0), &Fault::RateLimited { retry_after: Some(Duration::from_secs(7)) });
        assert!(!breaker.ask(at(6999)));
        assert!(breaker.ask(at(7000)));
    }

    #[test]
    fn a_service_cannot_shut_itself_out_for_a_day() {
        let mut breaker = Breaker::new(Limits::default());
        breaker.failed(at(0), &Fault::Server { status: 503, retry_after: Some(Duration::from_secs(86_400)) });
        assert!(breaker.ask(at(120_000)));
    }

    #[test]
    fn an_empty_account_is_not_asked_again_at_once() {
        let mut breaker = Breaker::new(Limits::default());
        breaker.failed(at(0), &Fault::PaymentRequired);
        assert!(!breaker.ask(at(59_999)));
        assert!(breaker.ask(at(60_000)));
    }

    #[test]
    fn what_is_mended_is_tried_at_once_and_by_one() {
        let mut breaker = Breaker::new(Limits::default());
        breaker.failed(at(0), &Fault::Unauthorized(403));
        assert!(!breaker.ask(at(10)));
        breaker.mended(at(10));
        assert!(breaker.ask(at(10)), "one finds out");
        assert!(!breaker.ask(at(10)), "the next does not");
        breaker.mended(at(11));
        assert_eq!(breaker.state(), State::HalfOpen, "whose end is to come");
        breaker.succeeded();
        breaker.mended(at(12));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn who_begins_to_answer_is_asked_by_others_and_breaking_off_opens_it_for_longer() {
        let mut breaker = Breaker::new(Limits::default());
        for _ in 0..3 {
            breaker.failed(at(0), &reset());
        }
        breaker.begun();
        assert_eq!(breaker.state(), State::Open(at(2000)), "one that was asked before");
        assert!(breaker.ask(at(2000)));
        breaker.begun();
        assert!(breaker.ask(at(2001)));
        breaker.failed(at(3000), &reset());
        assert_eq!(breaker.state(), State::Open(at(7000)));
        assert!(breaker.ask(at(7000)));
        breaker.begun();
        breaker.left(at(7500));
        assert_eq!(breaker.state(), State::Closed, "it has found out");
        breaker.succeeded();
        breaker.failed(at(8000), &reset());
        assert_eq!(breaker.state(), State::Closed, "one of three");
    }

    #[test]
    fn a_trial_that_the_driver_cut_short_is_made_again() {
        let mut breaker = Breaker::new(Limits { failures: 1, ..Limits::default() });
        breaker.failed(at(0), &reset());
        assert!(breaker.ask(at(2000)));
        breaker.left(at(2100));
        assert!(breaker.ask(at(2100)));
    }

    proptest! {
        #[test]
        fn it_never_stays_open_for_ever(steps in prop::collection::vec((0u8..5, 0u64..10_000), 1..60)) {
            let limits = Limits::default();
            let mut breaker = Breaker::new(limits);
            let mut now = at(0);
            for (what, later) in steps {
                now = now + Duration::from_millis(later);
                if breaker.ask(now) {
                    match what {
                        0 => breaker.succeeded(),
                        1 => breaker.failed(now, &reset()),
                        2 => breaker.failed(now, &Fault::PaymentRequired),
                        3 => breaker.failed(now, &Fault::RateLimited { retry_after: Some(Duration::from_millis(later * 60)) }),
                        _ => breaker.left(now),
                    }
                }
                if let State::Open(until) = breaker.state() {
                    prop_assert!(until <= now + limits.to_mend.max(limits.longest));
                }
                prop_assert!(breaker.state() != State::HalfOpen);
            }
        }
    }
}
