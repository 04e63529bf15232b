//! What belongs here: a part of a trace in words, for the person who has to find out why a test failed.

use crate::interval::Interval;
use crate::time::{Ns, seconds};
use crate::trace::{Frame, Signal, State, Trace};
use std::fmt::Write;

/// No more lines than this: the last ones are the ones that matter.
const MOST_LINES: usize = 40;

/// One line for each stretch of frames that say the same, with the speed at its start; acts of the driver between.
#[must_use]
pub fn excerpt(trace: &Trace, part: Interval) -> String {
    let frames =
        trace.frames.iter().filter(|f| part.contains(f.stamp_ns)).map(|f| (f.stamp_ns, line(f, trace)));
    let acts = trace.signals.iter().filter(|s| s.driver_acted && part.contains(s.stamp_ns));
    let mut moments: Vec<(Ns, String)> = frames.chain(acts.map(act)).collect();
    moments.sort_by_key(|(stamp, _)| *stamp);

    let mut stretches: Vec<(Ns, Ns, usize, &str)> = Vec::new();
    for (stamp, text) in &moments {
        match stretches.last_mut() {
            Some((_, last, count, same)) if *same == text => (*last, *count) = (*stamp, *count + 1),
            _ => stretches.push((*stamp, *stamp, 1, text)),
        }
    }
    let mut out = format!("  trace {} (seed {})\n", trace.name, trace.seed);
    for (first, last, count, text) in stretches.iter().skip(stretches.len().saturating_sub(MOST_LINES)) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {:9.3} .. {:9.3} s  {count:4} x  {text}", seconds(*first), seconds(*last));
    }
    out
}

fn act(signal: &Signal) -> (Ns, String) {
    (signal.stamp_ns, "the driver acts".to_owned())
}

fn line(frame: &Frame, trace: &Trace) -> String {
    let before = trace.signals.partition_point(|s| s.stamp_ns <= frame.stamp_ns);
    let speed = before.checked_sub(1).and_then(|i| trace.signals.get(i)).map_or(f32::NAN, |s| s.speed_kmh);
    let state = match frame.state {
        State::Unknown => "unknown",
        State::Attentive => "attentive",
        State::LookingAway => "looking away",
        State::EyesClosed => "eyes closed",
    };
    let eyes = match (frame.eye_openness_left, frame.eye_openness_right) {
        (l, r) if l.is_nan() && r.is_nan() => "eyes not seen",
        (l, r) if l <= 0.2 && r <= 0.2 => "lids shut",
        _ => "lids open",
    };
    let face = if frame.face_detected { "" } else { ", no face" };
    let sensing = if frame.sensing_nominal { "" } else { ", sensing not nominal" };
    let perclos =
        if frame.perclos > 0.08 { format!(", perclos {:.3}", frame.perclos) } else { String::new() };
    format!("{state}, {}, {eyes}{face}{sensing}{perclos}, {speed:.1} km/h", frame.gaze_zone)
}
