//! `troika ask`: puts a question to the dialogue of a running system, as its voice would, and shows who answers and why. Ctrl-C takes the
//! question back, as a driver who speaks does.

use std::{
    fmt::Write as _,
    io::Write as _,
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::Args;
use troika_bridge::{
    bridge::{MOST_QUESTION, too_long},
    ports::{Inputs, Outputs},
};
use troika_dialogue::turn::in_words;
use troika_host::{
    Clock, HostClock,
    edge::{Edge, TypedSubscription},
    heartbeat,
    signal::stop_on_signals,
};
use troika_kit::{Message, PortSpec, Ports, Qos};
use troika_msgs::{
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, Heartbeat, RoutingDecision, VoiceActivity},
};
use troika_router::Reason;
use troika_vehicle::catalogue::Call;
use troika_voice::{
    matcher::{Matcher, Understood},
    tongue::Tongue,
    topic,
};

use crate::{
    Interrupted,
    topic::{Where, json, open, settled_graph},
};

/// What is asked.
#[derive(Args)]
pub(crate) struct AskArguments {
    #[command(flatten)]
    place: Where,
    /// The question.
    #[arg(required = true)]
    words: Vec<String>,
    /// The language that it is in.
    #[arg(long, default_value = "en", value_parser = ["en", "de"])]
    language: String,
    /// Keep it in the vehicle, whatever it is about.
    #[arg(long)]
    private: bool,
    /// The conversation that it belongs to: what was said in it before is known.
    #[arg(long, value_name = "NAME", default_value = "ask")]
    conversation: String,
    /// Give up after this many seconds without a word.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    timeout: f64,
    /// Decision and answer as JSON lines.
    #[arg(long)]
    json: bool,
}

/// A session learns of the others one by one: who answers is waited for so long, and looked for so often.
const FOUND: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(100);
/// A question that is taken back is over so soon.
const CALLED_OFF: Duration = Duration::from_secs(1);

enum Came {
    Decision(Box<RoutingDecision>),
    Reply(DialogueReply),
    Beat(Box<Heartbeat>),
    /// No decision came before the answer, nor soon after its first word.
    Undecided,
}

/// A reply may overtake the decision that it follows, on its way to us, by so long.
const OVERTAKES: Duration = Duration::from_millis(300);

/// Brings the decision before the replies to it.
#[derive(Default)]
struct InOrder {
    decided: bool,
    early: Vec<Came>,
    since: Option<Instant>,
}

impl InOrder {
    /// What came, if something did; and what is to be looked at now, in order.
    fn take(&mut self, came: Option<Came>, request: &str) -> Vec<Came> {
        let mut now = Vec::new();
        match came {
            Some(Came::Decision(decision)) if decision.request_id == request => {
                self.decided = true;
                now.push(Came::Decision(decision));
                now.append(&mut self.early);
            }
            Some(Came::Reply(reply)) if reply.request_id == request && !self.decided => {
                self.since.get_or_insert_with(Instant::now);
                self.early.push(Came::Reply(reply));
            }
            other => now.extend(other),
        }
        if !self.decided && self.since.is_some_and(|since| since.elapsed() >= OVERTAKES) {
            self.decided = true;
            now.push(Came::Undecided);
            now.append(&mut self.early);
        }
        now
    }
}

/// A node that gives a sign of life each 0.9 s has gone after so long without one.
const GONE: Duration = Duration::from_secs(4);

/// The signs of life of who answers, while the answer is waited for.
#[derive(Default)]
struct Pulse {
    last: Option<(u32, Instant)>,
}

impl Pulse {
    /// One more; whether it is of another life than the one before: its count begins anew.
    fn hear(&mut self, sequence: u32) -> bool {
        let before = self.last.replace((sequence, Instant::now()));
        before.is_some_and(|(before, _)| sequence < before)
    }

    fn gone(&self) -> bool {
        self.last.is_some_and(|(_, heard)| heard.elapsed() > GONE)
    }
}

/// Asks, and waits for the end of the answer.
pub(crate) fn ask(arguments: &AskArguments) -> anyhow::Result<()> {
    let patience = Duration::try_from_secs_f64(arguments.timeout).context("--timeout is no time")?;
    if patience.is_zero() {
        bail!("--timeout 0 waits for nobody: it is seconds, more than 0");
    }
    let text = arguments.words.join(" ");
    if text.trim().is_empty() {
        bail!("there is no question: say it behind `troika ask`");
    }
    if text.len() > MOST_QUESTION {
        bail!(too_long(text.len()));
    }
    let stop = stop_on_signals()?;
    let transport = open(&arguments.place)?;
    let name = format!("ask_{}", std::process::id());
    let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", &name)?;
    let (sender, came) = mpsc::channel();
    let (request, decision, reply) =
        (<Inputs as Ports>::SPECS[0], <Inputs as Ports>::SPECS[1], <Outputs as Ports>::SPECS[0]);
    let activity = <Inputs as Ports>::SPECS[4];
    let (decisions, beats) = (sender.clone(), sender.clone());
    let _ears = (
        listen(&edge, decision, move |one| drop(decisions.send(Came::Decision(Box::new(one)))))?,
        listen(&edge, reply, move |one| drop(sender.send(Came::Reply(one))))?,
        edge.subscribe::<Heartbeat>(heartbeat::TOPIC, Qos::DEFAULT, move |sample| {
            drop(beats.send(Came::Beat(Box::new(sample.value))));
        })?,
    );
    let mut requests = edge.publisher::<DialogueRequest>(request.topic, request.qos)?;
    let mut speech = edge.publisher::<VoiceActivity>(activity.topic, activity.qos)?;
    let mut listens = settled_graph(&*transport)?;
    // The router listens to questions too; who answers is the one that counts.
    let begin = Instant::now();
    while !listens.endpoints.iter().any(|end| end.publishes && end.topic == reply.topic) {
        if stop.is_stopped() || begin.elapsed() > FOUND {
            bail!(
                "nobody who answers on {} was found {}: start a system with a node of the kind `bridge`; a busy machine may be slow to tell",
                reply.topic,
                transport.place()
            );
        }
        std::thread::sleep(LOOK);
        listens = transport.graph()?;
    }
    let answers = listens.endpoints.iter().find(|end| end.publishes && end.topic == reply.topic);
    let answers = answers.map(|end| end.node.clone()).unwrap_or_default();
    let tongue = if arguments.language == "de" { Tongue::German } else { Tongue::English };
    let matcher = Matcher::of(tongue);
    let (task, privacy) = match matcher.understand(&text) {
        // What the vehicle would carry out itself is no question, and never leaves; the way is what the dialogue is for.
        Understood::Commands(calls) if calls.iter().any(|call| !is_of_the_way(call)) => {
            (DialogueRequest::VEHICLE_FUNCTION, DialogueRequest::PRIVACY_UNKNOWN)
        }
        _ => topic::of(matcher, &text),
    };
    let asked = DialogueRequest {
        header: Header::at(edge.now()),
        request_id: format!("{name}-{}", edge.now().as_nanos()),
        conversation_id: arguments.conversation.clone(),
        text,
        language: tongue.code().to_owned(),
        task,
        privacy: if arguments.private { DialogueRequest::PRIVACY_UNKNOWN } else { privacy },
        complexity: f32::NAN,
        ..DialogueRequest::default()
    };
    requests.send(&asked)?;
    let (mut last, mut told) = (Instant::now(), DialogueReply::NONE);
    let (mut decided, mut expected) = (false, DialogueReply::ON_VEHICLE);
    let (mut pulse, mut in_order) = (Pulse::default(), InOrder::default());
    while !stop.is_stopped() {
        let next = came.recv_timeout(Duration::from_millis(100)).ok();
        let waited = next.is_none();
        let came_now = in_order.take(next, &asked.request_id);
        if waited && came_now.is_empty() {
            if pulse.gone() {
                bail!(
                    "{answers}, who answers, has gone: the answer is lost; `troika run` says why, and starts it again where it may"
                );
            }
            if last.elapsed() > patience {
                let (who, topic) = if decided { ("bridge", reply.topic) } else { ("router", decision.topic) };
                let there =
                    transport.graph()?.endpoints.iter().any(|end| end.publishes && end.topic == topic);
                bail!("no word for {} s: {}", arguments.timeout, silent(who, there));
            }
            continue;
        }
        for came in came_now {
            match came {
                Came::Beat(beat) if beat.node == answers && pulse.hear(beat.sequence) => {
                    bail!(
                        "{answers}, who answers, ended and was started again: the answer is lost; ask again"
                    );
                }
                Came::Decision(decision) if decision.request_id == asked.request_id => {
                    last = Instant::now();
                    decided = true;
                    expected = decision.tier;
                    if arguments.json {
                        println!("{}", line("decision", decision.as_ref())?);
                    } else {
                        println!("[{}: {}]", tier(decision.tier), routed(&decision));
                    }
                }
                Came::Reply(reply) if reply.request_id == asked.request_id => {
                    last = Instant::now();
                    if arguments.json {
                        println!("{}", line("reply", &reply)?);
                    } else {
                        let by_model = matches!(reply.tier, DialogueReply::ON_VEHICLE | DialogueReply::CLOUD);
                        if told == DialogueReply::NONE
                            && by_model
                            && !reply.text.is_empty()
                            && reply.tier != expected
                        {
                            println!("[{} answers]", tier(reply.tier));
                        }
                        show(&reply, &mut told)?;
                    }
                    if reply.done {
                        return finished(&reply, arguments.json);
                    }
                }
                Came::Undecided => {
                    decided = true;
                    if !arguments.json {
                        println!(
                            "[undecided, so on the vehicle: no decision of a router (a node of the kind `router`) came; the machine may be busy]"
                        );
                    }
                }
                _ => {}
            }
        }
    }
    for speaking in [true, false] {
        speech.send(&VoiceActivity {
            header: Header::at(edge.now()),
            speaking,
            ..VoiceActivity::default()
        })?;
    }
    let called_off = Instant::now();
    while let Ok(one) = came.recv_timeout(CALLED_OFF.saturating_sub(called_off.elapsed())) {
        if matches!(one, Came::Reply(reply) if reply.request_id == asked.request_id && reply.done) {
            break;
        }
    }
    Err(Interrupted.into())
}

/// Why nobody said a word.
fn silent(kind: &str, there: bool) -> String {
    match there {
        true => format!(
            "a node of the kind `{kind}` is there and says nothing; it, or the machine, is busy: ask again, or with a longer --timeout"
        ),
        false => format!("no node of the kind `{kind}` is there"),
    }
}

/// Where to, how far, how long: a function of the vehicle that the dialogue answers as well.
fn is_of_the_way(call: &Call) -> bool {
    let arrival = call.slots.iter().any(|(name, value)| name == "what" && value == "arrival_time");
    call.function.starts_with("navigation.") || (call.function == "vehicle.query" && arrival)
}

fn listen<T: Message>(
    edge: &Edge,
    port: PortSpec,
    mut each: impl FnMut(T) + Send + 'static,
) -> anyhow::Result<TypedSubscription> {
    Ok(edge.subscribe::<T>(port.topic, port.qos, move |sample| each(sample.value))?)
}

/// The words as they come, and whose they are where that changes.
fn show(reply: &DialogueReply, told: &mut u8) -> anyhow::Result<()> {
    if !reply.text.is_empty() {
        if *told != reply.tier && *told != DialogueReply::NONE {
            print!("\n[{} goes on] ", tier(reply.tier));
        }
        *told = reply.tier;
        print!("{} ", reply.text.trim());
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn finished(reply: &DialogueReply, json: bool) -> anyhow::Result<()> {
    if !json {
        let (sent, received) = (reply.bytes_sent, reply.bytes_received);
        // What ends an answer that failed is no model's.
        let fixed = reply.outcome == DialogueReply::FAILED && !reply.text.is_empty();
        let who = tier(if fixed { DialogueReply::CANNED } else { reply.tier });
        println!("\n[{who}; {sent} bytes sent, {received} received]");
        for why in reasons(reply) {
            println!("  {why}");
        }
        if reply.reason == Reason::VehicleFunction.name() {
            println!(
                "  `troika ask` is for questions: commands are spoken (the node of the kind `voice`); `troika say WORDS` shows what one means"
            );
        }
    }
    // In words they stand above, where they are shown.
    let why = if json { reasons(reply).join("; ") } else { names(reply).join(", ") };
    match reply.outcome {
        DialogueReply::FAILED => bail!("it was not answered: {why}"),
        DialogueReply::CANCELLED => bail!("it was called off: {why}"),
        _ if reply.reason == Reason::VehicleFunction.name() => {
            bail!("nothing was carried out: it is a command, and commands are spoken")
        }
        _ => Ok(()),
    }
}

/// Why the router chose so, and why not the cloud.
fn routed(decision: &RoutingDecision) -> String {
    let words =
        |name: &str| Reason::of(name).map_or_else(|| name.to_owned(), |one| one.in_words().to_owned());
    let mut said = words(&decision.reason);
    let cloud = decision.tiers.iter().position(|tier| *tier == DialogueReply::CLOUD);
    let barred = cloud.and_then(|at| decision.reasons.get(at)).filter(|why| !why.is_empty());
    if let Some(why) = barred.filter(|why| **why != decision.reason) {
        let _ = write!(said, "; not the cloud: {}", words(why));
    }
    said
}

/// The reasons of a reply; that the router chose so is told with its decision.
fn names(reply: &DialogueReply) -> Vec<&str> {
    reply.reason.split(", ").filter(|name| !matches!(*name, "" | "routed")).collect()
}

/// Each of them, in words where there are some.
fn reasons(reply: &DialogueReply) -> Vec<String> {
    names(reply)
        .into_iter()
        .map(|name| match in_words(name).or_else(|| Reason::of(name).map(Reason::in_words)) {
            Some(words) => format!("{name}: {words}"),
            None => name.to_owned(),
        })
        .collect()
}

fn line<T: Message>(what: &str, message: &T) -> anyhow::Result<serde_json::Value> {
    Ok(serde_json::json!({ what: json(message)? }))
}

fn tier(tier: u8) -> &'static str {
    match tier {
        DialogueReply::VEHICLE => "the vehicle",
        DialogueReply::ON_VEHICLE => "on the vehicle",
        DialogueReply::CLOUD => "the cloud",
        DialogueReply::CANNED => "the vehicle, without a model",
        _ => "nobody",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_overtakes_its_decision_is_shown_behind_it() {
        let reply =
            |id: &str| Some(Came::Reply(DialogueReply { request_id: id.into(), ..DialogueReply::default() }));
        let decision = |id: &str| {
            Some(Came::Decision(Box::new(RoutingDecision {
                request_id: id.into(),
                ..RoutingDecision::default()
            })))
        };
        let mut order = InOrder::default();
        assert_eq!(order.take(reply("other"), "a").len(), 1, "somebody else's is nobody's matter");
        assert!(order.take(reply("a"), "a").is_empty() && order.take(decision("b"), "a").len() == 1);
        let now = order.take(decision("a"), "a");
        assert!(matches!(now[..], [Came::Decision(_), Came::Reply(_)]));
        assert!(matches!(order.take(reply("a"), "a")[..], [Came::Reply(_)]));
        // One whose decision never comes.
        let mut order = InOrder { since: Instant::now().checked_sub(OVERTAKES), ..InOrder::default() };
        assert!(matches!(order.take(reply("a"), "a")[..], [Came::Undecided, Came::Reply(_)]));
    }
}
