//! What a frame costs: `frame_cost [frames]` prints the median and the 99th percentile, by quality.

use std::time::Instant;
use troika_sim::{Camera, Frame, Pose, Quality, Renderer};

#[allow(clippy::disallowed_methods, reason = "measuring is what this is for")]
fn main() {
    let frames: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(300);
    for quality in [Quality::Fast, Quality::Smooth] {
        let mut renderer = Renderer::new(Camera::default(), quality);
        let mut frame = Frame::default();
        renderer.render_into(&Pose::default(), &mut frame);
        let mut micros: Vec<u128> = (0..frames)
            .map(|n| {
                let t = n as f32 / 30.0;
                let pose = Pose {
                    head_yaw_deg: 30.0 * t.sin(),
                    openness_left: (t * 3.0).sin().abs(),
                    openness_right: (t * 3.0).sin().abs(),
                    jaw_open: 0.3,
                    noise_seed: n as u64,
                    ..Pose::default()
                };
                let start = Instant::now();
                renderer.render_into(&pose, &mut frame);
                start.elapsed().as_micros()
            })
            .collect();
        micros.sort_unstable();
        println!(
            "{quality:?}: p50 {} us, p99 {} us",
            micros[micros.len() / 2],
            micros[micros.len() * 99 / 100]
        );
    }
}
