use std::{io::Write as _, os::unix::fs::FileExt as _, path::Path};

use tempfile::TempDir;
use troika_kit::Message as _;
use troika_msgs::std_msgs::String as Text;

use super::*;

fn message(topic: &Arc<Topic>, index: u32, text: &str) -> Entry {
    let mut cdr = Vec::new();
    Text { data: text.into() }.encode(&mut cdr).expect("it has a CDR form");
    let at = Time::from_nanos(1_000 + u64::from(index));
    Entry::Message(Message { topic: topic.clone(), index, log_time: at, publish_time: at, cdr: cdr.into() })
}

fn topic() -> Arc<Topic> {
    Arc::new(Topic { name: "/chatter".into(), ty: Text::TYPE, qos: Qos::SENSOR })
}

fn texts(path: &Path) -> (Vec<String>, Option<String>) {
    let mut reader = BagReader::open(path).expect("it opens");
    let mut texts = Vec::new();
    for record in reader.by_ref() {
        if let Record::Message { cdr, .. } = record {
            texts.push(Text::decode(&cdr).expect("a text").data);
        }
    }
    (texts, reader.cut().map(str::to_owned))
}

#[test]
fn what_is_written_is_read_with_type_hash_definition_and_qos() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.mcap");
    let mut bag = Bag::create(&path).expect("made");
    let fields = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
    bag.put(Entry::Metadata { name: "about".into(), fields: fields.clone() }).expect("put");
    let bytes = b"text".to_vec();
    let time = Time::from_nanos(5);
    let (name, media_type) = ("a.toml".to_owned(), "application/toml".to_owned());
    bag.put(Entry::Attachment { name, media_type, time, bytes }).expect("put");
    bag.put(message(&topic(), 0, "grüß dich")).expect("put");
    bag.finish().expect("finished");
    let mut reader = BagReader::open(&path).expect("it opens");
    assert_eq!(reader.profile(), "ros2");
    let records: Vec<Record> = reader.by_ref().collect();
    assert_eq!(reader.cut(), None);
    assert_eq!(records[0], Record::Metadata { name: "about".into(), fields });
    assert_eq!(records[1], Record::Attachment { name: "a.toml".into(), bytes: b"text".to_vec() });
    let Record::Message { channel, sequence: 0, log_time, .. } = &records[2] else { panic!("{records:?}") };
    assert_eq!((log_time.as_nanos(), channel.topic.as_str()), (1_000, "/chatter"));
    assert_eq!((channel.type_name.as_str(), channel.encoding.as_str()), (Text::TYPE.name, "cdr"));
    assert_eq!(channel.type_hash.as_deref(), Some(Text::TYPE.hash));
    assert_eq!(qos_of_text(&channel.qos), Qos::SENSOR);
    assert!(channel.definition.contains("string data"));
    assert_eq!(channels(&path).expect("by its summary"), [(**channel).clone()]);
}

#[test]
fn after_a_flush_the_file_is_whole_and_a_killed_recorder_loses_no_more_than_what_came_since() {
    let folder = TempDir::new().expect("a folder");
    let (path, killed) = (folder.path().join("a.mcap"), folder.path().join("killed.mcap"));
    let mut bag = Bag::create(&path).expect("made");
    for round in 0..3_u32 {
        bag.put(message(&topic(), 2 * round, "flushed")).expect("put");
        bag.flush().expect("flushed");
        bag.put(message(&topic(), 2 * round + 1, "not yet")).expect("put");
        // As the disk has it now, whatever becomes of the process.
        std::fs::copy(&path, &killed).expect("copied");
        let (texts, cut) = texts(&killed);
        assert_eq!((texts.len() as u32, cut), (2 * round + 1, None));
        assert_eq!(channels(&killed).expect("by its summary").len(), 1);
        assert_eq!(mend(&killed).expect("looked at"), Mended::Whole, "it has its summary");
    }
}

#[test]
fn a_file_that_was_cut_anywhere_is_read_up_to_its_last_whole_chunk_and_can_be_mended() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.mcap");
    let mut bag = Bag::create(&path).expect("made");
    for index in 0..4 {
        bag.put(message(&topic(), index, "one of four")).expect("put");
        bag.flush().expect("flushed");
    }
    bag.finish().expect("finished");
    assert_eq!(mend(&path).expect("looked at"), Mended::Whole);
    let whole = std::fs::read(&path).expect("read");
    let cut = folder.path().join("cut.mcap");
    let mut before = 0;
    for length in (60..whole.len()).step_by(7) {
        std::fs::write(&cut, &whole[..length]).expect("written");
        let Ok(reader) = BagReader::open(&cut) else { continue };
        let some = reader.filter(|record| matches!(record, Record::Message { .. })).count();
        assert!(some >= before, "no less than of a shorter one");
        before = some;
        assert!(matches!(mend(&cut).expect("mended"), Mended::End(_)));
        let (texts, why) = texts(&cut);
        assert_eq!((texts.len(), why), (some, None), "cut at {length} of {}", whole.len());
        assert_eq!(mend(&cut).expect("looked at"), Mended::Whole);
        if some == 4 {
            assert!(
                std::fs::read(&cut).expect("read") == whole,
                "its summary is what its recorder would have written"
            );
        }
    }
    assert_eq!(before, 4);
}

#[test]
fn a_file_that_has_an_end_and_no_summary_is_given_the_one_that_its_recorder_would_have_written() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.mcap");
    let mut bag = Bag::create(&path).expect("made");
    let fields = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
    bag.put(Entry::Metadata { name: "about".into(), fields }).expect("put");
    let (name, media_type) = ("a.toml".to_owned(), "application/toml".to_owned());
    bag.put(Entry::Attachment { name, media_type, time: Time::from_nanos(5), bytes: b"text".to_vec() })
        .expect("put");
    let other = Arc::new(Topic { name: "/other".into(), ty: Text::TYPE, qos: Qos::SENSOR });
    for index in 0..4 {
        bag.put(message(&topic(), index, "one of four")).expect("put");
        bag.put(message(&other, index, "another")).expect("put");
        if index == 2 {
            bag.flush().expect("flushed");
        }
    }
    bag.finish().expect("finished");
    let whole = std::fs::read(&path).expect("read");
    let footer = whole.len() - format::FOOTER_AND_MAGIC + format::HEAD;
    let start = u64::from_le_bytes(whole[footer..footer + 8].try_into().expect("eight")) as usize;
    let data_end = start - (format::HEAD + 4);
    let plain = [&whole[..data_end], &place::plain_end()].concat();
    std::fs::write(&path, plain).expect("written");
    assert_eq!(mend(&path).expect("mended"), Mended::Summary);
    assert!(std::fs::read(&path).expect("read") == whole);
    assert_eq!(mend(&path).expect("looked at"), Mended::Whole);
}

#[test]
fn a_long_recording_writes_no_more_ends_than_data() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.mcap");
    let mut bag = Bag::create(&path).expect("made");
    // Each chunk has a line in the summary: at some tens it is no longer small here, and goes only behind some chunks.
    bag.small = 4 << 10;
    let mut without = 0;
    for index in 0..300 {
        bag.put(message(&topic(), index, "text")).expect("put");
        bag.flush().expect("flushed");
        let (texts, cut) = texts(&path);
        assert_eq!((texts.len() as u32, cut), (index + 1, None));
        let bytes = std::fs::read(&path).expect("read");
        without += u32::from(bytes.ends_with(&place::plain_end()));
    }
    assert!((100..290).contains(&without), "{without} of 300 without a summary");
    // One of them, as a killed recorder leaves it, is given the summary that its recorder would have written.
    bag.finish().expect("finished");
    let whole = std::fs::read(&path).expect("read");
    let footer = whole.len() - format::FOOTER_AND_MAGIC + format::HEAD;
    let start = u64::from_le_bytes(whole[footer..footer + 8].try_into().expect("eight")) as usize;
    std::fs::write(&path, &whole[..start]).expect("written");
    mend(&path).expect("mended");
    assert!(std::fs::read(&path).expect("read") == whole);
}

#[test]
fn a_full_disk_is_told() {
    troika_safety::verifies![SR_OBS_001];
    let told = Bag::create(Path::new("/dev/full")).err().expect("there is no room").to_string();
    assert!(told.contains("/dev/full") && told.contains("space"), "{told}");
}

#[test]
fn another_kind_of_file_is_refused_with_its_name() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.txt");
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(b"no recording at all"))
        .expect("written");
    let told = BagReader::open(&path).err().expect("refused").to_string();
    assert!(told.contains("a.txt"), "{told}");
    assert!(BagReader::open(&folder.path().join("nothing")).is_err());
    let empty = folder.path().join("empty");
    std::fs::File::create(&empty).expect("made");
    assert!(BagReader::open(&empty).is_err());
}

#[test]
fn any_byte_that_is_changed_gives_messages_or_a_cut_and_never_a_panic() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.mcap");
    let mut bag = Bag::create(&path).expect("made");
    for index in 0..3 {
        bag.put(message(&topic(), index, "some text")).expect("put");
    }
    bag.finish().expect("finished");
    let file = std::fs::File::options().read(true).write(true).open(&path).expect("open");
    let length = file.metadata().expect("there").len();
    for at in 0..length {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("read");
        file.write_all_at(&[byte[0] ^ 0x55], at).expect("written");
        if let Ok(reader) = BagReader::open(&path) {
            assert!(reader.count() <= 64);
        }
        let _either = channels(&path);
        file.write_all_at(&byte, at).expect("written");
    }
}
