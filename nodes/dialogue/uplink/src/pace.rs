//! How much goes in a minute, and how long nothing goes after a failure.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};

/// What a minute is here.
const MINUTE: Duration = Duration::from_secs(60);

/// At most so many bytes in any minute.
#[derive(Debug, Clone)]
pub struct Window {
    most: u64,
    sent: VecDeque<(Time, u64)>,
    sum: u64,
}

impl Window {
    /// So many bytes.
    pub fn new(most: u64) -> Window {
        Window { most, sent: VecDeque::new(), sum: 0 }
    }

    /// What may go now, bytes.
    pub fn left(&mut self, now: Time) -> u64 {
        while let Some((at, bytes)) = self.sent.front().copied()
            && now.since(at) >= MINUTE
        {
            self.sent.pop_front();
            self.sum -= bytes;
        }
        self.most.saturating_sub(self.sum)
    }

    /// So much went.
    pub fn spend(&mut self, now: Time, bytes: u64) {
        self.sent.push_back((now, bytes));
        self.sum += bytes;
    }
}

/// After a failure nothing goes for a while that doubles, or for as long as the gateway asks for, and never for longer than the longest: a page of a
/// balancer that says a day must not stop what somebody waits for.
#[derive(Debug, Clone)]
pub struct Pause {
    first: Duration,
    longest: Duration,
    next: Duration,
    until: Time,
    /// When it may be tried again where somebody waits.
    soonest: Time,
    /// Until when the gateway itself asked for it.
    asked: Time,
}

impl Pause {
    /// From the first to the longest.
    pub fn new(first: Duration, longest: Duration) -> Pause {
        Pause { first, longest, next: first, until: Time::ZERO, soonest: Time::ZERO, asked: Time::ZERO }
    }

    /// Until when nothing goes.
    pub fn until(&self) -> Time {
        self.until
    }

    /// It went well.
    pub fn over(&mut self) {
        self.next = self.first;
    }

    /// It failed, and the gateway asked for this.
    pub fn begin(&mut self, now: Time, asked: Option<Duration>) {
        self.asked = self.asked.max(now + asked.unwrap_or_default().min(self.longest));
        self.until = self.asked.max(now + self.next);
        self.soonest = self.asked.max(now + self.first);
        self.next = self.next.saturating_mul(2).min(self.longest);
    }

    /// Somebody waits: it is tried again as soon as after a first failure. Not before what the gateway asked for, and not where somebody has to mend
    /// something.
    pub fn wanted(&mut self) {
        self.until = self.until.min(self.soonest);
    }

    /// There is a link again: what was failing may have been that. What the gateway asked for stays.
    pub fn lift(&mut self) {
        self.next = self.first;
        self.until = self.until.min(self.asked);
    }

    /// Somebody has mended what they were asked to: nothing of the waiting holds, what the gateway asked of who came before included.
    pub fn mended(&mut self, now: Time) {
        (self.next, self.asked, self.until) = (self.first, now, self.until.min(now));
    }

    /// It cannot go well before somebody mends something.
    pub fn begin_longest(&mut self, now: Time) {
        self.until = now + self.longest;
        self.soonest = self.until;
        self.next = self.longest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Time {
        Time::ZERO + Duration::from_secs(1_000_000 + s)
    }

    #[test]
    fn what_went_counts_for_a_minute_to_the_moment() {
        let mut window = Window::new(100);
        window.spend(at(0), 60);
        window.spend(at(10), 40);
        assert_eq!(window.left(at(59)), 0);
        assert_eq!(window.left(at(60)), 60);
        assert_eq!(window.left(at(69)), 60);
        assert_eq!(window.left(at(70)), 100);
    }

    #[test]
    fn who_waits_is_served_a_first_pause_after_the_last_failure_and_not_where_something_is_to_be_mended() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(300));
        (0..5).for_each(|n| pause.begin(at(n * 20), None));
        assert_eq!(pause.until(), at(96));
        pause.wanted();
        assert_eq!(pause.until(), at(81));
        pause.wanted();
        assert_eq!(pause.until(), at(81));
        pause.begin(at(90), Some(Duration::from_secs(30)));
        pause.wanted();
        assert_eq!(pause.until(), at(120), "what was asked for stays");
        pause.begin_longest(at(130));
        pause.wanted();
        assert_eq!(pause.until(), at(430));
    }

    #[test]
    fn nobody_asks_for_more_than_the_longest() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(300));
        pause.begin(at(0), Some(Duration::from_secs(86_400)));
        pause.wanted();
        pause.lift();
        assert_eq!(pause.until(), at(300));
    }

    #[test]
    fn a_pause_doubles_to_the_longest_and_is_no_shorter_than_asked_for() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(100));
        let mut lasts = |asked: Option<u64>| {
            pause.begin(at(0), asked.map(Duration::from_secs));
            pause.until().since(at(0)).as_secs()
        };
        assert_eq!((lasts(None), lasts(None), lasts(None), lasts(Some(90))), (1, 2, 4, 90));
        assert_eq!([lasts(None), lasts(None), lasts(None), lasts(None)], [90, 90, 90, 100]);
        pause.lift();
        assert_eq!(pause.until(), at(90), "what was asked for stays");
        pause.over();
        pause.begin(at(100), None);
        assert_eq!(pause.until(), at(101));
        pause.lift();
        assert!(pause.until() <= at(100));
        pause.begin(at(100), Some(Duration::from_secs(90)));
        pause.begin_longest(at(100));
        pause.mended(at(101));
        assert_eq!(pause.until(), at(101), "others are known by other files");
    }
}
