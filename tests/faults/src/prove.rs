//! The campaign held against itself: with one reaction after another switched off, some class that claims it must fail. One that goes on as if
//! nothing were would be a check that cannot fail.

use crate::{
    campaign::once,
    class::{Class, Ground, Off},
    report::Figures,
    sensing::Eyes,
};

/// What came of one reaction that was switched off.
#[derive(Debug, Clone)]
pub struct Proof {
    /// What was.
    pub off: Off,
    /// Classes that ought to notice.
    pub asked: Vec<&'static str>,
    /// Of those, the ones that failed.
    pub failed: Vec<String>,
    /// What one of them told.
    pub example: String,
}

impl Proof {
    /// Every class that ought to notice did.
    pub fn holds(&self) -> bool {
        !self.asked.is_empty() && self.failed.len() == self.asked.len()
    }
}

/// Each reaction, and the classes that stand on it.
pub const REACTIONS: &[(Off, &str, &[&str])] = &[
    (Off::DiskFull, "a full disk is told to nobody", &["disk.full"]),
    (
        Off::EndToEnd,
        "end-to-end checks find nothing",
        &[
            "heartbeat.sealed.bits",
            "safety_state.sealed.field",
            "driver_alert.sealed.bits",
            "heartbeat.bits",
            "heartbeat.foreign",
            "heartbeat.bare",
            "heartbeat.repeated",
            "heartbeat.alternating",
            "command.bits",
            "command.field",
            "safety_state.bits",
            "command.foreign",
            "safety_state.field",
            "safety_state.bare",
            "command.bare",
            "driver_state.sealed.field",
            "signals.sealed.bits",
            "driver_state.foreign",
            "signals.foreign",
            "signals.foreign.monitor",
        ],
    ),
    (
        Off::Supervisor,
        "the supervisor says nominal whatever it hears",
        &["heartbeat.lost", "node.silent", "node.unavailable", "node.flaps"],
    ),
    (
        Off::Alerts,
        "the monitor's alerts do not leave",
        &["driver_state.lost", "driver_state.duplicated", "driver_state.no_numbers"],
    ),
    (Off::Latch, "an alert is cleared while the eyes are closed", &["clock.back", "driver_state.lost_some"]),
    (
        Off::Gates,
        "the gates believe that the vehicle stands",
        &["command.moving", "command.bare_gated", "signals.no_number", "signals.bits", "voice.gated"],
    ),
    (
        Off::SignalAge,
        "the age of signals is not looked at",
        &["signals.lost", "signals.late", "signals.stuck"],
    ),
    (Off::Memory, "the door forgets ids", &["command.replayed"]),
    (Off::CommandAge, "the door does not look at a command's age", &["command.late"]),
    (
        Off::SafeState,
        "the safety state does not reach its readers",
        &["command.safe_state", "safety_state.lost", "cloud.safe_state"],
    ),
    (Off::NoResult, "nobody tells that a command has no result", &["command.lost"]),
    (Off::Rate, "commands are not counted", &["voice.flood"]),
    (Off::Confidence, "every transcript is sure", &["voice.unsure"]),
    (
        Off::Microphone,
        "the watch over the microphone hears a good room",
        &["microphone.dead", "microphone.mute", "microphone.roars", "microphone.stuck"],
    ),
    (
        Off::FrameAge,
        "a frame's stamp is not looked at, nor whether it is the one before",
        &["camera.old", "camera.future", "camera.frozen"],
    ),
    (
        Off::FallBacks,
        "fall-backs do not leave",
        &["camera.dead", "camera.malformed", "camera.black", "network.fails"],
    ),
    (Off::Passport, "a model is not held against its passport", &["model.damaged"]),
    (Off::StreamBounds, "the cloud's stream has no bounds", &["cloud.floods"]),
    (Off::Patience, "a cloud that stalls is waited for", &["cloud.stalls", "cloud.drips"]),
    (Off::Privacy, "what is private is told to be public", &["cloud.forged_decision"]),
    (Off::Undecided, "a question without a decision waits for ever", &["cloud.no_decision"]),
    (Off::Tools, "a tool of the cloud has a door to the vehicle", &["cloud.unknown_tool", "cloud.injection"]),
];

/// Switches one off, and lets the classes that stand on it run for some rounds.
///
/// # Errors
/// A class that is not there, or what a bench cannot do.
pub fn prove(
    classes: &[Class],
    eyes: &Eyes,
    seed: u64,
    off: Off,
    names: &[&'static str],
) -> anyhow::Result<Proof> {
    let ground = Ground { off: Some(off), eyes };
    let mut proof = Proof { off, asked: names.to_vec(), failed: Vec::new(), example: String::new() };
    for name in names {
        let class = classes.iter().find(|class| class.name == *name);
        let Some(class) = class else { anyhow::bail!("there is no class {name:?}") };
        let mut figures = Figures::of(class);
        for round in 0..4 {
            if !figures.fails() {
                once(class, &ground, seed, round, &mut figures)?;
            }
        }
        if figures.fails() {
            proof.failed.push(figures.name.clone());
            if proof.example.is_empty() {
                proof.example = figures.example.unwrap_or_else(|| {
                    format!("{} of {} noticed in time", figures.in_time, figures.injected)
                });
            }
        }
    }
    Ok(proof)
}
