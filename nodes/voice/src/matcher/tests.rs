use super::*;
use crate::eval;

fn means(utterance: &str) -> String {
    eval::told(&Matcher::english().understand(utterance))
}

#[test]
fn the_built_in_templates_are_sound() {
    let read = Templates::parse(include_str!("../../templates/en.toml"), Catalogue::built_in());
    assert_eq!(read.err(), None);
}

#[test]
fn every_line_of_our_own_phrasings_is_understood() {
    let cases = eval::cases(include_str!("../../fixtures/text/en.tsv")).expect("reads");
    let score = eval::score(&cases, |case| {
        (case.utterance.clone(), Matcher::english().understand(&case.utterance))
    });
    assert!(cases.len() >= 150, "{}", cases.len());
    assert_eq!(score.gated_breaches, 0);
    assert_eq!(score.gates, score.gates_right);
    assert!(score.wrong.is_empty(), "{} wrong:\n{}", score.wrong.len(), score.wrong.join("\n"));
}

#[test]
fn every_function_of_the_catalogue_is_in_our_own_phrasings() {
    let cases = eval::cases(include_str!("../../fixtures/text/en.tsv")).expect("reads");
    for function in Catalogue::built_in().functions() {
        let said = cases.iter().any(|case| match &case.expected {
            eval::Expected::Commands(calls) => calls.iter().any(|call| call.function == function.name),
            _ => false,
        });
        assert!(said, "{} is never said", function.name);
    }
}

#[test]
fn a_name_that_holds_an_and_is_not_cut() {
    assert_eq!(means("play hall and oates"), "media.play query=\"hall and oates\"");
}

#[test]
fn a_template_that_names_what_is_not_there_is_refused() {
    let good = include_str!("../../templates/en.toml");
    for (from, to, says) in [
        ("function = \"climate.set_fan\"", "function = \"climate.fan\"", "no function"),
        ("need = [\"obj.fan\"]", "need = [\"obj.fun\"]", "no concept 'obj.fun'"),
        ("slots = { level = \"0\" }", "slots = { level = \"11\" }", "'level'"),
        ("from = { level = \"level10\" }", "from = { level = \"guess\" }", "no resolver"),
        ("\"play [me|us] [some] {query} (on", "\"play {query} {query} (on", "side by side"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Templates::parse(&good.replacen(from, to, 1), Catalogue::built_in()).err();
        let told = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(says), "{to}: {told}");
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
        &long,
    ] {
        let _ = Matcher::english().understand(odd);
    }
}
