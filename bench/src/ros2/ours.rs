//! Our end: typed, as a node's edge has it, over one of our transports.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use troika_host::{Clock, Edge, HostClock, clock::monotonic_nanos};
use troika_kit::{Qos, Time};
use troika_msgs::{sensor_msgs::Image, std_msgs::Header};
use troika_transport::Transport;
use troika_transport_dds::{DdsOptions, DdsTransport};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};

use super::{Contestant, Role};

/// The topic of every contestant.
pub const TOPIC: &str = "/bench/image";
/// All of them: reliable, and enough that a busy machine loses none.
const QOS: Qos = Qos { depth: 100, ..Qos::DEFAULT };

/// Processor time of this process.
pub fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sends `messages` of them, `period` apart, and answers.
pub fn talk(order: &Value, mut send: impl FnMut(u64, usize) -> anyhow::Result<()>) -> anyhow::Result<Value> {
    let number = |key: &str| order[key].as_u64().unwrap_or_default();
    let (bytes, period) = (number("bytes") as usize, Duration::from_nanos(number("period_ns")));
    let before = cpu_nanos();
    let mut due = std::time::Instant::now();
    for _ in 0..number("messages") {
        due += period;
        std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
        send(monotonic_nanos(), bytes)?;
    }
    Ok(json!({ "cpu_ns": cpu_nanos() - before }))
}

/// What a listener notes: from the stamp, which is of `CLOCK_MONOTONIC`, to now.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<(Vec<u64>, u64)>>);

impl Notes {
    pub fn take(&self, sec: i32, nanosec: u32) {
        let now = monotonic_nanos();
        let sent = sec as u64 * 1_000_000_000 + u64::from(nanosec);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.push(now.saturating_sub(sent));
    }

    /// Carries an order out.
    pub fn answer(&self, order: &Value) -> Value {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if order["do"] == "begin" {
            *notes = (Vec::with_capacity(1 << 14), cpu_nanos());
            return json!({});
        }
        let cpu = cpu_nanos() - notes.1;
        json!({ "nanos": std::mem::take(&mut notes.0), "cpu_ns": cpu })
    }
}

/// Answers orders until the input ends.
pub fn serve(mut answer: impl FnMut(&Value) -> anyhow::Result<Value>) -> anyhow::Result<()> {
    for line in std::io::stdin().lines() {
        let answer = answer(&serde_json::from_str(&line?)?)?;
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn open(contestant: Contestant, router: &str) -> anyhow::Result<Box<dyn Transport>> {
    Ok(match contestant {
        Contestant::Zenoh => Box::new(ZenohTransport::open(ZenohOptions {
            router: router.to_owned(),
            ..ZenohOptions::from_env()?
        })?),
        Contestant::Dds => Box::new(DdsTransport::open(DdsOptions::from_env()?)?),
        Contestant::Ros2 => Box::new(troika_transport_ros2::Ros2Transport::open(
            troika_transport_ros2::Ros2Options::default(),
        )?),
        other => anyhow::bail!("{other:?} is not in this build"),
    })
}

/// Runs an end.
pub fn run(contestant: Contestant, role: Role, router: &str) -> anyhow::Result<()> {
    let transport = open(contestant, router)?;
    let name = if role == Role::Talk { "talker" } else { "listener" };
    let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", name)?;
    if role == Role::Listen {
        let notes = Notes::default();
        let heard = notes.clone();
        let _subscription = edge.subscribe::<Image>(TOPIC, QOS, move |sample| {
            let stamp = &sample.value.header.stamp;
            heard.take(stamp.sec, stamp.nanosec);
        })?;
        return serve(|order| Ok(notes.answer(order)));
    }
    let mut publisher = edge.publisher::<Image>(TOPIC, QOS)?;
    serve(|order| {
        talk(order, |sent, bytes| {
            let header = Header { stamp: Time::from_nanos(sent).into(), ..Header::default() };
            let (height, width) = (1, bytes as u32);
            let encoding = "mono8".to_owned();
            let data = vec![0x5A; bytes].into();
            let image = Image { header, height, width, encoding, step: width, data, ..Image::default() };
            Ok(publisher.send(&image)?)
        })
    })
}
