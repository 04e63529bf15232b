use super::*;

fn both(profile: Profile, id: u32, offset: usize, max_delta: u32) -> (Protector, Checker) {
    let protection = Protection::new(profile, id, offset, max_delta).expect("a protection");
    (Protector::new(protection), Checker::new(protection))
}

const ALL: [Profile; 4] = [Profile::P04, Profile::P05, Profile::P06, Profile::P07];

/// PRS_E2EProtocol R23-11, the examples of each profile: zeros, counter 0.
#[test]
fn the_specifications_examples_come_out_as_they_are_printed() {
    let cases: [(Profile, u32, usize, usize, &[u8]); 8] = [
        (Profile::P04, 0x0a0b_0c0d, 0, 16, b"\x00\x10\x00\x00\x0a\x0b\x0c\x0d\x86\x2b\x05\x56\x00\x00\x00\x00"),
        (
            Profile::P04,
            0x0a0b_0c0d,
            8,
            24,
            b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x18\x00\x00\x0a\x0b\x0c\x0d\x69\xd7\x50\x2e\x00\x00\x00\x00",
        ),
        (Profile::P05, 0x1234, 0, 8, b"\x1c\xca\x00\x00\x00\x00\x00\x00"),
        (Profile::P05, 0x1234, 8, 16, b"\x00\x00\x00\x00\x00\x00\x00\x00\x28\x91\x00\x00\x00\x00\x00\x00"),
        (Profile::P06, 0x1234, 0, 8, b"\xb1\x55\x00\x08\x00\x00\x00\x00"),
        (Profile::P06, 0x1234, 8, 16, b"\x00\x00\x00\x00\x00\x00\x00\x00\x4e\xb7\x00\x10\x00\x00\x00\x00"),
        (
            Profile::P07,
            0x0a0b_0c0d,
            0,
            24,
            b"\x1f\xb2\xe7\x37\xfc\xed\xbc\xd9\x00\x00\x00\x18\x00\x00\x00\x00\x0a\x0b\x0c\x0d\x00\x00\x00\x00",
        ),
        (
            Profile::P07,
            0x0a0b_0c0d,
            8,
            32,
            b"\x00\x00\x00\x00\x00\x00\x00\x00\x17\xf7\xc8\x17\x32\x38\x65\xa8\x00\x00\x00\x20\x00\x00\x00\x00\x0a\x0b\x0c\x0d\x00\x00\x00\x00",
        ),
    ];
    for (profile, id, offset, length, expected) in cases {
        let mut data = vec![0; length];
        let (mut protector, mut checker) = both(profile, id, offset, 1);
        protector.protect(&mut data).expect("it fits");
        assert_eq!(data, expected, "{profile:?} at {offset}");
        assert_eq!(checker.check(Some(&data)), Status::Ok);
    }
}

#[test]
fn each_of_a_stream_is_right_and_the_counter_goes_round() {
    for profile in ALL {
        let (mut protector, mut checker) = both(profile, 0x77, 3, 5);
        let rounds = if profile.last_counter() > 0xffff { 1000 } else { profile.last_counter() as usize * 2 };
        for n in 0..rounds {
            let mut data = vec![n as u8; 40];
            protector.protect(&mut data).expect("it fits");
            assert_eq!(checker.check(Some(&data)), Status::Ok, "{profile:?}, message {n}");
            assert_eq!(data[0], n as u8, "what is before the header is the message's own");
        }
    }
}

#[test]
fn what_is_lost_repeated_late_or_not_there_is_told_apart() {
    for profile in ALL {
        let (mut protector, mut checker) = both(profile, 1, 0, 3);
        let sent: Vec<Vec<u8>> = (0..20)
            .map(|_| {
                let mut data = vec![7; 32];
                protector.protect(&mut data).expect("it fits");
                data
            })
            .collect();
        let mut check = |n: usize| checker.check(Some(&sent[n]));
        assert_eq!(check(0), Status::Ok);
        assert_eq!(check(0), Status::Repeated);
        assert_eq!(check(2), Status::OkSomeLost, "one is missing");
        assert_eq!(check(5), Status::OkSomeLost, "two are missing");
        assert_eq!(check(9), Status::WrongSequence, "three are missing");
        assert_eq!(check(10), Status::Ok, "and it goes on from there");
        assert_eq!(check(8), Status::WrongSequence, "an older one");
        assert_eq!(checker.check(None), Status::NoNewData);
    }
}

#[test]
fn a_receiver_that_comes_later_has_one_wrong_sequence() {
    let (mut protector, mut checker) = both(Profile::P07, 1, 0, 3);
    let mut data = vec![0; 24];
    for _ in 0..50 {
        protector.protect(&mut data).expect("it fits");
    }
    assert_eq!(checker.check(Some(&data)), Status::WrongSequence);
    protector.protect(&mut data).expect("it fits");
    assert_eq!(checker.check(Some(&data)), Status::Ok);
}

#[test]
fn every_bit_that_is_turned_is_found() {
    for profile in ALL {
        let (mut protector, checker) = both(profile, 0xbeef, 2, 3);
        let mut data: Vec<u8> = (0..48).collect();
        protector.protect(&mut data).expect("it fits");
        for bit in 0..data.len() * 8 {
            let mut turned = data.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            let found = checker.clone().check(Some(&turned));
            assert_eq!(found, Status::Error(Wrong::Checksum), "{profile:?}, bit {bit}");
        }
    }
}

#[test]
fn a_message_of_another_channel_is_found_out() {
    for profile in ALL {
        let (mut protector, _) = both(profile, 0x0101, 0, 1);
        let (_, mut checker) = both(profile, 0x0102, 0, 1);
        let mut data = vec![0; 32];
        protector.protect(&mut data).expect("it fits");
        let in_header = matches!(profile, Profile::P04 | Profile::P07);
        let wrong = if in_header { Wrong::Id } else { Wrong::Checksum };
        assert_eq!(checker.check(Some(&data)), Status::Error(wrong), "{profile:?}");
    }
}

#[test]
fn a_message_that_was_cut_or_grew_is_found_out() {
    for profile in ALL {
        let (mut protector, checker) = both(profile, 0x0101, 0, 1);
        let mut data = vec![0; 40];
        protector.protect(&mut data).expect("it fits");
        for length in 0..40 {
            let found = checker.clone().check(Some(&data[..length]));
            let wrong = if length < profile.header() { Wrong::Size } else { Wrong::Checksum };
            assert_eq!(found, Status::Error(wrong), "{profile:?}, {length} bytes");
        }
        data.push(0);
        assert_eq!(checker.clone().check(Some(&data)), Status::Error(Wrong::Checksum), "{profile:?}");
        data.resize(profile.longest() + 1, 0);
        assert_eq!(checker.clone().check(Some(&data)), Status::Error(Wrong::Size), "{profile:?}");
    }
}

#[test]
fn a_length_that_the_checksum_covers_and_that_is_wrong_is_told_as_such() {
    // Sealed by somebody who counts otherwise.
    let (mut protector, mut checker) = both(Profile::P07, 1, 0, 1);
    let mut data = vec![0; 32];
    protector.protect(&mut data).expect("it fits");
    data[11] = 33;
    let sum = CRC64.checksum(&data[8..]);
    data[..8].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(checker.check(Some(&data)), Status::Error(Wrong::Length));
}

#[test]
fn a_wrong_one_does_not_move_the_counter() {
    let (mut protector, mut checker) = both(Profile::P05, 1, 0, 1);
    let (mut first, mut second) = (vec![0; 8], vec![0; 8]);
    protector.protect(&mut first).expect("it fits");
    protector.protect(&mut second).expect("it fits");
    assert_eq!(checker.check(Some(&first)), Status::Ok);
    let mut turned = second.clone();
    turned[2] = 200;
    assert_eq!(checker.check(Some(&turned)), Status::Error(Wrong::Checksum));
    assert_eq!(checker.check(Some(&second)), Status::Ok);
}

#[test]
fn what_cannot_be_protected_is_refused_and_not_counted() {
    assert!(matches!(Protection::new(Profile::P05, 0x1_0000, 0, 1), Err(ProtectionError::Id { .. })));
    for delta in [0, 128, u32::MAX] {
        let refused = Protection::new(Profile::P06, 1, 0, delta);
        assert!(matches!(refused, Err(ProtectionError::MaxDelta { .. })), "{delta}");
    }
    let (mut protector, mut checker) = both(Profile::P04, 1, 4, 1);
    let mut short = vec![0; 15];
    assert_eq!(
        protector.protect(&mut short),
        Err(ProtectionError::Length { length: 15, least: 16, most: 4096 })
    );
    assert_eq!(short, [0; 15]);
    assert!(protector.protect(&mut vec![0; 4097]).is_err());
    let mut data = vec![0; 4096];
    protector.protect(&mut data).expect("it fits");
    assert_eq!(checker.check(Some(&data)), Status::Ok, "its counter is the first one");
}
