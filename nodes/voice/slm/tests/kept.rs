//! What the model made of its tasks' beginnings, from one start to the next: llama.cpp runs once in a process, so this is one of its own.
#![allow(clippy::disallowed_methods, reason = "a test of real files")]

use troika_kit::{Duration, Time};
use troika_msgs::{std_msgs::Header, troika::LanguageRequest};
use troika_slm::{
    desk::Desk,
    llama::Llama,
    measure::ask,
    process,
    prompt::{Holding, Prompts},
};
use troika_voice::language::SlmConfig;

#[test]
fn beginnings_are_kept_from_one_start_to_the_next_and_damaged_ones_are_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = process::weights(&SlmConfig::default()).expect("the model is here").keeping(folder.path());
    let states = || -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
        let all = std::fs::read_dir(folder.path()).expect("it is there").flatten();
        let states = all.filter(|one| one.path().extension().is_some_and(|end| end == "state"));
        let mut states: Vec<_> = states
            .map(|one| (one.path(), one.metadata().and_then(|meta| meta.modified()).expect("a time")))
            .collect();
        states.sort();
        states
    };
    let said = || {
        let mut llama = Llama::new(&weights, &Prompts::english(), 1, &|| false).expect("it runs");
        let mut desk = Desk::new(Prompts::english(), Holding::default(), "smollm2_135m");
        let asked = LanguageRequest {
            header: Header::at(Time::ZERO),
            request_id: "1".into(),
            task: LanguageRequest::ANSWER,
            text: "What is the capital of France?".into(),
            deadline: Duration::from_secs(60).into(),
            ..LanguageRequest::default()
        };
        ask(&mut desk, &mut llama, &asked, &mut |_| ()).0.text
    };
    let fresh = said();
    let first = states();
    assert_eq!(first.len(), 4, "one for each task: {first:?}");
    assert_eq!(said(), fresh);
    assert_eq!(states(), first, "nothing is made twice");
    let (damaged, _) = &first[0];
    let mut bytes = std::fs::read(damaged).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(damaged, bytes).expect("it is written");
    assert_eq!(said(), fresh);
    let sum =
        |path: &std::path::Path| std::fs::read_to_string(path.with_extension("sha256")).expect("its sum");
    assert_eq!(sum(damaged).len(), 64);
    assert_eq!(said(), fresh);
}
