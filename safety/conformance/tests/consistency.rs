//! What belongs here: the oracle against itself. Systems that do what it says, at the first and at the last moment that
//! it leaves, are never at fault; it depends on no origin of time; nothing that comes later changes what was due.

use troika_dms_conformance::interval::IntervalSet;
use troika_dms_conformance::time::{MS, RESOLUTION, SECOND};
use troika_dms_conformance::trace::{Frame, Signal};
use troika_dms_conformance::{
    Alert, Expectation, Kind, Ns, Phase, Profile, Reading, State, Trace, Zone, expectations, generate, judge,
};

const TRACES: u64 = 1_000;

/// The first frame at or after `t`, and the one after it.
fn frames_from(trace: &Trace, t: Ns) -> (Option<Ns>, Option<Ns>) {
    let first = trace.frames.partition_point(|f| f.stamp_ns < t);
    let stamp = |i: usize| trace.frames.get(i).map(|f| f.stamp_ns);
    (stamp(first), stamp(first + 1))
}

fn alert(expected: &Expectation, phase: Phase, t: Ns) -> Alert {
    let (profile, kind) = (expected.profile, expected.kind);
    Alert { profile, kind, phase, stamp_ns: t, published_ns: t, gaze_zone: None }
}

/// The frames at which a system that waits as long as it can has to change its mind.
fn turns(trace: &Trace, set: &IntervalSet) -> Vec<Ns> {
    let last = |run: &troika_dms_conformance::interval::Interval| {
        frames_from(trace, run.from).1.filter(|second| *second < run.until)
    };
    set.runs().iter().filter_map(last).collect()
}

/// Raises at the last moment, and only what has to be raised; clears at the last moment.
fn lazy(trace: &Trace, expected: &Expectation) -> Vec<Alert> {
    let raise = turns(trace, &expected.required).into_iter().map(|t| (t, Phase::Raised));
    let clear = turns(trace, &expected.over).into_iter().map(|t| (t, Phase::Cleared));
    let once = expected.once.iter().map(|window| (window.until - 1, Phase::Raised));
    steps(expected, raise.chain(clear).chain(once).collect())
}

/// Raises at the first moment of all that may be raised, clears at the first frame that has to.
fn eager(trace: &Trace, expected: &Expectation) -> Vec<Alert> {
    let first = |set: &IntervalSet| -> Vec<Ns> {
        let frame = |run: &troika_dms_conformance::interval::Interval| {
            frames_from(trace, run.from).0.filter(|stamp| *stamp < run.until)
        };
        set.runs().iter().filter_map(frame).collect()
    };
    let raise = first(&expected.allowed).into_iter().map(|t| (t, Phase::Raised));
    let clear = first(&expected.over).into_iter().map(|t| (t, Phase::Cleared));
    steps(expected, raise.chain(clear).collect())
}

fn steps(expected: &Expectation, mut turns: Vec<(Ns, Phase)>) -> Vec<Alert> {
    turns.sort_by_key(|(t, phase)| (*t, *phase == Phase::Raised));
    let mut raised = false;
    let mut alerts = Vec::new();
    for (t, phase) in turns {
        if raised != (phase == Phase::Raised) {
            raised = !raised;
            alerts.push(alert(expected, phase, t));
        }
    }
    alerts
}

/// PERCLOS as a value of the frames, and as a share of the lids.
const READINGS: [Reading; 2] = [
    Reading { debounce: RESOLUTION, perclos_from_lids: false },
    Reading { debounce: RESOLUTION, perclos_from_lids: true },
];

#[test]
fn doing_what_the_oracle_says_is_no_fault() {
    for (seed, reading) in (0..TRACES).flat_map(|seed| READINGS.map(|reading| (seed, reading))) {
        let trace = generate(seed);
        let expected = expectations(&trace, &reading);
        for respond in [lazy, eager] {
            let alerts: Vec<Alert> = expected.iter().flat_map(|e| respond(&trace, e)).collect();
            let violations = judge(&trace, &reading, &alerts).violations;
            let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
            assert!(violations.is_empty(), "seed {seed}\n{}", told.join("\n"));
        }
    }
}

#[test]
fn what_must_be_may_be_and_what_is_over_may_not() {
    for (seed, reading) in (0..TRACES).flat_map(|seed| READINGS.map(|reading| (seed, reading))) {
        let trace = generate(seed);
        for expected in expectations(&trace, &reading) {
            // Within one frame both may be: whether an excursion was short enough is open by as much.
            let both = expected.allowed.intersect(&expected.over);
            assert!(turns(&trace, &both).is_empty(), "seed {seed}: {:?} {both:?}", expected.kind);
            let both = expected.required.intersect(&expected.over);
            assert!(both.is_empty(), "seed {seed}: {:?} {both:?}", expected.kind);
        }
    }
}

#[test]
fn silence_is_at_fault_wherever_an_alert_is_due() {
    for seed in 0..TRACES {
        let trace = generate(seed);
        let due = expectations(&trace, &Reading::default())
            .iter()
            .any(|e| !turns(&trace, &e.required).is_empty() || !e.once.is_empty());
        assert_eq!(due, !judge(&trace, &Reading::default(), &[]).violations.is_empty(), "seed {seed}");
    }
}

#[test]
fn the_origin_of_time_does_not_matter() {
    let moved = |set: &IntervalSet, by: Ns| {
        let run = |run: &troika_dms_conformance::interval::Interval| (run.from + by, run.until + by);
        set.runs().iter().map(run).collect::<Vec<_>>()
    };
    for seed in 0..200 {
        let trace = generate(seed);
        for shift in [1, -7 * SECOND, 1_000_000 * SECOND] {
            let (here, there) = (
                expectations(&trace, &Reading::default()),
                expectations(&trace.shifted(shift), &Reading::default()),
            );
            for (a, b) in here.iter().zip(&there) {
                assert_eq!(moved(&a.allowed, shift), moved(&b.allowed, 0), "seed {seed}");
                assert_eq!(moved(&a.required, shift), moved(&b.required, 0), "seed {seed}");
                assert_eq!(moved(&a.over, shift), moved(&b.over, 0), "seed {seed}");
            }
        }
    }
}

/// Attentive driving after the end, at a standstill or at a speed: nothing in it is due but what was latched before.
#[test]
fn a_plain_tail_changes_nothing_of_what_came_before() {
    for seed in 0..200 {
        let trace = generate(seed);
        let mut longer = trace.clone();
        let end = trace.frames[trace.frames.len() - 1].stamp_ns;
        for i in 1..300 {
            longer.frames.push(attentive(end + i * 33_333_333));
            longer.signals.push(Signal {
                stamp_ns: end + i * 100 * MS,
                speed_kmh: 60.0,
                driver_acted: false,
            });
        }
        for (before, after) in
            expectations(&trace, &Reading::default()).iter().zip(&expectations(&longer, &Reading::default()))
        {
            // What the last frame holds is known only when the next one comes.
            let known = troika_dms_conformance::interval::Interval::new(0, end - 600 * MS);
            assert_eq!(
                before.required.within(known),
                after.required.within(known),
                "seed {seed} {:?}",
                before.kind
            );
            assert_eq!(
                before.allowed.within(known),
                after.allowed.within(known),
                "seed {seed} {:?}",
                before.kind
            );
            let tail = troika_dms_conformance::interval::Interval::new(end + 4 * SECOND, Ns::MAX);
            let latched = before.kind == Kind::Unresponsive;
            assert!(latched || after.required.within(tail).is_empty(), "seed {seed} {:?}", before.kind);
        }
    }
}

#[test]
fn an_attentive_driver_hears_nothing_in_any_profile() {
    let frames: Vec<Frame> = (0..3_600).map(|i| attentive(i * 33_333_333)).collect();
    let signal = |i: Ns| Signal { stamp_ns: i * 50 * MS, speed_kmh: 100.0, driver_acted: false };
    let trace = Trace {
        name: "Astrid looks at the road for two minutes".to_owned(),
        seed: 0,
        profiles: vec![Profile::EuAddw, Profile::EuroNcap, Profile::EuDdaw, Profile::Perclos],
        frames,
        signals: (0..2_400).map(signal).collect(),
    };
    for expected in expectations(&trace, &Reading::default()) {
        assert!(expected.allowed.is_empty() && expected.required.is_empty(), "{:?}", expected.kind);
    }
}

fn attentive(stamp_ns: Ns) -> Frame {
    Frame {
        stamp_ns,
        state: State::Attentive,
        confidence: 0.9,
        face_detected: true,
        gaze_zone: Zone::Forward,
        gaze_yaw_deg: 0.0,
        gaze_pitch_deg: 0.0,
        eye_openness_left: 0.9,
        eye_openness_right: 0.9,
        perclos: 0.03,
        sensing_nominal: true,
    }
}
