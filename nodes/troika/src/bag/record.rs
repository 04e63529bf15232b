//! `troika record`: subscribes to topics as a peer of their nodes, also to those that come later, and writes what it hears.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use troika_host::{HostClock, signal::stop_on_signals, sync::Counter};
use troika_kit::{Message as _, Qos, Time};
use troika_msgs::{dynamic, rcl_interfaces};
use troika_record::{Bag, Entry, Message, Store, Topic, bag::mend, privacy::Privacy};
use troika_transport::{Meta, NodeHandle, Subscription, Transport};

use crate::topic::{self, Where};

/// Whom others see.
const NAME: &str = "troika_record";
/// Between two looks for new topics, and between two flushes.
const LOOK: Duration = Duration::from_secs(1);
/// Messages, and their bytes, that wait for the disk.
const WAITING: usize = 4096;
const WAITING_BYTES: u64 = 256 << 20;
/// A volatile, best-effort reader hears every publisher, whatever that offers.
const QOS: Qos = Qos { reliable: false, depth: 1000, ..Qos::DEFAULT };

/// `troika record`.
#[derive(clap::Args)]
pub(crate) struct RecordArguments {
    /// Topics, by their absolute names; by default all that there are, also those that come later.
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
/// The transport cannot be reached, or the file not be written.
pub(crate) fn record(arguments: &RecordArguments) -> anyhow::Result<()> {
    if let Some(file) = &arguments.mend {
        let lost = mend(file).with_context(|| format!("cannot mend {}", file.display()))?;
        match lost {
            0 => println!("{} is whole", file.display()),
            lost => println!(
                "{} has an end now; {lost} bytes behind its last whole record are gone",
                file.display()
            ),
        }
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
    let mut messages = 0_u64;
    let over =
        |start: Instant| arguments.seconds.is_some_and(|seconds| start.elapsed().as_secs_f64() >= seconds);
    while !stop.is_stopped() && !over(start) {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            looked = Some(Instant::now());
            ears.listen(&*transport)?;
            bag.flush()?;
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
    drop(ears); // nothing comes any more
    for message in heard.try_iter() {
        messages += 1;
        bag.put(Entry::Message(message))?;
    }
    bag.finish()?;
    println!("{}: {messages} messages of {topics} topics", file.display());
    if lost > 0 {
        eprintln!("notice: {lost} messages found no room: the disk was slower than the topics");
    }
    Ok(())
}

/// What is listened to.
struct Ears<'a> {
    node: Box<dyn NodeHandle>,
    arguments: &'a RecordArguments,
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
            let named = &self.arguments.topics;
            let wanted = match named.is_empty() {
                // As ros2 bag: not what is hidden, and not every node's parameter events.
                true => {
                    !end.topic.contains("/_") && end.type_name != rcl_interfaces::ParameterEvent::TYPE.name
                }
                false => named.contains(&end.topic),
            };
            let key = (end.topic, end.type_name);
            if wanted && !self.subscriptions.contains_key(&key) {
                let subscription = self.subscribe(&key.0, &key.1)?;
                self.subscriptions.insert(key, subscription);
            }
        }
        Ok(())
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
