//! What holds for every message type, ours and those of the fixtures.

mod any_value;
mod bad_bytes;
mod golden;
mod hashes;
mod model;
mod stamp;

use std::{fs, path::Path, sync::LazyLock};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use troika_msgs_codegen::{Interfaces, MsgFile, parse::parse, parse_service};

use crate::dynamic::TypeEntry;

/// The .msg files again, read without the generated code.
static INTERFACES: LazyLock<Interfaces> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    read("troika_msgs", &here.join("msg"), &mut files);
    read("fixture_msgs", &here.join("tests/fixtures/msg"), &mut files);
    let mut services = Vec::new();
    for package in
        fs::read_dir(here.join("ros")).expect("the standard packages").map(|entry| entry.expect("one").path())
    {
        let name = package.file_name().and_then(|name| name.to_str()).expect("a name");
        if package.join("msg").is_dir() {
            read(name, &package.join("msg"), &mut files);
        }
        if package.join("srv").is_dir() {
            for (service, text) in texts(&package.join("srv")) {
                services.push(parse_service(name, &service, &text).expect("a .srv file"));
            }
        }
    }
    Interfaces::with_services(files, services).expect("the files hold together")
});

/// The files of a folder by name, with their texts.
fn texts(folder: &Path) -> impl Iterator<Item = (String, String)> {
    fs::read_dir(folder).expect("a package's folder").map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|s| s.to_str()).expect("a name");
        (name.to_owned(), fs::read_to_string(&path).expect("text"))
    })
}

fn read(package: &str, folder: &Path, into: &mut Vec<MsgFile>) {
    into.extend(texts(folder).map(|(name, text)| parse(package, &name, &text).expect("a .msg file")));
}

/// The same cases on every run; the fuzz targets of `tests/fuzz` are what looks further.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Every type that was generated, with its file.
fn every_type() -> impl Iterator<Item = (&'static TypeEntry, &'static MsgFile)> {
    let all = crate::types::TYPES.iter().chain(crate::fixtures::TYPES);
    all.map(|entry| (entry, INTERFACES.get(entry.info().name).expect("each type has its file")))
}

#[test]
fn every_msg_file_has_a_type_and_a_name_to_find_it_by() {
    assert_eq!(every_type().count(), INTERFACES.iter().count());
    for name in crate::dynamic::names() {
        assert_eq!(crate::dynamic::lookup(name).expect("a name from the list is known").info().name, name);
    }
    assert!(crate::dynamic::names().is_sorted());
    assert!(crate::dynamic::lookup("std_msgs/msg/Nothing").is_none());
}
