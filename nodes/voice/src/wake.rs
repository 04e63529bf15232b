//! Who is spoken to: a wake word ("hey troika"), a button, or always. [`Spotter`] hears the word, [`Gate`] says which utterance is
//! passed on, and [`strip`] takes the word out of what the recogniser wrote. All pure but for reading the networks.

mod gate;
mod spotter;

pub use gate::{FOLLOW_WITHIN, Gate, Mode};
pub use spotter::{HOP, Spotter, WakeError};

use crate::words::Heard;

/// What may stand for "hey".
const CALLS: [&str; 9] = ["hey", "hay", "hei", "hi", "ay", "he", "a", "hello", "okay"];
/// The most words that "troika" is heard as ("troy car").
const PARTS: usize = 3;

/// Takes "hey troika" off the front, as the recogniser may have written it: "Hey, Troy Car, open the window" too.
pub fn strip(heard: &mut Heard) {
    let words: Vec<&str> = heard.text.split_whitespace().collect();
    let count = wake_words(&words);
    if count == 0 {
        return;
    }
    let mut rest = words[count..].join(" ");
    if let Some(first) = rest.chars().next() {
        rest.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    heard.text = rest;
    heard.words.drain(..count.min(heard.words.len()));
}

/// So many words at the front are the wake word.
fn wake_words(words: &[&str]) -> usize {
    let Some(first) = words.first() else { return 0 };
    if !CALLS.contains(&letters(first).as_str()) {
        return 0;
    }
    let best = (1..=PARTS.min(words.len() - 1))
        .map(|count| (distance(&sound(&words[1..=count].concat()), "troika"), count))
        .min();
    match best {
        // Two slips of six letters, but it begins alike: "hey troy" is near enough after a wake word, "hey Victoria" is not.
        Some((slips, count)) if slips <= 2 && sound(words[1]).starts_with("tr") => 1 + count,
        _ => 0,
    }
}

fn letters(word: &str) -> String {
    word.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

/// Spelt as it sounds, roughly: y is i, c and ck are k, h is silent, a last r is not heard.
fn sound(word: &str) -> String {
    let mut sound = String::new();
    for letter in letters(word).chars() {
        let letter = match letter {
            'y' => 'i',
            'c' | 'q' => 'k',
            'h' => continue,
            other => other,
        };
        if !sound.ends_with(letter) {
            sound.push(letter);
        }
    }
    if sound.ends_with("ar") || sound.ends_with("er") {
        sound.pop();
    }
    sound
}

/// Levenshtein's, in letters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let change = before + usize::from(a != *b);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Word;

    fn stripped(text: &str) -> String {
        let word = |text: &str| Word { text: text.to_owned(), confidence: 0.9, start_s: 0.0, end_s: 0.1 };
        let words = text.split_whitespace().map(word).collect();
        let mut heard = Heard { text: text.to_owned(), confidence: 0.9, words, doubt: None };
        strip(&mut heard);
        assert_eq!(heard.words.len(), heard.text.split_whitespace().count());
        heard.text
    }

    #[test]
    fn the_wake_word_is_taken_off_however_it_was_written() {
        for wake in [
            "Hey Troika,",
            "Hey, Troika.",
            "hey troyka",
            "Hey Troy car,",
            "Hay Troica!",
            "Hey Troy Ka,",
            "Hey, Troiker,",
        ] {
            assert_eq!(stripped(&format!("{wake} open the window.")), "Open the window.", "{wake}");
        }
        assert_eq!(stripped("Hey Troika."), "");
    }

    #[test]
    fn what_is_no_wake_word_stays() {
        for text in [
            "Hey Victoria, call me.",
            "Open the window.",
            "Hey, try the other one.",
            "Hey.",
            "",
            "A truck is ahead.",
        ] {
            assert_eq!(stripped(text), text);
        }
    }
}
