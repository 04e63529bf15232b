//! The state that messages lead to.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use troika_kit::{Message, Time};
use troika_msgs::{
    rcl_interfaces::Log,
    troika::{
        CommandResult, DialogueReply, DialogueRequest, DriverAlert, DriverState, Heartbeat, LinkState,
        RoutingDecision, Slot, Transcript, VehicleCommand, VoiceReply,
    },
};

use super::Model;

const START: Time = Time::from_nanos(1_000_000_000_000);

fn after(seconds: f64) -> Time {
    START + Duration::from_secs_f64(seconds)
}

fn hear<T: Message>(model: &mut Model, topic: &str, message: &T, now: Time) {
    let mut cdr = Vec::new();
    message.encode(&mut cdr).unwrap();
    model.heard(topic, T::TYPE.name, &cdr, now);
}

fn alert(kind: u8, phase: u8) -> DriverAlert {
    DriverAlert {
        profile: "euro_ncap".into(),
        kind,
        phase,
        elapsed_s: 3.04,
        limit_s: 3.0,
        ..DriverAlert::default()
    }
}

fn words(id: &str, sequence: u32, tier: u8, text: &str) -> DialogueReply {
    DialogueReply { request_id: id.into(), sequence, tier, text: text.into(), ..DialogueReply::default() }
}

#[test]
fn before_anything_is_heard_nothing_is_known_and_nothing_is_made_up() {
    let state = Model::default().state(START);
    for name in ["driver", "drowsiness", "gesture", "vehicle", "link"] {
        assert_eq!(state[name], Value::Null, "{name}");
    }
    for name in ["alerts", "standing", "commands", "log", "heard", "dialogue", "decisions", "topics"] {
        assert_eq!(state[name], json!([]), "{name}");
    }
}

#[test]
fn a_driver_state_is_told_in_words_with_its_age_and_what_was_not_seen_is_null() {
    let mut model = Model::default();
    let message = DriverState {
        state: DriverState::EYES_CLOSED,
        gaze_zone: DriverState::ZONE_CLUSTER,
        eye_openness_left: 0.123,
        eye_openness_right: f32::NAN,
        perclos: f32::NAN,
        ..DriverState::default()
    };
    hear(&mut model, "/cabin/driver_state", &message, START);
    let state = model.state(after(0.5));
    assert_eq!(state["driver"]["state"], "eyes closed");
    assert_eq!(state["driver"]["gaze_zone"], "cluster");
    assert_eq!(state["driver"]["eyes"], json!([0.12, null]));
    assert_eq!(state["driver"]["perclos"], Value::Null);
    assert_eq!(state["driver"]["age_s"], 0.5);
    assert_eq!(
        state["topics"][0],
        json!({"topic": "/cabin/driver_state", "type": DriverState::TYPE.name,
                                          "messages": 1, "undecodable": 0, "age_s": 0.5})
    );
}

#[test]
fn an_alert_stands_until_it_is_cleared_and_stays_in_the_list() {
    let mut model = Model::default();
    hear(&mut model, "/a", &alert(DriverAlert::SLEEP, DriverAlert::RAISED), START);
    hear(&mut model, "/a", &alert(DriverAlert::PHONE_USE, DriverAlert::RAISED), after(1.0));
    hear(&mut model, "/a", &alert(DriverAlert::SLEEP, DriverAlert::CLEARED), after(2.0));
    let state = model.state(after(2.0));
    assert_eq!(state["standing"], json!([{"kind": "phone use", "profile": "euro_ncap"}]));
    let told: Vec<_> =
        state["alerts"].as_array().unwrap().iter().map(|one| (&one["kind"], &one["raised"])).collect();
    assert_eq!(
        told,
        [
            (&json!("sleep"), &json!(false)),
            (&json!("phone use"), &json!(true)),
            (&json!("sleep"), &json!(true))
        ]
    );
    assert_eq!(state["alerts"][0]["elapsed_s"], 3.0);
}

#[test]
fn a_node_whose_heartbeats_stay_out_is_told_as_silent() {
    troika_safety::verifies![SR_OBS_007];
    let mut model = Model::default();
    let beat = Heartbeat {
        node: "/driver_state".into(),
        steps: 900,
        missed: 1,
        latency_p99_us: 20_500,
        latency_counts: [0, 0, 0, 0, 1, 200, 80, 10, 2, 0, 0, 1],
        ..Heartbeat::default()
    };
    hear(&mut model, "/troika/heartbeat", &beat, START);
    let node = |now| model.state(now)["nodes"]["each"][0].clone();
    assert_eq!(node(after(1.0))["silent"], false);
    assert_eq!(node(after(1.0))["p99_ms"], 20.5);
    assert_eq!(node(after(1.0))["counts"][5], 200);
    assert_eq!(node(after(3.0))["silent"], true);
    assert_eq!(node(after(601.0)), Value::Null);
    assert_eq!(
        model.state(START)["nodes"]["edges_ms"].as_array().unwrap().len() + 1,
        beat.latency_counts.len()
    );
}

#[test]
fn an_answer_that_is_handed_over_shows_who_said_what_and_why_it_changed() {
    let mut model = Model::default();
    let request = DialogueRequest {
        request_id: "q".into(),
        text: "where is a cafe".into(),
        ..DialogueRequest::default()
    };
    hear(&mut model, "/dialogue/request", &request, START);
    hear(&mut model, "/dialogue/reply", &words("q", 0, DialogueReply::CLOUD, "There is one."), START);
    hear(&mut model, "/dialogue/reply", &words("q", 1, DialogueReply::CLOUD, "It is near."), START);
    // Come twice, as over two ways: said once.
    hear(&mut model, "/dialogue/reply", &words("q", 1, DialogueReply::CLOUD, "It is near."), START);
    // One was lost on the way here.
    hear(&mut model, "/dialogue/reply", &words("q", 3, DialogueReply::CLOUD, "Then left."), START);
    let last = DialogueReply {
        done: true,
        outcome: DialogueReply::COMPLETE,
        reason: "link_gone".into(),
        ..words("q", 4, DialogueReply::ON_VEHICLE, "Shall I guide you?")
    };
    hear(&mut model, "/dialogue/reply", &last, START);
    let turn = model.state(START)["dialogue"][0].clone();
    assert_eq!(turn["question"], "where is a cafe");
    assert_eq!(
        turn["pieces"],
        json!([{"who": "cloud", "text": "There is one. It is near. … Then left."},
               {"who": "on the vehicle", "text": "Shall I guide you?"}])
    );
    assert_eq!(
        (&turn["end"]["outcome"], &turn["end"]["reason"]),
        (&json!("complete"), &json!("the link is gone"))
    );
}

#[test]
fn a_decision_tells_who_answers_why_and_why_not_the_others() {
    let mut model = Model::default();
    let decision = RoutingDecision {
        tier: DialogueReply::ON_VEHICLE,
        reason: "link_down".into(),
        models: vec!["small".into(), "large".into()],
        tiers: vec![DialogueReply::ON_VEHICLE, DialogueReply::CLOUD],
        chances: vec![0.5, 0.0],
        first_words_s: vec![0.4, f32::NAN],
        reasons: vec![String::new(), "link_down".into()],
        ..RoutingDecision::default()
    };
    hear(&mut model, "/dialogue/decision", &decision, START);
    let told = model.state(START)["decisions"][0].clone();
    assert_eq!((&told["tier"], &told["reason"]), (&json!("on the vehicle"), &json!("there is no link")));
    assert_eq!(told["weighed"][1]["why_not"], "there is no link");
    assert_eq!(told["weighed"][1]["first_words_s"], Value::Null);
}

#[test]
fn a_command_and_what_became_of_it_are_one_line_and_utterances_have_their_reply() {
    let mut model = Model::default();
    let command = VehicleCommand {
        id: "u1/0".into(),
        function: "climate.set_temperature".into(),
        slots: vec![Slot { name: "celsius".into(), value: "21".into() }],
        source: VehicleCommand::VOICE,
        ..VehicleCommand::default()
    };
    hear(&mut model, "/voice/command", &command, START);
    let result = |id: &str| CommandResult {
        command_id: id.into(),
        function: "windows.open".into(),
        status: CommandResult::REFUSED,
        reason: "too fast".into(),
        ..CommandResult::default()
    };
    hear(&mut model, "/vehicle/command_result", &result("u1/0"), START);
    hear(&mut model, "/vehicle/command_result", &result("before"), START);
    let state = model.state(START);
    assert_eq!(state["commands"].as_array().unwrap().len(), 2);
    let both = &state["commands"];
    assert_eq!(both[1]["function"], "climate.set_temperature");
    assert_eq!((&both[1]["status"], &both[1]["reason"]), (&json!("refused"), &json!("too fast")));
    assert_eq!(both[0]["function"], "windows.open");

    let heard = Transcript {
        utterance_id: "u1".into(),
        text: "warmer".into(),
        r#final: true,
        ..Transcript::default()
    };
    hear(&mut model, "/voice/transcript", &heard, START);
    let reply = VoiceReply {
        utterance_id: "u1".into(),
        kind: VoiceReply::CONFIRM,
        text: "Really?".into(),
        ..VoiceReply::default()
    };
    hear(&mut model, "/voice/reply", &reply, START);
    assert_eq!(model.state(START)["heard"][0]["reply"], json!({"kind": "asks back", "text": "Really?"}));
}

#[test]
fn what_cannot_be_read_is_counted_and_changes_nothing_else() {
    let mut model = Model::default();
    model.heard("/cabin/driver_state", DriverState::TYPE.name, &[0, 1, 0, 0, 9], START);
    let state = model.state(START);
    assert_eq!(state["driver"], Value::Null);
    assert_eq!((&state["topics"][0]["messages"], &state["topics"][0]["undecodable"]), (&json!(1), &json!(1)));
}

#[test]
fn an_alert_stands_no_longer_than_who_raised_it() {
    troika_safety::verifies![SR_OBS_007];
    let beat = |steps| Heartbeat { node: "/driver_monitor".into(), steps, ..Heartbeat::default() };
    let monitor = || BTreeSet::from(["/driver_monitor".to_owned()]);
    let stands = |model: &Model| model.state(START)["standing"].as_array().unwrap().len();
    let mut model = Model::default();
    model.raising(monitor());
    hear(&mut model, "/troika/heartbeat", &beat(100), START);
    hear(&mut model, "/cabin/driver_alert", &alert(1, DriverAlert::RAISED), START);
    hear(&mut model, "/troika/heartbeat", &beat(130), START);
    assert_eq!(stands(&model), 1);
    hear(&mut model, "/troika/heartbeat", &beat(20), START);
    assert_eq!(stands(&model), 0, "it began anew");
    hear(&mut model, "/cabin/driver_alert", &alert(1, DriverAlert::RAISED), START);
    model.raising(BTreeSet::new());
    assert_eq!(stands(&model), 0, "it has gone");
}

#[test]
fn whatever_comes_the_state_has_a_bound() {
    troika_safety::verifies![SR_OBS_006];
    let mut model = Model::default();
    let long = "ä".repeat(5_000);
    for n in 0..300_u32 {
        let now = after(f64::from(n));
        let id = format!("{n}");
        hear(&mut model, &format!("/t{n}"), &alert((n % 256) as u8, DriverAlert::RAISED), now);
        let beat = Heartbeat { node: id.clone() + &long, reason: long.clone(), ..Heartbeat::default() };
        hear(&mut model, "/troika/heartbeat", &beat, now);
        for sequence in 0..3 {
            hear(&mut model, "/dialogue/reply", &words(&id, sequence, (sequence % 2) as u8, &long), now);
        }
        let decision = RoutingDecision {
            request_id: long.clone(),
            models: vec![long.clone(); 20],
            reasons: vec![long.clone(); 20],
            ..RoutingDecision::default()
        };
        hear(&mut model, "/dialogue/decision", &decision, now);
        let command = VehicleCommand {
            id,
            slots: vec![Slot { name: long.clone(), value: long.clone() }; 40],
            ..VehicleCommand::default()
        };
        hear(&mut model, "/voice/command", &command, now);
        hear(&mut model, "/rosout", &Log { msg: long.clone(), ..Log::default() }, now);
        hear(&mut model, "/link/state", &LinkState::default(), now);
    }
    let state = model.state(after(299.0));
    assert_eq!(state["alerts"].as_array().unwrap().len(), 50);
    assert_eq!(state["nodes"]["each"].as_array().unwrap().len(), 64);
    assert_eq!(state["topics"].as_array().unwrap().len(), 128);
    assert!(state.to_string().len() < 500_000, "{}", state.to_string().len());
}
