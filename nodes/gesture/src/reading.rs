//! What a followed hand tells from frame to frame: its pose and its motion, by the two small heads. The picture's mirroring is
//! undone here, so that everything after this is in the person's own left and right.

use troika_kit::{Duration, Fault, Time};

use crate::{
    config::Config,
    gesture::{Gesture, Told},
    hand::{Hand, INDEX_BASE, INDEX_TIP},
    pose,
    store::Network,
    track,
    track::{Followed, Track},
};

/// The person's hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// The reading of one hand.
pub struct Reading {
    pose: Box<dyn Network>,
    motion: Box<dyn Network>,
    config: Config,
    track: Track,
    /// The pose last told, and when: a swipe blurs the hand, so the pose may be missing for some frames.
    last: Option<(Followed, Time)>,
}

/// A pose holds for the track for this long after it was last told, seconds: as long as a quick swipe.
const POSE_HOLDS_S: f32 = 0.35;
/// A hand rests that has not moved for this long.
const REST: Duration = Duration::from_millis(300);

impl Reading {
    /// Nothing read yet.
    pub fn new(config: &Config, pose: Box<dyn Network>, motion: Box<dyn Network>) -> Reading {
        Reading { pose, motion, config: config.clone(), track: Track::default(), last: None }
    }

    /// What a frame's hand tells: a motion when there is one, else the pose of a hand that is at rest.
    ///
    /// # Errors
    /// [`Fault::Model`] when a head failed.
    pub fn read(&mut self, now: Time, hand: &Hand) -> Result<Option<Told>, Fault> {
        // As the person sees themself: the recordings that the heads learnt from are mirrored.
        let points = hand.points.map(|[x, y]| if self.config.mirrored { [x, y] } else { [-x, y] });
        let pose = self.read_pose(&points)?;
        self.follow(now, pose, &points);
        let palm = hand.palm_length();
        if let Some(motion) = self.read_motion(palm)? {
            return Ok(Some(motion));
        }
        Ok(pose.filter(|_| self.rests(palm)))
    }

    /// Forgets what was followed. A hand that is merely not seen needs no such word: its track breaks when the pause is too long.
    fn forget(&mut self) {
        self.track.clear();
        self.last = None;
    }

    /// Which of the person's hands it is.
    pub fn side(&self, hand: &Hand) -> Side {
        if (hand.right > 0.5) != self.config.mirrored { Side::Right } else { Side::Left }
    }

    fn read_pose(&mut self, points: &[[f32; 2]; 21]) -> Result<Option<Told>, Fault> {
        let Some(features) = pose::features(points) else { return Ok(None) };
        let mut probabilities = [0.0; pose::CLASSES];
        self.pose.run(&features, &mut [&mut probabilities])?;
        let max_lean = self.config.max_lean_deg.to_radians();
        Ok(pose::told(&probabilities, pose::lean(&features), |pose| self.config.least(pose), max_lean))
    }

    fn follow(&mut self, now: Time, pose: Option<Told>, points: &[[f32; 2]; 21]) {
        let told = match pose.map(|told| told.gesture) {
            Some(Gesture::OpenPalm) => Some(Followed::Palm),
            Some(Gesture::Point) => Some(Followed::Finger),
            // A hand that surely makes another pose is followed no more.
            Some(_) => return self.forget(),
            None => None,
        };
        if let Some(followed) = told {
            self.last = Some((followed, now));
        }
        match self.last.filter(|(_, told)| now.since(*told).as_secs_f32() <= POSE_HOLDS_S) {
            Some((followed, _)) => {
                let index = if followed == Followed::Palm { INDEX_BASE } else { INDEX_TIP };
                self.track.push(now, followed, points[index]);
            }
            None => self.forget(),
        }
    }

    /// `palm` is the hand's palm length, the measure for how far it travels.
    fn read_motion(&mut self, palm: f32) -> Result<Option<Told>, Fault> {
        let Some(followed) = self.track.followed() else { return Ok(None) };
        let (spans, travels): (&[_], _) = match followed {
            Followed::Palm => (&[track::SHORT], self.config.swipe_palms),
            Followed::Finger => (&[track::SHORT, track::LONG], self.config.turn_palms),
        };
        for span in spans {
            let Some(window) = self.track.window(*span) else { return Ok(None) };
            // A motion that is small for the hand is the hand's unrest, whatever its shape; a slow one is its way to somewhere, as
            // when it draws back for a stroke.
            let quick =
                followed == Followed::Finger || track::dash(&window) >= self.config.swipe_dash_palms * palm;
            let far = quick && track::extent(&window) >= travels * palm;
            let Some(features) = track::features(&window, followed).filter(|_| far) else { continue };
            let mut probabilities = [0.0; track::CLASSES];
            self.motion.run(&features, &mut [&mut probabilities])?;
            let told = track::told(&probabilities, followed, self.config.min_probability);
            if told.is_some() {
                return Ok(told);
            }
        }
        Ok(None)
    }

    /// Whether the hand stays where it is: a palm on its way to a swipe is no stop. A hand that is not followed (a fist, a
    /// thumb) is told by its pose alone.
    fn rests(&self, palm: f32) -> bool {
        if self.track.followed().is_none() {
            return true;
        }
        self.track.window(REST).is_some_and(|window| track::extent(&window) <= self.config.rest_palms * palm)
    }
}
