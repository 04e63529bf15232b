//! Hashes against the official ones.

use std::collections::BTreeMap;

use super::INTERFACES;
use crate::dynamic;

const OFFICIAL: &str = include_str!("../../tests/golden/rihs01.txt");

#[test]
fn hashes_of_standard_messages_are_the_official_ones() {
    let official: BTreeMap<&str, &str> = OFFICIAL
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a name and a hash"))
        .collect();
    let ours: BTreeMap<&str, &str> = dynamic::all()
        .iter()
        .map(|entry| (entry.info().name, entry.info().hash))
        .filter(|(name, _)| !name.starts_with("troika_msgs/"))
        .collect();
    assert_eq!(ours, official);
}

#[test]
fn an_empty_message_is_hashed_with_the_member_that_rosidl_gives_it() {
    let empty = INTERFACES.get("fixture_msgs/msg/Empty").expect("it is there");
    assert_eq!(
        troika_msgs_codegen::hash::description(&INTERFACES, empty),
        "{\"type_description\": {\"type_name\": \"fixture_msgs/msg/Empty\", \"fields\": [{\"name\": \
         \"structure_needs_at_least_one_member\", \"type\": {\"type_id\": 3, \"capacity\": 0, \"string_capacity\": 0, \
         \"nested_type_name\": \"\"}}]}, \"referenced_type_descriptions\": []}"
    );
}
