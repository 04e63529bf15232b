//! What the language model on the vehicle is asked, as far as it is pure: its ports, its settings, and the grammar that its answers
//! must fit. The model itself runs in `slm/`, in a process of its own.

pub mod config;
pub mod grammar;

use troika_kit::{Events, Out, ports};
use troika_msgs::troika::{LanguageReply, LanguageRequest};

pub use config::SlmConfig;

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// What is asked of the model. Eight wait at most; of one task the newest alone.
        request: Events<LanguageRequest, 8> = "/voice/language_request",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Answers, whole or in parts.
        reply: Out<LanguageReply, 16> = "/voice/language_reply",
    }
}
