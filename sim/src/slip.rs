//! What a reader says of slips of the pen: names that it does not know, a number that does not fit.

use std::ops::Range;

use serde::de::DeserializeOwned;

/// A TOML text as it is written, or each name in it that is not known, with its line (1, 2, …). The reader ends at the first: it is asked again
/// without it. What is wrong in another way
/// ends it, and what may be missing only because a name was left out is not told.
///
/// # Errors
/// Line, and what is wrong.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Vec<(usize, String)>> {
    /// Nobody mends more at a time.
    const MOST: usize = 50;
    let mut faults = Vec::new();
    let mut rest = text.to_owned();
    loop {
        let error = match toml::from_str(&rest) {
            Ok(read) if faults.is_empty() => return Ok(read),
            Ok(_) => break,
            Err(error) => error,
        };
        let (message, span) = (error.message(), error.span().unwrap_or(0..0));
        if faults.is_empty() || !message.starts_with("missing field") {
            let line = 1 + rest.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
            faults.push((line, read_in_order(message)));
        }
        if faults.len() >= MOST || !left_out(&mut rest, message, span) {
            break;
        }
    }
    // The reader goes table by table, in the order of its own.
    faults.sort_by_key(|(line, _)| *line);
    Err(faults)
}

/// Takes from the text what the reader did not know, and no line with it: a key with its value, or a name in whose place one stands that is known.
fn left_out(text: &mut String, message: &str, span: Range<usize>) -> bool {
    if message.starts_with("unknown field") {
        // As it was meant, if that can be guessed: what is then missing would hide what comes behind.
        let mut quoted = message.split('`').skip(1).step_by(2);
        let meant = quoted.next().and_then(|given| nearest(given, quoted));
        if let Some(meant) = meant.filter(|_| !span.is_empty()) {
            let mut guessed = text.clone();
            guessed.replace_range(span.clone(), meant);
            if guessed.parse::<toml::Table>().is_ok() {
                *text = guessed;
                return true;
            }
        }
        let Some(mut cut) = assignment(text, span.start) else { return false };
        let after = cut.end + text[cut.end..].len() - text[cut.end..].trim_start_matches(' ').len();
        if text[after..].starts_with(',') {
            cut.end = after + 1;
        } else {
            // The last of an inline table has its comma before it.
            let before = text[..cut.start].trim_end();
            cut.start = if before.ends_with(',') { before.len() - 1 } else { cut.start };
        }
        let blank: String = text[cut.clone()].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        text.replace_range(cut, &blank);
        return true;
    }
    let known = message.split('`').nth(3).filter(|_| message.starts_with("unknown variant"));
    let Some(known) = known.filter(|_| !text[span.clone()].contains('\n') && !span.is_empty()) else {
        return false;
    };
    text.replace_range(span, &format!("\"{known}\""));
    true
}

/// From a key to the end of its value; none where that is not to be seen.
fn assignment(text: &str, key: usize) -> Option<Range<usize>> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    let value = key + text.get(key..)?.find('=')? + 1;
    if text[key..value].contains('\n') {
        return None;
    }
    for (at, c) in text[value..].char_indices() {
        match (quote, c) {
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), c) if c == open && !escaped => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') if depth > 0 => depth -= 1,
            (None, ',' | '}' | '\n' | '#') if depth == 0 => return Some(key..value + at),
            _ => {}
        }
        escaped = false;
    }
    (depth == 0 && quote.is_none()).then_some(key..text.len())
}

/// `; did you mean …?`, when one of the names there are is like the one that was given.
pub fn meant<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Less alike are two words, and not one mistyped.
    const ALIKE: f64 = 0.75;
    let likeness = |name: &str| strsim::jaro_winkler(given, name);
    let near = known.into_iter().map(|name| (likeness(name), name)).filter(|(likeness, _)| *likeness > ALIKE);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// What the TOML reader says of a name that it does not know, with the one that may have been meant before all that there are: a reader
/// of thirty keys does not look behind them. Both are in its message, in quotes.
fn read_in_order(message: &str) -> String {
    let message = &in_words(message);
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = quoted.next().filter(|_| message.starts_with("unknown "));
    let near = given.map_or_else(String::new, |given| meant(given, quoted));
    match message.split_once(", expected") {
        Some((unknown, known)) if !near.is_empty() => format!("{unknown}{near} Expected{known}"),
        _ => format!("{message}{near}"),
    }
}

/// A fault of the reader without the names of Rust's numbers.
fn in_words(message: &str) -> String {
    let Some((before, kind)) = message.trim_end().rsplit_once("expected ") else { return message.to_owned() };
    let kind = match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        _ => return message.to_owned(),
    };
    format!("{before}expected {kind}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[expect(dead_code, reason = "read, and no more")]
        name: String,
        act: Vec<Act>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Act {
        #[expect(dead_code, reason = "read, and no more")]
        at: Place,
        s: f32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Place {
        Lap,
        Mirror,
    }

    fn faults(text: &str) -> Vec<(usize, String)> {
        read::<File>(text).expect_err("something is wrong with it")
    }

    #[test]
    fn every_name_that_is_not_known_is_told_at_once_with_its_line() {
        let told = faults(
            "nmae = \"x # y, }\"\nact = [\n  { at = \"lapp\", ss = 1.0 }, # mark\n  { s = 1.0, att = [1,\n 2], at = 'mirror' },\n]\n\
             titel = \"two\"\n",
        );
        let lines: Vec<usize> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 3, 4, 7], "{told:?}");
        assert!(
            told[0].1.contains("did you mean name?") && told[3].1.contains("did you mean at?"),
            "{told:?}"
        );
        assert!(!told.iter().any(|(_, why)| why.contains("missing")), "{told:?}");
    }

    #[test]
    fn what_is_wrong_in_another_way_is_told_too_and_what_is_right_is_read() {
        let told = faults("name = \"x\"\ntitel = 1\nact = [{ at = \"lap\", s = \"long\" }]\n");
        assert!(told.iter().any(|(line, why)| *line == 3 && why.contains("expected a number")), "{told:?}");
        assert!(faults("name = ")[0].1.len() > 3);
        assert!(faults("act = []\n")[0].1.contains("missing field `name`"));
        let read: File =
            read("name = \"x\"\nact = [{ at = \"lap\", s = 2.5 }]\n").expect("nothing is wrong with it");
        assert_eq!(read.act[0].s, 2.5);
    }
}
