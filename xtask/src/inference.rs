//! `cargo xtask bench inference`: every network in tract as it is, in tract with our operators, in LiteRT and in ONNX Runtime, in turns.

use std::{
    fs,
    path::{Path, PathBuf, absolute},
    process::Command,
};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::{
    environments,
    packages::{self, succeed},
    steps::{keeps_memory, pull, root, say, set_up, target},
};

/// How it is measured.
#[derive(Args)]
pub(crate) struct Inference {
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Turns of each runtime with each network.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Runs of a turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    block: u32,
    /// Only these networks, with commas between them.
    #[arg(long)]
    only: Option<String>,
    /// Leave out what tf2onnx converts, tract as it is and ONNX Runtime on the `.tflite` networks: no TensorFlow (2 GB) is installed.
    #[arg(long)]
    without_conversion: bool,
}

/// Runs it.
pub(crate) fn run(arguments: &Inference) -> anyhow::Result<()> {
    let json = arguments.json.as_ref().map(absolute).transpose()?;
    set_up(packages::TEST)?;
    pull("test")?;
    let python = environments::inference()?;
    let onnx = absolute(target())?.join("inference-onnx");
    fs::create_dir_all(&onnx)?;
    let example = absolute(target().join("debug/examples/inference"))?;
    if !arguments.without_conversion {
        convert(&example, &onnx)?;
    }
    say("inference");
    let mut command = Command::new(example);
    command.arg(&python).arg(root().join("bench/inference_peer.py")).arg(&onnx);
    command.args(["--rounds", &arguments.rounds.to_string(), "--block", &arguments.block.to_string()]);
    if let Some(only) = &arguments.only {
        command.args(["--only", only]);
    }
    if let Some(json) = &json {
        command.arg("--json").arg(json);
    }
    succeed(keeps_memory(&mut command).current_dir(root()))
}

/// Puts the `.onnx` of each `.tflite` beside it in `place`, unless it is there and belongs to the same bytes: what it was made of, or else a
/// conversion.
fn convert(example: &Path, place: &Path) -> anyhow::Result<()> {
    succeed(Command::new(example).arg("export").arg(place))?;
    let mut networks = Vec::new();
    for entry in fs::read_dir(place)? {
        networks
            .extend(Some(entry?.path()).filter(|path| path.extension().is_some_and(|kind| kind == "tflite")));
    }
    for tflite in networks {
        let (onnx, stamp) = (tflite.with_extension("onnx"), tflite.with_extension("sha256"));
        let digest = environments::hash(std::slice::from_ref(&tflite))?;
        if onnx.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == digest) {
            continue;
        }
        // One of our own was made of an ONNX file, which lies beside it.
        let name = tflite.file_stem().unwrap_or_default();
        let made_of = root().join("models").join(name).join(name).with_extension("onnx");
        if made_of.is_file() {
            fs::copy(&made_of, &onnx)?;
            fs::write(&stamp, digest)?;
            continue;
        }
        let python = environments::conversion()?;
        say(&format!("tf2onnx: {}", tflite.display()));
        let part = tflite.with_extension("part.onnx");
        let mut tf2onnx = Command::new(python);
        tf2onnx.args(["-m", "tf2onnx.convert", "--opset", "13", "--tflite"]).arg(&tflite);
        let made = tf2onnx.arg("--output").arg(&part).output().context("cannot run tf2onnx")?;
        if !made.status.success() {
            // Last lines only: TensorFlow tells a lot before.
            let told = String::from_utf8_lossy(&made.stderr);
            let last: Vec<&str> = told.lines().rev().take(5).collect();
            bail!("tf2onnx ({}): {}", made.status, last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        fs::rename(&part, &onnx)?;
        fs::write(&stamp, digest)?;
    }
    Ok(())
}
