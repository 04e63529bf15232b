//! The topics of the dialogue's process.

use troika_kit::{Events, Latest, Out, ports};
use troika_msgs::troika::{
    DialogueReply, DialogueRequest, LanguageReply, LanguageRequest, LinkSample, LinkState, RoutingDecision,
    VoiceActivity, VoiceReply,
};

ports! {
    /// What the process reads.
    pub struct Inputs {
        /// What is asked.
        request: Events<DialogueRequest, 8> = "/dialogue/request",
        /// Who answers it.
        decision: Events<RoutingDecision, 8> = "/dialogue/decision",
        /// What the language model on the vehicle says.
        language: Events<LanguageReply, 64> = "/voice/language_reply",
        /// The link.
        link: Latest<LinkState> = "/link/state",
        /// Who speaks ends the answer.
        activity: Events<VoiceActivity, 8> = "/voice/activity",
    }
}

ports! {
    /// What the process says.
    pub struct Outputs {
        /// The answer, as it comes.
        reply: Out<DialogueReply, 256> = "/dialogue/reply",
        /// The answer, sentence by sentence, to be spoken.
        speech: Out<VoiceReply, 16> = "/voice/reply",
        /// What the language model on the vehicle is asked.
        language: Out<LanguageRequest, 8> = "/voice/language_request",
        /// What the exchanges showed of the link.
        sample: Out<LinkSample, 64> = "/link/sample",
    }
}
