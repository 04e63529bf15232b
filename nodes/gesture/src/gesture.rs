//! The gestures by name: what the heads tell, the debounce holds and the mapping refers to.

use serde::Deserialize;
use troika_msgs::troika::Gesture as Message;

/// A gesture. Left, right and the sense of a turn are the person's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gesture {
    /// Palm and five fingers shown.
    OpenPalm,
    /// A fist.
    Fist,
    /// The index finger out.
    Point,
    /// The thumb up.
    ThumbUp,
    /// The thumb down.
    ThumbDown,
    /// Thumb and index finger in a ring.
    Ok,
    /// An open hand moved to the person's left.
    SwipeLeft,
    /// An open hand moved to the person's right.
    SwipeRight,
    /// A pointing finger turned clockwise, as the person sees it.
    RotateClockwise,
    /// A pointing finger turned counter-clockwise, as the person sees it.
    RotateCounterClockwise,
}

impl Gesture {
    /// All of them.
    pub const ALL: [Gesture; 10] = [
        Gesture::OpenPalm,
        Gesture::Fist,
        Gesture::Point,
        Gesture::ThumbUp,
        Gesture::ThumbDown,
        Gesture::Ok,
        Gesture::SwipeLeft,
        Gesture::SwipeRight,
        Gesture::RotateClockwise,
        Gesture::RotateCounterClockwise,
    ];

    /// The number in the message.
    pub const fn number(self) -> u8 {
        match self {
            Gesture::OpenPalm => Message::OPEN_PALM,
            Gesture::Fist => Message::FIST,
            Gesture::Point => Message::POINT,
            Gesture::ThumbUp => Message::THUMB_UP,
            Gesture::ThumbDown => Message::THUMB_DOWN,
            Gesture::Ok => Message::OK,
            Gesture::SwipeLeft => Message::SWIPE_LEFT,
            Gesture::SwipeRight => Message::SWIPE_RIGHT,
            Gesture::RotateClockwise => Message::ROTATE_CLOCKWISE,
            Gesture::RotateCounterClockwise => Message::ROTATE_COUNTER_CLOCKWISE,
        }
    }

    /// As in a mapping file.
    pub const fn name(self) -> &'static str {
        match self {
            Gesture::OpenPalm => "open_palm",
            Gesture::Fist => "fist",
            Gesture::Point => "point",
            Gesture::ThumbUp => "thumb_up",
            Gesture::ThumbDown => "thumb_down",
            Gesture::Ok => "ok",
            Gesture::SwipeLeft => "swipe_left",
            Gesture::SwipeRight => "swipe_right",
            Gesture::RotateClockwise => "rotate_clockwise",
            Gesture::RotateCounterClockwise => "rotate_counter_clockwise",
        }
    }

    /// Whether it is told by the hand's motion, not by its pose.
    pub const fn is_motion(self) -> bool {
        self.is_swipe() || matches!(self, Gesture::RotateClockwise | Gesture::RotateCounterClockwise)
    }

    /// Whether it is over as soon as it is told.
    pub const fn is_swipe(self) -> bool {
        matches!(self, Gesture::SwipeLeft | Gesture::SwipeRight)
    }
}

/// What a head says of one frame: a gesture and its probability, 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// Which.
    pub gesture: Gesture,
    /// How sure, 0..1.
    pub probability: f32,
}
