//! What talk that is no vehicle function is about: what the router of the dialogue must know before a word may leave the vehicle. Pure.
//! A first look, by phrases of the language's file; the router's policy looks a second time.

use troika_msgs::troika::DialogueRequest;

use crate::matcher::{Matcher, Topics, Understood};

/// The task and the privacy of a question, as `DialogueRequest` names them.
pub fn of(matcher: &Matcher, text: &str) -> (u8, u8) {
    if holds_a_function(matcher, text) {
        return (DialogueRequest::VEHICLE_FUNCTION, DialogueRequest::PRIVACY_UNKNOWN);
    }
    let words = matcher.words();
    let bare = format!(" {} ", words.bare(text));
    let has = |phrases: &[String]| {
        // The phrases are compared as the words are: without the signs and in the letters that these have.
        phrases.iter().any(|phrase| bare.contains(&format!(" {} ", words.bare(phrase))))
    };
    let Topics { navigation, contacts, messages, driver_state } = &words.topics;
    let privacy = if has(driver_state) {
        DialogueRequest::DRIVER_STATE
    } else if has(messages) {
        DialogueRequest::MESSAGES
    } else if has(contacts) {
        DialogueRequest::CONTACTS
    } else {
        DialogueRequest::PUBLIC
    };
    let task = if has(navigation) { DialogueRequest::NAVIGATION } else { DialogueRequest::DIALOGUE };
    (task, privacy)
}

/// What may stand for a thing that was named before, and what stands before a thing that is named.
const PRONOUNS: [&str; 6] = ["it", "them", "these", "those", "sie", "es"];
const ARTICLES: [&str; 7] = ["the", "my", "all", "die", "der", "das", "den"];

/// Whether talk that as a whole is no vehicle function has one in one of its clauses: "what can I do with the doors, open them please".
fn holds_a_function(matcher: &Matcher, text: &str) -> bool {
    let lower = text.to_lowercase();
    let joined =
        [" and ", " then ", " und ", " dann "].iter().fold(lower, |text, word| text.replace(word, ", "));
    let clauses: Vec<Vec<&str>> = joined
        .split([',', ';', '.', '?', '!'])
        .map(|clause| clause.split_whitespace().collect::<Vec<_>>())
        .filter(|clause| !clause.is_empty())
        .collect();
    if clauses.len() < 2 {
        return false;
    }
    let things: Vec<(usize, String)> = clauses
        .iter()
        .enumerate()
        .flat_map(|(at, clause)| clause.windows(2).map(move |two| (at, two)))
        .filter(|(_, two)| ARTICLES.contains(&two[0]))
        .map(|(at, two)| (at, two.join(" ")))
        .collect();
    // A question about the vehicle may be asked of whoever; what moves something is the vehicle's.
    let moves = |understood: &Understood| match understood {
        Understood::Commands(calls) => calls
            .iter()
            .any(|call| !call.function.starts_with("navigation.") && call.function != "vehicle.query"),
        _ => false,
    };
    clauses.iter().enumerate().any(|(at, clause)| {
        if moves(&matcher.understand(&clause.join(" "))) {
            return true;
        }
        let Some(pronoun) = clause.iter().position(|word| PRONOUNS.contains(word)) else { return false };
        things.iter().filter(|(earlier, _)| *earlier < at).any(|(_, thing)| {
            let mut named = clause.clone();
            named[pronoun] = thing;
            let understood = matcher.understand(&named.join(" "));
            moves(&understood) || matches!(understood, Understood::Ask(_))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tongue::Tongue;

    #[test]
    fn what_is_asked_is_told_apart_in_both_languages() {
        use DialogueRequest as R;
        let english = [
            ("Is there a cafe near the station?", R::NAVIGATION, R::PUBLIC),
            ("Where's the nearest charging station?", R::NAVIGATION, R::PUBLIC),
            ("Who painted the Mona Lisa?", R::DIALOGUE, R::PUBLIC),
            ("What does my last message say?", R::DIALOGUE, R::MESSAGES),
            ("Am I tired?", R::DIALOGUE, R::DRIVER_STATE),
            ("What is the phone number of Anna?", R::DIALOGUE, R::CONTACTS),
            ("How far is it to my mother?", R::NAVIGATION, R::CONTACTS),
        ];
        for (text, task, privacy) in english {
            assert_eq!(of(Matcher::english(), text), (task, privacy), "{text}");
        }
        let german = [
            ("Wo ist die nächste Ladesäule?", R::NAVIGATION, R::PUBLIC),
            ("Wie müde bin ich?", R::DIALOGUE, R::DRIVER_STATE),
            ("Wer hat den Faust geschrieben?", R::DIALOGUE, R::PUBLIC),
        ];
        for (text, task, privacy) in german {
            assert_eq!(of(Matcher::of(Tongue::German), text), (task, privacy), "{text}");
        }
    }

    #[test]
    fn a_function_in_a_second_clause_is_one() {
        let task = |text: &str| of(Matcher::english(), text).0;
        for text in [
            "what can I do with the doors, open them please",
            "What is the sunroof for? Open it.",
            "who was Mozart and turn the volume up",
        ] {
            assert_eq!(task(text), DialogueRequest::VEHICLE_FUNCTION, "{text}");
        }
        for text in [
            "Tell me about the museum, when does it open?",
            "who wrote Faust, and when was it written",
            "is there a cafe near the station and is it open",
            "why is the sky blue, and does it stay so",
        ] {
            assert_ne!(task(text), DialogueRequest::VEHICLE_FUNCTION, "{text}");
        }
    }
}
