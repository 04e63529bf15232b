//! Thread time of one run of each network, in milliseconds: median and 99th percentile of 200 runs on this thread.

use rustix::time::{ClockId, clock_gettime};
use troika_models::{Store, golden};

fn thread_ms() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open_default()?;
    for passport in store.passports().iter().filter(|p| p.is_network()) {
        let mut network = store.network(&passport.name)?;
        let inputs = golden::inputs(&passport.inputs, 1);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut times = Vec::new();
        for _ in 0..200 {
            let start = thread_ms();
            network.run(&inputs)?;
            times.push(thread_ms() - start);
        }
        times.sort_by(f64::total_cmp);
        println!("{:28} whole   p50 {:6.2} ms  p99 {:6.2} ms", passport.name, times[100], times[198]);
    }
    // The palm detector as the gesture node runs it.
    for wanted in [2, 3] {
        let passport = store.passport("palm_detection_lite")?;
        let mut network = store.network_in_parts(&passport.name, wanted)?;
        let inputs = golden::inputs(&passport.inputs, 1);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut times = vec![Vec::new(); network.parts()];
        for _ in 0..200 {
            for times in &mut times {
                let start = thread_ms();
                network.run_part(&inputs)?;
                times.push(thread_ms() - start);
            }
        }
        for (part, times) in times.iter_mut().enumerate() {
            times.sort_by(f64::total_cmp);
            let part = format!("{}/{wanted}", part + 1);
            println!("{:28} {part:7} p50 {:6.2} ms  p99 {:6.2} ms", passport.name, times[100], times[198]);
        }
    }
    Ok(())
}
