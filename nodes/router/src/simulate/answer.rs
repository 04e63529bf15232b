//! One answer: when each of its tokens is there, and what the driver hears of it.

use super::{air::Air, chance::Chance, world::ModelTruth};
use crate::predict::{BYTES_A_REQUEST, BYTES_A_TOKEN, SPEECH_TOKENS_PER_S};

/// When the tokens of an answer are there, s.
pub(crate) type Tokens = Vec<f64>;

/// Of a model on the vehicle, begun at `from`.
pub(crate) fn local(
    model: &ModelTruth,
    from: f64,
    prompt_tokens: f64,
    tokens: usize,
    chance: &mut Chance,
) -> Tokens {
    let first = model.first_token_s * (model.spread * chance.normal()).exp();
    let reads = model.prompt_tokens_per_s.map_or(0.0, |rate| prompt_tokens / rate);
    (0..tokens).map(|n| from + reads + first + n as f64 / model.tokens_per_s).collect()
}

/// Of a model in the cloud, asked at `from`. `open`: there is a connection.
pub(crate) fn cloud(
    model: &ModelTruth,
    air: &Air,
    from: f64,
    open: bool,
    prompt_bytes: f64,
    tokens: usize,
    chance: &mut Chance,
) -> Tokens {
    let round_trips = if open { 1 } else { 3 };
    let connected = air.through(from, round_trips, |time| air.rtt(time));
    let upload = |time| (BYTES_A_REQUEST + prompt_bytes) * 8.0 / 1000.0 / air.up_kbps(time).max(1.0);
    let asked = air.through(connected[round_trips - 1], 1, upload)[0];
    let first = model.first_token_s * (model.spread * chance.normal()).exp();
    let token =
        |time| (BYTES_A_TOKEN * 8.0 / 1000.0 / air.down_kbps(time).max(1.0)).max(1.0 / model.tokens_per_s);
    air.through(asked + first, tokens, token)
}

/// What is heard of an answer that was asked at `asked`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heard {
    /// To the first word, s.
    pub(crate) first_s: f64,
    /// The longest silence within it, once what was there had been spoken, s.
    pub(crate) silence_s: f64,
}

/// Speech takes tokens as they are there, at the rate of speech. No token: nothing is heard.
pub(crate) fn heard(asked: f64, tokens: &[f64]) -> Option<Heard> {
    let first = *tokens.first()?;
    let (mut spoken, mut silence) = (first, 0.0_f64);
    for there in tokens {
        silence = silence.max(there - spoken);
        spoken = spoken.max(*there) + 1.0 / SPEECH_TOKENS_PER_S;
    }
    Some(Heard { first_s: first - asked, silence_s: silence })
}

/// Where a stream has got nothing for `patience`: after which token, and when that is noticed.
pub(crate) fn stall(from: f64, tokens: &[f64], patience: f64) -> Option<(usize, f64)> {
    let mut before = from;
    for (n, there) in tokens.iter().enumerate() {
        if there - before > patience {
            return Some((n, before + patience));
        }
        before = *there;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_what_is_there_covers_is_not_heard() {
        // Eight tokens at once are two seconds of speech; the ninth comes after one, or after five.
        let burst = |ninth: f64| [[10.0; 8].as_slice(), &[ninth]].concat();
        assert_eq!(heard(9.0, &burst(11.0)), Some(Heard { first_s: 1.0, silence_s: 0.0 }));
        assert_eq!(heard(9.0, &burst(15.0)), Some(Heard { first_s: 1.0, silence_s: 3.0 }));
        assert_eq!(heard(9.0, &[]), None);
    }

    #[test]
    fn a_stall_is_noticed_when_patience_is_over() {
        assert_eq!(stall(0.0, &[0.5, 0.6, 3.0], 1.0), Some((2, 1.6)));
        assert_eq!(stall(0.0, &[2.0], 1.0), Some((0, 1.0)));
        assert_eq!(stall(0.0, &[0.5, 0.6], 1.0), None);
    }

    fn model(name: &str, spread: f64) -> ModelTruth {
        let mut model = super::super::world::Outcome::built_in().model(name).unwrap().clone();
        model.spread = spread;
        model
    }

    fn near(got: &[f64], wanted: &[f64]) {
        let apart = got.iter().zip(wanted).map(|(got, wanted)| (got - wanted).abs()).fold(0.0, f64::max);
        assert!(got.len() == wanted.len() && apart < 1e-9, "{got:?}, not {wanted:?}");
    }

    #[test]
    fn the_model_on_the_vehicle_reads_then_begins_then_says_22_tokens_a_second() {
        let local = local(&model("smollm2-135m", 0.0), 10.0, 166.0, 3, &mut Chance::new(1));
        let first = 10.0 + 2.0 + 0.1;
        near(&local, &[first, first + 1.0 / 22.0, first + 2.0 / 22.0]);
    }

    #[test]
    fn the_cloud_is_connected_asked_and_answers_as_fast_as_the_model_or_the_link_is() {
        let of = |mbit: f64, open| {
            let air =
                Air::cut(&super::super::Trace::steady(mbit), &super::super::Outcome::built_in(), Vec::new());
            cloud(&model("cloud-large", 0.0), &air, 10.0, open, 100.0, 2, &mut Chance::new(1))
        };
        // 1 Mbit/s: 110 ms a round trip, 24.8 kbit up at 250 kbit/s, then 55 tokens a second of the model.
        let first = 10.0 + 0.11 + 0.0992 + 0.9 + 1.0 / 55.0;
        near(&of(1.0, true), &[first, first + 1.0 / 55.0]);
        near(&of(1.0, false), &[first + 0.22, first + 0.22 + 1.0 / 55.0]);
        // 20 kbit/s: 2.07 s a round trip, 5 kbit/s up, ten tokens of 2 kbit a second.
        let first = 10.0 + 2.07 + 4.96 + 0.9 + 0.1;
        near(&of(0.02, true), &[first, first + 0.1]);
    }

    #[test]
    fn the_time_to_the_first_token_varies_by_its_logarithm() {
        let mut chance = Chance::new(9);
        let air = Air::cut(&super::super::Trace::steady(1.0), &super::super::Outcome::built_in(), Vec::new());
        let (vehicle, large) = (model("smollm2-135m", 0.2), model("cloud-large", 0.4));
        let mut spread = |of_cloud: bool| {
            let logs: Vec<f64> = (0..4_000)
                .map(|_| match of_cloud {
                    true => {
                        let there = cloud(&large, &air, 0.0, true, 100.0, 1, &mut chance)[0];
                        ((there - 0.11 - 0.0992 - 1.0 / 55.0) / 0.9).ln()
                    }
                    false => (local(&vehicle, 0.0, 0.0, 1, &mut chance)[0] / 0.1).ln(),
                })
                .collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            (mean, (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt())
        };
        for (of_cloud, wanted) in [(false, 0.2), (true, 0.4)] {
            let (mean, sd) = spread(of_cloud);
            assert!(mean.abs() < 0.03 && (sd - wanted).abs() < 0.03, "{mean} {sd}");
        }
    }

    #[test]
    fn a_pause_of_just_the_patience_is_no_stall() {
        assert_eq!(stall(0.0, &[1.0, 2.0], 1.0), None);
    }
}
