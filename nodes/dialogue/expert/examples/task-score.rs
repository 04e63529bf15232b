//! How many of the tasks the vehicle's planner answers by itself, and how many the stand-in does: without a network, a language model or a clock.
//! `cargo run -p troika-expert --example task-score -- [--wrong]`

use std::collections::BTreeMap;

use serde_json::json;
use troika_dialogue::{
    Before, Plan, Planner, Told, Town, Words,
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

fn main() {
    let wrong = std::env::args().any(|argument| argument == "--wrong");
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
