//! Pictures and the camera's figures.

use troika_msgs::sensor_msgs::{CameraInfo, Image};

use super::{Both, Unconvertible, common, common::wrong};
use crate::wire::{self, Pixel};

/// ROS's name (`sensor_msgs/image_encodings.hpp`), Gazebo's number, bytes of a pixel and of one of its samples.
const ENCODINGS: &[(&str, Pixel, u32, u32)] = &[
    ("mono8", Pixel::LInt8, 1, 1),
    ("mono16", Pixel::LInt16, 2, 2),
    ("rgb8", Pixel::RgbInt8, 3, 1),
    ("rgba8", Pixel::RgbaInt8, 4, 1),
    ("bgra8", Pixel::BgraInt8, 4, 1),
    ("rgb16", Pixel::RgbInt16, 6, 2),
    ("bgr8", Pixel::BgrInt8, 3, 1),
    ("bgr16", Pixel::BgrInt16, 6, 2),
    ("32FC1", Pixel::RFloat32, 4, 4),
    ("bayer_rggb8", Pixel::BayerRggb8, 1, 1),
    ("bayer_bggr8", Pixel::BayerBggr8, 1, 1),
    ("bayer_gbrg8", Pixel::BayerGbrg8, 1, 1),
    ("bayer_grbg8", Pixel::BayerGrbg8, 1, 1),
];

/// A picture whose rows are not where its figures say is none: what reads it would read past a row.
fn check(width: u32, height: u32, step: u32, pixel: u32, bytes: usize) -> Result<(), Unconvertible> {
    if u64::from(step) < u64::from(width) * u64::from(pixel) {
        return Err(wrong("step", format!("{step} bytes hold no {width} pixels of {pixel}")));
    }
    if bytes as u64 != u64::from(step) * u64::from(height) {
        return Err(wrong("data", format!("{bytes} bytes, not {height} rows of {step}")));
    }
    Ok(())
}

impl Both for Image {
    type Theirs = wire::Image;

    fn from_gazebo(theirs: wire::Image) -> Result<Self, Unconvertible> {
        let format = theirs.pixel_format_type;
        let (encoding, _, pixel, _) =
            ENCODINGS.iter().find(|(_, known, ..)| *known as i32 == format).ok_or_else(|| {
                wrong("pixel_format_type", format!("ROS has no name for Gazebo's format {format}"))
            })?;
        check(theirs.width, theirs.height, theirs.step, *pixel, theirs.data.len())?;
        Ok(Image {
            header: common::header(theirs.header.as_ref())?,
            height: theirs.height,
            width: theirs.width,
            encoding: (*encoding).to_owned(),
            // protobuf says nothing of it; Gazebo writes what its machine has, and that is little endian.
            is_bigendian: 0,
            step: theirs.step,
            data: theirs.data,
        })
    }

    fn into_gazebo(self) -> Result<wire::Image, Unconvertible> {
        let encoding = &self.encoding;
        let (_, format, pixel, sample) = ENCODINGS
            .iter()
            .find(|(known, ..)| known == encoding)
            .ok_or_else(|| wrong("encoding", format!("Gazebo has no format for '{encoding}'")))?;
        if self.is_bigendian != 0 && *sample > 1 {
            return Err(wrong("is_bigendian", "Gazebo's pictures are little endian"));
        }
        check(self.width, self.height, self.step, *pixel, self.data.len())?;
        Ok(wire::Image {
            header: Some(common::their_header(&self.header)?),
            width: self.width,
            height: self.height,
            step: self.step,
            data: self.data,
            pixel_format_type: *format as i32,
        })
    }

    fn set_frame(&mut self, frame: &str) {
        frame.clone_into(&mut self.header.frame_id);
    }
}

/// By Gazebo's number.
const LENSES: [&str; 3] = ["plumb_bob", "rational_polynomial", "equidistant"];
const IDENTITY: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

impl Both for CameraInfo {
    type Theirs = wire::CameraInfo;

    fn from_gazebo(theirs: wire::CameraInfo) -> Result<Self, Unconvertible> {
        let lens = theirs.distortion.unwrap_or_default();
        let model = usize::try_from(lens.model).ok().and_then(|at| LENSES.get(at));
        let intrinsics = theirs.intrinsics.ok_or_else(|| wrong("intrinsics", "there are none"))?;
        let projection = theirs.projection.ok_or_else(|| wrong("projection", "there is none"))?;
        Ok(CameraInfo {
            header: common::header(theirs.header.as_ref())?,
            height: theirs.height,
            width: theirs.width,
            distortion_model: (*model.ok_or_else(|| wrong("distortion.model", "ROS has no such"))?)
                .to_owned(),
            d: lens.k,
            k: common::exactly("intrinsics", &intrinsics.values)?,
            r: match theirs.rectification_matrix.as_slice() {
                [] => IDENTITY,
                all => common::exactly("rectification_matrix", all)?,
            },
            p: common::exactly("projection", &projection.values)?,
            ..CameraInfo::default()
        })
    }

    fn into_gazebo(self) -> Result<wire::CameraInfo, Unconvertible> {
        let model = LENSES.iter().position(|lens| *lens == self.distortion_model);
        let model = model
            .ok_or_else(|| wrong("distortion_model", format!("Gazebo has no '{}'", self.distortion_model)))?;
        if self.binning_x > 1 || self.binning_y > 1 {
            return Err(wrong("binning", "Gazebo cannot say it"));
        }
        if self.roi.width != 0 || self.roi.height != 0 {
            return Err(wrong("roi", "Gazebo cannot say it"));
        }
        Ok(wire::CameraInfo {
            header: Some(common::their_header(&self.header)?),
            width: self.width,
            height: self.height,
            distortion: Some(wire::Distortion { model: model as i32, k: self.d }),
            intrinsics: Some(wire::Matrix { values: self.k.to_vec() }),
            projection: Some(wire::Matrix { values: self.p.to_vec() }),
            rectification_matrix: self.r.to_vec(),
        })
    }

    fn set_frame(&mut self, frame: &str) {
        frame.clone_into(&mut self.header.frame_id);
    }
}
