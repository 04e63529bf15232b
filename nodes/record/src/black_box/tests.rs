use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use troika_kit::{Qos, TypeInfo};
use troika_msgs::std_msgs::String as Text;

use super::*;
use crate::{BagReader, Record, Topic};

fn message(seconds: f64, topic: &str, ty: TypeInfo, cdr: Vec<u8>) -> Entry {
    let at = Time::from_nanos((seconds * 1e9) as u64);
    let topic = Arc::new(Topic { name: topic.into(), ty, qos: Qos::DEFAULT });
    Entry::Message(Message { topic, index: 0, log_time: at, publish_time: at, cdr: cdr.into() })
}

fn text(seconds: f64, length: usize) -> Entry {
    let mut cdr = Vec::new();
    Text { data: "x".repeat(length) }.encode(&mut cdr).expect("it has a CDR form");
    message(seconds, "/chatter", Text::TYPE, cdr)
}

fn alert(seconds: f64, phase: u8) -> Entry {
    alert_of(seconds, phase, DriverAlert::SLEEP)
}

fn alert_of(seconds: f64, phase: u8, kind: u8) -> Entry {
    let mut cdr = Vec::new();
    let alert = DriverAlert { phase, kind, ..DriverAlert::default() };
    alert.encode(&mut cdr).expect("it has a CDR form");
    message(seconds, "/cabin/driver_alert", DriverAlert::TYPE, cdr)
}

fn fell_back(seconds: f64) -> Entry {
    step(seconds, RecordedStep { fault: RecordedStep::TOO_LATE, ..RecordedStep::default() })
}

fn step(seconds: f64, step: RecordedStep) -> Entry {
    let mut cdr = Vec::new();
    step.encode(&mut cdr).expect("it has a CDR form");
    message(seconds, &crate::step::topic("/driver_state"), crate::step::TYPE, cdr)
}

struct Kept {
    folder: TempDir,
    told: Arc<Mutex<Vec<String>>>,
}

impl Kept {
    fn new() -> Kept {
        Kept { folder: TempDir::new().expect("a folder"), told: Arc::default() }
    }

    fn black_box(&self, files: usize, bytes: usize) -> BlackBox {
        let told = self.told.clone();
        let limits = Limits {
            folder: self.folder.path().join("black"),
            before: Duration::from_secs(60),
            after: Duration::from_secs(5),
            bytes,
            files,
        };
        BlackBox::new(limits, "cabin", move |one| told.lock().expect("one thread").push(one))
    }

    /// Each file's times of the chatter, in seconds.
    fn files(&self) -> Vec<Vec<u64>> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("black")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("one").path()).collect();
        files.sort();
        let times = |file: &PathBuf| {
            let reader = BagReader::open(file).expect("a recording");
            let seconds = reader.filter_map(|record| match record {
                Record::Message { channel, log_time, .. } if channel.topic == "/chatter" => {
                    Some(log_time.as_nanos() / 1_000_000_000)
                }
                _ => None,
            });
            seconds.collect()
        };
        files.iter().map(times).collect()
    }
}

fn put(black_box: &mut BlackBox, entries: impl IntoIterator<Item = Entry>) {
    entries.into_iter().for_each(|entry| black_box.put(entry).expect("it takes it"));
}

#[test]
fn the_minute_before_an_alert_and_the_seconds_after_it_are_written() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let mut black_box = kept.black_box(10, 1 << 20);
    put(&mut black_box, (0..=200).map(|second| text(f64::from(second), 1)));
    put(&mut black_box, [alert(200.5, DriverAlert::CLEARED)]);
    put(&mut black_box, (201..=210).map(|second| text(f64::from(second), 1)));
    assert_eq!(kept.files(), Vec::<Vec<u64>>::new(), "nothing happened");
    put(&mut black_box, [alert(210.5, DriverAlert::RAISED)]);
    put(&mut black_box, (211..=230).map(|second| text(f64::from(second), 1)));
    let files = kept.files();
    assert_eq!((files.len(), files[0].first(), files[0].last()), (1, Some(&151), Some(&216)));
    assert!(kept.told.lock().expect("one thread")[0].contains("alert sleep"));
}

#[test]
fn a_second_alert_soon_after_the_first_is_named_in_its_file_or_has_one_of_its_own() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let mut black_box = kept.black_box(10, 1 << 20);
    let told = |nth: usize| kept.told.lock().expect("one thread")[nth].clone();
    let chatter = |black_box: &mut BlackBox, from: u32, to: u32| {
        put(black_box, (from..=to).map(|second| text(f64::from(second), 1)));
    };
    chatter(&mut black_box, 0, 100);
    // Two kinds, the second while the first one's file is still open: one file with both, and with what came after the second.
    put(&mut black_box, [alert(100.5, DriverAlert::RAISED)]);
    chatter(&mut black_box, 101, 104);
    put(&mut black_box, [alert_of(104.5, DriverAlert::RAISED, DriverAlert::PHONE_USE)]);
    chatter(&mut black_box, 105, 115);
    assert_eq!(
        (kept.files().len(), kept.files()[0].first(), kept.files()[0].last()),
        (1, Some(&41), Some(&110))
    );
    assert!(told(0).contains("alert sleep") && told(0).contains("alert phone use"), "{}", told(0));
    // The first again, soon after its file was written and it was cleared: with its own data, when a minute is full.
    put(&mut black_box, [alert(115.5, DriverAlert::CLEARED), alert(120.5, DriverAlert::RAISED)]);
    chatter(&mut black_box, 121, 169);
    assert_eq!(kept.files().len(), 1);
    chatter(&mut black_box, 170, 171);
    assert_eq!(
        (kept.files().len(), kept.files()[1].first(), kept.files()[1].last()),
        (2, Some(&111), Some(&170))
    );
    // What waits is written at once with what does not.
    put(&mut black_box, [alert(172.5, DriverAlert::RAISED)]);
    put(&mut black_box, [alert_of(173.5, DriverAlert::RAISED, DriverAlert::DROWSINESS)]);
    chatter(&mut black_box, 174, 180);
    // The new one's minute is before it, whatever another file has of that.
    assert_eq!(
        (kept.files().len(), kept.files()[2].first(), kept.files()[2].last()),
        (3, Some(&114), Some(&179))
    );
    assert!(told(2).contains("alert sleep") && told(2).contains("alert drowsiness"), "{}", told(2));
}

#[test]
fn what_a_node_falls_back_from_while_it_starts_is_no_reason_unless_it_goes_on() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let mut black_box = kept.black_box(10, 1 << 20);
    put(&mut black_box, [fell_back(10.0), fell_back(10.5), text(30.0, 1)]);
    assert_eq!(kept.files(), Vec::<Vec<u64>>::new());
    // A life of its own: it starts again.
    let fields = BTreeMap::from([("name".to_owned(), "/driver_state".to_owned())]);
    put(&mut black_box, [Entry::Metadata { name: about::NODE.to_owned(), fields }]);
    put(&mut black_box, [fell_back(40.0), fell_back(44.0), text(60.0, 1)]);
    assert_eq!(kept.files().len(), 0);
    put(&mut black_box, [fell_back(61.0), text(70.0, 1)]);
    assert_eq!(kept.files().len(), 1);
}

#[test]
fn what_a_node_lacks_from_its_start_on_is_no_reason_and_what_it_comes_to_lack_is_one() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let mut black_box = kept.black_box(10, 1 << 20);
    let lacks = |seconds: f64, what: &str| {
        let fault_text = what.to_owned();
        step(
            seconds,
            RecordedStep { fault: RecordedStep::UNAVAILABLE, fault_text, ..RecordedStep::default() },
        )
    };
    put(&mut black_box, (0..100).map(|second| lacks(f64::from(second), "no sound card")));
    assert_eq!(kept.files().len(), 0);
    put(&mut black_box, [lacks(101.0, "no voice"), text(110.0, 1)]);
    assert_eq!(kept.files().len(), 1);
}

#[test]
fn a_fault_that_goes_on_is_written_as_it_begins_as_it_rests_and_again_when_it_comes_back() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let mut black_box = kept.black_box(10, 1 << 20);
    put(
        &mut black_box,
        (0..300).flat_map(|second| [text(f64::from(second), 1), fell_back(f64::from(second) + 0.5)]),
    );
    assert_eq!(kept.files().len(), 1);
    put(&mut black_box, (300..310).map(|second| text(f64::from(second), 1)));
    let files = kept.files();
    assert_eq!((files.len(), files[1].first(), files[1].last()), (2, Some(&240), Some(&305)));
    assert!(kept.told.lock().expect("one thread")[1].contains("/driver_state fell back, for the last time"));
    put(&mut black_box, [text(400.0, 1), fell_back(401.0), text(420.0, 1)]);
    assert_eq!(kept.files().len(), 3);
    // The run ends while it goes on: what the file of its beginning has not is written.
    put(&mut black_box, (421..440).map(|second| fell_back(f64::from(second))));
    put(&mut black_box, [text(440.0, 1)]);
    black_box.finish().expect("it ends");
    assert_eq!(kept.files()[3], [440]);
}

#[test]
fn a_file_names_all_that_happened_in_it_beside_what_it_is_of() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let mut black_box = kept.black_box(10, 1 << 20);
    put(&mut black_box, [text(0.0, 1), fell_back(1.0), fell_back(9.0), text(20.0, 1)]);
    put(&mut black_box, (21..30).map(|second| fell_back(f64::from(second))));
    put(&mut black_box, [alert(30.0, DriverAlert::RAISED), text(40.0, 1)]);
    let folder = kept.folder.path().join("black");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path()).collect();
    files.sort();
    let named =
        BagReader::open(files.last().expect("a file")).expect("a recording").find_map(
            |record| match record {
                Record::Metadata { name, fields } if name == "troika.black_box" => Some(fields),
                _ => None,
            },
        );
    let named = named.expect("it names them");
    assert!(named["why"].contains("alert sleep"), "{named:?}");
    assert!(named["all"].contains("/driver_state fell back; alert sleep"), "{named:?}");
}

#[test]
fn it_holds_no_more_bytes_than_it_may_and_the_oldest_file_goes() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let mut black_box = kept.black_box(2, 10_000);
    for round in 0..3 {
        let begin = f64::from(round) * 100.0;
        put(&mut black_box, (0..50).map(|second| text(begin + f64::from(second), 1_000)));
        assert!(black_box.bytes <= 10_000);
        put(&mut black_box, [alert(begin + 50.0, DriverAlert::RAISED), text(begin + 60.0, 1)]);
    }
    let files = kept.files();
    assert_eq!(files.len(), 2);
    assert!(files[0].iter().all(|second| *second >= 100), "the first is gone: {files:?}");
    assert!(files[0].len() < 12, "about ten of a thousand bytes");
}

#[test]
fn what_is_due_at_the_end_is_written_and_a_folder_that_cannot_be_made_is_told() {
    let kept = Kept::new();
    let mut black_box = kept.black_box(2, 10_000);
    put(&mut black_box, [text(1.0, 1), alert(2.0, DriverAlert::RAISED)]);
    black_box.finish().expect("it ends");
    assert_eq!(kept.files(), [vec![1]]);
    let blocked = Kept::new();
    std::fs::write(blocked.folder.path().join("black"), b"a file").expect("written");
    let mut black_box = blocked.black_box(2, 10_000);
    put(&mut black_box, [alert(2.0, DriverAlert::RAISED)]);
    black_box.finish().expect("the run goes on");
    assert!(blocked.told.lock().expect("one thread")[0].contains("not written"));
}

#[test]
fn what_a_process_was_ended_while_writing_goes_when_it_is_started_again() {
    troika_safety::verifies![SR_OBS_004];
    let kept = Kept::new();
    let folder = kept.folder.path().join("black");
    std::fs::create_dir_all(&folder).expect("a folder");
    // The name is that of a black box of this process, or it is not.
    let name = file_name("cabin", Time::from_nanos(7_000_000_000));
    let (part, whole) = (format!("{name}.part"), name);
    let others = ["cabin-front-0000000007.000.mcap.part", "cabin-notes.mcap.part", &whole];
    for file in others.into_iter().chain([part.as_str()]) {
        std::fs::write(folder.join(file), "x").expect("a file");
    }
    let black_box = kept.black_box(2, 1 << 20);
    assert!(!folder.join(&part).exists(), "nobody would finish it");
    assert!(others.iter().all(|file| folder.join(file).exists()), "these are not its own, or are whole");
    let told = kept.told.lock().unwrap().join("; ");
    assert!(told.contains(&part) && told.contains("removed"), "{told}");
    drop(black_box);
}
