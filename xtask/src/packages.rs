//! The Debian packages that building and running need. As root they are installed; otherwise the line is printed and the
//! user asked.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// What building and running the cabin system needs: a C++ compiler and cmake for whisper.cpp and llama.cpp, libclang for the latter's
/// bindings, ALSA for microphone and loudspeaker; pip says which Python registry this machine uses, for the models; espeak-ng makes
/// phonemes of what is to be said.
pub(crate) const RUN: &[&str] = &[
    "build-essential",
    "cmake",
    "libclang-dev",
    "pkg-config",
    "libasound2-dev",
    "ca-certificates",
    "python3-pip",
    "espeak-ng",
];

/// What the tests need besides: Python for the independent peers (one of them compiles its CDR against Python's headers), ffmpeg
/// for the camera's video files, valgrind for what is unsafe, Chromium for the fleet's page, systemd for a look at the units that ship, Gazebo's
/// transport library and its command-line peer, the SDF parser for the worlds. libclang makes the bindings of ROS 2's client library too.
pub(crate) const TEST: &[&str] = &[
    "build-essential",
    "cmake",
    "pkg-config",
    "libasound2-dev",
    "ca-certificates",
    "python3-pip",
    "espeak-ng",
    "python3-venv",
    "python3-dev",
    "ffmpeg",
    "libclang-dev",
    "valgrind",
    "chromium-headless-shell",
    "systemd",
    "libignition-transport-dev",
    "libignition-msgs-dev",
    "ignition-transport-cli",
    "libsdformat12-12",
    "sdformat-sdf",
];

/// Installs those of `wanted` that are missing.
pub(crate) fn ensure(wanted: &[&str]) -> anyhow::Result<()> {
    if !on_path("dpkg-query") {
        eprintln!("note: no dpkg here; make sure that these are installed: {}", wanted.join(" "));
        return Ok(());
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if is_root() {
        println!("system packages: {}", missing.join(" "));
        apt(&["update", "-qq"])?;
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&missing);
        return apt(&arguments);
    }
    println!("These system packages are missing. As root:\n\n    {line}\n");
    if !std::io::stdin().is_terminal() {
        bail!("system packages are missing: run `sudo {line}`, then this command again");
    }
    print!("Run it now with sudo? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if !answer.trim().eq_ignore_ascii_case("y") {
        bail!("system packages are missing: run `sudo {line}`, then this command again");
    }
    let mut arguments = vec!["apt-get", "install", "-y", "--no-install-recommends"];
    arguments.extend(&missing);
    succeed(Command::new("sudo").args(["apt-get", "update", "-qq"]))?;
    succeed(Command::new("sudo").args(&arguments))
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    succeed(
        Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null()),
    )
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout.ends_with(b"install ok installed"))
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a command; its failure is an error that names it.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!(
        "{} {}",
        command.get_program().to_string_lossy(),
        command.get_args().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
    );
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}
