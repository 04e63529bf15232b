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
    Command::new(env!("CARGO_BIN_EXE_troika"))
        .arg("sim")
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
    assert!(text(&output.stderr).contains("1 of 1 scenarios failed"));
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
    let output = sim(&["run", "--report", "/no/such/folder/r.json"]);
    assert!(text(&output.stderr).contains("cannot write /no/such/folder/r.json"), "{}", text(&output.stderr));
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
        ("[[expect]]\nno_command = \"window_opn\"\n", "line 8: there is no vehicle function 'window_opn'"),
        ("[[expect]]\nno_alert = \"sleep\"\nwithin_s = [-5.0, -2.0]\n", "before the scenario begins"),
        (
            "[[trouble]]\nwhat = \"killed\"\nnode = \"driver_stat\"\n[[expect]]\nno_alert = \"sleep\"\n",
            "no driver_stat runs that it could befall",
        ),
        (
            "[[trouble]]\nwhat = \"model_missing\"\nnode = \"driver_monitor\"\n[[expect]]\nno_alert = \"sleep\"\n",
            "driver_monitor has no models",
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
    let run = sim(&["random", "--count", "0"]);
    assert_eq!(run.status.code(), Some(2), "{}", text(&run.stderr));
}
