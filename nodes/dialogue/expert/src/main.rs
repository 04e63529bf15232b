//! `troika-expert`: the stand-in as a program.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use troika_expert::{
    embedded::Program,
    fault::Faults,
    server::{Service, Settings},
};

/// A stand-in for a language model in the cloud, for demos and tests. It is scripted and no language model: it answers navigation with the
/// tools of the request, and a few dozen general questions from a file; of all else it says that it does not know. With --language-model
/// a small one answers in its place: in its own words, and without tools.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8088")]
    listen: SocketAddr,
    /// A small language model answers (SmolLM2-135M-Instruct, in a process of its own), at its own pace.
    #[arg(long)]
    language_model: bool,
    /// The language model's program; by default `troika-slm` beside this one.
    #[arg(long, value_name = "FILE", requires = "language_model")]
    slm: Option<PathBuf>,
    /// The language model's store; by default where `troika models pull` puts it.
    #[arg(long, value_name = "FOLDER", requires = "language_model")]
    models: Option<PathBuf>,
    /// The language model's threads.
    #[arg(long, requires = "language_model")]
    threads: Option<u8>,
    /// Tokens that the language model has room for, of a dialogue and its answer together.
    #[arg(long, value_name = "TOKENS", requires = "language_model")]
    context_tokens: Option<u32>,
    /// Questions that may wait for the language model; who comes then is told 503.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=1000), requires = "language_model")]
    waiting: u16,
    /// How fast it speaks; 0: all at once.
    #[arg(long, default_value_t = 40.0, conflicts_with = "language_model", value_parser = tokens_per_second)]
    tokens_per_second: f64,
    /// How long until its first token, ms.
    #[arg(long, default_value_t = 300, conflicts_with = "language_model", value_parser = clap::value_parser!(u64).range(0..=600_000))]
    first_token_ms: u64,
    /// By how much each wait is longer or shorter, as a share of itself: 0 to 1.
    #[arg(long, default_value_t = 0.0, conflicts_with = "language_model", value_parser = share)]
    jitter: f64,
    /// The jitter's.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Faults, as TOML: `[[fault]]`, `what = "status=429; retry-after=2"` (or `reset=12`, `stall=12`, `garbage=12`, `truncate=12`: after so many
    /// tokens), `requests = [1, 3]` or `every = 5`. A request can ask for one by the header `x-expert-fault` too.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Writes down all that it receives, one JSON object a line, but no keys.
    #[arg(long)]
    record: Option<PathBuf>,
}

fn tokens_per_second(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (0.0..=100_000.0).contains(rate))
        .ok_or_else(|| "0 to 100000 tokens a second".into())
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "0 to 1".into())
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("troika-expert: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let faults = match &arguments.faults {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Faults::read(&text).with_context(|| path.display().to_string())?
        }
        None => Faults::default(),
    };
    let language_model = if arguments.language_model { Some(program(&arguments)?) } else { None };
    let settings = Settings {
        language_model,
        tokens_per_second: arguments.tokens_per_second,
        first_token: Duration::from_millis(arguments.first_token_ms),
        jitter: arguments.jitter,
        seed: arguments.seed,
        faults,
        record: arguments.record,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
            format!("cannot listen at {}; another port: --listen 127.0.0.1:0", arguments.listen)
        })?;
        let (mut interrupt, mut end) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let service = Service::new(settings).await?;
        let (name, what) = service.name();
        // The stand-in's name says what it is.
        let named = if name.contains(what) { name.to_owned() } else { format!("{name} ({what})") };
        println!("{named} at http://{}/v1", listener.local_addr()?);
        let stops = service.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = end.recv() => {}
            }
            stops.stop();
        });
        service.serve(listener).await.context("the service ended")?;
        let counts = service.counts();
        if counts != Default::default() {
            eprintln!(
                "troika-expert: {} reports, {} deliveries, {} that came again",
                counts.reports, counts.accepted, counts.known
            );
        }
        Ok(())
    })
}

/// The language model's program, and what it is told.
fn program(arguments: &Arguments) -> anyhow::Result<Program> {
    let path = match &arguments.slm {
        Some(path) => path.clone(),
        None => std::env::current_exe().context("where this program is")?.with_file_name("troika-slm"),
    };
    let mut program = Program { waiting: arguments.waiting.into(), ..Program::new(path) };
    let told = [
        ("--models", arguments.models.as_ref().map(|folder| folder.display().to_string())),
        ("--threads", arguments.threads.map(|threads| threads.to_string())),
        ("--context-tokens", arguments.context_tokens.map(|tokens| tokens.to_string())),
    ];
    for (name, value) in told {
        program.arguments.extend(value.map(|value| [name.to_owned(), value]).into_iter().flatten());
    }
    Ok(program)
}
