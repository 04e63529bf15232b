//! What a frame costs: `frame_cost [frames]` prints the median and the 99th percentile of processor time and of wall time,
//! by quality.

use std::{fs, time::Instant};
use troika_sim::{Camera, Frame, Pose, Quality, Renderer};

#[allow(clippy::disallowed_methods, reason = "measuring is what this is for")]
fn main() {
    let frames: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(300);
    for quality in [Quality::Fast, Quality::Smooth] {
        let mut renderer = Renderer::new(Camera::default(), quality);
        let mut frame = Frame::default();
        renderer.render_into(&Pose::default(), &mut frame);
        let mut costs: [Vec<u128>; 2] = Default::default();
        for n in 0..frames {
            let t = n as f32 / 30.0;
            let pose = Pose {
                head_yaw_deg: 30.0 * t.sin(),
                openness_left: (t * 3.0).sin().abs(),
                openness_right: (t * 3.0).sin().abs(),
                jaw_open: 0.3,
                noise_seed: n as u64,
                ..Pose::default()
            };
            let (wall, processor) = (Instant::now(), on_processor_ns());
            renderer.render_into(&pose, &mut frame);
            costs[0].push((on_processor_ns() - processor) / 1000);
            costs[1].push(wall.elapsed().as_micros());
        }
        for (clock, micros) in ["processor", "wall"].iter().zip(&mut costs) {
            micros.sort_unstable();
            println!(
                "{quality:?}, {clock} us: p50 {}, p99 {}",
                micros[micros.len() / 2],
                micros[micros.len() * 99 / 100]
            );
        }
    }
}

/// This thread's time on a processor so far.
fn on_processor_ns() -> u128 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
