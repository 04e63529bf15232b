use troika_gateway::board;
use troika_msgs::std_msgs::Header;

use super::*;
use crate::link::Quality;

/// Noon of a day.
fn at(s: u64) -> Time {
    Time::from_nanos((20_000 * 86_400 + 43_200) * 1_000_000_000) + Duration::from_secs(s)
}

/// As the gateway reads it.
fn told(facts: &mut Facts, now: Time) -> board::Report {
    let report = facts.report(now, 7, true);
    serde_json::from_str(&serde_json::to_string(&report).unwrap()).expect("the gateway takes it")
}

fn asked(facts: &mut Facts, id: &str, at: Time) {
    let header = Header::at(at);
    facts.decision(&RoutingDecision { header, request_id: id.into(), ..RoutingDecision::default() });
}

fn says(facts: &mut Facts, id: &str, at: Time, tier: u8) {
    let header = Header::at(at);
    let reply = DialogueReply { header, request_id: id.into(), text: "w".into(), tier, ..Default::default() };
    facts.reply(at, &reply);
}

fn ends(facts: &mut Facts, at: Time, outcome: u8, cost_microeuro: u32) {
    let reply = DialogueReply {
        header: Header::at(at),
        done: true,
        outcome,
        cost_microeuro,
        ..DialogueReply::default()
    };
    facts.reply(at, &reply);
}

#[test]
fn a_vehicle_that_knows_nothing_says_so_and_the_gateway_takes_it() {
    let report = told(&mut Facts::default(), at(0));
    assert_eq!((report.link, report.tier), (board::Link::Unknown, board::Tier::None));
    assert_eq!(report.driver_state, Some(board::Driver::Unknown));
    assert_eq!((report.rtt_ms, report.down_kbps, report.latency_ms), (None, None, None));
    assert_eq!((report.errors, report.cost_micro_euro), (0, 7));
}

#[test]
fn link_tier_latency_errors_and_cost_are_those_of_now() {
    let mut facts = Facts::default();
    let link = LinkState { state: LinkState::UP, rtt_ms: 80.0, down_kbps: f32::NAN, ..Default::default() };
    facts.link(at(9), link);
    for (id, ms) in [("a", 100), ("b", 900), ("c", 200)] {
        asked(&mut facts, id, at(5));
        says(&mut facts, id, at(5) + Duration::from_millis(ms), DialogueReply::CLOUD);
        // Only its first words count.
        says(&mut facts, id, at(8), DialogueReply::ON_VEHICLE);
    }
    ends(&mut facts, at(9), DialogueReply::COMPLETE, 30);
    ends(&mut facts, at(9), DialogueReply::FAILED, 3);
    facts.failed();
    let report = told(&mut facts, at(10));
    assert_eq!((report.link, report.rtt_ms, report.down_kbps), (board::Link::Up, Some(80.0), None));
    assert_eq!((report.tier, report.latency_ms), (board::Tier::OnVehicle, Some(200.0)), "the middle one");
    assert_eq!((report.errors, report.cost_micro_euro), (2, 40));
    let later = told(&mut facts, at(80));
    assert_eq!((later.link, later.tier), (board::Link::Unknown, board::Tier::None), "a minute later");
    assert_eq!((later.latency_ms, later.errors), (None, 2));
    assert_eq!(told(&mut facts, at(43_200)).cost_micro_euro, 7, "a new day");
}

#[test]
fn of_the_driver_goes_one_word_and_only_where_it_is_wanted() {
    troika_safety::verifies![SR_RTE_012];
    let mut facts = Facts::default();
    let frames = |facts: &mut Facts, state: u8, count: usize| {
        (0..count).for_each(|_| facts.driver(&DriverState { state, ..DriverState::default() }));
    };
    frames(&mut facts, DriverState::ATTENTIVE, 200);
    frames(&mut facts, DriverState::LOOKING_AWAY, 30);
    assert_eq!(told(&mut facts, at(0)).driver_state, Some(board::Driver::Attentive), "a glance");
    assert_eq!(told(&mut facts, at(1)).driver_state, Some(board::Driver::Unknown), "no frame since");
    let alert = |kind, phase| DriverAlert { kind, phase, ..DriverAlert::default() };
    facts.alert(&alert(DriverAlert::MICROSLEEP, DriverAlert::RAISED));
    frames(&mut facts, DriverState::ATTENTIVE, 10);
    assert_eq!(told(&mut facts, at(2)).driver_state, Some(board::Driver::EyesClosed));
    facts.alert(&alert(DriverAlert::MICROSLEEP, DriverAlert::CLEARED));
    frames(&mut facts, DriverState::ATTENTIVE, 10);
    assert_eq!(told(&mut facts, at(3)).driver_state, Some(board::Driver::Attentive));
    facts.alert(&alert(DriverAlert::MONITORING_UNAVAILABLE, DriverAlert::RAISED));
    frames(&mut facts, DriverState::ATTENTIVE, 10);
    assert_eq!(told(&mut facts, at(4)).driver_state, Some(board::Driver::Unknown));
    frames(&mut facts, DriverState::ATTENTIVE, 10);
    let silent = serde_json::to_string(&facts.report(at(5), 0, false)).unwrap();
    assert!(!silent.contains("driver"), "{silent}");
}

#[test]
fn questions_that_nobody_answers_are_forgotten() {
    let mut facts = Facts::default();
    (0..10_000).for_each(|n| asked(&mut facts, &n.to_string(), at(0)));
    (0..10_000).for_each(|n| says(&mut facts, &n.to_string(), at(1), DialogueReply::CLOUD));
    assert!(facts.asked.is_empty() && facts.answered.len() == MOST_ASKED);
}

fn way(easy: bool) -> Way {
    Way { quality: Quality::Good, free: easy, at_once: 1 << 20 }
}

#[test]
fn reports_go_as_often_as_the_link_allows_and_at_once_the_first_time() {
    let mut schedule = Schedule::new(ReportConfig::default());
    assert_eq!(schedule.due(at(5), way(true)), at(5));
    schedule.goes(at(5), 200);
    assert_eq!(schedule.due(at(6), way(true)), at(15));
    assert_eq!(schedule.due(at(6), way(false)), at(65));
}

#[test]
fn the_days_bytes_last_the_day_and_are_never_more() {
    let config = ReportConfig { bytes_a_day: 100_000, ..ReportConfig::default() };
    let mut schedule = Schedule::new(config);
    let (mut reports, mut last) = (0, 0);
    // Two days from midnight, second by second.
    for second in 43_200..43_200 + 2 * 86_400_u64 {
        let now = at(second);
        if now >= schedule.due(now, way(true)) {
            schedule.goes(now, 200);
            (reports, last) = (reports + 1, second);
            assert!(schedule.spent(now) <= 100_000);
        }
    }
    assert!((300..=332).contains(&reports), "{reports} of 333 that the bytes allow");
    assert!(last > 43_200 + 2 * 86_400 - 1200, "nothing was left for the second day's evening");
}
