//! The ports of the process that listens, besides those of the step that makes commands of the words.

use troika_kit::{Events, Out, ports};
use troika_msgs::{std_msgs::Bool, troika::AudioChunk};

ports! {
    /// What it reads.
    pub struct Inputs {
        /// The talk button: held or not.
        button: Events<Bool, 8> = "/voice/push_to_talk",
        /// The cabin's audio, where that is its source.
        audio: Events<AudioChunk, 64> = "/cabin/audio",
    }
}

ports! {
    /// What it says.
    pub struct Outputs {
        /// The cabin's audio, where others are to have it.
        cabin_audio: Out<AudioChunk, 64> = "/cabin/audio",
    }
}
