//! Chance from a seed, the same bits on every machine.

/// A source of chance.
#[derive(Debug, Clone)]
pub struct Chance(fastrand::Rng);

impl Chance {
    /// From a seed, and what it is for: two uses of one seed are independent.
    pub fn new(seed: u64, what_for: u64) -> Chance {
        Chance(fastrand::Rng::with_seed(seed.rotate_left(17) ^ what_for.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// 0..1.
    pub fn unit(&mut self) -> f32 {
        self.0.f32()
    }

    /// A whole number below `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0.usize(0..below.max(1))
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Mean 0, standard deviation 1.
    pub fn normal(&mut self) -> f32 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        libm::sqrtf(-2.0 * libm::logf(a)) * libm::cosf(core::f32::consts::TAU * b)
    }

    /// Whether something that happens so often a second happens in a step of `step` seconds.
    pub fn happens(&mut self, a_second: f32, step: f32) -> bool {
        self.unit() < a_second * step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_sequence_and_its_uses_are_apart() {
        let draw = |seed, what| {
            let mut chance = Chance::new(seed, what);
            [chance.normal(), chance.unit()].map(f32::to_bits)
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn it_has_the_spread_that_it_says() {
        let mut chance = Chance::new(3, 0);
        let many: Vec<f32> = (0..20_000).map(|_| chance.normal()).collect();
        let mean = many.iter().sum::<f32>() / 20_000.0;
        let var = many.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (var - 1.0).abs() < 0.05, "{mean} {var}");
    }
}
