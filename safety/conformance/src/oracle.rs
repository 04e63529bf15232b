//! What belongs here: the shape of an answer of the oracle ([`Expectation`]) and the list of all answers for a trace.
//! The rules themselves are in the files below, one for each kind of evidence.
//!
//! Nothing here steps through time. A rule is written over the whole trace: the set of moments at which its condition
//! surely holds and the set at which it possibly holds, bridged, cut by the speed bands, and limits found on the runs.
//! What only the second set gives is left open (MAY); what the first gives is due (MUST); all else is forbidden.

mod drowsy;
mod eyes;
mod facts;
mod glance;
mod lids;
mod ncap;
#[cfg(test)]
mod tests;

use crate::interval::{Interval, IntervalSet};
use crate::time::{MS, Ns, RESOLUTION};
use crate::trace::{Kind, Profile, Trace};
pub use drowsy::{EVALUATION, PERCLOS_CLEAR, PERCLOS_RAISE, UNAVAILABLE};
pub use eyes::{EYES_UNRESPONSIVE, GAZE_UNRESPONSIVE, MICROSLEEP, SLEEP};
use facts::Facts;
pub use facts::{SPEED_HOLD, UNKNOWN_BRIDGE};
pub use glance::{EXCURSION, FAST_KMH, FAST_LIMIT, NON_NOMINAL_EXTRA, SLOW_KMH, SLOW_LIMIT};
use lids::Lids;
pub use lids::PERCLOS_WINDOW;
pub use ncap::{DRIVING_TASK, FIRST_MINUTE, NON_DRIVING, REPEATED, REPEATED_WINDOW, ROAD_VIEW};

/// A row of the table, or a part of a row that has its own number. For counting and for naming a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `eu_addw`, area 3, at 50 km/h and more throughout.
    AddwFast,
    /// `eu_addw`, area 3, from 20 to less than 50 km/h throughout.
    AddwSlow,
    /// `eu_addw`, a glance during which a band is entered or left.
    AddwCrossing,
    /// `eu_addw`, a glance below 20 km/h throughout.
    AddwTooSlow,
    /// `eu_addw`, a glance with an excursion, or with unknown frames, inside.
    AddwInterrupted,
    /// `eu_addw`, sensing not nominal in some part of the glance.
    AddwNonNominal,
    /// `eu_addw`, area 1.
    AddwArea1,
    /// `euro_ncap`, one glance at non-driving targets.
    NcapNonDriving,
    /// `euro_ncap`, one glance at mirrors or cluster.
    NcapDrivingTask,
    /// `euro_ncap`, one glance over both kinds of target.
    NcapMixed,
    /// `euro_ncap`, repeated glances.
    NcapRepeated,
    /// `euro_ncap`, phone use.
    NcapPhone,
    /// `euro_ncap`, eyes closed for [`MICROSLEEP`].
    Microsleep,
    /// `euro_ncap`, eyes closed for [`SLEEP`].
    Sleep,
    /// `euro_ncap`, eyes closed for [`EYES_UNRESPONSIVE`].
    UnresponsiveEyes,
    /// `euro_ncap`, no return of the gaze for [`GAZE_UNRESPONSIVE`] after a distraction warning.
    UnresponsiveGaze,
    /// Any profile: the driver unknown for [`UNAVAILABLE`].
    MonitoringUnavailable,
    /// `perclos`: above [`PERCLOS_RAISE`].
    Perclos,
    /// `eu_ddaw`: drowsy by PERCLOS or long blinks at speed.
    Ddaw,
}

impl Rule {
    /// Whose alert it is.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Rule::AddwFast
            | Rule::AddwSlow
            | Rule::AddwCrossing
            | Rule::AddwTooSlow
            | Rule::AddwInterrupted
            | Rule::AddwNonNominal
            | Rule::AddwArea1 => Profile::EuAddw,
            Rule::NcapNonDriving
            | Rule::NcapDrivingTask
            | Rule::NcapMixed
            | Rule::NcapRepeated
            | Rule::NcapPhone
            | Rule::Microsleep
            | Rule::Sleep
            | Rule::UnresponsiveEyes
            | Rule::UnresponsiveGaze => Profile::EuroNcap,
            Rule::MonitoringUnavailable => Profile::Troika,
            Rule::Perclos => Profile::Perclos,
            Rule::Ddaw => Profile::EuDdaw,
        }
    }
}

/// Where the condition ended, relative to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Boundary {
    /// More than [`Boundary::NEAR`] before the last moment at which it could not have been reached.
    FarUnder,
    /// Before the limit, by no more than [`Boundary::NEAR`] and the slack.
    JustUnder,
    /// At the limit, or less than [`Boundary::NEAR`] after it.
    JustOver,
    /// [`Boundary::NEAR`] or more after the limit.
    FarOver,
}

impl Boundary {
    /// What counts as near: the boundary tests sit a frame or 50 ms from a limit.
    pub const NEAR: Ns = 100 * MS;

    /// Of a condition that ended at `until`; `slack` is how long after its end an alert is still left open.
    #[must_use]
    pub const fn of(until: Ns, limit_moment: Ns, slack: Ns) -> Self {
        let margin = until - limit_moment;
        if margin < -(Self::NEAR + slack) {
            Self::FarUnder
        } else if margin < 0 {
            Self::JustUnder
        } else if margin < Self::NEAR {
            Self::JustOver
        } else {
            Self::FarOver
        }
    }
}

/// One stretch in which a rule's condition possibly held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The part of the table that it is counted under.
    pub rule: Rule,
    /// How near to the limit it ended.
    pub boundary: Boundary,
    /// When the condition possibly began and when it last possibly held.
    pub span: Interval,
    /// The moment the limit passes: before it an alert is early. For an episode that was too short, when it would have.
    pub limit_moment: Ns,
    /// The length of the limit that `limit_moment` comes from.
    pub limit: Ns,
}

/// What the table says of one alert over one trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Whose alert it is. "Monitoring unavailable" counts under whichever profile a DMS publishes it.
    pub profile: Profile,
    /// Of a trace's expectations no two share both profile and kind.
    pub kind: Kind,
    /// MAY be raised: begins when a limit passes. Outside of it the alert MUST NOT be raised.
    pub allowed: IntervalSet,
    /// MUST be active, from the second frame of each run on: each run begins when a limit has surely passed (or when
    /// the condition returns after a bridged excursion), and the frame that sees it or the one after it has to act.
    pub required: IntervalSet,
    /// MUST NOT be active, from the second frame of each run on until the next `allowed` moment. Empty where the table
    /// does not say when an alert ends.
    pub over: IntervalSet,
    /// MUST have been active at some moment of each, where the table lets it come and go in between.
    pub once: Vec<Interval>,
    /// For an alert that is latched: when the driver acted. It may be cleared after one of these only.
    pub latched_until: Option<Vec<Ns>>,
    /// Whether the table wants or allows it raised again while it is raised.
    pub repeats: bool,
    /// Every stretch of the condition, also those too short for the limit.
    pub episodes: Vec<Episode>,
}

impl Expectation {
    /// An alert that is never due, never allowed.
    #[must_use]
    pub fn never(profile: Profile, kind: Kind) -> Self {
        Self {
            profile,
            kind,
            allowed: IntervalSet::empty(),
            required: IntervalSet::empty(),
            over: IntervalSet::empty(),
            once: Vec::new(),
            latched_until: None,
            repeats: false,
            episodes: Vec::new(),
        }
    }
}

/// How a DMS reads what the table leaves to it. It is stated before the DMS is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// A return of the gaze, or a look of open eyes, up to this long may be overlooked, and an end may be seen so much later. The table's own
    /// resolution is 50 ms; a DMS that lets no single misread frame end a glance needs three frames.
    pub debounce: Ns,
    /// The DMS works out PERCLOS from the lids by itself and does not look at the trace's value, with which the lids of a generated trace do not
    /// agree: then `perclos` and `eu_ddaw` are judged by the lids.
    pub perclos_from_lids: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { debounce: RESOLUTION, perclos_from_lids: false }
    }
}

/// What the table says of every alert of the trace's profiles. "Monitoring unavailable" is always among them: the
/// table gives it to no profile.
#[must_use]
pub fn expectations(trace: &Trace, reading: &Reading) -> Vec<Expectation> {
    let Some(facts) = Facts::of(trace, reading) else {
        return Vec::new();
    };
    let mut all = vec![drowsy::monitoring_unavailable(&facts)];
    if trace.has(Profile::EuAddw) {
        all.push(glance::long_glance(&facts));
    }
    if trace.has(Profile::EuroNcap) {
        let long = ncap::long_distraction(&facts);
        let repeated = ncap::repeated_glances(&facts);
        let phone = ncap::phone_use(&long, &repeated);
        let unresponsive = eyes::unresponsive(&facts, &[&long, &repeated]);
        all.extend([long, repeated, phone, eyes::microsleep(&facts), eyes::sleep(&facts), unresponsive]);
    }
    let of_eyes = trace.has(Profile::Perclos) || trace.has(Profile::EuDdaw);
    let lids = (of_eyes && reading.perclos_from_lids).then(|| Lids::of(&facts));
    if trace.has(Profile::Perclos) {
        let expected = lids.as_ref().map(|lids| drowsy::perclos_of_lids(&facts, lids));
        all.push(expected.unwrap_or_else(|| drowsy::perclos(&facts)));
    }
    if trace.has(Profile::EuDdaw) {
        let expected = lids.as_ref().map(|lids| drowsy::ddaw_of_lids(&facts, lids));
        all.push(expected.unwrap_or_else(|| drowsy::ddaw(&facts)));
    }
    all
}
