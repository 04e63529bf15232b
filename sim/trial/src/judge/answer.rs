//! How a question was answered: by whom, how long nothing was heard, whether it is whole.

use troika_msgs::troika::{DialogueReply, VoiceReply};

use super::{Found, found};
use crate::{
    expect::Answer,
    names,
    seen::{Event, Seen},
};

/// Speech: words a second.
const WORDS_A_SECOND: f64 = 3.0;

/// The first answer that begins after `asked_at`.
pub(super) fn answered(seen: &Seen, asked_at: f64, wanted: &Answer) -> Found {
    let Some(first) = seen.replies.iter().find(|one| one.at >= asked_at) else {
        return found(false, None, "it is not answered");
    };
    let id = &first.value.request_id;
    let replies: Vec<_> = seen.replies.iter().filter(|one| one.value.request_id == *id).collect();
    let text: String = replies.iter().map(|one| one.value.text.as_str()).collect();
    let end = replies.iter().find(|one| one.value.done);
    let whole = end.is_some_and(|one| one.value.outcome == DialogueReply::COMPLETE);
    let mut tiers: Vec<u8> =
        replies.iter().filter(|one| !one.value.text.trim().is_empty()).map(|one| one.value.tier).collect();
    tiers.dedup();
    let until = end.map_or(f64::INFINITY, |one| one.at + 1e-6);
    let of_dialogue = |one: &&Event<VoiceReply>| {
        one.value.kind == VoiceReply::DIALOGUE && (asked_at..=until).contains(&one.at)
    };
    let speech: Vec<_> = seen.speech.iter().filter(of_dialogue).collect();
    let silent = silence(&speech, end.map(|one| (one.at, whole)));
    let first_words = speech.first().map(|one| one.at - asked_at);

    let by = named(&tiers);
    let others = wanted.tiers.as_ref().filter(|wanted| **wanted != tiers);
    let wrong = if let Some(others) = others {
        Some(format!("answered by {by}, not by {}", named(others)))
    } else if wanted.complete.is_some_and(|wanted| wanted != whole) {
        let reason = end.map_or("it does not end", |one| one.value.reason.as_str());
        Some(format!("whole: {whole} ({reason})"))
    } else if wanted.contains.as_ref().is_some_and(|wanted| !wanted.is_match(&text)) {
        Some("other words".to_owned())
    } else if wanted.silence_below_s.is_some_and(|most| silent >= most) {
        Some(format!("silent for {silent:.2} s"))
    } else if wanted.first_words_below_s.is_some_and(|most| first_words.is_none_or(|first| first >= most)) {
        let after = first_words.map_or("never".into(), |first| format!("after {first:.2} s"));
        Some(format!("the first words come {after}"))
    } else if wanted.repeats.is_some_and(|wanted| wanted != repeats(&text)) {
        Some(if repeats(&text) { "a sentence comes twice" } else { "no sentence comes twice" }.to_owned())
    } else {
        None
    };
    let at = end.map(|one| one.at);
    match wrong {
        Some(wrong) if others.is_some() => found(false, at, format!("{wrong}: \"{}\"", text.trim())),
        Some(wrong) => found(false, at, format!("{wrong}; {by}: \"{}\"", text.trim())),
        None => {
            let first =
                first_words.map_or(String::new(), |first| format!(", first words after {first:.2} s"));
            found(true, at, format!("{by}, longest silence {silent:.2} s{first}"))
        }
    }
}

/// Those who speak, in order.
fn named(tiers: &[u8]) -> String {
    let names: Vec<_> = tiers.iter().map(|tier| names::name(names::TIERS, *tier)).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", then ") }
}

/// The longest silence of an answer, s: from when what was said so far is spoken to when more comes; and to its end, when it breaks off.
fn silence(speech: &[&Event<VoiceReply>], ended: Option<(f64, bool)>) -> f64 {
    let (mut spoken, mut longest): (Option<f64>, f64) = (None, 0.0);
    for one in speech {
        longest = spoken.map_or(longest, |until| longest.max(one.at - until));
        let words = one.value.text.split_whitespace().count() as f64;
        spoken = Some(spoken.unwrap_or(one.at).max(one.at) + words / WORDS_A_SECOND);
    }
    match (spoken, ended) {
        (Some(until), Some((end, false))) => longest.max(end - until),
        _ => longest,
    }
}

/// Whether a sentence of three words or more comes twice.
fn repeats(text: &str) -> bool {
    let sentences: Vec<String> =
        text.split_inclusive(['.', '!', '?']).map(|sentence| sentence.trim().to_lowercase()).collect();
    let long = |sentence: &String| sentence.split(' ').count() >= 3;
    sentences.iter().enumerate().any(|(n, one)| long(one) && sentences[..n].contains(one))
}
