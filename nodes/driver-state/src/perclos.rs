//! PERCLOS (P80): the share of time over the last 60 s in which the eyes are at least 80 % closed, blinks excluded
//! (Wierwille et al. 1994; Dinges and Grace 1998).
//!
//! Time is kept in 600 slots of 0.1 s. A closure counts from its beginning once it is longer than a blink, and not at all
//! before. There is a figure only when a minute has passed and the eyes were seen for 42 s of the last one.

use troika_kit::Time;

/// Slots of [`SLOT_NS`]: 60 s.
const SLOTS: usize = 600;
const SLOT_NS: u64 = 100_000_000;
/// At least 80 % closed.
const CLOSED: f32 = 0.2;
/// Seen for less than this (seconds of the last 60) says too little: 70 %.
const ENOUGH_S: f32 = 42.0;

/// The window.
#[derive(Debug)]
pub struct Perclos {
    seen: Box<[f32; SLOTS]>,
    closed: Box<[f32; SLOTS]>,
    first: Option<u64>,
    slot: u64,
    pending_s: f32,
}

impl Default for Perclos {
    fn default() -> Self {
        Perclos::new()
    }
}

impl Perclos {
    /// An empty window.
    pub fn new() -> Perclos {
        Perclos {
            seen: Box::new([0.0; SLOTS]),
            closed: Box::new([0.0; SLOTS]),
            first: None,
            slot: 0,
            pending_s: 0.0,
        }
    }

    /// Takes in a frame that shows the eyes, `step` seconds after the one before; the figure now.
    pub fn push(&mut self, now: Time, step: f32, openness: f32, blink_s: f32) -> Option<f32> {
        /// A longer gap between frames (seconds) is time not seen.
        const MAX_STEP_S: f32 = 0.2;
        let step = step.min(MAX_STEP_S);
        let at = self.advance(now);
        self.seen[at] += step;
        if openness < CLOSED {
            self.pending_s += step;
            if self.pending_s > blink_s {
                // What is already counted stays: only the part that waited is added.
                self.closed[at] += if self.pending_s - step > blink_s { step } else { self.pending_s };
            }
        } else {
            self.pending_s = 0.0;
        }
        self.value(now)
    }

    /// Takes in a frame that does not show the eyes; the figure now.
    pub fn unseen(&mut self, now: Time) -> Option<f32> {
        self.advance(now);
        self.pending_s = 0.0;
        self.value(now)
    }

    fn advance(&mut self, now: Time) -> usize {
        let slot = now.as_nanos() / SLOT_NS;
        if self.first.is_none() {
            self.first = Some(slot);
            self.slot = slot;
        }
        for passed in 1..=slot.saturating_sub(self.slot).min(SLOTS as u64) {
            let at = ((self.slot + passed) % SLOTS as u64) as usize;
            self.seen[at] = 0.0;
            self.closed[at] = 0.0;
        }
        self.slot = slot;
        (slot % SLOTS as u64) as usize
    }

    fn value(&self, now: Time) -> Option<f32> {
        let minute = self.first.is_some_and(|first| now.as_nanos() / SLOT_NS >= first + SLOTS as u64);
        let seen: f32 = self.seen.iter().sum();
        let closed: f32 = self.closed.iter().sum();
        (minute && seen >= ENOUGH_S).then(|| (closed / seen).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f32 = 1.0 / 30.0;

    fn run(seconds: u64, openness: impl Fn(u64) -> Option<f32>) -> Option<f32> {
        let mut perclos = Perclos::new();
        let mut last = None;
        for frame in 0..seconds * 30 {
            let now = Time::from_nanos(1_700_000_000_000_000_000 + frame * 1_000_000_000 / 30);
            last = match openness(frame) {
                Some(openness) => perclos.push(now, STEP, openness, 0.4),
                None => perclos.unseen(now),
            };
        }
        last
    }

    #[test]
    fn there_is_no_figure_before_a_minute() {
        assert_eq!(run(59, |_| Some(1.0)), None);
        assert_eq!(run(61, |_| Some(1.0)), Some(0.0));
    }

    #[test]
    fn blinks_do_not_count() {
        assert_eq!(run(70, |frame| Some(if frame % 60 < 9 { 0.0 } else { 1.0 })), Some(0.0));
    }

    #[test]
    fn closures_count_from_their_beginning() {
        // 1 s closed in every 5 s.
        let share = run(120, |frame| Some(if frame % 150 < 30 { 0.0 } else { 1.0 })).expect("enough");
        assert!((share - 0.2).abs() < 0.01, "{share}");
    }

    #[test]
    fn a_minute_mostly_unseen_has_no_figure() {
        assert_eq!(run(120, |frame| (frame % 30 < 15).then_some(0.0)), None);
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten() {
        let share = run(130, |frame| Some(if frame < 30 * 30 { 0.0 } else { 1.0 })).expect("enough");
        assert_eq!(share, 0.0);
    }
}
