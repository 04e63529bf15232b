//! What a face is coloured like, and its texture: painted once for each face, by position on the head rather than by hand.

use crate::{
    head::{Head, Shape},
    math::{V3, add, lerp, scale, smoothstep},
    scenario::Wear,
    worn,
};

/// Side of the texture, texels.
pub(crate) const TEXTURE: usize = 1024;

/// A face's colours; linear light, 0..1.
pub(crate) struct Look {
    pub(crate) skin: V3,
    pub(crate) lip: V3,
    pub(crate) hair: V3,
    pub(crate) iris: V3,
    pub(crate) cloth: V3,
    /// Thickness of the hair, dm; 0 is shorn.
    pub(crate) hair_depth: f32,
    /// How far the hairline is drawn back, dm.
    pub(crate) receding: f32,
    /// Half the height of a brow, dm.
    pub(crate) brow: f32,
    pub(crate) brow_strength: f32,
    /// 0 shaved .. 1 a day's beard.
    pub(crate) stubble: f32,
}

#[rustfmt::skip]
pub(crate) const LOOKS: [Look; 12] = [
    Look { skin: [0.58, 0.36, 0.27], lip: [0.46, 0.16, 0.14], hair: [0.10, 0.055, 0.03], iris: [0.10, 0.19, 0.26], cloth: [0.10, 0.16, 0.30], hair_depth: 0.22, receding: 0.0, brow: 0.034, brow_strength: 0.85, stubble: 0.0 },
    Look { skin: [0.52, 0.32, 0.23], lip: [0.38, 0.17, 0.14], hair: [0.05, 0.03, 0.018], iris: [0.09, 0.05, 0.025], cloth: [0.20, 0.21, 0.22], hair_depth: 0.12, receding: 0.03, brow: 0.046, brow_strength: 0.95, stubble: 0.7 },
    Look { skin: [0.56, 0.37, 0.26], lip: [0.45, 0.17, 0.15], hair: [0.012, 0.010, 0.010], iris: [0.05, 0.028, 0.015], cloth: [0.45, 0.43, 0.40], hair_depth: 0.20, receding: 0.0, brow: 0.032, brow_strength: 0.9, stubble: 0.0 },
    Look { skin: [0.46, 0.29, 0.19], lip: [0.32, 0.15, 0.12], hair: [0.03, 0.03, 0.03], iris: [0.045, 0.025, 0.014], cloth: [0.05, 0.06, 0.07], hair_depth: 0.10, receding: 0.10, brow: 0.040, brow_strength: 0.8, stubble: 0.3 },
    Look { skin: [0.15, 0.075, 0.045], lip: [0.15, 0.065, 0.055], hair: [0.008, 0.007, 0.006], iris: [0.035, 0.018, 0.010], cloth: [0.50, 0.50, 0.52], hair_depth: 0.07, receding: 0.0, brow: 0.042, brow_strength: 0.9, stubble: 0.3 },
    Look { skin: [0.24, 0.125, 0.075], lip: [0.24, 0.085, 0.075], hair: [0.02, 0.016, 0.014], iris: [0.04, 0.020, 0.012], cloth: [0.42, 0.12, 0.09], hair_depth: 0.26, receding: 0.0, brow: 0.032, brow_strength: 0.85, stubble: 0.0 },
    Look { skin: [0.55, 0.35, 0.28], lip: [0.38, 0.18, 0.16], hair: [0.34, 0.33, 0.32], iris: [0.13, 0.20, 0.21], cloth: [0.14, 0.13, 0.11], hair_depth: 0.09, receding: 0.18, brow: 0.042, brow_strength: 0.65, stubble: 0.15 },
    Look { skin: [0.50, 0.31, 0.21], lip: [0.42, 0.15, 0.14], hair: [0.06, 0.025, 0.012], iris: [0.10, 0.09, 0.035], cloth: [0.12, 0.28, 0.20], hair_depth: 0.18, receding: 0.02, brow: 0.034, brow_strength: 0.85, stubble: 0.0 },
    Look { skin: [0.40, 0.24, 0.16], lip: [0.31, 0.14, 0.11], hair: [0.02, 0.014, 0.010], iris: [0.07, 0.045, 0.02], cloth: [0.30, 0.30, 0.12], hair_depth: 0.05, receding: 0.12, brow: 0.048, brow_strength: 0.9, stubble: 0.9 },
    Look { skin: [0.34, 0.195, 0.125], lip: [0.32, 0.11, 0.10], hair: [0.03, 0.016, 0.010], iris: [0.06, 0.032, 0.016], cloth: [0.30, 0.12, 0.30], hair_depth: 0.28, receding: 0.0, brow: 0.034, brow_strength: 0.9, stubble: 0.0 },
    Look { skin: [0.11, 0.056, 0.036], lip: [0.12, 0.055, 0.05], hair: [0.10, 0.10, 0.10], iris: [0.03, 0.016, 0.010], cloth: [0.08, 0.12, 0.10], hair_depth: 0.04, receding: 0.06, brow: 0.038, brow_strength: 0.75, stubble: 0.2 },
    Look { skin: [0.60, 0.40, 0.32], lip: [0.45, 0.20, 0.18], hair: [0.42, 0.36, 0.26], iris: [0.12, 0.22, 0.30], cloth: [0.25, 0.25, 0.35], hair_depth: 0.16, receding: 0.02, brow: 0.030, brow_strength: 0.6, stubble: 0.0 },
];

/// Cotton in the near infrared.
pub(crate) const CLOTH_INFRARED: f32 = 0.22;

/// What lies on one point of the head or the hand.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    pub(crate) colour: V3,
    /// Reflectance for the near-infrared picture (850 to 940 nm): skin tones draw together, lips vanish, hair stays darker.
    pub(crate) infrared: f32,
}

/// 0 skin .. 1 hair, by position relative to the middle of the eyes (dm).
pub(crate) fn hair_share(look: &Look, p: V3, ear: f32) -> f32 {
    // The hairline's height over depth: forehead, temple, before the ear, behind it, nape.
    const LINE: [(f32, f32); 6] =
        [(0.3, 0.78), (-0.15, 0.70), (-0.42, 0.42), (-0.72, 0.10), (-1.15, -0.12), (-1.7, -0.62)];
    let z = p[2];
    let mut height = LINE[5].1;
    if z >= LINE[0].0 {
        height = LINE[0].1;
    }
    for pair in LINE.windows(2) {
        let [(z0, y0), (z1, y1)] = [pair[0], pair[1]];
        if z < z0 && z >= z1 {
            height = lerp(y1, y0, (z - z1) / (z0 - z1));
        }
    }
    let ragged = 0.05 * (noise(scale(p, 9.0)) - 0.5) + 0.03 * (noise(scale(p, 31.0)) - 0.5);
    let line = height + ragged + look.receding * smoothstep(-0.6, 0.1, z);
    smoothstep(-0.02, 0.05, p[1] - line) * (1.0 - smoothstep(0.1, 0.5, ear))
}

/// Paints one point. `lip`, `mouth`, `ear`, `lash` are the mesh's masks there.
fn paint(look: &Look, shape: &Shape, wears: Wear, p: V3, [lip, mouth, ear, lash]: [f32; 4]) -> Paint {
    let fine = noise(scale(p, 55.0)) - 0.5;
    let coarse = noise(scale(p, 6.0)) - 0.5;
    let mut colour = scale(look.skin, 1.0 + 0.10 * fine + 0.12 * coarse);
    let mut infrared = 0.50 + 0.22 * look.skin[0] + 0.04 * fine + 0.04 * coarse;
    let mut over = |top: V3, infrared_top: f32, share: f32| {
        colour = [0, 1, 2].map(|n| lerp(colour[n], top[n], share));
        infrared = lerp(infrared, infrared_top, share);
    };
    // Cheeks, nose and ears are redder, the sockets darker.
    let cheek = [0.0f32, 1.0]
        .iter()
        .map(|side| {
            let c = [if *side > 0.0 { 0.42 } else { -0.42 }, -0.42, 0.15];
            near(p, c, 0.30)
        })
        .fold(near(p, [0.0, -0.38, 0.42], 0.18), f32::max)
        .max(ear * 0.8);
    over([look.skin[0] * 1.04, look.skin[1] * 0.80, look.skin[2] * 0.78], infrared_of(look), 0.6 * cheek);
    for eye in &shape.eyes {
        let socket = near(p, add(eye.0, [0.0, -0.02, 0.16]), 0.24);
        over(scale(look.skin, 0.78), infrared_of(look) * 0.93, 0.45 * socket);
    }
    // Beard.
    if look.stubble > 0.0 && p[2] > -0.9 {
        let area = smoothstep(-0.50, -0.66, p[1] + 0.12 * coarse) * smoothstep(-1.30, -1.12, p[1]);
        let moustache = near(p, [0.0, -0.50, 0.34], 0.17);
        over(scale(look.hair, 1.4), 0.30, (0.42 + 0.25 * fine) * look.stubble * area.max(moustache));
    }
    let worn = worn::over_skin(wears, look.hair, p);
    if let (Wear::Beard, Some((colour, infrared, share))) = (wears, worn) {
        over(scale(colour, 1.0 + 0.6 * fine), infrared, share);
    }
    over(scale(look.lip, 1.0 + 0.15 * fine), infrared_of(look) * 0.88, smoothstep(0.25, 0.75, lip));
    // Brows: an arc over each eye, thinner outside, of short strokes.
    for eye in &shape.eyes {
        let side = if eye.0[0] > 0.0 { 1.0 } else { -1.0 };
        let across = (p[0] - eye.0[0]) * side;
        let t = (across + 0.17) / 0.46;
        if (-0.1..1.1).contains(&t) && p[2] > eye.0[2] {
            let arc = eye.0[1] + 0.205 + 0.075 * libm::sinf(2.5 * t.clamp(0.0, 1.0)) - 0.035 * t;
            let half = look.brow * (1.05 - 0.55 * t);
            let stroke = 0.75 + 0.5 * (noise([p[0] * 70.0 + p[1] * 40.0 * side, p[1] * 18.0, 0.5]) - 0.5);
            let share = (1.0 - smoothstep(half * 0.65, half * 1.15, (p[1] - arc).abs()))
                * smoothstep(-0.02, 0.08, t)
                * (1.0 - smoothstep(0.88, 1.02, t));
            over(scale(look.hair, 0.9), 0.20, (share * stroke * look.brow_strength).clamp(0.0, 1.0));
        }
    }
    over([0.025, 0.016, 0.012], 0.08, 0.85 * smoothstep(0.35, 0.85, lash));
    let hair = hair_share(look, p, ear);
    let strand = 0.65 + 0.7 * noise([p[0] * 26.0, p[1] * 5.0, p[2] * 14.0]);
    over(scale(look.hair, strand), (0.16 + 0.5 * look.hair[0]) * strand, hair);
    over([0.16, 0.035, 0.03], 0.20, smoothstep(0.3, 0.7, mouth));
    if let (Wear::Mask | Wear::Hat, Some((colour, infrared, share))) = (wears, worn) {
        over(scale(colour, 1.0 + 0.1 * fine), infrared, share);
    }
    if below_collar(p) {
        over(look.cloth, CLOTH_INFRARED, 1.0);
    }
    Paint { colour, infrared }
}

pub(crate) fn infrared_of(look: &Look) -> f32 {
    0.50 + 0.22 * look.skin[0]
}

fn near(p: V3, c: V3, radius: f32) -> f32 {
    let d2: f32 = (0..3).map(|n| (p[n] - c[n]) * (p[n] - c[n])).sum();
    1.0 - smoothstep(0.0, radius, d2.sqrt())
}

/// Value noise, 0..1.
pub(crate) fn noise(p: V3) -> f32 {
    let cell = p.map(|x| x.floor());
    let f = [0, 1, 2].map(|n| {
        let t = p[n] - cell[n];
        t * t * (3.0 - 2.0 * t)
    });
    let corner = |dx: i32, dy: i32, dz: i32| {
        let mut h = (cell[0] as i32 + dx).wrapping_mul(0x27d4_eb2d) as u32;
        h ^= (cell[1] as i32 + dy).wrapping_mul(0x1656_67b1) as u32;
        h = h.rotate_left(13).wrapping_mul(0x9E37_79B1);
        h ^= (cell[2] as i32 + dz).wrapping_mul(0x85eb_ca6b_u32 as i32) as u32;
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h ^= h >> 12;
        (h & 0xffff) as f32 / 65535.0
    };
    let plane = |dz| {
        lerp(
            lerp(corner(0, 0, dz), corner(1, 0, dz), f[0]),
            lerp(corner(0, 1, dz), corner(1, 1, dz), f[0]),
            f[1],
        )
    };
    lerp(plane(0), plane(1), f[2])
}

/// A face's painted skin: linear reflectance in 1/65535, red, green, blue, infrared.
pub(crate) struct Texture {
    pub(crate) texels: Vec<[u16; 4]>,
    /// From a texture coordinate of the mesh to texels: offset and scale.
    offset: [f32; 2],
    scale: [f32; 2],
}

impl Texture {
    /// Texel coordinates of a mesh's texture coordinate.
    pub(crate) fn place(&self, uv: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|n| ((uv[n] - self.offset[n]) * self.scale[n]).clamp(0.0, TEXTURE as f32 - 1.001))
    }

    /// Paints a face. Triangles below the collar are cloth and need no texel.
    pub(crate) fn paint(head: &Head, shape: &Shape, look: &Look, wears: Wear) -> Texture {
        let on_head: Vec<_> = head.triangles[head.groups[0].clone()]
            .iter()
            .filter(|t| t.iter().any(|(v, _)| shape.vertices[usize::from(*v)][1] > COLLAR - 0.8))
            .collect();
        let (mut low, mut high) = ([1.0f32; 2], [0.0f32; 2]);
        for (_, t) in on_head.iter().flat_map(|t| t.iter()) {
            for n in 0..2 {
                low[n] = low[n].min(head.uvs[usize::from(*t)][n]);
                high[n] = high[n].max(head.uvs[usize::from(*t)][n]);
            }
        }
        let mut texture = Texture::blank(low, high);
        let mut painted = vec![false; TEXTURE * TEXTURE];
        for triangle in on_head {
            let corners = triangle.map(|(_, t)| texture.place(head.uvs[usize::from(t)]));
            let places = triangle.map(|(v, _)| shape.vertices[usize::from(v)]);
            let masks = triangle.map(|(v, _)| head.masks[usize::from(v)]);
            texture.fill(corners, &mut painted, |w| {
                let mix = |f: &dyn Fn(usize) -> f32| (0..3).map(|n| w[n] * f(n)).sum::<f32>();
                let place = [0, 1, 2].map(|k| mix(&|n| places[n][k]));
                let lip = mix(&|n| masks[n].lip);
                let mouth = mix(&|n| masks[n].mouth);
                let ear = mix(&|n| masks[n].ear);
                let lash = mix(&|n| masks[n].lash);
                paint(look, shape, wears, place, [lip, mouth, ear, lash])
            });
        }
        texture
    }

    /// A texture for texture coordinates between these, with a margin.
    pub(crate) fn blank(low: [f32; 2], high: [f32; 2]) -> Texture {
        let scale = [0, 1].map(|n| (TEXTURE as f32 - 8.0) / (high[n] - low[n]).max(1e-6));
        let offset = [0, 1].map(|n| low[n] - 4.0 / scale[n]);
        Texture { texels: vec![[0; 4]; TEXTURE * TEXTURE], offset, scale }
    }

    /// Paints the texels around what is painted like their neighbours, so that no seam shows. `rounds`: texels.
    pub(crate) fn bleed(&mut self, painted: &mut [bool], rounds: usize) {
        for _ in 0..rounds {
            let before = painted.to_owned();
            for at in TEXTURE + 1..TEXTURE * (TEXTURE - 1) - 1 {
                let around = [at - 1, at + 1, at - TEXTURE, at + TEXTURE];
                if let (false, Some(from)) = (before[at], around.into_iter().find(|n| before[*n])) {
                    self.texels[at] = self.texels[from];
                    painted[at] = true;
                }
            }
        }
    }

    /// Paints a triangle of texels; `paint` is given the weights of its corners.
    pub(crate) fn fill(
        &mut self,
        corners: [[f32; 2]; 3],
        painted: &mut [bool],
        paint: impl Fn([f32; 3]) -> Paint,
    ) {
        let [a, b, c] = corners;
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if area.abs() < 1e-9 {
            return;
        }
        let range = |n: usize| {
            let low = a[n].min(b[n]).min(c[n]) - 1.5;
            let high = a[n].max(b[n]).max(c[n]) + 1.5;
            (low.max(0.0) as usize)..=(high.min(TEXTURE as f32 - 1.0) as usize)
        };
        for y in range(1) {
            for x in range(0) {
                let p = [x as f32, y as f32];
                let wb = ((p[0] - a[0]) * (c[1] - a[1]) - (p[1] - a[1]) * (c[0] - a[0])) / area;
                let wc = ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])) / area;
                let w = [1.0 - wb - wc, wb, wc];
                let inside = w.iter().all(|w| *w >= 0.0);
                // A margin of a texel and a half around each triangle, unless another one owns the texel.
                let margin = 1.6 / area.abs().sqrt().max(1.0);
                let at = y * TEXTURE + x;
                if (!inside && painted[at]) || w.iter().any(|w| *w < -margin) {
                    continue;
                }
                let paint = paint(w);
                let [r, g, b] = paint.colour;
                self.texels[at] = [r, g, b, paint.infrared].map(|x| (x.clamp(0.0, 1.0) * 65535.0) as u16);
                painted[at] |= inside;
            }
        }
    }
}

/// Height of the collar relative to the eyes, dm, at the neck's side.
const COLLAR: f32 = -1.62;

/// A crew neck: lower in front than behind.
pub(crate) fn below_collar(p: V3) -> bool {
    p[1] < COLLAR + 0.12 * smoothstep(-1.1, -1.8, p[2]) - 0.22 * smoothstep(-1.1, -0.4, p[2])
}
