//! What is behind the driver, and what the sensor makes of the light: read-out to 8 bits, noise.

use crate::{
    look::noise,
    math::{Random, V3, lerp, scale, smoothstep},
    raster::{Canvas, Tone},
};

/// A table of normal noise, read from seeded places: the same seed gives the same noise.
pub(crate) struct Noise(Vec<i8>);

impl Noise {
    const SIZE: usize = 1 << 16;

    pub(crate) fn new() -> Noise {
        let mut random = Random::new(0x5EED);
        // 30 steps are one deviation, so +-4 deviations fit.
        Noise((0..Noise::SIZE + 4096).map(|_| (random.normal() * 30.0).clamp(-127.0, 127.0) as i8).collect())
    }
}

/// Reads the canvas into `data` (width, height, channels): one sample a pixel, or the mean of four.
pub(crate) fn read_out(
    canvas: &Canvas,
    noise: &Noise,
    deviation: f32,
    seed: u64,
    [width, height, channels]: [usize; 3],
    data: &mut Vec<u8>,
) {
    data.resize(width * height * channels, 0);
    let over = canvas.width / width.max(1);
    let mut random = Random::new(seed);
    // Fixed point: noise x strength / 4096.
    let strength = (deviation / 30.0 * 4096.0) as i32;
    let mut line = vec![0u32; width];
    for (y, row) in data.chunks_exact_mut(width * channels).enumerate() {
        if over == 2 {
            let (a, b) = (
                &canvas.colour[2 * y * canvas.width..][..2 * width],
                &canvas.colour[(2 * y + 1) * canvas.width..][..2 * width],
            );
            for ((out, a), b) in line.iter_mut().zip(a.as_chunks::<2>().0).zip(b.as_chunks::<2>().0) {
                // Two channels at a time: red and blue, then green.
                let rb =
                    (a[0] & 0xff00ff) + (a[1] & 0xff00ff) + (b[0] & 0xff00ff) + (b[1] & 0xff00ff) + 0x20002;
                let g = (a[0] & 0xff00) + (a[1] & 0xff00) + (b[0] & 0xff00) + (b[1] & 0xff00) + 0x200;
                *out = (rb >> 2 & 0xff00ff) | (g >> 2 & 0xff00);
            }
        } else {
            line.copy_from_slice(&canvas.colour[y * canvas.width..][..width]);
        }
        let start = random.next() as usize % (Noise::SIZE - 3 * width.min(8192));
        let grain = &noise.0[start..start + width * channels];
        if channels == 1 {
            for ((out, colour), grain) in row.iter_mut().zip(&line).zip(grain) {
                *out = ((colour & 0xff) as i32 + ((i32::from(*grain) * strength) >> 12)).clamp(0, 255) as u8;
            }
        } else {
            for ((out, colour), grain) in
                row.as_chunks_mut::<3>().0.iter_mut().zip(&line).zip(grain.as_chunks::<3>().0)
            {
                let [r, g, b] = [colour >> 16 & 0xff, colour >> 8 & 0xff, colour & 0xff];
                for ((out, channel), grain) in out.iter_mut().zip([r, g, b]).zip(grain) {
                    *out = (channel as i32 + ((i32::from(*grain) * strength) >> 12)).clamp(0, 255) as u8;
                }
            }
        }
    }
}

/// The cabin behind the driver: roof, rear window, door frame, seat and head-rest; out of focus.
pub(crate) fn cabin(width: usize, height: usize, brightness: V3, tone: &Tone) -> Vec<u32> {
    let mut picture = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            // -1..1 across and down, by the height.
            let u = (x as f32 - width as f32 / 2.0) / (height as f32 / 2.0);
            let v = (y as f32 - height as f32 / 2.0) / (height as f32 / 2.0);
            let edge = |low: f32, high: f32, x: f32| {
                smoothstep(low - 0.03, low + 0.03, x) * (1.0 - smoothstep(high - 0.03, high + 0.03, x))
            };
            let mut light = scale([0.30, 0.29, 0.28], 0.8 + 0.15 * noise([u * 3.0, v * 3.0, 0.0]));
            // Roof lining.
            let roof = 1.0 - smoothstep(-0.78, -0.68, v + 0.06 * u * u);
            light = mix(light, [0.52, 0.50, 0.47], roof);
            // Rear side windows: bright.
            let glass =
                (edge(0.72, 1.28, u + 0.12 * v) + edge(-1.30, -0.80, u - 0.10 * v)) * edge(-0.62, 0.02, v);
            light = mix(light, [2.1, 2.2, 2.35], glass.min(1.0));
            // Door pillar.
            light = mix(light, [0.16, 0.16, 0.17], edge(1.0, 1.12, u + 0.25 * v));
            // Seat back and head-rest.
            let rest = rounded(u, v + 0.16, 0.40, 0.38, 0.12).max(rounded(u, v - 1.05, 0.74, 0.72, 0.25));
            light = mix(light, scale([0.13, 0.125, 0.13], 1.0 + 0.3 * noise([u * 9.0, v * 9.0, 4.0])), rest);
            let vignette = 1.0 - 0.18 * (u * u + v * v);
            picture.push(tone.pack(core::array::from_fn(|k| light[k] * brightness[k] * vignette)));
        }
    }
    picture
}

fn mix(a: V3, b: V3, t: f32) -> V3 {
    core::array::from_fn(|k| lerp(a[k], b[k], t))
}

/// A box with round corners, soft at its edge.
fn rounded(u: f32, v: f32, half_width: f32, half_height: f32, corner: f32) -> f32 {
    let dx = (u.abs() - half_width + corner).max(0.0);
    let dy = (v.abs() - half_height + corner).max(0.0);
    1.0 - smoothstep(-0.02, 0.02, (dx * dx + dy * dy).sqrt() - corner)
}
