use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::Time;

use super::*;

fn at(speed_kmh: f32) -> VehicleSignals {
    VehicleSignals { speed_kmh, ..VehicleSignals::default() }
}

/// A step is a function: no set-up is needed to call it.
fn says(speed_kmh: f32, age: Duration) -> Result<String, Fault> {
    let now = Time::from_stamp(100, 0);
    let inputs = Inputs { signals: Latest::holding(at(speed_kmh), now - age) };
    let mut outputs = Outputs::default();
    Template::new(Config::default()).step(
        &Tick { seq: 0, release: now, now, level: 0 },
        &inputs,
        &mut outputs,
    )?;
    Ok(outputs.motion.sent()[0].data.clone())
}

#[test]
fn a_parked_car_stands_and_a_creeping_one_moves_also_backwards() {
    assert_eq!(says(0.0, Duration::ZERO).as_deref(), Ok("standing"));
    assert_eq!(says(2.0, Duration::ZERO).as_deref(), Ok("moving"));
    assert_eq!(says(-2.0, Duration::ZERO).as_deref(), Ok("moving"));
}

#[test]
fn an_old_speed_is_no_speed() {
    assert_eq!(says(0.0, Duration::from_millis(81)), Err(Fault::StaleInput { port: "signals" }));
}

#[test]
fn when_the_signals_stop_the_node_says_unknown_in_the_same_tick() {
    troika_safety::verifies![SR_TIM_003];
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn(Template::new(Config::default()), NodeOptions::new("motion")).unwrap();
    // 50 Hz for half a second of virtual time, then silence.
    let speeds = (0..25).map(|n| (Duration::from_millis(20 * n), at(30.0)));
    simulation.feed("/vehicle/signals", speeds).unwrap();
    let motion = simulation.collect::<std_msgs::String>("/vehicle/motion").unwrap();
    simulation.run_for(Duration::from_millis(800));

    let said: Vec<_> = motion.take().into_iter().map(|sample| sample.value.data).collect();
    assert_eq!(said, ["moving", "moving", "moving", "moving", "moving", "unknown", "unknown", "unknown"]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.steps, stats.worked, stats.faults, stats.fall_backs), (8, 5, 3, 3));
}

#[test]
fn a_thousand_times_that_the_signals_stop_it_says_unknown_at_the_next_release() {
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn(Template::new(Config::default()), NodeOptions::new("motion")).unwrap();
    // Ten signals in 180 ms, then silence, in each of a thousand turns; every turn 7 ms later on the node's grid of 100 ms, and
    // never at the same moment.
    const TURN: u64 = 407_000;
    const FIRST: u64 = 500;
    let turn = |turn: u64| (0..10).map(move |n| Duration::from_micros(FIRST + TURN * turn + 20_000 * n));
    simulation.feed("/vehicle/signals", (0..1000).flat_map(turn).map(|then| (then, at(30.0)))).unwrap();
    let motion = simulation.collect::<std_msgs::String>("/vehicle/motion").unwrap();
    let start = simulation.now();
    simulation.run_for(Duration::from_micros(TURN * 1000));

    let (mut old, mut silences) = (0, std::collections::BTreeSet::new());
    for sample in motion.take() {
        let since = sample.received.since(start).as_micros() as u64 - FIRST;
        let (turn, into_it) = (since / TURN, since % TURN);
        // The last signal of a turn comes after 180 ms, and is not known any more after 80 more.
        let is_old = into_it > 180_000 + 80_000;
        assert_eq!(
            sample.value.data,
            if is_old { "unknown" } else { "moving" },
            "{into_it} us into turn {turn}"
        );
        old += u64::from(is_old);
        silences.extend(is_old.then_some(turn));
    }
    assert_eq!(silences.len(), 1000, "each was noticed");
    let stats = &simulation.stats()[0];
    assert_eq!((stats.faults, stats.fall_backs), (old, old));
}

#[test]
fn a_misspelt_parameter_is_refused() {
    let misspelt = toml::from_str::<Config>("standstil_kmh = 1.0");
    assert!(misspelt.is_err_and(|why| why.to_string().contains("standstil_kmh")));
}
