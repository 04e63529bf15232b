//! SR-TIM-005 on the shipped hard nodes with their real networks: from the first step on, all that a step allocates comes from
//! the node's arena. The first call that reaches the system's allocator from within a step prints its backtrace and aborts
//! this program.
//!
//! Needs the models of the store (`troika models pull`); without them this test fails.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use troika_arena::abort_on_breach;
use troika_driver_state::{config::Config, node::DriverStateNode};
use troika_gesture::node::GestureNode;
use troika_host::{ArenaAllocator, NodeOptions, simulate::Simulation};
use troika_models::Store;
use troika_monitor::MonitorNode;
use troika_msgs::troika::{DriverAlert, DriverState, Gesture, VehicleCommand};
use troika_sim::{
    Scenario, SimDriver,
    hand::{self, HandScenario, SimHand},
};

#[global_allocator]
static ALLOCATOR: ArenaAllocator = ArenaAllocator;

/// As in the table of kinds.
const DRIVER_STATE_ARENA: usize = 8 << 20;
/// As in the table of kinds.
const GESTURE_ARENA: usize = 16 << 20;
/// As every hard node has at least: an alert names its rule, and that name is memory.
const MONITOR_ARENA: usize = 1 << 20;

/// Whether a breach aborts is a question of the whole program: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sim/scenarios").join(name)
}

fn gestures() -> anyhow::Result<GestureNode> {
    let config = troika_gesture::config::Config { landmarks: true, ..Default::default() };
    let mapping = config.mapping(|path| std::fs::read_to_string(path))?;
    let node = GestureNode::open(&config, mapping, &Store::open_default()?)?;
    assert!(!node.model().starts_with("unavailable"), "{}", node.model());
    Ok(node)
}

/// Every one of these allocated from its arena, and never beside it.
fn kept(simulation: &Simulation, nodes: &[&str]) {
    let stats = simulation.stats();
    for node in nodes {
        let stats = stats.iter().find(|stats| stats.node == *node);
        let arena = stats.and_then(|stats| stats.arena).unwrap_or_else(|| panic!("{node} has an arena"));
        println!("{node}: {arena:?}");
        assert_eq!((arena.overflows, arena.strays), (0, 0));
        assert!(arena.allocations > 0, "{node}: the arena is not in use");
        assert!(arena.peak < arena.capacity / 2, "{node}: {} of {} bytes used", arena.peak, arena.capacity);
    }
}

#[test]
fn a_step_of_a_hard_node_allocates_from_its_arena_and_nowhere_else() -> anyhow::Result<()> {
    troika_safety::verifies![SR_TIM_005];
    let _alone = alone();
    let scenario = scenario("demo-30s.toml");
    let driver = SimDriver::new(
        &Scenario::read(&scenario)?,
        &troika_sim::Config { scenario, repeat: false, drives_vehicle: true, smooth: false },
    );
    let detector = DriverStateNode::open(&Config::default(), &Store::open_default()?)?;
    assert!(!detector.model().starts_with("unavailable"), "{}", detector.model());
    let monitor = MonitorNode::new(&troika_monitor::Config::default(), |path| std::fs::read_to_string(path))?;

    let mut simulation = Simulation::new()?;
    simulation.spawn(driver, NodeOptions::new("camera"))?;
    simulation.spawn(detector, NodeOptions::new("driver_state").arena(DRIVER_STATE_ARENA))?;
    simulation.spawn(monitor, NodeOptions::new("driver_monitor").arena(MONITOR_ARENA))?;
    // There is no hand: it looks for one and finds none.
    simulation.spawn(gestures()?, NodeOptions::new("gesture").arena(GESTURE_ARENA))?;
    let states = simulation.collect::<DriverState>("/cabin/driver_state")?;
    let alerts = simulation.collect::<DriverAlert>("/cabin/driver_alert")?;
    abort_on_breach(true);
    // The whole demo: found, lost, asleep, distracted; every branch that the scenario has.
    simulation.run_for(Duration::from_secs(30));
    abort_on_breach(false);

    let states = states.take();
    assert!(states.len() > 890, "{} states", states.len());
    for kind in [DriverState::ATTENTIVE, DriverState::EYES_CLOSED] {
        assert!(states.iter().any(|state| state.value.state == kind), "state {kind} never came");
    }
    assert!(!alerts.take().is_empty());
    kept(&simulation, &["/driver_state", "/driver_monitor", "/gesture"]);
    Ok(())
}

#[test]
fn a_step_that_follows_a_hand_and_tells_its_gestures_allocates_from_its_arena_and_nowhere_else()
-> anyhow::Result<()> {
    troika_safety::verifies![SR_TIM_005];
    let _alone = alone();
    let scenario = scenario("hands-short.toml");
    let hand = SimHand::new(
        &HandScenario::read(&scenario)?,
        &hand::Config { scenario, repeat: false, smooth: false, prerender: false },
    );
    let mut simulation = Simulation::new()?;
    simulation.spawn(hand, NodeOptions::new("camera"))?;
    simulation.spawn(gestures()?, NodeOptions::new("gesture").arena(GESTURE_ARENA))?;
    let said = simulation.collect::<Gesture>("/cabin/gesture")?;
    let commands = simulation.collect::<VehicleCommand>("/voice/command")?;
    abort_on_breach(true);
    // Palm, hand, pose and motion networks: found, followed, poses, a turn and a swipe, lost.
    simulation.run_for(Duration::from_secs(13));
    abort_on_breach(false);

    let said = said.take();
    assert!(said.len() > 380, "{} frames", said.len());
    let followed = said.iter().filter(|said| said.value.hand_detected).count();
    assert!(followed > 250, "a hand in {followed} frames");
    assert!(said.iter().any(|said| said.value.landmarks.len() == 42));
    let told = |kinds: &[u8]| {
        let started = said.iter().filter(|said| said.value.phase == Gesture::STARTED);
        started.filter(|said| kinds.contains(&said.value.kind)).count()
    };
    assert!(told(&[Gesture::OPEN_PALM, Gesture::FIST, Gesture::POINT, Gesture::THUMB_UP]) > 0, "no pose");
    let turns = [Gesture::ROTATE_CLOCKWISE, Gesture::ROTATE_COUNTER_CLOCKWISE];
    assert!(told(&turns) + told(&[Gesture::SWIPE_LEFT, Gesture::SWIPE_RIGHT]) > 0, "no motion");
    assert!(!commands.take().is_empty(), "no gesture was made a command");
    kept(&simulation, &["/gesture"]);
    Ok(())
}
