//! The smallest complete node: copy this folder to get started. It watches the vehicle's speed and ten times a second says
//! whether the vehicle stands; when the speed is not known, it says so instead of guessing.

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Latest, Out, Step, Tick, Wake, ports, requirements,
};
use troika_msgs::{std_msgs, troika::VehicleSignals};

/// Parameters: a `[nodes.<name>.params]` table in a system file. An unknown key is refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Below this the vehicle stands, km/h.
    pub standstill_kmh: f32,
    /// A speed older than this is not known, ms: three missed messages of a 50 Hz signal, and room for a late one.
    pub max_age_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { standstill_kmh: 0.5, max_age_ms: 80 }
    }
}

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// The vehicle's speed.
        signals: Latest<VehicleSignals> = "/vehicle/signals",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// `standing`, `moving` or `unknown`.
        motion: Out<std_msgs::String> = "/vehicle/motion",
    }
}

/// The node. Its state would be fields here.
pub struct Template {
    config: Config,
}

impl Template {
    /// Everything that can fail or take long happens here, before the first step.
    pub fn new(config: Config) -> Self {
        Template { config }
    }
}

impl Step for Template {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "template",
        wake: Wake::Period,
        period: Duration::from_millis(100),
        deadline: Duration::from_millis(20),
        budget: Duration::from_millis(1),
        // Who opens a door because the vehicle stands must not be told so late.
        class: Class::Hard,
        requirements: &[requirements::SR_TIM_002, requirements::SR_TIM_003, requirements::SR_TIM_006],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let max_age = Duration::from_millis(self.config.max_age_ms);
        let signals =
            inputs.signals.within(tick.now, max_age).ok_or(Fault::StaleInput { port: "signals" })?;
        let standing = signals.speed_kmh.abs() < self.config.standstill_kmh;
        outputs.motion.send(say(if standing { "standing" } else { "moving" }));
        Ok(Done::Worked)
    }

    fn fall_back(&mut self, _: &Tick, _: &Fault, outputs: &mut Outputs) {
        outputs.motion.send(say("unknown"));
    }
}

fn say(motion: &str) -> std_msgs::String {
    std_msgs::String { data: motion.into() }
}
