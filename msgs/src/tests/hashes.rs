//! Hashes against the official ones.

use std::collections::BTreeMap;

use troika_kit::Service;

use super::INTERFACES;
use crate::{dynamic, lifecycle_msgs, rcl_interfaces, std_srvs};

const OFFICIAL: &str = include_str!("../../tests/golden/rihs01.txt");

/// Of messages or of services.
fn official(folder: &str) -> BTreeMap<&'static str, &'static str> {
    let lines = OFFICIAL.lines().filter(|line| !line.starts_with('#'));
    let all = lines.map(|line| line.split_once(' ').expect("a name and a hash"));
    all.filter(|(name, _)| name.split('/').nth(1) == Some(folder)).collect()
}

#[test]
fn hashes_of_standard_services_are_the_official_ones() {
    fn of<S: Service>() -> (&'static str, &'static str) {
        (S::TYPE.name, S::TYPE.hash)
    }
    let ours = BTreeMap::from([
        of::<lifecycle_msgs::ChangeState>(),
        of::<lifecycle_msgs::GetAvailableStates>(),
        of::<lifecycle_msgs::GetAvailableTransitions>(),
        of::<lifecycle_msgs::GetState>(),
        of::<rcl_interfaces::DescribeParameters>(),
        of::<rcl_interfaces::GetParameterTypes>(),
        of::<rcl_interfaces::GetParameters>(),
        of::<rcl_interfaces::ListParameters>(),
        of::<rcl_interfaces::SetParameters>(),
        of::<rcl_interfaces::SetParametersAtomically>(),
        of::<std_srvs::Empty>(),
        of::<std_srvs::SetBool>(),
        of::<std_srvs::Trigger>(),
    ]);
    assert_eq!(ours, official("srv"));
    assert_eq!(ours.len(), INTERFACES.services().len(), "each .srv file is above");
}

#[test]
fn hashes_of_standard_messages_are_the_official_ones() {
    let ours: BTreeMap<&str, &str> = dynamic::all()
        .iter()
        .map(|entry| (entry.info().name, entry.info().hash))
        .filter(|(name, _)| !name.starts_with("troika_msgs/"))
        .collect();
    assert_eq!(ours, official("msg"));
}

#[test]
fn the_text_that_recordings_carry_gives_the_same_hash() {
    for entry in dynamic::all() {
        let made = troika_msgs_codegen::definition::hash_of(entry.info().name, entry.definition());
        assert_eq!(made.as_deref(), Ok(entry.info().hash), "{}", entry.info().name);
    }
}

#[test]
fn a_text_that_recordings_carry_is_the_files_with_a_line_between() {
    let image = dynamic::lookup("sensor_msgs/msg/Image").expect("it is known").definition();
    let line = "=".repeat(80);
    let cuts: Vec<&str> = image.split(&format!("{line}\nMSG: ")).skip(1).collect();
    let names: Vec<&str> = cuts.iter().filter_map(|part| part.lines().next()).collect();
    assert_eq!(names, ["builtin_interfaces/Time", "std_msgs/Header"]);
    assert!(image.contains("uint8[] data") && image.ends_with('\n'));
}

#[test]
fn a_text_that_gives_no_type_says_why() {
    use troika_msgs_codegen::definition::{DefinitionError, hash_of};
    assert!(matches!(hash_of("Image", "uint8 a"), Err(DefinitionError::Name(_))));
    assert!(matches!(hash_of("p/msg/A", "uint8"), Err(DefinitionError::File { .. })));
    assert!(matches!(hash_of("p/msg/A", "B b"), Err(DefinitionError::Set(_))));
    assert!(matches!(hash_of("p/msg/A", "B b\n=====\nuint8 a"), Err(DefinitionError::Name(_))));
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
