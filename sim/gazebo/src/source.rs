//! `troika-gazebo-source`: stands in for a simulation's camera and IMU where there is no Gazebo server, on Gazebo's transport. Each
//! message is numbered by its stamp (nanoseconds), so that whoever receives them can tell what is missing.

use std::io::{BufRead as _, stdin};

use anyhow::Context as _;
use clap::Parser;
use prost::Message as _;
use troika_gazebo::{peer, wire};
use troika_host::{HostClock, signal, sync::StopToken};
use troika_kit::{Duration, Time};

/// Publishes pictures and samples of an IMU as a simulated sensor would.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Pictures, in all.
    #[arg(long, default_value_t = 1_000)]
    images: u32,
    /// Pictures a second; 0: as fast as the transport takes them.
    #[arg(long, default_value_t = 30.0)]
    image_hz: f64,
    /// Samples of the IMU, in all.
    #[arg(long, default_value_t = 10_000)]
    samples: u32,
    /// Samples a second; 0: as fast as the transport takes them.
    #[arg(long, default_value_t = 200.0)]
    imu_hz: f64,
    /// Width of the picture, pixels, in grey.
    #[arg(long, default_value_t = 640)]
    width: u32,
    /// Height of the picture, pixels.
    #[arg(long, default_value_t = 480)]
    height: u32,
    /// Where the pictures go.
    #[arg(long, default_value = "/cabin/camera/image_raw")]
    image_topic: String,
    /// Where the samples go.
    #[arg(long, default_value = "/vehicle/imu")]
    imu_topic: String,
    /// Before it begins, sends messages with number 0 until a line comes on standard input: who listens shows itself to nobody here.
    #[arg(long)]
    wait: bool,
}

/// How often number 0 is sent.
const KNOCK: Duration = Duration::from_millis(20);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    let clock = HostClock::start();
    let mut node = peer::node(None)?;
    let mut images =
        peer::advertise_as(&mut node, "Image", &arguments.image_topic).context("--image-topic")?;
    let mut samples = peer::advertise_as(&mut node, "IMU", &arguments.imu_topic).context("--imu-topic")?;
    let (width, height) = (arguments.width, arguments.height);
    let pixels = u64::from(width) * u64::from(height);
    anyhow::ensure!((1..=1 << 28).contains(&pixels), "--width and --height: 1 to 2^28 pixels");
    let mut picture = wire::Image {
        width,
        height,
        step: width,
        data: (0..pixels).map(|at| (at % 251) as u8).collect(),
        pixel_format_type: wire::Pixel::LInt8 as i32,
        header: None,
    };
    let mut image = |number: u32| {
        picture.header = Some(header(number));
        images.send(&picture.encode_to_vec())
    };
    let mut sample = |number: u32| samples.send(&imu(number).encode_to_vec());
    if arguments.wait {
        let go = StopToken::new();
        let (told, begins) = (go.clone(), stop.clone());
        std::thread::spawn(move || {
            // An end of the input is a line too: whoever was to send it has gone.
            let _ = stdin().lock().read_line(&mut String::new());
            told.stop();
        });
        while !go.wait_for(KNOCK) && !begins.is_stopped() {
            image(0);
            sample(0);
        }
    }
    let begin = clock.now();
    let (mut next_image, mut next_sample, mut refused) = (1, 1, 0_u64);
    while !stop.is_stopped() {
        let due = |number: u32, most: u32, hz: f64| (number <= most).then(|| due(begin, number, hz));
        let image_due = due(next_image, arguments.images, arguments.image_hz);
        let sample_due = due(next_sample, arguments.samples, arguments.imu_hz);
        let image_first = match (image_due, sample_due) {
            (None, None) => break,
            (Some(image), Some(sample)) => image <= sample,
            (image, _) => image.is_some(),
        };
        let due = if image_first { image_due } else { sample_due }.unwrap_or(begin);
        if clock.now() < due {
            stop.wait_until(clock.to_monotonic(due));
        }
        let sent = if image_first { image(next_image) } else { sample(next_sample) };
        refused += u64::from(!sent);
        if image_first {
            next_image += 1;
        } else {
            next_sample += 1;
        }
    }
    let took_s = clock.now().since(begin).as_secs_f64();
    let told = serde_json::json!({
        "images": next_image - 1, "samples": next_sample - 1, "refused": refused, "took_s": took_s,
    });
    println!("{told}");
    // The library sends what it holds from threads of its own, and forgets it when the process ends.
    stop.wait();
    Ok(())
}

fn due(begin: Time, number: u32, hz: f64) -> Time {
    if hz > 0.0 { begin + Duration::from_secs_f64(f64::from(number - 1) / hz) } else { begin }
}

fn header(number: u32) -> wire::Header {
    wire::Header { stamp: Some(wire::Time { sec: 0, nsec: number as i32 }), data: Vec::new() }
}

fn imu(number: u32) -> wire::Imu {
    let n = f64::from(number);
    wire::Imu {
        header: Some(header(number)),
        orientation: Some(wire::Quaternion { x: 0.0, y: 0.0, z: 0.0, w: 1.0 }),
        angular_velocity: Some(wire::Vector3d { x: 0.0, y: 0.0, z: 0.001 * n }),
        linear_acceleration: Some(wire::Vector3d { x: 0.5 * n, y: 0.0, z: 9.81 }),
        ..wire::Imu::default()
    }
}
