//! Any text as a system file: it is read or refused with its place, and what is wrong with one that is read is shown. Its reader is no library, so
//! that it has no coverage-guided run: mutations of the files that ship, a fixed count of them (`TROIKA_FUZZ_CASES`, `TROIKA_FUZZ_SEED` make others).

use troika_fuzz::{
    Target,
    campaign::{self, Found},
};

use super::{Problem, Source, check, parse};
use crate::kinds;

const TARGET: Target =
    Target::text("system_file", read, &["launch/systems/*.toml", "tests/reactions/systems/*.toml"])
        .cases(600);

fn shown(problem: &Problem, text: &str) {
    let source = Source { path: "f.toml".into(), text: text.into() };
    let shown = problem.render(&source, false);
    assert!(shown.contains(problem.message.lines().next().unwrap_or_default()), "{shown}");
    if let Some(span) = &problem.span {
        assert!(text.get(span.clone()).is_some(), "{span:?} of {} bytes", text.len());
    }
}

fn read(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match parse(&text) {
        Ok(system) => {
            for problem in check::check(&text, &system, kinds::KINDS, 2) {
                shown(&problem, &text);
            }
            true
        }
        Err(problem) => {
            shown(&problem, &text);
            false
        }
    }
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn any_text_is_a_system_or_a_problem_with_its_place() {
    let seeds = campaign::seeds(&TARGET).expect("the files that ship");
    let cases = number("TROIKA_FUZZ_CASES").unwrap_or(TARGET.cases);
    let seed = number("TROIKA_FUZZ_SEED").unwrap_or(1);
    let uncounted = |run: &mut dyn FnMut()| {
        run();
        0
    };
    match campaign::run(&TARGET, &seeds, cases, seed, &uncounted, &|_| {}) {
        Ok(tally) => {
            println!("system_file: {tally:?}");
            assert!(tally.seeds_taken > 5 && tally.taken > 0 && tally.taken < tally.cases, "{tally:?}");
        }
        Err(found) => {
            let Found { target, .. } = found;
            let file = campaign::keep(&found, &std::env::temp_dir()).expect("written");
            panic!(
                "{found}\nits input: {}; once mended it belongs to tests/fuzz/corpus/{target}/",
                file.display()
            );
        }
    }
}
