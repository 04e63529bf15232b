use std::sync::{Arc, Mutex};

use mockall::predicate::eq;
use troika_kit::Sample as Received;

use super::*;
use crate::{
    bearer::Kind,
    sample::{Outcome, Transfer},
};

const START: Time = Time::from_stamp(1_000, 0);

fn at(ms: u64) -> Time {
    START + Duration::from_millis(ms)
}

/// An edge that has no probe to send and sees nothing.
fn quiet() -> MockEdge {
    let mut edge = MockEdge::new();
    edge.expect_can_probe().return_const(false);
    edge.expect_take().returning(|| None);
    edge.expect_bearer().returning(Bearer::default);
    edge.expect_keep().return_const(());
    edge
}

fn node(edge: MockEdge) -> LinkNode<MockEdge> {
    LinkNode::new(&Config::default(), Coverage::new(16), edge).unwrap()
}

fn steps(node: &mut LinkNode<MockEdge>, now: Time, inputs: &Inputs) -> LinkState {
    let mut outputs = Outputs::default();
    node.step(&Tick { seq: 0, release: now, now, level: 0 }, inputs, &mut outputs).unwrap();
    outputs.state.sent()[0].clone()
}

fn saw(now: Time, samples: &[LinkSample]) -> Inputs {
    let samples = samples.iter().map(|value| Received { value: value.clone(), received: now });
    Inputs { sample: Events::holding(samples), ..Inputs::default() }
}

fn answered(rtt_ms: u64) -> LinkSample {
    Sample::round_trip(Source::Passive, Duration::from_millis(rtt_ms)).to_message()
}

#[test]
fn a_vehicle_that_has_seen_nothing_says_that_it_knows_nothing() {
    troika_safety::verifies![SR_RTE_003];
    let state = steps(&mut node(quiet()), at(0), &Inputs::default());
    assert_eq!((state.state, state.bearer, state.metered), (LinkState::UNKNOWN, 0, 0));
    let numbers = [state.rtt_ms, state.down_kbps, state.up_kbps, state.loss, state.age_s, state.here_up];
    assert!(numbers.iter().all(|number| number.is_nan()), "{state:?}");
}

#[test]
fn the_traffic_that_there_is_tells_what_the_link_is_like_and_silence_takes_it_back() {
    troika_safety::verifies![SR_RTE_003];
    let mut node = node(quiet());
    let words = LinkSample { down_bytes: 60_000, down_ms: 1_000.0, limited: false, ..answered(80) };
    let state = steps(&mut node, at(0), &saw(at(0), &[words]));
    assert_eq!((state.state, state.passive_samples, state.active_samples), (LinkState::UP, 1, 0));
    assert!((79.0..81.0).contains(&state.rtt_ms) && (470.0..490.0).contains(&state.down_kbps), "{state:?}");
    assert!(state.up_kbps.is_nan());
    let later = steps(&mut node, at(10_000), &Inputs::default());
    assert!(later.rtt_high_ms - later.rtt_low_ms > state.rtt_high_ms - state.rtt_low_ms);
    assert_eq!(steps(&mut node, at(31_000), &Inputs::default()).state, LinkState::UNKNOWN);
}

#[test]
fn a_message_that_is_no_sample_changes_nothing() {
    troika_safety::verifies![SR_DAT_001];
    let mut node = node(quiet());
    let odd = LinkSample { outcome: 9, rtt_ms: 1.0, ..LinkSample::default() };
    let state = steps(&mut node, at(0), &saw(at(0), &[odd]));
    assert_eq!((state.state, state.passive_samples), (LinkState::UNKNOWN, 0));
}

#[test]
fn who_begins_to_speak_has_the_link_probed_while_he_speaks() {
    let mut edge = MockEdge::new();
    edge.expect_can_probe().return_const(true);
    edge.expect_bearer().returning(|| Bearer { kind: Kind::Cellular, metered: Metered::Yes });
    let mut answers = vec![Some((1, Sample::round_trip(Source::Active, Duration::from_millis(120))))];
    let mut calls = 0;
    edge.expect_take().returning(move || {
        calls += 1;
        // Three steps: the first two find nothing, the third the answer.
        if calls >= 3 { answers.pop().flatten() } else { None }
    });
    edge.expect_start().with(eq(1), eq(Probe::Ping)).times(1).return_const(());
    let mut node = node(edge);
    assert_eq!(steps(&mut node, at(0), &Inputs::default()).probe_bytes, 0, "nobody speaks, and bytes cost");
    let speaks =
        Received { value: VoiceActivity { speaking: true, ..VoiceActivity::default() }, received: at(200) };
    let inputs = Inputs { activity: Events::holding([speaks]), ..Inputs::default() };
    let state = steps(&mut node, at(200), &inputs);
    assert_eq!((state.probe_bytes, state.metered), (600, LinkState::METERED_YES));
    let state = steps(&mut node, at(400), &Inputs::default());
    assert_eq!((state.state, state.active_samples), (LinkState::UP, 1));
}

#[test]
fn who_asks_without_speaking_wants_to_know_of_the_link_too() {
    let mut edge = MockEdge::new();
    edge.expect_can_probe().return_const(true);
    edge.expect_bearer().returning(|| Bearer { kind: Kind::Cellular, metered: Metered::Yes });
    edge.expect_take().returning(|| None);
    edge.expect_start().with(eq(1), eq(Probe::Ping)).times(1).return_const(());
    let mut node = node(edge);
    assert_eq!(steps(&mut node, at(0), &Inputs::default()).probe_bytes, 0, "nobody asks, and bytes cost");
    let asks = Received { value: DialogueRequest::default(), received: at(200) };
    let inputs = Inputs { request: Events::holding([asks]), ..Inputs::default() };
    assert_eq!(steps(&mut node, at(200), &inputs).probe_bytes, 600);
}

#[test]
fn probes_that_say_nothing_are_failures_and_two_of_them_are_no_link() {
    let mut edge = MockEdge::new();
    edge.expect_can_probe().return_const(true);
    edge.expect_take().returning(|| None);
    edge.expect_bearer().returning(|| Bearer { kind: Kind::Wired, metered: Metered::No });
    edge.expect_start().return_const(());
    edge.expect_keep().return_const(());
    let mut node = node(edge);
    let states: Vec<_> = (0..60).map(|n| steps(&mut node, at(200 * n), &Inputs::default())).collect();
    assert_eq!(states.last().map(|last| last.state), Some(LinkState::DOWN));
    assert!(states.iter().all(|state| state.state != LinkState::UP));
}

#[test]
fn a_probe_that_a_slow_name_holds_up_is_one_failure_and_what_it_says_late_is_nothing() {
    let (starts, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let mut edge = MockEdge::new();
    edge.expect_can_probe().return_const(true);
    edge.expect_bearer().returning(|| Bearer { kind: Kind::Wired, metered: Metered::No });
    edge.expect_keep().return_const(());
    let (begun, ended) = (starts.clone(), answers.clone());
    edge.expect_start().returning(move |number, _| begun.lock().unwrap().push(number));
    edge.expect_take().returning(move || ended.lock().unwrap().pop());
    let mut node = node(edge);
    let activity =
        |now| Received { value: VoiceActivity { speaking: true, ..VoiceActivity::default() }, received: now };
    // Somebody speaks, so that probes begin at once; the first says nothing and is given up.
    let mut ms = 0;
    let mut next = |answer: Option<(u64, Sample)>| {
        answers.lock().unwrap().extend(answer);
        let inputs = Inputs { activity: Events::holding([activity(at(ms))]), ..Inputs::default() };
        ms += 200;
        (steps(&mut node, at(ms - 200), &inputs), starts.lock().unwrap().len())
    };
    let failed = || Sample::failed(Source::Active);
    while next(None).1 < 2 {}
    // It comes back with the second under way: neither a failure more, nor the end of the second.
    let (state, count) = next(Some((1, failed())));
    assert_eq!((state.state, state.active_samples, count), (LinkState::UNKNOWN, 1, 2));
    let (state, _) = next(Some((2, Sample::round_trip(Source::Active, Duration::from_millis(90)))));
    assert_eq!((state.state, state.active_samples), (LinkState::UP, 2));
    for _ in 0..2 {
        let (state, _) = next(Some((1, failed())));
        assert_eq!(state.state, LinkState::UP, "nor are they down that came back");
    }
}

#[test]
fn the_road_is_remembered_and_kept_once_a_minute() {
    let mut edge = MockEdge::new();
    edge.expect_can_probe().return_const(false);
    edge.expect_take().returning(|| None);
    edge.expect_bearer().returning(Bearer::default);
    edge.expect_keep().withf(|memory| memory.len() == 1).times(1).return_const(());
    let mut node = node(edge);
    let mut last = LinkState::default();
    for second in 0..90 {
        let now = at(1_000 * second);
        let mut inputs = saw(now, &[answered(80)]);
        inputs.road_segment = Latest::holding(std_msgs::String { data: "E18:41".into() }, now);
        last = steps(&mut node, now, &inputs);
    }
    assert_eq!((last.road_segment.as_str(), last.here_visits, last.here_up), ("E18:41", 1, 1.0));
    assert!((79.0..81.0).contains(&last.here_rtt_ms) && last.here_down_kbps.is_nan());
}

#[test]
fn a_step_that_cannot_run_says_unknown_instead_of_what_it_last_knew_and_one_that_is_late_what_it_believes() {
    troika_safety::verifies![SR_TIM_003, SR_RTE_003];
    let mut node = node(quiet());
    steps(&mut node, at(0), &saw(at(0), &[answered(80)]));
    let tick = Tick { seq: 1, release: at(200), now: at(400), level: 0 };
    let mut says = |fault| {
        let mut outputs = Outputs::default();
        node.fall_back(&tick, &fault, &mut outputs);
        outputs.state.sent()[0].clone()
    };
    let said = says(Fault::Panicked);
    assert!(said.state == LinkState::UNKNOWN && said.rtt_ms.is_nan());
    let said = says(Fault::TooLate { by: Duration::from_millis(200) });
    assert!(said.state == LinkState::UP && said.rtt_ms.is_finite());
}

#[test]
fn a_message_gives_back_the_estimate_and_impossible_numbers_are_not_known() {
    let mut link = Estimator::new();
    let down = Transfer { bytes: 60_000, took: Duration::from_secs(1) };
    let sample = Sample::round_trip(Source::Passive, Duration::from_millis(80));
    link.saw(at(0), &Sample { down, outcome: Outcome::Ok, ..sample });
    let seen = link.estimate(at(1_000));
    let back = from_message(&to_message(at(1_000), &seen));
    assert_eq!((back.status, back.age), (seen.status, seen.age));
    assert!((back.rtt_ms.unwrap().high - seen.rtt_ms.unwrap().high).abs() < 0.01);
    let odd = LinkState {
        state: 200,
        rtt_ms: 5.0,
        rtt_low_ms: 9.0,
        rtt_high_ms: 7.0,
        loss: 3.0,
        ..LinkState::default()
    };
    let odd = from_message(&odd);
    assert_eq!((odd.status, odd.rtt_ms, odd.loss), (LinkStatus::Unknown, None, None));
}
