//! Every network against the other runtime's outputs. Needs the models of the set `test`: `cargo xtask test` fetches them; alone,
//! `troika models pull --set test`.

use troika_models::{Network, NetworkError, Store, StoreError, golden};

#[test]
fn every_network_gives_what_its_reference_gives() {
    let store = Store::open_default().unwrap();
    let mut checked = 0;
    for passport in store.passports().iter().filter(|p| p.is_network() && p.golden.is_some()) {
        let mut network = store.network(&passport.name).unwrap_or_else(|e| panic!("{e}"));
        let agreement =
            golden::verify(passport, &mut network).unwrap_or_else(|e| panic!("{}: {e}", passport.name));
        println!(
            "{}: {} numbers, off by at most {:e}",
            passport.name, agreement.compared, agreement.max_abs_error
        );
        checked += 1;
    }
    assert!(checked >= 6, "{checked} networks have reference outputs");
}

#[test]
fn a_network_of_another_shape_is_refused() {
    let store = Store::open_default().unwrap();
    let bytes = store.load_bytes("face_landmark").unwrap_or_else(|e| panic!("{e}"));
    let mut passport = store.passport("face_landmark").unwrap().clone();
    passport.inputs[0].shape = vec![1, 128, 128, 3];
    let refusal = Network::load(&passport, &bytes).unwrap_err();
    assert!(matches!(refusal, NetworkError::Shape { .. }), "{refusal}");
}

#[test]
fn truncated_and_corrupted_networks_are_refused() {
    let store = Store::open_default().unwrap();
    for name in ["face_landmark", "silero_vad"] {
        let passport = store.passport(name).unwrap();
        let bytes = store.load_bytes(name).unwrap_or_else(|e| panic!("{e}"));
        for len in [0, 1, 100, bytes.len() / 2, bytes.len() * 9 / 10] {
            assert!(Network::load(passport, &bytes[..len]).is_err(), "{name} cut at {len}");
        }
    }
}

#[test]
fn bytes_that_were_changed_on_disk_are_refused() {
    let store = Store::open_default().unwrap();
    let mut bytes = store.load_bytes("iris_landmark").unwrap_or_else(|e| panic!("{e}"));
    bytes[1000] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let other = Store::open(folder.path()).unwrap();
    let passport = other.passport("iris_landmark").unwrap();
    assert!(matches!(other.load_bytes("iris_landmark"), Err(StoreError::Absent { .. })));
    std::fs::create_dir_all(folder.path().join("sha256")).unwrap();
    std::fs::write(other.blob(passport), bytes).unwrap();
    let refusal = other.load_bytes("iris_landmark").unwrap_err();
    assert!(matches!(refusal, StoreError::WrongHash { .. }), "{refusal}");
}
