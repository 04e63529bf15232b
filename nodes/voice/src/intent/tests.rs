//! The committed network, as the product loads it.

use std::path::PathBuf;

use super::*;
use crate::eval::{self, cases, told};

fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn network() -> IntentModel {
    IntentModel::load(&models().join("intent_slots_en/intent_slots_en.onnx"), Catalogue::built_in())
        .expect("loads")
}

#[test]
fn what_no_template_knows_is_understood() {
    let network = network();
    for (said, means) in [
        ("it's like a sauna on my side", "climate.adjust_temperature zone=driver direction=cooler"),
        ("pop the boot mate", "trunk.move action=open"),
        ("stick the fan on six", "climate.set_fan level=6"),
        ("give my sister a ring", "phone.call contact=sister"),
    ] {
        let meant = network.understand(said).expect("runs").expect("has words");
        assert_eq!(
            told(&meant.understood),
            means.replace("contact=sister", "contact=\"my sister\""),
            "{said}: {meant:?}"
        );
    }
}

#[test]
fn two_commands_in_one_breath_are_two() {
    let meant =
        network().understand("shut the sunroof and put the fan on three").expect("runs").expect("has words");
    assert_eq!(told(&meant.understood), "sunroof.move action=close ; climate.set_fan level=3");
}

#[test]
fn free_text_is_said_words_and_nothing_else() {
    let network = network();
    for said in
        ["play something by the cardigans", "text anna that i'm late", "take me to forty two elm avenue"]
    {
        let meant = network.understand(said).expect("runs").expect("has words");
        let Understood::Commands(calls) = &meant.understood else { panic!("{said}: {meant:?}") };
        for (slot, value) in calls.iter().flat_map(|call| &call.slots) {
            assert!(said.contains(value.as_str()), "{said}: {slot} = {value}");
        }
    }
}

#[test]
fn silence_and_a_flood_are_not_looked_at() {
    let network = network();
    assert_eq!(network.understand("").expect("runs"), None);
    assert_eq!(network.understand("...").expect("runs"), None);
    assert_eq!(network.understand(&"and then ".repeat(500)).expect("runs"), None);
}

#[test]
fn another_file_is_told_and_so_is_another_catalogue() {
    let load = |path: PathBuf, catalogue| match IntentModel::load(&path, catalogue) {
        Ok(_) => panic!("{} is no such network", path.display()),
        Err(error) => error.to_string(),
    };
    let catalogue = Catalogue::built_in();
    assert!(load(models().join("none.onnx"), catalogue).contains("none.onnx"));
    assert!(load(models().join("eye_state/eye_state.onnx"), catalogue).contains("another network"));
    assert!(load(models().join("intent_slots_en/train.py"), catalogue).contains("train.py"));
    let other =
        "[[function]]\nname = \"roof.paint\"\nslots = { colour = [\"red\", \"blue\"] }\ngate = \"always\"\n";
    let other = Box::leak(Box::new(Catalogue::parse(other).expect("reads")));
    let told = load(models().join("intent_slots_en/intent_slots_en.onnx"), other);
    assert!(told.contains("not trained for roof.paint"), "{told}");
}

#[test]
fn what_takes_something_out_is_never_sure() {
    let network = network();
    let sure = |said: &str| network.understand(said).expect("runs").expect("is looked at").confidence;
    assert!(sure("close all windows") >= crate::cascade::SURE);
    for said in ["close all windows except mine", "close all the windows apart from the rear left one"] {
        assert!(sure(said) < crate::cascade::SURE, "{said}");
    }
}

/// Lines of a writer whom nobody trained on: the floor that no change may fall below. The figures are in the model's README.
#[test]
fn held_out_lines_are_understood() {
    let text =
        std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/text/held-out.tsv"));
    let cases = cases(&text.expect("is there")).expect("reads");
    let network = network();
    let right = cases
        .iter()
        .filter(|case| {
            let meant = network.understand(&case.utterance).expect("runs");
            meant.is_some_and(|meant| eval::exact(&case.expected, &meant.understood))
        })
        .count();
    assert!(right * 100 >= cases.len() * FLOOR, "{right} of {}", cases.len());
}

/// Per cent.
const FLOOR: usize = 90;
