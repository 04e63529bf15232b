use troika_kit::{Fault, ports};
use troika_msgs::std_msgs::String as Text;

use super::*;

ports! {
    struct Inputs {
        newest: troika_kit::Latest<Text> = "/newest",
        each: troika_kit::Events<Text, 2> = "/each",
    }
}
ports! {
    struct Outputs {
        said: troika_kit::Out<Text> = "/said",
    }
}

fn tick(seq: u64) -> troika_kit::Tick {
    troika_kit::Tick { seq, release: Time::from_nanos(seq), now: Time::from_nanos(seq + 1), level: 0 }
}

fn all(reader: &mut TapeReader) -> Vec<TapeItem> {
    let mut items = Vec::new();
    reader.take(|item| items.push(item));
    items
}

#[test]
fn what_a_node_saw_comes_out_in_the_order_of_each_ring_and_ends_with_it() {
    let (tape, mut reader) = Tape::new(1 << 20, WhenFull::Lose);
    let node = tape.node::<Inputs, Outputs>("test", &NodeOptions::new("test"));
    let (mut arrivals, mut steps, mut left) = (node.arrivals(1), node.steps(), node.departures());
    arrivals.came(1, Time::from_nanos(3), Time::from_nanos(2), b"one");
    steps.begin(&tick(0));
    steps.put(StepEntry::Ended(Outcome::Worked));
    left.left(0, 0, Time::from_nanos(4), b"two");
    drop((arrivals, steps, left));
    let items = all(&mut reader);
    let TapeItem::Made(made) = &items[0] else { panic!("{items:?}") };
    assert_eq!((made.name.as_str(), made.inputs[0].topic.as_str()), ("/test", "/newest"));
    assert_eq!((made.inputs[0].latest, made.inputs[1].latest), (true, false));
    assert!(matches!(&items[1], TapeItem::Arrived { port: 1, count: 1, cdr, .. } if **cdr == *b"one"));
    assert!(matches!(items[2], TapeItem::Step { entry: StepEntry::Begin { lost: 0, .. }, .. }));
    assert!(matches!(items[3], TapeItem::Step { entry: StepEntry::Ended(Outcome::Worked), .. }));
    assert!(matches!(&items[4], TapeItem::Left { seq: 0, cdr, .. } if **cdr == *b"two"));
    assert_eq!(items[5..], [TapeItem::Gone { node: 0 }]);
    assert_eq!(all(&mut reader), []);
}

#[test]
fn messages_over_the_bound_are_lost_and_counted_and_one_alone_always_passes() {
    troika_safety::verifies![SR_OBS_001];
    let (tape, mut reader) = Tape::new(8, WhenFull::Lose);
    let node = tape.node::<Inputs, Outputs>("test", &NodeOptions::new("test"));
    let mut arrivals = node.arrivals(0);
    let at = Time::from_nanos(1);
    arrivals.came(1, at, at, b"longer than eight");
    arrivals.came(2, at, at, b"no");
    let items = all(&mut reader);
    assert!(matches!(items[1], TapeItem::Arrived { count: 1, .. }));
    assert_eq!(items[2..], [TapeItem::Lost { node: 0, what: What::Arrivals(0), number: 1 }]);
    arrivals.came(3, at, at, b"yes");
    assert!(matches!(all(&mut reader)[..], [TapeItem::Arrived { count: 3, .. }]));
}

#[test]
fn a_step_is_there_whole_or_not_at_all_and_the_next_one_tells() {
    troika_safety::verifies![SR_OBS_001];
    let (tape, mut reader) = Tape::new(1 << 20, WhenFull::Lose);
    let node = tape.node::<Inputs, Outputs>("test", &NodeOptions::new("test"));
    let mut steps = node.steps();
    let whole = |steps: &mut Steps, seq| {
        steps.begin(&tick(seq));
        steps.put(StepEntry::Ended(Outcome::Fault));
        steps.put(StepEntry::FellBack(Fault::Panicked));
        steps.put(StepEntry::Left { messages: 1, unsent: 0 });
    };
    let most = ENTRIES as u64;
    (0..most).for_each(|seq| whole(&mut steps, seq));
    let mut items = all(&mut reader);
    let Some(TapeItem::Lost { what: What::Steps, number, .. }) = items.pop() else { panic!("{items:?}") };
    let there = most - number;
    assert_eq!(items.len() as u64, 1 + 4 * there, "four entries of each that is there");
    assert!(matches!(items.last(), Some(TapeItem::Step { entry: StepEntry::Left { .. }, .. })));
    whole(&mut steps, most);
    let items = all(&mut reader);
    let TapeItem::Step { entry: StepEntry::Begin { tick, lost }, .. } = items[0] else { panic!("{items:?}") };
    assert_eq!((tick.seq, lost), (most, number));
}

#[test]
fn who_may_wait_waits_for_the_reader_and_not_for_one_that_is_gone() {
    let (tape, mut reader) = Tape::new(1 << 20, WhenFull::Wait);
    let node = tape.node::<Inputs, Outputs>("test", &NodeOptions::new("test"));
    let mut arrivals = node.arrivals(0);
    let at = Time::from_nanos(1);
    let (done, ended) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        (1..=2 * MESSAGES as u64).for_each(|count| arrivals.came(count, at, at, b"x"));
        let _read_on = done.send(());
        arrivals
    });
    let mut came = 0;
    while came < 2 * MESSAGES {
        reader.take(|item| came += usize::from(matches!(item, TapeItem::Arrived { .. })));
    }
    assert_eq!(ended.recv(), Ok(()));
    let mut arrivals = writer.join().expect("it ends");
    drop(reader);
    (0..=MESSAGES as u64).for_each(|count| arrivals.came(count, at, at, b"x"));
}
