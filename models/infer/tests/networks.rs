//! Every network against the other runtime's outputs. Needs the models of the set `test`: `cargo xtask test` fetches them; alone,
//! `troika models pull --set test`.

use std::fs;

use troika_models::{
    Candidate, Exchange, Isa, Kernels, Network, NetworkError, Refusal, Registry, Store, StoreError, golden,
    signature::SecretKey,
};

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
    troika_safety::verifies![SR_DAT_002];
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
    troika_safety::verifies![SR_DAT_002];
    let store = Store::open_default().unwrap();
    let mut bytes = store.load_bytes("iris_landmark").unwrap_or_else(|e| panic!("{e}"));
    bytes[1000] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let other = Store::open(folder.path()).unwrap();
    let passport = other.passport("iris_landmark").unwrap();
    assert!(matches!(other.load_bytes("iris_landmark"), Err(StoreError::Absent { .. })));
    fs::create_dir_all(folder.path().join("sha256")).unwrap();
    fs::write(other.blob(passport), bytes).unwrap();
    let refusal = other.load_bytes("iris_landmark").unwrap_err();
    assert!(matches!(refusal, StoreError::WrongHash { .. }), "{refusal}");
}

#[test]
fn a_network_in_parts_gives_the_same_bits() {
    let store = Store::open_default().unwrap();
    for (name, wanted) in [("palm_detection_lite", 3), ("palm_detection_lite", 7), ("hand_landmark_lite", 2)]
    {
        let mut whole = store.network(name).unwrap_or_else(|e| panic!("{e}"));
        let mut parted = store.network_in_parts(name, wanted).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((whole.parts(), parted.parts()), (1, wanted), "{name}");
        let inputs = golden::inputs(whole.inputs(), 2);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let expected = whole.run(&inputs).unwrap();
        // A run that is given up leaves nothing behind.
        assert!(parted.run_part(&inputs).unwrap().is_none());
        parted.restart();
        for _ in 0..2 {
            for _ in 1..wanted {
                assert!(parted.run_part(&inputs).unwrap().is_none());
            }
            // The inputs count at the first part only.
            let made = parted.run_part(&[]).unwrap().expect("the last part");
            for index in 0..expected.len() {
                assert!(!expected.get(index).is_empty());
                assert_eq!(made.get(index), expected.get(index), "{name}, output {index}");
            }
        }
    }
}

/// The folder of a candidate: a model as it is.
fn candidate(of: &str) -> tempfile::TempDir {
    let store = Store::open_default().expect("a place for the models");
    let passport = store.passport(of).expect("it is in the catalogue");
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of);
    let folder = tempfile::tempdir().expect("a folder");
    let golden = passport.golden.as_ref().expect("it has golden outputs");
    for file in ["model.toml", &golden.file] {
        fs::copy(from.join(file), folder.path().join(file)).expect("it is there");
    }
    let bytes = store.load_bytes(of).expect("it was fetched");
    fs::write(folder.path().join(&passport.file), bytes).expect("room on the disk");
    folder
}

fn refused(exchange: &Exchange, folder: &std::path::Path) -> Refusal {
    match Candidate::read(folder, None).and_then(|candidate| exchange.examine(&candidate)) {
        Ok(_) => panic!("it was not refused"),
        Err(refusal) => refusal,
    }
}

#[test]
fn a_network_that_runs_takes_the_one_that_is_offered_before_its_next_run() {
    let store = Store::open_default().unwrap();
    let mut network = store.network("iris_landmark").unwrap_or_else(|e| panic!("{e}"));
    let exchanges = store.clone().exchanges();
    let [exchange] = exchanges.as_slice() else { panic!("{exchanges:?}") };
    let inputs = golden::inputs(network.inputs(), 1);
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let before = network.run(&inputs).unwrap();
    let folder = candidate("iris_landmark");
    for _ in 0..3 {
        let read = Candidate::read(folder.path(), None).unwrap_or_else(|e| panic!("{e}"));
        let (new, agreement) = exchange.examine(&read).unwrap_or_else(|e| panic!("{e}"));
        assert!(agreement.compared > 0);
        let offered = exchange.offer(new);
        assert!(!offered.is_taken(), "it waits for the next run");
        let after = network.run(&inputs).unwrap();
        assert!(offered.is_taken());
        assert!(offered.ended(), "nothing of the old one is held by the thread that runs");
        assert_eq!(after.get(0), before.get(0));
    }
    drop((network, exchanges));
    assert!(store.exchanges().is_empty(), "a network that is gone takes nothing");
}

#[test]
fn a_candidate_that_computes_something_else_is_refused_and_the_old_one_runs_on() {
    troika_safety::verifies![SR_DAT_004];
    let store = Store::open_default().unwrap();
    let mut network = store.network("iris_landmark").unwrap_or_else(|e| panic!("{e}"));
    let [exchange] = &store.exchanges()[..] else { panic!("one network") };
    let inputs = golden::inputs(network.inputs(), 1);
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let before = network.run(&inputs).unwrap();
    let passport = store.passport("iris_landmark").unwrap().clone();
    let change = |folder: &tempfile::TempDir, file: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let path = folder.path().join(file);
        let bytes = change(fs::read(&path).unwrap());
        fs::write(path, bytes).unwrap();
    };
    let golden_file = passport.golden.as_ref().unwrap().file.clone();

    // Another weight, and a passport that owns up to it: sound by its hash, wrong by what it computes.
    let folder = candidate("iris_landmark");
    let flip = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle..middle + 256].chunks_exact_mut(4).for_each(|word| word[3] ^= 0x40);
        bytes
    };
    change(&folder, &passport.file, &flip);
    assert!(matches!(refused(exchange, folder.path()), Refusal::WrongHash { .. }));
    let hash = troika_models::Sha256::of(&fs::read(folder.path().join(&passport.file)).unwrap());
    let (old, new) = (passport.sha256.to_string(), hash.to_string());
    let rehash = |text: Vec<u8>| String::from_utf8(text).unwrap().replace(&old, &new).into_bytes();
    change(&folder, "model.toml", &rehash);
    assert!(matches!(refused(exchange, folder.path()), Refusal::Golden(_)));

    let folder = candidate("iris_landmark");
    change(&folder, &golden_file, &|bytes| bytes[..bytes.len() - 4].to_vec());
    assert!(matches!(refused(exchange, folder.path()), Refusal::Golden(_)));
    let folder = candidate("iris_landmark");
    fs::remove_file(folder.path().join(&passport.file)).unwrap();
    assert!(matches!(refused(exchange, folder.path()), Refusal::Io { .. }));
    assert!(matches!(refused(exchange, candidate("face_landmark").path()), Refusal::Other { .. }));

    assert_eq!(network.run(&inputs).unwrap().get(0), before.get(0));
}

#[test]
fn an_offer_that_is_withdrawn_is_not_taken() {
    let store = Store::open_default().unwrap();
    let mut network = store.network("iris_landmark").unwrap_or_else(|e| panic!("{e}"));
    let [exchange] = &store.exchanges()[..] else { panic!("one network") };
    let read = Candidate::read(candidate("iris_landmark").path(), None).unwrap_or_else(|e| panic!("{e}"));
    let offered = exchange.offer(exchange.examine(&read).unwrap_or_else(|e| panic!("{e}")).0);
    assert!(offered.ended());
    let inputs = golden::inputs(network.inputs(), 1);
    network.run(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    assert!(!offered.is_taken());
}

#[test]
fn fast_and_plain_kernels_give_the_same() {
    /// Relative to the greatest number of an output: points are told in pixels of pictures of some 200, logits reach 100.
    const ALLOWED: f32 = 1e-4;
    let fast = Store::open_default().unwrap();
    let kinds = Isa::available().map(Kernels::UpTo).chain([Kernels::Plain]);
    let others: Vec<Store> = kinds.map(|kernels| fast.clone().with_kernels(kernels)).collect();
    for passport in fast.passports().iter().filter(|p| p.is_network() && p.golden.is_some()) {
        let mut fast = fast.network(&passport.name).unwrap_or_else(|e| panic!("{e}"));
        for other in &others {
            let mut other = other.network(&passport.name).unwrap();
            for case in 1..=golden::CASES {
                let inputs = golden::inputs(&passport.inputs, case);
                let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
                let (a, b) = (fast.run(&inputs).unwrap(), other.run(&inputs).unwrap());
                assert_eq!((a.len(), b.len()), (passport.outputs.len(), passport.outputs.len()));
                for (index, spec) in passport.outputs.iter().enumerate() {
                    let most = b.get(index).iter().fold(1.0, |most: f32, v| most.max(v.abs()));
                    assert_eq!(a.get(index).len(), spec.len());
                    for (a, b) in a.get(index).iter().zip(b.get(index)) {
                        let off = (a - b).abs();
                        // A logit that is masked is some -10,000: its last decimal alone is 1e-3.
                        let absolute = (4.0 * f32::EPSILON * most).max(1e-3);
                        assert!(
                            off <= absolute && off <= ALLOWED * most,
                            "{} {}: {a}, {b}",
                            passport.name,
                            spec.name
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn what_two_kernels_compute_of_the_same_inputs_is_compared_beside_the_run() {
    let fast = Store::open_default().unwrap();
    let (both, differences) = fast.clone().with_kernels(Kernels::Plain).beside(fast.clone());
    let mut network = both.network_in_parts("iris_landmark", 3).unwrap_or_else(|e| panic!("{e}"));
    let mut alone = fast.clone().with_kernels(Kernels::Plain).network("iris_landmark").unwrap();
    for case in 1..=golden::CASES {
        let inputs = golden::inputs(network.inputs(), case);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let (made, expected) = (network.run(&inputs).unwrap(), alone.run(&inputs).unwrap());
        assert_eq!(made.get(0), expected.get(0), "the outputs are its own");
    }
    let all = differences.get();
    let found = &all["iris_landmark"];
    assert_eq!(found.runs, u64::from(golden::CASES));
    assert!(found.max_abs > 0.0 && found.max_abs < 1e-3, "{found:?}");
    // Two networks of one file, on the same operators, are one.
    let (both, none) = fast.clone().beside(fast);
    both.network("eye_state").unwrap().run(&[&[0.5; 32 * 48]]).unwrap();
    assert!(none.get().is_empty());
}

#[test]
fn runs_that_are_far_apart_are_computed_in_f64_too() {
    let fast = Store::open_default().unwrap();
    let plain = fast.clone().with_kernels(Kernels::Plain);
    // Nothing is allowed: whatever differs is far apart.
    let (both, differences) = plain.beside_judged(fast.clone(), 0.0);
    for name in ["face_detection_short_range", "iris_landmark", "gesture_static"] {
        let mut network = both.network(name).unwrap_or_else(|e| panic!("{e}"));
        let inputs = golden::inputs(network.inputs(), 1);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        network.run(&inputs).unwrap();
        let all = differences.get();
        let one = &all[name];
        // What comes as ONNX is not computed so.
        let judged = u64::from(name != "gesture_static");
        assert_eq!((one.far.runs, one.far.judged), (1, judged), "{name}: {one:?}");
        assert!(one.far.own < 1e-3 && one.far.other < 1e-3, "{name}: {one:?}");
        // Two that are so far apart cannot both be nearer to what is right.
        assert!(judged == 0 || one.far.own + one.far.other >= 0.999 * one.max_abs, "{name}: {one:?}");
    }
}

#[test]
fn a_candidate_has_its_place_in_a_store_of_its_own() {
    let store = Store::open_default().unwrap();
    let folder = candidate("iris_landmark");
    let with = |folder: &tempfile::TempDir| {
        Candidate::read(folder.path(), None).and_then(|candidate| store.with_candidate(candidate))
    };
    let passport = folder.path().join("model.toml");
    let text = fs::read_to_string(&passport).unwrap();
    fs::write(&passport, text.replace("job = \"", "job = \"in another's place: ")).unwrap();
    let (other, agreement) = with(&folder).unwrap_or_else(|e| panic!("{e}"));
    assert!(agreement.compared > 0);
    assert!(other.passport("iris_landmark").unwrap().job.starts_with("in another's place"));
    assert_eq!(other.load_bytes("iris_landmark").unwrap(), store.load_bytes("iris_landmark").unwrap());
    // Who has the other store runs what it ran, and is offered nothing in this one's places.
    let _network = other.network("iris_landmark").unwrap();
    assert!(!store.passport("iris_landmark").unwrap().job.starts_with("in another's place"));
    assert!(store.exchanges().is_empty() && other.exchanges().len() == 1);

    fs::write(&passport, text.replace("name = \"iris_landmark\"", "name = \"eyes\"")).unwrap();
    assert!(matches!(with(&folder), Err(Refusal::Unknown(StoreError::Unknown { .. }))));
    fs::write(&passport, text.replace("[1, 64, 64, 3]", "[1, 64, 3, 64]")).unwrap();
    assert!(matches!(with(&folder), Err(Refusal::Differs { what: "inputs" })));
}

/// A store with the bytes of the one that was pulled, and a folder of its own for signatures.
fn store_of_its_own(folder: &std::path::Path) -> Store {
    let pulled = Store::open_default().expect("a place for the models");
    std::os::unix::fs::symlink(pulled.root().join("sha256"), folder.join("sha256")).expect("an empty folder");
    Store::open(folder).expect("the passports are sound")
}

#[test]
fn where_signatures_are_demanded_a_model_is_loaded_with_its_own_alone() {
    troika_safety::verifies![SR_DAT_012];
    let folder = tempfile::tempdir().unwrap();
    let store = store_of_its_own(folder.path());
    let [maker, other] = [(); 2].map(|()| SecretKey::generate().unwrap());
    let demanding = store.clone().signed_by(maker.public().unwrap());
    let refused = |why: &str| {
        let told = demanding.load_bytes("iris_landmark").unwrap_err();
        assert!(matches!(&told, StoreError::Unsigned { name, .. } if name == "iris_landmark"), "{told}");
        for part in [why, "signatures/iris_landmark.sig", "troika models sign --key FILE --here"] {
            assert!(told.to_string().contains(part), "{part}: {told}");
        }
        assert!(demanding.network("iris_landmark").is_err() && demanding.load_path("iris_landmark").is_err());
    };
    refused("No such file");
    store.sign("iris_landmark", &other).unwrap();
    refused("not of this key");
    // Another model's.
    let path = store.sign("face_landmark", &maker).unwrap();
    fs::copy(path, store.signature("iris_landmark")).unwrap();
    refused("not of these files");
    fs::write(store.signature("iris_landmark"), "00ff").unwrap();
    refused("128 hexadecimal digits");
    // Who demands signatures can give them, too.
    demanding.sign("iris_landmark", &maker).unwrap();
    demanding.network("iris_landmark").unwrap();
    assert_eq!(store.load_bytes("iris_landmark").unwrap(), demanding.load_bytes("iris_landmark").unwrap());
    // What comes with the program too, and what it has no passport of is not signed.
    let embedded = store.passports().iter().find(|one| one.sources[0].registry == Registry::Repo).unwrap();
    let told = demanding.load_bytes(&embedded.name).unwrap_err();
    assert!(matches!(told, StoreError::Unsigned { .. }), "{told}");
    assert!(matches!(store.sign("no_such_model", &maker), Err(StoreError::Unknown { .. })));
}
