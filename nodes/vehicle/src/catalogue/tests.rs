//! The catalogue as the voice path and the body meet it.

use super::*;

const PARKED: Situation = Situation { speed_kmh: Some(0.0), source: Source::Voice, confirmed: false };

fn valid(function: &str, slots: &[(&str, &str)]) -> Call {
    Catalogue::built_in().validate(&Call::new(function, slots)).expect("a call of the catalogue")
}

fn fault(function: &str, slots: &[(&str, &str)]) -> String {
    Catalogue::built_in()
        .validate(&Call::new(function, slots))
        .expect_err("no call of the catalogue")
        .to_string()
}

#[test]
fn the_built_in_file_reads_and_has_every_function() {
    let catalogue = Catalogue::built_in();
    let written = include_str!("../../../voice/vehicle-functions.toml").matches("[[function]]").count();
    // The header's prose names no [[function]], so each mention is one.
    assert_eq!(catalogue.functions().len(), written);
    assert_eq!(catalogue.functions().len(), 26);
    let order: Vec<_> = catalogue.functions()[0].slots.iter().map(|slot| slot.name.as_str()).collect();
    assert_eq!(order, ["zone", "celsius"], "the file's order, not the alphabet's");
}

#[test]
fn what_is_unsaid_is_filled_in() {
    assert_eq!(
        valid("climate.set_temperature", &[("celsius", "21.50")]).slots,
        [("zone".into(), "all".into()), ("celsius".into(), "21.5".into())]
    );
    assert_eq!(valid("climate.adjust_temperature", &[("direction", "warmer")]).slot("zone"), Some("driver"));
    assert_eq!(valid("seat.heating", &[("level", "2")]).slot("seat"), Some("driver"));
    let window = valid("window.move", &[("action", "open")]);
    assert_eq!((window.slot("position"), window.slot("percent")), (Some("front_left"), Some("100")));
}

#[test]
fn a_number_off_its_range_or_step_is_refused_and_the_last_one_in_it_is_not() {
    for (celsius, good) in [
        ("16", true),
        ("30", true),
        ("15.5", false),
        ("30.5", false),
        ("21.3", false),
        ("NaN", false),
        ("inf", false),
        ("1e400", false),
        ("", false),
        ("warm", false),
    ] {
        let call = Call::new("climate.set_temperature", &[("celsius", celsius)]);
        assert_eq!(Catalogue::built_in().validate(&call).is_ok(), good, "{celsius}");
    }
    assert_eq!(
        fault("seat.heating", &[("level", "4")]),
        "seat.heating: 'level' cannot be '4': a whole number, 0 to 3"
    );
}

#[test]
fn a_slot_that_belongs_to_another_value_is_refused() {
    assert_eq!(valid("media.volume", &[("action", "up")]).slots.len(), 1);
    assert_eq!(valid("media.volume", &[("action", "set"), ("percent", "30")]).slots.len(), 2);
    assert_eq!(
        fault("media.volume", &[("action", "up"), ("percent", "30")]),
        "media.volume takes 'percent' only with set"
    );
    assert_eq!(fault("media.volume", &[("action", "set")]), "media.volume needs 'percent'");
}

#[test]
fn unknown_double_and_missing_slots_are_named() {
    assert_eq!(fault("car.fly", &[]), "there is no vehicle function 'car.fly'");
    assert_eq!(fault("wiper.set", &[("speed", "fast")]), "wiper.set has no slot 'speed'");
    assert_eq!(fault("wiper.set", &[("mode", "fast"), ("mode", "off")]), "wiper.set is given 'mode' twice");
    assert_eq!(fault("wiper.set", &[]), "wiper.set needs 'mode'");
}

#[test]
fn a_flood_of_text_is_refused_with_a_short_reason() {
    let flood = "x".repeat(100_000);
    assert!(fault("media.play", &[("query", &flood)]).len() < 200);
    assert!(fault(&flood, &[]).len() < 200);
    assert!(fault("media.play", &[("query", "a\u{7}b")]).contains("control"));
    assert_eq!(valid("media.play", &[("query", &flood[..512])]).slots.len(), 1);
}

#[test]
fn a_standstill_gate_opens_at_zero_and_nowhere_else() {
    troika_safety::verifies![SR_VOI_001];
    let trunk = valid("trunk.move", &[("action", "open")]);
    for (speed, verdict) in [
        (Some(0.0), Verdict::Execute),
        (Some(0.01), Verdict::Refuse(Refusal::Moving)),
        (Some(-3.0), Verdict::Refuse(Refusal::Moving)),
        (Some(f32::NAN), Verdict::Refuse(Refusal::SpeedUnknown)),
        (None, Verdict::Refuse(Refusal::SpeedUnknown)),
    ] {
        let situation = Situation { speed_kmh: speed, ..PARKED };
        assert_eq!(Catalogue::built_in().gate(&trunk, &situation), verdict, "{speed:?}");
    }
}

#[test]
fn doors_lock_at_any_speed_and_unlock_at_standstill() {
    let driving = Situation { speed_kmh: Some(50.0), ..PARKED };
    let gate = |action| Catalogue::built_in().gate(&valid("door.lock", &[("action", action)]), &driving);
    assert_eq!(gate("lock"), Verdict::Execute);
    assert_eq!(gate("unlock"), Verdict::Refuse(Refusal::Moving));
}

#[test]
fn a_confirmation_opens_confirm_but_not_never_by_voice_alone() {
    troika_safety::verifies![SR_VOI_002];
    let call = valid("phone.call", &[("contact", "Anna")]);
    let cruise = valid("cruise.set", &[("kmh", "120")]);
    let yes = Situation { confirmed: true, ..PARKED };
    assert_eq!(Catalogue::built_in().gate(&call, &PARKED), Verdict::Confirm);
    assert_eq!(Catalogue::built_in().gate(&call, &yes), Verdict::Execute);
    for source in
        [Source::Voice, Source::Gesture, Source::Cloud, Source::from_message(0), Source::from_message(9)]
    {
        let asked = Situation { source, ..yes };
        assert_eq!(Catalogue::built_in().gate(&cruise, &asked), Verdict::Refuse(Refusal::NotByVoice));
    }
    let button = Situation { source: Source::Api, ..PARKED };
    assert_eq!(Catalogue::built_in().gate(&cruise, &button), Verdict::Execute);
}

#[test]
fn a_faulty_file_is_told_with_its_line() {
    let line = |text: &str| {
        let error = Catalogue::parse(text).expect_err("a fault");
        (error.line, error.reason)
    };
    assert_eq!(line("").1, "no [[function]] in the file");
    assert_eq!(line("\n[[function]\n").0, 2);
    for (text, at, says) in [
        ("[[function]]\nname = \"a.b\"\ngate = \"maybe\"\n", 3, "'maybe' is no gate"),
        ("[[function]]\nname = \"ab\"\ngate = \"always\"\n", 2, "no function name"),
        ("[[function]]\nname = \"a.b\"\n", 1, "has no gate"),
        ("[[function]]\nname = \"a.b\"\ngat = \"always\"\n", 3, "'gat' is not known"),
        ("[[function]]\nname = \"a.b\"\nslots = { n = \"5..1\" }\ngate = \"always\"\n", 3, "no range"),
        ("[[function]]\nname = \"a.b\"\nslots = { n = \"1..5 (soon)\" }\ngate = \"always\"\n", 3, "'(soon)'"),
        (
            "[[function]]\nname = \"a.b\"\nslots = { n = \"1..5 (with on)\" }\ngate = \"always\"\n",
            3,
            "can be 'on'",
        ),
        ("[[function]]\nname = \"a.b\"\ngate = \"open: standstill\"\n", 3, "no slot can be 'open'"),
        ("[[function]]\nname = \"a.b\"\nslots = { n = [] }\ngate = \"always\"\n", 3, "no values"),
        ("[[function]]\nname = \"a.b\"\nunsaid = { n = \"1\" }\ngate = \"always\"\n", 3, "no slot 'n'"),
        (
            "[[function]]\nname = \"a.b\"\ngate = \"always\"\n[[function]]\nname = \"a.b\"\ngate = \"always\"\n",
            4,
            "twice",
        ),
        ("other = 1\n", 1, "'other' is not known"),
    ] {
        let (found, reason) = line(text);
        assert!(found == at && reason.contains(says), "{text}: line {found}: {reason}");
    }
}
