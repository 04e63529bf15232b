//! Where the time of a network goes, beside what one core can do, with the kernels for each kind of instructions in turns.
//!
//! `profile [--nodes] [--cold] [--runs N] [NAME or FILE.tflite ...]`, by default all networks of the store. Measured first: multiply-adds a second on
//! registers alone, for each kind of instructions, and bytes a second read from memory. Then for each network the multiplications of a
//! run, the bytes that its operators read and write (inputs, outputs, weights; what lies inside an operator is not counted, and what stays in
//! a cache is no less), and thread time as median; with `--nodes` also each operator of the widest kind.
//! With `--cold` 64 MiB are read before each run, as other work of a vehicle would between two frames: the weights come from beyond the second
//! cache then.

use std::{collections::BTreeMap, io::Write, path::Path, process::ExitCode};

use rustix::time::{ClockId, clock_gettime};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::{
    internal::{Cost, TractErrorContext as _, format_err},
    ops::{konst::Const, scan::OptScan, source::TypedSource},
};
use troika_models::{Format, Isa, Kernels, Passport, Store, golden};

fn thread_us() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Runs of a turn of one kind of instructions.
const BLOCK: usize = 5;

struct Arguments {
    nodes: bool,
    cold: bool,
    runs: usize,
    networks: Vec<String>,
}

fn arguments() -> Option<Arguments> {
    let mut read = Arguments { nodes: false, cold: false, runs: 100, networks: Vec::new() };
    let mut given = std::env::args().skip(1);
    while let Some(one) = given.next() {
        match one.as_str() {
            "--nodes" => read.nodes = true,
            "--cold" => read.cold = true,
            "--runs" => read.runs = given.next()?.parse().ok().filter(|runs| *runs > 0)?,
            option if option.starts_with('-') => return None,
            _ => read.networks.push(one),
        }
    }
    Some(read)
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("usage: profile [--nodes] [--cold] [--runs N] [NAME or FILE.tflite ...]");
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads it has enough (`profile | head`).
        Err(error) if is_told_enough(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // In one line: where in this program it happened helps nobody.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_told_enough(error: &TractError) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A network that can be made of any kernels.
struct Subject {
    name: String,
    /// Of a network of the store.
    passport: Option<Passport>,
    bytes: Vec<u8>,
}

impl Subject {
    fn all(networks: &[String]) -> TractResult<Vec<Subject>> {
        let store = Store::open_default()?;
        let of_store = |passport: &Passport| {
            let bytes = store.load_bytes(&passport.name)?;
            Ok(Subject { name: passport.name.clone(), passport: Some(passport.clone()), bytes })
        };
        if networks.is_empty() {
            return store.passports().iter().filter(|passport| passport.is_network()).map(of_store).collect();
        }
        let one = |name: &String| {
            if !Path::new(name).is_file() {
                return of_store(store.passport(name)?);
            }
            let bytes = std::fs::read(name).with_context(|| format!("cannot read {name}"))?;
            Ok(Subject { name: name.clone(), passport: None, bytes })
        };
        networks.iter().map(one).collect()
    }

    fn model(&self, kernels: Kernels) -> TractResult<TypedModel> {
        let Some(passport) = self.passport.as_ref().filter(|passport| passport.format == Format::Onnx) else {
            let model = troika_tflite::read_with(&self.bytes, kernels);
            return model.map_err(|e| format_err!("{}: {e}", self.name))?.into_optimized();
        };
        let mut model = tract_onnx::onnx().model_for_read(&mut &self.bytes[..])?;
        for (i, spec) in passport.inputs.iter().enumerate() {
            model.set_input_fact(i, f32::fact(&spec.shape).into())?;
        }
        troika_tflite::quicken(model.into_typed()?, kernels)?.into_optimized()
    }
}

fn run(arguments: &Arguments) -> TractResult<()> {
    let subjects = Subject::all(&arguments.networks)?;
    let mut out = std::io::stdout().lock();
    let between = vec![1.0_f32; if arguments.cold { 16 << 20 } else { 0 }];
    let isas: Vec<Isa> = Isa::available().collect();
    let peaks: Vec<f64> = isas.iter().map(|isa| peak(*isa)).collect();
    let (peak, stream) = (peaks.iter().copied().fold(0.0, f64::max), stream());
    let each = isas.iter().zip(&peaks).map(|(isa, peak)| format!("{isa} {peak:.1}"));
    writeln!(
        out,
        "this core: thousand million multiply-adds/s: {}; {stream:.1} GB/s read from memory\n",
        each.collect::<Vec<_>>().join(", ")
    )?;
    let kinds = isas.iter().map(|isa| format!(" {isa}, ms |")).collect::<String>();
    writeln!(
        out,
        "| | million multiply-adds | at the peak, ms | MB read and written | from memory, ms |{kinds} of the peak |"
    )?;
    writeln!(out, "|---|---|---|---|---|{}---|", "---|".repeat(isas.len()))?;
    let mut operators = Vec::new();
    for subject in &subjects {
        let models = isas.iter().map(|isa| subject.model(Kernels::UpTo(*isa)));
        let models = models.collect::<TractResult<Vec<_>>>()?;
        let whole = turns(subject, &models, arguments.runs, &between)?;
        let Some((model, us)) = models.last().zip(whole.last()) else { continue };
        let (multiplications, bytes) = counted(model)?;
        let least = multiplications / peak / 1e3;
        writeln!(
            out,
            "| {} | {:.3} | {:.4} | {:.3} | {:.4} |{} {:.0} % |",
            subject.name,
            multiplications / 1e6,
            least / 1e3,
            bytes / 1e6,
            bytes / stream / 1e6,
            whole.iter().map(|us| format!(" {:.4} |", us / 1e3)).collect::<String>(),
            100.0 * least / us
        )?;
        if arguments.nodes {
            operators.push((subject, by_operator(subject, model, arguments.runs, &between)?));
        }
    }
    for (subject, lines) in operators {
        writeln!(out, "\n{}", subject.name)?;
        show(&mut out, lines)?;
    }
    Ok(())
}

/// Multiplications and bytes of a run.
fn counted(model: &TypedModel) -> TractResult<(f64, f64)> {
    let mut sum = (0.0, 0.0);
    for node in &model.nodes {
        let (multiplications, bytes) = of_node(model, node)?;
        sum = (sum.0 + multiplications, sum.1 + bytes);
    }
    Ok(sum)
}

fn of_node(model: &TypedModel, node: &TypedNode) -> TractResult<(f64, f64)> {
    // Read by others, who count it.
    if node.op_is::<Const>() || node.op_is::<TypedSource>() {
        return Ok((0.0, 0.0));
    }
    let facts = model.node_input_facts(node.id)?;
    // A loop: its body as often as it runs.
    if let Some(scan) = node.op_as::<OptScan>() {
        let (multiplications, bytes) = counted(scan.plan.model())?;
        let times = scan.iteration_count(&facts).and_then(|n| n.to_i64().ok()).unwrap_or(1) as f64;
        return Ok((multiplications * times, bytes * times));
    }
    let costs = node.op.cost(&facts)?;
    let count = |wanted: &dyn Fn(&Cost) -> bool| -> f64 {
        let wanted = costs.iter().filter(|(what, _)| wanted(what));
        // From 0, not from the -0 of a sum of nothing.
        wanted.fold(0.0, |sum, (_, n)| sum + n.to_i64().unwrap_or(0) as f64)
    };
    // Packed weights of tract's own products are inputs too.
    let tensors = facts.iter().copied().chain(node.outputs.iter().map(|o| &o.fact));
    let tensors: f64 = tensors.map(|fact| fact.mem_size().to_i64().unwrap_or(0) as f64).sum();
    let held = |held: DatumType| count(&|what| *what == Cost::Params(held)) * held.size_of() as f64;
    let held = held(f32::datum_type()) + held(f16::datum_type());
    Ok((count(&|what| matches!(what, Cost::FMA(_))), tensors + held))
}

/// What a network is run on: its first golden case, or, of a file without a passport, the numbers that such a case of 0 to 1 would have. Zeros
/// would be another network: masks, and numbers that are slow to compute with, come of what goes in.
fn inputs(subject: &Subject, model: &TypedModel) -> TractResult<TVec<TValue>> {
    let specs = subject.passport.as_ref().map_or(&[][..], |passport| &passport.inputs);
    let golden = golden::inputs(specs, 1);
    let one = |i: usize| {
        let shape = model.input_fact(i)?.shape.as_concrete().context("a fixed shape")?;
        let values = match golden.get(i) {
            Some(values) => values.clone(),
            None => (0..shape.iter().product()).map(|n: usize| (n % 251) as f32 / 250.0).collect(),
        };
        Ok(Tensor::from_shape(shape, &values)?.into_tvalue())
    };
    (0..model.inputs.len()).map(one).collect()
}

/// Thread time of a run of each, us: medians of runs in turns, each first in turn.
fn turns(subject: &Subject, models: &[TypedModel], runs: usize, between: &[f32]) -> TractResult<Vec<f64>> {
    let spawned = models.iter().map(|model| model.clone().into_runnable()?.spawn());
    let mut states = spawned.collect::<TractResult<Vec<_>>>()?;
    let inputs = models.iter().map(|model| inputs(subject, model)).collect::<TractResult<Vec<_>>>()?;
    let mut times = vec![Vec::new(); models.len()];
    for round in 0..=runs.div_ceil(BLOCK) {
        for turn in 0..models.len() {
            let at = (round + turn) % models.len();
            for _ in 0..BLOCK {
                sum(between);
                let start = thread_us();
                states[at].run(inputs[at].clone())?;
                // The first round faults pages in.
                times[at].extend((round > 0).then_some(thread_us() - start));
            }
        }
    }
    Ok(times.into_iter().map(median).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// One operator.
struct Line {
    kind: String,
    name: String,
    multiplications: f64,
    us: f64,
}

fn by_operator(
    subject: &Subject,
    model: &TypedModel,
    runs: usize,
    between: &[f32],
) -> TractResult<Vec<Line>> {
    let mut times = vec![Vec::new(); model.nodes.len()];
    let mut state = model.clone().into_runnable()?.spawn()?;
    for _ in 0..runs {
        sum(between);
        state.run_plan_with_eval(inputs(subject, model)?, |ctx, op_state, node, values| {
            let start = thread_us();
            let made = tract_onnx::tract_core::plan::eval(ctx, op_state, node, values);
            times[node.id].push(thread_us() - start);
            made
        })?;
    }
    let line = |(node, times): (&TypedNode, Vec<f64>)| {
        let (multiplications, _) = of_node(model, node)?;
        let us = median(times);
        Ok(Line { kind: node.op.name().into_owned(), name: node.to_string(), multiplications, us })
    };
    model.nodes.iter().zip(times).map(line).collect()
}

fn show(out: &mut impl Write, lines: Vec<Line>) -> std::io::Result<()> {
    let mut kinds: BTreeMap<String, (f64, f64, usize)> = BTreeMap::new();
    for Line { kind, name, multiplications, us } in lines {
        if us > 0.0 {
            writeln!(out, "  {us:8.1} us {:6.1} /ns  {kind} {name}", multiplications / us / 1e3)?;
        }
        let sum = kinds.entry(kind).or_default();
        *sum = (sum.0 + us, sum.1 + multiplications, sum.2 + 1);
    }
    for (kind, (us, multiplications, count)) in kinds {
        writeln!(
            out,
            "  {us:8.1} us  {count:3} {kind:20} {:5.1} multiplications/ns",
            multiplications / us / 1e3
        )?;
    }
    Ok(())
}

/// Thousand millions of multiply-adds a second, on registers alone: chains enough to hide the latency of one.
fn peak(isa: Isa) -> f64 {
    const ROUNDS: usize = 1_000_000;
    let one: fn(usize) -> f64 = match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::available` gives what the processor has.
        Isa::Avx2 => |rounds| unsafe { avx2(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx512 => |rounds| unsafe { avx512(rounds) },
        _ => portable,
    };
    let mut best = f64::INFINITY;
    let mut done = 0.0;
    for _ in 0..5 {
        let start = thread_us();
        done = one(ROUNDS);
        best = best.min(thread_us() - start);
    }
    done / best / 1e3
}

/// Does `rounds` times as many multiply-adds as it has chains; how many that were.
fn portable(rounds: usize) -> f64 {
    const CHAINS: usize = 80;
    let (a, b) = (std::hint::black_box(0.999_f32), std::hint::black_box(0.001_f32));
    // A local array of fixed size that no reference is taken of: the compiler keeps it in registers.
    let mut sums = [1.0_f32; CHAINS];
    for _ in 0..rounds {
        // In one instruction where the build has one: never a library call.
        sums = std::array::from_fn(|i| {
            if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
                sums[i].mul_add(a, b)
            } else {
                sums[i] * a + b
            }
        });
    }
    std::hint::black_box(sums.iter().sum::<f32>());
    (rounds * CHAINS) as f64
}

/// As [`portable`], with named instructions.
#[cfg(target_arch = "x86_64")]
macro_rules! chains {
    ($name:ident, $features:literal, $lanes:literal, $set1:ident $fmadd:ident) => {
        /// # Safety
        /// The processor has the instructions.
        #[target_feature(enable = $features)]
        unsafe fn $name(rounds: usize) -> f64 {
            use std::arch::x86_64::*;
            const CHAINS: usize = 12;
            let (a, b) = ($set1(std::hint::black_box(0.999)), $set1(std::hint::black_box(0.001)));
            let mut sums = [$set1(1.0); CHAINS];
            for _ in 0..rounds {
                for sum in &mut sums {
                    *sum = $fmadd(*sum, a, b);
                }
            }
            std::hint::black_box(sums);
            (rounds * CHAINS * $lanes) as f64
        }
    };
}
#[cfg(target_arch = "x86_64")]
chains!(avx2, "avx2,fma", 8, _mm256_set1_ps _mm256_fmadd_ps);
#[cfg(target_arch = "x86_64")]
chains!(avx512, "avx512f", 16, _mm512_set1_ps _mm512_fmadd_ps);

/// Reads them all.
fn sum(numbers: &[f32]) {
    let mut sums = [0.0_f32; 64];
    for chunk in numbers.as_chunks::<64>().0 {
        for (sum, number) in sums.iter_mut().zip(chunk) {
            *sum += number;
        }
    }
    std::hint::black_box(sums);
}

/// Thousand millions of bytes a second, read in order from 256 MiB.
fn stream() -> f64 {
    let numbers = vec![1.0_f32; 64 << 20];
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = thread_us();
        sum(&numbers);
        best = best.min(thread_us() - start);
    }
    (numbers.len() * 4) as f64 / best / 1e3
}
