//! Shade of a hand on itself: which share of a lamp, and of the whole sky, each vertex sees. From small depth maps along a
//! few directions, made anew for each frame, because a fist shades itself as no open hand does.

use crate::math::{V3, cross, dot, unit};

/// Side of a depth map, samples: 0.04 dm each on a hand, a fifth of a finger.
const SIDE: usize = 72;
/// A vertex is not shaded by what is nearer to it than this, dm: its own triangles.
const BIAS: f32 = 0.05;
/// Directions from which the sky is looked at.
const SKY: usize = 8;

/// Depth maps and their buffers.
pub(crate) struct Shade {
    sky: [V3; SKY],
    depth: Vec<f32>,
    /// By vertex: samples across and up, and towards the lamp in dm.
    placed: Vec<V3>,
    seen: Vec<f32>,
    /// By vertex: the share of the sky over its surface that is free.
    pub(crate) open: Vec<f32>,
    /// By vertex: the share of the lamp's light that arrives.
    pub(crate) lit: Vec<f32>,
    weight: Vec<f32>,
}

impl Shade {
    pub(crate) fn new() -> Shade {
        // Fibonacci sphere.
        let sky = core::array::from_fn(|n| {
            let y = 1.0 - 2.0 * (n as f32 + 0.5) / SKY as f32;
            let (s, c) = libm::sincosf(n as f32 * 2.399_963_2);
            let r = (1.0 - y * y).sqrt();
            [r * c, y, r * s]
        });
        Shade {
            sky,
            depth: Vec::new(),
            placed: Vec::new(),
            seen: Vec::new(),
            open: Vec::new(),
            lit: Vec::new(),
            weight: Vec::new(),
        }
    }

    /// Looks from the lamp and from the sky. Vertices whose `far` is true (the sleeve's end) neither shade nor count.
    pub(crate) fn cast(
        &mut self,
        vertices: &[V3],
        normals: &[V3],
        triangles: &[[(u16, u16); 3]],
        far: &[bool],
        lamp: V3,
    ) {
        let count = vertices.len();
        self.look(vertices, triangles, far, lamp);
        self.lit.clear();
        self.lit.extend_from_slice(&self.seen);
        self.open.clear();
        self.open.resize(count, 0.0);
        self.weight.clear();
        self.weight.resize(count, 0.0);
        for n in 0..SKY {
            let from = self.sky[n];
            self.look(vertices, triangles, far, from);
            for (v, normal) in normals.iter().enumerate() {
                let up = dot(*normal, from);
                if up > 0.05 {
                    self.open[v] += up * self.seen[v];
                    self.weight[v] += up;
                }
            }
        }
        for (open, weight) in self.open.iter_mut().zip(&self.weight) {
            *open = if *weight > 0.0 { *open / *weight } else { 1.0 };
        }
    }

    /// Which share of each vertex's surroundings is seen from far away in the direction `from`.
    fn look(&mut self, vertices: &[V3], triangles: &[[(u16, u16); 3]], far: &[bool], from: V3) {
        let helper = if from[1].abs() < 0.9 { [0.0, 1.0, 0.0] } else { [1.0, 0.0, 0.0] };
        let right = unit(cross(helper, from));
        let up = cross(from, right);
        self.placed.clear();
        self.placed.extend(vertices.iter().map(|p| [dot(*p, right), dot(*p, up), dot(*p, from)]));
        let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
        for p in self.placed.iter().zip(far).filter(|(_, far)| !**far).map(|(p, _)| p) {
            for n in 0..2 {
                low[n] = low[n].min(p[n]);
                high[n] = high[n].max(p[n]);
            }
        }
        let step = (SIDE as f32 - 3.0) / (high[0] - low[0]).max(high[1] - low[1]).max(1e-3);
        for p in &mut self.placed {
            *p = [(p[0] - low[0]) * step + 1.0, (p[1] - low[1]) * step + 1.0, p[2]];
        }
        self.depth.clear();
        self.depth.resize(SIDE * SIDE, f32::MIN);
        for triangle in triangles {
            let index = triangle.map(|(v, _)| usize::from(v));
            if index.iter().all(|v| !far[*v]) {
                self.draw(index.map(|v| self.placed[v]));
            }
        }
        let depth = &self.depth;
        self.seen.clear();
        self.seen.extend(self.placed.iter().map(|[x, y, z]| {
            let mut free = 0.0;
            for (dx, dy) in [(0.0, 0.0), (1.2, 0.3), (-1.2, -0.3), (0.3, -1.2), (-0.3, 1.2)] {
                let (x, y) = ((x + dx + 0.5) as usize, (y + dy + 0.5) as usize);
                let nearest = depth[y.min(SIDE - 1) * SIDE + x.min(SIDE - 1)];
                // Soft: half a bias to two.
                free += 1.0 - ((nearest - z - 0.5 * BIAS) / (1.5 * BIAS)).clamp(0.0, 1.0);
            }
            free / 5.0
        }));
    }

    fn draw(&mut self, [a, b, c]: [V3; 3]) {
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if area.abs() < 1e-9 {
            return;
        }
        let range = |n: usize| {
            let low = a[n].min(b[n]).min(c[n]).ceil().max(0.0) as usize;
            let high = a[n].max(b[n]).max(c[n]).floor().clamp(0.0, SIDE as f32 - 1.0) as usize;
            low..=high
        };
        for y in range(1) {
            for x in range(0) {
                let p = [x as f32, y as f32];
                let wb = ((p[0] - a[0]) * (c[1] - a[1]) - (p[1] - a[1]) * (c[0] - a[0])) / area;
                let wc = ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])) / area;
                let wa = 1.0 - wb - wc;
                if wa >= 0.0 && wb >= 0.0 && wc >= 0.0 {
                    let z = wa * a[2] + wb * b[2] + wc * c[2];
                    let at = &mut self.depth[y * SIDE + x];
                    *at = at.max(z);
                }
            }
        }
    }
}
