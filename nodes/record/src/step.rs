//! A recorded step as a message of its own, `troika_msgs/msg/RecordedStep`, on a topic beside the node: what the host's types are in a
//! file, and back again for who does the step once more.

use std::time::Duration;

use troika_host::{replay::HostsPart, tape::Outcome};
use troika_kit::{Fault, Message as _, Qos, Tick, Time, TypeInfo};
use troika_msgs::troika::{RecordedSample, RecordedStep};

/// Before a node's name: the topic of its steps. Hidden, as topics with an underscore are in ROS 2.
pub const PREFIX: &str = "/_recorded";

/// The type of that topic.
pub const TYPE: TypeInfo = RecordedStep::TYPE;

/// What it would be published with.
pub const QOS: Qos = Qos::DEFAULT;

/// The topic of a node's steps.
pub fn topic(node: &str) -> String {
    format!("{PREFIX}{node}")
}

/// The node whose steps a topic has.
pub fn node_of(topic: &str) -> Option<&str> {
    topic.strip_prefix(PREFIX).filter(|node| node.starts_with('/'))
}

/// A message's hash, as [`RecordedSample`] has it.
pub fn hash(cdr: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(cdr)
}

/// An empty step of this tick.
pub fn begun(life: u32, tick: &Tick, lost: u64) -> RecordedStep {
    RecordedStep {
        life,
        seq: tick.seq,
        release_ns: tick.release.as_nanos(),
        now_ns: tick.now.as_nanos(),
        level: u8::try_from(tick.level).unwrap_or(u8::MAX),
        outcome: RecordedStep::NO_END,
        lost,
        ..RecordedStep::default()
    }
}

/// Its tick.
pub fn tick(step: &RecordedStep) -> Tick {
    Tick {
        seq: step.seq,
        release: Time::from_nanos(step.release_ns),
        now: Time::from_nanos(step.now_ns),
        level: usize::from(step.level),
    }
}

/// An outcome's number.
pub fn outcome(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotCalled => RecordedStep::NOT_CALLED,
        Outcome::Worked => RecordedStep::WORKED,
        Outcome::Idle => RecordedStep::IDLE,
        Outcome::Skipped => RecordedStep::SKIPPED,
        Outcome::Fault => RecordedStep::FAULT,
    }
}

/// An outcome in words.
pub fn outcome_name(outcome: u8) -> &'static str {
    match outcome {
        RecordedStep::NOT_CALLED => "was not called",
        RecordedStep::WORKED => "worked",
        RecordedStep::IDLE => "had nothing to do",
        RecordedStep::SKIPPED => "passed it over",
        RecordedStep::FAULT => "gave a fault",
        _ => "had no end",
    }
}

/// Sets why the fall-back was called.
pub fn set_fault(step: &mut RecordedStep, why: &Fault) {
    let nanos = |by: &Duration| u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
    let (fault, by, text) = match why {
        Fault::TooLate { by } => (RecordedStep::TOO_LATE, nanos(by), ""),
        Fault::Missed { by } => (RecordedStep::MISSED, nanos(by), ""),
        Fault::StaleInput { port } => (RecordedStep::STALE_INPUT, 0, *port),
        Fault::Unavailable(text) => (RecordedStep::UNAVAILABLE, 0, *text),
        Fault::BadInput(text) => (RecordedStep::BAD_INPUT, 0, *text),
        Fault::Model(text) => (RecordedStep::MODEL, 0, *text),
        Fault::Unresponsive => (RecordedStep::UNRESPONSIVE, 0, ""),
        Fault::Panicked => (RecordedStep::PANICKED, 0, ""),
    };
    (step.fault, step.fault_ns) = (fault, by);
    text.clone_into(&mut step.fault_text);
}

/// What the host did in a step; none of one that has no end. `injected`: faults were made in the node on purpose.
pub fn hosts_part(step: &RecordedStep, injected: bool) -> Option<HostsPart> {
    let by = Duration::from_nanos(step.fault_ns);
    match (step.outcome, step.fault) {
        (RecordedStep::NOT_CALLED, RecordedStep::TOO_LATE) => {
            Some(HostsPart::CalledFallBack(Fault::TooLate { by }))
        }
        (RecordedStep::NOT_CALLED, _) => Some(HostsPart::CalledFallBack(Fault::Panicked)),
        (RecordedStep::WORKED, RecordedStep::MISSED) => Some(HostsPart::ReplacedResult(Fault::Missed { by })),
        (RecordedStep::FAULT, RecordedStep::PANICKED) if injected => {
            Some(HostsPart::MadeFault(Fault::Panicked))
        }
        (RecordedStep::NO_END, _) => None,
        _ => Some(HostsPart::CalledStep),
    }
}

/// A sample whose message is not in the recording.
pub fn not_kept(at: Time) -> RecordedSample {
    RecordedSample { time_ns: at.as_nanos(), index: RecordedSample::NOT_KEPT, ..RecordedSample::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_topic_names_it() {
        assert_eq!(node_of(&topic("/car/driver_state")), Some("/car/driver_state"));
        assert_eq!(node_of("/cabin/driver_state"), None);
        assert_eq!(node_of("/_recordedness"), None);
    }

    #[test]
    fn what_the_host_did_comes_back_with_its_fault() {
        let tick = Tick { seq: 7, release: Time::from_nanos(5), now: Time::from_nanos(9), level: 1 };
        let mut step = begun(0, &tick, 0);
        assert_eq!((super::tick(&step), hosts_part(&step, false)), (tick, None));
        let by = Duration::from_millis(60);
        step.outcome = outcome(Outcome::NotCalled);
        set_fault(&mut step, &Fault::TooLate { by });
        assert_eq!(hosts_part(&step, false), Some(HostsPart::CalledFallBack(Fault::TooLate { by })));
        step.outcome = outcome(Outcome::Worked);
        set_fault(&mut step, &Fault::Missed { by });
        assert_eq!(hosts_part(&step, false), Some(HostsPart::ReplacedResult(Fault::Missed { by })));
        step.outcome = outcome(Outcome::Fault);
        set_fault(&mut step, &Fault::Panicked);
        assert_eq!(hosts_part(&step, false), Some(HostsPart::CalledStep), "it panics again by itself");
        assert_eq!(hosts_part(&step, true), Some(HostsPart::MadeFault(Fault::Panicked)));
        set_fault(&mut step, &Fault::StaleInput { port: "image" });
        assert_eq!(step.fault_text, "image");
    }
}
