//! What may be set for a camera and a vehicle. All of it has a default and bounds.

use std::{
    io,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::Duration;

use crate::{
    debounce::{Limits, MOST},
    gesture::Gesture,
    mapping::{Mapping, MappingError},
};

/// All settings of the node: a `[nodes.<name>.params]` table in a system file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The camera's picture is mirrored (as the person sees themself in a mirror). Cameras that face the person are not.
    pub mirrored: bool,
    /// A palm is at least this likely to be one (MediaPipe's own threshold).
    #[schemars(range(min = 0.1, max = 0.99))]
    pub min_palm: f32,
    /// A hand is lost when its presence is under this (MediaPipe's own threshold).
    #[schemars(range(min = 0.1, max = 0.99))]
    pub min_presence: f32,
    /// A frame whose stamp is older than this when its step starts is not looked at, seconds; 0 takes any. The stamp must be on the host's time
    /// line (a camera without a clock leaves it zero, which is never too old).
    #[schemars(range(min = 0.0, max = 10.0))]
    pub max_frame_age_s: f32,
    /// Without a hand, one frame in so many begins to look for one. The palm detector takes three frames, a piece in each: 3 is ten
    /// times a second, without a pause.
    #[schemars(range(min = 3, max = 30))]
    pub search_every: u32,
    /// A pose or a motion counts from this probability on, where the next two say no other. What the heads' figures are made with.
    #[schemars(range(min = 0.3, max = 0.99))]
    pub min_probability: f32,
    /// The same for an open palm, which is followed for swipes too.
    #[schemars(range(min = 0.3, max = 0.99))]
    pub min_open_palm: f32,
    /// The same for the thumbs and OK.
    #[schemars(range(min = 0.3, max = 0.99))]
    pub min_thumb_ok: f32,
    /// A pose other than a thumb counts while the hand leans less than this from fingers up, degrees.
    #[schemars(range(min = 10.0, max = 180.0))]
    pub max_lean_deg: f32,
    /// A hand rests while it moves less than this within 0.3 s, palm lengths (wrist to the middle finger's base).
    #[schemars(range(min = 0.05, max = 5.0))]
    pub rest_palms: f32,
    /// A swipe goes at least this far within half a second, palm lengths.
    #[schemars(range(min = 0.2, max = 10.0))]
    pub swipe_palms: f32,
    /// Within some tenth of a second a swipe goes at least this far sideways, palm lengths.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub swipe_dash_palms: f32,
    /// A turn is at least this wide, palm lengths.
    #[schemars(range(min = 0.1, max = 10.0))]
    pub turn_palms: f32,
    /// A pose starts when so many …
    pub pose_votes: usize,
    /// … of so many last frames tell it.
    pub pose_of: usize,
    /// The same for a motion.
    pub motion_votes: usize,
    /// The same for a motion.
    pub motion_of: usize,
    /// A held gesture ends when it was not told for this long, seconds.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub release_s: f32,
    /// Nothing starts this soon after a pose or a turn ended, seconds.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub after_pose_s: f32,
    /// Nothing starts this soon after a swipe, seconds: the hand goes back.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub after_swipe_s: f32,
    /// What gestures do: a mapping file; none: the built-in one.
    pub mapping: Option<PathBuf>,
    /// Send vehicle commands. Without, gestures are told and nobody acts on them.
    pub commands: bool,
    /// Fill `Gesture.landmarks` (for a preview).
    pub landmarks: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            mirrored: false,
            min_palm: 0.5,
            min_presence: 0.5,
            max_frame_age_s: 0.2,
            search_every: 3,
            min_probability: 0.7,
            // A relaxed hand, palm to the camera, is an open palm by up to 0.95 to a head that has learnt none; of a shown palm of a
            // person never seen 99 % are that sure (see the README).
            min_open_palm: 0.94,
            // One person's recordings each make the head unsure of others', and these it takes nothing else for.
            min_thumb_ok: 0.5,
            max_lean_deg: 75.0,
            rest_palms: 0.3,
            // The recorded swipes are about two palm lengths long.
            swipe_palms: 1.2,
            // 98 % of the recorded swipes are as quick (half of them twice so); a hand that draws back for one mostly is not.
            swipe_dash_palms: 0.8,
            // A circle of the finger tip alone, the wrist at rest, is about one palm length wide.
            turn_palms: 0.4,
            // 0.2 s of 30 frames a second, one in four misread.
            pose_votes: 6,
            pose_of: 8,
            // A window holds half a second already, so fewer are asked.
            motion_votes: 3,
            motion_of: 5,
            // A slow turn is not told for up to a quarter of a second in its midst.
            release_s: 0.3,
            after_pose_s: 0.3,
            after_swipe_s: 1.0,
            mapping: None,
            commands: true,
            landmarks: false,
        }
    }
}

/// Settings that make no node.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A number out of its bounds.
    #[error("{setting} must be {must}")]
    Bounds {
        /// The setting.
        setting: &'static str,
        /// Its bounds.
        must: &'static str,
    },
    /// A mapping that cannot be used.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}

impl Config {
    /// Whether every number is within its bounds.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let within = |value: f32, low: f32, high: f32| (low..=high).contains(&value);
        let votes = |votes: usize, of: usize| (1..=of).contains(&votes) && of <= MOST;
        let rules = [
            (within(self.min_palm, 0.1, 0.99), "min_palm", "0.1 to 0.99"),
            (within(self.min_presence, 0.1, 0.99), "min_presence", "0.1 to 0.99"),
            (within(self.max_frame_age_s, 0.0, 10.0), "max_frame_age_s", "0 to 10"),
            ((3..=30).contains(&self.search_every), "search_every", "3 to 30"),
            (within(self.min_probability, 0.3, 0.99), "min_probability", "0.3 to 0.99"),
            (within(self.min_open_palm, 0.3, 0.99), "min_open_palm", "0.3 to 0.99"),
            (within(self.min_thumb_ok, 0.3, 0.99), "min_thumb_ok", "0.3 to 0.99"),
            (within(self.max_lean_deg, 10.0, 180.0), "max_lean_deg", "10 to 180"),
            (within(self.rest_palms, 0.05, 5.0), "rest_palms", "0.05 to 5"),
            (within(self.swipe_palms, 0.2, 10.0), "swipe_palms", "0.2 to 10"),
            (within(self.swipe_dash_palms, 0.0, 5.0), "swipe_dash_palms", "0 to 5"),
            (within(self.turn_palms, 0.1, 10.0), "turn_palms", "0.1 to 10"),
            (votes(self.pose_votes, self.pose_of), "pose_votes", "1 to pose_of, which is 16 at most"),
            (votes(self.motion_votes, self.motion_of), "motion_votes", "1 to motion_of, which is 16 at most"),
            (within(self.release_s, 0.0, 5.0), "release_s", "0 to 5"),
            (within(self.after_pose_s, 0.0, 10.0), "after_pose_s", "0 to 10"),
            (within(self.after_swipe_s, 0.0, 10.0), "after_swipe_s", "0 to 10"),
        ];
        match rules.into_iter().find(|(holds, _, _)| !holds) {
            Some((_, setting, must)) => Err(ConfigError::Bounds { setting, must }),
            None => Ok(()),
        }
    }

    /// Checks the numbers and reads the mapping. `read` gives the text of a file.
    ///
    /// # Errors
    /// The first setting that makes no node.
    pub fn mapping(&self, read: impl Fn(&Path) -> io::Result<String>) -> Result<Mapping, ConfigError> {
        self.check()?;
        Ok(Mapping::open(self.mapping.as_deref(), read)?)
    }

    /// From which probability on a gesture counts.
    pub fn least(&self, gesture: Gesture) -> f32 {
        match gesture {
            Gesture::OpenPalm => self.min_open_palm,
            Gesture::ThumbUp | Gesture::ThumbDown | Gesture::Ok => self.min_thumb_ok,
            _ => self.min_probability,
        }
    }

    /// The debounce's limits.
    pub fn limits(&self) -> Limits {
        Limits {
            pose_votes: self.pose_votes,
            pose_of: self.pose_of,
            motion_votes: self.motion_votes,
            motion_of: self.motion_of,
            release: Duration::from_secs_f32(self.release_s),
            after_pose: Duration::from_secs_f32(self.after_pose_s),
            after_swipe: Duration::from_secs_f32(self.after_swipe_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_within_its_bounds() {
        assert!(Config::default().check().is_ok());
    }

    #[test]
    fn a_system_file_sets_what_it_names_and_no_more() {
        let config: Config =
            toml::from_str("mirrored = true\npose_votes = 4\nmapping = 'my.toml'").expect("known keys");
        assert!(config.mirrored && config.pose_votes == 4 && config.mapping == Some("my.toml".into()));
        assert_eq!(config.pose_of, Config::default().pose_of);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Config>("mirored = true").is_err());
    }

    #[test]
    fn a_number_out_of_bounds_names_its_setting() {
        for (text, named) in [
            ("min_presence = nan", "min_presence"),
            ("search_every = 2", "search_every"),
            ("pose_votes = 9", "pose_votes"),
            ("motion_of = 17", "motion_votes"),
            ("release_s = -1.0", "release_s"),
            ("min_open_palm = 1.0", "min_open_palm"),
            ("swipe_dash_palms = -0.1", "swipe_dash_palms"),
        ] {
            let config: Config = toml::from_str(text).expect("known keys");
            let why = config.check().expect_err("out of bounds").to_string();
            assert!(why.starts_with(named), "{text}: {why}");
        }
    }
}
