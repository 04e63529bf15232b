//! The rules on a store in memory, in time that is an argument, before a gateway that does as it is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use redb::{
    Database, DatabaseError, StorageBackend,
    backends::{FileBackend, InMemoryBackend},
};
use troika_msgs::builtin_interfaces;
use troika_outbox::{Disk, Limits};

use super::*;
use crate::config::ReportConfig;

struct Memory;

impl Disk for Memory {
    fn open(&self) -> Result<Database, DatabaseError> {
        Database::builder().create_with_backend(InMemoryBackend::new())
    }
}

/// Noon of a day.
fn at(ms: u64) -> Time {
    Time::from_nanos((20_000 * 86_400 + 43_200) * 1_000_000_000) + Duration::from_millis(ms)
}

fn config() -> UplinkConfig {
    let text = "file = \"unused\"\n[cloud]\nurl = \"https://gateway.example/v1\"\n[report]\nreport_s = 0\n";
    toml::from_str(text).unwrap()
}

fn sender(config: &UplinkConfig) -> Sender {
    Sender::new(Outbox::on(Box::new(Memory), config.outbox).unwrap(), config)
}

fn item(key: &str, priority: u8) -> OutboxItem {
    OutboxItem {
        key: key.into(),
        kind: "message".into(),
        priority,
        lives: builtin_interfaces::Duration { sec: 3600, nanosec: 0 },
        text: "words".into(),
        ..OutboxItem::default()
    }
}

fn link(state: u8, metered: u8) -> LinkState {
    LinkState {
        state,
        metered,
        rtt_high_ms: 100.0,
        loss_high: 0.0,
        up_low_kbps: f32::NAN,
        down_low_kbps: f32::NAN,
        ..LinkState::default()
    }
}

fn good() -> LinkState {
    link(LinkState::UP, LinkState::METERED_NO)
}

fn state(out: &Out) -> (u8, u8) {
    let Out::Receipt(receipt) = out else { panic!("{out:?}") };
    (receipt.state, receipt.reason)
}

fn keys(exchange: &Exchange) -> Vec<String> {
    assert_eq!(exchange.path, "/outbox");
    let all: Vec<serde_json::Value> = serde_json::from_str(&exchange.body).expect("JSON");
    all.iter().map(|one| one["id"].as_str().expect("text").to_owned()).collect()
}

fn accepts(keys: &[String]) -> Result<String, Fault> {
    Ok(serde_json::json!({"accepted": keys, "known": [], "full": []}).to_string())
}

fn refuses() -> Result<String, Fault> {
    let said = r#"{"error":{"message":"m","type":"gateway_error","code":"bad_request"}}"#;
    Err(Fault::Refused { status: 400, said: said.into() })
}

#[test]
fn what_comes_is_queued_once_delivered_and_both_are_told() {
    let mut sender = sender(&config());
    sender.link(at(0), good());
    assert_eq!(state(&sender.item(at(0), &item("a", 1))), (OutboxReceipt::QUEUED, 0));
    assert_eq!(state(&sender.item(at(0), &item("a", 1))), (OutboxReceipt::WAITS, 0));
    let (_, exchange) = sender.step(at(1));
    let went = keys(&exchange.expect("it goes"));
    assert_eq!(went, ["a"]);
    assert_eq!(sender.step(at(2)).1, None, "one at a time");
    let out = sender.answered(at(3), &accepts(&went));
    assert_eq!(state(&out[0]), (OutboxReceipt::DELIVERED, 0));
    assert_eq!(sender.step(at(4)).1, None);
    assert_eq!(state(&sender.item(at(5), &item("a", 1))), (OutboxReceipt::DELIVERED, 0));
}

#[test]
fn each_exchange_tells_whether_the_link_carried_it() {
    let mut sender = sender(&config());
    sender.link(at(0), good());
    let mut told = |answer: Result<String, Fault>| {
        sender.answered(at(0), &answer).into_iter().find_map(|out| match out {
            Out::Sample(sample) => Some(sample.outcome),
            _ => None,
        })
    };
    assert_eq!(told(accepts(&[])), Some(LinkSample::OK));
    assert_eq!(told(Err(Fault::Unauthorized(401))), Some(LinkSample::OK), "who refuses is there");
    assert_eq!(told(Err(Fault::Dns)), Some(LinkSample::FAILED));
    assert_eq!(told(Err(Fault::Files("no key".into()))), None, "nothing was sent");
}

#[test]
fn what_is_wrong_or_does_not_fit_is_refused_with_the_reason() {
    let limits = Limits { items: 1, item_bytes: 100, ..Limits::default() };
    let mut sender = sender(&UplinkConfig { outbox: limits, ..config() });
    assert_eq!(state(&sender.item(at(0), &item("a", 9))), (OutboxReceipt::REFUSED, OutboxReceipt::MALFORMED));
    assert_eq!(state(&sender.item(at(0), &item("", 1))), (OutboxReceipt::REFUSED, OutboxReceipt::MALFORMED));
    let large = OutboxItem { text: "x".repeat(99), ..item("a", 1) };
    assert_eq!(state(&sender.item(at(0), &large)), (OutboxReceipt::REFUSED, OutboxReceipt::TOO_BIG));
    sender.item(at(0), &item("a", 1));
    assert_eq!(state(&sender.item(at(0), &item("b", 1))), (OutboxReceipt::REFUSED, OutboxReceipt::FULL));
}

#[test]
fn nothing_goes_without_a_link_and_what_was_late_is_told() {
    troika_safety::verifies![SR_OUT_004];
    let mut sender = sender(&config());
    let brief = OutboxItem { lives: builtin_interfaces::Duration { sec: 60, nanosec: 0 }, ..item("a", 1) };
    sender.item(at(0), &brief);
    for ms in (0..60_000).step_by(200) {
        sender.link(at(ms), link(LinkState::DOWN, LinkState::METERED_NO));
        assert_eq!(sender.step(at(ms)), (Vec::new(), None));
    }
    let (out, exchange) = sender.step(at(66_000));
    assert_eq!((state(&out[0]), exchange), ((OutboxReceipt::EXPIRED, 0), None));
}

#[test]
fn what_nobody_waits_for_waits_for_a_good_link_that_costs_nothing_but_not_to_its_end() {
    let mut sender = sender(&config());
    for (key, priority) in [("bulk", 3), ("normal", 2), ("urgent", 1)] {
        sender.item(at(0), &item(key, priority));
    }
    sender.link(at(0), link(LinkState::UP, LinkState::METERED_YES));
    let went = keys(&sender.step(at(1)).1.expect("some"));
    assert_eq!(went, ["urgent", "normal"]);
    sender.answered(at(2), &accepts(&went));
    assert_eq!(sender.step(at(3)).1, None);
    // Its last ten minutes.
    let late = 3_000_000;
    sender.link(at(late), link(LinkState::UP, LinkState::METERED_YES));
    assert_eq!(keys(&sender.step(at(late)).1.expect("the last call")), ["bulk"]);
}

#[test]
fn what_may_cost_less_than_the_link_takes_waits_for_one_that_is_free() {
    let mut config = config();
    config.delivery.microeuro_a_megabyte = 5_000_000; // Five a byte.
    let mut sender = sender(&config);
    sender.item(at(0), &item("cheap", 1));
    sender.item(at(0), &OutboxItem { most_microeuro: 1000, ..item("dear", 1) });
    sender.link(at(0), link(LinkState::UP, LinkState::METERED_UNKNOWN));
    let went = keys(&sender.step(at(1)).1.expect("one"));
    assert_eq!(went, ["dear"]);
    let spent = sender.outbox.spent(at(1)).unwrap();
    assert_eq!(spent.cost, spent.bytes * 5);
    sender.answered(at(2), &accepts(&went));
    sender.link(at(3), good());
    assert_eq!(keys(&sender.step(at(3)).1.expect("the other")), ["cheap"]);
    assert_eq!(sender.outbox.spent(at(3)).unwrap().cost, spent.cost, "it was free");
}

#[test]
fn the_gateways_wait_is_kept_and_a_link_that_comes_back_ends_our_own() {
    let mut sender = sender(&config());
    sender.link(at(0), good());
    sender.item(at(0), &item("a", 1));
    sender.step(at(0)).1.expect("it goes");
    let out = sender
        .answered(at(1), &Err(Fault::Server { status: 503, retry_after: Some(Duration::from_secs(20)) }));
    assert!(matches!(&out[..], [Out::Told(told), Out::Sample(_)] if told.contains("503")), "{out:?}");
    sender.link(at(19_000), link(LinkState::DOWN, LinkState::METERED_NO));
    sender.link(at(19_500), good());
    assert_eq!(sender.step(at(19_900)).1, None, "what was asked for stays");
    sender.link(at(20_100), good());
    sender.step(at(20_100)).1.expect("it goes again");
    sender.answered(at(20_200), &Err(Fault::Unauthorized(401)));
    sender.item(at(30_000), &item("b", 1));
    sender.link(at(30_000), good());
    assert_eq!(sender.step(at(30_000)).1, None);
    sender.link(at(30_100), link(LinkState::DOWN, LinkState::METERED_NO));
    sender.link(at(30_200), good());
    assert_eq!(keys(&sender.step(at(30_200)).1.expect("a new link")), ["a", "b"]);
}

#[test]
fn one_that_the_gateway_will_never_take_is_found_among_many_and_told_alone() {
    let mut sender = sender(&config());
    let mut arrived = BTreeSet::new();
    let mut refused = Vec::new();
    for n in 0..100 {
        sender.item(at(0), &item(&format!("{n}"), 1));
    }
    let mut exchanges = 0;
    for ms in (0..60_000).step_by(100) {
        sender.link(at(ms), good());
        let Some(exchange) = sender.step(at(ms)).1 else { continue };
        exchanges += 1;
        let went = keys(&exchange);
        let answer = if went.iter().any(|key| key == "61") { refuses() } else { accepts(&went) };
        for out in sender.answered(at(ms), &answer) {
            let Out::Receipt(receipt) = out else { continue };
            match (receipt.state, receipt.reason) {
                (OutboxReceipt::DELIVERED, _) => assert!(arrived.insert(receipt.key)),
                (OutboxReceipt::REFUSED, OutboxReceipt::GATEWAY) => refused.push(receipt.key),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((arrived.len(), refused), (99, vec!["61".to_owned()]));
    assert!(exchanges < 30, "{exchanges}");
}

#[test]
fn a_report_goes_first_and_what_it_costs_is_bounded() {
    let report = ReportConfig::default();
    let mut sender = sender(&UplinkConfig { report, ..config() });
    sender.item(at(0), &item("a", 1));
    let mut reports = 0;
    for ms in (0..600_000).step_by(100) {
        sender.link(at(ms), good());
        let Some(exchange) = sender.step(at(ms)).1 else { continue };
        if exchange.path == "/vehicle/report" {
            reports += 1;
            sender.answered(at(ms), &Ok(String::new()));
        } else {
            assert_eq!(reports, 1);
            sender.answered(at(ms), &accepts(&keys(&exchange)));
        }
    }
    assert!((59..=61).contains(&reports), "{reports} in ten minutes");
}

/// A disk that is full while it is told so.
#[derive(Debug, Clone)]
struct Full {
    path: std::path::PathBuf,
    full: Arc<Mutex<bool>>,
}

#[derive(Debug)]
struct FullFile(FileBackend, Arc<Mutex<bool>>);

impl FullFile {
    fn room(&self) -> io::Result<()> {
        if *self.1.lock().unwrap() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for FullFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

impl Disk for Full {
    fn open(&self) -> Result<Database, DatabaseError> {
        let mut file = std::fs::OpenOptions::new();
        let file = file.read(true).write(true).create(true).truncate(false).open(&self.path);
        let file = FileBackend::new(file.map_err(|error| DatabaseError::Storage(error.into()))?)?;
        Database::builder().create_with_backend(FullFile(file, self.full.clone()))
    }
}

#[test]
fn on_a_full_disk_it_is_told_nothing_is_sent_twice_and_it_goes_on_when_there_is_room() {
    troika_safety::verifies![SR_OUT_003];
    let folder = tempfile::tempdir().unwrap();
    let disk = Full { path: folder.path().join("outbox"), full: Arc::default() };
    let config = config();
    let mut sender = Sender::new(Outbox::on(Box::new(disk.clone()), config.outbox).unwrap(), &config);
    sender.link(at(0), good());
    sender.item(at(0), &item("on its way", 1));
    let went = keys(&sender.step(at(0)).1.expect("it goes"));
    *disk.full.lock().unwrap() = true;
    let refused = (OutboxReceipt::REFUSED, OutboxReceipt::DISK);
    assert_eq!(state(&sender.item(at(1), &item("late", 1))), refused);
    // The gateway has it, and the disk cannot be told so.
    let out = sender.answered(at(2), &accepts(&went));
    assert_eq!(state(&out[0]), (OutboxReceipt::DELIVERED, 0));
    assert!(matches!(&out[1], Out::Told(told) if told.contains("disk is full")), "{out:?}");
    for ms in (1000..60_000).step_by(500) {
        sender.link(at(ms), good());
        assert_eq!(sender.step(at(ms)).1, None);
    }
    *disk.full.lock().unwrap() = false;
    sender.link(at(70_000), good());
    let (out, exchange) = sender.step(at(70_000));
    assert!(matches!(&out[..], [Out::Told(told)] if told.contains("again")), "{out:?}");
    assert_eq!(exchange, None);
    assert_eq!(sender.outbox.queued().unwrap().items, 0, "it is settled");
    assert_eq!(state(&sender.item(at(70_001), &item("late", 1))), (OutboxReceipt::QUEUED, 0));
    assert_eq!(keys(&sender.step(at(70_001)).1.expect("it goes")), ["late"]);
}

/// What may happen in a tenth of a second.
#[derive(Debug, Clone)]
enum Event {
    Item { key: u8, priority: u8, bytes: usize, seconds: i32 },
    Link(u8, u8, bool),
    Restart,
    Nothing(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (any::<u8>(), 1..4_u8, 0..3000_usize, 1..200_i32)
            .prop_map(|(key, priority, bytes, seconds)| Event::Item { key, priority, bytes, seconds }),
        2 => (0..3_u8, 0..3_u8, any::<bool>()).prop_map(|(state, metered, slow)| Event::Link(state, metered, slow)),
        4 => (1..40_u64).prop_map(Event::Nothing),
        1 => Just(Event::Restart),
    ]
}

/// How the gateway answers.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Takes,
    TakesAndIsLost,
    Full,
    Busy,
    Down,
    Forbids,
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        5 => Just(Answer::Takes),
        1 => Just(Answer::TakesAndIsLost),
        1 => Just(Answer::Full),
        1 => Just(Answer::Busy),
        1 => Just(Answer::Down),
        1 => Just(Answer::Forbids),
    ]
}

/// A disk that outlives the process.
#[derive(Clone)]
struct Kept(std::path::PathBuf);

impl Disk for Kept {
    fn open(&self) -> Result<Database, DatabaseError> {
        Database::create(&self.0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order: what was acknowledged arrives, or is told to have expired; nothing counts twice; nothing goes without a
    /// link; and the bytes of any minute and of the day are kept.
    #[test]
    fn nothing_acknowledged_is_lost_and_no_bound_is_passed(
        events in prop::collection::vec((event(), answer()), 1..120),
    ) {
        troika_safety::verifies![SR_OUT_001];
        const A_MINUTE: u64 = 8 << 10;
        const A_DAY: u64 = 60_000;
        let folder = tempfile::tempdir().unwrap();
        let disk = Kept(folder.path().join("outbox"));
        let mut config = config();
        config.outbox = Limits { item_bytes: 4096, bytes_a_day: A_DAY, ..Limits::default() };
        config.delivery.bytes_a_minute = A_MINUTE;
        let open = |config: &UplinkConfig| {
            Sender::new(Outbox::on(Box::new(disk.clone()), config.outbox).unwrap(), config)
        };
        let mut sender = open(&config);
        let (mut now, mut state) = (0, LinkState::UNKNOWN);
        let mut inbox: BTreeMap<String, u32> = BTreeMap::new();
        let (mut acknowledged, mut expired) = (BTreeMap::new(), BTreeSet::new());
        // Since the last start: a restart forgets the minute.
        let mut sent: Vec<(u64, u64)> = Vec::new();
        let mut day = 0;
        let never = (Event::Nothing(1), Answer::Takes);
        // At the end a good link and a gateway that takes, for as long as anything can wait.
        let end = std::iter::repeat_n((Event::Link(LinkState::UP, LinkState::METERED_NO, false), Answer::Takes), 1)
            .chain(std::iter::repeat_n(never, 4000));
        for (event, answer) in events.into_iter().chain(end) {
            match event {
                Event::Item { key, priority, bytes, seconds } => {
                    // Text of its own for each, so that a life that ended is no other's.
                    let key = format!("{key}-{priority}-{bytes}-{seconds}-{now}");
                    let lives = builtin_interfaces::Duration { sec: seconds, nanosec: 0 };
                    let one = OutboxItem { text: "x".repeat(bytes), lives, ..item(&key, priority) };
                    let Out::Receipt(receipt) = sender.item(at(now), &one) else { panic!() };
                    prop_assert_eq!(receipt.state, OutboxReceipt::QUEUED, "{}", receipt.told);
                    acknowledged.insert(key, now + seconds as u64 * 1000);
                }
                Event::Link(new, metered, slow) => {
                    state = new;
                    let rtt_high_ms = if slow { 5000.0 } else { 50.0 };
                    sender.link(at(now), LinkState { rtt_high_ms, ..link(new, metered) });
                }
                Event::Restart => {
                    drop(sender);
                    sender = open(&config);
                    sent.clear();
                    state = LinkState::UNKNOWN;
                }
                Event::Nothing(tenths) => {
                    // The estimator goes on saying what it said.
                    now += tenths * 100;
                    if let Some((_, last)) = sender.facts.heard().cloned() {
                        sender.link(at(now), last);
                    }
                }
            }
            let (out, exchange) = sender.step(at(now));
            let mut told = out;
            if let Some(exchange) = exchange {
                prop_assert_ne!(state, LinkState::DOWN);
                let bytes = exchange.body.len() as u64;
                sent.push((now, bytes));
                day += bytes;
                let minute: u64 = sent.iter().filter(|(then, _)| now - then < 60_000).map(|one| one.1).sum();
                prop_assert!(minute <= A_MINUTE, "{} in a minute", minute);
                prop_assert!(day <= A_DAY + 2 * sent.len() as u64 + 1000, "{} in a day", day);
                let went = keys(&exchange);
                for key in &went {
                    prop_assert!(acknowledged[key] > now, "{} has expired", key);
                }
                if matches!(answer, Answer::Takes | Answer::TakesAndIsLost) {
                    for key in &went {
                        // The gateway counts a key once.
                        inbox.entry(key.clone()).or_insert(1);
                    }
                }
                let full = serde_json::json!({"accepted": [], "known": [], "full": went}).to_string();
                let answer = match answer {
                    Answer::Takes => accepts(&went),
                    Answer::TakesAndIsLost => Err(Fault::Truncated),
                    Answer::Full => Ok(full),
                    Answer::Busy => Err(Fault::RateLimited { retry_after: Some(Duration::from_secs(3)) }),
                    Answer::Down => Err(Fault::Connect("refused".into())),
                    Answer::Forbids => Err(Fault::Unauthorized(403)),
                };
                told.extend(sender.answered(at(now), &answer));
            }
            for one in told {
                let Out::Receipt(receipt) = one else { continue };
                match receipt.state {
                    OutboxReceipt::DELIVERED => prop_assert!(inbox.contains_key(&receipt.key)),
                    OutboxReceipt::EXPIRED => {
                        prop_assert!(acknowledged[&receipt.key] <= now);
                        expired.insert(receipt.key);
                    }
                    other => prop_assert!(false, "{other}"),
                }
            }
        }
        for key in acknowledged.keys() {
            prop_assert!(inbox.contains_key(key) || expired.contains(key), "{} is lost", key);
        }
        prop_assert_eq!(sender.outbox.queued().unwrap().items, 0);
    }
}

#[test]
fn a_page_that_asks_for_a_day_stops_nothing_for_longer_than_the_longest_waits() {
    let mut sender = sender(&config());
    sender.link(at(0), good());
    sender.item(at(0), &item("a", 1));
    sender.step(at(0)).1.expect("it goes");
    let page = Fault::Server { status: 503, retry_after: Some(Duration::from_secs(86_400)) };
    sender.answered(at(0), &Err(page));
    sender.item(at(1), &item("b", 1));
    sender.link(at(299_000), good());
    assert_eq!(sender.step(at(299_000)).1, None, "five minutes, whoever waits");
    sender.link(at(301_000), good());
    let went = keys(&sender.step(at(301_000)).1.expect("what has not failed"));
    assert_eq!(went, ["b"]);
    sender.answered(at(301_000), &accepts(&went));
    sender.link(at(602_000), good());
    assert_eq!(keys(&sender.step(at(602_000)).1.expect("ten minutes")), ["a"]);
}

#[test]
fn new_files_end_every_wait_at_once() {
    let mut sender = sender(&config());
    sender.link(at(0), good());
    sender.item(at(0), &item("a", 1));
    let went = keys(&sender.step(at(1)).1.expect("it goes"));
    let out = sender.answered(at(2), &Err(Fault::Unauthorized(403)));
    assert!(out.iter().any(|out| matches!(out, Out::Told(told) if told.contains("403"))), "{out:?}");
    for ms in (100..60_000).step_by(100) {
        sender.link(at(ms), good());
        assert_eq!(sender.step(at(ms)).1, None, "somebody has to mend something");
    }
    sender.renewed(at(60_000));
    sender.link(at(60_000), good());
    assert_eq!(keys(&sender.step(at(60_000)).1.expect("at once")), went);
    sender.answered(at(60_001), &Err(Fault::RateLimited { retry_after: Some(Duration::from_secs(600)) }));
    sender.renewed(at(60_002));
    sender.link(at(60_002), good());
    assert!(sender.step(at(60_002)).1.is_some(), "what was asked was asked of who came before");
}

#[test]
fn what_another_vehicle_put_is_held_back_and_told() {
    troika_safety::verifies![SR_OUT_005];
    let mut sender = sender(&config());
    assert!(sender.belongs_to(at(0), Some("anna")).is_empty());
    sender.item(at(0), &item("annas", 1));
    let out = sender.belongs_to(at(1), Some("bruno"));
    let [Out::Told(told)] = &out[..] else { panic!("{out:?}") };
    assert!(told.starts_with("1 thing put as anna waits") && told.contains("is bruno now"), "{told}");
    sender.item(at(1), &item("brunos", 1));
    sender.link(at(1), good());
    assert_eq!(keys(&sender.step(at(1)).1.expect("it goes")), ["brunos"]);
    sender.answered(at(2), &accepts(&["brunos".to_owned()]));
    sender.item(at(2), &item("another", 1));
    sender.belongs_to(at(2), Some("anna"));
    sender.link(at(2), good());
    assert_eq!(keys(&sender.step(at(2)).1.expect("it goes")), ["annas"]);
}

#[test]
fn a_key_for_other_words_is_refused_and_says_so() {
    let mut sender = sender(&config());
    sender.item(at(0), &item("a", 1));
    let Out::Receipt(told) = sender.item(at(1), &OutboxItem { text: "others".into(), ..item("a", 1) }) else {
        panic!("a receipt");
    };
    assert_eq!((told.state, told.reason), (OutboxReceipt::REFUSED, OutboxReceipt::MALFORMED));
    assert!(told.told.contains("other words, which wait on the disk"), "{}", told.told);
}
