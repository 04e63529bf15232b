//! What `--record FOLDER --raw` writes: every picture of the cabin, into the file of each process that sends or sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, bail};
use troika_camera::{Config, Source as Camera};
use troika_kit::{Message as _, counted};
use troika_msgs::sensor_msgs::Image;

use crate::{
    kind::live_outputs,
    kinds,
    system::{self, Source, System, check::topic_of},
};

/// A picture of the simulated cameras, and of a real one unless its parameters say otherwise: 640 x 480 pixels of three bytes, 30 a second.
const USUAL: u64 = 640 * 480 * 3 * 30;
/// With room for less than that, nothing is recorded.
const LEAST_S: u64 = 60;
const MB: u64 = 1_000_000;

/// How many bytes of pictures a second go into the files of how many processes, before they are compressed.
fn written(source: &Source, system: &System) -> (u64, usize) {
    let (mut sent, mut files) = (BTreeMap::new(), BTreeSet::new());
    for (name, node) in &system.nodes {
        let node = node.get_ref();
        // A program of its own is not recorded.
        let Some(kind) = kinds::find(node.kind.get_ref()).filter(|kind| kind.program().is_none()) else {
            continue;
        };
        for output in live_outputs(kind, &source.text, name).filter(|port| port.ty.name == Image::TYPE.name) {
            sent.insert(topic_of(node, output), of_camera(kind.name(), &source.text, name));
            files.insert((node.process.as_str(), topic_of(node, output)));
        }
        for input in kind.inputs().iter().filter(|port| port.ty.name == Image::TYPE.name) {
            files.insert((node.process.as_str(), topic_of(node, input)));
        }
    }
    // Of a topic that somebody else publishes it is not known; one of the usual pictures stands for it.
    let rate = files.iter().map(|(_, topic)| sent.get(topic).copied().unwrap_or(USUAL)).sum();
    let processes: BTreeSet<_> = files.iter().map(|(process, _)| process).collect();
    (rate, processes.len())
}

fn of_camera(kind: &str, text: &str, name: &str) -> u64 {
    if kind != "camera" {
        return USUAL;
    }
    match system::read_params::<Config>(text, name).map(|config| config.source) {
        Ok(Camera::V4l2(of)) => u64::from(of.width) * u64::from(of.height) * 3 * u64::from(of.rate),
        _ => USUAL,
    }
}

/// Says what will be written, before anything is; and refuses where the disk has no room for a minute of it, or for the whole run where
/// that is shorter.
///
/// # Errors
/// There is too little room, or it cannot be told how much there is.
pub(super) fn announce(
    folder: &Path,
    source: &Source,
    system: &System,
    seconds: Option<u64>,
) -> anyhow::Result<()> {
    let disk = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot tell the room that {} has", folder.display()))?;
    let told = told(written(source, system), disk.f_bavail.saturating_mul(disk.f_frsize), seconds, folder)?;
    if let Some(told) = told {
        tell!("notice: {told}");
    }
    Ok(())
}

fn told(
    (rate, processes): (u64, usize),
    room: u64,
    seconds: Option<u64>,
    folder: &Path,
) -> anyhow::Result<Option<String>> {
    if rate == 0 {
        return Ok(None);
    }
    let folder = folder.display();
    let what = format!(
        "--raw records every picture of the cabin: up to {} MB a second, {:.1} GB a minute",
        rate.div_ceil(MB),
        rate as f64 * 60.0 / 1e9
    );
    let lasts = room / rate;
    if lasts < seconds.map_or(LEAST_S, |seconds| seconds.min(LEAST_S)) {
        bail!(
            "{what}; the disk of {folder} has room for {}: make room, give --record a folder elsewhere, or leave --raw out",
            counted(lasts, "second")
        );
    }
    let minutes = counted(lasts / 60, "minute");
    let files = if processes == 1 { "one process".to_owned() } else { format!("{processes} processes") };
    Ok(Some(format!("{what}, in the files of {files}; the disk of {folder} has room for {minutes} of that")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_has_no_room_for_a_minute_is_refused_unless_the_run_is_shorter() {
        let told = |room, seconds| told((10 * MB, 2), room, seconds, Path::new("/disk"));
        let fine = told(1_260 * MB, None).expect("room").expect("there are pictures");
        assert!(
            fine.contains("up to 10 MB a second, 0.6 GB a minute, in the files of 2 processes"),
            "{fine}"
        );
        assert!(fine.contains("/disk has room for 2 minutes"), "{fine}");
        let refused = told(590 * MB, None).expect_err("no room").to_string();
        assert!(refused.contains("room for 59 seconds: make room"), "{refused}");
        assert!(told(590 * MB, Some(30)).is_ok());
        assert!(told(290 * MB, Some(30)).is_err());
        assert!(super::told((0, 0), 0, None, Path::new("/disk")).expect("no pictures").is_none());
    }

    #[test]
    fn a_picture_is_counted_for_each_process_that_sends_or_sees_it() {
        let text = "[system]\nname = \"s\"\n[nodes.camera]\nkind = \"camera\"\nprocess = \"ends\"\n\
                    [nodes.camera.params]\nsource = { kind = \"v4l2\", device = \"/dev/video0\", width = 100, height = 10, rate = 10 }\n\
                    [nodes.driver_state]\nkind = \"driver_state\"\nprocess = \"cabin\"\n\
                    [nodes.gesture]\nkind = \"gesture\"\nprocess = \"cabin\"\n\
                    [nodes.driver_monitor]\nkind = \"driver_monitor\"\nprocess = \"other\"\n";
        let system = system::parse(text).expect("it is one");
        let source = Source { path: "s.toml".into(), text: text.into() };
        assert_eq!(written(&source, &system), (2 * 100 * 10 * 3 * 10, 2));
    }
}
