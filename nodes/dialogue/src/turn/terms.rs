//! What goes into a turn and what comes out of it.

use troika_kit::{Duration, Time};

use crate::{
    chat::ToolCall,
    fault::Fault,
    reply::{LeftOut, Tier},
};

/// When what is waited for no longer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The first token is late: the vehicle's model begins a draft.
    pub first_token_soft: Duration,
    /// The first token is given up.
    pub first_token_hard: Duration,
    /// Nothing came for so long: the vehicle's model begins a draft.
    pub stall_soft: Duration,
    /// Nothing came for so long: the stream is given up, unless there is still text to be spoken.
    pub stall_hard: Duration,
    /// Nothing came for so long: the stream is given up whatever is left to be spoken.
    pub stall_most: Duration,
    /// The draft begins at the latest so long before the spoken text runs out.
    pub draft_lead: Duration,
    /// The stream is given up so long before the spoken text runs out, so that what follows is on its way.
    pub hand_over_lead: Duration,
    /// Words spoken a second.
    pub words_per_second: f32,
    /// When nothing is left to say, a sentence comes out in parts of at least so many words.
    pub least_words: usize,
    /// So many times tools may be called in a turn.
    pub tool_rounds: u32,
    /// So many sentences in a row left out end the vehicle's continuation.
    pub left_out_in_a_row: u32,
    /// The vehicle's model reads along while the cloud answers.
    pub shadow: bool,
}

impl Default for Pace {
    /// Speech is about three words a second; the rest was chosen, not measured on a road.
    fn default() -> Self {
        Pace {
            first_token_soft: Duration::from_millis(900),
            first_token_hard: Duration::from_millis(2500),
            stall_soft: Duration::from_millis(700),
            stall_hard: Duration::from_millis(1500),
            stall_most: Duration::from_secs(8),
            draft_lead: Duration::from_millis(2500),
            hand_over_lead: Duration::from_millis(300),
            words_per_second: 3.0,
            least_words: 6,
            tool_rounds: 4,
            left_out_in_a_row: 2,
            shadow: true,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// By then the turn is over.
    pub deadline: Time,
    /// Why the cloud is not asked; none: it is.
    pub not_cloud: Option<Reason>,
    /// There is a model on the vehicle that may answer.
    pub local: bool,
}

/// Why the vehicle's model took over, or why a turn is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The router said so.
    Routed,
    /// The circuit breaker is open.
    BreakerOpen,
    /// The link is gone.
    LinkGone,
    /// The first token did not come in time.
    FirstTokenLate,
    /// The stream stalled.
    Stalled,
    /// The stream ended without an answer.
    Fault(Fault),
    /// More calls of tools than allowed.
    TooManyTools,
    /// The cloud's answer reached the length that it was allowed.
    Length,
    /// The deadline came.
    Deadline,
    /// The driver spoke, or said stop.
    Cancelled,
    /// The vehicle's model failed too, or there is none.
    NoModel(String),
    /// The vehicle's model is there, and has no time for this.
    ModelBusy,
    /// The vehicle's model is not sure enough of what it would say.
    Unsure,
    /// The vehicle's model repeated itself.
    Loops,
    /// The vehicle's model named what no tool told.
    Ungrounded,
}

impl Reason {
    /// The name of why nobody answers what is private: said in the place of what the vehicle's model had to say of itself.
    pub const PRIVATE: &str = "private";
    /// The name of why an answer ends with its process.
    pub const STOPPED: &str = "stopped";

    /// A name that can be counted by.
    pub fn name(&self) -> &'static str {
        match self {
            Reason::Routed => "routed",
            Reason::BreakerOpen => "breaker_open",
            Reason::LinkGone => "link_gone",
            Reason::FirstTokenLate => "first_token_late",
            Reason::Stalled => "stalled",
            Reason::Fault(fault) => fault.name(),
            Reason::TooManyTools => "too_many_tools",
            Reason::Length => "length",
            Reason::Deadline => "deadline",
            Reason::Cancelled => "cancelled",
            Reason::NoModel(_) => "no_model",
            Reason::ModelBusy => "model_busy",
            Reason::Unsure => "unsure",
            Reason::Loops => "loops",
            Reason::Ungrounded => "ungrounded",
        }
    }
}

/// What a [`Reason`]'s name means to who reads it, and what to do where something can be done; none: no such name.
pub fn in_words(name: &str) -> Option<&'static str> {
    Some(match name {
        "routed" => "the router kept it in the vehicle",
        Reason::PRIVATE => "it is private, so it stays in the vehicle, and nobody there can answer it",
        "breaker_open" => "the cloud failed before and is left alone for up to two minutes",
        "link_gone" => "the link is gone",
        "first_token_late" => "the cloud's first words came too late",
        "stalled" => "the cloud's words stopped coming",
        "too_many_tools" => "the cloud called more tools than it may",
        "length" => "the answer reached its length",
        "deadline" => "the time was over",
        "cancelled" => "somebody spoke, or asked anew",
        Reason::STOPPED => "the vehicle's dialogue was stopped: what was still to be said is lost",
        "no_model" => {
            "no language model answers on the vehicle: does a node of the kind `slm` run, with its model (`troika models verify`)?"
        }
        "model_busy" => "the vehicle's model is there and is busy with something else: ask again in a moment",
        "unsure" => "the vehicle's model is not sure enough of what it would say",
        "loops" => "the vehicle's model repeated itself",
        "ungrounded" => "the vehicle's model named what no tool told",
        "dns" => "the cloud's name was not found: is there a network, and is `url` spelt rightly?",
        "connect" => "nothing accepts connections at the cloud's `url`",
        "connect_timeout" => "the connection to the cloud was not made in time",
        "files" => {
            "a file that leads to the cloud is missing or wrong: see what the bridge's process says, or `troika check`"
        }
        "tls" => {
            "TLS failed: the cloud's certificate is not one of `ca_file`'s, or ours is not taken; the bridge's process says which"
        }
        "reset" => "the connection broke",
        "timeout" => "nothing came from the cloud in time",
        "truncated" => "the cloud's answer ended before its end",
        "malformed" => "what is at `url` does not speak the chat interface",
        "too_large" => "the cloud said more than is taken",
        "rate_limited" => "the cloud wants fewer questions (429)",
        "payment_required" => "the cloud's account has no credit left (402)",
        "unauthorized" => {
            "the cloud does not take our key or certificate: see `key_file`, `certificate_file`; a vehicle that was revoked is enrolled again (`troika \
             fleet enrol`; over zenoh that holds once its old certificate has ended)"
        }
        "refused" => "the cloud refused the question: see what the bridge's process says",
        "server" => "the cloud failed (5xx)",
        _ => return None,
    })
}

/// What the cloud's stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromCloud {
    /// Text.
    Text(String),
    /// Tools to be called; the stream ends with it.
    Tools(Vec<ToolCall>),
    /// The answer is whole.
    Done,
    /// The answer is as long as it was allowed to be.
    Length,
    /// There is none, or no more.
    Failed(Fault),
}

/// What the vehicle's model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromLocal {
    /// Text.
    Text(String),
    /// It has ended.
    Done,
    /// It is not sure enough of what it would say.
    Unsure,
    /// It has no time for this: it works on something else.
    Busy,
    /// It cannot.
    Failed(String),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask the cloud, with all messages so far.
    StartCloud {
        /// The stream's number.
        stream: u64,
    },
    /// End the stream, now: its socket too.
    StopCloud {
        /// The stream's number.
        stream: u64,
    },
    /// The vehicle's model reads this more of the cloud's answer, and says nothing.
    Shadow {
        /// The text.
        text: String,
    },
    /// The vehicle's model goes on from here; from the beginning where this is empty.
    ContinueLocal {
        /// The stream's number.
        stream: u64,
        /// The reply so far, to the end of a word. It may be shorter than what was shadowed, by half a word.
        so_far: String,
    },
    /// The vehicle's model stops.
    StopLocal {
        /// The stream's number.
        stream: u64,
    },
    /// Carry these out, then [`Turn::tools_done`].
    CallTools(Vec<ToolCall>),
    /// Say this.
    Say {
        /// Whole sentences, or a part of one that was begun.
        text: String,
        /// Whose words.
        tier: Tier,
    },
    /// The turn is over.
    End(End),
}

/// How a turn went.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// All that was said.
    pub said: String,
    /// Who said the last of it.
    pub tier: Tier,
    /// Why it is not whole; none: it is.
    pub cut: Option<Reason>,
    /// Why the vehicle's model answered.
    pub handed_over: Option<Reason>,
    /// What it was not let say.
    pub left_out: LeftOut,
    /// From the question to the first words; none: nothing was said.
    pub first_words: Option<Duration>,
    /// The longest time with nothing to say, after the first words.
    pub silence: Duration,
    /// Drafts that were not needed.
    pub drafts_dropped: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_in_words() {
        let text = String::new;
        let faults = [
            Fault::Dns,
            Fault::Connect(text()),
            Fault::ConnectTimeout(""),
            Fault::Files(text()),
            Fault::Tls(text().into()),
            Fault::Reset(text()),
            Fault::Timeout(""),
            Fault::Truncated,
            Fault::Malformed(text()),
            Fault::TooLarge { what: "", limit: 0 },
            Fault::RateLimited { retry_after: None },
            Fault::PaymentRequired,
            Fault::Unauthorized(401),
            Fault::Refused { status: 400, said: text() },
            Fault::Server { status: 500, retry_after: None },
            Fault::Cancelled,
        ];
        let reasons = [
            Reason::Routed,
            Reason::BreakerOpen,
            Reason::LinkGone,
            Reason::FirstTokenLate,
            Reason::Stalled,
            Reason::TooManyTools,
            Reason::Length,
            Reason::Deadline,
            Reason::Cancelled,
            Reason::NoModel(text()),
            Reason::ModelBusy,
            Reason::Unsure,
            Reason::Loops,
            Reason::Ungrounded,
        ];
        for reason in faults.into_iter().map(Reason::Fault).chain(reasons) {
            assert!(in_words(reason.name()).is_some(), "{}", reason.name());
        }
        assert_eq!(in_words("sunshine"), None);
    }
}
