//! Rotated square regions of a frame: where a network looks, and how its answers map back.

use crate::warp::Affine;

/// A rotated rectangle in frame pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roi {
    /// Centre.
    pub centre: [f32; 2],
    /// Width and height.
    pub size: [f32; 2],
    /// Clockwise (x right, y down), radians.
    pub angle: f32,
}

impl Roi {
    /// A square.
    pub fn square(centre: [f32; 2], side: f32, angle: f32) -> Roi {
        Roi { centre, size: [side, side], angle }
    }

    /// The square of `side` output pixels over the whole frame, centred, with bars where the frame is not square.
    pub fn letterbox(width: usize, height: usize) -> Roi {
        let (w, h) = (width as f32, height as f32);
        Roi::square([w / 2.0, h / 2.0], w.max(h), 0.0)
    }

    /// The map from a `width` x `height` picture of this region to the frame.
    pub fn map(&self, width: usize, height: usize) -> Affine {
        let (s, c) = self.angle.sin_cos();
        let (sx, sy) = (self.size[0] / width as f32, self.size[1] / height as f32);
        let (right, down) = ([c * sx, s * sx], [-s * sy, c * sy]);
        let (hw, hh) = (width as f32 / 2.0, height as f32 / 2.0);
        Affine {
            right,
            down,
            origin: [
                self.centre[0] - hw * right[0] - hh * down[0],
                self.centre[1] - hw * right[1] - hh * down[1],
            ],
        }
    }

    /// The same map with left and right exchanged: the picture is a mirror image of the region.
    pub fn mirrored_map(&self, width: usize, height: usize) -> Affine {
        let map = self.map(width, height);
        Affine { right: [-map.right[0], -map.right[1]], down: map.down, origin: map.apply(width as f32, 0.0) }
    }

    /// True when a network can make something of it: all numbers finite, of sensible size, centred inside the frame.
    pub fn usable(&self, width: usize, height: usize) -> bool {
        /// Under this a face has no eyes left to see (the mesh needs about 2 pixels an eye lid), and a hand no fingers.
        const MIN_SIDE_PX: f32 = 24.0;
        let (w, h) = (width as f32, height as f32);
        let inside = (0.0..w).contains(&self.centre[0])
            && (0.0..h).contains(&self.centre[1])
            && self.angle.is_finite();
        inside && self.size.iter().all(|side| (MIN_SIDE_PX..=4.0 * w.max(h)).contains(side))
    }
}

/// The angle from `a` to `b`, radians, clockwise.
pub fn angle(a: [f32; 2], b: [f32; 2]) -> f32 {
    (b[1] - a[1]).atan2(b[0] - a[0])
}

/// The distance from `a` to `b`.
pub fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (b[0] - a[0]).hypot(b[1] - a[1])
}

/// The middle of `a` and `b`.
pub fn middle(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: [f32; 2], b: [f32; 2]) -> bool {
        distance(a, b) < 1e-3
    }

    #[test]
    fn the_middle_of_the_picture_is_the_centre_of_the_region() {
        let roi = Roi { centre: [30.0, 40.0], size: [20.0, 10.0], angle: 0.7 };
        assert!(close(roi.map(192, 192).apply(96.0, 96.0), [30.0, 40.0]));
    }

    #[test]
    fn a_region_turned_by_90_degrees_looks_down_along_its_right() {
        let roi = Roi::square([0.0, 0.0], 2.0, core::f32::consts::FRAC_PI_2);
        assert!(close(roi.map(2, 2).apply(2.0, 1.0), [0.0, 1.0]));
    }

    #[test]
    fn a_mirrored_map_exchanges_left_and_right() {
        let roi = Roi { centre: [5.0, 6.0], size: [4.0, 2.0], angle: 0.3 };
        let (plain, mirrored) = (roi.map(8, 4), roi.mirrored_map(8, 4));
        assert!(close(plain.apply(1.0, 3.0), mirrored.apply(7.0, 3.0)));
    }

    #[test]
    fn a_letterbox_leaves_bars_above_and_below_a_wide_frame() {
        let map = Roi::letterbox(640, 480).map(128, 128);
        assert!(close(map.apply(0.0, 0.0), [0.0, -80.0]) && close(map.apply(128.0, 128.0), [640.0, 560.0]));
    }

    #[test]
    fn a_region_that_left_the_frame_or_is_no_number_is_not_usable() {
        assert!(Roi::square([100.0, 100.0], 80.0, 0.1).usable(640, 480));
        for bad in [
            Roi::square([-5.0, 100.0], 80.0, 0.0),
            Roi::square([100.0, f32::NAN], 80.0, 0.0),
            Roi::square([100.0, 100.0], 3.0, 0.0),
            Roi::square([100.0, 100.0], f32::INFINITY, 0.0),
            Roi::square([100.0, 100.0], 80.0, f32::NAN),
        ] {
            assert!(!bad.usable(640, 480), "{bad:?}");
        }
    }
}
