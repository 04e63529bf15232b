//! Scores a template file on files of utterances: `score TEMPLATES TSV...`. Exit 1 if a line is not exact.

use std::{fs, process::ExitCode};

use troika_vehicle::catalogue::Catalogue;
use troika_voice::{eval, matcher::Matcher};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(templates) = args.next() else {
        eprintln!("usage: score TEMPLATES TSV...");
        return ExitCode::from(2);
    };
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let run = |tsv: &str| -> Result<bool, String> {
        let matcher =
            Matcher::new(&read(&templates)?, Catalogue::built_in()).map_err(|error| error.to_string())?;
        let cases = eval::cases(&read(tsv)?).map_err(|error| format!("{tsv}: {error}"))?;
        let score = eval::score(&cases, |case| {
            (case.utterance.clone(), matcher.understand(&case.utterance))
        });
        score.wrong.iter().for_each(|line| println!("{line}"));
        println!(
            "{tsv}: {} of {} exact, gates {} of {}, breaches {}",
            score.exact, score.total, score.gates_right, score.gates, score.gated_breaches
        );
        Ok(score.exact == score.total)
    };
    let results: Result<Vec<bool>, String> = args.map(|tsv| run(&tsv)).collect();
    match results {
        Ok(all) if all.iter().all(|good| *good) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
