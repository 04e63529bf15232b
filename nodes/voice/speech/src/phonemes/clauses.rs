//! Text to sentences and clauses. espeak-ng tells phonemes and no punctuation, and the voice was trained with both: so the text
//! is cut at the punctuation here, and each clause keeps the mark that ended it. Pure.

/// A clause of more letters is cut at a space: a network's time grows faster than the length of what it reads.
const LONGEST_CLAUSE: usize = 120;
/// A sentence of more letters is said in pieces, so that the first of them is heard early.
const LONGEST_SENTENCE: usize = 160;

/// Words between two marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Words, without a mark; on one line.
    pub words: String,
    /// The mark that ends it: one of `. ! ? , ; :`.
    pub mark: char,
}

/// What is synthesised at once.
pub type Sentence = Vec<Clause>;

/// The sentences of a text; none of a text without letters and digits.
pub fn sentences(text: &str) -> Vec<Sentence> {
    let mut all = Vec::new();
    let mut sentence: Sentence = Vec::new();
    let mut letters = 0;
    for clause in clauses(text) {
        letters += clause.words.chars().count();
        let ends = matches!(clause.mark, '.' | '!' | '?');
        sentence.push(clause);
        if ends || letters >= LONGEST_SENTENCE {
            all.push(std::mem::take(&mut sentence));
            letters = 0;
        }
    }
    if !sentence.is_empty() {
        all.push(sentence);
    }
    all
}

fn clauses(text: &str) -> Vec<Clause> {
    let mut all: Vec<Clause> = Vec::new();
    let mut words = String::new();
    let letters: Vec<char> = text.chars().collect();
    for (at, &letter) in letters.iter().enumerate() {
        let around = |offset: isize| at.checked_add_signed(offset).and_then(|at| letters.get(at)).copied();
        let between =
            |is: fn(&char) -> bool| around(-1).as_ref().is_some_and(is) && around(1).as_ref().is_some_and(is);
        match letter {
            // 21.5 and 1,000; 7:30. Elsewhere a mark ends a clause only before a space or the end.
            '.' | ',' | ':' if between(char::is_ascii_digit) => words.push(letter),
            // The name of a function, "trunk.move".
            '.' | '_' | ':' if between(|c| c.is_alphanumeric()) => words.push(' '),
            '.' | '!' | '?' | ',' | ';' | ':' => end(&mut all, &mut words, letter),
            '…' | '\n' => end(&mut all, &mut words, '.'),
            '—' | '–' => end(&mut all, &mut words, ','),
            // Marks that espeak-ng would read out or take for orders ("[[" begins phonemes).
            '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '"' | '_' | '*' | '|' | '\\' | '^' | '`'
            | '~' | '«' | '»' | '“' | '”' | '„' => words.push(' '),
            c if c.is_control() => words.push(' '),
            c => words.push(c),
        }
        if words.chars().count() >= LONGEST_CLAUSE && words.ends_with(' ') {
            end(&mut all, &mut words, ',');
        }
    }
    end(&mut all, &mut words, '.');
    all
}

fn end(all: &mut Vec<Clause>, words: &mut String, mark: char) {
    let tidy = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.clear();
    if tidy.chars().any(char::is_alphanumeric) {
        all.push(Clause { words: tidy, mark });
    } else if let Some(last) = all.last_mut()
        && matches!(mark, '!' | '?')
    {
        // "Really?!": the last mark counts.
        last.mark = mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let sentence = |sentence: &Sentence| {
            sentence
                .iter()
                .map(|clause| format!("{}{}", clause.words, clause.mark))
                .collect::<Vec<_>>()
                .join(" ")
        };
        sentences(text).iter().map(sentence).collect()
    }

    #[test]
    fn a_text_is_cut_at_its_marks_and_numbers_stay_whole() {
        assert_eq!(
            told("OK: open the trunk, and set driver to 21.5 degrees. Shall I call Anna?"),
            ["OK: open the trunk, and set driver to 21.5 degrees.", "Shall I call Anna?"]
        );
        assert_eq!(told("at 7:30, 1,000 m"), ["at 7:30, 1,000 m."]);
        assert_eq!(told("No way!"), ["No way!"]);
        assert_eq!(told("Really?!  Yes"), ["Really!", "Yes."]);
    }

    #[test]
    fn names_of_functions_are_words_and_nothing_is_an_order_to_espeak() {
        assert_eq!(
            told("That did not work (trunk.move): no_reason was given."),
            ["That did not work trunk move: no reason was given."]
        );
        assert_eq!(told("[[h@l'oU]] <break/> \"quoted\""), ["h@l'oU break/ quoted."]);
    }

    #[test]
    fn no_words_are_no_sentence() {
        for text in ["", " ", "...", "?!", "()", "-"] {
            assert!(sentences(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn an_endless_sentence_is_said_in_pieces_that_are_bounded() {
        let endless = "word ".repeat(200);
        let pieces = sentences(&endless);
        assert!(pieces.len() > 3, "{}", pieces.len());
        let most = LONGEST_CLAUSE + LONGEST_SENTENCE;
        for piece in &pieces {
            let letters: usize = piece.iter().map(|clause| clause.words.chars().count()).sum();
            assert!(letters <= most, "{letters}");
        }
        let words: usize = pieces.iter().flatten().map(|clause| clause.words.split(' ').count()).sum();
        assert_eq!(words, 200, "none is lost");
    }
}
