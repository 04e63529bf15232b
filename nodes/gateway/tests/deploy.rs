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
fn systemd_finds_nothing_wrong_with_the_units() {
    let units: Vec<_> = fs::read_dir(Path::new(DEPLOY).join("systemd"))
        .expect("there")
        .map(|unit| unit.expect("there").file_name().into_string().expect("text"))
        .collect();
    assert_eq!(units.len(), 4, "{units:?}");
    let dir = tempfile::tempdir().expect("a folder");
    // The programs are where they are installed, not here.
    let here = |text: &str| {
        let program = |line: &str| {
            Some((line.split_once("=/usr/bin/")?.0.to_owned(), line.split_once(' ')?.1.to_owned()))
        };
        let line = |line: &str| match program(line) {
            Some((key, rest)) => format!("{key}={} {rest}\n", env!("CARGO_BIN_EXE_troika-gateway")),
            None => format!("{line}\n"),
        };
        text.lines().map(line).collect::<String>()
    };
    let verified = |unit: &str, text: &str| {
        let file = dir.path().join(unit);
        fs::write(&file, text).expect("written");
        // Offline: no manager runs, and no manual is looked for.
        let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output();
        let verified = verified.expect("systemd-analyze: apt-get install systemd");
        (verified.status.success(), String::from_utf8_lossy(&verified.stderr).into_owned())
    };
    // All lie there before the first is looked at: they name one another.
    let texts: Vec<(&String, String)> = units
        .iter()
        .map(|unit| {
            (unit, here(&fs::read_to_string(Path::new(DEPLOY).join("systemd").join(unit)).expect("there")))
        })
        .collect();
    for (unit, text) in &texts {
        fs::write(dir.path().join(unit), text).expect("written");
    }
    for (unit, text) in &texts {
        assert_eq!(verified(unit, text), (true, String::new()), "{unit}");
    }
    // It sees a slip of the pen, and a program that is not there.
    let gateway = &texts.iter().find(|(unit, _)| *unit == "troika-gateway.service").expect("there").1;
    let (_, told) = verified("slip.service", &gateway.replace("ProtectHome=yes", "ProtectHmoe=yes"));
    assert!(told.contains("ProtectHmoe"), "{told}");
    let (fine, told) =
        verified("gone.service", &gateway.replace(env!("CARGO_BIN_EXE_troika-gateway"), "/usr/bin/no-such"));
    assert!(!fine && told.contains("no-such"), "{told}");
}

/// What each unit may do, as `systemd-analyze security` weighs it: tenths of 0 (nothing) to 10 (anything), with one tenth of room.
const EXPOSURE: [(&str, u32); 4] = [
    ("troika-gateway.service", 14),
    ("troika-router.service", 14),
    ("troika-uplink.service", 16),
    ("troika.service", 17),
];

#[test]
fn each_unit_may_do_little_more_than_it_needs() {
    let dir = tempfile::tempdir().expect("a folder");
    let within = |unit: &str, text: &str, most: u32| {
        let file = dir.path().join(unit);
        fs::write(&file, text).expect("written");
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", "--no-pager"]).arg(format!("--threshold={most}"));
        let told = security.arg(&file).output().expect("systemd-analyze: apt-get install systemd");
        let words =
            String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
        assert!(words.contains("Overall exposure level"), "{words}");
        (told.status.success(), words)
    };
    let read = |unit: &str| fs::read_to_string(Path::new(DEPLOY).join("systemd").join(unit)).expect("there");
    for (unit, most) in EXPOSURE {
        let (fine, words) = within(unit, &read(unit), most);
        assert!(fine, "{unit} is over {most}: {words}");
    }
    // It notices what is let go: a filter, a capability, a file system that can be written.
    let vehicle = read("troika.service");
    for (line, loose) in [
        ("SystemCallFilter=@system-service\n", ""),
        ("CapabilityBoundingSet=\n", "CapabilityBoundingSet=CAP_SYS_ADMIN\n"),
        ("ProtectSystem=strict\n", ""),
        ("IPAddressDeny=any\n", ""),
    ] {
        assert!(vehicle.contains(line), "{line}");
        let (fine, words) = within("loose.service", &vehicle.replace(line, loose), 17);
        assert!(!fine, "without {line}: {words}");
    }
}
