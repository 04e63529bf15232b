//! Blinks to evidence: the calibration, the window of thirty blinks, the head's score.

use std::collections::VecDeque;

use troika_kit::{Duration, Fault, Time};

use crate::{
    Evidence, Says,
    baseline::Baseline,
    blink::{Blink, Blinks},
    seconds,
};

/// Blinks that the head sees at once.
pub const WINDOW: usize = 30;
/// Numbers of each: duration and velocity of the reopening, in the driver's own deviations.
pub const FEATURES: usize = 2;
/// A window that reaches back further than this tells of the past: the length of the videos that the head was trained on.
const LONGEST: Duration = Duration::from_secs(600);
/// Evidence is never surer than this: the head is right for most people, not for all.
const MOST_SURE: f32 = 0.9;
/// A window that is seen for less than this share of its time says nothing: the blinks that were missed are not random.
const LEAST_SEEN: f32 = 0.5;

/// The network that scores a window, in order of time.
pub trait Head: Send {
    /// The logarithm of the odds that the driver is drowsy, at even priors.
    ///
    /// # Errors
    /// [`Fault::Model`] when the network fails or gives no number.
    fn log_odds(&mut self, blinks: &[[f32; FEATURES]; WINDOW]) -> Result<f32, Fault>;
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    blink: Blink,
    features: [f32; FEATURES],
    /// Seconds in which the eyes had been seen when it ended.
    seen_s: f32,
}

/// The blinks of one driver.
pub struct BlinkWatch {
    head: Option<Box<dyn Head>>,
    blinks: Blinks,
    baseline: Baseline,
    /// `Blinks::seen_s` when the calibration began.
    began_s: f32,
    window: VecDeque<Seen>,
    score: Option<f32>,
    /// When a frame last showed the eyes, on the host's time line.
    last_seen: Option<Time>,
}

impl BlinkWatch {
    /// A watch that knows nobody yet. Without a head it says nothing.
    pub fn new(head: Option<Box<dyn Head>>) -> BlinkWatch {
        BlinkWatch {
            head,
            blinks: Blinks::default(),
            baseline: Baseline::default(),
            began_s: 0.0,
            window: VecDeque::with_capacity(WINDOW),
            score: None,
            last_seen: None,
        }
    }

    /// Takes a frame: its stamp, when it reached this host, and the mean openness of the eyes that are seen.
    ///
    /// # Errors
    /// When the head fails.
    pub fn take(&mut self, stamp: Time, received: Time, openness: Option<f32>) -> Result<(), Fault> {
        if openness.is_some_and(f32::is_finite) {
            self.last_seen = Some(received);
        }
        let Some(blink) = self.blinks.take(stamp, openness) else { return Ok(()) };
        let seen_s = self.blinks.seen_s();
        let Some(features) = self.baseline.normalise(&blink) else {
            if self.baseline.is_ready() {
                return Ok(());
            }
            self.baseline.take(&blink, seen_s - self.began_s);
            if self.baseline.is_empty() {
                self.began_s = seen_s;
            }
            return Ok(());
        };
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(Seen { blink, features, seen_s });
        self.score = None;
        if let (Some(head), WINDOW) = (&mut self.head, self.window.len()) {
            let mut input = [[0.0; FEATURES]; WINDOW];
            for (slot, seen) in input.iter_mut().zip(&self.window) {
                *slot = seen.features;
            }
            self.score = Some(head.log_odds(&input)?);
        }
        Ok(())
    }

    /// What the blinks say.
    pub fn says(&self) -> Says {
        if self.head.is_none() {
            return Says::Nothing;
        }
        if !self.baseline.is_ready() {
            return match self.baseline.progress() {
                progress if progress > 0.0 => Says::Calibrating(progress),
                _ => Says::Nothing,
            };
        }
        self.evidence().map_or(Says::Nothing, Says::Evidence)
    }

    fn evidence(&self) -> Option<Evidence> {
        let (first, last) = (self.window.front()?, self.window.back()?);
        let span = seconds(first.blink.start, last.blink.end);
        if span <= 0.0 || span > LONGEST.as_secs_f32() {
            return None;
        }
        let share = ((last.seen_s - first.seen_s + first.blink.duration_s) / span).min(1.0);
        if share < LEAST_SEEN {
            return None;
        }
        Evidence::new(self.score?, MOST_SURE * share, self.last_seen?)
    }

    /// Blinks a minute and their mean duration (seconds) over the window, once it is full.
    pub fn figures(&self) -> Option<(f32, f32)> {
        let (first, last) = (self.window.front()?, self.window.back()?);
        let span = seconds(first.blink.start, last.blink.end);
        (self.window.len() == WINDOW && span > 0.0).then(|| {
            let sum: f32 = self.window.iter().map(|seen| seen.blink.duration_s).sum();
            (60.0 * (WINDOW - 1) as f32 / span, sum / WINDOW as f32)
        })
    }

    /// When the eyes were last seen, on the host's time line.
    pub fn last_seen(&self) -> Option<Time> {
        self.last_seen
    }

    /// Another driver may be there: everything that was learnt is forgotten.
    pub fn forget(&mut self) {
        self.blinks.reset();
        self.baseline = Baseline::default();
        self.began_s = 0.0;
        self.window.clear();
        self.score = None;
        self.last_seen = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says how many of the blinks are longer than two deviations, less ten.
    struct Counting;
    impl Head for Counting {
        fn log_odds(&mut self, blinks: &[[f32; FEATURES]; WINDOW]) -> Result<f32, Fault> {
            Ok(blinks.iter().filter(|[duration, _]| *duration > 2.0).count() as f32 - 10.0)
        }
    }

    struct Failing;
    impl Head for Failing {
        fn log_odds(&mut self, _: &[[f32; FEATURES]; WINDOW]) -> Result<f32, Fault> {
            Err(Fault::Model("a test"))
        }
    }

    struct Driver {
        watch: BlinkWatch,
        frame: u64,
    }

    impl Driver {
        fn new(head: impl Head + 'static) -> Driver {
            Driver { watch: BlinkWatch::new(Some(Box::new(head))), frame: 0 }
        }

        fn frame(&mut self, openness: Option<f32>) -> Result<(), Fault> {
            self.frame += 1;
            let now = Time::from_nanos(self.frame * 1_000_000_000 / 30);
            self.watch.take(now, now, openness)
        }

        /// A blink in three seconds: `closed` frames down, in turn one more.
        fn blinks(&mut self, count: usize, closed: usize) -> Result<(), Fault> {
            for n in 0..count {
                let closed = closed + n % 2;
                for frame in 0..90 {
                    self.frame(Some(if frame >= 30 && frame < 30 + closed { 0.05 } else { 0.95 }))?;
                }
            }
            Ok(())
        }
    }

    #[test]
    fn there_is_nothing_to_say_until_the_baseline_and_then_a_full_window_are_there() {
        let mut anna = Driver::new(Counting);
        assert_eq!(anna.watch.says(), Says::Nothing);
        anna.blinks(49, 4).expect("no fault");
        assert!(matches!(anna.watch.says(), Says::Calibrating(done) if (0.9..1.0).contains(&done)));
        anna.blinks(30, 4).expect("no fault");
        assert_eq!(anna.watch.says(), Says::Nothing, "calibrated, and a blink short of a window");
        anna.blinks(1, 4).expect("no fault");
        let evidence = anna.watch.says().evidence().expect("a window");
        assert_eq!(evidence.log_odds(), -10.0);
        assert!(evidence.confidence() > 0.85);
        let (rate, duration) = anna.watch.figures().expect("a window");
        assert!((rate - 20.0).abs() < 0.5 && (duration - 0.2).abs() < 0.05, "{rate} {duration}");
    }

    #[test]
    fn long_blinks_reach_the_head_as_such() {
        let mut mei = Driver::new(Counting);
        mei.blinks(50, 4).expect("no fault");
        mei.blinks(30, 15).expect("no fault");
        assert_eq!(mei.watch.says().evidence().expect("a window").log_odds(), 20.0);
    }

    #[test]
    fn a_window_that_is_mostly_unseen_says_nothing() {
        let mut kofi = Driver::new(Counting);
        kofi.blinks(50, 4).expect("no fault");
        for _ in 0..31 {
            (0..120).for_each(|_| kofi.frame(None).expect("no fault"));
            kofi.blinks(1, 4).expect("no fault");
        }
        assert_eq!(kofi.watch.says(), Says::Nothing);
    }

    #[test]
    fn a_head_that_fails_is_a_fault_and_no_head_says_nothing() {
        let mut ivo = Driver::new(Failing);
        ivo.blinks(79, 4).expect("no window yet");
        assert_eq!(ivo.blinks(1, 4), Err(Fault::Model("a test")));
        let mut watch = BlinkWatch::new(None);
        watch.take(Time::from_nanos(1), Time::from_nanos(1), Some(0.9)).expect("no fault");
        assert_eq!(watch.says(), Says::Nothing);
    }

    #[test]
    fn a_driver_who_is_forgotten_is_calibrated_anew() {
        let mut juno = Driver::new(Counting);
        juno.blinks(80, 4).expect("no fault");
        juno.watch.forget();
        assert_eq!(juno.watch.says(), Says::Nothing);
        juno.blinks(49, 4).expect("no fault");
        assert!(matches!(juno.watch.says(), Says::Calibrating(_)));
    }
}
