//! `troika-voice`: the voice process (`--config`), or one look at a recording (`--wav`) or at a set of them (`--measure`).
#![allow(clippy::disallowed_methods, reason = "the command line measures real time")]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::Context as _;
use clap::Parser;
use troika_asr::{
    listen::{Cutter, recording},
    whisper::Recogniser,
};
use troika_models::Store;
use troika_voice::{
    audio,
    config::{SourceConfig, VoiceConfig},
    eval,
    matcher::Matcher,
    vad::{EndpointSettings, Silero},
};

/// Speech to vehicle commands.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings: a TOML or JSON file, or JSON text. Without --wav or --measure the process runs on them.
    #[arg(long, value_name = "FILE-or-JSON")]
    config: Option<String>,
    /// Prints what one WAV or FLAC file says, and what it means.
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// Measures a folder of NN.flac or NN.wav against the lines of a TSV.
    #[arg(long, num_args = 2, value_names = ["TSV", "FOLDER"])]
    measure: Option<Vec<PathBuf>>,
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
    find_models(&mut config)?;
    config.threads = arguments.threads.unwrap_or(config.threads);
    if let Some(name) = arguments.microphone {
        config.source = SourceConfig::Microphone { device: (name != "default").then_some(name) };
    }
    let prompt = !arguments.no_prompt;
    if arguments.wav.is_some() || arguments.measure.is_some() || arguments.data.is_some() {
        troika_host::signal::end_on_closed_pipe()?;
    }
    if let Some(file) = arguments.wav {
        return Ears::new(&config, prompt)?.one(&file);
    }
    if let Some([tsv, folder]) = arguments.measure.as_deref() {
        return Ears::new(&config, prompt)?.measure(tsv, folder, arguments.at_least);
    }
    if let Some(folder) = arguments.data {
        return Ears::new(&config, prompt)?.words(&folder);
    }
    #[cfg(feature = "process")]
    {
        troika_asr::process::run(&config)?;
        Ok(ExitCode::SUCCESS)
    }
    #[cfg(not(feature = "process"))]
    anyhow::bail!("this program was built without the feature `process`: only --wav, --measure and --data")
}

/// Takes the models that are not named from the store, checked by their sha256.
fn find_models(config: &mut VoiceConfig) -> anyhow::Result<()> {
    if config.whisper.is_some() && config.vad.is_some() {
        return Ok(());
    }
    let store = match &config.models {
        Some(folder) => Store::open(folder)?,
        None => Store::open_default()?,
    };
    if config.whisper.is_none() {
        config.whisper = Some(store.load_path("whisper_tiny_en")?);
    }
    if config.vad.is_none() {
        config.vad = Some(store.load_path("silero_vad")?);
    }
    Ok(())
}

/// The models, for recordings.
struct Ears {
    vad: PathBuf,
    recogniser: Recogniser,
}

/// What was heard in a recording.
struct Take {
    text: String,
    confidence: f32,
    utterances: usize,
    audio_s: f64,
    /// From the end of the last speech to its command: the pause that ends it, and the work after it.
    latency_ms: f64,
}

impl Ears {
    fn new(config: &VoiceConfig, prompt: bool) -> anyhow::Result<Ears> {
        let vad = config.vad_file()?;
        let recogniser = Recogniser::load(&config.whisper_file()?, config.threads, prompt)?;
        Ok(Ears { vad, recogniser })
    }

    fn take(&mut self, file: &Path) -> anyhow::Result<Take> {
        let samples = audio::read(file)?;
        let mut cutter = Cutter::new(Silero::load(&self.vad)?, EndpointSettings::default());
        let begin = Instant::now();
        let heard = recording(&mut cutter, &mut self.recogniser, &samples)?;
        let words: Vec<&str> = heard.iter().map(|(_, heard)| heard.text.as_str()).collect();
        let text = words.join(" ");
        let _ = Matcher::english().understand(&text);
        // All of the work, so an upper bound: voice activity would have been done while speaking.
        let work = begin.elapsed().as_secs_f64();
        let waited = heard.last().map_or(0.0, |(said, _)| said.utterance.noticed_after_s());
        let confidence = heard.iter().map(|(_, heard)| heard.confidence).fold(1.0, f32::min);
        Ok(Take {
            text,
            confidence,
            utterances: heard.len(),
            audio_s: samples.len() as f64 / f64::from(audio::RATE),
            latency_ms: (waited + work) * 1e3,
        })
    }

    fn one(&mut self, file: &Path) -> anyhow::Result<ExitCode> {
        let take = self.take(file)?;
        println!(
            "heard:      {} (confidence {:.2}, {} utterances)",
            take.text, take.confidence, take.utterances
        );
        println!("understood: {}", eval::told(&Matcher::english().understand(&take.text)));
        println!(
            "times:      {:.1} s of audio, end of speech to command {:.0} ms",
            take.audio_s, take.latency_ms
        );
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&mut self, tsv: &Path, folder: &Path, at_least: Option<usize>) -> anyhow::Result<ExitCode> {
        let text = std::fs::read_to_string(tsv).with_context(|| tsv.display().to_string())?;
        let cases = eval::cases(&text).with_context(|| tsv.display().to_string())?;
        let files = troika_asr::source::paths(folder)?;
        anyhow::ensure!(files.len() == cases.len(), "{} files for {} lines", files.len(), cases.len());
        let mut takes = Vec::new();
        for file in &files {
            takes.push(self.take(file)?);
        }
        let heard = |case: &eval::Case| {
            let index = cases.iter().position(|other| other.line == case.line).unwrap_or_default();
            takes[index].text.clone()
        };
        let score = eval::score(Matcher::english(), &cases, heard);
        score.wrong.iter().for_each(|line| println!("{line}"));
        let mut times: Vec<f64> = takes.iter().map(|take| take.latency_ms).collect();
        times.sort_by(f64::total_cmp);
        let percentile =
            |p: usize| times.get((times.len() * p / 100).min(times.len() - 1)).copied().unwrap_or(0.0);
        let split = takes.iter().filter(|take| take.utterances != 1).count();
        println!(
            "{} of {} exact, gates {} of {}, breaches {}; {split} recordings not cut as one utterance; end of speech to command p50 {:.0} ms, p99 {:.0} ms",
            score.exact,
            score.total,
            score.gates_right,
            score.gates,
            score.gated_breaches,
            percentile(50),
            percentile(99)
        );
        let good = at_least.is_none_or(|least| score.exact >= least && score.gated_breaches == 0);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Single words, each in a folder of its name, without voice activity: they are a second long and cut already.
    fn words(&mut self, folder: &Path) -> anyhow::Result<ExitCode> {
        let mut rows = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let Some(word) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            if !path.is_dir() || word.starts_with('_') {
                continue;
            }
            let (mut right, mut total) = (0, 0);
            for file in troika_asr::source::paths(&path)? {
                let heard = self.recogniser.recognise(&audio::read(&file)?)?;
                total += 1;
                let text = troika_voice::matcher::text::bare(&heard.text);
                right += usize::from(text == word);
                if (word == "yes" || word == "no")
                    && Matcher::english().yes_or_no(&heard.text) == Some(word == "no")
                {
                    println!("{}: a {word} was heard as its opposite: '{}'", file.display(), heard.text);
                }
            }
            rows.push((word, right, total));
        }
        anyhow::ensure!(!rows.is_empty(), "{}: no folder of words in it", folder.display());
        rows.sort();
        rows.iter().for_each(|(word, right, total)| println!("{word:>8}: {right} of {total}"));
        Ok(ExitCode::SUCCESS)
    }
}
