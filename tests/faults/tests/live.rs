//! One round of what takes a process, a machine or a network, on real ones: `troika` of this build, a router and a peer of its own.

use std::path::{Path, PathBuf};

use troika_faults::{
    live::{self, LiveClass},
    report::Figures,
};
use troika_host::StopToken;

/// A container may have no group with a bound on memory; all else is to be had everywhere.
const MAY_BE_MISSING: &str = "machine.memory";

/// One round of these; what of them could not be injected.
fn injects(classes: &[&'static LiveClass], troika: &Path, seed: u64) -> Vec<&'static LiveClass> {
    let outcome = live::run(classes, troika, seed, Some(1), &StopToken::new());
    assert!(outcome.failed.is_empty(), "every bench works on this machine: {:?}", outcome.failed);
    println!("{:#?}", outcome.figures);
    // In time is for the campaign to judge: a machine that stands still for a second has no say in what is right.
    let fails = |one: &&Figures| one.harmed > 0 || one.detected < one.injected;
    let failing: Vec<_> = outcome.figures.iter().filter(fails).collect();
    assert!(failing.is_empty(), "{failing:#?}");
    let pairs = classes.iter().zip(&outcome.figures);
    let left: Vec<_> = pairs.filter(|(_, figures)| figures.injected == 0).map(|(class, _)| *class).collect();
    assert_eq!(left.len(), outcome.left_out.len(), "each of them says why: {:?}", outcome.left_out);
    println!("left out: {:?}", outcome.left_out);
    left
}

#[test]
fn a_driver_who_falls_asleep_is_told_of_whatever_befalls_processes_machine_and_network() {
    troika_safety::verifies![SR_DAT_009, SR_DAT_011, SR_TIM_008, SR_TIM_009, SR_SUP_006];
    // The test is built beside the programs: target/debug/deps/live-… and target/debug/troika.
    let test = std::env::current_exe().expect("this program has a path");
    let troika: PathBuf = test.parent().and_then(|deps| deps.parent()).expect("a folder").join("troika");
    assert!(troika.is_file(), "{} is not there: build the workspace", troika.display());
    let mut left: Vec<_> = live::CLASSES.iter().collect();
    // A machine may be too busy for an intruder to do anything: that was no fault, and nothing was judged.
    for seed in 7..10 {
        left = injects(&left, &troika, seed);
        left.retain(|class| class.name != MAY_BE_MISSING);
        if left.is_empty() {
            return;
        }
    }
    panic!("not injected in three rounds: {:?}", left.iter().map(|class| class.name).collect::<Vec<_>>());
}
