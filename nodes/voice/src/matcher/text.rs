//! Words as they are compared: lower case, without punctuation, contractions spelt out, numbers as numbers.

/// One word of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As compared.
    pub norm: String,
    /// The number that it is, if it is one.
    pub number: Option<f64>,
    /// Which spoken words it was made of: from, to (exclusive), as indices into [`spoken`]'s.
    pub from: (usize, usize),
    /// A comma, full stop or the like came before it.
    pub after_break: bool,
}

/// The words as spoken: lower case, punctuation off, apostrophes kept; the flag says that a pause was written before.
pub fn spoken(utterance: &str) -> Vec<(String, bool)> {
    let mut words: Vec<(String, bool)> = Vec::new();
    let mut pause = false;
    let lower = utterance.to_lowercase().replace(['’', '‘', '`'], "'");
    // What stands in brackets is a recogniser's note ("[BLANK_AUDIO]", "(music)"), not speech.
    let mut depth = 0usize;
    let open: String = lower
        .chars()
        .filter(|c| {
            match c {
                '[' | '(' => depth += 1,
                ']' | ')' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect();
    let spaced = open
        .replace('%', " percent ")
        .replace('°', " degrees ")
        .replace(['-', '–', '—', '/'], " ")
        .replace("km h", " kmh ")
        .replace("a.c.", " ac ");
    for token in spaced.split_whitespace() {
        let trimmed = token.trim_matches(|c: char| !c.is_alphanumeric());
        let starts_with_mark = token.starts_with([',', ';', ':', '.']);
        if !trimmed.is_empty() {
            let word: String = trimmed
                .char_indices()
                .filter(|(at, c)| c.is_alphanumeric() || *c == '\'' || is_point(trimmed, *at, *c))
                .map(|(_, c)| if c == ',' { '.' } else { c })
                .collect();
            words.push((word, pause || starts_with_mark));
            pause = false;
        }
        pause |= token.ends_with([',', ';', ':', '.', '!', '?']);
    }
    words
}

/// A point between two digits.
fn is_point(word: &str, at: usize, c: char) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    matches!(c, '.' | ',') && digit(word[..at].chars().next_back()) && digit(word[at + 1..].chars().next())
}

/// Contractions, spelt out. Possessives keep their form ("driver's") and are in the lexicon.
const CONTRACTIONS: &[(&str, &str)] = &[
    ("won't", "will not"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("shan't", "shall not"),
    ("let's", "let us"),
    ("gonna", "going to"),
    ("wanna", "want to"),
    ("gotta", "got to"),
    ("gimme", "give me"),
    ("lemme", "let me"),
    ("dont", "do not"),
    ("im", "i am"),
];

/// Words that may carry "'s" for "is".
const IS_SHORT: &[&str] =
    &["it", "what", "that", "there", "here", "where", "how", "who", "he", "she", "when", "everything"];

fn expand(word: &str) -> Vec<String> {
    let two = |text: &str| text.split(' ').map(str::to_owned).collect();
    if let Some((_, full)) = CONTRACTIONS.iter().find(|(short, _)| *short == word) {
        return two(full);
    }
    for (suffix, full) in
        [("n't", "not"), ("'m", "am"), ("'re", "are"), ("'ve", "have"), ("'ll", "will"), ("'d", "would")]
    {
        if let Some(stem) = word.strip_suffix(suffix).filter(|stem| !stem.is_empty()) {
            return vec![stem.to_owned(), full.to_owned()];
        }
    }
    if let Some(stem) = word.strip_suffix("'s").filter(|stem| IS_SHORT.contains(stem)) {
        return vec![stem.to_owned(), "is".to_owned()];
    }
    // "21c", "80kmh", "20c": a number with its unit stuck to it.
    let digits = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (number, unit) = word.split_at(digits);
    if !number.is_empty() && matches!(unit, "c" | "kmh" | "kph" | "mph" | "km" | "pct") {
        return vec![number.to_owned(), if unit == "c" { "degrees".to_owned() } else { unit.to_owned() }];
    }
    vec![word.to_owned()]
}

/// Units and tens, spelt.
fn small(word: &str) -> Option<f64> {
    const UNITS: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    if let Some(unit) = UNITS.iter().position(|unit| *unit == word) {
        return Some(unit as f64);
    }
    if word == "fourty" {
        return Some(40.0);
    }
    TENS.iter().position(|ten| *ten == word).map(|ten| (ten as f64 + 2.0) * 10.0)
}

fn digits(word: &str) -> Option<f64> {
    word.starts_with(|c: char| c.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

/// The words of an utterance as they are compared.
pub fn words(utterance: &str) -> Vec<Word> {
    let mut plain: Vec<Word> = Vec::new();
    for (index, (word, after_break)) in spoken(utterance).into_iter().enumerate() {
        for (part, norm) in expand(&word).into_iter().enumerate() {
            let from = (index, index + 1);
            plain.push(Word { norm, number: None, from, after_break: after_break && part == 0 });
        }
    }
    numbers(plain)
}

/// Joins the words of each number into one.
fn numbers(plain: Vec<Word>) -> Vec<Word> {
    let mut out = Vec::with_capacity(plain.len());
    let mut at = 0;
    while at < plain.len() {
        match number(&plain[at..]) {
            Some((value, used)) => {
                let from = (plain[at].from.0, plain[at + used - 1].from.1);
                let after_break = plain[at].after_break;
                out.push(Word { norm: value.to_string(), number: Some(value), from, after_break });
                at += used;
            }
            None => {
                out.push(plain[at].clone());
                at += 1;
            }
        }
    }
    out
}

/// The number at the start of these words, and how many words it is.
fn number(words: &[Word]) -> Option<(f64, usize)> {
    // "Minus two": below every range, so that it is asked for and not taken for two.
    if let [minus, rest @ ..] = words
        && matches!(minus.norm.as_str(), "minus" | "negative")
        && let Some((value, used)) = number(rest)
    {
        return Some((-value, used + 1));
    }
    let word =
        |at: usize| words.get(at).filter(|w| at == 0 || !w.after_break).map_or("", |w| w.norm.as_str());
    let (mut value, mut used) = match (digits(word(0)), small(word(0))) {
        (Some(value), _) => (value, 1),
        (_, Some(tens)) if tens >= 20.0 => match small(word(1)).filter(|unit| (1.0..10.0).contains(unit)) {
            Some(unit) => (tens + unit, 2),
            None => (tens, 1),
        },
        // "One twenty", "one oh five": hundreds without the word.
        (_, Some(hundreds)) if (1.0..10.0).contains(&hundreds) => {
            match (word(1), small(word(1)), small(word(2))) {
                ("oh" | "o", _, Some(unit)) if (1.0..10.0).contains(&unit) => (hundreds * 100.0 + unit, 3),
                (_, Some(tens), Some(unit)) if tens >= 20.0 && (1.0..10.0).contains(&unit) => {
                    (hundreds * 100.0 + tens + unit, 3)
                }
                (_, Some(rest), _) if rest >= 10.0 => (hundreds * 100.0 + rest, 2),
                _ => (hundreds, 1),
            }
        }
        (_, Some(unit)) => (unit, 1),
        _ if word(0) == "a" && word(1) == "hundred" => (1.0, 1),
        // "A hundred" with its article lost.
        _ if word(0) == "hundred" && word(1) == "and" => (1.0, 0),
        _ => return None,
    };
    if word(used) == "hundred" {
        value *= 100.0;
        used += 1;
        let rest = used + usize::from(word(used) == "and");
        if let Some((more, words_more)) = words.get(rest..).and_then(number).filter(|(n, _)| *n < 100.0) {
            value += more;
            used = rest + words_more;
        }
    }
    // "twenty one point five"; "twenty one and a half"; "twenty one half".
    if word(used) == "point" {
        let fraction: Vec<f64> = (used + 1..words.len())
            .map_while(|at| digits(word(at)).or_else(|| small(word(at))))
            .take(2)
            .collect();
        if let [first, ..] = fraction.as_slice()
            && *first < 10.0
        {
            value += first / 10.0;
            used += 2;
        }
    } else if word(used) == "and" && word(used + 1) == "a" && word(used + 2) == "half" {
        value += 0.5;
        used += 3;
    }
    Some((value, used))
}

/// Free text as it is compared: lower case, without punctuation (apostrophes too) and leading article.
pub fn bare(text: &str) -> String {
    let words: Vec<String> = spoken(text).into_iter().map(|(word, _)| word.replace('\'', "")).collect();
    let skip = usize::from(words.len() > 1 && matches!(words[0].as_str(), "the" | "a" | "an"));
    words[skip..].join(" ")
}

/// Edits between two words: insertions, deletions, replacements and neighbours swapped; at most `limit` are counted.
pub fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(text: &str) -> String {
        words(text).into_iter().map(|word| word.norm).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_in_words_and_digits_are_one() {
        for (said, is) in [
            ("twenty-one and a half degrees", "21.5 degrees"),
            ("twenty one point five", "21.5"),
            ("21,5°", "21.5 degrees"),
            ("one hundred and twenty", "120"),
            ("a hundred kilometers", "100 kilometers"),
            ("seventy percent", "70 percent"),
            ("70%", "70 percent"),
            ("one twenty", "120"),
            ("one oh five", "105"),
            ("one thirty five please", "135 please"),
            ("hundred and twenty", "120"),
            ("one two three", "1 2 3"),
            ("fan to minus two", "fan to -2"),
            ("set it to three, two", "set it to 3 2"),
        ] {
            assert_eq!(norm(said), is, "{said}");
        }
    }

    #[test]
    fn contractions_are_spelt_out_and_possessives_kept() {
        assert_eq!(
            norm("Don't! I'm cold, it's the driver's side."),
            "do not i am cold it is the driver's side"
        );
    }

    #[test]
    fn a_recognisers_notes_are_no_speech() {
        assert_eq!(norm("[BLANK_AUDIO] (engine noise) hello"), "hello");
    }

    #[test]
    fn a_swap_is_one_edit_and_the_limit_holds() {
        assert_eq!(distance("widnow", "window", 1), Some(1));
        assert_eq!(distance("truck", "trunk", 1), Some(1));
        assert_eq!(distance("door", "window", 2), None);
    }
}
