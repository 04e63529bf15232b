//! What belongs here: what a DMS gets (a [`Trace`]) and what it publishes (an [`Alert`]), in the terms of the messages
//! `DriverState`, `VehicleSignals` and `DriverAlert`.
//!
//! A trace is data: stamps are the only time. Both lists are sorted by stamp, each stamp is used once in its list.

use crate::time::Ns;

/// A set of rules with one number for each limit. The names are those of `DriverAlert.profile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// EU 2023/2590, advanced driver distraction warning.
    EuAddw,
    /// Euro NCAP Driver Engagement v1.1.
    EuroNcap,
    /// EU 2021/1341, drowsiness and attention warning.
    EuDdaw,
    /// Share of time with closed eyes.
    Perclos,
    /// The system's own alerts. Of these only "monitoring unavailable" is in the table.
    Troika,
}

impl Profile {
    /// `DriverAlert.profile`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EuAddw => "eu_addw",
            Self::EuroNcap => "euro_ncap",
            Self::EuDdaw => "eu_ddaw",
            Self::Perclos => "perclos",
            Self::Troika => "troika",
        }
    }

    /// The inverse of [`Self::name`]; none for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EuAddw, Self::EuroNcap, Self::EuDdaw, Self::Perclos, Self::Troika]
            .into_iter()
            .find(|p| p.name() == name)
    }
}

/// `DriverAlert.kind`; the numbers are those of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the message's names")]
pub enum Kind {
    LongDistraction = 1,
    RepeatedGlances = 2,
    PhoneUse = 3,
    Microsleep = 4,
    Sleep = 5,
    Unresponsive = 6,
    Drowsiness = 7,
    MonitoringUnavailable = 8,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::LongDistraction,
        Self::RepeatedGlances,
        Self::PhoneUse,
        Self::Microsleep,
        Self::Sleep,
        Self::Unresponsive,
        Self::Drowsiness,
        Self::MonitoringUnavailable,
    ];

    /// None for a number that the message does not name.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// `DriverAlert.phase`; the numbers are those of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the message's names")]
pub enum Phase {
    Raised = 1,
    Cleared = 2,
}

/// `DriverState.state`; the numbers are those of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// No usable face or eyes; never taken for closed eyes.
    Unknown = 0,
    /// Eyes open or blinking, gaze in the forward view.
    Attentive = 1,
    /// Gaze outside the forward view.
    LookingAway = 2,
    /// For longer than a blink: 0.4 s.
    EyesClosed = 3,
}

/// `DriverState.gaze_zone`; the numbers are those of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the message's names")]
pub enum Zone {
    Unknown = 0,
    Forward = 1,
    LeftMirror = 2,
    RightMirror = 3,
    RearMirror = 4,
    Cluster = 5,
    /// Below a plane 30 degrees down: lap, console, hand-held phone.
    Area3 = 6,
    /// Roof, and beyond 55 degrees sideways.
    Area1 = 7,
    /// Away from the forward view, none of the above.
    Other = 8,
}

impl Zone {
    const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Forward,
        Self::LeftMirror,
        Self::RightMirror,
        Self::RearMirror,
        Self::Cluster,
        Self::Area3,
        Self::Area1,
        Self::Other,
    ];

    /// None for a number that the message does not name.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|zone| *zone as u8 == number)
    }

    /// Mirrors and cluster: the targets that `euro_ncap` gives 4.0 s.
    #[must_use]
    pub const fn serves_driving(self) -> bool {
        matches!(self, Self::LeftMirror | Self::RightMirror | Self::RearMirror | Self::Cluster)
    }

    /// Away from the forward view, at a target that has nothing to do with driving: 3.0 s in `euro_ncap`.
    #[must_use]
    pub const fn is_non_driving(self) -> bool {
        matches!(self, Self::Area3 | Self::Area1 | Self::Other)
    }

    /// A direction (yaw to the left, pitch up, degrees) well inside the zone, for a DMS that looks at angles.
    #[must_use]
    pub const fn typical_direction(self) -> (f32, f32) {
        match self {
            Self::Unknown => (f32::NAN, f32::NAN),
            Self::Forward => (0.0, 0.0),
            Self::LeftMirror => (42.0, -8.0),
            Self::RightMirror => (-48.0, -8.0),
            Self::RearMirror => (-28.0, 12.0),
            Self::Cluster => (0.0, -18.0),
            Self::Area3 => (-10.0, -42.0),
            Self::Area1 => (-72.0, 0.0),
            Self::Other => (-30.0, -20.0),
        }
    }
}

/// One `DriverState`: the parts that the rules can depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// When the frame was taken.
    pub stamp_ns: Ns,
    /// May contradict the other fields: they are taken as they are.
    pub state: State,
    /// 0..1, of the state.
    pub confidence: f32,
    /// Where false, gaze and eyes are unknown, whatever their fields say.
    pub face_detected: bool,
    /// Where head and eyes together point; what the rules go by.
    pub gaze_zone: Zone,
    /// Degrees from the forward view, positive to the left; NaN when not known.
    pub gaze_yaw_deg: f32,
    /// Degrees from the forward view, positive up; NaN when not known.
    pub gaze_pitch_deg: f32,
    /// 0 closed .. 1 open; NaN when not seen.
    pub eye_openness_left: f32,
    /// As the left one.
    pub eye_openness_right: f32,
    /// 0..1 over 60 s; NaN until there is enough of it.
    pub perclos: f32,
    /// False: eyewear, light or occlusion, "told as such". `DriverState` has no field for it: whoever feeds the DMS
    /// tells it by the way that DMS has.
    pub sensing_nominal: bool,
}

/// One `VehicleSignals`: the parts that the rules can depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// From when on it holds.
    pub stamp_ns: Ns,
    /// The vehicle's, in km/h; NaN when not known.
    pub speed_kmh: f32,
    /// The driver acted on a control since the last message.
    pub driver_acted: bool,
}

/// One message for the DMS.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "each holds what it is named after")]
pub enum Input {
    Frame(Frame),
    Signal(Signal),
}

/// Everything a DMS gets in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Says to a person what the trace is about.
    pub name: String,
    /// What it was generated from; 0 for one made by hand.
    pub seed: u64,
    /// The profiles that are switched on.
    pub profiles: Vec<Profile>,
    /// From the camera, stamps increasing.
    pub frames: Vec<Frame>,
    /// From the vehicle, stamps increasing.
    pub signals: Vec<Signal>,
}

/// Why a trace cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// A frame's stamp does not come after that of the one before it; its index.
    FrameOrder(usize),
    /// The same of a signal.
    SignalOrder(usize),
}

impl Trace {
    /// Whether the profile is switched on.
    #[must_use]
    pub fn has(&self, profile: Profile) -> bool {
        self.profiles.contains(&profile)
    }

    /// # Errors
    /// When stamps do not increase.
    pub fn check(&self) -> Result<(), TraceError> {
        let disorder = |stamps: &[Ns]| stamps.windows(2).position(|w| w.first() >= w.last()).map(|i| i + 1);
        let frames: Vec<Ns> = self.frames.iter().map(|f| f.stamp_ns).collect();
        let signals: Vec<Ns> = self.signals.iter().map(|s| s.stamp_ns).collect();
        if let Some(index) = disorder(&frames) {
            return Err(TraceError::FrameOrder(index));
        }
        disorder(&signals).map_or(Ok(()), |index| Err(TraceError::SignalOrder(index)))
    }

    /// All messages in the order of their stamps; at the same stamp the signal comes first.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        let frames = self.frames.iter().map(|f| (f.stamp_ns, 1, Input::Frame(*f)));
        let signals = self.signals.iter().map(|s| (s.stamp_ns, 0, Input::Signal(*s)));
        let mut all: Vec<_> = signals.chain(frames).collect();
        all.sort_by_key(|(stamp, order, _)| (*stamp, *order));
        all.into_iter().map(|(_, _, input)| input).collect()
    }

    /// The same trace, `shift` later.
    #[must_use]
    pub fn shifted(&self, shift: Ns) -> Self {
        let mut moved = self.clone();
        moved.frames.iter_mut().for_each(|f| f.stamp_ns += shift);
        moved.signals.iter_mut().for_each(|s| s.stamp_ns += shift);
        moved
    }
}

/// One `DriverAlert` as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Whose rules it follows.
    pub profile: Profile,
    /// What it warns of.
    pub kind: Kind,
    /// Whether it begins or ends.
    pub phase: Phase,
    /// The header's stamp: when the limit passed.
    pub stamp_ns: Ns,
    /// The stamp of the frame on whose arrival it was published.
    pub published_ns: Ns,
    /// What the alert names as the target; none when whoever recorded it did not keep it (then it is not judged).
    pub gaze_zone: Option<Zone>,
}
