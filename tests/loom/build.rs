//! Copies the sources of `rtrb` and `triple_buffer`, the versions that the product is built with, and puts loom's atomics in the
//! place of core's. Nothing else is changed but what an included file cannot have (inner attributes and inner docs).

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-changed=../../Cargo.lock");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let product = fs::read_to_string("../../Cargo.lock").expect("the product's Cargo.lock");
    // Of this platform alone: a new machine has downloaded nothing that only another one needs.
    let metadata = Command::new(env::var_os("CARGO").expect("cargo sets it"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"])
        .arg(env::var_os("TARGET").expect("cargo sets it"))
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata = String::from_utf8(metadata.stdout).expect("text");
    for (name, version) in [("rtrb", "0.4.1"), ("triple_buffer", "9.0.0")] {
        let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(product.contains(&locked), "the product uses another {name} than {version}");
        let from = source(&metadata, &format!("{name}-{version}"));
        let into = out.join(name);
        fs::create_dir_all(&into).expect("a folder");
        let mut replaced = 0;
        for file in
            fs::read_dir(&from).expect("the library's sources").map(|file| file.expect("a file").path())
        {
            let text = fs::read_to_string(&file).expect("a source file");
            let loomed = over_loom(&text).replace("crate::", &format!("crate::loomed::{name}::"));
            replaced += usize::from(loomed.contains("loom::sync::atomic"));
            fs::write(into.join(file.file_name().expect("a name")), loomed).expect("written");
        }
        assert!(replaced > 0, "{name} has atomics in another place than was known");
    }
}

/// Where a package's sources are.
fn source(metadata: &str, package: &str) -> PathBuf {
    let end = metadata.find(&format!("{package}/Cargo.toml\"")).expect("a dependency of ours");
    let start = metadata[..end].rfind('"').expect("the path's begin") + 1;
    Path::new(&metadata[start..end]).join(package).join("src")
}

fn over_loom(text: &str) -> String {
    // Its own tests run over core's atomics, in its own repository.
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let mut lines: Vec<&str> = Vec::new();
    let mut inside_attribute = false;
    for line in code.lines() {
        let start = line.trim_start();
        inside_attribute |= start.starts_with("#![");
        if inside_attribute {
            inside_attribute = !line.trim_end().ends_with(']');
        } else if !(start.starts_with("//!") || start.starts_with("extern crate alloc")) {
            lines.push(line);
        }
    }
    // The doc of its tests, which are cut off.
    while lines.last().is_some_and(|line| line.is_empty() || line.starts_with("//")) {
        lines.pop();
    }
    lines
        .join("\n")
        .replace("core::sync::atomic", "loom::sync::atomic")
        .replace("use alloc::", "use std::")
        // triple_buffer names it inside a group.
        .replace(
            "    sync::atomic::{AtomicU8, Ordering},\n};",
            "};\nuse loom::sync::atomic::{AtomicU8, Ordering};",
        )
}
