//! From what each frame tells to gestures that start, are held and end. Pure: time is an argument.
//!
//! ```text
//!            N of the last M frames tell it, and it is not too soon
//!   idle ───────────────────────────────────────────────────────────► started ──► held ──► ended ──► idle
//!                                                                        │          not told for `release`,
//!                                                                        │          or another one has its N of M
//!                                                                        └─► idle: a swipe is over as it starts
//! ```
//!
//! After a gesture nothing starts for a while: the hand that goes back after a swipe is no swipe the other way. A hand that goes
//! to and fro keeps prolonging that while, so a wave is one swipe at most.

use troika_kit::{Duration, Time};

use crate::gesture::{Gesture, Told};

/// The most frames that are looked back at.
pub const MOST: usize = 16;
/// Frames further apart than this have nothing to do with each other: votes are void, a gesture ends.
const GAP: Duration = Duration::from_millis(500);

/// How sure is sure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// A pose starts when this many …
    pub pose_votes: usize,
    /// … of this many last frames tell it.
    pub pose_of: usize,
    /// The same for a motion.
    pub motion_votes: usize,
    /// The same for a motion.
    pub motion_of: usize,
    /// A held gesture ends when it has not been told for this long.
    pub release: Duration,
    /// Nothing starts this soon after a pose or a turn ended …
    pub after_pose: Duration,
    /// … or after a swipe.
    pub after_swipe: Duration,
}

/// Where a gesture is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Idle,
    /// Its first frame.
    Started,
    /// Its later frames.
    Held,
    /// The first frame after it.
    Ended,
}

/// What one frame is, after all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Which gesture; none with [`Phase::Idle`] alone.
    pub gesture: Option<Gesture>,
    /// Where it is.
    pub phase: Phase,
    /// 0..1: the mean probability of the votes; of none, how many of the last frames told nothing.
    pub confidence: f32,
    /// Since it started.
    pub held: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    gesture: Gesture,
    since: Time,
    told: Time,
    confidence: f32,
}

/// See the module.
#[derive(Debug)]
pub struct Debounce {
    limits: Limits,
    /// What the last frames told, newest last, `seen` of them.
    votes: [Option<Told>; MOST],
    seen: usize,
    last: Option<Time>,
    active: Option<Active>,
    not_before: Time,
}

impl Debounce {
    /// Nothing seen yet. More than [`MOST`] frames are never looked back at.
    pub fn new(limits: Limits) -> Debounce {
        Debounce { limits, votes: [None; MOST], seen: 0, last: None, active: None, not_before: Time::ZERO }
    }

    /// Takes what the frame of `now` tells.
    pub fn observe(&mut self, now: Time, told: Option<Told>) -> Verdict {
        // A clock that goes back (a recording that begins anew) is a gap too, and voids the waiting.
        let back = self.last.is_some_and(|last| now < last);
        let gap = self.last.is_some_and(|last| now.since(last) > GAP);
        if back || gap {
            self.seen = 0;
        }
        if back {
            self.not_before = Time::ZERO;
        }
        self.last = Some(now);
        self.votes.rotate_left(1);
        self.votes[MOST - 1] = told;
        self.seen = (self.seen + 1).min(MOST);

        match self.active.take() {
            Some(active) if back || gap => self.end(now, active),
            Some(active) => self.go_on(now, active, told),
            None => self.start(now),
        }
    }

    fn go_on(&mut self, now: Time, mut active: Active, told: Option<Told>) -> Verdict {
        if let Some(told) = told.filter(|told| told.gesture == active.gesture) {
            active.told = now;
            // About the last half second.
            active.confidence += (told.probability - active.confidence) * 0.15;
        }
        let other = self.winner().is_some_and(|(gesture, _)| gesture != active.gesture);
        if other || now.since(active.told) >= self.limits.release {
            return self.end(now, active);
        }
        self.active = Some(active);
        active.verdict(now, Phase::Held)
    }

    fn end(&mut self, now: Time, active: Active) -> Verdict {
        // A pose may lead over into a motion (a finger that points, then turns): that has been voted for already.
        let leads_over =
            self.winner().is_some_and(|(next, _)| next.is_motion() && !active.gesture.is_motion());
        if !leads_over {
            self.not_before = now + self.limits.after_pose;
        }
        active.verdict(now, Phase::Ended)
    }

    fn start(&mut self, now: Time) -> Verdict {
        let winner = self.winner();
        if now < self.not_before && winner.is_some_and(|(gesture, _)| gesture.is_swipe()) {
            self.not_before = now + self.limits.after_swipe;
        }
        let Some((gesture, confidence)) = winner.filter(|_| now >= self.not_before) else {
            let looked = &self.votes[MOST - self.seen.min(self.limits.pose_of.clamp(1, MOST))..];
            let empty = looked.iter().filter(|vote| vote.is_none()).count();
            let confidence = empty as f32 / looked.len().max(1) as f32;
            return Verdict { gesture: None, phase: Phase::Idle, confidence, held: Duration::ZERO };
        };
        let active = Active { gesture, since: now, told: now, confidence };
        if gesture.is_swipe() {
            self.not_before = now + self.limits.after_swipe;
            self.seen = 0;
        } else {
            self.active = Some(active);
        }
        active.verdict(now, Phase::Started)
    }

    /// The gesture that the newest frame tells, if it has its votes; and their mean probability.
    fn winner(&self) -> Option<(Gesture, f32)> {
        let gesture = self.votes[MOST - 1]?.gesture;
        let (votes, of) = if gesture.is_motion() {
            (self.limits.motion_votes, self.limits.motion_of)
        } else {
            (self.limits.pose_votes, self.limits.pose_of)
        };
        let of = of.clamp(1, MOST).min(self.seen);
        let mine = self.votes[MOST - of..].iter().flatten().filter(|vote| vote.gesture == gesture);
        let (count, sum) = mine.fold((0, 0.0), |(count, sum), vote| (count + 1, sum + vote.probability));
        (count >= votes.max(1)).then(|| (gesture, sum / count as f32))
    }
}

impl Active {
    fn verdict(&self, now: Time, phase: Phase) -> Verdict {
        Verdict {
            gesture: Some(self.gesture),
            phase,
            confidence: self.confidence,
            held: now.since(self.since),
        }
    }
}

#[cfg(test)]
mod tests;
