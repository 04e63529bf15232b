//! Whether the zenoh router is there, told where that changes: without it a process hears nobody and says nothing of it.

use std::{fmt, sync::Arc};

use troika_transport_zenoh::ZenohTransport;

/// Of one process. Over another transport there is nothing to watch.
#[derive(Default)]
pub struct RouterWatch {
    zenoh: Option<(Arc<ZenohTransport>, String)>,
    there: Option<bool>,
}

impl fmt::Debug for RouterWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterWatch").field("there", &self.there).finish_non_exhaustive()
    }
}

impl RouterWatch {
    pub(crate) fn of(transport: Arc<ZenohTransport>, router: String) -> RouterWatch {
        RouterWatch { zenoh: Some((transport, router)), there: None }
    }

    /// Looks, and says what is new.
    pub fn look(&mut self) -> Option<String> {
        let (transport, router) = self.zenoh.as_ref()?;
        let there = transport.has_router();
        let before = self.there.replace(there);
        told(before, there, router)
    }
}

/// Nothing is said of a router that is there from the first.
fn told(before: Option<bool>, there: bool, router: &str) -> Option<String> {
    match (before, there) {
        (None, false) => Some(format!(
            "no zenoh router is at {router}: nobody is heard and nobody hears this process until one is there; `troika run` brings one, \
             `router` or TROIKA_ZENOH_ENDPOINT names another"
        )),
        (Some(true), false) => Some(format!(
            "the zenoh router at {router} has gone: who is not connected directly is not heard until it is back"
        )),
        (Some(false), true) => Some(format!("the zenoh router at {router} is there")),
        (Some(false), false) | (Some(true) | None, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_that_is_absent_goes_or_comes_is_told_once() {
        let looks = [false, false, true, true, false, true];
        let mut before = None;
        let said: Vec<Option<String>> =
            looks.into_iter().map(|there| told(before.replace(there), there, "tcp/r:7447")).collect();
        let has = |at: usize, word: &str| said[at].as_ref().is_some_and(|said| said.contains(word));
        assert!(has(0, "no zenoh router is at tcp/r:7447"), "{said:?}");
        assert!(has(2, "is there") && has(4, "has gone") && has(5, "is there"), "{said:?}");
        assert!(said[1].is_none() && said[3].is_none(), "{said:?}");
        assert_eq!(told(None, true, "tcp/r:7447"), None);
    }

    #[test]
    fn another_transport_has_none() {
        assert_eq!(RouterWatch::default().look(), None);
    }
}
