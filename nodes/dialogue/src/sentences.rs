//! Text that arrives in pieces, cut into what can be spoken: whole sentences, or a clause where a sentence is long. Nothing is
//! changed: what was taken out, put together again, is the text.
//!
//! A sentence ends at `.`, `!`, `?` or `…` with white space behind it, or at a line's end. A full stop after an abbreviation, an initial
//! or a number ends none ("St. Anne", "am 3. Mai"): two sentences may come out as one, never one as two. For languages that put
//! spaces between words.

/// Words that a full stop does not end, lower case, without it.
const ABBREVIATIONS: &[&str] = &[
    "approx", "ave", "bzw", "ca", "cf", "d", "dr", "e.g", "evtl", "ggf", "hbf", "hr", "i.e", "inkl", "mr",
    "mrs", "ms", "mt", "no", "nr", "prof", "rd", "sog", "st", "str", "u", "usw", "vgl", "vs", "z",
];

/// What may stand between a sentence's last sign and the white space.
const CLOSERS: &[char] = &['"', '\'', ')', ']', '»', '”', '’', '“', '*'];

/// The text that waits to be a sentence.
#[derive(Debug, Clone, Default)]
pub struct Sentences {
    waiting: String,
}

impl Sentences {
    /// More text.
    pub fn push(&mut self, text: &str) {
        self.waiting.push_str(text);
    }

    /// What waits.
    pub fn waiting(&self) -> &str {
        &self.waiting
    }

    /// The next whole sentence, with the white space behind it.
    pub fn whole(&mut self) -> Option<String> {
        let end = end_of_sentence(&self.waiting)?;
        Some(self.take(end))
    }

    /// The longest run of whole clauses (to a comma, a semicolon, a colon or a dash) of at least so many words, with the white space
    /// behind it; from twice as many words on, whole words alone.
    pub fn clause(&mut self, least_words: usize) -> Option<String> {
        let mut end = None;
        let mut last = None;
        for (at, sign) in self.waiting.char_indices() {
            if sign.is_whitespace() {
                let after = at + sign.len_utf8();
                if matches!(last, Some(',' | ';' | ':' | '–' | '—'))
                    && words(&self.waiting[..at]) >= least_words
                {
                    end = Some(after);
                }
            }
            last = Some(sign);
        }
        let end = end.or_else(|| {
            let cut = self.word_boundary();
            (words(&self.waiting[..cut]) >= 2 * least_words).then_some(cut)
        })?;
        Some(self.take(end))
    }

    /// Where the last whole word ends: a word that nothing follows may go on.
    pub fn word_boundary(&self) -> usize {
        self.waiting
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + self.waiting[at..].chars().next().map_or(0, char::len_utf8))
    }

    /// Lets go of a word that may be half of one.
    pub fn cut_half_word(&mut self) {
        self.waiting.truncate(self.word_boundary());
    }

    /// All that waits.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.waiting)
    }

    fn take(&mut self, end: usize) -> String {
        let rest = self.waiting.split_off(end);
        std::mem::replace(&mut self.waiting, rest)
    }
}

/// The byte behind the first sentence and its white space.
fn end_of_sentence(text: &str) -> Option<usize> {
    let mut signs = text.char_indices().peekable();
    let mut content = false;
    while let Some((at, sign)) = signs.next() {
        if sign == '\n' && content {
            return Some(at + 1);
        }
        content |= sign.is_alphanumeric();
        if !matches!(sign, '.' | '!' | '?' | '…') || !content {
            continue;
        }
        while signs
            .next_if(|(_, next)| CLOSERS.contains(next) || matches!(next, '.' | '!' | '?' | '…'))
            .is_some()
        {}
        let (gap, space) = signs.peek().copied()?;
        if !space.is_whitespace() || (sign == '.' && space != '\n' && stays_open(&text[..at], &text[gap..])) {
            continue;
        }
        return Some(gap + space.len_utf8());
    }
    None
}

/// Whether a full stop between these ends no sentence.
fn stays_open(before: &str, after: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
    let word = word.trim_start_matches(|sign: char| !sign.is_alphanumeric());
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let number = !word.is_empty() && word.chars().all(|sign| sign.is_ascii_digit());
    let goes_on = after.trim_start().chars().next().is_some_and(char::is_lowercase);
    initial || number || goes_on || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// How many words.
pub fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

/// Words as they are compared: lower case, letters and digits alone.
pub fn bare_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// One word as it is compared.
pub fn bare(word: &str) -> String {
    word.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Words as they are spoken: as [`bare_words`], with the parts of a hyphenated word apart and the letters of western Europe without
/// their accents ("Saint-Rémy's" is "saint", "remys").
pub fn plain_words(text: &str) -> Vec<String> {
    let apart = |sign: char| sign.is_whitespace() || matches!(sign, '-' | '–' | '—' | '/');
    text.split(apart)
        .map(|word| bare(word).chars().map(plain).collect())
        .filter(|word: &String| !word.is_empty())
        .collect()
}

fn plain(sign: char) -> char {
    match sign {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ý' | 'ÿ' => 'y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<String> {
        let mut sentences = Sentences::default();
        sentences.push(text);
        let mut all: Vec<String> = std::iter::from_fn(|| sentences.whole()).collect();
        all.push(sentences.rest());
        all.iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
    }

    #[test]
    fn a_full_stop_within_a_name_or_a_number_ends_nothing() {
        assert_eq!(
            split("Drive to St. Anne's. It is 3.5 km away, on J. Miller Square! Ready?"),
            ["Drive to St. Anne's.", "It is 3.5 km away, on J. Miller Square!", "Ready?"]
        );
        assert_eq!(split("Am 3. Mai, z. B. um acht. Gut so."), ["Am 3. Mai, z. B. um acht.", "Gut so."]);
        assert_eq!(split("\"Left.\" Then right."), ["\"Left.\"", "Then right."]);
    }

    #[test]
    fn the_lines_of_a_list_are_sentences() {
        assert_eq!(
            split("Two places:\n- Old Mill Cafe\n- Harbour"),
            ["Two places:", "- Old Mill Cafe", "- Harbour"]
        );
    }

    #[test]
    fn a_sentence_waits_until_it_is_known_to_end() {
        let mut sentences = Sentences::default();
        sentences.push("Turn left.");
        assert_eq!(sentences.whole(), None);
        sentences.push(" ");
        assert_eq!(sentences.whole().as_deref(), Some("Turn left. "));
    }

    #[test]
    fn a_long_sentence_is_let_out_by_clauses() {
        let mut sentences = Sentences::default();
        sentences.push("After the bridge over the river, at the second light, tur");
        assert_eq!(
            sentences.clause(5).as_deref(),
            Some("After the bridge over the river, at the second light, ")
        );
        assert_eq!(sentences.waiting(), "tur");
        assert_eq!(sentences.clause(5), None);
    }

    #[test]
    fn half_a_word_is_cut_and_a_whole_one_kept() {
        let mut sentences = Sentences::default();
        sentences.push("Turn left at the stat");
        sentences.cut_half_word();
        assert_eq!(sentences.waiting(), "Turn left at the ");
    }

    proptest! {
        #[test]
        fn nothing_is_changed_whatever_the_pieces(text in "(?s).{0,200}", sizes in prop::collection::vec(1usize..9, 1..40)) {
            let mut sentences = Sentences::default();
            let mut out = String::new();
            let signs: Vec<char> = text.chars().collect();
            let mut at = 0;
            for size in sizes.iter().cycle() {
                if at >= signs.len() { break; }
                let end = (at + size).min(signs.len());
                sentences.push(&signs[at..end].iter().collect::<String>());
                at = end;
                while let Some(whole) = sentences.whole() { out.push_str(&whole); }
                if *size == 3 { out.extend(sentences.clause(3)); }
            }
            out.push_str(&sentences.rest());
            prop_assert_eq!(out, text);
        }
    }
}
