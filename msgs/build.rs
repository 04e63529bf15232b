//! Makes the Rust types from `msg/*.msg` (package `troika_msgs`), `ros/PKG/msg/*.msg` and `ros/PKG/srv/*.srv`; and, for the tests alone, those
//! of `tests/fixtures/msg`, which have a field of every kind.

use std::{env, error::Error, fs, path::Path};

use troika_msgs_codegen::{Interfaces, MsgFile, SrvFile, parse, parse_service, rust};

fn main() -> Result<(), Box<dyn Error>> {
    for folder in ["msg", "ros", "tests/fixtures"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    let out = env::var("OUT_DIR")?;
    let (mut files, mut services) = (Vec::new(), Vec::new());
    for package in fs::read_dir("ros")? {
        let package = package?;
        if package.file_type()?.is_dir() {
            let name = package.file_name().into_string().map_err(|n| format!("{n:?} is no package name"))?;
            read_package(&name, &package.path(), &mut files, &mut services)?;
        }
    }
    let mut fixtures = files.clone();
    read_package("troika_msgs", Path::new(""), &mut files, &mut services)?;
    let set = Interfaces::with_services(files, services)?;
    fs::write(Path::new(&out).join("types.rs"), rust::source(&set, &[])?)?;

    let known: Vec<String> = fixtures.iter().map(|f| f.package.clone()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    read_package("fixture_msgs", Path::new("tests/fixtures"), &mut fixtures, &mut Vec::new())?;
    fs::write(Path::new(&out).join("fixtures.rs"), rust::source(&Interfaces::new(fixtures)?, &known)?)?;
    Ok(())
}

fn read_package(
    package: &str,
    folder: &Path,
    messages: &mut Vec<MsgFile>,
    services: &mut Vec<SrvFile>,
) -> Result<(), Box<dyn Error>> {
    for kind in ["msg", "srv"] {
        let folder = folder.join(kind);
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|e| e != kind) {
                continue;
            }
            let name = path.file_stem().and_then(|s| s.to_str()).ok_or("a file name that is no text")?;
            let text = fs::read_to_string(&path)?;
            let told = |e| format!("{}: {e}", path.display());
            match kind {
                "msg" => messages.push(parse::parse(package, name, &text).map_err(told)?),
                _ => services.push(parse_service(package, name, &text).map_err(told)?),
            }
        }
    }
    Ok(())
}
