//! Scores a language's folder (`templates/de`) on files of utterances: `score FOLDER TSV...`. Exit 1 if a line is not exact.

use std::{fs, path::Path, process::ExitCode};

use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    eval,
    matcher::{Matcher, Sources},
};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: score FOLDER TSV...");
        return ExitCode::from(2);
    };
    let folder = Path::new(&folder);
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let run = |tsv: &str| -> Result<bool, String> {
        let [words, templates, replies] =
            ["words.toml", "templates.toml", "replies.toml"].map(|file| read(&folder.join(file)));
        let (words, templates, replies) = (words?, templates?, replies?);
        let sources = Sources { words: &words, templates: &templates, replies: &replies };
        let matcher = Matcher::new(&sources, Catalogue::built_in()).map_err(|error| error.to_string())?;
        let cases = eval::cases(&read(Path::new(tsv))?).map_err(|error| format!("{tsv}: {error}"))?;
        let score = eval::score(&cases, |case| (case.utterance.clone(), matcher.understand(&case.utterance)));
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
