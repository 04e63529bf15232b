//! Every network in four runtimes, one thread, in turns of a few runs: tract as it is, tract with our operators, LiteRT, ONNX Runtime.
//!
//! `cargo xtask bench inference` prepares what this wants and starts it:
//!
//! ```text
//! inference PYTHON PEER.py ONNX_FOLDER [--rounds N] [--block N] [--only NAME,NAME] [--json FILE]
//! inference export FOLDER                    # writes the `.tflite` networks there, for the conversion
//! ```
//!
//! PYTHON has LiteRT and ONNX Runtime; ONNX_FOLDER holds `NAME.onnx`, the conversion by tf2onnx, for every network that is a `.tflite` file:
//! what tract and ONNX Runtime can read of it. The times of ours and of plain tract include the copy of the input, those of the peers do not.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tract_onnx::prelude::*;
use troika_models::{Format, Isa, Network, Passport, Store, golden};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// In the order of the table.
const CONTESTANTS: [&str; 4] = ["tract_plain", "ours", "litert", "ort"];

fn ms(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

struct Arguments {
    python: PathBuf,
    peer: PathBuf,
    onnx: PathBuf,
    rounds: usize,
    block: usize,
    only: Option<String>,
    json: Option<PathBuf>,
}

fn arguments() -> Result<Arguments> {
    let mut given = std::env::args().skip(1);
    let mut path = || given.next().map(PathBuf::from).ok_or("PYTHON PEER.py ONNX_FOLDER are wanted");
    let (python, peer, onnx) = (path()?, path()?, path()?);
    let mut read = Arguments { python, peer, onnx, rounds: 40, block: 5, only: None, json: None };
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--rounds" => read.rounds = value.parse()?,
            "--block" => read.block = value.parse()?,
            "--only" => read.only = Some(value),
            "--json" => read.json = Some(value.into()),
            _ => return Err(format!("what is {name}?").into()),
        }
    }
    if read.rounds == 0 || read.block == 0 {
        return Err("--rounds and --block are 1 or more".into());
    }
    Ok(read)
}

/// The process with the other two runtimes.
struct Peer {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    versions: Value,
}

impl Peer {
    fn start(python: &Path, script: &Path, plan: &Path) -> Result<Self> {
        let mut process = Command::new(python)
            .arg(script)
            .arg(plan)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let ask = process.stdin.take().ok_or("the peer has no input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("the peer has no output")?);
        let mut peer = Peer { process, ask, answers, versions: Value::Null };
        peer.versions = peer.answer()?;
        Ok(peer)
    }
    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("the peer ended: {}", self.process.wait()?).into());
        }
        Ok(serde_json::from_str(&line)?)
    }
    fn ask(&mut self, line: &str) -> Result<Value> {
        writeln!(self.ask, "{line}")?;
        self.answer()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A peer that is through has ended already; one that an error left behind is ended and reaped, which can only fail if it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Default)]
struct Times {
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

impl Times {
    fn take(&mut self, answer: &Value) {
        for (to, key) in [(&mut self.cpu, "cpu_ms"), (&mut self.wall, "wall_ms")] {
            to.extend(answer[key].as_array().into_iter().flatten().filter_map(Value::as_f64));
        }
    }
    fn time(&mut self, run: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let (wall, cpu) = (ms(ClockId::Monotonic), ms(ClockId::ThreadCPUTime));
        run()?;
        self.cpu.push(ms(ClockId::ThreadCPUTime) - cpu);
        self.wall.push(ms(ClockId::Monotonic) - wall);
        Ok(())
    }
    fn told(&self) -> Value {
        let of = |times: &[f64]| {
            let mut times = times.to_vec();
            times.sort_by(f64::total_cmp);
            json!({ "p50": at(&times, 0.5), "p99": at(&times, 0.99), "max": times.last(), "runs": times.len() })
        };
        json!({ "cpu_ms": of(&self.cpu), "wall_ms": of(&self.wall) })
    }
    fn median(&self) -> Option<f64> {
        let mut times = self.cpu.clone();
        times.sort_by(f64::total_cmp);
        at(&times, 0.5)
    }
}

fn at(sorted: &[f64], q: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 * q).ceil() as usize).saturating_sub(1)).copied()
}

/// One network, in the two runtimes of this process.
struct Contest {
    passport: Passport,
    inputs: Vec<Vec<f32>>,
    ours: Network,
    plain: Option<TypedSimpleState>,
    onnx: Option<PathBuf>,
    max_abs_error: f64,
    times: BTreeMap<&'static str, Times>,
}

impl Contest {
    fn new(passport: &Passport, ours: Network, onnx: Option<PathBuf>) -> Result<Self> {
        let mut plain = None;
        if let Some(onnx) = &onnx {
            let mut model = tract_onnx::onnx().model_for_path(onnx)?;
            for (i, spec) in passport.inputs.iter().enumerate() {
                model.set_input_fact(i, f32::fact(&spec.shape).into())?;
            }
            plain = Some(model.into_optimized()?.into_runnable()?.spawn()?);
        }
        let inputs = golden::inputs(&passport.inputs, 1);
        let passport = passport.clone();
        Ok(Contest { passport, inputs, ours, plain, onnx, max_abs_error: 0.0, times: BTreeMap::new() })
    }

    fn name(&self) -> &str {
        &self.passport.name
    }

    fn runs(&self, contestant: &str) -> bool {
        match contestant {
            "tract_plain" => self.plain.is_some(),
            "litert" => self.passport.format == Format::Tflite,
            "ort" => self.onnx.is_some(),
            _ => true,
        }
    }

    /// A few runs of one contestant.
    fn turn(&mut self, contestant: &'static str, block: usize, peer: &mut Peer) -> Result<()> {
        let name = self.passport.name.clone();
        let times = self.times.entry(contestant).or_default();
        match contestant {
            "litert" | "ort" => times.take(&peer.ask(&format!("run {contestant} {name} {block}"))?),
            "ours" => {
                let inputs: Vec<&[f32]> = self.inputs.iter().map(Vec::as_slice).collect();
                for _ in 0..block {
                    times.time(&mut || Ok(self.ours.run(&inputs).map(drop)?))?;
                }
            }
            _ => {
                let Some(plain) = &mut self.plain else { return Ok(()) };
                for _ in 0..block {
                    times.time(&mut || {
                        let mut values = tvec!();
                        for (values_of, spec) in self.inputs.iter().zip(&self.passport.inputs) {
                            values.push(Tensor::from_shape(&spec.shape, values_of)?.into_tvalue());
                        }
                        Ok(plain.run(values).map(drop)?)
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Ours against the runtime that the network was made for, on the golden inputs.
    fn compare(&mut self, peer: &mut Peer) -> Result<()> {
        let reference = if self.runs("litert") { "litert" } else { "ort" };
        for case in 0..golden::CASES {
            let inputs = golden::inputs(&self.passport.inputs, case + 1);
            let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            let ours = self.ours.run(&inputs)?;
            let theirs = peer.ask(&format!("outputs {reference} {} {case}", self.name()))?;
            for index in 0..ours.len() {
                let theirs = theirs[index].as_array().ok_or("the peer has fewer outputs")?;
                if theirs.len() != ours.get(index).len() {
                    return Err("the peer's output is of another length".into());
                }
                for (a, b) in ours.get(index).iter().zip(theirs) {
                    let off = (f64::from(*a) - b.as_f64().unwrap_or(f64::NAN)).abs();
                    self.max_abs_error =
                        if off.is_nan() { f64::INFINITY } else { self.max_abs_error.max(off) };
                }
            }
        }
        Ok(())
    }

    fn told(&self) -> Value {
        let mut told = json!({ "name": self.name(), "sha256": self.passport.sha256.to_string(), "max_abs_error": self.max_abs_error });
        for contestant in CONTESTANTS {
            let times = self.times.get(contestant);
            told[format!("{contestant}_ms")] = json!(times.and_then(Times::median));
            told[contestant] = times.map_or(Value::Null, Times::told);
        }
        told
    }

    fn row(&self) -> String {
        let median = |of: &str| self.times.get(of).and_then(Times::median);
        let mut row = format!("{:28}", self.name());
        for contestant in CONTESTANTS {
            row += &median(contestant).map_or_else(|| format!("{:>13}", "-"), |ms| format!("{ms:13.3}"));
        }
        for other in ["litert", "ort"] {
            let ratio = median("ours").zip(median(other)).map(|(a, b)| a / b);
            row += &ratio.map_or_else(|| format!("{:>13}", "-"), |r| format!("{r:13.2}"));
        }
        format!("{row}{:12.1e}", self.max_abs_error)
    }
}

fn main() -> Result<()> {
    let store = Store::open_default()?;
    if let [what, folder] = &std::env::args().skip(1).collect::<Vec<_>>()[..] {
        if what != "export" {
            return Err("PYTHON PEER.py ONNX_FOLDER are wanted, or export FOLDER".into());
        }
        for passport in store.passports().iter().filter(|p| p.format == Format::Tflite) {
            let file = Path::new(folder).join(format!("{}.tflite", passport.name));
            fs::write(file, store.load_bytes(&passport.name)?)?;
        }
        return Ok(());
    }
    let arguments = arguments()?;
    let folder = std::env::temp_dir().join(format!("troika-inference-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = measure(&arguments, &store, &folder);
    fs::remove_dir_all(&folder)?;
    done
}

fn measure(arguments: &Arguments, store: &Store, folder: &Path) -> Result<()> {
    let wanted = |name: &str| arguments.only.as_ref().is_none_or(|only| only.split(',').any(|o| o == name));
    let (mut contests, mut plan) = (Vec::new(), Vec::new());
    for passport in store.passports().iter().filter(|p| p.is_network() && wanted(&p.name)) {
        let bytes = store.load_bytes(&passport.name)?;
        let file = folder.join(&passport.file);
        fs::write(&file, &bytes)?;
        let tflite = passport.format == Format::Tflite;
        let onnx = if tflite { arguments.onnx.join(format!("{}.onnx", passport.name)) } else { file.clone() };
        let onnx = if onnx.is_file() { Some(onnx) } else { None };
        let cases = folder.join(format!("{}.cases", passport.name));
        let numbers = (1..=golden::CASES).flat_map(|c| golden::inputs(&passport.inputs, c)).flatten();
        fs::write(&cases, numbers.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())?;
        plan.push(json!({
            "name": passport.name, "tflite": tflite.then_some(file), "onnx": onnx, "cases": cases,
            "shapes": passport.inputs.iter().map(|i| &i.shape).collect::<Vec<_>>(),
        }));
        contests.push(Contest::new(passport, Network::load(passport, &bytes)?, onnx)?);
    }
    if contests.is_empty() {
        return Err("no network is called so".into());
    }
    let file = folder.join("plan.json");
    fs::write(&file, serde_json::to_vec(&plan)?)?;
    let mut peer = Peer::start(&arguments.python, &arguments.peer, &file)?;
    for contest in &mut contests {
        contest.compare(&mut peer)?;
        // Not counted.
        for contestant in CONTESTANTS.into_iter().filter(|c| contest.runs(c)).collect::<Vec<_>>() {
            contest.turn(contestant, arguments.block, &mut peer)?;
        }
        contest.times.clear();
    }
    for round in 0..arguments.rounds {
        for contest in &mut contests {
            // Each goes first in turn.
            for i in 0..CONTESTANTS.len() {
                let contestant = CONTESTANTS[(round + i) % CONTESTANTS.len()];
                if contest.runs(contestant) {
                    contest.turn(contestant, arguments.block, &mut peer)?;
                }
            }
        }
    }
    println!(
        "thread-CPU ms, median{:7}{:>13}{:>13}{:>13}{:>13}{:>13}{:>13}{:>12}",
        "", "tract plain", "ours", "LiteRT", "ORT", "ours/LiteRT", "ours/ORT", "max error"
    );
    contests.iter().for_each(|contest| println!("{}", contest.row()));
    if let Some(json) = &arguments.json {
        let told = json!({
            "networks": contests.iter().map(Contest::told).collect::<Vec<_>>(),
            "machine": machine()?,
            "instructions_of_ours": Isa::detect().to_string(),
            "versions": { "tract": "0.23.9", "peers": peer.versions },
            "rounds": arguments.rounds, "block": arguments.block,
        });
        fs::write(json, serde_json::to_vec_pretty(&told)?)?;
    }
    Ok(())
}

/// The first processor, as Linux describes it.
fn machine() -> Result<Value> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let first = text.split("\n\n").next().unwrap_or_default();
    let fields: BTreeMap<&str, &str> =
        first.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k.trim(), v.trim())).collect();
    let keys = ["model name", "cpu family", "model", "cpu MHz", "cache size", "flags", "Features"];
    let cores = std::thread::available_parallelism()?.get();
    Ok(json!({
        "cpu": keys.iter().filter_map(|k| Some((*k, *fields.get(k)?))).collect::<BTreeMap<_, _>>(),
        "cores": cores,
    }))
}
