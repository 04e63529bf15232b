//! `troika-voice`: the voice process (`--config`), or one look at a recording (`--wav`) or at a set of them (`--measure`).
#![allow(clippy::disallowed_methods, reason = "the command line measures real time")]

mod measure;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use measure::Ears;
use troika_asr::{source, whisper::Settings};
use troika_models::Store;
use troika_voice::{
    audio,
    config::{SourceConfig, VoiceConfig},
    tongue::Tongue,
};

/// Speech to vehicle commands.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings: a TOML or JSON file, or JSON text. Without --wav, --measure, --spoken or --data the process runs on them.
    #[arg(long, value_name = "FILE-or-JSON")]
    config: Option<String>,
    /// Prints what one WAV or FLAC file says, and what it means.
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// Listens to the source (by default the microphone) and tells each stage, with no vehicle and no transport.
    #[arg(long, conflicts_with_all = ["wav", "measure", "spoken", "data"])]
    live: bool,
    /// With --live or --wav: the speed of the vehicle that is not there, km/h.
    #[arg(long, value_name = "KMH", default_value_t = 0.0)]
    speed: f32,
    /// Measures a folder of NN.flac or NN.wav against the lines of a TSV.
    #[arg(long, num_args = 2, value_names = ["TSV", "FOLDER"])]
    measure: Option<Vec<PathBuf>>,
    /// Measures recordings by a TSV of `path TAB expected [TAB condition]`; paths start from its folder.
    #[arg(long, value_name = "TSV")]
    spoken: Option<PathBuf>,
    /// With --spoken: by the recogniser alone, without voice activity, prompt or a fitted window; to see what they do.
    #[arg(long, requires = "spoken")]
    plain: bool,
    /// With --measure or --spoken: the figures as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// With --measure: fails unless so many are exactly right, and no gate was breached.
    #[arg(long, value_name = "N", requires = "measure")]
    at_least: Option<usize>,
    /// Recognises each file of a folder against its sub-folder's name (yes, no, stop, …).
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The model store; by default where `troika models pull` puts it.
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// The recogniser's GGML file.
    #[arg(long, value_name = "FILE")]
    whisper: Option<PathBuf>,
    /// The voice activity ONNX file.
    #[arg(long, value_name = "FILE")]
    vad: Option<PathBuf>,
    /// The microphone to listen to; `default` is the default one.
    #[arg(long, value_name = "NAME")]
    microphone: Option<String>,
    /// Threads of the recogniser.
    #[arg(long)]
    threads: Option<u8>,
    /// Stop when the process that started this one ends.
    #[arg(long, hide = true)]
    with_parent: bool,
    /// The recogniser's model: whisper_tiny_en, or whisper_base (fetched when asked for).
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The language that is spoken: en, or de (with --model whisper_base).
    #[arg(long, value_name = "CODE")]
    language: Option<Tongue>,
    /// Encoder positions at least, 50 a second: to see what it does.
    #[arg(long, value_name = "N", hide = true)]
    positions: Option<i32>,
    /// Seconds of silence behind an utterance: to see what it does.
    #[arg(long, value_name = "S", hide = true)]
    tail: Option<f32>,
    /// Words without times: to see what they cost.
    #[arg(long, hide = true)]
    not_aligned: bool,
    /// With --wav, --measure or --spoken: by which clock a decoding's time is taken; cpu is what a core of its own would take.
    #[arg(long, value_enum, default_value = "wall")]
    clock: measure::Clock,
    /// Seconds between partials; 0: none.
    #[arg(long, value_name = "S")]
    partials: Option<f32>,
    /// Recognise without the prompt of vehicle words: to see what it does.
    #[arg(long)]
    no_prompt: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("troika-voice: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let mut config = match &arguments.config {
        Some(text) => VoiceConfig::load(text)?,
        None => VoiceConfig::default(),
    };
    config.models = arguments.models.or(config.models);
    config.whisper = arguments.whisper.or(config.whisper);
    config.vad = arguments.vad.or(config.vad);
    config.model = arguments.model.unwrap_or(config.model);
    config.spoken_language = arguments.language.unwrap_or(config.spoken_language);
    config.check_language()?;
    find_models(&mut config)?;
    config.threads = arguments.threads.unwrap_or(config.threads);
    config.partials_s = arguments.partials.unwrap_or(config.partials_s);
    if let Some(name) = arguments.microphone {
        config.source = SourceConfig::Microphone { device: (name != "default").then_some(name) };
    }
    let mut settings = Settings { threads: config.threads, ..Settings::of(config.spoken_language) };
    settings.positions = arguments.positions.unwrap_or(settings.positions);
    settings.tail_s = arguments.tail.unwrap_or(settings.tail_s);
    settings.aligned &= !arguments.not_aligned;
    if arguments.no_prompt || arguments.plain {
        settings.prompt.clear();
    }
    if arguments.plain {
        settings.positions = i32::MAX;
    }
    let asked = arguments.wav.is_some() || arguments.measure.is_some() || arguments.spoken.is_some();
    if asked || arguments.data.is_some() {
        troika_host::signal::end_on_closed_pipe()?;
        let mut ears = Ears::new(&config, settings, arguments.clock)?;
        let report = arguments.report.as_deref();
        return match (&arguments.wav, arguments.measure.as_deref(), &arguments.spoken, &arguments.data) {
            (Some(file), ..) => {
                if let Some(ails) = source::ails(&audio::read(file)?) {
                    eprintln!("troika-voice: {}: {ails}", file.display());
                }
                ears.one(file, arguments.speed)
            }
            (_, Some([tsv, folder]), ..) => ears.measure(tsv, folder, arguments.at_least, report),
            (_, _, Some(tsv), _) => ears.spoken(tsv, report, arguments.plain),
            (.., Some(folder)) => ears.words(folder),
            _ => anyhow::bail!("--measure wants a TSV and a folder"),
        };
    }
    #[cfg(feature = "process")]
    {
        if arguments.live {
            troika_host::signal::end_on_closed_pipe()?;
            troika_asr::live::run(&config, arguments.speed)?;
            return Ok(ExitCode::SUCCESS);
        }
        troika_asr::process::run(&config)?;
        Ok(ExitCode::SUCCESS)
    }
    #[cfg(not(feature = "process"))]
    anyhow::bail!(
        "this program was built without the feature `process`: only --wav, --measure, --spoken and --data"
    )
}

/// Takes the models that are not named from the store, checked by their sha256.
fn find_models(config: &mut VoiceConfig) -> anyhow::Result<()> {
    if config.whisper.is_some() && config.vad.is_some() {
        return Ok(());
    }
    let store = Store::open_in(config.models.as_deref())?;
    if config.whisper.is_none() {
        config.whisper = Some(store.load_path(&config.model)?);
    }
    if config.vad.is_none() {
        config.vad = Some(store.load_path("silero_vad")?);
    }
    Ok(())
}
