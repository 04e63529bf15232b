use proptest::prelude::*;

use super::*;
use crate::{Fault, chat::ToolCall};

fn at(ms: u64) -> Time {
    Time::from_nanos(1_000_000_000_000) + Duration::from_millis(ms)
}

fn ask(local: bool) -> Ask {
    Ask { deadline: at(30_000), not_cloud: None, local }
}

fn text(text: &str) -> FromCloud {
    FromCloud::Text(text.into())
}

fn local(text: &str) -> FromLocal {
    FromLocal::Text(text.into())
}

fn said(acts: &[Action]) -> String {
    acts.iter()
        .filter_map(|act| if let Action::Say { text, .. } = act { Some(text.as_str()) } else { None })
        .collect()
}

fn end(acts: &[Action]) -> &End {
    match acts.last() {
        Some(Action::End(end)) => end,
        other => panic!("no end, but {other:?}"),
    }
}

fn goes_on_from(acts: &[Action]) -> Option<(u64, &str)> {
    acts.iter().find_map(|act| match act {
        Action::ContinueLocal { stream, so_far } => Some((*stream, so_far.as_str())),
        _ => None,
    })
}

#[test]
fn words_that_the_vehicles_model_doubts_itself_are_not_said() {
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.cloud(at(300), 1, text("The sky is blue. It scatters the short "));
    let acts = turn.cloud(at(400), 1, FromCloud::Failed(Fault::Reset("cut".into())));
    let (stream, _) = goes_on_from(&acts).expect("the vehicle goes on");
    assert_eq!(said(&turn.local(at(450), stream, local("than the other "))), "");
    let acts = turn.local(at(500), stream, FromLocal::Unsure);
    assert_eq!(said(&acts), "It scatters the short ", "the cloud's words stay");
    assert_eq!(end(&acts).cut, Some(Reason::Unsure));
}

#[test]
fn an_answer_that_comes_in_time_is_said_sentence_by_sentence() {
    let (mut turn, acts) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    assert_eq!(acts, [Action::StartCloud { stream: 1 }]);
    let acts = turn.cloud(at(300), 1, text("Turn left. Then"));
    assert_eq!(acts[0], Action::Shadow { text: "Turn left. Then".into() });
    assert_eq!(said(&acts), "Turn left. ");
    assert_eq!(said(&turn.cloud(at(400), 1, text(" stop."))), "");
    let acts = turn.cloud(at(450), 1, FromCloud::Done);
    assert_eq!(said(&acts), "Then stop.");
    let end = end(&acts);
    assert_eq!(
        (end.tier, &end.cut, &end.handed_over, end.said.as_str()),
        (Tier::Cloud, &None, &None, "Turn left. Then stop.")
    );
    assert_eq!(turn.due(at(450)), None);
}

#[test]
fn a_reset_in_mid_sentence_is_gone_on_from_at_once() {
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.cloud(at(300), 1, text("Turn left. Then drive al"));
    let acts = turn.cloud(at(350), 1, FromCloud::Failed(Fault::Reset("by peer".into())));
    assert_eq!(goes_on_from(&acts), Some((2, "Turn left. Then drive ")));
    let acts = turn.local(at(500), 2, local("along the river. "));
    assert_eq!(acts, [Action::Say { text: "Then drive along the river. ".into(), tier: Tier::Local }]);
    let acts = turn.local(at(500), 2, FromLocal::Done);
    let end = end(&acts);
    assert_eq!(end.said, "Turn left. Then drive along the river. ");
    assert_eq!(end.handed_over.as_ref().map(Reason::name), Some("reset"));
    assert_eq!(end.cut, None);
}

#[test]
fn a_late_first_token_begins_a_draft_that_a_token_in_time_ends() {
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    assert_eq!(turn.due(at(0)), Some(at(900)));
    let acts = turn.tick(at(900));
    assert_eq!(goes_on_from(&acts), Some((2, "")));
    assert!(turn.local(at(1000), 2, local("I think so. ")).is_empty(), "nobody hears a draft");
    let acts = turn.cloud(at(1100), 1, text("Yes, at noon. "));
    assert!(acts.contains(&Action::StopLocal { stream: 2 }));
    assert_eq!(said(&acts), "Yes, at noon. ");
    assert!(turn.local(at(1101), 2, local("More.")).is_empty(), "nor what a stopped one still says");
    assert_eq!(end(&turn.cloud(at(1200), 1, FromCloud::Done)).drafts_dropped, 1);
}

#[test]
fn a_draft_that_came_to_nothing_does_not_keep_the_model_from_going_on_later() {
    for nothing in [FromLocal::Unsure, FromLocal::Failed("it has gone".into())] {
        let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
        assert_eq!(goes_on_from(&turn.tick(at(900))), Some((2, "")));
        turn.local(at(1000), 2, nothing);
        assert!(goes_on_from(&turn.tick(at(1050))).is_none(), "not again and again");
        turn.cloud(at(1100), 1, text("Turn left. Then drive al"));
        let acts = turn.cloud(at(1200), 1, FromCloud::Failed(Fault::Truncated));
        assert_eq!(goes_on_from(&acts), Some((3, "Turn left. Then drive ")));
    }
}

#[test]
fn a_first_token_that_never_comes_is_given_up_and_the_draft_is_said() {
    troika_safety::verifies![SR_RTE_004];
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.tick(at(900));
    turn.local(at(1000), 2, local("I think so. "));
    turn.local(at(1100), 2, FromLocal::Done);
    assert_eq!(turn.due(at(1100)), Some(at(2500)));
    let acts = turn.tick(at(2500));
    assert_eq!(acts[0], Action::StopCloud { stream: 1 });
    assert_eq!(said(&acts), "I think so. ");
    assert_eq!(end(&acts).handed_over, Some(Reason::FirstTokenLate));
}

#[test]
fn a_stall_is_none_while_there_is_text_to_speak() {
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    // 15 words: five seconds of speech.
    turn.cloud(
        at(300),
        1,
        text("one two three four five six seven eight nine ten eleven twelve thirteen fourteen end. And"),
    );
    assert!(turn.tick(at(2000)).is_empty());
    let draft = turn.tick(at(2800));
    assert!(goes_on_from(&draft).is_some(), "{draft:?}");
    assert!(turn.tick(at(4900)).is_empty());
    let acts = turn.cloud(at(4950), 1, text(" now."));
    assert!(acts.contains(&Action::StopLocal { stream: 2 }));
    let end = end(&turn.cloud(at(4960), 1, FromCloud::Done)).clone();
    assert_eq!((end.handed_over, end.silence), (None, Duration::ZERO));
}

#[test]
fn a_black_hole_is_left_before_the_spoken_text_runs_out() {
    troika_safety::verifies![SR_RTE_004];
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.cloud(
        at(0),
        1,
        text("one two three four five six seven eight nine ten eleven twelve thirteen fourteen end. And th"),
    );
    let acts = turn.tick(at(2500));
    assert_eq!(goes_on_from(&acts).map(|(_, so_far)| so_far.ends_with("end. And ")), Some(true));
    turn.local(at(2900), 2, local("then left. "));
    assert_eq!(turn.due(at(2900)), Some(at(4700)));
    let acts = turn.tick(at(4700));
    assert_eq!(said(&acts), "And then left. ");
    let acts = turn.local(at(4800), 2, FromLocal::Done);
    assert_eq!(end(&acts).silence, Duration::ZERO);
    assert_eq!(end(&acts).handed_over, Some(Reason::Stalled));
}

#[test]
fn the_driver_who_speaks_ends_the_socket_and_the_reply_at_once() {
    troika_safety::verifies![SR_RTE_006];
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.cloud(at(100), 1, text("Turn left. And then"));
    let acts = turn.cancel(at(200));
    assert_eq!(acts[0], Action::StopCloud { stream: 1 });
    assert_eq!(said(&acts), "");
    assert_eq!(end(&acts).cut, Some(Reason::Cancelled));
    assert!(turn.cloud(at(201), 1, text("more. ")).is_empty());
    assert!(turn.cancel(at(202)).is_empty());
}

#[test]
fn the_deadline_ends_a_turn_with_whole_words() {
    troika_safety::verifies![SR_RTE_011];
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.cloud(at(29_900), 1, text("Turn left. Then dri"));
    let acts = turn.tick(at(30_000));
    assert_eq!(acts[0], Action::StopCloud { stream: 1 });
    assert_eq!(end(&acts).said, "Turn left. Then ");
    assert_eq!(end(&acts).cut, Some(Reason::Deadline));
}

#[test]
fn without_a_model_on_the_vehicle_a_broken_connection_is_tried_once_more() {
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(false), 1);
    let acts = turn.cloud(at(10), 1, FromCloud::Failed(Fault::Reset("by peer".into())));
    assert_eq!(acts, [Action::StartCloud { stream: 2 }]);
    let acts = turn.cloud(at(20), 2, FromCloud::Failed(Fault::Reset("by peer".into())));
    assert_eq!(end(&acts).cut.as_ref().map(Reason::name), Some("reset"));
}

#[test]
fn a_link_that_is_gone_is_not_waited_for() {
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.cloud(at(100), 1, text("Turn left. And "));
    let acts = turn.link_gone(at(150));
    assert_eq!(acts[0], Action::StopCloud { stream: 1 });
    assert_eq!(goes_on_from(&acts), Some((2, "Turn left. And ")));
}

#[test]
fn tools_are_called_so_often_and_no_more() {
    let call = ToolCall { id: "a".into(), name: "eta".into(), arguments: "{}".into() };
    let (mut turn, mut acts) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    for round in 0..4 {
        let Some(Action::StartCloud { stream }) = acts.last().cloned() else { panic!("{acts:?}") };
        let called = turn.cloud(at(round), stream, FromCloud::Tools(vec![call.clone()]));
        assert_eq!(called, [Action::CallTools(vec![call.clone()])]);
        assert_eq!(turn.due(at(round)), Some(at(30_000)), "while tools are called only the deadline counts");
        acts = turn.tools_done(at(round), Facts::from_text("4 minutes"));
    }
    let Some(Action::StartCloud { stream }) = acts.last().cloned() else { panic!("{acts:?}") };
    let acts = turn.cloud(at(9), stream, FromCloud::Tools(vec![call]));
    assert!(goes_on_from(&acts).is_some());
    turn.local(at(10), 6, local("It takes 4 minutes. It takes 7 minutes. "));
    let end = end(&turn.local(at(11), 6, FromLocal::Done)).clone();
    assert_eq!((end.said.as_str(), end.left_out.ungrounded), ("It takes 4 minutes. ", 1));
}

#[test]
fn what_is_said_before_a_look_is_a_sentence_of_its_own_and_said_meanwhile() {
    let call = ToolCall { id: "a".into(), name: "eta".into(), arguments: "{}".into() };
    for preface in ["Let me check.", "Let me check"] {
        let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
        turn.cloud(at(300), 1, text(preface));
        let acts = turn.cloud(at(400), 1, FromCloud::Tools(vec![call.clone()]));
        assert_eq!(said(&acts).trim_end(), preface, "before the tools are called");
        assert_eq!(acts.last(), Some(&Action::CallTools(vec![call.clone()])));
        turn.tools_done(at(410), Facts::from_text("the Old Mill Cafe"));
        turn.cloud(at(700), 2, text("There is the Old Mill Cafe."));
        let acts = turn.cloud(at(800), 2, FromCloud::Done);
        assert_eq!(said(&acts), "There is the Old Mill Cafe.");
        assert_eq!(end(&acts).said, format!("{preface}\nThere is the Old Mill Cafe."));
    }
}

#[test]
fn a_model_that_loops_is_stopped() {
    let (mut turn, acts) =
        Turn::begin(at(0), Pace::default(), Ask { not_cloud: Some(Reason::Routed), ..ask(true) }, 1);
    assert_eq!(goes_on_from(&acts), Some((1, "")));
    let acts = turn.local(at(100), 1, local(&"The cafe is on the left. ".repeat(4)));
    assert_eq!(said(&acts), "The cafe is on the left. ");
    assert!(acts.contains(&Action::StopLocal { stream: 1 }));
    assert_eq!(end(&acts).cut, Some(Reason::Loops));
}

#[test]
fn a_model_that_fails_leaves_what_was_said() {
    let (mut turn, _) = Turn::begin(at(0), Pace::default(), ask(true), 1);
    turn.cloud(at(100), 1, text("Turn left. And then"));
    turn.cloud(at(110), 1, FromCloud::Failed(Fault::Truncated));
    let acts = turn.local(at(120), 2, FromLocal::Failed("no model".into()));
    assert_eq!(end(&acts).said, "Turn left. And ");
    assert_eq!(end(&acts).cut, Some(Reason::NoModel("no model".into())));
}

#[derive(Debug, Clone)]
enum Happens {
    Cloud(u8),
    Local(u8),
    Tools,
    Link,
    Cancel,
    Time,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever happens in whatever order: a turn ends once, by its deadline, with all streams closed, and says nothing after.
    #[test]
    fn every_turn_ends_once_with_its_streams_closed(
        model in any::<bool>(),
        happens in prop::collection::vec((prop_oneof![
            4 => (0u8..6).prop_map(Happens::Cloud), 4 => (0u8..3).prop_map(Happens::Local), 2 => Just(Happens::Tools),
            1 => Just(Happens::Link), 1 => Just(Happens::Cancel), 4 => Just(Happens::Time)], 0u64..1500), 0..60),
    ) {
        troika_safety::verifies![SR_RTE_011];
        let (mut turn, acts) = Turn::begin(at(0), Pace::default(), ask(model), 1);
        let (mut clouds, mut locals) = (Vec::new(), Vec::new());
        let mut ends = 0;
        let mut total = String::new();
        let mut see = |acts: Vec<Action>, clouds: &mut Vec<u64>, locals: &mut Vec<u64>, gone: Option<u64>| -> Result<(), TestCaseError> {
            clouds.retain(|stream| Some(*stream) != gone);
            locals.retain(|stream| Some(*stream) != gone);
            for act in acts {
                prop_assert_eq!(ends, 0, "nothing after the end");
                match act {
                    Action::StartCloud { stream } => clouds.push(stream),
                    Action::StopCloud { stream } => clouds.retain(|one| *one != stream),
                    Action::ContinueLocal { stream, .. } => locals.push(stream),
                    Action::StopLocal { stream } => locals.retain(|one| *one != stream),
                    Action::Say { text, .. } => total.push_str(&text),
                    Action::End(end) => {
                        ends += 1;
                        prop_assert_eq!(&end.said, &total);
                        prop_assert!(clouds.is_empty() && locals.is_empty(), "{:?} {:?}", clouds, locals);
                    }
                    Action::Shadow { .. } | Action::CallTools(_) => {}
                }
                prop_assert!(clouds.len() <= 1 && locals.len() <= 1);
            }
            Ok(())
        };
        see(acts, &mut clouds, &mut locals, None)?;
        let mut now = 0;
        for (what, later) in happens {
            now += later;
            let (cloud, model) = (clouds.last().copied().unwrap_or(99), locals.last().copied().unwrap_or(98));
            let (acts, gone) = match what {
                Happens::Cloud(0 | 1) => (turn.cloud(at(now), cloud, text("Go on to the old mill. Th")), None),
                Happens::Cloud(2) => (turn.cloud(at(now), cloud, FromCloud::Done), Some(cloud)),
                Happens::Cloud(3) => (turn.cloud(at(now), cloud, FromCloud::Tools(Vec::new())), Some(cloud)),
                Happens::Cloud(4) => (turn.cloud(at(now), cloud, FromCloud::Length), Some(cloud)),
                Happens::Cloud(_) => (turn.cloud(at(now), cloud, FromCloud::Failed(Fault::Truncated)), Some(cloud)),
                Happens::Local(0) => (turn.local(at(now), model, local("en take the bridge. ")), None),
                Happens::Local(1) => (turn.local(at(now), model, FromLocal::Done), Some(model)),
                Happens::Local(_) => (turn.local(at(now), model, FromLocal::Failed("x".into())), Some(model)),
                Happens::Tools => (turn.tools_done(at(now), Facts::default()), None),
                Happens::Link => (turn.link_gone(at(now)), None),
                Happens::Cancel => (turn.cancel(at(now)), None),
                Happens::Time => (turn.tick(at(now)), None),
            };
            see(acts, &mut clouds, &mut locals, gone)?;
        }
        while let Some(due) = turn.due(at(now)) {
            now = now.max(u64::try_from(due.since(at(0)).as_millis()).unwrap_or(u64::MAX)) + 1;
            let acts = turn.tick(at(now));
            see(acts, &mut clouds, &mut locals, None)?;
            prop_assert!(now <= 200_000);
        }
        prop_assert!(turn.over());
    }
}
