//! A problem in a system file, and how it is shown: the line at fault, what is wrong, the way out.

use std::{error::Error, fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Source;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It runs, but not as one would think.
    Warning,
    /// It must not run.
    Error,
}

/// Something wrong with a system file. As an error it is its message alone; [`Problem::render`] shows the line too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where, in bytes of the text.
    pub span: Option<Range<usize>>,
    /// The way out.
    pub help: Option<String>,
    /// What there is beside that, shown last.
    pub note: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Problem {}

impl Problem {
    /// An error without a place.
    pub(crate) fn error(message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Error, message: message.into(), span: None, help: None, note: None }
    }

    /// A warning without a place.
    pub(crate) fn warning(message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(message) }
    }

    /// The same, with its place.
    pub(crate) fn at(mut self, span: Range<usize>) -> Problem {
        self.span = Some(span);
        self
    }

    /// The same, with the way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// What the TOML reader says, with a near miss named when a key is unknown.
    pub(crate) fn of_toml(error: &toml::de::Error) -> Problem {
        let message = in_words(error.message().trim());
        let problem = |message: &str| Problem { span: error.span(), ..Problem::error(message) };
        match (near_miss(&message), message.split_once(", expected ")) {
            // Of thirty keys the one that was meant comes first.
            (Some(help), Some((unknown, known))) => Problem {
                note: Some(format!("known: {}", known.trim_start_matches("one of "))),
                ..problem(unknown).help(help)
            },
            (Some(help), None) => problem(&message).help(help),
            (None, _) => problem(&message),
        }
    }

    /// As shown to a person: file, line, the text at fault, the way out.
    pub(crate) fn render(&self, source: &Source, colour: bool) -> String {
        let level = match self.severity {
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let mut group = Group::with_title(level.primary_title(&self.message));
        if let Some(span) = &self.span {
            let end = span.end.min(source.text.len());
            let start = span.start.min(end);
            // A whole table is too much to show: its first line says where.
            let first_line = source.text[start..end].lines().next().map_or(start, |line| start + line.len());
            group = group.element(
                Snippet::source(&source.text)
                    .path(&source.path)
                    .annotation(AnnotationKind::Primary.span(start..first_line.max(start))),
            );
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        if let Some(note) = &self.note {
            group = group.element(Level::NOTE.message(note));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group]).to_string()
    }
}

/// Rust's names of numbers mean nothing to who writes a system file.
fn in_words(message: &str) -> String {
    let Some((before, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let range = match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number, and none so large".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" => "text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list: [0, 1]".to_owned(),
        "struct SchedTable" => "a table: { policy = \"fifo\", priority = 80 }".to_owned(),
        name if name.starts_with("struct ") => "a table".to_owned(),
        _ => return message.to_owned(),
    };
    format!("{before}expected {range}")
}

/// For "unknown field `prioritty`, expected one of `policy`, `priority`": the nearest of the expected ones.
fn near_miss(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown "))?;
    nearest(unknown, quoted).map(|near| format!("did you mean `{near}`?"))
}

/// The candidate most like `word`, if any is like it at all.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_told_in_words() {
        for (value, told) in [
            ("-1", "integer `-1`, expected a whole number from 0 to 4294967295"),
            ("5000000000", "expected a whole number from 0 to 4294967295"),
            ("'a'", "expected a whole number from 0 to 4294967295"),
        ] {
            let text = format!("[system]\nname = 't'\n[nodes]\n[processes.a]\nwake_latency_us = {value}\n");
            let problem = super::super::parse(&text).expect_err("no number of that kind");
            assert!(problem.message.contains(told), "{problem}");
        }
    }

    #[test]
    fn a_key_of_another_table_is_told_its_home() {
        let text = "[system]\nname = 't'\n[nodes]\n[processes.a]\nshared_memory = true\n";
        let problem = super::super::parse(text).expect_err("a key of another table");
        assert_eq!(problem.help.as_deref(), Some("it is a key of [system]"));
        let unknown = super::super::parse("[system]\nname = 't'\nxyzzy = 1\n[nodes]\n").expect_err("of none");
        assert_eq!(unknown.help, None);
    }

    #[test]
    fn a_misspelt_key_is_shown_with_its_line_and_the_nearest_key() {
        let text = "[system]\nname = \"cabin\"\ntransprot = \"zenoh\"\n[nodes]\n";
        let problem = super::super::parse(text).expect_err("an unknown key");
        let shown = problem.render(&Source { path: "cabin.toml".to_owned(), text: text.to_owned() }, false);
        assert!(shown.contains("cabin.toml:3:1"), "{shown}");
        let at = |part: &str| shown.find(part).unwrap_or_else(|| panic!("{part}: {shown}"));
        assert!(at("unknown field `transprot`\n") < at("did you mean `transport`?"), "{shown}");
        assert!(at("did you mean `transport`?") < at("known: `"), "{shown}");
    }
}
