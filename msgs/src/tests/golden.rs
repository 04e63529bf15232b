//! CDR against that of an independent implementation: `tests/golden/make.py` says how it was made.

use std::collections::BTreeMap;

use serde_json::Value;

use super::every_type;

const GOLDEN: &str = include_str!("../../tests/golden/cdr.json");

fn golden() -> BTreeMap<String, (Value, Vec<u8>, Vec<u8>)> {
    let list: Vec<Value> = serde_json::from_str(GOLDEN).expect("the golden file is JSON");
    let text = |one: &Value, key: &str| one[key].as_str().expect("a text").to_owned();
    list.iter()
        .map(|one| {
            (text(one, "type"), (one["value"].clone(), hex(&text(one, "little")), hex(&text(one, "big"))))
        })
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).expect("a digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) * 16 + digit(pair[1])).collect()
}

#[test]
fn every_type_reads_what_rosbags_wrote_and_writes_the_same_bytes() {
    let golden = golden();
    for (entry, _) in every_type() {
        let name = entry.info().name;
        let (value, little, big) = golden.get(name).unwrap_or_else(|| panic!("{name} has no golden bytes"));
        let mut out = Vec::new();
        for bytes in [little, big] {
            assert_eq!(entry.to_json(bytes).as_ref(), Ok(value), "{name}");
            entry.recode(bytes, &mut out).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(&out, little, "{name}");
        }
    }
    assert_eq!(golden.len(), every_type().count());
}
