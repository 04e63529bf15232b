//! What the inputs say, added up: log-odds weighted by confidence, and a level with hysteresis. Pure; time is an argument.
//!
//! - Only what speaks *for* drowsiness is added. A calm input proves little (one drowsy window of seven reads as alert) and
//!   cancels no other's warning; and so an input that is lost can never raise the level, whatever it said.
//! - An input that is absent or older than its limit is left out. With none left the level is unknown, at once.
//! - *Alert* needs inputs that are sure enough together: steering or pulse alone do not make a driver alert.
//! - A limit on each input says how far it may go: blinks, trained on real people, can raise the level alone; steering
//!   and pulse, whose scores are trained on nothing, only both together and both at their limit.

use troika_kit::{Duration, Time};

/// An input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Blinks.
    Blinks,
    /// The steering wheel.
    Steering,
    /// The pulse.
    Pulse,
}

impl Source {
    /// All, in the order in which [`Fuser::step`] takes them.
    pub const ALL: [Source; 3] = [Source::Blinks, Source::Steering, Source::Pulse];

    /// The most that it may say for drowsiness, log-odds.
    pub const fn limit(self) -> f32 {
        match self {
            Source::Blinks => 4.0,
            Source::Steering => 1.5,
            Source::Pulse => 1.2,
        }
    }

    /// What is older says nothing of now. Blinks: eyes not seen for this long may be anybody's.
    pub const fn max_age(self) -> Duration {
        match self {
            Source::Blinks => Duration::from_secs(10),
            Source::Steering => Duration::from_secs(5),
            Source::Pulse => Duration::from_secs(10),
        }
    }
}

/// What one input says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    log_odds: f32,
    confidence: f32,
    at: Time,
}

impl Evidence {
    /// Evidence that rests on what was measured up to `at`; `log_odds` above 0 speak for drowsiness. `None` for what is no
    /// number, and for a confidence outside 0 to 1.
    pub fn new(log_odds: f32, confidence: f32, at: Time) -> Option<Evidence> {
        (log_odds.is_finite() && (0.0..=1.0).contains(&confidence)).then_some(Evidence {
            log_odds,
            confidence,
            at,
        })
    }

    /// Drowsy against alert, natural logarithm.
    pub fn log_odds(&self) -> f32 {
        self.log_odds
    }

    /// 0..1.
    pub fn confidence(&self) -> f32 {
        self.confidence
    }

    /// When what it rests on was last measured.
    pub fn at(&self) -> Time {
        self.at
    }
}

/// How drowsy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Nobody knows.
    Unknown = 0,
    /// Alert.
    Alert = 1,
    /// Drowsy.
    Drowsy = 2,
}

/// When the level changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Log-odds from which a driver is drowsy. 1: by the blinks alone, 2 % of the alert windows of people never seen and 60 % of
    /// the drowsy ones are over it.
    pub raise: f32,
    /// Log-odds under which a drowsy driver may be alert again.
    pub clear: f32,
    /// For how long the evidence is over `raise` before the level rises.
    pub raise_after: Duration,
    /// For how long it is under `clear` before the level falls: nobody is awake again at once.
    pub clear_after: Duration,
    /// The least confidence together for *alert*.
    pub least_confidence: f32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            raise: 1.0,
            clear: 0.25,
            raise_after: Duration::from_secs(10),
            clear_after: Duration::from_secs(60),
            least_confidence: 0.5,
        }
    }
}

/// The outcome of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The level.
    pub level: Level,
    /// 0..1, of the level; 0 while unknown.
    pub confidence: f32,
    /// What took part says for drowsiness together, 0 and up; `None` when nothing did.
    pub log_odds: Option<f32>,
    /// Which took part, in the order of [`Source::ALL`].
    pub used: [bool; 3],
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Fuser {
    limits: Limits,
    level: Level,
    last: Option<Time>,
    over_since: Option<Time>,
    under_since: Option<Time>,
}

impl Fuser {
    /// A machine that knows nothing.
    pub fn new(limits: Limits) -> Fuser {
        Fuser { limits, level: Level::Unknown, last: None, over_since: None, under_since: None }
    }

    /// The level now, from what each input last said. A clock that goes back starts over.
    pub fn step(&mut self, now: Time, inputs: &[Option<Evidence>; 3]) -> Verdict {
        if self.last.is_some_and(|last| now < last) {
            *self = Fuser::new(self.limits);
        }
        self.last = Some(now);
        let (sum, confidence, used) = weigh(now, inputs);
        let Some(sum) = sum else {
            *self = Fuser { last: self.last, ..Fuser::new(self.limits) };
            return Verdict { level: Level::Unknown, confidence: 0.0, log_odds: None, used };
        };
        self.judge(now, sum, confidence);
        Verdict { level: self.level, confidence: self.sure(sum, confidence), log_odds: Some(sum), used }
    }

    fn judge(&mut self, now: Time, sum: f32, confidence: f32) {
        let Limits { raise, clear, raise_after, clear_after, least_confidence } = self.limits;
        let calm = if confidence >= least_confidence { Level::Alert } else { Level::Unknown };
        if sum >= raise {
            self.under_since = None;
            let since = *self.over_since.get_or_insert(now);
            if now.since(since) >= raise_after {
                self.level = Level::Drowsy;
            } else if self.level != Level::Drowsy {
                self.level = calm;
            }
            return;
        }
        self.over_since = None;
        if self.level != Level::Drowsy {
            self.level = calm;
        } else if sum > clear {
            self.under_since = None;
        } else if now.since(*self.under_since.get_or_insert(now)) >= clear_after {
            self.under_since = None;
            self.level = calm;
        }
    }

    fn sure(&self, sum: f32, confidence: f32) -> f32 {
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        match self.level {
            Level::Unknown => 0.0,
            Level::Drowsy => confidence * sigmoid(sum),
            Level::Alert => confidence * sigmoid(self.limits.raise - sum),
        }
    }
}

/// The sum of what is fresh, how sure it is together, and which took part.
fn weigh(now: Time, inputs: &[Option<Evidence>; 3]) -> (Option<f32>, f32, [bool; 3]) {
    let (mut sum, mut unsure, mut used) = (0.0, 1.0, [false; 3]);
    for ((source, input), used) in Source::ALL.into_iter().zip(inputs).zip(&mut used) {
        let Some(evidence) = input else { continue };
        if now.since(evidence.at) > source.max_age() || evidence.confidence == 0.0 {
            continue;
        }
        *used = true;
        sum += evidence.confidence * evidence.log_odds.clamp(0.0, source.limit());
        unsure *= 1.0 - evidence.confidence;
    }
    (used.contains(&true).then_some(sum), 1.0 - unsure, used)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u64) -> Time {
        Time::from_nanos((1_700_000_000 + second) * 1_000_000_000)
    }

    fn says(log_odds: f32, confidence: f32, second: u64) -> Option<Evidence> {
        Evidence::new(log_odds, confidence, at(second))
    }

    /// Steps once a second with blinks that are always fresh; the levels.
    fn levels(blinks: impl IntoIterator<Item = Option<f32>>) -> Vec<Level> {
        let mut fuser = Fuser::new(Limits::default());
        (0..)
            .zip(blinks)
            .map(|(n, odds)| fuser.step(at(n), &[odds.and_then(|o| says(o, 0.9, n)), None, None]).level)
            .collect()
    }

    #[test]
    fn what_is_no_number_is_no_evidence() {
        for (log_odds, confidence) in
            [(f32::NAN, 0.5), (f32::INFINITY, 0.5), (1.0, f32::NAN), (1.0, 1.1), (1.0, -0.1)]
        {
            assert_eq!(Evidence::new(log_odds, confidence, at(0)), None);
        }
    }

    #[test]
    fn nothing_said_is_unknown_and_so_is_what_is_too_old() {
        troika_safety::verifies![SR_DMS_012];
        let mut fuser = Fuser::new(Limits::default());
        let nothing = fuser.step(at(0), &[None; 3]);
        assert_eq!((nothing.level, nothing.log_odds, nothing.confidence), (Level::Unknown, None, 0.0));
        let blinks = [says(-2.0, 0.9, 0), None, None];
        assert_eq!(fuser.step(at(10), &blinks).level, Level::Alert);
        assert_eq!(fuser.step(at(11), &blinks).level, Level::Unknown);
    }

    #[test]
    fn the_level_rises_after_ten_seconds_and_falls_after_a_minute() {
        let mut drive = vec![Some(-1.0); 5];
        drive.extend([Some(3.0); 20]);
        drive.extend([Some(-1.0); 70]);
        let levels = levels(drive);
        let rose = levels.iter().position(|level| *level == Level::Drowsy).expect("it rises");
        let fell = levels.iter().rposition(|level| *level == Level::Drowsy).expect("it falls");
        assert_eq!((levels[0], rose, fell), (Level::Alert, 15, 84));
    }

    #[test]
    fn between_the_limits_the_level_stays() {
        let mut drive = vec![Some(3.0); 15];
        drive.extend([Some(0.6); 300]);
        assert_eq!(levels(drive).last(), Some(&Level::Drowsy));
        assert_eq!(levels(vec![Some(0.6); 300]).last(), Some(&Level::Alert));
    }

    #[test]
    fn a_drowsy_driver_who_is_lost_is_unknown_and_not_drowsy_at_once_when_found() {
        let mut drive = vec![Some(3.0); 15];
        drive.push(None);
        drive.push(Some(3.0));
        let levels = levels(drive);
        assert_eq!(levels[14..], [Level::Drowsy, Level::Unknown, Level::Alert]);
    }

    #[test]
    fn steering_alone_makes_nobody_alert_and_neither_steering_nor_pulse_alone_makes_anybody_drowsy() {
        // With the confidence that each has at best.
        let run = |steering: bool, pulse: bool| {
            let mut fuser = Fuser::new(Limits::default());
            let levels = (0..30).map(|n| {
                let says = |there: bool| there.then(|| says(9.0, 0.4, n)).flatten();
                fuser.step(at(n), &[None, says(steering), says(pulse)]).level
            });
            levels.last()
        };
        assert_eq!(run(true, false), Some(Level::Unknown));
        assert_eq!(run(false, true), Some(Level::Unknown));
        assert_eq!(run(true, true), Some(Level::Drowsy));
    }

    fn an_input() -> impl Strategy<Value = Option<(f32, f32, u64)>> {
        proptest::option::of((-8.0_f32..8.0, 0.0_f32..=1.0, 0_u64..20))
    }

    fn inputs(of: &[Option<(f32, f32, u64)>; 3], now: u64) -> [Option<Evidence>; 3] {
        of.map(|one| one.and_then(|(odds, sure, age)| says(odds, sure, now - age.min(now))))
    }

    proptest! {
        /// For a history of any inputs, the same with one input drowsier is never less drowsy, step by step.
        #[test]
        fn drowsier_evidence_never_lowers_the_level(
            history in proptest::collection::vec([an_input(), an_input(), an_input()], 1..120),
            which in 0_usize..3, more in 0.0_f32..6.0,
        ) {
            let (mut plain, mut drowsier) = (Fuser::new(Limits::default()), Fuser::new(Limits::default()));
            for (n, step) in (100..).zip(&history) {
                let mut raised = *step;
                if let Some((odds, _, _)) = &mut raised[which] {
                    *odds += more;
                }
                let (a, b) = (plain.step(at(n), &inputs(step, n)), drowsier.step(at(n), &inputs(&raised, n)));
                prop_assert!(b.level >= a.level, "{a:?} {b:?}");
            }
        }

        /// For a history of any inputs, the same without one of them is never drowsier, step by step.
        #[test]
        fn an_absent_input_never_raises_the_level(
            history in proptest::collection::vec([an_input(), an_input(), an_input()], 1..120),
            which in 0_usize..3, from in 0_usize..120,
        ) {
            troika_safety::verifies![SR_DMS_012];
            let (mut with, mut without) = (Fuser::new(Limits::default()), Fuser::new(Limits::default()));
            for (n, step) in history.iter().enumerate() {
                let mut less = *step;
                if n >= from {
                    less[which] = None;
                }
                let n = n as u64 + 100;
                let (a, b) = (with.step(at(n), &inputs(step, n)), without.step(at(n), &inputs(&less, n)));
                prop_assert!(b.level <= a.level, "{a:?} {b:?}");
                prop_assert!(b.log_odds.unwrap_or(0.0) <= a.log_odds.unwrap_or(0.0) + 1e-6);
            }
        }

        /// What is too old is as if it were not there, and no verdict has a number that is none.
        #[test]
        fn what_is_stale_is_left_out_altogether(
            history in proptest::collection::vec([an_input(), an_input(), an_input()], 1..60),
        ) {
            troika_safety::verifies![SR_DMS_012];
            let (mut all, mut fresh) = (Fuser::new(Limits::default()), Fuser::new(Limits::default()));
            for (n, step) in (100..).zip(&history) {
                let given = inputs(step, n);
                let mut kept = given;
                for (slot, source) in kept.iter_mut().zip(Source::ALL) {
                    *slot = slot.filter(|e| at(n).since(e.at()) <= source.max_age());
                }
                let (a, b) = (all.step(at(n), &given), fresh.step(at(n), &kept));
                prop_assert_eq!(a, b);
                prop_assert!((0.0..=1.0).contains(&a.confidence) && a.log_odds.is_none_or(f32::is_finite));
                prop_assert_eq!(a.level == Level::Unknown, a.confidence == 0.0);
            }
        }
    }
}
