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
const LAST: &str = "requirement = \"SR-DMS-008\"\nsource = \"page 5\"\n";

fn repeated(zones: &str, sum_s: u32, window_s: u32, road_view_s: u32) -> String {
    let speeds = "from_kmh = 20\nmeasured_from_kmh = 20";
    let times = format!("sum_s = {sum_s}\nwindow_s = {window_s}\nroad_view_s = {road_view_s}");
    format!("{HEAD}[[repeated_glances]]\n{zones}\n{speeds}\n{times}\n{LAST}")
}

/// Over 15 % of a minute.
fn perclos(clear_share: &str) -> String {
    let window = "above_kmh = 0\nwindow_s = 60\nblink_s = 0.4\nseen_share = 1\nraise_share = 0.15";
    format!("{HEAD}[[perclos]]\n{window}\n{clear_share}\n{LAST}")
}

/// Long blinks are those over 0.5 s.
fn drowsiness(clear_share: &str, long_blinks: u8) -> String {
    let more = format!("long_blink_s = 0.5\nlong_blinks = {long_blinks}\nrepeat_s = 15");
    perclos(clear_share).replace("[[perclos]]", "[[drowsiness]]").replace(LAST, &format!("{more}\n{LAST}"))
}

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
        (HEAD.replace("mine", ""), 1, "a profile's name"),
        (HEAD.replace("mine", &"m".repeat(33)), 1, "a profile's name"),
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
        (bands("[{ from_kmh = 20, limit_s = 6 }, { from_kmh = 20, limit_s = 3 }]"), 4, "from slow to fast"),
        (bands("[{ from_kmh = 20, limit_s = 6 }, { from_kmh = 50, limit_s = 6 }]"), 4, "each stricter"),
        (bands("[{ from_kmh = 20, limit_s = 6 }]\nmeasured_from_kmh = 30"), 4, "at most the first band's"),
        (bands("[{ from_kmh = 20, limit_s = 6 }]\nfree_s = 1"), 4, "go together"),
        (
            bands("[{ from_kmh = 20, limit_s = 6 }]").replace("SR-DMS-002", "SR-DMS-999"),
            7,
            "no requirement 'SR-DMS-999'",
        ),
        (glance("zones = [\"unknown\"]\nbands = [{ from_kmh = 20, limit_s = 6 }]"), 4, "no glance away"),
        (repeated("zones = [\"forward\"]", 10, 30, 2), 4, "zones away from the road"),
        (repeated("zones = []", 10, 30, 2), 4, "zones away from the road"),
        (repeated("zones = [\"other\"]", 30, 30, 2), 4, "sum_s is less than window_s"),
        (repeated("zones = [\"other\"]", 10, 30, 30), 4, "road_view_s is less than window_s"),
        (perclos("clear_share = 0.15"), 4, "clear_share is less than raise_share"),
        (
            perclos("clear_share = 0.1").replace("blink_s = 0.4", "blink_s = 60"),
            4,
            "blink_s is less than window_s",
        ),
        (perclos("clear_share = 0"), 10, "over 0 and at most 1"),
        (perclos("clear_share = 0.1").replace("0.15", "1.5"), 9, "over 0 and at most 1"),
        (drowsiness("clear_share = 0.15", 2), 4, "clear_share is less than raise_share"),
        (drowsiness("clear_share = 0.1", 1), 4, "long_blinks is at least 2"),
        (
            drowsiness("clear_share = 0.1", 2).replace("blink_s = 0.4", "blink_s = 60"),
            4,
            "blink_s is less than window_s",
        ),
        (drowsiness("clear_share = 0.1", 2).replace("blink_s = 0.4", "blink_s = 0.6"), 4, "at least a blink"),
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

#[test]
fn one_rule_of_any_kind_makes_a_profile_and_its_kinds_are_what_it_can_raise() {
    let glance = format!(
        "{HEAD}[[long_glance]]\nzones = [\"area_3\"]\nbands = [{{ from_kmh = 20, limit_s = 6 }}]\n{GLANCE}"
    );
    let closed = "[[eyes_closed]]\nkind = \"microsleep\"\nabove_kmh = 0\nlimit_s = 2\n";
    let unresponsive = "[unresponsive]\nabove_kmh = 0\neyes_closed_s = 6\neyes_closed_requirement = \"SR-DMS-006\"\n\
                        no_return_s = 3\nno_return_requirement = \"SR-DMS-010\"\nsource = \"page 6\"\n";
    let unavailable = "[[unavailable]]\nabove_kmh = 0\nlimit_s = 5\n";
    for (text, kind) in [
        (glance, Kind::LongDistraction),
        (repeated("zones = [\"other\"]", 10, 30, 2), Kind::RepeatedGlances),
        (format!("{HEAD}{closed}{LAST}"), Kind::Microsleep),
        (format!("{HEAD}{unresponsive}"), Kind::Unresponsive),
        (perclos("clear_share = 0.1"), Kind::Drowsiness),
        (drowsiness("clear_share = 0.1", 2).replace("blink_s = 0.4", "blink_s = 0.5"), Kind::Drowsiness),
        (format!("{HEAD}{unavailable}{LAST}").replace("mine", &"m".repeat(32)), Kind::MonitoringUnavailable),
    ] {
        let profile = Profile::parse("mine.toml", &text).expect(&text);
        assert_eq!(profile.kinds(), [kind], "{text}");
    }
    let all = Profile::built_in("euro_ncap").expect("built in").kinds();
    let expected =
        [Kind::LongDistraction, Kind::RepeatedGlances, Kind::Microsleep, Kind::Sleep, Kind::Unresponsive];
    assert_eq!(all, expected, "each once, in their order");
}
