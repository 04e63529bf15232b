use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::{
    navigation::{Navigation, Situation},
    session::Tools as _,
    town::Kind,
};

/// Read once for all questions.
static TOWN: LazyLock<Town> = LazyLock::new(Town::brellin);
static PLANNER: LazyLock<Planner> = LazyLock::new(|| Planner::new(Words::english(), TOWN.clone()));

/// A dialogue of Maja's, who drives over the Old Bridge at 14:30.
struct Maja {
    planner: Planner,
    tools: Navigation,
    before: Before,
}

impl Maja {
    fn drives() -> Maja {
        let situation = Situation { east_m: 0.0, north_m: 0.0, minute_of_day: 14 * 60 + 30 };
        let tools = Navigation::new(TOWN.clone(), situation);
        Maja { planner: PLANNER.clone(), tools, before: Before::default() }
    }

    /// What is called, in short: "find cafe near X", "route X", "eta X", with how it is said where that is not clear; or what is asked back.
    fn asks(&mut self, question: &str) -> String {
        let Some(plan) = self.planner.plan(&self.before, question) else { return "no plan".into() };
        self.before.planned(&plan);
        let mut calls = Vec::new();
        let told = plan.carry_out(|call| {
            let value: serde_json::Value = serde_json::from_str(&call.arguments).expect("JSON");
            calls.push(match call.name.as_str() {
                "find_places" => {
                    let near =
                        value.get("near").map(|near| format!(" near {}", near.as_str().expect("a name")));
                    format!("find {}{}", value["kind"].as_str().expect("a kind"), near.unwrap_or_default())
                }
                name => format!("{name} {}", value["to"].as_str().expect("a name")),
            });
            self.tools.call(call)
        });
        for told in &told {
            assert_ne!(*told, Told::Refused, "{question}: {plan:?}");
            self.before.told(told);
        }
        match plan {
            Plan::AskBack { say, .. } => format!("? {say}"),
            Plan::Call { say: Say::Another(at), .. } => format!("{} number {at}", calls.join(", ")),
            Plan::Call { say: Say::When | Say::HowFar, .. } => {
                format!("{} ({:?})", calls.join(", "), say_of(&plan))
            }
            Plan::Call { .. } => calls.join(", "),
        }
    }
}

fn say_of(plan: &Plan) -> Say {
    match plan {
        Plan::Call { say, .. } => *say,
        Plan::AskBack { .. } => panic!("{plan:?}"),
    }
}

fn all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(question, expected)| {
            let got = Maja::drives().asks(question);
            (got != *expected).then(|| format!("{question:?}: {got}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_driver_looks_for_is_found_by_any_of_its_names() {
    all(&[
        ("Where is the nearest cafe?", "find cafe"),
        ("I need a coffee", "find cafe"),
        ("Find me a coffee shop please", "find cafe"),
        ("Where can I get petrol?", "find fuel"),
        ("I have to fill up", "find fuel"),
        ("where can i charge the car", "find charging"),
        ("Is there a charging station around here?", "find charging"),
        ("I'm hungry", "find restaurant"),
        ("Somewhere to eat, please.", "find restaurant"),
        ("Where can I park?", "find parking"),
        ("Is there a park nearby?", "find park"),
        ("I need some medicine", "find pharmacy"),
        ("We need a hotel", "find hotel"),
        ("Any supermarkets nearby?", "find supermarket"),
        ("pharmacy", "find pharmacy"),
    ]);
}

#[test]
fn places_are_looked_for_near_a_place() {
    all(&[
        ("Is there a pharmacy near the hospital?", "find pharmacy near Saint Anne's Hospital"),
        ("Find a cafe close to the station", "find cafe near Brellin Central Station"),
        ("a restaurant near cafe anker", "find restaurant near Cafe Anker"),
        ("a cafe at the airport", "find cafe near Brellin Airport"),
        ("parking near me", "find parking"),
        ("is there a charger by the museum of salt", "find charging near Museum of Salt"),
    ]);
}

#[test]
fn a_place_is_known_as_a_recogniser_writes_it() {
    all(&[
        ("How do I get to ferrymans table", "route Ferryman's Table"),
        ("take me to st annes hospital", "route Saint Anne's Hospital"),
        ("navigate to the queen's bridge hotel", "route Hotel Queen's Bridge"),
        ("drive to platform 9 coffee", "route Platform Nine Coffee"),
        ("Take me to the café anker.", "route Cafe Anker"),
        ("take me to the lotus garden", "route Lotus Garden"),
        ("take me to lucia", "route Trattoria Lucia"),
        ("directions to the old mill", "route Old Mill Cafe"),
        ("take me to greenfeld market", "route Greenfield Market"),
        ("take me to the airport", "route Brellin Airport"),
        ("how do i get to church hill park", "route Church Hill Park"),
        ("take me to the salt museum", "route Museum of Salt"),
        ("take me to station chargers", "route Station Chargers"),
        ("drive to the ring road supermarket", "route Ring Road Supermarket"),
    ]);
}

#[test]
fn how_long_when_and_how_far_are_told_apart() {
    all(&[
        ("How long does it take to get to the museum?", "eta Museum of Salt"),
        ("how long to the airport", "eta Brellin Airport"),
        ("When would I be at the hospital?", "eta Saint Anne's Hospital (When)"),
        ("What time will we arrive at Forest Lodge?", "eta Forest Lodge (When)"),
        ("How far is it to the station?", "eta Brellin Central Station (HowFar)"),
        ("How far is the nearest petrol station?", "find fuel"),
        ("When would I be at the nearest petrol station?", "find fuel, eta East Side Fuel (When)"),
        ("Take me to the nearest cafe", "find cafe, route Platform Nine Coffee"),
        (
            "How do I get to a pharmacy near the station?",
            "find pharmacy near Brellin Central Station, route Linden Pharmacy",
        ),
    ]);
}

#[test]
fn a_follow_up_goes_back_to_what_was_named() {
    let mut maja = Maja::drives();
    assert_eq!(maja.asks("How long would that take?"), "no plan");
    assert_eq!(maja.asks("Where's the nearest cafe?"), "find cafe");
    assert_eq!(maja.asks("How long would that take?"), "eta Platform Nine Coffee");
    assert_eq!(maja.asks("And the next one?"), "find cafe number 1");
    assert_eq!(maja.asks("How far is it?"), "eta Cafe Anker (HowFar)");
    assert_eq!(maja.asks("Is there a pharmacy near there?"), "find pharmacy near Cafe Anker");
    assert_eq!(maja.asks("take me there"), "route Linden Pharmacy");
    assert_eq!(maja.asks("and to the airport"), "route Brellin Airport");
    assert_eq!(maja.asks("when would I be there"), "eta Brellin Airport (When)");
    assert_eq!(maja.asks("And at the hospital?"), "eta Saint Anne's Hospital (When)");
    assert_eq!(maja.asks("What about a hotel?"), "find hotel");
    assert_eq!(maja.asks("near the station"), "find hotel near Brellin Central Station");
    assert_eq!(maja.asks("take me to the second one"), "route Forest Lodge");
}

#[test]
fn what_is_not_there_is_asked_back_for_by_what_is() {
    let mut maja = Maja::drives();
    assert_eq!(
        maja.asks("Take me to the lighthouse"),
        "? There is no lighthouse on the map of Brellin. You can ask for airports, cafes, charging stations, petrol stations, hospitals or hotels."
    );
    assert_eq!(
        maja.asks("a cafe near the town hall"),
        "? There is no town hall on the map of Brellin. You can ask for airports, cafes, charging stations, petrol stations, hospitals or hotels."
    );
    assert_eq!(
        maja.asks("how do I get to the forest cabin"),
        "? There is no forest cabin on the map of Brellin. There is Forest Lodge and Forest Lake."
    );
    assert_eq!(
        maja.asks("how far is it to Old Bridge"),
        "? Old Bridge is a street of Brellin, and I know ways to places. You can ask for airports, cafes, charging stations, petrol stations, hospitals or hotels."
    );
    assert_eq!(
        maja.asks("When would I be at the supermarket?"),
        "? Which supermarket: Greenfield Market or Ring Road Supermarket?"
    );
    assert_eq!(maja.asks("Greenfield Market"), "eta Greenfield Market (When)");
    assert_eq!(maja.asks("find a pharmacy"), "find pharmacy");
    assert_eq!(
        maja.asks("the third one"),
        "? There were only Linden Pharmacy and Market Pharmacy. Which one?"
    );
    assert_eq!(maja.asks("the last one"), "route Market Pharmacy");
    assert_eq!(maja.asks("another one"), "find pharmacy number 1");
    assert_eq!(maja.asks("another one"), "? There were only Linden Pharmacy and Market Pharmacy. Which one?");
}

#[test]
fn a_question_with_more_in_it_than_is_understood_is_no_plan() {
    for question in [
        "Where is the cheapest petrol?",
        "a cafe on the way to the museum",
        "the second nearest cafe",
        "Which is closer, the airport or the station?",
        "take me to the station and then the airport",
        "find a restaurant with a terrace",
        "How long does it take to boil an egg?",
        "How far is the moon?",
        "What time is it?",
        "When does the museum close?",
        "Is coffee good for you?",
        "Tell me about coffee",
        "who was Ada Lovelace",
        "don't take me to the airport",
        "take me to the museum avoiding the ring road",
        "How do I get to know people?",
        "Call my mother at the hospital",
        "how long is the old bridge",
        "thanks",
        "",
        "how far is it from the station to the airport",
        "is there a cafe within five minutes",
    ] {
        assert_eq!(Maja::drives().asks(question), "no plan", "{question}");
    }
}

#[test]
fn what_the_cloud_called_is_gone_back_to_as_well() {
    let mut maja = Maja::drives();
    let call = Call::Find(FindPlaces { kind: Kind::Fuel, near: None }).tool_call("c1");
    maja.before.not_planned();
    maja.before.told(&Told::read(&call, &maja.tools.call(&call).expect("told")));
    assert_eq!(maja.asks("take me there"), "route East Side Fuel");
    assert_eq!(maja.asks("the second one"), "route Brellin Fuel");
}

proptest! {
    #[test]
    fn every_place_is_found_by_its_name_however_it_is_written(at in 0usize..24, capitals: bool, bare: bool) {
        let town = Town::brellin();
        let name = town.places()[at].name.clone();
        let said = if capitals { name.to_uppercase() } else { name.to_lowercase() };
        let said = if bare { said.replace('\'', "") } else { said };
        prop_assert_eq!(Maja::drives().asks(&format!("take me to {said}")), format!("route {name}"));
    }

    #[test]
    fn any_question_is_planned_or_not_without_harm(words in prop::collection::vec("(how|far|is|the|next|one|near|to|cafe|station|take|me|and|a|Old|Mill|[a-z]{1,8}|.{1,3})", 0..12)) {
        let mut maja = Maja::drives();
        maja.asks(&words.join(" "));
        maja.asks(&words.join(" "));
    }
}
