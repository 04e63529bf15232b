//! Between the thread that gets a message and the one that sends it on: the last so many; an older one makes room and is counted.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
};

use troika_kit::Duration;

/// Keeps the last `depth`.
#[derive(Debug)]
pub struct Queue<T> {
    depth: usize,
    held: Mutex<VecDeque<T>>,
    filled: Condvar,
}

impl<T> Queue<T> {
    /// An empty one; a depth of 0 is taken as 1.
    pub fn new(depth: usize) -> Queue<T> {
        Queue { depth: depth.max(1), held: Mutex::default(), filled: Condvar::new() }
    }

    /// Puts one in; true when the oldest had to make room.
    pub fn put(&self, one: T) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let full = held.len() == self.depth;
        if full {
            held.pop_front();
        }
        held.push_back(one);
        drop(held);
        self.filled.notify_one();
        full
    }

    /// The oldest, waiting so long at most.
    pub fn take(&self, within: Duration) -> Option<T> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.filled.wait_timeout_while(held, within, |held| held.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_in_order_and_who_had_to_go_is_told() {
        let queue = Queue::new(3);
        let full: Vec<bool> = (1..=5).map(|n| queue.put(n)).collect();
        assert_eq!(full, [false, false, false, true, true]);
        let kept: Vec<i32> = std::iter::from_fn(|| queue.take(Duration::ZERO)).collect();
        assert_eq!(kept, [3, 4, 5]);
    }
}
