//! A question's steps on the vehicle, for an OpenTelemetry collector: what was decided and when, each request to the cloud, and who answered in
//! the end. Pure. None of the words that were asked or answered is in them.

use troika_dialogue::{
    otlp::{Kind, Span},
    trace::Trace,
};
use troika_kit::Time;
use troika_msgs::troika::DialogueReply;

/// The steps of the question under way.
pub(crate) struct Steps {
    trace: Trace,
    whole: Span,
    ended: Vec<Span>,
    streams: Vec<(u64, Span)>,
}

impl Steps {
    /// Of a question that was asked then.
    pub(crate) fn new(trace: Trace, asked: Time) -> Steps {
        let whole = Span::new(trace.root(), Kind::Internal, "question".into(), asked);
        Steps { trace, whole, ended: Vec::new(), streams: Vec::new() }
    }

    /// The router decided, or its time was over.
    pub(crate) fn decided(&mut self, now: Time, tier: &'static str, reason: &str) {
        let mut span = Span::new(self.trace.step("route"), Kind::Internal, "route".into(), self.whole.began);
        span.ended = now;
        span.about = vec![("troika.tier", tier.into()), ("troika.reason", reason.into())];
        self.ended.push(span);
    }

    /// The cloud is asked.
    pub(crate) fn stream(&mut self, now: Time, stream: u64, model: &str) {
        let name = format!("chat {model}");
        self.streams.push((stream, Span::new(self.trace.stream(stream), Kind::Client, name, now)));
    }

    /// It says something: the first time is told.
    pub(crate) fn hears(&mut self, now: Time, stream: u64) {
        let found = self.streams.iter_mut().find(|(one, _)| *one == stream);
        if let Some((_, span)) = found.filter(|(_, span)| span.events.is_empty()) {
            span.events.push((now, "first token"));
        }
    }

    /// A stream has ended; what it came to nothing for.
    pub(crate) fn stream_ended(&mut self, now: Time, stream: u64, error: Option<&'static str>) {
        if let Some(at) = self.streams.iter().position(|(one, _)| *one == stream) {
            let (_, mut span) = self.streams.swap_remove(at);
            (span.ended, span.error) = (now, error);
            self.ended.push(span);
        }
    }

    /// Words are out; whose.
    pub(crate) fn says(&mut self, now: Time, tier: &'static str) {
        if self.whole.events.last().is_none_or(|(_, last)| *last != tier) {
            self.whole.events.push((now, tier));
        }
    }

    /// It is over: all of it, the whole first.
    pub(crate) fn end(
        mut self,
        now: Time,
        tier: &'static str,
        reason: &str,
        error: Option<&'static str>,
    ) -> Vec<Span> {
        self.whole.ended = now;
        self.whole.error = error;
        self.whole.about = vec![("troika.tier", tier.into()), ("troika.reason", reason.into())];
        // What was left is no error of the cloud's: somebody spoke, or the vehicle went on.
        for (_, mut span) in std::mem::take(&mut self.streams) {
            span.ended = now;
            span.about.push(("troika.left", true.into()));
            self.ended.push(span);
        }
        self.ended.insert(0, self.whole);
        self.ended
    }
}

/// A tier in a step's attributes: as in `RoutingDecision` and `DialogueReply`.
pub(crate) fn name_of(tier: u8) -> &'static str {
    match tier {
        DialogueReply::VEHICLE => "vehicle",
        DialogueReply::ON_VEHICLE => "on_vehicle",
        DialogueReply::CLOUD => "cloud",
        DialogueReply::CANNED => "canned",
        _ => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_a_decision_its_requests_and_who_said_something_first() {
        let at = Time::from_nanos;
        let trace = Trace::of("u1", 5);
        let mut steps = Steps::new(trace, at(5));
        steps.decided(at(7), "cloud", "cloud_better");
        steps.stream(at(7), 1, "large");
        steps.hears(at(9), 1);
        steps.hears(at(10), 1);
        steps.says(at(9), "cloud");
        steps.says(at(10), "cloud");
        steps.stream_ended(at(11), 1, Some("reset"));
        steps.stream(at(11), 2, "large");
        steps.says(at(12), "on_vehicle");
        let spans = steps.end(at(20), "on_vehicle", "reset", None);
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["question", "route", "chat large", "chat large"]);
        assert_eq!((spans[0].began, spans[0].ended), (at(5), at(20)));
        assert_eq!(spans[0].events, [(at(9), "cloud"), (at(12), "on_vehicle")]);
        assert!(spans[1..].iter().all(|span| span.at.parent == Some(spans[0].at.span)));
        assert_eq!((spans[2].error, spans[2].events.len(), spans[3].error), (Some("reset"), 1, None));
        assert!(trace.parent(1).contains(&troika_dialogue::trace::hex(&spans[2].at.span)));
    }
}
