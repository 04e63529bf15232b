//! The other end's half of exactly once: which keys of whom have arrived. Pure and bounded; whoever must remember across its own crashes
//! keeps the same in its store.

use std::collections::{HashMap, HashSet, VecDeque};

/// The last keys of each sender.
#[derive(Debug, Clone)]
pub struct Seen {
    most: usize,
    senders: HashMap<String, (VecDeque<String>, HashSet<String>)>,
}

impl Seen {
    /// So many keys of each sender. More than a sender's outbox holds and remembers, or an old one counts as new.
    pub fn new(most: usize) -> Seen {
        Seen { most: most.max(1), senders: HashMap::new() }
    }

    /// Whether this is its first arrival. `sender` is who the certificate says it is, not who the message says.
    pub fn first(&mut self, sender: &str, key: &str) -> bool {
        let (order, keys) = self.senders.entry(sender.to_owned()).or_default();
        if !keys.insert(key.to_owned()) {
            return false;
        }
        order.push_back(key.to_owned());
        if order.len() > self.most
            && let Some(oldest) = order.pop_front()
        {
            keys.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_twice_counts_once_and_each_sender_by_itself() {
        troika_safety::verifies![SR_OUT_002];
        let mut seen = Seen::new(2);
        assert!(seen.first("anna", "1"));
        assert!(!seen.first("anna", "1"));
        assert!(seen.first("bruno", "1"));
        assert!(seen.first("anna", "2") && seen.first("anna", "3"));
        assert!(seen.first("anna", "1"), "more than it was made for");
    }
}
