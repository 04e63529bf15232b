//! What the arguments make of a system, and what is told of them.

use std::ffi::OsString;

use super::*;
use crate::{kinds::KINDS, system};

const TWO: &str = "[system]\nname = 't'\n[nodes.state]\nkind = 'template'\nremap = { motion = '/moved' }\n\
    [nodes.dms]\nkind = 'driver_monitor'\nprocess = 'cabin'\n[chains.c]\nnodes = ['state', 'dms']\ngoal_ms = 500\n";
const ONE: &str = "[system]\nname = 't'\n[nodes.template]\nkind = 'template'\n";

fn on(text: &str, arguments: &str, file: &str) -> Result<Overlaid, Refused> {
    let words = format!("troika --ros-args {arguments}");
    let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
    let ros = troika_ros_args::read(words, |_| Ok(file.to_owned()))?.ros;
    overlay(toml::from_str(text).expect("sound"), &ros, KINDS)
}

/// What the arguments make of the system, by dotted path.
fn got(overlaid: &Overlaid, path: &str) -> Option<Toml> {
    let table: Table = toml::from_str(&overlaid.text).expect("sound");
    path.split('.').try_fold(Toml::Table(table), |value, key| value.get(key).cloned())
}

fn problems(overlaid: &Overlaid) -> Vec<Problem> {
    let system = match system::parse(&overlaid.text) {
        Ok(system) => system,
        Err(problem) => return vec![overlaid.explain(problem)],
    };
    let found = system::check::check(&overlaid.text, &system, KINDS, 4);
    found
        .into_iter()
        .filter(|problem| problem.severity == system::Severity::Error)
        .map(|problem| overlaid.explain(problem))
        .collect()
}

#[test]
fn a_node_gets_the_name_the_namespace_the_topics_and_the_parameters() {
    let given = on(
        ONE,
        "-r __node:=still -r __ns:=/car -r signals:=cam/signals -r /vehicle/motion:=~/motion -p standstill_kmh:=2 -p max_age_ms:=90",
        "",
    )
    .expect("sound");
    assert_eq!(got(&given, "system.namespace"), Some("/car".into()));
    assert_eq!(got(&given, "nodes.still.remap.signals"), Some("/car/cam/signals".into()));
    assert_eq!(got(&given, "nodes.still.remap.motion"), Some("/car/still/motion".into()));
    assert_eq!(got(&given, "nodes.still.params.standstill_kmh"), Some(2.into()));
    assert_eq!(got(&given, "nodes.template"), None);
    assert_eq!(given.notices, Vec::<String>::new());
    assert_eq!(problems(&given), []);
}

#[test]
fn a_namespace_does_not_move_absolute_topics() {
    let given = on(ONE, "-r __ns:=/car", "").expect("sound");
    assert_eq!(got(&given, "nodes.template.remap"), None);
}

#[test]
fn services_are_renamed_by_the_rules_for_them() {
    let given = on(
        ONE,
        "-r __node:=still -r __ns:=/car -r ~/get_state:=/state -r still/change_state:=change -r rosservice://~/get_parameters:=~/get \
         -r rostopic://~/set_parameters:=~/set",
        "",
    )
    .expect("sound");
    assert_eq!(got(&given, "nodes.still.services.get_state"), Some("/state".into()));
    assert_eq!(got(&given, "nodes.still.services.change_state"), Some("/car/change".into()));
    assert_eq!(got(&given, "nodes.still.services.get_parameters"), Some("/car/still/get".into()));
    assert_eq!(got(&given, "nodes.still.services.set_parameters"), None);
    assert_eq!((given.notices.len(), problems(&given)), (1, vec![]), "{:?}", given.notices);
    // Of several nodes each that has it, and the one that is named.
    let given = on(TWO, "-r ~/get_state:=~/state -r dms:~/get_parameters:=/get", "").expect("sound");
    assert_eq!(got(&given, "nodes.state.services.get_state"), Some("/state/state".into()));
    assert_eq!(got(&given, "nodes.dms.services.get_state"), Some("/dms/state".into()));
    assert_eq!(got(&given, "nodes.dms.services.get_parameters"), Some("/get".into()));
    assert_eq!(got(&given, "nodes.state.services.get_parameters"), None);
    let plain = on(ONE, "-r __ns:=/car", "").expect("sound");
    assert_eq!(got(&plain, "nodes.template.services"), None, "they follow name and namespace by themselves");
}

#[test]
fn of_several_nodes_each_gets_its_own() {
    let file = "/car/dms:\n  ros__parameters: {nominal_confidence: 0.5, troika.priority: 81, troika.lock_memory: true}\n\
        /car/state:\n  ros__parameters: {max_age_ms: 70, troika: {period_ms: 20.0}}\n";
    let given =
        on(TWO, "-r __ns:=/car -r state:__node:=still --params-file f -r /moved:=m", file).expect("sound");
    assert_eq!(got(&given, "nodes.dms.params.nominal_confidence"), Some(0.5.into()));
    assert_eq!(got(&given, "nodes.dms.sched.priority"), Some(81.into()));
    assert_eq!(got(&given, "nodes.dms.sched.policy"), Some("fifo".into()));
    assert_eq!(got(&given, "processes.cabin.lock_memory"), Some(true.into()));
    assert_eq!(got(&given, "nodes.still.remap.motion"), Some("/car/m".into()));
    // /car/state is its old name.
    assert_eq!(got(&given, "nodes.still.params"), None);
    assert_eq!(got(&given, "chains.c.nodes"), Some(Toml::Array(vec!["still".into(), "dms".into()])));
}

#[test]
fn a_system_has_one_time() {
    for wanted in [true, false] {
        let given = on(TWO, &format!("-p use_sim_time:={wanted}"), "").expect("sound");
        assert_eq!(got(&given, "system.use_sim_time"), Some(wanted.into()));
        assert!(given.notices.is_empty(), "{:?}", given.notices);
    }
    let given = on(ONE, "-p use_sim_time:=3", "").expect("placed");
    assert_eq!(problems(&given).len(), 1, "no switch");
    let file =
        "state:\n  ros__parameters: {use_sim_time: true}\ndms:\n  ros__parameters: {use_sim_time: false}\n";
    let refused = on(TWO, "--params-file f", file).expect_err("two times");
    assert!(refused.to_string().contains("one time"), "{refused}");
}

#[test]
fn qos_overrides_are_those_of_the_ports_with_the_topic() {
    let given = on(
        ONE,
        "-r signals:=/car/signals -p qos_overrides./car/signals.subscription.deadline:=100000000 \
         -p qos_overrides./car/signals.subscription_x.reliability:=best_effort \
         -p qos_overrides./vehicle/motion.publisher.depth:=3",
        "",
    )
    .expect("sound");
    assert_eq!(got(&given, "nodes.template.qos.signals.deadline_ms"), Some(100.0.into()));
    assert_eq!(got(&given, "nodes.template.qos.signals.reliability"), Some("best_effort".into()));
    assert_eq!(got(&given, "nodes.template.qos.motion.depth"), Some(3.into()));
    assert_eq!((problems(&given), given.notices.len()), (vec![], 0));
    let file = "template:\n  ros__parameters:\n    qos_overrides:\n      /vehicle/motion:\n        publisher:\n          lifespan: 5000000\n";
    let given = on(ONE, "--params-file f", file).expect("sound");
    assert_eq!(got(&given, "nodes.template.qos.motion.lifespan_ms"), Some(5.0.into()));
    let given = on(ONE, "-p qos_overrides./vehicle/motion.subscription.depth:=3", "").expect("sound");
    assert_eq!(given.notices.len(), 1, "{:?}", given.notices);
    let refused = on(ONE, "-p qos_overrides./vehicle/motion.publisher.dept:=3", "").expect_err("refused");
    assert!(refused.to_string().contains("did you mean depth?"), "{refused}");
}

#[test]
fn what_changes_nothing_is_told() {
    for (arguments, told) in [
        (
            "-r nothing:=x",
            "-r nothing:=x: changes nothing: template has no such topic; it has signals (/vehicle/signals)",
        ),
        (
            "-r rosservice://a:=x",
            "-r rosservice://a:=x: changes nothing: no node has such a service; every node has ~/list_parameters, ",
        ),
        ("-r other:__node:=x", "-r other:__node:=x: changes nothing"),
        ("-p other:max_age_ms:=1", "-p other:max_age_ms:=1: no node of this name"),
        ("--log-level debug", "--log-level debug: no effect here"),
        (
            "--params-file f",
            "f:3: template (template) has no parameter max_age: left to other nodes; did you mean `max_age_ms`?",
        ),
    ] {
        let given = on(ONE, arguments, "/**:\n  ros__parameters:\n    max_age: 90\n").expect("sound");
        assert_eq!(given.notices.len(), 1, "{arguments}: {:?}", given.notices);
        assert!(given.notices[0].starts_with(told), "{arguments}: {}", given.notices[0]);
        assert_eq!(problems(&given), [], "{arguments}");
    }
}

#[test]
fn what_is_wrong_is_told_by_the_argument_that_said_so() {
    let file = "template:\n  ros__parameters:\n    max_age: 90\n";
    for (arguments, told, help) in [
        ("-p max_age:=90", "-p max_age:=90: unknown field `max_age`", "did you mean `max_age_ms`?"),
        ("--params-file f", "f:3: unknown field `max_age`", "did you mean `max_age_ms`?"),
        ("-p standstill_kmh:=fast", "-p standstill_kmh:=fast: invalid type: string \"fast\"", ""),
        ("-p a.b:=1", "-p a.b:=1: unknown field `a`", ""),
        ("-p troika.priority:=99", "-p troika.priority:=99: ", ""),
        ("-p troika.period_ms:=5000.0", "-p troika.period_ms:=5000.0: ", ""),
        ("-p troika.lock_memory:=1", "-p troika.lock_memory:=1: invalid type", ""),
    ] {
        let given = on(ONE, arguments, file).expect("it can be laid on");
        let [problem] = &problems(&given)[..] else { panic!("{arguments}: {:?}", problems(&given)) };
        assert!(problem.message.starts_with(told), "{arguments}: {problem}");
        assert!(problem.help.as_deref().unwrap_or_default().contains(help), "{arguments}: {problem:?}");
        assert_eq!(problem.span, None);
    }
    let monitor = ONE.replace("kind = 'template'", "kind = 'driver_monitor'");
    let given = on(&monitor, "-p nominal_confidence:=2.0", "").expect("it can be laid on");
    assert!(
        problems(&given)[0].message.starts_with("-p nominal_confidence:=2.0: "),
        "{:?}",
        problems(&given)
    );
    let camera = ONE.replace("kind = 'template'", "kind = 'sim_driver'");
    let given = on(&camera, "", "").expect("it can be laid on");
    assert!(problems(&given)[0].message.contains("missing field `scenario`"), "{:?}", problems(&given));
    assert!(problems(&given)[0].help.as_deref().is_some_and(|help| help.contains("-p NAME:=VALUE")));
}

#[test]
fn what_no_system_can_follow_is_refused() {
    for (text, arguments, told) in [
        (TWO, "-r __node:=x", "-r __node:=x: gives two nodes the name x"),
        (TWO, "-r dms:__ns:=/x", "a system has one namespace"),
        (
            ONE,
            "-p troika.prio:=80",
            "-p troika.prio:=80: there is no parameter troika.prio; did you mean troika.priority?",
        ),
        (ONE, "-p max_age_ms:=1 -p max_age_ms.x:=1", "-p max_age_ms.x:=1: max_age_ms.x stands below a name"),
    ] {
        let refused = on(text, arguments, "").expect_err("impossible").to_string();
        assert!(refused.contains(told), "{arguments}: {refused}");
    }
}
