//! The names of the targets, one a line; with `TARGET FOLDER`, a target's seeds as files of that folder, for libFuzzer.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, bail};
use troika_fuzz::{campaign, targets};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [] => targets::all().for_each(|target| println!("{}", target.name)),
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
        _ => bail!("wanted: nothing, or TARGET FOLDER"),
    }
    Ok(())
}
