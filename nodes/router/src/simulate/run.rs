//! A drive: the tasks, one after the other, over a link, under one policy.

use troika_link::{Metered, Outcome as Went, Sample, Source, sample::Transfer};

use super::{
    air::Air,
    answer::{self, Tokens},
    chance::Chance,
    trace::Trace,
    watch::{Watch, span},
    world::{Asked, Outcome, Tasks},
};
use crate::{
    decide::{Router, World},
    policy::{Driver, Policy, Tier},
    predict::{BYTES_A_REQUEST, BYTES_A_TOKEN},
    reason::{Counts, Reason},
    request::{Request, Task},
    words,
};

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contender {
    /// The model on the vehicle, whatever is asked.
    AlwaysLocal,
    /// The cloud, whatever is asked.
    AlwaysCloud,
    /// The cloud for what is no vehicle function while the link is fast.
    Threshold,
    /// The router with its policy; with a hedge and with a hand-over when a stream stalls.
    Ours,
}

impl Contender {
    /// Every one.
    pub const ALL: [Contender; 4] =
        [Contender::AlwaysLocal, Contender::AlwaysCloud, Contender::Threshold, Contender::Ours];

    /// As reports have it.
    pub const fn name(self) -> &'static str {
        match self {
            Contender::AlwaysLocal => "always_local",
            Contender::AlwaysCloud => "always_cloud",
            Contender::Threshold => "threshold",
            Contender::Ours => "ours",
        }
    }
}

/// What became of one task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Became {
    pub(crate) success: bool,
    pub(crate) asked_cloud: bool,
    pub(crate) breach: bool,
    /// Of these, one that said of itself that it was to stay.
    pub(crate) breach_as_told: bool,
    pub(crate) handed_over: bool,
    /// The link was alive all the time, and yet the model on the vehicle took over.
    pub(crate) needless: bool,
    pub(crate) first_s: Option<f64>,
    pub(crate) silence_s: f64,
    pub(crate) reason: Option<Reason>,
}

/// What became of a drive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drive {
    pub(crate) tasks: Vec<Became>,
    pub(crate) bytes: f64,
    pub(crate) probe_bytes: f64,
    pub(crate) reasons: Counts,
}

/// A drive and the knobs of it.
pub(crate) struct Setting<'a> {
    pub(crate) tasks: &'a Tasks,
    /// Which of them the vehicle's planner understands.
    pub(crate) planned: &'a [bool],
    pub(crate) outcome: &'a Outcome,
    pub(crate) policy: &'a Policy,
    pub(crate) cuts_an_hour: f64,
    pub(crate) seed: u64,
}

/// The connection is closed by the other side after so long without traffic, s.
const IDLE_S: f64 = 30.0;

struct Driving<'a> {
    setting: &'a Setting<'a>,
    air: Air,
    link: Watch,
    connected: Option<f64>,
    router: Router,
    drive: Drive,
}

pub(crate) fn drive(setting: &Setting<'_>, trace: &Trace, contender: Contender) -> Drive {
    let outcome = setting.outcome;
    let seconds = (setting.tasks.len() as f64 + 2.0) * outcome.every_s * 1.5;
    let mut driving = Driving {
        setting,
        air: Air::new(trace, outcome, setting.cuts_an_hour, seconds, setting.seed),
        link: Watch::new(),
        connected: None,
        router: Router::new(setting.policy.clone()),
        drive: Drive::default(),
    };
    let mut pauses = Chance::of(setting.seed, &[0xa5]);
    let mut time = 0.0;
    for (n, task) in setting.tasks.task.iter().enumerate() {
        let asked = time + outcome.every_s * (0.5 + pauses.uniform());
        // Who is about to ask speaks.
        let speaks = (contender != Contender::AlwaysLocal).then_some(asked - outcome.speaks_s);
        driving.link.pass(&driving.air, time, asked, speaks);
        driving.ask(contender, n, task, asked);
        time = asked;
    }
    driving.drive.probe_bytes = driving.link.probe_bytes();
    driving.drive.bytes += driving.drive.probe_bytes;
    driving.drive
}

impl Driving<'_> {
    fn ask(&mut self, contender: Contender, n: usize, task: &Asked, asked: f64) {
        let (outcome, planned) = (self.setting.outcome, self.setting.planned[n]);
        let request = Request {
            id: task.id.clone(),
            conversation: task.conversation.clone(),
            text: task.ask.clone(),
            task: task.task,
            privacy: task.privacy,
            has_image: false,
            complexity: None,
            asked: Watch::time(asked),
            deadline: None,
        };
        let seen = self.link.estimate(asked);
        // The threshold is told more than there is to know on a vehicle that sends little: the rate of a second ago.
        let fast = self.air.down_kbps((asked - 1.0).max(0.0)) >= outcome.threshold_kbps;
        let (tier, model, reason) = match contender {
            Contender::AlwaysLocal => (Tier::OnVehicle, outcome.local.clone(), None),
            Contender::AlwaysCloud => (Tier::Cloud, outcome.cloud.clone(), None),
            Contender::Threshold if task.task == Task::VehicleFunction => {
                (Tier::Vehicle, String::new(), None)
            }
            Contender::Threshold if fast => (Tier::Cloud, outcome.cloud.clone(), None),
            Contender::Threshold => (Tier::OnVehicle, outcome.local.clone(), None),
            Contender::Ours => {
                let world = World {
                    link: seen,
                    metered: Metered::Yes,
                    cloud_open: self.open(asked),
                    driver: Driver::Attentive,
                    planned,
                    ..World::default()
                };
                let decision = self.router.decide(Watch::time(asked), &request, &world);
                (decision.tier, decision.model, Some(decision.reason))
            }
        };
        let tokens = self.tokens(task);
        let deadline = self.setting.policy.rules.deadline_s.of(task.task).0;
        let luck = |tier: u64| Chance::of(self.setting.seed, &[n as u64, tier, 0x1]).uniform();
        let mut became = Became {
            success: false,
            asked_cloud: tier == Tier::Cloud,
            breach: tier == Tier::Cloud && task.is_private(),
            breach_as_told: tier == Tier::Cloud && task.says_private(),
            handed_over: false,
            needless: false,
            first_s: None,
            silence_s: 0.0,
            reason,
        };
        let mut times = Chance::of(self.setting.seed, &[n as u64, 0x2]);
        let (heard, chance, luck) = match tier {
            Tier::Vehicle => {
                let chance =
                    outcome.model(&outcome.local).map_or(0.0, |model| model.chance(&task.needs, planned));
                (answer::heard(asked, &[asked + 0.3]), chance, luck(1))
            }
            Tier::OnVehicle => {
                let chance = outcome.model(&model).map_or(0.0, |model| model.chance(&task.needs, planned));
                let tokens = self.local(&model, asked, &task.ask, tokens, &mut times);
                (answer::heard(asked, &tokens), chance, luck(1))
            }
            Tier::Cloud => {
                let (tokens, chance) =
                    self.cloud(contender, &model, (task, planned), asked, &mut times, &mut became);
                (answer::heard(asked, &tokens), chance, luck(2))
            }
            Tier::Canned => (None, 0.0, 1.0),
        };
        became.first_s = heard.map(|heard| heard.first_s);
        // Who gives up on an answer has heard nothing until then.
        became.silence_s = heard.map_or(0.0, |heard| heard.silence_s).max(became.silence_s);
        became.success = heard.is_some_and(|heard| heard.first_s <= deadline) && luck < chance;
        became.reason.into_iter().for_each(|reason| self.drive.reasons.count(reason));
        self.drive.tasks.push(became);
    }

    /// How long its answer is.
    fn tokens(&self, task: &Asked) -> usize {
        self.setting.policy.rules.tokens.of(task.task).0 as usize
    }

    fn open(&self, now: f64) -> bool {
        self.connected.is_some_and(|then| now - then < IDLE_S)
    }

    fn local(&self, name: &str, from: f64, ask: &str, tokens: usize, times: &mut Chance) -> Tokens {
        let model = self.setting.outcome.model(name);
        model.map_or_else(Vec::new, |model| {
            answer::local(model, from, words::tokens(ask) + 30.0, tokens, times)
        })
    }

    /// What comes of asking the cloud: the tokens that are spoken, and the chance that they are right.
    fn cloud(
        &mut self,
        contender: Contender,
        name: &str,
        (task, planned): (&Asked, bool),
        asked: f64,
        times: &mut Chance,
        became: &mut Became,
    ) -> (Tokens, f64) {
        let outcome = self.setting.outcome;
        let (Some(model), Some(local)) = (outcome.model(name), outcome.model(&outcome.local)) else {
            return (Vec::new(), 0.0);
        };
        let tokens = self.tokens(task);
        let (open, bytes) = (self.open(asked), task.ask.len() as f64);
        let all = answer::cloud(model, &self.air, asked, open, bytes, tokens, times);
        self.drive.bytes += BYTES_A_REQUEST + bytes;
        let (good, local_good) = (model.chance(&task.needs, planned), local.chance(&task.needs, planned));
        let (kept, chance, spoken) = if contender == Contender::Ours {
            // The first token may take its time; those after it come one after another.
            let late = all[0] - asked > outcome.hedge_s;
            let stalled = answer::stall(all[0], &all, outcome.stall_s);
            let hedged = late
                .then(|| self.local(&outcome.local, asked + outcome.hedge_s, &task.ask, tokens, times))
                // Whoever is first speaks on.
                .filter(|begun| begun[0] < all[0]);
            let taken_over = match hedged {
                Some(begun) => Some((0, begun)),
                None => stalled.map(|(kept, noticed)| {
                    let rest = self.local(&outcome.local, noticed, "", tokens - kept, times);
                    (kept, rest)
                }),
            };
            match taken_over {
                None => (tokens, good, all.clone()),
                Some((kept, rest)) => {
                    became.handed_over = true;
                    became.needless = self.air.alive_throughout(asked, all[kept.min(tokens - 1)]);
                    let share = kept as f64 / tokens as f64;
                    (kept, share * good + (1.0 - share) * local_good, [&all[..kept], &rest].concat())
                }
            }
        } else {
            match answer::stall(asked, &all, outcome.give_up_s) {
                None => (tokens, good, all.clone()),
                Some((kept, _)) => {
                    became.silence_s = outcome.give_up_s;
                    (kept, 0.0, all[..kept].to_vec())
                }
            }
        };
        self.drive.bytes += BYTES_A_TOKEN * kept as f64;
        self.tell(asked, open, &all, kept, tokens);
        (spoken, chance)
    }

    /// What the link node hears of the exchange: a round trip where a connection was made, the rate of the words, or that it failed.
    fn tell(&mut self, asked: f64, open: bool, all: &[f64], kept: usize, tokens: usize) {
        let whole = kept == tokens;
        let ended = if whole { all[tokens - 1] } else { all[..kept].last().copied().unwrap_or(asked) + 1.0 };
        let ended = if ended.is_finite() { ended } else { asked + 10.0 };
        self.connected = whole.then_some(ended);
        let mut sample = Sample::failed(Source::Passive);
        if whole {
            sample.outcome = Went::Ok;
            sample.rtt = (!open).then(|| span(self.air.rtt(asked)));
            let took = span(all[tokens - 1] - all[0]);
            sample.down = Transfer { bytes: (BYTES_A_TOKEN * tokens as f64) as u32, took };
        }
        // It is told when it is over; until the next request nothing else looks.
        self.link.saw(ended, &sample);
    }
}
