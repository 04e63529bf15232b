//! How hard a request is, from its words alone: a rough measure, for a choice between models. Pure and quick; no model is asked which
//! model to ask.

/// What makes a request harder, in English and German. Each kind found counts once.
const MARKS: [(&str, f64, &[&str]); 6] = [
    // Two things are weighed against each other.
    (
        "compares",
        0.30,
        &[
            "or", "than", "instead", "compare", "better", "cheaper", "faster", "oder", "als", "statt",
            "besser", "lieber",
        ],
    ),
    // A condition, and one more.
    (
        "restricts",
        0.25,
        &[
            "with", "without", "but", "not", "avoid", "open", "under", "before", "that", "mit", "ohne",
            "aber", "nicht", "bevor", "unter",
        ],
    ),
    // Several steps.
    (
        "plans",
        0.30,
        &[
            "then", "plan", "trip", "stops", "after", "weekend", "day", "first", "dann", "danach", "planen",
            "ausflug", "zuerst",
        ],
    ),
    // It rests on what was said before.
    (
        "refers",
        0.15,
        &["there", "it", "that", "one", "same", "second", "dort", "dahin", "es", "zweite", "gleiche"],
    ),
    // What no list of places holds.
    (
        "asks why",
        0.45,
        &[
            "why",
            "how",
            "explain",
            "tell",
            "who",
            "history",
            "story",
            "what",
            "warum",
            "wie",
            "erkläre",
            "erzähl",
            "wer",
            "geschichte",
        ],
    ),
    // Something is to be written.
    (
        "composes",
        0.35,
        &[
            "write",
            "joke",
            "poem",
            "suggest",
            "recommend",
            "idea",
            "summarise",
            "schreib",
            "witz",
            "gedicht",
            "empfiehl",
            "vorschlag",
        ],
    ),
];
/// Phrases that look like a question of knowledge and are a look-up: how far, how long, what time.
const LOOK_UPS: [&str; 10] = [
    "how far",
    "how long",
    "what time",
    "how much longer",
    "when will",
    "what is the nearest",
    "what's the nearest",
    "wie weit",
    "wie lange",
    "wann sind",
];
/// A request of this many words is of middling length.
const MIDDLING_WORDS: f64 = 12.0;

/// 0 (a look-up) to 1 (several steps, conditions, knowledge).
pub fn complexity(text: &str) -> f64 {
    let text = text.to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let looks_up = LOOK_UPS.iter().any(|phrase| text.contains(phrase));
    let marks = MARKS
        .iter()
        .filter(|(kind, _, _)| !(looks_up && *kind == "asks why"))
        .filter(|(_, _, marks)| words.iter().any(|word| marks.contains(word)))
        .map(|(_, weight, _)| weight);
    let length = words.len() as f64 / MIDDLING_WORDS;
    (marks.sum::<f64>() + 0.15 * (length - 0.5).clamp(0.0, 2.0)).clamp(0.0, 1.0)
}

/// Tokens that a text is about: a token is about four characters of English (the usual rule for byte-pair vocabularies).
pub fn tokens(text: &str) -> f64 {
    (text.len() as f64 / 4.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_is_easy_and_a_plan_is_hard() {
        let easy = ["Where is the nearest charging station", "How far is it to Lindholm", "Wie lange noch"];
        let hard = [
            "Plan a day trip with two stops, first a lake and then somewhere for dinner before eight",
            "Why do tides differ between here and the open sea, and explain it to a child",
            "Is it better to charge now or at the next station if I want to avoid the toll road",
        ];
        let most = easy.iter().map(|text| complexity(text)).fold(0.0, f64::max);
        let least = hard.iter().map(|text| complexity(text)).fold(1.0, f64::min);
        assert!(most < 0.35 && least > 0.5, "{most} {least}");
    }

    #[test]
    fn nothing_said_is_easy_and_nothing_is_over_one() {
        assert_eq!(complexity(""), 0.0);
        assert!(complexity(&"why or then write with it ".repeat(500)) <= 1.0);
    }

    #[test]
    fn each_kind_of_mark_counts_once_and_length_over_half_of_a_middling_request_counts_too() {
        let near = |text: &str, wanted: f64| {
            let got = complexity(text);
            assert!((got - wanted).abs() < 1e-9, "{text}: {got}, not {wanted}");
        };
        // Six words are half of twelve: nothing for the length.
        near("a b c d e f", 0.0);
        near("a b c d e f g h i j k l", 0.075);
        near("cheaper or better", 0.30);
        near("why", 0.45);
        near("how far", 0.0);
        near("how far or why", 0.30);
        near(&"a ".repeat(60), 0.30);
        near("don't it's", 0.0);
        near("why, write then with it", 1.0);
    }

    #[test]
    fn a_token_is_four_bytes_and_there_is_always_one() {
        assert_eq!((tokens(""), tokens("abcd"), tokens(&"abcd".repeat(25))), (1.0, 1.0, 25.0));
        assert_eq!(tokens("abcdef"), 1.5);
    }
}
