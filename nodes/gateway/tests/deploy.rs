//! The deployment files that ship: the gateway reads its own, and systemd reads its units.

use std::{fs, path::Path, process::Command};

use troika_gateway::config::Config;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../launch/deploy");

#[test]
fn the_file_to_begin_with_is_a_gateways() {
    let config = Config::read(&Path::new(DEPLOY).join("gateway.toml")).expect("a config");
    assert_eq!(
        config.models().into_iter().collect::<Vec<_>>(),
        [("large".into(), 0b11), ("small".into(), 0b10)]
    );
    assert!(config.admin.listen.ip().is_loopback());
}

#[test]
#[ignore = "wants systemd-analyze: cargo test -p troika-gateway --test deploy -- --ignored"]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = tempfile::tempdir().expect("a folder");
    for unit in ["troika.service", "troika-gateway.service", "troika-router.service"] {
        let text = fs::read_to_string(Path::new(DEPLOY).join("systemd").join(unit)).expect("there");
        // The programs are where they are installed, not here.
        let program = env!("CARGO_BIN_EXE_troika-gateway");
        let here = text.replace("/usr/bin/troika-gateway ", &format!("{program} "));
        let here = here.replace("/usr/bin/troika ", &format!("{program} "));
        let file = dir.path().join(unit);
        fs::write(&file, here).expect("written");
        let verified =
            Command::new("systemd-analyze").arg("verify").arg(&file).output().expect("systemd-analyze");
        let told = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && told.is_empty(), "{unit}: {told}");
    }
}
