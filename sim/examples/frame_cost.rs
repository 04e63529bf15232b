//! What a frame costs: `frame_cost [frames]` prints the median and the 99th percentile of processor time and of wall time,
//! by quality; of the driver, of a hand, and of a hand before the driver.

use std::{fs, time::Instant};
use troika_sim::{
    Camera, Frame, Light, Pose, Quality, Renderer,
    hand::{HandFrame, HandPose, HandScene, HandShapeName, HandShot, Placement},
};

fn main() {
    let frames: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(300);
    for quality in [Quality::Fast, Quality::Smooth] {
        let mut renderer = Renderer::new(Camera::default(), quality);
        let mut frame = Frame::default();
        measure(&format!("driver, {quality:?}"), frames, |n| renderer.render_into(&driver(n), &mut frame));
        let mut scene = HandScene::new(Camera::default(), quality);
        let mut frame = HandFrame::default();
        for before in [None, Some(())] {
            let what = if before.is_some() { "hand and driver" } else { "hand" };
            measure(&format!("{what}, {quality:?}"), frames, |n| {
                let (open, fist) =
                    (HandPose::named(HandShapeName::OpenPalm), HandPose::named(HandShapeName::Fist));
                let t = n as f32 / 30.0;
                let shot = HandShot {
                    identity: 0,
                    right: true,
                    light: Light::Day,
                    pose: open.between(&fist, t.sin().abs()),
                    placement: Some(Placement::around([0.1 * t.cos(), 0.0, 0.45], 0.0, 0.0, 0.0)),
                    driver: before.map(|()| driver(n)),
                    noise_seed: n as u64,
                };
                scene.render_into(&shot, &mut frame);
            });
        }
    }
}

fn driver(n: usize) -> Pose {
    let t = n as f32 / 30.0;
    Pose {
        head_yaw_deg: 30.0 * t.sin(),
        openness_left: (t * 3.0).sin().abs(),
        openness_right: (t * 3.0).sin().abs(),
        jaw_open: 0.3,
        noise_seed: n as u64,
        ..Pose::default()
    }
}

#[allow(clippy::disallowed_methods, reason = "measuring is what this is for")]
fn measure(what: &str, frames: usize, mut render: impl FnMut(usize)) {
    // The first one paints.
    render(0);
    let mut costs: [Vec<u128>; 2] = Default::default();
    for n in 0..frames {
        let (wall, processor) = (Instant::now(), on_processor_ns());
        render(n);
        costs[0].push((on_processor_ns() - processor) / 1000);
        costs[1].push(wall.elapsed().as_micros());
    }
    for (clock, micros) in ["processor", "wall"].iter().zip(&mut costs) {
        micros.sort_unstable();
        println!(
            "{what}, {clock} us: p50 {}, p99 {}",
            micros[micros.len() / 2],
            micros[micros.len() * 99 / 100]
        );
    }
}

/// This thread's time on a processor so far.
fn on_processor_ns() -> u128 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
