//! `troika say` and `troika voice eval`: what words mean, stage by stage, and how well sets of them are understood.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use troika_models::Store;
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    cascade::{Answer, Cascade},
    eval::{self, Case, Expected, Outcome, report},
    intent::IntentModel,
    matcher::{Matcher, Understood},
    tongue::Tongue,
};

use crate::listen;

/// Words to understand.
#[derive(clap::Args)]
pub(crate) struct SayArguments {
    /// The words; several are one utterance.
    #[arg(required = true)]
    words: Vec<String>,
    /// The vehicle's speed in km/h, for the gates.
    #[arg(long, default_value_t = 0.0, value_name = "KMH")]
    speed: f32,
    /// What was said before it, for what follows on ("and the passenger's too").
    #[arg(long, value_name = "WORDS")]
    after: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stages: Stages,
}

/// Which stages look.
#[derive(clap::Args)]
pub(crate) struct Stages {
    /// The language of the words, by its code. The trained network reads English alone.
    #[arg(long, value_name = "CODE", default_value_t)]
    language: Tongue,
    /// Templates alone, without the network.
    #[arg(long)]
    templates_only: bool,
    /// This network instead of the store's.
    #[arg(long, value_name = "ONNX")]
    network: Option<PathBuf>,
    /// Ask the language model where the others are not sure (its program stands beside this one).
    #[arg(long)]
    slm: bool,
}

/// About voice.
#[derive(Subcommand)]
pub(crate) enum VoiceCommand {
    /// Score lines of `utterance TAB expected [TAB speed=N -> executed|confirm|refused]` (the head of vehicle-functions.toml).
    ///
    /// Or recordings: one file of lines `WAV-or-FLAC TAB expected [TAB condition]`, with paths from its own folder.
    ///
    /// Exits with 1 when a gated function was carried out that should not have been.
    Eval {
        /// The files.
        #[arg(required = true, value_name = "TSV")]
        files: Vec<PathBuf>,
        /// Write the report as JSON there too.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Show each wrong line with its reason.
        #[arg(long)]
        errors: bool,
        #[command(flatten)]
        stages: Stages,
    },
    /// List the vehicle functions that can be called by voice, with their slots and gates.
    Functions,
}

impl Stages {
    fn cascade(&self) -> anyhow::Result<Cascade> {
        if self.slm && self.language != Tongue::English {
            bail!("--slm understands English, and --language is {}", self.language);
        }
        let catalogue = Catalogue::built_in();
        let network = match (&self.network, self.language.network()) {
            _ if self.templates_only => None,
            (Some(_), None) => bail!("--network reads English, and --language is {}", self.language),
            (Some(path), Some(_)) => Some(IntentModel::load(path, catalogue)?),
            (None, Some(name)) => {
                Some(IntentModel::from_bytes(&Store::open_default()?.load_bytes(name)?, name, catalogue)?)
            }
            (None, None) => None,
        };
        Ok(Cascade::new(Matcher::of(self.language), network))
    }
}

/// What one utterance means.
pub(crate) fn say(arguments: &SayArguments) -> anyhow::Result<()> {
    let cascade = arguments.stages.cascade()?;
    let utterance = arguments.words.join(" ");
    if let Some(before) = &arguments.after {
        let Understood::Commands(calls) = cascade.understand(before).understood else {
            bail!("--after '{before}' is no command, so nothing can follow on it");
        };
        if let Some(follows) = calls.last().and_then(|last| cascade.matcher().follow_up(&utterance, last)) {
            println!("follows on  {}", eval::told(&Understood::Commands(follows)));
            return Ok(());
        }
    }
    let began = Instant::now();
    let mut answer = cascade.understand(&utterance);
    let mut took_ms = began.elapsed().as_secs_f64() * 1e3;
    if arguments.stages.slm && unsure(&answer) {
        let (said, more_ms) = LanguageModel::start()?.interpret(&utterance, &answer)?;
        answer = answer.with_language(said.as_ref());
        took_ms += more_ms;
    }
    let outcome = outcome(&answer, arguments.speed);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&utterance, &answer, outcome, took_ms))?);
    } else {
        print!("{}", as_text(&utterance, &answer, outcome, arguments.speed, took_ms));
    }
    Ok(())
}

/// Commands that are not sure are what the language model is asked about.
fn unsure(answer: &Answer) -> bool {
    matches!(answer.understood, Understood::Commands(_)) && !answer.sure()
}

/// The language model's program, asked line by line.
struct LanguageModel {
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl LanguageModel {
    fn start() -> anyhow::Result<LanguageModel> {
        let program = listen::beside("troika-slm")?;
        let mut child = Command::new(&program)
            .args(["--lines", "--with-parent"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (requests, answers) = child.stdin.take().zip(child.stdout.take()).context("no pipes to it")?;
        Ok(LanguageModel { child, requests, answers: BufReader::new(answers).lines() })
    }

    /// What it makes of an utterance, nothing where it has no answer, and how many milliseconds that took.
    fn interpret(&mut self, utterance: &str, answer: &Answer) -> anyhow::Result<(Option<Expected>, f64)> {
        let context = answer.candidates().join(",");
        writeln!(self.requests, "{}", serde_json::json!({ "text": utterance, "context": context }))?;
        let line =
            self.answers.next().context("the language model's program ended (its reason is above)")??;
        let told: serde_json::Value = serde_json::from_str(&line)?;
        let meaning = told["answer"].as_str().and_then(|meaning| eval::meaning(meaning).ok());
        Ok((meaning, told["took_ms"].as_f64().unwrap_or_default()))
    }
}

impl Drop for LanguageModel {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What would become of it.
fn outcome(answer: &Answer, speed_kmh: f32) -> Option<&'static str> {
    let Understood::Commands(calls) = &answer.understood else { return None };
    Some(match eval::outcome(calls, speed_kmh) {
        Outcome::Refused => "refused",
        Outcome::Confirm => "confirm",
        Outcome::Executed if !answer.sure() => "confirm",
        Outcome::Executed => "executed",
    })
}

fn as_text(utterance: &str, answer: &Answer, outcome: Option<&str>, speed: f32, took_ms: f64) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "heard       {utterance}");
    let _ = writeln!(text, "templates   {}", eval::told(&answer.templates));
    match &answer.network {
        Some(meant) => {
            let _ = writeln!(text, "network     {} ({:.2})", eval::told(&meant.understood), meant.confidence);
            let others: Vec<String> =
                meant.candidates.iter().map(|(name, p)| format!("{name} {p:.2}")).collect();
            let _ = writeln!(text, "            likeliest: {}", others.join(", "));
        }
        None => {
            let _ = writeln!(text, "network     did not look");
        }
    }
    if let Some(said) = &answer.language {
        let _ = writeln!(text, "slm         {}", eval::told(said));
    }
    let _ = writeln!(text, "understood  {}", eval::told(&answer.understood));
    if let Understood::Ask(question) = &answer.understood {
        let _ = writeln!(text, "asks        {question}");
    }
    let _ = writeln!(
        text,
        "because     {}: {} ({:.2}), {took_ms:.1} ms",
        answer.stage, answer.reason, answer.confidence
    );
    if let Some(outcome) = outcome {
        let _ = writeln!(text, "gate        at {speed} km/h: {outcome}");
    }
    text
}

fn as_json(utterance: &str, answer: &Answer, outcome: Option<&str>, took_ms: f64) -> serde_json::Value {
    let network = answer.network.as_ref().map(|meant| {
        serde_json::json!({
            "meaning": eval::told(&meant.understood),
            "confidence": meant.confidence,
            "candidates": meant.candidates,
        })
    });
    serde_json::json!({
        "utterance": utterance,
        "templates": eval::told(&answer.templates),
        "network": network,
        "slm": answer.language.as_ref().map(eval::told),
        "meaning": eval::told(&answer.understood),
        "stage": answer.stage.to_string(),
        "reason": answer.reason,
        "confidence": answer.confidence,
        "outcome": outcome,
        "took_ms": took_ms,
    })
}

/// One of the commands about voice.
pub(crate) fn voice(command: &VoiceCommand) -> anyhow::Result<()> {
    match command {
        VoiceCommand::Eval { files, json, errors, stages } => {
            evaluate(files, json.as_deref(), *errors, stages)
        }
        VoiceCommand::Functions => {
            print!("{}", functions());
            Ok(())
        }
    }
}

fn evaluate(files: &[PathBuf], json: Option<&Path>, errors: bool, stages: &Stages) -> anyhow::Result<()> {
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        if listen::are_recordings(&text) {
            if files.len() > 1 {
                bail!("{} is a table of recordings: score it alone", file.display());
            }
            return listen::evaluate(file, json, stages.language);
        }
        cases.extend(eval::cases(&text).with_context(|| file.display().to_string())?);
    }
    if cases.is_empty() {
        bail!(
            "there is no line in {}",
            files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    let cascade = stages.cascade()?;
    let mut language = stages.slm.then(LanguageModel::start).transpose()?;
    let judged = cases
        .iter()
        .map(|case| {
            let began = Instant::now();
            let mut answer = cascade.understand(&case.utterance);
            if let Some(language) = language.as_mut().filter(|_| unsure(&answer)) {
                let (said, _) = language.interpret(&case.utterance, &answer)?;
                answer = answer.with_language(said.as_ref());
            }
            Ok(report::Judged {
                took_ms: began.elapsed().as_secs_f64() * 1e3,
                sure: answer.sure(),
                stage: answer.stage.to_string(),
                reason: answer.reason,
                confidence: answer.confidence,
                understood: answer.understood,
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let report = report::report(&cases, &judged);
    if errors {
        report.wrong.iter().for_each(|line| println!("{line}"));
    }
    let text = serde_json::to_string_pretty(&report)?;
    println!("{text}");
    if let Some(file) = json {
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    if report.gated_breaches > 0 {
        bail!("{} gated functions were carried out that should not have been", report.gated_breaches);
    }
    Ok(())
}

/// The catalogue as a table.
fn functions() -> String {
    let mut text = String::new();
    for function in Catalogue::built_in().functions() {
        let slots: Vec<String> =
            function.slots.iter().map(|slot| format!("{}: {}", slot.name, slot.ty)).collect();
        let gates: Vec<String> = function.gates.iter().map(ToString::to_string).collect();
        let gates = if gates.is_empty() { "always".to_owned() } else { gates.join(", ") };
        let _ = writeln!(text, "{:<28} {}\n{:<28} {}", function.name, gates, "", slots.join("; "));
    }
    text
}
