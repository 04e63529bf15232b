//! `troika sim`: the library of scenarios holds; one that does not is told with the time, the topic and the reason; bad files are refused.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sim(arguments: &[&str]) -> Output {
    troika(&[&["sim"], arguments].concat())
}

fn troika(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_troika"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("troika runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A scenario of the library with something changed, in a folder of its own.
fn changed(name: &str, from: &str, to: &str) -> (tempfile::TempDir, String) {
    let text = fs::read_to_string(root().join("sim/scenarios/cases").join(name)).expect("it is there");
    assert!(text.contains(from), "{name} has no {from}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    fs::write(&file, text.replace(from, to)).expect("it is written");
    let file = file.display().to_string();
    (folder, file)
}

#[test]
fn every_scenario_of_the_library_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, junit) = (folder.path().join("r.json"), folder.path().join("r.xml"));
    let output =
        sim(&["run", "--report", json.to_str().expect("a name"), "--junit", junit.to_str().expect("a name")]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(json).expect("a report")).expect("JSON");
    assert!(report["passed"].as_u64() >= Some(60), "{}", report["passed"]);
    assert_eq!(report["failed"].as_u64(), Some(0));
    let levels = |level| {
        let scenarios = report["scenarios"].as_array().expect("a list").iter();
        scenarios.filter(|one| one["level"] == level).count()
    };
    assert!(levels("pixels") >= 6 && levels("landmarks") >= 50);
    let junit = fs::read_to_string(junit).expect("XML");
    assert!(junit.starts_with("<?xml") && junit.contains("failures=\"0\""), "{}", &junit[..200]);
}

#[test]
fn what_does_not_hold_is_told_with_its_line_time_topic_and_reason_and_the_exit_code() {
    let (_folder, file) = changed("ncap-sleep.toml", "within_s = [3.0, 3.35]", "within_s = [1.0, 2.0]");
    let output = sim(&["run", &file]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(told.contains("alert sleep, profile euro_ncap, after closed, within 1 to 2 s"), "{told}");
    assert!(told.contains("/cabin/driver_alert: raised at 9."), "{told}");
    assert!(text(&output.stderr).contains("1 of 1 scenario failed"));
}

#[test]
fn a_driver_who_stays_awake_fails_the_scenario_of_sleep() {
    let (_folder, file) =
        changed("ncap-sleep.toml", "act = \"eyes_closed\", s = 4.5", "act = \"attentive\", s = 4.5");
    let file_text = fs::read_to_string(&file).expect("it is there").replace(", droop = true", "");
    fs::write(&file, file_text).expect("it is written");
    let output = sim(&["run", &file]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("/cabin/driver_alert: never raised"), "{}", text(&output.stdout));
}

#[test]
fn bad_files_are_refused_with_their_line_before_anything_runs() {
    let (_folder, file) = changed("ncap-sleep.toml", "alert = \"sleep\"", "alert = \"slep\"");
    for verb in ["check", "run"] {
        let output = sim(&[verb, &file]);
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(
            told.contains("'slep' is none of long_distraction") && told.contains(", line "),
            "{verb}: {told}"
        );
    }
    let output = sim(&["run", "no/such/place.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("no/such/place.toml: No such file"), "{}", text(&output.stdout));
}

#[test]
fn what_cannot_be_written_is_told_before_anything_runs_and_folders_are_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let below_a_file = folder.path().join("file/r.json");
    fs::write(folder.path().join("file"), "no folder").expect("written");
    let below_a_file = below_a_file.to_str().expect("a path");
    for arguments in [["run", "--report"], ["run", "--junit"], ["random", "--save"], ["hours", "--report"]] {
        let output = sim(&[&arguments[..], &[below_a_file]].concat());
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        assert!(told.contains(&format!("cannot write {below_a_file}")), "{told}");
        assert_eq!(text(&output.stdout), "", "nothing ran");
    }
    let scenario = "sim/scenarios/demo-30s.toml";
    for arguments in [
        ["score", scenario, "--report", below_a_file],
        ["score", scenario, "--record", below_a_file],
        ["conformance", "--start=true", "--json", below_a_file],
    ] {
        let output = troika(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        assert!(told.contains(&format!("cannot write {below_a_file}")), "{told}");
        assert!(!told.contains("scoring") && output.stdout.is_empty(), "nothing ran: {told}");
    }
    let (json, junit) = (folder.path().join("new/a/r.json"), folder.path().join("new/b/r.xml"));
    let given = [json.to_str().expect("a path"), junit.to_str().expect("a path")];
    let case = "sim/scenarios/cases/monitor-killed.toml";
    let output = sim(&["run", case, "--report", given[0], "--junit", given[1]]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("notice: made the folder "), "{}", text(&output.stderr));
    assert!(fs::read_to_string(json).expect("a report").contains("\"passed\": 1"));
    assert!(fs::read_to_string(junit).expect("a report").contains("<testsuite"));
}

#[test]
fn one_file_for_two_reports_is_refused_and_hours_are_driven_by_the_half() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("verdicts");
    let given = file.to_str().expect("a path");
    let output = sim(&["run", "--report", given, "--junit", given]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("both name"), "{}", text(&output.stderr));
    assert!(!file.exists() && output.stdout.is_empty(), "nothing ran");
    let output = sim(&["hours", "--attentive", "0.3"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("0, 0.5, 1"), "{}", text(&output.stderr));
    let output = sim(&["hours", "--attentive", "0.5", "--mixed", "0"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "attentive: 1 drive\n", "no terminal: nothing is written over");
    assert!(text(&output.stdout).contains("attentive: 0.5 h in 1 drive"), "{}", text(&output.stdout));
}

#[test]
fn all_that_is_wrong_with_scenarios_that_are_scored_is_told_before_the_first_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.toml");
    let wrong = "name = 'x'\nseed = 1\n[[segment]]\nface = 'bob'\nlight = 'day'\nspeed_kmh = 50\nacts = [\n  { act = 'yawn', s = 0.1 },\n]\n";
    fs::write(&file, wrong).expect("written");
    let file = file.to_str().expect("a path");
    let output = troika(&["score", "sim/scenarios/demo-30s.toml", file]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    for part in
        [&format!("{file}, line 4: "), &format!("{file}, line 8: "), "1 of 2 scenarios cannot be used"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("scoring") && output.stdout.is_empty(), "nothing ran: {told}");
    assert_eq!(troika(&["score", "sim/scenarios/demo-30s.toml", "--seconds=-1"]).status.code(), Some(2));
}

#[test]
fn a_limit_that_is_wrong_in_a_profile_is_found_by_the_tables_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("euro_ncap.toml");
    let shipped = fs::read_to_string(root().join("nodes/driver-state/monitor/profiles/euro_ncap.toml"));
    let shipped = shipped.expect("it is there");
    let sleep = "kind = \"sleep\"\nabove_kmh = 0.0\nlimit_s = 3.0";
    assert!(shipped.contains(sleep), "{shipped}");
    fs::write(&profile, shipped.replace(sleep, &sleep.replace("3.0", "3.4"))).expect("written");
    let cabin = fs::read_to_string(root().join("launch/systems/cabin.toml")).expect("it is there");
    let monitor = "kind = \"driver_monitor\"\n";
    let params = format!("{monitor}params = {{ profiles = [\"{}\", \"troika\"] }}\n", profile.display());
    let system = folder.path().join("cabin.toml");
    fs::write(&system, cabin.replace(monitor, &params)).expect("written");
    let case = |alerts: &str| {
        let file = folder.path().join("case.toml");
        let text = format!(
            "name = \"asleep\"\nseed = 1\n[[segment]]\nface = \"ada\"\nlight = \"day\"\nspeed_kmh = 60.0\n\
             acts = [{{ act = \"attentive\", s = 6.0 }}, {{ act = \"eyes_closed\", s = 4.5 }}, {{ act = \"attentive\", s = 4.0, control = true }}]\n\
             [[expect]]\nalerts = \"{alerts}\"\n"
        );
        fs::write(&file, text).expect("written");
        file.display().to_string()
    };
    let with = |system: &Path, alerts: &str| {
        sim(&["run", &case(alerts), "--system", system.to_str().expect("a path")])
    };
    let same = with(&system, "as_truth");
    assert!(same.status.success(), "the profile agrees with itself: {}", text(&same.stdout));
    let table = with(&system, "as_table");
    assert_eq!(table.status.code(), Some(1), "{}", text(&table.stdout));
    let told = text(&table.stdout);
    assert!(told.contains("euro_ncap Sleep at ") && told.contains("the table's Sleep has 3.0 s"), "{told}");
    let right = with(&root().join("launch/systems/cabin.toml"), "as_table");
    assert!(right.status.success(), "{}", text(&right.stdout));
}

#[test]
fn check_tells_all_that_is_wrong_with_a_file() {
    let (_folder, file) = changed("ncap-sleep.toml", "alert = \"sleep\"", "alert = \"slep\"");
    let more = "\n[[expect]]\nno_command = \"window_opn\"\nafter = \"closd\"\n";
    fs::write(&file, fs::read_to_string(&file).expect("it is there") + more).expect("written");
    let output = sim(&["check", &file]);
    let told = text(&output.stderr);
    assert!(told.contains("did you mean sleep?") && told.contains("did you mean closed?"), "{told}");
}

#[test]
fn in_another_folder_the_way_out_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        (&["run"][..], "no sim/scenarios/cases in"),
        (&["check"], "no sim/scenarios/cases in"),
        (&["hours"], "no launch/systems/cabin.toml in"),
    ];
    for (arguments, missing) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_troika"))
            .arg("sim")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        assert!(
            told.contains(missing) && told.contains("root folder of a clone of Troika, or name"),
            "{told}"
        );
    }
}

#[test]
fn a_node_that_is_gone_for_good_does_no_more_steps_and_its_stand_in_falls_back() {
    // Steps of a whole scenario: 20 s of perception at 30 Hz; of the monitor's at its own pace.
    let of = |node: &str| {
        let expect = format!(
            "name = \"gone\"\nseed = 1\n[[segment]]\nface = \"ada\"\nlight = \"day\"\nspeed_kmh = 60.0\n\
            acts = [{{ act = \"attentive\", s = 20.0 }}]\n[[trouble]]\nwhat = \"killed\"\nnode = \"{node}\"\nat_s = 6.0\n\
            [[expect]]\nnode = \"{node}\"\nfall_backs_at_least = 1\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("case.toml");
        fs::write(&file, expect).expect("written");
        let output = sim(&["run", "--verbose", file.to_str().expect("a path")]);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let told = text(&output.stdout);
        let line = told.lines().find(|line| line.contains(" steps, ")).expect("its counts").to_owned();
        let before = |what: &str| -> u64 {
            let words: Vec<&str> = line.split(what).next().expect("a part").split_whitespace().collect();
            words
                .last()
                .expect("a number")
                .trim_start_matches('(')
                .parse()
                .unwrap_or_else(|_| panic!("{line}"))
        };
        (before(" steps, "), before(" fall-backs"), before(" of its stand-in"))
    };
    let (steps, fall_backs, stood_in) = of("driver_state");
    assert!((175..=185).contains(&steps), "6 of 20 s: {steps}");
    assert!((410..=420).contains(&stood_in) && fall_backs == stood_in, "13.9 s: {stood_in} of {fall_backs}");
    let (steps, fall_backs, stood_in) = of("driver_monitor");
    assert!(steps > 0 && stood_in > steps && fall_backs >= stood_in, "{steps} {fall_backs} {stood_in}");
}

#[test]
fn a_seed_gives_the_same_verdicts_twice() {
    let once = || {
        let output = sim(&["random", "--seed", "2", "--count", "4", "--seconds", "60", "--jobs", "1"]);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let told = text(&output.stdout);
        told.lines().filter(|line| line.contains("seed")).count()
    };
    assert_eq!((once(), once()), (4, 4));
}

#[test]
fn a_name_that_nothing_has_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("case.toml");
    let given = file.to_str().expect("a path");
    let case = |expect: &str| {
        format!(
            "name = \"n\"\nseed = 1\n[[segment]]\nface = \"ada\"\nlight = \"day\"\nspeed_kmh = 60.0\nacts = [{{ act = \"attentive\", s = 5.0 }}]\n{expect}"
        )
    };
    let cases = [
        (
            "[[expect]]\nno_alert = \"sleep\"\nprofile = \"euroncap\"\n",
            "line 8: driver_monitor has no profile 'euroncap'",
        ),
        (
            "[[say]]\nat_s = 1.0\nwords = \"hello\"\n[[expect]]\nno_command = \"window_opn\"\n",
            "line 11: there is no vehicle function 'window_opn'",
        ),
        (
            "[[expect]]\nno_alert = \"drowsiness\"\nprofile = \"eu_addw\"\n",
            "line 8: the profile eu_addw never raises drowsiness; it is raised by eu_ddaw, perclos",
        ),
        ("[[expect]]\nno_alert = \"phone_use\"\n", "line 8: no profile of driver_monitor"),
        ("[[expect]]\nno_command = \"any\"\n", "line 8: nothing is said, and no hand shown"),
        ("[[expect]]\nno_reply = \"x\"\n", "line 8: nothing is said: no answer could come"),
        ("[[expect]]\nswap = \"eye_state\"\n", "line 8: no network is offered for eye_state"),
        ("[[expect]]\nnode = \"driver_montor\"\nmissed_at_most = 0\n", "did you mean driver_monitor?"),
        (
            "[[expect]]\nnode = \"driver_monitor\"\nends_at_level = 0\n",
            "line 8: driver_monitor has one level here",
        ),
        ("[[expect]]\nno_alert = \"sleep\"\nwithin_s = [-5.0, -2.0]\n", "before the scenario begins"),
        (
            "[[trouble]]\nwhat = \"killed\"\nnode = \"driver_stat\"\n[[expect]]\nno_alert = \"sleep\"\n",
            "line 8: no driver_stat runs that it could befall",
        ),
        (
            "[[trouble]]\nwhat = \"model_missing\"\nnode = \"driver_monitor\"\n[[expect]]\nno_alert = \"sleep\"\n",
            "line 8: driver_monitor has no models",
        ),
    ];
    for (expect, said) in cases {
        fs::write(&file, case(expect)).expect("written");
        for act in ["check", "run"] {
            let run = sim(&[act, given]);
            let told = text(&run.stdout) + &text(&run.stderr);
            assert_eq!(run.status.code(), Some(1), "{act}: {told}");
            assert!(told.contains(said), "{act}: {told}");
        }
    }
    // What is wrong with a window hides nothing that is wrong elsewhere.
    let said = "[[say]]\nat_s = 1.0\nwords = \"hello\"\n";
    let slots = "[[expect]]\ncommand = \"climate.set_temperature\"\nslots = { temprature = \"21\" }\nwithin_s = [50.0, 60.0]\n";
    let more = "[[expect]]\ncommand = \"media.volume\"\nslots = { action = \"upp\" }\n";
    fs::write(&file, case(&format!("{said}{slots}{more}"))).expect("written");
    for act in ["check", "run"] {
        let run = sim(&[act, given]);
        let told = text(&run.stdout) + &text(&run.stderr);
        let parts = [
            "line 11: it begins at 50.0 s",
            "line 11: climate.set_temperature has no slot 'temprature'",
            "line 15: media.volume: 'action' cannot be 'upp'",
        ];
        assert!(parts.iter().all(|part| told.contains(part)), "{act}: {told}");
    }
    let run = sim(&["random", "--count", "0"]);
    assert_eq!(run.status.code(), Some(2), "{}", text(&run.stderr));
}
