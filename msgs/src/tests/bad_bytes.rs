//! Bytes that are no value: a typed error, whatever they are.

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use troika_kit::{DecodeError, Message};

use super::{INTERFACES, every_type, model};
use crate::{fixture_msgs::Every, sensor_msgs::Image, std_msgs, troika};

const CASES: u32 = 256;

fn runner() -> TestRunner {
    super::runner(CASES)
}

/// What decodes is a value: written again it gives bytes that decode to the same.
fn is_a_value_or_an_error(entry: &crate::dynamic::TypeEntry, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    if entry.recode(bytes, &mut once).is_ok() {
        prop_assert_eq!(entry.recode(&once, &mut twice), Ok(()));
        prop_assert_eq!(once, twice);
    }
    Ok(())
}

#[test]
fn garbage_is_a_value_or_an_error() {
    troika_safety::verifies![SR_DAT_001];
    let any = (vec(any::<u8>(), 0..200), any::<bool>());
    for (entry, _) in every_type() {
        let checked = runner().run(&any, |(garbage, big_endian)| {
            is_a_value_or_an_error(entry, &garbage)?;
            let header = [0, u8::from(!big_endian), 0, 0];
            is_a_value_or_an_error(entry, &[&header[..], &garbage].concat())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.info().name));
    }
}

#[test]
fn a_message_with_bits_flipped_is_a_value_or_an_error() {
    troika_safety::verifies![SR_DAT_001];
    for (entry, file) in every_type() {
        let flips = vec((any::<prop::sample::Index>(), 0..8u32), 1..4);
        let checked = runner().run(&(model::message(&INTERFACES, file), flips), |(value, flips)| {
            let mut bytes = model::cdr(&value, false, 0);
            for (index, bit) in flips {
                let at = index.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            is_a_value_or_an_error(entry, &bytes)
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.info().name));
    }
}

#[test]
fn only_plain_cdr_is_read() {
    assert_eq!(std_msgs::Header::decode(&[]), Err(DecodeError::Truncated));
    assert_eq!(std_msgs::Header::decode(&[0, 1, 0]), Err(DecodeError::Truncated));
    for id in [[0, 2], [0, 3], [0, 7], [0, 9], [1, 0], [0xff, 0xff]] {
        let bytes = [&id[..], &[0; 18]].concat();
        assert_eq!(std_msgs::Header::decode(&bytes), Err(DecodeError::Encapsulation), "{id:?}");
    }
}

#[test]
fn a_length_of_4_gib_in_a_small_message_is_oversized() {
    troika_safety::verifies![SR_DAT_001];
    let mut bytes = Vec::new();
    Image::default().encode(&mut bytes).expect("a default encodes");
    let at = bytes.len() - 4; // the length of `data` is the last field
    bytes[at..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Image::decode(&bytes), Err(DecodeError::Oversized));
}

#[test]
fn strings_are_utf_8_with_one_nul_at_the_end() {
    let string = |len: u32, text: &[u8]| {
        std_msgs::String::decode(&[&[0, 1, 0, 0], &len.to_le_bytes()[..], text].concat()).map(|s| s.data)
    };
    assert_eq!(string(3, b"ab\0").as_deref(), Ok("ab"));
    assert_eq!(string(1, b"\0").as_deref(), Ok(""));
    assert_eq!(string(0, b"").as_deref(), Ok(""), "some writers leave the NUL of an empty string out");
    assert_eq!(string(2, b"ab"), Err(DecodeError::Invalid));
    assert_eq!(string(3, b"a\0\0"), Err(DecodeError::Invalid));
    assert_eq!(string(2, b"\xff\0"), Err(DecodeError::Invalid));
    assert_eq!(string(4, b"ab\0"), Err(DecodeError::Oversized));
}

#[test]
fn a_bool_is_0_or_1() {
    let mut bytes = Vec::new();
    troika::DriverTruth { in_transition: true, ..Default::default() }.encode(&mut bytes).expect("encodes");
    let last = bytes.len() - 1;
    assert_eq!(bytes[last], 1);
    bytes[last] = 7;
    assert_eq!(troika::DriverTruth::decode(&bytes), Err(DecodeError::Invalid));
}

#[test]
fn a_bound_is_held_when_reading() {
    let mut bytes = Vec::new();
    Every { few: vec![0xabab_abab; 4], ..Default::default() }.encode(&mut bytes).expect("4 of 4 encode");
    let mark = bytes.windows(4).position(|w| w == [0xab; 4]).expect("the elements are there");
    bytes[mark - 4] = 5;
    assert_eq!(Every::decode(&bytes), Err(DecodeError::Oversized));
}
