//! What belongs here: `troika record` and `troika play`, peers on the transport that write topics into MCAP files and put such files'
//! messages back, as `ros2 bag` does.

pub(crate) mod play;
pub(crate) mod record;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::system::problem::nearest;

/// The MCAP files of what was named: files, and folders of them (a bag of rosbag2 is one).
///
/// # Errors
/// There are none in one of the folders.
pub(crate) fn files(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for one in named {
        if !one.is_dir() {
            all.push(one.clone());
            continue;
        }
        let entries = std::fs::read_dir(one).with_context(|| format!("cannot read {}", one.display()))?;
        let mut inside = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "mcap") {
                inside.push(path);
            }
        }
        if inside.is_empty() {
            bail!("{} holds no .mcap file", one.display());
        }
        inside.sort();
        all.append(&mut inside);
    }
    Ok(all)
}

/// The topic that may have been meant by one that is not there.
fn nearest_topic<'a>(topic: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The last part tells topics of one namespace apart.
    let last = |topic: &'a str| topic.rsplit('/').next().unwrap_or(topic);
    let known: Vec<&str> = known.into_iter().collect();
    let wanted = topic.rsplit('/').next().unwrap_or(topic);
    let by_last = nearest(wanted, known.iter().map(|topic| last(topic)));
    let of_that = known.iter().copied().filter(|one| by_last.is_some_and(|near| last(one) == near));
    nearest(topic, of_that).or_else(|| nearest(topic, known.iter().copied()))
}
