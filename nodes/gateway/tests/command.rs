//! The program, as it is typed.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

fn gateway(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_troika-gateway")).args(arguments).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fine(arguments: &[&str]) -> String {
    let output = gateway(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn refused(arguments: &[&str]) -> String {
    let output = gateway(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    text(&output.stderr)
}

fn file(dir: &Path) -> String {
    let file = dir.join("gateway.toml");
    let lines = "listen = \"127.0.0.1:0\"\ntls = \"fleet/gateway\"\nstore = \"store.redb\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                 [[upstreams]]\nname = \"a\"\nurl = \"http://localhost:9/v1\"\nplain_http = true\nmodels = [\"m\"]\n";
    fs::write(&file, lines).expect("written");
    file.to_str().expect("text").to_owned()
}

#[test]
fn a_fleet_is_made_enrolled_listed_and_revoked() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = dir.path().join("fleet");
    let fleet = fleet.to_str().expect("text");
    assert!(refused(&["fleet", "list", fleet]).contains("fleet init"));
    fine(&["fleet", "init", fleet, "--name", "test", "--server-name", "gateway.example", "10.0.0.1"]);
    assert!(refused(&["fleet", "init", fleet]).contains("already"));
    fine(&["fleet", "enrol", fleet, "anna"]);
    let out = dir.path().join("key-ring");
    fine(&["fleet", "enrol", fleet, "bruno", "--days", "1", "--out", out.to_str().expect("text")]);
    assert!(out.join("key.pem").exists());
    assert!(refused(&["fleet", "enrol", fleet, "../x"]).contains("A-Z"));
    assert!(fine(&["fleet", "revoke", fleet, "anna"]).starts_with("1 certificate of anna is revoked"));
    let again = fine(&["fleet", "revoke", fleet, "anna"]);
    assert!(again.starts_with("nothing of anna holds: it is revoked since 20"), "{again}");
    let lines = fine(&["fleet", "list", fleet, "--json"]);
    let states: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&states[0]["vehicle"], &states[0]["state"]), (&"anna".into(), &"revoked".into()));
    assert_eq!((&states[1]["vehicle"], &states[1]["state"]), (&"bruno".into(), &"valid".into()));
    assert!(fine(&["fleet", "list", fleet]).contains("bruno"));
    fine(&["fleet", "server", fleet, "--days", "30"]);
}

#[test]
fn whoever_reads_a_list_may_stop_before_its_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = dir.path().join("fleet");
    let fleet = fleet.to_str().expect("text");
    fine(&["fleet", "init", fleet]);
    fine(&["fleet", "enrol", fleet, "anna"]);
    for arguments in
        [["fleet", "list", fleet].as_slice(), &["fleet", "revoke", fleet, "anna"], &["completions", "bash"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_troika-gateway"))
            .args(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .expect("runs");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn what_is_refused_leaves_no_half_of_a_fleet() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("fleet");
    let fleet = path.to_str().expect("text");
    assert!(
        refused(&["fleet", "init", fleet, "--server-name", "https://a.example/"])
            .contains("no name of a server")
    );
    assert!(refused(&["fleet", "init", fleet, "--name", " "]).contains("no name of a fleet"));
    fine(&["fleet", "init", fleet]);
    assert!(refused(&["fleet", "route", fleet]).contains("fleet router"));
    assert!(refused(&["fleet", "enrol", fleet, "anna", "--out", "/proc/nobody"]).contains("/proc/nobody"));
    fs::remove_file(path.join("fleet.json")).expect("lost");
    for command in [["fleet", "init", fleet].as_slice(), &["fleet", "list", fleet]] {
        let told = refused(command);
        assert!(told.contains("there is ca.key and no fleet.json"), "{told}");
    }
}

#[test]
fn the_folder_of_what_is_kept_is_made_or_what_is_wrong_is_told_before_it_is_served() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = file(dir.path());
    fine(&["fleet", "init", dir.path().join("fleet").to_str().expect("text")]);
    let text = fs::read_to_string(&config).expect("there");
    let with = |store: &str| fs::write(&config, text.replace("store.redb", store)).expect("written");
    with("no/such/store.redb");
    for command in [["serve", &config, "--check"].as_slice(), &["serve", &config]] {
        let told = refused(command);
        assert_eq!(told.matches("no/such").count(), 2, "once, and in what to do: {told}");
        assert!(told.contains("mkdir -p"), "{told}");
    }
    with("state/store.redb");
    assert!(fine(&["serve", &config, "--check"]).contains("fine"));
    assert!(!dir.path().join("state").exists(), "a check makes nothing");
    serves_until(&config, "TERM");
    assert!(dir.path().join("state/store.redb").exists());
}

#[test]
fn a_file_is_checked_and_what_is_wrong_has_its_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = file(dir.path());
    assert!(refused(&["serve", &config, "--check"]).contains("fleet init"), "without certificates");
    fine(&["fleet", "init", dir.path().join("fleet").to_str().expect("text")]);
    assert!(fine(&["serve", &config, "--check"]).contains("fine"));
    let wrong = fs::read_to_string(&config).expect("there").replace("models = [\"m\"]", "modles = [\"m\"]");
    fs::write(&config, wrong).expect("written");
    let told = refused(&["serve", &config]);
    assert!(told.contains("gateway.toml:10: unknown field `modles`"), "{told}");
}

#[test]
fn it_goes_when_it_is_told_to_and_says_that_all_is_well() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = file(dir.path());
    fine(&["fleet", "init", dir.path().join("fleet").to_str().expect("text")]);
    for signal in ["TERM", "INT"] {
        serves_until(&config, signal);
    }
}

/// Serves, is told to go by a signal, and goes well.
fn serves_until(config: &str, signal: &str) {
    let mut running = Command::new(env!("CARGO_BIN_EXE_troika-gateway"))
        .args(["serve", config])
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut line = String::new();
    let out = running.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    assert!(line.starts_with("vehicles: https://127.0.0.1:"), "{line}");
    let id = running.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().expect("kill").success());
    assert_eq!(running.wait().expect("ends").code(), Some(0), "{signal}");
}

#[test]
fn the_readme_takes_an_empty_folder_to_a_gateway_that_could_serve() {
    let readme = include_str!("../README.md");
    let block = readme
        .split_once("## How it is used")
        .and_then(|(_, rest)| rest.split_once("```sh\n")?.1.split_once("```"));
    let (lines, served) = block.expect("a block").0.split_once("--check\n").expect("a check");
    assert!(served.starts_with("troika-gateway serve gateway.toml "), "{served}");
    let dir = tempfile::tempdir().expect("a folder");
    let programs = Path::new(env!("CARGO_BIN_EXE_troika-gateway")).parent().expect("a folder");
    let path = std::env::join_paths(
        std::iter::once(programs.to_path_buf())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let typed = Command::new("sh")
        .args(["-ec", &format!("{lines}--check\n")])
        .current_dir(dir.path())
        .env("PATH", path.expect("a path"))
        .output()
        .expect("sh");
    assert!(typed.status.success() && text(&typed.stdout).contains("fine"), "{}", text(&typed.stderr));
    // At ports that are free here.
    let config = dir.path().join("gateway.toml");
    let ports = ["0.0.0.0:8443", "127.0.0.1:9443"];
    let free = ports.iter().fold(fs::read_to_string(&config).expect("there"), |text, port| {
        assert!(text.contains(port), "the file says both");
        text.replace(port, "127.0.0.1:0")
    });
    fs::write(&config, free).expect("written");
    serves_until(config.to_str().expect("text"), "TERM");
    assert!(dir.path().join("state/audit.jsonl").exists());
}

#[test]
fn completions_know_the_commands() {
    let script = fine(&["completions", "bash"]);
    assert!(script.contains("fleet") && script.contains("enrol") && script.contains("serve"));
}
