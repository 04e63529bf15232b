//! How late messages come, where the sender's clock need not be ours: held against how soon they came when they came soonest.

use core::time::Duration;

use crate::time::Time;

/// Later than this by comparison is late; a stamp that lies back by more begins a new time line (SR-DMS-019), so nothing lies between.
pub const LATE: Duration = Duration::from_secs(1);
/// Two clocks that nobody keeps in step drift apart by less: 1,000 ppm is ten times a poor crystal's error.
const DRIFT: i128 = 1_000;

/// The messages of one sender.
#[derive(Debug, Clone, Default)]
pub struct Lateness {
    line: Option<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    /// Of the newest message.
    stamp: Time,
    /// When one was last held against the rest.
    heard: Time,
    /// From stamp to arrival at the soonest, ns; below zero where the sender's clock is ahead.
    soonest: i128,
}

impl Lateness {
    /// Whether a message that was stamped then and arrived then is late by more than [`LATE`]. The first of a time line is not.
    pub fn late(&mut self, stamp: Time, received: Time) -> bool {
        let took = i128::from(received.as_nanos()) - i128::from(stamp.as_nanos());
        let Some(line) = self.line.as_mut().filter(|line| stamp + LATE >= line.stamp) else {
            self.line = Some(Line { stamp, heard: received, soonest: took });
            return false;
        };
        let passed = received.since(line.heard).as_nanos() as i128;
        (line.stamp, line.heard) = (line.stamp.max(stamp), line.heard.max(received));
        let late = took - line.soonest > LATE.as_nanos() as i128;
        if !late {
            line.soonest = took.min(line.soonest + passed * DRIFT / 1_000_000);
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 33;

    fn at(ms: u64) -> Time {
        Time::from_nanos((100_000 + ms) * 1_000_000)
    }

    #[test]
    fn a_queue_on_the_way_is_late_for_as_long_as_it_stands_and_one_that_stands_still_too() {
        let mut lateness = Lateness::default();
        for frame in 0..90 {
            assert!(!lateness.late(at(frame * FRAME), at(frame * FRAME + 5)));
        }
        for frame in 90..180 {
            assert!(lateness.late(at(frame * FRAME), at(frame * FRAME + 1_100)), "{frame}");
        }
        assert!(!lateness.late(at(180 * FRAME), at(180 * FRAME + 900)));
        let stuck = at(181 * FRAME);
        let told: Vec<bool> = (0..60).map(|n| lateness.late(stuck, at((181 + n) * FRAME))).collect();
        assert_eq!(told.iter().position(|late| *late), Some(31), "a second and the 5 ms of the soonest");
    }

    #[test]
    fn a_clock_that_is_set_is_no_lateness_in_either_direction_nor_is_one_that_drifts() {
        for jump in [-90_000_i64, -1_100, 1_100, 90_000] {
            let mut lateness = Lateness::default();
            for frame in 0..300_u64 {
                let off = if frame < 100 { 0 } else { jump };
                let stamp = at((frame * FRAME + 95_000).checked_add_signed(off).expect("in range"));
                assert!(!lateness.late(stamp, at(frame * FRAME + 95_005)), "{jump} {frame}");
            }
        }
        let mut lateness = Lateness::default();
        // 100 ppm over six hours: 2 s.
        for second in 0..21_600_u64 {
            assert!(!lateness.late(at(second * 1_000 - second / 10), at(second * 1_000)));
        }
    }
}
