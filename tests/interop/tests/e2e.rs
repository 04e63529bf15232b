//! Protected messages beside the Python package `autosar-e2e`: a million frames, one in four of them damaged.

use std::{
    env,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use troika_e2e::{Checker, Profile, Protection, Protector, Status};
use troika_interop::verdict;

const FRAMES: usize = 1_000_000;
const PROFILES: [(u8, Profile); 4] =
    [(4, Profile::P04), (5, Profile::P05), (6, Profile::P06), (7, Profile::P07)];

/// Frames of many channels, as the peer reads them.
fn frames() -> Vec<u8> {
    let mut chance = fastrand::Rng::with_seed(20);
    let mut all = Vec::with_capacity(FRAMES * 60);
    for n in 0..FRAMES {
        if n % 1000 == 0 {
            chance = fastrand::Rng::with_seed(n as u64);
        }
        let (number, profile) = PROFILES[n % 4];
        let id = chance.u32(0..=profile.last_id());
        let offset = chance.u16(0..12);
        let protection = Protection::new(profile, id, offset.into(), 1).expect("a protection");
        let length = protection.least() + chance.usize(0..40);
        let mut protector = Protector::new(protection);
        let mut frame = vec![0; length];
        for _ in 0..=chance.u32(0..4) {
            chance.fill(&mut frame);
            protector.protect(&mut frame).expect("it fits");
        }
        let damaged = chance.u8(0..4) == 0;
        if damaged {
            for _ in 0..chance.u8(1..4) {
                let bit = chance.usize(0..length * 8);
                frame[bit / 8] ^= 1 << (bit % 8);
            }
        }
        // Two bits may have been the same one: what counts is what our side says, and both must say the same.
        let right = !matches!(Checker::new(protection).check(Some(&frame)), Status::Error(_));
        assert!(right || damaged, "its own");
        all.extend([number, right.into()]);
        all.extend(offset.to_le_bytes());
        all.extend(id.to_le_bytes());
        all.extend((length as u32).to_le_bytes());
        all.extend(frame);
    }
    all
}

#[test]
fn a_million_frames_are_sealed_and_judged_as_by_an_independent_implementation() {
    let python = env::var_os("TROIKA_INTEROP_PYTHON")
        .expect("TROIKA_INTEROP_PYTHON is not set: `cargo xtask test interop` sets it up");
    let mut peer = Command::new(python);
    peer.arg("peers/e2e_peer.py").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut peer = peer.spawn().expect("the peer runs");
    peer.stdin.take().expect("piped").write_all(&frames()).expect("it reads");
    let output = peer.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", output.status);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["differ"], &told["first"]), (&json!(0), &json!([])));
    for (number, _) in PROFILES {
        let counted: Vec<u64> =
            serde_json::from_value(told["frames"][number.to_string()].clone()).expect("two numbers");
        assert_eq!(counted.iter().sum::<u64>(), FRAMES as u64 / 4);
        assert!(counted[1] > FRAMES as u64 / 20, "damaged ones too: {counted:?}");
        let told = format!("profile {number}: {} right ones, {} damaged", counted[0], counted[1]);
        verdict("autosar-e2e", &told);
    }
}
