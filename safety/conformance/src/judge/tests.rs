//! What belongs here: one drive made by hand, and what is said of systems that get it right and wrong.

use super::{Fault, judge};
use crate::drive::{Drive, FRAME, Show};
use crate::oracle::Reading;
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Alert, Kind, Phase, Profile, Trace, Zone};

const LIMIT: Ns = 2 * SECOND + 3_500 * MS;
const OUT: Ns = 8 * SECOND;

/// Ada looks into her lap from 2 to 8 s, at 90 km/h.
fn ada() -> Trace {
    let mut ada = Drive::of("Ada", 90.0);
    ada.road(2 * SECOND).lap(6 * SECOND).road(4 * SECOND);
    let mut trace = ada.trace();
    trace.profiles = vec![Profile::EuAddw];
    trace
}

fn alert(phase: Phase, at: Ns) -> Alert {
    Alert {
        profile: Profile::EuAddw,
        kind: Kind::LongDistraction,
        phase,
        stamp_ns: at,
        published_ns: at,
        gaze_zone: Some(Zone::Area3),
    }
}

fn faults(alerts: &[Alert]) -> Vec<Fault> {
    judge(&ada(), &Reading::default(), alerts).violations.iter().map(|v| v.fault).collect()
}

fn pair(raised: Ns, cleared: Ns) -> Vec<Fault> {
    faults(&[alert(Phase::Raised, raised), alert(Phase::Cleared, cleared)])
}

#[test]
fn the_first_frame_at_the_limit_and_the_one_after_it_are_right() {
    assert_eq!(pair(LIMIT, OUT), []);
    assert_eq!(pair(LIMIT + FRAME, OUT + 300 * MS + 2 * FRAME), []);
}

#[test]
fn a_frame_earlier_or_later_is_wrong() {
    assert_eq!(pair(LIMIT - FRAME, OUT), [Fault::Early]);
    assert_eq!(pair(LIMIT + 2 * FRAME, OUT), [Fault::Late]);
    assert_eq!(pair(LIMIT, OUT - FRAME), [Fault::ClearedEarly]);
    assert_eq!(pair(LIMIT, OUT + 300 * MS + 3 * FRAME), [Fault::NotCleared]);
}

#[test]
fn none_at_all_is_missing_and_one_on_the_road_is_false() {
    assert_eq!(faults(&[]), [Fault::Missing]);
    assert_eq!(
        faults(&[alert(Phase::Raised, SECOND), alert(Phase::Cleared, 2 * SECOND)]),
        [Fault::False, Fault::Missing]
    );
    assert_eq!(faults(&[alert(Phase::Raised, LIMIT)]), [Fault::NotCleared]);
}

#[test]
fn an_alert_of_a_profile_that_is_off_is_false() {
    let other = Alert { profile: Profile::EuroNcap, ..alert(Phase::Raised, LIMIT) };
    let right = [alert(Phase::Raised, LIMIT), other, alert(Phase::Cleared, OUT)];
    assert_eq!(faults(&right), [Fault::False]);
}

#[test]
fn stamp_and_name_have_to_be_true() {
    let raised = alert(Phase::Raised, LIMIT + FRAME);
    let cleared = alert(Phase::Cleared, OUT);
    assert_eq!(faults(&[Alert { stamp_ns: LIMIT, ..raised }, cleared]), []);
    assert_eq!(faults(&[Alert { stamp_ns: LIMIT - 10 * MS, ..raised }, cleared]), [Fault::Misstamped]);
    assert_eq!(faults(&[Alert { stamp_ns: LIMIT + SECOND, ..raised }, cleared]), [Fault::Misstamped]);
    assert_eq!(faults(&[Alert { gaze_zone: Some(Zone::Area1), ..raised }, cleared]), [Fault::Misnamed]);
    assert_eq!(faults(&[Alert { gaze_zone: None, ..raised }, cleared]), []);
}

#[test]
fn raised_twice_is_repeated() {
    let twice =
        [alert(Phase::Raised, LIMIT), alert(Phase::Raised, LIMIT + SECOND), alert(Phase::Cleared, OUT)];
    assert_eq!(faults(&twice), [Fault::Repeated]);
}

#[test]
fn the_system_may_publish_monitoring_unavailable_under_any_profile() {
    let mut lena = Drive::of("Lena", 60.0);
    lena.road(2 * SECOND).show(Show::Lost, 7 * SECOND).road(SECOND);
    for profile in [Profile::Troika, Profile::EuAddw, Profile::EuroNcap] {
        let raised = Alert { profile, kind: Kind::MonitoringUnavailable, ..alert(Phase::Raised, 7 * SECOND) };
        let violations = judge(&lena.trace(), &Reading::default(), &[raised]).violations;
        assert!(violations.is_empty(), "{violations:?}");
    }
    assert_eq!(judge(&lena.trace(), &Reading::default(), &[]).violations.len(), 1);
}

#[test]
fn a_latched_alert_may_not_go_before_the_driver_acts() {
    let mut karl = Drive::of("Karl", 60.0);
    karl.road(2 * SECOND).show(Show::Shut, 7 * SECOND).road(3 * SECOND);
    let acted = karl.now();
    karl.acts().road(2 * SECOND);
    let mut trace = karl.trace();
    trace.profiles = vec![Profile::EuroNcap];
    let of =
        |kind: Kind, phase: Phase, at: Ns| Alert { profile: Profile::EuroNcap, kind, ..alert(phase, at) };
    let mut alerts = vec![
        of(Kind::Microsleep, Phase::Raised, 3_500 * MS),
        of(Kind::Sleep, Phase::Raised, 5 * SECOND),
        of(Kind::Unresponsive, Phase::Raised, 8 * SECOND),
        of(Kind::Microsleep, Phase::Cleared, 9 * SECOND),
        of(Kind::Unresponsive, Phase::Cleared, acted),
    ];
    assert_eq!(judge(&trace, &Reading::default(), &alerts).violations, []);
    alerts[4].published_ns = acted - SECOND;
    let told: Vec<Fault> =
        judge(&trace, &Reading::default(), &alerts).violations.iter().map(|v| v.fault).collect();
    assert_eq!(told, [Fault::ClearedEarly]);
}

#[test]
fn a_violation_tells_a_person_what_happened() {
    let text = judge(&ada(), &Reading::default(), &[]).violations[0].to_string();
    assert!(
        text.contains(
            "eu_addw, long distraction: not raised, at 5.520 s (area 3, 50 km/h and more; the limit of 3.5 s passes at 5.500 s)"
        ),
        "{text}"
    );
    assert!(text.contains("looking away, gaze in area 3, lids open, 90.0 km/h"), "{text}");
}
