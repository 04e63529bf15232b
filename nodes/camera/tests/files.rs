//! Image folders and a video file that ffmpeg made, through the node and its capture thread. ffmpeg is part of what the test
//! command installs: without it these tests fail.
#![allow(clippy::disallowed_methods, reason = "a test of an edge: it waits for a real thread")]

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use troika_camera::{CameraNode, Config, Outputs, Status};
use troika_kit::{Done, Fault, Step, Tick, Time};
use troika_msgs::sensor_msgs::Image;

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Time::from_nanos(since.as_nanos() as u64)
}

fn node(base: &Path, params: &str) -> CameraNode {
    let config: Config = toml::from_str(params).expect("parameters");
    CameraNode::new(&config, base, Arc::new(now)).expect("a camera")
}

/// Steps until `enough`; a test that waits longer than any machine needs has failed.
fn steps(
    node: &mut CameraNode,
    mut enough: impl FnMut(&[Image], &CameraNode) -> bool,
) -> (Vec<Image>, Vec<Fault>) {
    let (mut images, mut faults) = (Vec::new(), Vec::new());
    for seq in 0..60_000 {
        let tick = Tick { seq, release: now(), now: now(), level: 0 };
        let mut outputs = Outputs::default();
        match node.step(&tick, &Default::default(), &mut outputs) {
            Ok(done) => assert_eq!(done == Done::Worked, !outputs.image.sent().is_empty()),
            Err(fault) => faults.push(fault),
        }
        images.extend_from_slice(outputs.image.sent());
        if enough(&images, node) {
            return (images, faults);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{} frames, {:?}", images.len(), node.status());
}

/// Steps until all has been shown.
fn steps_to_the_end(node: &mut CameraNode) -> (Vec<Image>, Vec<Fault>) {
    let (mut images, mut faults) = steps(node, |_, node| node.status() == Status::Ended);
    // What came between that step and the look at the status.
    let (last, late) = steps(node, |_, _| true);
    images.extend(last);
    faults.extend(late);
    (images, faults)
}

fn ffmpeg(arguments: &[&str], to: &Path) {
    let run = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-y"])
        .args(arguments)
        .arg(to)
        .output();
    let run = run.expect("ffmpeg is installed with what the tests need");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_folder_is_shown_in_the_order_of_its_names_and_what_is_no_picture_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, grey) in [("b.png", 20u8), ("a.png", 10), ("c.jpeg", 30)] {
        image::GrayImage::from_pixel(8, 6, image::Luma([grey]))
            .save(folder.path().join(name))
            .expect("saved");
    }
    std::fs::write(folder.path().join("ab.png"), b"no picture").expect("written");
    std::fs::write(folder.path().join("notes.txt"), b"no picture either").expect("written");
    // 5 frames a second: each is taken before the next one comes, unless this thread has no time for so long.
    let mut node =
        node(folder.path(), "source = { kind = \"images\", folder = \".\", rate = 5 }\nframe_id = \"seat\"");
    let (images, faults) = steps_to_the_end(&mut node);
    let seen: Vec<_> = images.iter().map(|image| image.data[0]).collect();
    assert_eq!((seen.len() as u64 + node.overwritten(), faults), (3, vec![]));
    let ordered = seen.is_sorted() && seen.iter().all(|grey| [10, 20, 30].contains(grey));
    assert!(ordered && seen.last() == Some(&30), "{seen:?}");
    let first = &images[0];
    assert_eq!((first.encoding.as_str(), first.width, first.height, first.step), ("mono8", 8, 6, 8));
    assert_eq!((first.header.frame_id.as_str(), first.is_bigendian, first.data.len()), ("seat", 0, 48));
    assert!(images.windows(2).all(|pair| pair[0].header.time() < pair[1].header.time()));
}

#[test]
fn a_folder_that_repeats_never_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    image::RgbImage::from_pixel(4, 4, image::Rgb([1, 2, 3]))
        .save(folder.path().join("a.png"))
        .expect("saved");
    let mut node =
        node(folder.path(), "source = { kind = \"images\", folder = \".\", rate = 100, repeat = true }");
    let (images, _) = steps(&mut node, |images, _| images.len() == 5);
    assert!(
        images
            .iter()
            .all(|image| image.encoding == "rgb8" && image.step == 12 && image.data[..3] == [1, 2, 3])
    );
    assert_eq!(node.status(), Status::Live);
}

#[test]
fn a_folder_that_comes_later_is_found_and_until_then_the_node_faults() {
    let base = tempfile::tempdir().expect("a folder");
    let mut node = node(base.path(), "source = { kind = \"images\", folder = \"later\" }");
    let (images, mut faults) = steps(&mut node, |_, node| matches!(node.status(), Status::Down(_)));
    let says_why = |fault: &Fault| matches!(fault, Fault::Unavailable(why) if why.starts_with("the camera (") && why.contains("later"));
    assert!(images.is_empty() && faults.iter().all(says_why), "{faults:?}");
    let later = base.path().join("making");
    std::fs::create_dir(&later).expect("made");
    image::GrayImage::new(4, 4).save(later.join("a.png")).expect("saved");
    std::fs::rename(&later, base.path().join("later")).expect("renamed");
    let (images, more) = steps(&mut node, |images, _| !images.is_empty());
    assert_eq!((images.len(), images[0].width), (1, 4));
    faults.extend(more);
    assert!(!faults.is_empty(), "the loss was told");
}

#[test]
fn a_video_gives_all_its_frames_in_colour_or_grey() {
    let folder = tempfile::tempdir().expect("a folder");
    // A red picture, 10 frames at 5 a second.
    ffmpeg(
        &["-f", "lavfi", "-i", "color=red:size=64x48:rate=5:duration=2", "-c:v", "ffv1"],
        &folder.path().join("red.mkv"),
    );
    let mut colour = node(folder.path(), "source = { kind = \"video\", file = \"red.mkv\" }");
    let (images, faults) = steps_to_the_end(&mut colour);
    assert_eq!((images.len() as u64 + colour.overwritten(), faults), (10, vec![]));
    let image = &images[0];
    assert_eq!((image.encoding.as_str(), image.width, image.height, image.step), ("rgb8", 64, 48, 192));
    assert!(image.data[0] > 240 && image.data[1] < 15 && image.data[2] < 15, "{:?}", &image.data[..3]);
    let mut grey =
        node(folder.path(), "source = { kind = \"video\", file = \"red.mkv\", grey = true, rate = 100 }");
    let (images, _) = steps_to_the_end(&mut grey);
    assert_eq!((images[0].encoding.as_str(), images[0].data.len()), ("mono8", 64 * 48));
}

#[test]
fn a_file_that_is_missing_or_no_video_is_told_and_nothing_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("text.mp4"), b"this is no video").expect("written");
    for (file, says) in [("none.mp4", "No such file"), ("text.mp4", "Invalid data")] {
        let mut node =
            node(folder.path(), &format!("source = {{ kind = \"video\", file = \"{file}\", rate = 30 }}"));
        let (images, _) = steps(&mut node, |_, node| matches!(node.status(), Status::Down(_)));
        let Status::Down(reason) = node.status() else { panic!("it was down") };
        assert!(images.is_empty() && reason.contains(says), "{file}: {reason}");
    }
}

#[test]
fn parameters_that_make_no_camera_say_why() {
    let error = |params: &str| match toml::from_str::<Config>(params) {
        Ok(config) => config.check().expect_err(params).to_string(),
        Err(error) => error.message().to_owned(),
    };
    let device = "device = \"/dev/video0\"";
    assert!(error(&format!("source = {{ kind = \"v4l2\", {device}, width = 4 }}")).contains("16 to 8192"));
    assert!(error(&format!("source = {{ kind = \"v4l2\", {device}, rate = 0 }}")).contains("1 to 240"));
    assert!(
        error(&format!("source = {{ kind = \"v4l2\", {device}, format = \"H264\" }}"))
            .contains("known are GREY")
    );
    assert!(
        error(&format!("source = {{ kind = \"v4l2\", {device}, hight = 4 }}"))
            .contains("unknown field `hight`")
    );
    assert!(error("source = { kind = \"images\", folder = \".\", rate = nan }").contains("1 to 240"));
    assert!(error("source = { kind = \"webcam\" }").contains("unknown variant `webcam`"));
    assert!(error("").contains("missing field `source`"));
}
