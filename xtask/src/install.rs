//! `cargo xtask install`: Troika as a ROS 2 package in a prefix of its own: `ros2 run troika …` and `ros2 launch troika …` find it
//! once the prefix is in `AMENT_PREFIX_PATH`. Files of an earlier install are replaced, and nothing else is touched.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use clap::Args;

use crate::{
    packages,
    steps::{built, root, say, set_up},
};

/// Where to.
#[derive(Args)]
pub(crate) struct Install {
    /// The prefix; it is made if it is not there.
    #[arg(long, value_name = "FOLDER")]
    prefix: PathBuf,
}

/// What runs a system; speech and the language model stand beside `troika`.
const PROGRAMS: [&str; 6] =
    ["troika", "troika-voice", "troika-slm", "troika-bridge", "troika-uplink", "troika-gateway"];
/// From the checkout to `share/troika`. What system files name stands where they look for it: in the folder that `troika` is
/// called in, which the launch files make this one.
const SHARED: [(&str, &str); 8] = [
    ("LICENSE", "LICENSE"),
    ("launch/ros/README.md", "README.md"),
    ("launch/ros/REFERENCE.md", "REFERENCE.md"),
    ("launch/ros/package.xml", "package.xml"),
    ("launch/ros/driver_state.yaml", "config/driver_state.yaml"),
    ("launch/systems", "launch/systems"),
    ("sim/scenarios", "sim/scenarios"),
    ("nodes/voice/fixtures/speech", "nodes/voice/fixtures/speech"),
];
const LAUNCH_FILES: &str = "launch/ros";

/// Builds and lays out.
pub(crate) fn run(install: &Install) -> anyhow::Result<()> {
    // A relative path is the caller's, not the checkout's.
    let prefix = std::path::absolute(&install.prefix)?;
    set_up(packages::RUN)?;
    say(&format!("install to {}", prefix.display()));
    let listed = Command::new(built("troika")).args(["graph", "--kinds"]).current_dir(root()).output()?;
    let kinds = kinds(&String::from_utf8_lossy(&listed.stdout));
    anyhow::ensure!(!kinds.is_empty(), "troika graph --kinds lists no kinds");
    let programs = PROGRAMS.map(built);
    lay_out(&programs, &kinds, &prefix)?;
    println!(
        "export AMENT_PREFIX_PATH={}:$AMENT_PREFIX_PATH\nros2 run troika troika models pull --set demo\nros2 launch troika \
         cabin.launch.py",
        prefix.display()
    );
    Ok(())
}

/// The kinds' names in what `troika graph --kinds` prints: a line each, and indented lines of their levels.
fn kinds(listed: &str) -> Vec<String> {
    let lines = listed.lines().filter(|line| !line.starts_with(' '));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn lay_out(programs: &[PathBuf], kinds: &[String], prefix: &Path) -> anyhow::Result<()> {
    let (lib, share) = (prefix.join("lib/troika"), prefix.join("share/troika"));
    for program in programs {
        copy(program, &lib.join(program.file_name().unwrap_or_default()))?;
    }
    for kind in kinds {
        let link = lib.join(kind);
        clear(&link)?;
        symlink("troika", &link).with_context(|| format!("cannot link {}", link.display()))?;
    }
    for (from, to) in SHARED {
        copy(&root().join(from), &share.join(to))?;
    }
    for entry in fs::read_dir(root().join(LAUNCH_FILES))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".launch.py") {
            copy(&path, &share.join("launch").join(path.file_name().unwrap_or_default()))?;
        }
    }
    let index = prefix.join("share/ament_index/resource_index/packages");
    fs::create_dir_all(&index)?;
    fs::write(index.join("troika"), "").with_context(|| format!("cannot write into {}", index.display()))
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
            let path = entry?.path();
            copy(&path, &to.join(path.file_name().unwrap_or_default()))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    // A program that runs cannot be written over, but another can take its name.
    clear(to)?;
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn clear(path: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display())),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A prefix with programs that are none.
    struct Prefix(PathBuf);

    impl Prefix {
        fn new(name: &str) -> Prefix {
            let folder = std::env::temp_dir().join(format!("troika-install-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let programs = PROGRAMS.map(|program| folder.join(program));
            programs.iter().for_each(|program| fs::write(program, program.display().to_string()).unwrap());
            let prefix = folder.join("prefix");
            let kinds = ["camera", "driver_state"].map(str::to_owned);
            // Twice: an older one is replaced.
            lay_out(&programs, &kinds, &prefix).unwrap();
            lay_out(&programs, &kinds, &prefix).unwrap();
            Prefix(folder)
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.join("prefix").join(path)
        }
    }

    impl Drop for Prefix {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_prefix_is_what_ament_looks_for() {
        let prefix = Prefix::new("ament");
        for file in [
            "share/ament_index/resource_index/packages/troika",
            "share/troika/package.xml",
            "share/troika/launch/cabin.launch.py",
            "share/troika/launch/driver_state.launch.py",
            "share/troika/config/driver_state.yaml",
            "lib/troika/troika-voice",
        ] {
            assert!(prefix.at(file).is_file(), "{file}");
        }
        assert_eq!(fs::read_link(prefix.at("lib/troika/driver_state")).unwrap(), Path::new("troika"));
        assert!(fs::read_to_string(prefix.at("lib/troika/driver_state")).unwrap().ends_with("/troika"));
    }

    #[test]
    fn files_that_the_cabin_names_are_where_it_looks_for_them() {
        let prefix = Prefix::new("cabin");
        let text = fs::read_to_string(prefix.at("share/troika/launch/systems/cabin.toml")).unwrap();
        let quoted = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.split('"').skip(1).step_by(2));
        let named: Vec<&str> = quoted.filter(|path| root().join(path).exists()).collect();
        assert!(named.len() >= 2, "{named:?}");
        for path in named {
            assert!(prefix.at("share/troika").join(path).exists(), "{path}");
        }
    }

    #[test]
    fn kinds_are_read_from_their_list() {
        let listed = "camera           frames\ndriver_state     faces\n                 levels: full, lite\n";
        assert_eq!(kinds(listed), ["camera", "driver_state"]);
    }

    #[test]
    fn launch_files_are_python() {
        for file in fs::read_dir(root().join(LAUNCH_FILES)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "py") {
                let parse = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
                let status = Command::new("python3").args(["-c", parse]).arg(&path).status().unwrap();
                assert!(status.success(), "{}", path.display());
            }
        }
    }
}
