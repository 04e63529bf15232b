//! A small campaign with a fixed seed, and the campaign held against itself.
//!
//! Needs the models of the store (`troika models pull`); without them these tests fail.

use troika_faults::{
    campaign,
    class::{Ground, Off},
    classes,
    prove::{self, REACTIONS},
    sensing::Eyes,
};
use troika_kit::Duration;

#[test]
fn a_round_over_all_classes_is_noticed_in_time_and_harms_nobody() {
    troika_safety::verifies![
        SR_DAT_001, SR_DAT_002, SR_DAT_003, SR_DAT_006, SR_DMS_007, SR_DMS_015, SR_DMS_017, SR_DMS_019,
        SR_DMS_023, SR_OUT_003, SR_RTE_001, SR_RTE_004, SR_RTE_005, SR_RTE_009, SR_RTE_011, SR_SUP_001,
        SR_SUP_002, SR_SUP_003, SR_SUP_004, SR_SUP_005, SR_SUP_006, SR_SUP_009, SR_TIM_007, SR_TIM_014,
        SR_TIM_019, SR_VOI_001, SR_VOI_004, SR_VOI_007, SR_VOI_008, SR_VOI_010, SR_VOI_012, SR_VOI_013,
        SR_VOI_020
    ];
    let eyes = Eyes::open().expect("the models are in the store");
    let ground = Ground { off: None, eyes: &eyes };
    let report =
        campaign::run(&classes::all(), &ground, 7, |progress| progress.round == 1, || Duration::ZERO)
            .expect("every bench works");
    println!("{}", report.table());
    let failing: Vec<_> = report.failing().into_iter().map(|one| (&one.name, &one.example)).collect();
    assert!(failing.is_empty(), "{failing:?}");
    assert!(report.classes.iter().all(|one| one.injected > 0), "a class injects nothing");
    assert!(report.injected > 1_000 && report.gaps.iter().all(|gap| gap.injected > 0));
}

#[test]
fn the_same_seed_gives_the_same_faults_and_another_seed_others() {
    let eyes = Eyes::open().expect("the models are in the store");
    let ground = Ground { off: None, eyes: &eyes };
    let only = |class: &troika_faults::class::Class| {
        ["heartbeat.bits", "command.bits", "driver_state.lost_some", "signals.late"].contains(&class.name)
    };
    let some: Vec<_> = classes::all().into_iter().filter(only).collect();
    let run = |seed| {
        campaign::run(&some, &ground, seed, |progress| progress.round == 2, || Duration::ZERO).expect("works")
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).classes, run(4).classes);
}

#[test]
fn a_reaction_that_is_switched_off_is_noticed() {
    let eyes = Eyes::open().expect("the models are in the store");
    // The dear ones are left to `troika-faults --prove`.
    let quick = [
        Off::EndToEnd,
        Off::Supervisor,
        Off::Alerts,
        Off::Gates,
        Off::Memory,
        Off::SafeState,
        Off::FrameAge,
        Off::DiskFull,
    ];
    for (off, what, names) in REACTIONS.iter().filter(|(off, ..)| quick.contains(off)) {
        let proof = prove::prove(&classes::all(), &eyes, 5, *off, names).expect("every bench works");
        assert!(proof.holds(), "{what}: of {:?} only {:?} failed", proof.asked, proof.failed);
    }
}
