//! The deployment files that ship: the process reads its own. Its systemd unit is verified with all the others by the gateway's tests.

use std::{fs, path::Path};

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
