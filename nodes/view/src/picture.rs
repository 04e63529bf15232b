//! The camera's picture for the page: at most ten a second, each with what was seen in that very frame, as a JPEG. Pure; kept are one frame
//! that waits for its driver state, one that is shown, and the faces of the last few.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use serde_json::{Value, json};
use troika_frame::image::ImageView;
use troika_kit::Time;
use troika_msgs::{
    sensor_msgs::Image,
    troika::{DriverState, Gesture},
};

/// At most ten pictures a second, told by frames at 30 a second: a little less, so that every third is taken.
const GAP: Duration = Duration::from_millis(95);
/// A frame waits so long for what is seen in it before it is shown without: a busy machine's detector is late by that much.
const WAITS: Duration = Duration::from_millis(400);
/// Somebody looks who asked for a picture within this time.
const LOOKS: Duration = Duration::from_secs(3);
/// States that are kept for a frame that comes after its state: the two go different ways.
const FACES: usize = 16;
/// Pixels a row at most: a larger frame is shown at a half, a third, …
const WIDEST: usize = 960;
/// libjpeg's scale. 75 is its own default.
const QUALITY: u8 = 75;
/// Numbers of a list of landmarks that are drawn: 478 points.
const MOST: usize = 956;

/// What was seen in one frame, as the page draws it: fractions of the frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    face_box: Option<[f32; 4]>,
    landmarks: Vec<f32>,
    hand: Vec<f32>,
}

/// A frame to be shown.
#[derive(Debug)]
pub struct Picture {
    /// One more for each.
    pub number: u64,
    image: Image,
    /// None: no word of this frame came, which is not that there is no face.
    seen: Option<Seen>,
}

/// Puts frames and what was seen in them together.
#[derive(Debug, Default)]
pub struct Camera {
    looked: Option<Time>,
    taken: Option<Time>,
    waits: Option<(Image, Time)>,
    seen: VecDeque<(Time, Seen)>,
    shown: Option<Arc<Picture>>,
    number: u64,
}

impl Camera {
    /// Somebody asks for a picture.
    pub fn look(&mut self, now: Time) {
        self.looked = Some(now);
    }

    /// Whether somebody looks: frames are wanted only then.
    pub fn is_looked_at(&self, now: Time) -> bool {
        self.looked.is_some_and(|looked| now.since(looked) < LOOKS)
    }

    /// Whether a frame that comes now is to be taken; asked before it is decoded.
    pub fn wants(&self, now: Time) -> bool {
        let over = |since: &Time| now.since(*since) >= WAITS;
        self.is_looked_at(now)
            && self.taken.is_none_or(|taken| now.since(taken) >= GAP)
            && self.waits.as_ref().is_none_or(|(_, since)| over(since))
    }

    /// A frame. The one before it is shown by now, with what was seen in it or without. True: there is another picture.
    pub fn frame(&mut self, image: Image, now: Time) -> bool {
        self.taken = Some(now);
        let stamp = image.header.time();
        let before = self.waits.take();
        if let Some(at) = self.seen.iter().position(|(seen, _)| *seen == stamp) {
            let seen = self.seen[at].1.clone();
            self.show(image, Some(seen));
            return true;
        }
        // Where nobody detects faces, none is waited for.
        let watched = self.seen.back().is_some_and(|(seen, _)| stamp.since(*seen) < Duration::from_secs(1));
        if !watched {
            self.show(image, None);
            return true;
        }
        self.waits = Some((image, now));
        let Some((before, _)) = before else { return false };
        self.show(before, None);
        true
    }

    /// What was seen in a frame. True: there is another picture.
    pub fn driver(&mut self, state: &DriverState) -> bool {
        let seen = Seen {
            face_box: state.face_detected.then_some(state.face_box),
            landmarks: state.landmarks.iter().copied().take(MOST).collect(),
            hand: Vec::new(),
        };
        self.saw(state.header.time(), seen)
    }

    /// A hand that was seen in a frame; it waits for no frame, for most systems have no such node.
    pub fn hand(&mut self, gesture: &Gesture) {
        let stamp = gesture.header.time();
        if let Some((_, seen)) = self.seen.iter_mut().find(|(seen, _)| *seen == stamp) {
            seen.hand = gesture.landmarks.iter().copied().take(MOST).collect();
        }
    }

    fn saw(&mut self, stamp: Time, seen: Seen) -> bool {
        let waits = self.waits.take_if(|(image, _)| image.header.time() == stamp);
        self.seen.push_back((stamp, seen.clone()));
        while self.seen.len() > FACES {
            self.seen.pop_front();
        }
        let Some((image, _)) = waits else { return false };
        self.show(image, Some(seen));
        true
    }

    fn show(&mut self, image: Image, seen: Option<Seen>) {
        self.number += 1;
        self.shown = Some(Arc::new(Picture { number: self.number, image, seen }));
    }

    /// The newest picture.
    pub fn shown(&self) -> Option<Arc<Picture>> {
        self.shown.clone()
    }

    /// Lets go of the frames that nobody looks at any more.
    pub fn rest(&mut self) {
        self.waits = None;
        self.shown = None;
        self.taken = None;
    }
}

impl Picture {
    /// One line of JSON (number, stamp, size, what was seen), then the JPEG.
    ///
    /// # Errors
    /// Why it is no picture that can be shown, for a person.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let image = &self.image;
        let view = ImageView::new(&image.encoding, image.width, image.height, image.step, &image.data)
            .map_err(|why| {
                format!("{} x {}, {}: {why}", image.width, image.height, short(&image.encoding))
            })?;
        let each = view.width().div_ceil(WIDEST);
        let (width, height) = (view.width() / each, view.height() / each);
        let seen = self.seen.clone().unwrap_or_default();
        let head = json!({
            "number": self.number, "stamp_ms": image.header.time().as_nanos() / 1_000_000,
            "width": image.width, "height": image.height, "judged": self.seen.is_some(), "face_box": seen.face_box.map(|all| all.map(finite)),
            "landmarks": seen.landmarks.iter().copied().map(finite).collect::<Vec<_>>(),
            "hand": seen.hand.iter().copied().map(finite).collect::<Vec<_>>(),
        });
        let mut out = head.to_string().into_bytes();
        out.push(b'\n');
        let (rows, grey) = pixels(image, &view, each, width, height);
        let color = if grey { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        JpegEncoder::new_with_quality(&mut out, QUALITY)
            .encode(&rows, width as u32, height as u32, color)
            .map_err(|why| why.to_string())?;
        Ok(out)
    }
}

/// A text from elsewhere, as much as one reads.
fn short(text: &str) -> String {
    text.chars().take(32).collect()
}

/// A fraction, to the ten-thousandth: a picture has no more pixels.
fn finite(value: f32) -> Value {
    json!((f64::from(value) * 1e4).round() / 1e4)
}

/// The picture's rows without padding, and whether they are grey; of `each` pixels one, where the frame is too wide.
fn pixels(image: &Image, view: &ImageView<'_>, each: usize, width: usize, height: usize) -> (Vec<u8>, bool) {
    let channels = match image.encoding.as_str() {
        "mono8" | "8UC1" => 1,
        "rgb8" => 3,
        _ => 0,
    };
    let mut out = Vec::with_capacity(width * height * channels.max(3));
    for y in 0..height {
        if channels > 0 && each == 1 {
            // As it lies; the view has checked that it is all there.
            let from = y * image.step as usize;
            out.extend_from_slice(&image.data[from..from + width * channels]);
        } else if channels == 1 {
            out.extend((0..width).map(|x| view.rgb(x * each, y * each)[0] as u8));
        } else {
            out.extend((0..width).flat_map(|x| view.rgb(x * each, y * each).map(|one| one as u8)));
        }
    }
    (out, channels == 1)
}

#[cfg(test)]
mod tests {
    use troika_msgs::std_msgs::Header;

    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::from_nanos(milliseconds * 1_000_000)
    }

    fn frame(stamp: Time) -> Image {
        Image {
            header: Header::at(stamp),
            width: 8,
            height: 4,
            step: 24,
            encoding: "rgb8".into(),
            data: vec![128; 96],
            ..Image::default()
        }
    }

    fn state(stamp: Time) -> DriverState {
        DriverState {
            header: Header::at(stamp),
            face_detected: true,
            face_box: [0.1, 0.2, 0.3, 0.4],
            landmarks: vec![0.5, f32::NAN],
            ..DriverState::default()
        }
    }

    fn head(camera: &Camera) -> Value {
        let bytes = camera.shown().unwrap().encode().unwrap();
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        assert!(bytes[end + 1..].starts_with(&[0xff, 0xd8, 0xff]), "a JPEG");
        serde_json::from_slice(&bytes[..end]).unwrap()
    }

    #[test]
    fn nothing_is_taken_while_nobody_looks_and_ten_a_second_while_somebody_does() {
        let mut camera = Camera::default();
        assert!(!camera.wants(at(0)));
        camera.look(at(0));
        let mut taken = 0;
        for n in 0..60 {
            let now = at(n * 1000 / 30);
            if camera.wants(now) {
                camera.frame(frame(now), now);
                taken += 1;
            }
        }
        assert_eq!(taken, 20);
        assert!(!camera.wants(at(4_000)));
    }

    #[test]
    fn a_frame_is_shown_with_what_was_seen_in_it_whichever_comes_first() {
        let mut camera = Camera::default();
        camera.driver(&state(at(0)));
        assert!(!camera.frame(frame(at(33)), at(40)));
        assert!(camera.shown().is_none());
        assert!(!camera.driver(&state(at(32))), "another frame's");
        assert!(camera.driver(&state(at(33))));
        assert_eq!(head(&camera)["face_box"], json!([0.1, 0.2, 0.3, 0.4]));
        assert_eq!(head(&camera)["landmarks"], json!([0.5, null]));
        camera.driver(&state(at(133)));
        assert!(camera.frame(frame(at(133)), at(150)));
        assert_eq!(head(&camera)["number"], 2);
    }

    #[test]
    fn a_frame_that_nobody_judges_is_shown_bare() {
        let mut camera = Camera::default();
        assert!(camera.frame(frame(at(0)), at(0)), "no detector at all");
        camera.driver(&state(at(33)));
        camera.look(at(100));
        assert!(!camera.frame(frame(at(100)), at(100)));
        assert!(!camera.wants(at(450)), "its state may still come");
        assert!(camera.wants(at(500)));
        assert!(camera.frame(frame(at(500)), at(500)), "its state was lost");
        assert_eq!((&head(&camera)["judged"], &head(&camera)["face_box"]), (&json!(false), &Value::Null));
        assert_eq!(head(&camera)["stamp_ms"], 100);
    }

    #[test]
    fn every_encoding_that_a_camera_node_reads_is_shown_and_a_malformed_frame_is_told() {
        for (encoding, step, bytes) in
            [("mono8", 8, 32), ("rgb8", 24, 96), ("bgr8", 24, 96), ("yuv422_yuy2", 16, 64), ("nv12", 8, 48)]
        {
            let image = Image { encoding: encoding.into(), step, data: vec![90; bytes], ..frame(at(0)) };
            let shown = Picture { number: 1, image, seen: None };
            let out = shown.encode().unwrap();
            let from = out.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let read = image::load_from_memory(&out[from..]).unwrap();
            assert_eq!((read.width(), read.height()), (8, 4), "{encoding}");
        }
        for image in [
            Image { encoding: "<b>".into(), ..frame(at(0)) },
            Image { data: Vec::new(), ..frame(at(0)) },
            Image { width: 0, ..frame(at(0)) },
        ] {
            assert!(Picture { number: 1, image, seen: None }.encode().is_err());
        }
    }

    #[test]
    fn a_large_frame_is_shown_smaller() {
        let image = Image { width: 2000, height: 10, step: 6000, data: vec![7; 60_000], ..frame(at(0)) };
        let out = Picture { number: 1, image, seen: None }.encode().unwrap();
        let from = out.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let read = image::load_from_memory(&out[from..]).unwrap();
        assert_eq!((read.width(), read.height()), (666, 3));
    }
}
