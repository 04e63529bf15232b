use std::sync::{Arc, Mutex};

use mockall::Sequence;
use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::Sample;

use super::*;
use crate::track::Track;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn reply(utterance: &str, kind: u8, text: &str) -> VoiceReply {
    VoiceReply { utterance_id: utterance.to_owned(), text: text.to_owned(), kind, ..VoiceReply::default() }
}

fn acknowledgement(utterance: &str) -> VoiceReply {
    reply(utterance, VoiceReply::COMMAND, "OK: open the trunk.")
}

fn activity(speaking: bool) -> VoiceActivity {
    VoiceActivity { speaking, ..VoiceActivity::default() }
}

/// A step at a time with these inputs.
fn step(node: &mut SpeechNode, at: Duration, inputs: &Inputs) -> Result<Done, Fault> {
    let now = Time::from_stamp(100, 0) + at;
    node.step(&Tick { seq: 0, release: now, now, level: 0 }, inputs, &mut Outputs::default())
}

fn replies(all: impl IntoIterator<Item = VoiceReply>) -> Inputs {
    let received = Time::from_stamp(100, 0);
    Inputs {
        reply: Events::holding(all.into_iter().map(|value| Sample { value, received })),
        ..Inputs::default()
    }
}

/// A mouth of which nothing is expected but what a test says.
fn mouth() -> MockMouth {
    let mut mouth = MockMouth::new();
    mouth.expect_said().returning(|| None);
    mouth.expect_played().returning(|| None);
    mouth
}

#[test]
fn a_reply_is_said_and_nothing_is_said_of_empty_text() {
    let mut mouth = mouth();
    mouth.expect_trouble().returning(|| None);
    mouth
        .expect_say()
        .withf(|number, text| (*number, text) == (1, "OK: open the trunk."))
        .times(1)
        .return_const(());
    let mut node = SpeechNode::with_mouth(&Config::default(), Box::new(mouth));
    let silent = replies([reply("u0", VoiceReply::REJECTED, ""), reply("u0", VoiceReply::DIALOGUE, "  ")]);
    assert_eq!(step(&mut node, ms(0), &silent), Ok(Done::Worked));
    assert_eq!(step(&mut node, ms(10), &replies([acknowledgement("u1")])), Ok(Done::Worked));
    assert_eq!(step(&mut node, ms(20), &Inputs::default()), Ok(Done::Idle));
}

#[test]
fn who_speaks_in_the_same_tick_as_a_reply_comes_is_heard_in_order() {
    let begin = Time::from_stamp(100, 0);
    for (reply_at, spoken_at, said) in [(1, 2, 0), (2, 1, 0)] {
        let mut mouth = mouth();
        mouth.expect_say().times(said).return_const(());
        mouth.expect_trouble().returning(|| None);
        let mut node = SpeechNode::with_mouth(&Config::default(), Box::new(mouth));
        let inputs = Inputs {
            reply: Events::holding([Sample { value: acknowledgement("u1"), received: begin + ms(reply_at) }]),
            activity: Events::holding([Sample { value: activity(true), received: begin + ms(spoken_at) }]),
            ..Inputs::default()
        };
        step(&mut node, ms(10), &inputs).expect("no fault");
    }
}

#[test]
fn trouble_is_told_once_a_second_and_what_is_said_goes_on() {
    let mut mouth = mouth();
    mouth.expect_trouble().returning(|| Some("no sound card".to_owned()));
    mouth.expect_say().times(1).return_const(());
    let mut node = SpeechNode::with_mouth(&Config::default(), Box::new(mouth));
    let mut faults = Vec::new();
    for n in 0..250u64 {
        let inputs = if n == 100 { replies([acknowledgement("u1")]) } else { Inputs::default() };
        if let Err(fault) = step(&mut node, ms(10 * n), &inputs) {
            faults.push((n, fault));
        }
    }
    let expected = Fault::Unavailable("no sound card");
    assert_eq!(faults, [(0, expected), (101, expected), (201, expected)]);
}

#[test]
fn a_cancel_and_a_newer_reply_break_off_what_is_said() {
    let mut mouth = mouth();
    mouth.expect_trouble().returning(|| None);
    let mut order = Sequence::new();
    mouth.expect_say().withf(|number, _| *number == 1).times(1).in_sequence(&mut order).return_const(());
    mouth.expect_hush().times(1).in_sequence(&mut order).return_const(());
    mouth.expect_say().withf(|number, _| *number == 2).times(1).in_sequence(&mut order).return_const(());
    mouth.expect_hush().times(1).in_sequence(&mut order).return_const(());
    let config = Config { cancel_button: true, ..Config::default() };
    let mut node = SpeechNode::with_mouth(&config, Box::new(mouth));
    step(&mut node, ms(0), &replies([acknowledgement("u1")])).expect("no fault");
    let newer = reply("u2", VoiceReply::REJECTED, "All right, I leave it.");
    step(&mut node, ms(10), &replies([newer])).expect("no fault");
    let cancel = std_msgs::String { data: "steering wheel".to_owned() };
    let cancel = Sample { value: cancel, received: Time::from_stamp(100, 0) };
    let inputs = Inputs { cancel: Events::holding([cancel]), ..Inputs::default() };
    step(&mut node, ms(20), &inputs).expect("no fault");
}

#[test]
fn so_many_kinds_of_trouble_are_kept_and_no_more() {
    let mut reasons = Reasons::default();
    let told: Vec<&str> = (0..20).map(|n| reasons.of(&format!("trouble {n}"))).collect();
    assert_eq!((told[3], told[19]), ("trouble 3", "speech"));
    assert_eq!(reasons.of("trouble 3").as_ptr(), told[3].as_ptr());
}

/// A mouth on a virtual sound card that has 60 ms of buffers and takes 10 ms of samples before each step. Each text takes 2 s.
struct VirtualMouth {
    track: Track,
    now: Arc<Mutex<Time>>,
}

const RATE: u32 = 8_000;
const BUFFERED: Duration = ms(60);

impl Mouth for VirtualMouth {
    fn say(&mut self, number: u64, _: &str) {
        self.track.begin(number);
        self.track.push(number, &[0.5; 2 * RATE as usize]);
        self.track.complete(number);
    }
    fn hush(&mut self) {
        self.track.cut();
    }
    fn said(&mut self) -> Option<u64> {
        if let Some(number) = self.track.said() {
            return Some(number);
        }
        let mut now = self.now.lock().expect("no panic");
        let mut block = [0.0; RATE as usize / 100];
        self.track.pull(&mut block, *now + BUFFERED);
        *now = *now + ms(10);
        self.track.said()
    }
    fn played(&mut self) -> Option<(u32, Played)> {
        self.track.played().map(|played| (RATE, played))
    }
    fn trouble(&mut self) -> Option<String> {
        None
    }
}

/// When the loudspeaker sounds, in milliseconds since the start: the beginning and the end of each sound.
fn sounds(
    told: Vec<(Duration, VoiceReply)>,
    spoken: Vec<(Duration, VoiceActivity)>,
    cancels: Vec<(Duration, std_msgs::String)>,
) -> Vec<(u64, u64)> {
    let mut simulation = Simulation::new().expect("a simulation");
    let start = simulation.now();
    let mouth = VirtualMouth { track: Track::new(RATE), now: Arc::new(Mutex::new(start)) };
    let config = Config { cancel_button: true, ..Config::default() };
    let node = SpeechNode::with_mouth(&config, Box::new(mouth));
    simulation.spawn(node, NodeOptions::new("speech")).expect("spawns");
    simulation.feed("/voice/reply", told).expect("feeds");
    simulation.feed("/voice/activity", spoken).expect("feeds");
    simulation.feed("/voice/cancel", cancels).expect("feeds");
    let heard = simulation.collect::<AudioChunk>("/voice/playback").expect("collects");
    simulation.run_for(Duration::from_secs(8));
    let mut sounds: Vec<(u64, u64)> = Vec::new();
    for chunk in heard.take() {
        let stamp = chunk.value.header.stamp;
        let begin = Time::from_stamp(stamp.sec, stamp.nanosec).since(start).as_millis() as u64;
        let end = begin + chunk.value.samples.len() as u64 * 1_000 / u64::from(RATE);
        match sounds.last_mut() {
            Some(last) if last.1 == begin => last.1 = end,
            _ => sounds.push((begin, end)),
        }
    }
    sounds
}

#[test]
fn speech_ends_within_100_ms_of_the_message_that_somebody_speaks_at_any_moment() {
    troika_safety::verifies![SR_VOI_005];
    // From before the first sample to after the last, on no grid of the node's.
    for at in (101..2_400).step_by(37) {
        let spoken = vec![(ms(at), activity(true))];
        let sounds = sounds(vec![(ms(100), acknowledgement("u1"))], spoken, Vec::new());
        let end = sounds.last().map_or(0, |(_, end)| *end);
        assert!(end <= at + 100, "somebody spoke at {at} ms, and it sounded until {end}");
        if (300..2_000).contains(&at) {
            assert!(end > at, "it had not ended by itself: {sounds:?}");
        }
    }
}

#[test]
fn a_cancel_ends_it_within_100_ms_at_any_moment() {
    troika_safety::verifies![SR_VOI_005];
    for at in (101..2_400).step_by(61) {
        let cancel = vec![(ms(at), std_msgs::String::default())];
        let sounds = sounds(vec![(ms(100), acknowledgement("u1"))], Vec::new(), cancel);
        let end = sounds.last().map_or(0, |(_, end)| *end);
        assert!(end <= at + 100, "cancelled at {at} ms, and it sounded until {end}");
    }
}

#[test]
fn a_failure_is_heard_after_the_driver_has_spoken() {
    troika_safety::verifies![SR_ATT_002];
    let failed = VoiceReply {
        command_id: "u1/0".to_owned(),
        ..reply("u1", VoiceReply::REFUSED, "That did not work.")
    };
    let told = vec![(ms(100), acknowledgement("u1")), (ms(1_300), failed)];
    let spoken = vec![(ms(1_000), activity(true)), (ms(3_000), activity(false))];
    let sounds = sounds(told, spoken, Vec::new());
    assert_eq!(sounds.len(), 2, "{sounds:?}");
    assert!(sounds[0].1 <= 1_100 && (3_000..3_100).contains(&sounds[1].0), "{sounds:?}");
    assert_eq!(sounds[1].1 - sounds[1].0, 2_000, "and whole");
}
