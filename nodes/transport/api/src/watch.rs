//! For transports that know their graph by themselves: who wants to know of its changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{OnGraph, Subscription};

/// None when it has ended.
type Watcher = Arc<Mutex<Option<OnGraph>>>;

/// Those that watch a graph. Clones share them.
#[derive(Clone, Default)]
pub struct Watchers(Arc<Mutex<Vec<Watcher>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watchers {
    /// Something has changed. Called with no lock of the transport's held.
    pub fn tell(&self) {
        let all = lock(&self.0).clone();
        for watcher in all {
            if let Some(on_change) = &mut *lock(&watcher) {
                on_change();
            }
        }
    }

    /// One more, until what is returned is dropped; that waits for a call under way, so never drop it inside its own.
    pub fn add(&self, on_change: OnGraph) -> Box<dyn Subscription> {
        let watcher = Arc::new(Mutex::new(Some(on_change)));
        lock(&self.0).push(watcher.clone());
        Box::new(Watching { watcher, among: self.clone() })
    }
}

struct Watching {
    watcher: Watcher,
    among: Watchers,
}

impl Subscription for Watching {}

impl Drop for Watching {
    fn drop(&mut self) {
        lock(&self.among.0).retain(|one| !Arc::ptr_eq(one, &self.watcher));
        // Waits for a call that is under way.
        drop(lock(&self.watcher).take());
    }
}
