//! What a ROS 2 engineer does with one node: the very arguments that `ros2 launch` gives, a link of a kind's name, SIGINT and
//! SIGTERM. Each case runs the real program over zenoh, on a router of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use support::{CABIN, DETECTORS, Router, Run, Running, Scratch, command, root, start, troika};
use troika_kit::{Message as _, Service as _, Time};
use troika_msgs::lifecycle_msgs::{GetState, GetStateRequest, GetStateResponse};
use troika_transport::{Graph, Transport as _};

/// Waits until the router's graph is as wanted.
fn wait_for(router: &Router, running: &mut Running, wanted: impl Fn(&Graph) -> bool) -> Graph {
    let begin = Instant::now();
    while !router.answers() {
        assert!(running.runs() && begin.elapsed() < Duration::from_secs(60), "no router");
        std::thread::sleep(Duration::from_millis(50));
    }
    let transport = router.transport();
    loop {
        let graph = transport.graph().unwrap();
        if wanted(&graph) {
            return graph;
        }
        assert!(running.runs() && begin.elapsed() < Duration::from_secs(60), "not as wanted: {graph:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn has(graph: &Graph, node: &str, topic: &str) -> bool {
    graph.endpoints.iter().any(|endpoint| endpoint.node == node && endpoint.topic == topic)
}

const PARAMETERS: &str = "/**:\n  ros__parameters:\n    use_sim_time: false\n    robot: x1\n\
    /car/dms:\n  ros__parameters:\n    nominal_confidence: 0.5\n    profiles: [eu_ddaw, perclos]\n";

#[test]
fn the_arguments_of_ros2_launch_make_a_node_on_the_graph() {
    let scratch = Scratch::new();
    let parameters = scratch.file("car.yaml", PARAMETERS);
    let router = Router::new();
    let before = ["node", "driver_monitor", "--router", &router.endpoint, "--ros-args"];
    let after =
        ["-r", "__node:=dms", "-r", "__ns:=/car", "--params-file", &parameters, "-r", "state:=cam/state"];
    let mut running = start(&mut command(&[&before[..], &after].concat()));
    // One after the other: what it says is there before what it hears.
    let graph = wait_for(&router, &mut running, |graph| {
        ["/cabin/driver_alert", "/car/cam/state"].iter().all(|topic| has(graph, "/car/dms", topic))
    });
    assert!(!has(&graph, "/car/dms", "/cabin/driver_state"), "{graph:?}");
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&[
        "/car/dms: router started at",
        "car.yaml:4: dms (driver_monitor) has no parameter robot",
        "/car/dms: ",
    ]);
}

#[test]
fn services_have_the_names_that_remap_rules_give_them() {
    let router = Router::new();
    let mut command = command(&["node", "template", "--router", &router.endpoint, "--ros-args"]);
    command.args(["-r", "__node:=still", "-r", "__ns:=/car", "-r", "~/get_state:=/old/state"]);
    let mut running = start(command.args(["-r", "still/get_parameters:=get"]));
    let serves = |graph: &Graph, service: &str| {
        graph.services.iter().any(|end| end.serves && end.node == "/car/still" && end.service == service)
    };
    let graph = wait_for(&router, &mut running, |graph| {
        ["/old/state", "/car/get", "/car/still/change_state", "/car/still/set_parameters"]
            .iter()
            .all(|service| serves(graph, service))
    });
    for old in ["/car/still/get_state", "/car/still/get_parameters"] {
        assert!(!serves(&graph, old), "{graph:?}");
    }
    let transport = router.transport();
    let asks = transport.node("/", "asks").unwrap();
    let mut client = asks.client("/old/state", GetState::TYPE).unwrap();
    while !client.is_served().unwrap() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut request = Vec::new();
    GetStateRequest::default().encode(&mut request).unwrap();
    let mut state = || {
        let (sender, answers) = std::sync::mpsc::channel();
        let on_reply = move |answer: Result<&[u8], _>| sender.send(answer.map(<[u8]>::to_vec)).unwrap();
        client.call(&request, Time::ZERO, Box::new(on_reply)).unwrap();
        let answer = answers.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
        GetStateResponse::decode(&answer).unwrap().current_state.label
    };
    // Its services are there before it is active.
    let mut answered = state();
    while answered != "active" {
        assert!(
            ["unconfigured", "configuring", "inactive", "activating"].contains(&answered.as_str()),
            "{answered}"
        );
        std::thread::sleep(Duration::from_millis(20));
        answered = state();
    }
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn a_link_of_a_kind_s_name_is_a_node_and_its_watchdog_ends_with_it() {
    let scratch = Scratch::new();
    let link = scratch.path("template");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_troika"), &link).unwrap();
    let router = Router::new();
    let mut command = Command::new(&link);
    command.args(["--router", &router.endpoint, "--ros-args", "-r", "__ns:=/car", "-r", "motion:=~/motion"]);
    command.args(["-p", "troika.watchdog:=true", "-p", "max_age_ms:=90"]).current_dir(root());
    let mut running = start(&mut command);
    wait_for(&router, &mut running, |graph| {
        has(graph, "/car/template", "/car/template/motion")
            && graph.nodes.iter().any(|node| node == "/car/template_watchdog")
    });
    running.terminate();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["watchdog: process 'template' is "]);
}

#[test]
fn a_system_takes_ros_s_arguments_for_all_of_its_nodes() {
    let scratch = Scratch::new();
    let system = scratch.file("detectors.toml", DETECTORS);
    let parameters = scratch.file("car.yaml", PARAMETERS);
    let report = scratch.path("report.json");
    let router = Router::new();
    let mut command = router.run(&system, 2);
    command.arg("--report").arg(&report).args([
        "--ros-args",
        "-r",
        "__ns:=/car",
        "-r",
        "driver_monitor:__node:=dms",
    ]);
    let run = Run::of(command.args(["--params-file", &parameters, "-r", "alert:=alarm"]));
    assert_eq!(run.code, Some(0), "{run}");
    let report = support::report(&report);
    let nodes: Vec<&str> =
        report["nodes"].as_array().unwrap().iter().map(|node| node["node"].as_str().unwrap()).collect();
    for node in ["/car/camera", "/car/driver_state", "/car/dms"] {
        assert!(nodes.contains(&node), "{nodes:?}");
    }
    // Once for each node that the wildcard reaches.
    run.says(&["camera (sim_driver) has no parameter robot", "dms (driver_monitor) has no parameter robot"]);
}

#[test]
fn wrong_arguments_end_with_2_and_wrong_values_with_1() {
    for (arguments, code, told) in [
        (&["node", "driver_monitr"][..], 2, "did you mean driver_monitor?"),
        (
            &["node", "template", "--ros-args", "--remapp", "a:=b"],
            2,
            "--remapp: there is no such ROS argument",
        ),
        (&["node", "template", "--ros-args", "--params-file", "none.yaml"], 2, "none.yaml: cannot be read"),
        (&["node", "template", "--ros-args", "-p", "troika.prio:=80"], 2, "did you mean troika.priority?"),
        (&["topic", "list", "--ros-args", "-r", "a:=b"], 2, "this command runs no node"),
        (
            &["node", "template", "--ros-args", "-p", "max_age:=1"],
            1,
            "-p max_age:=1: unknown field `max_age`",
        ),
        (&["node", "sim_driver"], 1, "missing field `scenario`"),
        (
            &["node", "voice", "--ros-args", "-p", "source.kind:=radio"],
            1,
            "-p source.kind:=radio: unknown variant",
        ),
    ] {
        let run = troika(arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {run}");
        run.says(&[told]);
    }
}

#[test]
fn the_system_file_that_is_run_can_be_seen() {
    let run =
        troika(&["node", "template", "--print", "--ros-args", "-r", "__node:=still", "-p", "max_age_ms:=90"]);
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["[nodes.still]", "kind = \"template\"", "max_age_ms = 90"]);
}

#[test]
fn a_node_of_a_system_runs_alone_as_it_runs_there() {
    let run = troika(&["node", "gesture", "--system", CABIN, "--print", "--ros-args", "-r", "__ns:=/car"]);
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&[
        "namespace = \"/car\"",
        "search_every = 9",
        "priority = 70",
        "[processes.gesture]",
        "watchdog = true",
    ]);
    assert!(!run.text.contains("[nodes.driver_state]") && !run.text.contains("floor"), "{run}");
    let run = troika(&["node", "gestur", "--system", CABIN]);
    assert_eq!(run.code, Some(2), "{run}");
    run.says(&["did you mean gesture?"]);
}
