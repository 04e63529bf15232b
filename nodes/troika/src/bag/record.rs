//! `troika record`: subscribes to topics as a peer of their nodes, also to those that come later, and writes what it hears.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use troika_host::{HostClock, signal::stop_on_signals, sync::Counter};
use troika_kit::{Message as _, Qos, Time, counted};
use troika_msgs::{dynamic, rcl_interfaces};
use troika_record::{
    Bag, Entry, Message, Store, Topic,
    bag::{Mended, mend},
    privacy::Privacy,
};
use troika_transport::{Meta, NodeHandle, Subscription, Transport};

use crate::{
    bag::nearest_topic,
    topic::{self, Where},
};

/// Whom others see.
const NAME: &str = "troika_record";
/// Between two looks for new topics, and between two flushes.
const LOOK: Duration = Duration::from_secs(1);
/// A session learns of the others within a second or two: what is not published by then is told.
const PATIENCE: Duration = Duration::from_secs(3);
/// Messages, and their bytes, that wait for the disk.
const WAITING: usize = 4096;
const WAITING_BYTES: u64 = 256 << 20;
/// A volatile, best-effort reader hears every publisher, whatever that offers.
const QOS: Qos = Qos { reliable: false, depth: 1000, ..Qos::DEFAULT };

/// `troika record`.
#[derive(clap::Args)]
pub(crate) struct RecordArguments {
    /// Topics (`cabin/x` is `/cabin/x`); by default all that there are, also those that come later.
    topics: Vec<String>,
    /// The file; by default recording-SECONDS.mcap in this folder.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Raw images and audio of the cabin too.
    #[arg(long)]
    raw: bool,
    /// Stop after this many seconds; by default at Ctrl-C.
    #[arg(long)]
    seconds: Option<f64>,
    /// Give a file that was cut in the middle an end, so that other tools read it, and record nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topics", "output", "raw", "seconds"])]
    mend: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

/// Records until it is told to stop.
///
/// # Errors
/// The transport cannot be reached, the file not be written, or nothing at all was recorded.
pub(crate) fn record(arguments: &RecordArguments) -> anyhow::Result<()> {
    if let Some(file) = &arguments.mend {
        let mended = mend(file).with_context(|| format!("cannot mend {}", file.display()))?;
        let told = match mended {
            Mended::Whole => "is whole".to_owned(),
            Mended::Summary => "has a summary now: it was whole but for that".to_owned(),
            Mended::End(0) => "has an end now; nothing of it is gone".to_owned(),
            Mended::End(lost) => {
                let (bytes, are) = (counted(lost, "byte"), if lost == 1 { "is" } else { "are" });
                format!("has an end now; {bytes} behind its last whole record {are} gone")
            }
        };
        println!("{} {told}", file.display());
        return Ok(());
    }
    let stop = stop_on_signals()?;
    let transport = topic::open(&arguments.place)?;
    let clock = HostClock::start();
    let file = arguments
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("recording-{}.mcap", clock.now().to_stamp().0)));
    if file.exists() {
        bail!("{} is there already: give another with --output", file.display());
    }
    let mut bag = Bag::create(&file)?;
    let (mut ears, heard) = Ears::new(&*transport, arguments, clock)?;
    println!("recording into {}; Ctrl-C ends it", file.display());
    let (start, mut looked) = (Instant::now(), None::<Instant>);
    let (mut messages, mut told) = (0_u64, false);
    let over =
        |start: Instant| arguments.seconds.is_some_and(|seconds| start.elapsed().as_secs_f64() >= seconds);
    while !stop.is_stopped() && !over(start) {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            looked = Some(Instant::now());
            ears.listen(&*transport)?;
            bag.flush()?;
            if !told && start.elapsed() >= PATIENCE {
                told = true;
                ears.missing().iter().for_each(|told| eprintln!("notice: {told}; it is waited for"));
            }
        }
        match heard.recv_timeout(Duration::from_millis(100)) {
            Ok(message) => {
                ears.taken.add(message.cdr.len() as u64);
                messages += 1;
                bag.put(Entry::Message(message))?;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let (lost, topics) = (ears.lost.get(), ears.subscriptions.values().flatten().count());
    let why = ears.why_nothing();
    drop(ears); // nothing comes any more
    for message in heard.try_iter() {
        messages += 1;
        bag.put(Entry::Message(message))?;
    }
    bag.finish()?;
    if messages == 0 {
        // Nobody wants a file with nothing in it, and its name is free for another try.
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        bail!("nothing was recorded, and {} is not there: {why}", file.display());
    }
    println!("{}: {} of {}", file.display(), counted(messages, "message"), counted(topics, "topic"));
    if lost > 0 {
        eprintln!("notice: {} found no room: the disk was slower than the topics", counted(lost, "message"));
    }
    Ok(())
}

/// A topic that nobody publishes, and the one that may have been meant.
fn nobody_publishes<'a>(topic: &str, published: impl IntoIterator<Item = &'a str>) -> String {
    match nearest_topic(topic, published) {
        Some(near) => format!("nobody publishes {topic}: did you mean {near}?"),
        None => format!("nobody publishes {topic}: `troika topic list` shows what there is"),
    }
}

/// What is listened to.
struct Ears<'a> {
    node: Box<dyn NodeHandle>,
    arguments: &'a RecordArguments,
    /// The topics that are wanted, by their absolute names; none: all.
    named: Vec<String>,
    /// All that was seen published.
    published: BTreeSet<String>,
    clock: HostClock,
    sender: mpsc::SyncSender<Message>,
    /// By topic and type; none of those that are left out.
    subscriptions: BTreeMap<(String, String), Option<Box<dyn Subscription>>>,
    put: Arc<Counter>,
    taken: Arc<Counter>,
    lost: Arc<Counter>,
}

impl<'a> Ears<'a> {
    fn new(
        transport: &dyn Transport,
        arguments: &'a RecordArguments,
        clock: HostClock,
    ) -> anyhow::Result<(Ears<'a>, mpsc::Receiver<Message>)> {
        let (sender, heard) = mpsc::sync_channel(WAITING);
        let node = transport.node("/", NAME)?;
        let ears = Ears {
            node,
            arguments,
            named: arguments.topics.iter().map(|topic| topic::absolute(topic)).collect(),
            published: BTreeSet::new(),
            clock,
            sender,
            subscriptions: BTreeMap::new(),
            put: Arc::default(),
            taken: Arc::default(),
            lost: Arc::default(),
        };
        Ok((ears, heard))
    }

    /// Subscribes to what is wanted and new.
    fn listen(&mut self, transport: &dyn Transport) -> anyhow::Result<()> {
        for end in transport.graph()?.endpoints.into_iter().filter(|end| end.publishes) {
            self.published.insert(end.topic.clone());
            let wanted = match self.named.is_empty() {
                // As ros2 bag: not what is hidden, and not every node's parameter events.
                true => {
                    !end.topic.contains("/_") && end.type_name != rcl_interfaces::ParameterEvent::TYPE.name
                }
                false => self.named.contains(&end.topic),
            };
            let key = (end.topic, end.type_name);
            if wanted && !self.subscriptions.contains_key(&key) {
                let subscription = self.subscribe(&key.0, &key.1)?;
                self.subscriptions.insert(key, subscription);
            }
        }
        Ok(())
    }

    /// What is wanted and published by nobody.
    fn missing(&self) -> Vec<String> {
        let missing = self.named.iter().filter(|topic| !self.published.contains(*topic));
        let published = || self.published.iter().map(String::as_str).filter(|topic| !topic.contains("/_"));
        missing.map(|topic| nobody_publishes(topic, published())).collect()
    }

    /// Why there is no message.
    fn why_nothing(&self) -> String {
        let missing = self.missing();
        if !missing.is_empty() {
            return missing.join("; ");
        }
        let left_out: Vec<&str> = self
            .subscriptions
            .iter()
            .filter_map(|((topic, _), heard)| heard.is_none().then_some(topic.as_str()))
            .collect();
        if self.subscriptions.values().all(Option::is_none) && !left_out.is_empty() {
            return format!("left out was {}, as told above", left_out.join(", "));
        }
        match self.subscriptions.is_empty() {
            true => "nobody publishes anything; is the system running, in this ROS_DOMAIN_ID?".to_owned(),
            false => "nobody sent a message on what was listened to".to_owned(),
        }
    }

    fn subscribe(&self, name: &str, type_name: &str) -> anyhow::Result<Option<Box<dyn Subscription>>> {
        if Privacy::raw(self.arguments.raw).leaves_out(type_name) {
            println!("{name} is left out: {type_name} is raw, and recorded with --raw alone");
            return Ok(None);
        }
        let Some(entry) = dynamic::lookup(type_name) else {
            println!("{name} is left out: this build does not know {type_name}");
            return Ok(None);
        };
        let topic = Arc::new(Topic { name: name.to_owned(), ty: entry.info(), qos: Qos::DEFAULT });
        let (sender, clock) = (self.sender.clone(), self.clock);
        let (put, taken, lost) = (self.put.clone(), self.taken.clone(), self.lost.clone());
        let mut index = 0_u32;
        let on_message = move |cdr: &[u8], meta: &Meta| {
            let waiting = put.get().saturating_sub(taken.get());
            let message = Message {
                topic: topic.clone(),
                index,
                log_time: clock.now(),
                publish_time: if meta.source_time == Time::ZERO { clock.now() } else { meta.source_time },
                cdr: cdr.into(),
            };
            if waiting > WAITING_BYTES || sender.try_send(message).is_err() {
                lost.add(1);
                return;
            }
            put.add(cdr.len() as u64);
            index = index.wrapping_add(1);
        };
        println!("{name}");
        Ok(Some(self.node.subscribe(name, entry.info(), QOS, Box::new(on_message))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_topic_is_answered_with_the_one_that_was_meant() {
        let there = ["/cabin/driver_alert", "/cabin/driver_state", "/vehicle/signals"];
        let told = |topic| nobody_publishes(topic, there);
        assert_eq!(
            told("/cabin/driver_stat"),
            "nobody publishes /cabin/driver_stat: did you mean /cabin/driver_state?"
        );
        assert!(told("/driver_state").ends_with("did you mean /cabin/driver_state?"));
        assert!(told("/cabin/signals").ends_with("did you mean /vehicle/signals?"));
        assert!(told("/zzz").ends_with("`troika topic list` shows what there is"), "{}", told("/zzz"));
        assert!(nobody_publishes("/x", []).starts_with("nobody publishes /x"));
    }
}
