//! What belongs here: the trace turned into sets of intervals, with nothing of any one rule.
//!
//! A frame's content holds from its stamp to the next frame's (sample and hold). How long something lasted is therefore
//! open by one frame: [`Facts::shortest`] and [`Facts::longest`] bound it.

use super::Reading;
use crate::interval::{Interval, IntervalSet};
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Frame, State, Trace, Zone};

/// A run of unknown up to this long inside a condition may or may not be bridged; the table gives excursions 0.3 s and
/// says nothing of unknown. After a longer one the condition has to begin again. A frame, too, is held no longer than
/// this: what the driver did in a longer gap is not known.
pub const UNKNOWN_BRIDGE: Ns = 300 * MS;

/// A speed is held this long; signals come at 10 to 20 Hz, so after ten to twenty lost ones the speed is not known.
/// The table says nothing of it, so nothing is due and nothing forbidden for the speed's sake in such a gap.
pub const SPEED_HOLD: Ns = SECOND;

/// "Eyes >= 80 % closed" (table, perclos).
const CLOSED_OPENNESS: f32 = 0.2;
/// No row calls an eye this open closed; between the two it is left open.
const OPEN_OPENNESS: f32 = 0.5;

/// Where a frame says that the driver looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaze {
    /// Attentive and forward. A blink does not change it (`DriverState.ATTENTIVE`: "eyes open or blinking").
    Road,
    /// Away, at a known target.
    At(Zone),
    /// Closed for longer than a blink: neither a glance nor a return of the gaze. No sentence covers it.
    Closed,
    /// No usable face or eyes: "never closed", never a glance away.
    Unknown,
    /// Fields that contradict each other or leave the target out. No sentence covers it.
    Unclear,
}

/// What a frame says of the lids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eyes {
    Open,
    Closed,
    Unknown,
    /// Half closed, one eye only, or against the frame's own state. No sentence covers it.
    Unclear,
}

/// The moments at which something surely holds, and those at which it possibly does; the first lie in the second.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub surely: IntervalSet,
    pub possibly: IntervalSet,
}

/// What lies around a condition: how much of it may interrupt the condition without ending it.
pub(super) struct Around {
    /// The condition surely does not hold.
    pub out: IntervalSet,
    pub out_up_to: Ns,
    pub unknown: IntervalSet,
    /// No sentence covers it: it interrupts for any length, or not.
    pub uncovered: IntervalSet,
}

/// A run of a condition in its longest reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongestRun {
    pub span: Interval,
    /// Until when what follows it may count as a part of it.
    pub continued_until: Ns,
    /// Until when somebody who does not know the future may think it goes on.
    pub believed_until: Ns,
}

/// The trace as sets.
pub(super) struct Facts<'a> {
    pub trace: &'a Trace,
    /// From the first frame to the last, which is included.
    pub span: Interval,
    stamps: Vec<Ns>,
    gazes: Vec<Gaze>,
    eyes: Vec<Eyes>,
    /// Between frames that lie too far apart: from the moment on at which the first is held no longer.
    silence: IntervalSet,
    /// The same from the first frame on.
    gaps: IntervalSet,
    /// A return up to this long may be overlooked.
    pub debounce: Ns,
}

impl<'a> Facts<'a> {
    /// Nothing when there is no frame: then nothing can be decided.
    pub(super) fn of(trace: &'a Trace, reading: &Reading) -> Option<Self> {
        let stamps: Vec<Ns> = trace.frames.iter().map(|f| f.stamp_ns).collect();
        let span = Interval::new(*stamps.first()?, stamps.last()? + 1);
        let far = |pair: &[Ns]| match pair {
            [a, b] if b - a > UNKNOWN_BRIDGE => Some(Interval::new(*a, *b)),
            _ => None,
        };
        let gaps: Vec<Interval> = stamps.windows(2).filter_map(far).collect();
        let silence =
            IntervalSet::of(gaps.iter().map(|gap| Interval::new(gap.from + UNKNOWN_BRIDGE, gap.until)));
        let gaps = IntervalSet::of(gaps);
        let gazes = trace.frames.iter().map(gaze).collect();
        let eyes = trace.frames.iter().map(eyes).collect();
        let debounce = reading.debounce;
        Some(Self { trace, span, stamps, gazes, eyes, silence, gaps, debounce })
    }

    pub(super) fn gaze(&self, wanted: impl Fn(Gaze) -> bool) -> IntervalSet {
        self.hold(|i| self.gazes.get(i).is_some_and(|g| wanted(*g)))
    }

    pub(super) fn eyes(&self, wanted: impl Fn(Eyes) -> bool) -> IntervalSet {
        self.hold(|i| self.eyes.get(i).is_some_and(|e| wanted(*e)))
    }

    pub(super) fn frames(&self, wanted: impl Fn(&Frame) -> bool) -> IntervalSet {
        self.hold(|i| self.trace.frames.get(i).is_some_and(&wanted))
    }

    /// Between frames further apart than is held, from the first of them on.
    pub(super) fn gaps(&self) -> &IntervalSet {
        &self.gaps
    }

    /// The same, only from where the first of them is held no longer: what happened there is not known.
    pub(super) fn silence(&self) -> &IntervalSet {
        &self.silence
    }

    pub(super) fn stamps(&self) -> &[Ns] {
        &self.stamps
    }

    /// The stamp of the frame after the first one at or after `t`: by then a DMS has to have acted.
    pub(super) fn second_frame_from(&self, t: Ns) -> Option<Ns> {
        self.stamps.get(self.stamps.partition_point(|s| *s < t) + 1).copied()
    }

    /// The last stamp before `t`, or `t` where there is none.
    pub(super) fn frame_before(&self, t: Ns) -> Ns {
        let index = self.stamps.partition_point(|s| *s < t);
        index.checked_sub(1).and_then(|i| self.stamps.get(i)).copied().unwrap_or(t)
    }

    /// From the first frame that shows it to the last one.
    pub(super) fn shortest(&self, run: Interval) -> Ns {
        self.frame_before(run.until) - run.from
    }

    /// From the last frame that did not yet show it to the first that no longer does.
    pub(super) fn longest(&self, run: Interval) -> Ns {
        run.until - self.frame_before(run.from)
    }

    /// Where the speed satisfies `wanted`. It changes when a signal comes, or when the next frame makes a DMS look.
    pub(super) fn speed(&self, wanted: impl Fn(f32) -> bool) -> Bounds {
        let signals = &self.trace.signals;
        let held = |i: usize, stamp: Ns| {
            let next = signals.get(i + 1).map_or(Ns::MAX, |s| s.stamp_ns);
            Interval::new(stamp, next.min(stamp + SPEED_HOLD))
        };
        let known = signals.iter().enumerate().filter(|(_, s)| !s.speed_kmh.is_nan());
        let stretches: Vec<_> = known.map(|(i, s)| (held(i, s.stamp_ns), wanted(s.speed_kmh))).collect();
        let by_signal = IntervalSet::of(stretches.iter().filter(|(_, yes)| *yes).map(|(held, _)| *held));
        let unknown = IntervalSet::of(stretches.iter().map(|(held, _)| *held)).complement(self.span);
        let by_frame = self.hold_stamps(|stamp| by_signal.contains(stamp));
        Bounds {
            surely: by_signal.intersect(&by_frame),
            possibly: by_signal.union(&by_frame).union(&unknown).within(self.span),
        }
    }

    /// Signal stamps at which the driver is said to have acted.
    pub(super) fn acts(&self) -> Vec<Ns> {
        self.trace.signals.iter().filter(|s| s.driver_acted).map(|s| s.stamp_ns).collect()
    }

    /// The runs of a condition in its longest reading: `core` with every interruption bridged that may be.
    pub(super) fn longest_runs(&self, core: &IntervalSet, around: &Around) -> Vec<LongestRun> {
        let fits = |set: &IntervalSet, gap: Interval, up_to: Ns| {
            set.within(gap).runs().iter().all(|part| self.shortest(*part) <= up_to)
        };
        let joined = core.bridge(|gap| {
            fits(&around.out, gap, around.out_up_to) && fits(&around.unknown, gap, UNKNOWN_BRIDGE)
        });
        let run = |span: &Interval| {
            let (continued_until, believed_until) = self.believed(span.until, around);
            LongestRun { span: *span, continued_until, believed_until }
        };
        joined.runs().iter().map(run).collect()
    }

    /// Until when a condition that ended at `end` may go on, and until when that may be believed.
    fn believed(&self, end: Ns, around: &Around) -> (Ns, Ns) {
        let mut until = end;
        while until < self.span.until {
            if let Some(part) = around.uncovered.run_at(until) {
                until = part.until;
            } else if let Some(part) = around.unknown.run_at(until) {
                if self.shortest(Interval::new(until, part.until)) > UNKNOWN_BRIDGE {
                    return (until, until + UNKNOWN_BRIDGE + 1);
                }
                until = part.until;
            } else {
                return (until, until + around.out_up_to + 1);
            }
        }
        (until, until)
    }

    /// The moments of the frames, by their place, that are so.
    pub(super) fn hold(&self, wanted: impl Fn(usize) -> bool) -> IntervalSet {
        let next = |i: usize| self.stamps.get(i + 1).copied().unwrap_or(self.span.until);
        let held = self.stamps.iter().enumerate().filter(|(i, _)| wanted(*i));
        IntervalSet::of(held.map(|(i, s)| Interval::new(*s, next(i).min(s + UNKNOWN_BRIDGE))))
    }

    fn hold_stamps(&self, wanted: impl Fn(Ns) -> bool) -> IntervalSet {
        self.hold(|i| self.stamps.get(i).is_some_and(|s| wanted(*s)))
    }
}

fn gaze(frame: &Frame) -> Gaze {
    match (frame.face_detected, frame.state, frame.gaze_zone) {
        (false, _, _) | (_, State::Unknown, _) => Gaze::Unknown,
        (_, State::EyesClosed, _) => Gaze::Closed,
        (_, State::Attentive, Zone::Forward) => Gaze::Road,
        (_, State::LookingAway, zone) if zone.serves_driving() || zone.is_non_driving() => Gaze::At(zone),
        _ => Gaze::Unclear,
    }
}

fn eyes(frame: &Frame) -> Eyes {
    let (left, right) = (frame.eye_openness_left, frame.eye_openness_right);
    let says_closed = frame.state == State::EyesClosed;
    if !frame.face_detected || frame.state == State::Unknown {
        Eyes::Unknown
    } else if left <= CLOSED_OPENNESS && right <= CLOSED_OPENNESS {
        Eyes::Closed
    } else if says_closed {
        Eyes::Unclear
    } else if left >= OPEN_OPENNESS || right >= OPEN_OPENNESS {
        Eyes::Open
    } else if left.is_nan() && right.is_nan() {
        Eyes::Unknown
    } else {
        Eyes::Unclear
    }
}
