//! Systems with one thing wrong, and what is said of it.

use super::*;
use crate::{Severity, kinds::KINDS, system::parse};

const HEAD: &str = "[system]\nname = \"t\"\n";
const DETECTORS: &str = "[nodes.camera]\nkind = \"sim_driver\"\nparams = { scenario = \"../../sim/scenarios/demo-30s.toml\", drives_vehicle = true }\n\
     [nodes.driver_state]\nkind = \"driver_state\"\nsched = { policy = \"fifo\", priority = 80 }\n\
     [nodes.driver_monitor]\nkind = \"driver_monitor\"\nsched = { policy = \"fifo\", priority = 81 }\n";

fn problems(text: &str) -> Vec<Problem> {
    let text = format!("{HEAD}{text}");
    let system = parse(&text).unwrap_or_else(|problem| panic!("{problem}"));
    check(&text, &system, KINDS, 2)
}

/// The one error of a text, with the text that it points at.
fn error(text: &str) -> (String, String) {
    let whole = format!("{HEAD}{text}");
    let all = problems(text);
    let errors: Vec<&Problem> = all.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{all:?}");
    let at = errors[0].span.clone().map_or(String::new(), |span| whole[span].to_owned());
    (errors[0].message.clone(), at)
}

#[test]
fn the_detectors_behind_a_simulated_driver_are_fine() {
    let errors: Vec<_> =
        problems(DETECTORS).into_iter().filter(|one| one.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_black_box_whose_folder_cannot_be_made_is_found_before_anything_runs() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let of = |folder: &std::path::Path| {
        let head =
            format!("{HEAD}black_box = {{ folder = {:?} }}\n{DETECTORS}", folder.display().to_string());
        let system = parse(&head).unwrap_or_else(|problem| panic!("{problem}"));
        let all = check(&head, &system, KINDS, 2);
        all.into_iter().find(|one| one.severity == Severity::Error).map(|one| one.message)
    };
    assert_eq!(of(&folder.path().join("new/one")), None);
    assert_eq!(of(std::path::Path::new("black-box-of-a-test")), None);
    let told = of(&file.join("below")).expect("it is under a file");
    assert!(told.contains("is no folder"), "{told}");
    assert!(of(std::path::Path::new("/proc/black")).is_some_and(|told| told.contains("/proc")));
}

#[test]
fn an_unknown_kind_is_named_with_the_nearest_one() {
    let all = problems("[nodes.a]\nkind = \"driver_stat\"\n");
    assert_eq!(all[0].help.as_deref(), Some("did you mean `driver_state`?"));
}

#[test]
fn an_unknown_parameter_is_found_at_its_own_line() {
    troika_safety::verifies![SR_DAT_007];
    let text = DETECTORS.replace("scenario =", "scenery =");
    let (message, _) = error(&text);
    assert!(message.contains("scenery"), "{message}");
}

#[test]
fn a_loosened_contract_is_refused_and_the_contract_shown() {
    troika_safety::verifies![SR_TIM_016];
    let text = DETECTORS.replace("kind = \"driver_state\"\n", "kind = \"driver_state\"\ndeadline_ms = 50\n");
    let (message, at) = error(&text);
    assert!(message.contains("looser"), "{message}");
    assert_eq!(at, "50");
}

#[test]
fn a_time_that_is_none_is_refused() {
    let text = DETECTORS.replace("kind = \"driver_state\"\n", "kind = \"driver_state\"\nbudget_ms = -1\n");
    assert_eq!(error(&text).1, "-1");
}

#[test]
fn a_port_that_is_not_there_is_named_with_the_nearest_one() {
    let text = format!("{DETECTORS}[nodes.driver_monitor.remap]\nstat = \"/x\"\n");
    let help =
        problems(&text).into_iter().find(|one| one.message.contains("no port")).and_then(|one| one.help);
    assert_eq!(help.as_deref(), Some("did you mean `state`?"));
}

#[test]
fn a_service_that_no_node_has_is_named_with_the_nearest_one() {
    let of = |line: &str| format!("{DETECTORS}[nodes.driver_monitor.services]\n{line}\n");
    let sound = problems(&of("get_state = \"/state\""));
    assert!(sound.iter().all(|one| !one.message.contains("service")), "{sound:?}");
    let text = of("get_stat = \"/state\"");
    let help =
        problems(&text).into_iter().find(|one| one.message.contains("no node has")).and_then(|one| one.help);
    assert_eq!(help.as_deref(), Some("did you mean `get_state`?"));
    assert_eq!(error(&of("get_state = \"state\"")).1, "\"state\"");
}

#[test]
fn a_qos_that_cannot_be_is_refused_at_its_key() {
    let of = |line: &str| format!("{DETECTORS}[nodes.driver_monitor.qos.state]\n{line}\n");
    let sound = problems(&of("deadline_ms = 100\nreliability = \"best_effort\""));
    assert!(sound.iter().all(|one| !one.message.contains("`deadline_ms`")), "{sound:?}");
    assert_eq!(error(&of("deadline_ms = -1")).1, "-1");
    assert_eq!(error(&of("lifespan_ms = nan")).1, "nan");
    assert_eq!(error(&of("depth = 0")).1, "0");
    let text = format!("{DETECTORS}[nodes.driver_monitor.qos.stat]\ndepth = 1\n");
    let help =
        problems(&text).into_iter().find(|one| one.message.contains("no port")).and_then(|one| one.help);
    assert_eq!(help.as_deref(), Some("did you mean `state`?"));
}

#[test]
fn what_comes_from_outside_is_not_missed_and_a_misspelt_topic_there_is() {
    let node = "[nodes.driver_monitor]\nkind = \"driver_monitor\"\n";
    let missed = |from_outside: &str| -> Vec<String> {
        let text = format!("from_outside = [{from_outside}]\n{node}");
        problems(&text)
            .into_iter()
            .map(|one| one.message)
            .filter(|one| one.contains("nothing in this"))
            .collect()
    };
    let all = missed("");
    assert!(all.iter().any(|one| one.contains("/cabin/driver_state")), "{all:?}");
    assert_eq!(missed("\"/cabin/driver_state\"").len(), all.len() - 1);
    let misspelt = missed("\"/cabin/driverstate\"");
    assert!(misspelt.iter().any(|one| one.ends_with("reads /cabin/driverstate")), "{misspelt:?}");
}

#[test]
fn two_types_on_one_topic_are_a_mismatch() {
    let text = format!("{DETECTORS}[nodes.driver_monitor.remap]\nstate = \"/vehicle/signals\"\n");
    let found = problems(&text);
    assert!(found.iter().any(|one| one.message.contains("type mismatch on /vehicle/signals")), "{found:?}");
}

#[test]
fn a_hard_node_below_a_softer_one_is_an_inversion() {
    let text = DETECTORS.replace(
        "kind = \"sim_driver\"\n",
        "kind = \"sim_driver\"\nsched = { policy = \"fifo\", priority = 90 }\ncores = [1]\n",
    );
    let found = problems(&text);
    assert!(found.iter().any(|one| one.message.starts_with("priority inversion")), "{found:?}");
}

#[test]
fn one_core_for_all_real_time_nodes_is_an_overload() {
    let text = DETECTORS.replace("priority = 80 }", "priority = 80 }\ncores = [0]");
    let text = format!(
        "{text}[nodes.more]\nkind = \"driver_state\"\nsched = {{ policy = \"fifo\", priority = 79 }}\ncores = [0]\n"
    );
    let found = problems(&text);
    let whole = format!("{HEAD}{text}");
    let overload = found.iter().find(|one| one.message.contains("core 0 is overloaded")).expect("told");
    assert!(overload.message.contains("driver_state 85 %, more 85 %"), "{overload}");
    assert!(whole[overload.span.clone().expect("a place")].contains("priority = 80"));
}

#[test]
fn cores_that_are_loaded_alike_are_told_once_with_their_nodes() {
    let text = format!("{DETECTORS}[nodes.more]\nkind = \"gesture\"\n[nodes.most]\nkind = \"gesture\"\n");
    let found = problems(&text);
    let loads: Vec<_> = found.iter().filter(|one| one.message.contains("be overloaded")).collect();
    assert!(
        matches!(loads[..], [one] if one.message.contains("each of the cores [0, 1]") && one.message.contains("most ")),
        "{found:?}"
    );
}

#[test]
fn an_overrun_says_how_long_and_nothing_else_does() {
    let injected = |fault: &str| {
        DETECTORS.replace("priority = 80 }\n", &format!("priority = 80 }}\ninject = {{ {fault} }}\n"))
    };
    for wrong in ["fault = \"overrun\", at_step = 9", "fault = \"hang\", ms = 5, at_step = 9"] {
        assert!(error(&injected(wrong)).1.contains(wrong));
    }
    for right in ["fault = \"overrun\", ms = 40, at_step = 9", "fault = \"panic\", at_step = 9"] {
        let found = problems(&injected(right));
        assert!(found.iter().all(|one| one.severity == Severity::Warning), "{found:?}");
    }
}

#[test]
fn what_is_wrong_with_a_process_is_shown_at_its_key() {
    let text =
        DETECTORS.replace("kind = \"driver_state\"\n", "kind = \"driver_state\"\nprocess = \"cabbin\"\n");
    let (message, at) = error(&format!("{text}[processes.cabin]\nnice = 0\n"));
    assert!(message.contains("no [processes.cabbin] table"), "{message}");
    assert_eq!(at, "\"cabbin\"");
    assert_eq!(error(&format!("{DETECTORS}[processes.main]\nnice = 20\n")).1, "20");
    let of_voice = "[nodes.voice]\nkind = \"voice\"\nprocess = \"voice\"\n\
                    params = { source = { kind = \"microphone\" } }\n[processes.voice]\nnice = 10\n";
    assert_eq!(error(&format!("{DETECTORS}{of_voice}watchdog = true\n")).1, "true");
    assert_eq!(error(&format!("{DETECTORS}{of_voice}wake_latency_us = 7\n")).1, "7");
}

#[test]
fn a_file_that_a_parameter_names_is_shown_where_it_is_named() {
    let text = DETECTORS.replace("demo-30s", "no-such");
    assert_eq!(error(&text).1, "\"../../sim/scenarios/no-such.toml\"");
    let text =
        format!("{DETECTORS}[nodes.hands]\nkind = \"gesture\"\nparams = {{ mapping = \"no/such.toml\" }}\n");
    assert_eq!(error(&text).1, "\"no/such.toml\"");
}

#[test]
fn what_is_wrong_with_a_policy_is_shown_at_its_key_or_in_words() {
    let with = |sched: &str| DETECTORS.replace("sched = { policy = \"fifo\", priority = 80 }", sched);
    assert_eq!(error(&with("sched = { policy = \"fifo\", priority = 99 }")).1, "99");
    let refused = |sched: &str| {
        let text = format!("{HEAD}{}", with(sched));
        let problem = parse(&text).expect_err("refused");
        let at = problem.span.clone().map_or("", |span| &text[span]).to_owned();
        (problem.message.clone(), at, problem.help.unwrap_or_default())
    };
    let (message, at, help) = refused("sched = { policy = \"fifo\", prioritiy = 80 }");
    assert!(message.contains("unknown field `prioritiy`") && help.contains("`priority`"), "{message}");
    assert_eq!(at, "prioritiy");
    let (message, at, _) = refused("sched = { policy = \"fifo\", priority = \"80\" }");
    assert!(message.contains("expected a whole number"), "{message}");
    assert_eq!(at, "\"80\"");
    for (sched, told) in [
        ("sched = \"fifo\"", "expected a table: { policy"),
        ("sched = { policy = \"fifo\" }", "needs `priority`, 1 to 98"),
        ("sched = { policy = \"other\", priority = 80 }", "it has no `priority`"),
        ("sched = { policy = \"deadline\", priority = 80 }", "it runs above"),
        ("cores = \"0\"", "expected a list"),
    ] {
        let (message, ..) = refused(sched);
        assert!(message.contains(told), "{sched}: {message}");
    }
    let (_, at, help) = refused("priority = 80");
    assert!(at == "priority" && help.contains("a node's `sched`"), "{help}");
    for (process, told) in [
        ("restarts_per_minute = 3", "essential"),
        ("restarts_per_minute = 3\nwatchdog = true", "watchdog"),
        ("restarts_per_minute = 601\nessential = false", "0 to 600"),
    ] {
        let text = format!("{DETECTORS}[processes.main]\nlock_memory = true\n{process}\n");
        assert!(error(&text).0.contains(told), "{process}");
    }
    let text = format!("{DETECTORS}[processes.main.watchdog]\nrestarts_per_minute = 700\n");
    assert_eq!(error(&text).1, "700");
}

#[test]
fn a_parameter_out_of_its_bounds_is_shown_at_its_key() {
    troika_safety::verifies![SR_DAT_007];
    let text = format!("{DETECTORS}[nodes.hands]\nkind = \"gesture\"\nparams = {{ min_palm = 1.5 }}\n");
    let (message, at) = error(&text);
    assert!(message.contains("min_palm must be"), "{message}");
    assert_eq!(at, "1.5");
}

#[test]
fn a_hard_node_wants_its_memory_locked() {
    let told = |text: &str| {
        problems(text).iter().filter(|one| one.message.contains("does not lock its memory")).count()
    };
    assert_eq!(told(DETECTORS), 2, "driver_state and driver_monitor");
    assert_eq!(told(&format!("{DETECTORS}[processes.main]\nlock_memory = true\n")), 0);
}

#[test]
fn a_core_that_is_not_there_is_refused() {
    let text = DETECTORS.replace("priority = 80 }", "priority = 80 }\ncores = [7]");
    assert!(error(&text).0.contains("no core 7"));
}

#[test]
fn mem_is_not_for_running() {
    let whole = format!("[system]\nname = \"t\"\ntransport = \"mem\"\n{DETECTORS}");
    let system = parse(&whole).unwrap_or_else(|problem| panic!("{problem}"));
    let found = check(&whole, &system, KINDS, 2);
    let mem = found.iter().find(|one| one.message.contains("mem transport")).expect("told");
    assert_eq!(&whole[mem.span.clone().expect("a place")], "\"mem\"");
}

#[test]
fn names_and_shares_that_are_none_are_refused_where_they_stand() {
    let of_head = |line: &str| {
        let whole = format!("[system]\nname = \"t\"\n{line}\n{DETECTORS}");
        let system = parse(&whole).unwrap_or_else(|problem| panic!("{problem}"));
        let found = check(&whole, &system, KINDS, 2);
        let error = found.iter().find(|one| one.severity == Severity::Error).cloned();
        error.map(|error| whole[error.span.expect("a place")].to_owned())
    };
    assert_eq!(of_head("namespace = \"/car/front\""), None);
    assert_eq!(of_head("namespace = \"bad ns\"").as_deref(), Some("\"bad ns\""));
    for share in ["3.0", "nan", "-1.0", "0.0"] {
        assert_eq!(of_head(&format!("real_time_share = {share}")).as_deref(), Some(share));
    }
    let text = DETECTORS.replace("[nodes.driver_monitor]", "[nodes.\"driver monitor\"]");
    assert_eq!(error(&text).1, "\"driver monitor\"");
    let text = DETECTORS.replace("policy = \"fifo\", priority = 81", "policy = \"other\", priority = 81");
    assert!(parse(&format!("{HEAD}{text}")).is_err(), "a key that means nothing");
}

#[test]
fn a_watchdog_is_a_switch_or_says_how_often_it_starts_a_process_again() {
    let limit = |watchdog: &str| {
        let text = format!("{HEAD}{DETECTORS}[processes.main]\nwatchdog = {watchdog}\n");
        parse(&text).map(|system| system.restarts_per_minute("main")).map_err(|problem| problem.message)
    };
    assert_eq!(limit("false"), Ok(None));
    assert_eq!(limit("true"), Ok(Some(3)));
    assert_eq!(limit("{ restarts_per_minute = 20 }"), Ok(Some(20)));
    assert!(limit("3").is_err_and(|why| why.contains("restarts_per_minute = N")));
    assert!(limit("{ restarts = 20 }").is_err_and(|why| why.contains("unknown field `restarts`")));
    assert!(limit("{ restarts_per_minute = -1 }").is_err());
    let many = format!("{DETECTORS}[processes.main]\nwatchdog = {{ restarts_per_minute = 601 }}\n");
    assert!(error(&many).0.contains("0 to 600"));
}

#[test]
fn a_chain_of_one_is_none() {
    assert!(
        error(&format!("{DETECTORS}[chains.x]\nnodes = [\"camera\"]\ngoal_ms = 5\n")).0.contains("two nodes")
    );
}

#[test]
fn a_deadline_reservation_takes_its_numbers_from_the_contract_and_excludes_cores() {
    let text = DETECTORS.replace("policy = \"fifo\", priority = 80", "policy = \"deadline\"");
    assert!(problems(&text).iter().all(|one| one.severity == Severity::Warning), "{:?}", problems(&text));
    let pinned = text.replace("\"deadline\" }", "\"deadline\" }\ncores = [0, 1]");
    assert!(error(&pinned).0.contains("exclude each other"));
    let unsound = text.replace("\"deadline\" }", "\"deadline\", runtime_ms = 40 }");
    assert!(error(&unsound).0.contains("unsound"));
}

#[test]
fn the_nearer_deadline_runs_first() {
    let text = DETECTORS.replace("priority = 81", "priority = 70");
    let found = problems(&text);
    assert!(found.iter().any(|one| one.message.contains("has the nearer deadline")), "{found:?}");
    let text = DETECTORS.replace("priority = 81", "priority = 80");
    let found = problems(&text);
    assert!(found.iter().any(|one| one.message.contains("runs at 80 beside")), "{found:?}");
}

#[test]
fn two_detectors_on_one_core_may_miss_their_deadline() {
    let text = DETECTORS.replace("priority = 80 }", "priority = 80 }\ncores = [0]");
    let text = format!(
        "{text}[nodes.more]\nkind = \"driver_state\"\nsched = {{ policy = \"fifo\", priority = 79 }}\ncores = [0]\n"
    );
    let found = problems(&text);
    assert!(found.iter().any(|one| one.message.contains("`more` may miss its deadline")), "{found:?}");
}

#[test]
fn a_chain_follows_the_messages_and_keeps_its_goal() {
    let chain =
        |nodes: &str, goal: f64| format!("{DETECTORS}[chains.alert]\nnodes = {nodes}\ngoal_ms = {goal}\n");
    let whole = "[\"camera\", \"driver_state\", \"driver_monitor\"]";
    let errors =
        |text: &str| problems(text).into_iter().filter(|one| one.severity == Severity::Error).count();
    assert_eq!(errors(&chain(whole, 100.0)), 0, "{:?}", problems(&chain(whole, 100.0)));
    assert!(error(&chain(whole, 5.0)).0.contains("its goal is 5ms"));
    assert!(error(&chain(whole, -5.0)).0.contains("over zero"));
    assert!(error(&chain("[\"driver_monitor\", \"camera\"]", 100.0)).0.contains("reads nothing"));
    assert!(error(&chain("[\"camera\", \"driver_stat\"]", 100.0)).0.contains("no node of this system"));
}

#[test]
fn a_link_that_is_measured_to_elsewhere_than_the_cloud_is_told_with_the_address() {
    let text = |endpoint: &str, url: &str| {
        format!(
            "[nodes.link]\nkind = \"link\"\nparams = {{ endpoint = \"{endpoint}\" }}\n\
             [nodes.bridge]\nkind = \"bridge\"\n[nodes.bridge.params.dialogue.cloud]\nurl = \"{url}\"\nmodel = \"m\"\n"
        )
    };
    let told = |endpoint: &str, url: &str| {
        let found = problems(&text(endpoint, url));
        found.into_iter().find(|one| one.message.contains("measures the way to")).map(|one| one.help)
    };
    let help = told("127.0.0.1:8808", "https://gateway.example/v1").expect("told");
    assert!(help.iter().any(|help| help.contains("\"gateway.example:443\"")), "{help:?}");
    assert_eq!(told("gateway.example:443", "https://gateway.example/v1"), None);
    assert_eq!(told("127.0.0.1:8443", "https://localhost:8443/v1"), None);
    assert_eq!(told("router.example:7447", "zenoh+tls://router.example:7447"), None);
    let over_zenoh = text("gateway.example:8443", "zenoh+tls://router.example:7447");
    assert!(told("gateway.example:8443", "zenoh+tls://router.example:7447").is_some());
    let uplink = "[nodes.uplink]\nkind = \"uplink\"\nparams = { cloud = { url = \"https://gateway.example:8443/v1\" } }\n";
    let found = problems(&format!("{over_zenoh}{uplink}"));
    assert!(!found.iter().any(|one| one.message.contains("measures the way to")), "{found:?}");
}

#[test]
fn a_system_on_the_road_has_signed_models_watchdogs_and_a_supervisor_and_nothing_of_a_desk() {
    troika_safety::verifies![SR_DAT_002];
    let text = "production = true\nblack_box = { folder = '/tmp', raw = true }\nfrom_outside = ['/vehicle/command']\n\
                [processes.a]\n[processes.b]\n\
                [nodes.camera]\nkind = 'sim_driver'\nprocess = 'b'\nparams = { scenario = 'x.toml' }\n\
                [nodes.driver_state]\nkind = 'driver_state'\nprocess = 'a'\nsched = { policy = 'fifo', priority = 80 }\n\
                inject = { fault = 'hang', at_step = 9 }\n\
                [nodes.body]\nkind = 'vehicle'\nprocess = 'b'\n";
    let of = |text: &str| -> Vec<String> {
        problems(text)
            .into_iter()
            .map(|one| one.message)
            .filter(|told| told.contains("`production`"))
            .collect()
    };
    let told = of(text);
    for part in [
        "nobody signed",
        "pictures and sound",
        "nobody supervises",
        "`camera` is a simulator",
        "`driver_state` gives a fault on purpose",
        "`body` takes commands of anybody",
        "nobody watches process `a`",
    ] {
        assert!(told.iter().any(|one| one.contains(part)), "{part}: {told:?}");
    }
    assert_eq!(told.len(), 7, "{told:?}");
    assert_eq!(of(&text.replace("production = true\n", "")), Vec::<String>::new(), "nothing of it on a desk");
    let sound = text
        .replace("production = true\n", "production = true\nmodel_key = 'key.pub'\n")
        .replace(", raw = true", "")
        .replace("[processes.a]\n", "[processes.a]\nwatchdog = true\n[processes.s]\nwatchdog = true\n")
        .replace("kind = 'sim_driver'", "kind = 'camera'")
        .replace("inject = { fault = 'hang', at_step = 9 }\n", "")
        .replace("kind = 'vehicle'\n", "kind = 'vehicle'\nparams = { protected_only = true }\n")
        + "[nodes.supervisor]\nkind = 'supervisor'\nprocess = 's'\n";
    assert_eq!(of(&sound), Vec::<String>::new());
    let message = of(&sound.replace("[processes.s]\nwatchdog = true\n", ""));
    assert!(message.len() == 1 && message[0].contains("process `s`"), "{message:?}");
}

#[test]
fn the_vehicles_system_as_shipped_lacks_nothing_but_its_key_and_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("models.pub");
    let secret = troika_models::signature::SecretKey::generate().unwrap();
    std::fs::write(&key, format!("{}\n", secret.public().unwrap())).unwrap();
    let shipped = include_str!("../../../../../launch/systems/vehicle.toml");
    let of = |text: &str| -> Vec<String> {
        let system = parse(text).unwrap_or_else(|problem| panic!("{problem}"));
        check(text, &system, KINDS, 2).into_iter().map(|one| one.message).collect()
    };
    let here = folder.path().display().to_string();
    let keyless = shipped.replace("/var/lib/troika", &here);
    let told = of(&keyless);
    assert!(told.len() == 1 && told[0].contains("/etc/troika/models.pub"), "{told:?}");
    assert_eq!(
        of(&keyless.replace("/etc/troika/models.pub", &key.display().to_string())),
        Vec::<String>::new()
    );
}
