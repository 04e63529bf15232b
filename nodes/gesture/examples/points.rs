//! What the node sees in pictures, for `sim/check_hands.py`: `points FOLDER [--video]` looks at the PNG files of a folder in their
//! names' order and writes `ours.jsonl` beside them, one line a picture: file, points in pixels (none without a hand), right or
//! left. Without `--video` each picture stands alone; with it they are one camera's frames, 30 a second.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use troika_gesture::{config::Config, node::GestureNode};
use troika_kit::Time;
use troika_msgs::{sensor_msgs::Image, std_msgs::Header, troika::Gesture};

/// Frames that a hand takes to be followed: the picture is taken, the palm found, the hand read.
const SHOWN: usize = 3;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (folder, video) = match words[..] {
        [folder] => (Path::new(folder), false),
        [folder, "--video"] => (Path::new(folder), true),
        _ => bail!("usage: points FOLDER [--video]"),
    };
    let config = Config { landmarks: true, commands: false, ..Config::default() };
    let mapping = config.mapping(|path| std::fs::read_to_string(path))?;
    let mut node = GestureNode::open(&config, mapping, &troika_models::Store::open_default()?)?;
    ensure!(!node.model().starts_with("unavailable"), "{}", node.model());

    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
    files.sort();
    let mut out = BufWriter::new(File::create(folder.join("ours.jsonl"))?);
    let mut frames = 0;
    for file in &files {
        let image = read(file)?;
        let mut look = |image: &Image| {
            frames += 1;
            let header = Header::at(Time::from_nanos(1_000_000_000 + frames * 33_333_333));
            Ok::<_, anyhow::Error>(node.look(&Image { header, ..image.clone() }, Time::ZERO)?.0)
        };
        let said = if video {
            look(&image)?
        } else {
            let alone = stand_alone(&image, &mut look)?;
            // The node forgets a hand when it is gone, so that the next picture is searched anew.
            let empty = Image { data: vec![0; image.data.len()], ..image.clone() };
            while look(&empty)?.hand_detected {}
            alone
        };
        writeln!(out, "{}", line(file, &image, &said))?;
    }
    Ok(())
}

/// What is said of a still picture after as many frames as it takes.
fn stand_alone(image: &Image, look: &mut impl FnMut(&Image) -> Result<Gesture>) -> Result<Gesture> {
    let mut said = look(image)?;
    // The first frame may be one in which nothing is looked for.
    for _ in 0..SHOWN + 1 {
        if said.hand_detected {
            break;
        }
        said = look(image)?;
    }
    Ok(said)
}

fn line(file: &Path, image: &Image, said: &Gesture) -> serde_json::Value {
    let (w, h) = (image.width as f32, image.height as f32);
    // A fraction counts from the picture's edge, a pixel's place from the first pixel's middle.
    let points: Vec<[f32; 2]> =
        said.landmarks.chunks_exact(2).map(|xy| [xy[0] * w - 0.5, xy[1] * h - 0.5]).collect();
    serde_json::json!({
        "file": file.file_name().map(|name| name.to_string_lossy()),
        "points": Some(points).filter(|points| !points.is_empty()),
        "hand": match said.handedness {
            Gesture::RIGHT => Some("right"),
            Gesture::LEFT => Some("left"),
            _ => None,
        },
    })
}

fn read(path: &Path) -> Result<Image> {
    let file = BufReader::new(File::open(path)?);
    let mut reader = png::Decoder::new(file).read_info()?;
    let mut data = vec![0; reader.output_buffer_size().context("the picture is too large")?];
    let info = reader.next_frame(&mut data)?;
    let encoding = match (info.color_type, info.bit_depth) {
        (png::ColorType::Rgb, png::BitDepth::Eight) => "rgb8",
        (png::ColorType::Grayscale, png::BitDepth::Eight) => "mono8",
        other => bail!("{}: {other:?} is no picture of render_hand", path.display()),
    };
    data.truncate(info.buffer_size());
    Ok(Image {
        width: info.width,
        height: info.height,
        step: info.line_size as u32,
        encoding: encoding.into(),
        data,
        ..Image::default()
    })
}
