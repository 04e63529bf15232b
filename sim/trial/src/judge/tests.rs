use troika_msgs::troika::{
    CommandResult, DialogueReply, DriverState, RoutingDecision, SafetyState, Slot, VehicleCommand, VoiceReply,
};

use super::*;
use crate::{
    Case,
    seen::{Event, NodeSeen},
};

/// The verdicts on these expectations of a scenario of ten seconds, with a question at 2 s.
fn verdicts(expect: &str, seen: &Seen) -> Vec<Verdict> {
    let text = format!(
        "name = \"n\"\nseed = 1\nlink = {{ mbit = 5.0 }}\n[[segment]]\nface = \"ada\"\nlight = \"day\"\nspeed_kmh = 60.0\n\
         acts = [{{ act = \"attentive\", s = 10.0 }}]\n[[say]]\nat_s = 2.0\nwords = \"why\"\nmark = \"asked\"\n{expect}"
    );
    let case = Case::parse("a.toml", &text).expect("it is sound");
    judge(&case.expectations, seen)
}

fn holds(expect: &str, seen: &Seen) -> bool {
    let verdicts = verdicts(expect, seen);
    assert_eq!(verdicts.len(), 1);
    verdicts[0].holds
}

fn reason(expect: &str, seen: &Seen) -> String {
    let verdict = verdicts(expect, seen).remove(0);
    assert!(!verdict.holds, "{verdict:?}");
    verdict.reason
}

fn alert(at: f64, kind: u8, phase: u8) -> Event<DriverAlert> {
    Event { at, value: DriverAlert { kind, phase, profile: "euro_ncap".into(), ..DriverAlert::default() } }
}

#[test]
fn an_alert_holds_in_its_time_alone_and_one_that_is_not_is_told_with_how_far_off_it_was() {
    let raised =
        |at| Seen { alerts: vec![alert(at, DriverAlert::SLEEP, DriverAlert::RAISED)], ..Seen::default() };
    let expect = "[[expect]]\nalert = \"sleep\"\nwithin_s = [3.0, 3.2]\n";
    assert!(holds(expect, &raised(3.1)));
    assert_eq!(reason(expect, &raised(3.5)), "raised at 3.500 s, 0.300 s after its time");
    assert_eq!(reason(expect, &raised(2.0)), "raised at 2.000 s, 1.000 s before its time");
    assert_eq!(reason(expect, &Seen::default()), "never raised");
    assert_eq!(reason("[[expect]]\nno_alert = \"any\"\n", &raised(3.1)), "sleep (euro_ncap) at 3.100 s");
    assert!(holds("[[expect]]\nno_alert = \"any\"\nwithin_s = [3.2, 9.0]\n", &raised(3.1)));
    assert!(holds("[[expect]]\nno_alert = \"sleep\"\nprofile = \"eu_addw\"\n", &raised(3.1)));
    assert!(!holds("[[expect]]\ncleared = \"sleep\"\n", &raised(3.1)));
}

#[test]
fn alerts_as_the_truth_has_them_are_each_there_once_and_no_others() {
    let due = |at| alert(at, DriverAlert::MICROSLEEP, DriverAlert::RAISED);
    let seen = |due: Vec<_>, alerts: Vec<_>| Seen { due, alerts, ..Seen::default() };
    let expect = "[[expect]]\nalerts = \"as_truth\"\ntolerance_s = 0.2\n";
    assert!(holds(expect, &seen(vec![due(3.0), due(6.0)], vec![due(3.1), due(6.0)])));
    assert!(reason(expect, &seen(vec![due(3.0)], vec![])).contains("not raised"));
    assert!(reason(expect, &seen(vec![due(3.0)], vec![due(3.5)])).contains("0.500 s from there"));
    assert!(reason(expect, &seen(vec![due(3.0)], vec![due(3.0), due(3.1)])).contains("nothing calls for it"));
    let unavailable = alert(5.0, DriverAlert::MONITORING_UNAVAILABLE, DriverAlert::RAISED);
    assert!(holds(expect, &seen(vec![], vec![unavailable])));
}

#[test]
fn what_the_supervisor_says_is_a_share_of_its_words() {
    let said = |at, state| Event { at, value: SafetyState { state, ..SafetyState::default() } };
    let safety =
        vec![said(1.0, SafetyState::NOMINAL), said(1.1, SafetyState::SAFE), said(1.2, SafetyState::SAFE)];
    let seen = Seen { safety, ..Seen::default() };
    assert!(holds("[[expect]]\nsafety = \"safe\"\nwithin_s = [1.05, 2.0]\n", &seen));
    assert!(holds("[[expect]]\nsafety = \"safe\"\nshare = 0.6\n", &seen));
    assert_eq!(reason("[[expect]]\nsafety = \"safe\"\n", &seen), "66.7 % of 3 words; nominal at 1.000 s");
    assert_eq!(reason("[[expect]]\nsafety = \"safe\"\n", &Seen::default()), "no word of the supervisor came");
}

#[test]
fn a_state_is_a_share_of_the_frames_and_no_frame_is_none() {
    let state = |at, state| Event { at, value: DriverState { state, ..DriverState::default() } };
    let states = vec![state(1.0, DriverState::UNKNOWN), state(2.0, DriverState::ATTENTIVE)];
    let seen = Seen { states, ..Seen::default() };
    assert!(holds("[[expect]]\nstate = \"unknown\"\nshare = 0.5\n", &seen));
    assert_eq!(
        reason("[[expect]]\nstate = \"unknown\"\n", &seen),
        "50.0 % of 2 frames; attentive at 2.000 s"
    );
    assert_eq!(
        reason("[[expect]]\nstate = \"unknown\"\nwithin_s = [5.0, 6.0]\n", &seen),
        "no driver state came"
    );
}

#[test]
fn a_command_has_its_slots_and_ends_as_expected() {
    let slots = vec![Slot { name: "value".into(), value: "21".into() }];
    let sent = VehicleCommand {
        id: "7".into(),
        function: "climate.set_temperature".into(),
        slots,
        ..VehicleCommand::default()
    };
    let result = CommandResult {
        command_id: "7".into(),
        status: CommandResult::REFUSED,
        reason: "too fast".into(),
        ..CommandResult::default()
    };
    let seen = Seen {
        commands: vec![Event { at: 2.1, value: sent }],
        results: vec![Event { at: 2.2, value: result }],
        ..Seen::default()
    };
    let of =
        |more: &str| format!("[[expect]]\ncommand = \"climate.set_temperature\"\nafter = \"asked\"\n{more}");
    assert!(holds(&of("slots = { value = \"21\" }\nresult = \"refused\"\n"), &seen));
    assert_eq!(reason(&of("result = \"done\"\n"), &seen), "it ended refused: too fast");
    assert!(
        reason(&of("slots = { value = \"22\" }\n"), &seen)
            .contains("climate.set_temperature value=21 at 2.100 s")
    );
    assert!(reason("[[expect]]\nno_command = \"any\"\n", &seen).starts_with("climate.set_temperature"));
    assert!(holds("[[expect]]\nno_command = \"window.open\"\n", &seen));
}

/// An answer that the cloud begins at 2.5 s and the vehicle goes on with at `goes_on`, each with a sentence of six words (2 s of speech).
fn handed_over(goes_on: f64, outcome: u8) -> Seen {
    let reply = |at, tier, text: &str, done| {
        let value = DialogueReply {
            request_id: "q".into(),
            tier,
            text: text.into(),
            done,
            outcome: if done { outcome } else { DialogueReply::GOES_ON },
            ..DialogueReply::default()
        };
        Event { at, value }
    };
    let speech = |at, text: &str| Event {
        at,
        value: VoiceReply { kind: VoiceReply::DIALOGUE, text: text.into(), ..VoiceReply::default() },
    };
    let (one, two) = ("The sky is blue for air.", " It scatters the blue light most.");
    Seen {
        replies: vec![
            reply(2.5, DialogueReply::CLOUD, one, false),
            reply(goes_on, DialogueReply::ON_VEHICLE, two, false),
            reply(goes_on, DialogueReply::ON_VEHICLE, "", true),
        ],
        speech: vec![speech(2.5, one), speech(goes_on, two)],
        ..Seen::default()
    }
}

#[test]
fn an_answer_is_judged_by_who_gave_it_how_long_nothing_was_heard_and_whether_it_is_whole() {
    let of = |more: &str| format!("[[expect]]\nanswer_to = \"asked\"\n{more}");
    let seen = handed_over(5.0, DialogueReply::COMPLETE);
    let all = "tiers = [\"cloud\", \"on_vehicle\"]\ncomplete = true\ncontains = \"scatters\"\nsilence_below_s = 0.6\n\
               first_words_below_s = 0.6\nrepeats = false\n";
    assert!(holds(&of(all), &seen));
    // Six words are spoken in two seconds: silence from 4.5 s to 5.0 s.
    assert!(reason(&of("silence_below_s = 0.4\n"), &seen).starts_with("silent for 0.50 s"));
    assert!(
        reason(&of("first_words_below_s = 0.4\n"), &seen).starts_with("the first words come after 0.50 s")
    );
    assert!(
        reason(&of("tiers = [\"cloud\"]\n"), &seen)
            .starts_with("answered by cloud, then on_vehicle, not by cloud: \"The sky")
    );
    assert!(reason(&of("contains = \"green\"\n"), &seen).starts_with("other words"));
    assert!(
        reason(&of("complete = true\n"), &handed_over(5.0, DialogueReply::FAILED))
            .starts_with("whole: false")
    );
    assert!(reason(&of("repeats = true\n"), &seen).starts_with("no sentence"));
    assert_eq!(reason(&of("complete = true\n"), &Seen::default()), "it is not answered");
}

#[test]
fn an_answer_that_says_a_sentence_twice_is_noticed() {
    let mut seen = handed_over(5.0, DialogueReply::COMPLETE);
    seen.replies[1].value.text = " The sky is blue for air.".into();
    assert!(
        reason("[[expect]]\nanswer_to = \"asked\"\nrepeats = false\n", &seen)
            .starts_with("a sentence comes twice")
    );
}

#[test]
fn what_left_and_what_was_decided_and_said_is_looked_at() {
    let decision = RoutingDecision {
        tier: DialogueReply::CLOUD,
        reason: "cloud_better".into(),
        ..RoutingDecision::default()
    };
    let says = VoiceReply { text: "The window is open.".into(), ..VoiceReply::default() };
    let seen = Seen {
        left: "the body of Maria's request".into(),
        decisions: vec![Event { at: 2.1, value: decision }],
        speech: vec![Event { at: 3.0, value: says }],
        ..Seen::default()
    };
    assert!(!holds("[[expect]]\nnever_leaves = \"maria\"\n", &seen));
    assert!(holds("[[expect]]\nnever_leaves = \"Peter\"\n", &seen));
    assert!(holds("[[expect]]\ndecision = \"cloud\"\nreason = \"cloud_better\"\n", &seen));
    assert_eq!(reason("[[expect]]\ndecision = \"on_vehicle\"\n", &seen), "decided was cloud: cloud_better");
    assert!(holds("[[expect]]\nreply = \"window is (open|shut)\"\n", &seen));
    assert_eq!(reason("[[expect]]\nreply = \"door\"\n", &seen), "it says \"The window is open.\" at 3.000 s");
    assert!(!holds("[[expect]]\nno_reply = \"window\"\n", &seen));
}

#[test]
fn a_nodes_own_counts_are_held_against_each_bound() {
    let node = NodeSeen {
        kind: "driver_state".into(),
        missed: 2,
        fall_backs: 3,
        lateness_ms: 4.0,
        level: 0,
        level_changes: 2,
        ..NodeSeen::default()
    };
    let seen = Seen { nodes: vec![node], ..Seen::default() };
    let of = |more: &str| format!("[[expect]]\nnode = \"driver_state\"\n{more}\n");
    for (bound, holding) in [
        ("missed_at_most = 2", true),
        ("missed_at_most = 1", false),
        ("fall_backs_at_least = 3", true),
        ("fall_backs_at_least = 4", false),
        ("fall_backs_at_most = 3", true),
        ("fall_backs_at_most = 2", false),
        ("lateness_below_ms = 4.1", true),
        ("lateness_below_ms = 4.0", false),
        ("reaches_level = 1", true),
        ("reaches_level = 2", false),
        ("ends_at_level = 0", true),
        ("ends_at_level = 1", false),
    ] {
        assert_eq!(holds(&of(bound), &seen), holding, "{bound}");
    }
    assert!(
        reason("[[expect]]\nnode = \"link\"\nmissed_at_most = 0\n", &seen).contains("there are driver_state")
    );
}

#[test]
fn what_a_stand_in_said_is_told_apart_and_one_of_a_thing_is_no_plural() {
    let node = |fall_backs, stood_in| NodeSeen {
        kind: "router".into(),
        steps: 1,
        fall_backs,
        stood_in,
        ..NodeSeen::default()
    };
    let told = |node| {
        let seen = Seen { nodes: vec![node], ..Seen::default() };
        verdicts("[[expect]]\nnode = \"router\"\nmissed_at_most = 0\n", &seen).remove(0).reason
    };
    assert!(told(node(1, 0)).starts_with("1 step, 0 missed, 1 fall-back, latest"), "{}", told(node(1, 0)));
    let with = told(node(5, 3));
    assert!(with.contains("5 fall-backs (3 of its stand-in, while its process was gone), latest"), "{with}");
}
