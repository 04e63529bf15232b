//! The face mesh: decoding of MediaPipe's `face_landmark` (468 points of a 192 x 192 picture), where to look next, and
//! which points mean what.

use crate::{
    canonical::BASIS,
    roi::{self, Roi},
    warp::Affine,
};

/// Side of the picture that the network sees, pixels.
pub const SIDE: usize = 192;
/// Points.
pub const POINTS: usize = 468;

/// A cheek's middle: the driver's right, left.
const CHEEKS: [usize; 2] = [50, 280];

/// Eye corners in the mesh: outer and inner of the driver's right eye, then inner and outer of the left, so that each pair
/// runs from left to right in an upright frame.
pub const EYE_CORNERS: [[usize; 2]; 2] = [[33, 133], [362, 263]];
/// Mouth corners, and the middle of the inner lips (upper, lower).
const MOUTH: [usize; 4] = [61, 291, 13, 14];

/// The points of one face in frame pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    points: Box<[[f32; 2]; POINTS]>,
}

impl Default for Mesh {
    fn default() -> Self {
        Mesh { points: Box::new([[0.0; 2]; POINTS]) }
    }
}

impl Mesh {
    /// Takes over the network's answer (x, y, z of each point, pixels of its picture); false, and the mesh of no use, when
    /// the answer holds what is no number.
    pub fn decode(&mut self, raw: &[f32], map: &Affine) -> bool {
        let mut sound = raw.len() == POINTS * 3;
        for (point, xyz) in self.points.iter_mut().zip(raw.chunks_exact(3)) {
            sound &= xyz[0].is_finite() && xyz[1].is_finite();
            *point = map.apply(xyz[0], xyz[1]);
        }
        sound
    }

    /// A point.
    pub fn at(&self, index: usize) -> [f32; 2] {
        self.points[index]
    }

    /// All points.
    pub fn points(&self) -> &[[f32; 2]] {
        self.points.as_slice()
    }

    /// The smallest upright rectangle around the face: top-left corner, then width and height.
    pub fn rect(&self) -> [f32; 4] {
        let mut low = [f32::INFINITY; 2];
        let mut high = [f32::NEG_INFINITY; 2];
        for point in self.points.iter() {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        [low[0], low[1], high[0] - low[0], high[1] - low[1]]
    }

    /// Where to look for the same face in the next frame: level with the outer eye corners, half as large again.
    pub fn roi(&self) -> Roi {
        let [x, y, w, h] = self.rect();
        Roi::square([x + w / 2.0, y + h / 2.0], 1.5 * w.max(h), roi::angle(self.at(33), self.at(263)))
    }

    /// The corners of an eye (0: the driver's right, 1: left), from left to right in an upright frame.
    pub fn eye(&self, eye: usize) -> [[f32; 2]; 2] {
        EYE_CORNERS[eye].map(|index| self.at(index))
    }

    /// A point on the cheek below an eye.
    pub fn cheek(&self, eye: usize) -> [f32; 2] {
        self.at(CHEEKS[eye])
    }

    /// Inner-lip opening over mouth width; yawning is over 0.5.
    pub fn mouth_opening(&self) -> f32 {
        let [right, left, upper, lower] = MOUTH.map(|index| self.at(index));
        roi::distance(upper, lower) / roi::distance(right, left).max(1e-3)
    }

    /// The basis points of the head pose.
    pub fn basis(&self) -> [[f32; 2]; BASIS.len()] {
        BASIS.map(|anchor| self.at(anchor.index))
    }
}

/// The presence logit as a probability.
pub fn presence(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mesh(point: impl Fn(usize) -> [f32; 3]) -> (Mesh, bool) {
        let raw: Vec<f32> = (0..POINTS).flat_map(point).collect();
        let mut mesh = Mesh::default();
        let map = Roi::square([96.0, 96.0], 192.0, 0.0).map(SIDE, SIDE);
        let sound = mesh.decode(&raw, &map);
        (mesh, sound)
    }

    #[test]
    fn the_next_region_is_centred_on_the_points_and_half_as_large_again() {
        let (mesh, sound) = mesh(|i| [(i % 2) as f32 * 100.0, (i % 3) as f32 * 40.0, 0.0]);
        assert!(sound);
        let roi = mesh.roi();
        assert_eq!((roi.centre, roi.size[0]), ([50.0, 40.0], 150.0));
    }

    #[test]
    fn an_open_mouth_opens() {
        let (mesh, _) = mesh(|i| match i {
            61 => [40.0, 100.0, 0.0],
            291 => [80.0, 100.0, 0.0],
            13 => [60.0, 90.0, 0.0],
            14 => [60.0, 110.0, 0.0],
            _ => [0.0; 3],
        });
        assert!((mesh.mouth_opening() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn points_that_are_no_numbers_are_told() {
        assert!(!mesh(|i| [if i == 7 { f32::NAN } else { 1.0 }, 1.0, 0.0]).1);
        assert!(!Mesh::default().decode(&[0.0; 30], &Roi::letterbox(4, 4).map(1, 1)));
    }

    #[test]
    fn presence_is_even_at_zero() {
        assert_eq!(presence(0.0), 0.5);
        assert!(presence(f32::NAN).is_nan());
    }
}
