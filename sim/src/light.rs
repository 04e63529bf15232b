//! Light on the driver, and what it does to the sensor.

use crate::math::{V3, unit};

/// A lighting situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// Bright, mostly from the front.
    #[default]
    Day,
    /// Soft and even.
    Overcast,
    /// Dusk: little light, much noise.
    Dim,
    /// Low sun through the driver's left window.
    SideLeft,
    /// Low sun from the passenger's side.
    SideRight,
    /// Night: the camera's own infrared flash, a mono picture.
    NightIr,
}

impl Light {
    /// All of them.
    pub const ALL: [Light; 6] =
        [Light::Day, Light::Overcast, Light::Dim, Light::SideLeft, Light::SideRight, Light::NightIr];

    /// Mono, by infrared flash.
    pub fn is_infrared(self) -> bool {
        self == Light::NightIr
    }
}

/// The lamps of a [`Light`]; linear light.
pub(crate) struct Rig {
    pub(crate) key: V3,
    pub(crate) key_colour: V3,
    pub(crate) fill: V3,
    pub(crate) fill_colour: V3,
    pub(crate) sky: V3,
    pub(crate) ground: V3,
    /// Strength of the flash at the camera, at 0.65 m.
    pub(crate) flash: f32,
    pub(crate) exposure: f32,
    /// Standard deviation of the sensor's noise, 8-bit steps.
    pub(crate) noise: f32,
    /// Brightness of the cabin behind the driver.
    pub(crate) cabin: V3,
}

impl Light {
    pub(crate) fn rig(self) -> Rig {
        let day = Rig {
            key: unit([0.45, 0.75, 0.9]),
            key_colour: [1.05, 1.0, 0.92],
            fill: unit([-0.8, 0.2, 0.5]),
            fill_colour: [0.28, 0.30, 0.34],
            sky: [0.46, 0.49, 0.54],
            ground: [0.20, 0.18, 0.16],
            flash: 0.0,
            exposure: 1.0,
            noise: 1.6,
            cabin: [0.34, 0.35, 0.36],
        };
        match self {
            Light::Day => day,
            Light::Overcast => Rig {
                key: unit([0.1, 0.9, 0.7]),
                key_colour: [0.50, 0.52, 0.55],
                fill_colour: [0.22, 0.23, 0.25],
                sky: [0.62, 0.65, 0.70],
                ground: [0.28, 0.27, 0.26],
                noise: 1.8,
                cabin: [0.30, 0.31, 0.33],
                ..day
            },
            Light::Dim => Rig {
                key: unit([-0.3, 0.6, 0.8]),
                key_colour: [0.26, 0.22, 0.18],
                fill_colour: [0.07, 0.08, 0.10],
                sky: [0.15, 0.16, 0.19],
                ground: [0.08, 0.07, 0.06],
                exposure: 1.9,
                noise: 5.0,
                cabin: [0.06, 0.065, 0.07],
                ..day
            },
            Light::SideLeft => Rig {
                key: unit([1.0, 0.35, 0.35]),
                key_colour: [1.5, 1.35, 1.1],
                fill_colour: [0.14, 0.15, 0.17],
                sky: [0.30, 0.32, 0.36],
                ground: [0.17, 0.16, 0.15],
                ..day
            },
            Light::SideRight => Rig {
                key: unit([-1.0, 0.3, 0.4]),
                key_colour: [1.45, 1.3, 1.05],
                fill: unit([0.8, 0.2, 0.5]),
                fill_colour: [0.14, 0.15, 0.17],
                sky: [0.30, 0.32, 0.36],
                ground: [0.17, 0.16, 0.15],
                ..day
            },
            Light::NightIr => Rig {
                key_colour: [0.0; 3],
                fill_colour: [0.0; 3],
                sky: [0.05; 3],
                ground: [0.03; 3],
                flash: 0.85,
                noise: 3.0,
                cabin: [0.05; 3],
                ..day
            },
        }
    }
}
