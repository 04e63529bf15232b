//! The names of the targets, one a line, `light` behind those that build within minutes; with `TARGET FOLDER`, a target's seeds as files of that folder, for libFuzzer.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, bail};
use troika_fuzz::{campaign, targets};

const USAGE: &str = "troika-fuzz-targets                  the names of the targets, one a line; `light`: it builds within minutes
troika-fuzz-targets TARGET FOLDER    a target's seeds as files of that folder (what is in it is deleted), for libFuzzer
";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [one] if one == "--help" || one == "-h" => print!("{USAGE}"),
        [] => {
            let light = |name| targets::LIGHT.into_iter().flatten().any(|target| target.name == name);
            for target in targets::all() {
                println!("{}{}", target.name, if light(target.name) { " light" } else { "" });
            }
        }
        [name, folder] => {
            let target = targets::named(name).with_context(|| format!("there is no target '{name}'"))?;
            let folder = PathBuf::from(folder);
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            for (number, (_, bytes)) in campaign::seeds(&target)?.iter().enumerate() {
                fs::write(folder.join(format!("{number:04}")), bytes)?;
            }
        }
        _ => bail!("wanted: nothing, or TARGET FOLDER\n{USAGE}"),
    }
    Ok(())
}
