//! The dialogue's process as a step, for a virtual clock: the same [`Bridge`], with a service that is asked what it has said by now.

use troika_dialogue::{FromCloud, Situation, Traffic};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Step, Tick, Time, Wake, requirements,
};

use crate::{
    bridge::{Bridge, Out},
    ports::{Inputs, Outputs},
};

/// Something that the service said: in which stream, what, and what the stream carried until then.
pub type FromService = (u64, FromCloud, Option<Traffic>);

/// The bridge as a step.
pub struct BridgeStep {
    bridge: Bridge,
    here: Situation,
    service: Box<dyn FnMut(Time) -> Vec<FromService> + Send>,
}

impl BridgeStep {
    /// `here`: where the vehicle is, and what the driver's clock says; `service`: what it has said since it was asked last.
    pub fn new(
        bridge: Bridge,
        here: Situation,
        service: impl FnMut(Time) -> Vec<FromService> + Send + 'static,
    ) -> BridgeStep {
        BridgeStep { bridge, here, service: Box::new(service) }
    }
}

impl Step for BridgeStep {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "bridge",
        wake: Wake::Period,
        period: Duration::from_millis(10),
        deadline: Duration::from_millis(10),
        budget: Duration::from_millis(5),
        class: Class::Best,
        requirements: &[requirements::SR_RTE_001],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let now = tick.now;
        let mut out = Vec::new();
        if inputs.activity.iter().any(|activity| activity.value.speaking) {
            out.extend(self.bridge.speaking(now));
        }
        for request in inputs.request.iter() {
            out.extend(self.bridge.request(now, &request.value, self.here));
        }
        for decision in inputs.decision.iter() {
            out.extend(self.bridge.decision(now, &decision.value));
        }
        for (stream, what, traffic) in (self.service)(now) {
            if let Some(traffic) = traffic {
                self.bridge.traffic(stream, traffic);
            }
            out.extend(self.bridge.cloud(now, stream, what));
        }
        for reply in inputs.language.iter() {
            out.extend(self.bridge.language(now, &reply.value));
        }
        if let Some(state) = inputs.link.fresh() {
            out.extend(self.bridge.link(now, &state.value));
        }
        out.extend(self.bridge.tick(now));
        let some = !out.is_empty();
        for one in out {
            match one {
                Out::Reply(reply) => outputs.reply.send(reply),
                Out::Speech(speech) => outputs.speech.send(speech),
                Out::Language(request) => outputs.language.send(request),
                Out::Sample(sample) => outputs.sample.send(sample),
                // For an operator, and for a collector: there is neither.
                Out::Told(_) | Out::Steps(_) => {}
            }
        }
        Ok(if some { Done::Worked } else { Done::Idle })
    }

    /// Silence: an answer that cannot be given is ended by the step that follows.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}
