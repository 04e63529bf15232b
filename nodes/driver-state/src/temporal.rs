//! From what each frame shows to the driver's state: closures, hysteresis, the share of closure, slow calibration.
//!
//! Smoothing is little and stated: openness and gaze are the median of the last three frames (33 ms of delay), and nothing
//! else. Eyes under `closed_below` close, eyes over `open_above` open; closed for longer than `blink_s` is EYES_CLOSED, and
//! until then the state before holds. A gap of up to 0.3 s in which the face is lost does not end a closure.

use troika_kit::{Duration, Time};

use crate::{
    calibration::Forward,
    config::{Config, Zone},
    gaze::{self, Direction},
    math,
    perclos::Perclos,
};

/// What one frame shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Where eyes and head look together, before calibration.
    pub gaze: Direction,
    /// Openness of the driver's right and left eye as the network gives it; none when the eye is not seen.
    pub openness: [Option<f32>; 2],
    /// 0..1: that this is a face.
    pub presence: f32,
}

/// The state of `DriverState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No usable face.
    Unknown,
    /// Eyes open or blinking, gaze in the forward view.
    Attentive,
    /// Gaze elsewhere.
    LookingAway,
    /// Eyes closed for longer than a blink.
    EyesClosed,
}

/// What is said of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// 0..1, of the state.
    pub confidence: f32,
    /// Calibrated and smoothed; none without a face.
    pub gaze: Option<Direction>,
    /// The gaze's zone; none without a face or with closed eyes.
    pub zone: Option<Zone>,
    /// Right and left, 0..1, calibrated and smoothed.
    pub openness: [Option<f32>; 2],
    /// 0..1 over 60 s; none until there is enough of it.
    pub perclos: Option<f32>,
}

/// How much of the confidence is left when no eye is seen. The monitor takes less than 0.35 for sensing that is not nominal.
const NO_EYE: f32 = 0.34;
/// A gap this long (seconds) without a face forgets the past: another head may be there.
const FORGET_S: f32 = 0.3;
/// After this long (seconds) another driver may be there: a seat is not changed faster.
const CHANGE_S: f32 = 1.0;
/// A stamp that lies back by no more (a camera's clock that was set, frames out of order) is no new time line, as the monitor has it.
const BACK: Duration = Duration::from_secs(1);
/// Bounds of the learnt opening of this driver's eyes: a driver whose open eyes read 0.55 is read as open, no more.
const OPENING: [f32; 2] = [0.55, 1.0];
/// Its time constant, seconds.
const OPENING_S: f32 = 10.0;
/// The share of frames with open eyes in which the eyes are at most as open as the learnt opening.
const OPENING_QUANTILE: f32 = 0.75;

#[derive(Debug, Clone, Copy)]
struct Median {
    held: [f32; 3],
    count: usize,
}

impl Median {
    const EMPTY: Median = Median { held: [0.0; 3], count: 0 };

    fn push(&mut self, value: f32) -> f32 {
        self.held[self.count % 3] = value;
        self.count += 1;
        match self.count {
            1 | 2 => value,
            _ => {
                let [a, b, c] = self.held;
                math::middle(a, b, c)
            }
        }
    }
}

/// The machine: one for each driver seat.
#[derive(Debug)]
pub struct Temporal {
    config: Config,
    last: Option<Time>,
    last_face: Option<Time>,
    unseen_since: Option<Time>,
    gaze: [Median; 2],
    openness: [Median; 2],
    closed_since: Option<Time>,
    /// Since when, within a closure, no eye has been seen.
    hidden_since: Option<Time>,
    /// The eyes were seen open since this face is followed.
    seen_open: bool,
    zone: Option<Zone>,
    opening: f32,
    forward: Forward,
    perclos: Perclos,
}

impl Temporal {
    /// A machine that knows nothing yet.
    pub fn new(config: &Config) -> Temporal {
        Temporal {
            config: config.clone(),
            last: None,
            last_face: None,
            unseen_since: None,
            gaze: [Median::EMPTY; 2],
            openness: [Median::EMPTY; 2],
            closed_since: None,
            hidden_since: None,
            seen_open: false,
            zone: None,
            opening: 1.0,
            forward: Forward::default(),
            perclos: Perclos::new(),
        }
    }

    /// Takes in what the frame of `now` shows (none: no usable face). A clock that went back starts over; one that went back by no more
    /// than a second stands until it is there again, so that a closure goes on and nothing that was learnt is lost.
    pub fn observe(&mut self, now: Time, seen: Option<&Seen>) -> Verdict {
        if self.last.is_some_and(|last| last.since(now) > BACK) {
            *self = Temporal::new(&self.config);
        }
        let now = self.last.map_or(now, |last| now.max(last));
        let step = self.last.map_or(Duration::ZERO, |last| now.since(last)).as_secs_f32();
        self.last = Some(now);
        let Some(seen) = seen else { return self.unknown(now) };
        if self.last_face.is_some_and(|last| now.since(last).as_secs_f32() > FORGET_S) {
            self.forget();
        }
        if self.unseen_since.take().is_some_and(|since| now.since(since).as_secs_f32() > CHANGE_S) {
            self.forward.doubt();
        }
        self.last_face = Some(now);

        let openness = self.open_eyes(seen, step);
        let mean = mean_of(openness);
        self.close_or_open(now, mean);
        let closed_s = self.closed_since.map(|since| now.since(since).as_secs_f32());
        let perclos = match mean {
            Some(mean) => self.perclos.push(now, step, mean, self.config.blink_s),
            None => self.perclos.unseen(now),
        };

        let eyes_closed = closed_s.is_some();
        self.seen_open |= mean.is_some() && !eyes_closed;
        let smooth =
            Direction { yaw: self.gaze[0].push(seen.gaze.yaw), pitch: self.gaze[1].push(seen.gaze.pitch) };
        if self.config.calibrate && !eyes_closed {
            self.forward.learn(smooth, step);
        }
        let offset = self.forward.offset();
        let raw =
            Direction { yaw: smooth.yaw - offset.yaw, pitch: gaze::downward(smooth.pitch - offset.pitch) };
        // While the lids are down the iris is not seen: the zone before holds.
        if !eyes_closed || self.zone.is_none() {
            self.zone = Some(gaze::zone(&self.config, raw, self.zone));
        }
        let state = match (closed_s, self.zone) {
            (Some(s), _) if s > self.config.blink_s => State::EyesClosed,
            // Lids that were never seen open may have been closed for long: no blink is assumed.
            (Some(_), _) if !self.seen_open => State::Unknown,
            (_, Some(Zone::Forward)) => State::Attentive,
            _ => State::LookingAway,
        };
        // Without an eye (dark glass, glare) the head alone tells, and no lid is seen: below what counts as nominal sensing.
        let seen_by = if mean.is_some() { 1.0 } else { NO_EYE };
        let confidence = seen.presence.clamp(0.0, 1.0) * self.margin(state, raw, mean) * seen_by;
        let zone = if state == State::EyesClosed { None } else { self.zone };
        Verdict { state, confidence, gaze: Some(raw), zone, openness, perclos }
    }

    /// Another's face is there: what was learnt of the forward view is doubted. A closure is not ended by it: should it be the same driver after
    /// all, a sleeper stays one.
    pub fn another(&mut self) {
        self.forward.doubt();
    }

    fn unknown(&mut self, now: Time) -> Verdict {
        self.unseen_since.get_or_insert(now);
        let perclos = self.perclos.unseen(now);
        if self.last_face.is_some_and(|last| now.since(last).as_secs_f32() > FORGET_S) {
            self.forget();
        }
        let openness = [None; 2];
        Verdict { state: State::Unknown, confidence: 0.0, gaze: None, zone: None, openness, perclos }
    }

    fn forget(&mut self) {
        self.gaze = [Median::EMPTY; 2];
        self.openness = [Median::EMPTY; 2];
        self.closed_since = None;
        self.hidden_since = None;
        self.zone = None;
        self.last_face = None;
        self.seen_open = false;
    }

    /// Smoothed openness against this driver's own opening.
    fn open_eyes(&mut self, seen: &Seen, step: f32) -> [Option<f32>; 2] {
        let mut out = [None; 2];
        for ((out, raw), median) in out.iter_mut().zip(seen.openness).zip(&mut self.openness) {
            match raw.filter(|raw| raw.is_finite()) {
                Some(raw) => *out = Some(median.push(raw.clamp(0.0, 1.0))),
                None => *median = Median::EMPTY,
            }
        }
        if self.config.calibrate
            && let Some(open) = mean_of(out).filter(|open| *open > self.config.open_above)
        {
            // A running quantile: up in OPENING_QUANTILE of the steps down, so that blinks and squints weigh little.
            let up = if open > self.opening { OPENING_QUANTILE } else { OPENING_QUANTILE - 1.0 };
            self.opening = (self.opening + up * step / OPENING_S).clamp(OPENING[0], OPENING[1]);
        }
        out.map(|open| open.map(|open| (open / self.opening).min(1.0)))
    }

    fn close_or_open(&mut self, now: Time, mean: Option<f32>) {
        let Some(open) = mean else {
            // Eyes that are not seen are not closed; a closure in which they are hidden for a moment (a hand, a flash) goes on, as it does
            // when the face is lost.
            let hidden = *self.hidden_since.get_or_insert(now);
            if now.since(hidden).as_secs_f32() > FORGET_S {
                self.closed_since = None;
            }
            return;
        };
        self.hidden_since = None;
        if open < self.config.closed_below {
            self.closed_since.get_or_insert(now);
        } else if open > self.config.open_above {
            self.closed_since = None;
        }
    }

    /// How far from the nearest other state, 0.5 at the border to 1.
    fn margin(&self, state: State, gaze: Direction, mean: Option<f32>) -> f32 {
        /// Degrees from the border at which the gaze is sure.
        const SURE_DEG: f32 = 5.0;
        let sure = match state {
            State::Unknown => return 0.0,
            State::EyesClosed => {
                let border = self.config.open_above;
                mean.map_or(0.0, |open| (border - open) / border)
            }
            State::Attentive | State::LookingAway => {
                let [half_yaw, half_pitch] = self.config.forward_half_deg;
                let outside = (gaze.yaw.abs() - half_yaw).max(gaze.pitch.abs() - half_pitch);
                outside.abs() / SURE_DEG
            }
        };
        0.5 + 0.5 * sure.clamp(0.0, 1.0)
    }
}

fn mean_of(openness: [Option<f32>; 2]) -> Option<f32> {
    match openness {
        [Some(right), Some(left)] => Some((right + left) / 2.0),
        [one, other] => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Driver {
        temporal: Temporal,
        frame: u64,
    }

    impl Driver {
        fn new() -> Driver {
            Driver { temporal: Temporal::new(&Config::default()), frame: 0 }
        }

        fn frames(&mut self, n: u64, seen: Option<Seen>) -> Verdict {
            let mut verdict = None;
            for _ in 0..n {
                self.frame += 1;
                let now = Time::from_nanos(self.frame * 1_000_000_000 / 30);
                verdict = Some(self.temporal.observe(now, seen.as_ref()));
            }
            verdict.expect("at least one frame")
        }
    }

    fn looking(yaw: f32, pitch: f32, openness: f32) -> Option<Seen> {
        Some(Seen { gaze: Direction { yaw, pitch }, openness: [Some(openness); 2], presence: 1.0 })
    }

    #[test]
    fn a_blink_stays_attentive_and_a_long_closure_does_not() {
        let mut anna = Driver::new();
        anna.frames(30, looking(0.0, 0.0, 0.9));
        assert_eq!(anna.frames(11, looking(0.0, 0.0, 0.0)).state, State::Attentive);
        assert_eq!(anna.frames(10, looking(0.0, 0.0, 0.9)).state, State::Attentive);
        assert_eq!(anna.frames(16, looking(0.0, 0.0, 0.0)).state, State::EyesClosed);
        assert_eq!(anna.frames(3, looking(0.0, 0.0, 0.9)).state, State::Attentive);
    }

    #[test]
    fn eyes_that_are_closed_from_the_first_frame_on_are_taken_for_no_blink() {
        troika_safety::verifies![SR_DMS_007];
        let mut sleeper = Driver::new();
        assert_eq!(sleeper.frames(11, looking(0.0, 0.0, 0.0)).state, State::Unknown);
        assert_eq!(sleeper.frames(3, looking(0.0, 0.0, 0.0)).state, State::EyesClosed);
        let mut anna = Driver::new();
        anna.frames(30, looking(0.0, 0.0, 0.9));
        anna.frames(60, None);
        assert_eq!(
            anna.frames(5, looking(0.0, 0.0, 0.0)).state,
            State::Unknown,
            "nor behind a face that was lost"
        );
    }

    #[test]
    fn a_lost_face_is_unknown_and_never_closed_eyes() {
        troika_safety::verifies![SR_DMS_007];
        let mut anna = Driver::new();
        anna.frames(30, looking(0.0, 0.0, 0.0));
        let verdict = anna.frames(60, None);
        assert_eq!((verdict.state, verdict.zone), (State::Unknown, None));
        assert_eq!(anna.frames(1, looking(0.0, 0.0, 0.9)).state, State::Attentive);
    }

    #[test]
    fn eyes_that_are_not_seen_are_not_closed() {
        let mut kofi = Driver::new();
        kofi.frames(30, looking(0.0, 0.0, 0.9));
        let seen = Seen { gaze: Direction { yaw: 45.0, pitch: 0.0 }, openness: [None; 2], presence: 1.0 };
        let verdict = kofi.frames(60, Some(seen));
        assert_eq!((verdict.state, verdict.openness), (State::LookingAway, [None; 2]));
    }

    #[test]
    fn eyes_that_are_hidden_for_a_moment_do_not_end_a_sleep_and_hidden_for_longer_they_are_not_closed() {
        troika_safety::verifies![SR_DMS_016];
        let hidden =
            Some(Seen { gaze: Direction { yaw: 0.0, pitch: 0.0 }, openness: [None; 2], presence: 1.0 });
        let mut mei = Driver::new();
        mei.frames(30, looking(0.0, 0.0, 0.0));
        assert_eq!(mei.frames(8, hidden).state, State::EyesClosed);
        assert_eq!(mei.frames(1, looking(0.0, 0.0, 0.0)).state, State::EyesClosed);
        let verdict = mei.frames(20, hidden);
        assert_ne!(verdict.state, State::EyesClosed);
        assert_eq!(verdict.openness, [None; 2]);
    }

    #[test]
    fn a_frame_without_a_face_does_not_end_a_sleep() {
        let mut mei = Driver::new();
        mei.frames(30, looking(0.0, 0.0, 0.0));
        mei.frames(3, None);
        assert_eq!(mei.frames(1, looking(0.0, 0.0, 0.0)).state, State::EyesClosed);
    }

    #[test]
    fn a_glance_is_seen_within_two_frames_and_one_stray_frame_is_not() {
        let mut mei = Driver::new();
        mei.frames(30, looking(0.0, 0.0, 0.9));
        assert_eq!(mei.frames(1, looking(40.0, 0.0, 0.9)).state, State::Attentive);
        mei.frames(5, looking(0.0, 0.0, 0.9));
        let verdict = mei.frames(2, looking(40.0, -10.0, 0.9));
        assert_eq!((verdict.state, verdict.zone), (State::LookingAway, Some(Zone::LeftMirror)));
    }

    #[test]
    fn narrow_eyes_are_learnt_as_open_within_a_minute_but_half_closed_ones_are_not_taken_for_open_at_once() {
        let mut kofi = Driver::new();
        let at_first = kofi.frames(30, looking(0.0, 0.0, 0.6));
        assert!(at_first.openness[0].expect("seen") < 0.65);
        let later = kofi.frames(60 * 30, looking(0.0, 0.0, 0.6));
        assert!(later.openness[0].expect("seen") > 0.95, "{later:?}");
    }

    #[test]
    fn a_slightly_misplaced_camera_is_learnt_and_a_badly_misplaced_one_is_not() {
        let mut anna = Driver::new();
        let slight = anna.frames(60 * 30, looking(5.0, -4.0, 0.9)).gaze.expect("a face");
        // To the map's cell.
        assert!(slight.yaw.abs() < 1.5 && slight.pitch.abs() < 1.5, "{slight:?}");
        let mut mei = Driver::new();
        assert_eq!(mei.frames(60 * 30, looking(20.0, 0.0, 0.9)).state, State::LookingAway);
    }

    #[test]
    fn a_clock_that_goes_back_a_little_ends_no_closure_and_loses_nothing_that_was_learnt() {
        troika_safety::verifies![SR_DMS_016];
        let mut mei = Driver::new();
        mei.frames(61 * 30, looking(5.0, -4.0, 0.9));
        let learnt = mei.temporal.forward.offset();
        mei.frames(60, looking(5.0, -4.0, 0.0));
        let last = Time::from_nanos(mei.frame * 1_000_000_000 / 30);
        let by_a_millisecond =
            mei.temporal.observe(last - Duration::from_millis(1), looking(5.0, -4.0, 0.0).as_ref());
        assert_eq!(by_a_millisecond.state, State::EyesClosed);
        for back in [2, 10, 29] {
            mei.frame -= back;
            for _ in 0..2 * back {
                let verdict = mei.frames(1, looking(5.0, -4.0, 0.0));
                assert_eq!(verdict.state, State::EyesClosed, "back by {back}");
                assert!(verdict.perclos.is_some(), "back by {back}");
            }
        }
        let offset = mei.temporal.forward.offset();
        assert!(learnt.yaw > 1.0 && (offset.yaw - learnt.yaw).abs() < 0.1, "{offset:?} and not {learnt:?}");
        // What is seen meanwhile is told.
        mei.frame -= 10;
        assert_eq!(mei.frames(3, looking(5.0, -4.0, 0.9)).state, State::Attentive);
    }

    #[test]
    fn a_clock_that_goes_back_starts_over() {
        let mut anna = Driver::new();
        anna.frames(60, looking(0.0, 0.0, 0.0));
        anna.frame = 0;
        assert_eq!(anna.frames(1, looking(0.0, 0.0, 0.0)).state, State::Unknown, "closed for how long?");
    }
}
