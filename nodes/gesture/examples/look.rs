//! Looks at pictures as the node does: `look PICTURE.ppm [FRAMES]` prints, for each frame, what is said; then how long a frame
//! took by the network that it ran. A picture is a binary PPM (P6) or PGM (P5).
#![allow(clippy::disallowed_methods, reason = "measures frames; nothing of it reaches the node")]

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use troika_gesture::{config::Config, node::GestureNode};
use troika_kit::Time;
use troika_msgs::{sensor_msgs::Image, std_msgs::Header};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let file = args.next().context("usage: look PICTURE.ppm [FRAMES]")?;
    let frames: u64 = args.next().map_or(Ok(30), |count| count.parse())?;
    let config = Config { landmarks: true, ..Config::default() };
    let mapping = config.mapping(|path| std::fs::read_to_string(path))?;
    let mut node = GestureNode::open(&config, mapping, &troika_models::Store::open_default()?)?;
    println!("{}", node.model());
    let mut image = read(&file)?;
    let mut times = [Vec::new(), Vec::new()];
    for i in 0..frames {
        image.header = Header::at(Time::from_nanos(1_000_000_000 + i * 33_333_333));
        let start = Instant::now();
        let (said, command) = node.look(&image, Time::ZERO)?;
        let took = start.elapsed().as_secs_f64() * 1e3;
        times[usize::from(said.hand_detected)].push(took);
        println!(
            "{i}: kind {} phase {} confidence {:.2} presence {:.2} hand {} {took:.1} ms {:?}",
            said.kind,
            said.phase,
            said.confidence,
            said.hand_presence,
            said.handedness,
            command.map(|command| command.function)
        );
        if i + 1 == frames {
            let (w, h) = (image.width as f32, image.height as f32);
            let points: Vec<_> = said.landmarks.chunks_exact(2).map(|xy| [xy[0] * w, xy[1] * h]).collect();
            println!("points {points:?}");
        }
    }
    for (name, times) in ["looked for a palm", "followed a hand"].iter().zip(&mut times) {
        // Frames in which neither network ran are not of interest.
        times.retain(|took| *took > 6.0);
        times.sort_by(f64::total_cmp);
        if let (Some(middle), Some(most)) = (times.get(times.len() / 2), times.last()) {
            println!("{name}: n {}, p50 {middle:.1} ms, max {most:.1} ms", times.len());
        }
    }
    Ok(())
}

fn read(file: &str) -> Result<Image> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let mut words = bytes.split(|byte| byte.is_ascii_whitespace()).take(4).map(String::from_utf8_lossy);
    let mut word = || words.next().context("the header ends early");
    let channels = match word()?.as_ref() {
        "P6" => 3,
        "P5" => 1,
        other => anyhow::bail!("{other} is neither P5 nor P6"),
    };
    let (width, height): (u32, u32) = (word()?.parse()?, word()?.parse()?);
    let length = (width * height * channels) as usize;
    ensure!(bytes.len() > length, "the picture ends early");
    Ok(Image {
        width,
        height,
        step: width * channels,
        encoding: if channels == 3 { "rgb8" } else { "mono8" }.into(),
        data: bytes[bytes.len() - length..].to_vec(),
        ..Image::default()
    })
}
