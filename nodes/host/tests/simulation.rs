//! Nodes under the virtual clock: lateness, faults and fall-backs exactly when they are due, and the same run twice.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::*;
use troika_host::{
    NodeOptions, StandIn, Status, heartbeat,
    simulate::{Simulation, Timing},
};
use troika_kit::{Fault, Message};
use troika_msgs::troika::Heartbeat;
use troika_transport::Transport as _;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn every_10_ms(
    numbers: impl IntoIterator<Item = u64, IntoIter: 'static>,
) -> impl Iterator<Item = (Duration, Number)> {
    numbers.into_iter().zip(1..).map(|(number, n)| (ms(10 * n), Number(number)))
}

/// Runs the doubler on these numbers, 10 ms apart, with this timing; gives what it said and when (ms since the start).
fn doubled(numbers: Vec<u64>, timing: fn(u64) -> Timing, run: Duration) -> (Simulation, Vec<(u128, u64)>) {
    let mut simulation = Simulation::new().unwrap();
    let start = simulation.now();
    simulation.spawn_timed(Doubler::default(), NodeOptions::new("doubler"), timing).unwrap();
    simulation.feed("/in", every_10_ms(numbers)).unwrap();
    let said = simulation.collect::<Number>("/out").unwrap();
    simulation.run_for(run);
    let said = said.take().into_iter().map(|s| (s.received.since(start).as_millis(), s.value.0)).collect();
    (simulation, said)
}

fn no_time(_: u64) -> Timing {
    Timing::default()
}

#[test]
fn a_message_is_answered_at_its_arrival() {
    let (simulation, said) = doubled(vec![1, 2, 3], no_time, ms(35));
    assert_eq!(said, [(10, 2), (20, 4), (30, 6)]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.steps, stats.worked, stats.late, stats.missed, stats.fall_backs), (3, 3, 0, 0, 0));
}

#[test]
fn a_fault_clears_the_outputs_and_publishes_the_fall_back_in_the_same_tick() {
    troika_safety::verifies![SR_TIM_003];
    let (simulation, said) = doubled(vec![1, BAD.0, 3], no_time, ms(35));
    assert_eq!(said, [(10, 2), (20, FALL_BACK.0), (30, 6)]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.faults, stats.fall_backs, stats.panics), (1, 1, 0));
    let faults: Vec<_> = simulation.events().into_iter().map(|(node, event)| (node, event.fault)).collect();
    assert_eq!(faults, [("/doubler".into(), Fault::BadInput("666"))]);
}

#[test]
fn a_step_that_would_start_too_late_is_replaced_by_the_fall_back() {
    troika_safety::verifies![SR_TIM_002];
    // The second start is held up beyond the period of 10 ms, and the third message comes meanwhile.
    let slow = |n| Timing { delay: if n == 1 { ms(8) } else { Duration::ZERO }, execution: Duration::ZERO };
    let (simulation, said) = doubled(vec![1, 2, 3], slow, ms(35));
    assert_eq!(said, [(10, 2), (28, 4), (30, 6)], "8 ms are late, not too late");
    assert_eq!((simulation.stats()[0].late, simulation.stats()[0].too_late), (1, 0));

    let slower =
        |n| Timing { delay: if n == 1 { ms(11) } else { Duration::ZERO }, execution: Duration::ZERO };
    let (simulation, said) = doubled(vec![1, 2], slower, ms(35));
    assert_eq!(said, [(10, 2), (31, FALL_BACK.0)]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.late, stats.too_late, stats.missed, stats.fall_backs, stats.faults), (1, 1, 1, 1, 0));
    assert_eq!(stats.last_fault.map(|event| event.fault), Some(Fault::TooLate { by: ms(11) }));
}

#[test]
fn a_state_that_a_hard_node_gives_after_its_deadline_is_replaced_by_the_fall_back() {
    troika_safety::verifies![SR_TIM_006];
    let slow = |n| Timing { delay: Duration::ZERO, execution: if n == 0 { ms(9) } else { ms(8) } };
    let (simulation, said) = doubled(vec![1, 2], slow, ms(35));
    assert_eq!(said, [(19, FALL_BACK.0), (28, 4)], "the deadline itself is in time");
    let stats = &simulation.stats()[0];
    assert_eq!((stats.missed, stats.over_budget, stats.late, stats.put_late), (1, 2, 0, 1));
    assert_eq!((stats.faults, stats.fall_backs), (0, 1));
    assert_eq!(stats.last_fault.map(|event| event.fault), Some(Fault::Missed { by: ms(1) }));
    assert_eq!(stats.latency.max(), ms(9));
}

#[test]
fn a_step_over_its_budget_and_within_its_deadline_keeps_its_result_and_is_told_in_the_next_heartbeat() {
    troika_safety::verifies![SR_TIM_011];
    let slow = |n| Timing { delay: Duration::ZERO, execution: if n == 1 { ms(7) } else { ms(1) } };
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn_timed(Doubler::default(), NodeOptions::new("doubler"), slow).unwrap();
    simulation.feed("/in", every_10_ms(1..200)).unwrap();
    let said = simulation.collect::<Number>("/out").unwrap();
    let beats = simulation.collect::<Heartbeat>(heartbeat::TOPIC).unwrap();
    simulation.run_for(ms(1950));
    assert!(said.take().iter().all(|sample| sample.value != FALL_BACK), "the result is in time");
    let told: Vec<_> = beats.take().into_iter().map(|beat| (beat.value.status, beat.value.reason)).collect();
    let over = "over its budget 1 times since the last heartbeat, 1 in all".to_owned();
    assert_eq!(told, [(Heartbeat::DEGRADED, over), (Heartbeat::OK, String::new())]);
}

#[test]
fn an_event_that_a_hard_node_gives_after_its_deadline_leaves_all_the_same() {
    troika_safety::verifies![SR_TIM_006];
    let slow = |n| Timing { delay: Duration::ZERO, execution: if n == 0 { ms(9) } else { ms(1) } };
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn_timed(Alarm, NodeOptions::new("alarm"), slow).unwrap();
    simulation.feed("/in", every_10_ms([1, 2])).unwrap();
    let said = simulation.collect::<Number>("/alarm").unwrap();
    simulation.run_for(ms(35));
    assert_eq!(said.take().iter().map(|s| s.value).collect::<Vec<_>>(), [Number(1), FALL_BACK, Number(2)]);
}

troika_kit::ports! {
    /// Events.
    pub struct Alarms {
        /// Several at a time.
        alarm: troika_kit::Out<Number, 4> = "/alarm",
    }
}

/// Says each number as an event.
struct Alarm;

impl troika_kit::Step for Alarm {
    type Inputs = Inputs;
    type Outputs = Alarms;
    const CONTRACT: troika_kit::Contract =
        contract(troika_kit::Wake::Input("number"), troika_kit::Class::Hard);
    fn step(
        &mut self,
        _: &troika_kit::Tick,
        inputs: &Inputs,
        outputs: &mut Alarms,
    ) -> Result<troika_kit::Done, Fault> {
        let number = inputs.number.fresh().ok_or(Fault::StaleInput { port: "number" })?;
        outputs.alarm.send(number.value);
        Ok(troika_kit::Done::Worked)
    }
    fn fall_back(&mut self, _: &troika_kit::Tick, _: &Fault, outputs: &mut Alarms) {
        outputs.alarm.send(FALL_BACK);
    }
}

#[test]
fn a_late_result_of_a_node_that_is_not_hard_is_published_and_counted() {
    let slow = |_| Timing { delay: Duration::ZERO, execution: ms(9) };
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn_timed(BestDoubler, NodeOptions::new("best"), slow).unwrap();
    simulation.feed("/in", every_10_ms([1])).unwrap();
    let said = simulation.collect::<Number>("/out").unwrap();
    simulation.run_for(ms(25));
    assert_eq!(said.take().iter().map(|s| s.value).collect::<Vec<_>>(), [Number(2)]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.missed, stats.fall_backs), (1, 0));
}

#[test]
fn releases_that_nobody_looked_at_in_time_are_all_counted_and_fall_back_once() {
    troika_safety::verifies![SR_TIM_002, SR_TIM_013];
    // The third start (release at 30 ms) is held up until 65 ms: the releases at 30, 40 and 50 have passed.
    let stall = |n| Timing { delay: if n == 2 { ms(35) } else { Duration::ZERO }, execution: Duration::ZERO };
    let mut simulation = Simulation::new().unwrap();
    let start = simulation.now();
    simulation.spawn_timed(Counting::<false>::default(), NodeOptions::new("counting"), stall).unwrap();
    let said = simulation.collect::<Number>("/count").unwrap();
    simulation.run_for(ms(80));
    let said: Vec<_> =
        said.take().into_iter().map(|s| (s.received.since(start).as_millis(), s.value.0)).collect();
    assert_eq!(said, [(10, 0), (20, 1), (65, FALL_BACK.0), (65, 2), (70, 3), (80, 4)]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.steps, stats.too_late, stats.missed, stats.fall_backs), (8, 3, 3, 1));
}

#[test]
fn a_best_effort_step_runs_however_late_and_is_counted() {
    let stall = |n| Timing { delay: if n == 0 { ms(11) } else { Duration::ZERO }, execution: Duration::ZERO };
    let mut simulation = Simulation::new().unwrap();
    let only_late = Number(1);
    simulation.spawn_timed(BestDoubler, NodeOptions::new("best"), stall).unwrap();
    simulation.feed("/in", [(ms(10), only_late)]).unwrap();
    let said = simulation.collect::<Number>("/out").unwrap();
    simulation.run_for(ms(25));
    assert_eq!(said.take().iter().map(|s| s.value).collect::<Vec<_>>(), [Number(2)]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.too_late, stats.fall_backs, stats.worked), (1, 0, 1));
}

struct BestDoubler;

impl troika_kit::Step for BestDoubler {
    type Inputs = Inputs;
    type Outputs = Outputs;
    const CONTRACT: troika_kit::Contract =
        contract(troika_kit::Wake::Input("number"), troika_kit::Class::Best);
    fn step(
        &mut self,
        _: &troika_kit::Tick,
        inputs: &Inputs,
        outputs: &mut Outputs,
    ) -> Result<troika_kit::Done, Fault> {
        let number = inputs.number.fresh().ok_or(Fault::StaleInput { port: "number" })?;
        outputs.doubled.send(Number(number.value.0 * 2));
        Ok(troika_kit::Done::Worked)
    }
    fn fall_back(&mut self, _: &troika_kit::Tick, _: &Fault, outputs: &mut Outputs) {
        outputs.doubled.send(FALL_BACK);
    }
}

#[test]
fn silence_is_noticed_after_three_periods_and_again_after_three_more() {
    troika_safety::verifies![SR_TIM_014];
    let (simulation, said) = doubled(vec![1], no_time, ms(75));
    assert_eq!(said, [(10, 2), (40, FALL_BACK.0), (70, FALL_BACK.0)]);
    let last = simulation.stats()[0].last_fault.map(|event| event.fault);
    assert_eq!(last, Some(Fault::StaleInput { port: "number" }));
}

#[test]
fn commands_that_wait_are_not_lost_to_a_step_that_is_passed_over() {
    troika_safety::verifies![SR_TIM_019];
    let stall = |n| Timing { delay: if n == 0 { ms(11) } else { Duration::ZERO }, execution: Duration::ZERO };
    let mut simulation = Simulation::new().unwrap();
    // Only the release at 10 ms is too late: one period of 10 ms passes, then the one at 20 ms runs with the command.
    simulation.spawn_timed(Echo, NodeOptions::new("echo"), stall).unwrap();
    simulation.feed("/blobs", [(ms(5), Blob(vec![7]))]).unwrap();
    let echoed = simulation.collect::<Blob>("/echo").unwrap();
    simulation.run_for(ms(40));
    let echoed: Vec<_> = echoed.take().into_iter().map(|s| s.value).collect();
    assert_eq!(echoed, [Blob::default(), Blob(vec![7])]);
}

#[test]
fn a_full_queue_drops_and_counts() {
    troika_safety::verifies![SR_TIM_019];
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn(Echo, NodeOptions::new("echo")).unwrap();
    simulation.feed("/blobs", (0..6).map(|n| (ms(5), Blob(vec![n])))).unwrap();
    let echoed = simulation.collect::<Blob>("/echo").unwrap();
    simulation.run_for(ms(10));
    assert_eq!(echoed.take().len(), 4);
    assert_eq!(simulation.stats()[0].dropped, 2);
}

#[test]
fn garbage_on_every_input_is_counted_and_the_node_goes_on() {
    troika_safety::verifies![SR_DAT_001];
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn(Doubler::default(), NodeOptions::new("doubler")).unwrap();
    let garbage = || vec![vec![], vec![0xFF; 3], vec![0, 1, 0, 0, 1], vec![9; 100_000]];
    let at = |bytes: Vec<u8>| (ms(1), bytes);
    simulation.feed_bytes("/in", Number::TYPE, garbage().into_iter().map(at)).unwrap();
    // The third is a sound (short) blob.
    simulation.feed_bytes("/blobs", Blob::TYPE, garbage().into_iter().map(at)).unwrap();
    simulation.feed("/in", every_10_ms([21])).unwrap();
    let said = simulation.collect::<Number>("/out").unwrap();
    simulation.run_for(ms(15));
    assert_eq!(said.take().iter().map(|s| s.value.0).collect::<Vec<_>>(), [42]);
    assert_eq!(simulation.stats()[0].undecodable, 7);
}

#[test]
fn a_panic_is_a_fault_and_the_third_in_a_row_ends_the_calls() {
    troika_safety::verifies![SR_TIM_012];
    let (simulation, said) = doubled(vec![1, DEADLY.0, 2, DEADLY.0, DEADLY.0, DEADLY.0, 3], no_time, ms(75));
    let fall_back = FALL_BACK.0;
    let values: Vec<_> = said.iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [2, fall_back, 4, fall_back, fall_back, fall_back, fall_back]);
    let stats = &simulation.stats()[0];
    assert_eq!((stats.panics, stats.faults, stats.status), (4, 4, Status::Unavailable));
}

#[test]
fn a_fall_back_that_panics_silences_the_node_and_nothing_else() {
    troika_safety::verifies![SR_TIM_012];
    let (simulation, said) = doubled(vec![1, DEADLY_TWICE.0, 2, 3], no_time, ms(45));
    assert_eq!(said, [(10, 2)]);
    assert_eq!(simulation.stats()[0].status, Status::Unavailable);
}

#[test]
fn every_node_publishes_its_counts_at_least_once_a_second() {
    troika_safety::verifies![SR_TIM_004];
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn(Doubler::default(), NodeOptions::new("doubler")).unwrap();
    simulation.spawn(Counting::<false>::default(), NodeOptions::new("counting")).unwrap();
    simulation.feed("/in", every_10_ms((0..400).map(|n| if n == 200 { BAD.0 } else { n % 100 }))).unwrap();
    let beats = simulation.collect::<Heartbeat>(heartbeat::TOPIC).unwrap();
    simulation.run_for(Duration::from_secs(4));
    let beats = beats.take();
    for node in ["/doubler", "/counting"] {
        let of_node: Vec<_> = beats.iter().filter(|beat| beat.value.node == node).collect();
        assert!(of_node.len() >= 4, "{node}: {}", of_node.len());
        assert!(
            of_node.windows(2).all(|two| two[1].received.since(two[0].received) <= Duration::from_secs(1))
        );
        assert!(of_node.windows(2).all(|two| two[1].value.sequence == two[0].value.sequence + 1));
        assert!(of_node.windows(2).all(|two| two[1].value.steps > two[0].value.steps));
    }
    let states: Vec<_> =
        beats.iter().filter(|b| b.value.node == "/doubler").map(|b| b.value.status).collect();
    assert_eq!(states, [Heartbeat::OK, Heartbeat::OK, Heartbeat::DEGRADED, Heartbeat::OK]);
    let degraded = beats.iter().find(|beat| beat.value.status == Heartbeat::DEGRADED).unwrap();
    assert_eq!((degraded.value.faults, degraded.value.reason.as_str()), (1, "bad input: 666"));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut simulation = Simulation::new().unwrap();
        let hiccup = |n| Timing { delay: ms(n * 7 % 12), execution: Duration::from_micros(n * 313 % 4000) };
        simulation.spawn_timed(Doubler::default(), NodeOptions::new("doubler"), hiccup).unwrap();
        simulation.spawn(Counting::<false>::default(), NodeOptions::new("counting")).unwrap();
        simulation
            .spawn_timed(
                Doubler::default(),
                NodeOptions::new("second").remap("number", "/out").remap("doubled", "~/out"),
                hiccup,
            )
            .unwrap();
        let numbers = (0..500).map(|n| if n % 13 == 0 { BAD.0 } else { n });
        simulation.feed("/in", every_10_ms(numbers)).unwrap();
        let mut all = Vec::new();
        for (topic, ty) in [
            ("/out", Number::TYPE),
            ("/second/out", Number::TYPE),
            ("/count", Number::TYPE),
            (heartbeat::TOPIC, Heartbeat::TYPE),
        ] {
            all.push(simulation.collect_bytes(topic, ty).unwrap());
        }
        simulation.run_for(Duration::from_secs(6));
        all.into_iter().map(|topic| topic.take()).collect::<Vec<_>>()
    };
    let (first, second) = (run(), run());
    assert!(first.iter().all(|topic| topic.len() >= 5), "every topic spoke");
    assert_eq!(first, second);
}

#[test]
fn a_stand_in_says_the_fall_back_on_the_nodes_own_topics() {
    troika_safety::verifies![SR_TIM_008];
    let mut simulation = Simulation::new().unwrap();
    let said = simulation.collect::<Number>("/car/other").unwrap();
    let handle = simulation.transport().node("/car", "watchdog").unwrap();
    let mut options = NodeOptions::new("doubler").remap("doubled", "other");
    options.namespace = "/car".into();
    let mut stand_in = StandIn::new(Doubler::default(), &options, &*handle).unwrap();
    stand_in.speak(simulation.now(), &Fault::Unresponsive);
    stand_in.speak(simulation.now(), &Fault::Unresponsive);
    simulation.run_for(ms(1));
    assert_eq!(said.take().iter().map(|s| s.value).collect::<Vec<_>>(), [FALL_BACK, FALL_BACK]);
}

#[test]
fn a_simulation_runs_until_it_is_told_or_nothing_is_left() {
    let mut simulation = Simulation::new().unwrap();
    simulation.spawn(Counting::<false>::default(), NodeOptions::new("counting")).unwrap();
    let end = simulation.now() + ms(1000);
    simulation.run_until(|now| now >= end);
    assert_eq!(simulation.stats()[0].steps, 100);

    let mut idle = Simulation::new().unwrap();
    idle.feed("/in", every_10_ms([1, 2])).unwrap();
    idle.run_until(|_| false);
    assert_eq!(idle.elapsed(), ms(20));
}
