//! How the safety state is read: silence is the safe state, from the first word on (SR-SUP-006).

use troika_kit::{Duration, Latest, Time};

use crate::troika::SafetyState;

/// A state older than this is silence: five messages of ten a second.
pub const STALE: Duration = Duration::from_millis(500);

/// Whoever limits itself in the safe state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SafetyReader {
    supervised: bool,
}

impl SafetyReader {
    /// Whether what is limited in the safe state is limited now. A system without a supervisor is not.
    pub fn limited(&mut self, now: Time, port: &Latest<SafetyState>) -> bool {
        let heard = port.within(now, STALE);
        self.supervised |= heard.is_some();
        // A value that is none of the three says nothing good.
        let fine = |heard: &SafetyState| matches!(heard.state, SafetyState::NOMINAL | SafetyState::DEGRADED);
        heard.map_or(self.supervised, |heard| !fine(heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_the_safe_state_from_the_first_word_on() {
        troika_safety::verifies![SR_SUP_006];
        let at = |ms: u64| Time::from_nanos(1_000_000 * ms);
        let mut reader = SafetyReader::default();
        assert!(!reader.limited(at(0), &Latest::default()), "nobody supervises");
        let says = |state, then| Latest::holding(SafetyState { state, ..SafetyState::default() }, at(then));
        assert!(!reader.limited(at(1_000), &says(SafetyState::NOMINAL, 900)));
        assert!(!reader.limited(at(1_100), &says(SafetyState::DEGRADED, 1_000)));
        assert!(reader.limited(at(1_200), &says(SafetyState::SAFE, 1_100)));
        assert!(reader.limited(at(1_300), &says(7, 1_200)));
        assert!(!reader.limited(at(1_700), &says(SafetyState::NOMINAL, 1_200)));
        assert!(reader.limited(at(1_701), &says(SafetyState::NOMINAL, 1_200)), "silent");
        assert!(reader.limited(at(1_800), &Latest::default()));
    }
}
