//! `troika outbox`: gives something that may wait to the vehicle's outbox, as any node would, and tells what becomes of it.

use std::{
    collections::BTreeSet,
    io::Read as _,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use troika_host::{
    Clock, HostClock,
    edge::{Edge, TypedPublisher},
    signal::stop_on_signals,
    sync::StopToken,
};
use troika_kit::Ports;
use troika_msgs::{
    std_msgs::Header,
    troika::{OutboxItem, OutboxReceipt},
};
use troika_uplink::ports::{Inputs, Outputs};

use crate::{
    Interrupted,
    topic::{Where, open, settled_graph},
};

/// Until a receipt came, the item is sent again this often, as everybody does.
const AGAIN: Duration = Duration::from_millis(500);

/// What to do.
#[derive(Subcommand)]
pub(crate) enum OutboxCommand {
    /// Put something into the outbox: it is on the disk when this ends, and goes to the gateway when the link allows.
    Put(PutArguments),
    /// Show what becomes of what is put there, until Ctrl-C.
    Watch {
        #[command(flatten)]
        place: Where,
        /// A line of JSON each.
        #[arg(long)]
        json: bool,
    },
}

/// What is put.
#[derive(Args)]
pub(crate) struct PutArguments {
    #[command(flatten)]
    place: Where,
    /// The words, or `-` for those of standard input.
    text: String,
    /// The same for the same thing, however often it is put: it is delivered once. By default a new one.
    #[arg(long)]
    key: Option<String>,
    /// What it is, for who reads it at the gateway.
    #[arg(long, default_value = "message")]
    kind: String,
    /// How soon somebody wants it.
    #[arg(long, value_enum, default_value_t = Priority::Normal)]
    priority: Priority,
    /// After so many seconds it is worth nothing and does not go.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    lives: u32,
    /// What one try over a link that costs may cost, millionths of a euro.
    #[arg(long, value_name = "MICROEURO", default_value_t = 10_000)]
    most: u32,
    /// The text is JSON, and goes as such.
    #[arg(long)]
    as_json: bool,
    /// Wait until the gateway has it, for so many seconds at most: `--wait`, or `--wait=600`. The end of the waiting, by Ctrl-C too, is not that
    /// of the delivery.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "60")]
    wait: Option<f64>,
    /// Give up after so many seconds without a receipt.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Priority {
    /// Somebody waits for it.
    Urgent,
    /// As soon as the link allows.
    Normal,
    /// Anybody may read it tomorrow: it waits for a good link that costs nothing.
    Bulk,
}

/// Carries it out.
pub(crate) fn outbox(command: &OutboxCommand) -> anyhow::Result<()> {
    match command {
        OutboxCommand::Put(arguments) => put(arguments),
        OutboxCommand::Watch { place, json } => watch(place, *json),
    }
}

fn put(arguments: &PutArguments) -> anyhow::Result<()> {
    let patience = Duration::try_from_secs_f64(arguments.timeout).context("--timeout is no time")?;
    let text = match arguments.text.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            text
        }
        text => text.to_owned(),
    };
    let wait = arguments.wait.map(|wait| Duration::try_from_secs_f64(wait).context("--wait is no time"));
    let wait = wait.transpose()?;
    if text.trim().is_empty() {
        bail!("there is nothing to put: the text is empty");
    }
    if arguments.as_json {
        serde_json::from_str::<serde::de::IgnoredAny>(&text).context("the text is no JSON")?;
    }
    let stop = stop_on_signals()?;
    let transport = open(&arguments.place)?;
    let name = format!("outbox_{}", std::process::id());
    let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", &name)?;
    let (item, receipt) = (<Inputs as Ports>::SPECS[0], <Outputs as Ports>::SPECS[0]);
    let (sender, receipts) = mpsc::channel();
    let _ear =
        edge.subscribe::<OutboxReceipt>(receipt.topic, receipt.qos, move |one| drop(sender.send(one.value)))?;
    let mut items = edge.publisher::<OutboxItem>(item.topic, item.qos)?;
    let graph = settled_graph(&*transport)?;
    if !graph.endpoints.iter().any(|end| end.publishes && end.topic == receipt.topic) {
        bail!("nobody keeps what comes on {}: start a system with a node of the kind `uplink`", item.topic);
    }
    let now = edge.now();
    let new = OutboxItem {
        header: Header::at(now),
        key: arguments.key.clone().unwrap_or_else(|| format!("{name}-{}", now.as_nanos())),
        kind: arguments.kind.clone(),
        priority: match arguments.priority {
            Priority::Urgent => OutboxItem::URGENT,
            Priority::Normal => OutboxItem::NORMAL,
            Priority::Bulk => OutboxItem::BULK,
        },
        lives: troika_kit::Duration::from_secs(u64::from(arguments.lives)).into(),
        most_microeuro: arguments.most,
        form: if arguments.as_json { OutboxItem::JSON } else { OutboxItem::TEXT },
        text,
        ..OutboxItem::default()
    };
    let told = kept(&mut items, &new, &receipts, patience, &stop)?;
    if told.state == OutboxReceipt::REFUSED {
        bail!("it was not kept: {}", told.told);
    }
    println!("{}: {}", new.key, words(&told));
    let Some(wait) = wait.filter(|_| told.state != OutboxReceipt::DELIVERED) else { return Ok(()) };
    let end = Instant::now() + wait;
    // The receipt of the delivery is said once: who may have missed it asks again by sending again.
    while !stop.is_stopped() {
        if Instant::now() >= end {
            bail!(
                "the gateway did not take it within {} s; it stays on the disk and goes when the link allows: `troika outbox watch` tells, \
                 and the same --key asks again",
                wait.as_secs_f64()
            );
        }
        let again = end.min(Instant::now() + 4 * AGAIN);
        while let Some(told) = next(&receipts, &new.key, again) {
            match told.state {
                OutboxReceipt::DELIVERED => {
                    println!("{}: {}", new.key, words(&told));
                    return Ok(());
                }
                OutboxReceipt::REFUSED => bail!("the gateway does not take it: {}", told.told),
                OutboxReceipt::EXPIRED => bail!("its life ended before it could go"),
                _ => {}
            }
        }
        items.send(&new)?;
    }
    Err(Interrupted.into())
}

/// Sends it until a receipt came.
fn kept(
    items: &mut TypedPublisher<OutboxItem>,
    new: &OutboxItem,
    receipts: &Receiver<OutboxReceipt>,
    patience: Duration,
    stop: &StopToken,
) -> anyhow::Result<OutboxReceipt> {
    let end = Instant::now() + patience;
    while Instant::now() < end && !stop.is_stopped() {
        items.send(new)?;
        if let Some(told) = next(receipts, &new.key, Instant::now() + AGAIN) {
            return Ok(told);
        }
    }
    if stop.is_stopped() {
        return Err(Interrupted.into());
    }
    bail!("no receipt came: whether it is kept is not known; the same --key makes one of all tries")
}

/// The next receipt of that key.
fn next(receipts: &Receiver<OutboxReceipt>, key: &str, until: Instant) -> Option<OutboxReceipt> {
    loop {
        match receipts.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(told) if told.key == key => return Some(told),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// What became of the outbox's items, as it is told; that an item waits still is told of it once.
fn watch(place: &Where, json: bool) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let transport = open(place)?;
    let name = format!("outbox_{}", std::process::id());
    let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", &name)?;
    let receipt = <Outputs as Ports>::SPECS[0];
    let (sender, receipts) = mpsc::channel();
    let _ear =
        edge.subscribe::<OutboxReceipt>(receipt.topic, receipt.qos, move |one| drop(sender.send(one.value)))?;
    let mut waiting = BTreeSet::new();
    while !stop.is_stopped() {
        let Ok(told) = receipts.recv_timeout(Duration::from_millis(100)) else { continue };
        let waits = matches!(told.state, OutboxReceipt::QUEUED | OutboxReceipt::WAITS);
        if !waits {
            waiting.remove(&told.key);
        } else if !waiting.insert(told.key.clone()) {
            continue;
        }
        if json {
            println!("{}", crate::topic::json(&told)?);
        } else {
            println!("{}: {}", told.key, words(&told));
        }
    }
    Ok(())
}

fn words(told: &OutboxReceipt) -> String {
    match told.state {
        OutboxReceipt::QUEUED => "it is on the disk, and goes when the link allows".into(),
        OutboxReceipt::WAITS => "it was on the disk before, and goes when the link allows".into(),
        OutboxReceipt::DELIVERED => "the gateway has it".into(),
        OutboxReceipt::EXPIRED => "its life ended before it could go".into(),
        _ => format!("not kept: {}", told.told),
    }
}
