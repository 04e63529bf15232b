//! The monitor as a DMS that the conformance suite can try: messages in, alerts out, a step a frame.
#![allow(dead_code, reason = "each program uses its part")]

use troika_dms_conformance::{
    Alert, Frame, Kind, Phase, Profile as Rules, Reading, Trace, Zone, trace::Input,
};
use troika_kit::{Events, Latest, Sample, Step as _, Tick, Time};
use troika_monitor::{Config, Inputs, MonitorNode, Outputs};
use troika_msgs::{
    std_msgs::Header,
    troika::{DriverState, VehicleSignals},
};

/// Traces begin at no real time; a stamp of zero would be none.
const BEGIN_NS: u64 = 1_000_000_000_000;

/// Three frames at 30 Hz (`bridge_s` of the profiles), so that one misread frame neither ends a glance nor opens an eye; the share of closure is
/// worked out from the lids.
pub(crate) const READING: Reading = Reading { debounce: 100_000_000, perclos_from_lids: true };

/// What a trace makes the monitor say.
pub(crate) fn said(trace: &Trace, mut monitor: MonitorNode) -> Vec<Alert> {
    let (mut alerts, mut signals, mut seq) = (Vec::new(), Vec::new(), 0);
    for input in trace.inputs() {
        match input {
            Input::Signal(signal) => {
                let received = time(signal.stamp_ns);
                let value = VehicleSignals {
                    header: Header::at(received),
                    speed_kmh: signal.speed_kmh,
                    driver_acted: signal.driver_acted,
                    ignition_on: true,
                    gear: 127,
                    ..VehicleSignals::default()
                };
                signals.push(Sample { value, received });
            }
            Input::Frame(frame) => {
                let now = time(frame.stamp_ns);
                let inputs = Inputs {
                    state: fresh(state(&frame), now),
                    signals: Events::holding(std::mem::take(&mut signals)),
                };
                let mut outputs = Outputs::default();
                let tick = Tick { seq, release: now, now, level: 0 };
                monitor.step(&tick, &inputs, &mut outputs).expect("the monitor never faults");
                seq += 1;
                alerts.extend(outputs.alert.sent().iter().map(|alert| Alert {
                    profile: Rules::from_name(&alert.profile).expect("a profile of the table"),
                    kind: Kind::from_number(alert.kind).expect("a kind of the table"),
                    phase: if alert.phase == Phase::Raised as u8 { Phase::Raised } else { Phase::Cleared },
                    stamp_ns: ns(alert.header.time()),
                    published_ns: frame.stamp_ns,
                    gaze_zone: Zone::from_number(alert.gaze_zone),
                }));
            }
        }
    }
    alerts
}

/// A monitor with the trace's rules.
pub(crate) fn monitor(trace: &Trace) -> MonitorNode {
    let profiles = trace.profiles.iter().map(|rules| rules.name().to_owned()).collect();
    let config = Config { profiles, ..Config::default() };
    MonitorNode::new(&config, |_| unreachable!("no file is named")).expect("built-in profiles")
}

fn time(stamp: troika_dms_conformance::Ns) -> Time {
    Time::from_nanos(BEGIN_NS + u64::try_from(stamp).expect("a stamp after the trace's begin"))
}

fn ns(time: Time) -> troika_dms_conformance::Ns {
    (time.as_nanos() - BEGIN_NS).try_into().expect("a stamp of the trace")
}

fn state(frame: &Frame) -> DriverState {
    DriverState {
        header: Header::at(time(frame.stamp_ns)),
        state: frame.state as u8,
        // This is how our detector tells of eyewear, light and occlusion.
        confidence: if frame.sensing_nominal { frame.confidence.max(0.9) } else { 0.3 },
        face_detected: frame.face_detected,
        gaze_zone: frame.gaze_zone as u8,
        gaze_yaw_deg: frame.gaze_yaw_deg,
        gaze_pitch_deg: frame.gaze_pitch_deg,
        eye_openness_left: frame.eye_openness_left,
        eye_openness_right: frame.eye_openness_right,
        perclos: frame.perclos,
        ..DriverState::default()
    }
}

fn fresh(value: DriverState, received: Time) -> Latest<DriverState> {
    Latest::holding(value, received)
}
