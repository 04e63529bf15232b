//! The desk with a model that says what a test wants, on a time line of the test's own.

use mockall::Sequence;

use super::*;
use crate::engine::{EngineError, MockEngine};

const START: Time = Time::from_stamp(1_000, 0);

fn at(ms: u64) -> Time {
    START + Duration::from_millis(ms)
}

fn desk() -> Desk {
    Desk::new(Prompts::english(), Holding::default(), "small")
}

fn request(id: &str, task: u8, text: &str) -> LanguageRequest {
    LanguageRequest {
        header: Header::at(START),
        request_id: id.to_owned(),
        task,
        text: text.to_owned(),
        context: "open my window => window.move position=front_left action=open percent=100".to_owned(),
        so_far: String::new(),
        deadline: Duration::from_millis(1_000).into(),
    }
}

fn said(text: &str, probability: f64) -> Result<Progress, EngineError> {
    Ok(Progress::Text { text: text.to_owned(), probability, allowed: 1.0 })
}

/// A model that takes one request and then says these, one a pass.
fn model(all: Vec<Result<Progress, EngineError>>) -> MockEngine {
    let mut engine = MockEngine::new();
    engine.expect_begin().times(1).returning(|_| Ok(()));
    let mut order = Sequence::new();
    for one in all {
        engine.expect_advance().times(1).in_sequence(&mut order).return_once(move || one);
    }
    engine
}

/// Passes of 10 ms until nothing is in hand.
fn to_the_end(desk: &mut Desk, engine: &mut MockEngine) -> Vec<LanguageReply> {
    let mut replies = Vec::new();
    let mut now = 0;
    while !desk.is_idle() {
        now += 10;
        replies.extend(desk.advance(at(now), engine));
        assert!(now < 10_000, "it does not end");
    }
    replies
}

#[test]
fn an_interpretation_is_the_line_with_the_product_of_what_was_left_open() {
    let mut desk = desk();
    assert!(desk.receive(START, &request("a", LanguageRequest::INTERPRET, "lock it")).is_empty());
    let mut engine = model(vec![
        Ok(Progress::Reading),
        said(" door.lock action=", 0.5),
        said("lock", 0.8),
        said("\n", 1.0),
        Ok(Progress::End),
    ]);
    let replies = to_the_end(&mut desk, &mut engine);
    assert_eq!(replies.len(), 1, "nothing in parts: {replies:?}");
    let reply = &replies[0];
    assert_eq!((reply.status, reply.text.as_str()), (LanguageReply::DONE, "door.lock action=lock"));
    assert!((reply.confidence - 0.4).abs() < 1e-6, "{}", reply.confidence);
    assert_eq!(Duration::from(reply.latency.clone()), Duration::from_millis(50));
    assert_eq!((reply.request_id.as_str(), reply.model.as_str()), ("a", "small"));
}

#[test]
fn a_deadline_ends_it_between_two_passes_with_what_there_was() {
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::INTERPRET, "lock it"));
    let mut engine = model(vec![said(" door.lock action=", 0.5)]);
    assert!(desk.advance(at(999), &mut engine).is_empty());
    let replies = desk.advance(at(1_000), &mut engine);
    assert_eq!((replies[0].status, replies[0].text.as_str()), (LanguageReply::LATE, "door.lock action="));
    assert!(desk.is_idle());
}

#[test]
fn a_request_that_comes_too_late_or_waits_too_long_costs_no_pass() {
    let mut desk = desk();
    desk.receive(at(2_000), &request("a", LanguageRequest::INTERPRET, "lock it"));
    let mut engine = MockEngine::new();
    let replies = desk.advance(at(2_000), &mut engine);
    assert_eq!(replies[0].status, LanguageReply::LATE);
}

#[test]
fn a_cancel_ends_what_runs_and_what_waits_and_no_other() {
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::INTERPRET, "lock it"));
    desk.receive(START, &request("b", LanguageRequest::ANSWER, "Who was Ada Lovelace?"));
    let mut engine = model(vec![said(" door.lock action=", 0.5)]);
    desk.advance(at(10), &mut engine);
    assert!(desk.receive(at(11), &request("c", LanguageRequest::CANCEL, "")).is_empty());
    let waiting = desk.receive(at(12), &request("b", LanguageRequest::CANCEL, ""));
    assert_eq!((waiting[0].status, waiting[0].request_id.as_str()), (LanguageReply::CANCELLED, "b"));
    let running = desk.receive(at(13), &request("a", LanguageRequest::CANCEL, ""));
    assert_eq!((running[0].status, running[0].request_id.as_str()), (LanguageReply::CANCELLED, "a"));
    assert!(desk.is_idle());
}

#[test]
fn a_newer_request_of_the_same_task_takes_the_place_of_the_older() {
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::INTERPRET, "lock it"));
    let mut engine = MockEngine::new();
    engine.expect_begin().times(2).returning(|_| Ok(()));
    engine.expect_advance().returning(|| said(" ask\n", 1.0));
    desk.advance(at(10), &mut engine);
    desk.receive(at(20), &request("other", LanguageRequest::REWRITE, "and the other"));
    let ended = desk.receive(at(20), &request("b", LanguageRequest::INTERPRET, "unlock it"));
    assert_eq!((ended[0].request_id.as_str(), ended[0].status), ("a", LanguageReply::CANCELLED));
    assert!(ended[0].reason.contains("newer"), "{}", ended[0].reason);
    desk.advance(at(30), &mut engine);
    let ended = desk.receive(at(40), &request("c", LanguageRequest::INTERPRET, "open it"));
    assert_eq!(ended[0].request_id, "b", "one that waits is replaced too: the follow-up runs");
    for n in 0..100 {
        let ended = desk.receive(at(50), &request(&n.to_string(), LanguageRequest::INTERPRET, "open it"));
        assert_eq!(ended.len(), 1);
    }
    assert_eq!(desk.waiting.len(), 1);
}

#[test]
fn without_a_model_every_request_is_told_so() {
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::INTERPRET, "lock it"));
    let told = desk.without_model(at(1), "no model");
    assert_eq!((told[0].request_id.as_str(), told[0].status), ("a", LanguageReply::UNAVAILABLE));
    let told = desk.receive(at(2), &request("b", LanguageRequest::ANSWER, "Why?"));
    assert_eq!((told[0].status, told[0].reason.as_str()), (LanguageReply::UNAVAILABLE, "no model"));
    assert!(desk.is_idle());
}

#[test]
fn what_is_no_request_is_told_why() {
    let mut desk = desk();
    let long = "x".repeat(TEXT_BYTES + 1);
    for (task, text, why) in [
        (0, "lock it", "INTERPRET"),
        (LanguageRequest::INTERPRET, "  ", "no text"),
        (LanguageRequest::INTERPRET, long.as_str(), "512 bytes"),
    ] {
        let told = desk.receive(START, &request("a", task, text));
        assert_eq!(told[0].status, LanguageReply::UNAVAILABLE);
        assert!(told[0].reason.contains(why), "{}", told[0].reason);
    }
    let bare = LanguageRequest { context: String::new(), ..request("a", LanguageRequest::REWRITE, "more") };
    assert!(desk.receive(START, &bare)[0].reason.contains("context"));
    assert!(desk.is_idle());
}

#[test]
fn a_model_that_fails_is_told_and_the_next_request_is_tried_anew() {
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::INTERPRET, "lock it"));
    let mut engine = model(vec![Err(EngineError::Run("out of memory".to_owned()))]);
    let replies = to_the_end(&mut desk, &mut engine);
    assert_eq!(replies[0].status, LanguageReply::UNAVAILABLE);
    assert!(replies[0].reason.contains("out of memory"));
    desk.receive(START, &request("b", LanguageRequest::INTERPRET, "lock it"));
    let mut engine = model(vec![said(" ask\n", 0.9), Ok(Progress::End)]);
    assert_eq!(to_the_end(&mut desk, &mut engine)[0].text, "ask");
}

#[test]
fn an_answer_that_the_catalogue_does_not_take_is_none() {
    troika_safety::verifies![SR_VOI_018];
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::INTERPRET, "lock it"));
    let mut engine = model(vec![said(" door.lock action=open\n", 0.9), Ok(Progress::End)]);
    let reply = to_the_end(&mut desk, &mut engine).remove(0);
    assert_eq!((reply.status, reply.text.as_str()), (LanguageReply::UNAVAILABLE, ""));
    assert!(reply.reason.contains("action"), "{}", reply.reason);
}

#[test]
fn a_question_is_answered_in_parts_and_ends_with_its_second_sentence() {
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::ANSWER, "Who was Ada Lovelace?"));
    let words = [
        "She",
        " was",
        " a",
        " mathematician",
        ".",
        " She",
        " wrote",
        " of",
        " 3.5",
        " engines",
        ".",
        " And",
    ];
    let mut engine = model(words.iter().map(|word| said(word, 0.25)).collect());
    let replies = to_the_end(&mut desk, &mut engine);
    let parts: Vec<(u8, &str)> = replies.iter().map(|reply| (reply.status, reply.text.as_str())).collect();
    assert_eq!(
        parts,
        [
            (LanguageReply::PARTIAL, "She was a mathematician"),
            (LanguageReply::PARTIAL, "She was a mathematician. She wrote of"),
            (LanguageReply::DONE, "She was a mathematician. She wrote of 3.5 engines."),
        ]
    );
    assert!((replies[2].confidence - 0.25).abs() < 1e-6, "the mean of a word");
}

#[test]
fn an_answer_that_would_claim_an_act_is_a_refusal() {
    troika_safety::verifies![SR_VOI_016];
    let mut desk = desk();
    desk.receive(START, &request("a", LanguageRequest::ANSWER, "Would you be so kind as to air the place?"));
    let mut engine = model(vec![said("Sure, I'll", 0.5), said(" open the window.", 0.5)]);
    let reply = to_the_end(&mut desk, &mut engine).pop().expect("one");
    assert!(reply.text.starts_with("I cannot do that"), "{}", reply.text);
    // A command in the place of a question does not even get to the model.
    desk.receive(START, &request("b", LanguageRequest::ANSWER, "Open the sunroof."));
    let reply = desk.advance(at(1), &mut MockEngine::new()).pop().expect("one");
    assert!(reply.text.starts_with("I cannot do that"), "{}", reply.text);
}

#[test]
fn an_answer_without_an_end_is_ended() {
    let mut desk = desk();
    let endless = LanguageRequest {
        so_far: String::new(),
        deadline: Duration::from_secs(100).into(),
        ..request("a", LanguageRequest::ANSWER, "Who was Ada Lovelace?")
    };
    desk.receive(START, &endless);
    let mut engine = MockEngine::new();
    engine.expect_begin().returning(|_| Ok(()));
    let mut count = 0;
    engine.expect_advance().returning(move || {
        count += 1;
        said(&format!(" {count}"), 1.0)
    });
    let last = to_the_end(&mut desk, &mut engine).pop().expect("one");
    assert_eq!(last.status, LanguageReply::DONE);
    assert_eq!(last.text.split_whitespace().count(), MOST_PASSES as usize);
}

#[test]
fn sentences_end_where_they_end() {
    assert_eq!(whole_sentences("It is 3.5 km. Yes", SENTENCES), None, "one sentence");
    assert_eq!(whole_sentences("It is far. Dr. Who said so. And", SENTENCES), Some(27));
    assert_eq!(whole_sentences("\nIt is far\nDriver:", SENTENCES), Some(10), "a line is an answer");
    assert_eq!(whole_sentences("so it is so it is so it", SENTENCES), None);
    assert_eq!(whole_sentences("so it is so it is so it is", SENTENCES), Some(9), "the third time");
}

#[test]
fn a_stamp_of_nowhere_counts_from_the_arrival() {
    for stamp in [Time::ZERO, at(60_000)] {
        let mut desk = desk();
        let odd = LanguageRequest {
            header: Header::at(stamp),
            ..request("a", LanguageRequest::INTERPRET, "lock it")
        };
        desk.receive(at(5_000), &odd);
        let mut engine = model(vec![said(" ask\n", 1.0)]);
        assert!(desk.advance(at(5_999), &mut engine).is_empty());
        assert_eq!(desk.advance(at(6_000), &mut engine)[0].status, LanguageReply::LATE);
    }
}

fn going_on(id: &str, task: u8, so_far: &str) -> LanguageRequest {
    let context = "{\"name\":\"Old Mill Cafe\"}".to_owned();
    LanguageRequest { so_far: so_far.to_owned(), context, ..request(id, task, "Is there a cafe?") }
}

#[test]
fn an_answer_goes_on_sentence_by_sentence_and_ends_where_the_model_is_not_sure() {
    let mut desk = desk();
    desk.receive(START, &going_on("a", LanguageRequest::CONTINUE, "It is open "));
    let mut engine = model(vec![
        Ok(Progress::Reading),
        said(" until", 0.9),
        said(" nine.", 0.8),
        said(" It", 0.9),
        said(" sells", 0.2),
        said(" trains.", 0.1),
        said(" And", 0.2),
    ]);
    let replies = to_the_end(&mut desk, &mut engine);
    let told: Vec<(u8, &str)> = replies.iter().map(|reply| (reply.status, reply.text.as_str())).collect();
    assert_eq!(told, [(LanguageReply::PARTIAL, " until nine."), (LanguageReply::UNSURE, " until nine.")]);
    assert!(replies[1].reason.contains("not sure"), "{}", replies[1].reason);
}

#[test]
fn what_goes_on_ends_with_the_models_end_or_its_third_sentence() {
    let mut desk = desk();
    desk.receive(START, &going_on("a", LanguageRequest::CONTINUE, "It is open "));
    let replies = to_the_end(&mut desk, &mut model(vec![said(" until nine.", 0.9), Ok(Progress::End)]));
    assert_eq!((replies[0].status, replies[0].text.as_str()), (LanguageReply::DONE, " until nine."));
    desk.receive(START, &going_on("b", LanguageRequest::CONTINUE, "It is open "));
    let four = ["until nine.", " One.", " Two.", " Three."].map(|text| said(text, 0.9));
    let replies = to_the_end(&mut desk, &mut model(four.into()));
    let last = replies.last().expect("an end");
    assert_eq!((last.status, last.text.as_str()), (LanguageReply::DONE, "until nine. One. Two."));
}

#[test]
fn what_is_read_along_says_nothing_and_gives_way() {
    let mut desk = desk();
    assert!(desk.receive(START, &going_on("a", LanguageRequest::READ_ALONG, "It is ")).is_empty());
    assert!(to_the_end(&mut desk, &mut model(vec![Ok(Progress::Reading), Ok(Progress::End)])).is_empty());
    // Something else comes while it is read: it is done first, and the reading goes on behind it.
    desk.receive(START, &going_on("b", LanguageRequest::READ_ALONG, "It is open "));
    let mut engine = MockEngine::new();
    let mut order = Sequence::new();
    for task in [crate::engine::Task::Continue, crate::engine::Task::Answer, crate::engine::Task::Continue] {
        let begins = move |prompt: &Prompt| prompt.task == task;
        engine.expect_begin().times(1).in_sequence(&mut order).withf(begins).return_once(|_| Ok(()));
        let given = match task {
            crate::engine::Task::Answer => said("The Nile. Yes", 0.9),
            _ => Ok(Progress::Reading),
        };
        engine.expect_advance().times(1).in_sequence(&mut order).return_once(move || given);
        if task == crate::engine::Task::Answer {
            engine.expect_advance().times(1).in_sequence(&mut order).return_once(|| Ok(Progress::End));
        }
    }
    engine.expect_advance().times(1).in_sequence(&mut order).return_once(|| Ok(Progress::End));
    assert!(desk.advance(at(10), &mut engine).is_empty());
    assert!(desk.receive(at(10), &request("c", LanguageRequest::ANSWER, "Which river?")).is_empty());
    let replies = to_the_end(&mut desk, &mut engine);
    assert_eq!(replies.iter().map(|reply| reply.request_id.as_str()).collect::<Vec<_>>(), ["c"]);
    // A reading does not take the place of an answer.
    desk.receive(START, &going_on("d", LanguageRequest::CONTINUE, "It is "));
    assert!(desk.receive(START, &going_on("e", LanguageRequest::READ_ALONG, "It is open ")).is_empty());
    assert_eq!(desk.receive(START, &going_on("d", LanguageRequest::CANCEL, ""))[0].request_id, "d");
    assert!(desk.is_idle());
}
