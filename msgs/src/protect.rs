//! The canonical byte form of a message: what an end-to-end check covers.
//!
//! The check cannot cover the CDR: its endianness and its padding bytes are the middleware's own (Fast CDR leaves padding
//! uninitialised), so a message that was recorded, bridged or decoded and encoded again would fail it. It covers this form,
//! which depends on the decoded values alone:
//!
//! - every field but the message's own `e2e`, in the order of the .msg file, nested messages in place;
//! - numbers little endian, without padding; `bool` as one byte, 0 or 1;
//! - floats by their IEEE 754 bits; every NaN as the one quiet NaN (`7fc00000`, `7ff8000000000000`); -0 stays -0;
//! - `string` as a 32-bit length in bytes and its UTF-8, without a NUL;
//! - a sequence as a 32-bit count and its elements; a fixed array as its elements alone.
//!
//! No two values of one type share a form, NaNs apart. Which type or topic it is, is no part of the form: that is the data
//! id of the check itself.

use std::marker::PhantomData;

use troika_e2e::{Checker, Profile, Protection, Protector, Status, Wrong};
use troika_kit::{Duration, EncodeError, Message, Time};

use crate::cdr::Writer;

/// Of the end-to-end header that travels in `e2e`; the canonical form is what it stands before.
const PROFILE: Profile = Profile::P07;
/// So many messages less one may be lost between two.
const MAX_DELTA: u16 = 4;

/// A message of a safety topic: it has `uint32 sequence` and `uint8[] e2e`. Implemented by the build for each such .msg.
pub trait Protected: Message {
    /// The publisher's count of messages on the topic; it wraps.
    fn sequence(&self) -> u32;

    /// Sets the count.
    fn set_sequence(&mut self, sequence: u32);

    /// The protection that came along; empty when there is none.
    fn e2e(&self) -> &[u8];

    /// The protection, to be filled.
    fn e2e_mut(&mut self) -> &mut Vec<u8>;

    /// Appends every field but `e2e`; [`Protected::canonical`] is what users call.
    #[doc(hidden)]
    fn write_covered(&self, w: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Replaces `out` with the canonical form. Allocates only when `out` is too small; fails as encoding does.
    fn canonical(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write_covered(&mut Writer::canonical(out))
    }
}

/// Who sends.
pub mod sender {
    /// Of driver states, and who speaks for it when its process cannot: neither says more than the other may.
    pub const DRIVER_STATE: &str = "driver_state";
    /// Of vehicle signals: the body, or what stands in for it.
    pub const SIGNALS: &str = "vehicle_signals";
    /// Of vehicle commands: speech.
    pub const VOICE: &str = "voice";
    /// Hands.
    pub const GESTURE: &str = "gesture";
    /// Of alerts.
    pub const MONITOR: &str = "driver_monitor";
    /// Who speaks for the monitor when its process cannot.
    pub const STAND_IN: &str = "driver_monitor/stand_in";
    /// Of the safety state, and of alerts when the monitor is silent.
    pub const SUPERVISOR: &str = "supervisor";
}

/// The data id of who sends messages of a type: the FNV-1a hash of both names. A message of another sender, or of another type that has the
/// same bytes, is found out by it.
pub fn data_id<T: Protected>(sender: &str) -> u32 {
    let bytes = T::TYPE.name.bytes().chain([0]).chain(sender.bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn protection<T: Protected>(sender: &str, max_delta: u16) -> Protection {
    // Any id and any such difference over 0 fit the profile.
    Protection::new(PROFILE, data_id::<T>(sender), 0, u32::from(max_delta).max(1)).expect("fits profile 7")
}

/// Fills in `sequence` and `e2e` (AUTOSAR E2E profile 7) of one sender's messages.
#[derive(Debug, Clone)]
pub struct Seal<T> {
    protector: Protector,
    sequence: u32,
    form: Vec<u8>,
    of: PhantomData<T>,
}

impl<T: Protected> Seal<T> {
    /// Of a sender that begins: its name is a node's full name, or what it was agreed to be.
    pub fn new(sender: &str) -> Seal<T> {
        Seal {
            protector: Protector::new(protection::<T>(sender, MAX_DELTA)),
            sequence: 0,
            form: Vec::new(),
            of: PhantomData,
        }
    }

    /// The sequence number of the next message.
    pub fn next(&self) -> u32 {
        self.sequence
    }

    /// Numbers and protects a message. Allocates only where a longer one than before comes, and for the 20 bytes of the header.
    ///
    /// # Errors
    /// As encoding; the message is not counted.
    pub fn seal(&mut self, message: &mut T) -> Result<(), EncodeError> {
        troika_safety::fulfils![SR_DAT_003];
        message.set_sequence(self.sequence);
        self.form.clear();
        self.form.resize(PROFILE.header(), 0);
        message.write_covered(&mut Writer::canonical_behind(&mut self.form))?;
        if self.protector.protect(&mut self.form).is_err() {
            return Err(EncodeError);
        }
        let e2e = message.e2e_mut();
        e2e.clear();
        e2e.extend_from_slice(&self.form[..PROFILE.header()]);
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// The message, numbered and protected. None where it cannot be: then it is not sent, which to its readers is silence.
    pub fn sealed(&mut self, mut message: T) -> Option<T> {
        self.seal(&mut message).ok().map(|()| message)
    }
}

/// Checks one sender's messages.
#[derive(Debug, Clone)]
pub struct Opener<T> {
    checker: Checker,
    form: Vec<u8>,
    of: PhantomData<T>,
}

impl<T: Protected> Opener<T> {
    /// Of the sender of that name.
    pub fn new(sender: &str) -> Opener<T> {
        Opener::tolerating(sender, MAX_DELTA)
    }

    /// The same for who looks less often: up to so many messages less one may have passed unseen between two.
    pub fn tolerating(sender: &str, max_delta: u16) -> Opener<T> {
        Opener {
            checker: Checker::new(protection::<T>(sender, max_delta)),
            form: Vec::new(),
            of: PhantomData,
        }
    }

    /// What a message, or that none came in its period, is worth. One without protection has a wrong size.
    pub fn open(&mut self, message: Option<&T>) -> Status {
        let Some(message) = message else { return self.checker.check(None) };
        match form(message, &mut self.form) {
            Some(form) => self.checker.check(Some(form)),
            None => Status::Error(Wrong::Size),
        }
    }
}

/// Messages in order of a sender that began again, until it is believed.
const SETTLES: u8 = 4;
/// Of one's own line nothing was heard for so long: whoever sends in another may have begun again. Shorter silences are bridged by who reads.
const SILENT: Duration = Duration::from_millis(300);
/// Messages that may pass unseen between two that are looked at.
const UNSEEN: u32 = 0xffff;

/// Whom to believe on a topic that one sender owns, and that systems without protection use as well: whoever sends, until the owner was heard
/// once; from then on the owner alone, and each message of it once and in its order.
#[derive(Debug, Clone)]
pub struct Trust<T> {
    /// As it is before its first message: what is in order is judged here, by the sequence that the check covers.
    checker: Checker,
    form: Vec<u8>,
    /// Sequence and arrival of the newest that was believed.
    newest: Option<(u32, Time)>,
    /// The last of another line, and how many of it came in order.
    other: Option<(u32, u8)>,
    /// Arrival of the message that was judged last, and what it was found to be.
    judged: Option<(Time, bool)>,
    of: PhantomData<T>,
}

impl<T: Protected> Trust<T> {
    /// In that sender. Between two that are looked at some 65,000 may pass unseen: what matters is that none comes twice, none older, and
    /// none of another.
    pub fn new(sender: &str) -> Trust<T> {
        Trust {
            checker: Checker::new(protection::<T>(sender, MAX_DELTA)),
            form: Vec::new(),
            newest: None,
            other: None,
            judged: None,
            of: PhantomData,
        }
    }

    /// Whether to believe it, which came at `received`. One out of its order is overtaken, of a sender that began again, or of a recording that is
    /// played: while the sender's own line goes on, however many others there are beside it, none of them counts. Once it was silent for 0.3 s
    /// another line is taken for its own with the fourth message in order.
    pub fn believes(&mut self, received: Time, message: &T) -> bool {
        if message.e2e().is_empty() {
            return self.newest.is_none();
        }
        let right = form(message, &mut self.form)
            .is_some_and(|form| !matches!(self.checker.clone().check(Some(form)), Status::Error(_)));
        if !right {
            return false;
        }
        let sequence = message.sequence();
        let follows = |last: u32| (1..=UNSEEN).contains(&sequence.wrapping_sub(last));
        let believed = match self.newest {
            None => true,
            Some((last, _)) if follows(last) => true,
            Some((_, at)) if received.since(at) < SILENT => false,
            Some(_) => {
                let in_order = match self.other {
                    Some((last, count)) if follows(last) => count + 1,
                    _ => 1,
                };
                self.other = Some((sequence, in_order));
                in_order >= SETTLES
            }
        };
        if believed {
            self.newest = Some((sequence, received));
            self.other = None;
        }
        believed
    }

    /// The same for who looks at the newest again and again: a message is judged by its arrival once.
    pub fn believes_newest(&mut self, received: Time, message: &T) -> bool {
        match self.judged {
            Some((at, right)) if at == received => right,
            _ => {
                let right = self.believes(received, message);
                self.judged = Some((received, right));
                right
            }
        }
    }
}

/// Whether a message is as one of these senders sent it, whichever came before: for topics that several send on and where a message stands for
/// itself. None: it has no protection.
pub fn intact<T: Protected>(message: &T, senders: &[&str]) -> Option<bool> {
    if message.e2e().is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    let Some(form) = form(message, &mut bytes) else { return Some(false) };
    Some(senders.iter().any(|sender| {
        !matches!(Checker::new(protection::<T>(sender, MAX_DELTA)).check(Some(form)), Status::Error(_))
    }))
}

/// Header and canonical form together, as they were protected.
fn form<'a, T: Protected>(message: &T, bytes: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    bytes.clear();
    if message.e2e().len() != PROFILE.header() {
        return None;
    }
    bytes.extend_from_slice(message.e2e());
    message.write_covered(&mut Writer::canonical_behind(bytes)).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::troika::{DriverAlert, Heartbeat};

    fn beat(node: &str) -> Heartbeat {
        Heartbeat { node: node.into(), reason: "for a test".into(), steps: 7, ..Heartbeat::default() }
    }

    fn sealed(seal: &mut Seal<Heartbeat>) -> Heartbeat {
        let mut message = beat("/a");
        seal.seal(&mut message).expect("it fits");
        message
    }

    #[test]
    fn what_was_sealed_is_right_and_every_changed_field_is_found_out() {
        troika_safety::verifies![SR_DAT_003];
        let (mut seal, mut opener) = (Seal::new("/a"), Opener::new("/a"));
        let first = sealed(&mut seal);
        assert_eq!((first.sequence, first.e2e.len(), seal.next()), (0, 20, 1));
        assert_eq!(opener.open(Some(&first)), Status::Ok);
        assert_eq!(opener.open(Some(&first)), Status::Repeated);
        let second = sealed(&mut seal);
        for change in [
            |message: &mut Heartbeat| message.steps += 1,
            |message: &mut Heartbeat| message.sequence += 1,
            |message: &mut Heartbeat| message.node.push('b'),
            |message: &mut Heartbeat| message.e2e[13] ^= 1,
            |message: &mut Heartbeat| message.latency_counts[11] = 9,
        ] {
            let mut changed = second.clone();
            change(&mut changed);
            assert_eq!(opener.clone().open(Some(&changed)), Status::Error(Wrong::Checksum), "{changed:?}");
        }
        assert_eq!(opener.open(None), Status::NoNewData);
        assert_eq!(opener.open(Some(&second)), Status::Ok);
        for _ in 0..2 {
            sealed(&mut seal);
        }
        assert_eq!(opener.open(Some(&sealed(&mut seal))), Status::OkSomeLost);
    }

    #[test]
    fn a_topic_is_whoevers_until_its_owner_was_heard_and_the_owners_from_then_on() {
        troika_safety::verifies![SR_DAT_009];
        let (mut trust, mut seal) = (Trust::new("/a"), Seal::new("/a"));
        let ms = |ms: u64| Time::from_nanos(1_000_000 * (1_000 + ms));
        let soon = ms(0);
        assert!(trust.believes(soon, &beat("/a")) && trust.believes(soon, &beat("/a")), "nobody protects");
        assert!(!trust.believes(soon, &sealed(&mut Seal::new("/b"))), "no owner");
        assert!(trust.believes(soon, &beat("/a")));
        let first = sealed(&mut seal);
        assert!(trust.believes(soon, &first));
        assert!(!trust.believes(soon, &beat("/a")), "it is owned");
        assert!(!trust.believes(soon, &first), "again");
        let mut second = sealed(&mut seal);
        assert!(!trust.believes(soon, &sealed(&mut Seal::new("/b"))), "another's");
        second.steps += 1;
        assert!(!trust.believes(soon, &second), "changed");
        second.steps -= 1;
        assert!(trust.believes(soon, &second));
        (0..50).for_each(|_| drop(sealed(&mut seal)));
        assert!(trust.believes(soon, &sealed(&mut seal)), "some were not seen");
        assert!(!trust.believes(soon, &first), "an old one");
        let newest = sealed(&mut seal);
        assert!(
            trust.believes_newest(ms(1), &newest) && trust.believes_newest(ms(1), &newest),
            "looked at twice"
        );
    }

    #[test]
    fn a_sender_that_began_again_is_believed_after_a_silence_and_a_recording_beside_it_never() {
        troika_safety::verifies![SR_DAT_009];
        let (mut trust, mut seal) = (Trust::new("/a"), Seal::new("/a"));
        let ms = |ms: u64| Time::from_nanos(1_000_000 * (1_000 + ms));
        let recorded: Vec<Heartbeat> = (0..100).map(|_| sealed(&mut seal)).collect();
        assert!(trust.believes(ms(0), &recorded[99]));
        let mut again = Seal::new("/a");
        let mut at = |trust: &mut Trust<Heartbeat>, time: u64| trust.believes(ms(time), &sealed(&mut again));
        assert!((0..30).all(|n| !at(&mut trust, 10 * n)), "0.29 s after the last of its line");
        let began: Vec<bool> = (0..6).map(|n| at(&mut trust, 300 + 10 * n)).collect();
        assert_eq!(began, [false, false, false, true, true, true], "it began again");
        (0..200).for_each(|_| assert!(at(&mut trust, 400)));
        // All of the recording between each two of the sender's own, which come as seldom as is bridged.
        for n in 1..20 {
            for old in &recorded {
                assert!(!trust.believes(ms(400 + 299 * n), old), "{n}");
            }
            assert!(at(&mut trust, 400 + 299 * n), "{n}: the sender's own is believed all the same");
        }
        // One that stutters: four in order are wanted, and each step back begins the count anew.
        let later = 400 + 299 * 19 + 300;
        let stutters: Vec<bool> =
            [0, 1, 2, 1, 2, 3, 3, 4].into_iter().map(|n| trust.believes(ms(later), &recorded[n])).collect();
        assert_eq!(stutters, [false, false, false, false, false, false, false, false]);
        assert!(!trust.believes(ms(later), &recorded[5]));
        assert!(
            trust.believes(ms(later), &recorded[6]),
            "the owner is gone, and whoever comes in order is it"
        );
    }

    #[test]
    fn another_sender_another_type_and_no_protection_at_all_are_told_apart() {
        let mut message = sealed(&mut Seal::new("/b"));
        assert_eq!(Opener::new("/a").open(Some(&message)), Status::Error(Wrong::Id));
        assert_eq!((intact(&message, &["/a", "/b"]), intact(&message, &["/a"])), (Some(true), Some(false)));
        message.steps = 8;
        assert_eq!(intact(&message, &["/a", "/b"]), Some(false));
        assert_eq!(Opener::new("/a").open(Some(&beat("/a"))), Status::Error(Wrong::Size));
        assert_eq!(intact(&beat("/a"), &["/a"]), None);
        assert_ne!(data_id::<Heartbeat>("/a"), data_id::<DriverAlert>("/a"));
    }
}
