//! `troika say` and `troika voice eval`: what words mean, stage by stage, and how well sets of them are understood.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use troika_models::Store;
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    cascade::{Answer, Cascade},
    eval::{self, Case, Outcome, report},
    intent::IntentModel,
    matcher::{Matcher, Understood},
    tongue::Tongue,
};

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
}

/// About voice.
#[derive(Subcommand)]
pub(crate) enum VoiceCommand {
    /// Score lines of `utterance TAB expected [TAB speed=N -> executed|confirm|refused]` (the head of vehicle-functions.toml).
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
    let answer = cascade.understand(&utterance);
    let took_ms = began.elapsed().as_secs_f64() * 1e3;
    let outcome = outcome(&answer, arguments.speed);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&utterance, &answer, outcome, took_ms))?);
    } else {
        print!("{}", as_text(&utterance, &answer, outcome, arguments.speed, took_ms));
    }
    Ok(())
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
        cases.extend(eval::cases(&text).with_context(|| file.display().to_string())?);
    }
    if cases.is_empty() {
        bail!(
            "there is no line in {}",
            files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    let cascade = stages.cascade()?;
    let judged: Vec<report::Judged> = cases
        .iter()
        .map(|case| {
            let began = Instant::now();
            let answer = cascade.understand(&case.utterance);
            report::Judged {
                took_ms: began.elapsed().as_secs_f64() * 1e3,
                sure: answer.sure(),
                stage: answer.stage.to_string(),
                reason: answer.reason,
                confidence: answer.confidence,
                understood: answer.understood,
            }
        })
        .collect();
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
