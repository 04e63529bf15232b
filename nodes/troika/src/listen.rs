//! `troika listen`, and `troika voice eval` over recordings: the program that recognises speech stands beside this one, since its C++ and
//! its threads have no place in a process with deadlines.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use troika_voice::tongue::Tongue;

/// Its file's name.
const PROGRAM: &str = "troika-voice";

/// What to listen to.
#[derive(clap::Args)]
pub(crate) struct ListenArguments {
    /// A WAV or FLAC file: each utterance's words with their times, and what becomes of it, in one conversation.
    #[arg(long, value_name = "FILE", conflicts_with = "mic")]
    wav: Option<PathBuf>,
    /// A microphone by its name; without one the default microphone (also without --mic).
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "default")]
    mic: Option<String>,
    /// The vehicle's speed in km/h, for the gates.
    #[arg(long, default_value_t = 0.0, value_name = "KMH")]
    speed: f32,
    /// The recogniser's model: whisper_tiny_en, or whisper_base.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The language that is spoken, by its code; another than English wants --model whisper_base.
    #[arg(long, value_name = "CODE", default_value_t)]
    language: Tongue,
}

/// Becomes the program that listens.
pub(crate) fn listen(arguments: &ListenArguments) -> anyhow::Result<()> {
    let mut options: Vec<OsString> = Vec::new();
    match &arguments.wav {
        Some(file) => options.extend(["--wav".into(), file.into()]),
        None => {
            let microphone = arguments.mic.as_deref().unwrap_or("default");
            options.extend(["--live".into(), "--microphone".into(), microphone.into()]);
        }
    }
    options.extend(["--speed".into(), arguments.speed.to_string().into()]);
    if let Some(model) = &arguments.model {
        options.extend(["--model".into(), model.into()]);
    }
    options.extend(["--language".into(), arguments.language.code().into()]);
    become_it(&options)
}

/// Scores recordings.
pub(crate) fn evaluate(table: &Path, json: Option<&Path>, language: Tongue) -> anyhow::Result<()> {
    let mut options: Vec<OsString> = vec!["--spoken".into(), table.into()];
    if language != Tongue::English {
        options.extend(["--language".into(), language.code().into()]);
        options.extend(["--model".into(), "whisper_base".into()]);
    }
    if let Some(file) = json {
        options.extend(["--report".into(), file.into()]);
    }
    become_it(&options)
}

fn become_it(options: &[OsString]) -> anyhow::Result<()> {
    let program = beside(PROGRAM)?;
    let error = Command::new(&program).args(options).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}

/// A program that stands beside this one.
pub(crate) fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let program = own.with_file_name(name);
    if !program.is_file() {
        bail!("the program {} is not there: build it with `cargo build --workspace`", program.display());
    }
    Ok(program)
}
