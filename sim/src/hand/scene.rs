//! The renderer of hands: a [`HandShot`] in, a [`HandFrame`] with its truth out. The hand is drawn over the simulated
//! driver, or over an empty cabin. Deterministic bit for bit; allocates only when a person or a light is new, and for the
//! pixels of a frame that is too small.

use crate::{
    camera::Camera,
    frame::Quality,
    hand::{
        mesh::{FOREARM, HandMesh},
        pose::HandPose,
        rig::{LANDMARKS, Skeleton, about_x, about_y, about_z},
        shade::Shade,
        skin::{self, HABITS, cloth_share},
    },
    light::{Light, Rig},
    look::{LOOKS, Texture},
    math::{M3, V3, add, apply, dot, length, lerp, mul, power, scale, sub, transpose, unit},
    pose::Pose,
    raster::{Corner, Fill},
    render::Renderer,
    scenario::Wear,
};

/// Where a hand is and how it is turned, to the camera: x to the picture's right, y down, z away from the camera.
///
/// At zero angles the fingers point up and the palm is to the camera. It is rolled first, then tilted, then turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// The wrist, metres.
    pub wrist_m: [f32; 3],
    /// Clockwise in the picture, degrees.
    pub roll_deg: f32,
    /// The picture's upper side towards the camera, degrees.
    pub tilt_deg: f32,
    /// The picture's right side towards the camera, degrees; at 180 the back of the hand is to the camera.
    pub turn_deg: f32,
}

impl Placement {
    /// Columns: the hand's axes (right hand: thumb's side, fingers, out of the palm) in the camera's frame.
    pub(crate) fn rotation(&self) -> M3 {
        // To the picture's right, up, towards the camera.
        let upright = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]];
        let rolled = mul(&about_z(self.roll_deg), &upright);
        mul(&about_y(self.turn_deg), &mul(&about_x(self.tilt_deg), &rolled))
    }

    /// The placement with which the middle of the palm is at `middle_m`, metres.
    pub fn around(middle_m: [f32; 3], roll_deg: f32, tilt_deg: f32, turn_deg: f32) -> Placement {
        let mut placement = Placement { wrist_m: middle_m, roll_deg, tilt_deg, turn_deg };
        // The middle of a hand with straight fingers is about at its knuckles, 9 cm from the wrist.
        let up = transpose(&placement.rotation())[1];
        placement.wrist_m = sub(middle_m, scale(up, 0.09));
        placement
    }
}

/// The hand in one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct HandShot {
    /// Whose hand: 0 .. [`HandScene::identities`]. The same number is the same person's face.
    pub identity: usize,
    /// The right hand, else the left, which is its mirror image.
    pub right: bool,
    /// The light.
    pub light: Light,
    /// Its joints.
    pub pose: HandPose,
    /// Where it is; None: not there.
    pub placement: Option<Placement>,
    /// The driver behind it; None: an empty cabin.
    pub driver: Option<Pose>,
    /// Seed of the sensor's noise in this frame.
    pub noise_seed: u64,
}

/// What is true of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HandTruth {
    /// Pixels; wrist, then thumb to little finger from root to tip. The middle of the first pixel is 0, 0.
    pub landmarks: [[f32; 2]; LANDMARKS],
    /// Distance from the camera of each, metres.
    pub depth_m: [f32; LANDMARKS],
    /// Share of the landmarks within the picture; 0 without a hand.
    pub in_frame: f32,
}

impl Default for HandTruth {
    fn default() -> Self {
        HandTruth { landmarks: [[0.0; 2]; LANDMARKS], depth_m: [0.0; LANDMARKS], in_frame: 0.0 }
    }
}

/// A picture. Grey when the light is infrared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HandFrame {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// 1 (mono8) or 3 (rgb8) bytes a pixel.
    pub channels: usize,
    /// Row by row.
    pub data: Vec<u8>,
    /// What is true of it.
    pub truth: HandTruth,
}

/// Renders hands. Keeps what is costly from frame to frame.
pub struct HandScene {
    mesh: HandMesh,
    camera: Camera,
    behind: Renderer,
    skeletons: Vec<Skeleton>,
    /// Vertices beyond the cut through the forearm, which cast no shade.
    far: Vec<bool>,
    /// By identity.
    kept: Vec<Option<Kept>>,
    shade: Shade,
    // Buffers.
    placed: Vec<V3>,
    normals: Vec<V3>,
    corners: Vec<Corner>,
}

/// What belongs to a person.
struct Kept {
    texture: Texture,
    texels: Vec<[f32; 2]>,
    cloth: Vec<f32>,
}

/// The driver's elbow, metres from the eyes' middle; that of the right arm (x is to the driver's left).
const ELBOW_M: V3 = [-0.26, -0.46, 0.10];
/// Thickness of a sleeve and the air under it, dm.
const SLEEVE: f32 = 0.07;

impl HandScene {
    /// A renderer for this camera.
    pub fn new(camera: Camera, quality: Quality) -> HandScene {
        let mesh = HandMesh::built_in();
        let skeletons = mesh.shapes.iter().map(Skeleton::new).collect();
        let far = (0..mesh.weights.len())
            .map(|v| {
                let hangs = mesh.weights[v].iter().any(|w| usize::from(w.0) == FOREARM && w.1 > 0.9);
                hangs && mesh.shapes.iter().any(|shape| shape.vertices[v][1] < -3.0)
            })
            .collect();
        HandScene {
            mesh,
            camera,
            behind: Renderer::new(camera, quality),
            skeletons,
            far,
            kept: Vec::new(),
            shade: Shade::new(),
            placed: Vec::new(),
            normals: Vec::new(),
            corners: Vec::new(),
        }
    }

    /// How many people's hands there are.
    pub fn identities(&self) -> usize {
        self.mesh.shapes.len().min(LOOKS.len())
    }

    /// A person's name.
    pub fn identity_name(&self, identity: usize) -> Option<&str> {
        self.mesh.shapes.get(identity).map(|shape| shape.name.as_str())
    }

    /// The camera.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Brings the tips of thumb and index finger of this person together.
    pub fn pinched(&self, identity: usize, pose: &HandPose) -> HandPose {
        let identity = identity.min(self.identities() - 1);
        super::pose::pinch(&self.skeletons[identity], &self.mesh.shapes[identity], pose)
    }

    /// Paints a hand now, so that no frame has to.
    pub fn warm(&mut self, identity: usize, light: Light, with_driver: bool) {
        let identity = identity.min(self.identities() - 1);
        if with_driver {
            self.behind.warm(identity, light, Wear::Nothing);
        }
        self.behind.background(light);
        if self.kept.len() <= identity {
            self.kept.resize_with(identity + 1, || None);
        }
        if self.kept[identity].is_none() {
            let (shape, habit) = (&self.mesh.shapes[identity], HABITS[identity]);
            let texture = skin::paint(&self.mesh, shape, &self.skeletons[identity], &LOOKS[identity], habit);
            let texels = self.mesh.uvs.iter().map(|uv| texture.place(*uv)).collect();
            let cloth = shape.vertices.iter().map(|p| cloth_share(habit, *p)).collect();
            self.kept[identity] = Some(Kept { texture, texels, cloth });
        }
    }

    /// Renders into a new frame.
    pub fn render(&mut self, shot: &HandShot) -> HandFrame {
        let mut frame = HandFrame::default();
        self.render_into(shot, &mut frame);
        frame
    }

    /// Renders into a frame that is there.
    pub fn render_into(&mut self, shot: &HandShot, frame: &mut HandFrame) {
        self.warm(shot.identity, shot.light, shot.driver.is_some());
        self.behind.background(shot.light);
        let flash = self.behind.meter(shot.placement.map_or(f32::MAX, |p| 10.0 * length(p.wrist_m)));
        if let Some(driver) = &shot.driver {
            self.behind.draw(driver);
        }
        frame.truth =
            shot.placement.map_or_else(HandTruth::default, |placement| self.draw(shot, &placement, flash));
        frame.width = self.camera.width;
        frame.height = self.camera.height;
        frame.channels = if shot.light.is_infrared() { 1 } else { 3 };
        self.behind.read_out(shot.light, shot.noise_seed, &mut frame.data);
    }

    /// Draws the hand over what is on the canvas.
    fn draw(&mut self, shot: &HandShot, placement: &Placement, metered: f32) -> HandTruth {
        let identity = shot.identity.min(self.identities() - 1);
        let over = self.behind.oversampling();
        let (Some(Some(kept)), Some((canvas, view, rig, tone))) =
            (self.kept.get(identity), self.behind.stage(shot.light))
        else {
            return HandTruth::default();
        };
        let (mesh, shape) = (&self.mesh, &self.mesh.shapes[identity]);
        // From the hand's frame to the driver's, in which lamps and camera are. A left hand is mirrored first.
        let side = if shot.right { 1.0 } else { -1.0 };
        let to_driver = transpose(&self.camera.optical_from_driver());
        let turn = mul(&to_driver, &placement.rotation());
        let wrist =
            add(scale(self.camera.position_m, 10.0), apply(&to_driver, scale(placement.wrist_m, 10.0)));
        let elbow = sub(scale([side * ELBOW_M[0], ELBOW_M[1], ELBOW_M[2]], 10.0), wrist);
        let elbow = apply(&transpose(&turn), elbow);
        let posed = self.skeletons[identity].pose(shape, &shot.pose, [side * elbow[0], elbow[1], elbow[2]]);
        let place = |p: &V3| add(wrist, apply(&turn, [side * p[0], p[1], p[2]]));

        posed.skin(mesh, shape, &mut self.placed);
        mesh.normals_into(&self.placed, &mut self.normals);
        for ((p, n), cloth) in self.placed.iter_mut().zip(&self.normals).zip(&kept.cloth) {
            *p = add(*p, scale(*n, SLEEVE * cloth));
        }
        self.placed.iter_mut().for_each(|p| *p = place(p));
        for n in &mut self.normals {
            *n = apply(&turn, [side * n[0], n[1], n[2]]);
        }
        self.shade.cast(&self.placed, &self.normals, &mesh.triangles, &self.far, rig.key);
        self.corners.clear();
        let lamps = Lamps { rig, metered, camera: view.position };
        self.corners.extend(self.placed.iter().enumerate().map(|(v, p)| {
            let (x, y, inverse_depth) = view.project(*p);
            let wet = lerp(1.0, 0.1, kept.cloth[v]) * lerp(1.0, 2.0, mesh.nail[v]);
            let (light, sheen) =
                lamps.on(*p, self.normals[v], self.shade.open[v], self.shade.lit[v], kept.cloth[v]);
            Corner { x, y, inverse_depth, light, sheen: sheen * wet, texel: [0.0; 2] }
        }));
        let fill = Fill::Skin(&kept.texture, shot.light.is_infrared());
        for triangle in &mesh.triangles {
            let corner = |n: usize| Corner {
                texel: kept.texels[usize::from(triangle[n].1)],
                ..self.corners[usize::from(triangle[n].0)]
            };
            let [a, b, c] = [corner(0), corner(1), corner(2)];
            // Nothing behind the lens; the mirror image runs the other way round.
            if [&a, &b, &c].iter().all(|corner| corner.inverse_depth > 0.0) {
                let order = if shot.right { [&a, &b, &c] } else { [&a, &c, &b] };
                canvas.draw(order, &fill, tone);
            }
        }

        let mut truth = HandTruth::default();
        let mut inside = 0;
        for (n, p) in posed.landmarks.iter().enumerate() {
            let (x, y, inverse) = view.project(place(p));
            let pixel = [x, y].map(|k| (k - (over - 1.0) / 2.0) / over);
            truth.landmarks[n] = pixel;
            truth.depth_m[n] = 0.1 / inverse;
            inside += usize::from(
                inverse > 0.0
                    && pixel[0] >= 0.0
                    && pixel[1] >= 0.0
                    && pixel[0] <= self.camera.width as f32 - 1.0
                    && pixel[1] <= self.camera.height as f32 - 1.0,
            );
        }
        truth.in_frame = inside as f32 / LANDMARKS as f32;
        truth
    }
}

/// The lamps, and where the camera's own is.
struct Lamps<'a> {
    rig: &'a Rig,
    /// Share of the flash's strength.
    metered: f32,
    camera: V3,
}

impl Lamps<'_> {
    /// Light and sheen on a point of skin (or cloth) that sees this much of the sky and of the key lamp.
    fn on(&self, p: V3, n: V3, open: f32, lit: f32, cloth: f32) -> (V3, f32) {
        let rig = self.rig;
        let to_camera = sub(self.camera, p);
        let distance = length(to_camera).max(1e-3);
        let eye = scale(to_camera, 1.0 / distance);
        // Light goes into skin and comes out beside: red the furthest, so the edge of a shadow is red.
        let wraps = if cloth > 0.5 { [0.1; 3] } else { [0.34, 0.18, 0.14] };
        let lit_by = |l: V3, wrap: f32| ((dot(n, l) + wrap) / (1.0 + wrap)).max(0.0);
        let soft = [0.12, 0.04, 0.02];
        let flash = self.metered * rig.flash * (6.5 / distance) * (6.5 / distance) * lit_by(eye, 0.05);
        let up = 0.5 + 0.5 * n[1];
        // Open skin next to skin is lit by it.
        let sky = lerp(0.18, 1.0, open);
        let light = core::array::from_fn(|k| {
            rig.key_colour[k] * lit_by(rig.key, wraps[k]) * lerp(soft[k], 1.0, lit)
                + rig.fill_colour[k] * lit_by(rig.fill, 0.3) * sky
                + lerp(rig.ground[k], rig.sky[k], up) * sky
                + flash * lerp(0.75, 1.0, open)
        });
        let shine = |l: V3, doublings: u32| power(dot(n, unit(add(l, eye))).max(0.0), doublings);
        let sheen = shine(rig.key, 4) * rig.key_colour[0] * 0.055 * lit + shine(eye, 5) * rig.flash * 0.04;
        (light, sheen * open)
    }
}
