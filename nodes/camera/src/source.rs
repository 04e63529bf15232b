//! What a source of frames is, and the three there are.

pub mod folder;
pub mod v4l2;
pub mod video;

use std::path::PathBuf;

/// One picture, as the source gives it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// As in `sensor_msgs/Image`.
    pub encoding: &'static str,
    /// Bytes in a row, padding included.
    pub step: u32,
    /// The rows; for `nv12` the chroma rows follow.
    pub data: Vec<u8>,
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file or folder is at its end.
    #[error("the source is at its end")]
    End,
    /// This frame cannot be used; the next may.
    #[error("a frame was left out: {0}")]
    BadFrame(String),
    /// The device or file cannot be opened.
    #[error("cannot open {what}: {reason}")]
    Open {
        /// The device or file.
        what: String,
        /// Why, and the way out.
        reason: String,
    },
    /// The device was there and is not any more, or gives nothing.
    #[error("lost: {0}")]
    Lost(String),
}

impl SourceError {
    pub(crate) fn open(what: impl Into<String>, reason: impl ToString) -> SourceError {
        SourceError::Open { what: what.into(), reason: reason.to_string() }
    }
}

/// A source that is open.
#[cfg_attr(test, mockall::automock)]
pub trait FrameSource: Send {
    /// The next frame. Blocks until there is one, a device for a second at most.
    ///
    /// # Errors
    /// See [`SourceError`]; after anything but [`SourceError::BadFrame`] the source is dropped.
    fn next_frame(&mut self) -> Result<Frame, SourceError>;

    /// Time between two frames, when the source itself does not wait for them (a file).
    fn pace(&self) -> Option<core::time::Duration>;
}

/// What can be opened, again and again.
#[cfg_attr(test, mockall::automock)]
pub trait Camera: Send + 'static {
    /// Opens it.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn open(&mut self) -> Result<Box<dyn FrameSource>, SourceError>;

    /// Whether it begins again after its end.
    fn repeats(&self) -> bool;
}

/// The camera that is configured.
pub(crate) fn camera(source: &crate::Source, base: &std::path::Path) -> Box<dyn Camera> {
    let at = |path: &PathBuf| base.join(path);
    match source {
        crate::Source::V4l2(settings) => {
            Box::new(v4l2::Device { settings: settings.clone(), path: at(&settings.device) })
        }
        crate::Source::Video(settings) => {
            Box::new(video::File { settings: settings.clone(), path: at(&settings.file) })
        }
        crate::Source::Images(settings) => {
            Box::new(folder::Folder { settings: settings.clone(), path: at(&settings.folder) })
        }
    }
}
