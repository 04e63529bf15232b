//! Gates: what must hold before a function is carried out. Unknown means the restrictive branch.

use std::fmt;

use super::Call;

/// What must hold before a function is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing.
    Always,
    /// The vehicle stands: its speed is known, fresh and exactly 0 km/h.
    Standstill,
    /// The driver confirmed it when asked back.
    Confirm,
    /// Not by speech, gesture or a conversation's far end, confirmed or not: only by a control of the vehicle.
    NeverByVoiceAlone,
}

/// A gate, and the calls of its function that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRule {
    /// Only calls with this slot at this value; all calls when `None`.
    pub when: Option<(String, String)>,
    /// The gate.
    pub gate: Gate,
}

impl fmt::Display for GateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((slot, value)) = &self.when {
            write!(f, "{slot}={value}: ")?;
        }
        f.write_str(match self.gate {
            Gate::Always => "always",
            Gate::Standstill => "standstill",
            Gate::Confirm => "confirm",
            Gate::NeverByVoiceAlone => "never_by_voice_alone",
        })
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Speech.
    Voice,
    /// A gesture.
    Gesture,
    /// A dialogue in the cloud.
    Cloud,
    /// A control of the vehicle: a button, the screen.
    Api,
    /// Not told; treated like the most restricted.
    Unknown,
}

impl Source {
    /// From `VehicleCommand.source`.
    pub const fn from_message(source: u8) -> Source {
        match source {
            1 => Source::Voice,
            2 => Source::Gesture,
            3 => Source::Cloud,
            4 => Source::Api,
            _ => Source::Unknown,
        }
    }
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// The vehicle's speed; `None` when it is unknown or stale.
    pub speed_kmh: Option<f32>,
    /// Who asks.
    pub source: Source,
    /// The driver confirmed it when asked back.
    pub confirmed: bool,
}

/// What is to be done with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Carry it out.
    Execute,
    /// Ask back first.
    Confirm,
    /// Say no, with the reason.
    Refuse(Refusal),
}

impl Verdict {
    pub(super) fn strictness(&self) -> u8 {
        match self {
            Verdict::Execute => 0,
            Verdict::Confirm => 1,
            Verdict::Refuse(_) => 2,
        }
    }
}

/// Why a gate says no; its text is an explanation for the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The vehicle moves.
    #[error("only while the vehicle stands still")]
    Moving,
    /// Whether it moves is not known.
    #[error("only while the vehicle stands still, and its speed is not known")]
    SpeedUnknown,
    /// The gate is `never_by_voice_alone`.
    #[error("not by voice: please use the vehicle's own control")]
    NotByVoice,
    /// No such function.
    #[error("there is no such vehicle function")]
    Unknown,
}

impl Gate {
    /// What the gate says in a situation.
    pub fn decide(self, situation: &Situation) -> Verdict {
        match self {
            Gate::Always => Verdict::Execute,
            Gate::Standstill => match situation.speed_kmh {
                // Exactly zero: a creeping vehicle is a moving one, and NaN equals nothing.
                Some(0.0) => Verdict::Execute,
                Some(speed) if !speed.is_nan() => Verdict::Refuse(Refusal::Moving),
                _ => Verdict::Refuse(Refusal::SpeedUnknown),
            },
            Gate::Confirm if situation.confirmed => Verdict::Execute,
            Gate::Confirm => Verdict::Confirm,
            Gate::NeverByVoiceAlone if situation.source == Source::Api => Verdict::Execute,
            Gate::NeverByVoiceAlone => Verdict::Refuse(Refusal::NotByVoice),
        }
    }
}

impl GateRule {
    /// Whether the rule is for this call.
    pub fn matches(&self, call: &Call) -> bool {
        self.when.as_ref().is_none_or(|(slot, value)| call.slot(slot) == Some(value))
    }
}
