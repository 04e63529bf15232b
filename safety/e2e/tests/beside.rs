//! Streams beside the crate `autosar-e2e`: frames are lost, repeated, turned round and damaged on the way, and both say the same of each.

use autosar_e2e::{
    E2EProfile, E2EStatus,
    profile4::{Profile4, Profile4Config},
    profile5::{Profile5, Profile5Config},
    profile6::{Profile6, Profile6Config},
    profile7::{Profile7, Profile7Config},
};
use troika_e2e::{Checker, Profile, Protection, Protector, Status, Wrong};

/// Of each profile.
const FRAMES: usize = 250_000;
const MAX_DELTA: u8 = 5;
const LENGTH: usize = 36;
const OFFSET: usize = 3;
const ID: u32 = 0x1a2b;

/// What the other one says of a frame, in our words.
fn theirs(status: &E2EStatus) -> Status {
    match status {
        E2EStatus::Ok => Status::Ok,
        E2EStatus::OkSomeLost => Status::OkSomeLost,
        E2EStatus::Repeated => Status::Repeated,
        E2EStatus::WrongSequence => Status::WrongSequence,
        E2EStatus::CrcError => Status::Error(Wrong::Checksum),
        E2EStatus::DataIdError => Status::Error(Wrong::Id),
        E2EStatus::DataLengthError => Status::Error(Wrong::Length),
        other => panic!("{other:?}"),
    }
}

fn stream<P: E2EProfile>(profile: Profile, make: impl Fn() -> P) {
    let protection = Protection::new(profile, ID, OFFSET, MAX_DELTA.into()).expect("a protection");
    let (mut protector, mut checker) = (Protector::new(protection), Checker::new(protection));
    let (mut their_protector, mut their_checker) = (make(), make());
    let mut chance = fastrand::Rng::with_seed(profile.header() as u64);
    let mut held: Vec<Vec<u8>> = Vec::new();
    let mut seen = [0_usize; 5];
    for n in 0..FRAMES {
        let mut frame = vec![0; LENGTH];
        chance.fill(&mut frame);
        let mut same = frame.clone();
        protector.protect(&mut frame).expect("it fits");
        their_protector.protect(&mut same).expect("it fits");
        assert_eq!(frame, same, "{profile:?}, frame {n}");
        // The first comes, so that both begin alike: the other one takes any counter but 0 for a wrong sequence even then.
        let what = if n == 0 { 9 } else { chance.u8(0..10) };
        let arrives: Vec<Vec<u8>> = match what {
            0 | 1 => Vec::new(),
            2 => vec![frame.clone(), frame],
            3 => {
                frame[chance.usize(0..LENGTH)] ^= 1 << chance.u8(0..8);
                vec![frame]
            }
            4 => {
                held.push(frame);
                Vec::new()
            }
            5 if !held.is_empty() => vec![frame, held.swap_remove(0)],
            _ => vec![frame],
        };
        for frame in arrives {
            let found = checker.check(Some(&frame));
            assert_eq!(
                found,
                theirs(&their_checker.check(&frame).expect("a length it takes")),
                "{profile:?}, {n}"
            );
            seen[match found {
                Status::Ok => 0,
                Status::OkSomeLost => 1,
                Status::Repeated => 2,
                Status::WrongSequence => 3,
                _ => 4,
            }] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > FRAMES / 50), "all of it happened: {seen:?}");
}

#[test]
fn streams_that_lose_repeat_and_damage_frames_are_told_alike() {
    let (offset, length) = ((OFFSET * 8) as u32, (LENGTH * 8) as u32);
    let (short_offset, short_length, short_id) = (offset as u16, length as u16, ID as u16);
    stream(Profile::P04, || {
        Profile4::new(Profile4Config {
            data_id: ID,
            offset: short_offset,
            min_data_length: short_length,
            max_data_length: short_length,
            max_delta_counter: MAX_DELTA.into(),
        })
        .expect("a config")
    });
    stream(Profile::P05, || {
        Profile5::new(Profile5Config {
            data_id: short_id,
            offset: short_offset,
            data_length: short_length,
            max_delta_counter: MAX_DELTA,
        })
        .expect("a config")
    });
    stream(Profile::P06, || {
        Profile6::new(Profile6Config {
            data_id: short_id,
            offset: short_offset,
            min_data_length: short_length,
            max_data_length: short_length,
            max_delta_counter: MAX_DELTA,
        })
        .expect("a config")
    });
    stream(Profile::P07, || {
        Profile7::new(Profile7Config {
            data_id: ID,
            offset,
            min_data_length: length,
            max_data_length: length,
            max_delta_counter: MAX_DELTA.into(),
        })
        .expect("a config")
    });
}
