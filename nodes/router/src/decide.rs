//! Who answers. A function of the request, of what is known at that time, and of the conversation so far.
//!
//! First the rule of what may leave ([`crate::privacy`]), then for each model the chance that it answers well and in time, less what it
//! costs; the cloud is asked where its chance is higher by the policy's `gain`.

use troika_kit::{Duration, Time};
use troika_link::{Estimate, LinkStatus, Metered};

use crate::{
    budget::{Cost, Ledger, Spent},
    policy::{Driver, Model, Policy, Tier},
    predict::{self, Expected, Job},
    privacy::{Stays, may_leave, stricter},
    reason::{Counts, Reason},
    request::{Privacy, Request, Task},
    words,
};

/// Conversations whose last answerer is remembered; the oldest makes room.
const CONVERSATIONS: usize = 8;
/// A brief answer has this share of the tokens.
const BRIEF: f64 = 0.5;
/// A road where the link failed on this few passes says little.
const FEW_VISITS: u16 = 2;

/// What is known at the time.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Of the link.
    pub link: Estimate,
    /// How often there was a link on this stretch of road, and passes; none: not known.
    pub here: Option<(f64, u16)>,
    /// Whether its bytes cost.
    pub metered: Metered,
    /// Whether a connection to the cloud is open.
    pub cloud_open: bool,
    /// Whether the cloud is to be asked at all: false while its circuit is open.
    pub cloud_available: bool,
    /// Whether there is a model on the vehicle.
    pub local_available: bool,
    /// Until that has finished what it does.
    pub local_free_in: Duration,
    /// What other loads leave it of its speed, 0..1.
    pub local_speed: f64,
    /// The driver.
    pub driver: Driver,
    /// The vehicle's planner understands the question: the map answers it, and no model needs to.
    pub planned: bool,
    /// The vehicle is in its safe state: nothing leaves it.
    pub limited: bool,
}

impl Default for World {
    /// Nothing is known.
    fn default() -> Self {
        World {
            link: Estimate::default(),
            here: None,
            metered: Metered::Unknown,
            cloud_open: false,
            cloud_available: true,
            local_available: true,
            local_free_in: Duration::ZERO,
            local_speed: 1.0,
            driver: Driver::Unknown,
            planned: false,
            limited: false,
        }
    }
}

/// A model that was weighed.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// Its name.
    pub model: String,
    /// Where it is.
    pub tier: Tier,
    /// 0..1: that it answers well and in time.
    pub chance: f64,
    /// To its first words; none: it may not be asked.
    pub first: Option<Duration>,
    /// What it is expected to take.
    pub cost: Cost,
    /// The chance less the cost: by this they are compared.
    worth: f64,
    /// Why it may not be asked.
    pub barred: Option<Reason>,
}

/// Who answers, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Where the answer comes from.
    pub tier: Tier,
    /// The model; empty without one.
    pub model: String,
    /// Why.
    pub reason: Reason,
    /// The stricter of what was said of the request and what its words say.
    pub privacy: Privacy,
    /// As used.
    pub complexity: f64,
    /// From the time it was asked.
    pub deadline: Duration,
    /// The answer is to be short. Not to be told to the cloud: it would tell it the driver's state.
    pub brief: bool,
    /// Every model, best first; those that may not be asked last.
    pub weighed: Vec<Weighed>,
}

/// The router.
#[derive(Debug, Clone)]
pub struct Router {
    policy: Policy,
    ledger: Ledger,
    counts: Counts,
    conversations: Vec<(String, Tier, Time)>,
}

impl Router {
    /// With a full budget.
    pub fn new(policy: Policy) -> Router {
        let budget = &policy.rules.budget;
        let limit = Cost { bytes: budget.bytes_a_day.0, microeuro: budget.cents_a_day.0 * 1e4 };
        Router { policy, ledger: Ledger::new(limit), counts: Counts::default(), conversations: Vec::new() }
    }

    /// Decides, and reserves what the cloud is expected to take.
    pub fn decide(&mut self, now: Time, request: &Request, world: &World) -> Decision {
        let by_words = self.policy.private_words.of(&request.text);
        let leaves = may_leave(request, by_words).map(drop);
        let complexity =
            request.complexity.unwrap_or_else(|| words::complexity(&request.text)).clamp(0.0, 1.0);
        let rules = &self.policy.rules;
        let deadline = request.deadline.unwrap_or_else(|| rules.deadline_s.of(request.task).duration());
        troika_safety::fulfils![SR_ATT_001];
        let brief = rules.driver.brief_when.contains(&world.driver);
        let mut decision = Decision {
            tier: Tier::Canned,
            model: String::new(),
            reason: Reason::Nobody,
            privacy: stricter(request.privacy, by_words),
            complexity,
            deadline,
            brief,
            weighed: Vec::new(),
        };
        if request.task == Task::VehicleFunction {
            (decision.tier, decision.reason) = (Tier::Vehicle, Reason::VehicleFunction);
        } else {
            let left = deadline.saturating_sub(now.since(request.asked));
            self.weigh(now, request, world, leaves.err(), left, &mut decision);
            self.choose(now, request, left, &mut decision);
        }
        self.counts.count(decision.reason);
        decision
    }

    /// What an answer took in the end.
    pub fn settle(&mut self, request: &str, took: Cost) {
        self.ledger.settle(request, took);
    }

    /// Tokens a second of the first model on the vehicle, as the policy has it; 0 without one.
    pub(crate) fn local_rate(&self) -> f64 {
        let models = self.policy.rules.model.iter().map(|one| one.get_ref());
        models.filter(|one| one.tier == Tier::OnVehicle).map(|one| one.tokens_per_s.0).next().unwrap_or(0.0)
    }

    /// How often each reason was given.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Spent or reserved today.
    pub fn spent(&self) -> Cost {
        self.ledger.spent()
    }

    fn weigh(
        &mut self,
        now: Time,
        request: &Request,
        world: &World,
        stays: Option<Stays>,
        left: Duration,
        decision: &mut Decision,
    ) {
        let rules = &self.policy.rules;
        let brief = if decision.brief { BRIEF } else { 1.0 };
        let tokens = f64::from(rules.tokens.of(request.task).0);
        // What the cloud is asked for does not depend on the driver's state.
        let (cloud_job, local_job) =
            (Job::new(&request.text, tokens, left), Job::new(&request.text, tokens * brief, left));
        let here_up = world.here.filter(|(_, visits)| *visits > FEW_VISITS).map_or(1.0, |(up, _)| up);
        let well = |model: &Model| model.answers_well(request.task, decision.complexity, world.planned);
        let mut weighed = Vec::with_capacity(rules.model.len());

        for model in rules.model.iter().map(|one| one.get_ref()).filter(|one| one.tier == Tier::OnVehicle) {
            let planned = world.planned && model.planned.is_some();
            let expected = match planned {
                true => predict::planned(left),
                false => predict::local(model, &local_job, world.local_free_in, world.local_speed),
            };
            let barred = if !world.local_available && !planned {
                Some(Reason::LocalUnavailable)
            } else if expected.in_time == 0.0 {
                Some(if left.is_zero() { Reason::TooLate } else { Reason::LocalBusy })
            } else {
                None
            };
            let chance = well(model) * expected.in_time;
            weighed.push(of(model, &expected, chance, chance, barred));
        }
        // A stream that is cut is gone on with by the vehicle's model: what that is worth counts.
        let after_cut =
            weighed.iter().filter(|one| one.barred.is_none()).map(|one| one.chance).fold(0.0, f64::max);
        for model in rules.model.iter().map(|one| one.get_ref()).filter(|one| one.tier == Tier::Cloud) {
            let expected = predict::cloud(
                model,
                &cloud_job,
                &world.link,
                rules.link.kbps_unknown.0,
                world.cloud_open,
                here_up,
            );
            let barred = stays
                .map(reason)
                .or_else(|| world.limited.then_some(Reason::SafeState))
                .or_else(|| {
                    let may = rules.cloud_tasks.iter().any(|task| *task.get_ref() == request.task);
                    (!may).then_some(Reason::Policy)
                })
                .or_else(|| (!world.cloud_available).then_some(Reason::CloudUnavailable))
                .or_else(|| bad_link(&world.link, rules.link.most_loss.0))
                .or_else(|| {
                    let late = if left.is_zero() { Reason::TooLate } else { Reason::LinkSlow };
                    (expected.in_time == 0.0).then_some(late)
                })
                .or_else(|| {
                    self.ledger.can(now, expected.cost).err().map(|spent| match spent {
                        Spent::Bytes => Reason::BytesSpent,
                        Spent::Money => Reason::MoneySpent,
                    })
                });
            let well = well(model);
            let chance =
                expected.in_time * (well * expected.whole + after_cut.min(well) * (1.0 - expected.whole));
            let worth = chance - price(rules, &expected.cost, world.metered);
            weighed.push(of(model, &expected, chance, worth, barred));
        }
        weighed.sort_by(|a, b| {
            let open = |one: &Weighed| one.barred.is_some();
            open(a).cmp(&open(b)).then(b.worth.total_cmp(&a.worth))
        });
        decision.weighed = weighed;
    }

    fn choose(&mut self, now: Time, request: &Request, left: Duration, decision: &mut Decision) {
        let best = |tier| decision.weighed.iter().find(|one| one.tier == tier && one.barred.is_none());
        let bar = |tier| decision.weighed.iter().find(|one| one.tier == tier).and_then(|one| one.barred);
        let (local, cloud) = (best(Tier::OnVehicle), best(Tier::Cloud));
        let worth = &self.policy.rules.worth;
        let hold = worth.hold_s.duration();
        let with = self
            .conversations
            .iter()
            .find(|(id, _, then)| !id.is_empty() && *id == request.conversation && now.since(*then) <= hold)
            .map(|(_, tier, _)| *tier);
        let (chosen, reason) = match (local, cloud) {
            (Some(local), Some(cloud)) => {
                let better = cloud.worth - local.worth;
                let to_cloud = better >= worth.gain.0;
                match with {
                    Some(Tier::Cloud) if !to_cloud && better >= worth.gain.0 - worth.margin.0 => {
                        (Some(cloud), Reason::Held)
                    }
                    Some(Tier::OnVehicle) if to_cloud && better < worth.gain.0 + worth.margin.0 => {
                        (Some(local), Reason::Held)
                    }
                    _ if to_cloud => (Some(cloud), Reason::CloudBetter),
                    _ => (Some(local), Reason::LocalEnough),
                }
            }
            (Some(local), None) => (Some(local), bar(Tier::Cloud).unwrap_or(Reason::LocalEnough)),
            (None, Some(cloud)) => (Some(cloud), bar(Tier::OnVehicle).unwrap_or(Reason::CloudBetter)),
            (None, None) if left.is_zero() => (None, Reason::TooLate),
            // What keeps it from the cloud says more than that nobody is left.
            (None, None) => (None, bar(Tier::Cloud).unwrap_or(Reason::Nobody)),
        };
        decision.reason = reason;
        let Some((tier, model, cost)) = chosen.map(|one| (one.tier, one.model.clone(), one.cost)) else {
            return;
        };
        (decision.tier, decision.model) = (tier, model);
        if let Some(at) = decision.weighed.iter().position(|one| one.model == decision.model) {
            decision.weighed[..=at].rotate_right(1);
        }
        if tier == Tier::Cloud {
            self.ledger.reserve(now, &request.id, cost);
        }
        if !request.conversation.is_empty() {
            self.conversations.retain(|(id, ..)| *id != request.conversation);
            if self.conversations.len() >= CONVERSATIONS {
                self.conversations.remove(0);
            }
            self.conversations.push((request.conversation.clone(), tier, now));
        }
    }
}

fn of(model: &Model, expected: &Expected, chance: f64, worth: f64, barred: Option<Reason>) -> Weighed {
    let open = barred.is_none();
    Weighed {
        model: model.name.clone(),
        tier: model.tier,
        chance: if open { chance } else { 0.0 },
        first: open.then_some(expected.first),
        cost: expected.cost,
        worth,
        barred,
    }
}

fn reason(stays: Stays) -> Reason {
    match stays {
        Stays::VehicleFunction => Reason::VehicleFunction,
        Stays::PrivateClass => Reason::PrivateClass,
        Stays::PrivateWords => Reason::PrivateWords,
        Stays::Image => Reason::Image,
        Stays::UnknownTask => Reason::UnknownTask,
    }
}

fn bad_link(link: &Estimate, most_loss: f64) -> Option<Reason> {
    troika_safety::fulfils![SR_RTE_013];
    match link.status {
        LinkStatus::Unknown => Some(Reason::LinkUnknown),
        LinkStatus::Down => Some(Reason::LinkDown),
        LinkStatus::Up => link.loss.is_some_and(|(mean, _)| mean > most_loss).then_some(Reason::LinkLossy),
    }
}

/// What a cost must bring in chance.
fn price(rules: &crate::policy::Rules, cost: &Cost, metered: Metered) -> f64 {
    let bytes = if metered == Metered::No { 0.0 } else { cost.bytes / 1e6 * rules.worth.chance_a_megabyte.0 };
    bytes + cost.microeuro / 1e4 * rules.worth.chance_a_cent.0
}

#[cfg(test)]
mod tests;
