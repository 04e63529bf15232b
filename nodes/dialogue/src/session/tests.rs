use mockall::{Sequence, mock, predicate::eq};
use troika_kit::Duration;

use super::*;
use crate::Tier;

mock! {
    Service {}
    impl Upstream for Service {
        fn start(&mut self, stream: u64, request: ChatRequest);
        fn stop(&mut self, stream: u64);
    }
}

mock! {
    Model {}
    impl LocalModel for Model {
        fn shadow(&mut self, messages: &[Message], text: &str);
        fn go_on(&mut self, stream: u64, messages: &[Message], so_far: &str);
        fn stop(&mut self, stream: u64);
    }
}

mock! {
    Navigation {}
    impl Tools for Navigation {
        fn specs(&self) -> Vec<ToolSpec>;
        fn call(&self, call: &ToolCall) -> Result<String, String>;
    }
}

fn at(ms: u64) -> Time {
    Time::from_nanos(1_000_000_000_000) + Duration::from_millis(ms)
}

fn session(service: MockService, model: MockModel, mut tools: MockNavigation) -> Session {
    tools.expect_specs().returning(Vec::new);
    Session::new(Manner::default(), Box::new(service), Some(Box::new(model)), Box::new(tools))
}

fn text(text: &str) -> FromCloud {
    FromCloud::Text(text.into())
}

fn end(said: &[Said]) -> &End {
    match said.last() {
        Some(Said::End(end)) => end,
        other => panic!("no end, but {other:?}"),
    }
}

#[test]
fn the_next_question_goes_to_the_cloud_again_with_what_the_vehicle_said() {
    let (mut service, mut model) = (MockService::new(), MockModel::new());
    let mut order = Sequence::new();
    service
        .expect_start()
        .with(eq(1), mockall::predicate::always())
        .times(1)
        .in_sequence(&mut order)
        .return_const(());
    model
        .expect_shadow()
        .withf(|_, text| text == "It is open. Drive al")
        .times(1)
        .in_sequence(&mut order)
        .return_const(());
    model
        .expect_go_on()
        .withf(|stream, messages, so_far| {
            *stream == 2
                && so_far == "It is open. Drive "
                && messages.contains(&Message::User("Where?".into()))
        })
        .times(1)
        .in_sequence(&mut order)
        .return_const(());
    service
        .expect_start()
        .withf(|stream, request| {
            *stream == 3
                && request.messages[1..]
                    == [
                        Message::User("Where?".into()),
                        Message::Assistant("It is open. Drive along the river.".into()),
                        Message::User("And then?".into()),
                    ]
        })
        .times(1)
        .in_sequence(&mut order)
        .return_const(());
    let mut session = session(service, model, MockNavigation::new());
    session.ask(at(0), "Where?", at(30_000), true, Audience::Cloud);
    session.cloud(at(100), 1, text("It is open. Drive al"));
    session.cloud(at(110), 1, FromCloud::Failed(Fault::Reset("by peer".into())));
    session.local(at(200), 2, FromLocal::Text("along the river.".into()));
    let said = session.local(at(210), 2, FromLocal::Done);
    assert_eq!(
        (end(&said).tier, end(&said).said.as_str()),
        (Tier::Local, "It is open. Drive along the river.")
    );
    session.ask(at(9_000), "And then?", at(30_000), true, Audience::Cloud);
    assert_eq!(session.counts().handed_over, 1);
}

#[test]
fn a_service_that_fails_three_times_is_left_alone() {
    let (mut service, mut model) = (MockService::new(), MockModel::new());
    service.expect_start().times(3).return_const(());
    model.expect_go_on().times(4).return_const(());
    let mut session = session(service, model, MockNavigation::new());
    for turn in 0..4 {
        let stream = turn * 2 + 1;
        session.ask(at(turn), "Where?", at(30_000), true, Audience::Cloud);
        session.cloud(at(turn), stream, FromCloud::Failed(Fault::Server { status: 500, retry_after: None }));
        let local = if turn < 3 { stream + 1 } else { stream };
        session.local(at(turn), local, FromLocal::Text("I do not know.".into()));
        let said = session.local(at(turn), local, FromLocal::Done);
        let reason = end(&said).handed_over.as_ref().map(Reason::name);
        assert_eq!(reason, Some(if turn < 3 { "server" } else { "breaker_open" }));
    }
}

#[test]
fn a_call_for_a_vehicle_function_is_refused_and_the_model_is_told() {
    troika_safety::verifies![SR_RTE_005];
    let (mut service, mut tools) = (MockService::new(), MockNavigation::new());
    let call = ToolCall { id: "a".into(), name: "window.open".into(), arguments: "{}".into() };
    tools.expect_call().times(1).returning(|call| Err(format!("there is no tool {}", call.name)));
    service.expect_start().with(eq(1), mockall::predicate::always()).times(1).return_const(());
    service
        .expect_start()
        .withf(|stream, request| {
            *stream == 2
                && request.messages.last()
                    == Some(&Message::Tool {
                        id: "a".into(),
                        result: "{\"error\":\"there is no tool window.open\"}".into(),
                    })
        })
        .times(1)
        .return_const(());
    let mut session = session(service, MockModel::new(), tools);
    session.ask(at(0), "Open the window", at(30_000), true, Audience::Cloud);
    session.cloud(at(10), 1, FromCloud::Tools(vec![call]));
    assert_eq!((session.counts().calls, session.counts().calls_refused), (0, 1));
}

#[test]
fn a_new_question_ends_the_one_before_and_its_socket() {
    let (mut service, mut model) = (MockService::new(), MockModel::new());
    let mut order = Sequence::new();
    service
        .expect_start()
        .with(eq(1), mockall::predicate::always())
        .times(1)
        .in_sequence(&mut order)
        .return_const(());
    service.expect_stop().with(eq(1)).times(1).in_sequence(&mut order).return_const(());
    service
        .expect_start()
        .with(eq(2), mockall::predicate::always())
        .times(1)
        .in_sequence(&mut order)
        .return_const(());
    model.expect_shadow().return_const(());
    let mut session = session(service, model, MockNavigation::new());
    session.ask(at(0), "Where?", at(30_000), true, Audience::Cloud);
    session.cloud(at(10), 1, text("It is"));
    let said = session.ask(at(20), "No, how far?", at(30_000), true, Audience::Cloud);
    assert_eq!(end(&said).cut, Some(Reason::Cancelled));
    assert!(session.cloud(at(30), 1, text(" open. ")).is_empty());
}

#[test]
fn without_a_link_the_cloud_is_not_asked() {
    troika_safety::verifies![SR_RTE_013];
    let (service, mut model) = (MockService::new(), MockModel::new());
    model.expect_go_on().withf(|_, _, so_far| so_far.is_empty()).times(1).return_const(());
    let mut session = session(service, model, MockNavigation::new());
    session.link(at(0), false);
    session.ask(at(1), "Where?", at(30_000), true, Audience::Cloud);
}

#[test]
fn a_trial_that_the_link_ended_is_made_again() {
    let (mut service, mut tools) = (MockService::new(), MockNavigation::new());
    service.expect_start().times(5).return_const(());
    service.expect_stop().times(2).return_const(());
    tools.expect_specs().returning(Vec::new);
    // No model on the vehicle; a turn that is not answered ends so.
    let mut session = Session::new(Manner::default(), Box::new(service), None, Box::new(tools));
    for (turn, stream) in [1, 2, 3].into_iter().enumerate() {
        session.ask(at(turn as u64), "Where?", at(30_000), true, Audience::Cloud);
        session.cloud(at(turn as u64), stream, FromCloud::Failed(Fault::PaymentRequired));
        if turn < 2 {
            session.breaker.succeeded();
        }
    }
    let said = session.ask(at(100), "Where?", at(30_000), true, Audience::Cloud);
    assert_eq!(end(&said).cut, Some(Reason::BreakerOpen));
    session.ask(at(301_000), "Where?", at(330_000), true, Audience::Cloud);
    let said = session.link(at(301_100), false);
    assert_eq!(end(&said).cut, Some(Reason::LinkGone));
    session.link(at(301_200), true);
    session.ask(at(301_300), "Where?", at(331_000), true, Audience::Cloud);
    let said = session.tick(at(303_800));
    assert_eq!(end(&said).cut, Some(Reason::FirstTokenLate));
    assert!(
        session.ask(at(303_900), "Where?", at(331_000), true, Audience::Cloud).len() == 1,
        "one trial failed: open again"
    );
    assert_eq!(session.counts().handed_over, 0);
}
