//! The process: what comes from the transport and what the gateway says goes to [`Sender`] one by one, on one ordinary thread; a second one waits
//! for the gateway. Memory is not locked: whatever runs at deadlines goes before.

use std::{
    fs,
    sync::mpsc::{
        Receiver, RecvTimeoutError, Sender as Mouth, SyncSender, TrySendError, channel, sync_channel,
    },
    thread,
};

use anyhow::Context as _;
use troika_dialogue::{Client, Fault, Files};
use troika_host::{
    HostClock,
    edge::{Edge, TypedPublisher, TypedSubscription},
    health::Heart,
    signal,
    sync::StopToken,
};
use troika_kit::{Duration, Message, PortSpec, Ports, Time};
use troika_msgs::troika::{
    DialogueReply, DriverAlert, DriverState, LinkSample, LinkState, OutboxItem, OutboxReceipt,
    RoutingDecision,
};
use troika_outbox::Outbox;
use troika_transport_open::{Carrier, RouterWatch};

use crate::{
    config::UplinkConfig,
    ports::{Inputs, Outputs},
    sender::{Exchange, Out, Sender},
};

/// How long the transport may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long a receipt may still be on its way.
const LINGER: Duration = Duration::from_millis(200);
/// How often an idle process looks at what is due.
const LOOK: Duration = Duration::from_millis(100);
/// How often the gateway's files and the router are looked at.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// Messages that wait for the disk. More are dropped without a receipt, so that whoever wants one sends again.
const WAITING: usize = 1024;

/// What comes.
enum Came {
    Item(Box<OutboxItem>),
    Link(Box<LinkState>),
    Decision(Box<RoutingDecision>),
    Reply(Box<DialogueReply>),
    Driver(Box<DriverState>),
    Alert(Box<DriverAlert>),
    Answer(Result<String, Fault>),
}

/// Runs until SIGINT or SIGTERM comes.
///
/// # Errors
/// Settings that cannot be used, an outbox that cannot be opened, or when the transport is not to be had.
pub fn run(config: &UplinkConfig) -> anyhow::Result<()> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    if let Some(nice) = config.nice
        && let Err(error) = rustix::process::nice(nice)
    {
        eprintln!("uplink: cannot take niceness {nice}: {error}; running on as it is");
    }
    let client = config.client()?;
    if let Err(error) = config.check_clouds_files() {
        eprintln!("notice: nothing is sent: {error}; what comes is kept until that is mended");
    }
    if let Some(folder) = config.file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("file: cannot make {}", folder.display()))?;
    }
    let outbox = Outbox::open(&config.file, config.outbox)
        .with_context(|| format!("file: {}", config.file.display()))?;
    let mut sender = Sender::new(outbox, config);
    let carrier =
        Carrier { router: config.router.clone(), dds: config.dds, ros2: config.ros2, domain: config.domain };
    let (transport, router) = carrier.open_watched()?;
    let mut around = Around { router, files: config.files(), next: Time::ZERO };
    let clock = HostClock::start();
    let edge = Edge::new(&*transport, troika_host::Clock::Host(clock), &config.namespace, &config.name)?;
    let mut mouths = Mouths::new(&edge, config)?;
    mouths.say(sender.belongs_to(clock.now(), config.identity().as_deref()))?;
    let (came, inbox) = sync_channel(WAITING);
    let worker = worker(client.clone(), came.clone())?;
    let subscriptions = subscriptions(config, &edge, &came)?;
    serve(config, &mut sender, &mut around, &inbox, &worker, &clock, &stop, &mut mouths)?;
    signal::end_within(CLOSING);
    // Whatever is on its way comes again after the next start, and the gateway knows it by its key.
    client.cut();
    StopToken::new().wait_for(LINGER);
    drop(subscriptions);
    Ok(())
}

/// The thread that waits for the gateway.
fn worker(client: Client, came: SyncSender<Came>) -> anyhow::Result<Mouth<Exchange>> {
    let (ask, asked) = channel::<Exchange>();
    let work = move || {
        for one in asked {
            let answer = client.post(one.path, &one.body);
            // Nobody listens any more where the process ends.
            if came.send(Came::Answer(answer)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("gateway".into()).spawn(work).context("no thread for the gateway")?;
    Ok(ask)
}

/// What is looked at beside the messages.
struct Around {
    router: RouterWatch,
    files: Files,
    next: Time,
}

impl Around {
    fn look(&mut self, config: &UplinkConfig, sender: &mut Sender, now: Time) -> Vec<Out> {
        if now < self.next {
            return Vec::new();
        }
        self.next = now + LOOK_AROUND;
        let mut out: Vec<Out> = self.router.look().into_iter().map(Out::Told).collect();
        if let Some(news) = self.files.news("gateway", || config.check_clouds_files()) {
            out.push(Out::Told(news.told));
            if news.fit {
                out.extend(sender.belongs_to(now, config.identity().as_deref()));
                out.extend(sender.renewed(now));
            }
        }
        out
    }
}

#[expect(clippy::too_many_arguments, reason = "the loop and all that it goes round")]
fn serve(
    config: &UplinkConfig,
    sender: &mut Sender,
    around: &mut Around,
    inbox: &Receiver<Came>,
    worker: &Mouth<Exchange>,
    clock: &HostClock,
    stop: &StopToken,
    mouths: &mut Mouths,
) -> anyhow::Result<()> {
    while !stop.is_stopped() {
        let out = match inbox.recv_timeout(LOOK) {
            Ok(came) => hear(sender, clock, came),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        mouths.say(out)?;
        mouths.say(around.look(config, sender, clock.now()))?;
        let (out, exchange) = sender.step(clock.now());
        mouths.say(out)?;
        if let Some(exchange) = exchange {
            worker.send(exchange).context("the gateway's thread has ended")?;
        }
        mouths.heart.beat(clock.now())?;
    }
    Ok(())
}

fn hear(sender: &mut Sender, clock: &HostClock, came: Came) -> Vec<Out> {
    let now = clock.now();
    match came {
        Came::Item(item) => return vec![sender.item(now, &item)],
        Came::Answer(answer) => return sender.answered(now, &answer),
        Came::Link(link) => sender.link(now, *link),
        Came::Decision(decision) => sender.decision(&decision),
        Came::Reply(reply) => sender.reply(now, &reply),
        Came::Driver(driver) => sender.driver(&driver),
        Came::Alert(alert) => sender.alert(&alert),
    }
    Vec::new()
}

struct Mouths {
    receipt: TypedPublisher<OutboxReceipt>,
    sample: TypedPublisher<LinkSample>,
    heart: Heart,
}

impl Mouths {
    fn new(edge: &Edge, config: &UplinkConfig) -> anyhow::Result<Mouths> {
        let [receipt, sample] = *<Outputs as Ports>::SPECS else {
            unreachable!("the ports are two, as written in ports.rs");
        };
        Ok(Mouths {
            receipt: edge.publisher(receipt.topic, receipt.qos)?,
            sample: edge.publisher(sample.topic, sample.qos)?,
            heart: Heart::new(edge, &config.namespace, &config.name)?,
        })
    }

    fn say(&mut self, out: Vec<Out>) -> anyhow::Result<()> {
        for one in out {
            match one {
                Out::Receipt(receipt) => self.receipt.send(&receipt)?,
                Out::Sample(sample) => self.sample.send(&sample)?,
                Out::Told(told) => eprintln!("uplink: {told}"),
            }
        }
        Ok(())
    }
}

/// What is not told is not listened to.
fn subscriptions(
    config: &UplinkConfig,
    edge: &Edge,
    came: &SyncSender<Came>,
) -> anyhow::Result<Vec<TypedSubscription>> {
    let [item, link, decision, reply, driver, alert] = *<Inputs as Ports>::SPECS else {
        unreachable!("the ports are six, as written in ports.rs");
    };
    let (reports, driver_told) = config.reads();
    let mut all = vec![
        subscribe::<OutboxItem>(edge, item, came, |one| Came::Item(Box::new(one)))?,
        subscribe::<LinkState>(edge, link, came, |one| Came::Link(Box::new(one)))?,
    ];
    if reports {
        all.push(subscribe::<RoutingDecision>(edge, decision, came, |one| Came::Decision(Box::new(one)))?);
        all.push(subscribe::<DialogueReply>(edge, reply, came, |one| Came::Reply(Box::new(one)))?);
    }
    if driver_told {
        all.push(subscribe::<DriverState>(edge, driver, came, |one| Came::Driver(Box::new(one)))?);
        all.push(subscribe::<DriverAlert>(edge, alert, came, |one| Came::Alert(Box::new(one)))?);
    }
    Ok(all)
}

fn subscribe<T: Message + 'static>(
    edge: &Edge,
    port: PortSpec,
    came: &SyncSender<Came>,
    of: fn(T) -> Came,
) -> anyhow::Result<TypedSubscription> {
    let came = came.clone();
    let each = move |sample: troika_kit::Sample<T>| match came.try_send(of(sample.value)) {
        Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
    };
    Ok(edge.subscribe::<T>(port.topic, port.qos, each)?)
}
