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
use troika_msgs::troika::LanguageRequest;
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    cascade::{Answer, Cascade, Stage},
    eval::{
        self, Case, Expected,
        conversation::{Conversation, Turn},
        report,
    },
    intent::{IntentModel, Meant},
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
    /// What was said before it, for what follows on ("and the passenger's too") or answers it ("yes").
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
    /// Or recordings: one file of lines `WAV-or-FLAC TAB expected [TAB gate] [TAB condition]`, with paths from its own folder; what was
    /// not exact and a table of the conditions go to standard error.
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
    let alone = cascade.understand(&utterance).network;
    let mut talk = Talk {
        conversation: Conversation::new(cascade, arguments.stages.slm, arguments.speed),
        language: None,
    };
    let before = match &arguments.after {
        Some(before) => {
            let (turn, _) = talk.says(before)?;
            if matches!(turn.understanding.meaning.as_str(), "dialogue" | "reject") {
                bail!("--after '{before}' is no command, so nothing can follow on it");
            }
            Some(turn)
        }
        None => None,
    };
    let (turn, took_ms) = talk.says(&utterance)?;
    let said = Said { before, turn, alone, took_ms };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&said.as_json())?);
    } else {
        print!("{}", said.as_text(arguments.speed));
    }
    Ok(())
}

/// The conversation, and the language model that it asks.
struct Talk {
    conversation: Conversation,
    language: Option<LanguageModel>,
}

impl Talk {
    /// What becomes of words, and how many milliseconds that took. A question of the world is left to the dialogue.
    fn says(&mut self, words: &str) -> anyhow::Result<(Turn, f64)> {
        let began = Instant::now();
        let turn = self.conversation.says(words);
        let took_ms = began.elapsed().as_secs_f64() * 1e3;
        let Some(request) = turn.request.as_ref().filter(|asks| asks.task == LanguageRequest::INTERPRET)
        else {
            return Ok((turn, took_ms));
        };
        let model = match &mut self.language {
            Some(model) => model,
            none => none.insert(LanguageModel::start()?),
        };
        let (meaning, more_ms) = model.interpret(&request.text, &request.context)?;
        let meaning = meaning.as_ref().map(eval::told_expected);
        Ok((self.conversation.answers(request, meaning.as_deref()), took_ms + more_ms))
    }
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

    /// What it makes of an utterance whose likeliest functions are in `context`, nothing where it has no answer, and how many
    /// milliseconds that took.
    fn interpret(&mut self, utterance: &str, context: &str) -> anyhow::Result<(Option<Expected>, f64)> {
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

/// What is told of an utterance.
struct Said {
    /// What became of the one before, where there is one.
    before: Option<Turn>,
    turn: Turn,
    /// What the network makes of it by itself.
    alone: Option<Meant>,
    took_ms: f64,
}

impl Said {
    /// What the network said of just these words, where it looked at them.
    fn network(&self) -> Option<&Meant> {
        let (meaning, _) = self.turn.stage(Stage::IntentModel)?;
        self.alone.as_ref().filter(|alone| eval::told(&alone.understood) == meaning)
    }

    fn as_text(&self, speed_kmh: f32) -> String {
        let (turn, told) = (&self.turn, &self.turn.understanding);
        let mut text = String::new();
        // Writing to a String cannot fail.
        if let Some(before) = &self.before {
            let became = before.outcome().map_or("asked".to_owned(), |outcome| outcome.to_string());
            let says = before.says().unwrap_or("nothing");
            let _ = writeln!(
                text,
                "after       {}: {} ({became}: {says})",
                before.understanding.text, before.understanding.meaning
            );
        }
        let _ = writeln!(text, "heard       {}", told.text);
        if let Some((meaning, _)) = turn.stage(Stage::Templates) {
            let _ = writeln!(text, "templates   {meaning}");
        }
        match turn.stage(Stage::IntentModel) {
            Some((meaning, sure)) => {
                let _ = writeln!(text, "network     {meaning} ({sure:.2})");
            }
            None => {
                let _ = writeln!(text, "network     did not look");
            }
        }
        if let Some(meant) = self.network() {
            let others: Vec<String> =
                meant.candidates.iter().map(|(name, p)| format!("{name} {p:.2}")).collect();
            let _ = writeln!(text, "            likeliest: {}", others.join(", "));
        }
        if let Some((meaning, _)) = turn.stage(Stage::LanguageModel) {
            let _ = writeln!(text, "slm         {meaning}");
        }
        let _ = writeln!(text, "understood  {}", told.meaning);
        let _ = writeln!(
            text,
            "because     {}: {} ({:.2}), {:.1} ms",
            told.chosen, told.reason, told.confidence, self.took_ms
        );
        text + &turn.end_told(speed_kmh)
    }

    fn as_json(&self) -> serde_json::Value {
        let (turn, told) = (&self.turn, &self.turn.understanding);
        let outcome = |turn: &Turn| turn.outcome().map(|outcome| outcome.to_string());
        let network = turn.stage(Stage::IntentModel).map(|(meaning, confidence)| {
            let candidates = self.network().map(|meant| meant.candidates.as_slice()).unwrap_or_default();
            serde_json::json!({ "meaning": meaning, "confidence": confidence, "candidates": candidates })
        });
        let after = self.before.as_ref().map(|before| {
            serde_json::json!({
                "utterance": before.understanding.text,
                "meaning": before.understanding.meaning,
                "outcome": outcome(before),
                "says": before.says(),
            })
        });
        serde_json::json!({
            "after": after,
            "utterance": told.text,
            "templates": turn.stage(Stage::Templates).map(|(meaning, _)| meaning),
            "network": network,
            "slm": turn.stage(Stage::LanguageModel).map(|(meaning, _)| meaning),
            "meaning": told.meaning,
            "stage": told.chosen,
            "reason": told.reason,
            "confidence": told.confidence,
            "outcome": outcome(turn),
            "says": turn.says(),
            "took_ms": self.took_ms,
        })
    }
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
        if eval::of_recordings(&text).with_context(|| file.display().to_string())? {
            if files.len() > 1 {
                bail!("{} is a table of recordings: score it alone", file.display());
            }
            if stages.slm || stages.templates_only || stages.network.is_some() {
                bail!(
                    "{} is a table of recordings, which are understood as the voice process does: without --slm, --templates-only and \
                     --network",
                    file.display()
                );
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
                let (said, _) = language.interpret(&case.utterance, &answer.candidates().join(","))?;
                answer = answer.with_language(said.as_ref());
            }
            Ok(report::Judged {
                took_ms: Some(began.elapsed().as_secs_f64() * 1e3),
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
