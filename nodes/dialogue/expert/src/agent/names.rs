//! The names of places in an earlier answer: words with capitals that stand together, and are no street that one drives along.

/// Words that begin sentences.
const BEGIN: &[&str] = &[
    "A", "About", "After", "Also", "And", "At", "But", "Close", "For", "From", "Good", "Have", "I", "If",
    "In", "Is", "It", "It's", "Let", "No", "Of", "Okay", "On", "Or", "Shall", "So", "Sorry", "Sure", "Take",
    "That", "The", "Then", "There", "These", "They", "Turn", "What", "Which", "With", "Yes", "You", "You'd",
    "You'll", "Your", "Begin", "Follow", "Drive", "Go",
];
/// What stands before a street.
const BEFORE_STREET: &[&str] = &["on", "into", "onto", "along", "take", "follow", "over", "via", "then"];

/// Names in order, each once.
pub(super) fn names_in(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let words: Vec<&str> = text.split_whitespace().collect();
    let bare = |word: &str| word.trim_matches(|sign: char| !sign.is_alphanumeric()).to_owned();
    let capital = |word: &str| word.chars().next().is_some_and(char::is_uppercase);
    let ends = |word: &str| word.ends_with(['.', '!', '?', ',', ';', ':']);
    let mut at = 0;
    while at < words.len() {
        if !capital(words[at]) || BEGIN.contains(&bare(words[at]).as_str()) {
            at += 1;
            continue;
        }
        let start = at;
        let mut end = at + 1;
        while end < words.len() && !ends(words[end - 1]) {
            let of = words[end] == "of" && words.get(end + 1).is_some_and(|next| capital(next));
            if !capital(words[end]) && !of {
                break;
            }
            end += 1;
        }
        let before =
            start.checked_sub(1).map(|before| bare(words[before]).to_lowercase()).unwrap_or_default();
        let name: Vec<String> = words[start..end].iter().map(|word| bare(word)).collect();
        let name = name.join(" ");
        let street = BEFORE_STREET.contains(&before.as_str());
        if end - start > 1 && !street && !names.contains(&name) {
            names.push(name);
        }
        at = end;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_from_streets_and_beginnings_of_sentences() {
        let said = "The nearest cafe is Platform Nine Coffee on Station Avenue, 1 kilometre away. There are also Cafe Anker and Old Mill Cafe.";
        assert_eq!(names_in(said), ["Platform Nine Coffee", "Cafe Anker", "Old Mill Cafe"]);
        let said =
            "It's 1.3 kilometres to Saint Anne's Hospital. Take Old Bridge, then turn right into River Road.";
        assert_eq!(names_in(said), ["Saint Anne's Hospital"]);
        assert_eq!(names_in("Sure! Museum of Salt it is."), ["Museum of Salt"]);
        assert!(names_in("I do not know that. Sorry!").is_empty());
    }
}
