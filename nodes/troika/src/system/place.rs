//! Where things stand in the text of a system file.

use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

/// Where the value of `path` stands: `["processes", "cabin", "nice"]`.
pub(crate) fn of_value(text: &str, path: &[&str]) -> Option<Range<usize>> {
    entry(text, path).map(|(_, value)| value)
}

/// Where the last key of `path` stands.
pub(crate) fn of_key(text: &str, path: &[&str]) -> Option<Range<usize>> {
    entry(text, path).map(|(key, _)| key)
}

/// The text that `path` holds, and where it stands.
pub(crate) fn text_of(text: &str, path: &[&str]) -> Option<(String, Range<usize>)> {
    let (last, tables) = path.split_last()?;
    let value = table_of(text, tables)?.remove(*last)?;
    match value.get_ref() {
        DeValue::String(text) => Some((text.to_string(), value.span())),
        _ => None,
    }
}

fn entry(text: &str, path: &[&str]) -> Option<(Range<usize>, Range<usize>)> {
    let (last, tables) = path.split_last()?;
    let table = table_of(text, tables)?;
    let (key, value) = table.get_key_value(*last)?;
    Some((key.span(), value.span()))
}

fn table_of<'t>(text: &'t str, tables: &[&str]) -> Option<DeTable<'t>> {
    let mut table = DeTable::parse(text).ok()?.into_inner();
    for name in tables {
        let DeValue::Table(inner) = table.remove(*name)?.into_inner() else { return None };
        table = inner;
    }
    Some(table)
}

/// Where the value stands whose key a message about these values names; of several, the longest.
pub(crate) fn of_named(value: &Spanned<DeValue<'_>>, message: &str) -> Option<Range<usize>> {
    let words: Vec<&str> = message.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let DeValue::Table(fields) = value.get_ref() else { return None };
    let here = fields
        .iter()
        .filter(|(key, _)| words.contains(&key.get_ref().as_ref()))
        .max_by_key(|(key, _)| key.get_ref().len());
    here.map(|(_, value)| value.span()).or_else(|| fields.values().find_map(|inner| of_named(inner, message)))
}

/// Where the text stands that a message about these values quotes; of several, the longest.
pub(crate) fn of_quoted(value: &Spanned<DeValue<'_>>, message: &str) -> Option<Range<usize>> {
    fn walk(value: &Spanned<DeValue<'_>>, message: &str, found: &mut Option<(usize, Range<usize>)>) {
        match value.get_ref() {
            DeValue::String(text)
                if !text.is_empty()
                    && message.contains(text.as_ref())
                    && found.as_ref().is_none_or(|(length, _)| text.len() > *length) =>
            {
                *found = Some((text.len(), value.span()));
            }
            DeValue::Array(items) => items.iter().for_each(|item| walk(item, message, found)),
            DeValue::Table(fields) => fields.values().for_each(|field| walk(field, message, found)),
            _ => {}
        }
    }
    let mut found = None;
    walk(value, message, &mut found);
    found.map(|(_, span)| span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[a.b]\nkey = 'value'\ninline = { file = 'x/y.toml', others = ['y'] }\n";

    #[test]
    fn keys_and_values_are_found_where_they_stand() {
        let at = |span: Option<Range<usize>>| span.map(|span| &TEXT[span]);
        assert_eq!(at(of_value(TEXT, &["a", "b", "key"])), Some("'value'"));
        assert_eq!(at(of_key(TEXT, &["a", "b", "key"])), Some("key"));
        assert_eq!(at(of_key(TEXT, &["a", "b", "inline", "file"])), Some("file"));
        assert_eq!(at(of_key(TEXT, &["a", "b"])), Some("b"));
        for none in [&["a", "c"][..], &["a", "b", "key", "deeper"], &[]] {
            assert_eq!(of_value(TEXT, none), None);
        }
        assert_eq!(of_value("no toml", &["a"]), None);
    }

    #[test]
    fn what_a_message_quotes_is_found_however_deep() {
        let whole =
            Spanned::new(0..TEXT.len(), DeValue::Table(DeTable::parse(TEXT).expect("sound").into_inner()));
        let at = |message: &str| of_quoted(&whole, message).map(|span| &TEXT[span]);
        assert_eq!(at("cannot read x/y.toml: no such file"), Some("'x/y.toml'"));
        assert_eq!(at("of another thing"), None);
        let named = |message: &str| of_named(&whole, message).map(|span| &TEXT[span]);
        assert_eq!(named("key must be over 0"), Some("'value'"));
        assert_eq!(named("`file` is none"), Some("'x/y.toml'"));
        assert_eq!(named("keys must be over 0"), None);
    }
}
