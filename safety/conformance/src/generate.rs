//! What belongs here: traces from seeds, boundary first: for each rule scenes that end just under, at and just over its
//! limit, and for one trace in three a random mix.
//!
//! The same seed gives the same trace everywhere. A scene knows the numbers of the table only to aim at them: what it
//! hit, with jitter and lost frames, is for the oracle to say.

mod random;
mod scenes;
mod script;

use crate::trace::Trace;
pub use random::Random;
pub use script::{Cadence, Look, Script, film};

/// The trace of a seed.
#[must_use]
pub fn generate(seed: u64) -> Trace {
    let mut random = Random::new(seed);
    let script = if seed % 3 == 2 { scenes::mix(&mut random) } else { scenes::boundary(&mut random) };
    film(&script, seed, &mut random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_trace() {
        // Not by `==`: what is not seen is NaN.
        for seed in 0..50 {
            assert_eq!(format!("{:?}", generate(seed)), format!("{:?}", generate(seed)));
        }
    }

    #[test]
    fn stamps_increase_and_traces_have_a_sensible_length() {
        for seed in 0..2_000 {
            let trace = generate(seed);
            assert_eq!(trace.check(), Ok(()), "seed {seed}");
            let (first, last) = (trace.frames[0].stamp_ns, trace.frames[trace.frames.len() - 1].stamp_ns);
            let length = crate::time::seconds(last - first);
            assert!((8.0..175.0).contains(&length), "seed {seed}: {length} s, {}", trace.name);
        }
    }

    #[test]
    fn splitmix64_gives_its_published_numbers() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.draw(), 6_457_827_717_110_365_317);
        assert_eq!(random.draw(), 3_203_168_211_198_807_973);
    }
}
