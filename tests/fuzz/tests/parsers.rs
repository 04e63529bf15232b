//! Every target's corpus and a fixed count of mutations of it: no panic, memory in bounds, and what is accepted is what it has to be.
//!
//! `TROIKA_FUZZ_CASES=N` makes N mutations instead, `TROIKA_FUZZ_SEED=S` others. Where an input ends the process (no memory, no stack),
//! `TROIKA_FUZZ_TRACE=FILE` has it: each input is written there before it is run.

use std::{env, fs, path::Path, sync::Once};

use allocation_counter::measure;
use troika_fuzz::{
    Target,
    campaign::{self, Found, Tally},
    targets,
};

fn wanted<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    let Ok(number) = text.parse() else { panic!("{variable}={text}: a number is wanted") };
    Some(number)
}

/// With RUST_BACKTRACE a panic that a reader catches (a library's, on a bad file) would look up symbols in tens of megabytes of its thread's account.
static PLAIN_PANICS: Once = Once::new();

fn run(target: &Target) -> Result<Tally, Found> {
    PLAIN_PANICS.call_once(|| std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
    let seeds = campaign::seeds(target).expect("its seeds");
    let cases = wanted("TROIKA_FUZZ_CASES").unwrap_or(target.cases);
    let seed = wanted("TROIKA_FUZZ_SEED").unwrap_or(1);
    let trace = env::var_os("TROIKA_FUZZ_TRACE");
    let before = |input: &[u8]| {
        if let Some(file) = &trace {
            fs::write(file, input).expect("TROIKA_FUZZ_TRACE can be written");
        }
    };
    campaign::run(target, &seeds, cases, seed, &|run| measure(run).bytes_max, &before)
}

/// A target's bounded run.
fn holds(name: &str) {
    let target = targets::named(name).expect("a target");
    match run(&target) {
        Ok(tally) => {
            println!("{name}: {tally:?}");
            // A target whose inputs are all refused, or all taken, looks at half of its reader.
            assert!(tally.seeds_taken > 0, "none of its {} seeds is taken", tally.seeds);
            assert!(tally.taken > 0, "none of {} mutations is taken", tally.cases);
            assert!(tally.taken < tally.cases, "each of {} mutations is taken", tally.cases);
        }
        Err(found) => {
            let file = campaign::keep(&found, Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("written");
            panic!(
                "{found}\nits input: {}; once mended it belongs to tests/fuzz/corpus/{name}/",
                file.display()
            );
        }
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let mut tested = vec![$(stringify!($name)),*];
            tested.sort_unstable();
            let mut all: Vec<&str> = targets::all().map(|target| target.name).collect();
            all.sort_unstable();
            assert_eq!(tested, all);
        }
    };
}

targets! {
    cdr msg srv e2e sealed
    ros_args ros_params zenoh_key zenoh_token zenoh_attachment dds_entities dds_request
    monitor_profile router_policy gesture_mapping vehicle_catalogue link_coverage link_trace scenario hand_scenario trial town words topics
    router_tasks
    passport tflite onnx whisper_ct2 signature piper_settings
    wav flac netpbm jpeg mcap mcap_mend
    cloud_stream gateway_stream
    chat_request mesh_attachment mesh_parts mesh_key certificate
    gateway_config uplink_config bridge_config voice_config
    gateway_http view_http foxglove_socket
}

#[test]
fn a_reader_that_believes_a_length_is_found_by_its_memory() {
    // It makes room for what the length says before it looks whether it is there.
    let believer: troika_fuzz::Run = |bytes| {
        let Some(length) = bytes.first_chunk().map(|length| u16::from_le_bytes(*length)) else {
            return false;
        };
        let room: Vec<u64> = Vec::with_capacity(std::hint::black_box(usize::from(length)));
        bytes[2..].len() >= std::hint::black_box(room).capacity()
    };
    let target = Target::bytes("planted", believer).memory(1_000, 16);
    let seeds = vec![("seed".to_owned(), b"\x02\x00abcd".to_vec())];
    let found = campaign::run(&target, &seeds, 2_000, 1, &|run| measure(run).bytes_max, &|_| {});
    let found = found.expect_err("a lying length");
    assert!(found.why.contains("bytes of memory"), "{found}");
}
