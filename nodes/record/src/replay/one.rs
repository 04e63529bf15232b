//! One node that is done again.

use std::collections::VecDeque;

use troika_host::{
    replay::{Frozen, Given, Played, Replays},
    tape::Outcome,
};
use troika_kit::{Fault, counted};
use troika_msgs::troika::{RecordedSample, RecordedStep};

use crate::{
    compare::{self, Only},
    privacy, step,
};

use super::{Difference, Made, NodeReport, Verdict, about::AboutNode, bodies::Bodies, time};

/// A node, as far as it is.
pub(super) struct OneNode {
    pub(super) about: AboutNode,
    /// None once it goes no further.
    node: Option<Box<dyn Replays>>,
    /// Why it goes no further.
    stopped: Option<Verdict>,
    /// Steps whose pictures are not made again yet: what a file has after them may make them.
    waiting: VecDeque<RecordedStep>,
    report: NodeReport,
}

impl OneNode {
    pub(super) fn new(about: AboutNode, made: Result<Made, String>) -> OneNode {
        let report = NodeReport::new(&about.name, &about.kind, Verdict::Identical);
        let mut one = OneNode { about, node: None, stopped: None, waiting: VecDeque::new(), report };
        one.take(made);
        one
    }

    fn take(&mut self, made: Result<Made, String>) {
        match made {
            Ok(Made::Node(node)) => self.node = Some(node),
            Ok(Made::Not(why)) => self.stopped = Some(Verdict::NotReplayed(why)),
            Err(why) => self.stopped = Some(Verdict::Failed(why)),
        }
    }

    /// It was made again: with nothing of what it knew.
    pub(super) fn again(&mut self, about: AboutNode, made: Result<Made, String>) {
        self.about = about;
        if self.stopped.is_none() {
            self.take(made);
        }
    }

    /// It goes no further, and should.
    pub(super) fn fail(&mut self, why: String) {
        self.stop(Verdict::Failed(why));
    }

    fn stop(&mut self, why: Verdict) {
        self.node = None;
        self.waiting.clear();
        self.stopped = self.stopped.take().or(Some(why));
    }

    pub(super) fn report(self) -> NodeReport {
        let OneNode { stopped, mut report, .. } = self;
        report.verdict = match stopped {
            Some(why @ (Verdict::Failed(_) | Verdict::NotReplayed(_))) => why,
            _ if report.differing > 0 => Verdict::Different,
            Some(why) => why,
            None if report.steps == 0 => Verdict::NotReplayed("the recording has no step of it".to_owned()),
            None => Verdict::Identical,
        };
        report
    }

    /// A step of it, to be done once what it had is there.
    pub(super) fn wait(&mut self, recorded: RecordedStep) {
        self.waiting.push_back(recorded);
    }

    /// It goes no further.
    pub(super) fn is_over(&self) -> bool {
        self.node.is_none()
    }

    /// So many steps wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether it is done again, and sends on this topic.
    pub(super) fn makes(&self, topic: &str) -> bool {
        self.node.is_some() && self.about.outputs.iter().any(|port| port.topic == topic)
    }

    /// What its oldest waiting step had, was left out, and is not made again, with its topic.
    pub(super) fn lacks(&self, bodies: &Bodies) -> Vec<(String, RecordedSample)> {
        let Some(recorded) = self.waiting.front() else { return Vec::new() };
        let mut lacks = Vec::new();
        for input in &recorded.inputs {
            let Some(port) = self.about.inputs.get(usize::from(input.port)) else { continue };
            if privacy::is_raw(&port.type_name) {
                let left_out = input.samples.iter().filter(|one| one.index == RecordedSample::NOT_KEPT);
                let missing = left_out.filter(|one| bodies.made(one).is_none());
                lacks.extend(missing.map(|one| (port.topic.clone(), one.clone())));
            }
        }
        lacks
    }

    /// Does its oldest waiting step again; false when there is none.
    pub(super) fn go_on(&mut self, bodies: &mut Bodies, floats_may_differ: bool) -> bool {
        let Some(recorded) = self.waiting.pop_front() else { return false };
        self.step(&recorded, bodies, floats_may_differ);
        bodies.used(&self.about, &recorded);
        true
    }

    /// Does a step again and compares.
    fn step(&mut self, recorded: &RecordedStep, bodies: &mut Bodies, floats_may_differ: bool) {
        let Some(node) = &mut self.node else { return };
        if recorded.lost > 0 {
            let lost = counted(recorded.lost, "step");
            let why = format!("{lost} of it before step {} found no room", recorded.seq);
            return self.stop(Verdict::UpToAHole(why));
        }
        // One that has no end was under way when the recording ended.
        let Some(host) = step::hosts_part(recorded, self.about.injected) else { return };
        let inputs = match frozen(&self.about, recorded, bodies) {
            Ok(inputs) => inputs,
            Err(why) => return self.stop(why),
        };
        match node.play(&Given { tick: step::tick(recorded), inputs, host }) {
            Ok(played) => {
                self.report.steps += 1;
                self.compare(recorded, &played, bodies, floats_may_differ);
            }
            Err(why) => self.fail(why.to_string()),
        }
    }

    fn compare(&mut self, recorded: &RecordedStep, played: &Played, bodies: &mut Bodies, lenient: bool) {
        troika_safety::fulfils![SR_OBS_002];
        let outcome = step::outcome(played.outcome);
        if outcome != recorded.outcome || !same_fault(recorded, played) {
            let why = |text: &str| if text.is_empty() { String::new() } else { format!(" ({text})") };
            let what = format!(
                "the step {}{} then and {}{} now",
                step::outcome_name(recorded.outcome),
                why(&recorded.fault_text),
                step::outcome_name(outcome),
                why(&played
                    .fault
                    .filter(|_| played.outcome == Outcome::Fault)
                    .map_or_else(String::new, |fault| fault.to_string())),
            );
            self.differs(recorded, String::new(), How::Changed, what, Vec::new());
        }
        let then: Vec<(usize, &RecordedSample)> = recorded
            .outputs
            .iter()
            .flat_map(|port| port.samples.iter().map(move |sample| (usize::from(port.port), sample)))
            .collect();
        // A value without a CDR form goes nowhere, then as now.
        let now: Vec<(usize, &[u8])> =
            played.messages.iter().filter_map(|(port, cdr)| Some((*port, cdr.as_deref()?))).collect();
        if recorded.unsent > 0 {
            // It is not known which of its port's these were.
            self.report.not_recorded += u64::from(recorded.unsent);
            self.unsent(&then, &now);
            return;
        }
        // Port by port, as they leave: one more on one of them does not shift the others.
        for port in 0..self.about.outputs.len() {
            let mut then = then.iter().filter(|(of, _)| *of == port).map(|(_, sample)| *sample);
            let mut now = now.iter().filter(|(of, _)| *of == port).map(|(_, cdr)| *cdr);
            loop {
                match (then.next(), now.next()) {
                    (Some(sample), Some(cdr)) => self.message(recorded, port, sample, cdr, bodies, lenient),
                    (Some(sample), None) => {
                        let cdr = self.about.outputs.get(port).and_then(|about| bodies.get(about, sample));
                        let fields = cdr.and_then(|cdr| self.alone(port, cdr, Only::Recorded));
                        let what = "a message then, and none now".to_owned();
                        self.differs(recorded, self.topic(port), How::Gone, what, fields.unwrap_or_default());
                    }
                    (None, Some(cdr)) => {
                        let fields = self.alone(port, cdr, Only::Now).unwrap_or_default();
                        let what = "no message then, and one now".to_owned();
                        self.differs(recorded, self.topic(port), How::Added, what, fields);
                    }
                    (None, None) => break,
                }
            }
        }
    }

    /// The fields of a message that one side alone has; they are made only where they will be shown.
    fn alone(&self, port: usize, cdr: &[u8], only: Only) -> Option<Vec<compare::FieldDifference>> {
        let is_first = |topic: &str| self.report.topics.get(topic).is_none_or(|of| of.first.is_none());
        let about = self.about.outputs.get(port).filter(|about| is_first(&about.topic))?;
        compare::alone(&about.type_name, cdr, only)
    }

    fn message(
        &mut self,
        recorded: &RecordedStep,
        port: usize,
        sample: &RecordedSample,
        now: &[u8],
        bodies: &mut Bodies,
        lenient: bool,
    ) {
        self.report.messages += 1;
        let about = self.about.outputs.get(port);
        let then = about.and_then(|port| bodies.get(port, sample));
        // Where its bytes were left out, their hash stands for them.
        let same = match then {
            Some(then) => then == now,
            None => sample.size as usize == now.len() && sample.hash == step::hash(now),
        };
        if same {
            if sample.index == RecordedSample::NOT_KEPT {
                bodies.made_again(sample.hash, now);
            }
            return;
        }
        let type_name = about.map_or("", |port| port.type_name.as_str());
        if lenient && then.is_some_and(|then| compare::nearly_equal(type_name, then, now)) {
            self.report.nearly_equal += 1;
            return;
        }
        let fields = then.and_then(|then| compare::fields(type_name, then, now)).unwrap_or_default();
        let what = match then {
            Some(then) => format!("other bytes: {} then, {} now", then.len(), now.len()),
            None if privacy::is_raw(type_name) => {
                "other bytes; those of then were left out: they are raw, and recorded with --raw alone"
                    .to_owned()
            }
            None => "other bytes; those of then found no room in the recording".to_owned(),
        };
        self.differs(recorded, self.topic(port), How::Changed, what, fields);
    }

    /// Counts the messages that were not sent then, by their topics.
    fn unsent(&mut self, then: &[(usize, &RecordedSample)], now: &[(usize, &[u8])]) {
        for (port, about) in self.about.outputs.iter().enumerate() {
            let of = |ports: &mut dyn Iterator<Item = usize>| ports.filter(|other| *other == port).count();
            let sent = of(&mut then.iter().map(|(port, _)| *port));
            let missing = of(&mut now.iter().map(|(port, _)| *port)).saturating_sub(sent);
            if missing > 0 {
                *self.report.unsent_on.entry(about.topic.clone()).or_default() += missing as u64;
            }
        }
    }

    fn topic(&self, port: usize) -> String {
        self.about.outputs.get(port).map_or_else(String::new, |port| port.topic.clone())
    }

    fn differs(
        &mut self,
        recorded: &RecordedStep,
        topic: String,
        how: How,
        what: String,
        fields: Vec<compare::FieldDifference>,
    ) {
        self.report.differing += 1;
        let of = self.report.topics.entry(topic.clone()).or_default();
        match how {
            How::Changed => of.changed += 1,
            How::Added => of.added += 1,
            How::Gone => of.gone += 1,
        }
        if of.first.is_some() {
            return;
        }
        let type_name = self.about.outputs.iter().find(|port| port.topic == topic);
        let first = Difference {
            step: recorded.seq,
            time_ns: recorded.now_ns,
            // Once it is known where the recording starts.
            since_start_s: 0.0,
            type_name: type_name.map(|port| port.type_name.clone()).unwrap_or_default(),
            topic,
            what,
            fields,
        };
        self.report.first.get_or_insert_with(|| first.clone());
        of.first = Some(first);
    }
}

/// How a message differs.
#[derive(Debug, Clone, Copy)]
enum How {
    Changed,
    Added,
    Gone,
}

/// The fault's kind and text; by how much the host found a step late is the host's.
fn same_fault(recorded: &RecordedStep, played: &Played) -> bool {
    let mut now = RecordedStep::default();
    if let Some(why) = &played.fault {
        step::set_fault(&mut now, why);
    }
    // A step that is not called any more, because it panicked, was told so by the host.
    let given = matches!(played.fault, Some(Fault::TooLate { .. } | Fault::Missed { .. }));
    given || (now.fault, &now.fault_text) == (recorded.fault, &recorded.fault_text)
}

/// What the step had, with the bytes.
fn frozen<'a>(
    about: &AboutNode,
    recorded: &RecordedStep,
    bodies: &'a Bodies,
) -> Result<Vec<Frozen<'a>>, Verdict> {
    let one = |input: &troika_msgs::troika::RecordedPort| {
        let port = usize::from(input.port);
        let Some(of) = about.inputs.get(port) else {
            return Err(Verdict::Failed(format!("it has no input {port}")));
        };
        let sample = |sample: &RecordedSample| match bodies.get(of, sample) {
            Some(cdr) => Ok((time(sample.time_ns), cdr)),
            None if privacy::is_raw(&of.type_name) => Err(Verdict::LeftOut(format!(
                "what it saw on {} was left out: it is raw, and recorded with --raw alone",
                of.topic
            ))),
            None => Err(Verdict::UpToAHole(format!(
                "a message of {} at step {} is not there",
                of.topic, recorded.seq
            ))),
        };
        let samples = input.samples.iter().map(sample).collect::<Result<Vec<_>, _>>()?;
        Ok(Frozen { port, fresh: input.fresh, samples })
    };
    recorded.inputs.iter().map(one).collect()
}
