//! A picture of a part of a frame, turned and scaled: what the networks see.
//!
//! Some 100,000 samples a frame, four pixels each: where they lie and what is between them is computed for eight output pixels at a time; only
//! the bytes themselves are fetched one by one.

use wide::{f32x8, i32x8};

use crate::image::{Bgr, Encoding, ImageView, Mono, Nv12, Pixels, Rgb, Uyvy, Yuyv};

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

/// How a picture is filled.
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

impl ImageView<'_> {
    /// Fills `out` with the luma of a `width` x `height` picture seen through `map`: each output pixel's centre is sampled bilinearly,
    /// `taps` x `taps` times across its footprint. Values are `byte / 255 * range.1 + range.0`. `out.len()` must be `width * height`.
    pub fn warp_luma(&self, map: &Affine, fill: &Fill, out: &mut [f32]) {
        self.warp::<1>(map, fill, out);
    }

    /// The same in red, green and blue, interleaved: `out.len()` must be `width * height * 3`.
    pub fn warp_rgb(&self, map: &Affine, fill: &Fill, out: &mut [f32]) {
        self.warp::<3>(map, fill, out);
    }

    /// Not public: it is compiled in this crate, with what its profile says.
    fn warp<const C: usize>(&self, map: &Affine, fill: &Fill, out: &mut [f32]) {
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

/// Output pixels that are computed together.
const LANES: usize = 8;

/// Of each lane the four pixels around a place of the frame.
struct Places {
    /// Columns left and right of it, rows above and below it.
    columns: [[i32; LANES]; 2],
    rows: [[i32; LANES]; 2],
    /// How far it is from the first to the second.
    part: [f32x8; 2],
    /// All ones where it counts, zero where the border is black.
    seen: f32x8,
}

impl Places {
    /// Those under the samples at `x` and `y` of the output.
    #[inline(always)]
    fn of(view: &ImageView<'_>, map: &Affine, border: Border, x: f32x8, y: f32) -> Places {
        // A frame has at most 16,384 pixels a side.
        let size = [view.width as i32, view.height as i32];
        // In the order in which `Affine::apply` adds.
        let at: [f32x8; 2] = std::array::from_fn(|axis| {
            f32x8::splat(map.origin[axis])
                + x * f32x8::splat(map.right[axis])
                + f32x8::splat(y * map.down[axis])
        });
        let zero = f32x8::splat(0.0);
        // Not a number is nowhere.
        let inside = |axis: usize| at[axis].simd_ge(zero) & at[axis].simd_lt(f32x8::splat(size[axis] as f32));
        let seen = match border {
            Border::Black => inside(0) & inside(1),
            Border::Nearest => f32x8::splat(f32::from_bits(u32::MAX)),
        };
        // Not a number clamps to the first pixel: `max` takes the other operand.
        let place =
            |axis: usize| (at[axis] - f32x8::splat(0.5)).max(zero).min(f32x8::splat((size[axis] - 1) as f32));
        let places = [place(0), place(1)];
        let first = places.map(f32x8::fast_trunc_int);
        let second: [i32x8; 2] =
            std::array::from_fn(|axis| (first[axis] + i32x8::splat(1)).min(i32x8::splat(size[axis] - 1)));
        Places {
            columns: [first[0].to_array(), second[0].to_array()],
            rows: [first[1].to_array(), second[1].to_array()],
            part: std::array::from_fn(|axis| places[axis] - f32x8::from_i32x8(first[axis])),
            seen,
        }
    }

    /// The bytes of the four pixels, the upper two first.
    #[inline(always)]
    fn bytes<P: Pixels>(&self, view: &ImageView<'_>) -> [[f32x8; 3]; 4] {
        let mut bytes = [[[0_u8; LANES]; 3]; 4];
        for lane in 0..LANES {
            for (corner, bytes) in bytes.iter_mut().enumerate() {
                let (column, row) = (self.columns[corner % 2][lane], self.rows[corner / 2][lane]);
                let [a, b, c] = P::bytes(view, column as usize, row as usize);
                (bytes[0][lane], bytes[1][lane], bytes[2][lane]) = (a, b, c);
            }
        }
        bytes.map(|pixel| pixel.map(|lanes| f32x8::new(lanes.map(f32::from))))
    }
}

#[inline(always)]
fn colour<P: Pixels, const C: usize>(bytes: [f32x8; 3]) -> [f32x8; C] {
    let rgb = if C == 1 { [P::luma(bytes); 3] } else { P::rgb(bytes) };
    std::array::from_fn(|i| rgb[i])
}

fn warp<P: Pixels, const C: usize>(view: &ImageView<'_>, map: &Affine, fill: &Fill, out: &mut [f32]) {
    debug_assert_eq!(out.len(), fill.width * fill.height * C);
    let taps = fill.taps.max(1) as u32;
    let factor = f32x8::splat(fill.range.1 / 255.0 / (taps * taps) as f32);
    let part = |tap: u32| (tap as f32 + 0.5) / taps as f32;
    let steps = f32x8::new([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let rows = out.chunks_exact_mut((fill.width * C).max(1)).take(fill.height);
    for (row, cells) in (0_u32..).zip(rows) {
        for (first, cells) in (0_u32..).step_by(LANES).zip(cells.chunks_mut(LANES * C)) {
            let columns = f32x8::splat(first as f32) + steps;
            let mut sums = [f32x8::splat(0.0); C];
            for ty in 0..taps {
                let y = row as f32 + part(ty);
                for tx in 0..taps {
                    let places = Places::of(view, map, fill.border, columns + f32x8::splat(part(tx)), y);
                    let [a, b, c, d] = places.bytes::<P>(view).map(colour::<P, C>);
                    let [x, y] = places.part;
                    for i in 0..C {
                        let (top, bottom) = (a[i] + (b[i] - a[i]) * x, c[i] + (d[i] - c[i]) * x);
                        sums[i] += (top + (bottom - top) * y) & places.seen;
                    }
                }
            }
            let values = sums.map(|sum| (sum * factor + f32x8::splat(fill.range.0)).to_array());
            for (lane, cell) in cells.chunks_exact_mut(C).enumerate() {
                cell.iter_mut().zip(&values).for_each(|(cell, values)| *cell = values[lane]);
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

    /// The colour at a place of the frame (pixels, centres at .5), between the four pixels around it.
    fn bilinear<P: Pixels, const C: usize>(view: &ImageView<'_>, at: [f32; 2], border: Border) -> [f32; C] {
        let (w, h) = (view.width as f32, view.height as f32);
        if border == Border::Black && !(at[0] >= 0.0 && at[1] >= 0.0 && at[0] < w && at[1] < h) {
            return [0.0; C];
        }
        let x = (at[0] - 0.5).max(0.0).min(w - 1.0);
        let y = (at[1] - 0.5).max(0.0).min(h - 1.0);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(view.width - 1), (y0 + 1).min(view.height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let one = |byte: u8| f32x8::splat(byte.into());
        let read = |x, y| colour::<P, C>(P::bytes(view, x, y).map(one)).map(|lanes| lanes.to_array()[0]);
        let ([a, b], [c, d]) = ([read(x0, y0), read(x1, y0)], [read(x0, y1), read(x1, y1)]);
        std::array::from_fn(|i| {
            let (top, bottom) = (a[i] + (b[i] - a[i]) * fx, c[i] + (d[i] - c[i]) * fx);
            top + (bottom - top) * fy
        })
    }

    /// A picture, one sample after the other.
    fn defined<P: Pixels, const C: usize>(view: &ImageView<'_>, map: &Affine, fill: &Fill) -> Vec<f32> {
        let taps = fill.taps;
        let mut out = Vec::new();
        for (row, column) in (0..fill.height).flat_map(|row| (0..fill.width).map(move |column| (row, column)))
        {
            let mut sum = [0.0; C];
            for (ty, tx) in (0..taps).flat_map(|ty| (0..taps).map(move |tx| (ty, tx))) {
                let at = |cell: usize, tap: usize| cell as f32 + (tap as f32 + 0.5) / taps as f32;
                let sample = bilinear::<P, C>(view, map.apply(at(column, tx), at(row, ty)), fill.border);
                sum.iter_mut().zip(sample).for_each(|(total, value)| *total += value);
            }
            let factor = fill.range.1 / 255.0 / (taps * taps) as f32;
            out.extend(sum.map(|total| total * factor + fill.range.0));
        }
        out
    }

    #[test]
    fn pictures_are_what_their_definition_says_to_the_bit() {
        let mut state = 7_u32;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let data: Vec<u8> = (0..64 * 48 * 3).map(|_| random(256) as u8).collect();
        let (mut within, mut across) = (0, 0);
        for case in 0..600 {
            // Regions of all sizes and turns, many of which reach over the frame.
            let (angle, size) = (random(628) as f32 / 100.0, (1 + random(120)) as f32 / 60.0);
            let (right, down) =
                ([size * angle.cos(), size * angle.sin()], [-size * angle.sin(), size * angle.cos()]);
            let middle = [random(64) as f32 + 0.3, random(48) as f32 + 0.7];
            let origin = std::array::from_fn(|i| middle[i] - 20.0 * right[i] - 6.0 * down[i]);
            let map = Affine { right, down, origin };
            let border = if random(2) == 0 { Border::Black } else { Border::Nearest };
            let fill =
                Fill { width: 40, height: 12, range: (-1.0, 2.0), border, taps: 1 + random(3) as usize };
            let corners = [[0.0, 0.0], [40.0, 0.0], [0.0, 12.0], [40.0, 12.0]].map(|[x, y]| map.apply(x, y));
            let inside = corners.iter().all(|[x, y]| (1.0..=62.0).contains(x) && (1.0..=46.0).contains(y));
            *(if inside { &mut within } else { &mut across }) += 1;
            let (mut luma, mut rgb) = ([0.0; 40 * 12], [0.0; 40 * 12 * 3]);
            macro_rules! held_to {
                ($($name:literal $kind:ident),*) => {$(
                    let step = match $name { "rgb8" | "bgr8" => 192, "yuv422" | "yuv422_yuy2" => 128, _ => 64 };
                    let view = ImageView::new($name, 64, 48, step, &data).expect("a sound image");
                    view.warp_luma(&map, &fill, &mut luma);
                    view.warp_rgb(&map, &fill, &mut rgb);
                    assert_eq!(luma.as_slice(), defined::<$kind, 1>(&view, &map, &fill), "{case} {}", $name);
                    assert_eq!(rgb.as_slice(), defined::<$kind, 3>(&view, &map, &fill), "{case} {}", $name);
                )*};
            }
            held_to!("mono8" Mono, "rgb8" Rgb, "bgr8" Bgr, "yuv422" Uyvy, "yuv422_yuy2" Yuyv, "nv12" Nv12);
        }
        assert!(within > 50 && across > 50, "{within} {across}");
    }

    #[test]
    fn padding_at_the_end_of_a_row_is_stepped_over() {
        let data = [1, 2, 99, 99, 3, 4];
        let view = ImageView::new("mono8", 2, 2, 4, &data).expect("a sound image");
        let mut out = [0.0; 4];
        view.warp_luma(&WHOLE, &fill(2, 2, Border::Nearest), &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn outside_the_frame_is_black_or_the_nearest_pixel() {
        let view = ImageView::new("mono8", 1, 1, 1, &[200]).expect("a sound image");
        let far = Affine { origin: [-50.0, 7.0], ..WHOLE };
        let mut out = [1.0];
        view.warp_luma(&far, &fill(1, 1, Border::Black), &mut out);
        assert_eq!(out, [0.0]);
        view.warp_luma(&far, &fill(1, 1, Border::Nearest), &mut out);
        assert_eq!(out, [200.0]);
        let nowhere = Affine { origin: [f32::NAN, f32::NAN], ..WHOLE };
        view.warp_luma(&nowhere, &fill(1, 1, Border::Nearest), &mut out);
        assert_eq!(out, [200.0]);
    }

    #[test]
    fn several_taps_average_a_footprint() {
        let data = [0, 100, 200, 100];
        let view = ImageView::new("mono8", 2, 2, 2, &data).expect("a sound image");
        let half = Affine { right: [2.0, 0.0], down: [0.0, 2.0], origin: [0.0, 0.0] };
        let mut out = [0.0];
        view.warp_luma(&half, &Fill { taps: 2, ..fill(1, 1, Border::Nearest) }, &mut out);
        assert!((out[0] - 100.0).abs() < 1e-3, "{out:?}");
    }
}
