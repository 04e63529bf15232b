use proptest::prelude::*;

use super::*;
use crate::{Facts, grounded};

/// Anna stands on Harbour Street at the Old Bridge, at 14:30.
fn anna() -> Navigation {
    Navigation::new(Town::brellin(), Situation { east_m: -210.0, north_m: 10.0, minute_of_day: 14 * 60 + 30 })
}

fn told(name: &str, arguments: &str) -> serde_json::Value {
    let told = anna().carry_out(name, arguments).expect("told");
    serde_json::from_str(&told).expect("JSON")
}

#[test]
fn the_nearest_cafe_by_road_comes_first() {
    let found = told("find_places", r#"{"kind":"cafe"}"#);
    let names: Vec<_> =
        found["places"].as_array().expect("a list").iter().map(|place| place["name"].clone()).collect();
    // Cafe Anker is the nearest as the crow flies; the avenue is quicker.
    assert_eq!(names, ["Platform Nine Coffee", "Cafe Anker", "Old Mill Cafe"]);
    assert_eq!(found["places"][0]["distance_km"], 1.0);
}

#[test]
fn places_are_found_near_another_place_too() {
    let found = told("find_places", r#"{"kind":"fuel","near":"brellin airport"}"#);
    assert_eq!(found["places"][0]["name"], "East Side Fuel");
}

#[test]
fn a_way_is_told_street_by_street_with_its_turns() {
    let way = told("route", r#"{"to":"Linden Pharmacy"}"#);
    assert_eq!(
        way["steps"],
        serde_json::json!([
            {"street": "Old Bridge", "metres": 400},
            {"turn": "straight", "street": "Station Avenue", "metres": 600},
        ])
    );
    let way = told("route", r#"{"to":"Saint Anne's Hospital"}"#);
    let turns: Vec<_> =
        way["steps"].as_array().expect("a list").iter().map(|step| step["turn"].clone()).collect();
    assert_eq!(turns, [serde_json::Value::Null, "right".into(), "left".into()]);
}

#[test]
fn arrival_goes_over_midnight() {
    let anna = anna();
    anna.update(Situation {
        minute_of_day: 23 * 60 + 58,
        ..Situation { east_m: -210.0, north_m: 10.0, minute_of_day: 0 }
    });
    let told: serde_json::Value =
        serde_json::from_str(&anna.carry_out("eta", r#"{"to":"Brellin Airport"}"#).expect("told"))
            .expect("JSON");
    let minutes = told["minutes"].as_u64().expect("a number");
    assert_eq!(told["arrival"], format!("00:{:02}", minutes - 2));
}

#[test]
fn there_is_no_door_to_the_vehicle() {
    troika_safety::verifies![SR_RTE_005];
    for name in ["window.open", "climate.set", "unlock", "FIND_PLACES", ""] {
        let error = anna().carry_out(name, "{}").expect_err("refused");
        assert_eq!(error, ToolError::NoTool(name.into()));
        assert!(error.to_string().contains("cannot be called from here"), "{error}");
    }
}

#[test]
fn a_refusal_says_how_to_do_better() {
    let error = anna().carry_out("route", r#"{"to":"the Old Mill"}"#).expect_err("refused").to_string();
    assert!(error.contains("there is: Old Mill Cafe"), "{error}");
    let error = anna().carry_out("find_places", r#"{"kind":"casino"}"#).expect_err("refused").to_string();
    assert!(error.contains("casino") && error.contains("cafe"), "{error}");
    let error =
        anna().carry_out("eta", r#"{"to":"Forest Lake","speed":200}"#).expect_err("refused").to_string();
    assert!(error.contains("speed"), "{error}");
    let lost =
        Navigation::new(Town::brellin(), Situation { east_m: f64::NAN, north_m: 0.0, minute_of_day: 0 });
    assert_eq!(lost.carry_out("eta", r#"{"to":"Forest Lake"}"#), Err(ToolError::Nowhere));
}

#[test]
fn the_schemas_are_those_of_the_arguments() {
    let specs = anna().specs();
    assert_eq!(specs.iter().map(|spec| spec.name).collect::<Vec<_>>(), ["find_places", "route", "eta"]);
    assert_eq!(specs[0].parameters["required"], serde_json::json!(["kind"]));
    assert_eq!(specs[0].parameters["additionalProperties"], false);
    assert!(specs[0].parameters.to_string().contains("\"cafe\""));
    assert_eq!(specs[1].parameters["properties"]["to"]["type"], "string");
}

#[test]
fn what_a_tool_told_is_grounded_and_the_next_town_s_cafe_is_not() {
    let facts = Facts::from_text(&anna().carry_out("route", r#"{"to":"Old Mill Cafe"}"#).expect("told"));
    assert_eq!(grounded("The Old Mill Cafe is 1 km away. Follow Mill Lane.", &facts), Ok(()));
    assert!(grounded("Follow Harbour Street.", &facts).is_err());
    assert!(grounded("Cafe Central is near.", &facts).is_err());
}

proptest! {
    #[test]
    fn any_call_is_answered_or_refused(name in "(find_places|route|eta|.{0,12})", arguments in "(\\{\"to\":\"[A-Za-z' ]{0,20}\"\\}|.{0,40})") {
        if let Ok(told) = anna().carry_out(&name, &arguments) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&told).is_ok());
        }
    }
}
