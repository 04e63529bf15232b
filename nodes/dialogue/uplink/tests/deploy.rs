//! The deployment files that ship: the process reads its own, and systemd reads its unit.

use std::{fs, path::Path, process::Command};

use troika_uplink::UplinkConfig;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../launch/deploy");

#[test]
fn the_file_to_begin_with_is_this_process_own_and_wants_a_certificate() {
    let file = Path::new(DEPLOY).join("uplink.toml");
    let config = UplinkConfig::load(file.to_str().expect("text")).expect("settings");
    assert!(!config.report.driver_state);
    // All but the vehicle's own files is fine.
    let told = config.check().expect_err("nobody has enrolled this machine").to_string();
    assert!(told.contains("cannot read /etc/troika/vehicle/ca.pem"), "{told}");
    let here = UplinkConfig {
        cloud: troika_uplink::config::GatewayConfig {
            ca_file: None,
            certificate_file: None,
            private_key_file: None,
            ..config.cloud.clone()
        },
        ..config
    };
    here.check().expect("fine");
}

#[test]
fn the_systems_node_has_settings_that_can_be_used() {
    let file = Path::new(DEPLOY).join("../systems/bridge.toml");
    let system: toml::Table = toml::from_str(&fs::read_to_string(file).expect("there")).expect("TOML");
    let config: UplinkConfig = system["nodes"]["uplink"]["params"].clone().try_into().expect("settings");
    config.check().expect("fine");
}

#[test]
#[ignore = "wants systemd-analyze: cargo test -p troika-uplink --test deploy -- --ignored"]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(Path::new(DEPLOY).join("systemd/troika-uplink.service")).expect("there");
    // The program is where it is installed, not here; and its neighbour is looked at by its own test.
    let here = text.replace("/usr/bin/troika-uplink ", &format!("{} ", env!("CARGO_BIN_EXE_troika-uplink")));
    let here = here.replace("Wants=troika.service\n", "");
    let file = dir.path().join("troika-uplink.service");
    fs::write(&file, here).expect("written");
    let verified =
        Command::new("systemd-analyze").arg("verify").arg(&file).output().expect("systemd-analyze");
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && told.is_empty(), "{told}");
}
