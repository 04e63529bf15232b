//! Three-vectors and rotations. Driver frame everywhere: x to the driver's left, y up, z forward to the road.

pub(crate) type V3 = [f32; 3];
pub(crate) type M3 = [[f32; 3]; 3];

pub(crate) fn add(a: V3, b: V3) -> V3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}
pub(crate) fn sub(a: V3, b: V3) -> V3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
pub(crate) fn scale(a: V3, s: f32) -> V3 {
    [a[0] * s, a[1] * s, a[2] * s]
}
pub(crate) fn dot(a: V3, b: V3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
pub(crate) fn cross(a: V3, b: V3) -> V3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
pub(crate) fn length(a: V3) -> f32 {
    dot(a, a).sqrt()
}
pub(crate) fn unit(a: V3) -> V3 {
    scale(a, 1.0 / length(a).max(1e-12))
}
pub(crate) fn apply(m: &M3, v: V3) -> V3 {
    [dot(m[0], v), dot(m[1], v), dot(m[2], v)]
}
pub(crate) fn transpose(m: &M3) -> M3 {
    [[m[0][0], m[1][0], m[2][0]], [m[0][1], m[1][1], m[2][1]], [m[0][2], m[1][2], m[2][2]]]
}
pub(crate) fn mul(a: &M3, b: &M3) -> M3 {
    let t = transpose(b);
    a.map(|row| [dot(row, t[0]), dot(row, t[1]), dot(row, t[2])])
}

/// Sine and cosine of an angle in degrees.
pub(crate) fn sin_cos_deg(deg: f32) -> (f32, f32) {
    let (s, c) = libm::sincosf(deg.to_radians());
    (s, c)
}

/// A turn about the unit vector `k`, radians.
pub(crate) fn about(k: V3, angle: f32) -> M3 {
    let (s, c) = libm::sincosf(angle);
    let t = 1.0 - c;
    [
        [c + k[0] * k[0] * t, k[0] * k[1] * t - k[2] * s, k[0] * k[2] * t + k[1] * s],
        [k[1] * k[0] * t + k[2] * s, c + k[1] * k[1] * t, k[1] * k[2] * t - k[0] * s],
        [k[2] * k[0] * t - k[1] * s, k[2] * k[1] * t + k[0] * s, c + k[2] * k[2] * t],
    ]
}

/// Yaw to the driver's left, then pitch up, then roll (the head's top to the driver's right); degrees.
pub(crate) fn rotation(yaw: f32, pitch: f32, roll: f32) -> M3 {
    let (sy, cy) = sin_cos_deg(yaw);
    let (sp, cp) = sin_cos_deg(pitch);
    let (sr, cr) = sin_cos_deg(roll);
    let about_y = [[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]];
    let about_x = [[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]];
    let about_z = [[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]];
    mul(&mul(&about_y, &about_x), &about_z)
}

/// The unit vector at this yaw (left) and pitch (up), degrees.
pub fn direction(yaw: f32, pitch: f32) -> V3 {
    let (sy, cy) = sin_cos_deg(yaw);
    let (sp, cp) = sin_cos_deg(pitch);
    [sy * cp, sp, cy * cp]
}

/// Yaw (left) and pitch (up) of a direction, degrees.
pub fn bearing(v: V3) -> (f32, f32) {
    let v = unit(v);
    (libm::atan2f(v[0], v[2]).to_degrees(), libm::asinf(v[1].clamp(-1.0, 1.0)).to_degrees())
}

/// `x` to the power of two to the `doublings`.
pub(crate) fn power(x: f32, doublings: u32) -> f32 {
    (0..doublings).fold(x, |x, _| x * x)
}

pub(crate) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}
pub(crate) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A small generator of our own (PCG-XSH-RR 32): the same numbers everywhere, for ever.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        random.next();
        random.next();
        random
    }
    pub(crate) fn next(&mut self) -> u32 {
        let old = self.0;
        self.0 = old.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = (((old >> 18) ^ old) >> 27) as u32;
        x.rotate_right((old >> 59) as u32)
    }
    /// 0 <= x < 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / 16_777_216.0
    }
    /// Near-normal with deviation 1 (sum of uniform numbers).
    pub(crate) fn normal(&mut self) -> f32 {
        let sum: f32 = (0..6).map(|_| self.unit()).sum();
        (sum - 3.0) * core::f32::consts::SQRT_2
    }
}
