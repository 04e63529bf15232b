//! Messages: CDR, `.msg` and `.srv` text, frames that are protected end to end.

use troika_e2e::{Checker, Profile, Protection, Protector, Status};
use troika_kit::Message as _;
use troika_msgs::{
    dynamic,
    protect::{Opener, Protected as _, Seal, intact, sender},
    troika::DriverAlert,
};
use troika_msgs_codegen::{Interfaces, hash, parse::parse, parse_service, rust};

use super::{text, told, told_with_line};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    // JSON for the viewers has some hundred bytes for a number of one.
    Target::bytes("cdr", cdr).memory(256 << 10, 1_500),
    Target::text("msg", msg, &["msgs/msg/*.msg", "msgs/ros/*/msg/*.msg"])
        .cases(4_000)
        .longest(4 << 10)
        .memory(1 << 20, 2_000),
    Target::text("srv", srv, &["msgs/ros/*/srv/*.srv"]).cases(4_000).longest(4 << 10),
    Target::bytes("e2e", e2e),
    Target::bytes("sealed", sealed),
];

/// The first byte picks the type: a value or a typed error; what decodes encodes, and decodes again to the same.
fn cdr(bytes: &[u8]) -> bool {
    let Some((place, cdr)) = bytes.split_first() else { return false };
    let types = dynamic::all();
    let entry = &types[usize::from(*place) % types.len()];
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    let decoded = entry.recode(cdr, &mut once);
    assert_eq!(entry.to_json(cdr).is_ok(), decoded.is_ok(), "{}", entry.info().name);
    if decoded.is_ok() {
        entry.recode(&once, &mut twice).expect("what was encoded decodes");
        assert_eq!(once, twice, "{}", entry.info().name);
    }
    decoded.is_ok()
}

/// A message or an error with its line; what is read is hashed, and made into Rust source or refused by name.
fn msg(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let file = match parse("fuzz_msgs", "Fuzz", &text) {
        Ok(file) => file,
        Err(error) => {
            told_with_line(&error, error.line, bytes);
            return false;
        }
    };
    // A message that another one is missing for, or that contains itself, is refused by the set.
    if let Ok(set) = Interfaces::new([file.clone()]) {
        assert_eq!(hash::rihs01(&set, &file).len(), "RIHS01_".len() + 64);
        if let Err(error) = rust::source(&set, &[]) {
            told(&error, bytes);
        }
    }
    true
}

fn srv(bytes: &[u8]) -> bool {
    parse_service("fuzz_msgs", "Fuzz", &text(bytes))
        .map_err(|error| told_with_line(&error, error.line, bytes))
        .is_ok()
}

/// The first byte picks the profile: a frame that is right is one that its protector makes of the same words and counter, and none that is changed
/// in one bit.
fn e2e(bytes: &[u8]) -> bool {
    let Some((pick, frame)) = bytes.split_first() else { return false };
    let profile = [Profile::P04, Profile::P05, Profile::P06, Profile::P07][usize::from(pick & 3)];
    let protection = Protection::new(profile, 0x2a, 0, 2).expect("within every profile");
    let right = |frame: &[u8]| !matches!(Checker::new(protection).check(Some(frame)), Status::Error(_));
    let taken = right(frame);
    if taken {
        assert!(
            (profile.header()..=profile.longest()).contains(&frame.len()),
            "{profile:?} took {} bytes",
            frame.len()
        );
        let bit = usize::from(pick >> 2) % (frame.len() * 8);
        let mut changed = frame.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!right(&changed), "{profile:?} took a frame with bit {bit} changed");
    }
    let mut mine = frame.to_vec();
    match Protector::new(protection).protect(&mut mine) {
        Ok(()) => assert!(right(&mine), "{profile:?} refuses its own"),
        Err(_) => assert!(!(profile.header()..=profile.longest()).contains(&frame.len()), "{profile:?}"),
    }
    taken
}

/// An alert as it comes from a stranger: it is intact only where the monitor made these very bytes; sealed anew it is.
fn sealed(bytes: &[u8]) -> bool {
    let Ok(mut alert) = DriverAlert::decode(bytes) else { return false };
    let taken = intact(&alert, &[sender::MONITOR]) == Some(true);
    let opened = !matches!(Opener::<DriverAlert>::new(sender::MONITOR).open(Some(&alert)), Status::Error(_));
    assert_eq!(taken, opened, "both ways to look say the same");
    if taken {
        let stranger = intact(&alert, &[sender::VOICE]);
        assert_eq!(stranger, Some(false), "it is nobody else's");
        let mut changed = alert.clone();
        changed.set_sequence(alert.sequence().wrapping_add(1));
        assert_eq!(intact(&changed, &[sender::MONITOR]), Some(false), "its number is covered");
    }
    Seal::new(sender::MONITOR).seal(&mut alert).expect("what decoded is encoded");
    assert_eq!(intact(&alert, &[sender::MONITOR]), Some(true), "what is sealed is intact");
    taken
}
