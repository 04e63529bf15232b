use super::*;
use crate::expect::Expected;

const SOUND: &str = r#"
name = "n"
seed = 1
[[segment]]
face = "ada"
light = "day"
speed_kmh = 60.0
acts = [{ act = "attentive", s = 5.0 }, { act = "glance", at = "lap", s = 4.5, mark = "glance" }]
[[say]]
at_s = 2.0
words = "open the window"
mark = "asked"
[link]
mbit = 5.0
[[trouble]]
what = "killed"
node = "driver_state"
at_s = 1.0
for_s = 2.0
mark = "death"
[[expect]]
alert = "long_distraction"
after = "glance"
within_s = [2.9, 3.2]
[[expect]]
no_alert = "any"
after = "death.end"
"#;

#[test]
fn a_scenario_reads_and_its_times_are_those_of_its_marks() {
    let case = Case::parse("a.toml", SOUND).expect("it is sound");
    let spans: Vec<_> = case.expectations.iter().map(|one| (one.line, one.span.from, one.span.to)).collect();
    assert_eq!(spans, [(21, 7.9, 8.2), (25, 3.0, f64::INFINITY)]);
    assert!(matches!(case.expectations[0].expected, Expected::Alert { cleared: false, .. }));
    assert_eq!(case.expectations[0].told, "alert long_distraction, after glance, within 2.9 to 3.2 s");
    assert_eq!((case.says.len(), case.troubles_of("driver_state").count()), (1, 1));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_the_way_out() {
    let with = |more: &str| format!("{SOUND}{more}");
    let changed = |from: &str, to: &str| {
        assert!(SOUND.contains(from), "{from}");
        SOUND.replace(from, to)
    };
    for (text, line, reason) in [
        (with("[[expect]]\nalert = \"sleeep\"\n"), 28, "'sleeep' is none of long_distraction"),
        (with("[[expect]]\nafter = \"glanse\"\nno_alert = \"any\"\n"), 28, "marks are: glance, asked, death"),
        (with("[[expect]]\nwithin_s = [1.0, 2.0]\n"), 28, "an expectation says one of alert, cleared"),
        (with("[[expect]]\nalert = \"sleep\"\nstate = \"unknown\"\n"), 28, "not `alert` and `state`"),
        (
            with("[[expect]]\nalert = \"sleep\"\nshare = 0.5\n"),
            28,
            "`alert` takes no `share`; it takes profile",
        ),
        (with("[[expect]]\nno_reply = \"(\"\n"), 28, "no regular expression"),
        (with("[[expect]]\nnode = \"link\"\n"), 28, "one of missed_at_most"),
        (with("[[expect]]\nstate = \"unknown\"\nwithin_s = [2.0, 1.0]\n"), 28, "from before to"),
        (with("[[expect]]\nstate = \"unknown\"\nwithin_s = [20.0, 21.0]\n"), 28, "after the scenario's end"),
        (with("[[expect]]\nstate = \"unknown\"\nwithin_s = [9.5, 11.0]\n"), 28, "after the scenario's end"),
        (with("[[expect]]\nstate = \"unknown\"\nwithin_s = [2.0, 2.0]\n"), 28, "from before to"),
        (with("[[expect]]\nstate = \"unknown\"\nwithin_s = [nan, 2.0]\n"), 28, "from before to"),
        (with("[[expect]]\nstate = \"unknown\"\nshare = 0.0\n"), 28, "a share of 0 cannot fail"),
        (
            with("[[expect]]\nnode = \"router\"\nfall_backs_at_least = 3\nfall_backs_at_most = 2\n"),
            28,
            "no number of fall-backs is at least 3 and at most 2",
        ),
        (
            with("[[expect]]\nnode = \"router\"\nfall_backs_at_least = 0\n"),
            28,
            "`fall_backs_at_least` is 1 or more",
        ),
        (with("[[expect]]\nnode = \"router\"\nreaches_level = 0\n"), 28, "`reaches_level` is 1 or more"),
        (
            with("[[expect]]\nnode = \"router\"\nmissed_at_most = 0\nwithin_s = [1.0, 2.0]\n"),
            28,
            "against the whole scenario",
        ),
        (changed("mbit = 5.0", "mbit = 5.0\ncuts_s = [[30.0, 32.0]]"), 13, "begins after the scenario's end"),
        (with("[[expect]]\nalerrt = \"sleep\"\n"), 29, "unknown field `alerrt`"),
        (changed("mbit = 5.0", "mbit = 5.0\nlike = \"bus\""), 13, "says `like`, or `mbit`"),
        (changed("mbit = 5.0", "mbit = 5.0\ncuts_s = [[3.0, 2.0]]"), 13, "does not end after it begins"),
        (changed("node = \"driver_state\"\n", ""), 15, "says of which kind of `node`"),
        (changed("at_s = 1.0", "at_s = 11.0"), 15, "the length of the scenario"),
        (changed("what = \"killed\"", "what = \"slow\""), 15, "`execution_ms` is missing"),
        (changed("mark = \"death\"", "mark = \"glance\""), 1, "two marks are called 'glance'"),
        (changed("\"ada\"", "\"adda\""), 5, "no face is called 'adda'"),
        (changed("at = \"lap\", s", "s"), 8, "a glance says `at`"),
        (changed("words = \"open the window\"", "words = \" \""), 9, "`words` is empty"),
        (SOUND.split("[[expect]]").next().expect("it begins").to_owned(), 1, "cannot fail"),
        (changed("[link]\nmbit = 5.0\n", "") + "[[expect]]\nnever_leaves = \"x\"\n", 26, "without a [link]"),
    ] {
        let error = Case::parse("a.toml", &text).expect_err(reason);
        assert!(error.reason.contains(reason), "{reason}: {error}");
        assert_eq!(error.line, Some(line), "{error}");
        assert!(error.to_string().starts_with("a.toml, line "));
    }
    let Examined { case, faults } = Case::examine(Path::new("no/such.toml"));
    let error = &faults[0];
    assert!(case.is_none(), "there is no such file");
    assert!(error.to_string().starts_with("no/such.toml: "), "{error}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_what_may_have_been_meant() {
    let text = SOUND.replace("at_s = 1.0", "at_s = 11.0")
        + "[[expect]]\nalert = \"sleeep\"\n[[expect]]\nafter = \"glanse\"\nno_alert = \"any\"\n";
    let faults = Case::examine_text("a.toml", &text).faults;
    let told: Vec<_> = faults.iter().map(|error| (error.line, error.reason.as_str())).collect();
    let [trouble, kind, mark] = told[..] else { panic!("{told:?}") };
    assert!(trouble.0 == Some(15) && trouble.1.contains("the length of the scenario"), "{trouble:?}");
    assert!(kind.0 == Some(28) && kind.1.ends_with("; did you mean sleep?"), "{kind:?}");
    assert!(mark.0 == Some(30) && mark.1.ends_with("; did you mean glance?"), "{mark:?}");
    let of_reader = Case::parse("a.toml", &SOUND.replace("no_alert", "no_alrt")).expect_err("no such key");
    let told = "unknown field `no_alrt`; did you mean no_alert? Expected one of `after`, `within_s`";
    assert!(of_reader.reason.starts_with(told), "{of_reader}");
}

#[test]
fn a_window_that_is_none_hides_neither_what_else_is_wrong_with_its_expectation_nor_its_names() {
    let text = format!("{SOUND}[[expect]]\nalert = \"sleeep\"\nshare = 0.5\nwithin_s = [20.0, 21.0]\n");
    let told: Vec<_> = Case::examine_text("a.toml", &text).faults.into_iter().map(|one| one.reason).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    let text = format!("{SOUND}[[expect]]\nno_command = \"windw\"\nwithin_s = [20.0, 21.0]\n");
    let Examined { case, faults } = Case::examine_text("a.toml", &text);
    let last = case.and_then(|case| case.expectations.last().cloned());
    let is_there = matches!(last, Some(Expectation { expected: Expected::NoCommand { .. }, line: 28, .. }));
    assert!(is_there && faults.len() == 1, "{faults:?}");
}

#[test]
fn a_verdict_says_all_that_it_is_about() {
    let told = |expect: &str| {
        let case = Case::parse("a.toml", &format!("{SOUND}{expect}")).expect("it is sound");
        case.expectations.last().expect("one").told.clone()
    };
    assert_eq!(told("[[expect]]\nstate = \"unknown\"\nshare = 0.9\n"), "state unknown, share 0.9");
    assert_eq!(
        told("[[expect]]\nnode = \"router\"\nmissed_at_most = 2\nlateness_below_ms = 1.5\n"),
        "node router, missed_at_most 2, lateness_below_ms 1.5"
    );
    assert_eq!(
        told("[[expect]]\ncommand = \"window\"\nslots = { place = \"left\" }\nresult = \"done\"\n"),
        "command window, slots {place=left}, result done"
    );
}

#[test]
fn gestures_are_one_hand_in_time_order_and_what_cannot_be_shown_is_told() {
    let with = |gestures: &str| SOUND.replace("[link]", &format!("{gestures}[link]"));
    let shown = |show: &str, at_s: f64, for_s: f64| {
        format!("[[gesture]]\nshow = \"{show}\"\nat_s = {at_s:.1}\nfor_s = {for_s:.1}\nmark = \"{show}\"\n")
    };
    let two = shown("fist", 6.0, 1.0) + &shown("thumb_up", 2.0, 1.5);
    let case = Case::parse("a.toml", &with(&two)).expect("it is sound");
    let hand = case.hand.expect("there is a hand");
    let lengths: Vec<f32> = hand.segments.iter().flat_map(|one| &one.acts).map(|act| act.seconds).collect();
    assert_eq!(lengths, [2.0, 1.5, 2.5, 1.0, 2.5], "as long as the drive");
    assert!(Case::parse("a.toml", SOUND).expect("it is sound").hand.is_none());
    for (text, reason) in [
        (with(&shown("thumb", 2.0, 1.5)), "unknown variant `thumb`, expected one of `open_palm`, `fist`"),
        (with(&shown("absent", 2.0, 1.5)), "absent while no [[gesture]] is on"),
        (with(&shown("swipe_left", 2.0, 0.5)), "`swipe_left` takes 0.9"),
        (with(&shown("fist", 9.0, 1.0)), "from 9 to 10 s, and the scenario from 0 to 9.5 s"),
        (with(&(shown("fist", 2.0, 1.5) + &shown("ok", 3.0, 1.5))), "until 3.5 s: there is one hand"),
        (
            with(&shown("fist", 2.0, 1.5)).replace("seed = 1", "seed = 1\nlevel = \"pixels\""),
            "one camera, one scene",
        ),
    ] {
        let fault = Case::parse("a.toml", &text).expect_err(reason);
        assert!(fault.reason.contains(reason), "{fault}");
        let line = text.lines().position(|line| line == "[[gesture]]").map(|n| n + 1);
        assert!(fault.line == line, "{fault}");
    }
}
