//! The rasteriser: triangles with a depth buffer, shaded by interpolated light times a texel. One colour format inside:
//! `0x00RRGGBB`, already through the tone curve.

use crate::look::{TEXTURE, Texture};

/// A corner of a triangle: pixels, one over depth, light (r, g, b), sheen, texel coordinates.
#[derive(Clone, Copy, Default)]
pub(crate) struct Corner {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) inverse_depth: f32,
    pub(crate) light: [f32; 3],
    pub(crate) sheen: f32,
    pub(crate) texel: [f32; 2],
}

/// From linear light to 8 bits, with a soft shoulder.
pub(crate) struct Tone([u8; Tone::STEPS + 1]);

impl Tone {
    const STEPS: usize = 4096;
    /// The light at which the curve is at its end.
    const WHITE: f32 = 1.6;

    pub(crate) fn new(exposure: f32) -> Tone {
        let mut table = [0; Tone::STEPS + 1];
        for (n, out) in table.iter_mut().enumerate() {
            let x = exposure * Tone::WHITE * n as f32 / Tone::STEPS as f32;
            let shoulder = x * (1.0 + x / 2.6) / (1.0 + x * 0.62);
            *out = (255.0 * libm::powf(shoulder.min(1.0), 1.0 / 2.2) + 0.5) as u8;
        }
        Tone(table)
    }

    #[inline(always)]
    pub(crate) fn of(&self, x: f32) -> u32 {
        // `as` saturates, so no light is out of range.
        let step = ((x * (Tone::STEPS as f32 / Tone::WHITE)) as usize).min(Tone::STEPS);
        u32::from(self.0[step])
    }

    #[inline(always)]
    pub(crate) fn pack(&self, [r, g, b]: [f32; 3]) -> u32 {
        self.of(r) << 16 | self.of(g) << 8 | self.of(b)
    }
}

/// Colour and depth.
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) colour: Vec<u32>,
    /// One over depth; larger is nearer.
    pub(crate) depth: Vec<f32>,
}

/// What the inside of a triangle looks like.
pub(crate) enum Fill<'a> {
    /// Light times the texture.
    Skin(&'a Texture, bool),
    /// Light as it is.
    Flat,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, height, colour: vec![0; width * height], depth: vec![0.0; width * height] }
    }

    /// Calls `shade(pixel index, x, y)` for the pixels of a triangle that are nearest so far. Clockwise triangles (in
    /// pixels, y down: those that show their back) are left out.
    #[inline(always)]
    pub(crate) fn cover(&mut self, [a, b, c]: [&Corner; 3], mut shade: impl FnMut(&mut u32, f32, f32)) {
        let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        // Outward faces run anticlockwise seen from outside; y points down here, so their area is negative.
        if area >= -1e-4 {
            return;
        }
        let low_y = a.y.min(b.y).min(c.y).ceil().max(0.0) as usize;
        let high_y = a.y.max(b.y).max(c.y).floor().min(self.height as f32 - 1.0);
        if high_y < low_y as f32 {
            return;
        }
        let dzx = ((b.inverse_depth - a.inverse_depth) * (c.y - a.y)
            - (c.inverse_depth - a.inverse_depth) * (b.y - a.y))
            / area;
        let dzy = ((c.inverse_depth - a.inverse_depth) * (b.x - a.x)
            - (b.inverse_depth - a.inverse_depth) * (c.x - a.x))
            / area;
        for y in low_y..=high_y as usize {
            let fy = y as f32;
            let (mut left, mut right) = (f32::MAX, f32::MIN);
            for (p, q) in [(a, b), (b, c), (c, a)] {
                let (top, bottom) = if p.y <= q.y { (p, q) } else { (q, p) };
                if top.y <= fy && fy <= bottom.y {
                    if bottom.y == top.y {
                        left = left.min(top.x.min(bottom.x));
                        right = right.max(top.x.max(bottom.x));
                    } else {
                        let x = top.x + (bottom.x - top.x) * ((fy - top.y) / (bottom.y - top.y));
                        left = left.min(x);
                        right = right.max(x);
                    }
                }
            }
            let from = left.ceil().max(0.0);
            let to = right.floor().min(self.width as f32 - 1.0);
            if to < from {
                continue;
            }
            let row = y * self.width;
            let span = row + from as usize..=row + to as usize;
            let (Some(depths), Some(colours)) = (self.depth.get_mut(span.clone()), self.colour.get_mut(span))
            else {
                continue;
            };
            let mut x = from;
            let mut z = a.inverse_depth + (from - a.x) * dzx + (fy - a.y) * dzy;
            for (depth, colour) in depths.iter_mut().zip(colours) {
                if z > *depth {
                    *depth = z;
                    shade(colour, x, fy);
                }
                x += 1.0;
                z += dzx;
            }
        }
    }

    /// Draws a triangle.
    pub(crate) fn draw(&mut self, corners: [&Corner; 3], fill: &Fill, tone: &Tone) {
        let [a, b, c] = corners;
        let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        if area >= -1e-4 {
            return;
        }
        let slope = |pa: f32, pb: f32, pc: f32| {
            let dx = ((pb - pa) * (c.y - a.y) - (pc - pa) * (b.y - a.y)) / area;
            let dy = ((pc - pa) * (b.x - a.x) - (pb - pa) * (c.x - a.x)) / area;
            (pa - a.x * dx - a.y * dy, dx, dy)
        };
        let light = [0, 1, 2].map(|n| slope(a.light[n], b.light[n], c.light[n]));
        let at = |(base, dx, dy): (f32, f32, f32), x: f32, y: f32| (base + dy * y) + dx * x;
        match fill {
            Fill::Flat => self.cover(corners, |colour, x, y| {
                *colour = tone.pack([0, 1, 2].map(|n| at(light[n], x, y)));
            }),
            Fill::Skin(texture, infrared) => {
                let sheen = slope(a.sheen, b.sheen, c.sheen);
                let u = slope(a.texel[0], b.texel[0], c.texel[0]);
                let v = slope(a.texel[1], b.texel[1], c.texel[1]);
                let limit = (TEXTURE - 1) as f32;
                self.cover(corners, |colour, x, y| {
                    let column = at(u, x, y).clamp(0.0, limit) as usize;
                    let row = at(v, x, y).clamp(0.0, limit) as usize;
                    let texel = texture.texels[row * TEXTURE + column];
                    let shine = at(sheen, x, y);
                    if *infrared {
                        let grey =
                            tone.of(f32::from(texel[3]) * (1.0 / 65535.0) * at(light[0], x, y) + shine);
                        *colour = grey << 16 | grey << 8 | grey;
                    } else {
                        *colour = tone.pack(
                            [0, 1, 2]
                                .map(|n| f32::from(texel[n]) * (1.0 / 65535.0) * at(light[n], x, y) + shine),
                        );
                    }
                });
            }
        }
    }
}
