//! The hand's own frame, and what makes one person's hand differ from another's.

use crate::source::Source;

/// The thumb to the little finger, as the rig numbers them.
pub(crate) const FINGERS: [u8; 5] = [1, 2, 3, 4, 5];

/// The frame of the right hand: origin in the wrist, x towards the thumb's side, y towards the fingers (through the middle
/// finger's knuckle), z out of the palm. Decimetres.
pub(crate) struct Frame {
    origin: [f32; 3],
    rows: [[f32; 3]; 3],
}

impl Frame {
    pub(crate) fn new(source: &Source, shape: &[[f32; 3]]) -> Frame {
        let origin = source.centre("joint-r-hand", shape);
        let [index, middle, little] =
            [2, 3, 5].map(|f| source.centre(&format!("joint-r-finger-{f}-1"), shape));
        let y = unit(sub(middle, origin));
        let across = sub(index, little);
        let x = unit(sub(across, y.map(|k| k * dot(across, y))));
        let z = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
        Frame { origin, rows: [x, y, z] }
    }

    pub(crate) fn local(&self, p: [f32; 3]) -> [f32; 3] {
        let d = sub(p, self.origin);
        self.rows.map(|row| dot(row, d))
    }
}

/// Targets of the hand alone, on top of an identity's own. The base mesh's fingers are a little short.
pub(crate) fn hand_targets(identity: &str) -> &'static [(&'static str, f32)] {
    match identity {
        "ada" => &[("hands/r-hand-fingers-length-incr", 0.5), ("hands/r-hand-fingers-diameter-decr", 0.2)],
        "ben" => &[("hands/r-hand-fingers-length-incr", 0.4), ("hands/r-hand-fingers-diameter-incr", 0.2)],
        "chi" => &[("hands/r-hand-fingers-length-incr", 0.6), ("hands/r-hand-fingers-diameter-decr", 0.4)],
        "dai" => &[("hands/r-hand-fingers-length-incr", 0.2), ("hands/r-hand-fingers-diameter-incr", 0.4)],
        "efe" => &[("hands/r-hand-fingers-length-incr", 0.7)],
        "fola" => &[("hands/r-hand-fingers-length-incr", 0.3), ("hands/r-hand-scale-decr", 0.2)],
        "gus" => &[("hands/r-hand-fingers-length-incr", 0.3), ("hands/r-hand-fingers-diameter-incr", 0.5)],
        "hana" => &[("hands/r-hand-fingers-length-incr", 0.5)],
        "ivo" => &[("hands/r-hand-fingers-length-incr", 0.5), ("hands/r-hand-scale-incr", 0.2)],
        "juno" => &[("hands/r-hand-fingers-length-incr", 0.4), ("hands/r-hand-fingers-diameter-decr", 0.3)],
        "kofi" => &[("hands/r-hand-fingers-length-incr", 0.6), ("hands/r-hand-fingers-diameter-incr", 0.3)],
        "lena" => &[("hands/r-hand-fingers-length-incr", 0.3), ("hands/r-hand-fingers-diameter-decr", 0.1)],
        _ => &[],
    }
}

fn sub(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
fn unit(a: [f32; 3]) -> [f32; 3] {
    let n = dot(a, a).sqrt().max(1e-12);
    a.map(|x| x / n)
}
