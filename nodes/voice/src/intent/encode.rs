//! Words as the network sees them: a row of the word table, groups of letters, marks. The twin of `models/intent_slots_en/network.py`.

use tract_onnx::prelude::*;

use super::schema::Schema;
use crate::matcher::text::Word;

/// Most words of an utterance that the network sees.
pub(super) const MOST: usize = 40;
/// Letter groups of a word that are looked up.
const GROUPS: usize = 16;
/// Is it a number, how large; did a pause come before it; is it in the segment that is asked about; how large among small ones.
const MARKS: usize = 5;
/// The row of a word that the table does not know, and of a number.
const NUMBER: f32 = 1.0;

impl Schema {
    /// The five inputs: `word` [40], `letters` [40, 16], `per_group` [40, 1], `marks` [40, 5], `mask` [40], all f32.
    pub(super) fn encode(&self, words: &[Word], inside: &[bool]) -> TractResult<TVec<TValue>> {
        let mut word = [0.0f32; MOST];
        let mut letters = [0.0f32; MOST * GROUPS];
        let mut per_group = [1.0f32; MOST];
        let mut marks = [0.0f32; MOST * MARKS];
        let mut mask = [0.0f32; MOST];
        for (at, (said, inside)) in words.iter().zip(inside).take(MOST).enumerate() {
            mask[at] = 1.0;
            let marks = &mut marks[at * MARKS..(at + 1) * MARKS];
            if let Some(number) = said.number {
                word[at] = NUMBER;
                // Its size matters, not its digits.
                marks[0] = 1.0;
                marks[1] = (number as f32 / 50.0).tanh();
                marks[4] = (number as f32 / 6.0).tanh();
            } else {
                word[at] = self.vocabulary.get(&said.norm).copied().unwrap_or(0) as f32;
                let groups = groups(&said.norm, self.buckets);
                for (to, group) in letters[at * GROUPS..].iter_mut().zip(&groups) {
                    *to = *group as f32;
                }
                per_group[at] = 1.0 / groups.len().max(1) as f32;
            }
            marks[2] = f32::from(u8::from(said.after_break));
            marks[3] = f32::from(u8::from(*inside));
        }
        Ok(tvec!(
            Tensor::from_shape(&[MOST], &word)?.into(),
            Tensor::from_shape(&[MOST, GROUPS], &letters)?.into(),
            Tensor::from_shape(&[MOST, 1], &per_group)?.into(),
            Tensor::from_shape(&[MOST, MARKS], &marks)?.into(),
            Tensor::from_shape(&[MOST], &mask)?.into(),
        ))
    }
}

/// Buckets, from 1, of the word and of its groups of three and four letters, its edges marked.
fn groups(word: &str, buckets: u32) -> Vec<u32> {
    let framed: Vec<char> = std::iter::once('<').chain(word.chars()).chain(['>']).collect();
    std::iter::once(framed.as_slice())
        .chain(framed.windows(3))
        .chain(framed.windows(4))
        .take(GROUPS)
        .map(|group| 1 + fnv(group) % buckets)
        .collect()
}

/// FNV-1a of the letters' UTF-8, 32 bits.
fn fnv(letters: &[char]) -> u32 {
    let mut bytes = [0; 4];
    letters.iter().fold(0x811C_9DC5, |hash, letter| {
        letter
            .encode_utf8(&mut bytes)
            .bytes()
            .fold(hash, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_that_the_network_was_trained_with() {
        // What network.py gives.
        assert_eq!(fnv(&['<', 'a', 'c', '>']) % 4096, fnv(&"<ac>".chars().collect::<Vec<_>>()) % 4096);
        assert_eq!(fnv(&['a']), 0xE40C_292C, "the published value of FNV-1a for 'a'");
        assert_eq!(groups("ac", 4096).len(), 4, "the word, two groups of three, one of four");
        assert_eq!(groups("airconditioning", 4096).len(), GROUPS);
    }
}
