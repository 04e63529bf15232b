//! SR-TIM-005 on the shipped hard nodes with their real networks: from the first step on, all that a step allocates comes from
//! the node's arena. The first call that reaches the system's allocator from within a step prints its backtrace and aborts
//! this program.
//!
//! Needs the models of the store (`troika models pull`); without them this test fails.

use std::{path::Path, time::Duration};

use troika_arena::abort_on_breach;
use troika_driver_state::{config::Config, node::DriverStateNode};
use troika_gesture::node::GestureNode;
use troika_host::{ArenaAllocator, NodeOptions, simulate::Simulation};
use troika_kit::requirements;
use troika_models::Store;
use troika_monitor::MonitorNode;
use troika_msgs::troika::{DriverAlert, DriverState};
use troika_sim::{Scenario, SimDriver};

#[global_allocator]
static ALLOCATOR: ArenaAllocator = ArenaAllocator;

/// As in the table of kinds.
const DRIVER_STATE_ARENA: usize = 8 << 20;
/// As in the table of kinds.
const GESTURE_ARENA: usize = 16 << 20;
/// As every hard node has at least: an alert names its rule, and that name is memory.
const MONITOR_ARENA: usize = 1 << 20;

#[test]
fn a_step_of_a_hard_node_allocates_from_its_arena_and_nowhere_else() -> anyhow::Result<()> {
    let _verifies = requirements::SR_TIM_005;
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sim/scenarios/demo-30s.toml");
    let driver = SimDriver::new(
        &Scenario::read(&scenario)?,
        &troika_sim::Config { scenario, repeat: false, drives_vehicle: true, smooth: false },
    );
    let detector = DriverStateNode::open(&Config::default(), &Store::open_default()?)?;
    assert!(!detector.model().starts_with("unavailable"), "{}", detector.model());
    let monitor = MonitorNode::new(&troika_monitor::Config::default(), |path| std::fs::read_to_string(path))?;

    let config = troika_gesture::config::Config::default();
    let mapping = config.mapping(|path| std::fs::read_to_string(path))?;
    let gesture = GestureNode::open(&config, mapping, &Store::open_default()?)?;
    assert!(!gesture.model().starts_with("unavailable"), "{}", gesture.model());

    let mut simulation = Simulation::new()?;
    simulation.spawn(driver, NodeOptions::new("camera"))?;
    simulation.spawn(detector, NodeOptions::new("driver_state").arena(DRIVER_STATE_ARENA))?;
    simulation.spawn(monitor, NodeOptions::new("driver_monitor").arena(MONITOR_ARENA))?;
    simulation.spawn(gesture, NodeOptions::new("gesture").arena(GESTURE_ARENA))?;
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
    let stats = simulation.stats();
    let arena_of = |node: &str| {
        let stats = stats.iter().find(|stats| stats.node == node);
        stats.and_then(|stats| stats.arena).unwrap_or_else(|| panic!("{node} has an arena"))
    };
    for node in ["/driver_state", "/driver_monitor", "/gesture"] {
        let arena = arena_of(node);
        println!("{node}: {arena:?}");
        assert_eq!((arena.overflows, arena.strays), (0, 0));
        assert!(arena.allocations > 0, "{node}: the arena is not in use");
        assert!(arena.peak < arena.capacity / 2, "{node}: {} of {} bytes used", arena.peak, arena.capacity);
    }
    Ok(())
}
