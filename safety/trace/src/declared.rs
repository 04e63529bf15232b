//! What the sources say: which tests verify what, and which code names a requirement. By tokens, so that text in strings and comments is
//! none, and tests inside of macros (`proptest!`) are found.

use std::str::FromStr as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A test that says what it verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The function's name.
    pub test: String,
    /// The line of the function.
    pub line: usize,
    /// Ids as constants: `SR_DMS_002`.
    pub ids: Vec<String>,
}

/// What one source file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its tests that verify something.
    pub tests: Vec<Declared>,
    /// Requirements that it names outside of `verifies!`, with the line of the first mention of each.
    pub names: Vec<(String, usize)>,
    /// Lines of a `verifies!` that stands in no test.
    pub astray: Vec<usize>,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// It is no Rust: the tokens do not come in pairs.
    pub fn read(text: &str) -> Result<Source, String> {
        let tokens = TokenStream::from_str(text).map_err(|error| error.to_string())?;
        let mut source = Source::default();
        source.walk(tokens, None);
        source.names.sort();
        source.names.dedup_by(|later, first| later.0 == first.0);
        Ok(source)
    }

    /// `inside`: which of the tests these tokens are the body of.
    fn walk(&mut self, tokens: TokenStream, inside: Option<usize>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // A test's attribute was seen, and then its name.
        let (mut is_test, mut named) = (false, None);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(word) if word == "verifies" => {
                    if let Some((ids, line)) = ids(&tokens[at..]) {
                        match inside {
                            Some(test) => self.tests[test].ids.extend(ids),
                            None => self.astray.push(line),
                        }
                        at += 2;
                    }
                }
                TokenTree::Ident(word) if word == "fn" => {
                    if let Some(TokenTree::Ident(name)) = tokens.get(at + 1) {
                        named = is_test.then(|| (name.to_string(), name.span().start().line));
                    }
                    is_test = false;
                }
                TokenTree::Ident(word) if is_id(&word.to_string()) => {
                    self.names.push((word.to_string(), word.span().start().line));
                }
                TokenTree::Group(group)
                    if group.delimiter() == Delimiter::Bracket && is_attribute(&tokens, at) =>
                {
                    is_test |= says_test(group.stream());
                }
                TokenTree::Group(group) => {
                    let test = match (group.delimiter(), &named) {
                        (Delimiter::Brace, Some((test, line))) => {
                            self.tests.push(Declared { test: test.clone(), line: *line, ids: Vec::new() });
                            named = None;
                            Some(self.tests.len() - 1)
                        }
                        _ => inside,
                    };
                    self.walk(group.stream(), test);
                }
                _ => {}
            }
            at += 1;
        }
        if inside.is_none() {
            self.tests.retain(|test| !test.ids.is_empty());
        }
    }
}

/// The ids of `verifies ! [A, B]`, and its line.
fn ids(tokens: &[TokenTree]) -> Option<(Vec<String>, usize)> {
    let [word, TokenTree::Punct(mark), TokenTree::Group(list), ..] = tokens else { return None };
    let ids = list.stream().into_iter().filter_map(|token| match token {
        TokenTree::Ident(id) => Some(id.to_string()),
        _ => None,
    });
    (mark.as_char() == '!').then(|| (ids.collect(), word.span().start().line))
}

/// Whether the bracket at this place is an attribute's.
fn is_attribute(tokens: &[TokenTree], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    matches!(before, Some(TokenTree::Punct(mark)) if mark.as_char() == '#')
}

/// `test`, `tokio::test(...)`: the last word of the attribute's path.
fn says_test(attribute: TokenStream) -> bool {
    let path = attribute.into_iter().take_while(|token| !matches!(token, TokenTree::Group(_)));
    let words = path.filter(|token| matches!(token, TokenTree::Ident(_)));
    words.last().is_some_and(|word| word.to_string() == "test")
}

fn is_id(word: &str) -> bool {
    let mut parts = word.split('_');
    let of_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.next() == Some("SR") && parts.next().is_some() && parts.next_back().is_some_and(of_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_what_it_verifies_and_code_names_what_it_is_for() {
        let source = Source::read(
            r##"
            const RULE: Requirement = troika_safety::SR_DMS_002;
            const TEXT: &str = "SR_DMS_009 verifies![SR_DMS_008]"; // verifies![SR_DMS_007]
            #[test]
            fn first() { verifies![SR_DMS_001, SR_DMS_002]; let other = SR_DMS_002; }
            #[test]
            fn says_nothing() { assert!(true); }
            mod tests {
                #[tokio::test(flavor = "multi_thread")]
                async fn second() -> Result<(), String> { if true { troika_safety::verifies![SR_TIM_003]; } Ok(()) }
            }
            proptest! {
                #[test]
                fn third(x in 0..3u32) { troika_safety::verifies![SR_DAT_001]; }
            }
            "##,
        )
        .expect("Rust");
        let tests: Vec<(&str, String)> =
            source.tests.iter().map(|test| (test.test.as_str(), test.ids.join(" "))).collect();
        assert_eq!(
            tests,
            [
                ("first", "SR_DMS_001 SR_DMS_002".to_owned()),
                ("second", "SR_TIM_003".to_owned()),
                ("third", "SR_DAT_001".to_owned())
            ]
        );
        assert_eq!(source.names, [("SR_DMS_002".to_owned(), 2)]);
        assert!(source.astray.is_empty());
    }

    #[test]
    fn what_stands_in_no_test_is_astray() {
        let source = Source::read("fn helper() {\n verifies![SR_DMS_001];\n}").expect("Rust");
        assert_eq!((source.tests.len(), source.astray), (0, vec![2]));
        assert!(Source::read("fn broken( {").is_err());
    }
}
