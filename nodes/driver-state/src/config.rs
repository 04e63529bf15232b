//! What may be set for a vehicle and a camera: mounting, zones, times. All of it has a default and bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A gaze zone, as in `DriverState.ZONE_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// The road ahead.
    Forward,
    /// The left outer mirror.
    LeftMirror,
    /// The right outer mirror.
    RightMirror,
    /// The mirror at the windscreen.
    RearMirror,
    /// The instrument cluster.
    Cluster,
    /// Below a plane 30 degrees down: lap, console, hand-held phone.
    #[serde(rename = "area_3")]
    Area3,
    /// Roof, and beyond 55 degrees sideways.
    #[serde(rename = "area_1")]
    Area1,
    /// Away from the forward view and none of the above.
    Other,
}

/// A box of gaze angles that is one zone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneBox {
    /// What is there.
    pub zone: Zone,
    /// From, to; degrees, positive to the driver's left.
    pub yaw_deg: [f32; 2],
    /// From, to; degrees, positive up.
    pub pitch_deg: [f32; 2],
}

/// Which irises are looked at in each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IrisPlan {
    /// One eye a frame, in turn: half the cost, and each eye is at most one frame old.
    Alternate,
    /// Both eyes in each frame.
    Both,
}

/// The camera and how it is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Camera {
    /// Horizontal field of view, degrees.
    #[schemars(range(min = 10.0, max = 150.0))]
    pub fov_deg: f32,
    /// The gaze of a driver who looks straight along the camera's axis into the lens: degrees to the driver's left of the
    /// forward view. A camera in the middle of the car before a left-hand driver has a negative one.
    #[schemars(range(min = -60.0, max = 60.0))]
    pub yaw_deg: f32,
    /// The same, degrees above the forward view: a camera on the steering column has a negative one.
    #[schemars(range(min = -60.0, max = 60.0))]
    pub pitch_deg: f32,
    /// The camera's lean, degrees, clockwise in its picture.
    #[schemars(range(min = -45.0, max = 45.0))]
    pub roll_deg: f32,
}

impl Default for Camera {
    fn default() -> Self {
        // The simulator's camera: on the steering column, 640 pixels at 620 pixels of focal length, 5.5 degrees towards the
        // middle of the car and 10 degrees below the eyes.
        Camera { fov_deg: 54.6, yaw_deg: -5.5, pitch_deg: -10.0, roll_deg: 0.0 }
    }
}

/// All settings of the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The camera and how it is mounted.
    pub camera: Camera,
    /// The forward view, degrees either side of straight ahead: 22 x 14 degrees in all until calibrated to the person
    /// (a narrower one gave tens of alerts an hour in published tests).
    pub forward_half_deg: [f32; 2],
    /// Zones beside the forward view; the first that holds the gaze is taken.
    pub zones: Vec<ZoneBox>,
    /// Below this pitch is area 3 (EU 2023/2590: a plane 30 degrees down).
    #[schemars(range(min = -80.0, max = 0.0))]
    pub area_3_below_deg: f32,
    /// Beyond this yaw to either side is area 1 (EU 2023/2590).
    #[schemars(range(min = 20.0, max = 120.0))]
    pub area_1_beyond_deg: f32,
    /// Above this pitch is the roof: area 1.
    #[schemars(range(min = 5.0, max = 80.0))]
    pub roof_above_deg: f32,
    /// Eyes count as closed under this openness …
    #[schemars(range(min = 0.05, max = 0.6))]
    pub closed_below: f32,
    /// … and as open again over this one.
    pub open_above: f32,
    /// Closures up to this long are blinks, seconds.
    #[schemars(range(min = 0.1, max = 1.0))]
    pub blink_s: f32,
    /// A face is lost when the mesh's presence is under this.
    #[schemars(range(min = 0.1, max = 0.99))]
    pub min_presence: f32,
    /// A frame whose stamp is older than this when its step starts is not looked at, seconds; 0 takes any. The stamp must be on
    /// the host's time line (a camera without a clock leaves it zero, which is never too old). 0.2 s is a fifth of the second
    /// that the shortest rule allows.
    /// A stamp that lies ahead by more is refused too.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub max_frame_age_s: f32,
    /// A camera that gives the same picture, to the byte, for so long stands still, seconds: nothing is known then. 0 for a source whose
    /// pictures have no noise of a sensor.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub frozen_after_s: f32,
    /// Which irises are looked at in each frame.
    pub iris: IrisPlan,
    /// How much the iris counts for an eye's direction beside our own network, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub iris_weight: f32,
    /// Learn the driver's own forward gaze and eye opening (bounded, slow).
    pub calibrate: bool,
    /// Fill `DriverState.landmarks` (for a preview).
    pub landmarks: bool,
}

impl Default for Config {
    fn default() -> Self {
        let zone = |zone, yaw_deg, pitch_deg| ZoneBox { zone, yaw_deg, pitch_deg };
        Config {
            camera: Camera::default(),
            forward_half_deg: [11.0, 7.0],
            // Left-hand drive.
            zones: vec![
                zone(Zone::LeftMirror, [25.0, 55.0], [-22.0, 5.0]),
                zone(Zone::RightMirror, [-70.0, -42.0], [-22.0, 5.0]),
                zone(Zone::RearMirror, [-42.0, -16.0], [2.0, 22.0]),
                zone(Zone::Cluster, [-14.0, 14.0], [-29.0, -7.0]),
            ],
            area_3_below_deg: -30.0,
            area_1_beyond_deg: 55.0,
            roof_above_deg: 30.0,
            closed_below: 0.25,
            open_above: 0.40,
            blink_s: 0.4,
            min_presence: 0.5,
            max_frame_age_s: 0.2,
            frozen_after_s: 1.0,
            iris: IrisPlan::Alternate,
            iris_weight: 0.15,
            calibrate: true,
            landmarks: false,
        }
    }
}

/// A setting out of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("driver_state: {setting} must be {must}")]
pub struct ConfigError {
    /// Which.
    pub setting: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl Config {
    /// Checks the bounds.
    ///
    /// # Errors
    /// The first setting that is out of them.
    pub fn check(&self) -> Result<(), ConfigError> {
        let within = |value: f32, low: f32, high: f32| value >= low && value <= high;
        let rules = [
            (within(self.camera.fov_deg, 10.0, 150.0), "camera.fov_deg", "10 to 150"),
            (within(self.camera.yaw_deg, -60.0, 60.0), "camera.yaw_deg", "-60 to 60"),
            (within(self.camera.pitch_deg, -60.0, 60.0), "camera.pitch_deg", "-60 to 60"),
            (within(self.camera.roll_deg, -45.0, 45.0), "camera.roll_deg", "-45 to 45"),
            (
                self.forward_half_deg.iter().all(|half| within(*half, 1.0, 40.0)),
                "forward_half_deg",
                "1 to 40 each",
            ),
            (
                self.zones.iter().all(|zone| {
                    let rising = |range: [f32; 2]| {
                        range[0] < range[1]
                            && within(range[0], -180.0, 180.0)
                            && within(range[1], -180.0, 180.0)
                    };
                    rising(zone.yaw_deg) && rising(zone.pitch_deg)
                }),
                "zones",
                "boxes whose ranges rise, within -180 to 180",
            ),
            (within(self.area_3_below_deg, -80.0, 0.0), "area_3_below_deg", "-80 to 0"),
            (within(self.area_1_beyond_deg, 20.0, 120.0), "area_1_beyond_deg", "20 to 120"),
            (within(self.roof_above_deg, 5.0, 80.0), "roof_above_deg", "5 to 80"),
            (within(self.closed_below, 0.05, 0.6), "closed_below", "0.05 to 0.6"),
            (within(self.open_above, self.closed_below, 0.9), "open_above", "closed_below to 0.9"),
            (within(self.blink_s, 0.1, 1.0), "blink_s", "0.1 to 1"),
            (within(self.iris_weight, 0.0, 1.0), "iris_weight", "0 to 1"),
            (within(self.min_presence, 0.1, 0.99), "min_presence", "0.1 to 0.99"),
            (within(self.max_frame_age_s, 0.0, 10.0), "max_frame_age_s", "0 to 10"),
            (within(self.frozen_after_s, 0.0, 10.0), "frozen_after_s", "0 to 10"),
        ];
        match rules.into_iter().find(|(holds, _, _)| !holds) {
            Some((_, setting, must)) => Err(ConfigError { setting, must }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_within_its_bounds() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_system_file_sets_what_it_names_and_no_more() {
        let config: Config = toml::from_str(
            "landmarks = true\niris = 'both'\n[camera]\npitch_deg = -12\n[[zones]]\nzone = 'area_3'\nyaw_deg = [0, 5]\n\
             pitch_deg = [-9, -8]",
        )
        .expect("known keys");
        assert!(config.landmarks && config.iris == IrisPlan::Both && config.zones.len() == 1);
        assert_eq!((config.camera.pitch_deg, config.camera.fov_deg), (-12.0, Camera::default().fov_deg));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Config>("blnk_s = 0.4").is_err());
    }

    #[test]
    fn a_number_out_of_bounds_names_its_setting() {
        for (text, setting) in [
            ("blink_s = nan", "blink_s"),
            ("[camera]\nfov_deg = 0", "camera.fov_deg"),
            ("closed_below = 0.5\nopen_above = 0.4", "open_above"),
            ("[[zones]]\nzone = 'cluster'\nyaw_deg = [5, 0]\npitch_deg = [0, 1]", "zones"),
        ] {
            let config: Config = toml::from_str(text).expect("known keys");
            assert_eq!(config.check().map_err(|e| e.setting), Err(setting), "{text}");
        }
    }
}
