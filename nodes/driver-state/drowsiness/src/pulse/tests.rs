//! On a synthetic pulse with known beats: no openly licensed recording was at hand, so nothing here says how well real skin,
//! real sensors and real motion are dealt with.

use super::*;

/// A generator of numbers in 0..1: the same each time.
struct Random(u64);
impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of mean 0 and deviation 1, nearly.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// A synthetic driver.
struct Heart {
    bpm: f64,
    /// Deviation of an interval from the one before, seconds.
    varies: f64,
    noise: f64,
    /// One beat of this many comes early and weak, the next late.
    ectopic_every: usize,
    /// From, to, seconds: the sensor is shaken.
    shaken: [f64; 2],
}

const STILL: Heart = Heart { bpm: 66.0, varies: 0.02, noise: 0.0, ectopic_every: 0, shaken: [0.0; 2] };

impl Heart {
    /// Beats up to `seconds`: when, and how strong.
    fn beats(&self, seconds: f64, random: &mut Random) -> Vec<(f64, f64)> {
        let (mut at, mut beats) = (0.3, Vec::new());
        while at < seconds {
            let n = beats.len();
            let usual = 60.0 / self.bpm + self.varies * random.normal();
            let (step, strength) = match self.ectopic_every {
                0 => (usual, 1.0),
                // Comes at two thirds of its time, and the next after a pause that makes up for it.
                every if n % every == every - 2 => (0.65 * usual, 1.0),
                every if n % every == every - 1 => (1.35 * usual, 0.6),
                _ => (usual, 1.0),
            };
            beats.push((at, strength));
            at += step;
        }
        beats
    }

    /// Samples: each beat a systolic wave and a smaller one after the notch, on a breathing base line.
    fn samples(&self, rate: f64, seconds: f64) -> (Vec<(f64, f64)>, Vec<f32>) {
        let mut random = Random(7);
        let beats = self.beats(seconds, &mut random);
        let wave = |t: f64, centre: f64, width: f64| (-((t - centre) / width).powi(2) / 2.0).exp();
        let mut first = 0;
        let samples = (0..(seconds * rate) as usize)
            .map(|n| {
                let t = n as f64 / rate;
                while beats.get(first).is_some_and(|(at, _)| t - at > 2.0) {
                    first += 1;
                }
                let near = beats[first..].iter().take_while(|(at, _)| *at < t + 0.5);
                let blood: f64 = near
                    .map(|(at, strength)| {
                        strength * (wave(t, at + 0.15, 0.07) + 0.35 * wave(t, at + 0.42, 0.08))
                    })
                    .sum();
                let breath = 0.6 * (core::f64::consts::TAU * 0.25 * t).sin();
                let shaken = (self.shaken[0]..self.shaken[1]).contains(&t);
                let motion = if shaken {
                    8.0 * (core::f64::consts::TAU * 1.7 * t).sin() + 6.0 * random.normal()
                } else {
                    0.0
                };
                (500.0 + blood + breath + motion + self.noise * random.normal()) as f32
            })
            .collect();
        (beats, samples)
    }
}

fn at(seconds: f64) -> Time {
    Time::from_nanos(1_700_000_000_000_000_000 + (seconds * 1e9) as u64)
}

/// Gives the samples second by second and looks after each; the rhythm at the end of each second.
fn watch(pulse: &mut Pulse, from_s: f64, rate: f64, samples: &[f32]) -> Vec<Rhythm> {
    let mut seen = Vec::new();
    for (n, second) in samples.chunks(rate as usize).enumerate() {
        let start = from_s + n as f64;
        pulse.take(at(start), at(start + 1.0), rate as f32, second);
        seen.push(pulse.look(at(start + 1.0)));
    }
    seen
}

fn last(heart: &Heart, rate: f64) -> Rhythm {
    let (_, samples) = heart.samples(rate, 70.0);
    *watch(&mut Pulse::new(), 0.0, rate, &samples).last().expect("seconds")
}

/// The root mean square of the true successive differences, ms, over the last minute.
fn true_rmssd(heart: &Heart, rate: f64) -> f64 {
    let (beats, _) = heart.samples(rate, 70.0);
    let times: Vec<f64> = beats.iter().map(|beat| beat.0).filter(|at| *at > 10.0).collect();
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let squares: Vec<f64> = steps.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).collect();
    1000.0 * (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

#[test]
fn the_rate_is_right_from_40_to_160_beats_a_minute_and_at_every_sample_rate() {
    for bpm in [40.0, 55.0, 70.0, 100.0, 130.0, 160.0] {
        for rate in [25.0, 50.0, 100.0, 250.0] {
            let found = last(&Heart { bpm, varies: 0.01, noise: 0.03, ..STILL }, rate);
            let read = f64::from(found.rate_bpm.unwrap_or_else(|| panic!("{bpm} at {rate}: {found:?}")));
            assert!((read - bpm).abs() < 0.02 * bpm, "{bpm} read as {read} at {rate} Hz");
        }
    }
}

#[test]
fn variability_is_right_within_a_tenth_and_a_few_milliseconds() {
    for varies in [0.015, 0.03, 0.05] {
        let heart = Heart { varies, ..STILL };
        let (truth, read) = (true_rmssd(&heart, 100.0), last(&heart, 100.0).rmssd_ms.expect("known"));
        assert!((f64::from(read) - truth).abs() < 0.1 * truth + 3.0, "{truth} read as {read}");
    }
}

#[test]
fn noise_of_a_fifth_of_a_beat_is_borne() {
    let found = last(&Heart { noise: 0.2, ..STILL }, 100.0);
    assert!((found.rate_bpm.expect("known") - 66.0).abs() < 2.0, "{found:?}");
}

#[test]
fn ectopic_beats_are_left_out_of_rate_and_variability() {
    let heart = Heart { ectopic_every: 12, ..STILL };
    let found = last(&heart, 100.0);
    assert!((found.rate_bpm.expect("known") - 66.0).abs() < 1.5, "{found:?}");
    // One in twelve of 66: five or six a minute, some of which are too weak to be beats at all.
    assert!(found.irregular >= 5, "{found:?}");
    // Left in, the early and the late interval would make it over 150 ms.
    assert!(true_rmssd(&heart, 100.0) > 100.0);
    assert!(found.rmssd_ms.is_none_or(|read| read < 45.0), "{found:?}");
}

#[test]
fn a_shaken_sensor_is_left_out_and_when_it_is_shaken_too_long_nothing_is_known() {
    let short = Heart { shaken: [40.0, 48.0], ..STILL };
    let found = last(&short, 100.0);
    assert!((found.rate_bpm.expect("most of it is sound") - 66.0).abs() < 2.0, "{found:?}");
    // In step, at 102 a minute: it would pass for a pulse but for its height.
    let (_, samples) = Heart { shaken: [80.0, 130.0], ..STILL }.samples(100.0, 220.0);
    let rhythms = watch(&mut Pulse::new(), 0.0, 100.0, &samples);
    assert!((rhythms[79].rate_bpm.expect("known before") - 66.0).abs() < 2.0);
    assert_eq!((rhythms[129].rate_bpm, rhythms[129].rmssd_ms), (None, None), "{:?}", rhythms[129]);
    assert!(rhythms[80..].iter().all(|r| r.rate_bpm.is_none_or(|read| (read - 66.0).abs() < 3.0)));
    assert!((rhythms[219].rate_bpm.expect("known again") - 66.0).abs() < 2.0);
}

#[test]
fn a_flat_line_noise_alone_and_silence_have_no_pulse() {
    let mut random = Random(3);
    let noise: Vec<f32> = (0..7000).map(|_| (500.0 + random.normal()) as f32).collect();
    let missing = vec![f32::NAN; 7000];
    let flat = vec![500.0; 7000];
    for (what, samples) in [("noise", noise), ("missing", missing), ("flat", flat)] {
        let rhythms = watch(&mut Pulse::new(), 0.0, 100.0, &samples);
        assert!(rhythms.iter().all(|r| r.rmssd_ms.is_none()), "{what}");
        assert!(rhythms.iter().all(|r| r.rate_bpm.is_none()), "{what} has a pulse");
    }
    assert_eq!(Pulse::new().look(at(5.0)), Rhythm::default());
}

#[test]
fn a_stream_that_stops_is_unknown_within_seconds_and_a_gap_begins_anew() {
    let (_, samples) = STILL.samples(100.0, 70.0);
    let mut pulse = Pulse::new();
    watch(&mut pulse, 0.0, 100.0, &samples);
    assert!(pulse.look(at(75.0)).rate_bpm.is_some());
    assert_eq!(pulse.look(at(76.5)), Rhythm::default());
    let after = watch(&mut pulse, 100.0, 100.0, &samples[..2000]);
    assert_eq!(after.last().expect("seconds").rate_bpm, None, "20 s are too little");
}

#[test]
fn rates_that_cannot_be_used_and_samples_told_twice_are_left_out() {
    let mut pulse = Pulse::new();
    for rate in [0.0, -100.0, 10.0, 1000.0, f32::NAN, f32::INFINITY] {
        pulse.take(at(0.0), at(0.0), rate, &[1.0; 100]);
    }
    pulse.take(at(0.0), at(0.0), 100.0, &[]);
    assert_eq!(pulse.at(), None);
    let (_, samples) = STILL.samples(100.0, 70.0);
    let mut pulse = Pulse::new();
    for (n, second) in samples.chunks(100).enumerate() {
        for _ in 0..2 {
            pulse.take(at(n as f64), at(n as f64 + 1.0), 100.0, second);
        }
    }
    assert!((pulse.look(at(70.0)).rate_bpm.expect("known") - 66.0).abs() < 1.0);
}

#[test]
fn a_pulse_that_slows_and_varies_more_than_at_first_speaks_for_drowsiness() {
    let mut pulse = Pulse::new();
    assert_eq!(pulse.says(), Says::Nothing);
    let usual = Heart { bpm: 72.0, ..STILL }.samples(50.0, 330.0).1;
    watch(&mut pulse, 0.0, 50.0, &usual[..50 * 200]);
    assert!(matches!(pulse.says(), Says::Calibrating(_)));
    watch(&mut pulse, 200.0, 50.0, &usual[50 * 200..]);
    let calm = pulse.says().evidence().expect("calibrated");
    assert!(calm.log_odds().abs() < 0.5 && calm.confidence() > 0.3, "{calm:?}");
    let slow = Heart { bpm: 60.0, varies: 0.045, ..STILL }.samples(50.0, 80.0).1;
    watch(&mut pulse, 330.0, 50.0, &slow);
    let drowsy = pulse.says().evidence().expect("calibrated");
    assert!(drowsy.log_odds() > 0.8, "{drowsy:?}");
}
