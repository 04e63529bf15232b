use std::sync::LazyLock;

use proptest::prelude::*;
use troika_link::Range;

use super::*;

/// Its patterns are compiled once: a thousand times take a minute.
static POLICY: LazyLock<Policy> = LazyLock::new(Policy::capable);

const NOW: Time = Time::from_stamp(1_000, 0);

fn range(middle: f64) -> Range {
    Range { middle, low: middle / 1.3, high: middle * 1.3, trend: 0.0 }
}

/// A link of 80 ms and 2 Mbit/s.
fn good_link() -> Estimate {
    Estimate {
        status: LinkStatus::Up,
        rtt_ms: Some(range(80.0)),
        down_kbps: Some(range(2_000.0)),
        up_kbps: Some(range(800.0)),
        loss: Some((0.02, 0.05)),
        stall: Duration::ZERO,
        age: Some(Duration::from_secs(1)),
    }
}

fn connected() -> World {
    World { link: good_link(), metered: Metered::Yes, cloud_open: true, ..World::default() }
}

fn asks(text: &str, task: Task) -> Request {
    Request {
        id: "r1".into(),
        conversation: String::new(),
        text: text.into(),
        task,
        privacy: Privacy::Public,
        has_image: false,
        complexity: None,
        asked: NOW,
        deadline: None,
    }
}

fn hard() -> Request {
    Request {
        complexity: Some(0.9),
        ..asks("plan a day with two stops and dinner before eight", Task::Navigation)
    }
}

fn decide(request: &Request, world: &World) -> Decision {
    Router::new(POLICY.clone()).decide(NOW, request, world)
}

fn decided(request: &Request, world: &World) -> (Tier, Reason) {
    let decision = decide(request, world);
    (decision.tier, decision.reason)
}

#[test]
fn a_hard_question_goes_to_the_cloud_and_an_easy_one_stays() {
    assert_eq!(decided(&hard(), &connected()), (Tier::Cloud, Reason::CloudBetter));
    let easy = asks("where is the nearest charging station", Task::Navigation);
    assert_eq!(decided(&easy, &connected()), (Tier::OnVehicle, Reason::LocalEnough));
}

#[test]
fn what_the_planner_understands_stays_whatever_the_model_on_the_vehicle_does() {
    let mut router = Router::new(Policy::built_in());
    let mut decided = |world: &World| {
        let decision = router.decide(NOW, &hard(), world);
        (decision.tier, decision.reason)
    };
    assert_eq!(decided(&connected()), (Tier::Cloud, Reason::CloudBetter));
    let planned = World { planned: true, ..connected() };
    assert_eq!(decided(&planned), (Tier::OnVehicle, Reason::LocalEnough));
    let busy = World { local_free_in: Duration::from_secs(60), local_speed: 0.01, ..planned.clone() };
    assert_eq!(decided(&busy), (Tier::OnVehicle, Reason::LocalEnough));
    let without = World { local_available: false, ..planned };
    assert_eq!(decided(&without), (Tier::OnVehicle, Reason::LocalEnough));
}

#[test]
fn a_vehicle_function_is_the_vehicles_even_when_everything_else_is_gone() {
    troika_safety::verifies![SR_RTE_001];
    let window = asks("open the window", Task::VehicleFunction);
    let nothing = World { local_available: false, ..World::default() };
    assert_eq!(decided(&window, &nothing), (Tier::Vehicle, Reason::VehicleFunction));
}

#[test]
fn private_classes_private_words_images_and_what_is_not_told_stay() {
    troika_safety::verifies![SR_RTE_001];
    for privacy in Privacy::ALL.into_iter().filter(|privacy| *privacy != Privacy::Public) {
        let request = Request { privacy, ..hard() };
        assert_eq!(decided(&request, &connected()), (Tier::OnVehicle, Reason::PrivateClass), "{privacy:?}");
    }
    let picture = Request { has_image: true, ..hard() };
    assert_eq!(decided(&picture, &connected()).1, Reason::Image);
    let inbox = Request { text: "summarise my messages and plan my day".into(), ..hard() };
    let decision = decide(&inbox, &connected());
    assert_eq!((decision.reason, decision.privacy), (Reason::PrivateWords, Privacy::Messages));
    let untold = Request { task: Task::Unknown, ..hard() };
    assert_eq!(decided(&untold, &connected()).1, Reason::UnknownTask);
}

#[test]
fn what_is_private_has_a_fixed_sentence_rather_than_the_cloud_when_there_is_no_model_on_the_vehicle() {
    troika_safety::verifies![SR_RTE_001];
    let request = Request { privacy: Privacy::Messages, ..hard() };
    let world = World { local_available: false, ..connected() };
    assert_eq!(decided(&request, &world), (Tier::Canned, Reason::PrivateClass));
}

#[test]
fn a_link_that_is_unknown_down_lossy_or_slow_is_not_used() {
    troika_safety::verifies![SR_RTE_013];
    let links = [
        (Estimate::default(), Reason::LinkUnknown),
        (Estimate { status: LinkStatus::Down, ..good_link() }, Reason::LinkDown),
        (Estimate { loss: Some((0.5, 0.7)), ..good_link() }, Reason::LinkLossy),
        (Estimate { rtt_ms: Some(range(20_000.0)), ..good_link() }, Reason::LinkSlow),
        (Estimate { down_kbps: Some(range(4.0)), ..good_link() }, Reason::LinkSlow),
    ];
    for (link, reason) in links {
        assert_eq!(decided(&hard(), &World { link, ..connected() }), (Tier::OnVehicle, reason));
    }
}

#[test]
fn a_link_of_which_little_is_sure_counts_for_less() {
    let unsure = Range { middle: 800.0, low: 100.0, high: 6_400.0, trend: 0.0 };
    let chance = |rtt| {
        let world =
            World { link: Estimate { rtt_ms: Some(rtt), ..good_link() }, cloud_open: false, ..connected() };
        let decision = decide(&hard(), &world);
        decision
            .weighed
            .iter()
            .filter(|one| one.tier == Tier::Cloud)
            .map(|one| one.chance)
            .fold(0.0, f64::max)
    };
    assert!(chance(unsure) < chance(range(800.0)) - 0.1, "{} {}", chance(unsure), chance(range(800.0)));
}

#[test]
fn a_road_where_the_link_failed_before_counts_against_the_cloud() {
    let chance = |here| decide(&hard(), &World { here, ..connected() }).weighed[0].clone();
    let (tunnel, open_road) = (chance(Some((0.1, 9))), chance(Some((1.0, 9))));
    assert!(tunnel.chance < open_road.chance - 0.2, "{} {}", tunnel.chance, open_road.chance);
    assert_eq!(chance(Some((0.1, 1))), chance(None), "one pass says little");
}

#[test]
fn in_the_safe_state_nothing_leaves() {
    troika_safety::verifies![SR_SUP_006];
    let world = World { limited: true, ..connected() };
    assert_eq!(decided(&hard(), &world), (Tier::OnVehicle, Reason::SafeState));
}

#[test]
fn a_cloud_that_refuses_is_not_asked() {
    let world = World { cloud_available: false, ..connected() };
    assert_eq!(decided(&hard(), &world), (Tier::OnVehicle, Reason::CloudUnavailable));
}

#[test]
fn a_vehicle_without_a_model_or_with_a_busy_one_asks_the_cloud_for_easy_things_too() {
    let easy = asks("where is the nearest charging station", Task::Navigation);
    let gone = World { local_available: false, ..connected() };
    assert_eq!(decided(&easy, &gone), (Tier::Cloud, Reason::LocalUnavailable));
    let busy = World { local_free_in: Duration::from_secs(30), ..connected() };
    assert_eq!(decided(&easy, &busy), (Tier::Cloud, Reason::LocalBusy));
    let slow = World { local_speed: 0.02, ..connected() };
    assert_eq!(decided(&easy, &slow).0, Tier::Cloud);
}

#[test]
fn whoever_asks_when_the_time_is_over_gets_a_fixed_sentence() {
    let late = Request { asked: NOW - Duration::from_secs(60), ..hard() };
    assert_eq!(decided(&late, &connected()), (Tier::Canned, Reason::TooLate));
    let nobody = World { local_available: false, ..World::default() };
    assert_eq!(decided(&hard(), &nobody), (Tier::Canned, Reason::LinkUnknown));
}

#[test]
fn the_days_money_and_bytes_end_and_are_there_again_the_next_day() {
    for (key, reason) in
        [("bytes_a_day = 10000000", Reason::BytesSpent), ("cents_a_day = 50.0", Reason::MoneySpent)]
    {
        let text = include_str!("../../policies/troika.toml");
        let little = if reason == Reason::BytesSpent { "bytes_a_day = 50000" } else { "cents_a_day = 0.05" };
        let mut router = Router::new(Policy::parse("little.toml", &text.replace(key, little)).unwrap());
        let mut reasons = Vec::new();
        for _ in 0..20 {
            reasons.push(router.decide(NOW, &hard(), &connected()).reason);
        }
        assert_eq!((reasons[0], reasons[19]), (Reason::CloudBetter, reason));
        let tomorrow = NOW + Duration::from_secs(24 * 3600 + 1);
        let request = Request { asked: tomorrow, ..hard() };
        assert_eq!(router.decide(tomorrow, &request, &connected()).reason, Reason::CloudBetter);
    }
}

#[test]
fn a_dearer_model_is_taken_for_what_is_hard_and_a_cheaper_one_for_the_rest() {
    let model = |complexity| {
        let world = World { local_available: false, ..connected() };
        decide(&Request { complexity: Some(complexity), ..hard() }, &world).model
    };
    assert_eq!((model(0.1).as_str(), model(1.0).as_str()), ("cloud-small", "cloud-large"));
}

/// The complexity at which the cloud begins to be asked, to a thousandth.
fn border() -> f64 {
    let to_cloud = |n: &u32| {
        decide(&Request { complexity: Some(f64::from(*n) / 1000.0), ..hard() }, &connected()).tier
            == Tier::Cloud
    };
    f64::from((0..=1000).find(to_cloud).unwrap()) / 1000.0
}

#[test]
fn a_conversation_stays_with_whom_it_is_while_the_other_is_hardly_better() {
    let (below, above) = (border() - 0.03, border() + 0.03);
    let turn = |router: &mut Router, now: Time, complexity| {
        let request =
            Request { complexity: Some(complexity), conversation: "c".into(), asked: now, ..hard() };
        let decision = router.decide(now, &request, &connected());
        (decision.tier, decision.reason)
    };
    let mut router = Router::new(POLICY.clone());
    assert_eq!(turn(&mut router, NOW, 0.9), (Tier::Cloud, Reason::CloudBetter));
    assert_eq!(turn(&mut router, NOW, below), (Tier::Cloud, Reason::Held));
    assert_eq!(turn(&mut router, NOW, 0.0), (Tier::OnVehicle, Reason::LocalEnough));
    assert_eq!(turn(&mut router, NOW, above), (Tier::OnVehicle, Reason::Held));
    assert_eq!(turn(&mut router, NOW + Duration::from_secs(61), above), (Tier::Cloud, Reason::CloudBetter));
}

#[test]
fn a_driver_who_looks_away_has_a_brief_answer_and_the_cloud_is_not_asked_otherwise_for_it() {
    troika_safety::verifies![SR_ATT_001];
    let attentive = decide(&hard(), &World { driver: Driver::Attentive, ..connected() });
    let away = decide(&hard(), &World { driver: Driver::LookingAway, ..connected() });
    let unknown = decide(&hard(), &World { driver: Driver::Unknown, ..connected() });
    assert!(away.brief && !attentive.brief && !unknown.brief);
    assert_eq!(away.weighed[0], attentive.weighed[0], "the cloud could tell the driver's state from it");
}

#[test]
fn every_model_is_weighed_best_first_with_the_reason_of_those_that_could_not_be_asked() {
    let decision = decide(&hard(), &connected());
    let names: Vec<_> = decision.weighed.iter().map(|one| one.model.as_str()).collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[0], decision.model);
    let offline = decide(&hard(), &World::default());
    assert!(
        offline.weighed[1..].iter().all(|one| one.barred == Some(Reason::LinkUnknown) && one.chance == 0.0)
    );
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -1.0..1e6_f64]
}

fn any_range() -> impl Strategy<Value = Option<Range>> {
    let numbers = (any_number(), any_number(), any_number(), any_number());
    prop::option::of(numbers.prop_map(|(middle, low, high, trend)| Range { middle, low, high, trend }))
}

fn any_world() -> impl Strategy<Value = World> {
    let link =
        (0..3_usize, any_range(), any_range(), any_range(), prop::option::of((any_number(), any_number())))
            .prop_map(|(status, rtt_ms, down_kbps, up_kbps, loss)| Estimate {
                status: [LinkStatus::Unknown, LinkStatus::Down, LinkStatus::Up][status],
                rtt_ms,
                down_kbps,
                up_kbps,
                loss,
                ..Estimate::default()
            });
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let drivers = prop::sample::select(vec![
        Driver::Unknown,
        Driver::Attentive,
        Driver::LookingAway,
        Driver::EyesClosed,
    ]);
    let metered = prop::sample::select(vec![Metered::Unknown, Metered::No, Metered::Yes]);
    (link, flags, drivers, metered, any_number(), 0..u64::MAX, prop::option::of((any_number(), any::<u16>())))
        .prop_map(
            |(
                link,
                (cloud_open, cloud_available, local_available, planned, limited),
                driver,
                metered,
                local_speed,
                free_in,
                here,
            )| World {
                link,
                here,
                metered,
                cloud_open,
                cloud_available,
                local_available,
                local_free_in: Duration::from_nanos(free_in),
                local_speed,
                driver,
                planned,
                limited,
            },
        )
}

fn any_request() -> impl Strategy<Value = Request> {
    let text = prop_oneof![
        "\\PC{0,60}",
        Just("read me my last message".to_owned()),
        Just("am I tired, and is my inbox full".to_owned()),
        Just("plan a trip".to_owned()),
    ];
    let what = (
        prop::sample::select(Task::ALL.to_vec()),
        prop::sample::select(Privacy::ALL.to_vec()),
        any::<bool>(),
    );
    let times = (any::<u64>(), prop::option::of(any::<u32>()));
    (text, what, prop::option::of(any_number()), times, "[ab]{0,1}").prop_map(
        |(text, (task, privacy, has_image), complexity, (asked, deadline), conversation)| Request {
            id: "x".into(),
            conversation,
            text,
            task,
            privacy,
            has_image,
            complexity,
            asked: Time::from_nanos(asked),
            deadline: deadline.map(|ms| Duration::from_millis(ms.into())),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No link, no load, no clock, no budget and no conversation before it lets anything out that is to stay.
    #[test]
    fn whatever_happens_nothing_private_is_sent_to_the_cloud(
        turns in prop::collection::vec((any_request(), any_world(), any::<u64>()), 1..6),
    ) {
        troika_safety::verifies![SR_RTE_001];
        let mut router = Router::new(POLICY.clone());
        for (request, world, now) in turns {
            let decision = router.decide(Time::from_nanos(now), &request, &world);
            if decision.tier == Tier::Cloud {
                prop_assert_eq!(request.privacy, Privacy::Public);
                prop_assert_eq!(decision.privacy, Privacy::Public);
                prop_assert!(!request.has_image);
                prop_assert!(matches!(request.task, Task::ShortAnswer | Task::Navigation | Task::Dialogue));
                prop_assert!(!request.text.contains("message") && !request.text.contains("inbox"));
                prop_assert!(world.link.status == LinkStatus::Up && world.cloud_available);
            }
            prop_assert!(decision.weighed.iter().all(|one| one.chance.is_finite() || one.barred.is_some()));
        }
    }

    #[test]
    fn a_better_link_never_turns_the_cloud_away(rtt in 20.0..400.0_f64, complexity in 0.0..1.0_f64) {
        let at = |rtt| {
            let world = World { link: Estimate { rtt_ms: Some(range(rtt)), ..good_link() }, ..connected() };
            decide(&Request { complexity: Some(complexity), ..hard() }, &world).tier
        };
        prop_assert!(at(rtt) != Tier::Cloud || at(rtt / 2.0) == Tier::Cloud);
    }
}

#[test]
fn an_easy_turn_of_a_conversation_on_the_vehicle_stays_because_it_is_easy_and_not_because_it_is_held() {
    let mut router = Router::new(POLICY.clone());
    let mut turn = |complexity, after_s| {
        let now = NOW + Duration::from_secs(after_s);
        let request =
            Request { complexity: Some(complexity), conversation: "c".into(), asked: now, ..hard() };
        router.decide(now, &request, &connected()).reason
    };
    assert_eq!([turn(0.0, 0), turn(0.0, 1)], [Reason::LocalEnough; 2]);
    let above = border() + 0.03;
    assert_eq!(
        [turn(above, 61), turn(above, 122)],
        [Reason::Held, Reason::CloudBetter],
        "60 s are held, 61 are not"
    );
}

#[test]
fn no_more_conversations_are_remembered_than_there_is_room_for() {
    let mut router = Router::new(POLICY.clone());
    let mut turn = |id: String, complexity| {
        let request = Request { complexity: Some(complexity), conversation: id, ..hard() };
        router.decide(NOW, &request, &connected()).reason
    };
    let above = border() + 0.03;
    assert_eq!(turn("first".into(), 0.0), Reason::LocalEnough);
    (1..CONVERSATIONS).for_each(|n| assert_eq!(turn(n.to_string(), 0.0), Reason::LocalEnough));
    assert_eq!(turn("first".into(), above), Reason::Held, "as many as there is room for");
    (1..=CONVERSATIONS).for_each(|n| {
        turn(format!("more {n}"), 0.0);
    });
    assert_eq!(turn("first".into(), above), Reason::CloudBetter, "the oldest made room");
    assert_eq!(
        [turn(String::new(), 0.0), turn(String::new(), above)],
        [Reason::LocalEnough, Reason::CloudBetter]
    );
}

#[test]
fn a_few_passes_of_a_road_say_nothing_and_one_more_does() {
    let chance =
        |visits| decide(&hard(), &World { here: Some((0.1, visits)), ..connected() }).weighed[0].chance;
    assert!(chance(FEW_VISITS) > chance(FEW_VISITS + 1) + 0.2);
}

#[test]
fn a_link_that_loses_just_what_is_allowed_is_used_and_one_that_is_metered_must_bring_more() {
    let losing = |loss| World { link: Estimate { loss: Some((loss, 0.9)), ..good_link() }, ..connected() };
    let large = |world: &World| {
        decide(&hard(), world).weighed.into_iter().find(|one| one.model == "cloud-large").unwrap()
    };
    assert_eq!((large(&losing(0.3)).barred, large(&losing(0.31)).barred), (None, Some(Reason::LinkLossy)));
    let (metered, free) = (large(&connected()), large(&World { metered: Metered::No, ..connected() }));
    // A megabyte must bring 0.05, a cent 0.2.
    let (bytes, cents) = (metered.cost.bytes / 1e6 * 0.05, metered.cost.microeuro / 1e4 * 0.2);
    assert!(
        (free.worth - (free.chance - cents)).abs() < 1e-9
            && (metered.worth - (free.worth - bytes)).abs() < 1e-9
    );
    let whole = 0.98 * 0.93;
    assert!(metered.chance > whole && metered.chance < 1.0 && metered.first.is_some(), "{metered:?}");
}
