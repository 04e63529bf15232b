//! `troika-slm`: the language model's process (`--config`), one request (`--interpret`, `--rewrite`, `--ask`), a file of utterances
//! measured (`--measure`), or a dialogue by lines (`--chat`).
#![allow(clippy::disallowed_methods, reason = "the command line measures real time")]

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::Context as _;
use clap::Parser;
use troika_kit::{Duration, Time};
use troika_msgs::{
    std_msgs::Header,
    troika::{LanguageReply, LanguageRequest},
};
use troika_slm::{
    chat::Told,
    desk::Desk,
    llama::Llama,
    measure, process,
    prompt::{Holding, Prompts},
    speaker::{CONTEXT, Speaker},
    talk,
};
use troika_voice::{eval, language::SlmConfig};

/// The language model on the vehicle.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings: a TOML or JSON file, or JSON text. Without a request or --measure the process runs on them.
    #[arg(long, value_name = "FILE-or-JSON")]
    config: Option<String>,
    /// What an utterance means: vehicle functions, `dialogue`, `ask` or `reject`.
    #[arg(long, value_name = "TEXT", group = "request")]
    interpret: Option<String>,
    /// What a follow-up means after --context.
    #[arg(long, value_name = "TEXT", group = "request", requires = "context")]
    rewrite: Option<String>,
    /// Answers a question in a sentence or two.
    #[arg(long, value_name = "TEXT", group = "request")]
    ask: Option<String>,
    /// Answers a question, going on from --so-far with what --context tells, as when the cloud is lost.
    #[arg(long, value_name = "TEXT", group = "request")]
    go_on: Option<String>,
    /// With --go-on: the answer's beginning.
    #[arg(long, value_name = "TEXT", requires = "go_on")]
    so_far: Option<String>,
    /// With --rewrite what was said and done (`words => name slot=value`); with --interpret candidates, separated by commas.
    #[arg(long, value_name = "TEXT", requires = "request")]
    context: Option<String>,
    /// Interprets each line of a TSV (utterance, meaning), and counts.
    #[arg(long, value_name = "TSV", group = "request")]
    measure: Option<PathBuf>,
    /// Answers each question of a TSV (`question TAB what a right answer holds`), and counts.
    #[arg(long, value_name = "TSV", group = "request")]
    questions: Option<PathBuf>,
    /// With --measure: candidates for each of its lines, a line each, separated by commas.
    #[arg(long, value_name = "FILE", requires = "measure", conflicts_with = "bound")]
    candidates: Option<PathBuf>,
    /// With --measure: the true functions among so many candidates: a bound of what candidates can do.
    #[arg(long, value_name = "N", requires = "measure")]
    bound: Option<usize>,
    /// With --measure: each line that was not exact.
    #[arg(long, requires = "measure")]
    errors: bool,
    /// With --measure: the counts as JSON.
    #[arg(long, value_name = "FILE", requires = "measure")]
    json: Option<PathBuf>,
    /// With --measure: the first so many lines.
    #[arg(long, value_name = "N", requires = "measure")]
    first: Option<usize>,
    /// Any number that fits a slot, not those alone that were said: to see what it does.
    #[arg(long)]
    any_number: bool,
    /// Other prompts than the built-in ones.
    #[arg(long, value_name = "TOML")]
    prompts: Option<PathBuf>,
    /// Answers requests from standard input, a line of JSON each (`{"text": …, "context": …}`), by a line of JSON each: what an utterance
    /// means, or with `"ask": true` the answer to a question; with `"so_far": …` what goes on from that.
    #[arg(long, group = "request")]
    lines: bool,
    /// Answers a dialogue's questions from standard input until it ends, a line of JSON each, by lines of JSON, token by token: `{"ask": {"id": 1,
    /// "messages": [{"role": "user", "content": "…"}], "max_tokens": 64}}`, `{"cancel": 1}` (see `src/chat.rs`).
    #[arg(long, group = "request")]
    chat: bool,
    /// With --chat: tokens of a dialogue and its answer together.
    #[arg(long, value_name = "TOKENS", default_value_t = CONTEXT, value_parser = clap::value_parser!(u32).range(256..=8192), requires = "chat")]
    context_tokens: u32,
    /// Prints the grammar of an utterance's answers, and needs no model.
    #[arg(long, value_name = "TEXT", group = "request")]
    grammar: Option<String>,
    /// The model store; by default where `troika models pull` puts it.
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// A GGUF file in the place of the store's.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A LoRA adapter (GGUF).
    #[arg(long, value_name = "FILE")]
    lora: Option<PathBuf>,
    /// Threads of the model.
    #[arg(long)]
    threads: Option<u8>,
    /// Stop when the process that started this one ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("troika-slm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if arguments.with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let mut config = match &arguments.config {
        Some(text) => SlmConfig::load(text)?,
        None => SlmConfig::default(),
    };
    config.models = arguments.models.clone().or(config.models);
    config.file = arguments.file.clone().or(config.file);
    config.lora = arguments.lora.clone().or(config.lora);
    config.threads = arguments.threads.unwrap_or(config.threads);
    let task = [
        (&arguments.interpret, LanguageRequest::INTERPRET),
        (&arguments.rewrite, LanguageRequest::REWRITE),
        (&arguments.ask, LanguageRequest::ANSWER),
        (&arguments.go_on, LanguageRequest::CONTINUE),
    ]
    .into_iter()
    .find_map(|(text, task)| text.as_ref().map(|text| (text.clone(), task)));
    let other = arguments.measure.is_some() || arguments.questions.is_some() || arguments.grammar.is_some();
    let by_lines = arguments.lines || arguments.chat;
    if task.is_none() && !other && !by_lines {
        return process::run(&config);
    }
    troika_host::signal::end_on_closed_pipe()?;
    let prompts = match &arguments.prompts {
        None => Prompts::english(),
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            Prompts::parse(&text).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?
        }
    };
    let holding = Holding { to_candidates: config.restrict, to_said_numbers: !arguments.any_number };
    if let Some(text) = &arguments.grammar {
        let catalogue = troika_vehicle::catalogue::Catalogue::built_in();
        let context = arguments.context.as_deref().unwrap_or_default();
        let prompt = prompts.request(catalogue, holding, troika_slm::engine::Task::Interpret, text, context);
        print!("{}", prompt.grammar.unwrap_or_default());
        return Ok(());
    }
    let weights = process::weights(&config)?;
    if arguments.chat {
        let model = Speaker::new(&weights, arguments.context_tokens, config.threads)?;
        let ready = Told::Ready { model: process::model_name(&config)?, context_tokens: model.room() };
        return talk::serve(model, &ready, std::io::stdin(), std::io::stdout().lock()).context("lines");
    }
    let begin = Instant::now();
    let mut llama = Llama::new(&weights, &prompts, config.threads, &|| false)?;
    let ready = begin.elapsed();
    let mut desk = Desk::new(prompts, holding, &config.model);
    if let Some((text, task)) = task {
        return one(&mut desk, &mut llama, text, task, &arguments);
    }
    if let Some(file) = &arguments.questions {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let answers = measure::answers(&mut desk, &mut llama, &text)
            .map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
        for (confidence, good, answer) in &answers {
            println!("{confidence:.2} {} {answer}", if *good { "right" } else { "wrong" });
        }
        for from in [0.5, 0.6, 0.65, 0.7, 0.75, 0.8] {
            let given: Vec<_> = answers.iter().filter(|(confidence, ..)| *confidence >= from).collect();
            let right = given.iter().filter(|(_, good, _)| *good).count();
            println!("from {from}: {} of {} answered, {right} right", given.len(), answers.len());
        }
        return Ok(());
    }
    if arguments.lines {
        return lines(&mut desk, &mut llama);
    }
    let Some(file) = &arguments.measure else { return Ok(()) };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut cases = eval::cases(&text).with_context(|| file.display().to_string())?;
    cases.truncate(arguments.first.unwrap_or(usize::MAX));
    let proposed: Option<Vec<String>> = match &arguments.candidates {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            anyhow::ensure!(
                lines.len() >= cases.len(),
                "{} has {} lines for {} utterances",
                file.display(),
                lines.len(),
                cases.len()
            );
            Some(lines)
        }
    };
    let of_line: Vec<usize> = cases.iter().map(|case| case.line).collect();
    let candidates = |case: &eval::Case| match (&proposed, arguments.bound) {
        (Some(lines), _) => {
            let index = of_line.iter().position(|line| *line == case.line).unwrap_or_default();
            lines.get(index).cloned().unwrap_or_default()
        }
        (None, Some(count)) => measure::true_and_neighbours(case, count),
        (None, None) => String::new(),
    };
    let speed = measure::speed(&mut llama)?;
    // Nothing is cut short: the times show what a deadline would have cut.
    let figures = measure::interpret(&mut desk, &mut llama, &cases, &candidates, Duration::from_secs(60));
    if arguments.errors {
        figures.wrong.iter().for_each(|line| println!("{line}"));
    }
    println!(
        "{} of {} exact, {} of the right functions; commands {} of {}, others {} of {}; {} without an answer",
        figures.exact,
        figures.n,
        figures.intent,
        figures.commands[1],
        figures.commands[0],
        figures.others[1],
        figures.others[0],
        figures.late
    );
    println!(
        "a request: p50 {:.0} ms, p99 {:.0}, max {:.0}; {:.0} tokens/s read, {:.0} made; ready after {:.1} s ({} tokens of \
         beginnings); memory {:.0} MiB, at most {:.0}",
        figures.latency_ms.p50,
        figures.latency_ms.p99,
        figures.latency_ms.max,
        speed[0],
        speed[1],
        ready.as_secs_f64(),
        llama.tokens("").0,
        figures.memory_mib[0],
        figures.memory_mib[1]
    );
    let sure: Vec<String> =
        figures.sure.iter().map(|(from, all, exact)| format!("{exact} of {all} from {from}")).collect();
    println!("confidence: area {:.2}; exact {}", figures.confidence_auc, sure.join(", "));
    if let Some(file) = &arguments.json {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn one(
    desk: &mut Desk,
    llama: &mut Llama<'_>,
    text: String,
    task: u8,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let request = LanguageRequest {
        header: Header::at(Time::ZERO),
        request_id: "1".to_owned(),
        task,
        text,
        context: arguments.context.clone().unwrap_or_default(),
        so_far: arguments.so_far.clone().unwrap_or_default(),
        deadline: Duration::from_secs(60).into(),
    };
    let mut told = 0;
    let mut part = |reply: &LanguageReply| {
        print!("{}", reply.text.get(told..).unwrap_or_default());
        told = reply.text.len();
        // A terminal that is gone ends the program at the next line.
        let _ = std::io::stdout().flush();
    };
    let (reply, ms) = measure::ask(desk, llama, &request, &mut part);
    part(&reply);
    println!();
    anyhow::ensure!(reply.status == LanguageReply::DONE, "{}", reply.reason);
    eprintln!("confidence {:.2}, {ms:.0} ms", reply.confidence);
    Ok(())
}

/// A request of `--lines`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    text: String,
    #[serde(default)]
    context: String,
    #[serde(default)]
    ask: bool,
    #[serde(default)]
    so_far: Option<String>,
}

fn lines(desk: &mut Desk, llama: &mut Llama<'_>) -> anyhow::Result<()> {
    for (index, line) in std::io::stdin().lines().enumerate() {
        let line: Line = serde_json::from_str(&line?).with_context(|| format!("line {}", index + 1))?;
        let request = LanguageRequest {
            header: Header::at(Time::ZERO),
            request_id: index.to_string(),
            task: match (&line.so_far, line.ask) {
                (Some(_), _) => LanguageRequest::CONTINUE,
                (None, true) => LanguageRequest::ANSWER,
                (None, false) => LanguageRequest::INTERPRET,
            },
            text: line.text,
            context: line.context,
            so_far: line.so_far.unwrap_or_default(),
            deadline: Duration::from_secs(60).into(),
        };
        let (reply, ms) = measure::ask(desk, llama, &request, &mut |_| {});
        let told = serde_json::json!({
            "answer": (reply.status == LanguageReply::DONE).then_some(&reply.text),
            "confidence": reply.confidence,
            "took_ms": ms,
            "reason": reply.reason,
        });
        println!("{told}");
    }
    Ok(())
}
