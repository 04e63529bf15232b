//! Makes the Rust types from `msg/*.msg` (package `troika_msgs`) and `ros/PKG/msg/*.msg`; and, for the tests alone, those
//! of `tests/fixtures/msg`, which have a field of every kind.

use std::{env, error::Error, fs, path::Path};

use troika_msgs_codegen::{Interfaces, MsgFile, parse, rust};

fn main() -> Result<(), Box<dyn Error>> {
    for folder in ["msg", "ros", "tests/fixtures"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    let out = env::var("OUT_DIR")?;
    let mut files = Vec::new();
    for package in fs::read_dir("ros")? {
        let package = package?;
        if package.file_type()?.is_dir() {
            let name = package.file_name().into_string().map_err(|n| format!("{n:?} is no package name"))?;
            read_package(&name, &package.path().join("msg"), &mut files)?;
        }
    }
    let mut fixtures = files.clone();
    read_package("troika_msgs", Path::new("msg"), &mut files)?;
    fs::write(Path::new(&out).join("types.rs"), rust::source(&Interfaces::new(files)?, &[])?)?;

    let known: Vec<String> = fixtures.iter().map(|f| f.package.clone()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    read_package("fixture_msgs", Path::new("tests/fixtures/msg"), &mut fixtures)?;
    fs::write(Path::new(&out).join("fixtures.rs"), rust::source(&Interfaces::new(fixtures)?, &known)?)?;
    Ok(())
}

fn read_package(package: &str, folder: &Path, into: &mut Vec<MsgFile>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "msg") {
            let name = path.file_stem().and_then(|s| s.to_str()).ok_or("a file name that is no text")?;
            let file = parse::parse(package, name, &fs::read_to_string(&path)?)
                .map_err(|e| format!("{}: {e}", path.display()))?;
            into.push(file);
        }
    }
    Ok(())
}
