//! The rule sets as files: the built-in ones read, and a fault is told with its line.

use troika_monitor::{Kind, Monitor, Profile};

#[test]
fn every_built_in_profile_reads_and_names_its_source() {
    let profiles = Profile::all();
    let names: Vec<_> = profiles.iter().map(Profile::name).collect();
    assert_eq!(names, ["euro_ncap", "eu_addw", "eu_ddaw", "perclos", "troika"]);
    assert!(profiles.iter().all(|profile| !profile.source().is_empty()));
    assert!(Profile::built_in("euro_nacp").is_none());
}

#[test]
fn the_houses_own_profile_is_active_under_any_rules() {
    let monitor = Monitor::new([Profile::built_in("eu_addw").expect("built in")]);
    assert!(format!("{monitor:?}").contains("MonitoringUnavailable"));
}

const HEAD: &str = "profile = \"mine\"\nsource = \"a handbook\"\nbridge_s = 0.3\n";
const GLANCE: &str = "requirement = \"SR-DMS-002\"\nsource = \"page 3\"\n";

#[test]
fn a_profile_of_ones_own_is_read_and_raises_in_its_own_name() {
    let text = format!(
        "{HEAD}[[eyes_closed]]\nkind = \"sleep\"\nabove_kmh = 0\nlimit_s = 2\nrequirement = \"SR-DMS-006\"\nsource = \"page 4\"\n"
    );
    let profile = Profile::parse("mine.toml", &text).expect("a sound profile");
    assert_eq!((profile.name(), profile.source()), ("mine", "a handbook"));
    let mut monitor = Monitor::new([profile]);
    let frames: Vec<_> = (1..100u64)
        .map(|n| troika_monitor::Observation {
            stamp: troika_kit::Time::from_nanos(n * 50_000_000),
            state: troika_monitor::State::EyesClosed,
            zone: troika_monitor::Zone::Unknown,
            openness: Some(0.0),
            nominal: true,
            vehicle: troika_monitor::Vehicle { speed_kmh: Some(5.0), ..Default::default() },
        })
        .collect();
    let alerts = monitor.run(&frames);
    assert_eq!(alerts.len(), 1);
    assert_eq!((&*alerts[0].profile, alerts[0].kind, alerts[0].at), ("mine", Kind::Sleep, frames[40].stamp));
}

#[test]
fn a_faulty_profile_is_told_with_its_line_and_what_is_wrong() {
    troika_safety::verifies![SR_DAT_007];
    let glance = |body: &str| format!("{HEAD}[[long_glance]]\n{body}\n{GLANCE}");
    let bands = |bands: &str| glance(&format!("zones = [\"area_3\"]\nbands = {bands}"));
    for (text, line, says) in [
        (HEAD.to_owned(), 1, "at least one rule"),
        (HEAD.replace("mine", "My Rules"), 1, "a profile's name"),
        (HEAD.replace("0.3", "-0.3"), 3, "over 0"),
        (HEAD.replace("0.3", "nan"), 3, "over 0"),
        (HEAD.replace("a handbook", " "), 2, "a source is named"),
        (format!("{HEAD}brigde_s = 1.0\n"), 4, "unknown field `brigde_s`"),
        (format!("{HEAD}[[long_glance]\n"), 4, "]"),
        (glance("zones = [\"area_4\"]\nbands = []"), 5, "unknown variant `area_4`"),
        (glance("zones = [\"forward\"]\nbands = [{ from_kmh = 20, limit_s = 6 }]"), 4, "no glance away"),
        (glance("zones = []\nbands = [{ from_kmh = 20, limit_s = 6 }]"), 4, "has zones"),
        (bands("[]"), 4, "has bands"),
        (bands("[{ from_kmh = 20, limit_s = 0 }]"), 6, "over 0"),
        (bands("[{ from_kmh = 20, limit_s = 4000 }]"), 6, "at most 3600 s"),
        (bands("[{ from_kmh = -1, limit_s = 6 }]"), 6, "0 to 300 km/h"),
        (bands("[{ from_kmh = 20, limit_s = 3 }, { from_kmh = 50, limit_s = 6 }]"), 4, "each stricter"),
        (bands("[{ from_kmh = 50, limit_s = 6 }, { from_kmh = 20, limit_s = 3 }]"), 4, "from slow to fast"),
        (bands("[{ from_kmh = 20, limit_s = 6 }]\nmeasured_from_kmh = 30"), 4, "at most the first band's"),
        (bands("[{ from_kmh = 20, limit_s = 6 }]\nfree_s = 1"), 4, "go together"),
        (
            bands("[{ from_kmh = 20, limit_s = 6 }]").replace("SR-DMS-002", "SR-DMS-999"),
            7,
            "no requirement 'SR-DMS-999'",
        ),
        (format!("{HEAD}[[eyes_closed]]\nkind = \"blink\"\n"), 5, "unknown variant `blink`"),
        (
            format!("{HEAD}[[unavailable]]\nabove_kmh = 0\nlimit_s = 5\nrequirement = \"SR-DMS-007\"\n"),
            4,
            "missing field `source`",
        ),
    ] {
        let error = Profile::parse("mine.toml", &text).expect_err(&text);
        assert!(error.line == line && error.reason.contains(says), "{text}\n{error} (line {line} expected)");
        assert!(error.to_string().starts_with(&format!("mine.toml, line {line}: ")));
    }
}
