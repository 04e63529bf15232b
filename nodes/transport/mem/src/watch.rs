//! Who wants to know of changes of the graph.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use troika_transport::{OnGraph, Subscription};

/// None when it has ended.
type Watcher = Arc<Mutex<Option<OnGraph>>>;

#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<Vec<Watcher>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watchers {
    /// Something has changed; no lock of the transport's is held.
    pub(super) fn tell(&self) {
        let all = lock(&self.0).clone();
        for watcher in all {
            if let Some(on_change) = &mut *lock(&watcher) {
                on_change();
            }
        }
    }

    pub(super) fn add(&self, on_change: OnGraph) -> Box<dyn Subscription> {
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
