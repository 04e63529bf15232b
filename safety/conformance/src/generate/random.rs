//! What belongs here: a small generator of random numbers that gives the same ones everywhere and for ever.

use crate::time::Ns;

/// splitmix64 (Steele, Lea, Flood 2014): one addition and three mixing steps for each number.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Any seed is as good as any other, 0 too.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, uniform over all 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to `n - 1`; 0 for none. The bias is far below what a test could see.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.draw() % (n.max(1) as u64)).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: Ns, high: Ns) -> Ns {
        let width = u64::try_from(high - low).unwrap_or(0).saturating_add(1);
        low + Ns::try_from(self.draw() % width).unwrap_or(0)
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    /// One of the values; the first when there is no choice.
    pub fn pick<T: Copy, const N: usize>(&mut self, values: [T; N]) -> T {
        const { assert!(N > 0, "something to pick from") };
        values[self.below(N)]
    }
}
