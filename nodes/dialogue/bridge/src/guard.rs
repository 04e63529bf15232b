//! What stands between the dialogue and the cloud. A question leaves as the [`Outbound`] that its permit gave and in no other way
//! (SR-RTE-001, SR-RTE-002); what else goes with it (turns of before, results of tools) is redacted with the same vault; what comes
//! back is restored, however it is cut.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use troika_dialogue::{
    Fault, FromCloud, Upstream,
    chat::{ChatRequest, Message, ToolCall},
};
use troika_router::{Outbound, Redactor, Request, Restorer, Vault, privacy::Permit};

/// What may leave, and what stands in its place. Clones share it.
#[derive(Clone)]
pub struct Guard {
    redactor: Arc<Redactor>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    vault: Vault,
    /// The question as it was said, and as it may leave.
    permitted: Option<(String, Outbound)>,
    restorer: Option<(u64, Restorer)>,
    /// Streams that were refused here, to be told of.
    refused: Vec<u64>,
    /// Streams that left.
    left: Vec<u64>,
}

impl Guard {
    /// That replaces what this redactor finds. Nothing may leave yet.
    pub fn new(redactor: Redactor) -> Guard {
        let inner = Inner {
            vault: Vault::new(),
            permitted: None,
            restorer: None,
            refused: Vec::new(),
            left: Vec::new(),
        };
        Guard { redactor: Arc::new(redactor), inner: Arc::new(Mutex::new(inner)) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A conversation begins: what placeholders stood for is forgotten, and nothing may leave.
    pub fn begin(&self) {
        let mut inner = self.inner();
        inner.vault = Vault::new();
        inner.permitted = None;
    }

    /// This question may leave, and no other.
    pub fn permit(&self, request: &Request, permit: Permit<'_>) {
        let mut inner = self.inner();
        let outbound = Outbound::of(permit, &self.redactor, &mut inner.vault);
        inner.permitted = Some((request.text.clone(), outbound));
    }

    /// No question may leave.
    pub fn forbid(&self) {
        self.inner().permitted = None;
    }

    /// What goes out for this request; none where its question may not.
    fn outgoing(&self, stream: u64, mut request: ChatRequest) -> Option<ChatRequest> {
        troika_safety::fulfils![SR_RTE_002];
        let mut inner = self.inner();
        let (said, outbound) = inner.permitted.clone()?;
        let asked = request.messages.iter().rposition(|one| matches!(one, Message::User(_)))?;
        let Message::User(text) = &request.messages[asked] else { return None };
        if *text != said {
            return None;
        }
        let vault = &mut inner.vault;
        let mut redact = |text: &mut String| *text = self.redactor.redact(vault, text);
        for (index, message) in request.messages.iter_mut().enumerate() {
            match message {
                Message::User(text) if index == asked => outbound.text().clone_into(text),
                Message::System(text) | Message::User(text) | Message::Assistant(text) => redact(text),
                Message::Calls(calls) => calls.iter_mut().for_each(|call| redact(&mut call.arguments)),
                Message::Tool { result, .. } => redact(result),
            }
        }
        inner.restorer = Some((stream, Restorer::new(&inner.vault)));
        Some(request)
    }

    /// What the cloud said, with what was replaced put back.
    pub fn incoming(&self, stream: u64, what: FromCloud) -> Vec<FromCloud> {
        let mut inner = self.inner();
        let Some((_, restorer)) = inner.restorer.as_mut().filter(|(of, _)| *of == stream) else {
            return vec![what];
        };
        match what {
            FromCloud::Text(text) => {
                let text = restorer.push(&text);
                if text.is_empty() { Vec::new() } else { vec![FromCloud::Text(text)] }
            }
            FromCloud::Tools(calls) => {
                let vault = &inner.vault;
                let whole = |text: &str| {
                    let mut restorer = Restorer::new(vault);
                    restorer.push(text) + &restorer.finish()
                };
                let calls =
                    calls.into_iter().map(|call| ToolCall { arguments: whole(&call.arguments), ..call });
                vec![FromCloud::Tools(calls.collect())]
            }
            end @ (FromCloud::Done | FromCloud::Length | FromCloud::Failed(_)) => {
                let held = inner.restorer.take().map(|(_, restorer)| restorer.finish()).unwrap_or_default();
                let held = (!held.is_empty()).then_some(FromCloud::Text(held));
                held.into_iter().chain([end]).collect()
            }
        }
    }

    /// Streams that left since this was last asked.
    pub fn left(&self) -> Vec<u64> {
        std::mem::take(&mut self.inner().left)
    }

    /// Streams that did not leave, with what is told of them.
    pub fn refused(&self) -> Vec<(u64, FromCloud)> {
        let why = || Fault::Refused { status: 0, said: "the question may not leave the vehicle".into() };
        self.inner().refused.drain(..).map(|stream| (stream, FromCloud::Failed(why()))).collect()
    }
}

/// The service behind the guard.
pub struct Guarded<U> {
    guard: Guard,
    service: U,
}

impl<U: Upstream> Guarded<U> {
    /// Nothing reaches the service but through the guard.
    pub fn new(guard: Guard, service: U) -> Guarded<U> {
        Guarded { guard, service }
    }
}

impl<U: Upstream> Upstream for Guarded<U> {
    fn start(&mut self, stream: u64, request: ChatRequest) {
        match self.guard.outgoing(stream, request) {
            Some(request) => {
                self.guard.inner().left.push(stream);
                self.service.start(stream, request);
            }
            None => self.guard.inner().refused.push(stream),
        }
    }

    fn stop(&mut self, stream: u64) {
        self.service.stop(stream);
    }

    fn trace(&mut self, traceparent: Option<String>) {
        // Made of the question's id and time; it leaves with a question that may, or not at all.
        self.service.trace(traceparent);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use troika_kit::Time;
    use troika_router::{
        privacy,
        request::{Privacy, Task},
    };

    use super::*;

    #[derive(Default, Clone)]
    struct Service(Arc<Mutex<Vec<(u64, ChatRequest)>>>);

    impl Upstream for Service {
        fn start(&mut self, stream: u64, request: ChatRequest) {
            self.0.lock().unwrap().push((stream, request));
        }
        fn stop(&mut self, _: u64) {}
    }

    fn request(text: &str, privacy: Privacy) -> Request {
        Request {
            id: "1".into(),
            conversation: String::new(),
            text: text.into(),
            task: Task::Navigation,
            privacy,
            has_image: false,
            complexity: None,
            asked: Time::ZERO,
            deadline: None,
        }
    }

    fn guard() -> Guard {
        Guard::new(Redactor::new(&["Anna Berg"], true).unwrap())
    }

    fn chat(messages: Vec<Message>) -> ChatRequest {
        ChatRequest { model: String::new(), messages, tools: Vec::new(), most_tokens: 10 }
    }

    #[test]
    fn nothing_leaves_without_a_permit_for_these_very_words() {
        troika_safety::verifies![SR_RTE_001];
        let (guard, service) = (guard(), Service::default());
        let mut guarded = Guarded::new(guard.clone(), service.clone());
        guarded.start(1, chat(vec![Message::User("Where is the station?".into())]));
        let public = request("Where is the station?", Privacy::Public);
        guard.permit(&public, privacy::may_leave(&public, Privacy::Public).unwrap());
        guarded.start(2, chat(vec![Message::User("Am I tired?".into())]));
        guarded.start(3, chat(vec![Message::User("Where is the station?".into())]));
        guard.forbid();
        guarded.start(4, chat(vec![Message::User("Where is the station?".into())]));
        let sent: Vec<u64> = service.0.lock().unwrap().iter().map(|(stream, _)| *stream).collect();
        assert_eq!(sent, [3]);
        let refused: Vec<u64> = guard.refused().into_iter().map(|(stream, _)| stream).collect();
        assert_eq!(refused, [1, 2, 4]);
    }

    #[test]
    fn turns_of_before_and_results_of_tools_are_redacted_too_and_calls_come_back_with_the_names() {
        troika_safety::verifies![SR_RTE_002];
        let (guard, service) = (guard(), Service::default());
        let mut guarded = Guarded::new(guard.clone(), service.clone());
        let asked = request("Drive me to Anna Berg at 12 Mill Lane", Privacy::Public);
        guard.permit(&asked, privacy::may_leave(&asked, Privacy::Public).unwrap());
        guarded.start(
            1,
            chat(vec![
                Message::User("Where does Anna live?".into()),
                Message::Assistant("Anna Berg lives at 12 Mill Lane.".into()),
                Message::User(asked.text.clone()),
                Message::Tool { id: "a".into(), result: "{\"to\":\"Anna Berg\"}".into() },
            ]),
        );
        let sent = format!("{:?}", service.0.lock().unwrap());
        assert!(!sent.contains("Anna") && !sent.contains("Berg") && !sent.contains("12 Mill"), "{sent}");
        let call =
            ToolCall { id: "a".into(), name: "route".into(), arguments: "{\"to\":\"[NAME_1]\"}".into() };
        let restored = guard.incoming(1, FromCloud::Tools(vec![call]));
        assert!(format!("{restored:?}").contains("Anna Berg"), "{restored:?}");
    }

    proptest! {
        #[test]
        fn an_answer_cut_anywhere_comes_back_whole(cuts in prop::collection::vec(0usize..40, 0..6)) {
            troika_safety::verifies![SR_RTE_002];
            let guard = guard();
            let asked = request("Where is Anna Berg?", Privacy::Public);
            guard.permit(&asked, privacy::may_leave(&asked, Privacy::Public).unwrap());
            let mut guarded = Guarded::new(guard.clone(), Service::default());
            guarded.start(1, chat(vec![Message::User(asked.text.clone())]));
            let text = "You told me that [NAME_1] is at the [sea].";
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| FromCloud::Text(text[pair[0]..pair[1]].into()));
            let mut said = String::new();
            for piece in pieces.chain([FromCloud::Done]) {
                for back in guard.incoming(1, piece) {
                    if let FromCloud::Text(more) = back {
                        said.push_str(&more);
                    }
                }
            }
            prop_assert_eq!(said, "You told me that Anna Berg is at the [sea].");
        }
    }
}
