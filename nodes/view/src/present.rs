//! Who is there, from looks that each may miss some: a look at the graph that comes while a router's tables change can be short of most of it,
//! or of all. Pure.

use std::{collections::BTreeMap, time::Duration};

use troika_kit::Time;
use troika_transport::Endpoint;

/// Who was not seen for so long has gone.
const GONE: Duration = Duration::from_secs(3);

/// Those seen lately.
#[derive(Debug, Default)]
pub(crate) struct Present(BTreeMap<Endpoint, Time>);

impl Present {
    /// A look at `now`, and who is there by it and by those before.
    pub(crate) fn look(&mut self, seen: impl IntoIterator<Item = Endpoint>, now: Time) -> Vec<Endpoint> {
        self.0.extend(seen.into_iter().map(|end| (end, now)));
        self.0.retain(|_, last| now.since(*last) < GONE);
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(topic: &str) -> Endpoint {
        Endpoint {
            node: "/n".into(),
            topic: topic.into(),
            type_name: "t/msg/T".into(),
            type_hash: String::new(),
            publishes: true,
        }
    }

    #[test]
    fn a_look_that_misses_some_makes_nobody_go_and_who_stays_away_does() {
        let at = |ms: u64| Time::ZERO + Duration::from_millis(ms);
        let mut present = Present::default();
        let both = vec![end("/a"), end("/b")];
        assert_eq!(present.look(both.clone(), at(0)), both);
        for ms in (100..2900).step_by(100) {
            let seen = if ms % 300 == 0 { Vec::new() } else { vec![end("/a")] };
            assert_eq!(present.look(seen, at(ms)), both, "{ms} ms");
        }
        assert_eq!(present.look([end("/a")], at(3100)), [end("/a")]);
        assert_eq!(present.look(both.clone(), at(3200)), both, "back at once");
        assert_eq!(present.look(Vec::new(), at(6300)), []);
    }
}
