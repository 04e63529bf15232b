//! A view of a camera frame: any encoding that we read, sampled where it lies. Nothing is copied or converted as a whole.
//!
//! Encodings are those of `sensor_msgs/image_encodings`: `mono8`, `rgb8`, `bgr8`, `yuv422` (UYVY), `yuv422_yuy2` and
//! `nv12` (a luma plane of `height` rows, then a half-height plane of interleaved chroma, both of `step` bytes a row). All
//! samples are single bytes, so `is_bigendian` changes nothing.

use troika_kit::Fault;
use wide::f32x8;

/// Frames over this are refused: 16k x 16k, far above any cabin camera, so that index arithmetic cannot overflow.
const MAX_SIDE: u32 = 16_384;

/// How the bytes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Mono,
    Rgb,
    Bgr,
    Uyvy,
    Yuyv,
    Nv12,
}

/// A checked view of a frame: every pixel inside `width` x `height` can be read.
#[derive(Debug, Clone, Copy)]
pub struct ImageView<'a> {
    pub(crate) encoding: Encoding,
    pub(crate) width: usize,
    pub(crate) height: usize,
    step: usize,
    data: &'a [u8],
}

impl<'a> ImageView<'a> {
    /// Checks a frame's description against its bytes.
    ///
    /// # Errors
    /// [`Fault::BadInput`] for an encoding that we do not read, an empty or huge frame, a row shorter than its pixels, or
    /// bytes that end before the frame does.
    pub fn new(encoding: &str, width: u32, height: u32, step: u32, data: &'a [u8]) -> Result<Self, Fault> {
        if width == 0 || height == 0 {
            return Err(Fault::BadInput("an empty image"));
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(Fault::BadInput("an image over 16384 pixels a side"));
        }
        let (w, h, step) = (width as usize, height as usize, step as usize);
        let (encoding, row, rows) = match encoding {
            "mono8" | "8UC1" => (Encoding::Mono, w, h),
            "rgb8" => (Encoding::Rgb, 3 * w, h),
            "bgr8" | "8UC3" => (Encoding::Bgr, 3 * w, h),
            "yuv422" | "uyvy" => (Encoding::Uyvy, 4 * w.div_ceil(2), h),
            "yuv422_yuy2" | "yuyv" => (Encoding::Yuyv, 4 * w.div_ceil(2), h),
            "nv12" => (Encoding::Nv12, 2 * w.div_ceil(2), h + h.div_ceil(2)),
            _ => return Err(Fault::BadInput("an image encoding that is not read")),
        };
        if step < row {
            return Err(Fault::BadInput("an image row shorter than its pixels"));
        }
        // The last row may end without its padding.
        match step.checked_mul(rows - 1).and_then(|n| n.checked_add(row)) {
            Some(needed) if data.len() >= needed => {}
            _ => return Err(Fault::BadInput("image data shorter than the image")),
        }
        Ok(ImageView { encoding, width: w, height: h, step, data })
    }

    /// Pixels a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// One pixel as red, green, blue in 0..=255.
    pub fn rgb(&self, x: usize, y: usize) -> [f32; 3] {
        fn one<P: Pixels>(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3] {
            let bytes = P::bytes(view, x, y).map(|byte| f32x8::splat(byte.into()));
            P::rgb(bytes).map(|lanes| lanes.to_array()[0])
        }
        match self.encoding {
            Encoding::Mono => one::<Mono>(self, x, y),
            Encoding::Rgb => one::<Rgb>(self, x, y),
            Encoding::Bgr => one::<Bgr>(self, x, y),
            Encoding::Uyvy => one::<Uyvy>(self, x, y),
            Encoding::Yuyv => one::<Yuyv>(self, x, y),
            Encoding::Nv12 => one::<Nv12>(self, x, y),
        }
    }
}

/// How the pixels of an encoding are read: where their bytes lie, and what colour those are.
pub(crate) trait Pixels {
    /// Red, green and blue, or luma and two of chroma.
    fn bytes(view: &ImageView<'_>, x: usize, y: usize) -> [u8; 3];
    /// Of the bytes of eight pixels, in 0..=255.
    fn rgb(bytes: [f32x8; 3]) -> [f32x8; 3];
    /// Of the bytes of eight pixels, in 0..=255.
    fn luma(bytes: [f32x8; 3]) -> f32x8;
}

pub(crate) struct Mono;
pub(crate) struct Rgb;
pub(crate) struct Bgr;
pub(crate) struct Uyvy;
pub(crate) struct Yuyv;
pub(crate) struct Nv12;

/// Implements [`Pixels`] for an encoding by where its bytes lie, as one kind of colour.
macro_rules! pixels {
    ($($name:ident $colour:ident |$view:ident, $x:ident, $y:ident| $bytes:expr;)*) => {$(
        impl Pixels for $name {
            #[inline(always)]
            fn bytes($view: &ImageView<'_>, $x: usize, $y: usize) -> [u8; 3] {
                $bytes
            }
            #[inline(always)]
            fn rgb(bytes: [f32x8; 3]) -> [f32x8; 3] {
                $colour::rgb(bytes)
            }
            #[inline(always)]
            fn luma(bytes: [f32x8; 3]) -> f32x8 {
                $colour::luma(bytes)
            }
        }
    )*};
}

pixels! {
    Mono grey |view, x, y| [view.data[y * view.step + x]; 3];
    Rgb colours |view, x, y| {
        let pixel = &view.data[y * view.step + 3 * x..][..3];
        [pixel[0], pixel[1], pixel[2]]
    };
    Bgr colours |view, x, y| {
        let [b, g, r] = Rgb::bytes(view, x, y);
        [r, g, b]
    };
    Uyvy chroma |view, x, y| {
        let pair = &view.data[y * view.step + 4 * (x / 2)..][..4];
        [pair[1 + 2 * (x % 2)], pair[0], pair[2]]
    };
    Yuyv chroma |view, x, y| {
        let pair = &view.data[y * view.step + 4 * (x / 2)..][..4];
        [pair[2 * (x % 2)], pair[1], pair[3]]
    };
    Nv12 chroma |view, x, y| {
        let chroma = &view.data[(view.height + y / 2) * view.step + 2 * (x / 2)..][..2];
        [view.data[y * view.step + x], chroma[0], chroma[1]]
    };
}

mod grey {
    use wide::f32x8;

    #[inline(always)]
    pub(super) fn rgb(bytes: [f32x8; 3]) -> [f32x8; 3] {
        bytes
    }
    #[inline(always)]
    pub(super) fn luma([y, ..]: [f32x8; 3]) -> f32x8 {
        y
    }
}

mod colours {
    use wide::f32x8;

    pub(super) use super::grey::rgb;

    /// ITU-R BT.601 luma.
    #[inline(always)]
    pub(super) fn luma([r, g, b]: [f32x8; 3]) -> f32x8 {
        r * f32x8::splat(0.299) + g * f32x8::splat(0.587) + b * f32x8::splat(0.114)
    }
}

mod chroma {
    use wide::f32x8;

    pub(super) use super::grey::luma;

    /// Full-range BT.601, as OpenCV and V4L2's JPEG colour space have it.
    #[inline(always)]
    pub(super) fn rgb([y, u, v]: [f32x8; 3]) -> [f32x8; 3] {
        let [zero, half, most] = [0.0, 128.0, 255.0].map(f32x8::splat);
        let (u, v) = (u - half, v - half);
        let red = y + v * f32x8::splat(1.402);
        let green = y - u * f32x8::splat(0.344_14) - v * f32x8::splat(0.714_14);
        let blue = y + u * f32x8::splat(1.772);
        [red, green, blue].map(|c| c.fast_max(zero).fast_min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warp::{Affine, Border, Fill};

    const WHOLE: Affine = Affine { right: [1.0, 0.0], down: [0.0, 1.0], origin: [0.0, 0.0] };

    #[test]
    fn rgb_and_bgr_differ_by_order() {
        let data = [10, 20, 30];
        let rgb = ImageView::new("rgb8", 1, 1, 3, &data).expect("a sound image");
        let bgr = ImageView::new("bgr8", 1, 1, 3, &data).expect("a sound image");
        assert_eq!(rgb.rgb(0, 0), [10.0, 20.0, 30.0]);
        assert_eq!(bgr.rgb(0, 0), [30.0, 20.0, 10.0]);
    }

    #[test]
    fn grey_is_grey_in_every_yuv_layout() {
        let uyvy = [128, 50, 128, 70];
        let yuyv = [50, 128, 70, 128];
        let nv12 = [50, 70, 50, 70, 128, 128];
        for (encoding, height, data) in
            [("yuv422", 1, &uyvy[..]), ("yuv422_yuy2", 1, &yuyv[..]), ("nv12", 2, &nv12[..])]
        {
            let step = if encoding == "nv12" { 2 } else { 4 };
            let view = ImageView::new(encoding, 2, height, step, data).expect("a sound image");
            assert_eq!(view.rgb(0, 0), [50.0; 3], "{encoding}");
            assert_eq!(view.rgb(1, 0), [70.0; 3], "{encoding}");
            let mut luma = [0.0; 2];
            let fill = Fill { width: 2, height: 1, range: (0.0, 255.0), border: Border::Nearest, taps: 1 };
            view.warp_luma(&WHOLE, &fill, &mut luma);
            assert_eq!(luma, [50.0, 70.0], "{encoding}");
        }
    }

    #[test]
    fn red_in_yuv_is_red() {
        // BT.601 full range: red is Y 76, U 85, V 255.
        let [r, g, b] = ImageView::new("nv12", 2, 2, 2, &[76, 76, 76, 76, 85, 255]).expect("sound").rgb(1, 1);
        assert!(r > 250.0 && g < 5.0 && b < 5.0, "{r} {g} {b}");
    }

    #[test]
    fn malformed_images_are_bad_input() {
        let data = [0; 12];
        for (encoding, width, height, step) in [
            ("mono8", 0, 1, 1),
            ("mono8", 4, 4, 4),
            ("mono8", 4, 3, 3),
            ("rgb8", 2, 2, 5),
            ("nv12", 4, 3, 4),
            ("yuv422", 3, 2, 6),
            ("bayer_rggb8", 2, 2, 2),
            ("mono8", u32::MAX, u32::MAX, u32::MAX),
        ] {
            let refused = ImageView::new(encoding, width, height, step, &data);
            assert!(matches!(refused, Err(Fault::BadInput(_))), "{encoding} {width}x{height} step {step}");
        }
    }

    #[test]
    fn odd_sizes_read_their_last_pixel() {
        let nv12 = [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 128, 128, 128, 128, 128, 128, 128, 128];
        let view = ImageView::new("nv12", 3, 3, 4, &nv12).expect("a sound image");
        assert_eq!(view.rgb(2, 2), [9.0; 3]);
        let uyvy = [128, 1, 128, 2, 128, 3, 128, 0];
        let view = ImageView::new("yuv422", 3, 1, 8, &uyvy).expect("a sound image");
        assert_eq!(view.rgb(2, 0), [3.0; 3]);
    }
}
