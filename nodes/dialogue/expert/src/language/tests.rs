use super::*;

fn asked(question: &str) -> Asked {
    read(&Words::english(), &Rules::shipped(), question)
}

fn kind(kind: Kind) -> Target {
    Target::Kind { kind, near: None, nth: 0 }
}

#[test]
fn names_are_what_is_left_over() {
    assert_eq!(asked("How do I get to ferryman's table?").targets, [Target::Named("ferrymans table".into())]);
    assert_eq!(asked("take me to Cafe Anker please").targets, [Target::Named("cafe anker".into())]);
    assert_eq!(asked("take me to the museum of salt").targets, [Target::Named("museum of salt".into())]);
    assert_eq!(asked("drive to station chargers").targets, [Target::Named("station chargers".into())]);
    assert_eq!(asked("where is the nearest cafe").targets, [kind(Kind::Cafe)]);
}

#[test]
fn what_the_vehicle_s_planner_does_not_do_is_understood() {
    let both = asked("Which is closer, the airport or the station?");
    assert!(both.compare && both.targets == [kind(Kind::Airport), kind(Kind::Station)]);
    assert_eq!(
        asked("the second nearest cafe").targets,
        [Target::Kind { kind: Kind::Cafe, near: None, nth: 1 }]
    );
    let way = asked("Is there a cafe on the way to the museum where I can also charge?");
    assert!(way.on_the_way, "{way:?}");
    assert_eq!(
        (way.targets, way.destination),
        (vec![kind(Kind::Cafe), kind(Kind::Charging)], Some(kind(Kind::Museum)))
    );
    let trip = asked("Take me to the station and then to the airport");
    assert!(trip.trip && trip.targets == [kind(Kind::Station), kind(Kind::Airport)]);
    assert_eq!(asked("a pharmacy within five minutes").limit, Some(Limit::Minutes(5.0)));
    assert_eq!(
        asked("Can I make it to the airport by quarter to three").limit,
        Some(Limit::Clock(14 * 60 + 45))
    );
    assert_eq!(asked("if I leave in ten minutes, when would I be at the station").later, 10);
    assert_eq!(asked("where is the cheapest petrol").unknowable, Some("prices".into()));
    let near = asked("a cafe near the museum");
    assert_eq!(
        near.targets,
        [Target::Kind { kind: Kind::Cafe, near: Some(Box::new(kind(Kind::Museum))), nth: 0 }]
    );
    assert_eq!(asked("take me to the second one").targets, [Target::Back(1)]);
}
