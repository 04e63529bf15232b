//! Puts every `models/<name>/model.toml`, and the golden values and weights that lie beside it, into the binary, so that an
//! installed `troika` needs no checkout.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("..").canonicalize()?;
    // Not `models/` as a whole, whose every README would have all that depends on this built again. A folder that is new is found when this file is
    // touched; a test of the passports says so.
    println!("cargo::rerun-if-changed=build.rs");
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)?.filter_map(|e| Some(e.ok()?.path())).collect();
    folders.retain(|f| f.join("model.toml").is_file());
    folders.sort();
    let mut code = String::from("pub(crate) static CATALOGUE: &[Entry] = &[\n");
    for folder in folders {
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)?.filter_map(|e| Some(e.ok()?.path())).collect();
        let passport = folder.join("model.toml");
        println!("cargo::rerun-if-changed={}", passport.display());
        let told = fs::read_to_string(&passport)?;
        // What a network was made of may lie there too.
        files.retain(|f| {
            let named = f.file_name().is_some_and(|n| told.contains(&format!("{:?}", n.to_string_lossy())));
            named && ["f32", "onnx", "tflite", "bin"].iter().any(|e| f.extension().is_some_and(|x| x == *e))
        });
        files.sort();
        let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let _ = writeln!(
            code,
            "    Entry {{ folder: {:?}, passport: include_str!({passport:?}), files: &[",
            name(&folder)
        );
        for file in files {
            println!("cargo::rerun-if-changed={}", file.display());
            let _ = writeln!(code, "        ({:?}, include_bytes!({file:?})),", name(&file));
        }
        code.push_str("    ] },\n");
    }
    code.push_str("];\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("catalogue.rs"), code)
}
