//! Heart rate and its variability from a photoplethysmogram: band-pass, systolic peaks, intervals, and what of them to believe.
//!
//! Peaks are found as by Elgendi, Norton, Brearley, Abbott and Schuurmans, "Systolic peak detection in acceleration
//! photoplethysmograms", PLoS ONE 8(10), 2013: band-pass 0.5 to 8 Hz, the negative part cut off, squared; a beat is where a
//! moving average of 111 ms is over one of 667 ms plus 2 % of the mean, for 111 ms at least. Theirs is off line; here it looks
//! at the last minute once a second, so every peak is judged with what came after it.
//!
//! An interval is *regular* when it is a heart's (30 to 200 a minute) and within 20 % of the median of its neighbours (the 20 % of
//! Malik et al. 1989, who compare with the interval before); ectopic beats and artefacts fail it. A beat whose height is far from the usual is an artefact. Rate
//! and variability rest on regular intervals alone and are unknown when these cover too little of the minute.
//!
//! The score: a rate under, and a variability over, the driver's own first minutes speak for drowsiness (both are signs of the
//! parasympathetic tone). It is trained on nothing, and breath, heat and coffee move both: its confidence is low.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};

use crate::{Evidence, Says, filter::Section, seconds};

/// Sample rates that are taken, Hz: the band's upper end needs 16 and some room; more than 256 is a waste.
pub const RATES_HZ: core::ops::RangeInclusive<f32> = 20.0..=256.0;
/// The window, seconds: the shortest that RMSSD is commonly given for is one minute.
const WINDOW_S: f64 = 60.0;
/// Samples held at most.
const HELD: usize = 60 * 256;
/// Beats held at most: they are [`REFRACTORY_S`] apart, so a window has no more than 223.
const BEATS: usize = 256;
const BAND_HZ: [f64; 2] = [0.5, 8.0];
/// The two moving averages, seconds.
const PEAK_S: f64 = 0.111;
const BEAT_S: f64 = 0.667;
/// The offset of the threshold, a share of the mean of the squared signal.
const OFFSET: f64 = 0.02;
/// No two beats are nearer than this, seconds: 200 a minute, and a little.
const REFRACTORY_S: f64 = 0.27;
/// A heart's intervals, seconds.
const INTERVAL_S: core::ops::RangeInclusive<f64> = 0.3..=2.0;
/// How far a regular interval is from the median of its neighbours.
const IRREGULAR: f64 = 0.2;
/// Neighbours on each side.
const NEIGHBOURS: usize = 3;
/// A beat this many times higher than usual is an artefact; one this many times lower is no beat but the wave behind the aortic
/// notch or a breath between two slow beats.
const HEIGHT: f64 = 2.5;
/// The usual height is that of the last minute whose rhythm was known throughout, for this long; else the upper quartile of this
/// minute, which small waves do not move. So a sensor that is shaken in step does not pass for a pulse within two minutes of one.
const USUAL: Duration = Duration::from_secs(120);
/// Samples whose distance in time from where they should be is more than this (seconds) begin anew.
const JITTER_S: f32 = 0.1;
/// After a gap the band-pass settles for this long (seconds) before samples count.
const SETTLE_S: f64 = 1.5;
/// The rate is known when regular intervals cover this share of the window ...
const RATE_COVERAGE: f64 = 0.5;
/// ... and the variability when they cover this one.
const RMSSD_COVERAGE: f64 = 0.75;
/// Looks (one a second) with a known pulse that the baseline is learnt from: four minutes.
const BASELINE_STEPS: u32 = 240;
/// The confidence at best.
const MOST_SURE: f32 = 0.4;

/// The heart's rhythm over the window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rhythm {
    /// Beats a minute, when known.
    pub rate_bpm: Option<f32>,
    /// Root mean square of successive differences, milliseconds, when known.
    pub rmssd_ms: Option<f32>,
    /// Share of the window in regular intervals.
    pub coverage: f32,
    /// Beats found.
    pub beats: u16,
    /// Intervals between them that were left out.
    pub irregular: u16,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Beat {
    /// Seconds from the window's first sample.
    at: f64,
    height: f64,
}

/// The pulse of one driver.
#[derive(Debug)]
pub struct Pulse {
    rate_hz: f64,
    band: Option<[Section; 2]>,
    settle: usize,
    /// Filtered samples; `NaN` where nothing was measured.
    samples: VecDeque<f32>,
    /// When the next sample should come, on the stamps' time line.
    next: Option<Time>,
    /// When the last sample reached this host.
    at: Option<Time>,
    squares: Vec<f64>,
    beats: Vec<Beat>,
    regular: Vec<bool>,
    rhythm: Rhythm,
    /// The height of a beat when the rhythm was last known throughout, and when that was.
    usual: Option<(f64, Time)>,
    learnt: u32,
    sum: [f64; 2],
}

impl Default for Pulse {
    fn default() -> Self {
        Pulse::new()
    }
}

impl Pulse {
    /// A pulse that nothing is known of.
    pub fn new() -> Pulse {
        Pulse {
            rate_hz: 0.0,
            band: None,
            settle: 0,
            samples: VecDeque::with_capacity(HELD),
            next: None,
            at: None,
            squares: Vec::with_capacity(HELD + 1),
            beats: Vec::with_capacity(BEATS),
            regular: Vec::with_capacity(BEATS),
            rhythm: Rhythm::default(),
            usual: None,
            learnt: 0,
            sum: [0.0; 2],
        }
    }

    /// Takes samples, the first of them at `stamp`; samples that are no numbers were not measured. A rate out of
    /// [`RATES_HZ`] is left out; another rate than before begins anew, and so do samples that do not follow the last.
    pub fn take(&mut self, stamp: Time, received: Time, rate_hz: f32, samples: &[f32]) {
        if !RATES_HZ.contains(&rate_hz) || samples.is_empty() {
            return;
        }
        let rate = f64::from(rate_hz);
        let follows = self
            .next
            .is_some_and(|next| seconds(next, stamp) <= JITTER_S && seconds(stamp, next) <= JITTER_S);
        if rate != self.rate_hz || !follows {
            if self.next.is_some_and(|next| rate == self.rate_hz && stamp < next) {
                return; // said before
            }
            self.begin(rate);
        }
        for sample in samples {
            self.sample(*sample);
        }
        self.next = Some(stamp + Duration::from_secs_f64(samples.len() as f64 / rate));
        self.at = Some(received);
    }

    fn begin(&mut self, rate: f64) {
        self.rate_hz = rate;
        self.samples.clear();
        self.usual = None;
        self.settle = (SETTLE_S * rate) as usize;
        self.band =
            Section::high_pass(rate, BAND_HZ[0]).zip(Section::low_pass(rate, BAND_HZ[1])).map(<[_; 2]>::from);
    }

    fn sample(&mut self, sample: f32) {
        let Some([high, low]) = &mut self.band else { return };
        while self.samples.len() >= ((WINDOW_S * self.rate_hz) as usize).min(HELD) {
            self.samples.pop_front();
        }
        if !sample.is_finite() {
            high.reset();
            low.reset();
            self.settle = (SETTLE_S * self.rate_hz) as usize;
            self.samples.push_back(f32::NAN);
            return;
        }
        let filtered = low.run(high.run(f64::from(sample)));
        if self.settle > 0 {
            self.settle -= 1;
            self.samples.push_back(f32::NAN);
        } else {
            self.samples.push_back(filtered as f32);
        }
    }

    /// Looks at the last minute; call it once a second. `now` is the host's.
    pub fn look(&mut self, now: Time) -> Rhythm {
        self.rhythm = Rhythm::default();
        let fresh = self.at.is_some_and(|at| seconds(at, now) < WINDOW_S as f32 / 10.0);
        if fresh && !self.samples.is_empty() {
            self.find_beats();
            self.judge_intervals(now);
            self.rhythm = self.measure();
            if self.rhythm.rmssd_ms.is_some() {
                self.usual = Some((self.regular_height(), now));
            }
            self.learn();
        }
        self.rhythm
    }

    /// What the last look found.
    pub fn rhythm(&self) -> Rhythm {
        self.rhythm
    }

    /// When the last sample reached this host.
    pub fn at(&self) -> Option<Time> {
        self.at
    }

    /// Elgendi's beats. `squares` holds the sum of the squared, cut samples before each, so that a moving average is one
    /// subtraction.
    fn find_beats(&mut self) {
        self.beats.clear();
        self.squares.clear();
        self.squares.push(0.0);
        let (mut sum, mut counted) = (0.0, 0_usize);
        for sample in &self.samples {
            let value = f64::from(*sample);
            if value.is_finite() {
                counted += 1;
                sum += value.max(0.0).powi(2);
            }
            self.squares.push(sum);
        }
        let offset = OFFSET * sum / counted.max(1) as f64;
        let count = self.samples.len();
        let mean = |middle: usize, width_s: f64| {
            let half = (width_s * self.rate_hz / 2.0).round() as usize;
            let (from, to) = (middle.saturating_sub(half), (middle + half + 1).min(count));
            (self.squares[to] - self.squares[from]) / (to - from) as f64
        };
        let least = (PEAK_S * self.rate_hz).round() as usize;
        let mut began = None;
        for n in 0..=count {
            let inside =
                n < count && self.samples[n].is_finite() && mean(n, PEAK_S) > mean(n, BEAT_S) + offset;
            match (inside, began) {
                (true, None) => began = Some(n),
                (false, Some(from)) => {
                    began = None;
                    if n - from >= least
                        && let Some(beat) = summit(&self.samples, self.rate_hz, from, n)
                    {
                        add(&mut self.beats, beat);
                    }
                }
                _ => {}
            }
        }
    }

    /// Leaves out what is too low for a beat, then says which of the intervals between two beats (`regular[i]` is that from beat i
    /// to the next) are a heart's.
    fn judge_intervals(&mut self, now: Time) {
        let mut scratch = [0.0; BEATS];
        let heights = self.beats.iter().map(|beat| beat.height);
        let usual = match self.usual {
            Some((usual, at)) if now.since(at) <= USUAL => usual,
            _ => quantile(&mut scratch, 0.75, heights),
        };
        self.beats.retain(|beat| beat.height > usual / HEIGHT);
        let sound = |beat: &Beat| beat.height < HEIGHT * usual;
        let intervals = self.beats.len().saturating_sub(1);
        let interval = |n: usize| self.beats[n + 1].at - self.beats[n].at;
        self.regular.clear();
        for n in 0..intervals {
            let near = n.saturating_sub(NEIGHBOURS)..(n + NEIGHBOURS + 1).min(intervals);
            let centre = quantile(&mut scratch, 0.5, near.filter(|other| *other != n).map(interval));
            let regular = INTERVAL_S.contains(&interval(n))
                && (interval(n) - centre).abs() <= IRREGULAR * centre
                && sound(&self.beats[n])
                && sound(&self.beats[n + 1]);
            self.regular.push(regular);
        }
    }

    /// The median height of the beats whose interval is regular.
    fn regular_height(&self) -> f64 {
        let regular = self.beats.iter().zip(&self.regular).filter(|(_, regular)| **regular);
        quantile(&mut [0.0; BEATS], 0.5, regular.map(|(beat, _)| beat.height))
    }

    fn measure(&self) -> Rhythm {
        let interval = |n: usize| self.beats[n + 1].at - self.beats[n].at;
        let (mut sum, mut count) = (0.0, 0_u16);
        let (mut squares, mut pairs) = (0.0, 0_u16);
        for n in (0..self.regular.len()).filter(|n| self.regular[*n]) {
            sum += interval(n);
            count += 1;
            if n > 0 && self.regular[n - 1] {
                squares += (interval(n) - interval(n - 1)).powi(2);
                pairs += 1;
            }
        }
        let coverage = sum / WINDOW_S;
        let known = |least: f64| coverage >= least && count > 0 && pairs > 0;
        Rhythm {
            rate_bpm: known(RATE_COVERAGE).then(|| (60.0 * f64::from(count) / sum) as f32),
            rmssd_ms: known(RMSSD_COVERAGE).then(|| (1000.0 * (squares / f64::from(pairs)).sqrt()) as f32),
            coverage: coverage.min(1.0) as f32,
            beats: self.beats.len() as u16,
            irregular: self.regular.len() as u16 - count,
        }
    }

    fn learn(&mut self) {
        if self.learnt < BASELINE_STEPS
            && let (Some(rate), Some(rmssd)) = (self.rhythm.rate_bpm, self.rhythm.rmssd_ms)
        {
            self.sum[0] += f64::from(rate);
            self.sum[1] += f64::from(rmssd.max(1.0).ln());
            self.learnt += 1;
        }
    }

    /// What the pulse says.
    pub fn says(&self) -> Says {
        if self.learnt < BASELINE_STEPS {
            return match self.learnt {
                0 => Says::Nothing,
                learnt => Says::Calibrating(learnt as f32 / BASELINE_STEPS as f32),
            };
        }
        /// A rate this share under the usual, or a variability this many times over it, speaks with one log-odd.
        const SLOWER: f32 = 0.1;
        const MORE: f32 = 2.0;
        let [rate, ln_rmssd] = self.sum.map(|sum| (sum / f64::from(BASELINE_STEPS)) as f32);
        let Rhythm { rate_bpm: Some(now), rmssd_ms, coverage, .. } = self.rhythm else {
            return Says::Nothing;
        };
        let slower = (rate - now) / rate / SLOWER;
        let varied = rmssd_ms.map_or(0.0, |now| (now.max(1.0).ln() - ln_rmssd) / MORE.ln());
        let evidence =
            self.at.and_then(|at| Evidence::new((slower + varied) / 2.0, MOST_SURE * coverage, at));
        evidence.map_or(Says::Nothing, Says::Evidence)
    }

    /// Another driver may be there.
    pub fn forget(&mut self) {
        self.samples.clear();
        (self.next, self.at, self.rhythm) = (None, None, Rhythm::default());
        (self.usual, self.learnt, self.sum) = (None, 0, [0.0; 2]);
    }
}

/// The highest sample of a block, its time refined by a parabola through it and its neighbours.
fn summit(samples: &VecDeque<f32>, rate_hz: f64, from: usize, to: usize) -> Option<Beat> {
    let top = (from..to).max_by(|a, b| samples[*a].total_cmp(&samples[*b]))?;
    let value = |n: usize| samples.get(n).map(|v| f64::from(*v)).filter(|v| v.is_finite());
    let height = value(top)?;
    let mut at = top as f64;
    if let (Some(before), Some(after)) = (top.checked_sub(1).and_then(value), value(top + 1)) {
        let bend = before - 2.0 * height + after;
        if bend < 0.0 {
            at += (0.5 * (before - after) / bend).clamp(-0.5, 0.5);
        }
    }
    (height > 0.0).then_some(Beat { at: at / rate_hz, height })
}

/// Adds a beat; of two that are too near, the higher one stays.
fn add(beats: &mut Vec<Beat>, beat: Beat) {
    let near = beats.last_mut().filter(|last| beat.at - last.at < REFRACTORY_S);
    if let Some(last) = near {
        if beat.height > last.height {
            *last = beat;
        }
    } else if beats.len() < BEATS {
        beats.push(beat);
    }
}

/// What this share of up to [`BEATS`] numbers is under; 0 of none.
fn quantile(scratch: &mut [f64; BEATS], share: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut count = 0;
    for (slot, value) in scratch.iter_mut().zip(values) {
        *slot = value;
        count += 1;
    }
    let held = &mut scratch[..count];
    held.sort_unstable_by(f64::total_cmp);
    held.get((share * count as f64) as usize).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
