//! What a pair of both directions has said itself. A transport gives a process its own messages too; sent on, they would go round for ever.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use troika_kit::{Duration, Time};

/// As many are remembered. More on their way at once are taken for others'.
const MOST: usize = 256;
/// What has not come back after so long will not: it was lost. An equal message is somebody else's then.
const LIFE: Duration = Duration::from_secs(2);

/// The messages of ours on one side that have not come back yet.
#[derive(Debug, Default)]
pub struct Echo(VecDeque<(u64, Time)>);

impl Echo {
    /// We say this.
    pub fn said(&mut self, bytes: &[u8], now: Time) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((hash(bytes), now));
    }

    /// Whether what has come is our own word. It comes back once.
    pub fn is_own(&mut self, bytes: &[u8], now: Time) -> bool {
        self.0.retain(|(_, said)| now.since(*said) <= LIFE);
        let hash = hash(bytes);
        let found = self.0.iter().position(|(own, _)| *own == hash);
        found.is_some_and(|at| self.0.remove(at).is_some())
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_word_comes_back_once_and_a_lost_one_keeps_nobody_elses_away() {
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let mut echo = Echo::default();
        assert!(!echo.is_own(b"on", at(0)));
        echo.said(b"on", at(10));
        assert!(!echo.is_own(b"off", at(11)), "another's");
        assert!(echo.is_own(b"on", at(12)));
        assert!(!echo.is_own(b"on", at(13)), "another says the same");
        echo.said(b"on", at(20));
        assert!(!echo.is_own(b"on", at(2_500)), "ours was lost");
        for n in 0..1_000_u32 {
            echo.said(&n.to_le_bytes(), at(3_000));
        }
        assert_eq!(echo.0.len(), MOST);
    }
}
