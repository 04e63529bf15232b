//! What belongs here: fuzz targets. A [`Target`] is a function for each reader of bytes or text from outside, with what must hold for any
//! input: no panic, memory in bounds, what is accepted is what its writer writes.
//!
//! Two ways run it. [`campaign::run`] gives it the corpus and a fixed count of mutations of that, from a seed and without a clock: the bounded
//! run of `cargo test`. libFuzzer, guided by coverage, goes on from the same corpus for as long as wanted: `cargo xtask soak fuzz`.

pub mod campaign;
pub mod mutate;
pub mod targets;

/// What reads bytes: whether it took them. Panics where something does not hold.
pub type Run = fn(&[u8]) -> bool;

/// A reader under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and its folder's in `corpus/`.
    pub name: &'static str,
    /// What it does with one input.
    pub run: Run,
    /// Files of the repository that are seeds too, as glob patterns from its top.
    pub shipped: &'static [&'static str],
    /// The longest input, bytes: a longer seed is left out, a mutation is cut.
    pub longest: usize,
    /// The memory that one input may take at its worst: so many bytes, and so many for each byte of the input.
    pub memory: (u64, u64),
    /// Mutations in a bounded run: a second or two of them.
    pub cases: u32,
    /// Its reader catches the panics of a library that it stands on. Under libFuzzer any other panic ends the process where it happens.
    pub catches: bool,
}

impl Target {
    /// A target for text of ordinary size.
    pub const fn text(name: &'static str, run: Run, shipped: &'static [&'static str]) -> Target {
        Target { name, run, shipped, longest: 32 << 10, memory: (1 << 20, 200), cases: 6_000, catches: false }
    }

    /// A target for bytes of a message's size.
    pub const fn bytes(name: &'static str, run: Run) -> Target {
        Target {
            name,
            run,
            shipped: &[],
            longest: 4 << 10,
            memory: (64 << 10, 64),
            cases: 60_000,
            catches: false,
        }
    }

    /// As many cases as that.
    #[must_use]
    pub const fn cases(mut self, cases: u32) -> Target {
        self.cases = cases;
        self
    }

    /// Inputs of up to so many bytes.
    #[must_use]
    pub const fn longest(mut self, bytes: usize) -> Target {
        self.longest = bytes;
        self
    }

    /// So much memory, and so much for each byte.
    #[must_use]
    pub const fn memory(mut self, fixed: u64, each: u64) -> Target {
        self.memory = (fixed, each);
        self
    }

    /// A reader that catches what a library makes of an input.
    #[must_use]
    pub const fn catches(mut self) -> Target {
        self.catches = true;
        self
    }

    /// Files of the repository as seeds.
    #[must_use]
    pub const fn shipped(mut self, patterns: &'static [&'static str]) -> Target {
        self.shipped = patterns;
        self
    }

    /// Bytes that an input of that length may take at its worst.
    pub const fn allowed(&self, length: usize) -> u64 {
        self.memory.0 + self.memory.1 * length as u64
    }
}
