//! A view of a camera frame: any encoding that we read, sampled where it lies. Nothing is copied or converted as a whole.
//!
//! Encodings are those of `sensor_msgs/image_encodings`: `mono8`, `rgb8`, `bgr8`, `yuv422` (UYVY), `yuv422_yuy2` and
//! `nv12` (a luma plane of `height` rows, then a half-height plane of interleaved chroma, both of `step` bytes a row). All
//! samples are single bytes, so `is_bigendian` changes nothing.

use troika_kit::Fault;

/// Frames over this are refused: 16k x 16k, far above any cabin camera, so that index arithmetic cannot overflow.
const MAX_SIDE: u32 = 16_384;

/// How the bytes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
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
    encoding: Encoding,
    width: usize,
    height: usize,
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
        match self.encoding {
            Encoding::Mono => Mono::rgb(self, x, y),
            Encoding::Rgb => Rgb::rgb(self, x, y),
            Encoding::Bgr => Bgr::rgb(self, x, y),
            Encoding::Uyvy => Uyvy::rgb(self, x, y),
            Encoding::Yuyv => Yuyv::rgb(self, x, y),
            Encoding::Nv12 => Nv12::rgb(self, x, y),
        }
    }

    /// Fills `out` with a `width` x `height` picture (interleaved channels, 1 for luma or 3 for red, green, blue) seen
    /// through `map`: each output pixel's centre is sampled bilinearly, `taps` x `taps` times across its footprint.
    /// Values are `byte / 255 * range.1 + range.0`. `out.len()` must be `width * height * C`.
    pub fn warp<const C: usize>(&self, map: &Affine, fill: &Fill, out: &mut [f32]) {
        debug_assert_eq!(out.len(), fill.width * fill.height * C);
        match self.encoding {
            Encoding::Mono => warp::<Mono, C>(self, map, fill, out),
            Encoding::Rgb => warp::<Rgb, C>(self, map, fill, out),
            Encoding::Bgr => warp::<Bgr, C>(self, map, fill, out),
            Encoding::Uyvy => warp::<Uyvy, C>(self, map, fill, out),
            Encoding::Yuyv => warp::<Yuyv, C>(self, map, fill, out),
            Encoding::Nv12 => warp::<Nv12, C>(self, map, fill, out),
        }
    }
}

/// An affine map from the output picture (pixels, centres at .5) to the frame (pixels, centres at .5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Frame step for one output pixel to the right.
    pub right: [f32; 2],
    /// Frame step for one output pixel down.
    pub down: [f32; 2],
    /// Frame position of the output's top-left corner.
    pub origin: [f32; 2],
}

impl Affine {
    /// Where an output position lies in the frame.
    pub fn apply(&self, x: f32, y: f32) -> [f32; 2] {
        [
            self.origin[0] + x * self.right[0] + y * self.down[0],
            self.origin[1] + x * self.right[1] + y * self.down[1],
        ]
    }
}

/// What lies outside the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// Black.
    Black,
    /// The nearest pixel of the frame.
    Nearest,
}

/// How [`ImageView::warp`] fills its output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// Output pixels a row.
    pub width: usize,
    /// Output rows.
    pub height: usize,
    /// Offset and factor of a sample in 0..=1.
    pub range: (f32, f32),
    /// What lies outside the frame.
    pub border: Border,
    /// Samples along each side of an output pixel: 1, or more where the output is much coarser than the frame.
    pub taps: usize,
}

trait Pixels {
    fn rgb(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3];
    fn luma(view: &ImageView<'_>, x: usize, y: usize) -> f32 {
        let [r, g, b] = Self::rgb(view, x, y);
        // ITU-R BT.601 luma.
        0.299 * r + 0.587 * g + 0.114 * b
    }
}

struct Mono;
struct Rgb;
struct Bgr;
struct Uyvy;
struct Yuyv;
struct Nv12;

impl Pixels for Mono {
    fn rgb(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3] {
        [f32::from(view.data[y * view.step + x]); 3]
    }
    fn luma(view: &ImageView<'_>, x: usize, y: usize) -> f32 {
        f32::from(view.data[y * view.step + x])
    }
}

impl Pixels for Rgb {
    fn rgb(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3] {
        let at = y * view.step + 3 * x;
        let pixel = &view.data[at..at + 3];
        [f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])]
    }
}

impl Pixels for Bgr {
    fn rgb(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3] {
        let [b, g, r] = Rgb::rgb(view, x, y);
        [r, g, b]
    }
}

impl Pixels for Uyvy {
    fn rgb(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3] {
        let at = y * view.step + 4 * (x / 2);
        yuv(view.data[at + 1 + 2 * (x % 2)], view.data[at], view.data[at + 2])
    }
    fn luma(view: &ImageView<'_>, x: usize, y: usize) -> f32 {
        f32::from(view.data[y * view.step + 2 * x + 1])
    }
}

impl Pixels for Yuyv {
    fn rgb(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3] {
        let at = y * view.step + 4 * (x / 2);
        yuv(view.data[at + 2 * (x % 2)], view.data[at + 1], view.data[at + 3])
    }
    fn luma(view: &ImageView<'_>, x: usize, y: usize) -> f32 {
        f32::from(view.data[y * view.step + 2 * x])
    }
}

impl Pixels for Nv12 {
    fn rgb(view: &ImageView<'_>, x: usize, y: usize) -> [f32; 3] {
        let chroma = (view.height + y / 2) * view.step + 2 * (x / 2);
        yuv(view.data[y * view.step + x], view.data[chroma], view.data[chroma + 1])
    }
    fn luma(view: &ImageView<'_>, x: usize, y: usize) -> f32 {
        f32::from(view.data[y * view.step + x])
    }
}

/// Full-range BT.601, as OpenCV and V4L2's JPEG colour space have it.
fn yuv(y: u8, u: u8, v: u8) -> [f32; 3] {
    let (y, u, v) = (f32::from(y), f32::from(u) - 128.0, f32::from(v) - 128.0);
    [y + 1.402 * v, y - 0.344_14 * u - 0.714_14 * v, y + 1.772 * u].map(|c| c.clamp(0.0, 255.0))
}

fn read<P: Pixels, const C: usize>(view: &ImageView<'_>, x: usize, y: usize) -> [f32; C] {
    let mut out = [0.0; C];
    if C == 1 {
        out[0] = P::luma(view, x, y);
    } else {
        let rgb = P::rgb(view, x, y);
        out.copy_from_slice(&rgb[..C]);
    }
    out
}

fn bilinear<P: Pixels, const C: usize>(view: &ImageView<'_>, at: [f32; 2], border: Border) -> [f32; C] {
    let (w, h) = (view.width as f32, view.height as f32);
    if border == Border::Black && !(at[0] >= 0.0 && at[1] >= 0.0 && at[0] < w && at[1] < h) {
        return [0.0; C];
    }
    // Not a number clamps to the last pixel's corner: `max` and `min` take the other operand.
    let x = (at[0] - 0.5).max(0.0).min(w - 1.0);
    let y = (at[1] - 0.5).max(0.0).min(h - 1.0);
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(view.width - 1), (y0 + 1).min(view.height - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let (a, b) = (read::<P, C>(view, x0, y0), read::<P, C>(view, x1, y0));
    let (c, d) = (read::<P, C>(view, x0, y1), read::<P, C>(view, x1, y1));
    let mut out = [0.0; C];
    for i in 0..C {
        let top = a[i] + (b[i] - a[i]) * fx;
        let bottom = c[i] + (d[i] - c[i]) * fx;
        out[i] = top + (bottom - top) * fy;
    }
    out
}

fn warp<P: Pixels, const C: usize>(view: &ImageView<'_>, map: &Affine, fill: &Fill, out: &mut [f32]) {
    let taps = fill.taps.max(1);
    let factor = fill.range.1 / 255.0 / (taps * taps) as f32;
    let mut cells = out.chunks_exact_mut(C);
    for row in 0..fill.height {
        for column in 0..fill.width {
            let mut sum = [0.0; C];
            for ty in 0..taps {
                let y = row as f32 + (ty as f32 + 0.5) / taps as f32;
                for tx in 0..taps {
                    let x = column as f32 + (tx as f32 + 0.5) / taps as f32;
                    let sample = bilinear::<P, C>(view, map.apply(x, y), fill.border);
                    for (total, value) in sum.iter_mut().zip(sample) {
                        *total += value;
                    }
                }
            }
            let Some(cell) = cells.next() else { return };
            for (target, total) in cell.iter_mut().zip(sum) {
                *target = total * factor + fill.range.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Affine = Affine { right: [1.0, 0.0], down: [0.0, 1.0], origin: [0.0, 0.0] };

    fn fill(width: usize, height: usize, border: Border) -> Fill {
        Fill { width, height, range: (0.0, 255.0), border, taps: 1 }
    }

    #[test]
    fn padding_at_the_end_of_a_row_is_stepped_over() {
        let data = [1, 2, 99, 99, 3, 4];
        let view = ImageView::new("mono8", 2, 2, 4, &data).expect("a sound image");
        let mut out = [0.0; 4];
        view.warp::<1>(&WHOLE, &fill(2, 2, Border::Nearest), &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
    }

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
            view.warp::<1>(&WHOLE, &fill(2, 1, Border::Nearest), &mut luma);
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

    #[test]
    fn outside_the_frame_is_black_or_the_nearest_pixel() {
        let view = ImageView::new("mono8", 1, 1, 1, &[200]).expect("a sound image");
        let far = Affine { origin: [-50.0, 7.0], ..WHOLE };
        let mut out = [1.0];
        view.warp::<1>(&far, &fill(1, 1, Border::Black), &mut out);
        assert_eq!(out, [0.0]);
        view.warp::<1>(&far, &fill(1, 1, Border::Nearest), &mut out);
        assert_eq!(out, [200.0]);
        let nowhere = Affine { origin: [f32::NAN, f32::NAN], ..WHOLE };
        view.warp::<1>(&nowhere, &fill(1, 1, Border::Nearest), &mut out);
        assert_eq!(out, [200.0]);
    }

    #[test]
    fn several_taps_average_a_footprint() {
        let data = [0, 100, 200, 100];
        let view = ImageView::new("mono8", 2, 2, 2, &data).expect("a sound image");
        let half = Affine { right: [2.0, 0.0], down: [0.0, 2.0], origin: [0.0, 0.0] };
        let mut out = [0.0];
        view.warp::<1>(&half, &Fill { taps: 2, ..fill(1, 1, Border::Nearest) }, &mut out);
        assert!((out[0] - 100.0).abs() < 1e-3, "{out:?}");
    }
}
