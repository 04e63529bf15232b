//! Where the time of a network goes, operator by operator, beside what one core can do.
//!
//! `profile NAME.tflite ... [--nodes]`: for each file the multiplications of a run, the bytes that its operators read and write (inputs,
//! outputs, weights; what lies inside an operator is not counted), and the thread time, whole and by kind of operator; with `--nodes` every
//! operator. Before that, measured here: multiply-adds a second on registers alone, and bytes a second read from memory.

use std::{collections::BTreeMap, process::ExitCode};

use rustix::time::{ClockId, clock_gettime};
use tract_core::internal::*;

fn thread_us() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

const RUNS: usize = 100;

#[derive(Clone, Default)]
struct Line {
    kind: String,
    name: String,
    multiplications: f64,
    bytes: f64,
    times: Vec<f64>,
}

impl Line {
    fn median(&mut self) -> f64 {
        self.times.sort_by(f64::total_cmp);
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }
}

fn main() -> ExitCode {
    let (options, files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let nodes = !options.is_empty();
    if files.is_empty() || options.iter().any(|option| option != "--nodes") {
        eprintln!("usage: profile [--nodes] FILE.tflite ...");
        return ExitCode::from(2);
    }
    match run(&files, nodes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In one line: where in this program it happened helps nobody.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(files: &[String], nodes: bool) -> TractResult<()> {
    let read = |file: &String| {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
        troika_tflite::read(&bytes).map_err(|e| format_err!("{file}: {e}"))?.into_optimized()
    };
    let models = files.iter().map(read).collect::<TractResult<Vec<_>>>()?;
    let (peak, stream) = (peak(), stream());
    println!("this core: {peak:.1} thousand million multiply-adds/s, {stream:.1} GB/s read from memory");
    for (file, model) in files.iter().zip(&models) {
        profile(file, model, nodes, peak, stream)?;
    }
    Ok(())
}

fn profile(file: &str, model: &TypedModel, nodes: bool, peak: f64, stream: f64) -> TractResult<()> {
    let mut lines = vec![Line::default(); model.nodes.len()];
    for node in &model.nodes {
        let facts = model.node_input_facts(node.id)?;
        let line = &mut lines[node.id];
        (line.kind, line.name) = (node.op.name().into_owned(), node.to_string());
        let costs = node.op.cost(&facts)?;
        let count = |wanted: fn(&Cost) -> bool| -> f64 {
            costs.iter().filter(|(what, _)| wanted(what)).map(|(_, n)| n.to_i64().unwrap_or(0) as f64).sum()
        };
        line.multiplications = count(|what| matches!(what, Cost::FMA(_)));
        let numbers = facts.iter().copied().chain(node.outputs.iter().map(|o| &o.fact));
        let numbers: usize = numbers.map(|f| f.shape.as_concrete().map_or(0, |s| s.iter().product())).sum();
        line.bytes = 4.0 * (numbers as f64 + count(|what| matches!(what, Cost::Params(_))));
    }
    let inputs = (0..model.inputs.len())
        .map(|i| {
            Ok(Tensor::zero::<f32>(model.input_fact(i)?.shape.as_concrete().context("a fixed shape")?)?
                .into_tvalue())
        })
        .collect::<TractResult<TVec<_>>>()?;
    let mut state = model.clone().into_runnable()?.spawn()?;
    let mut whole = Vec::new();
    for _ in 0..RUNS {
        let start = thread_us();
        state.run(inputs.clone())?;
        whole.push(thread_us() - start);
    }
    for _ in 0..RUNS {
        state.run_plan_with_eval(inputs.clone(), |ctx, op_state, node, values| {
            let start = thread_us();
            let made = tract_core::plan::eval(ctx, op_state, node, values);
            lines[node.id].times.push(thread_us() - start);
            made
        })?;
    }
    whole.sort_by(f64::total_cmp);
    let (multiplications, bytes): (f64, f64) =
        lines.iter().fold((0.0, 0.0), |sum, line| (sum.0 + line.multiplications, sum.1 + line.bytes));
    let least = multiplications / peak / 1e3;
    println!(
        "\n{file}: {:.1} million multiplications ({least:.0} us at the peak), {:.1} MB ({:.0} us from memory), {:.0} us a run: {:.0} % of the peak",
        multiplications / 1e6,
        bytes / 1e6,
        bytes / stream / 1e3,
        whole[RUNS / 2],
        100.0 * least / whole[RUNS / 2]
    );
    let mut kinds: BTreeMap<String, (f64, f64, usize)> = BTreeMap::new();
    for line in &mut lines {
        let us = line.median();
        let kind = kinds.entry(line.kind.clone()).or_default();
        *kind = (kind.0 + us, kind.1 + line.multiplications, kind.2 + 1);
        if nodes && us > 0.0 {
            println!(
                "  {us:8.1} us {:6.1} /ns  {} {}",
                line.multiplications / us / 1e3,
                line.kind,
                line.name
            );
        }
    }
    for (kind, (us, multiplications, count)) in kinds {
        println!("  {us:8.1} us  {count:3} {kind:20} {:5.1} multiplications/ns", multiplications / us / 1e3);
    }
    Ok(())
}

/// Thousand millions of multiply-adds a second, on registers alone: chains enough to hide the latency of one, in the widest registers that
/// the build has (a processor that splits AVX-512 into halves does no more).
fn peak() -> f64 {
    const ROUNDS: usize = 2_000_000;
    const CHAINS: usize = 80;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let (a, b) = (std::hint::black_box(0.999_f32), std::hint::black_box(0.001_f32));
        let start = thread_us();
        // A local array of fixed size that no reference is taken of: the compiler keeps it in ten registers.
        let mut sums = [1.0_f32; CHAINS];
        for _ in 0..ROUNDS {
            sums = std::array::from_fn(|i| sums[i].mul_add(a, b));
        }
        std::hint::black_box(sums.iter().sum::<f32>());
        best = best.min(thread_us() - start);
    }
    (ROUNDS * CHAINS) as f64 / best / 1e3
}

/// Thousand millions of bytes a second, read in order from 256 MiB.
fn stream() -> f64 {
    let numbers = vec![1.0_f32; 64 << 20];
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = thread_us();
        let mut sums = [0.0_f32; 64];
        for chunk in numbers.as_chunks::<64>().0 {
            for (sum, number) in sums.iter_mut().zip(chunk) {
                *sum += number;
            }
        }
        std::hint::black_box(sums);
        best = best.min(thread_us() - start);
    }
    (numbers.len() * 4) as f64 / best / 1e3
}
