//! The clock of one condition, and sums over a sliding window. Time is what the frames' stamps say.

use core::time::Duration;
use std::collections::VecDeque;

use troika_kit::Time;

/// Whether a condition holds in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Yes,
    No,
    Unknown,
}

impl From<bool> for Is {
    fn from(holds: bool) -> Is {
        if holds { Is::Yes } else { Is::No }
    }
}

/// Frames without usable face or eyes are bridged for this long: the excursion of EU 2023/2590.
pub(crate) const UNKNOWN_BRIDGED: Duration = Duration::from_millis(300);

/// Stamps are rounded to nanoseconds, 30 Hz is no whole number of them, and a peer may add up 33,333,333 ns: after ten
/// minutes it is 6 us short. A limit is reached this much early rather than a frame late.
const STAMP_ROUNDING: Duration = Duration::from_micros(10);

pub(crate) fn reached(elapsed: Duration, limit: Duration) -> bool {
    elapsed + STAMP_ROUNDING >= limit
}

fn over(elapsed: Duration, bridge: Duration) -> bool {
    elapsed > bridge + STAMP_ROUNDING
}

/// What an update did to a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Change {
    /// It began anew in this frame.
    pub(crate) started: bool,
    /// The condition was seen not to hold for longer than is bridged. Never set by unknown frames alone.
    pub(crate) left: bool,
}

/// How long a condition has held, excursions bridged.
#[derive(Debug, Clone)]
pub(crate) struct Timer {
    bridge: Duration,
    since: Option<Time>,
    /// First frame of the excursion.
    out: Option<Time>,
    /// First frame of the excursion in which the condition was seen not to hold.
    no: Option<Time>,
}

impl Timer {
    pub(crate) fn new(bridge: Duration) -> Timer {
        Timer { bridge, since: None, out: None, no: None }
    }

    /// Takes a frame. `onset` is when the condition began if this frame starts the timer.
    pub(crate) fn update(&mut self, now: Time, is: Is, onset: Time) -> Change {
        let mut change = Change::default();
        if is == Is::Yes {
            let broken = self.out.is_some_and(|out| over(now.since(out), self.bridged()));
            change.left = broken && self.no.is_some();
            if self.since.is_none() || broken {
                self.since = Some(onset);
                change.started = true;
            }
            (self.out, self.no) = (None, None);
            return change;
        }
        let out = *self.out.get_or_insert(now);
        if is == Is::No {
            let no = *self.no.get_or_insert(now);
            change.left = over(now.since(no), self.bridge);
        }
        if over(now.since(out), self.bridged()) {
            self.since = None;
        }
        change
    }

    /// How long it has held, if it does.
    pub(crate) fn elapsed(&self, now: Time) -> Option<Duration> {
        self.since.map(|since| now.since(since))
    }

    /// Starts over from `now` if it runs.
    pub(crate) fn restart(&mut self, now: Time) {
        self.since = self.since.map(|_| now);
    }

    pub(crate) fn reset(&mut self) {
        (self.since, self.out, self.no) = (None, None, None);
    }

    fn bridged(&self) -> Duration {
        troika_safety::fulfils![SR_DMS_016, SR_DMS_017];
        // Not seeing is told apart from seeing that it is over.
        if self.no.is_some() { self.bridge } else { self.bridge.max(UNKNOWN_BRIDGED) }
    }
}

/// The sum of stretches of time within the last `span`. Allocates at `new` only; when it is full, the newest stretches are
/// joined, which counts what lies between them.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    span: Duration,
    stretches: VecDeque<(Time, Time)>,
    sum: Duration,
}

/// Stretches held: every second frame of 60 s at 60 Hz, and some more.
const STRETCHES: usize = 2048;

impl Window {
    pub(crate) fn new(span: Duration) -> Window {
        Window { span, stretches: VecDeque::with_capacity(STRETCHES), sum: Duration::ZERO }
    }

    /// Adds a stretch; it begins where the one before ended, or later.
    pub(crate) fn add(&mut self, from: Time, to: Time) {
        let full = self.stretches.len() == STRETCHES;
        if let Some((_, end)) = self.stretches.back_mut()
            && (full || from <= *end)
        {
            self.sum += to.since(*end);
            *end = to.max(*end);
        } else if to > from {
            self.sum += to.since(from);
            self.stretches.push_back((from, to));
        }
    }

    /// The sum over the last `span`.
    pub(crate) fn total(&mut self, now: Time) -> Duration {
        let start = now - self.span;
        while let Some((from, to)) = self.stretches.front().copied() {
            if to > start {
                // The oldest may reach out of the window.
                return self.sum - start.since(from);
            }
            self.sum -= to.since(from);
            self.stretches.pop_front();
        }
        self.sum
    }

    pub(crate) fn clear(&mut self) {
        self.stretches.clear();
        self.sum = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn fed(timer: &mut Timer, frames: impl IntoIterator<Item = (u64, Is)>) -> Change {
        frames.into_iter().map(|(t, is)| timer.update(at(t), is, at(t))).last().unwrap_or_default()
    }

    #[test]
    fn an_excursion_of_exactly_the_bridge_is_bridged_and_a_longer_one_is_not() {
        let mut timer = Timer::new(ms(300));
        fed(&mut timer, [(0, Is::Yes), (1000, Is::No), (1300, Is::Yes)]);
        assert_eq!(timer.elapsed(at(1300)), Some(ms(1300)));
        let mut timer = Timer::new(ms(300));
        let change = fed(&mut timer, [(0, Is::Yes), (1000, Is::No), (1301, Is::Yes)]);
        assert_eq!(timer.elapsed(at(1301)), Some(ms(0)));
        assert_eq!(change, Change { started: true, left: true });
    }

    #[test]
    fn not_seeing_ends_a_timer_but_never_says_that_the_condition_is_over() {
        let mut timer = Timer::new(ms(100));
        let frames = (0..10).map(|n| (n * 100, if n < 5 { Is::Yes } else { Is::Unknown }));
        assert_eq!(fed(&mut timer, frames), Change::default());
        assert_eq!(timer.elapsed(at(900)), None);
        assert_eq!(fed(&mut timer, [(1000, Is::Yes)]), Change { started: true, left: false });
    }

    #[test]
    fn stamps_that_lose_a_third_of_a_nanosecond_a_frame_do_not_cost_a_frame() {
        assert!(reached(Duration::from_nanos(105 * 33_333_333), ms(3500)));
        assert!(!reached(Duration::from_nanos(104 * 33_333_333), ms(3500)));
    }

    #[test]
    fn an_excursion_over_the_bridge_by_what_stamps_are_rounded_by_is_bridged() {
        for (over, since) in [(0, at(0)), (1, at(1000) + ms(300) + STAMP_ROUNDING + Duration::from_nanos(1))]
        {
            let mut timer = Timer::new(ms(300));
            fed(&mut timer, [(0, Is::Yes), (1000, Is::No)]);
            let back = at(1000) + ms(300) + STAMP_ROUNDING + Duration::from_nanos(over);
            timer.update(back, Is::Yes, back);
            assert_eq!(timer.since, Some(since), "{over} ns more");
        }
    }

    #[test]
    fn a_stretch_of_no_time_takes_no_room() {
        let mut window = Window::new(ms(1000));
        window.add(at(5), at(5));
        assert!(window.stretches.is_empty());
    }

    #[test]
    fn a_full_window_joins_rather_than_grows() {
        let mut window = Window::new(Duration::from_secs(3600));
        (0..10_000).for_each(|n| window.add(at(n * 10), at(n * 10 + 5)));
        assert_eq!(window.stretches.len(), STRETCHES);
        assert!(window.total(at(100_000)) >= ms(50_000));
    }

    proptest! {
        #[test]
        fn a_window_sums_what_a_plain_count_of_milliseconds_sums(steps in prop::collection::vec((1u64..200, any::<bool>()), 1..200)) {
            let mut window = Window::new(ms(1000));
            let mut marked = Vec::new();
            for (length, counts) in steps {
                let from = marked.len() as u64;
                marked.extend(std::iter::repeat_n(counts, length as usize));
                let to = marked.len() as u64;
                if counts {
                    window.add(at(from), at(to));
                }
                let plain = marked[marked.len().saturating_sub(1000)..].iter().filter(|counts| **counts).count();
                prop_assert_eq!(window.total(at(to)), ms(plain as u64));
            }
        }
    }
}
