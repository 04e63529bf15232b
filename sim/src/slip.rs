//! What a reader says of a slip of the pen: a name that it does not know, a number that does not fit.

/// `; did you mean …?`, when one of the names there are is like the one that was given.
pub fn meant<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// Less alike are two words, and not one mistyped.
    const ALIKE: f64 = 0.75;
    let likeness = |name: &str| strsim::jaro_winkler(given, name);
    let near = known.into_iter().map(|name| (likeness(name), name)).filter(|(likeness, _)| *likeness > ALIKE);
    let nearest = near.max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

/// What the TOML reader says of a name that it does not know, with the one that may have been meant before all that there are: a reader
/// of thirty keys does not look behind them. Both are in its message, in quotes.
pub fn read_in_order(message: &str) -> String {
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
