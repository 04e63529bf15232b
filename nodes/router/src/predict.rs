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
