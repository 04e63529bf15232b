//! Renders pictures to look at: `render_png <folder>` writes a sheet of faces, of lights and of poses.

use anyhow::{Context, Result};
use std::{fs::File, io::BufWriter, path::Path};
use troika_sim::{Camera, Frame, Light, Pose, Quality, Renderer, Wear};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: render_png <folder>")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let mut renderer = Renderer::new(Camera::default(), Quality::Smooth);
    for identity in 0..renderer.identities() {
        let name = renderer.identity_name(identity).unwrap_or("face").to_owned();
        let frame = renderer.render(&Pose { identity, ..Pose::default() });
        write(&folder.join(format!("face-{name}.png")), &frame)?;
    }
    for light in Light::ALL {
        let frame = renderer.render(&Pose { identity: 1, light, ..Pose::default() });
        write(&folder.join(format!("light-{light:?}.png")), &frame)?;
    }
    for (wears, identity) in Wear::ALL.into_iter().zip([0, 7, 1, 4, 3, 2]) {
        for (name, light) in [("day", Light::Day), ("night", Light::NightIr)] {
            let frame = renderer.render(&Pose { identity, light, wears, ..Pose::default() });
            write(&folder.join(format!("wears-{wears:?}-{name}.png")), &frame)?;
        }
    }
    let poses = [
        ("yaw-left", Pose { head_yaw_deg: 35.0, ..Pose::default() }),
        ("yaw-right", Pose { head_yaw_deg: -40.0, ..Pose::default() }),
        ("down", Pose { head_pitch_deg: -22.0, eye_pitch_deg: -15.0, ..Pose::default() }),
        ("up", Pose { head_pitch_deg: 15.0, ..Pose::default() }),
        ("roll", Pose { head_roll_deg: 15.0, ..Pose::default() }),
        ("eyes-left", Pose { eye_yaw_deg: 28.0, ..Pose::default() }),
        ("eyes-down", Pose { eye_pitch_deg: -25.0, ..Pose::default() }),
        ("eyes-up", Pose { eye_pitch_deg: 18.0, ..Pose::default() }),
        ("half", Pose { openness_left: 0.5, openness_right: 0.5, ..Pose::default() }),
        ("closed", Pose { openness_left: 0.0, openness_right: 0.0, ..Pose::default() }),
        ("wink", Pose { openness_left: 0.0, ..Pose::default() }),
        (
            "yawn",
            Pose { jaw_open: 1.0, openness_left: 0.25, openness_right: 0.25, brows: 0.4, ..Pose::default() },
        ),
        ("talk", Pose { jaw_open: 0.25, funnel: 0.3, smile: 0.2, ..Pose::default() }),
        ("smile", Pose { smile: 0.7, brows: 0.3, ..Pose::default() }),
        ("cover", Pose { cover: 1.0, ..Pose::default() }),
        ("lean", Pose { offset_m: [0.3, -0.1, 0.0], ..Pose::default() }),
    ];
    for (name, pose) in poses {
        write(&folder.join(format!("pose-{name}.png")), &renderer.render(&pose))?;
    }
    Ok(())
}

fn write(path: &Path, frame: &Frame) -> Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, frame.width as u32, frame.height as u32);
    encoder.set_color(if frame.channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&frame.data)?;
    Ok(())
}
