//! PNG and JPEG files of a folder, in the order of their names, each decoded when it is its turn.

use core::time::Duration;
use std::path::{Path, PathBuf};

use image::DynamicImage;

use super::{Camera, Frame, FrameSource, SourceError};
use crate::config::Images;

/// A folder of pictures.
pub(crate) struct Folder {
    pub(crate) settings: Images,
    pub(crate) path: PathBuf,
}

struct Open {
    files: std::vec::IntoIter<PathBuf>,
    grey: bool,
    pace: Duration,
}

impl Camera for Folder {
    fn open(&mut self) -> Result<Box<dyn FrameSource>, SourceError> {
        let fault =
            |reason: String| SourceError::open(format!("the image folder {}", self.path.display()), reason);
        let entries = std::fs::read_dir(&self.path).map_err(|error| fault(error.to_string()))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| fault(error.to_string()))?.path();
            if is_picture(&path) {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(fault("it has no .png, .jpg or .jpeg file".to_owned()));
        }
        files.sort();
        let pace = Duration::from_secs_f64(1.0 / self.settings.rate);
        Ok(Box::new(Open { files: files.into_iter(), grey: self.settings.grey, pace }))
    }

    fn repeats(&self) -> bool {
        self.settings.repeat
    }
}

impl FrameSource for Open {
    fn next_frame(&mut self) -> Result<Frame, SourceError> {
        let path = self.files.next().ok_or(SourceError::End)?;
        let picture = image::open(&path)
            .map_err(|error| SourceError::BadFrame(format!("{}: {error}", path.display())))?;
        Ok(frame(picture, self.grey))
    }

    fn pace(&self) -> Option<Duration> {
        Some(self.pace)
    }
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    ["png", "jpg", "jpeg"].contains(&extension.as_str())
}

/// Whether the folder has a file that looks like a picture.
pub(crate) fn has_pictures(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten();
    files.flatten().any(|file| is_picture(&file.path()))
}

/// A decoded picture as a frame: grey pictures stay grey.
pub(crate) fn frame(picture: DynamicImage, grey: bool) -> Frame {
    let (width, height) = (picture.width(), picture.height());
    if grey || !picture.color().has_color() {
        let data = picture.into_luma8().into_raw();
        return Frame { width, height, encoding: "mono8", step: width, data };
    }
    Frame { width, height, encoding: "rgb8", step: 3 * width, data: picture.into_rgb8().into_raw() }
}
