//! What the queue does with what it is given, on a real file.

use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;
use troika_kit::{Duration, Time};
use troika_outbox::{Charge, Limits, Most, New, Outbox, OutboxError, Outcome, Priority, Put, Queued, Spent};

fn at(seconds: u64) -> Time {
    // Noon of a day, so that a test of a minute stays within it.
    Time::from_nanos((20_000 * 86_400 + 43_200) * 1_000_000_000) + Duration::from_secs(seconds)
}

fn new(key: &str, priority: Priority, bytes: usize) -> New {
    New {
        key: key.into(),
        kind: "message".into(),
        priority,
        lives: Duration::from_secs(3600),
        cost: 10,
        payload: vec![b'x'; bytes],
    }
}

fn open(folder: &Path, limits: Limits) -> Outbox {
    Outbox::open(&folder.join("outbox"), limits).expect("an outbox")
}

#[test]
fn what_is_urgent_goes_first_and_what_is_older_before_what_is_newer() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    for (key, priority) in [
        ("summary", Priority::Bulk),
        ("question", Priority::Normal),
        ("message", Priority::Urgent),
        ("another", Priority::Urgent),
    ] {
        assert!(matches!(outbox.put(at(0), &new(key, priority, 10)), Ok(Put::Queued(_))));
    }
    let mut order = Vec::new();
    while let Some(item) = outbox.take(at(1)).expect("a disk") {
        order.push(item.key);
    }
    assert_eq!(order, ["message", "another", "question", "summary"]);
}

#[test]
fn several_are_taken_at_once_as_the_caller_chooses_and_what_does_not_fit_ends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    for (key, priority, bytes) in [
        ("a", Priority::Urgent, 100),
        ("not-now", Priority::Urgent, 1),
        ("b", Priority::Normal, 100),
        ("large", Priority::Normal, 500),
        ("small", Priority::Bulk, 1),
    ] {
        outbox.put(at(0), &new(key, priority, bytes)).expect("put");
    }
    let mut take = |most: Most| {
        let charge = |bytes| Some(Charge { bytes: bytes + 20, cost: 0 });
        let taken =
            outbox.take_some(at(1), most, |one| if one.key == "not-now" { None } else { charge(one.bytes) });
        let taken = taken.expect("a disk");
        let keys: Vec<_> = taken.iter().map(|item| item.key.clone()).collect();
        let ids: Vec<_> = taken.iter().map(|item| (item.id, Outcome::Again)).collect();
        outbox.settle(at(1), &ids).expect("a disk");
        (keys.join(" "), outbox.spent(at(1)).expect("a disk"))
    };
    let most = Most { items: 100, bytes: 300, first: 300 };
    assert_eq!(take(most), ("a b".into(), Spent { bytes: 240, cost: 0 }), "charged as chosen");
    assert_eq!(take(Most { items: 1, ..most }).0, "a");
    assert_eq!(take(Most { bytes: 10, ..most }).0, "a", "the first is measured by itself");
    assert_eq!(take(Most { first: 119, ..most }).0, "", "what is first and does not fit is not gone past");
}

#[test]
fn what_became_of_several_is_settled_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    let mut ids = Vec::new();
    for key in ["delivered", "failed", "again", "hopeless"] {
        let Ok(Put::Queued(id)) = outbox.put(at(0), &new(key, Priority::Normal, 10)) else { panic!() };
        ids.push(id);
    }
    let all = Most { items: 100, bytes: 1000, first: 1000 };
    let free = |outbox: &mut Outbox, time| -> Vec<String> {
        let taken = outbox.take_some(time, all, |_| Some(Charge::default())).expect("a disk");
        taken.into_iter().map(|item| item.key).collect()
    };
    assert_eq!(free(&mut outbox, at(1)).len(), 4);
    let outcomes = [
        Outcome::Delivered,
        Outcome::Failed(Some(Duration::from_secs(9))),
        Outcome::Again,
        Outcome::Hopeless,
    ];
    let outcomes: Vec<_> = ids.iter().copied().zip(outcomes).collect();
    outbox.settle(at(1), &outcomes).expect("a disk");
    assert_eq!(free(&mut outbox, at(2)), ["again"]);
    assert_eq!(free(&mut outbox, at(10)), ["failed"]);
    assert!(matches!(outbox.put(at(2), &new("delivered", Priority::Normal, 10)), Ok(Put::Delivered(_))));
    assert!(
        matches!(outbox.put(at(2), &new("hopeless", Priority::Normal, 1)), Ok(Put::Queued(_))),
        "forgotten"
    );
}

#[test]
fn what_was_taken_and_not_delivered_is_there_again_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    outbox.put(at(0), &new("a", Priority::Normal, 10)).expect("put");
    outbox.put(at(0), &new("b", Priority::Normal, 10)).expect("put");
    let first = outbox.take(at(1)).expect("a disk").expect("one");
    outbox.delivered(first.id).expect("a disk");
    assert_eq!(outbox.take(at(1)).expect("a disk").expect("one").key, "b");
    assert_eq!(outbox.take(at(1)).expect("a disk"), None, "it is on its way");
    drop(outbox);
    let mut outbox = open(folder.path(), Limits::default());
    let again = outbox.take(at(2)).expect("a disk").expect("one");
    assert_eq!((again.key.as_str(), again.tries, again.payload.len()), ("b", 2, 10));
}

#[test]
fn the_same_key_is_queued_once_and_after_delivery_not_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits { remembered: 1, ..Limits::default() });
    let Ok(Put::Queued(id)) = outbox.put(at(0), &new("a", Priority::Normal, 10)) else { panic!() };
    assert_eq!(outbox.put(at(0), &new("a", Priority::Normal, 10)).expect("put"), Put::Waits(id));
    outbox.take(at(0)).expect("a disk");
    outbox.delivered(id).expect("a disk");
    assert_eq!(outbox.put(at(0), &new("a", Priority::Normal, 10)).expect("put"), Put::Delivered(id));
    assert_eq!(outbox.queued().expect("a disk"), Queued::default());
    // Only so many are remembered.
    let Ok(Put::Queued(other)) = outbox.put(at(0), &new("b", Priority::Normal, 10)) else { panic!() };
    outbox.delivered(other).expect("a disk");
    assert!(matches!(outbox.put(at(0), &new("a", Priority::Normal, 10)), Ok(Put::Queued(_))));
}

#[test]
fn a_failed_delivery_waits_longer_each_time_and_as_long_as_it_is_asked_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    outbox.put(at(0), &new("a", Priority::Normal, 10)).expect("put");
    let mut now = 0;
    for wait in [1, 2, 4, 8] {
        let item = outbox.take(at(now)).expect("a disk").expect("its time has come");
        outbox.failed(at(now), item.id, None).expect("a disk");
        assert_eq!(outbox.take(at(now + wait - 1)).expect("a disk"), None);
        now += wait;
    }
    let item = outbox.take(at(now)).expect("a disk").expect("its time has come");
    outbox.failed(at(now), item.id, Some(Duration::from_secs(60))).expect("a disk");
    assert_eq!(outbox.take(at(now + 59)).expect("a disk"), None);
    assert!(outbox.take(at(now + 60)).expect("a disk").is_some());
}

#[test]
fn nobody_asks_for_a_longer_wait_than_the_longest() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits { retry_longest_ms: 60_000, ..Limits::default() });
    outbox.put(at(0), &new("a", Priority::Normal, 10)).expect("put");
    let item = outbox.take(at(0)).expect("a disk").expect("its time has come");
    outbox.failed(at(0), item.id, Some(Duration::from_secs(86_400))).expect("a disk");
    assert_eq!(outbox.take(at(59)).expect("a disk"), None);
    assert_eq!(outbox.take(at(60)).expect("a disk").expect("a minute is over").key, "a");
}

#[test]
fn what_has_expired_is_told_and_not_sent() {
    troika_safety::verifies![SR_OUT_004];
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    outbox.put(at(0), &New { lives: Duration::from_secs(5), ..new("a", Priority::Urgent, 10) }).expect("put");
    outbox.put(at(0), &new("b", Priority::Bulk, 10)).expect("put");
    assert_eq!(outbox.take(at(5)).expect("a disk").expect("one").key, "b");
    assert_eq!(outbox.expire(at(5)).expect("a disk"), [("a".to_owned(), "message".to_owned())]);
    assert_eq!(outbox.queued().expect("a disk").items, 1);
    assert!(
        matches!(outbox.put(at(6), &new("a", Priority::Urgent, 10)), Ok(Put::Queued(_))),
        "a new one of it may come"
    );
}

#[test]
fn room_and_budgets_are_kept_for_what_is_more_urgent() {
    troika_safety::verifies![SR_OUT_006];
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { items: 10, bytes_a_day: 1000, ..Limits::default() };
    let mut outbox = open(folder.path(), limits);
    for number in 0..5 {
        outbox.put(at(0), &new(&format!("bulk {number}"), Priority::Bulk, 200)).expect("put");
    }
    let full = outbox.put(at(0), &new("bulk 5", Priority::Bulk, 200)).expect_err("half of it is full");
    assert!(full.to_string().contains("5 items, 1000 bytes wait"), "{full}");
    for number in 0..5 {
        outbox.put(at(0), &new(&format!("urgent {number}"), Priority::Urgent, 100)).expect("put");
    }
    let taken: Vec<String> =
        std::iter::from_fn(|| outbox.take(at(1)).expect("a disk")).map(|item| item.key).collect();
    // 500 bytes of what is urgent leave nothing of the half that bulk may use.
    assert_eq!(taken, ["urgent 0", "urgent 1", "urgent 2", "urgent 3", "urgent 4"]);
    assert_eq!(outbox.spent(at(1)).expect("a disk").bytes, 500);
    // The next day.
    assert_eq!(outbox.take(at(86_400)).expect("a disk"), None, "by then they have expired");
    assert_eq!(outbox.expire(at(86_400)).expect("a disk").len(), 5, "those that are on their way stay");
    outbox.put(at(86_400), &new("next day", Priority::Urgent, 300)).expect("put");
    assert_eq!(outbox.take(at(86_401)).expect("a disk").expect("one").key, "next day");
    assert_eq!(outbox.spent(at(86_401)).expect("a disk").bytes, 300);
    // A clock that goes back gets no second budget.
    assert_eq!(outbox.spent(at(1)).expect("a disk").bytes, 300);
}

#[test]
fn a_clock_that_was_years_ahead_once_stops_nothing_and_gives_no_second_budget() {
    troika_safety::verifies![SR_OUT_006];
    const DAY: u64 = 86_400;
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits { bytes_a_day: 1000, ..Limits::default() });
    let mut send = |seconds, key: &str, bytes| {
        outbox.put(at(seconds), &new(key, Priority::Urgent, bytes)).expect("put");
        let item = outbox.take(at(seconds)).expect("a disk")?;
        outbox.delivered(item.id).expect("a disk");
        Some(item.key)
    };
    assert_eq!(send(4000 * DAY, "years ahead", 600).as_deref(), Some("years ahead"));
    assert_eq!(send(0, "right again", 300).as_deref(), Some("right again"));
    assert_eq!(send(1, "more than is left", 200), None, "what was spent counts");
    assert_eq!(send(DAY, "the next day", 900).as_deref(), Some("the next day"));
    // Its budget spent, so that nothing can go and nothing else is written.
    assert_eq!(send(5000 * DAY, "years ahead again", 1000).as_deref(), Some("years ahead again"));
    assert_eq!(send(2 * DAY, "a day late", 1000), None);
    assert_eq!(send(3 * DAY, "and a day after", 1000).as_deref(), Some("and a day after"));
}

#[test]
fn a_clock_that_begins_in_1970_at_each_start_gives_no_second_budget() {
    troika_safety::verifies![SR_OUT_006];
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { bytes_a_day: 1000, ..Limits::default() };
    let mut sent = 0;
    for (start, now) in [at(0), Time::from_nanos(0), at(60), Time::from_nanos(0), at(120)].iter().enumerate()
    {
        let mut outbox = open(folder.path(), limits);
        for number in 0..4 {
            let key = format!("{start} {number}");
            outbox.put(*now, &new(&key, Priority::Urgent, 100)).expect("put");
        }
        while let Some(item) = outbox.take(*now).expect("a disk") {
            sent += item.payload.len();
            outbox.delivered(item.id).expect("a disk");
        }
    }
    assert_eq!(sent, 1000);
}

#[test]
fn what_failed_by_a_clock_that_was_years_ahead_is_tried_by_the_right_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    let ahead = 4000 * 86_400;
    outbox.put(at(ahead), &new("a", Priority::Normal, 10)).expect("put");
    let item = outbox.take(at(ahead)).expect("a disk").expect("it goes");
    outbox.failed(at(ahead), item.id, None).expect("a disk");
    assert_eq!(outbox.take(at(0)).expect("a disk").expect("now").key, "a");
}

#[test]
fn what_is_wrong_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits { item_bytes: 100, ..Limits::default() });
    let error = outbox.put(at(0), &new("a", Priority::Urgent, 101)).expect_err("too large");
    assert!(matches!(error, OutboxError::TooLarge { bytes: 101, most: 100 }));
    assert!(outbox.put(at(0), &new("", Priority::Urgent, 1)).is_err());
    let path = folder.path().join("outbox");
    let error = Outbox::open(&path, Limits::default()).err().expect("refused");
    assert!(error.to_string().contains("another process"), "{error}");
    let garbage = folder.path().join("garbage");
    std::fs::write(&garbage, vec![7; 10_000]).expect("written");
    let error = Outbox::open(&garbage, Limits::default()).err().expect("refused");
    assert!(error.to_string().contains("move it away"), "{error}");
    let unknown = toml::from_str::<Limits>("items = 5\nbites = 3\n").expect_err("refused").to_string();
    assert!(unknown.contains("line 2") && unknown.contains("bites"), "{unknown}");
    assert!(Outbox::open(&folder.path().join("other"), Limits { items: 0, ..Limits::default() }).is_err());
}

#[derive(Debug, Clone)]
enum Op {
    Put(u8, Priority, usize),
    Take,
    Deliver(usize),
    Fail(usize),
    Restart,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Against a map: what was put and not delivered waits, in the order of its priority, whatever else happens.
    #[test]
    fn it_holds_what_was_put_and_not_delivered(ops in prop::collection::vec(prop_oneof![
        3 => (0u8..40, prop::sample::select(Priority::ALL.to_vec()), 0usize..500).prop_map(|(key, priority, bytes)| Op::Put(key, priority, bytes)),
        2 => Just(Op::Take), 1 => (0usize..5).prop_map(Op::Deliver), 1 => (0usize..5).prop_map(Op::Fail), 1 => Just(Op::Restart),
    ], 1..60)) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut outbox = open(folder.path(), Limits::default());
        let mut waits: BTreeMap<(Priority, u64), (String, usize)> = BTreeMap::new();
        let mut delivered: Vec<(String, usize)> = Vec::new();
        let mut out: Vec<(Priority, u64)> = Vec::new();
        for (second, op) in ops.into_iter().enumerate() {
            // Far enough apart that no wait after a failure matters, within the day.
            let now = at(second as u64 * 600);
            match op {
                Op::Put(key, priority, bytes) => {
                    let key = key.to_string();
                    let new = New { lives: Duration::from_secs(1_000_000), ..new(&key, priority, bytes) };
                    let mut known = waits.values().chain(&delivered);
                    let before = known.find(|(one, _)| *one == key).map(|(_, bytes)| *bytes);
                    match outbox.put(now, &new).expect("put") {
                        Put::Queued(id) => { waits.insert((priority, id), (key, bytes)); }
                        Put::Waits(id) => prop_assert!(waits.iter().any(|(at, one)| at.1 == id && *one == (key.clone(), bytes))),
                        Put::Delivered(_) => prop_assert!(delivered.contains(&(key, bytes))),
                        Put::Other { waits: still } => {
                            prop_assert!(before.is_some_and(|before| before != bytes));
                            prop_assert_eq!(still, waits.values().any(|(one, _)| *one == key));
                        }
                    }
                }
                Op::Take => {
                    let expected = waits.iter().find(|(at, _)| !out.contains(at)).map(|(at, (key, bytes))| (*at, key.clone(), *bytes));
                    let taken = outbox.take(now).expect("a disk");
                    prop_assert_eq!(taken.as_ref().map(|item| ((item.priority, item.id), item.key.clone(), item.payload.len())), expected);
                    out.extend(taken.map(|item| (item.priority, item.id)));
                }
                Op::Deliver(which) if which < out.len() => {
                    let at = out.remove(which);
                    outbox.delivered(at.1).expect("a disk");
                    delivered.extend(waits.remove(&at));
                }
                Op::Fail(which) if which < out.len() => {
                    let at = out.remove(which);
                    outbox.failed(now - Duration::from_secs(599), at.1, None).expect("a disk");
                }
                Op::Restart => {
                    drop(outbox);
                    outbox = open(folder.path(), Limits::default());
                    out.clear();
                }
                Op::Deliver(_) | Op::Fail(_) => {}
            }
            let bytes = waits.values().map(|(_, bytes)| *bytes as u64).sum();
            prop_assert_eq!(outbox.queued().expect("a disk"), Queued { items: waits.len() as u64, bytes });
        }
    }
}

#[test]
fn a_key_that_is_used_again_for_other_words_is_told_and_the_first_words_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits { remembered: 1, ..Limits::default() });
    let first = new("a", Priority::Normal, 10);
    let others = [new("a", Priority::Normal, 11), New { kind: "question".into(), ..first.clone() }];
    assert!(matches!(outbox.put(at(0), &first), Ok(Put::Queued(_))));
    for other in &others {
        assert!(matches!(outbox.put(at(0), other), Ok(Put::Other { waits: true })));
    }
    let again = New { priority: Priority::Urgent, lives: Duration::from_secs(9), ..first.clone() };
    assert!(matches!(outbox.put(at(0), &again), Ok(Put::Waits(_))), "the same words");
    drop(outbox);
    let mut outbox = open(folder.path(), Limits { remembered: 1, ..Limits::default() });
    let item = outbox.take(at(1)).expect("a disk").expect("it waits");
    assert_eq!(item.payload, first.payload);
    outbox.delivered(item.id).expect("a disk");
    assert!(matches!(outbox.put(at(2), &first), Ok(Put::Delivered(_))));
    for other in &others {
        assert!(matches!(outbox.put(at(2), other), Ok(Put::Other { waits: false })));
    }
    // Whose key is forgotten is new.
    outbox.put(at(3), &new("b", Priority::Normal, 1)).expect("put");
    let item = outbox.take(at(3)).expect("a disk").expect("it waits");
    outbox.delivered(item.id).expect("a disk");
    assert!(matches!(outbox.put(at(4), &others[0]), Ok(Put::Queued(_))));
}

#[test]
fn what_one_put_is_not_delivered_by_another_and_goes_when_the_first_is_back() {
    troika_safety::verifies![SR_OUT_005];
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    outbox.put(at(0), &new("anybodys", Priority::Normal, 1)).expect("put");
    outbox.belongs_to("anna");
    outbox.put(at(0), &new("annas", Priority::Urgent, 1)).expect("put");
    outbox
        .put(at(0), &New { lives: Duration::from_secs(60), ..new("annas-brief", Priority::Normal, 1) })
        .expect("put");
    drop(outbox);
    let mut outbox = open(folder.path(), Limits::default());
    outbox.belongs_to("bruno");
    outbox.put(at(1), &new("brunos", Priority::Normal, 1)).expect("put");
    assert_eq!(outbox.held_back().expect("a disk"), BTreeMap::from([("anna".to_owned(), 2)]));
    let mut went = Vec::new();
    while let Some(item) = outbox.take(at(2)).expect("a disk") {
        outbox.delivered(item.id).expect("a disk");
        went.push(item.key);
    }
    assert_eq!(went, ["anybodys", "brunos"]);
    let expired = outbox.expire(at(61)).expect("a disk");
    assert_eq!(expired, [("annas-brief".to_owned(), "message".to_owned())], "told, as what else expires");
    outbox.belongs_to("anna");
    assert!(outbox.held_back().expect("a disk").is_empty());
    assert_eq!(outbox.take(at(62)).expect("a disk").expect("hers").key, "annas");
}

#[test]
fn what_waits_for_its_next_try_can_be_hurried() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = open(folder.path(), Limits::default());
    outbox.put(at(0), &new("a", Priority::Normal, 1)).expect("put");
    let item = outbox.take(at(0)).expect("a disk").expect("it waits");
    outbox.failed(at(0), item.id, Some(Duration::from_secs(600))).expect("a disk");
    assert_eq!(outbox.take(at(1)).expect("a disk"), None);
    outbox.hurry(at(1)).expect("a disk");
    assert_eq!(outbox.take(at(1)).expect("a disk").expect("now").tries, 1, "the waits begin anew");
}
