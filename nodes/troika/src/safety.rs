//! `troika safety`: what the whole is worth, as the supervisor of a running system says it, and the reset of what is latched.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Args;
use troika_host::{
    Clock, HostClock,
    edge::{Edge, TypedPublisher, TypedSubscription},
    heartbeat,
    signal::stop_on_signals,
};
use troika_kit::{PortSpec, Ports, Qos, Sample, Time};
use troika_msgs::{
    diagnostic_msgs::DiagnosticArray,
    protect::{Opener, sender},
    safety, std_msgs,
    troika::{Heartbeat, SafetyState},
};
use troika_supervisor::{
    latched,
    node::{Inputs, Outputs},
};

use crate::{
    Interrupted,
    topic::{Where, json, open},
};

/// What is asked.
#[derive(Args)]
pub(crate) struct SafetyArguments {
    #[command(flatten)]
    place: Where,
    /// Trust again what was lost too often, if its nodes are well; tells the state after it, and whether the reset was taken: exit code 0, or 1
    /// where something stays lost until a reset.
    #[arg(long)]
    reset: bool,
    /// Tell the state once: exit code 0 is nominal, 1 is not.
    #[arg(long)]
    once: bool,
    /// JSON lines.
    #[arg(long)]
    json: bool,
}

/// A supervisor speaks ten times a second; who has not been heard for so long is not there.
const SILENT: Duration = Duration::from_secs(5);
/// What a heartbeat says without words.
const LATE_OR_FAULTY: &str = "faults, fall-backs or steps over its budget in the last second";
/// Every node has given a sign of life, and said what ails it.
const HEARD_ALL: Duration = Duration::from_millis(1_200);

/// Tells each state that is another than before.
pub(crate) fn safety(arguments: &SafetyArguments) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let transport = open(&arguments.place)?;
    let name = format!("safety_{}", std::process::id());
    let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", &name)?;
    let state: PortSpec = <Outputs as Ports>::SPECS[0];
    let (sender, came) = mpsc::channel();
    let _ear = edge.subscribe::<SafetyState>(state.topic, state.qos, move |sample| {
        drop(sender.send(sample));
    })?;
    let ails = Arc::new(Mutex::new(BTreeMap::new()));
    let told_to = ails.clone();
    let _pulse = edge.subscribe::<Heartbeat>(heartbeat::TOPIC, Qos::DEFAULT, move |sample| {
        let mut ails = told_to.lock().unwrap_or_else(PoisonError::into_inner);
        match sample.value {
            beat if beat.status == Heartbeat::OK => drop(ails.remove(&beat.node)),
            beat if beat.reason.is_empty() => drop(ails.insert(beat.node, LATE_OR_FAULTY.to_owned())),
            beat => drop(ails.insert(beat.node, beat.reason)),
        }
    })?;
    let mut asking = arguments.reset.then(|| Reset::new(&edge)).transpose()?;
    // On a busy machine not each word is heard.
    let mut opener = Opener::tolerating(sender::SUPERVISOR, 30);
    let (mut last, mut heard, begin) = (None, None::<Instant>, Instant::now());
    let mut recorded = false;
    while !stop.is_stopped() {
        let came = came.recv_timeout(Duration::from_millis(100)).ok();
        let word = came.and_then(|sample| believed(sample, &mut opener, &mut recorded));
        let Some(state) = word else {
            if heard.unwrap_or(begin).elapsed() > SILENT && (heard.is_none() || arguments.once) {
                bail!(
                    "no supervisor speaks on {} {}: is there a node of the kind `supervisor` in the system? Readers take silence for the safe state",
                    <Outputs as Ports>::SPECS[0].topic,
                    transport.place()
                );
            }
            // As whoever limits himself by it takes it, and at the same time.
            if heard.is_some_and(|heard| heard.elapsed() > safety::STALE) && last.take().is_some() {
                println!("{}", if arguments.json { SILENCE_JSON } else { SILENCE });
            }
            continue;
        };
        heard = Some(Instant::now());
        let answer = match &mut asking {
            Some(asking) => match asking.answer()? {
                Some(answer) => Some(answer),
                None => continue,
            },
            None => None,
        };
        if state.state != SafetyState::NOMINAL && begin.elapsed() < HEARD_ALL {
            continue;
        }
        let now = (state.state, state.lost.clone());
        if last.as_ref() != Some(&now) {
            if arguments.json {
                println!("{}", json(&state)?);
            } else {
                println!("{}", told(&state));
                if state.state != SafetyState::NOMINAL {
                    for (node, why) in &*ails.lock().unwrap_or_else(PoisonError::into_inner) {
                        println!("  {node}: {why}");
                    }
                }
            }
            last = Some(now);
        }
        if let Some(Answer { stay, released }) = answer {
            if !stay.is_empty() {
                bail!(
                    "the reset was not taken for {}: its nodes are not well (above), or access control keeps this program's word from the supervisor \
                     (launch/deploy/README.md says who may speak)",
                    stay.join(", ")
                );
            }
            match released.as_slice() {
                [] => eprintln!("notice: nothing was latched: there was nothing to reset"),
                all => eprintln!(
                    "notice: reset: {}; trusted again after its time without a fault",
                    all.join(", ")
                ),
            }
            if !arguments.once {
                return Ok(());
            }
        }
        if arguments.once {
            if state.state == SafetyState::NOMINAL {
                return Ok(());
            }
            bail!("the state is not nominal");
        }
    }
    Err(Interrupted.into())
}

/// A reset that is asked for, and held against what the supervisor's diagnostics say before and after it: nobody answers a message.
struct Reset {
    to: TypedPublisher<std_msgs::Bool>,
    told: mpsc::Receiver<(Instant, Vec<String>)>,
    _ear: TypedSubscription,
    begun: Instant,
    /// When it was sent, and what was latched then.
    sent: Option<(Instant, Vec<String>)>,
}

/// What came of it.
struct Answer {
    /// Latched all the same.
    stay: Vec<String>,
    /// No longer.
    released: Vec<String>,
}

/// Diagnostics come once a second.
const NO_DIAGNOSTICS: Duration = Duration::from_secs(5);
/// The round that takes a reset is over.
const A_ROUND: Duration = Duration::from_millis(300);

impl Reset {
    fn new(edge: &Edge) -> anyhow::Result<Reset> {
        let (topic, diagnostics) = (<Inputs as Ports>::SPECS[1], <Outputs as Ports>::SPECS[2]);
        let (sender, told) = mpsc::channel();
        let ear = edge.subscribe::<DiagnosticArray>(diagnostics.topic, diagnostics.qos, move |sample| {
            if let Some(latched) = latched(&sample.value) {
                drop(sender.send((Instant::now(), latched)));
            }
        })?;
        let to = edge.publisher(topic.topic, topic.qos)?;
        Ok(Reset { to, told, _ear: ear, begun: Instant::now(), sent: None })
    }

    /// Asks when it is known what is latched; none until that is known after it as well.
    fn answer(&mut self) -> anyhow::Result<Option<Answer>> {
        let mut answer = None;
        while let Ok((at, now)) = self.told.try_recv() {
            match &self.sent {
                // Whoever speaks on the one topic has been found on the other as well.
                None => {
                    self.to.send(&std_msgs::Bool { data: true })?;
                    self.sent = Some((Instant::now(), now));
                }
                Some((sent, before)) if at.duration_since(*sent) > A_ROUND => {
                    let released = before.iter().filter(|one| !now.contains(one)).cloned().collect();
                    answer = Some(Answer { released, stay: now });
                }
                Some(_) => {}
            }
        }
        let since = self.sent.as_ref().map_or(self.begun, |(sent, _)| *sent);
        if answer.is_none() && since.elapsed() > NO_DIAGNOSTICS {
            bail!("the supervisor's /diagnostics are not heard, so nobody can tell what a reset did");
        }
        Ok(answer)
    }
}

/// What a silent supervisor is worth.
const SILENCE: &str =
    "SAFE (silent): no word of the supervisor for half a second, which every reader takes for the safe state";
const SILENCE_JSON: &str = r#"{"state":2,"silent":true}"#;

/// A word that is the supervisor's own, in its order and of now; the first of each kind that is not is told. Of a simulation's clock, which begins
/// near zero, nobody outside knows what is now.
fn believed(
    sample: Sample<SafetyState>,
    opener: &mut Opener<SafetyState>,
    recorded: &mut bool,
) -> Option<SafetyState> {
    const SIMULATED: Time = Time::from_stamp(1_000_000_000, 0);
    let Sample { value: state, received } = sample;
    match opener.open(Some(&state)) {
        troika_e2e::Status::Ok | troika_e2e::Status::OkSomeLost => {}
        troika_e2e::Status::Error(wrong) => {
            eprintln!("notice: a state that is not the supervisor's own ({wrong:?}) was left out");
            return None;
        }
        // The first of one that began, or a word that was said before: the next tells.
        _ => return None,
    }
    if state.header.time() > SIMULATED && !safety::is_of(received, &state) {
        if !std::mem::replace(recorded, true) {
            let off = received.since(state.header.time()).as_secs_f32();
            eprintln!(
                "notice: states that are {off:.1} s old are left out: a recording, or another machine's clock"
            );
        }
        return None;
    }
    Some(state)
}

fn told(state: &SafetyState) -> String {
    let word = match state.state {
        SafetyState::NOMINAL => "NOMINAL: everything is there",
        SafetyState::DEGRADED => "DEGRADED: something is missing, late or less than it should be",
        SafetyState::SAFE => {
            "SAFE: vehicle functions behind a gate are refused, and no question leaves the vehicle"
        }
        _ => "a state without a meaning",
    };
    match state.lost.as_slice() {
        [] => word.to_owned(),
        lost => format!("{word}; lost: {}", lost.join(", ")),
    }
}
