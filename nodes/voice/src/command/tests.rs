//! The gates as the driver meets them.

use troika_kit::Sample;

use super::*;
use crate::intent::IntentModel;

mod talk;

/// 2026, so that ages have room before them.
const START: Time = Time::from_nanos(1_790_000_000_000_000_000);

/// A driver who talks to the node, in a vehicle that may move.
struct Driver {
    node: CommandNode,
    now: Time,
    speed: Option<(f32, Duration)>,
    drowsy: bool,
    language: Vec<LanguageReply>,
    count: u64,
    /// From the end of speech to the words.
    recognised_after: Duration,
}

#[derive(Default)]
struct Answer {
    commands: Vec<VehicleCommand>,
    replies: Vec<VoiceReply>,
    requests: Vec<LanguageRequest>,
    understood: Vec<Understanding>,
    dialogue: Vec<DialogueRequest>,
}

impl Driver {
    fn at(speed: f32) -> Driver {
        Driver::with(CommandNode::default(), speed)
    }

    fn with(node: CommandNode, speed: f32) -> Driver {
        let speed = Some((speed, Duration::ZERO));
        let recognised_after = Duration::ZERO;
        Driver { node, now: START, speed, drowsy: false, language: Vec::new(), count: 0, recognised_after }
    }

    /// In a vehicle with the intent network, and a language model to be asked when `language`.
    fn with_network(language: bool) -> Driver {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/intent_slots_en/intent_slots_en.onnx");
        let network = IntentModel::load(file.as_ref(), Catalogue::built_in()).expect("loads");
        Driver::with(CommandNode::new(Cascade::new(Matcher::english(), Some(network)), language), 0.0)
    }

    fn step(&mut self, heard: Option<(&str, f32)>, results: Vec<CommandResult>) -> Answer {
        let said = self.now;
        if heard.is_some() {
            self.now = self.now + self.recognised_after;
        }
        let tick = Tick { seq: self.count, release: self.now, now: self.now, level: 0 };
        let sample = |value| Sample { value, received: self.now };
        self.count += 1;
        let transcript = heard.map(|(text, confidence)| Transcript {
            utterance_id: format!("u{}", self.count),
            text: text.to_owned(),
            r#final: true,
            confidence,
            header: Header::at(said),
            audio_duration: Duration::from_secs(1).into(),
            ..Transcript::default()
        });
        let mut inputs = Inputs {
            transcript: Events::holding(transcript.map(sample)),
            result: Events::holding(results.into_iter().map(|value| Sample { value, received: self.now })),
            ..Inputs::default()
        };
        inputs.language =
            Events::holding(self.language.drain(..).map(|value| Sample { value, received: self.now }));
        if self.drowsy {
            let drowsiness = Drowsiness { level: Drowsiness::DROWSY, ..Drowsiness::default() };
            inputs.drowsiness = Latest::holding(drowsiness, self.now);
        }
        if let Some((speed_kmh, age)) = self.speed {
            let signals = VehicleSignals { speed_kmh, ..VehicleSignals::default() };
            inputs.signals = Latest::holding(signals, self.now - age);
        }
        let mut outputs = Outputs::default();
        self.node.step(&tick, &inputs, &mut outputs).expect("never faults");
        Answer {
            commands: outputs.command.sent().to_vec(),
            replies: outputs.reply.sent().to_vec(),
            requests: outputs.language.sent().to_vec(),
            understood: outputs.understanding.sent().to_vec(),
            dialogue: outputs.dialogue.sent().to_vec(),
        }
    }

    fn says(&mut self, text: &str) -> Answer {
        self.step(Some((text, 0.9)), Vec::new())
    }

    fn waits(&mut self, time: Duration) -> Answer {
        self.now = self.now + time;
        self.step(None, Vec::new())
    }
}

fn functions(answer: &Answer) -> Vec<&str> {
    answer.commands.iter().map(|command| command.function.as_str()).collect()
}

#[test]
fn sr_voi_001_the_trunk_opens_only_when_the_speed_is_known_fresh_and_zero() {
    troika_safety::verifies![SR_VOI_001];
    let mut parked = Driver::at(0.0);
    assert_eq!(functions(&parked.says("open the trunk")), ["trunk.move"]);
    for speed in [
        Some((0.5, Duration::ZERO)),
        Some((120.0, Duration::ZERO)),
        Some((0.0, Duration::from_millis(501))),
        Some((f32::NAN, Duration::ZERO)),
        None,
    ] {
        let mut driver = Driver::at(0.0);
        driver.speed = speed;
        let answer = driver.says("open the trunk");
        assert_eq!(functions(&answer), [""; 0], "{speed:?}");
        assert_eq!(answer.replies[0].kind, VoiceReply::REFUSED);
        assert!(answer.replies[0].text.contains("stands still"), "{}", answer.replies[0].text);
    }
}

#[test]
fn sr_voi_001_doors_lock_at_speed_but_do_not_unlock() {
    troika_safety::verifies![SR_VOI_001];
    let mut driver = Driver::at(80.0);
    assert_eq!(functions(&driver.says("lock the doors")), ["door.lock"]);
    assert_eq!(functions(&driver.says("unlock the doors")), [""; 0]);
}

#[test]
fn sr_voi_001_one_refused_command_holds_back_the_others_of_its_utterance() {
    troika_safety::verifies![SR_VOI_006];
    let answer = Driver::at(50.0).says("close the windows and open the trunk");
    assert_eq!(functions(&answer), [""; 0]);
    assert_eq!(answer.replies[0].kind, VoiceReply::REFUSED);
}

#[test]
fn sr_voi_002_cruise_control_is_refused_by_voice_with_an_explanation_and_a_yes_changes_nothing() {
    troika_safety::verifies![SR_VOI_002];
    let mut driver = Driver::at(100.0);
    let answer = driver.says("set cruise control to one hundred and twenty");
    assert_eq!(functions(&answer), [""; 0]);
    assert!(answer.replies[0].text.contains("not by voice"), "{}", answer.replies[0].text);
    assert_eq!(functions(&driver.says("yes")), [""; 0]);
}

#[test]
fn sr_voi_003_a_call_is_made_after_a_yes_and_not_before() {
    troika_safety::verifies![SR_VOI_003];
    let mut driver = Driver::at(0.0);
    let asked = driver.says("call Anna");
    assert_eq!((functions(&asked).len(), asked.replies[0].kind), (0, VoiceReply::CONFIRM));
    assert_eq!(asked.replies[0].text, "Shall I call anna?");
    driver.waits(Duration::from_secs(3));
    let yes = driver.says("Yes, please.");
    assert_eq!(functions(&yes), ["phone.call"]);
    assert!(yes.commands[0].confirmed);
    assert_eq!(yes.commands[0].utterance, "call Anna");
    assert_eq!(functions(&driver.says("yes")), [""; 0], "one yes is for one question");
}

#[test]
fn sr_voi_003_no_silence_or_anything_else_lets_a_question_go() {
    troika_safety::verifies![SR_VOI_003];
    for after in ["no", "no, don't", "what's the weather"] {
        let mut driver = Driver::at(0.0);
        driver.says("call Anna");
        assert_eq!(functions(&driver.says(after)), [""; 0], "{after}");
        assert_eq!(functions(&driver.says("yes")), [""; 0], "{after}");
    }
    let mut driver = Driver::at(0.0);
    driver.says("call Anna");
    driver.waits(CONFIRM_WITHIN + Duration::from_millis(1));
    assert_eq!(functions(&driver.says("yes")), [""; 0], "too late");
}

#[test]
fn sr_voi_003_a_yes_counts_by_when_it_was_said_however_late_its_words_come() {
    troika_safety::verifies![SR_VOI_003];
    let mut driver = Driver::at(0.0);
    driver.says("call Anna");
    driver.waits(Duration::from_secs(5));
    // The recogniser takes 7 s on a busy machine.
    driver.recognised_after = Duration::from_secs(7);
    assert_eq!(functions(&driver.says("yes")), ["phone.call"]);
    // A yes to somebody else, said before the question was out.
    let mut driver = Driver::at(0.0);
    driver.says("call Anna");
    driver.recognised_after = Duration::from_secs(1);
    driver.now = driver.now - Duration::from_millis(500);
    assert_eq!(functions(&driver.says("yes")), [""; 0]);
}

#[test]
fn a_step_that_comes_late_forgets_nothing_and_one_that_fails_forgets_what_was_asked() {
    for (fault, done) in
        [(Fault::TooLate { by: Duration::from_millis(60) }, &["phone.call"][..]), (Fault::Panicked, &[])]
    {
        let mut driver = Driver::at(0.0);
        driver.says("call Anna");
        let tick = Tick { seq: 1, release: driver.now, now: driver.now, level: 0 };
        driver.node.fall_back(&tick, &fault, &mut Outputs::default());
        assert_eq!(functions(&driver.says("yes")), done, "{fault}");
    }
}

#[test]
fn sr_voi_003_a_yes_that_was_hardly_heard_is_none() {
    troika_safety::verifies![SR_VOI_003, SR_VOI_007];
    let mut driver = Driver::at(0.0);
    driver.says("call Anna");
    let answer = driver.step(Some(("yes", 0.2)), Vec::new());
    assert_eq!(functions(&answer), [""; 0]);
    assert_eq!(functions(&driver.says("yes")), ["phone.call"], "the question still stands");
}

#[test]
fn sr_voi_003_the_gates_are_asked_again_after_the_yes() {
    troika_safety::verifies![SR_VOI_015];
    let mut driver = Driver::at(0.0);
    let asked = driver.says("call Anna and open the trunk");
    assert_eq!(asked.replies[0].kind, VoiceReply::CONFIRM);
    driver.speed = Some((20.0, Duration::ZERO));
    let answer = driver.says("yes");
    assert_eq!((functions(&answer).len(), answer.replies[0].kind), (0, VoiceReply::REFUSED));
}

#[test]
fn sr_voi_004_a_command_without_a_result_within_a_second_is_told_to_have_failed_once() {
    troika_safety::verifies![SR_VOI_004];
    let mut driver = Driver::at(0.0);
    driver.says("open the window");
    assert!(driver.waits(RESULT_WITHIN).replies.is_empty());
    let late = driver.waits(Duration::from_millis(20));
    assert_eq!(late.replies.len(), 1);
    assert!(late.replies[0].text.contains("did not answer"), "{}", late.replies[0].text);
    assert!(driver.waits(Duration::from_secs(5)).replies.is_empty());
}

#[test]
fn sr_voi_004_a_result_ends_the_waiting_and_a_refusal_is_told_with_its_reason() {
    troika_safety::verifies![SR_VOI_004];
    for (status, told) in [(CommandResult::DONE, 0), (CommandResult::REFUSED, 1), (CommandResult::FAILED, 1)]
    {
        let mut driver = Driver::at(0.0);
        let sent = driver.says("open the window");
        let result = CommandResult {
            command_id: sent.commands[0].id.clone(),
            status,
            reason: "the window is frozen".to_owned(),
            ..CommandResult::default()
        };
        let answer = driver.step(None, vec![result]);
        assert_eq!(answer.replies.len(), told, "{status}");
        assert!(answer.replies.iter().all(|reply| reply.text.contains("frozen")));
        assert!(driver.waits(Duration::from_secs(2)).replies.is_empty());
    }
}

#[test]
fn several_commands_carry_ids_of_their_utterance_and_a_rising_sequence() {
    let mut driver = Driver::at(0.0);
    let answer = driver.says("close the windows and turn on the AC");
    let ids: Vec<_> = answer.commands.iter().map(|command| (command.id.as_str(), command.sequence)).collect();
    assert_eq!(ids, [("u1/0", 0), ("u1/1", 1)]);
    assert_eq!(answer.replies[0].command_id, "u1/0");
}

#[test]
fn hardly_heard_words_are_not_acted_upon() {
    troika_safety::verifies![SR_VOI_007];
    for confidence in [0.1, f32::NAN] {
        let answer = Driver::at(0.0).step(Some(("open the window", confidence)), Vec::new());
        assert_eq!(functions(&answer), [""; 0]);
        assert!(answer.replies[0].text.contains("again"));
    }
}

#[test]
fn talk_among_passengers_is_left_alone_and_a_question_goes_to_the_dialogue() {
    troika_safety::verifies![SR_VOI_014];
    let mut driver = Driver::at(0.0);
    for (said, kind) in [
        ("I told him to open the trunk", VoiceReply::REJECTED),
        ("don't open the window", VoiceReply::REJECTED),
        ("what's the weather tomorrow", VoiceReply::DIALOGUE),
        ("open the rear window", VoiceReply::CONFIRM),
    ] {
        let answer = driver.says(said);
        assert_eq!((functions(&answer).len(), answer.replies[0].kind), (0, kind), "{said}");
    }
}

#[test]
fn a_fault_lets_a_question_go() {
    let mut driver = Driver::at(0.0);
    driver.says("call Anna");
    let tick = Tick { seq: 9, release: driver.now, now: driver.now, level: 0 };
    driver.node.fall_back(&tick, &Fault::Model("test"), &mut Outputs::default());
    assert_eq!(functions(&driver.says("yes")), [""; 0]);
}

#[test]
fn what_is_no_vehicle_function_goes_to_the_dialogue_with_what_it_is_about_and_who_answers_speaks() {
    let node = CommandNode::new(Cascade::new(Matcher::english(), None), true).with_dialogue(Tongue::English);
    let mut driver = Driver::with(node, 50.0);
    let first = driver.says("when would i be at the railway museum");
    let [asked] = &first.dialogue[..] else { panic!("one request: {:?}", first.replies) };
    assert_eq!((asked.task, asked.privacy), (DialogueRequest::NAVIGATION, DialogueRequest::PUBLIC));
    assert!(
        first.replies.is_empty() && first.requests.is_empty(),
        "the dialogue speaks: {:?}",
        first.replies
    );
    let second = driver.says("who built it");
    assert_eq!(second.dialogue[0].conversation_id, asked.conversation_id, "they belong together");
    assert_eq!(functions(&driver.says("open my window")), ["window.move"], "functions do not go there");
    driver.waits(CONVERSATION_WITHIN + Duration::from_secs(1));
    assert_ne!(driver.says("who built it").dialogue[0].conversation_id, asked.conversation_id);
}
