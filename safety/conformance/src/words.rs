//! What is told to a person, in the words of the rule table (this crate's README) and not of the code.

use std::fmt::{Display, Formatter, Result};

use crate::{
    judge::Fault,
    oracle::{Boundary, Rule},
    trace::{Kind, Zone},
};

impl Display for Rule {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Rule::AddwFast => "area 3, 50 km/h and more",
            Rule::AddwSlow => "area 3, 20 to 50 km/h",
            Rule::AddwCrossing => "area 3, a band of speed crossed",
            Rule::AddwTooSlow => "below 20 km/h",
            Rule::AddwInterrupted => "a glance with an interruption",
            Rule::AddwNonNominal => "sensing not nominal",
            Rule::AddwArea1 => "area 1",
            Rule::NcapNonDriving => "long distraction, non-driving target",
            Rule::NcapDrivingTask => "long distraction, mirrors and cluster",
            Rule::NcapMixed => "long distraction, both kinds of target",
            Rule::NcapRepeated => "repeated glances",
            Rule::NcapPhone => "phone use",
            Rule::Microsleep => "microsleep",
            Rule::Sleep => "sleep",
            Rule::UnresponsiveEyes => "unresponsive, eyes closed",
            Rule::UnresponsiveGaze => "unresponsive, gaze away",
            Rule::MonitoringUnavailable => "monitoring unavailable",
            Rule::Perclos => "PERCLOS",
            Rule::Ddaw => "drowsy at speed",
        })
    }
}

impl Display for Boundary {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Boundary::FarUnder => "far under the limit",
            Boundary::JustUnder => "just under the limit",
            Boundary::JustOver => "just over the limit",
            Boundary::FarOver => "far over the limit",
        })
    }
}

impl Display for Fault {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Fault::Early => "raised before its limit",
            Fault::Late => "raised later than one frame after its limit",
            Fault::Missing => "not raised",
            Fault::False => "raised without its condition",
            Fault::NotCleared => "still active after its end",
            Fault::ClearedEarly => "cleared while its condition held",
            Fault::Repeated => "raised while raised, or cleared while cleared",
            Fault::Misstamped => "with a stamp at which no limit had passed, or one after its publication",
            Fault::Misnamed => "naming a target at which the driver had not looked",
        })
    }
}

impl Display for Kind {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Kind::LongDistraction => "long distraction",
            Kind::RepeatedGlances => "repeated glances",
            Kind::PhoneUse => "phone use",
            Kind::Microsleep => "microsleep",
            Kind::Sleep => "sleep",
            Kind::Unresponsive => "unresponsive driver",
            Kind::Drowsiness => "drowsiness",
            Kind::MonitoringUnavailable => "monitoring unavailable",
        })
    }
}

impl Display for Zone {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Zone::Unknown => "gaze unknown",
            Zone::Forward => "gaze forward",
            Zone::LeftMirror => "gaze at the left mirror",
            Zone::RightMirror => "gaze at the right mirror",
            Zone::RearMirror => "gaze at the rear mirror",
            Zone::Cluster => "gaze at the cluster",
            Zone::Area3 => "gaze in area 3",
            Zone::Area1 => "gaze in area 1",
            Zone::Other => "gaze elsewhere",
        })
    }
}
