//! Patterns with free text: `(call|phone) {contact}`, `give {contact} a [quick] call`. A pattern matches a whole clause.

use super::text::Word;

#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// One of these words; perhaps none when optional.
    Words { choice: Vec<String>, optional: bool },
    /// One or more words, kept.
    Capture(String),
    /// A person's name, kept: one word, or two after a title or a possessive ("my wife", "doctor Smith").
    Name(String),
}

/// A pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Vec<Part>);

/// Capture name, and the words it took: from, to (exclusive).
pub(super) type Captured = Vec<(String, (usize, usize))>;

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Pattern, String> {
        let mut parts = Vec::new();
        for token in text.split_whitespace() {
            let inside = |open: char, close: char| {
                token.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).map(str::to_owned)
            };
            let choice = |text: String| text.split('|').map(str::to_owned).collect();
            let part = if let Some(name) = inside('{', '}') {
                if let Some(name) = name.strip_suffix(":name") {
                    parts.push(Part::Name(name.to_owned()));
                    continue;
                }
                if matches!(parts.last(), Some(Part::Capture(_))) {
                    return Err("two captures side by side".to_owned());
                }
                Part::Capture(name)
            } else if let Some(words) = inside('[', ']') {
                Part::Words { choice: choice(words), optional: true }
            } else if let Some(words) = inside('(', ')') {
                Part::Words { choice: choice(words), optional: false }
            } else if token.contains(['{', '}', '[', ']', '(', ')', '|']) {
                return Err(format!("'{token}' is no word, (a|b), [a|b] or {{slot}}"));
            } else {
                Part::Words { choice: vec![token.to_owned()], optional: false }
            };
            parts.push(part);
        }
        if parts.is_empty() { Err("empty".to_owned()) } else { Ok(Pattern(parts)) }
    }

    pub(super) fn captures(&self) -> Vec<String> {
        let name = |part: &Part| match part {
            Part::Capture(name) | Part::Name(name) => Some(name.clone()),
            Part::Words { .. } => None,
        };
        self.0.iter().filter_map(name).collect()
    }

    pub(super) fn words(&self) -> Vec<String> {
        let words = self
            .0
            .iter()
            .filter_map(|part| if let Part::Words { choice, .. } = part { Some(choice) } else { None });
        words.flatten().cloned().collect()
    }

    /// What it captures of these words, if they are its own from the first to the last; a name that begins with a title has a
    /// second word.
    pub(super) fn matches(&self, words: &[Word], titles: &[String]) -> Option<Captured> {
        let mut captured = Vec::new();
        run(&self.0, words, titles, 0, &mut captured).then_some(captured)
    }
}

fn run(parts: &[Part], words: &[Word], titles: &[String], at: usize, captured: &mut Captured) -> bool {
    let Some((part, rest)) = parts.split_first() else { return at == words.len() };
    match part {
        Part::Words { choice, optional } => {
            let here = words.get(at).is_some_and(|word| choice.contains(&word.norm));
            (here && run(rest, words, titles, at + 1, captured))
                || (*optional && run(rest, words, titles, at, captured))
        }
        Part::Name(name) => {
            let titled = words.get(at).is_some_and(|word| titles.contains(&word.norm));
            let end = at + if titled { 2 } else { 1 };
            captured.push((name.clone(), (at, end)));
            if end <= words.len() && run(rest, words, titles, end, captured) {
                return true;
            }
            captured.pop();
            false
        }
        Part::Capture(name) => {
            // The shortest that lets the rest match: the next literal ends it.
            for end in at + 1..=words.len() {
                captured.push((name.clone(), (at, end)));
                if run(rest, words, titles, end, captured) {
                    return true;
                }
                captured.pop();
            }
            false
        }
    }
}
