//! What stands for the vehicle's language model: sentences that the scenario gives it, at the pace of a real one. It understands nothing,
//! and says so in `model`.

use troika_dialogue::sentences::Sentences;
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_msgs::{
    std_msgs::Header,
    troika::{LanguageReply, LanguageRequest},
};
use troika_router::simulate::Pace;

/// Characters of a token, about.
const A_TOKEN: f64 = 4.0;

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// What it is asked.
        request: Events<LanguageRequest, 16> = "/voice/language_request",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Its words.
        reply: Out<LanguageReply, 32> = "/voice/language_reply",
    }
}

/// The stand-in.
pub struct ModelStandIn {
    pace: Pace,
    answer: String,
    goes_on: String,
    read: usize,
    due: Vec<(Time, LanguageReply)>,
}

impl ModelStandIn {
    /// Answers whatever it is asked with `answer`, and goes on from what another began with `goes_on`; what is empty it is not sure enough to
    /// say.
    pub fn new(pace: Pace, answer: &str, goes_on: &str) -> ModelStandIn {
        ModelStandIn {
            pace,
            answer: answer.to_owned(),
            goes_on: goes_on.to_owned(),
            read: 0,
            due: Vec::new(),
        }
    }

    fn take(&mut self, now: Time, request: &LanguageRequest) {
        let length = request.text.len() + request.context.len() + request.so_far.len();
        match request.task {
            LanguageRequest::CANCEL => self.due.retain(|(_, reply)| reply.request_id != request.request_id),
            LanguageRequest::READ_ALONG => self.read = length,
            LanguageRequest::ANSWER | LanguageRequest::CONTINUE => self.say(now, request, length),
            _ => {}
        }
    }

    fn say(&mut self, now: Time, request: &LanguageRequest, length: usize) {
        let says = if request.so_far.is_empty() { &self.answer } else { &self.goes_on };
        let reply = |status, text: &str| LanguageReply {
            request_id: request.request_id.clone(),
            status,
            text: text.to_owned(),
            confidence: 1.0,
            model: "scripted stand-in".into(),
            ..LanguageReply::default()
        };
        // It says at once that it has the question, as the real one's process does.
        self.due.push((now, reply(LanguageReply::PARTIAL, "")));
        let prompt = length.saturating_sub(self.read) as f64 / A_TOKEN;
        let reads = self.pace.prompt_tokens_per_s.map_or(0.0, |rate| prompt / rate);
        let first = reads + self.pace.first_token_s;
        let after = |text: &str| {
            now + Duration::from_secs_f64(first + text.len() as f64 / A_TOKEN / self.pace.tokens_per_s)
        };
        if says.is_empty() {
            let unsure =
                LanguageReply { reason: "not sure enough".into(), ..reply(LanguageReply::UNSURE, "") };
            return self.due.push((after("a dozen tokens of what it would say itself"), unsure));
        }
        let mut sentences = Sentences::default();
        sentences.push(says);
        let mut told = String::new();
        while let Some(sentence) = sentences.whole() {
            told.push_str(&sentence);
            self.due.push((after(&told), reply(LanguageReply::PARTIAL, &told)));
        }
        self.due.push((after(says), reply(LanguageReply::DONE, says)));
    }
}

impl Step for ModelStandIn {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "sim_model",
        wake: Wake::Period,
        period: Duration::from_millis(20),
        deadline: Duration::from_millis(20),
        budget: Duration::from_millis(1),
        class: Class::Best,
        requirements: &[requirements::SR_TIM_001],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        for request in inputs.request.iter() {
            self.take(tick.now, &request.value);
        }
        let mut some = false;
        self.due.retain(|(at, reply)| {
            let due = *at <= tick.now;
            if due {
                some = true;
                outputs.reply.send(LanguageReply { header: Header::at(tick.now), ..reply.clone() });
            }
            !due
        });
        Ok(if some { Done::Worked } else { Done::Idle })
    }

    /// Silence: a model that does not run says nothing.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}
