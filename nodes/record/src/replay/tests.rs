//! A small system on the virtual clock, recorded and done again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use troika_host::{
    NodeOptions,
    replay::{Replayer, Replays},
    simulate::{Simulation, Timing},
    tape::{Tape, WhenFull},
};
use troika_kit::{Class, Contract, ContractSpec, Done, Events, Fault, Latest, Out, Step, Tick, Wake, ports};
use troika_msgs::{
    sensor_msgs::Image,
    std_msgs::{Bool, String as Text},
};

use super::*;
use crate::{Bag, Entry, Store, privacy::Privacy, spool::Spool};

ports! {
    /// What it reads.
    struct Inputs {
        picture: Latest<Image> = "/picture",
        word: Events<Text, 4> = "/word",
    }
}
ports! {
    /// What it says.
    struct Outputs {
        said: Out<Text, 4> = "/said",
        stands: Out<Bool> = "/stands",
    }
}

/// Says each word with the brightness of the newest picture and what it counted; faults every so often.
struct Speaker {
    threshold: u8,
    count: u32,
}

impl Step for Speaker {
    type Inputs = Inputs;
    type Outputs = Outputs;
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "speaker",
        wake: Wake::Period,
        period: Duration::from_millis(20),
        deadline: Duration::from_millis(10),
        budget: Duration::from_millis(5),
        class: Class::Hard,
        requirements: &[],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        self.count += 1;
        if self.count.is_multiple_of(17) {
            return Err(Fault::BadInput("every seventeenth"));
        }
        let bright = inputs.picture.get().and_then(|picture| picture.value.data.first().copied());
        outputs.stands.send(Bool { data: bright.unwrap_or(0) > self.threshold });
        if inputs.picture.fresh().is_none() && inputs.word.iter().len() == 0 {
            return Ok(Done::Idle);
        }
        for word in inputs.word.iter().filter(|_| self.threshold != SILENT) {
            let said = format!("{} {bright:?} {} {}", word.value.data, self.count, tick.level);
            outputs.said.send(Text { data: said });
        }
        if self.threshold == TALKS {
            outputs.said.send(Text { data: "and more".into() });
        }
        Ok(Done::Worked)
    }

    fn fall_back(&mut self, tick: &Tick, why: &Fault, outputs: &mut Outputs) {
        outputs.said.send(Text { data: format!("{why} at {}", tick.seq) });
    }
}

/// Draws a picture at each release.
struct Painter(u8);

ports! {
    /// Nothing.
    struct NoInputs {}
}
ports! {
    /// Pictures.
    struct Pictures {
        picture: Out<Image> = "/picture",
    }
}

impl Step for Painter {
    type Inputs = NoInputs;
    type Outputs = Pictures;
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "painter",
        wake: Wake::Period,
        period: Duration::from_millis(33),
        deadline: Duration::from_millis(33),
        budget: Duration::from_millis(5),
        class: Class::Firm,
        requirements: &[],
    });

    fn step(&mut self, _: &Tick, _: &NoInputs, outputs: &mut Pictures) -> Result<Done, Fault> {
        self.0 = self.0.wrapping_mul(5).wrapping_add(1);
        outputs.picture.send(Image { data: vec![self.0; 64], ..Image::default() });
        Ok(Done::Worked)
    }

    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Pictures) {}
}

const THRESHOLD: u8 = 100;
/// With one of these it says nothing of words, or more than it did; what stands is as with [`THRESHOLD`].
const SILENT: u8 = 101;
const TALKS: u8 = 102;

/// A run of four seconds, with steps that are late, and too late.
fn recorded(folder: &TempDir, privacy: Privacy) -> PathBuf {
    let file = folder.path().join("run.mcap");
    let (tape, spool) = recorder(&file, privacy);
    run(&tape, &tape);
    spool.finish();
    file
}

/// Such a run of two processes, each with a recording of its own: what the painter did, and what the speaker.
fn recorded_apart(folder: &TempDir, privacy: Privacy) -> [PathBuf; 2] {
    let files = ["painter.mcap", "speaker.mcap"].map(|name| folder.path().join(name));
    let [painter, speaker] = files.each_ref().map(|file| recorder(file, privacy));
    run(&painter.0, &speaker.0);
    painter.1.finish();
    speaker.1.finish();
    files
}

fn recorder(file: &Path, privacy: Privacy) -> (Tape, Spool) {
    let (tape, reader) = Tape::new(1 << 20, WhenFull::Wait);
    let bag = Bag::create(file).expect("made");
    let first = vec![
        Entry::Metadata { name: about::RECORDING.into(), fields: AboutRecording::default().fields() },
        Entry::Attachment {
            name: about::SYSTEM.into(),
            media_type: String::new(),
            time: Time::ZERO,
            bytes: b"the system".to_vec(),
        },
    ];
    let stores: Vec<(Privacy, Box<dyn Store>)> = vec![(privacy, Box::new(bag))];
    (tape, Spool::start(reader, first, stores, |told| panic!("{told}")).expect("a thread"))
}

fn run(painter: &Tape, speaker: &Tape) {
    let mut simulation = Simulation::new().expect("it is there");
    let of = |name: &str, tape: &Tape| NodeOptions { tape: Some(tape.clone()), ..NodeOptions::new(name) };
    simulation.spawn(Painter(3), of("painter", painter)).expect("spawned");
    let said_by = of("speaker", speaker);
    let speaker = Speaker { threshold: THRESHOLD, count: 0 };
    let hiccups = |start: u64| match start % 23 {
        5 => Timing { execution: Duration::from_millis(12), ..Timing::default() },
        9 => Timing { delay: Duration::from_millis(70), ..Timing::default() },
        _ => Timing::default(),
    };
    simulation.spawn_timed(speaker, said_by, hiccups).expect("spawned");
    let words = (0..400).map(|n| (Duration::from_millis(7 * n), Text { data: format!("word {n}") }));
    simulation.feed("/word", words).expect("fed");
    simulation.run_for(Duration::from_secs(4));
}

/// Makes both nodes, the speaker with another threshold if need be.
struct Both {
    threshold: u8,
    begun: bool,
    /// There is no painter any more.
    blind: bool,
}

impl MakesNodes for Both {
    fn begin(&mut self, _: &AboutRecording, system: Option<&str>) -> Vec<String> {
        assert_eq!(system, Some("the system"));
        self.begun = true;
        Vec::new()
    }
    fn models(&mut self, _: &BTreeMap<String, String>) -> Vec<String> {
        Vec::new()
    }
    fn make(&mut self, node: &AboutNode, _: bool) -> Result<Made, String> {
        assert!(self.begun, "the system is known first");
        let made: Box<dyn Replays> = match node.kind.as_str() {
            "painter" if self.blind => return Ok(Made::Not("it is gone".to_owned())),
            "painter" => Box::new(Replayer::new(Painter(3))),
            "speaker" => Box::new(Replayer::new(Speaker { threshold: self.threshold, count: 0 })),
            other => return Err(other.to_owned()),
        };
        Ok(Made::Node(made))
    }
    fn floats_may_differ(&self) -> bool {
        false
    }
}

fn again(file: &Path, only: Option<&str>, threshold: u8) -> Report {
    let mut reader = BagReader::open(file).expect("a recording");
    replay(&mut reader, only, &mut Both { threshold, begun: false, blind: false })
}

/// A recording of these records.
fn written_anew(folder: &TempDir, records: Vec<Record>) -> PathBuf {
    let file = folder.path().join("anew.mcap");
    let mut bag = Bag::create(&file).expect("made");
    for record in records {
        let entry = match record {
            Record::Metadata { name, fields } => Entry::Metadata { name, fields },
            Record::Attachment { name, bytes } => {
                Entry::Attachment { name, media_type: String::new(), time: Time::ZERO, bytes }
            }
            Record::Message { channel, sequence, log_time, publish_time, cdr } => {
                let ty = troika_msgs::dynamic::lookup(&channel.type_name).expect("it is known").info();
                let topic = crate::Topic { name: channel.topic.clone(), ty, qos: troika_kit::Qos::DEFAULT };
                Entry::Message(crate::Message {
                    topic: topic.into(),
                    index: sequence,
                    log_time,
                    publish_time,
                    cdr: cdr.into(),
                })
            }
        };
        bag.put(entry).expect("put");
    }
    bag.finish().expect("finished");
    file
}

fn of<'a>(report: &'a Report, node: &str) -> &'a NodeReport {
    report.nodes.iter().find(|one| one.node == node).expect("it was recorded")
}

#[test]
fn a_recorded_run_done_again_twice_is_the_same_to_the_byte() {
    troika_safety::verifies![SR_OBS_002];
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::KeepRaw);
    for _ in 0..2 {
        let report = again(&file, None, THRESHOLD);
        assert!(report.is_good(), "{report:#?}");
        assert_eq!(report.notices, Vec::<String>::new());
        let speaker = of(&report, "/speaker");
        assert!(speaker.steps > 150 && speaker.messages > 400, "{speaker:?}");
        assert_eq!(of(&report, "/painter").messages, 121);
    }
    assert_eq!(again(&file, Some("speaker"), THRESHOLD).nodes.len(), 1);
    assert_eq!(again(&file, Some("nobody"), THRESHOLD).nodes.len(), 0);
}

#[test]
fn another_threshold_shows_the_first_message_that_differs_with_its_fields() {
    troika_safety::verifies![SR_OBS_002];
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::KeepRaw);
    let report = again(&file, None, THRESHOLD + 60);
    assert!(!report.is_good());
    let speaker = of(&report, "/speaker");
    assert_eq!(speaker.verdict, Verdict::Different);
    let first = speaker.first.as_ref().expect("a difference");
    assert_eq!((first.topic.as_str(), first.fields[0].field.as_str()), ("/stands", "data"));
    assert_eq!((&first.fields[0].recorded, &first.fields[0].now), (&Some(true.into()), &Some(false.into())));
    assert!(speaker.differing > 1 && speaker.differing < speaker.messages);
    assert_eq!(of(&report, "/painter").verdict, Verdict::Identical);
}

#[test]
fn a_message_that_one_side_alone_has_is_shown_with_its_fields() {
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::KeepRaw);
    let first = |threshold| {
        let report = again(&file, Some("speaker"), threshold);
        report.nodes.into_iter().next().and_then(|node| node.first).expect("a difference")
    };
    let gone = first(SILENT);
    assert_eq!((gone.topic.as_str(), gone.what.as_str()), ("/said", "a message then, and none now"));
    let then = gone.fields[0].recorded.as_ref().and_then(|text| text.as_str()).expect("the text of then");
    assert!(then.starts_with("word 0 ") && gone.fields[0].now.is_none(), "{gone:?}");
    let more = first(TALKS);
    assert_eq!((more.topic.as_str(), more.what.as_str()), ("/said", "no message then, and one now"));
    assert_eq!((&more.fields[0].recorded, &more.fields[0].now), (&None, &Some("and more".into())));
}

#[test]
fn pictures_that_were_left_out_are_made_again_by_their_node_and_without_it_are_told() {
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::LeaveOut);
    let report = again(&file, None, THRESHOLD);
    assert!(report.is_good(), "{report:#?}");
    assert!(of(&report, "/speaker").steps > 150);
    let alone = again(&file, Some("speaker"), THRESHOLD);
    assert!(
        alone.is_good() && alone.nodes.len() == 1,
        "the painter paints, and is not asked for: {alone:#?}"
    );
    let mut reader = BagReader::open(&file).expect("a recording");
    let alone = replay(&mut reader, None, &mut Both { threshold: THRESHOLD, begun: false, blind: true });
    let Verdict::LeftOut(why) = &of(&alone, "/speaker").verdict else { panic!("{alone:#?}") };
    assert!(why.contains("/picture") && why.contains("--raw"), "{why}");
    assert!(!alone.is_good(), "nothing was compared");
}

#[test]
fn pictures_that_another_process_sent_are_made_again_from_its_recording() {
    let folder = TempDir::new().expect("a folder");
    let [painter, speaker] = recorded_apart(&folder, Privacy::LeaveOut);
    let with = |blind: bool| {
        let mut both = [false, blind].map(|blind| Both { threshold: THRESHOLD, begun: false, blind });
        let [makes, others] = &mut both;
        let (mut bag, mut other) = (
            BagReader::open(&speaker).expect("a recording"),
            BagReader::open(&painter).expect("a recording"),
        );
        let beside = vec![Beside { name: "painter.mcap".into(), bag: &mut other, makes: others }];
        replay_beside(&mut bag, beside, None, makes)
    };
    let report = with(false);
    assert!(report.is_good() && of(&report, "/speaker").steps > 150, "{report:#?}");
    assert_eq!(report.nodes.len(), 1, "the painter's own recording tells of the painter");
    assert!(report.notices.iter().any(|told| told.contains("from painter.mcap")), "{:?}", report.notices);
    assert!(matches!(of(&with(true), "/speaker").verdict, Verdict::LeftOut(_)), "nobody paints");
    assert!(matches!(of(&again(&speaker, None, THRESHOLD), "/speaker").verdict, Verdict::LeftOut(_)));
}

#[test]
fn what_differs_is_counted_by_topic_with_the_first_of_each() {
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::KeepRaw);
    let topics = |threshold| {
        let report = again(&file, Some("speaker"), threshold);
        report.nodes.into_iter().next().expect("it was recorded").topics
    };
    let (stands, gone, more) = (topics(THRESHOLD + 60), topics(SILENT), topics(TALKS));
    let named: Vec<_> = stands.keys().map(String::as_str).collect();
    assert_eq!((named, stands["/stands"].added, stands["/stands"].gone), (vec!["/stands"], 0, 0));
    assert!(stands["/stands"].changed > 1);
    // A word before a fall-back: what was second is first now, and other bytes.
    assert!(gone["/said"].gone > 100 && gone["/said"].added == 0, "{gone:?}");
    assert!(more["/said"].added > 100 && more["/said"].gone == 0, "{more:?}");
    let first = more["/said"].first.as_ref().expect("a difference");
    assert!(!first.fields.is_empty() && first.since_start_s < 4.0, "{first:?}");
}

#[test]
fn a_step_that_stands_before_the_one_that_made_its_picture_waits_for_it() {
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::LeaveOut);
    // The recorder may take what one node did some time after what another made of it.
    let (mut records, mut held) = (Vec::new(), Vec::new());
    for record in BagReader::open(&file).expect("a recording") {
        let topic = match &record {
            Record::Message { channel, .. } => channel.topic.clone(),
            _ => String::new(),
        };
        match topic.as_str() {
            "/_recorded/painter" => held.push((5, record)),
            "/_recorded/speaker" => {
                records.push(record);
                held.iter_mut().for_each(|(behind, _)| *behind -= 1);
                records.extend(held.extract_if(.., |(behind, _)| *behind == 0).map(|(_, record)| record));
            }
            _ => records.push(record),
        }
    }
    records.extend(held.into_iter().map(|(_, record)| record));
    let late = written_anew(&folder, records);
    for only in [None, Some("speaker")] {
        let report = again(&late, only, THRESHOLD);
        assert!(report.is_good(), "{report:#?}");
        let (late, usual) = (of(&report, "/speaker"), again(&file, None, THRESHOLD));
        let usual = of(&usual, "/speaker");
        assert_eq!((late.steps, late.messages), (usual.steps, usual.messages));
    }
}

#[test]
fn a_recording_that_was_cut_is_compared_up_to_there() {
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::KeepRaw);
    let whole = std::fs::read(&file).expect("read");
    let cut = folder.path().join("cut.mcap");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("written");
    let report = again(&cut, None, THRESHOLD);
    assert!(report.nodes.iter().all(|node| node.verdict != Verdict::Different), "{report:#?}");
    assert!(report.notices.iter().any(|told| told.contains("ends before its end")), "{report:#?}");
    assert!(!report.whole && again(&file, None, THRESHOLD).whole);
}

#[test]
fn a_message_with_another_byte_than_was_sent_is_found() {
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder, Privacy::KeepRaw);
    let mut records: Vec<Record> = BagReader::open(&file).expect("a recording").collect();
    let mut said = records.iter_mut().filter_map(|record| match record {
        Record::Message { channel, cdr, .. } if channel.topic == "/said" => Some(cdr),
        _ => None,
    });
    let hundredth = said.nth(99).expect("it said much");
    let last = hundredth.len() - 2;
    hundredth[last] ^= 1;
    let forged = written_anew(&folder, records);
    let speaker = of(&again(&forged, None, THRESHOLD), "/speaker").clone();
    assert_eq!((speaker.verdict, speaker.differing), (Verdict::Different, 1));
    assert_eq!(speaker.first.map(|first| first.topic), Some("/said".to_owned()));
}
