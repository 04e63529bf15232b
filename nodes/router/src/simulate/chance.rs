//! Chance by a seed: the same on every machine.

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// Of a seed and of what it is for: another sequence for each.
    pub(crate) fn of(seed: u64, what: &[u64]) -> Chance {
        let mixed =
            what.iter().fold(seed, |mixed, part| Chance(mixed ^ part.wrapping_mul(0x9e37_79b9)).next());
        Chance(mixed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to 1, without 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// Exponential.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_sequence_is_the_one_of_splitmix64() {
        // The reference implementation's first numbers for this seed (Vigna, splitmix64.c).
        let mut chance = Chance::new(1_234_567);
        let first = [(); 5].map(|()| chance.next());
        let reference = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(first, reference);
    }

    #[test]
    fn each_seed_and_each_thing_has_a_sequence_of_its_own() {
        let first = |seed, what: &[u64]| Chance::of(seed, what).next();
        let all = [0, 1, u64::MAX]
            .map(|seed| [first(seed, &[1]), first(seed, &[2]), first(seed, &[1, 2]), first(seed, &[2, 1])]);
        let different: std::collections::BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(different.len(), 12);
    }

    #[test]
    fn its_distributions_have_the_means_and_the_spread_that_they_are_named_for() {
        let mut chance = Chance::new(5);
        let mut mean =
            |draw: fn(&mut Chance) -> f64| (0..20_000).map(|_| draw(&mut chance)).sum::<f64>() / 20_000.0;
        let near = |got: f64, wanted: f64| (got - wanted).abs() < 0.03;
        assert!(near(mean(Chance::uniform), 0.5) && near(mean(|chance| chance.uniform().powi(2)), 1.0 / 3.0));
        assert!(near(mean(Chance::normal), 0.0) && near(mean(|chance| chance.normal().powi(2)), 1.0));
        assert!(near(mean(|chance| chance.exponential(2.0)) / 2.0, 1.0));
        assert!(near(mean(|chance| f64::from(u8::from(chance.exponential(2.0) > 2.0))), (-1.0_f64).exp()));
        assert!(
            (0..20_000).all(|_| (0.0..1.0).contains(&chance.uniform()) && chance.exponential(1.0) >= 0.0)
        );
    }
}
