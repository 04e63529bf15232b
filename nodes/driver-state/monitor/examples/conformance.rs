//! The monitor before the conformance suite: `conformance [TRACES [FIRST-SEED]]`. Tells each kind of violation once, and what was checked.

#[path = "../tests/conformance/feed.rs"]
mod feed;

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _, stderr},
    process::ExitCode,
};

use troika_dms_conformance::{Tally, generate, judge};

/// Between two lines of progress.
const TOLD_EVERY: u64 = 500;

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|one| one.parse()).collect();
    let Ok(numbers) = numbers else {
        eprintln!("error: conformance [TRACES [FIRST-SEED]]");
        return ExitCode::from(2);
    };
    let count = numbers.first().copied().unwrap_or(1_000);
    let first = numbers.get(1).copied().unwrap_or(0);
    let (mut tally, mut seen) = (Tally::default(), BTreeMap::<String, (u64, String)>::new());
    for done in 0..count {
        if done % TOLD_EVERY == 0 && stderr().is_terminal() {
            let _nobody_looks = write!(stderr(), "\r{done} of {count} traces");
        }
        let seed = first + done;
        let trace = generate(seed);
        let verdicts = judge(&trace, &feed::READING, &feed::said(&trace, feed::monitor(&trace)));
        for violation in &verdicts.violations {
            let key = format!("{:?} {:?} {:?}", violation.profile, violation.kind, violation.fault);
            seen.entry(key).or_insert_with(|| (0, format!("seed {seed}: {violation}"))).0 += 1;
        }
        tally.absorb(&verdicts.tally);
    }
    println!("\n{:<40} {:>8} {:>10} {:>8}", "rule, end next to its limit", "due", "forbidden", "open");
    for ((rule, boundary), counts) in &tally.episodes {
        let name = format!("{rule:?} {boundary:?}");
        println!("{name:<40} {:>8} {:>10} {:>8}", counts.must, counts.must_not, counts.may);
    }
    for (key, (times, example)) in &seen {
        println!("{times:6} {key}\n{example}\n");
    }
    println!("{count} traces, {} violations", seen.values().map(|(times, _)| times).sum::<u64>());
    ExitCode::from(u8::from(!seen.is_empty()))
}
