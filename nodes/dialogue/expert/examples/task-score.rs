//! How many of the tasks the vehicle's planner answers by itself, and how many the stand-in does: without a network, a language model or a clock.
//! `cargo run -p troika-expert --example task-score -- [--wrong]`; with `--url http://127.0.0.1:8088/v1` any service, over HTTP, as the vehicle
//! asks it: the short answers and open talk, or the groups that are named.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

use clap::Parser;
use serde_json::json;
use troika_dialogue::{
    Before, CloudConfig, FromCloud, HttpUpstream, Manner, Plan, Planner, Told, Town, Upstream as _, Words,
    chat::{ChatRequest, Message, ToolCall},
    phrase::phrase,
    session::Tools as _,
};
use troika_expert::{
    Expert,
    chat::{Request, Step},
    judge::{Outcome, judge},
    tasks::{Group, Task, shipped, tools},
};

/// As in the dialogue's turn.
const ROUNDS: usize = 4;

/// A service that says nothing for so long does not answer.
const SILENT: Duration = Duration::from_secs(120);

#[derive(Parser)]
struct Arguments {
    /// What was wrong, each with the reason; with --url what was said too.
    #[arg(long)]
    wrong: bool,
    /// A service of the OpenAI-compatible interface, over plain HTTP.
    #[arg(long)]
    url: Option<String>,
    /// With --url: the groups that it is asked.
    #[arg(long, value_delimiter = ',', default_value = "ShortAnswer,Dialogue", requires = "url")]
    groups: Vec<String>,
}

fn main() {
    let arguments = Arguments::parse();
    match &arguments.url {
        Some(url) => score_service(url, &arguments),
        None => score_ours(arguments.wrong),
    }
}

fn score_ours(wrong: bool) {
    let planner = Planner::new(Words::english(), Town::brellin());
    let expert = Expert::default();
    println!("{:<28}{:>7}{:>10}{:>10}{:>10}", "", "tasks", "planner", "stand-in", "either");
    let mut rows: BTreeMap<(Group, String), [usize; 4]> = BTreeMap::new();
    let mut said = Vec::new();
    for task in shipped() {
        let both = [by_planner(&planner, &task), by_expert(&expert, &task)];
        let verdicts = both.map(|outcomes| judge(&task, &Town::brellin(), &outcomes));
        for (who, verdict) in ["planner", "stand-in"].iter().zip(&verdicts) {
            if let Some(why) = &verdict.wrong {
                said.push(format!("{who} {} {why}", task.id));
            }
        }
        let [by_planner, by_expert] = verdicts.map(|verdict| verdict.right());
        for key in [(task.group, task.sort.clone()), (task.group, "~ all".into())] {
            let row = rows.entry(key).or_default();
            for (count, right) in row.iter_mut().zip([true, by_planner, by_expert, by_planner || by_expert]) {
                *count += usize::from(right);
            }
        }
    }
    for ((group, sort), [tasks, planner, expert, either]) in rows {
        println!("{:<28}{tasks:>7}{planner:>10}{expert:>10}{either:>10}", format!("{group:?} {sort}"));
    }
    if wrong {
        said.sort();
        said.iter().for_each(|line| println!("{line}"));
    }
}

/// How a service does.
fn score_service(url: &str, arguments: &Arguments) {
    let mut service = match Service::new(url) {
        Ok(service) => service,
        Err(error) => {
            eprintln!("{url}: {error}");
            std::process::exit(1);
        }
    };
    let mut rows: BTreeMap<(Group, String), [usize; 2]> = BTreeMap::new();
    let asked = shipped().into_iter().filter(|task| arguments.groups.contains(&format!("{:?}", task.group)));
    for task in asked {
        let outcomes = service.answers(&task);
        let verdict = judge(&task, &Town::brellin(), &outcomes);
        if let Some(why) = verdict.wrong.as_ref().filter(|_| arguments.wrong) {
            println!("{} {why}\n  {:?}", task.id, outcomes.last().map(|outcome| outcome.said.as_str()));
        }
        let right = usize::from(verdict.right());
        for key in [(task.group, task.sort.clone()), (task.group, "~ all".into())] {
            let [tasks, good] = rows.entry(key).or_default();
            *tasks += 1;
            *good += right;
        }
    }
    println!("{:<28}{:>7}{:>10}", "", "tasks", "right");
    for ((group, sort), [tasks, right]) in rows {
        println!("{:<28}{tasks:>7}{right:>10}", format!("{group:?} {sort}"));
    }
    println!("{} answers broke off or never came", service.broken);
}

/// A service, by the vehicle's own client.
struct Service {
    upstream: HttpUpstream,
    heard: mpsc::Receiver<(u64, FromCloud)>,
    streams: u64,
    broken: usize,
}

impl Service {
    fn new(url: &str) -> Result<Service, String> {
        let (tell, heard) = mpsc::channel();
        let config = CloudConfig { plain_http: true, ..CloudConfig::new(url, "any") };
        let sink = Arc::new(move |stream, what| drop(tell.send((stream, what))));
        let upstream = HttpUpstream::new(&config, sink).map_err(|error| error.to_string())?;
        Ok(Service { upstream, heard, streams: 0, broken: 0 })
    }

    /// The text, and how it ended; `None`: it never did.
    fn says(&mut self, messages: Vec<Message>) -> (String, Option<FromCloud>) {
        self.streams += 1;
        let ours = self.streams;
        let most_tokens = Manner::default().answer_tokens;
        let request = ChatRequest { model: String::new(), messages, tools: tools().specs(), most_tokens };
        self.upstream.start(ours, request);
        let mut text = String::new();
        loop {
            match self.heard.recv_timeout(SILENT) {
                Ok((stream, _)) if stream != ours => {}
                Ok((_, FromCloud::Text(more))) => text.push_str(&more),
                Ok((_, end)) => return (text, Some(end)),
                Err(_) => {
                    self.upstream.stop(ours);
                    return (text, None);
                }
            }
        }
    }

    fn answers(&mut self, task: &Task) -> Vec<Outcome> {
        let mut messages = vec![Message::System(Manner::default().system)];
        let mut answer = |turn: &troika_expert::tasks::Turn| {
            messages.push(Message::User(turn.ask.clone()));
            let mut told = Vec::new();
            let mut outcome = Outcome { left: true, ..Outcome::default() };
            for _ in 0..=ROUNDS {
                let (text, end) = self.says(messages.iter().chain(&told).cloned().collect());
                outcome.said = text;
                let calls = match end {
                    Some(FromCloud::Tools(calls)) => calls,
                    Some(FromCloud::Done | FromCloud::Length) => break,
                    other => {
                        eprintln!("{}: {other:?}", task.id);
                        self.broken += 1;
                        break;
                    }
                };
                told.push(Message::Calls(calls.clone()));
                for call in calls {
                    let result = carried_out(&call, &mut outcome.calls);
                    let result = result.unwrap_or_else(|error| json!({ "error": error }).to_string());
                    told.push(Message::Tool { id: call.id, result });
                }
            }
            messages.push(Message::Assistant(outcome.said.clone()));
            outcome
        };
        task.turns.iter().map(&mut answer).collect()
    }
}

fn carried_out(
    call: &ToolCall,
    calls: &mut Vec<(ToolCall, Result<String, String>)>,
) -> Result<String, String> {
    let result = tools().call(call);
    calls.push((call.clone(), result.clone()));
    result
}

/// The planner and its phrases alone: what they do not understand is not answered.
fn by_planner(planner: &Planner, task: &Task) -> Vec<Outcome> {
    let mut before = Before::default();
    let answer = |turn: &troika_expert::tasks::Turn| {
        let Some(plan) = planner.plan(&before, &turn.ask) else { return Outcome::default() };
        before.planned(&plan);
        let mut calls = Vec::new();
        let told: Vec<Told> = plan.carry_out(|call| carried_out(call, &mut calls));
        told.iter().for_each(|told| before.told(told));
        let said = match &plan {
            Plan::AskBack { say, .. } => say.clone(),
            Plan::Call { say, .. } => phrase(planner.words(), *say, &told, false),
        };
        Outcome { said, calls, left: false }
    };
    task.turns.iter().map(answer).collect()
}

/// The stand-in, with everything sent to it.
fn by_expert(expert: &Expert, task: &Task) -> Vec<Outcome> {
    let mut messages = Vec::new();
    let answer = |turn: &troika_expert::tasks::Turn| {
        messages.push(Message::User(turn.ask.clone()));
        let mut told = Vec::new();
        let mut outcome = Outcome { left: true, ..Outcome::default() };
        for round in 0..=ROUNDS {
            let all = messages.iter().chain(&told).cloned().collect();
            let asked =
                ChatRequest { model: String::new(), messages: all, tools: tools().specs(), most_tokens: 400 };
            let Ok(request) = serde_json::from_value::<Request>(asked.body()) else { break };
            let calls = match expert.step(&request) {
                Step::Say(said) => {
                    outcome.said = said;
                    break;
                }
                Step::Calls(calls) => calls,
            };
            let named = calls.iter().enumerate().map(|(at, call)| ToolCall {
                id: format!("{round}-{at}"),
                name: call.name.clone(),
                arguments: call.arguments.to_string(),
            });
            let calls: Vec<ToolCall> = named.collect();
            told.push(Message::Calls(calls.clone()));
            for call in calls {
                let result = carried_out(&call, &mut outcome.calls);
                let result = result.unwrap_or_else(|error| json!({ "error": error }).to_string());
                told.push(Message::Tool { id: call.id, result });
            }
        }
        messages.push(Message::Assistant(outcome.said.clone()));
        outcome
    };
    task.turns.iter().map(answer).collect()
}
