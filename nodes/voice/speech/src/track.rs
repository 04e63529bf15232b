//! What the loudspeaker plays: samples go in as they are synthesised and come out as the sound card asks for them. Pure; it is
//! shared under a lock that is held for no longer than a copy.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};

/// A voice that is cut off between two samples clicks: it fades over this time.
pub const FADE: Duration = Duration::from_millis(5);
/// Synthesis runs ahead by so much and then waits.
const AHEAD: Duration = Duration::from_secs(4);
/// Of what was played, so much is kept for who wants to know; the oldest is dropped.
const KEPT: Duration = Duration::from_secs(1);

/// A piece of what was played.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// When its first sample leaves the loudspeaker.
    pub at: Time,
    /// Mono, -1..1, at the track's rate.
    pub samples: Vec<f32>,
}

/// One reply at a time, by its number.
#[derive(Debug)]
pub struct Track {
    rate: u32,
    queue: VecDeque<f32>,
    number: Option<u64>,
    complete: bool,
    said: VecDeque<u64>,
    played: VecDeque<Played>,
    kept: usize,
    first: Option<(u64, Time)>,
    gaps: u64,
    sounding: bool,
}

impl Track {
    /// Silent; of so many samples a second.
    pub fn new(rate: u32) -> Track {
        Track {
            rate,
            queue: VecDeque::new(),
            number: None,
            complete: false,
            said: VecDeque::new(),
            played: VecDeque::new(),
            kept: 0,
            first: None,
            gaps: 0,
            sounding: false,
        }
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Another sound card took over. What was to be played at the old rate is dropped, and the reply counts as said.
    pub fn set_rate(&mut self, rate: u32) {
        if rate != self.rate {
            self.end();
            self.queue.clear();
            self.rate = rate;
        }
    }

    /// A reply begins; what was played of another one fades out.
    pub fn begin(&mut self, number: u64) {
        self.cut();
        (self.number, self.complete, self.first) = (Some(number), false, None);
        self.sounding = false;
    }

    /// Whether this reply is still wanted.
    pub fn wants(&self, number: u64) -> bool {
        self.number == Some(number)
    }

    /// Whether there is room for more of it.
    pub fn has_room(&self) -> bool {
        self.queue.len() < self.samples(AHEAD)
    }

    /// Samples of the reply, at this track's rate; those of another reply are dropped.
    pub fn push(&mut self, number: u64, samples: &[f32]) {
        if self.wants(number) {
            self.queue.extend(
                samples.iter().map(|sample| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }),
            );
        }
    }

    /// No more comes of the reply: it is said when what there is has been played.
    pub fn complete(&mut self, number: u64) {
        if self.wants(number) {
            self.complete = true;
            if self.queue.is_empty() {
                self.end();
            }
        }
    }

    /// Silence, but for [`FADE`] of what was next.
    pub fn cut(&mut self) {
        let fade = if self.sounding { self.samples(FADE) } else { 0 };
        self.queue.truncate(fade);
        let length = self.queue.len() as f32;
        for (index, sample) in self.queue.iter_mut().enumerate() {
            *sample *= 1.0 - (index + 1) as f32 / length;
        }
        (self.number, self.complete) = (None, false);
    }

    /// Fills `out` with what comes next, whose first sample leaves the loudspeaker at `at`; with silence where there is nothing.
    /// Gives whether there was anything.
    pub fn pull(&mut self, out: &mut [f32], at: Time) -> bool {
        let count = out.len().min(self.queue.len());
        for (to, sample) in out.iter_mut().zip(self.queue.drain(..count)) {
            *to = sample;
        }
        out[count..].fill(0.0);
        let waits = self.number.is_some() && !self.complete;
        if count < out.len() && waits && self.sounding {
            self.gaps += 1;
        }
        if count > 0 {
            if let Some(number) = self.number
                && self.first.is_none()
            {
                self.first = Some((number, at));
            }
            self.keep(at, &out[..count]);
        }
        self.sounding = count == out.len() || (count > 0 && waits);
        if self.complete && self.queue.is_empty() {
            self.end();
        }
        count > 0
    }

    /// The reply that was said to its end since the last call.
    pub fn said(&mut self) -> Option<u64> {
        self.said.pop_front()
    }

    /// What was played since the last call, oldest first.
    pub fn played(&mut self) -> Option<Played> {
        let played = self.played.pop_front()?;
        self.kept -= played.samples.len();
        Some(played)
    }

    /// The reply that is being played, and when its first sample left the loudspeaker.
    pub fn first(&self) -> Option<(u64, Time)> {
        self.first
    }

    /// Times that the loudspeaker fell silent because the synthesis was behind.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    fn end(&mut self) {
        if let Some(number) = self.number.take() {
            self.said.push_back(number);
        }
        (self.complete, self.sounding) = (false, false);
    }

    fn keep(&mut self, at: Time, samples: &[f32]) {
        self.kept += samples.len();
        self.played.push_back(Played { at, samples: samples.to_vec() });
        while self.kept > self.samples(KEPT) {
            let Some(oldest) = self.played.pop_front() else { break };
            self.kept -= oldest.samples.len();
        }
    }

    fn samples(&self, time: Duration) -> usize {
        (time.as_secs_f64() * f64::from(self.rate)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Time = Time::from_nanos(1_000_000_000);

    fn pull(track: &mut Track, count: usize) -> Vec<f32> {
        let mut out = vec![9.0; count];
        track.pull(&mut out, AT);
        out
    }

    #[test]
    fn what_is_pushed_comes_out_in_order_and_then_the_reply_is_said() {
        let mut track = Track::new(1_000);
        track.begin(7);
        track.push(7, &[0.1, 0.2, 0.3]);
        track.push(6, &[0.9]);
        assert_eq!(pull(&mut track, 2), [0.1, 0.2]);
        track.complete(7);
        assert_eq!(track.said(), None);
        assert_eq!(pull(&mut track, 3), [0.3, 0.0, 0.0]);
        assert_eq!((track.said(), track.said()), (Some(7), None));
        assert_eq!(track.first(), Some((7, AT)));
        let kept: Vec<f32> =
            std::iter::from_fn(|| track.played()).flat_map(|played| played.samples).collect();
        assert_eq!(kept, [0.1, 0.2, 0.3]);
    }

    #[test]
    fn a_cut_fades_within_5_ms_and_nothing_comes_after() {
        let mut track = Track::new(1_000);
        track.begin(1);
        track.push(1, &[1.0; 500]);
        assert_eq!(pull(&mut track, 10), [1.0; 10]);
        track.cut();
        assert!(!track.wants(1));
        track.push(1, &[1.0; 500]);
        let out = pull(&mut track, 10);
        assert!(out[..5].windows(2).all(|pair| pair[0] > pair[1]), "{out:?}");
        assert_eq!(out[4..], [0.0; 6]);
        track.complete(1);
        assert_eq!(track.said(), None, "it was not said to its end");
    }

    #[test]
    fn nothing_of_a_reply_that_was_not_heard_yet_is_heard_after_its_cut() {
        let mut track = Track::new(1_000);
        track.begin(1);
        track.push(1, &[1.0; 500]);
        track.cut();
        assert_eq!(pull(&mut track, 10), [0.0; 10]);
    }

    #[test]
    fn a_reply_without_samples_is_said_at_once_and_synthesis_that_is_behind_is_counted() {
        let mut track = Track::new(1_000);
        track.begin(1);
        track.complete(1);
        assert_eq!(track.said(), Some(1));
        track.begin(2);
        assert_eq!(pull(&mut track, 10), [0.0; 10]);
        assert_eq!(track.gaps(), 0, "it has not begun");
        track.push(2, &[1.0; 15]);
        pull(&mut track, 10);
        pull(&mut track, 10);
        assert_eq!(track.gaps(), 1);
    }

    #[test]
    fn it_is_bounded_and_what_is_no_number_is_silence() {
        let mut track = Track::new(1_000);
        track.begin(1);
        track.push(1, &[f32::NAN, 7.0, f32::NEG_INFINITY]);
        assert_eq!(pull(&mut track, 3), [0.0, 1.0, 0.0]);
        track.push(1, &vec![0.5; 4_000]);
        assert!(!track.has_room());
        pull(&mut track, 4_000);
        assert!(track.has_room());
        assert!(track.kept <= 1_000, "{}", track.kept);
        track.set_rate(2_000);
        assert_eq!((track.said(), track.rate()), (Some(1), 2_000));
    }
}
