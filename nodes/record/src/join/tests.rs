use troika_host::tape::{Outcome, PortOnTape, StepEntry};
use troika_kit::{Message as _, Qos, Tick, Time, TypeInfo};
use troika_msgs::{
    sensor_msgs::Image,
    std_msgs::String as Text,
    troika::{RecordedSample, RecordedStep},
};

use super::*;

const AT: Time = Time::from_nanos(10);

fn port(name: &'static str, topic: &str, ty: TypeInfo, latest: bool) -> PortOnTape {
    PortOnTape { name, topic: topic.into(), ty, qos: Qos::DEFAULT, latest }
}

/// Reads the newest of one topic and each of another, says something on a third.
fn made(id: u32, name: &str) -> TapeItem {
    TapeItem::Made(Box::new(NodeOnTape {
        id,
        name: name.into(),
        kind: "test",
        inputs: vec![port("newest", "/a", Text::TYPE, true), port("each", "/b", Text::TYPE, false)],
        outputs: vec![port("said", "/c", Text::TYPE, false)],
        injected: false,
    }))
}

fn arrived(node: u32, port: u16, count: u64, cdr: &[u8]) -> TapeItem {
    TapeItem::Arrived { node, port, count, received: AT, source_time: AT, cdr: cdr.into() }
}

fn left(node: u32, seq: u64, cdr: &[u8]) -> TapeItem {
    TapeItem::Left { node, port: 0, seq, stamp: AT, cdr: cdr.into() }
}

fn step(node: u32, seq: u64, frozen: &[StepEntry], messages: u32) -> Vec<TapeItem> {
    let tick = Tick { seq, release: AT, now: AT, level: 0 };
    let mut entries = vec![StepEntry::Begin { tick, lost: 0 }];
    entries.extend(frozen);
    entries.push(StepEntry::Ended(Outcome::Worked));
    entries.push(StepEntry::Left { messages, unsent: 0 });
    entries.into_iter().map(|entry| TapeItem::Step { node, entry }).collect()
}

fn newest(newest: u64, fresh: bool) -> StepEntry {
    StepEntry::Frozen { port: 0, newest, held: 0, fresh }
}

fn each(newest: u64, held: u32) -> StepEntry {
    StepEntry::Frozen { port: 1, newest, held, fresh: true }
}

fn given(joiner: &mut Joiner, items: impl IntoIterator<Item = TapeItem>) -> Vec<Entry> {
    let mut out = Vec::new();
    items.into_iter().for_each(|item| joiner.take(item, &mut out));
    joiner.settle(&mut out);
    out
}

fn messages<'a>(entries: &'a [Entry], topic: &str) -> Vec<&'a crate::Message> {
    let of = |entry: &'a Entry| if let Entry::Message(message) = entry { Some(message) } else { None };
    entries.iter().filter_map(of).filter(|message| message.topic.name == topic).collect()
}

fn steps(entries: &[Entry]) -> Vec<RecordedStep> {
    let all = messages(entries, "/_recorded/test");
    all.iter().map(|message| RecordedStep::decode(&message.cdr).expect("a step")).collect()
}

fn indices(step: &RecordedStep, port: u8) -> Vec<u32> {
    let held = step.inputs.iter().filter(|held| held.port == port);
    held.flat_map(|held| held.samples.iter().map(|sample| sample.index)).collect()
}

#[test]
fn a_step_comes_when_what_it_held_and_what_it_sent_is_there() {
    let mut joiner = Joiner::new(Privacy::LeaveOut);
    let first: Vec<TapeItem> =
        [made(0, "/test")].into_iter().chain(step(0, 0, &[newest(2, true), each(2, 2)], 1)).collect();
    assert_eq!(steps(&given(&mut joiner, first)), []);
    let inputs =
        [arrived(0, 0, 1, b"1"), arrived(0, 0, 2, b"2"), arrived(0, 1, 1, b"3"), arrived(0, 1, 2, b"4")];
    assert_eq!(steps(&given(&mut joiner, inputs)), []);
    let out = given(&mut joiner, [left(0, 0, b"5")]);
    let [step] = &steps(&out)[..] else { panic!("{out:?}") };
    assert_eq!((indices(step, 0), indices(step, 1)), (vec![1], vec![0, 1]), "the newest, and each");
    assert_eq!(step.outputs[0].samples[0].index, 0);
    assert_eq!(step.outcome, RecordedStep::WORKED);
    // The next one has the same newest: it is not said again.
    let out = given(&mut joiner, self::step(0, 1, &[newest(2, false)], 0));
    assert_eq!(steps(&out)[0].inputs[0].samples, []);
    assert!(!steps(&out)[0].inputs[0].fresh);
}

#[test]
fn a_message_that_two_nodes_see_or_one_sends_and_another_sees_is_there_once() {
    let mut joiner = Joiner::new(Privacy::LeaveOut);
    let mut out = given(&mut joiner, [made(0, "/one"), made(1, "/two")]);
    for node in [0, 1] {
        out.extend(given(&mut joiner, [arrived(node, 0, 1, b"same"), arrived(node, 0, 2, b"same")]));
    }
    assert_eq!(messages(&out, "/a").len(), 2, "it was sent twice, and seen twice by each");
}

#[test]
fn raw_pictures_are_left_out_with_their_hash_kept() {
    troika_safety::verifies![SR_OBS_003];
    let mut joiner = Joiner::new(Privacy::LeaveOut);
    let TapeItem::Made(mut node) = made(0, "/test") else { panic!("a node") };
    node.inputs[0].ty = Image::TYPE;
    let mut items = vec![TapeItem::Made(node), arrived(0, 0, 1, b"picture")];
    items.extend(step(0, 0, &[newest(1, true)], 0));
    let out = given(&mut joiner, items);
    assert!(messages(&out, "/a").is_empty());
    let sample = &steps(&out)[0].inputs[0].samples[0];
    assert_eq!((sample.index, sample.size), (RecordedSample::NOT_KEPT, 7));
    assert_eq!(sample.hash, crate::step::hash(b"picture"));
}

#[test]
fn a_step_whose_message_was_lost_comes_without_it_after_a_while() {
    let mut joiner = Joiner::new(Privacy::LeaveOut);
    let items = [made(0, "/test")].into_iter().chain(step(0, 0, &[each(1, 1)], 0));
    let mut out = given(&mut joiner, items);
    out.extend(given(&mut joiner, step(0, 1, &[], 0)));
    assert_eq!(steps(&out), []);
    for _ in 0..=PATIENCE {
        joiner.settle(&mut out);
    }
    let steps = steps(&out);
    assert_eq!(steps.iter().map(|step| step.seq).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(indices(&steps[0], 1), [RecordedSample::NOT_KEPT]);
}

#[test]
fn a_lost_message_whose_successor_is_there_is_not_waited_for() {
    let mut joiner = Joiner::new(Privacy::LeaveOut);
    let mut items = vec![made(0, "/test"), arrived(0, 1, 2, b"2")];
    items.extend(step(0, 0, &[each(2, 2)], 0));
    let out = given(&mut joiner, items);
    assert_eq!(indices(&steps(&out)[0], 1), [RecordedSample::NOT_KEPT, 0]);
}

#[test]
fn a_node_that_is_made_again_has_another_life_and_the_end_tells_what_was_lost() {
    let mut joiner = Joiner::new(Privacy::LeaveOut);
    let mut out = given(&mut joiner, [made(0, "/test"), TapeItem::Gone { node: 0 }, made(1, "/test")]);
    out.extend(given(&mut joiner, step(1, 0, &[], 0)));
    assert_eq!(steps(&out)[0].life, 1);
    out.extend(given(&mut joiner, [TapeItem::Lost { node: 1, what: What::Steps, number: 3 }]));
    let mut end = Vec::new();
    joiner.finish(&mut end);
    let said = |name: &str| {
        let all = out.iter().chain(&end);
        all.filter(|entry| matches!(entry, Entry::Metadata { name: of, .. } if of == name)).count()
    };
    assert_eq!((said(about::NODE), said(HOLE), said(END)), (2, 1, 1));
}

#[test]
fn a_step_that_is_under_way_at_the_end_is_told_as_one_without_an_end() {
    let mut joiner = Joiner::new(Privacy::LeaveOut);
    let tick = Tick { seq: 4, release: AT, now: AT, level: 1 };
    let begun = TapeItem::Step { node: 0, entry: StepEntry::Begin { tick, lost: 0 } };
    let mut out = given(&mut joiner, [made(0, "/test"), begun]);
    for _ in 0..2 * PATIENCE {
        joiner.settle(&mut out);
    }
    assert_eq!(steps(&out), [], "it has its time");
    joiner.finish(&mut out);
    let steps = steps(&out);
    assert_eq!((steps[0].seq, steps[0].outcome, steps[0].level), (4, RecordedStep::NO_END, 1));
}
