//! The camera: where it is mounted and how it maps the cabin to pixels.

use crate::math::{M3, V3, add, apply, bearing, cross, scale, sub, unit};

/// A pinhole camera, given in the driver frame: the origin is the driver's nominal eye point (midway between the eyes),
/// x to the driver's left, y up, z forward along the road. Metres.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Camera {
    /// Where it is. The default is on the steering column, a little towards the middle of the car.
    pub position_m: [f32; 3],
    /// The point in the middle of the picture.
    pub aim_m: [f32; 3],
    /// Focal length, pixels.
    pub focal_px: f32,
    /// Width of the picture, pixels.
    pub width: usize,
    /// Height of the picture, pixels.
    pub height: usize,
}

impl Default for Camera {
    fn default() -> Self {
        // 640x480 and 620 px: 54.6 degrees across, common for driver monitoring; an eye is 28 px wide at 0.63 m.
        Camera {
            position_m: [-0.06, -0.13, 0.62],
            aim_m: [0.0, -0.02, 0.0],
            focal_px: 620.0,
            width: 640,
            height: 480,
        }
    }
}

impl Camera {
    /// Yaw (left) and pitch (up) of the camera as the driver sees it from the nominal eye point, degrees: the gaze of a
    /// driver who looks into the lens. A picture alone gives head and gaze relative to this.
    pub fn bearing_deg(&self) -> (f32, f32) {
        bearing(self.position_m)
    }

    /// Rows: the picture's right, its down and its depth axis in the driver frame. Takes a direction in the driver frame
    /// to the camera's optical frame.
    pub fn optical_from_driver(&self) -> [[f32; 3]; 3] {
        let forward = unit(sub(self.aim_m, self.position_m));
        let right = unit(cross(forward, [0.0, 1.0, 0.0]));
        let down = cross(forward, right);
        [right, down, forward]
    }

    /// Why a scenario with this camera is refused.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let sizes = (64..=4096).contains(&self.width) && (48..=4096).contains(&self.height);
        if sizes && self.focal_px.is_finite() && self.focal_px > 10.0 {
            Ok(())
        } else {
            Err("the camera's picture is 64x48 to 4096x4096 and its focal length over 10 px")
        }
    }

    pub(crate) fn view(&self, oversampling: f32) -> View {
        View {
            rows: self.optical_from_driver(),
            // The head is in decimetres.
            position: scale(self.position_m, 10.0),
            focal: self.focal_px * oversampling,
            centre: [
                (self.width as f32 * oversampling - 1.0) / 2.0,
                (self.height as f32 * oversampling - 1.0) / 2.0,
            ],
        }
    }
}

/// A camera ready to project points in decimetres.
pub(crate) struct View {
    rows: M3,
    pub(crate) position: V3,
    focal: f32,
    centre: [f32; 2],
}

impl View {
    /// Pixels and one over depth; behind the camera the latter is negative.
    pub(crate) fn project(&self, p: V3) -> (f32, f32, f32) {
        let q = apply(&self.rows, sub(p, self.position));
        let inverse = 1.0 / if q[2].abs() < 1e-3 { 1e-3 } else { q[2] };
        (self.centre[0] + self.focal * q[0] * inverse, self.centre[1] + self.focal * q[1] * inverse, inverse)
    }

    /// The point in the picture's plane at `depth` (dm) that is at this pixel.
    pub(crate) fn at(&self, x: f32, y: f32, depth: f32) -> V3 {
        let right = (x - self.centre[0]) / self.focal * depth;
        let down = (y - self.centre[1]) / self.focal * depth;
        let [r, d, f] = self.rows;
        add(self.position, add(scale(r, right), add(scale(d, down), scale(f, depth))))
    }
}
