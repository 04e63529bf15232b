//! Parameters: a `[nodes.<name>.params]` table in a system file.
//!
//! ```toml
//! frame_id = "driver_camera"
//! source = { kind = "v4l2", device = "/dev/video0", width = 640, height = 480, rate = 30 }
//! # source = { kind = "video", file = "drive.mp4", repeat = true, grey = false }
//! # source = { kind = "images", folder = "frames", rate = 30, repeat = true }
//! ```

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A camera's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the frames come from.
    pub source: Source,
    /// The camera's optical frame, as in `header.frame_id`.
    #[serde(default = "frame_id")]
    pub frame_id: String,
}

fn frame_id() -> String {
    "driver_camera".to_owned()
}

/// Where the frames come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Source {
    /// A camera of the machine.
    V4l2(V4l2),
    /// A video file, decoded by ffmpeg.
    Video(Video),
    /// PNG and JPEG files of a folder, in the order of their names.
    Images(Images),
}

/// A camera of the machine. A driver may choose another size or rate; what it chose is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct V4l2 {
    /// For example `/dev/video0`; better one of `/dev/v4l/by-id/`, which stays the same after a re-plug.
    pub device: PathBuf,
    /// Columns.
    #[serde(default = "width")]
    pub width: u32,
    /// Rows.
    #[serde(default = "height")]
    pub height: u32,
    /// Frames a second.
    #[serde(default = "rate")]
    pub rate: u32,
    /// A V4L2 FourCC (`YUYV`, `UYVY`, `NV12`, `GREY`, `RGB3`, `BGR3`, `MJPG`); none: the first of the camera's that we read.
    #[serde(default)]
    pub format: Option<String>,
}

/// A video file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Video {
    /// Anything that ffmpeg reads.
    pub file: PathBuf,
    /// Frames a second; none: the file's own.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Begin again at the end.
    #[serde(default)]
    pub repeat: bool,
    /// `mono8` instead of `rgb8`.
    #[serde(default)]
    pub grey: bool,
}

/// A folder of pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// The folder.
    pub folder: PathBuf,
    /// Frames a second.
    #[serde(default = "rate_f64")]
    pub rate: f64,
    /// Begin again at the end.
    #[serde(default)]
    pub repeat: bool,
    /// `mono8` instead of `rgb8`.
    #[serde(default)]
    pub grey: bool,
}

fn width() -> u32 {
    640
}

fn height() -> u32 {
    480
}

fn rate() -> u32 {
    30
}

fn rate_f64() -> f64 {
    30.0
}

/// Parameters that make no camera.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A size out of bounds.
    #[error("a picture is 16 to 8192 pixels wide and high, not {0} x {1}")]
    Size(u32, u32),
    /// A rate out of bounds.
    #[error("a rate is 1 to 240 frames a second, not {0}")]
    Rate(f64),
    /// A file or folder that is not there, or a folder without a picture.
    #[error("{0} {1}")]
    Missing(PathBuf, &'static str),
    /// A pixel format that is not read.
    #[error("the pixel format '{0}' is not read; known are {known}", known = crate::source::v4l2::known())]
    Format(String),
}

impl Config {
    /// Whether a camera can be made of it.
    ///
    /// # Errors
    /// The first parameter that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rate = match &self.source {
            Source::V4l2(settings) => {
                let side = 16..=8192;
                if !(side.contains(&settings.width) && side.contains(&settings.height)) {
                    return Err(ConfigError::Size(settings.width, settings.height));
                }
                if let Some(format) = &settings.format
                    && crate::source::v4l2::pixels(format.as_bytes()).is_none()
                {
                    return Err(ConfigError::Format(format.clone()));
                }
                f64::from(settings.rate)
            }
            Source::Video(settings) => settings.rate.unwrap_or(1.0),
            Source::Images(settings) => settings.rate,
        };
        if (1.0..=240.0).contains(&rate) { Ok(()) } else { Err(ConfigError::Rate(rate)) }
    }

    /// Whether its file or folder is there, relative to the folder that the program runs in. A camera of the machine may be plugged
    /// in later.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    pub fn check_files(&self) -> Result<(), ConfigError> {
        match &self.source {
            Source::Video(video) if !video.file.is_file() => {
                Err(ConfigError::Missing(video.file.clone(), "is not there"))
            }
            Source::Images(images) if !images.folder.is_dir() => {
                Err(ConfigError::Missing(images.folder.clone(), "is no folder"))
            }
            Source::Images(images) if !crate::source::folder::has_pictures(&images.folder) => {
                Err(ConfigError::Missing(images.folder.clone(), "has no PNG or JPEG file"))
            }
            Source::Video(_) | Source::Images(_) | Source::V4l2(_) => Ok(()),
        }
    }
}
