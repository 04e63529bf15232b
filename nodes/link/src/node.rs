//! The link as a step of 5 Hz: samples in, `LinkState` out, a probe now and then.

use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Latest, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_msgs::{
    std_msgs::{self, Header},
    troika::{DialogueRequest, LinkSample, LinkState, VoiceActivity},
};

use crate::{
    bearer::{Bearer, Metered},
    config::{Config, ConfigError},
    coverage::Coverage,
    estimator::{Estimate, Estimator, LinkStatus, Range},
    probe::{Probe, Prober},
    sample::{Sample, Source},
};

/// What the step cannot do by itself: probes, what the system tells of the bearer, a file. Each call returns at once.
#[cfg_attr(test, mockall::automock)]
pub trait Edge: Send + 'static {
    /// Whether there is anywhere to send a probe.
    fn can_probe(&self) -> bool;
    /// Begins the probe of this number. At most one is awaited: one before it that has not ended was given up.
    fn start(&mut self, number: u64, probe: Probe);
    /// What a probe has seen since, and its number, however late.
    fn take(&mut self) -> Option<(u64, Sample)>;
    /// The bearer in use.
    fn bearer(&mut self) -> Bearer;
    /// Keeps the memory over a restart.
    fn keep(&mut self, memory: &Coverage);
}

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// What those who talk to the cloud saw.
        sample: Events<LinkSample, 64> = "/link/sample",
        /// Who speaks may want the cloud in a moment.
        activity: Events<VoiceActivity, 8> = "/voice/activity",
        /// So does who asks in another way.
        request: Events<DialogueRequest, 8> = "/dialogue/request",
        /// The road segment that the vehicle is on, by the map's name for it.
        road_segment: Latest<std_msgs::String> = "/vehicle/road_segment",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// What is believed of the link.
        state: Out<LinkState> = "/link/state",
    }
}

/// A road segment that was named longer ago than this is not where the vehicle is.
const SEGMENT_AGE: Duration = Duration::from_secs(10);
/// How often the memory takes a second in, and is kept.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// The node.
pub struct LinkNode<E> {
    edge: E,
    metered: Metered,
    wanted_for: Duration,
    link: Estimator,
    prober: Prober,
    memory: Coverage,
    wanted_until: Time,
    remembered: Time,
    kept: Option<Time>,
}

impl<E: Edge> LinkNode<E> {
    /// With a memory of the road, or an empty one.
    ///
    /// # Errors
    /// A parameter that cannot be used.
    pub fn new(config: &Config, memory: Coverage, edge: E) -> Result<LinkNode<E>, ConfigError> {
        config.check()?;
        Ok(LinkNode {
            edge,
            metered: config.metered,
            wanted_for: Duration::from_secs_f32(config.wanted_s),
            link: Estimator::new(),
            prober: Prober::new(config.probes),
            memory,
            wanted_until: Time::ZERO,
            remembered: Time::ZERO,
            kept: None,
        })
    }

    fn take_in(&mut self, tick: &Tick, inputs: &Inputs) {
        for message in inputs.sample.iter() {
            // What is no sample is left out: any participant can publish (SR-DAT-001).
            if let Some(sample) = Sample::from_message(&message.value) {
                self.link.saw(tick.now, &sample);
            }
        }
        while let Some((number, sample)) = self.edge.take() {
            if self.prober.answered(tick.now, number) {
                self.link.saw(tick.now, &sample);
            }
        }
        if self.prober.overdue(tick.now) {
            self.link.saw(tick.now, &Sample::failed(Source::Active));
        }
        if inputs.activity.iter().next().is_some() || inputs.request.iter().next().is_some() {
            self.wanted_until = tick.now + self.wanted_for;
        }
    }

    fn remember(&mut self, now: Time, segment: &str, seen: &Estimate) {
        if now.since(self.remembered) >= REMEMBER_EVERY {
            self.remembered = now;
            self.memory.saw(segment, now, seen);
        }
        let kept = *self.kept.get_or_insert(now);
        if now.since(kept) >= KEEP_EVERY {
            self.kept = Some(now);
            self.edge.keep(&self.memory);
        }
    }
}

impl<E: Edge> Step for LinkNode<E> {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "link",
        wake: Wake::Period,
        period: Duration::from_millis(200),
        deadline: Duration::from_millis(100),
        budget: Duration::from_millis(10),
        class: Class::Firm,
        requirements: &[
            requirements::SR_TIM_002,
            requirements::SR_TIM_003,
            requirements::SR_DAT_001,
            requirements::SR_RTE_003,
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let now = tick.now;
        self.take_in(tick, inputs);
        let told = self.edge.bearer();
        let metered = if self.metered == Metered::Unknown { told.metered } else { self.metered };
        if self.edge.can_probe()
            && let Some(probe) = self.prober.next(now, &self.link, metered, now < self.wanted_until)
        {
            self.edge.start(self.prober.number(), probe);
        }
        let seen = self.link.estimate(now);
        let segment = inputs.road_segment.within(now, SEGMENT_AGE).map_or("", |name| name.data.as_str());
        self.remember(now, segment, &seen);
        let mut state = to_message(now, &seen);
        let bearer = Bearer { metered, ..told };
        (state.bearer, state.metered) = (bearer.kind_code(), bearer.metered_code());
        state.passive_samples = self.link.passive();
        state.active_samples = self.link.active();
        state.probe_bytes = self.prober.spent();
        state.probe_bytes_left = self.prober.left();
        segment.clone_into(&mut state.road_segment);
        if let Some(here) = self.memory.recall(segment, now) {
            state.here_down_kbps = narrow(here.down_kbps);
            state.here_rtt_ms = narrow(here.rtt_ms);
            state.here_up = here.up as f32;
            state.here_visits = here.visits;
        }
        outputs.state.send(state);
        Ok(Done::Worked)
    }

    /// Nothing is known, and says so.
    /// A step that only comes late has lost nothing: what is believed by now, which is less the later it is. Otherwise nothing is known.
    fn fall_back(&mut self, tick: &Tick, fault: &Fault, outputs: &mut Outputs) {
        let late = matches!(fault, Fault::TooLate { .. });
        let seen = if late { self.link.estimate(tick.now) } else { Estimate::default() };
        outputs.state.send(to_message(tick.now, &seen));
    }
}

/// The part of the message that the estimate gives; the rest reads *not known*.
pub fn to_message(now: Time, seen: &Estimate) -> LinkState {
    let numbers = |range: Option<Range>| {
        let of = |pick: fn(&Range) -> f64| narrow(range.as_ref().map(pick));
        [of(|r| r.middle), of(|r| r.low), of(|r| r.high), of(|r| r.trend)]
    };
    let (
        [rtt, rtt_low, rtt_high, rtt_trend],
        [down, down_low, down_high, down_trend],
        [up, up_low, up_high, up_trend],
    ) = (numbers(seen.rtt_ms), numbers(seen.down_kbps), numbers(seen.up_kbps));
    LinkState {
        header: Header { stamp: now.into(), ..Header::default() },
        state: match seen.status {
            LinkStatus::Unknown => LinkState::UNKNOWN,
            LinkStatus::Down => LinkState::DOWN,
            LinkStatus::Up => LinkState::UP,
        },
        rtt_ms: rtt,
        rtt_low_ms: rtt_low,
        rtt_high_ms: rtt_high,
        rtt_trend,
        down_kbps: down,
        down_low_kbps: down_low,
        down_high_kbps: down_high,
        down_trend,
        up_kbps: up,
        up_low_kbps: up_low,
        up_high_kbps: up_high,
        up_trend,
        loss: narrow(seen.loss.map(|(mean, _)| mean)),
        loss_high: narrow(seen.loss.map(|(_, high)| high)),
        stall_s: seen.stall.as_secs_f32(),
        age_s: narrow(seen.age.map(|age| age.as_secs_f64())),
        here_down_kbps: f32::NAN,
        here_rtt_ms: f32::NAN,
        here_up: f32::NAN,
        ..LinkState::default()
    }
}

/// What a message says of the link, as an estimate. A message is an input: numbers that cannot be are not known.
pub fn from_message(message: &LinkState) -> Estimate {
    let range = |middle: f32, low: f32, high: f32, trend: f32| {
        let sound = low > 0.0 && low <= middle && middle <= high && high.is_finite();
        let trend = if trend.is_finite() { f64::from(trend) } else { 0.0 };
        sound.then(|| Range { middle: middle.into(), low: low.into(), high: high.into(), trend })
    };
    let share = |x: f32| (0.0..=1.0).contains(&x).then(|| f64::from(x));
    let seconds = |x: f32| (0.0..1e9).contains(&x).then(|| Duration::from_secs_f32(x));
    let m = message;
    Estimate {
        status: match m.state {
            LinkState::UP => LinkStatus::Up,
            LinkState::DOWN => LinkStatus::Down,
            _ => LinkStatus::Unknown,
        },
        rtt_ms: range(m.rtt_ms, m.rtt_low_ms, m.rtt_high_ms, m.rtt_trend),
        down_kbps: range(m.down_kbps, m.down_low_kbps, m.down_high_kbps, m.down_trend),
        up_kbps: range(m.up_kbps, m.up_low_kbps, m.up_high_kbps, m.up_trend),
        loss: share(m.loss).zip(share(m.loss_high)),
        stall: seconds(m.stall_s).unwrap_or_default(),
        age: seconds(m.age_s),
    }
}

fn narrow(value: Option<f64>) -> f32 {
    value.map_or(f32::NAN, |value| value as f32)
}

#[cfg(test)]
mod tests;
