//! What the monitor said of what it saw, held against the table of rules by its own numbers: the oracle of the conformance suite knows neither
//! the monitor nor its profiles, so that a limit which is wrong in a profile is wrong here.

use troika_dms_conformance::{
    Alert, Frame, Kind, Ns, Phase, Profile, Reading, Signal, State, Trace, Zone, judge,
};
use troika_msgs::troika::{DriverAlert, DriverState, VehicleSignals};

use super::{Found, found};
use crate::seen::{Event, Seen};

/// As the monitor reads what the table leaves open: three frames at 30 Hz (`bridge_s` of the profiles), and PERCLOS from the lids.
const READING: Reading = Reading { debounce: 100_000_000, perclos_from_lids: true };

/// Two events of one moment: times are nanoseconds as seconds.
const SAME_S: f64 = 1e-6;

pub(super) fn as_table(seen: &Seen) -> Found {
    let Some(first) = seen.states.first() else { return found(false, None, "no driver state came") };
    // Before the first frame: a signal may be.
    let begin = nanos(first.value.header.time()) - 1_000_000_000;
    let trace = trace(seen, begin);
    let stamps: Vec<(f64, Ns)> =
        seen.states.iter().map(|one| (one.at, nanos(one.value.header.time()) - begin)).collect();
    let alerts: Vec<Alert> = seen.alerts.iter().filter_map(|one| alert(one, &stamps, begin)).collect();
    let raised = alerts.iter().filter(|one| one.phase == Phase::Raised).count();
    let verdicts = judge(&trace, &READING, &alerts);
    match verdicts.violations.first() {
        // Times of the trace are told as those of the scenario.
        Some(wrong) => {
            let at = (wrong.at_ns + begin - nanos(first.value.header.time())) as f64 / 1e9 + first.at;
            let (profile, kind) = (wrong.profile.name(), wrong.kind);
            let rule = wrong.rule.zip(wrong.limit_ns).map_or_else(String::new, |(rule, limit)| {
                format!("; the table's {rule:?} has {:.1} s", limit as f64 / 1e9)
            });
            found(false, at, format!("{:?}: {profile} {kind:?} at {at:.3} s{rule}", wrong.fault))
        }
        None => found(true, None, format!("{raised} raised, as the table has it")),
    }
}

fn nanos(time: troika_kit::Time) -> Ns {
    Ns::try_from(time.as_nanos()).unwrap_or(Ns::MAX)
}

fn trace(seen: &Seen, begin: Ns) -> Trace {
    let frames = seen.states.iter().map(|one| frame(&one.value, begin, seen.nominal_confidence));
    let signals = seen.signals.iter().map(|one| signal(&one.value, begin));
    Trace {
        name: String::new(),
        seed: 0,
        profiles: seen.profiles.iter().filter_map(|name| Profile::from_name(name)).collect(),
        frames: increasing(frames, |frame| frame.stamp_ns),
        signals: increasing(signals, |signal| signal.stamp_ns),
    }
}

/// Without those whose stamp does not come after the one before.
fn increasing<T>(all: impl Iterator<Item = T>, stamp: impl Fn(&T) -> Ns) -> Vec<T> {
    let mut last = 0;
    all.filter(|one| {
        let is_later = stamp(one) > last;
        last = last.max(stamp(one));
        is_later
    })
    .collect()
}

fn frame(state: &DriverState, begin: Ns, nominal_confidence: f32) -> Frame {
    // The table has the eyes closed or open. Of two that noise makes differ in a lid's fall the monitor takes the mean, and the frame in which
    // that fell is the one to count from.
    let seen = [state.eye_openness_left, state.eye_openness_right].into_iter().filter(|one| one.is_finite());
    let (sum, eyes) = seen.fold((0.0, 0.0), |(sum, eyes), one| (sum + one, eyes + 1.0));
    let openness = if eyes > 0.0 { sum / eyes } else { f32::NAN };
    Frame {
        stamp_ns: nanos(state.header.time()) - begin,
        state: match state.state {
            DriverState::ATTENTIVE => State::Attentive,
            DriverState::LOOKING_AWAY => State::LookingAway,
            DriverState::EYES_CLOSED => State::EyesClosed,
            _ => State::Unknown,
        },
        confidence: state.confidence,
        face_detected: state.face_detected,
        gaze_zone: Zone::from_number(state.gaze_zone).unwrap_or(Zone::Unknown),
        gaze_yaw_deg: state.gaze_yaw_deg,
        gaze_pitch_deg: state.gaze_pitch_deg,
        eye_openness_left: openness,
        eye_openness_right: openness,
        perclos: state.perclos,
        sensing_nominal: state.confidence >= nominal_confidence,
    }
}

fn signal(signals: &VehicleSignals, begin: Ns) -> Signal {
    Signal {
        stamp_ns: nanos(signals.header.time()) - begin,
        speed_kmh: signals.speed_kmh,
        driver_acted: signals.driver_acted,
    }
}

/// One of the table's profiles; others are not the table's.
fn alert(one: &Event<DriverAlert>, stamps: &[(f64, Ns)], begin: Ns) -> Option<Alert> {
    let came = stamps.partition_point(|(at, _)| *at <= one.at + SAME_S);
    let (_, published_ns) = came.checked_sub(1).and_then(|last| stamps.get(last))?;
    Some(Alert {
        profile: Profile::from_name(&one.value.profile)?,
        kind: Kind::from_number(one.value.kind)?,
        phase: if one.value.phase == DriverAlert::RAISED { Phase::Raised } else { Phase::Cleared },
        stamp_ns: nanos(one.value.header.time()) - begin,
        published_ns: *published_ns,
        gaze_zone: Zone::from_number(one.value.gaze_zone),
    })
}

#[cfg(test)]
mod tests {
    use troika_kit::Time;
    use troika_msgs::std_msgs::Header;

    use super::*;

    /// Eyes shut from 2 s to 4.5 s, and the alert of a microsleep this long after they were.
    fn seen(after_s: f64, profiles: &[&str]) -> Seen {
        let time = |at: f64| Time::from_nanos(1_000_000_000_000 + (at * 1e9).round() as u64);
        let event = |at: f64, phase: u8| {
            let alert = DriverAlert {
                header: Header::at(time(at)),
                kind: DriverAlert::MICROSLEEP,
                phase,
                profile: "euro_ncap".into(),
                ..DriverAlert::default()
            };
            Event { at, value: alert }
        };
        let state = |frame: u32| {
            let at = f64::from(frame) / 20.0;
            let shut = (2.0..4.5).contains(&at);
            let value = DriverState {
                header: Header::at(time(at)),
                state: if shut { DriverState::EYES_CLOSED } else { DriverState::ATTENTIVE },
                confidence: 0.9,
                face_detected: true,
                gaze_zone: if shut { DriverState::ZONE_UNKNOWN } else { DriverState::ZONE_FORWARD },
                eye_openness_left: if shut { 0.0 } else { 0.9 },
                eye_openness_right: if shut { 0.0 } else { 0.9 },
                ..DriverState::default()
            };
            Event { at, value }
        };
        let signal = |n: u32| {
            let at = f64::from(n) / 10.0;
            let value =
                VehicleSignals { header: Header::at(time(at)), speed_kmh: 60.0, ..VehicleSignals::default() };
            Event { at, value }
        };
        Seen {
            states: (0..200).map(state).collect(),
            signals: (0..100).map(signal).collect(),
            alerts: vec![event(2.0 + after_s, DriverAlert::RAISED), event(4.5, DriverAlert::CLEARED)],
            profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
            nominal_confidence: 0.35,
            ..Seen::default()
        }
    }

    #[test]
    fn an_alert_is_held_against_the_tables_limit_and_not_against_a_profiles() {
        // 2.5 s of shut eyes: a microsleep, 1.5 s by the table, and no sleep.
        let right = as_table(&seen(1.5, &["euro_ncap"]));
        assert!(right.holds, "{}", right.told);
        let late = as_table(&seen(2.0, &["euro_ncap"]));
        assert!(!late.holds && late.told.contains("Microsleep"), "{}", late.told);
        assert!(late.told.ends_with("; the table's Microsleep has 1.5 s"), "{}", late.told);
        let early = as_table(&seen(1.2, &["euro_ncap"]));
        assert!(!early.holds && early.told.starts_with("Early"), "{}", early.told);
        assert!(!as_table(&seen(1.5, &[])).holds, "raised by a profile that is off");
        assert!(!as_table(&Seen::default()).holds, "nobody looked");
    }
}
