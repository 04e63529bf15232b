//! A camera of the machine, through V4L2's memory-mapped streaming.

use core::time::Duration;
use std::{io, path::PathBuf};

use linuxvideo::{
    BufType, Fract,
    format::{PixFormat, PixelFormat},
    stream::ReadStream,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Camera, Frame, FrameSource, SourceError, folder};
use crate::config::V4l2;

/// A camera that gives nothing for this long has stalled.
const STALLED: Duration = Duration::from_secs(1);

/// How a V4L2 pixel format is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pixels {
    fourcc: [u8; 4],
    /// None: compressed, decoded first.
    encoding: Option<&'static str>,
    /// Bytes of a pixel in the first plane.
    bytes: u32,
}

/// In the order of preference: what costs least to read first.
const KNOWN: [Pixels; 8] = [
    Pixels { fourcc: *b"GREY", encoding: Some("mono8"), bytes: 1 },
    Pixels { fourcc: *b"NV12", encoding: Some("nv12"), bytes: 1 },
    Pixels { fourcc: *b"YUYV", encoding: Some("yuv422_yuy2"), bytes: 2 },
    Pixels { fourcc: *b"UYVY", encoding: Some("yuv422"), bytes: 2 },
    Pixels { fourcc: *b"RGB3", encoding: Some("rgb8"), bytes: 3 },
    Pixels { fourcc: *b"BGR3", encoding: Some("bgr8"), bytes: 3 },
    Pixels { fourcc: *b"MJPG", encoding: None, bytes: 0 },
    Pixels { fourcc: *b"JPEG", encoding: None, bytes: 0 },
];

pub(crate) fn pixels(fourcc: &[u8]) -> Option<Pixels> {
    KNOWN.iter().find(|known| known.fourcc == fourcc).copied()
}

pub(crate) fn known() -> String {
    KNOWN.iter().map(|known| String::from_utf8_lossy(&known.fourcc)).collect::<Vec<_>>().join(", ")
}

/// A camera of the machine.
pub(crate) struct Device {
    pub(crate) settings: V4l2,
    pub(crate) path: PathBuf,
}

struct Open {
    stream: ReadStream,
    layout: Layout,
}

/// What the driver chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    width: u32,
    height: u32,
    step: u32,
    pixels: Pixels,
}

impl Camera for Device {
    fn open(&mut self) -> Result<Box<dyn FrameSource>, SourceError> {
        let fault = |reason: String| SourceError::open(format!("the camera {}", self.path.display()), reason);
        let io_fault = |doing: &'static str| move |error: io::Error| format!("{doing}: {error}");
        let device = linuxvideo::Device::open(&self.path).map_err(|error| fault(why(&error)))?;
        let pixels = match &self.settings.format {
            // Checked with the parameters.
            Some(format) => pixels(format.as_bytes()),
            None => {
                let offered: Vec<[u8; 4]> = device
                    .formats(BufType::VIDEO_CAPTURE)
                    .filter_map(Result::ok)
                    .map(|format| format.pixel_format().as_fourcc())
                    .collect();
                KNOWN.iter().find(|known| offered.contains(&known.fourcc)).copied()
            }
        }
        .ok_or_else(|| fault(format!("it offers none of the formats that are read: {}", known())))?;
        let wanted = PixFormat::new(
            self.settings.width,
            self.settings.height,
            PixelFormat::from_fourcc(pixels.fourcc),
        );
        let capture = device.video_capture(wanted).map_err(io_fault("its format")).map_err(fault)?;
        let chosen = capture.format();
        let layout = layout(
            (chosen.width(), chosen.height()),
            chosen.bytes_per_line(),
            chosen.pixel_format().as_fourcc(),
        )
        .map_err(fault)?;
        if let Err(error) = capture.set_frame_interval(Fract::new(1, self.settings.rate)) {
            // Some drivers have one rate and no way to set it.
            tracing::info!(camera = %self.path.display(), %error, "the camera keeps its own frame rate");
        }
        let stream = capture.into_stream().map_err(io_fault("its stream")).map_err(fault)?;
        Ok(Box::new(Open { stream, layout }))
    }

    fn repeats(&self) -> bool {
        false
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!("{error}: add this user to the group video"),
        io::ErrorKind::NotFound => "there is no such device: is it plugged in?".to_owned(),
        _ => error.to_string(),
    }
}

/// The layout that the driver chose, if it is one that we read.
fn layout(size: (u32, u32), bytes_per_line: u32, fourcc: [u8; 4]) -> Result<Layout, String> {
    let (width, height) = size;
    let chosen = String::from_utf8_lossy(&fourcc).into_owned();
    let pixels = pixels(&fourcc).ok_or_else(|| format!("its driver chose {chosen}, which is not read"))?;
    if !(1..=16384).contains(&width) || !(1..=16384).contains(&height) {
        return Err(format!("its driver chose {width} x {height}"));
    }
    // A driver may leave bytes_per_line zero; some say less than a row has.
    Ok(Layout { width, height, step: bytes_per_line.max(width * pixels.bytes), pixels })
}

/// A compressed picture of a camera that was set to that size.
///
/// # Errors
/// [`SourceError::BadFrame`]: it is torn, or says that it is larger.
pub fn motion_jpeg(size: (u32, u32), bytes: &[u8]) -> Result<Frame, SourceError> {
    let mut reader = image::ImageReader::with_format(io::Cursor::new(bytes), image::ImageFormat::Jpeg);
    // Whole blocks: some cameras say 1088 rows for 1080. A header of a few bytes may say 65535 x 65535.
    let most = [size.0, size.1].map(|pixels| pixels.next_multiple_of(16));
    let mut limits = image::Limits::no_limits();
    (limits.max_image_width, limits.max_image_height) = (Some(most[0]), Some(most[1]));
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| SourceError::BadFrame(error.to_string()))?;
    Ok(folder::frame(picture, false))
}

/// A buffer of the camera as a frame.
fn frame(layout: &Layout, bytes: &[u8]) -> Result<Frame, SourceError> {
    let Layout { width, height, step, pixels } = *layout;
    let Some(encoding) = pixels.encoding else {
        return motion_jpeg((width, height), bytes);
    };
    let rows = if encoding == "nv12" { height + height.div_ceil(2) } else { height };
    let size = step as usize * rows as usize;
    let data = bytes
        .get(..size)
        .ok_or_else(|| SourceError::BadFrame(format!("{} bytes of {size}", bytes.len())))?
        .to_vec();
    Ok(Frame { width, height, encoding, step, data })
}

impl FrameSource for Open {
    fn next_frame(&mut self) -> Result<Frame, SourceError> {
        let lost = |error: io::Error| SourceError::Lost(error.to_string());
        let timeout = Timespec { tv_sec: STALLED.as_secs() as i64, tv_nsec: 0 };
        let mut ready = [PollFd::new(&self.stream, PollFlags::IN)];
        let count = match poll(&mut ready, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {
                return Err(SourceError::BadFrame("interrupted".to_owned()));
            }
            other => other.map_err(|error| lost(error.into()))?,
        };
        if count == 0 {
            return Err(SourceError::Lost(format!("no frame for {} s", STALLED.as_secs())));
        }
        let layout = self.layout;
        let taken = self.stream.dequeue(|buffer| {
            Ok(if buffer.is_error() {
                Err(SourceError::BadFrame("the driver marked it as damaged".to_owned()))
            } else {
                frame(&layout, &buffer)
            })
        });
        taken.map_err(lost)?
    }

    fn pace(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_is_published_with_its_step_and_nothing_behind_it() {
        for (fourcc, bytes_per_line, step, size, encoding) in [
            (b"GREY", 0, 6, 24, "mono8"),
            (b"GREY", 8, 8, 32, "mono8"),
            (b"NV12", 8, 8, 48, "nv12"),
            (b"YUYV", 4, 12, 48, "yuv422_yuy2"),
            (b"UYVY", 16, 16, 64, "yuv422"),
            (b"RGB3", 18, 18, 72, "rgb8"),
            (b"BGR3", 20, 20, 80, "bgr8"),
        ] {
            let layout = layout((6, 4), bytes_per_line, *fourcc).expect("a known layout");
            let frame = frame(&layout, &[7; 200]).expect("a frame");
            assert_eq!((frame.encoding, frame.step, frame.data.len()), (encoding, step, size), "{fourcc:?}");
            assert_eq!((frame.width, frame.height), (6, 4));
        }
    }

    #[test]
    fn a_buffer_that_is_too_short_is_left_out() {
        let layout = layout((6, 4), 0, *b"YUYV").expect("a known layout");
        assert!(matches!(frame(&layout, &[0; 47]), Err(SourceError::BadFrame(_))));
    }

    #[test]
    fn motion_jpeg_is_decoded_and_a_torn_one_left_out() {
        let picture = image::RgbImage::from_pixel(16, 8, image::Rgb([200, 100, 50]));
        let mut jpeg = io::Cursor::new(Vec::new());
        picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).expect("encoded");
        let jpeg = jpeg.into_inner();
        let layout = layout((16, 8), 0, *b"MJPG").expect("a known layout");
        let decoded = frame(&layout, &jpeg).expect("a frame");
        assert_eq!((decoded.encoding, decoded.width, decoded.step), ("rgb8", 16, 48));
        assert!(decoded.data[0].abs_diff(200) < 8);
        assert!(matches!(frame(&layout, &jpeg[..20]), Err(SourceError::BadFrame(_))));
    }

    #[test]
    fn a_format_that_is_not_read_is_told() {
        assert_eq!(layout((6, 4), 0, *b"H264"), Err("its driver chose H264, which is not read".to_owned()));
        assert!(layout((0, 4), 0, *b"GREY").is_err());
        assert!(known().starts_with("GREY, NV12, YUYV"));
    }

    #[test]
    fn a_device_that_is_not_there_or_none_says_so() {
        let open = |path: &str| {
            let settings = V4l2 { device: path.into(), width: 640, height: 480, rate: 30, format: None };
            Device { settings, path: path.into() }.open().err().expect("no camera").to_string()
        };
        let none = open("/dev/video-that-is-not-there");
        assert!(none.ends_with("there is no such device: is it plugged in?"), "{none}");
        let other = open("/dev/null");
        assert!(other.starts_with("cannot open the camera /dev/null: "), "{other}");
    }
}
