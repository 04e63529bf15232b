//! Recordings looked at and measured: what was heard, what was understood, how long after the end of speech.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use troika_asr::{
    listen::{Listener, Take, recording, samples_long},
    stages,
    whisper::{Recogniser, Settings},
};
use troika_kit::{Duration, Time};
use troika_msgs::troika::Transcript;
use troika_voice::{
    audio,
    cascade::Cascade,
    command::CONFIDENT_FROM,
    config::VoiceConfig,
    eval::{
        self,
        conversation::Conversation,
        report::{self, Judged, NO_CONDITION, Recording, Times},
    },
    matcher::{Matcher, Understood},
    turn::Pace,
    vad::{EndpointSettings, Silero},
    words::Word,
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

    fn takes(&mut self, samples: &[f32]) -> anyhow::Result<Vec<Take>> {
        let silero = Silero::load(&self.vad)?;
        let matcher = self.stages.matcher();
        let mut listener = Listener::new(silero, EndpointSettings::default(), self.pace, matcher);
        let clock = self.clock;
        Ok(recording(&mut listener, &mut self.recogniser, samples, || clock.now())?)
    }

    fn take(&mut self, file: &Path) -> anyhow::Result<Heard> {
        let takes = self.takes(&audio::read(file)?)?;
        let texts: Vec<&str> = takes.iter().map(|take| take.heard.text.as_str()).collect();
        Ok(Heard {
            text: texts.join(" ").trim().to_owned(),
            confidence: takes.iter().map(|take| take.heard.confidence).fold(1.0, f32::min),
            utterances: takes.len(),
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
            latency_ms: Some(took.as_secs_f64() * 1e3),
        })
    }

    /// One recording: each of its utterances in order, in one conversation, at `--speed`.
    pub(crate) fn one(mut self, file: &Path, speed_kmh: f32) -> anyhow::Result<ExitCode> {
        let samples = audio::read(file)?;
        let takes = self.takes(&samples)?;
        let mut talk = Conversation::new(self.stages, false, speed_kmh);
        for take in &takes {
            let (heard, after) = (&take.heard, take.latency.as_secs_f64() * 1e3);
            println!(
                "heard       {} ({:.2}, {after:.0} ms after the end of speech, {} partials)",
                heard.text, heard.confidence, take.partials
            );
            if let Some(doubt) = heard.doubt {
                println!("doubted     {doubt}");
            }
            if !heard.words.is_empty() {
                println!("words       {}", heard.words.iter().map(word).collect::<Vec<_>>().join(", "));
            }
            let turn = talk.hears(take.said.end_of_speech.since(Time::ZERO), transcript(take));
            print!("{}{}", turn.stages_told(), turn.end_told(speed_kmh));
        }
        let seconds = samples.len() as f64 / f64::from(audio::RATE);
        match takes.len() {
            0 => println!("times       {seconds:.1} s of audio, no speech in it"),
            count => println!("times       {seconds:.1} s of audio, utterances: {count}"),
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
        let times = Times::of(takes.iter().filter_map(|take| take.latency_ms).collect());
        println!(
            "{} of {} exact, gates {} of {}, breaches {}; {split} recordings not cut as one utterance; end of speech to words p50 {:.0} ms, p95 {:.0} ms",
            score.exact,
            score.total,
            score.gates_right,
            score.gates,
            score.gated_breaches,
            times.p50.unwrap_or(f64::NAN),
            times.p95.unwrap_or(f64::NAN)
        );
        let figures = json!({
            "model": self.model,
            "clock": self.clock.name(),
            "recordings": score.total,
            "exact": score.exact,
            "gated_breaches": score.gated_breaches,
            "end_of_speech_to_words_ms": times,
        });
        write(report, &figures)?;
        let good = at_least.is_none_or(|least| score.exact >= least && score.gated_breaches == 0);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Lines of `path TAB expected [TAB gate] [TAB condition]`; `plain`: by the recogniser alone, without voice activity. The report goes to
    /// standard output, a table and what was not exact to standard error.
    pub(crate) fn spoken(
        &mut self,
        tsv: &Path,
        report_file: Option<&Path>,
        plain: bool,
    ) -> anyhow::Result<ExitCode> {
        let text = std::fs::read_to_string(tsv).with_context(|| tsv.display().to_string())?;
        let folder = tsv.parent().unwrap_or(Path::new("."));
        let (mut cases, mut judged, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for (number, line) in eval::lines(&text) {
            let place = || format!("{}:{number}", tsv.display());
            let (mut case, condition) =
                eval::recording(number, line).with_context(|| tsv.display().to_string())?;
            let path = case.utterance.clone();
            let file = folder.join(&path);
            let heard = if plain { self.plain(&file) } else { self.take(&file) }.with_context(place)?;
            let begin = self.clock.now();
            let answer = self.stages.understand(&heard.text);
            let understood_ms = self.clock.now().saturating_sub(begin).as_secs_f64() * 1e3;
            let sure = answer.sure() && heard.confidence >= CONFIDENT_FROM;
            lines.push(Recording {
                condition: condition.unwrap_or(NO_CONDITION).to_owned(),
                expected: eval::told_expected(&case.expected),
                heard_confidence: heard.confidence,
                understood: eval::told(&answer.understood),
                exact: eval::exact(&case.expected, &answer.understood),
                acted: sure && matches!(answer.understood, Understood::Commands(_)),
                end_of_speech_to_words_ms: heard.latency_ms,
                recording: path.clone(),
                heard: heard.text.clone(),
            });
            judged.push(Judged {
                sure,
                stage: answer.stage.to_string(),
                reason: answer.reason,
                confidence: answer.confidence.min(heard.confidence),
                took_ms: heard.latency_ms.map(|ms| ms + understood_ms),
                understood: answer.understood,
            });
            case.utterance = format!("{path}: {}", heard.text);
            cases.push(case);
        }
        anyhow::ensure!(!cases.is_empty(), "{}: no line in it", tsv.display());
        let spoken = report::spoken(&cases, &judged, lines, &self.model, self.clock.name());
        spoken.report.wrong.iter().for_each(|line| eprintln!("{line}"));
        eprint!("{}", spoken.table());
        let figures = serde_json::to_string_pretty(&spoken)?;
        println!("{figures}");
        if let Some(path) = report_file {
            std::fs::write(path, figures + "\n").with_context(|| path.display().to_string())?;
        }
        let breaches = spoken.report.gated_breaches;
        anyhow::ensure!(
            breaches == 0,
            "{breaches} gated functions were carried out that should not have been"
        );
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

fn word(word: &Word) -> String {
    format!("{} {:.2}-{:.2} ({:.2})", word.text, word.start_s, word.end_s, word.confidence)
}

/// The words of an utterance as the process publishes them.
fn transcript(take: &Take) -> Transcript {
    let words = &take.heard.words;
    let column = |of: fn(&Word) -> f32| words.iter().map(of).collect();
    Transcript {
        text: take.heard.text.clone(),
        confidence: take.heard.confidence,
        audio_duration: samples_long(take.said.utterance.samples.len() as u64).into(),
        latency: take.latency.into(),
        words: words.iter().map(|word| word.text.clone()).collect(),
        word_confidence: column(|word| word.confidence),
        word_start_s: column(|word| word.start_s),
        word_end_s: column(|word| word.end_s),
        ..Transcript::default()
    }
}

fn write(report: Option<&Path>, figures: &serde_json::Value) -> anyhow::Result<()> {
    let Some(path) = report else { return Ok(()) };
    std::fs::write(path, format!("{figures:#}\n")).with_context(|| path.display().to_string())
}
