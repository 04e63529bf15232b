//! How the safety state is read: silence is the safe state, from the first word on (SR-SUP-006). What is not the supervisor's own, was said
//! before, or is of another time (a recording is right in all of its checks), is no word of it (SR-SUP-009).

use troika_e2e::Status;
use troika_kit::{Duration, Latest, Time};

use crate::{
    protect::{Opener, sender},
    troika::SafetyState,
};

/// A state older than this is silence: five messages of ten a second.
pub const STALE: Duration = Duration::from_millis(500);

/// A node that wakes on its input sees one in three, fewer on a busy machine; an old message is further back than this is ahead.
const UNSEEN: u16 = 30;

/// Whoever limits itself in the safe state.
#[derive(Debug, Clone)]
pub struct SafetyReader {
    opener: Opener<SafetyState>,
    /// Arrival of the message that was looked at last.
    looked: Option<Time>,
    /// The last one that can be believed: when it was said, and whether it says something good.
    heard: Option<(Time, bool)>,
    supervised: bool,
}

impl Default for SafetyReader {
    fn default() -> Self {
        let opener = Opener::tolerating(sender::SUPERVISOR, UNSEEN);
        SafetyReader { opener, looked: None, heard: None, supervised: false }
    }
}

impl SafetyReader {
    /// Whether what is limited in the safe state is limited now. A system without a supervisor is not. To be asked in each step: a message
    /// that was never looked at is one that was lost.
    pub fn limited(&mut self, now: Time, port: &Latest<SafetyState>) -> bool {
        if let Some(sample) = port.get().filter(|sample| self.looked != Some(sample.received)) {
            self.looked = Some(sample.received);
            // Whatever is on the topic: somebody supervises, or somebody poses as who does.
            self.supervised = true;
            // One that is out of its sequence is the first of a supervisor that began again, or an old one: the next tells, in 0.1 s.
            let right = matches!(self.opener.open(Some(&sample.value)), Status::Ok | Status::OkSomeLost);
            if right && is_of(sample.received, &sample.value) {
                // A value that is none of the three says nothing good.
                let fine = matches!(sample.value.state, SafetyState::NOMINAL | SafetyState::DEGRADED);
                self.heard = Some((said(sample.received, &sample.value), fine));
            }
        }
        let heard = self.heard.filter(|(said, _)| now.since(*said) <= STALE);
        heard.map_or(self.supervised, |(_, fine)| !fine)
    }
}

/// Whether it was said when it came, by the time line that all processes of a system share. A supervisor without a clock leaves the stamp zero.
pub fn is_of(received: Time, state: &SafetyState) -> bool {
    let said = state.header.time();
    said == Time::ZERO || received.since(said).max(said.since(received)) <= STALE
}

/// When it was said: a word that was long on its way is old when it comes.
fn said(received: Time, state: &SafetyState) -> Time {
    match state.header.time() {
        Time::ZERO => received,
        stamp => stamp.min(received),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protect::Seal, std_msgs::Header};

    fn at(ms: u64) -> Time {
        Time::from_nanos(1_000_000 * ms)
    }

    fn says(seal: &mut Seal<SafetyState>, state: u8) -> SafetyState {
        let mut said = SafetyState { state, ..SafetyState::default() };
        seal.seal(&mut said).expect("it fits");
        said
    }

    #[test]
    fn silence_is_the_safe_state_from_the_first_word_on() {
        troika_safety::verifies![SR_SUP_006];
        let (mut reader, mut seal) = (SafetyReader::default(), Seal::new(sender::SUPERVISOR));
        assert!(!reader.limited(at(0), &Latest::default()), "nobody supervises");
        let mut says = |state, then| Latest::holding(says(&mut seal, state), at(then));
        assert!(!reader.limited(at(1_000), &says(SafetyState::NOMINAL, 900)));
        assert!(!reader.limited(at(1_100), &says(SafetyState::DEGRADED, 1_000)));
        assert!(reader.limited(at(1_200), &says(SafetyState::SAFE, 1_100)));
        assert!(reader.limited(at(1_300), &says(7, 1_200)));
        let last = says(SafetyState::NOMINAL, 1_250);
        assert!(!reader.limited(at(1_750), &last));
        assert!(reader.limited(at(1_751), &last), "silent");
        assert!(reader.limited(at(1_800), &Latest::default()));
    }

    #[test]
    fn what_was_long_on_its_way_is_silence_half_a_second_after_it_was_said() {
        troika_safety::verifies![SR_SUP_006];
        let (mut reader, mut seal) = (SafetyReader::default(), Seal::new(sender::SUPERVISOR));
        let mut says = |said, came| {
            let header = Header::at(at(said));
            let mut word = SafetyState { header, state: SafetyState::NOMINAL, ..SafetyState::default() };
            seal.seal(&mut word).expect("it fits");
            Latest::holding(word, at(came))
        };
        let late = says(1_000, 1_400);
        assert!(!reader.limited(at(1_400), &late) && !reader.limited(at(1_500), &late));
        assert!(reader.limited(at(1_501), &late));
        // A clock that is a little ahead makes nothing good for longer.
        let ahead = says(1_700, 1_600);
        assert!(!reader.limited(at(2_100), &ahead));
        assert!(reader.limited(at(2_101), &ahead));
    }

    #[test]
    fn what_is_not_the_supervisors_own_or_was_said_before_is_no_word_of_it() {
        troika_safety::verifies![SR_SUP_009];
        let (mut reader, mut seal) = (SafetyReader::default(), Seal::new(sender::SUPERVISOR));
        let plain = SafetyState { state: SafetyState::NOMINAL, ..SafetyState::default() };
        assert!(reader.limited(at(0), &Latest::holding(plain.clone(), at(0))), "without protection");
        let old = says(&mut seal, SafetyState::NOMINAL);
        assert!(!reader.limited(at(100), &Latest::holding(old.clone(), at(100))));
        let safe = says(&mut seal, SafetyState::SAFE);
        assert!(reader.limited(at(200), &Latest::holding(safe.clone(), at(200))));
        let changed = SafetyState { state: SafetyState::NOMINAL, ..safe };
        let foreign = says(&mut Seal::new("elsewhere"), SafetyState::NOMINAL);
        // The safe state stands, and is silence after half a second.
        for (n, wrong) in [changed, foreign, old, plain].into_iter().cycle().take(40).enumerate() {
            let now = at(300 + 100 * n as u64);
            assert!(reader.limited(now, &Latest::holding(wrong, now)));
        }
        // A recording of the supervisor's own words, in their order.
        let recorded: Vec<_> = (0..20)
            .map(|n| SafetyState { header: Header::at(at(100 * n + 50)), ..SafetyState::default() })
            .map(|mut said| {
                seal.seal(&mut said).expect("it fits");
                said
            })
            .collect();
        for (n, word) in recorded.into_iter().enumerate() {
            let now = at(6_000 + 100 * n as u64);
            assert!(reader.limited(now, &Latest::holding(word, now)), "{n}");
        }
        // A supervisor that was started again is believed with its second word.
        let mut again = Seal::new(sender::SUPERVISOR);
        let mut says = |then| Latest::holding(says(&mut again, SafetyState::NOMINAL), at(then));
        assert!(reader.limited(at(9_000), &says(9_000)));
        assert!(!reader.limited(at(9_100), &says(9_100)));
    }
}
