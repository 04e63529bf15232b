//! Prints how long encoding and decoding take, beside a plain copy of as many bytes:
//! `cargo run -p troika-msgs --example codec_speed`.
#![expect(clippy::disallowed_methods, reason = "measures with the machine's clock")]

use std::{hint::black_box, time::Instant};

use troika_kit::Message;
use troika_msgs::{sensor_msgs::Image, troika::DriverState};

const ROUNDS: usize = 501;

/// The median of many rounds, in microseconds.
fn median(mut f: impl FnMut()) -> f64 {
    let mut times: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2] as f64 / 1000.0
}

fn main() {
    let image = Image { data: vec![7; 1 << 20], ..Default::default() };
    let state = DriverState { landmarks: vec![0.5; 956], ..Default::default() };
    let mut out = Vec::new();
    let mut copy = vec![0; image.data.len()];
    println!(
        "1 MiB into a used buffer, copied: {:8.1} us",
        median(|| copy.copy_from_slice(black_box(&image.data)))
    );
    println!("1 MiB into a new buffer, copied:  {:8.1} us", median(|| drop(black_box(image.data.clone()))));
    measure("Image of 1 MiB", &image, &mut out);
    measure("DriverState with 956 landmark numbers", &state, &mut out);
}

fn measure<T: Message>(name: &str, value: &T, out: &mut Vec<u8>) {
    println!("{name}: encode {:.1} us", median(|| black_box(value).encode(out).unwrap_or_default()));
    println!("{name}: decode {:.1} us", median(|| drop(black_box(T::decode(black_box(out))))));
}
