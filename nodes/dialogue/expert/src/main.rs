//! `troika-expert`: the stand-in as a program.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use troika_expert::{
    chat::MODEL,
    fault::Faults,
    server::{Settings, serve},
};

/// A scripted stand-in for a language model in the cloud, for demos and tests. It is no language model: it answers navigation with the
/// tools of the request, and a few dozen general questions from a file; of all else it says that it does not know.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8088")]
    listen: SocketAddr,
    /// How fast it speaks; 0: all at once.
    #[arg(long, default_value_t = 40.0, value_parser = tokens_per_second)]
    tokens_per_second: f64,
    /// How long until its first token, ms.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    first_token_ms: u64,
    /// By how much each wait is longer or shorter, as a share of itself: 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
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
    let settings = Settings {
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
        println!("{MODEL} at http://{}/v1", listener.local_addr()?);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = end.recv() => {}
            }
            stop.send_replace(true);
        });
        serve(listener, settings, stopped).await.context("the service ended")
    })
}
