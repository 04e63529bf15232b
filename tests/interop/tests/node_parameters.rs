//! A node's parameter services, as `ros2 param` uses them, with a peer that makes requests, hashes and CDR by itself.

use std::sync::Arc;

use serde_json::{Value, json};
use troika_conformance::until;
use troika_host::{
    Host, HostOptions, NodeOptions,
    parameters::{Declared, double_value, strings_value},
};
use troika_interop::{Ours, Peer, free_port, verdict};
use troika_kit::Service;
use troika_msgs::{lifecycle_msgs as lifecycle, rcl_interfaces as rcl};
use troika_template::{Config, Template};

/// A call of one of `/car/motion`'s services, answered.
fn call<S: Service>(peer: &mut Peer, name: &str, data: &Value) -> Value {
    let service = format!("/car/motion/{name}");
    let mut order = json!({ "do": "ask", "topic": service, "type": S::TYPE.name, "data": data });
    // The SDK (0.1.8) hashes a bounded sequence of messages otherwise than ROS, whose own hash is in msgs/tests/golden.
    let its_own = S::TYPE.name != rcl::DescribeParameters::TYPE.name;
    if !its_own {
        order["hash"] = json!(S::TYPE.hash);
    }
    let mut answered = Value::Null;
    // Again: it may ask before the router has told it of ours.
    until(&format!("an answer of {service}"), || {
        peer.tell(&order);
        answered = peer.wait_for("answered", &service);
        !answered["data"].is_null()
    });
    assert_eq!(answered["hash"] == S::TYPE.hash, its_own, "the peer's own hash of {}", S::TYPE.name);
    answered["data"].take()
}

#[test]
fn zenoh_ros2_sdk_lists_reads_and_describes_parameters_and_is_told_what_is_fixed() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut host =
        Host::new(HostOptions { mlock: false, ..HostOptions::default() }, Arc::new(ours.transport));
    let mut options = NodeOptions::new("motion");
    options.namespace = "/car".into();
    options.parameters = vec![
        Declared::fixed("standstill_kmh", "Below this the vehicle stands, km/h.", double_value(0.5)),
        Declared::fixed("words", "Of any length.", strings_value(vec!["é".into(), String::new()])),
    ];
    host.spawn(Template::new(Config::default()), options).expect("spawned");
    host.start();

    let mut peer = Peer::start("sdk_peer", port);
    let everything = json!({ "prefixes": [], "depth": 0 });
    let listed = call::<rcl::ListParameters>(&mut peer, "list_parameters", &everything);
    let names = listed["result"]["names"].as_array().expect("names");
    for name in ["standstill_kmh", "words", "troika.deadline_ms", "use_sim_time"] {
        assert!(names.contains(&json!(name)), "{listed}");
    }
    verdict("sdk_peer", "lists a node's parameters");
    let asked = json!({ "names": ["standstill_kmh", "words", "nothing"] });
    let got = call::<rcl::GetParameters>(&mut peer, "get_parameters", &asked);
    assert_eq!(got["values"][0]["double_value"], 0.5, "{got}");
    assert_eq!(got["values"][1]["string_array_value"], json!(["é", ""]), "{got}");
    assert_eq!(got["values"][2]["type"], 0, "{got}");
    verdict("sdk_peer", "reads a node's parameters");
    let described = call::<rcl::DescribeParameters>(&mut peer, "describe_parameters", &asked);
    let first = &described["descriptors"][0];
    assert_eq!(
        (&first["name"], &first["description"], &first["read_only"]),
        (&json!("standstill_kmh"), &json!("Below this the vehicle stands, km/h."), &json!(true))
    );
    verdict("sdk_peer", "describes a node's parameters");
    let types = call::<rcl::GetParameterTypes>(&mut peer, "get_parameter_types", &asked);
    assert_eq!(types["types"], json!([3, 9, 0]));
    let value = json!({
        "type": 3, "bool_value": false, "integer_value": 0, "double_value": 2.0, "string_value": "",
        "byte_array_value": [], "bool_array_value": [], "integer_array_value": [], "double_array_value": [],
        "string_array_value": [],
    });
    let wanted = json!({ "parameters": [{ "name": "standstill_kmh", "value": value }] });
    let set = call::<rcl::SetParameters>(&mut peer, "set_parameters", &wanted);
    assert_eq!(set["results"][0]["successful"], false, "{set}");
    assert!(set["results"][0]["reason"].as_str().expect("a text").contains("fixed"), "{set}");
    let all = call::<rcl::SetParametersAtomically>(&mut peer, "set_parameters_atomically", &wanted);
    assert_eq!(all["result"]["successful"], false, "{all}");
    verdict("sdk_peer", "is told why a parameter cannot be set");
    host.stop();
}

#[test]
fn zenoh_ros2_sdk_brings_a_node_up_and_down_by_its_life_cycle() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut host =
        Host::new(HostOptions { mlock: false, ..HostOptions::default() }, Arc::new(ours.transport));
    let mut options = NodeOptions::new("motion");
    options.namespace = "/car".into();
    options.autostart = false;
    host.manage(|| Ok(Template::new(Config::default())), options).expect("managed");
    host.start();

    let mut peer = Peer::start("sdk_peer", port);
    let nothing = json!({ "structure_needs_at_least_one_member": 0 });
    let state = |peer: &mut Peer| {
        call::<lifecycle::GetState>(peer, "get_state", &nothing)["current_state"]["label"].take()
    };
    assert_eq!(state(&mut peer), "unconfigured");
    let states = call::<lifecycle::GetAvailableStates>(&mut peer, "get_available_states", &nothing);
    assert_eq!(states["available_states"].as_array().map(Vec::len), Some(11), "{states}");
    for (wanted, then) in [
        ("configure", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
        ("shutdown", "finalized"),
    ] {
        let here =
            call::<lifecycle::GetAvailableTransitions>(&mut peer, "get_available_transitions", &nothing);
        let labels = here["available_transitions"].as_array().expect("transitions").clone();
        assert!(labels.iter().any(|one| one["transition"]["label"] == wanted), "{here}");
        let order = json!({ "transition": { "id": 0, "label": wanted } });
        let changed = call::<lifecycle::ChangeState>(&mut peer, "change_state", &order);
        assert_eq!((&changed["success"], state(&mut peer)), (&json!(true), json!(then)));
    }
    let again = json!({ "transition": { "id": 1, "label": "" } });
    assert_eq!(call::<lifecycle::ChangeState>(&mut peer, "change_state", &again)["success"], false);
    verdict("sdk_peer", "brings a node up and down by its life cycle");
    host.stop();
}
