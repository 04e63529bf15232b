//! The voice alone, for a person at a terminal: everything that the process does, on a transport within it, and each stage told. No
//! vehicle is there: it stands or drives as is said, and its body takes every command on.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Context as _;
use troika_host::{Clock, HostClock, StopToken, edge::Edge, signal};
use troika_kit::{Duration, Qos, Time};
use troika_msgs::{
    std_msgs::Header,
    troika::{CommandResult, Transcript, Understanding, VehicleCommand, VehicleSignals, VoiceReply},
};
use troika_transport_mem::MemTransport;
use troika_voice::config::VoiceConfig;

use crate::{
    process::{self, TRANSCRIPT},
    source::Missing,
};

/// How often the vehicle tells its speed: what is older than half a second is none.
const SIGNALS: Duration = Duration::from_millis(100);

/// Listens until the source ends, or SIGINT or SIGTERM comes.
///
/// # Errors
/// When a model or the source is not to be had.
pub fn run(config: &VoiceConfig, speed_kmh: f32) -> anyhow::Result<()> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    let transport = MemTransport::new();
    let clock = HostClock::start();
    let edge = Edge::new(&transport, Clock::Host(clock), &config.namespace, "terminal")?;
    let mut signals = edge.publisher::<VehicleSignals>("/vehicle/signals", Qos::DEFAULT)?;
    let results = Mutex::new(edge.publisher::<CommandResult>("/vehicle/command_result", Qos::DEFAULT)?);
    let _told = (
        edge.subscribe::<Transcript>(TRANSCRIPT, Qos::DEFAULT, |heard| tell(&words(&heard.value)))?,
        edge.subscribe::<Understanding>("/voice/understanding", Qos::DEFAULT, |one| {
            tell(&meaning(&one.value))
        })?,
        edge.subscribe::<VoiceReply>("/voice/reply", Qos::DEFAULT, |reply| tell(&said(&reply.value)))?,
        edge.subscribe::<VehicleCommand>("/voice/command", Qos::DEFAULT, move |command| {
            let command = command.value;
            tell(&sent(&command));
            let result = CommandResult {
                header: Header::at(clock.now()),
                command_id: command.id,
                function: command.function,
                status: CommandResult::ACCEPTED,
                reason: String::new(),
            };
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = results.send(&result) {
                eprintln!("troika-voice: no answer to {}: {error}", result.command_id);
            }
        })?,
    );
    let ended = StopToken::new();
    let end = ended.clone();
    let vehicle = thread::Builder::new().name("vehicle".into()).spawn(move || {
        while !end.wait_for(SIGNALS) {
            let standing =
                VehicleSignals { header: Header::at(clock.now()), speed_kmh, ..VehicleSignals::default() };
            if signals.send(&standing).is_err() {
                break;
            }
        }
    })?;
    eprintln!("listening at {speed_kmh} km/h; Ctrl-C ends it");
    let listened = process::on(config, Missing::Fails, || Ok(Arc::new(transport.clone())), &stop);
    ended.stop();
    // It only sleeps and sends.
    let _ = vehicle.join();
    listened
}

/// A terminal that is gone ends the program by its signal.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn ms(sec: i32, nanosec: u32) -> f64 {
    Time::from_stamp(sec, nanosec).since(Time::ZERO).as_secs_f64() * 1e3
}

fn words(heard: &Transcript) -> String {
    if !heard.r#final {
        return format!("    …       {}", heard.text);
    }
    let after = ms(heard.latency.sec, heard.latency.nanosec);
    format!("heard       {} ({:.2}, {after:.0} ms after the end of speech)", heard.text, heard.confidence)
}

fn meaning(told: &Understanding) -> String {
    let stages = told.stages.iter().zip(&told.meanings).zip(&told.confidences);
    let mut lines: Vec<String> =
        stages.map(|((stage, meaning), sure)| format!("  {stage:<14}{meaning} ({sure:.2})")).collect();
    lines.push(format!(
        "understood  {} ({}, {:.2}: {})",
        told.meaning, told.chosen, told.confidence, told.reason
    ));
    lines.join("\n")
}

fn said(reply: &VoiceReply) -> String {
    match (reply.kind, reply.text.as_str()) {
        (VoiceReply::REJECTED, "") => "says        nothing: not for us".to_owned(),
        (VoiceReply::DIALOGUE, "") => "says        nothing: for the dialogue".to_owned(),
        (_, text) => format!("says        {text}"),
    }
}

fn sent(command: &VehicleCommand) -> String {
    let slots: Vec<String> =
        command.slots.iter().map(|slot| format!(" {}={}", slot.name, slot.value)).collect();
    format!("command     {}{}", command.function, slots.concat())
}
