//! `troika conformance`: holds any driver-monitoring system to the rule table over its topics. It is started anew for each trace, given the
//! trace's states and signals at the speed of life, and what it publishes is judged.

use std::{
    collections::BTreeMap,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process_group};
use troika_dms_conformance::{
    Alert, Frame, Kind, Phase, Profile, Reading, Tally, Trace, Zone, generate, judge, trace::Input,
};
use troika_host::{Clock, HostClock, edge::Edge, signal::stop_on_signals, sync::StopToken};
use troika_kit::{Ports, Time};
use troika_monitor::{Inputs, Outputs};
use troika_msgs::{
    protect::{Seal, sender},
    std_msgs::Header,
    troika::{DriverAlert, DriverState, VehicleSignals},
};
use troika_transport::Transport;

use crate::{
    Interrupted,
    output::Output,
    topic::{Where, open},
};

/// What is tried, and how.
#[derive(Args)]
pub(crate) struct ConformanceArguments {
    #[command(flatten)]
    place: Where,
    /// Starts the system, by the shell; it is ended with SIGINT after each trace. For example: "troika run my-dms.toml --headless".
    #[arg(long, value_name = "COMMAND")]
    start: String,
    /// The profiles that it has active, of eu_addw, euro_ncap, eu_ddaw and perclos.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "eu_addw,euro_ncap", value_parser = profile)]
    profiles: Vec<Profile>,
    /// Traces.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    traces: u64,
    /// The seed of the first; each other has the next one.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Leave out traces that are longer, seconds: those of Euro NCAP's gaze rules begin with a minute of plain driving.
    #[arg(long, default_value_t = 120.0)]
    longest: f64,
    /// End well though limits of these profiles were not put to the test.
    #[arg(long)]
    partial: bool,
    /// A return of the gaze, or a look of open eyes, up to this long may be overlooked, ms. The table's own resolution is 50 ms.
    #[arg(long, default_value_t = 100)]
    debounce_ms: u32,
    /// An alert is under way for so long, ms: what comes sooner after a frame counts as of the one before. A frame's time is granted anyhow.
    #[arg(long, default_value_t = 0)]
    transport_ms: u32,
    /// It works PERCLOS out by itself: `perclos` and `eu_ddaw` are judged by the lids, not by the value that comes with the frames.
    #[arg(long)]
    perclos_from_lids: bool,
    /// Violations and what was checked, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn profile(name: &str) -> Result<Profile, String> {
    Profile::from_name(name)
        .filter(|profile| *profile != Profile::Troika)
        .ok_or_else(|| "is none of eu_addw, euro_ncap, eu_ddaw, perclos".to_owned())
}

/// A system that has not declared its alerts by then does not start.
const STARTS: Duration = Duration::from_secs(60);
/// One that has not ended by then is killed.
const ENDS: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);
/// What comes after the last frame is waited for.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Tries it. An error where a rule was violated, or a limit was not put to the test.
pub(crate) fn conformance(arguments: &ConformanceArguments) -> anyhow::Result<()> {
    let json_to = Output::if_any(arguments.json.as_deref())?;
    let stop = stop_on_signals()?;
    let transport = open(&arguments.place)?;
    let reading = Reading {
        debounce: i64::from(arguments.debounce_ms) * 1_000_000,
        perclos_from_lids: arguments.perclos_from_lids,
    };
    let (mut tally, mut told, mut tried) = (Tally::default(), Vec::new(), 0);
    let mut strange = BTreeMap::new();
    for (seed, trace) in chosen(arguments, &reading) {
        let seconds = length(&trace).as_secs_f64();
        println!("{} of {}: {} ({seconds:.0} s)", tried + 1, arguments.traces, trace.name);
        let alerts = try_one(&trace, arguments, &*transport, &stop, &mut strange)?;
        if stop.is_stopped() {
            break;
        }
        let verdicts = judge(&trace, &reading, &alerts);
        for violation in &verdicts.violations {
            println!("violation: {violation}");
            told.push(
                serde_json::json!({ "seed": seed, "trace": trace.name, "what": violation.to_string() }),
            );
        }
        tally.absorb(&verdicts.tally);
        tried += 1;
    }
    let untried = tally.lacking_in(1, &arguments.profiles);
    let checked: BTreeMap<String, u64> = tally
        .episodes
        .iter()
        .filter(|(_, counts)| counts.must + counts.must_not > 0)
        .map(|((rule, boundary), counts)| {
            let what = format!("{}, {rule}, {boundary}", rule.profile().name());
            (what, counts.must + counts.must_not)
        })
        .collect();
    if let Some(to) = json_to {
        let report = serde_json::json!({
            "traces": tried, "violations": told, "checked": checked, "not_put_to_the_test": untried,
            "alerts_not_judged": strange,
        });
        to.write(&serde_json::to_vec_pretty(&report)?)?;
    }
    println!("{tried} traces, {} violations, {} episodes checked", told.len(), checked.values().sum::<u64>());
    for one in &untried {
        println!("not put to the test: {one}");
    }
    for (what, count) in &strange {
        println!("not judged: {count} alerts of {what}, which the table does not have");
    }
    if stop.is_stopped() {
        return Err(Interrupted.into());
    }
    if !told.is_empty() {
        bail!("{} violations of the rules", told.len());
    }
    if !untried.is_empty() && !arguments.partial {
        bail!(
            "nothing was violated, and {} of the rules' limits were not put to the test: more --traces, a higher --longest, or --partial",
            untried.len()
        );
    }
    Ok(())
}

/// The traces, each with its seed: of many those that put the most limits to the test that none before them did, for their length.
fn chosen(arguments: &ConformanceArguments, reading: &Reading) -> Vec<(u64, Trace)> {
    /// For each that is wanted. Rare episodes are in one of some hundred.
    const CONSIDERED: u64 = 60;
    let wanted = arguments.traces as usize;
    let considered =
        arguments.seed..arguments.seed.saturating_add((arguments.traces * CONSIDERED).max(2_000));
    let candidates = considered.filter_map(|seed| {
        let trace = of_interest(generate(seed), arguments)?;
        let tally = judge(&trace, reading, &[]).tally;
        Some((seed, trace, tally))
    });
    let mut candidates: Vec<_> = candidates.collect();
    let (mut all, mut so_far) = (Vec::new(), Tally::default());
    while all.len() < wanted && !candidates.is_empty() {
        let lacking = so_far.lacking_in(1, &arguments.profiles).len();
        let worth = |(_, trace, tally): &(u64, Trace, Tally)| {
            let mut with = so_far.clone();
            with.absorb(tally);
            let more = lacking - with.lacking_in(1, &arguments.profiles).len();
            more as f64 / length(trace).as_secs_f64().max(1.0)
        };
        let best = candidates.iter().enumerate().map(|(place, one)| (worth(one), place));
        // The first of equal ones: in the order of their seeds.
        let Some((_, place)) = best.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) else { break };
        let (seed, trace, tally) = candidates.remove(place);
        so_far.absorb(&tally);
        all.push((seed, trace));
    }
    all
}

/// With the profiles that the system has and no others, where it has one of the trace's, and not too long.
fn of_interest(mut trace: Trace, arguments: &ConformanceArguments) -> Option<Trace> {
    trace.profiles.retain(|profile| arguments.profiles.contains(profile));
    let fits = !trace.profiles.is_empty() && length(&trace).as_secs_f64() <= arguments.longest;
    // All that the system has active is judged: what it says under another profile would be a false alert.
    trace.profiles.clone_from(&arguments.profiles);
    fits.then_some(trace)
}

fn length(trace: &Trace) -> Duration {
    let ends = trace.frames.first().zip(trace.frames.last());
    let nanos = ends.map_or(0, |(first, last)| last.stamp_ns - first.stamp_ns);
    Duration::from_nanos(nanos.try_into().unwrap_or_default())
}

/// The system, which ends with this.
struct System(Child);

impl System {
    fn start(command: &str) -> anyhow::Result<System> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
        shell.spawn().map(System).with_context(|| format!("cannot start {command}"))
    }

    fn end(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let begin = Instant::now();
        let mut signal = Signal::INT;
        while matches!(self.0.try_wait(), Ok(None)) {
            if let Some(group) = group {
                let _gone_already = kill_process_group(group, signal);
            }
            // Asked once, and then killed.
            while matches!(self.0.try_wait(), Ok(None)) && begin.elapsed() < ENDS {
                StopToken::new().wait_for(LOOK);
            }
            signal = Signal::KILL;
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.end();
    }
}

fn try_one(
    trace: &Trace,
    arguments: &ConformanceArguments,
    transport: &dyn Transport,
    stop: &StopToken,
    strange: &mut BTreeMap<String, u64>,
) -> anyhow::Result<Vec<Alert>> {
    let [state, signals] = *<Inputs as Ports>::SPECS else { bail!("the monitor's ports are two") };
    let alert = <Outputs as Ports>::SPECS[0];
    let clock = HostClock::start();
    let name = format!("conformance_{}", std::process::id());
    let edge = Edge::new(transport, Clock::Host(clock), "/", &name)?;
    let (sender, came) = mpsc::channel();
    let _ear =
        edge.subscribe::<DriverAlert>(alert.topic, alert.qos, move |sample| drop(sender.send(sample)))?;
    let mut states = edge.publisher::<DriverState>(state.topic, state.qos)?;
    let mut speeds = edge.publisher::<VehicleSignals>(signals.topic, signals.qos)?;
    let (mut state_seal, mut speed_seal) = (Seal::new(sender::DRIVER_STATE), Seal::new(sender::SIGNALS));
    let mut system = System::start(&arguments.start)?;
    wait_for(&mut system, transport, alert.topic, state.topic, stop)?;
    let Some(first) = trace.inputs().first().map(stamp) else { return Ok(Vec::new()) };
    let begin = clock.now() + troika_kit::Duration::from_millis(200);
    let at = |stamp_ns: i64| {
        begin + troika_kit::Duration::from_nanos((stamp_ns - first).try_into().unwrap_or_default())
    };
    for input in trace.inputs() {
        let due = at(stamp(&input));
        if stop.wait_for(due.since(clock.now())) {
            return Ok(Vec::new());
        }
        match input {
            Input::Frame(frame) => {
                let mut state = message(&frame, due);
                state_seal.seal(&mut state)?;
                states.send(&state)?;
            }
            Input::Signal(signal) => {
                let mut signals = VehicleSignals {
                    header: Header::at(due),
                    speed_kmh: signal.speed_kmh,
                    driver_acted: signal.driver_acted,
                    ignition_on: true,
                    gear: 127,
                    ..VehicleSignals::default()
                };
                speed_seal.seal(&mut signals)?;
                speeds.send(&signals)?;
            }
        }
    }
    stop.wait_for(LAST_WORDS);
    let on_its_way = troika_kit::Duration::from_millis(arguments.transport_ms.into());
    let alerts = came.try_iter().filter_map(|sample| {
        let said = &sample.value;
        let seen = sample.received - on_its_way;
        // The newest frame that it can have been about.
        let frame =
            trace.frames.iter().rev().find(|frame| at(frame.stamp_ns) <= seen).or(trace.frames.first())?;
        let since = said.header.time().as_nanos() as i64 - begin.as_nanos() as i64;
        let (Some(profile), Some(kind)) = (Profile::from_name(&said.profile), Kind::from_number(said.kind))
        else {
            let what = format!("the profile {:?}, kind {}", said.profile, said.kind);
            *strange.entry(what).or_default() += 1;
            return None;
        };
        Some(Alert {
            profile,
            kind,
            phase: if said.phase == DriverAlert::RAISED { Phase::Raised } else { Phase::Cleared },
            stamp_ns: first + since,
            published_ns: frame.stamp_ns,
            gaze_zone: Zone::from_number(said.gaze_zone),
        })
    });
    Ok(alerts.collect())
}

/// Waits until the system publishes alerts and reads states.
fn wait_for(
    system: &mut System,
    transport: &dyn Transport,
    alerts: &str,
    states: &str,
    stop: &StopToken,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let graph = transport.graph()?;
        let is = |topic: &str, publishes| {
            graph.endpoints.iter().any(|end| end.topic == topic && end.publishes == publishes)
        };
        if is(alerts, true) && is(states, false) {
            return Ok(());
        }
        if let Some(status) = system.0.try_wait()? {
            bail!("the system ended before it began ({status}); --start says how it is started");
        }
        if begin.elapsed() > STARTS {
            bail!("the system did not publish {alerts} and read {states} within {} s", STARTS.as_secs());
        }
        if stop.wait_for(LOOK) {
            return Err(Interrupted.into());
        }
    }
}

fn stamp(input: &Input) -> i64 {
    match input {
        Input::Frame(frame) => frame.stamp_ns,
        Input::Signal(signal) => signal.stamp_ns,
    }
}

fn message(frame: &Frame, at: Time) -> DriverState {
    DriverState {
        header: Header::at(at),
        state: frame.state as u8,
        // How sensing that is not nominal is told: below 0.35.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traces_that_are_chosen_put_the_limits_to_the_test() {
        let arguments = |traces, profiles: &[Profile]| ConformanceArguments {
            place: Where::default(),
            start: "true".into(),
            profiles: profiles.to_vec(),
            traces,
            seed: 0,
            longest: 120.0,
            partial: false,
            debounce_ms: 100,
            transport_ms: 0,
            perclos_from_lids: false,
            json: None,
        };
        let reading = Reading { debounce: 100_000_000, perclos_from_lids: false };
        let lacking = |arguments: &ConformanceArguments| {
            let mut tally = Tally::default();
            let chosen = chosen(arguments, &reading);
            assert_eq!(chosen.len() as u64, arguments.traces);
            chosen.iter().for_each(|(_, trace)| tally.absorb(&judge(trace, &reading, &[]).tally));
            tally.lacking_in(1, &arguments.profiles)
        };
        assert_eq!(lacking(&arguments(20, &[Profile::EuAddw, Profile::EuroNcap])), Vec::<String>::new());
        assert!(!lacking(&arguments(4, &[Profile::EuAddw, Profile::EuroNcap])).is_empty());
    }
}
