//! What the link was like on a stretch of road the last times. Bounded; what is old counts for less. It is a record of where the vehicle
//! went, and so never leaves it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use troika_kit::{Duration, Time};

use crate::estimator::{Estimate, LinkStatus};

/// Longer names of road segments are cut: the memory is bounded in bytes too.
const LONGEST_NAME: usize = 64;
/// A pass counts half after this: masts and tariffs change by the season.
const HALF_LIFE: Duration = Duration::from_secs(60 * 24 * 3600);
/// Within a pass, each second counts this much, so that one pass is worth about one visit however long it took.
const A_SECOND: f64 = 0.1;
const MOST_A_PASS: f64 = 1.0;
/// Less weight than this is as good as never having been there.
const LEAST: f64 = 0.05;
/// A later visit is another pass.
const A_PASS: Duration = Duration::from_secs(120);

/// What the link was like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Segment {
    /// Seconds since the epoch, of the last second here.
    seen_s: u64,
    visits: u16,
    /// Weight of what follows; it fades.
    weight: f64,
    /// Of that, the weight with a link.
    up: f64,
    /// Weighted sums of logarithms, and their weights: kbit/s down, ms of round trip.
    down: (f64, f64),
    rtt: (f64, f64),
    /// How much of this pass was counted.
    #[serde(default)]
    pass: f64,
}

/// What is remembered of the segment that the vehicle is on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recall {
    /// kbit/s down.
    pub down_kbps: Option<f64>,
    /// Round trip, ms.
    pub rtt_ms: Option<f64>,
    /// 0..1: how often there was a link.
    pub up: f64,
    /// Passes so far.
    pub visits: u16,
}

/// The memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    capacity: usize,
    segments: BTreeMap<String, Segment>,
}

impl Coverage {
    /// Remembers at most `capacity` segments; the one not seen for longest makes room.
    pub fn new(capacity: usize) -> Coverage {
        Coverage { capacity: capacity.max(1), segments: BTreeMap::new() }
    }

    /// Reads what [`Coverage::to_text`] wrote, to remember at most `capacity` segments.
    ///
    /// # Errors
    /// The text is none that this version wrote, with the line.
    pub fn from_text(text: &str, capacity: usize) -> Result<Coverage, toml::de::Error> {
        let mut read: Coverage = toml::from_str(text)?;
        read.capacity = capacity.max(1);
        // A file is an input like others: no number in it may make a belief that is none.
        read.segments.retain(|name, one| !name.is_empty() && name.len() <= LONGEST_NAME && one.is_sound());
        while read.segments.len() > read.capacity {
            read.forget_oldest();
        }
        Ok(read)
    }

    /// As text, for a file.
    pub fn to_text(&self) -> String {
        // Names and numbers only: there is nothing in it that TOML could not write.
        toml::to_string(self).unwrap_or_default()
    }

    /// One second on a segment. What is not known is not remembered.
    pub fn saw(&mut self, segment: &str, now: Time, link: &Estimate) {
        if segment.is_empty() || link.status == LinkStatus::Unknown {
            return;
        }
        let name = cut(segment);
        if !self.segments.contains_key(name) && self.segments.len() >= self.capacity {
            self.forget_oldest();
        }
        let now_s = now.as_nanos() / 1_000_000_000;
        let one = self.segments.entry(name.to_owned()).or_insert_with(|| Segment::new(now_s));
        let passed = Duration::from_secs(now_s.saturating_sub(one.seen_s));
        if one.visits == 0 || passed > A_PASS {
            one.fade(passed);
            one.visits = one.visits.saturating_add(1);
            one.pass = 0.0;
        }
        one.seen_s = one.seen_s.max(now_s);
        if one.pass >= MOST_A_PASS {
            return;
        }
        one.pass += A_SECOND;
        one.weight += A_SECOND;
        if link.status == LinkStatus::Up {
            one.up += A_SECOND;
            for (sum, range) in [(&mut one.down, link.down_kbps), (&mut one.rtt, link.rtt_ms)] {
                if let Some(range) = range {
                    sum.0 += A_SECOND * range.middle.ln();
                    sum.1 += A_SECOND;
                }
            }
        }
    }

    /// What is remembered of a segment; none where that is too little or too long ago.
    pub fn recall(&self, segment: &str, now: Time) -> Option<Recall> {
        let one = self.segments.get(cut(segment))?;
        let passed = Duration::from_secs((now.as_nanos() / 1_000_000_000).saturating_sub(one.seen_s));
        let mut faded = one.clone();
        faded.fade(passed);
        let mean = |(sum, weight): (f64, f64)| (weight > 0.0).then(|| (sum / weight).exp());
        (faded.weight >= LEAST).then(|| Recall {
            down_kbps: mean(one.down),
            rtt_ms: mean(one.rtt),
            up: (faded.up / faded.weight).clamp(0.0, 1.0),
            visits: one.visits,
        })
    }

    /// Segments remembered.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    fn forget_oldest(&mut self) {
        let oldest = self.segments.iter().min_by_key(|(_, one)| one.seen_s).map(|(name, _)| name.clone());
        oldest.map(|name| self.segments.remove(&name));
    }
}

impl Segment {
    fn new(now_s: u64) -> Segment {
        Segment {
            seen_s: now_s,
            visits: 0,
            weight: 0.0,
            up: 0.0,
            down: (0.0, 0.0),
            rtt: (0.0, 0.0),
            pass: 0.0,
        }
    }

    fn fade(&mut self, passed: Duration) {
        let left = (-passed.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2();
        let sums = [
            &mut self.weight,
            &mut self.up,
            &mut self.down.0,
            &mut self.down.1,
            &mut self.rtt.0,
            &mut self.rtt.1,
        ];
        sums.into_iter().for_each(|sum| *sum *= left);
    }

    fn is_sound(&self) -> bool {
        let weights = [self.weight, self.up, self.down.1, self.rtt.1, self.pass];
        let mean = |(sum, weight): (f64, f64)| weight == 0.0 || (sum / weight).abs() < 25.0;
        weights.iter().all(|weight| (0.0..1e6).contains(weight))
            && mean(self.down)
            && mean(self.rtt)
            && self.up <= self.weight
    }
}

/// At most so many bytes of a name, cut between characters.
fn cut(name: &str) -> &str {
    let end = (0..=name.len().min(LONGEST_NAME)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    &name[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimator::Range;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn link(status: LinkStatus, kbps: f64) -> Estimate {
        let down = Range { middle: kbps, low: kbps, high: kbps, trend: 0.0 };
        Estimate { status, down_kbps: Some(down), ..Estimate::default() }
    }

    fn pass(memory: &mut Coverage, segment: &str, start: Time, seen: &Estimate) {
        (0..20).for_each(|n| memory.saw(segment, start + Duration::from_secs(n), seen));
    }

    #[test]
    fn a_tunnel_is_remembered_and_a_pass_counts_as_one_however_slow() {
        let mut memory = Coverage::new(10);
        let start = Time::from_stamp(1_000_000, 0);
        pass(&mut memory, "tunnel", start, &link(LinkStatus::Down, 1.0));
        pass(&mut memory, "tunnel", start + DAY, &link(LinkStatus::Down, 1.0));
        pass(&mut memory, "tunnel", start + DAY * 2, &link(LinkStatus::Up, 500.0));
        let there = memory.recall("tunnel", start + DAY * 3).unwrap();
        assert!((0.3..0.4).contains(&there.up) && there.visits == 3, "{there:?}");
        assert!((there.down_kbps.unwrap() - 500.0).abs() < 1.0);
        assert_eq!(memory.recall("bridge", start), None);
    }

    #[test]
    fn what_was_long_ago_counts_less_and_in_the_end_not_at_all() {
        let mut memory = Coverage::new(10);
        let start = Time::from_stamp(1_000_000, 0);
        pass(&mut memory, "hill", start, &link(LinkStatus::Up, 2_000.0));
        pass(&mut memory, "hill", start + DAY * 180, &link(LinkStatus::Down, 1.0));
        assert!(memory.recall("hill", start + DAY * 181).unwrap().up < 0.2);
        assert_eq!(memory.recall("hill", start + DAY * 900), None);
    }

    #[test]
    fn nothing_is_remembered_of_a_link_that_is_not_known() {
        let mut memory = Coverage::new(10);
        pass(&mut memory, "hill", Time::from_stamp(1, 0), &link(LinkStatus::Unknown, 2_000.0));
        assert!(memory.is_empty());
    }

    #[test]
    fn the_segment_not_seen_for_longest_makes_room() {
        let mut memory = Coverage::new(2);
        for (n, name) in ["a", "b", "a", "c"].into_iter().enumerate() {
            pass(&mut memory, name, Time::from_stamp(1_000 * (n as i32 + 1), 0), &link(LinkStatus::Up, 1.0));
        }
        let now = Time::from_stamp(5_000, 0);
        assert!(memory.recall("a", now).is_some() && memory.recall("b", now).is_none());
    }

    #[test]
    fn a_file_of_another_version_is_refused_with_its_line_and_numbers_that_cannot_be_are_left_out() {
        let mut memory = Coverage::new(4);
        pass(&mut memory, "hill \"7\"", Time::from_stamp(1_000, 0), &link(LinkStatus::Up, 900.0));
        let text = memory.to_text();
        assert_eq!(Coverage::from_text(&text, 4).unwrap(), memory);
        let refused = Coverage::from_text("capacity = 4\nsegmnts = 3\n", 4).unwrap_err().to_string();
        assert!(refused.contains("segmnts") && refused.contains("line 2"), "{refused}");
        let odd = text.replace("weight = ", "weight = -");
        assert!(Coverage::from_text(&odd, 4).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn it_stays_bounded_and_its_shares_are_shares(
            visits in prop::collection::vec(("\\PC{0,80}", any::<u64>(), any::<bool>()), 0..200),
            now in any::<u64>(),
        ) {
            let mut memory = Coverage::new(8);
            for (name, then, up) in &visits {
                let status = if *up { LinkStatus::Up } else { LinkStatus::Down };
                memory.saw(name, Time::from_nanos(*then), &link(status, 300.0));
            }
            prop_assert!(memory.len() <= 8);
            for (name, ..) in &visits {
                if let Some(there) = memory.recall(name, Time::from_nanos(now)) {
                    prop_assert!((0.0..=1.0).contains(&there.up) && there.visits > 0);
                }
            }
        }
    }
}
