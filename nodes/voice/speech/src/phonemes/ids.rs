//! Phonemes to the numbers that a Piper voice was trained with: each between two pads, all between a begin and an end. The table
//! comes with the voice (`phoneme_id_map` of its JSON). Pure.

use std::collections::BTreeMap;

/// Marks of the table's own.
const PAD: char = '_';
const BEGIN: char = '^';
const END: char = '$';

/// The table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhonemeIds {
    ids: BTreeMap<char, i64>,
    pad: i64,
    begin: i64,
    end: i64,
}

impl PhonemeIds {
    /// From a voice's `phoneme_id_map`; an error names what it lacks.
    pub fn new(map: &BTreeMap<String, Vec<i64>>) -> Result<PhonemeIds, String> {
        let mut ids = BTreeMap::new();
        for (phoneme, numbers) in map {
            let mut letters = phoneme.chars();
            match (letters.next(), letters.next(), numbers.first()) {
                (Some(letter), None, Some(number)) => ids.insert(letter, *number),
                _ => return Err(format!("phoneme_id_map: '{phoneme}' is no phoneme with a number")),
            };
        }
        let of = |mark: char| ids.get(&mark).copied().ok_or(format!("phoneme_id_map has no '{mark}'"));
        let (pad, begin, end) = (of(PAD)?, of(BEGIN)?, of(END)?);
        Ok(PhonemeIds { ids, pad, begin, end })
    }

    /// The numbers of a sentence's phonemes. What the voice does not know is left out.
    pub fn sentence(&self, phonemes: &str) -> Vec<i64> {
        let mut all = vec![self.begin, self.pad];
        for letter in phonemes.chars().filter(|letter| ![PAD, BEGIN, END].contains(letter)) {
            if let Some(id) = self.ids.get(&letter) {
                all.extend([*id, self.pad]);
            }
        }
        all.push(self.end);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(of: &[(&str, i64)]) -> BTreeMap<String, Vec<i64>> {
        of.iter().map(|(phoneme, id)| ((*phoneme).to_owned(), vec![*id])).collect()
    }

    #[test]
    fn a_sentence_stands_between_pads_and_what_is_not_known_is_left_out() {
        let ids =
            PhonemeIds::new(&table(&[("_", 0), ("^", 1), ("$", 2), ("a", 14), ("ː", 122)])).expect("a table");
        assert_eq!(ids.sentence("aː☃"), [1, 0, 14, 0, 122, 0, 2]);
        assert_eq!(ids.sentence("_^$"), [1, 0, 2]);
    }

    #[test]
    fn a_table_without_its_marks_is_refused() {
        assert!(PhonemeIds::new(&table(&[("_", 0), ("^", 1)])).expect_err("no end").contains('$'));
        assert!(PhonemeIds::new(&table(&[("ab", 3)])).is_err());
    }
}
