//! Makes the Rust types from `msg/*.msg` (package `troika_msgs`) and `ros/PKG/msg/*.msg`.

use std::{env, error::Error, fs, path::Path};

use troika_msgs_codegen::{Interfaces, MsgFile, parse, rust};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=msg");
    println!("cargo:rerun-if-changed=ros");
    let mut files = Vec::new();
    read_package("troika_msgs", Path::new("msg"), &mut files)?;
    for package in fs::read_dir("ros")? {
        let package = package?;
        if package.file_type()?.is_dir() {
            let name = package.file_name().into_string().map_err(|n| format!("{n:?} is no package name"))?;
            read_package(&name, &package.path().join("msg"), &mut files)?;
        }
    }
    let source = rust::source(&Interfaces::new(files)?)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("types.rs"), source)?;
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
