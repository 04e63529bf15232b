//! How soon a model would say its first words, and how likely it is to go on: from what is believed of the link and of the machine.

use troika_kit::Duration;
use troika_link::{Estimate, Range};

use crate::{budget::Cost, policy::Model, words};

/// Bytes of a streamed token: an event of some 200 bytes of JSON, and what TLS and TCP add.
pub(crate) const BYTES_A_TOKEN: f64 = 250.0;
/// Bytes of a request without its words: headers, instructions, the tools' declarations.
pub(crate) const BYTES_A_REQUEST: f64 = 3_000.0;
/// Tokens of a request without its words.
const TOKENS_A_REQUEST: f64 = 500.0;
/// Of these the local model has all but the words in its cache.
const LOCAL_TOKENS_A_REQUEST: f64 = 30.0;
/// Round trips until the first byte of an answer: one on a connection that is open; TCP's and TLS 1.3's (RFC 8446) before it else.
const ROUND_TRIPS_OPEN: f64 = 1.0;
const ROUND_TRIPS_CLOSED: f64 = 3.0;
/// Assumed where exchanges come through and no round trip was measured: what GPRS gave, as the policy's `kbps_unknown`.
const RTT_UNKNOWN_MS: f64 = 600.0;
/// Speech is 3 words a second, which are about 4 tokens: a slower stream leaves silences.
pub(crate) const SPEECH_TOKENS_PER_S: f64 = 4.0;
/// The mean over a distribution by its 10th, 50th and 90th percentile (Swanson's rule; Keefer and Bodily, 1983).
const WEIGHTS: [f64; 3] = [0.3, 0.4, 0.3];

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Job {
    pub(crate) prompt_tokens: f64,
    pub(crate) tokens: f64,
    /// What is left of the deadline.
    pub(crate) left: Duration,
}

impl Job {
    pub(crate) fn new(text: &str, tokens: f64, left: Duration) -> Job {
        Job { prompt_tokens: words::tokens(text), tokens, left }
    }
}

/// What is expected of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    /// To the first words.
    pub(crate) first: Duration,
    /// 0..1: that they come in time and the rest keeps up with speech.
    pub(crate) in_time: f64,
    /// 0..1: that it is not cut.
    pub(crate) whole: f64,
    pub(crate) cost: Cost,
}

/// Of a cloud model. `open`: there is a connection. `here_up`: how often there was a link on this stretch of road.
pub(crate) fn cloud(
    model: &Model,
    job: &Job,
    link: &Estimate,
    kbps_unknown: f64,
    open: bool,
    here_up: f64,
) -> Expected {
    let cost = Cost {
        bytes: BYTES_A_REQUEST + 4.0 * job.prompt_tokens + BYTES_A_TOKEN * job.tokens,
        microeuro: model.microeuro_a_prompt_token.0 * (TOKENS_A_REQUEST + job.prompt_tokens)
            + model.microeuro_a_token.0 * job.tokens,
    };
    let far = Range { middle: RTT_UNKNOWN_MS, low: RTT_UNKNOWN_MS, high: RTT_UNKNOWN_MS, trend: 0.0 };
    let rtt = link.rtt_ms.unwrap_or(far);
    let unknown = Range { middle: kbps_unknown, low: kbps_unknown, high: kbps_unknown, trend: 0.0 };
    let (up, down) = (link.up_kbps.unwrap_or(unknown), link.down_kbps.unwrap_or(unknown));
    let round_trips = if open { ROUND_TRIPS_OPEN } else { ROUND_TRIPS_CLOSED };
    // From the best case to the worst.
    let cases =
        [(rtt.low, up.high, down.high), (rtt.middle, up.middle, down.middle), (rtt.high, up.low, down.low)];
    let firsts = cases.map(|(rtt, up, _)| {
        let upload = (BYTES_A_REQUEST + 4.0 * job.prompt_tokens) * 8.0 / 1000.0 / up;
        round_trips * rtt / 1000.0 + upload + model.first_token_s.0
    });
    let rates = cases.map(|(_, _, down)| model.tokens_per_s.0.min(down * 1000.0 / 8.0 / BYTES_A_TOKEN));
    let fits = |n: usize| firsts[n] <= job.left.as_secs_f64() && rates[n] >= SPEECH_TOKENS_PER_S;
    let in_time = (0..3).filter(|n| fits(*n)).map(|n| WEIGHTS[n]).sum();
    let lost = link.loss.map_or(0.5, |(mean, _)| mean);
    Expected { first: seconds(firsts[1]), in_time, whole: (1.0 - lost) * here_up.clamp(0.0, 1.0), cost }
}

/// Of a model on the vehicle. `free_in`: until it has finished what it does. `speed`: of what its rates say, 0..1: what the other loads
/// leave it.
pub(crate) fn local(model: &Model, job: &Job, free_in: Duration, speed: f64) -> Expected {
    let speed = speed.clamp(0.01, 1.0);
    let reads = model.prompt_tokens_per_s.map_or(f64::INFINITY, |rate| rate.0);
    let first = free_in.as_secs_f64()
        + ((job.prompt_tokens + LOCAL_TOKENS_A_REQUEST) / reads + model.first_token_s.0) / speed;
    let keeps_up = (model.tokens_per_s.0 * speed / SPEECH_TOKENS_PER_S).min(1.0);
    let in_time = if first <= job.left.as_secs_f64() { keeps_up } else { 0.0 };
    Expected { first: seconds(first), in_time, whole: 1.0, cost: Cost::default() }
}

/// Of the map, where the planner understands the question: no model is waited for.
pub(crate) fn planned(left: Duration) -> Expected {
    let in_time = if left.is_zero() { 0.0 } else { 1.0 };
    Expected { first: Duration::ZERO, in_time, whole: 1.0, cost: Cost::default() }
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Policy;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    /// 100 letters are 25 tokens.
    fn job(tokens: f64, left_s: f64) -> Job {
        Job::new(&"word".repeat(25), tokens, Duration::from_secs_f64(left_s))
    }

    fn range(low: f64, middle: f64, high: f64) -> Option<Range> {
        Some(Range { middle, low, high, trend: 0.0 })
    }

    fn link() -> Estimate {
        Estimate {
            rtt_ms: range(100.0, 200.0, 400.0),
            up_kbps: range(50.0, 100.0, 200.0),
            down_kbps: range(4.0, 80.0, 160.0),
            loss: Some((0.1, 0.2)),
            ..Estimate::default()
        }
    }

    /// cloud-large: 55 tokens a second, the first after 0.9 s, 2.5 and 10 millionths of a euro a token.
    fn of_cloud(link: &Estimate, left_s: f64, open: bool, here_up: f64) -> Expected {
        let policy = Policy::built_in();
        let large = policy.rules.model.iter().map(|one| one.get_ref()).find(|one| one.name == "cloud-large");
        cloud(large.expect("it ships"), &job(40.0, left_s), link, 31.0, open, here_up)
    }

    #[test]
    fn the_first_words_come_after_the_round_trips_the_upload_and_the_models_own_time() {
        // 3,100 bytes of request are 24.8 kbit.
        let first = |open| of_cloud(&link(), 60.0, open, 1.0).first.as_secs_f64();
        assert!(near(first(true), 0.2 + 0.248 + 0.9), "{}", first(true));
        assert!(near(first(false), 0.6 + 0.248 + 0.9), "{}", first(false));
        let unknown = of_cloud(&Estimate::default(), 60.0, true, 1.0).first.as_secs_f64();
        assert!(near(unknown, 0.6 + 0.8 + 0.9), "0.6 s and 31 kbit/s where nothing was measured: {unknown}");
    }

    #[test]
    fn a_case_counts_where_its_words_come_in_time_and_keep_up_with_speech() {
        // The best case begins after 1.124 s, the middle after 1.348 s, the worst after 1.796 s with 2 tokens a second: slower than speech.
        for (left_s, in_time) in [(1.1, 0.0), (1.2, 0.3), (1.3, 0.3), (1.4, 0.7), (60.0, 0.7)] {
            assert!(near(of_cloud(&link(), left_s, true, 1.0).in_time, in_time), "{left_s}");
        }
        // 8 kbit/s are just the 4 tokens a second of speech.
        let slow = Estimate { down_kbps: range(8.0, 80.0, 160.0), ..link() };
        assert!(
            near(of_cloud(&slow, 1.7, true, 1.0).in_time, 0.7)
                && near(of_cloud(&slow, 1.8, true, 1.0).in_time, 1.0)
        );
    }

    #[test]
    fn an_answer_costs_its_request_its_words_and_what_each_token_is_worth_and_is_whole_where_nothing_is_lost()
    {
        let expected = of_cloud(&link(), 60.0, true, 0.5);
        assert_eq!(
            expected.cost,
            Cost { bytes: 3_000.0 + 100.0 + 40.0 * 250.0, microeuro: 525.0 * 2.5 + 40.0 * 10.0 }
        );
        assert!(near(expected.whole, 0.9 * 0.5));
        assert!(near(of_cloud(&link(), 60.0, true, 1.5).whole, 0.9), "a share is at most all");
        assert!(
            near(of_cloud(&Estimate::default(), 60.0, true, 1.0).whole, 0.5),
            "nothing is known of what is lost"
        );
    }

    #[test]
    fn the_model_on_the_vehicle_waits_reads_and_begins_all_slower_under_load() {
        let policy = Policy::built_in();
        let model = policy
            .rules
            .model
            .iter()
            .map(|one| one.get_ref())
            .find(|one| one.tier == crate::policy::Tier::OnVehicle);
        let model = model.expect("it ships");
        // It reads 25 + 30 tokens at 83 a second and begins after 0.1 s; its 22 tokens a second are five times speech.
        let alone = 55.0 / 83.0 + 0.1;
        let of = |free_s: f64, speed: f64, left_s: f64| {
            local(model, &job(40.0, left_s), Duration::from_secs_f64(free_s), speed)
        };
        for (free_s, speed, first, in_time) in [
            (0.0, 1.0, alone, 1.0),
            (2.0, 1.0, 2.0 + alone, 1.0),
            (0.0, 0.5, alone / 0.5, 1.0),
            (0.0, 0.1, alone / 0.1, 22.0 * 0.1 / 4.0),
        ] {
            let expected = of(free_s, speed, 60.0);
            assert!((expected.first.as_secs_f64() - first).abs() < 1e-6, "{first}: {expected:?}");
            assert!(near(expected.in_time, in_time), "{in_time}: {expected:?}");
            assert_eq!((expected.whole, expected.cost), (1.0, Cost::default()));
        }
        assert_eq!((of(2.0, 1.0, 2.0).in_time, planned(Duration::ZERO).in_time), (0.0, 0.0), "too late");
        assert_eq!(
            planned(Duration::from_millis(1)),
            Expected { first: Duration::ZERO, in_time: 1.0, whole: 1.0, cost: Cost::default() }
        );
    }
}
