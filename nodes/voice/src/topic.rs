//! What talk that is no vehicle function is about: what the router of the dialogue must know before a word may leave the vehicle. Pure.
//! A first look, by phrases of the language's file; the router's policy looks a second time.

use troika_msgs::troika::DialogueRequest;

use crate::matcher::{Matcher, Topics};

/// The task and the privacy of a question, as `DialogueRequest` names them.
pub fn of(matcher: &Matcher, text: &str) -> (u8, u8) {
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
}
