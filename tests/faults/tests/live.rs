//! One round of what takes a process, a machine or a network, on real ones: `troika` of this build, a router and a peer of its own.

use std::path::PathBuf;

use troika_faults::live;
use troika_host::StopToken;

#[test]
fn a_driver_who_falls_asleep_is_told_of_whatever_befalls_processes_machine_and_network() {
    troika_safety::verifies![SR_DAT_009, SR_DAT_011, SR_TIM_008, SR_TIM_009, SR_SUP_006];
    // The test is built beside the programs: target/debug/deps/live-… and target/debug/troika.
    let test = std::env::current_exe().expect("this program has a path");
    let troika: PathBuf = test.parent().and_then(|deps| deps.parent()).expect("a folder").join("troika");
    assert!(troika.is_file(), "{} is not there: build the workspace", troika.display());
    let classes: Vec<_> = live::CLASSES.iter().collect();
    let outcome = live::run(&classes, &troika, 7, Some(1), &StopToken::new());
    assert!(outcome.failed.is_empty(), "every bench works on this machine: {:?}", outcome.failed);
    println!("{:#?}", outcome.figures);
    // In time is for the campaign to judge: a machine that stands still for a second has no say in what is right.
    let failing: Vec<_> =
        outcome.figures.iter().filter(|one| one.harmed > 0 || one.detected < one.injected).collect();
    assert!(failing.is_empty(), "{failing:#?}");
    // A container may have no group with a bound on memory; all else is to be had everywhere.
    let injected = outcome.figures.iter().filter(|one| one.injected == 1).count();
    assert_eq!(injected + outcome.left_out.len(), classes.len());
    assert!(outcome.left_out.keys().all(|left_out| left_out.starts_with("machine.memory")), "{outcome:?}");
}
