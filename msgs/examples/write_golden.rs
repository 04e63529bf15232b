//! Writes the golden messages as this crate encodes them, for other implementations to read (`tests/interop`):
//! `cargo run -p troika-msgs --example write_golden -- DIR` makes `DIR/PACKAGE.NAME.cdr`, its value as
//! `DIR/PACKAGE.NAME.json`, and `DIR/hashes.json` with the name and hash of every type.

use std::{env, error::Error, fs, path::PathBuf};

use serde_json::Value;
use troika_msgs::dynamic;

/// Made by rosbags (`tests/golden/make.py`); the big-endian bytes are read, so that what is written is our own.
const GOLDEN: &str = include_str!("../tests/golden/cdr.json");

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("which folder to write into?")?);
    fs::create_dir_all(&folder)?;
    let golden: Vec<Value> = serde_json::from_str(GOLDEN)?;
    let mut out = Vec::new();
    let mut hashes = serde_json::Map::new();
    for entry in dynamic::all() {
        let name = entry.info().name;
        let one =
            golden.iter().find(|one| one["type"] == name).ok_or_else(|| format!("{name} has no value"))?;
        let big = bytes(one["big"].as_str().ok_or("bytes that are no text")?)?;
        entry.recode(&big, &mut out)?;
        let stem = name.replace("/msg/", ".");
        fs::write(folder.join(format!("{stem}.cdr")), &out)?;
        fs::write(folder.join(format!("{stem}.json")), serde_json::to_vec(&entry.to_json(&out)?)?)?;
        hashes.insert(name.to_owned(), entry.info().hash.into());
    }
    fs::write(folder.join("hashes.json"), serde_json::to_vec(&hashes)?)?;
    println!("{} messages in {}", hashes.len(), folder.display());
    Ok(())
}

fn bytes(hex: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16)).collect()
}
