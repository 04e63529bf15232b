//! What a recogniser's tokens are worth: words with their confidence and times, and the doubts that make an answer none. A decoder
//! says something about any sound; what it says of silence, noise and its own echo must not reach the matcher. Pure.

/// Whisper's own threshold (its paper, 4.5): over this it says that there was no speech.
const NO_SPEECH: f32 = 0.6;
/// Whisper's own threshold: the mean log-probability of the tokens of an answer that it stands by.
const LOG_PROBABILITY: f32 = -1.0;
/// Whisper's own threshold: a text whose last tokens have less entropy (in nats) runs in circles…
const ENTROPY: f32 = 2.4;
/// …told by so many of them.
const ENTROPY_OF: usize = 32;
/// The fastest speech is some 7 words a second; these many letters are more than that.
const LETTERS_PER_S: f32 = 30.0;
/// A word or two are said in no time worth a rate.
const LETTERS_FREE: f32 = 12.0;
/// The most words that are told with their times: an utterance is 12 s at most, at 7 a second.
pub const MOST_WORDS: usize = 96;

/// One token of a decoder's answer, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: i32,
    /// Its bytes; a space first begins a word. Empty for what is no text (the end, times).
    pub text: Vec<u8>,
    /// 0..1.
    pub probability: f32,
    /// When it was said: seconds since the first sample. Without an alignment none.
    pub at_s: Option<f32>,
}

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As written.
    pub text: String,
    /// The geometric mean of its tokens' probabilities, 0..1.
    pub confidence: f32,
    /// Seconds since the utterance's first sample; NaN without an alignment.
    pub start_s: f32,
    /// Likewise; not before the start.
    pub end_s: f32,
}

/// Why an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The recogniser itself says so.
    #[error("no speech in it")]
    NoSpeech,
    /// Its tokens are guesses.
    #[error("hardly a word of it is sure")]
    Unsure,
    /// The same words over and over.
    #[error("it runs in circles")]
    Circles,
    /// More words than can be said in that time.
    #[error("too many words for its length")]
    TooFast,
    /// The answer did not end within its bound.
    #[error("it does not end")]
    Endless,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// The words; empty when there were none, or in doubt.
    pub text: String,
    /// The mean probability of the tokens, 0..1.
    pub confidence: f32,
    /// Word by word.
    pub words: Vec<Word>,
    /// Why there is no text, where there was some.
    pub doubt: Option<Doubt>,
}

/// What a decoder answers, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// Probability of no speech, 0..1.
    pub no_speech: f32,
    /// How long the sound is.
    pub seconds: f32,
    /// Whether the decoder ended by itself.
    pub ended: bool,
}

impl Answer {
    /// The words of it, or the doubt.
    pub fn heard(&self) -> Heard {
        let said: Vec<u8> = self.tokens.iter().flat_map(|token| token.text.iter().copied()).collect();
        let text = String::from_utf8_lossy(&said).trim().to_owned();
        let confidence = mean(self.tokens.iter().map(|token| token.probability));
        if let Some(doubt) = self.doubt(&text) {
            return Heard { confidence, doubt: Some(doubt), ..Heard::default() };
        }
        Heard { text, confidence, words: self.words(), doubt: None }
    }

    fn doubt(&self, text: &str) -> Option<Doubt> {
        if text.is_empty() {
            return None;
        }
        let sure = mean(self.tokens.iter().map(|token| token.probability.max(1e-6).ln()));
        if self.no_speech > NO_SPEECH {
            Some(Doubt::NoSpeech)
        } else if sure < LOG_PROBABILITY {
            Some(Doubt::Unsure)
        } else if circles(text) || self.dull() {
            Some(Doubt::Circles)
        } else if text.len() as f32 > LETTERS_FREE + LETTERS_PER_S * self.seconds {
            Some(Doubt::TooFast)
        } else if !self.ended {
            Some(Doubt::Endless)
        } else {
            None
        }
    }

    /// Whether the last tokens are few different ones.
    fn dull(&self) -> bool {
        let ids: Vec<i32> = self.tokens.iter().rev().take(ENTROPY_OF).map(|token| token.id).collect();
        if ids.len() < ENTROPY_OF {
            return false;
        }
        let entropy: f32 = ids
            .iter()
            .map(|id| ids.iter().filter(|other| *other == id).count() as f32 / ENTROPY_OF as f32)
            .map(|part| -part.ln() / ENTROPY_OF as f32)
            .sum();
        entropy < ENTROPY
    }

    fn words(&self) -> Vec<Word> {
        let mut words: Vec<(Vec<u8>, Vec<f32>, f32, f32)> = Vec::new();
        for token in self.tokens.iter().filter(|token| !token.text.is_empty()) {
            let at = token.at_s.map_or(f32::NAN, |at| at.clamp(0.0, self.seconds));
            match words.last_mut() {
                Some(word) if token.text[0] != b' ' => {
                    word.0.extend_from_slice(&token.text);
                    word.1.push(token.probability.max(1e-6).ln());
                    word.3 = word.3.max(at);
                }
                _ => words.push((token.text.clone(), vec![token.probability.max(1e-6).ln()], at, at)),
            }
        }
        // A token's time is where it is said; a word goes on to where the next begins, but no longer than a word does.
        let starts: Vec<f32> = words.iter().map(|word| word.2).skip(1).chain([self.seconds]).collect();
        words
            .into_iter()
            .zip(starts)
            .map(|((text, sure, start, last), next)| Word {
                text: String::from_utf8_lossy(&text).trim().to_owned(),
                confidence: mean(sure.into_iter()).exp(),
                start_s: start,
                end_s: next.min(last + LONGEST_SYLLABLE_S).max(last),
            })
            .filter(|word| !word.text.is_empty())
            .take(MOST_WORDS)
            .collect()
    }
}

/// The end of a word is not aligned; its last token is over after so long.
const LONGEST_SYLLABLE_S: f32 = 0.4;

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len();
    if count == 0 { 0.0 } else { values.sum::<f32>() / count as f32 }
}

/// The same words three times over: no sentence, a decoder that runs in circles.
fn circles(text: &str) -> bool {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.to_lowercase().trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
        .collect();
    (1..=8).any(|length| {
        // Longer ones are whole sentences: twice is no slip of the tongue, but somebody in a hurry.
        let times = if length == 1 { 4 } else { 3 };
        words
            .windows(length * times)
            .any(|window| window.chunks(length).all(|chunk| chunk == &window[..length]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(words: &str, probability: f32) -> Answer {
        let token = |(n, word): (usize, &str)| Token {
            id: word.len() as i32 * 100 + i32::from(word.as_bytes()[0]),
            text: format!(" {word}").into_bytes(),
            probability,
            at_s: Some(0.3 * n as f32),
        };
        let tokens: Vec<Token> = words.split_whitespace().enumerate().map(token).collect();
        let seconds = 0.4 * tokens.len() as f32 + 0.5;
        Answer { tokens, no_speech: 0.01, seconds, ended: true }
    }

    #[test]
    fn a_sentence_is_passed_on_with_its_words_in_order() {
        let heard = answer("Open the window halfway.", 0.9).heard();
        assert_eq!((heard.text.as_str(), heard.doubt), ("Open the window halfway.", None));
        let words: Vec<&str> = heard.words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(words, ["Open", "the", "window", "halfway."]);
        assert!(heard.words.iter().all(|word| (word.confidence - 0.9).abs() < 1e-3));
        assert!(heard.words.is_sorted_by(|a, b| a.start_s <= a.end_s && a.end_s <= b.start_s + 1e-6));
    }

    #[test]
    fn a_word_of_several_tokens_is_one_and_as_sure_as_their_mean() {
        let token =
            |text: &str, probability, at| Token { id: 1, text: text.into(), probability, at_s: Some(at) };
        let tokens = vec![token(" def", 0.9, 0.5), token("rost", 0.4, 0.7), token(" it", 0.9, 1.0)];
        let heard = Answer { tokens, no_speech: 0.0, seconds: 1.5, ended: true }.heard();
        assert_eq!(heard.words.len(), 2);
        let word = &heard.words[0];
        assert_eq!(word.text, "defrost");
        assert!((word.confidence - 0.6).abs() < 1e-3, "{}", word.confidence);
        assert_eq!((word.start_s, word.end_s), (0.5, 1.0));
    }

    #[test]
    fn each_doubt_leaves_no_text() {
        let doubt = |answer: Answer| {
            let heard = answer.heard();
            assert_eq!(heard.text.is_empty() && heard.words.is_empty(), heard.doubt.is_some());
            heard.doubt
        };
        assert_eq!(doubt(answer("close the trunk", 0.2)), Some(Doubt::Unsure));
        assert_eq!(doubt(answer("the car the car the car", 0.9)), Some(Doubt::Circles));
        assert_eq!(doubt(answer("no, no, open the window", 0.9)), None);
        assert_eq!(doubt(answer("set the fan to three and the seat to three", 0.9)), None);
        assert_eq!(doubt(Answer { no_speech: 0.7, ..answer("thank you", 0.9) }), Some(Doubt::NoSpeech));
        let fast = Answer { seconds: 0.3, ..answer("set the temperature to twenty degrees", 0.9) };
        assert_eq!(doubt(fast), Some(Doubt::TooFast));
        assert_eq!(doubt(Answer { ended: false, ..answer("close the trunk", 0.9) }), Some(Doubt::Endless));
        let dull = "ha ho hi ".repeat(4) + &"ha hi ho ".repeat(4) + &"hi ho ha ".repeat(4);
        assert_eq!(doubt(Answer { seconds: 20.0, ..answer(&dull, 0.9) }), Some(Doubt::Circles));
    }

    #[test]
    fn no_token_is_no_text_and_no_doubt() {
        let nothing = Answer { tokens: Vec::new(), no_speech: 0.0, seconds: 1.0, ended: true }.heard();
        assert_eq!(nothing, Heard::default());
    }
}
