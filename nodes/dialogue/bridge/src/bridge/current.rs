//! The answer under way: what it carried, and how it ends.

use std::collections::BTreeMap;

use troika_dialogue::{End, Reason, Tier, Traffic};
use troika_kit::{Duration, Time};
use troika_link::{Sample, Source, sample::Transfer};
use troika_msgs::troika::DialogueReply;
use troika_router::privacy::Stays;

use crate::steps::Steps;

/// Of fewer words no sentence is an answer: "Good idea!"
const LEAST_ANSWER: usize = 5;

/// One answer, from the question on.
pub(super) struct Current {
    pub(super) request: String,
    pub(super) question: String,
    /// It may not leave the vehicle.
    pub(super) private: bool,
    pub(super) sequence: u32,
    pub(super) tier: u8,
    /// Some of its words were the cloud's.
    pub(super) by_cloud: bool,
    /// Its streams have this number or a higher one.
    pub(super) first_stream: u64,
    /// What each of them carried.
    pub(super) carried: BTreeMap<u64, Traffic>,
    /// The cloud was asked, and when it last said something.
    pub(super) cloud: Option<Time>,
    pub(super) stalled: Option<Time>,
    pub(super) steps: Option<Steps>,
}

impl Current {
    /// Bytes of all its streams, and the times of the last.
    pub(super) fn traffic(&self) -> Traffic {
        let sum = |of: fn(&Traffic) -> u32| self.carried.values().map(of).fold(0, u32::saturating_add);
        let last = self.carried.values().next_back().copied().unwrap_or_default();
        Traffic { sent: sum(|one| one.sent), received: sum(|one| one.received), ..last }
    }

    /// Whether any word of the answer is out.
    pub(super) fn began(&self) -> bool {
        self.sequence > 0
    }

    /// How it ends for who asked, as `DialogueReply` names it, and what is missing.
    pub(super) fn outcome(&self, end: &End) -> (u8, Option<Missing>) {
        let missing = match &end.cut {
            Some(Reason::Cancelled) => return (DialogueReply::CANCELLED, None),
            _ if !self.began() => Missing::All,
            None => return (DialogueReply::COMPLETE, None),
            Some(cut) if is_whole(end, cut) => return (DialogueReply::COMPLETE, None),
            Some(_) if self.by_cloud => Missing::Rest,
            Some(_) => Missing::OfOurs,
        };
        (DialogueReply::FAILED, Some(missing))
    }

    /// What it told of the link.
    pub(super) fn measured(&self) -> Sample {
        let traffic = self.traffic();
        Sample {
            down: Transfer { bytes: traffic.received, took: traffic.took },
            stall: traffic.longest_wait,
            rtt: None,
            ..Sample::round_trip(Source::Passive, Duration::ZERO)
        }
    }
}

/// What nobody says any more of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Every word.
    All,
    /// What the cloud would have said on.
    Rest,
    /// What the vehicle's model would have.
    OfOurs,
}

/// An answer that was left out in part or ended at its length is one all the same; so is one after whose last sentence the vehicle's model has no
/// more to say.
fn is_whole(end: &End, cut: &Reason) -> bool {
    let tells = end.said.split_whitespace().count() >= LEAST_ANSWER;
    let enough = matches!(cut, Reason::Unsure) && closes(&end.said) && tells && end.tier == Tier::Local;
    enough || matches!(cut, Reason::Length | Reason::Loops | Reason::Ungrounded)
}

/// Whether no sentence hangs.
pub(super) fn closes(said: &str) -> bool {
    said.trim_end().ends_with(['.', '!', '?'])
}

/// Whether what stays does so for being private, and not for what kind of task it is.
pub(super) fn of_private_things(stays: Stays) -> bool {
    matches!(stays, Stays::PrivateClass | Stays::PrivateWords | Stays::Image)
}
