//! Which requests are recorded, and a request's steps as they end; what a step is, is [`troika_dialogue::otlp`]'s. Pure.

use troika_dialogue::otlp::Span;
use troika_kit::Time;

/// Whether a trace is one of those that are recorded where nobody has said so: by its number, so that all who hold to the same share choose the
/// same ones (`TraceIdRatioBased`: by the last 56 bits, which are the random ones).
pub fn of_share(trace: &[u8; 16], share: f64) -> bool {
    let random = trace[9..].iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    (random as f64) < share * (1_u64 << 56) as f64
}

/// A request's steps as they end.
#[derive(Debug, Default)]
pub struct Steps {
    /// Those that have ended; none of them where the trace is not recorded.
    pub ended: Vec<Span>,
    call: Option<Span>,
}

impl Steps {
    /// A call of an upstream begins.
    pub fn calls(&mut self, call: Span) {
        self.call = Some(call);
    }

    /// The first byte of its answer has come.
    pub fn first_byte(&mut self, now: Time) {
        if let Some(call) = &mut self.call {
            call.events.push((now, "first byte"));
        }
    }

    /// It has ended; what it came to nothing for. Without one under way nothing happens.
    pub fn called(&mut self, now: Time, error: Option<&'static str>) {
        if let Some(mut call) = self.call.take() {
            (call.ended, call.error) = (now, error);
            self.ended.push(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use troika_dialogue::otlp::Kind;

    use super::*;
    use crate::trace::Trace;

    fn span() -> Span {
        let trace = Trace::of(Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), [7; 24]);
        Span::new(trace.at(), Kind::Client, "chat large".into(), Time::from_nanos(1_700_000_000_000_000_001))
    }

    #[test]
    fn a_share_of_the_traces_is_a_share_and_always_the_same_ones() {
        let traces: Vec<[u8; 16]> = (0..2000).map(|_| crate::trace::random()).collect();
        let taken = |share| traces.iter().filter(|one| of_share(one, share)).count();
        assert_eq!((taken(0.0), taken(1.0)), (0, 2000));
        // Of 2,000 a quarter, within eight standard deviations.
        assert!((345..=655).contains(&taken(0.25)), "{}", taken(0.25));
        assert!(traces.iter().all(|one| !of_share(one, 0.25) || of_share(one, 0.5)));
    }

    #[test]
    fn a_call_ends_once() {
        let mut steps = Steps::default();
        steps.called(Time::ZERO, None);
        steps.calls(span());
        steps.first_byte(Time::from_nanos(5));
        steps.called(Time::from_nanos(9), None);
        steps.called(Time::from_nanos(10), Some("late"));
        assert_eq!(
            (steps.ended.len(), steps.ended[0].ended, steps.ended[0].events.len()),
            (1, Time::from_nanos(9), 1)
        );
    }
}
