//! One frame through the networks: detector when there is no face to follow, then mesh, iris, eye openness, head pose.
//!
//! The networks are behind [`Network`], so this file is plain control flow and geometry. All memory is taken in
//! [`Perception::new`]; after that this code allocates nothing (the networks' engine may).

use troika_kit::Fault;

use crate::{
    another::Traits,
    config::{Config, IrisPlan},
    detect, eyes, gaze,
    gaze::Direction,
    image::ImageView,
    iris, math,
    math::{Mat3, Vec3},
    mesh,
    mesh::Mesh,
    pose::{Angles, Pinhole, Pose},
    roi::Roi,
    warp::{Border, Fill},
};

/// A network with one input and fixed shapes.
pub trait Network: Send {
    /// Runs it. `outputs` are in the order of [`Part`]'s description, each of exactly its size.
    ///
    /// # Errors
    /// [`Fault::Model`] when the run failed.
    fn run(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault>;
}

/// The networks, each with what goes in and comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// 128 x 128 x 3 in -1..1 to 896 x 16 regressors and 896 score logits.
    Detector,
    /// 192 x 192 x 3 in 0..1 to 468 x 3 points and a presence logit.
    Mesh,
    /// 64 x 64 x 3 in 0..1 to 71 x 3 contour points and 5 x 3 iris points.
    Iris,
    /// 32 x 48 luma of mean 0 and deviation 1 to the openness, 0..1, and the eye's yaw and pitch in the head, in units of
    /// [`eyes::GAZE_UNIT_DEG`].
    Eyes,
}

/// What is timed in a frame, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looking for a face.
    Detect,
    /// The face mesh.
    Mesh,
    /// The irises.
    Iris,
    /// The eye openness.
    Eyes,
    /// Pose and gaze.
    Geometry,
}

/// The networks.
pub struct Networks {
    /// See [`Part::Detector`].
    pub detector: Box<dyn Network>,
    /// See [`Part::Mesh`].
    pub mesh: Box<dyn Network>,
    /// See [`Part::Iris`].
    pub iris: Box<dyn Network>,
    /// See [`Part::Eyes`].
    pub eyes: Box<dyn Network>,
}

/// What one frame shows of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// 0..1: that this is a face.
    pub presence: f32,
    /// x, y, width, height in frame pixels.
    pub rect: [f32; 4],
    /// The head against the forward view.
    pub head: Direction,
    /// The head's lean, degrees.
    pub roll: f32,
    /// Head and eyes together, against the forward view; the head alone while no eye was ever read.
    pub gaze: Direction,
    /// Right and left, 0..1; none when the head hides the eye.
    pub openness: [Option<f32>; 2],
    /// Inner-lip opening over mouth width.
    pub mouth: f32,
    /// How well the canonical face fits.
    pub residual: f32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Eye {
    /// Where it looks in the head by our own network, the last time that it was open.
    learnt: Option<Vec3>,
    /// The same by the iris and the eyeball.
    measured: Option<Vec3>,
    iris: [[f32; 2]; iris::POINTS],
}

/// An iris that disagrees with our own network by more than this (cosine of 20 degrees) was not found: it counts for nothing.
const AGREE: f32 = 0.94;

impl Eye {
    fn direction(&self, iris_weight: f32) -> Option<Vec3> {
        match (self.learnt, self.measured) {
            (Some(learnt), Some(measured)) if math::dot(learnt, measured) > AGREE => math::unit(math::add(
                math::scale(learnt, 1.0 - iris_weight),
                math::scale(measured, iris_weight),
            )),
            (learnt, measured) => learnt.or(measured),
        }
    }
}

/// Eyes less open than this hide too much of the iris for its direction to be read.
const IRIS_SEEN: f32 = 0.35;
/// Eyes less visible than this (of a turned head) are not read.
const EYE_SEEN: f32 = 0.3;
/// A fit worse than this (share of the eye distance) is no face, whatever the presence says.
const MAX_RESIDUAL: f32 = 0.25;

/// The perception of one driver seat.
pub struct Perception {
    config: Config,
    mounting: Mat3,
    networks: Networks,
    decoder: detect::Decoder,
    track: Option<Roi>,
    mesh: Mesh,
    eyes: [Eye; 2],
    turn: usize,
    picture: Vec<f32>,
    regressors: Vec<f32>,
    scores: Vec<f32>,
    points: Vec<f32>,
    contour: Vec<f32>,
    traits: Box<Traits>,
}

impl Perception {
    /// Takes all memory that it will need.
    pub fn new(config: &Config, networks: Networks) -> Perception {
        Perception {
            config: config.clone(),
            mounting: gaze::mounting(&config.camera),
            networks,
            decoder: detect::Decoder::default(),
            track: None,
            mesh: Mesh::default(),
            eyes: [Eye::default(); 2],
            turn: 0,
            picture: vec![0.0; mesh::SIDE * mesh::SIDE * 3],
            regressors: vec![0.0; detect::ANCHORS * detect::COORDINATES],
            scores: vec![0.0; detect::ANCHORS],
            points: vec![0.0; mesh::POINTS * 3],
            contour: vec![0.0; 71 * 3],
            traits: Box::default(),
        }
    }

    /// Looks at a frame; none when it shows no usable face. `done` is told as each stage ends (for timing; a no-op else).
    ///
    /// # Errors
    /// [`Fault::Model`] when a network failed; the face is then looked for anew.
    pub fn look(&mut self, view: &ImageView<'_>, done: &mut dyn FnMut(Stage)) -> Result<Option<Look>, Fault> {
        self.look_with(view, true, done)
    }

    /// The same; `irises` false leaves the irises out, and gaze comes from head and eye network alone.
    ///
    /// # Errors
    /// As [`Perception::look`].
    pub fn look_with(
        &mut self,
        view: &ImageView<'_>,
        irises: bool,
        done: &mut dyn FnMut(Stage),
    ) -> Result<Option<Look>, Fault> {
        let track = self.track.take();
        let roi = match track.filter(|roi| roi.usable(view.width(), view.height())) {
            Some(roi) => Some(roi),
            None => {
                self.eyes = [Eye::default(); 2];
                let found = self.detect(view)?;
                done(Stage::Detect);
                found
            }
        };
        let Some(roi) = roi else { return Ok(None) };
        let presence = self.read_mesh(view, &roi)?;
        done(Stage::Mesh);
        let Some(presence) = presence else { return Ok(None) };
        let camera = Pinhole::with_fov(self.config.camera.fov_deg, view.width(), view.height());
        let Some(pose) = Pose::fit(&self.mesh.basis(), &camera).filter(|pose| pose.residual < MAX_RESIDUAL)
        else {
            return Ok(None);
        };
        self.traits.read(view, &self.mesh, &pose, &camera);
        done(Stage::Geometry);
        self.track = Some(self.mesh.roi());

        let Angles { yaw, roll, .. } = pose.angles();
        let visible = [0, 1].map(|eye| iris::visibility(eye, yaw));
        let openness = self.read_openness(view, visible)?;
        done(Stage::Eyes);
        if irises {
            self.read_irises(view, visible, openness, &pose, &camera)?;
        } else {
            // What was measured in an earlier frame is no measurement of this one.
            self.eyes.iter_mut().for_each(|eye| eye.measured = None);
        }
        done(Stage::Iris);

        let forward = math::mul(&pose.rotation, [0.0, 0.0, 1.0]);
        let looks = self.eye_direction(visible).map_or(forward, |eyes| math::mul(&pose.rotation, eyes));
        Ok(Some(Look {
            presence,
            rect: self.mesh.rect(),
            head: gaze::in_vehicle(&self.mounting, forward),
            roll,
            gaze: gaze::in_vehicle(&self.mounting, looks),
            openness,
            mouth: self.mesh.mouth_opening(),
            residual: pose.residual,
        }))
    }

    /// The points of the last face, then those of the right and of the left iris: frame pixels.
    pub fn points(&self) -> impl Iterator<Item = [f32; 2]> {
        let irises = self.eyes.iter().flat_map(|eye| eye.iris.iter());
        self.mesh.points().iter().chain(irises).copied()
    }

    /// The mesh of the last face.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// By what the last face is told from another.
    pub fn traits(&self) -> &Traits {
        &self.traits
    }

    /// Where the right and the left eye look in the head (canonical axes), as last read.
    pub fn eye_directions(&self) -> [Option<Vec3>; 2] {
        self.eyes.map(|eye| eye.direction(self.config.iris_weight))
    }

    /// Forgets the face.
    pub fn reset(&mut self) {
        self.track = None;
        self.eyes = [Eye::default(); 2];
    }

    fn detect(&mut self, view: &ImageView<'_>) -> Result<Option<Roi>, Fault> {
        let side = detect::SIDE;
        let map = Roi::letterbox(view.width(), view.height()).map(side, side);
        let taps = if view.width().max(view.height()) > 2 * side { 2 } else { 1 };
        let fill = Fill { width: side, height: side, range: (-1.0, 2.0), border: Border::Black, taps };
        let picture = &mut self.picture[..side * side * 3];
        view.warp_rgb(&map, &fill, picture);
        self.networks.detector.run(picture, &mut [&mut self.regressors, &mut self.scores])?;
        let face = self.decoder.decode(&self.regressors, &self.scores, &map);
        Ok(face.map(|face| face.roi()).filter(|roi| roi.usable(view.width(), view.height())))
    }

    fn read_mesh(&mut self, view: &ImageView<'_>, roi: &Roi) -> Result<Option<f32>, Fault> {
        let side = mesh::SIDE;
        let map = roi.map(side, side);
        let taps = if roi.size[0] > 2.0 * side as f32 { 2 } else { 1 };
        let fill = Fill { width: side, height: side, range: (0.0, 1.0), border: Border::Nearest, taps };
        let picture = &mut self.picture[..side * side * 3];
        view.warp_rgb(&map, &fill, picture);
        let mut logit = [0.0];
        self.networks.mesh.run(picture, &mut [&mut self.points, &mut logit])?;
        let sound = self.mesh.decode(&self.points, &map);
        let presence = mesh::presence(logit[0]);
        // A presence that is no number fails the comparison.
        Ok((sound && presence >= self.config.min_presence).then_some(presence))
    }

    fn read_openness(&mut self, view: &ImageView<'_>, visible: [f32; 2]) -> Result<[Option<f32>; 2], Fault> {
        let mut openness = [None; 2];
        for (eye, open) in openness.iter_mut().enumerate() {
            if visible[eye] < EYE_SEEN {
                continue;
            }
            let picture = &mut self.picture[..eyes::WIDTH * eyes::HEIGHT];
            let [mean, _] = eyes::crop(view, eye, self.mesh.eye(eye), picture);
            if eyes::hidden(view, mean, self.mesh.cheek(eye), self.mesh.eye(eye)) {
                self.eyes[eye] = Eye::default();
                continue;
            }
            let (mut out, mut gaze) = ([0.0], [0.0; 2]);
            self.networks.eyes.run(picture, &mut [&mut out, &mut gaze])?;
            *open = out[0].is_finite().then(|| out[0].clamp(0.0, 1.0));
            if open.is_some_and(|open| open >= IRIS_SEEN) {
                self.eyes[eye].learnt = eyes::direction(eye, gaze);
            }
        }
        Ok(openness)
    }

    fn read_irises(
        &mut self,
        view: &ImageView<'_>,
        visible: [f32; 2],
        openness: [Option<f32>; 2],
        pose: &Pose,
        camera: &Pinhole,
    ) -> Result<(), Fault> {
        let due = match self.config.iris {
            IrisPlan::Both => [true, true],
            IrisPlan::Alternate => {
                self.turn = 1 - self.turn;
                // The eye that is better seen is read whenever the other cannot be.
                let eye = if visible[self.turn] < EYE_SEEN { 1 - self.turn } else { self.turn };
                [eye == 0, eye == 1]
            }
        };
        for eye in [0, 1] {
            if !due[eye] || openness[eye].is_none_or(|open| open < IRIS_SEEN) {
                continue;
            }
            let side = iris::SIDE;
            let corners = self.mesh.eye(eye);
            let roi = iris::roi(corners);
            let map = if eye == 0 { roi.map(side, side) } else { roi.mirrored_map(side, side) };
            let fill =
                Fill { width: side, height: side, range: (0.0, 1.0), border: Border::Nearest, taps: 1 };
            let picture = &mut self.picture[..side * side * 3];
            view.warp_rgb(&map, &fill, picture);
            let mut raw = [0.0; iris::POINTS * 3];
            self.networks.iris.run(picture, &mut [&mut self.contour, &mut raw])?;
            let Some(points) = iris::decode(&raw, &map) else { continue };
            self.eyes[eye].iris = points;
            self.eyes[eye].measured = iris::direction(eye, corners, points[0], pose, camera);
        }
        Ok(())
    }

    /// Both eyes together, in the head, each by how well it is seen.
    fn eye_direction(&self, visible: [f32; 2]) -> Option<Vec3> {
        let mut sum = [0.0; 3];
        for (eye, weight) in self.eyes.iter().zip(visible) {
            if let Some(direction) = eye.direction(self.config.iris_weight) {
                sum = math::add(sum, math::scale(direction, weight.max(0.01)));
            }
        }
        math::unit(sum)
    }
}
