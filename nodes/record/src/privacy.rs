//! What a recording leaves out unless it is allowed: pictures and sound of the people in the cabin.

use troika_kit::Message as _;
use troika_msgs::{sensor_msgs::Image, troika::AudioChunk};

/// Types of other packages that hold pictures or sound too.
const ELSEWHERE: [&str; 3] = [
    "sensor_msgs/msg/CompressedImage",
    "audio_common_msgs/msg/AudioData",
    "audio_common_msgs/msg/AudioStamped",
];

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Privacy {
    /// No raw images and no audio: their hashes alone.
    #[default]
    LeaveOut,
    /// Everything.
    KeepRaw,
}

impl Privacy {
    /// As a person says it: raw or not.
    pub fn raw(raw: bool) -> Privacy {
        if raw { Privacy::KeepRaw } else { Privacy::LeaveOut }
    }

    /// Whether messages of the type are left out.
    pub fn leaves_out(self, type_name: &str) -> bool {
        troika_safety::fulfils![SR_OBS_003];
        self == Privacy::LeaveOut && is_raw(type_name)
    }
}

/// Whether a type holds raw pictures or sound.
pub fn is_raw(type_name: &str) -> bool {
    type_name == Image::TYPE.name || type_name == AudioChunk::TYPE.name || ELSEWHERE.contains(&type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_and_sound_are_left_out_unless_allowed() {
        troika_safety::verifies![SR_OBS_003];
        assert!(Privacy::default().leaves_out("sensor_msgs/msg/Image"));
        assert!(Privacy::raw(false).leaves_out("troika_msgs/msg/AudioChunk"));
        assert!(!Privacy::raw(false).leaves_out("troika_msgs/msg/DriverState"));
        assert!(!Privacy::raw(true).leaves_out("sensor_msgs/msg/Image"));
    }
}
