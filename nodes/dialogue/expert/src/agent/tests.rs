use troika_dialogue::{
    Navigation, Situation, Town,
    chat::{ChatRequest, Message as Asked, ToolCall},
    session::Tools as _,
};

use super::*;

/// A dialogue of Olga's with the stand-in, on the Old Bridge at 14:30, with the tools of the vehicle.
struct Olga {
    expert: Expert,
    tools: Navigation,
    before: Vec<Asked>,
}

impl Olga {
    fn talks() -> Olga {
        let situation = Situation { east_m: 0.0, north_m: 0.0, minute_of_day: 14 * 60 + 30 };
        Olga {
            expert: Expert::default(),
            tools: Navigation::new(Town::brellin(), situation),
            before: Vec::new(),
        }
    }

    /// The calls that were carried out and told something, and the answer.
    fn asks(&mut self, question: &str) -> (Vec<String>, String) {
        self.before.push(Asked::User(question.into()));
        let mut turn = Vec::new();
        let mut calls = Vec::new();
        for _ in 0..=MOST_ROUNDS {
            let messages = self.before.iter().chain(&turn).cloned().collect();
            let asked =
                ChatRequest { model: String::new(), messages, tools: self.tools.specs(), most_tokens: 300 };
            let request: Request = serde_json::from_value(asked.body()).expect("a request");
            match self.expert.step(&request) {
                Step::Say(said) => {
                    self.before.push(Asked::Assistant(said.clone()));
                    return (calls, said);
                }
                Step::Calls(wanted) => {
                    assert!(!wanted.is_empty());
                    let id = |at: usize| format!("c{}-{at}", turn.len());
                    let wanted: Vec<ToolCall> = wanted
                        .iter()
                        .enumerate()
                        .map(|(at, call)| ToolCall {
                            id: id(at),
                            name: call.name.clone(),
                            arguments: call.arguments.to_string(),
                        })
                        .collect();
                    turn.push(Asked::Calls(wanted.clone()));
                    for call in wanted {
                        let result = match self.tools.call(&call) {
                            Ok(result) => {
                                calls.push(format!("{} {}", call.name, call.arguments));
                                result
                            }
                            Err(error) => json!({ "error": error }).to_string(),
                        };
                        turn.push(Asked::Tool { id: call.id, result });
                    }
                }
            }
        }
        panic!("{question}: no answer after {MOST_ROUNDS} rounds");
    }

    fn says(&mut self, question: &str, parts: &[&str]) {
        let (calls, said) = self.asks(question);
        for part in parts {
            assert!(said.contains(part), "{question}: {said} ({calls:?}) has no {part:?}");
        }
    }
}

#[test]
fn a_search_is_a_call_and_then_a_talkative_answer() {
    let (calls, said) = Olga::talks().asks("Where is the nearest cafe?");
    assert_eq!(calls, [r#"find_places {"kind":"cafe"}"#]);
    assert_eq!(
        said,
        "Good idea! The nearest cafe is Platform Nine Coffee. You will find it on Station Avenue, 1 kilometre from here, so it takes about 2 minutes. \
         If you would rather go elsewhere, there is also Cafe Anker and Old Mill Cafe. Shall I take you there?"
    );
}

#[test]
fn a_name_as_it_was_heard_is_put_right_by_what_the_tool_says() {
    Olga::talks().says("Take me to the old mill", &["Old Mill Cafe"]);
    Olga::talks().says("How long to saint annes", &["Saint Anne's Hospital", "2 minutes", "14:32"]);
    Olga::talks().says("Drive to the lighthouse", &["no lighthouse on the map"]);
}

#[test]
fn what_the_vehicle_s_planner_does_not_do_is_answered() {
    Olga::talks()
        .says("Which is closer, the airport or the station?", &["So Brellin Central Station is closer"]);
    Olga::talks().says("Where is the second nearest cafe?", &["second nearest cafe is Cafe Anker"]);
    Olga::talks().says(
        "Is there a cafe on the way to the museum where I can also charge?",
        &["Museum of Salt", "Platform Nine Coffee", "Station Chargers"],
    );
    Olga::talks().says("Can I make it to the airport by quarter to three?", &["Yes", "14:35"]);
    Olga::talks().says("Can I be at the airport before 14:32?", &["No", "14:35"]);
    Olga::talks().says("If I leave in ten minutes, when would I be at the airport?", &["14:45"]);
    Olga::talks().says("Where is the cheapest petrol?", &["cannot see prices", "East Side Fuel"]);
    Olga::talks().says(
        "Take me to the station and then to the airport",
        &["Brellin Central Station", "First take", "Brellin Airport"],
    );
}

#[test]
fn follow_ups_go_back_to_what_was_said() {
    let mut olga = Olga::talks();
    olga.says("Where's the nearest cafe?", &["Platform Nine Coffee"]);
    olga.says("How long would that take?", &["Platform Nine Coffee", "2 minutes"]);
    olga.says("And the next one?", &["Cafe Anker"]);
    olga.says("take me there", &["Cafe Anker", "First take"]);
    olga.says("Is there a pharmacy near there?", &["Linden Pharmacy"]);
    olga.says("and to the airport?", &["Brellin Airport"]);
}

#[test]
fn what_is_known_is_told_and_what_is_not_is_said_to_be_unknown() {
    let mut olga = Olga::talks();
    olga.says("Why is the sky blue?", &["Rayleigh"]);
    olga.says("How long does it take to boil an egg?", &["five minutes"]);
    olga.says("How far is the moon?", &["384,000"]);
    assert_eq!(olga.asks("Who is the king of Sweden?"), (vec![], UNKNOWN.into()));
}

#[test]
fn without_tools_nothing_is_called() {
    let request: Request = serde_json::from_value(
        json!({"messages": [{"role": "user", "content": "Where is the nearest cafe?"}]}),
    )
    .expect("a request");
    assert_eq!(Expert::default().step(&request), Step::Say(UNKNOWN.into()));
    let request: Request = serde_json::from_value(json!({"messages": []})).expect("a request");
    assert!(matches!(Expert::default().step(&request), Step::Say(_)));
}
