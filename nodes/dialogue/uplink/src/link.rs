//! What the link allows: whether anything goes, how much at once, and whether it costs.

use troika_kit::{Duration, Time};
use troika_msgs::troika::LinkState;

/// It is said five times a second; after so long of nothing, nothing is known.
pub const SILENT: Duration = Duration::from_secs(5);
/// A link whose round trip may be longer (90th percentile) is poor: a handshake of TLS takes three of them.
const SLOW_RTT_MS: f32 = 1500.0;
/// A link that may carry less (10th percentile) is poor: a batch of 16 KiB takes two seconds.
const SLOW_KBPS: f32 = 64.0;
/// Of exchanges, that may fail (90th percentile).
const LOSSY: f32 = 0.3;
/// An exchange that has stood so long may be the link's end.
const STALLED_S: f32 = 1.0;
/// What goes at once is what the link carries in so long, so that what is urgent never waits longer for what is not.
const AT_ONCE_S: f32 = 10.0;
/// At least so much goes at once: less would be mostly heads, bytes.
const LEAST: u64 = 16 << 10;
/// On a good link whose rate nobody has seen yet, bytes.
const UNSEEN: u64 = 256 << 10;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// There is none: nothing goes.
    Closed,
    /// It may do, or nothing is known of it: what somebody waits for goes, a little at once.
    Poor,
    /// It does.
    Good,
}

/// What may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// How good it is.
    pub quality: Quality,
    /// Whether bytes cost nothing. What the system does not tell costs.
    pub free: bool,
    /// How much goes at once, bytes.
    pub at_once: u64,
}

impl Way {
    /// Of what was heard last, and when that was.
    pub fn of(now: Time, heard: Option<&(Time, LinkState)>) -> Way {
        let heard = heard.filter(|(at, _)| now.since(*at) < SILENT).map(|(_, state)| state);
        let Some(link) = heard else {
            return Way { quality: Quality::Poor, free: false, at_once: LEAST };
        };
        let quality = match link.state {
            LinkState::DOWN => Quality::Closed,
            LinkState::UP if good(link) => Quality::Good,
            _ => Quality::Poor,
        };
        let carries = |kbps: f32| (kbps * 125.0 * AT_ONCE_S) as u64;
        let at_once = match quality {
            _ if link.up_low_kbps.is_finite() => carries(link.up_low_kbps).max(LEAST),
            Quality::Good => UNSEEN,
            Quality::Poor | Quality::Closed => LEAST,
        };
        Way { quality, free: link.metered == LinkState::METERED_NO, at_once }
    }

    /// Whether what nobody waits for goes too.
    pub fn easy(&self) -> bool {
        self.quality == Quality::Good && self.free
    }
}

/// Every exchange shows the round trip and the loss, so what is not known of them is not taken for good; a rate shows only when something large
/// was carried, so one that is not known says nothing.
fn good(link: &LinkState) -> bool {
    let slow = |kbps: f32| kbps < SLOW_KBPS;
    link.rtt_high_ms <= SLOW_RTT_MS
        && link.loss_high <= LOSSY
        && link.stall_s <= STALLED_S
        && !slow(link.up_low_kbps)
        && !slow(link.down_low_kbps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(1_000_000 + ms)
    }

    fn up() -> LinkState {
        LinkState {
            state: LinkState::UP,
            metered: LinkState::METERED_NO,
            rtt_ms: 60.0,
            rtt_high_ms: 120.0,
            loss_high: 0.1,
            down_low_kbps: f32::NAN,
            up_low_kbps: f32::NAN,
            ..LinkState::default()
        }
    }

    fn quality(link: LinkState) -> Quality {
        Way::of(at(0), Some(&(at(0), link))).quality
    }

    #[test]
    fn a_link_that_is_up_and_surely_quick_is_good() {
        assert_eq!(quality(up()), Quality::Good);
        assert!(Way::of(at(0), Some(&(at(0), up()))).easy());
    }

    #[test]
    fn what_is_uncertain_slow_lossy_or_stands_is_poor() {
        for link in [
            LinkState { rtt_high_ms: 1600.0, ..up() },
            LinkState { rtt_high_ms: f32::NAN, ..up() },
            LinkState { loss_high: 0.5, ..up() },
            LinkState { up_low_kbps: 20.0, ..up() },
            LinkState { down_low_kbps: 20.0, ..up() },
            LinkState { stall_s: 3.0, ..up() },
            LinkState { state: LinkState::UNKNOWN, ..up() },
        ] {
            assert_eq!(quality(link.clone()), Quality::Poor, "{link:?}");
        }
    }

    #[test]
    fn down_is_down_and_a_silent_estimator_is_nothing_known() {
        let down = LinkState { state: LinkState::DOWN, ..up() };
        assert_eq!(quality(down.clone()), Quality::Closed);
        let heard = (at(0), down);
        assert_eq!(Way::of(at(4999), Some(&heard)).quality, Quality::Closed);
        assert_eq!(Way::of(at(5000), Some(&heard)).quality, Quality::Poor);
        assert_eq!(Way::of(at(0), None), Way { quality: Quality::Poor, free: false, at_once: LEAST });
    }

    #[test]
    fn what_the_system_does_not_tell_costs() {
        for metered in [LinkState::METERED_UNKNOWN, LinkState::METERED_YES] {
            assert!(!Way::of(at(0), Some(&(at(0), LinkState { metered, ..up() }))).free);
        }
    }

    #[test]
    fn as_much_goes_at_once_as_the_link_surely_carries_in_ten_seconds() {
        let at_once = |kbps| Way::of(at(0), Some(&(at(0), LinkState { up_low_kbps: kbps, ..up() }))).at_once;
        assert_eq!(at_once(800.0), 1_000_000);
        assert_eq!(at_once(1.0), LEAST);
        assert_eq!(at_once(f32::NAN), UNSEEN);
    }
}
