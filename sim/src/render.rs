//! The renderer: a [`Pose`] in, a [`Frame`] with its truth out. Deterministic bit for bit; allocates only in `new`, when the
//! face or the light changes, and for the pixels of a frame that is too small.

use crate::{
    camera::{Camera, View},
    eye::{self, Eye},
    frame::{EyeTruth, Frame, FrameTruth, Quality},
    head::{EYEBALL, Face, Head, LANDMARKS, Landmark, Shape, turn_share, unit},
    light::{Light, Rig},
    look::{CLOTH_INFRARED, LOOKS, Texture, below_collar, hair_share},
    math::{
        M3, V3, about, add, apply, cross, dot, length, lerp, mul, power, rotation, scale, smoothstep, sub,
        unit as unit_of,
    },
    pose::Pose,
    raster::{Canvas, Corner, Fill, Tone},
    scenario::Wear,
    sensor, worn,
};

/// Renders one driver. Keeps what is costly from frame to frame.
pub struct Renderer {
    head: Head,
    camera: Camera,
    view: View,
    quality: Quality,
    noise: sensor::Noise,
    canvas: Canvas,
    /// Share of the flash's full strength; less when something is near to the camera.
    metered: f32,
    /// By identity, and by what is worn.
    kept: Vec<[Option<Kept>; Wear::ALL.len()]>,
    /// By light, in the order of [`Light::ALL`].
    lit: [Option<Lit>; Light::ALL.len()],
    // Buffers.
    morphed: Vec<V3>,
    placed: Vec<V3>,
    normals: Vec<V3>,
    corners: Vec<Corner>,
}

/// What belongs to a face.
struct Kept {
    face: Face,
    texture: Texture,
    texels: Vec<[f32; 2]>,
    hair: Vec<f32>,
    share: Vec<f32>,
    /// Cloth, and no triangle of it is painted: its light carries the colour.
    inner_cloth: Vec<bool>,
}

/// What belongs to a light.
struct Lit {
    light: Light,
    rig: Rig,
    tone: Tone,
    background: Vec<u32>,
}

const TURNS: usize = 32;
/// The share of the way to closed at which lids rest: the mesh's own lids are wide open, those of a calm driver cover the
/// top of the iris.
const REST: f32 = 0.10;

impl Renderer {
    /// A renderer for this camera.
    pub fn new(camera: Camera, quality: Quality) -> Renderer {
        let over = if quality == Quality::Smooth { 2 } else { 1 };
        Renderer {
            head: Head::built_in(),
            camera,
            view: camera.view(over as f32),
            quality,
            noise: sensor::Noise::new(),
            canvas: Canvas::new(camera.width * over, camera.height * over),
            metered: 1.0,
            kept: Vec::new(),
            lit: Default::default(),
            morphed: Vec::new(),
            placed: Vec::new(),
            normals: Vec::new(),
            corners: Vec::new(),
        }
    }

    /// How many faces there are.
    pub fn identities(&self) -> usize {
        self.head.shapes.len().min(LOOKS.len())
    }

    /// A face's name.
    pub fn identity_name(&self, identity: usize) -> Option<&str> {
        self.head.shapes.get(identity).map(|shape| shape.name.as_str())
    }

    /// The face of this name.
    pub fn identity(&self, name: &str) -> Option<usize> {
        self.head.identities().position(|known| known == name)
    }

    /// The camera.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Renders into a new frame.
    pub fn render(&mut self, pose: &Pose) -> Frame {
        let mut frame = Frame::default();
        self.render_into(pose, &mut frame);
        frame
    }

    /// Renders into a frame that is there.
    pub fn render_into(&mut self, pose: &Pose, frame: &mut Frame) {
        self.background(pose.light);
        self.metered = 1.0;
        frame.truth = self.draw(pose);
        frame.width = self.camera.width;
        frame.height = self.camera.height;
        frame.channels = if pose.light.is_infrared() { 1 } else { 3 };
        self.read_out(pose.light, pose.noise_seed, &mut frame.data);
    }

    /// An empty cabin in this light: what everything else is drawn over.
    pub(crate) fn background(&mut self, light: Light) {
        self.warm_light(light);
        if let Some(lit) = &self.lit[light as usize] {
            self.canvas.colour.copy_from_slice(&lit.background);
        }
        self.canvas.depth.fill(0.0);
    }

    /// What the sensor makes of the canvas.
    pub(crate) fn read_out(&self, light: Light, noise_seed: u64, data: &mut Vec<u8>) {
        if let Some(lit) = &self.lit[light as usize] {
            let size = [self.camera.width, self.camera.height, if light.is_infrared() { 1 } else { 3 }];
            sensor::read_out(&self.canvas, &self.noise, lit.rig.noise, noise_seed, size, data);
        }
    }

    /// What others draw with: the canvas, the camera, the lamps and the tone curve.
    pub(crate) fn stage(&mut self, light: Light) -> Option<(&mut Canvas, &View, &Rig, &Tone)> {
        self.warm_light(light);
        let lit = self.lit[light as usize].as_ref()?;
        Some((&mut self.canvas, &self.view, &lit.rig, &lit.tone))
    }

    /// Samples along a pixel's side: 1 or 2.
    pub(crate) fn oversampling(&self) -> f32 {
        if self.quality == Quality::Smooth { 2.0 } else { 1.0 }
    }

    /// The flash's strength for something at this distance, dm: a camera takes the flash back until it is not dazzled.
    pub(crate) fn meter(&mut self, nearest: f32) -> f32 {
        self.metered = (nearest * nearest / (6.5 * 6.5)).clamp(0.1, 1.0);
        self.metered
    }

    /// Draws the driver over what is on the canvas.
    pub(crate) fn draw(&mut self, pose: &Pose) -> FrameTruth {
        let identity = pose.identity.min(self.identities() - 1);
        self.warm(identity, pose.light, pose.wears);
        let kept = self.kept.get(identity).and_then(|kept| kept[pose.wears as usize].as_ref());
        let (Some(kept), Some(lit)) = (kept, &self.lit[pose.light as usize]) else {
            return FrameTruth::default();
        };
        let shape = &self.head.shapes[identity];
        let look = &LOOKS[identity];

        kept.face.morph(&self.head, &weights(pose, &kept.face), &mut self.morphed);
        let width = |side: usize| {
            let mark = |n: usize| self.morphed[usize::from(self.head.landmarks[4 * side + n])];
            (mark(2)[1] - mark(3)[1]).max(0.0) / length(sub(mark(0), mark(1))).max(1e-6)
        };
        let lid_gap = [width(0), width(1)];
        let turn = rotation(pose.head_yaw_deg, pose.head_pitch_deg, pose.head_roll_deg);
        let offset = scale(pose.offset_m, 10.0);
        place(&mut self.morphed, &mut self.placed, kept, shape, &turn, offset);
        // Hair stands off the scalp.
        find_normals(&self.head, &self.placed, &mut self.normals);
        for ((p, n), hair) in self.placed.iter_mut().zip(&self.normals).zip(&kept.hair) {
            if *hair > 0.0 {
                *p = add(*p, scale(*n, *hair));
            }
        }

        let mut corners = core::mem::take(&mut self.corners);
        light_up(self, kept, lit, identity, &mut corners);
        self.corners = corners;
        let skin = Fill::Skin(&kept.texture, pose.light.is_infrared());
        for (group, range) in self.head.groups.iter().enumerate() {
            for triangle in &self.head.triangles[range.clone()] {
                let index = triangle.map(|(v, _)| usize::from(v));
                let flat = group > 0 || index.iter().all(|v| kept.inner_cloth[*v]);
                if flat {
                    let [a, b, c] = index.map(|v| &self.corners[v]);
                    self.canvas.draw([a, b, c], &Fill::Flat, &lit.tone);
                } else {
                    let corner = |n: usize| Corner {
                        texel: kept.texels[usize::from(triangle[n].1)],
                        ..self.corners[index[n]]
                    };
                    self.canvas.draw([&corner(0), &corner(1), &corner(2)], &skin, &lit.tone);
                }
            }
        }

        let mut truth = FrameTruth { lid_gap, ..FrameTruth::default() };
        (truth.gaze_yaw_deg, truth.gaze_pitch_deg) = pose.gaze_deg();
        let over = self.oversampling();
        let pixel = |p: V3| {
            let (x, y, _) = self.view.project(p);
            [(x - (over - 1.0) / 2.0) / over, (y - (over - 1.0) / 2.0) / over]
        };
        for (out, v) in truth.landmarks.iter_mut().zip(self.head.landmarks) {
            *out = pixel(self.placed[usize::from(v)]);
        }
        let inside = |[x, y]: &[f32; 2]| {
            *x >= 0.0
                && *y >= 0.0
                && *x <= self.camera.width as f32 - 1.0
                && *y <= self.camera.height as f32 - 1.0
        };
        truth.in_frame = truth.landmarks.iter().filter(|p| inside(p)).count() as f32 / LANDMARKS as f32;
        for side in 0..2 {
            let (centre, radius) = shape.eyes[side];
            let centre = add(add(shape.pivot, apply(&turn, sub(centre, shape.pivot))), offset);
            let mark = |n: usize| self.placed[usize::from(self.head.landmarks[4 * side + n])];
            let eye = Eye {
                centre,
                radius: radius * EYEBALL,
                turn: mul(&turn, &rotation(pose.eye_yaw_deg, pose.eye_pitch_deg, 0.0)),
                up: apply(&turn, [0.0, 1.0, 0.0]),
                lids: [2, 3].map(|n| sub(mark(n), centre)),
                corners: [0, 1].map(|n| sub(mark(n), centre)),
                iris: look.iris,
            };
            eye.draw(&mut self.canvas, &self.view, &lit.rig, &lit.tone, pose.light.is_infrared());
            let axis = apply(&eye.turn, [0.0, 0.0, 1.0]);
            let iris = add(centre, scale(axis, eye.radius * eye::IRIS_DEPTH));
            let to_camera = length(sub(self.view.position, iris)).max(1e-3);
            truth.eyes[side] = EyeTruth {
                outer: truth.landmarks[4 * side],
                inner: truth.landmarks[4 * side + 1],
                upper: truth.landmarks[4 * side + 2],
                lower: truth.landmarks[4 * side + 3],
                iris: pixel(iris),
                iris_radius: self.camera.focal_px * eye.radius * eye::IRIS / to_camera,
            };
        }
        let centres = shape.eyes.map(|(centre, _)| centre);
        let mut stage =
            worn::Stage { canvas: &mut self.canvas, view: &self.view, rig: &lit.rig, tone: &lit.tone };
        worn::draw(pose.wears, &mut stage, centres, |p| {
            add(add(shape.pivot, apply(&turn, sub(p, shape.pivot))), offset)
        });
        if pose.cover > 0.0 {
            let nose = self.placed[usize::from(self.head.landmarks[Landmark::NoseTip as usize])];
            cover(&mut self.canvas, &self.view, lit, look.skin, nose, pose.cover);
        }

        truth
    }

    /// Paints a face and a background now, so that no frame has to: some 100 ms and 13 MB.
    pub fn warm(&mut self, identity: usize, light: Light, wears: Wear) {
        let identity = identity.min(self.identities() - 1);
        if self.kept.len() <= identity {
            self.kept.resize_with(identity + 1, Default::default);
        }
        if self.kept[identity][wears as usize].is_none() {
            let shape = &self.head.shapes[identity];
            let look = &LOOKS[identity];
            let texture = Texture::paint(&self.head, shape, look, wears);
            let texels = self.head.uvs.iter().map(|uv| texture.place(*uv)).collect();
            let hair = shape
                .vertices
                .iter()
                .zip(&self.head.masks)
                .map(|(p, masks)| {
                    let deep = smoothstep(0.2, 0.9, hair_share(look, add(*p, [0.0, -0.09, 0.0]), masks.ear));
                    let crown = 0.55 + 0.45 * smoothstep(0.2, 1.0, p[1]);
                    look.hair_depth * crown * deep * (1.0 - masks.mouth)
                })
                .collect();
            let share = shape.vertices.iter().map(|p| turn_share(*p, shape.pivot)).collect();
            let cloth: Vec<bool> = shape.vertices.iter().map(|p| below_collar(*p)).collect();
            let mut inner_cloth = cloth.clone();
            for triangle in &self.head.triangles[self.head.groups[0].clone()] {
                if triangle.iter().any(|(v, _)| !cloth[usize::from(*v)]) {
                    triangle.iter().for_each(|(v, _)| inner_cloth[usize::from(*v)] = false);
                }
            }
            self.kept[identity][wears as usize] = Some(Kept {
                face: Face::new(&self.head, identity),
                texture,
                texels,
                hair,
                share,
                inner_cloth,
            });
        }
        self.warm_light(light);
    }

    fn warm_light(&mut self, light: Light) {
        if self.lit[light as usize].is_none() {
            let rig = light.rig();
            let tone = Tone::new(rig.exposure);
            let background = sensor::cabin(self.canvas.width, self.canvas.height, rig.cabin, &tone);
            self.lit[light as usize] = Some(Lit { light, rig, tone, background });
        }
    }
}

fn weights(pose: &Pose, face: &Face) -> [f32; unit::COUNT] {
    let mut w = [0.0; unit::COUNT];
    for (side, openness) in [pose.openness_left, pose.openness_right].into_iter().enumerate() {
        // Lids follow the eyeball; half the sideways range of the eyes is the unit's whole range.
        let (up, out) =
            (pose.eye_pitch_deg / 26.0, pose.eye_yaw_deg / 38.0 * if side == 0 { 1.0 } else { -1.0 });
        w[unit::LOOK_UP + side] = up.clamp(0.0, 1.0);
        w[unit::LOOK_DOWN + side] = (-up).clamp(0.0, 1.0);
        w[unit::LOOK_OUT + side] = out.clamp(0.0, 1.0);
        w[unit::LOOK_IN + side] = (-out).clamp(0.0, 1.0);
        // A little past the meeting of the lids' middles, so that the corners close too.
        w[unit::BLINK + side] = lerp(1.06, REST, openness.clamp(0.0, 1.0)) * face.closing[side];
        w[unit::WIDE + side] = (openness - 1.0).clamp(0.0, 1.0);
        w[unit::BROW_OUTER_UP + side] = 0.8 * pose.brows.max(0.0);
        w[unit::BROW_DOWN + side] = (-pose.brows).max(0.0);
        w[unit::SMILE + side] = pose.smile;
        w[unit::SQUINT + side] = 0.25 * pose.smile;
    }
    w[unit::BROW_INNER_UP] = pose.brows.max(0.0);
    w[unit::JAW_OPEN] = pose.jaw_open;
    w[unit::FUNNEL] = pose.funnel;
    w[unit::PUCKER] = 0.3 * pose.funnel;
    w
}

/// Turns the head on its neck and moves the whole.
fn place(morphed: &mut [V3], placed: &mut Vec<V3>, kept: &Kept, shape: &Shape, turn: &M3, offset: V3) {
    // The neck twists by shares of the turn: a rotation for each share, mixed linearly between neighbours.
    let (axis, angle) = axis_angle(turn);
    let steps: [M3; TURNS + 1] = core::array::from_fn(|n| about(axis, angle * n as f32 / TURNS as f32));
    let base = add(shape.pivot, offset);
    placed.clear();
    placed.extend(morphed.iter().zip(&kept.share).map(|(p, share)| {
        if *share <= 0.0 {
            return add(*p, offset);
        }
        let from_pivot = sub(*p, shape.pivot);
        let at = share * TURNS as f32;
        let low = (at as usize).min(TURNS - 1);
        let (a, b) = (apply(&steps[low], from_pivot), apply(&steps[low + 1], from_pivot));
        let mix = at - low as f32;
        add(base, add(scale(a, 1.0 - mix), scale(b, mix)))
    }));
}

fn axis_angle(m: &M3) -> (V3, f32) {
    let axis = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]];
    let double_sine = length(axis);
    let cosine = (m[0][0] + m[1][1] + m[2][2] - 1.0) / 2.0;
    (unit_of(axis), libm::atan2f(double_sine / 2.0, cosine))
}

fn find_normals(head: &Head, placed: &[V3], normals: &mut Vec<V3>) {
    normals.clear();
    normals.resize(placed.len(), [0.0; 3]);
    for triangle in &head.triangles {
        let [a, b, c] = triangle.map(|(v, _)| usize::from(v));
        let n = cross(sub(placed[b], placed[a]), sub(placed[c], placed[a]));
        for v in [a, b, c] {
            normals[v] = add(normals[v], n);
        }
    }
    for n in normals {
        *n = unit_of(*n);
    }
}

/// Light at each vertex, and its place in the picture.
fn light_up(this: &Renderer, kept: &Kept, lit: &Lit, identity: usize, corners: &mut Vec<Corner>) {
    let (rig, look, infrared) = (&lit.rig, &LOOKS[identity], lit.light.is_infrared());
    let teeth_from = first_vertex(&this.head, 1);
    let tongue_from = first_vertex(&this.head, 2);
    corners.clear();
    corners.extend(this.placed.iter().zip(&this.normals).enumerate().map(|(v, (p, n))| {
        let masks = this.head.masks[v];
        let (x, y, inverse_depth) = this.view.project(*p);
        let to_camera = sub(this.view.position, *p);
        let distance = length(to_camera).max(1e-3);
        let eye = scale(to_camera, 1.0 / distance);
        let hair = if look.hair_depth > 0.0 { (kept.hair[v] / look.hair_depth).clamp(0.0, 1.0) } else { 0.0 };
        let open = lerp(masks.open, 1.0, 0.3) * (1.0 - 0.75 * masks.mouth);
        let lit_by = |l: V3, wrap: f32| ((dot(*n, l) + wrap) / (1.0 + wrap)).max(0.0);
        let flash = this.metered * rig.flash * (6.5 / distance) * (6.5 / distance) * lit_by(eye, 0.05);
        let (key, fill) = (lit_by(rig.key, 0.15) * lerp(open, 1.0, 0.5), lit_by(rig.fill, 0.3) * open);
        let up = 0.5 + 0.5 * n[1];
        let mut light: V3 = core::array::from_fn(|k| {
            rig.key_colour[k] * key
                + rig.fill_colour[k] * fill
                + lerp(rig.ground[k], rig.sky[k], up) * open
                + flash
        });
        let shine = |l: V3, doublings: u32| power(dot(*n, unit_of(add(l, eye))).max(0.0), doublings);
        let mut sheen =
            (shine(rig.key, 4) * rig.key_colour[0] * 0.075 + shine(eye, 5) * rig.flash * 0.06) * open;
        sheen *= 1.0 - 0.5 * hair;
        if v >= tongue_from {
            light = core::array::from_fn(|k| light[k] * [0.35, 0.10, 0.09][k] * 0.5);
        } else if v >= teeth_from {
            light = core::array::from_fn(|k| light[k] * [0.62, 0.60, 0.52][k] * 0.55);
        } else if kept.inner_cloth[v] {
            let weave = if infrared { [CLOTH_INFRARED; 3] } else { look.cloth };
            light = core::array::from_fn(|k| light[k] * weave[k]);
        }
        Corner { x, y, inverse_depth, light, sheen, texel: [0.0; 2] }
    }));
}

fn first_vertex(head: &Head, group: usize) -> usize {
    head.triangles[head.groups[group].clone()]
        .iter()
        .flatten()
        .map(|(v, _)| usize::from(*v))
        .min()
        .unwrap_or(usize::MAX)
}

/// A hand in a dark sleeve, coming up from below until it hides the face.
fn cover(canvas: &mut Canvas, view: &View, lit: &Lit, skin: V3, nose: V3, share: f32) {
    let (_, _, inverse) = view.project(nose);
    let depth = (1.0 / inverse - 0.9).max(1.0);
    let (x, y, _) = view.project(nose);
    let per_dm = view_scale(view, depth);
    let centre = [x, y + (1.0 - share.clamp(0.0, 1.0)) * 3.6 * per_dm];
    let ambient = lit.rig.sky[0] * 0.7 + lit.rig.key_colour[0] * 0.35 + lit.rig.flash * 1.1;
    let mut block = |left: f32, top: f32, right: f32, bottom: f32, colour: V3, near: f32| {
        let corner = |dx: f32, dy: f32, dim: f32| Corner {
            x: centre[0] + dx * per_dm,
            y: centre[1] + dy * per_dm,
            inverse_depth: 1.0 / (depth - near),
            light: scale(colour, ambient * dim),
            ..Corner::default()
        };
        let [a, b, c, d] = [
            corner(left, top, 0.8),
            corner(left, bottom, 0.65),
            corner(right, bottom, 0.9),
            corner(right, top, 1.05),
        ];
        canvas.draw([&a, &b, &c], &Fill::Flat, &lit.tone);
        canvas.draw([&a, &c, &d], &Fill::Flat, &lit.tone);
    };
    // Palm, four fingers, sleeve; wide enough for the brows and the chin.
    block(-0.95, -0.65, 0.95, 1.45, skin, 0.0);
    for finger in 0..4 {
        let left = -0.94 + 0.48 * finger as f32;
        let top = [-1.35, -1.6, -1.55, -1.25][finger];
        block(left, top, left + 0.43, -0.60, scale(skin, 1.0 - 0.04 * finger as f32), 0.02);
        block(left + 0.43, top + 0.5, left + 0.49, -0.60, scale(skin, 0.45), 0.01);
    }
    block(-0.85, 1.40, 0.85, 6.0, [0.05, 0.05, 0.06], 0.05);
}

fn view_scale(view: &View, depth: f32) -> f32 {
    let (a, b) = (view.at(0.0, 0.0, depth), view.at(100.0, 0.0, depth));
    100.0 / length(sub(b, a)).max(1e-6)
}
