//! The simulated body: every function of the catalogue does something, or says why not.

use super::*;
use crate::catalogue::{Catalogue, Function, SlotType};

fn at(ms: u64) -> Time {
    Time::from_nanos((1_700_000_000_000 + ms) * 1_000_000)
}

/// Every value of each slot once, the other slots at their first.
fn calls(function: &Function) -> Vec<Call> {
    let values = |ty: &SlotType| match ty {
        SlotType::OneOf(words) => words.clone(),
        SlotType::Number { min, max, .. } => vec![min.to_string(), max.to_string()],
        SlotType::Text => vec!["Anna".to_owned()],
    };
    let catalogue = Catalogue::built_in();
    let mut calls = Vec::new();
    for varied in 0..function.slots.len().max(1) {
        let most = function.slots.get(varied).map_or(1, |slot| values(&slot.ty).len());
        for pick in 0..most {
            let slots = function.slots.iter().enumerate().map(|(index, slot)| {
                let mut values = values(&slot.ty);
                (slot.name.clone(), values.swap_remove(if index == varied { pick } else { 0 }))
            });
            let mut call = Call { function: function.name.clone(), slots: slots.collect() };
            if catalogue.validate(&call).is_err() {
                // A slot that belongs to another value is left out.
                call.slots.retain(|(name, _)| function.slot(name).is_some_and(|slot| slot.with.is_none()));
            }
            match catalogue.validate(&call) {
                Ok(call) => calls.push(call),
                // `action = set` without its percent.
                Err(_) => {
                    call.slots.push(("percent".to_owned(), "40".to_owned()));
                    calls.push(catalogue.validate(&call).expect("a valid call"));
                }
            }
        }
    }
    calls
}

#[test]
fn every_call_of_the_catalogue_ends_done_or_unwilling_within_the_longest_act() {
    let mut count = 0;
    for function in Catalogue::built_in().functions() {
        for call in calls(function) {
            let mut body = SimulatedBody::new(Drive::default());
            count += 1;
            let act = match body.begin(at(0), &call) {
                Ok(act) => act,
                Err(unwilling) => {
                    assert_ne!(unwilling.0, "this vehicle has no such function", "{call:?}");
                    continue;
                }
            };
            let end = at(0) + crate::door::LONGEST_ACT;
            assert!(matches!(body.progress(end, act), Progress::Done(_)), "{call:?}");
        }
    }
    assert!(count > 80, "{count} calls");
}

#[test]
fn a_call_that_does_something_is_seen_in_the_settings() {
    for (function, slots, setting, value) in [
        ("light.set", &[("which", "fog"), ("state", "on")][..], "light.fog", Value::Word("on".into())),
        ("seat.heating", &[("level", "3")], "seat.heating.driver", Value::Number(3.0)),
        ("climate.set_fan", &[("level", "7")], "climate.fan", Value::Number(7.0)),
        (
            "climate.adjust_temperature",
            &[("direction", "warmer")],
            "climate.temperature.driver",
            Value::Number(22.0),
        ),
        (
            "climate.defrost",
            &[("window", "rear"), ("state", "on")],
            "climate.defrost.rear",
            Value::Word("on".into()),
        ),
        ("door.lock", &[("action", "unlock")], "door", Value::Word("unlocked".into())),
        ("media.volume", &[("action", "up")], "media.volume", Value::Number(40.0)),
        ("media.volume", &[("action", "set"), ("percent", "5")], "media.volume", Value::Number(5.0)),
        ("navigation.go_to", &[("destination", "Ulm")], "navigation.destination", Value::Word("Ulm".into())),
        ("drive_mode.set", &[("mode", "eco")], "drive_mode", Value::Word("eco".into())),
        ("wiper.set", &[("mode", "slow")], "wiper", Value::Word("slow".into())),
    ] {
        let call = Catalogue::built_in().validate(&Call::new(function, slots)).expect("a valid call");
        let mut body = SimulatedBody::new(Drive::default());
        assert_ne!(body.setting(setting), Some(&value), "{function}: it was so before");
        body.begin(at(0), &call).expect("willing");
        assert_eq!(body.setting(setting), Some(&value), "{function}");
    }
}

#[test]
fn all_windows_close_from_where_they_are() {
    let mut body = SimulatedBody::new(Drive::default());
    let window = |slots: &[(&str, &str)]| {
        Catalogue::built_in().validate(&Call::new("window.move", slots)).expect("a valid call")
    };
    let open = body.begin(at(0), &window(&[("action", "open"), ("percent", "20")])).expect("willing");
    assert_eq!(body.progress(at(800), open), Progress::Done(None));
    let close = body.begin(at(1000), &window(&[("action", "close"), ("position", "all")])).expect("willing");
    assert_eq!(body.progress(at(1780), close), Progress::Running);
    assert_eq!(body.progress(at(1800), close), Progress::Done(None));
    for position in ["front_left", "front_right", "rear_left", "rear_right"] {
        assert_eq!(body.setting(&format!("window.{position}")), Some(&Value::Number(0.0)));
    }
}

#[test]
fn a_phone_that_rings_can_be_answered_and_hung_up() {
    let mut body = SimulatedBody::new(Drive::default());
    let control = |action| {
        Catalogue::built_in()
            .validate(&Call::new("phone.control", &[("action", action)]))
            .expect("a valid call")
    };
    assert!(body.begin(at(0), &control("answer")).is_err(), "nobody is calling");
    body.ring("Anna");
    assert!(body.begin(at(0), &control("answer")).is_ok());
    assert!(body.begin(at(0), &control("hang_up")).is_ok());
    assert!(body.begin(at(0), &control("hang_up")).is_err());
}
