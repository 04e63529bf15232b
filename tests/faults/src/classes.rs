//! Every class of faults: what is injected, what counts as noticed, what would be unsafe, and within what time, by which requirement.

mod cloud;
mod monitoring;
mod seals;
mod sensing;
mod storage;
mod vehicle;

use crate::class::Class;

/// All of them, in the order of a round.
pub fn all() -> Vec<Class> {
    let groups = [
        seals::CLASSES,
        monitoring::CLASSES,
        vehicle::CLASSES,
        cloud::CLASSES,
        sensing::CLASSES,
        storage::CLASSES,
    ];
    groups.into_iter().flatten().copied().collect()
}
