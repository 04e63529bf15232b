//! Butterworth sections of second order, by the crate `biquad`, that begin settled: the first sample is taken to have stood
//! for ever, so a signal far from zero does not ring.

use biquad::{Biquad as _, Coefficients, DirectForm2Transposed, Hertz, Q_BUTTERWORTH_F64, Type};

/// One section.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    coefficients: Coefficients<f64>,
    filter: DirectForm2Transposed<f64>,
    settled: bool,
}

impl Section {
    /// A low-pass; `None` unless 0 < `cut_hz` < `rate_hz` / 2.
    pub(crate) fn low_pass(rate_hz: f64, cut_hz: f64) -> Option<Section> {
        Section::new(Type::LowPass, rate_hz, cut_hz)
    }

    /// A high-pass, likewise.
    pub(crate) fn high_pass(rate_hz: f64, cut_hz: f64) -> Option<Section> {
        Section::new(Type::HighPass, rate_hz, cut_hz)
    }

    fn new(kind: Type<f64>, rate_hz: f64, cut_hz: f64) -> Option<Section> {
        if !(rate_hz.is_finite() && cut_hz > 0.0 && cut_hz < rate_hz / 2.0) {
            return None;
        }
        let rate = Hertz::<f64>::from_hz(rate_hz).ok()?;
        let cut = Hertz::<f64>::from_hz(cut_hz).ok()?;
        let coefficients = Coefficients::<f64>::from_params(kind, rate, cut, Q_BUTTERWORTH_F64).ok()?;
        Some(Section { coefficients, filter: DirectForm2Transposed::new(coefficients), settled: false })
    }

    /// The next sample.
    pub(crate) fn run(&mut self, input: f64) -> f64 {
        if !self.settled {
            let Coefficients { a1, a2, b0, b1, b2 } = self.coefficients;
            let output = input * (b0 + b1 + b2) / (1.0 + a1 + a2);
            self.filter.s2 = b2 * input - a2 * output;
            self.filter.s1 = b1 * input - a1 * output + self.filter.s2;
            self.settled = true;
        }
        self.filter.run(input)
    }

    /// Forgets all samples.
    pub(crate) fn reset(&mut self) {
        self.settled = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amplitude of a sine of `hz` after 20 s, sampled at 50 Hz.
    fn gain(mut section: Section, hz: f64) -> f64 {
        let rate = 50.0;
        let mut most: f64 = 0.0;
        for n in 0..2000 {
            let out = section.run((core::f64::consts::TAU * hz * f64::from(n) / rate).sin());
            if n > 1000 {
                most = most.max(out.abs());
            }
        }
        most
    }

    #[test]
    fn a_cut_off_is_where_half_the_power_is_left() {
        let half = core::f64::consts::FRAC_1_SQRT_2;
        let low = || Section::low_pass(50.0, 0.6).expect("sound");
        let high = || Section::high_pass(50.0, 0.6).expect("sound");
        assert!((gain(low(), 0.6) - half).abs() < 0.01 && (gain(high(), 0.6) - half).abs() < 0.01);
        assert!(gain(low(), 0.1) > 0.99 && gain(low(), 6.0) < 0.02);
        assert!(gain(high(), 0.06) < 0.02 && gain(high(), 6.0) > 0.99);
    }

    #[test]
    fn a_signal_that_stands_far_from_zero_does_not_ring() {
        let mut low = Section::low_pass(50.0, 2.0).expect("sound");
        let mut high = Section::high_pass(50.0, 0.5).expect("sound");
        for _ in 0..100 {
            assert!((low.run(512.0) - 512.0).abs() < 1e-6);
            assert!(high.run(512.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_filter_that_cannot_be_is_none() {
        assert!(Section::low_pass(50.0, 25.0).is_none() && Section::low_pass(f64::NAN, 1.0).is_none());
        assert!(Section::high_pass(50.0, 0.0).is_none() && Section::low_pass(50.0, f64::NAN).is_none());
    }
}
