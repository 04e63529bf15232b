use super::*;
use crate::eval;

/// Our own phrasings of each language.
const PHRASINGS: [(Tongue, &str); Tongue::ALL.len()] = [
    (Tongue::English, include_str!("../../fixtures/text/en.tsv")),
    (Tongue::German, include_str!("../../fixtures/text/de.tsv")),
];

fn means(utterance: &str) -> String {
    eval::told(&Matcher::english().understand(utterance))
}

#[test]
fn the_built_in_languages_are_sound() {
    for tongue in Tongue::ALL {
        let read = Matcher::new(&tongue.sources(), Catalogue::built_in());
        assert_eq!(read.err(), None, "{tongue}");
    }
}

#[test]
fn every_line_of_our_own_phrasings_is_understood() {
    for (tongue, lines) in PHRASINGS {
        let cases = eval::cases(lines).expect("reads");
        let score = eval::score(&cases, |case| {
            (case.utterance.clone(), Matcher::of(tongue).understand(&case.utterance))
        });
        assert!(cases.len() >= 150, "{tongue}: {}", cases.len());
        assert_eq!(score.gated_breaches, 0, "{tongue}");
        assert_eq!(score.gates, score.gates_right, "{tongue}");
        assert!(score.wrong.is_empty(), "{} wrong:\n{}", score.wrong.len(), score.wrong.join("\n"));
    }
}

#[test]
fn every_function_of_the_catalogue_is_in_our_own_phrasings() {
    for (tongue, lines) in PHRASINGS {
        let cases = eval::cases(lines).expect("reads");
        for function in Catalogue::built_in().functions() {
            let said = cases.iter().any(|case| match &case.expected {
                eval::Expected::Commands(calls) => calls.iter().any(|call| call.function == function.name),
                _ => false,
            });
            assert!(said, "{tongue}: {} is never said", function.name);
        }
    }
}

#[test]
fn german_lines_that_it_was_not_fitted_to_breach_no_gate() {
    let cases = eval::cases(include_str!("../../fixtures/text/de-unseen.tsv")).expect("reads");
    let german = Matcher::of(Tongue::German);
    let score = eval::score(&cases, |case| (case.utterance.clone(), german.understand(&case.utterance)));
    assert_eq!(score.gated_breaches, 0, "{:?}", score.wrong);
    assert!(score.exact >= 20, "{} of {}, 22 when it was written", score.exact, score.total);
}

#[test]
fn a_name_that_holds_an_and_is_not_cut() {
    assert_eq!(means("play hall and oates"), "media.play query=\"hall and oates\"");
}

#[test]
fn a_template_that_names_what_is_not_there_is_refused() {
    let sources = Tongue::English.sources();
    let good = sources.templates;
    for (from, to, says) in [
        ("function = \"climate.set_fan\"", "function = \"climate.fan\"", "no function"),
        ("need = [\"obj.fan\"]", "need = [\"obj.fun\"]", "no concept 'obj.fun'"),
        ("slots = { level = \"0\" }", "slots = { level = \"11\" }", "'level'"),
        ("from = { level = \"level10\" }", "from = { level = \"guess\" }", "no resolver"),
        ("\"play [me|us] [some] {query} (on", "\"play {query} {query} (on", "side by side"),
    ] {
        assert!(good.contains(from), "{from}");
        let templates = &good.replacen(from, to, 1);
        let error = Matcher::new(&Sources { templates, ..sources }, Catalogue::built_in()).err();
        let told = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(told.starts_with("templates.toml") && told.contains(says), "{to}: {told}");
    }
}

#[test]
fn a_file_of_words_that_lacks_one_or_has_one_too_many_is_refused_with_its_key() {
    let sources = Tongue::German.sources();
    for (from, to, says) in [
        ("articles = ", "artikel = ", "artikel"),
        ("not = \"nicht\"\n", "", "not"),
        ("\"null\", \"eins\",", "\"null\",", "number.units"),
    ] {
        assert!(sources.words.contains(from), "{from}");
        let words = &sources.words.replacen(from, to, 1);
        let error = Matcher::new(&Sources { words, ..sources }, Catalogue::built_in()).err();
        let told = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(told.starts_with("words.toml") && told.contains(says), "{to}: {told}");
    }
}

#[test]
fn a_yes_and_a_no_are_told_apart_and_a_sentence_is_neither() {
    for (said, is) in [
        ("Yes.", Some(true)),
        ("yeah please", Some(true)),
        ("go ahead", Some(true)),
        ("No.", Some(false)),
        ("no, don't", Some(false)),
        ("yes or no", None),
        ("open the window", None),
        ("", None),
    ] {
        assert_eq!(Matcher::english().yes_or_no(said), is, "{said}");
    }
}

#[test]
fn a_german_yes_and_no() {
    for (said, is) in [
        ("Ja.", Some(true)),
        ("ja bitte", Some(true)),
        ("mach das", Some(true)),
        ("Nein, danke.", Some(false)),
        ("lieber nicht", Some(false)),
        ("nein, mach es nicht", Some(false)),
        ("ja oder nein", None),
        ("mach das Fenster auf", None),
        ("", None),
    ] {
        assert_eq!(Matcher::of(Tongue::German).yes_or_no(said), is, "{said}");
    }
}

#[test]
fn in_german_too_what_follows_on_the_last_command_is_read_with_it() {
    let german = Matcher::of(Tongue::German);
    for (first, then, means) in [
        (
            "mach das Fenster hinten links auf",
            "das andere auch",
            "window.move position=rear_right action=open percent=100",
        ),
        ("stell die Lüftung auf drei", "noch etwas mehr", "climate.set_fan level=4"),
        (
            "stell meine Sitzheizung auf zwei",
            "und beim Beifahrer auch",
            "seat.heating seat=passenger level=2",
        ),
        ("mach das Schiebedach auf", "mach das rückgängig", "sunroof.move action=close"),
        ("mach es wärmer", "zu viel", "climate.adjust_temperature zone=driver direction=cooler"),
        ("mach das Schiebedach auf", "erzähl mir einen Witz", "none"),
        ("mach das Schiebedach auf", "mach es nicht zu", "none"),
    ] {
        let Understood::Commands(calls) = german.understand(first) else { panic!("{first}") };
        let follows = german.follow_up(then, calls.last().expect("a call"));
        let told = follows.map_or("none".to_owned(), |calls| eval::told(&Understood::Commands(calls)));
        assert_eq!(told, means, "{first} - {then}");
    }
}

#[test]
fn no_words_make_it_panic_or_run_away() {
    let long = "and open the window no wait ".repeat(60);
    for odd in [
        "",
        " ",
        "%",
        "'",
        "''s",
        "and",
        "no",
        ".,;",
        "°",
        "a hundred hundred hundred",
        "🦀",
        "\u{0}",
        "to to to",
        "hundert hundert und ein halb einhalb",
        "auf auf 3 auf",
        &long,
    ] {
        Tongue::ALL.into_iter().for_each(|tongue| drop(Matcher::of(tongue).understand(odd)));
    }
}
