//! `troika topic`: looks into topics over a transport, as any ROS 2 peer would.

use std::{
    collections::VecDeque,
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use troika_host::signal::stop_on_signals;
use troika_kit::Message;
use troika_msgs::dynamic;
use troika_transport::{Graph, Transport};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};

use crate::{system::TransportKind, transport::Reach};

/// A message of ours as JSON.
///
/// # Errors
/// It cannot be encoded.
pub(crate) fn json<T: Message>(message: &T) -> anyhow::Result<serde_json::Value> {
    let mut cdr = Vec::new();
    message.encode(&mut cdr)?;
    Ok(dynamic::lookup(T::TYPE.name).context("a message of our own is known")?.to_json(&cdr)?)
}

/// Where to look.
#[derive(Args, Default)]
pub(crate) struct Where {
    /// The router to join; by default the usual one on this machine.
    #[arg(long, value_name = "tcp/HOST:PORT")]
    router: Option<String>,
    /// What carries the messages there; by default as RMW_IMPLEMENTATION says, or zenoh.
    #[arg(long, value_enum)]
    transport: Option<TransportKind>,
}

impl Where {
    /// Where that is, for a person.
    pub(crate) fn told(&self, reach: &Reach) -> String {
        let router = || self.router.clone().or_else(|| Some(ZenohOptions::from_env().ok()?.router));
        match reach {
            Reach::Zenoh(_) => format!("at the router {}", router().unwrap_or_default()),
            other => other.place().to_owned(),
        }
    }
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum TopicCommand {
    /// Topics, their types, publishers and subscriptions.
    List {
        #[command(flatten)]
        place: Where,
        /// Types and nodes too.
        #[arg(short, long)]
        verbose: bool,
    },
    /// Print messages as they come, one JSON line each.
    Echo {
        #[command(flatten)]
        place: Where,
        /// The topic's absolute name.
        topic: String,
        /// Stop after one message.
        #[arg(long)]
        once: bool,
        /// Elements of an array that are printed.
        #[arg(long, default_value_t = 16)]
        truncate: usize,
        /// Give up after this many seconds without a message.
        #[arg(long)]
        timeout: Option<f64>,
    },
    /// Rate and jitter of a topic.
    Hz {
        #[command(flatten)]
        place: Where,
        /// The topic's absolute name.
        topic: String,
        /// Messages that each figure is made of, 2 at least.
        #[arg(long, default_value_t = 100)]
        window: usize,
        /// Stop after this many seconds.
        #[arg(long)]
        seconds: Option<f64>,
    },
}

/// A topic's absolute name: `cabin/x` is `/cabin/x`, as for a node in no namespace.
pub(crate) fn absolute(topic: &str) -> String {
    if topic.starts_with('/') { topic.to_owned() } else { format!("/{topic}") }
}

/// Joins the router.
///
/// # Errors
/// There is none, or it cannot be reached.
pub(crate) fn open(place: &Where) -> anyhow::Result<Reach> {
    match place.transport.or_else(crate::transport::of_environment).unwrap_or_default() {
        TransportKind::Zenoh => {}
        TransportKind::Dds => return Reach::dds(),
        TransportKind::Ros2 => return Reach::ros2(),
        TransportKind::Mem => bail!("the mem transport is inside one process: nobody can look into it"),
    }
    let mut options = ZenohOptions::from_env()?;
    if let Some(router) = &place.router {
        options.router.clone_from(router);
    }
    let endpoint = options.router.clone();
    // A tool only looks: it never becomes the router that others then depend on.
    let transport = ZenohTransport::open(options)?;
    if !transport.has_router() {
        bail!(
            "no zenoh router at {endpoint}: start a system with `troika run`, or give another with --router"
        );
    }
    Ok(Reach::Zenoh(transport))
}

/// Runs one of the commands.
pub(crate) fn run(command: TopicCommand) -> anyhow::Result<()> {
    match command {
        TopicCommand::List { place, verbose } => list(&open(&place)?, verbose),
        TopicCommand::Echo { place, topic, once, truncate, timeout } => {
            echo(&open(&place)?, &absolute(&topic), once, truncate, timeout.map(Duration::from_secs_f64))
        }
        TopicCommand::Hz { place, topic, window, seconds } => {
            hz(&open(&place)?, &absolute(&topic), window.max(2), seconds.map(Duration::from_secs_f64))
        }
    }
}

/// Between two looks at the graph, and how many like looks in a row are taken for the whole of it.
const LOOK: Duration = Duration::from_millis(100);
const ALIKE: u32 = 4;
/// After this long without a node, there is none.
const NOBODY: Duration = Duration::from_secs(3);

/// The graph once it has come to rest: a session learns of the others one by one after it has opened.
pub(crate) fn settled_graph(transport: &dyn Transport) -> anyhow::Result<Graph> {
    let start = Instant::now();
    let mut graph = transport.graph()?;
    let mut alike = 0;
    while alike < ALIKE || (graph.nodes.is_empty() && start.elapsed() < NOBODY) {
        std::thread::sleep(LOOK);
        let now = transport.graph()?;
        let same = now == graph;
        alike = if same { alike + 1 } else { 0 };
        graph = now;
        if start.elapsed() > 2 * NOBODY {
            break; // nodes come and go all the time: what is there now
        }
    }
    Ok(graph)
}

fn list(transport: &Reach, verbose: bool) -> anyhow::Result<()> {
    let graph = settled_graph(&**transport)?;
    if graph.endpoints.is_empty() {
        println!("no topics in ROS domain {} {}", transport.domain(), transport.place());
    }
    let mut topics: Vec<&str> = graph.endpoints.iter().map(|endpoint| endpoint.topic.as_str()).collect();
    topics.sort_unstable();
    topics.dedup();
    for topic in topics {
        if !verbose {
            println!("{topic}");
            continue;
        }
        let ends: Vec<_> = graph.endpoints.iter().filter(|endpoint| endpoint.topic == topic).collect();
        let nodes = |publishes: bool| {
            ends.iter()
                .filter(|end| end.publishes == publishes)
                .map(|end| end.node.clone())
                .reduce(|all, node| all + " " + &node)
                .unwrap_or_else(|| "nobody".to_owned())
        };
        println!("{topic}\n    type         {}", ends[0].type_name);
        println!("    published by {}\n    read by      {}", nodes(true), nodes(false));
    }
    Ok(())
}

/// Arrays longer than `keep` lose their tail, told as a string.
fn shorten(value: &mut serde_json::Value, keep: usize) {
    match value {
        serde_json::Value::Array(items) => {
            let length = items.len();
            items.truncate(keep);
            items.iter_mut().for_each(|item| shorten(item, keep));
            if length > keep {
                items.push(format!("… {} more", length - keep).into());
            }
        }
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| shorten(field, keep)),
        _ => {}
    }
}

fn echo(
    transport: &Reach,
    topic: &str,
    once: bool,
    truncate: usize,
    timeout: Option<Duration>,
) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let (sender, receiver) = mpsc::sync_channel(64);
    let _subscription = transport.subscribe_raw(
        topic,
        Box::new(move |type_name, cdr| {
            // A reader slower than the topic loses messages, not memory.
            let _ = sender.try_send((type_name.to_owned(), cdr.to_vec()));
        }),
    )?;
    let mut last = Instant::now();
    while !stop.is_stopped() {
        let Ok((type_name, cdr)) = receiver.recv_timeout(Duration::from_millis(100)) else {
            if timeout.is_some_and(|timeout| last.elapsed() > timeout) {
                bail!("nothing on {topic}: `troika topic list` shows what there is");
            }
            continue;
        };
        last = Instant::now();
        let Some(entry) = dynamic::lookup(&type_name) else {
            bail!(
                "{topic} has type {type_name}, which this build does not know; it knows {}",
                dynamic::names().collect::<Vec<_>>().join(", ")
            );
        };
        match entry.to_json(&cdr) {
            Ok(mut value) => {
                shorten(&mut value, truncate);
                println!("{value}");
            }
            Err(error) => eprintln!("{} bytes that are no {type_name}: {error}", cdr.len()),
        }
        if once {
            break;
        }
    }
    Ok(())
}

fn hz(transport: &Reach, topic: &str, window: usize, seconds: Option<Duration>) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let (sender, receiver) = mpsc::sync_channel(1024);
    let _subscription = transport.subscribe_raw(
        topic,
        Box::new(move |_, cdr| {
            let _ = sender.try_send((Instant::now(), cdr.len()));
        }),
    )?;
    let start = Instant::now();
    let mut times: VecDeque<Instant> = VecDeque::new();
    let (mut bytes, mut told) = (0_usize, Instant::now());
    let mut any = false;
    while !stop.is_stopped() && seconds.is_none_or(|seconds| start.elapsed() < seconds) {
        if let Ok((at, length)) = receiver.recv_timeout(Duration::from_millis(100)) {
            any = true;
            bytes = length;
            times.push_back(at);
            if times.len() > window {
                times.pop_front();
            }
        }
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            report(&times, bytes);
        }
    }
    if !any {
        bail!("nothing on {topic}: `troika topic list` shows what there is");
    }
    report(&times, bytes);
    Ok(())
}

fn report(times: &VecDeque<Instant>, bytes: usize) {
    let gaps: Vec<f64> =
        times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.duration_since(*a).as_secs_f64()).collect();
    if gaps.is_empty() {
        println!("no rate yet");
        return;
    }
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
    let max = gaps.iter().copied().fold(0.0, f64::max);
    println!(
        "{:.2} Hz, gap {:.2} ms mean, {:.2} ms deviation, {:.2} ms longest, {bytes} bytes a message, window {}",
        1.0 / mean,
        mean * 1e3,
        deviation * 1e3,
        max * 1e3,
        times.len()
    );
}
