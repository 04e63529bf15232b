use troika_kit::Sample;

use super::*;

const NOW: Time = Time::from_stamp(1_000, 0);

fn link(state: u8) -> LinkState {
    LinkState {
        state,
        metered: LinkState::METERED_YES,
        rtt_ms: 80.0,
        rtt_low_ms: 70.0,
        rtt_high_ms: 95.0,
        down_kbps: 2_000.0,
        down_low_kbps: 1_000.0,
        down_high_kbps: 4_000.0,
        loss: 0.02,
        loss_high: 0.04,
        age_s: 0.5,
        here_up: f32::NAN,
        ..LinkState::default()
    }
}

fn asks(id: &str) -> DialogueRequest {
    DialogueRequest {
        request_id: id.into(),
        text: "plan a day with two stops".into(),
        task: DialogueRequest::NAVIGATION,
        privacy: DialogueRequest::PUBLIC,
        complexity: 0.9,
        ..DialogueRequest::default()
    }
}

fn inputs(now: Time, requests: &[DialogueRequest], replies: &[DialogueReply], link_age: Duration) -> Inputs {
    let at = |received| move |value: DialogueRequest| Sample { value, received };
    Inputs {
        request: Events::holding(requests.iter().cloned().map(at(now))),
        reply: Events::holding(replies.iter().cloned().map(|value| Sample { value, received: now })),
        link: Latest::holding(link(LinkState::UP), now - link_age),
        driver: Latest::default(),
        safety: Latest::default(),
    }
}

fn steps(node: &mut RouterNode, now: Time, inputs: &Inputs) -> Vec<RoutingDecision> {
    let mut outputs = Outputs::default();
    node.step(&Tick { seq: 0, release: now, now, level: 0 }, inputs, &mut outputs).unwrap();
    outputs.decision.sent().to_vec()
}

fn planner() -> Planner {
    Config::default().planner(|_| unreachable!("the map of the demo is built in")).unwrap()
}

fn node() -> RouterNode {
    RouterNode::new(&Config::default(), Policy::capable(), planner())
}

#[test]
fn a_request_is_decided_in_the_step_that_hears_it_and_the_decision_says_on_what_ground() {
    let decisions = steps(&mut node(), NOW, &inputs(NOW, &[asks("a"), asks("b")], &[], Duration::ZERO));
    assert_eq!(decisions.len(), 2);
    let first = &decisions[0];
    assert_eq!((first.request_id.as_str(), first.reason.as_str()), ("a", "cloud_better"));
    assert_eq!(
        (first.tier, first.link_state, first.rtt_high_ms),
        (DialogueReply::CLOUD, LinkState::UP, 95.0)
    );
    let lengths = [first.tiers.len(), first.models.len(), first.chances.len(), first.first_words_s.len()];
    assert_eq!((lengths, first.cost_microeuro.len(), first.reasons.len()), ([3; 4], 3, 3));
    assert_eq!(first.models[0], first.model);
}

#[test]
fn no_word_of_the_request_is_in_the_decision() {
    let decisions = steps(&mut node(), NOW, &inputs(NOW, &[asks("a")], &[], Duration::ZERO));
    let told = format!("{:?}", decisions[0]);
    assert!(["plan", "stops"].iter().all(|word| !told.contains(word)), "{told}");
}

#[test]
fn an_old_link_state_is_an_unknown_link() {
    troika_safety::verifies![SR_RTE_003];
    let decisions = steps(&mut node(), NOW, &inputs(NOW, &[asks("a")], &[], Duration::from_millis(1_001)));
    assert_eq!(
        (decisions[0].tier, decisions[0].reason.as_str()),
        (DialogueReply::ON_VEHICLE, "link_unknown")
    );
    assert!(decisions[0].rtt_high_ms.is_nan());
}

#[test]
fn a_message_that_says_nothing_of_task_and_privacy_stays_in_the_vehicle() {
    troika_safety::verifies![SR_RTE_001, SR_DAT_001];
    let untold =
        DialogueRequest { request_id: "a".into(), text: "hello".into(), ..DialogueRequest::default() };
    let odd = DialogueRequest { task: 200, privacy: 201, ..asks("b") };
    let decisions = steps(&mut node(), NOW, &inputs(NOW, &[untold, odd], &[], Duration::ZERO));
    assert!(decisions.iter().all(|decision| decision.tier != DialogueReply::CLOUD), "{decisions:?}");
}

#[test]
fn three_failed_answers_give_the_cloud_a_rest_and_then_it_is_asked_again() {
    let mut node = node();
    let failed = DialogueReply {
        tier: DialogueReply::CLOUD,
        done: true,
        outcome: DialogueReply::FAILED,
        ..DialogueReply::default()
    };
    steps(&mut node, NOW, &inputs(NOW, &[], &[failed.clone(), failed.clone(), failed], Duration::ZERO));
    let reason = |node: &mut RouterNode, now| {
        steps(node, now, &inputs(now, &[asks("a")], &[], Duration::ZERO))[0].reason.clone()
    };
    assert_eq!(reason(&mut node, NOW + Duration::from_secs(1)), "cloud_unavailable");
    assert_eq!(reason(&mut node, NOW + Duration::from_secs(31)), "cloud_better");
}

#[test]
fn a_cloud_that_does_not_take_us_is_left_alone_although_the_vehicle_answered() {
    let mut node = node();
    let mut ask = |now| {
        let decision = steps(&mut node, now, &inputs(now, &[asks("a")], &[], Duration::ZERO)).remove(0);
        let instead = DialogueReply {
            request_id: "a".into(),
            tier: DialogueReply::ON_VEHICLE,
            done: true,
            outcome: DialogueReply::COMPLETE,
            reason: "unauthorized, unsure".into(),
            ..DialogueReply::default()
        };
        steps(&mut node, now, &inputs(now, &[], &[instead], Duration::ZERO));
        decision.reason
    };
    let at = |seconds| NOW + Duration::from_secs(seconds);
    assert_eq!(ask(at(0)), "cloud_better");
    assert_eq!(ask(at(14)), "cloud_unavailable");
    assert_eq!(ask(at(15)), "cloud_better");
    assert_eq!(ask(at(44)), "cloud_unavailable", "twice as long");
    assert_eq!(ask(at(45)), "cloud_better");
}

#[test]
fn what_an_answer_took_is_charged_instead_of_what_was_expected() {
    let mut node = node();
    steps(&mut node, NOW, &inputs(NOW, &[asks("a")], &[], Duration::ZERO));
    assert!(node.router.spent().bytes > 3_000.0);
    let done = DialogueReply {
        request_id: "a".into(),
        tier: DialogueReply::CLOUD,
        done: true,
        outcome: DialogueReply::COMPLETE,
        bytes_sent: 100,
        bytes_received: 200,
        cost_microeuro: 7,
        ..DialogueReply::default()
    };
    steps(&mut node, NOW, &inputs(NOW, &[], &[done], Duration::ZERO));
    assert_eq!(node.router.spent(), Cost { bytes: 300.0, microeuro: 7.0 });
}

#[test]
fn while_the_model_on_the_vehicle_answers_the_next_one_waits_for_it() {
    let mut node = node();
    let easy = |id: &str| DialogueRequest { complexity: 0.0, ..asks(id) };
    let first = steps(&mut node, NOW, &inputs(NOW, &[easy("a"), easy("b")], &[], Duration::ZERO));
    let local_first_words = |decision: &RoutingDecision| {
        let at = decision.tiers.iter().position(|tier| *tier == DialogueReply::ON_VEHICLE).unwrap();
        decision.first_words_s[at]
    };
    assert!(local_first_words(&first[1]) > local_first_words(&first[0]) + 1.5);
}

#[test]
fn a_model_on_the_vehicle_that_was_slow_in_its_last_answer_is_expected_to_be_slow_for_a_minute() {
    let mut node = node();
    // 100 tokens in 100 s, where the policy says 22 a second.
    let words = |done, text: &str| DialogueReply {
        request_id: "a".into(),
        tier: DialogueReply::ON_VEHICLE,
        text: text.into(),
        done,
        outcome: if done { DialogueReply::COMPLETE } else { DialogueReply::GOES_ON },
        ..DialogueReply::default()
    };
    steps(&mut node, NOW, &inputs(NOW, &[], &[words(false, "Well,")], Duration::ZERO));
    let end = NOW + Duration::from_secs(100);
    steps(&mut node, end, &inputs(end, &[], &[words(true, &"word".repeat(100))], Duration::ZERO));
    let easy = |node: &mut RouterNode, now| {
        let request = DialogueRequest { complexity: 0.0, ..asks("b") };
        let decision = steps(node, now, &inputs(now, &[request], &[], Duration::ZERO)).remove(0);
        (decision.tier, decision.reason)
    };
    let soon = end + Duration::from_secs(1);
    assert_eq!(easy(&mut node, soon).0, DialogueReply::CLOUD);
    let later = end + Duration::from_secs(61);
    assert_eq!(easy(&mut node, later), (DialogueReply::ON_VEHICLE, "local_enough".into()));
}

#[test]
fn a_model_on_the_vehicle_that_fails_three_times_is_left_alone() {
    let mut node = node();
    let failed =
        |tier| DialogueReply { tier, done: true, outcome: DialogueReply::FAILED, ..DialogueReply::default() };
    let replies = [DialogueReply::ON_VEHICLE; 3].map(failed);
    steps(&mut node, NOW, &inputs(NOW, &[], &replies, Duration::ZERO));
    let easy = DialogueRequest { complexity: 0.0, ..asks("b") };
    let decision = steps(&mut node, NOW, &inputs(NOW, &[easy], &[], Duration::ZERO)).remove(0);
    assert_eq!((decision.tier, decision.reason.as_str()), (DialogueReply::CLOUD, "local_unavailable"));
}

#[test]
fn a_policy_file_that_is_missing_or_wrong_is_told_with_the_way_out() {
    let config = Config { policy: "mine.toml".into(), ..Config::default() };
    let missing = config.policy(|_| Err(io::ErrorKind::NotFound.into())).unwrap_err().to_string();
    assert!(missing.contains("mine.toml") && missing.contains("leave `policy` out"), "{missing}");
    let wrong = config.policy(|_| Ok("policy = 'x'\nclod_tasks = []\n".into())).unwrap_err().to_string();
    assert!(wrong.starts_with("mine.toml, line 2:"), "{wrong}");
    assert!(Config { max_age_ms: 0, ..Config::default() }.policy(|_| Ok(String::new())).is_err());
}

#[test]
fn what_the_map_answers_is_not_sent_away_and_a_follow_up_is_what_it_is_with_what_is_known_here() {
    let mut node = node();
    let asked = |id: &str, text: &str, conversation: &str| DialogueRequest {
        text: text.into(),
        conversation_id: conversation.into(),
        complexity: f32::NAN,
        ..asks(id)
    };
    let mut reason = |text: &str, conversation: &str| {
        let requests = [asked("a", text, conversation)];
        let decision = steps(&mut node, NOW, &inputs(NOW, &requests, &[], Duration::ZERO)).remove(0);
        (decision.tier, decision.reason)
    };
    let here = (DialogueReply::ON_VEHICLE, "local_enough".to_owned());
    let there = (DialogueReply::CLOUD, "cloud_better".to_owned());
    assert_eq!(reason("where is the nearest cafe", ""), here);
    assert_eq!(reason("how long would it take to the museum of salt", ""), here);
    // A place that there is not is asked back for.
    assert_eq!(reason("take me to the casino royale", ""), here);
    assert_eq!(reason("which cafe is the cosiest on a rainy day", ""), there);
}

#[test]
fn a_cloud_whose_files_changed_is_asked_again_at_once() {
    let mut node = node();
    let untaken = DialogueReply {
        request_id: "a".into(),
        tier: DialogueReply::ON_VEHICLE,
        done: true,
        outcome: DialogueReply::COMPLETE,
        reason: "tls".into(),
        ..DialogueReply::default()
    };
    let reason = |node: &mut RouterNode, replies: &[DialogueReply], ms| {
        let now = NOW + Duration::from_millis(ms);
        steps(node, now, &inputs(now, &[asks("a")], replies, Duration::ZERO))[0].reason.clone()
    };
    assert_eq!(reason(&mut node, &[], 0), "cloud_better");
    let late = DialogueReply { reason: "breaker_open".into(), ..untaken.clone() };
    assert_eq!(reason(&mut node, &[untaken], 1), "cloud_unavailable");
    let changed = DialogueReply {
        tier: DialogueReply::CLOUD,
        done: true,
        outcome: DialogueReply::COMPLETE,
        reason: FILES_CHANGED.into(),
        ..DialogueReply::default()
    };
    // What was asked with the old files and fails now says nothing of the new ones.
    assert_eq!(reason(&mut node, &[changed, late], 2), "cloud_better");
}

#[test]
fn a_cloud_that_fails_is_asked_again_sooner_than_one_that_refuses_us() {
    let untaken = |why: &str| DialogueReply {
        request_id: "a".into(),
        tier: DialogueReply::ON_VEHICLE,
        done: true,
        outcome: DialogueReply::COMPLETE,
        reason: why.into(),
        ..DialogueReply::default()
    };
    let asked_again = |why: &str| {
        let mut node = node();
        let mut reason = |replies: &[DialogueReply], ms| {
            let now = NOW + Duration::from_millis(ms);
            steps(&mut node, now, &inputs(now, &[asks("a")], replies, Duration::ZERO))[0].reason.clone()
        };
        assert_eq!(reason(&[], 0), "cloud_better");
        assert_eq!(reason(&[untaken(why)], 1), "cloud_unavailable", "{why}");
        (2..20).find(|second| reason(&[], second * 1_000) == "cloud_better")
    };
    assert_eq!(asked_again("server"), Some(5));
    assert_eq!(asked_again("tls"), Some(16));
}

#[test]
fn a_model_that_was_busy_has_not_failed() {
    let mut node = node();
    let busy = DialogueReply {
        tier: DialogueReply::ON_VEHICLE,
        done: true,
        outcome: DialogueReply::FAILED,
        reason: "routed, model_busy".into(),
        ..DialogueReply::default()
    };
    let gone = DialogueReply { reason: "routed, no_model".into(), ..busy.clone() };
    let mut rests = |reply: &DialogueReply| {
        steps(
            &mut node,
            NOW,
            &inputs(NOW, &[], &[reply.clone(), reply.clone(), reply.clone()], Duration::ZERO),
        );
        !node.local_circuit.closed(NOW)
    };
    assert!(!rests(&busy));
    assert!(rests(&gone));
}

#[test]
fn the_safety_state_is_followed_while_nothing_is_asked() {
    troika_safety::verifies![SR_SUP_006, SR_SUP_009];
    let mut supervisor = troika_msgs::protect::Seal::new(troika_msgs::protect::sender::SUPERVISOR);
    let mut says = |state| {
        let mut said = SafetyState { state, ..SafetyState::default() };
        supervisor.seal(&mut said).expect("it fits");
        said
    };
    let mut node = node();
    let at = |tenth: u64| NOW + Duration::from_millis(100 * tenth);
    // Each third state of the supervisor's is looked at where nothing is asked.
    for tenth in 0..60 {
        let said = says(if tenth < 50 { SafetyState::NOMINAL } else { SafetyState::SAFE });
        if tenth % 3 == 0 {
            let safety = Latest::holding(said, at(tenth));
            steps(&mut node, at(tenth), &Inputs { safety, ..inputs(at(tenth), &[], &[], Duration::ZERO) });
        }
        if tenth == 49 || tenth == 58 {
            let now = at(tenth);
            let decision = steps(&mut node, now, &inputs(now, &[asks("a")], &[], Duration::ZERO));
            let limited = decision[0].reason == "safe_state";
            assert_eq!(limited, tenth == 58, "{decision:?}");
        }
    }
}

#[test]
fn what_is_decided_is_counted_and_the_decision_carries_all_that_it_rests_on() {
    let mut node = node();
    let request = DialogueRequest { deadline: Duration::from_secs(9).into(), ..asks("a") };
    let decision = steps(&mut node, NOW, &inputs(NOW, &[request], &[], Duration::ZERO)).remove(0);
    let given: Vec<_> = node.counts().iter().filter(|(_, times)| *times > 0).collect();
    assert_eq!(given, [(Reason::CloudBetter, 1)]);
    assert_eq!(
        (decision.header.time(), decision.task, decision.privacy),
        (NOW, DialogueRequest::NAVIGATION, DialogueRequest::PUBLIC)
    );
    assert_eq!(
        (decision.complexity, Duration::from(decision.deadline), decision.brief),
        (0.9, Duration::from_secs(9), false)
    );
    assert_eq!((decision.down_low_kbps, decision.link_age_s), (1_000.0, 0.5));
    let codes = [Tier::Vehicle, Tier::OnVehicle, Tier::Cloud, Tier::Canned].map(tier_code);
    assert_eq!(
        codes,
        [DialogueReply::VEHICLE, DialogueReply::ON_VEHICLE, DialogueReply::CLOUD, DialogueReply::CANNED]
    );
}

#[test]
fn the_driver_who_looks_away_or_sleeps_is_answered_briefly_and_one_who_was_not_seen_is_not() {
    troika_safety::verifies![SR_ATT_001];
    let brief = |state, age_ms| {
        let driver = DriverState { state, ..DriverState::default() };
        let mut inputs = inputs(NOW, &[asks("a")], &[], Duration::ZERO);
        inputs.driver = Latest::holding(driver, NOW - Duration::from_millis(age_ms));
        steps(&mut node(), NOW, &inputs).remove(0).brief
    };
    let states =
        [DriverState::UNKNOWN, DriverState::ATTENTIVE, DriverState::LOOKING_AWAY, DriverState::EYES_CLOSED];
    assert_eq!(states.map(|state| brief(state, 0)), [false, false, true, true]);
    assert!(brief(DriverState::EYES_CLOSED, 1_000) && !brief(DriverState::EYES_CLOSED, 1_001));
}

#[test]
fn a_connection_that_carried_nothing_for_half_a_minute_is_opened_again() {
    let first = |after_ms: u64, outcome| {
        let mut node = node();
        let heard = DialogueReply {
            tier: DialogueReply::CLOUD,
            done: outcome == DialogueReply::FAILED,
            outcome,
            text: "Well".into(),
            ..DialogueReply::default()
        };
        steps(&mut node, NOW, &inputs(NOW, &[], &[heard], Duration::ZERO));
        let now = NOW + Duration::from_millis(after_ms);
        steps(&mut node, now, &inputs(now, &[asks("a")], &[], Duration::ZERO)).remove(0).first_words_s[0]
    };
    let (open, closed) = (first(29_999, DialogueReply::GOES_ON), first(30_000, DialogueReply::GOES_ON));
    assert!((closed - open - 0.16).abs() < 1e-3, "two round trips of 80 ms more: {open} {closed}");
    assert_eq!(first(1_000, DialogueReply::FAILED), closed, "a failed answer opens none");
}

#[test]
fn an_answer_on_the_vehicle_of_which_nothing_comes_for_ten_seconds_keeps_nobody_waiting() {
    let waits = |after_ms: u64| {
        let mut node = node();
        let easy = |id: &str| DialogueRequest { complexity: 0.0, ..asks(id) };
        steps(&mut node, NOW, &inputs(NOW, &[easy("a")], &[], Duration::ZERO));
        let now = NOW + Duration::from_millis(after_ms);
        let decision = steps(&mut node, now, &inputs(now, &[easy("b")], &[], Duration::ZERO)).remove(0);
        let at = decision.tiers.iter().position(|tier| *tier == DialogueReply::ON_VEHICLE).unwrap();
        decision.first_words_s[at]
    };
    assert!((waits(9_999) - waits(10_000) - 2.0).abs() < 1e-3);
}

#[test]
fn a_road_is_taken_from_the_link_where_it_is_a_share_and_a_link_without_a_price_costs_none() {
    let chances = |here_up: f32, visits: u16| {
        let mut inputs = inputs(NOW, &[asks("a")], &[], Duration::ZERO);
        let state = LinkState { here_up, here_visits: visits, ..link(LinkState::UP) };
        inputs.link = Latest::holding(state, NOW);
        steps(&mut node(), NOW, &inputs).remove(0).chances[0]
    };
    assert!(chances(0.1, 9) < chances(1.0, 9) - 0.2);
    assert_eq!(chances(1.5, 9), chances(f32::NAN, 9), "no share is no knowledge");
    let mut node = node();
    let mut metered = |told| {
        let inputs = {
            let mut inputs = inputs(NOW, &[], &[], Duration::ZERO);
            inputs.link = Latest::holding(LinkState { metered: told, ..link(LinkState::UP) }, NOW);
            inputs
        };
        node.world(NOW, &inputs, false).metered
    };
    assert_eq!(metered(LinkState::METERED_NO), Metered::No);
    assert_eq!(metered(LinkState::METERED_YES), Metered::Yes);
    assert_eq!(metered(LinkState::METERED_UNKNOWN), Metered::Unknown);
}

#[test]
fn what_is_asked_back_for_in_a_conversation_may_be_what_was_told_before_and_is_not_planned() {
    let mut node = node();
    let mut planned = |text: &str, conversation: &str| {
        let message =
            DialogueRequest { text: text.into(), conversation_id: conversation.into(), ..asks("a") };
        node.planned(&Request::from_message(&message, NOW))
    };
    assert!(planned("take me to the casino royale", "c"), "the first turn: nothing was told before");
    assert!(!planned("take me to the casino royale", "c"), "it goes on");
    assert!(planned("take me to the casino royale", "d"), "another one begins");
    assert!(
        planned("take me to the casino royale", "") && planned("take me to the casino royale", ""),
        "without one, each is the first"
    );
}

#[test]
fn a_slow_answer_says_nothing_of_how_fast_the_model_is_a_minute_later() {
    let speed = |after_s: u64| {
        let mut node = node();
        node.local_speed = Some((0.25, NOW));
        let now = NOW + Duration::from_secs(after_s);
        node.world(now, &inputs(now, &[], &[], Duration::ZERO), false).local_speed
    };
    assert_eq!((speed(59), speed(60)), (0.25, 1.0));
}
