//! The examples of rcl's documentation and tests, and what `ros2 launch` writes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsString;

use super::*;

fn files(path: &str) -> Result<String, String> {
    match path {
        "car.yaml" => {
            Ok("/car/dms:\n  ros__parameters:\n    rate: 30\n    camera: {fov_deg: 60.0}\n".to_owned())
        }
        "all.yaml" => Ok("/**:\n  ros__parameters:\n    rate: 1\n    use_sim_time: true\n".to_owned()),
        "nested.yaml" => Ok("car:\n  dms:\n    ros__parameters: {a.b: [1, 2], c: {d: 'x'}}\n".to_owned()),
        "empty.yaml" => Ok("# nothing\n".to_owned()),
        "flat.yaml" => Ok("dms:\n  rate: 30\n".to_owned()),
        "bare.yaml" => Ok("ros__parameters:\n  rate: 30\n".to_owned()),
        "torn.yaml" => Ok("dms:\n  ros__parameters: {rate: [1, 2\n".to_owned()),
        "mixed.yaml" => Ok("dms:\n  ros__parameters:\n    gains: [1, 2.0]\n".to_owned()),
        "alias.yaml" => Ok("dms: &x\n  ros__parameters: {a: 1}\nother: *x\n".to_owned()),
        _ => Err("no such file".to_owned()),
    }
}

fn line(arguments: &str) -> Result<CommandLine, Refused> {
    read(arguments.split_whitespace().map(OsString::from), files)
}

fn ros(arguments: &str) -> RosArgs {
    line(&format!("troika --ros-args {arguments}")).unwrap().ros
}

fn value(text: &str) -> Value {
    let words = ["troika", "--ros-args", "-p", &format!("x:={text}")].map(OsString::from);
    read(words, files).unwrap().ros.params("/any").remove(0).value
}

fn params(ros: &RosArgs, name: &str) -> Vec<(String, Value)> {
    ros.params(name).into_iter().map(|param| (param.name, param.value)).collect()
}

#[test]
fn plain_arguments_are_what_stands_outside_of_all_blocks() {
    for (written, plain, rules) in [
        ("troika node dms", "troika node dms", 0),
        ("troika node dms --ros-args", "troika node dms", 0),
        ("troika node --ros-args -r a:=b -- dms", "troika node dms", 1),
        ("troika node --ros-args -r a:=b --ros-args -r c:=d", "troika node", 2),
        ("troika --ros-args -r a:=b -- node --ros-args -r c:=d -- dms", "troika node dms", 2),
        // `--` outside of a block is the program's own.
        ("troika node -- dms", "troika node -- dms", 0),
        ("a:=b node", "a:=b node", 0),
        // rcl's old form.
        ("troika node dms image:=cam", "troika node dms", 1),
    ] {
        let line = line(written).unwrap();
        let shown: Vec<_> = line.plain.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(shown.join(" "), plain, "{written}");
        assert_eq!(line.ros.rules().len(), rules, "{written}");
    }
}

#[test]
fn what_ros2_launch_writes_is_understood() {
    let written = "driver_monitor --router tcp/x --ros-args -r __node:=dms -r __ns:=/car --params-file car.yaml -r image:=cam/image";
    let line = line(written).unwrap();
    assert_eq!(line.plain.len(), 3);
    let ros = line.ros;
    assert_eq!(ros.node_name("driver_monitor"), Some((0, "dms")));
    assert_eq!(ros.namespace("dms"), Some((1, "/car")));
    assert_eq!(ros.topic("dms", "/car", "image", "/cabin/x"), Some((2, "/car/cam/image".to_owned())));
    let all = [("rate".to_owned(), Value::Int(30)), ("camera.fov_deg".to_owned(), Value::Double(60.0))];
    assert_eq!(params(&ros, "/car/dms"), all);
    // yaml.dump ends a scalar's document.
    assert_eq!(value("30\n...\n"), Value::Int(30));
}

#[test]
fn names_are_expanded_by_namespace_and_node() {
    for (name, namespace, expanded) in [
        ("image", "/", "/image"),
        ("image", "/car", "/car/image"),
        ("cam/image", "/car", "/car/cam/image"),
        ("/cam/image", "/car", "/cam/image"),
        ("~/image", "/", "/dms/image"),
        ("~/image", "/car", "/car/dms/image"),
    ] {
        assert_eq!(expand(name, "dms", namespace), expanded);
    }
}

#[test]
fn a_rule_matches_a_topic_in_every_way_to_write_it_and_the_first_match_wins() {
    let topic = "/car/image";
    for (rules, to) in [
        ("-r image:=cam", Some("/car/cam")),
        ("-r /car/image:=cam", Some("/car/cam")),
        ("-r rostopic://image:=/cam", Some("/cam")),
        ("-r rostopic:///car/image:=~/cam", Some("/car/dms/cam")),
        ("-r dms:image:=cam", Some("/car/cam")),
        ("-r dms:rostopic://image:=cam", Some("/car/cam")),
        ("-r other:image:=cam", None),
        ("-r rosservice://image:=cam", None),
        ("-r /image:=cam", None),
        ("-r ~/image:=cam", None),
        ("-r /car/image:=first --remap image:=second", Some("/car/first")),
        // A port's own name.
        ("-r frames:=cam", Some("/car/cam")),
    ] {
        let found = ros(rules).topic("dms", "/car", "frames", topic).map(|(_, to)| to);
        assert_eq!(found.as_deref(), to, "{rules}");
    }
}

#[test]
fn a_rule_matches_a_service_in_every_way_to_write_it_and_no_topic_s_alone() {
    let service = "/car/dms/get_state";
    for (rules, to) in [
        ("-r ~/get_state:=~/state", Some("/car/dms/state")),
        ("-r dms/get_state:=state", Some("/car/state")),
        ("-r /car/dms/get_state:=/state", Some("/state")),
        ("-r rosservice://dms/get_state:=state", Some("/car/state")),
        ("-r dms:~/get_state:=state", Some("/car/state")),
        ("-r rostopic://dms/get_state:=state", None),
        ("-r other:~/get_state:=state", None),
        // The service of another node, as it stands there.
        ("-r get_state:=state", None),
        ("-r rostopic://~/get_state:=a -r ~/get_state:=/first -r ~/get_state:=/second", Some("/first")),
    ] {
        let found = ros(rules).service("dms", "/car", service).map(|(_, to)| to);
        assert_eq!(found.as_deref(), to, "{rules}");
    }
}

#[test]
fn a_node_is_renamed_by_the_first_rule_for_it() {
    for (rules, name) in [
        ("-r __node:=a", Some("a")),
        ("-r __name:=a", Some("a")),
        ("-r __node:=a -r __node:=b", Some("a")),
        ("-r other:__node:=a", None),
        ("-r other:__node:=a -r dms:__node:=b", Some("b")),
    ] {
        assert_eq!(ros(rules).node_name("dms").map(|(_, name)| name), name, "{rules}");
    }
    assert_eq!(ros("-r __ns:=/").namespace("dms"), Some((0, "/")));
    assert_eq!(ros("-r dms:__ns:=/car/front").namespace("dms"), Some((0, "/car/front")));
    assert_eq!(ros("-r dms:__ns:=/car").namespace("other"), None);
}

#[test]
fn values_have_rcl_s_types() {
    let text = |text: &str| Value::Text(text.to_owned());
    for (written, typed) in [
        ("true", Value::Bool(true)),
        ("yes", Value::Bool(true)),
        ("Off", Value::Bool(false)),
        ("n", Value::Bool(false)),
        ("30", Value::Int(30)),
        ("-7", Value::Int(-7)),
        ("0x1F", Value::Int(31)),
        ("010", Value::Int(8)),
        ("08", Value::Double(8.0)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        ("9223372036854775808", Value::Double(9_223_372_036_854_775_808.0)),
        ("30.0", Value::Double(30.0)),
        ("1e3", Value::Double(1000.0)),
        (".5", Value::Double(0.5)),
        ("1e400", text("1e400")),
        ("-.inf", Value::Double(f64::NEG_INFINITY)),
        ("'30'", text("30")),
        ("\"true\"", text("true")),
        ("!!str 30", text("30")),
        ("~", text("~")),
        ("text with words", text("text with words")),
        ("a:=b", text("a:=b")),
        ("/a/path.toml", text("/a/path.toml")),
        ("''", text("")),
        ("[1, 2]", Value::List(vec![Value::Int(1), Value::Int(2)])),
        ("[a, 'b']", Value::List(vec![text("a"), text("b")])),
        ("[]", Value::List(Vec::new())),
    ] {
        assert_eq!(value(written), typed, "{written}");
    }
    assert!(matches!(value(".nan"), Value::Double(nan) if nan.is_nan()));
}

#[test]
fn a_later_key_wins_and_a_key_stands_where_it_first_appeared() {
    let rate = |arguments: &str| {
        params(&ros(arguments), "/car/dms").into_iter().find(|(name, _)| name == "rate").map(|(_, rate)| rate)
    };
    assert_eq!(rate("--params-file car.yaml"), Some(Value::Int(30)));
    assert_eq!(rate("--params-file car.yaml --params-file all.yaml"), Some(Value::Int(1)));
    assert_eq!(rate("--params-file all.yaml --params-file car.yaml"), Some(Value::Int(30)));
    assert_eq!(rate("--params-file car.yaml -p rate:=5"), Some(Value::Int(5)));
    assert_eq!(rate("-p rate:=5 --params-file car.yaml"), Some(Value::Int(30)));
    // As in rclcpp: -p is the key /**, which appeared before the node's own.
    assert_eq!(rate("--params-file all.yaml --params-file car.yaml -p rate:=5"), Some(Value::Int(30)));
}

#[test]
fn a_key_is_for_the_nodes_that_it_matches() {
    let yaml = |key: &str| format!("{key}:\n  ros__parameters: {{x: 1}}\n");
    for (key, car_dms, dms) in [
        ("/**", true, true),
        ("/*", false, true),
        ("/car/*", true, false),
        ("/*/dms", true, false),
        ("/**/dms", true, true),
        ("/car/**", true, false),
        ("/car/dms", true, false),
        ("dms", false, true),
        ("/dms", false, true),
        ("car/dms", true, false),
        ("/car", false, false),
    ] {
        let words = ["troika", "--ros-args", "--params-file", "x"].map(OsString::from);
        let ros = read(words, |_| Ok(yaml(key))).unwrap().ros;
        assert_eq!(ros.params("/car/dms").len(), usize::from(car_dms), "{key} for /car/dms");
        assert_eq!(ros.params("/dms").len(), usize::from(dms), "{key} for /dms");
    }
}

#[test]
fn maps_and_dots_and_namespaces_that_are_maps_are_the_same() {
    let found = params(&ros("--params-file nested.yaml"), "/car/dms");
    let ab = Value::List(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(found, [("a.b".to_owned(), ab), ("c.d".to_owned(), Value::Text("x".to_owned()))]);
    assert_eq!(params(&ros("--params-file empty.yaml"), "/car/dms"), []);
}

#[test]
fn a_parameter_for_another_node_is_told_where_it_was_meant_for_one() {
    let names = ["/car/dms".to_owned()];
    assert_eq!(ros("-p dms:rate:=1 -p rate:=2").misdirected(&names), ["-p dms:rate:=1"]);
    assert_eq!(ros("-p dms:rate:=1").misdirected(&["/dms".to_owned()]), Vec::<String>::new());
    // A file is often for many nodes.
    assert_eq!(ros("--params-file car.yaml").misdirected(&["/other".to_owned()]), Vec::<String>::new());
}

#[test]
fn where_a_parameter_was_written_is_known() {
    let found = ros("--params-file car.yaml -p b:=1").params("/car/dms");
    let shown: Vec<String> = found.iter().map(|param| param.origin.to_string()).collect();
    assert_eq!(shown, ["car.yaml:3", "car.yaml:4", "-p b:=1"]);
}

#[test]
fn known_options_without_effect_are_kept_to_be_told() {
    let ros = ros(
        "--log-level debug --log-level rcl:=WARN --log-config-file x --enable-rosout-logs --disable-rosout-logs -e /enclave",
    );
    let told: Vec<&str> = ros.idle.iter().map(|idle| idle.argument.as_str()).collect();
    assert_eq!(
        told,
        [
            "--log-level debug",
            "--log-level rcl:=WARN",
            "--log-config-file x",
            "--enable-rosout-logs",
            "-e /enclave"
        ]
    );
    assert!(ros.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_the_argument_and_the_way_out() {
    for (arguments, told) in [
        ("--remapp a:=b", "--remapp: there is no such ROS argument"),
        ("stray", "stray: there is no such ROS argument"),
        ("-r", "-r: stands last, without its value"),
        ("-r a", "-r a: has no := in it"),
        ("-r a:=", "'' is no ROS name"),
        ("-r :=b", "'' is no ROS name"),
        ("-r a//b:=c", "'a//b' is no ROS name"),
        ("-r a:=9b", "'9b' is no ROS name"),
        ("-r a__b:=c", "'a__b' is no ROS name"),
        ("-r a:b:c:=d", "'b:c' is no ROS name"),
        ("-r /a/*:=b", "wildcards"),
        ("-r __ns:=car", "'car' is no namespace"),
        ("-r __ns:=/car/", "'/car/' is no namespace"),
        ("-r __node:=a/b", "'a/b' is no node name"),
        ("-p rate", "-p rate: has no := in it"),
        ("-p rate:=", "-p rate:=: has no value"),
        ("-p a..b:=1", "'a..b' is no parameter name"),
        ("-p *:a:=1", "'*' is no node name"),
        ("-p a:=[1,true]", "all of one type"),
        ("-p a:=[1,2", "-p a:=[1,2: the value is none"),
        ("-p a:={b}", "a map is no value"),
        ("--params-file none.yaml", "--params-file none.yaml: cannot be read: no such file"),
        ("--params-file flat.yaml", "flat.yaml:2: 'rate' has a value where ros__parameters is expected"),
        ("--params-file bare.yaml", "bare.yaml:1: no node's name stands above ros__parameters"),
        ("--params-file torn.yaml", "torn.yaml:"),
        ("--params-file mixed.yaml", "mixed.yaml:3: gains: a list's values are all of one type"),
        ("--params-file alias.yaml", "alias.yaml:3: aliases"),
        ("--log-level loud", "--log-level loud: there is no such level"),
    ] {
        let refused = line(&format!("troika --ros-args {arguments}")).unwrap_err();
        assert!(refused.to_string().contains(told), "{arguments}: {refused}");
        assert!(!refused.way_out.is_empty());
    }
}
