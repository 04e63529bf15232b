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
    /// Requirements that it names outside of tests and of what is built for tests alone, with the line of the first mention of each.
    pub names: Vec<(String, usize)>,
    /// Each id in a `fulfils!`, with its line, wherever that stands.
    pub fulfils: Vec<(String, usize)>,
    /// Lines of a `verifies!` that stands in no test.
    pub astray: Vec<usize>,
    /// Lines of a `fulfils!` that stands in a test, or in what is built for tests alone.
    pub fulfils_astray: Vec<usize>,
    /// Modules in files of their own that are built for tests alone: `#[cfg(test)] mod drive;`.
    pub test_modules: Vec<String>,
}

/// Where tokens stand.
#[derive(Clone, Copy)]
struct Place {
    /// Which of the tests they are the body of.
    test: Option<usize>,
    /// They are built for tests alone.
    of_tests: bool,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// It is no Rust: the tokens do not come in pairs.
    pub fn read(text: &str) -> Result<Source, String> {
        let tokens = TokenStream::from_str(text).map_err(|error| error.to_string())?;
        let mut source = Source::default();
        source.walk(tokens, Place { test: None, of_tests: false });
        source.tests.retain(|test| !test.ids.is_empty());
        source.names.sort();
        source.names.dedup_by(|later, first| later.0 == first.0);
        Ok(source)
    }

    fn walk(&mut self, tokens: TokenStream, place: Place) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut all_of_tests = place.of_tests;
        // A test's attribute was seen, and then its name.
        let (mut is_test, mut named) = (false, None);
        // What stands here is of an item that is built for tests alone.
        let mut item = Item::default();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let of_tests = all_of_tests || item.of_tests || place.test.is_some();
            match token {
                TokenTree::Ident(word) if word == "verifies" => {
                    if let Some((ids, line)) = ids(&tokens[at..]) {
                        match place.test {
                            Some(test) => self.tests[test].ids.extend(ids),
                            None => self.astray.push(line),
                        }
                        at += 2;
                    }
                }
                TokenTree::Ident(word) if word == "fulfils" => {
                    if let Some((ids, line)) = ids(&tokens[at..]) {
                        self.fulfils.extend(ids.into_iter().map(|id| (id, line)));
                        if of_tests {
                            self.fulfils_astray.push(line);
                        }
                    }
                }
                TokenTree::Ident(word) if word == "fn" => {
                    if let Some(TokenTree::Ident(name)) = tokens.get(at + 1) {
                        named = is_test.then(|| (name.to_string(), name.span().start().line));
                    }
                    is_test = false;
                }
                TokenTree::Ident(word) if word == "mod" && item.of_tests => {
                    if let [_, TokenTree::Ident(name), TokenTree::Punct(end), ..] = &tokens[at..]
                        && end.as_char() == ';'
                    {
                        self.test_modules.push(name.to_string());
                    }
                }
                TokenTree::Ident(word) if !of_tests && is_id(&word.to_string()) => {
                    self.names.push((word.to_string(), word.span().start().line));
                }
                TokenTree::Group(group) if is_attribute(&tokens, at) => {
                    is_test |= says_test(group.stream());
                    item.of_tests |= says_for_tests(group.stream());
                }
                TokenTree::Group(group) if is_of_the_whole(&tokens, at) => {
                    all_of_tests |= says_for_tests(group.stream());
                }
                TokenTree::Group(group) => {
                    let test = match (group.delimiter(), &named) {
                        (Delimiter::Brace, Some((test, line))) => {
                            self.tests.push(Declared { test: test.clone(), line: *line, ids: Vec::new() });
                            named = None;
                            Some(self.tests.len() - 1)
                        }
                        _ => place.test,
                    };
                    self.walk(group.stream(), Place { test, of_tests });
                }
                _ => {}
            }
            item.pass(token);
            at += 1;
        }
    }
}

/// Where an item that an attribute stands before ends: with its braces, its semicolon, or, as a field or a variant, its comma.
#[derive(Default)]
struct Item {
    of_tests: bool,
    /// A comma in it is one of its type parameters', as in `fn of<A, B>()`.
    has_commas: bool,
}

impl Item {
    fn pass(&mut self, token: &TokenTree) {
        const WITH_COMMAS: [&str; 11] =
            ["fn", "impl", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "let"];
        let ends = match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(mark) => mark.as_char() == ';' || (mark.as_char() == ',' && !self.has_commas),
            TokenTree::Ident(word) => {
                self.has_commas |= WITH_COMMAS.iter().any(|one| word == one);
                false
            }
            TokenTree::Literal(_) => false,
        };
        if ends {
            *self = Item::default();
        }
    }
}

/// The ids of `verifies ! [A, B]` or `fulfils ! [A, B]`, and its line.
fn ids(tokens: &[TokenTree]) -> Option<(Vec<String>, usize)> {
    let [word, TokenTree::Punct(mark), TokenTree::Group(list), ..] = tokens else { return None };
    let ids = list.stream().into_iter().filter_map(|token| match token {
        TokenTree::Ident(id) => Some(id.to_string()),
        _ => None,
    });
    (mark.as_char() == '!').then(|| (ids.collect(), word.span().start().line))
}

/// Whether the bracket at this place is an attribute's: `#[..]`.
fn is_attribute(tokens: &[TokenTree], at: usize) -> bool {
    is_bracket(&tokens[at]) && is_mark(tokens, at, 1, '#')
}

/// Whether it is an attribute's of all that it stands in: `#![..]`.
fn is_of_the_whole(tokens: &[TokenTree], at: usize) -> bool {
    is_bracket(&tokens[at]) && is_mark(tokens, at, 1, '!') && is_mark(tokens, at, 2, '#')
}

fn is_bracket(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

fn is_mark(tokens: &[TokenTree], at: usize, before: usize, mark: char) -> bool {
    let token = at.checked_sub(before).and_then(|before| tokens.get(before));
    matches!(token, Some(TokenTree::Punct(seen)) if seen.as_char() == mark)
}

/// `test`, `tokio::test(...)`: the last word of the attribute's path.
fn says_test(attribute: TokenStream) -> bool {
    let path = attribute.into_iter().take_while(|token| !matches!(token, TokenTree::Group(_)));
    let words = path.filter(|token| matches!(token, TokenTree::Ident(_)));
    words.last().is_some_and(|word| word.to_string() == "test")
}

/// `cfg(test)`, `cfg(all(test, unix))`: what it stands before is built for tests alone. Of `any(test, ..)` and `not(test)` it is not.
fn says_for_tests(attribute: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(cfg), TokenTree::Group(condition)] if cfg == "cfg" => {
            wants_test(condition.stream())
        }
        _ => false,
    }
}

fn wants_test(condition: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = condition.into_iter().collect();
    let mut conditions =
        tokens.split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','));
    conditions.any(|one| match one {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(all), TokenTree::Group(group)] if all == "all" => wants_test(group.stream()),
        _ => false,
    })
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
        assert_eq!(source.names, [("SR_DMS_002".to_owned(), 2)], "what a test names for itself is no code");
        assert!(source.astray.is_empty());
    }

    #[test]
    fn what_stands_in_no_test_is_astray() {
        let source = Source::read("fn helper() {\n verifies![SR_DMS_001];\n}").expect("Rust");
        assert_eq!((source.tests.len(), source.astray), (0, vec![2]));
        assert!(Source::read("fn broken( {").is_err());
    }

    #[test]
    fn code_says_what_it_fulfils_and_what_is_built_for_tests_alone_is_no_code() {
        let source = Source::read(
            r##"
            troika_safety::fulfils![SR_DMS_001];
            #[cfg(test)] const ONE: Requirement = sr::SR_DMS_002;
            fn gate() { fulfils![SR_DMS_003, SR_DMS_004]; }
            struct Two { #[cfg(test)] three: [u8; sr::SR_DMS_005], four: [u8; sr::SR_DMS_006] }
            #[cfg(all(test, unix))] impl<A, B> Five<A, B> { const SIX: R = sr::SR_DMS_007; }
            #[cfg(any(test, unix))] const SEVEN: R = sr::SR_DMS_008;
            #[cfg(not(test))] const EIGHT: R = sr::SR_DMS_009;
            #[cfg(test)] mod drive;
            #[cfg(test)] use troika_safety::{SR_DMS_013, ALL};
            mod built;
            #[cfg(test)]
            mod tests {
                fn helper() { fulfils![SR_DMS_010]; }
                #[test] fn nine() { verifies![SR_DMS_011]; let ten = sr::SR_DMS_012; }
            }
            #[test] fn eleven() { fulfils![SR_DMS_010]; }
            "##,
        )
        .expect("Rust");
        let names: Vec<&str> = source.names.iter().map(|(name, _)| &name[name.len() - 3..]).collect();
        assert_eq!(names, ["001", "003", "004", "006", "008", "009"]);
        assert_eq!(source.fulfils_astray, [14, 17]);
        assert_eq!((source.test_modules, source.tests.len()), (vec!["drive".to_owned()], 1));
        let fulfils: Vec<usize> = source.fulfils.iter().map(|(_, line)| *line).collect();
        assert_eq!(fulfils, [2, 4, 4, 14, 17]);
        let whole = Source::read("#![cfg(test)]\nfn helper() { fulfils![SR_DMS_001]; }").expect("Rust");
        assert_eq!((whole.names.len(), whole.fulfils_astray), (0, vec![2]));
    }
}
