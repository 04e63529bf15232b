use troika_kit::{Events, Message, PortSpec, PortVisitor, Ports as _};

use super::*;
use crate::{hand, palm, pose, store::Network, track};

/// What the networks of a test show.
#[derive(Clone, Copy)]
enum Show {
    /// No palm.
    Nothing,
    /// A thumb up, as far as the pose head goes.
    ThumbUp,
    /// Networks that fail.
    Failure,
}

struct Fake(Show);
impl Network for Fake {
    fn run(&mut self, _: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
        outputs.iter_mut().for_each(|output| output.fill(0.0));
        let sees = match self.0 {
            Show::Failure => return Err(Fault::Model("a test")),
            Show::Nothing => false,
            Show::ThumbUp => true,
        };
        match outputs[0].len() {
            len if len == palm::ANCHORS * palm::COORDINATES => {
                outputs[1].fill(-100.0);
                if sees {
                    let anchor = 2 * (12 * 24 + 12);
                    outputs[1][anchor] = 5.0;
                    let numbers = &mut outputs[0][anchor * palm::COORDINATES..];
                    (numbers[2], numbers[3], numbers[5], numbers[9]) = (40.0, 40.0, 20.0, -20.0);
                }
            }
            len if len == hand::POINTS * 3 => {
                // A hand that fills its region as MediaPipe's fill theirs, so that the next region is the same.
                for (i, point) in outputs[0].chunks_exact_mut(3).enumerate() {
                    let finger = (i as f32 - 1.0) / 4.0;
                    (point[0], point[1]) =
                        if i == 0 { (112.0, 179.2) } else { (72.0 + 20.0 * finger.floor(), 67.2) };
                }
                (outputs[1][0], outputs[2][0]) = (0.99, 0.9);
            }
            pose::CLASSES => outputs[0][4] = 0.95,
            track::CLASSES => outputs[0][0] = 1.0,
            other => panic!("an output of {other} numbers"),
        }
        Ok(())
    }
}

fn mapping() -> Mapping {
    Mapping::open(None, |_| unreachable!("no file is read")).expect("sound")
}

fn node(show: Show, config: &Config) -> GestureNode {
    let fake = || Box::new(Fake(show));
    let networks = Networks { palm: fake(), hand: fake(), pose: fake(), motion: fake() };
    GestureNode::new(config, mapping(), networks, "fake").expect("a sound configuration")
}

fn frame(ms: u64) -> Image {
    Image {
        header: Header::at(Time::from_nanos(7_000_000_000 + ms * 1_000_000)),
        width: 320,
        height: 240,
        step: 320,
        encoding: "mono8".into(),
        data: vec![9; 320 * 240],
        ..Image::default()
    }
}

fn run(node: &mut GestureNode, image: Option<Image>) -> (Result<Done, Fault>, Gesture, Vec<VehicleCommand>) {
    // A frame is there 20 ms after it was taken.
    let taken = image.as_ref().map_or(Time::from_nanos(5_000_000_000), |image| image.header.time());
    run_at(node, image, taken + Duration::from_millis(20))
}

fn run_at(
    node: &mut GestureNode,
    image: Option<Image>,
    now: Time,
) -> (Result<Done, Fault>, Gesture, Vec<VehicleCommand>) {
    let tick = Tick { seq: 0, release: now, now, level: 0 };
    let image = image.map_or_else(Latest::default, |image| Latest::holding(image, now));
    let mut outputs = Outputs::default();
    let done = node.step(&tick, &Inputs { image }, &mut outputs);
    if let Err(fault) = done {
        outputs.gesture.clear();
        node.fall_back(&tick, &fault, &mut outputs);
    }
    assert_eq!(outputs.gesture.sent().len(), 1, "one message a tick");
    (done, outputs.gesture.sent()[0].clone(), outputs.command.sent().to_vec())
}

#[test]
fn a_frame_without_a_hand_is_no_gesture_on_its_own_stamp() {
    let (done, said, commands) = run(&mut node(Show::Nothing, &Config::default()), Some(frame(0)));
    assert_eq!((done, said.kind, said.hand_detected), (Ok(Done::Worked), Gesture::NONE, false));
    assert_eq!(Time::from(said.header.stamp), Time::from_nanos(7_000_000_000));
    assert!(said.hand_presence.is_nan() && commands.is_empty());
}

#[test]
fn a_thumb_that_is_held_up_answers_the_call_once() {
    let mut node = node(Show::ThumbUp, &Config { landmarks: true, ..Config::default() });
    let (mut starts, mut sent) = (0, Vec::new());
    for i in 0..60 {
        let (done, said, commands) = run(&mut node, Some(frame(33 * i)));
        assert_eq!(done, Ok(Done::Worked));
        if said.phase == Gesture::STARTED {
            starts += 1;
            assert_eq!((said.kind, said.action.as_str()), (Gesture::THUMB_UP, "phone.control"));
            assert_eq!((said.landmarks.len(), said.handedness), (42, Gesture::RIGHT));
            assert!(said.hand_detected && said.confidence > 0.9 && said.hand_box[2] > 0.0);
        }
        sent.extend(commands);
    }
    assert_eq!((starts, sent.len()), (1, 1));
    let command = &sent[0];
    assert_eq!((command.function.as_str(), command.source), ("phone.control", VehicleCommand::GESTURE));
    assert_eq!((command.slots[0].name.as_str(), command.slots[0].value.as_str()), ("action", "answer"));
    assert!(!command.confirmed && (1..=64).contains(&command.id.len()));
}

#[test]
fn a_node_that_may_send_no_commands_tells_the_gesture_alone() {
    let mut node = node(Show::ThumbUp, &Config { commands: false, ..Config::default() });
    let said: Vec<_> = (0..20).map(|i| run(&mut node, Some(frame(33 * i)))).collect();
    assert!(said.iter().any(|(_, said, _)| said.phase == Gesture::STARTED && said.action == "phone.control"));
    assert!(said.iter().all(|(_, _, commands)| commands.is_empty()));
}

#[test]
fn in_a_mirrored_picture_the_hand_is_the_other_one() {
    let mut node = node(Show::ThumbUp, &Config { mirrored: true, ..Config::default() });
    let said: Vec<_> = (0..3).map(|i| run(&mut node, Some(frame(33 * i))).1).collect();
    assert_eq!(said[2].handedness, Gesture::LEFT);
}

#[test]
fn a_malformed_frame_a_failed_network_and_a_silent_camera_are_faults_that_say_unknown() {
    troika_safety::verifies![SR_DMS_023];
    let mut cut = frame(0);
    cut.data.truncate(10);
    let inputs = [(Show::Nothing, Some(cut)), (Show::Failure, Some(frame(0))), (Show::Nothing, None)];
    for (show, image) in inputs {
        let mut node = node(show, &Config::default());
        let (done, said, commands) = run(&mut node, image);
        assert!(done.is_err() && commands.is_empty());
        assert_eq!((said.kind, said.phase, said.model.as_str()), (Gesture::UNKNOWN, Gesture::IDLE, "fake"));
    }
}

#[test]
fn a_node_without_models_says_so_on_every_frame_sr_dat_002() {
    troika_safety::verifies![SR_DAT_002];
    let mut node = GestureNode::unavailable(&Config::default(), mapping(), "wrong sha256").expect("sound");
    for _ in 0..2 {
        let (done, said, _) = run(&mut node, Some(frame(0)));
        assert!(matches!(done, Err(Fault::Unavailable(_))));
        assert_eq!((said.kind, said.model.as_str()), (Gesture::UNKNOWN, "unavailable: wrong sha256"));
    }
}

#[test]
fn a_frame_that_is_too_old_is_answered_by_the_fall_back() {
    troika_safety::verifies![SR_TIM_007];
    let fresh = |config: &Config| node(Show::Nothing, config);
    let mut node = node(Show::ThumbUp, &Config::default());
    let now = Time::from_nanos(5_000_000_000);
    let taken = |ms: u64| Image { header: Header::at(Time::from_nanos(ms * 1_000_000)), ..frame(0) };
    assert_eq!(run_at(&mut node, Some(taken(4_800)), now).0, Ok(Done::Worked));
    let (done, gesture, commands) = run_at(&mut node, Some(taken(4_799)), now);
    assert_eq!(done, Err(Fault::StaleInput { port: "image" }));
    assert_eq!((gesture.kind, commands.len()), (Gesture::UNKNOWN, 0));
    let (done, gesture, _) = run_at(&mut node, Some(taken(5_201)), now);
    assert_eq!((done, gesture.kind), (Err(Fault::StaleInput { port: "image" }), Gesture::UNKNOWN));
    let any = Config { max_frame_age_s: 0.0, ..Config::default() };
    assert_eq!(run_at(&mut fresh(&any), Some(taken(1)), now).0, Ok(Done::Worked));
}

/// What the host does with the outputs of a step that ended late: what holds one message is a state and goes, events stay.
struct Late;

impl PortVisitor for Late {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Events<T, N>) {}
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Out<T, N>) {
        if N == 1 {
            port.clear();
        }
    }
}

#[test]
fn the_command_of_a_step_that_ends_late_leaves_all_the_same() {
    troika_safety::verifies![SR_TIM_006];
    let mut node = node(Show::ThumbUp, &Config::default());
    let (mut sent, mut late) = (Vec::new(), 0);
    for i in 0..60 {
        let image = frame(33 * i);
        let now = image.header.time() + Duration::from_millis(20);
        let tick = Tick { seq: i, release: now, now, level: 0 };
        let mut outputs = Outputs::default();
        node.step(&tick, &Inputs { image: Latest::holding(image, now) }, &mut outputs)
            .expect("a sound frame");
        if outputs.gesture.sent()[0].phase == Gesture::STARTED {
            late += 1;
            outputs.visit(&mut Late);
            node.fall_back(&tick, &Fault::Missed { by: Duration::from_millis(1) }, &mut outputs);
            assert_eq!(outputs.gesture.sent()[0].kind, Gesture::UNKNOWN, "the state goes");
        }
        sent.extend(outputs.command.sent().to_vec());
    }
    assert_eq!((late, sent.len()), (1, 1));
    assert_eq!(sent[0].function, "phone.control");
}

#[test]
fn a_command_is_given_now_whatever_the_clock_of_the_camera_says() {
    let mut node = node(Show::ThumbUp, &Config { max_frame_age_s: 0.0, ..Config::default() });
    let mut sent = Vec::new();
    for i in 0..60 {
        let image = frame(33 * i);
        // A camera that counts from when it was switched on.
        let now = image.header.time() + Duration::from_secs(3600);
        let (done, said, commands) = run_at(&mut node, Some(image.clone()), now);
        assert_eq!(done, Ok(Done::Worked));
        assert_eq!(said.header.time(), image.header.time(), "what was seen is told of its frame");
        sent.extend(commands.into_iter().map(|command| (command, now, image.header.time())));
    }
    assert_eq!(sent.len(), 1);
    let (command, now, taken) = &sent[0];
    assert_eq!(command.header.time(), *now);
    assert_eq!(command.id, format!("gesture/{}", taken.as_nanos()));
}
