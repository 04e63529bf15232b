//! The measuring process: one contestant after the other, round for round.

use std::{
    fs,
    net::TcpListener,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use troika_host::floor::Floor;

use crate::{
    child::{self, Process, Shared},
    contestants::{Contestant, Place, Receiver, Sender},
    message::{Message, Notes, SIZES},
    plan::{self, Method, Options, Report, Row},
    table,
};

/// CycloneDDS on the loopback alone, without multicast.
const CYCLONEDDS: &str = "<CycloneDDS><Domain Id=\"any\"><General><Interfaces><NetworkInterface name=\"lo\"/></Interfaces>\
<AllowMulticast>false</AllowMulticast></General><Discovery><ParticipantIndex>auto</ParticipantIndex><Peers>\
<Peer Address=\"127.0.0.1\"/></Peers></Discovery></Domain></CycloneDDS>";
/// How long two ends may take to find each other.
const MATCH: Duration = Duration::from_secs(20);
/// Messages at the start of each turn that are not measured: a path that was not used for a minute has to wake up.
const WARM_UP: u64 = 5;
/// After the last message of a turn: what has not come by then is lost.
const SETTLE: Duration = Duration::from_millis(200);

/// Starts the measuring process: with glibc keeping its memory, as in a process of ours (no page faults for each frame), and with
/// CycloneDDS on the loopback.
pub fn with_environment(options: &Options) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("drive").args(std::env::args_os().skip(2));
    command.env("MALLOC_MMAP_THRESHOLD_", "33554432").env("MALLOC_TRIM_THRESHOLD_", "2147483647");
    if std::env::var_os("CYCLONEDDS_URI").is_none() {
        command.env("CYCLONEDDS_URI", CYCLONEDDS);
    }
    let status = command.status()?;
    if !status.success() {
        bail!("the measuring process failed ({status}); options were {options:?}");
    }
    Ok(())
}

/// The receiving end: in this process or in another.
enum End {
    Here { notes: Shared, _receiver: Receiver },
    There(Process),
}

impl End {
    fn report(&mut self) -> anyhow::Result<Notes> {
        match self {
            End::Here { notes, .. } => Ok(child::report(notes)),
            End::There(process) => process.report(),
        }
    }
}

/// One contestant, connected.
struct Lane {
    contestant: Contestant,
    sender: Sender,
    end: End,
    messages: Vec<Message>,
    nanos: [Vec<u64>; SIZES.len()],
    sent: [u64; SIZES.len()],
    torn: u64,
}

impl Lane {
    fn open(contestant: Contestant, place: &Place) -> anyhow::Result<Lane> {
        let (sender, end) = if let Some(within) = contestant.within() {
            let notes: Shared = Arc::new(Mutex::new(Notes::new()));
            let (sender, receiver) = within(notes.clone())?;
            (sender, End::Here { notes, _receiver: receiver })
        } else {
            let process = Process::start(contestant, place)?;
            (contestant.send(place)?, End::There(process))
        };
        let messages = (0..SIZES.len()).map(Message::new).collect();
        let nanos = Default::default();
        let mut lane = Lane { contestant, sender, end, messages, nanos, sent: [0; SIZES.len()], torn: 0 };
        // Matched when something has arrived.
        let start = Instant::now();
        while lane.end.report()?.warm_up == 0 {
            if start.elapsed() > MATCH {
                bail!("{}: nothing arrived within {MATCH:?}", contestant.name());
            }
            let message = lane.messages[0].next(false);
            lane.sender.send(message)?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(lane)
    }

    /// One turn with one size.
    fn turn(&mut self, size: usize, messages: u64, period: Duration) -> anyhow::Result<()> {
        self.end.report()?;
        let mut due = Instant::now();
        for n in 0..WARM_UP + messages {
            due += period;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let message = self.messages[size].next(n >= WARM_UP);
            self.sender.send(message).with_context(|| self.contestant.name())?;
        }
        thread::sleep(SETTLE);
        let mut notes = self.end.report()?;
        self.nanos[size].append(&mut notes.nanos[size]);
        self.sent[size] += messages;
        self.torn += notes.torn;
        Ok(())
    }
}

/// Measures, writes and prints.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("troika-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = measure(options, &folder);
    fs::remove_dir_all(&folder)?;
    let report = result?;
    print!("{}", table::text(&report));
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&report)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn measure(options: &Options, folder: &std::path::Path) -> anyhow::Result<Report> {
    let mut lanes = Vec::new();
    for contestant in options.contestants() {
        eprintln!("connecting {}", contestant.name());
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let place = Place { folder: folder.to_path_buf(), port };
        lanes.push(Lane::open(contestant, &place).with_context(|| contestant.name())?);
    }
    let floor = Floor::start()?;
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for size in 0..SIZES.len() {
            for lane in &mut lanes {
                lane.turn(size, options.messages(), options.period())?;
            }
        }
    }
    let recorded = floor.finish();
    let mut rows = Vec::new();
    for (size, bytes) in SIZES.iter().enumerate() {
        for lane in &mut lanes {
            let nanos = std::mem::take(&mut lane.nanos[size]);
            rows.push(Row::new(lane.contestant.title().into(), *bytes, nanos, lane.sent[size], lane.torn));
        }
    }
    Ok(Report {
        floor_us: plan::Floor::of(&recorded),
        rows,
        method: Method {
            latency: "one way: from before the sender's call to the bytes in the receiver's hands",
            hz: options.hz,
            rounds: options.rounds,
            cores: thread::available_parallelism().map_or(0, usize::from),
        },
    })
}
