//! `troika play`: puts the messages of an MCAP file onto the transport, at the pace at which they were recorded.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    time::Duration,
};

use anyhow::bail;
use troika_host::{HostClock, clock::monotonic_nanos, signal::stop_on_signals, sync::StopToken};
use troika_kit::{Time, TypeInfo, counted};
use troika_msgs::dynamic;
use troika_msgs_codegen::definition;
use troika_record::{
    BagReader, Record,
    bag::{ChannelInfo, channels, qos_of_text},
    step,
};
use troika_transport::{Endpoint, NodeHandle, Publisher};

use crate::{
    bag::{self, nearest_topic},
    status_line::StatusLine,
    topic::{self, Where},
};

/// Whom others see.
const NAME: &str = "troika_play";

/// `troika play`.
#[derive(clap::Args)]
pub(crate) struct PlayArguments {
    /// An MCAP file, of `troika record` or of `ros2 bag record -s mcap`, or a folder of them.
    file: PathBuf,
    /// Topics (`cabin/x` is `/cabin/x`); by default all that are in the file.
    topics: Vec<String>,
    /// How fast: 2 is twice as fast as it was recorded.
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    #[command(flatten)]
    place: Where,
}

/// Plays it.
///
/// # Errors
/// The file cannot be read, or the transport not be reached, or nothing of it can be played.
pub(crate) fn play(arguments: &PlayArguments) -> anyhow::Result<()> {
    if !(arguments.rate.is_finite() && arguments.rate > 0.0) {
        bail!("--rate is over 0: 1 is as fast as it was recorded");
    }
    let stop = stop_on_signals()?;
    let files = bag::files(std::slice::from_ref(&arguments.file))?;
    let topics: Vec<String> = arguments.topics.iter().map(|topic| topic::absolute(topic)).collect();
    let mut wanted = Vec::new();
    let mut known = BTreeSet::new();
    for file in &files {
        for channel in channels(file)? {
            known.insert(channel.topic.clone());
            if is_wanted(&channel, &topics) {
                wanted.push(channel);
            }
        }
    }
    let missing: Vec<String> =
        topics.iter().filter(|topic| !known.contains(*topic)).map(|topic| not_in_it(topic, &known)).collect();
    if !missing.is_empty() {
        bail!("{}: {}", arguments.file.display(), missing.join("; "));
    }
    // The file has what is wanted: now somebody is looked for who hears it. Before ours are among them.
    let transport = topic::open(&arguments.place)?;
    let there = topic::settled_graph(&*transport)?.endpoints;
    let mut player = Player { node: transport.node("/", NAME)?, publishers: HashMap::new() };
    wanted.iter().try_for_each(|channel| player.declare(channel))?;
    for told in others(&there, wanted.iter().map(|channel| channel.topic.as_str())) {
        eprintln!("notice: {told}");
    }
    if player.publishers.values().all(Option::is_none) {
        let what = if arguments.topics.is_empty() { "ROS 2 messages" } else { "messages of these topics" };
        bail!("{} holds no {what} that can be played", arguments.file.display());
    }
    // Who listens learns of the publishers first.
    topic::settled_graph(&*transport)?;
    let clock = HostClock::start();
    let mut pace = Pace { rate: arguments.rate, begin: None };
    let mut played = 0_u64;
    let topics = player.publishers.values().flatten().count();
    println!("playing {} of {}; Ctrl-C ends it", counted(topics, "topic"), arguments.file.display());
    for file in &files {
        let mut reader = BagReader::open(file)?;
        let mut line = StatusLine::new();
        while let Some(record) = reader.next() {
            let (read, of) = reader.progress();
            line.tell(|| {
                let share = read as f64 / of.max(1) as f64 * 100.0;
                format!("{}: {share:.0} %, {}", file.display(), counted(played, "message"))
            });
            let Record::Message { channel, log_time, cdr, .. } = record else { continue };
            let key = (channel.topic.clone(), channel.type_name.clone());
            let Some(Some(publisher)) = player.publishers.get_mut(&key) else { continue };
            if pace.wait(log_time, &stop) {
                drop(line);
                println!("{} played, stopped", counted(played, "message"));
                return Ok(());
            }
            publisher.put(&cdr, clock.now())?;
            played += 1;
        }
        if let Some(cut) = reader.cut() {
            eprintln!("notice: {} ends before its end ({cut}): played up to there", file.display());
        }
    }
    println!("{} played", counted(played, "message"));
    Ok(())
}

/// A topic that the file does not have, and the one that may have been meant.
fn not_in_it(topic: &str, known: &BTreeSet<String>) -> String {
    let visible = || known.iter().map(String::as_str).filter(|one| step::node_of(one).is_none());
    match nearest_topic(topic, visible()) {
        Some(near) => format!("it has no {topic}: did you mean {near}?"),
        None => format!("it has no {topic}; it has {}", visible().collect::<Vec<_>>().join(", ")),
    }
}

/// Who publishes these topics already.
fn others<'a>(there: &[Endpoint], topics: impl Iterator<Item = &'a str>) -> Vec<String> {
    let topics: BTreeSet<&str> = topics.collect();
    let mut told = Vec::new();
    for topic in topics {
        let publishers: BTreeSet<&str> = there
            .iter()
            .filter(|end| end.publishes && end.topic == topic)
            .map(|end| end.node.as_str())
            .collect();
        if !publishers.is_empty() {
            let publishers: Vec<&str> = publishers.into_iter().collect();
            let verb = if publishers.len() == 1 { "publishes" } else { "publish" };
            told.push(format!("{} {verb} {topic} too: its readers hear all, mixed", publishers.join(", ")));
        }
    }
    told
}

fn is_wanted(channel: &ChannelInfo, topics: &[String]) -> bool {
    let hidden = step::node_of(&channel.topic).is_some();
    if topics.is_empty() { !hidden } else { topics.contains(&channel.topic) }
}

/// When a message is due.
struct Pace {
    rate: f64,
    /// The first message's time, and when that was played.
    begin: Option<(Time, u64)>,
}

impl Pace {
    /// Waits until the message is due; true when it was stopped.
    fn wait(&mut self, at: Time, stop: &StopToken) -> bool {
        let now = monotonic_nanos();
        let (first, start) = *self.begin.get_or_insert((at, now));
        let after =
            Duration::try_from_secs_f64(at.since(first).as_secs_f64() / self.rate).unwrap_or(Duration::MAX);
        let due = start.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
        if due <= now { stop.is_stopped() } else { stop.wait_until(due) }
    }
}

struct Player {
    node: Box<dyn NodeHandle>,
    /// By topic and type; none of those that cannot be played.
    publishers: HashMap<(String, String), Option<Box<dyn Publisher>>>,
}

impl Player {
    fn declare(&mut self, channel: &ChannelInfo) -> anyhow::Result<()> {
        let key = (channel.topic.clone(), channel.type_name.clone());
        if self.publishers.contains_key(&key) {
            return Ok(());
        }
        let publisher = match type_of(channel) {
            Ok(ty) => Some(self.node.publisher(&channel.topic, ty, qos_of_text(&channel.qos))?),
            Err(why) => {
                eprintln!("notice: {} is not played: {why}", channel.topic);
                None
            }
        };
        self.publishers.insert(key, publisher);
        Ok(())
    }
}

/// A channel's type with its hash: ours; else what the file says, or what its definition gives.
fn type_of(channel: &ChannelInfo) -> Result<TypeInfo, String> {
    if channel.encoding != "cdr" {
        return Err(format!("its messages are encoded as '{}', not as CDR", channel.encoding));
    }
    let name = &channel.type_name;
    let made = || match channel.schema_encoding.as_str() {
        "ros2msg" => definition::hash_of(name, &channel.definition).map_err(|why| why.to_string()),
        other => Err(format!("the file has no hash of {name}, and its definition is '{other}', not ros2msg")),
    };
    match (dynamic::lookup(name), &channel.type_hash) {
        (Some(entry), Some(hash)) if entry.info().hash != hash => Err(format!(
            "{name} was another type when it was recorded: its hash was {hash}, and is {}",
            entry.info().hash
        )),
        (Some(entry), _) => Ok(entry.info()),
        // Leaked, once for each type of a file: a type's name lasts as long as the program.
        (None, Some(hash)) => Ok(TypeInfo { name: name.clone().leak(), hash: hash.clone().leak() }),
        (None, None) => Ok(TypeInfo { name: name.clone().leak(), hash: made()?.leak() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_is_not_in_the_file_is_answered_with_the_one_that_was_meant() {
        let known = ["/cabin/driver_state", "/vehicle/signals", "/_recorded/driver_state"];
        let known = known.map(str::to_owned).into();
        assert!(not_in_it("/driver_state", &known).ends_with("did you mean /cabin/driver_state?"));
        let told = not_in_it("/zzz", &known);
        assert!(told.ends_with("it has /cabin/driver_state, /vehicle/signals"), "{told}");
    }

    #[test]
    fn who_publishes_a_played_topic_already_is_told() {
        let end = |node: &str, topic: &str, publishes| Endpoint {
            node: node.into(),
            topic: topic.into(),
            type_name: String::new(),
            type_hash: String::new(),
            publishes,
        };
        let there = [end("/camera", "/a", true), end("/eye", "/a", false), end("/eye", "/b", true)];
        let told = others(&there, ["/a", "/a", "/c"].into_iter());
        assert_eq!(told, ["/camera publishes /a too: its readers hear all, mixed"]);
    }

    fn channel(type_name: &str, definition: &str, hash: Option<&str>) -> ChannelInfo {
        ChannelInfo {
            topic: "/topic".into(),
            encoding: "cdr".into(),
            type_name: type_name.into(),
            schema_encoding: "ros2msg".into(),
            definition: definition.into(),
            type_hash: hash.map(str::to_owned),
            qos: String::new(),
        }
    }

    #[test]
    fn a_type_of_a_file_is_known_by_name_by_the_files_hash_or_by_its_definition() {
        let ours = type_of(&channel("std_msgs/msg/String", "string data", None)).expect("it is known");
        assert_eq!(Ok(ours.hash.to_owned()), definition::hash_of("std_msgs/msg/String", "string data"));
        let theirs =
            type_of(&channel("car_msgs/msg/Door", "bool open", Some("RIHS01_ab"))).expect("by its hash");
        assert_eq!((theirs.name, theirs.hash), ("car_msgs/msg/Door", "RIHS01_ab"));
        let made = type_of(&channel("car_msgs/msg/Door", "bool open", None)).expect("by its definition");
        assert!(made.hash.starts_with("RIHS01_"));
        assert!(type_of(&channel("std_msgs/msg/String", "", Some("RIHS01_ab"))).is_err(), "another version");
        assert!(type_of(&channel("car_msgs/msg/Door", "Nothing open", None)).is_err());
    }
}
