//! Frame to driver state and frame to gesture, in turns: our detectors on the networks' own kernels, on tract's own operators, and MediaPipe's
//! graphs. `cargo xtask bench chain` prepares what this wants and starts it:
//!
//! ```text
//! chain [--rounds N] [--block FRAMES] [--peer PYTHON] [--json FILE]
//! ```
//!
//! The frames are rendered once: a driver with a hand before him, 640 x 480. Every contestant goes through them in order, a block at a turn,
//! and begins again at the end. Ours is one thread, timed by its own processor time; of MediaPipe, which has threads of its own, that of the
//! whole process.
#![allow(clippy::disallowed_methods, reason = "measures frames; nothing of it reaches a node")]

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use troika_driver_state::node::DriverStateNode;
use troika_gesture::node::GestureNode;
use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::{Duration, Time};
use troika_models::{Kernels, Store};
use troika_msgs::{sensor_msgs::Image, std_msgs::Header};
use troika_sim::hand::{Config, HandScenario, SimHand};

const SCENARIO: &str = "sim/scenarios/bench-12s.toml";
/// The hand comes after this.
const EMPTY: Duration = Duration::from_secs(3);
const FRAME: Duration = Duration::from_nanos(33_333_333);

fn ms(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

struct Arguments {
    rounds: usize,
    block: usize,
    peer: Option<PathBuf>,
    json: Option<PathBuf>,
}

fn arguments() -> Result<Arguments> {
    let mut read = Arguments { rounds: 20, block: 30, peer: None, json: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().with_context(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--rounds" => read.rounds = value.parse()?,
            "--block" => read.block = value.parse()?,
            "--peer" => read.peer = Some(value.into()),
            "--json" => read.json = Some(value.into()),
            _ => bail!("what is {name}?"),
        }
    }
    ensure!(read.rounds > 0 && read.block > 0, "--rounds and --block are 1 or more");
    Ok(read)
}

/// The scenario's frames from when the hand comes.
fn frames() -> Result<Vec<Image>> {
    let scenario = HandScenario::read(Path::new(SCENARIO))?;
    let config = Config { scenario: SCENARIO.into(), repeat: false, smooth: true, prerender: false };
    let mut simulation = Simulation::new()?;
    simulation.spawn(SimHand::new(&scenario, &config), NodeOptions::new("camera"))?;
    simulation.run_for(EMPTY);
    let images = simulation.collect::<Image>("/cabin/camera/image_raw")?;
    simulation.run_for(Duration::from_secs_f32(scenario.seconds()).saturating_sub(EMPTY));
    let frames: Vec<Image> = images.take().into_iter().map(|sample| sample.value).collect();
    ensure!(frames.len() > 100, "{} frames came", frames.len());
    Ok(frames)
}

/// Milliseconds of each frame.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn at(&self, q: f64) -> Option<f64> {
        let mut times = self.0.clone();
        times.sort_by(f64::total_cmp);
        times.get(((times.len() as f64 * q).ceil() as usize).saturating_sub(1)).copied()
    }
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }
    fn told(&self) -> Value {
        json!({ "p50": self.at(0.5), "p99": self.at(0.99), "max": self.at(1.0), "mean": self.mean(), "frames": self.0.len() })
    }
}

/// Both detectors on one kind of kernels.
struct Ours {
    driver: DriverStateNode,
    gesture: GestureNode,
    frame: usize,
    /// Faces and hands that were found.
    found: [usize; 2],
}

impl Ours {
    fn new(store: &Store) -> Result<Ours> {
        let driver = DriverStateNode::open(&troika_driver_state::config::Config::default(), store)?;
        let config = troika_gesture::config::Config::default();
        let mapping = config.mapping(|path| std::fs::read_to_string(path))?;
        let gesture = GestureNode::open(&config, mapping, store)?;
        for model in [driver.model(), gesture.model()] {
            ensure!(!model.starts_with("unavailable"), "{model}: `troika models pull` fetches the networks");
        }
        Ok(Ours { driver, gesture, frame: 0, found: [0; 2] })
    }

    fn turn(&mut self, frames: &mut [Image], block: usize, times: &mut [Times; 2]) -> Result<()> {
        for _ in 0..block {
            let at = self.frame % frames.len();
            let image = &mut frames[at];
            // Time goes on where the frames begin again.
            let now = Time::ZERO + Duration::from_secs(1) + FRAME * u32::try_from(self.frame)?;
            image.header = Header::at(now);
            let begin = ms(ClockId::ThreadCPUTime);
            let state = self.driver.look(image, now, &mut |_| {})?;
            let between = ms(ClockId::ThreadCPUTime);
            let (gesture, _) = self.gesture.look(image, now)?;
            times[0].0.push(between - begin);
            times[1].0.push(ms(ClockId::ThreadCPUTime) - between);
            self.found[0] += usize::from(state.face_detected);
            self.found[1] += usize::from(gesture.hand_detected);
            self.frame += 1;
        }
        Ok(())
    }
}

/// The process with MediaPipe's graphs.
struct Peer {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    found: [u64; 2],
}

impl Peer {
    fn start(python: &Path, frames: &[Image]) -> Result<Peer> {
        let file = std::env::temp_dir().join(format!("troika-chain-{}.rgb", std::process::id()));
        let mut out = std::fs::File::create(&file)?;
        let [width, height] = [frames[0].width, frames[0].height];
        for frame in frames {
            ensure!(frame.encoding == "rgb8" && frame.step == 3 * width, "{} frames", frame.encoding);
            out.write_all(&frame.data)?;
        }
        let mut process = Command::new(python)
            .arg("bench/chain_peer.py")
            .arg(&file)
            .args([width.to_string(), height.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", python.display()))?;
        let ask = process.stdin.take().context("the peer has no input")?;
        let answers = BufReader::new(process.stdout.take().context("the peer has no output")?);
        let mut peer = Peer { process, ask, answers, found: [0; 2] };
        let ready = peer.answer();
        // It has read them.
        std::fs::remove_file(&file)?;
        ensure!(ready?["frames"] == frames.len(), "the peer read other frames");
        Ok(peer)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the peer ended: {}", self.process.wait()?);
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn turn(&mut self, block: usize, times: &mut [Times; 2]) -> Result<()> {
        writeln!(self.ask, "{block}")?;
        let answer = self.answer()?;
        for ((key, found), (times, seen)) in [("face_ms", "faces"), ("hand_ms", "hands")]
            .into_iter()
            .zip(times.iter_mut().zip(&mut self.found))
        {
            times.0.extend(answer[key].as_array().into_iter().flatten().filter_map(Value::as_f64));
            *seen += answer[found].as_u64().unwrap_or_default();
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // One that has ended already has nothing to be ended or reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let mut frames = frames()?;
    eprintln!("{} frames", frames.len());
    let store = Store::open_default()?;
    let mut fast = Ours::new(&store)?;
    let mut plain = Ours::new(&store.clone().with_kernels(Kernels::Plain))?;
    let mut peer = arguments.peer.as_deref().map(|python| Peer::start(python, &frames)).transpose()?;
    let mut times: BTreeMap<&str, [Times; 2]> = BTreeMap::new();
    for round in 0..=arguments.rounds {
        fast.turn(&mut frames, arguments.block, times.entry("fast").or_default())?;
        plain.turn(&mut frames, arguments.block, times.entry("plain").or_default())?;
        if let Some(peer) = &mut peer {
            peer.turn(arguments.block, times.entry("mediapipe").or_default())?;
        }
        if round == 0 {
            // Pages are faulted in, and trackers find what they follow.
            times.clear();
        }
    }
    let mut told = serde_json::Map::new();
    println!("{:<12}{:>22}{:>22}{:>14}", "", "frame to state, ms", "frame to gesture, ms", "both a second");
    println!("{:<12}{:>11}{:>11}{:>11}{:>11}{:>14}", "", "p50", "p99", "p50", "p99", "on one core");
    for (name, [driver, gesture]) in &times {
        let rate = 1e3 / (driver.mean() + gesture.mean());
        let number = |times: &Times, q| times.at(q).unwrap_or(f64::NAN);
        println!(
            "{name:<12}{:>11.2}{:>11.2}{:>11.2}{:>11.2}{rate:>14.0}",
            number(driver, 0.5),
            number(driver, 0.99),
            number(gesture, 0.5),
            number(gesture, 0.99)
        );
        let found = match (*name, &peer) {
            ("fast", _) => json!(fast.found),
            ("plain", _) => json!(plain.found),
            (_, peer) => json!(peer.as_ref().map(|peer| peer.found)),
        };
        let entry = json!({
            "frame_to_state_ms": driver.told(), "frame_to_gesture_ms": gesture.told(),
            "both_per_second_on_one_core": rate, "faces_and_hands_found": found,
        });
        told.insert((*name).to_owned(), entry);
    }
    let looked = (arguments.rounds + 1) * arguments.block;
    println!("of {looked} frames: a face and a hand in {:?} (fast), {:?} (plain)", fast.found, plain.found);
    if let Some(peer) = &peer {
        println!("{:>18}{:?} (MediaPipe)", "", peer.found);
    }
    told.insert("frames".to_owned(), json!(looked));
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&told)? + "\n";
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
