//! What belongs here: how fast traces are generated and judged, and what they ask for: `survey [traces] [first seed]`.

use std::time::Instant;
use troika_dms_conformance::{Reading, Tally, generate, judge};

#[allow(clippy::cast_precision_loss, reason = "counts of traces are far below 2^53")]
fn main() {
    let mut numbers = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let (traces, first) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(0));
    let begun = Instant::now();
    let mut tally = Tally::default();
    let mut frames = 0;
    for seed in first..first + traces {
        let trace = generate(seed);
        frames += trace.frames.len();
        tally.absorb(&judge(&trace, &Reading::default(), &[]).tally);
    }
    let took = begun.elapsed().as_secs_f64();
    println!("{traces} traces, {frames} frames in {took:.1} s: {:.0} traces/s", traces as f64 / took);
    for ((rule, boundary), counts) in &tally.episodes {
        let (must, must_not, may) = (counts.must, counts.must_not, counts.may);
        println!(
            "{:22} {:10} must {must:7}  must not {must_not:7}  may {may:7}",
            format!("{rule:?}"),
            format!("{boundary:?}")
        );
    }
    println!("lacking: {:#?}", tally.lacking(traces / 10_000 + 1));
}
