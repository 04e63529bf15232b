//! Any value of any type, in every form that a peer may send it.

use proptest::{prelude::*, test_runner::TestRunner};
use troika_kit::{DecodeError, Message};

use super::{INTERFACES, every_type, model};
use crate::{protect::Protected, rcl_interfaces::ParameterValue, troika};

const CASES: u32 = 48;

fn runner() -> TestRunner {
    super::runner(CASES)
}

#[test]
fn every_value_survives_either_endianness_any_padding_and_a_padded_end() {
    for (entry, file) in every_type() {
        let any = (model::message(&INTERFACES, file), any::<u8>(), 0..4usize);
        let checked = runner().run(&any, |(value, padding, tail)| {
            let ours = model::cdr(&value, false, 0);
            let mut out = Vec::new();
            for big_endian in [false, true] {
                let mut theirs = model::cdr(&value, big_endian, padding);
                theirs.extend(vec![padding; tail]);
                prop_assert_eq!(entry.recode(&theirs, &mut out), Ok(()));
                prop_assert_eq!(&out, &ours);
            }
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.info().name));
    }
}

#[test]
fn every_value_cut_short_or_run_on_is_an_error() {
    troika_safety::verifies![SR_DAT_001];
    for (entry, file) in every_type() {
        let checked = runner().run(&model::message(&INTERFACES, file), |value| {
            let whole = model::cdr(&value, false, 0);
            let mut out = Vec::new();
            for len in 0..whole.len() {
                let cut = entry.recode(&whole[..len], &mut out);
                prop_assert!(
                    matches!(cut, Err(DecodeError::Truncated | DecodeError::Oversized)),
                    "{} of {}: {:?}",
                    len,
                    whole.len(),
                    cut
                );
            }
            // More than all that a writer may leave behind a value with empty sequences.
            let longer = [&whole[..], &vec![0; 4 + 8 * whole.len()]].concat();
            prop_assert_eq!(entry.recode(&longer, &mut out), Err(DecodeError::Invalid));
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.info().name));
    }
}

#[test]
fn every_value_has_its_fields_in_json_in_the_order_of_the_file() {
    for (entry, file) in every_type() {
        let names: Vec<&str> = file.fields.iter().map(|f| f.name.as_str()).collect();
        let checked = runner().run(&model::message(&INTERFACES, file), |value| {
            let json = entry.to_json(&model::cdr(&value, false, 0)).expect("a value has a JSON form");
            let object = json.as_object().expect("a message is an object");
            prop_assert_eq!(object.keys().map(String::as_str).collect::<Vec<_>>(), names.clone());
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.info().name));
    }
}

fn the_check_covers_the_values_alone<T: Protected>() {
    let file = INTERFACES.get(T::TYPE.name).expect("its file");
    let any = (model::message(&INTERFACES, file), any::<u8>());
    let checked = runner().run(&any, |(value, padding)| {
        let expected = model::canonical(&value);
        let mut covered = vec![1, 2, 3];
        for big_endian in [false, true] {
            let mut message = T::decode(&model::cdr(&value, big_endian, padding)).expect("a value");
            message.canonical(&mut covered).expect("a canonical form");
            prop_assert_eq!(&covered, &expected);
            message.e2e_mut().extend([padding, 1, 2, 3]);
            message.canonical(&mut covered).expect("a canonical form");
            prop_assert_eq!(&covered, &expected, "e2e is no part of it");
            message.set_sequence(message.sequence().wrapping_add(1));
            message.canonical(&mut covered).expect("a canonical form");
            prop_assert_ne!(&covered, &expected, "the sequence is part of it");
        }
        Ok(())
    });
    checked.unwrap_or_else(|e| panic!("{}: {e}", T::TYPE.name));
}

#[test]
fn the_canonical_form_of_every_safety_topic_is_that_of_its_values() {
    troika_safety::verifies![SR_DAT_003];
    the_check_covers_the_values_alone::<troika::DriverAlert>();
    the_check_covers_the_values_alone::<troika::VehicleCommand>();
    the_check_covers_the_values_alone::<troika::SafetyState>();
    the_check_covers_the_values_alone::<troika::Heartbeat>();
}

#[test]
fn a_string_with_a_nul_within_has_no_form() {
    let text = crate::std_msgs::String { data: "a\0b".to_owned() };
    assert!(text.encode(&mut Vec::new()).is_err());
    let command = troika::VehicleCommand { id: "a\0b".to_owned(), ..Default::default() };
    assert!(command.canonical(&mut Vec::new()).is_err());
}

#[test]
fn a_field_over_its_bound_has_no_form() {
    use crate::fixture_msgs::{Every, Inner};
    let over = [
        Every { short_text: "123456".to_owned(), ..Default::default() },
        Every { short_names: ["".to_owned(), "1234".to_owned()], ..Default::default() },
        Every { short_words: vec!["1234".to_owned()], ..Default::default() },
        Every { few_short_words: vec![String::new(); 3], ..Default::default() },
        Every { few: vec![0; 5], ..Default::default() },
        Every { few_inners: vec![Inner::default(); 3], ..Default::default() },
    ];
    for every in over {
        assert!(every.encode(&mut Vec::new()).is_err(), "{every:?}");
    }
}

#[test]
fn defaults_and_constants_are_those_of_the_file() {
    use crate::fixture_msgs::Every;
    let every = Every::default();
    assert_eq!(
        (every.small, every.tiny, every.count, every.wide),
        (-7, 7, 4_000_000_000, -9_000_000_000_000_000_000)
    );
    assert_eq!((every.single, every.double, every.text.as_str()), (0.5, 0.0, "as it comes"));
    assert_eq!((Every::NAME, Every::ONE, Every::LOWEST, Every::YES), ("with spaces", 1.0, -128, true));
    assert_eq!(troika::DriverState::EYES_CLOSED, 3);
}

/// As rclpy (Jazzy, Fast CDR) wrote it: the last 4 bytes are whatever was there.
#[test]
fn what_stock_ros_2_leaves_behind_an_empty_sequence_is_no_error_and_behind_another_value_it_is() {
    let hex = "000100000000000080677fc20000000000000000000000000000000001000000004e3556020000000506d653000000000000000000000000\
               00000000d57f0000";
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let bytes = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).expect("text"), 16).expect("hex"));
    let value = ParameterValue::decode(&bytes.collect::<Vec<_>>()).expect("a value");
    assert_eq!(value, ParameterValue { byte_array_value: vec![5, 6], ..ParameterValue::default() });
    let text = [&[0, 1, 0, 0, 2, 0, 0, 0, b'a', 0][..], &[0; 4]].concat();
    assert_eq!(crate::std_msgs::String::decode(&text), Err(DecodeError::Invalid));
}
