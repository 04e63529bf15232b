//! A drive: the tasks, one after the other, over a link, under one policy; in virtual time.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use troika_bridge::{
    Bridge, Out,
    bridge::{Parts, Sentences},
    guard::{Guard, Guarded},
    local::OnVehicle,
    offline::OnTheMap,
};
use troika_dialogue::{
    Manner, Navigation, Pace, Planner, Session, Town, Words, breaker::Limits, chat::ToolCall,
};
use troika_expert::{
    Expert,
    judge::{Outcome as Answered, judge},
    tasks::{Group, Privacy as Told, SITUATION, Task as Question},
};
use troika_kit::{Duration, Events, Latest, Sample as Message, Step as _, Tick};
use troika_link::{Sample, node::to_message};
use troika_msgs::{
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, LanguageReply, LanguageRequest, LinkState, RoutingDecision},
};
use troika_router::{
    Config, Inputs, Outputs, Policy, Privacy, Redactor, RouterNode, Task,
    simulate::{Air, Contender, Outcome, Pace as Speed, Trace, Watch},
};

use troika_world::cloud::{Service, Sky};

use crate::model::Answers;

/// A drive and the knobs of it.
pub(crate) struct Setting<'a> {
    pub(crate) contender: Contender,
    pub(crate) tasks: &'a [Question],
    pub(crate) outcome: &'a Outcome,
    pub(crate) policy: &'a Policy,
    pub(crate) trace: &'a Trace,
    pub(crate) cuts_an_hour: f64,
    pub(crate) seed: u64,
    pub(crate) model: &'a Answers,
}

/// What became of one task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Became {
    pub(crate) success: bool,
    pub(crate) asked_cloud: bool,
    pub(crate) breach: bool,
    pub(crate) breach_as_told: bool,
    pub(crate) handed_over: bool,
    pub(crate) needless: bool,
    /// Of each question that was answered with anything, s.
    pub(crate) first_s: Vec<f64>,
    pub(crate) silence_s: Vec<f64>,
    pub(crate) wrong: Option<String>,
}

/// What became of a drive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drive {
    pub(crate) tasks: Vec<Became>,
    pub(crate) bytes: f64,
    pub(crate) probe_bytes: f64,
    pub(crate) reasons: Vec<(&'static str, u64)>,
}

/// As often as the link node steps, s.
const STEP_S: f64 = 0.2 + 1e-9;
/// Speech.
const WORDS_A_SECOND: f64 = 3.0;
/// From the end of an answer to the next question of the same task, s.
const PAUSE_S: f64 = 2.0;
/// Nobody waits longer for the end of an answer than the bridge does; longer than this is a fault of the bench, s.
const LONGEST_S: f64 = 120.0;

type Calls = Arc<Mutex<Vec<(ToolCall, Result<String, String>)>>>;

struct Vehicle<'a> {
    setting: &'a Setting<'a>,
    air: Air,
    sky: Sky,
    watch: Watch,
    router: RouterNode,
    policy: Arc<Policy>,
    /// With the vehicle's model, and without: of the policies that hand nothing over, who asked the cloud waits for it.
    bridges: [Bridge; 2],
    calls: Calls,
    /// Since the router's last step.
    replies: Vec<DialogueReply>,
    local: Speed,
    due: Vec<(f64, LanguageReply)>,
    /// Characters of the answer under way that the vehicle's model has read along.
    read: usize,
    seen: f64,
}

/// One question's answer.
struct Turn {
    answered: Answered,
    first_s: Option<f64>,
    silence_s: f64,
    handed_over: bool,
    /// When it ended, and when its last word is spoken.
    ended: f64,
    spoken: f64,
}

/// The policy that ships, with every word public: for those that look at nothing.
fn careless() -> anyhow::Result<Policy> {
    let text = include_str!("../../../../router/policies/troika.toml");
    let (before, rest) = text.split_once("[private_words]").context("a table of private words")?;
    let (_, after) = rest.split_once("\n# The models.").context("the models behind it")?;
    let none = "[private_words]\ncontacts = []\nmessages = []\ncabin_image = []\ndriver_state = []\n";
    Ok(Policy::parse("careless.toml", &format!("{before}{none}\n# The models.{after}"))?)
}

/// All tasks over one link.
pub(crate) fn drive(setting: &Setting<'_>) -> anyhow::Result<Drive> {
    let (every_s, speaks_s) = setting.outcome.rhythm_s();
    let seconds = setting.tasks.len() as f64 * every_s * 3.0;
    let air = Air::new(setting.trace, setting.outcome, setting.cuts_an_hour, seconds, setting.seed);
    let mut vehicle = Vehicle::new(setting, air)?;
    let mut pauses = fastrand::Rng::with_seed(setting.seed);
    let mut drive = Drive::default();
    let mut time = 0.0;
    for task in setting.tasks {
        let asked = time + every_s * (0.5 + pauses.f64());
        let probes = setting.contender == Contender::Ours;
        vehicle.watch.pass(&vehicle.air, time, asked, probes.then_some(asked - speaks_s));
        let (became, ended) = vehicle.task(task, asked).with_context(|| format!("task {}", task.id))?;
        drive.tasks.push(became);
        time = ended;
    }
    drive.probe_bytes = if setting.contender == Contender::Ours { vehicle.watch.probe_bytes() } else { 0.0 };
    drive.bytes = vehicle.sky.counts().1 as f64 + drive.probe_bytes;
    let reasons = vehicle.router.counts().iter().filter(|(_, times)| *times > 0);
    drive.reasons = reasons.map(|(reason, times)| (reason.name(), times)).collect();
    Ok(drive)
}

impl<'a> Vehicle<'a> {
    fn new(setting: &'a Setting<'a>, air: Air) -> anyhow::Result<Vehicle<'a>> {
        let sky = Sky::default();
        let ours = setting.contender == Contender::Ours;
        let policy = Arc::new(if ours { setting.policy.clone() } else { careless()? });
        let calls = Calls::default();
        let [cloud, local] = setting.outcome.asked();
        let speed = |name: &str| setting.outcome.pace(name).with_context(|| format!("the model {name}"));
        let bridge = |with_model: bool| -> anyhow::Result<Bridge> {
            let guard = Guard::new(Redactor::new::<&str>(&[], policy.redacts_street_addresses())?);
            let heard = calls.clone();
            let navigation =
                Navigation::new(Town::brellin(), SITUATION).observed(Arc::new(move |call, result| {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push((call.clone(), result.clone()));
                }));
            let service = Service {
                sky: sky.clone(),
                air: air.clone(),
                pace: speed(cloud)?,
                chance: fastrand::Rng::with_seed(setting.seed),
                expert: Expert::default(),
            };
            let offline = OnTheMap::new(Planner::new(Words::english(), Town::brellin()), navigation.clone());
            let tools = offline.tools();
            let model = OnVehicle::new("bridge", true, Some(Box::new(offline)));
            let session = Session::new(
                if with_model { Manner::default() } else { patient() },
                Box::new(Guarded::new(guard.clone(), service)),
                with_model.then(|| Box::new(model.clone()) as Box<_>),
                Box::new(tools),
            );
            let parts = Parts {
                guard,
                local: model,
                policy: policy.clone(),
                navigation,
                service: "https://gateway.example/v1".into(),
                cloud_model: cloud.into(),
                local_model: local.into(),
                sentences: Sentences::default(),
                price: (0.0, 0.0),
                traced: false,
            };
            Ok(Bridge::new(session, parts))
        };
        let planner = Planner::new(Words::english(), Town::brellin());
        Ok(Vehicle {
            setting,
            watch: Watch::new(),
            router: RouterNode::new(&Config::default(), setting.policy.clone(), planner),
            bridges: [bridge(true)?, bridge(false)?],
            policy,
            calls,
            replies: Vec::new(),
            local: speed(local)?,
            due: Vec::new(),
            read: 0,
            seen: 0.0,
            air,
            sky,
        })
    }

    fn task(&mut self, task: &Question, asked: f64) -> anyhow::Result<(Became, f64)> {
        let mut became = Became::default();
        let mut outcomes = Vec::new();
        // The threshold is told more than there is to know: the rate of a second ago. It decides for the whole conversation.
        let rate = self.air.down_kbps((asked - 1.0).max(0.0));
        let fast = rate >= self.setting.outcome.threshold_kbps();
        let plain = match self.setting.contender {
            Contender::AlwaysLocal | Contender::Ours => false,
            Contender::AlwaysCloud => true,
            Contender::Threshold => fast,
        };
        let mut time = asked;
        let mut in_time = true;
        for (n, turn) in task.turns.iter().enumerate() {
            if n > 0 {
                let speaks = (self.setting.contender == Contender::Ours).then_some(time - PAUSE_S);
                self.watch.pass(&self.air, time - PAUSE_S, time, speaks);
            }
            let answer = self.turn(task, n, &turn.ask, time, plain)?;
            let deadline = self.policy.deadline(kind(task.group)).as_secs_f64();
            in_time &= answer.first_s.is_some_and(|first| first <= deadline);
            became.first_s.extend(answer.first_s);
            became.silence_s.push(answer.silence_s);
            became.asked_cloud |= answer.answered.left;
            if answer.handed_over {
                became.handed_over = true;
                became.needless |= self.air.alive_throughout(time, answer.ended);
            }
            outcomes.push(answer.answered);
            time = answer.spoken.max(answer.ended) + PAUSE_S;
        }
        let verdict = judge(task, &Town::brellin(), &outcomes);
        became.breach = verdict.breach;
        became.breach_as_told = verdict.breach && task.says != Told::Public;
        became.success = verdict.right() && in_time;
        let late = (!in_time).then(|| "its first words are late".to_owned());
        became.wrong = verdict.wrong.or(late).map(|why| format!("{}: {why}", task.id));
        Ok((became, time - PAUSE_S))
    }

    fn decision(
        &mut self,
        now: f64,
        request: &DialogueRequest,
        plain: bool,
    ) -> anyhow::Result<RoutingDecision> {
        let time = Watch::time(now);
        if self.setting.contender != Contender::Ours {
            return Ok(RoutingDecision {
                request_id: request.request_id.clone(),
                tier: if plain { DialogueReply::CLOUD } else { DialogueReply::ON_VEHICLE },
                reason: self.setting.contender.name().into(),
                ..RoutingDecision::default()
            });
        }
        let at = |value| Message { value, received: time };
        let inputs = Inputs {
            request: Events::holding([Message { value: request.clone(), received: time }]),
            reply: Events::holding(self.replies.drain(..).map(at)),
            link: Latest::holding(self.link(now), time),
            driver: Latest::default(),
            safety: Latest::default(),
        };
        let mut outputs = Outputs::default();
        let tick = Tick { seq: 0, release: time, now: time, level: 0 };
        self.router
            .step(&tick, &inputs, &mut outputs)
            .map_err(|fault| anyhow::anyhow!("the router: {fault}"))?;
        outputs.decision.sent().first().cloned().context("a decision")
    }

    fn link(&self, now: f64) -> LinkState {
        let state = to_message(Watch::time(now), &self.watch.estimate(now));
        LinkState { metered: LinkState::METERED_YES, ..state }
    }

    fn turn(
        &mut self,
        task: &Question,
        n: usize,
        ask: &str,
        asked: f64,
        plain: bool,
    ) -> anyhow::Result<Turn> {
        let ours = self.setting.contender == Contender::Ours;
        let request = DialogueRequest {
            header: Header::at(Watch::time(asked)),
            request_id: format!("{}-{n}", task.id),
            conversation_id: task.id.clone(),
            text: ask.to_owned(),
            task: kind(task.group).code(),
            privacy: if ours { privacy(task.says) } else { Privacy::Public }.code(),
            complexity: f32::NAN,
            ..DialogueRequest::default()
        };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.sky.set(asked);
        self.seen = asked;
        self.read = 0;
        let before = self.sky.counts().0;
        let decision = self.decision(asked, &request, plain)?;
        let at = usize::from(plain);
        let mut out = self.bridges[at].request(Watch::time(asked), &request, SITUATION);
        out.extend(self.bridges[at].decision(Watch::time(asked), &decision));
        let mut turn = Turn {
            answered: Answered::default(),
            first_s: None,
            silence_s: 0.0,
            handed_over: false,
            ended: asked,
            spoken: asked,
        };
        let mut now = asked;
        loop {
            for what in std::mem::take(&mut out) {
                self.heard(now, asked, what, &mut turn)?;
            }
            if turn.ended > asked || !self.bridges[at].answers() {
                break;
            }
            now = self.next(now, at);
            anyhow::ensure!(now < asked + LONGEST_S, "{:?} was not answered to its end", ask);
            out = self.events(now, at);
        }
        turn.ended = turn.ended.max(now);
        self.due.clear();
        turn.answered.left = self.sky.counts().0 > before;
        turn.answered.calls = std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(turn)
    }

    /// When something happens next.
    fn next(&self, now: f64, at: usize) -> f64 {
        let due = self.bridges[at].due(Watch::time(now));
        let wanted = due.map(|due| now + due.since(Watch::time(now)).as_secs_f64() + 1e-6);
        let replies = self.due.iter().map(|(then, _)| *then).reduce(f64::min);
        let next =
            [wanted, replies, self.sky.next()].into_iter().flatten().fold(self.seen + STEP_S, f64::min);
        next.max(now + 1e-6)
    }

    fn events(&mut self, now: f64, at: usize) -> Vec<Out> {
        self.sky.set(now);
        let time = Watch::time(now);
        let mut out = Vec::new();
        for due in self.sky.take(now) {
            if let Some(traffic) = due.traffic {
                self.bridges[at].traffic(due.stream, traffic);
            }
            out.extend(self.bridges[at].cloud(time, due.stream, due.what));
        }
        let (mut there, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.due).into_iter().partition(|(then, _)| *then <= now);
        self.due = later;
        there.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, reply) in there {
            out.extend(self.bridges[at].language(time, &reply));
        }
        if now >= self.seen + STEP_S {
            self.watch.pass(&self.air, self.seen, now, None);
            self.seen = now;
            if self.setting.contender == Contender::Ours {
                let state = self.link(now);
                out.extend(self.bridges[at].link(time, &state));
            }
        }
        out.extend(self.bridges[at].tick(time));
        out
    }

    fn heard(&mut self, now: f64, asked: f64, what: Out, turn: &mut Turn) -> anyhow::Result<()> {
        match what {
            Out::Reply(reply) => {
                turn.answered.said.push_str(&reply.text);
                turn.handed_over |=
                    !reply.reason.is_empty() && !reply.done && reply.tier == DialogueReply::ON_VEHICLE;
                if reply.done {
                    let whole = reply.outcome == DialogueReply::COMPLETE;
                    if turn.first_s.is_some() && !whole {
                        turn.silence_s = turn.silence_s.max(now - turn.spoken);
                    }
                    turn.ended = now.max(asked + 1e-6);
                }
                self.replies.push(reply);
            }
            Out::Speech(speech) => {
                match turn.first_s {
                    None => turn.first_s = Some(now - asked),
                    Some(_) => turn.silence_s = turn.silence_s.max(now - turn.spoken),
                }
                let words = speech.text.split_whitespace().count() as f64;
                turn.spoken = turn.spoken.max(now) + words / WORDS_A_SECOND;
            }
            Out::Language(request) => match request.task {
                LanguageRequest::READ_ALONG => {
                    self.read = request.text.len() + request.context.len() + request.so_far.len();
                }
                LanguageRequest::CANCEL => {
                    self.due.retain(|(_, reply)| reply.request_id != request.request_id)
                }
                _ => {
                    // Its process says at once that it has the question.
                    self.due.push((
                        now,
                        LanguageReply {
                            request_id: request.request_id.clone(),
                            status: LanguageReply::PARTIAL,
                            ..LanguageReply::default()
                        },
                    ));
                    self.due.extend(self.setting.model.replies(&request, now, self.local, self.read)?);
                }
            },
            Out::Told(_) | Out::Steps(_) => {}
            Out::Sample(message) => {
                if let Some(sample) = Sample::from_message(&message) {
                    self.watch.saw(now, &sample);
                }
            }
        }
        Ok(())
    }
}

/// A client without a hand-over: ten seconds of patience, and no breaker.
fn patient() -> Manner {
    let patience = Duration::from_secs(10);
    Manner {
        pace: Pace {
            first_token_hard: patience,
            stall_hard: patience,
            stall_most: patience,
            shadow: false,
            ..Pace::default()
        },
        limits: Limits { failures: u32::MAX, ..Limits::default() },
        ..Manner::default()
    }
}

fn kind(group: Group) -> Task {
    match group {
        Group::Navigation => Task::Navigation,
        Group::ShortAnswer => Task::ShortAnswer,
        Group::Dialogue | Group::Private => Task::Dialogue,
    }
}

fn privacy(told: Told) -> Privacy {
    match told {
        Told::Public => Privacy::Public,
        Told::Contacts => Privacy::Contacts,
        Told::Messages => Privacy::Messages,
        Told::CabinImage => Privacy::CabinImage,
        Told::DriverState => Privacy::DriverState,
    }
}
