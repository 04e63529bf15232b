//! Recordings looked at and measured: what was heard, what was understood, how long after the end of speech.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use troika_asr::{
    listen::{Listener, recording},
    stages,
    whisper::{Recogniser, Settings},
};
use troika_kit::Duration;
use troika_voice::{
    audio,
    cascade::Cascade,
    config::VoiceConfig,
    eval,
    matcher::Matcher,
    turn::Pace,
    vad::{EndpointSettings, Silero},
};

/// The models, for recordings.
pub(crate) struct Ears {
    vad: PathBuf,
    recogniser: Recogniser,
    stages: Cascade,
    pace: Pace,
    model: String,
    clock: Clock,
}

/// By which a decoding's time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Clock {
    /// What it takes on this machine as it is.
    Wall,
    /// The thread's own: what it would take on a core of its own. With one thread alone.
    Cpu,
}

impl Clock {
    fn now(self) -> Duration {
        let id = match self {
            Clock::Wall => ClockId::Monotonic,
            Clock::Cpu => ClockId::ThreadCPUTime,
        };
        let now = clock_gettime(id);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
    }

    fn name(self) -> &'static str {
        match self {
            Clock::Wall => "wall",
            Clock::Cpu => "cpu",
        }
    }
}

/// What was heard in a recording.
struct Heard {
    text: String,
    confidence: f32,
    utterances: usize,
    audio_s: f64,
    partials: usize,
    words: Vec<troika_voice::words::Word>,
    doubts: Vec<String>,
    /// From the end of the last speech to its words; none when there was no speech.
    latency_ms: Option<f64>,
}

impl Ears {
    pub(crate) fn new(config: &VoiceConfig, settings: Settings, clock: Clock) -> anyhow::Result<Ears> {
        let vad = config.vad_file()?;
        let recogniser = Recogniser::load(&config.whisper_file()?, settings)?;
        let stages = stages::cascade(config)?;
        Ok(Ears { vad, recogniser, stages, pace: config.pace(), model: config.model.clone(), clock })
    }

    fn take(&mut self, file: &Path) -> anyhow::Result<Heard> {
        let samples = audio::read(file)?;
        let silero = Silero::load(&self.vad)?;
        let matcher = self.stages.matcher();
        let mut listener = Listener::new(silero, EndpointSettings::default(), self.pace, matcher);
        let clock = self.clock;
        let takes = recording(&mut listener, &mut self.recogniser, &samples, || clock.now())?;
        let texts: Vec<&str> = takes.iter().map(|take| take.heard.text.as_str()).collect();
        Ok(Heard {
            text: texts.join(" ").trim().to_owned(),
            confidence: takes.iter().map(|take| take.heard.confidence).fold(1.0, f32::min),
            utterances: takes.len(),
            audio_s: samples.len() as f64 / f64::from(audio::RATE),
            partials: takes.iter().map(|take| take.partials).sum(),
            words: takes.iter().flat_map(|take| take.heard.words.clone()).collect(),
            doubts: takes.iter().filter_map(|take| take.heard.doubt.map(|doubt| doubt.to_string())).collect(),
            latency_ms: takes.last().map(|take| take.latency.as_secs_f64() * 1e3),
        })
    }

    /// The whole recording at once, by the recogniser alone: what a plain use of it gives.
    fn plain(&mut self, file: &Path) -> anyhow::Result<Heard> {
        let samples = audio::read(file)?;
        let begin = self.clock.now();
        let heard = self.recogniser.recognise(&samples)?;
        let took = self.clock.now().saturating_sub(begin);
        Ok(Heard {
            text: heard.text,
            confidence: heard.confidence,
            utterances: 1,
            audio_s: samples.len() as f64 / f64::from(audio::RATE),
            partials: 0,
            words: heard.words,
            doubts: Vec::new(),
            latency_ms: Some(took.as_secs_f64() * 1e3),
        })
    }

    pub(crate) fn one(&mut self, file: &Path) -> anyhow::Result<ExitCode> {
        let take = self.take(file)?;
        println!(
            "heard:      {} (confidence {:.2}, {} utterances, {} partials)",
            take.text, take.confidence, take.utterances, take.partials
        );
        for doubt in &take.doubts {
            println!("doubted:    {doubt}");
        }
        let word = |word: &troika_voice::words::Word| {
            format!("{} {:.2}-{:.2} ({:.2})", word.text, word.start_s, word.end_s, word.confidence)
        };
        println!("words:      {}", take.words.iter().map(word).collect::<Vec<_>>().join(", "));
        let answer = self.stages.understand(&take.text);
        println!(
            "understood: {} ({}, {:.2}: {})",
            eval::told(&answer.understood),
            answer.stage,
            answer.confidence,
            answer.reason
        );
        match take.latency_ms {
            Some(ms) => {
                println!("times:      {:.1} s of audio, end of speech to words {ms:.0} ms", take.audio_s)
            }
            None => println!("times:      {:.1} s of audio, no speech in it", take.audio_s),
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(crate) fn measure(
        &mut self,
        tsv: &Path,
        folder: &Path,
        at_least: Option<usize>,
        report: Option<&Path>,
    ) -> anyhow::Result<ExitCode> {
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
            let text = takes[index].text.clone();
            let understood = self.stages.understand(&text).understood;
            (text, understood)
        };
        let score = eval::score(&cases, heard);
        score.wrong.iter().for_each(|line| println!("{line}"));
        let split = takes.iter().filter(|take| take.utterances != 1).count();
        let times = Times::of(&takes.iter().collect::<Vec<_>>());
        println!(
            "{} of {} exact, gates {} of {}, breaches {}; {split} recordings not cut as one utterance; end of speech to words p50 {:.0} ms, p95 {:.0} ms",
            score.exact,
            score.total,
            score.gates_right,
            score.gates,
            score.gated_breaches,
            times.p50,
            times.p95
        );
        let figures = json!({
            "model": self.model,
            "clock": self.clock.name(),
            "recordings": score.total,
            "exact": score.exact,
            "gated_breaches": score.gated_breaches,
            "end_of_speech_to_words_ms": times.json(),
        });
        write(report, &figures)?;
        let good = at_least.is_none_or(|least| score.exact >= least && score.gated_breaches == 0);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Lines of `path TAB expected [TAB condition]`; `plain`: by the recogniser alone, without voice activity.
    pub(crate) fn spoken(
        &mut self,
        tsv: &Path,
        report: Option<&Path>,
        plain: bool,
    ) -> anyhow::Result<ExitCode> {
        let text = std::fs::read_to_string(tsv).with_context(|| tsv.display().to_string())?;
        let folder = tsv.parent().unwrap_or(Path::new("."));
        let mut conditions: BTreeMap<String, Vec<(bool, bool, Heard)>> = BTreeMap::new();
        let mut rows = Vec::new();
        for (number, line) in eval::lines(&text) {
            let place = || format!("{}:{number}", tsv.display());
            let columns: Vec<&str> = line.split('\t').collect();
            let [path, expected, ..] = columns[..] else {
                anyhow::bail!("{}: a line is a path, a tab and what is expected", place());
            };
            let case = eval::cases(&format!("{path}\t{expected}")).with_context(place)?;
            let [case] = &case[..] else { anyhow::bail!("{}: no case", place()) };
            let file = folder.join(path);
            let heard = if plain { self.plain(&file) } else { self.take(&file) }.with_context(place)?;
            let answer = self.stages.understand(&heard.text);
            let sure = answer.sure();
            let understood = answer.understood;
            let exact = eval::exact(&case.expected, &understood);
            if !exact {
                println!(
                    "{path}: '{}': expected {expected}, understood {}",
                    heard.text,
                    eval::told(&understood)
                );
            }
            let acted = sure
                && matches!(understood, troika_voice::matcher::Understood::Commands(_))
                && heard.confidence >= troika_voice::command::CONFIDENT_FROM;
            let condition = columns.get(2).map_or("all", |condition| condition.trim()).to_owned();
            rows.push(json!({
                "recording": path,
                "condition": condition,
                "expected": expected,
                "heard": heard.text,
                "heard_confidence": heard.confidence,
                "understood": eval::told(&understood),
                "exact": exact,
                "acted": acted,
                "end_of_speech_to_words_ms": heard.latency_ms,
            }));
            conditions.entry(condition).or_default().push((exact, acted && !exact, heard));
        }
        anyhow::ensure!(!conditions.is_empty(), "{}: no line in it", tsv.display());
        let mut figures = serde_json::Map::new();
        for (condition, takes) in &conditions {
            let exact = takes.iter().filter(|take| take.0).count();
            let wrong = takes.iter().filter(|take| take.1).count();
            let times = Times::of(&takes.iter().map(|take| &take.2).collect::<Vec<_>>());
            println!(
                "{condition:>16}: {exact} of {} exact, {wrong} wrong commands acted upon; end of speech to words p50 {:.0} ms, p95 {:.0} ms",
                takes.len(),
                times.p50,
                times.p95
            );
            figures.insert(
                condition.clone(),
                json!({
                    "recordings": takes.len(),
                    "exact": exact,
                    "exact_rate": exact as f64 / takes.len() as f64,
                    "wrong_commands_acted_upon": wrong,
                    "end_of_speech_to_words_ms": times.json(),
                }),
            );
        }
        write(
            report,
            &json!({ "model": self.model, "clock": self.clock.name(), "conditions": figures, "lines": rows }),
        )?;
        Ok(ExitCode::SUCCESS)
    }

    /// Single words, each in a folder of its name, without voice activity: they are a second long and cut already.
    pub(crate) fn words(&mut self, folder: &Path) -> anyhow::Result<ExitCode> {
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

/// Of the recordings that had speech in them.
struct Times {
    count: usize,
    p50: f64,
    p95: f64,
    max: f64,
}

impl Times {
    fn of(takes: &[&Heard]) -> Times {
        let mut times: Vec<f64> = takes.iter().filter_map(|take| take.latency_ms).collect();
        times.sort_by(f64::total_cmp);
        let percentile = |p: usize| {
            times.get((times.len() * p / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
        };
        Times { count: times.len(), p50: percentile(50), p95: percentile(95), max: percentile(100) }
    }

    fn json(&self) -> serde_json::Value {
        json!({ "count": self.count, "p50": self.p50, "p95": self.p95, "max": self.max })
    }
}

fn write(report: Option<&Path>, figures: &serde_json::Value) -> anyhow::Result<()> {
    let Some(path) = report else { return Ok(()) };
    std::fs::write(path, format!("{figures:#}\n")).with_context(|| path.display().to_string())
}
