//! An utterance in clauses: politeness off, mood, several commands in one breath, corrections, what is no command.

use troika_vehicle::catalogue::Call;

use super::{
    Matcher, Understood,
    rules::{self, Meaning},
    tag::{self, Tagged},
    templates::{Mood, Templates},
    text::Word,
    words::Words,
};

/// Nobody speaks more commands in one breath; more cuts than this are not tried.
const CLAUSES: usize = 4;
/// Nor longer ones: what has more words is a conversation.
const WORDS: usize = 48;

/// What one clause is.
enum Clause {
    Means(Meaning),
    /// "Do not open the window".
    Negated,
    Nothing,
}

pub(super) struct Reader<'a> {
    pub(super) matcher: &'a Matcher,
    spoken: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(matcher: &'a Matcher, utterance: &str) -> Reader<'a> {
        let spoken = matcher.words.spoken(utterance);
        Reader { matcher, spoken: spoken.into_iter().map(|(word, _)| word).collect() }
    }
}

pub(super) fn utterance(matcher: &Matcher, utterance: &str) -> Understood {
    let words = matcher.words.split(utterance);
    let reader = Reader::new(matcher, utterance);
    let templates = &matcher.templates;
    match reader.whole(&words) {
        Some(Meaning::Calls(calls)) => Understood::Commands(calls),
        Some(Meaning::Ask(question)) => Understood::Ask(question),
        None => reader.other(templates, &words),
    }
}

impl Reader<'_> {
    /// The clauses' meanings, one after the other.
    fn whole(&self, words: &[Word]) -> Option<Meaning> {
        if words.is_empty() || words.len() > WORDS {
            return None;
        }
        if starts_any(&self.matcher.templates.reported, words) {
            // Only inside a message may it be about what somebody said.
            return self.free(self.stripped(words).0).filter(|meaning| {
                matches!(meaning, Meaning::Calls(calls) if calls.iter().all(|call| call.function == "message.send"))
            });
        }
        if let Clause::Means(Meaning::Calls(calls)) = self.clause(words, 0, false) {
            return Some(Meaning::Calls(calls));
        }
        if let Some(calls) = self.several(words, &Tagged::default(), CLAUSES) {
            return Some(Meaning::Calls(calls));
        }
        match self.clause(words, 1, true) {
            Clause::Means(meaning) => Some(meaning),
            _ => None,
        }
    }

    /// A chain of commands: each part one of its own, with the acts of the part before where it names none.
    fn several(&self, words: &[Word], before: &Tagged, cuts: usize) -> Option<Vec<Call>> {
        if cuts == 0 {
            return None;
        }
        let Words { joins, against, .. } = &self.matcher.words;
        let places = (1..words.len()).filter(|at| words[*at].after_break || joins.contains(&words[*at].norm));
        for at in places {
            let skip = words[at..].iter().take_while(|word| joins.contains(&word.norm)).count();
            let soft = words[at].after_break || against.contains(&words[at].norm);
            let (left, right) = (&words[..at], &words[at + skip..]);
            if left.is_empty() || right.is_empty() {
                continue;
            }
            let right_tags = self.tags(right);
            let first = match self.joined(left, before, &right_tags, "act", "obj") {
                Clause::Means(Meaning::Calls(calls)) => calls,
                // "Not the window, the sunroof": the pause ends what was forbidden.
                Clause::Negated if soft => Vec::new(),
                _ if soft && self.is_filler(left) => Vec::new(),
                _ => continue,
            };
            let left_tags = self.tags(left);
            let rest = match self.joined(right, &left_tags, &Tagged::default(), "act", "obj") {
                Clause::Means(Meaning::Calls(calls)) => Some(calls),
                Clause::Negated if soft => Some(Vec::new()),
                _ => self
                    .several(right, &left_tags, cuts - 1)
                    .or_else(|| (soft && self.is_filler(right)).then(Vec::new)),
            };
            if let Some(rest) = rest {
                let all: Vec<Call> = first.into_iter().chain(rest).collect();
                if !all.is_empty() {
                    return Some(all);
                }
            }
        }
        None
    }

    /// A clause of its own, or with what it lacks from its neighbours.
    fn joined(&self, words: &[Word], before: &Tagged, after: &Tagged, act: &str, object: &str) -> Clause {
        match self.clause(words, 1, true) {
            means @ (Clause::Means(Meaning::Calls(_)) | Clause::Negated) => return means,
            Clause::Means(Meaning::Ask(_)) | Clause::Nothing => {}
        }
        let (stripped, mood) = self.stripped(words);
        if mood != Mood::Command {
            return Clause::Nothing;
        }
        let own = self.tags(stripped);
        for (from, class) in [(before, act), (before, object), (after, object)] {
            if own.has(class) {
                continue;
            }
            let mut lent = own.clone();
            let lends = |readings: &&Vec<_>| readings.iter().any(|concept| tag::is(concept, class));
            lent.concepts.extend(from.concepts.iter().filter(lends).cloned());
            let meaning = rules::meaning(self.matcher, &lent, Mood::Command, 0);
            if let Some(Meaning::Calls(calls)) = meaning
                && lent != own
            {
                return Clause::Means(Meaning::Calls(calls));
            }
        }
        Clause::Nothing
    }

    pub(super) fn tags(&self, words: &[Word]) -> Tagged {
        tag::tag(self.matcher, words)
    }

    fn is_filler(&self, words: &[Word]) -> bool {
        let (rest, _) = self.stripped(words);
        let tagged = self.tags(rest);
        tagged.concepts.iter().flatten().all(|(class, _)| class == "fluff")
            && tagged.stray.is_empty()
            && tagged.numbers.is_empty()
    }

    /// Politeness and address off the front, and the mood of what is left.
    pub(super) fn stripped<'w>(&self, words: &'w [Word]) -> (&'w [Word], Mood) {
        let Matcher { templates: Templates { address, .. }, words: language, .. } = self.matcher;
        let mut rest = words;
        while let Some(length) = address
            .iter()
            .filter(|phrase| starts(phrase, rest) && phrase.len() < rest.len())
            // "No, open it" begins with an answer; "no highways" does not.
            .filter(|phrase| phrase[0] != language.no || rest[phrase.len()].after_break)
            .map(Vec::len)
            .max()
        {
            rest = &rest[length..];
        }
        let among = |list: &[String], at: usize| rest.get(at).is_some_and(|word| list.contains(&word.norm));
        let mood = if language.forbids.iter().any(|phrase| starts(phrase, rest)) {
            Mood::Command
        } else if among(&language.questions, 0) {
            Mood::Question
        } else if rest.len() < words.len() && among(&language.wanted, 0) && !among(&language.copulas, 1) {
            // "I would like it warmer".
            Mood::Command
        } else if among(&language.subjects, 0) && rest.len() > 1
            || (0..5).any(|at| among(&language.copulas, at))
        {
            Mood::Statement
        } else {
            Mood::Command
        };
        (rest, mood)
    }

    /// One clause. `strays` words may be left unexplained; free text is looked at only when `free`, or when nothing in it
    /// joins commands.
    fn clause(&self, words: &[Word], strays: usize, free: bool) -> Clause {
        let matcher = self.matcher;
        let (rest, mood) = self.stripped(words);
        if let Some(corrected) = self.corrected(rest, mood) {
            return Clause::Means(corrected);
        }
        let tagged = self.tags(rest);
        if let Some(meaning) = rules::meaning(matcher, &tagged, mood, 0) {
            return Clause::Means(meaning);
        }
        let joins = rest
            .iter()
            .enumerate()
            .any(|(at, word)| at > 0 && (word.after_break || matcher.words.joins.contains(&word.norm)));
        if (free || !joins)
            && let Some(meaning) = self.free(rest)
        {
            return Clause::Means(meaning);
        }
        if let Some(meaning) = (strays > 0).then(|| rules::meaning(matcher, &tagged, mood, strays)).flatten()
        {
            return Clause::Means(meaning);
        }
        if tagged.has("neg") { Clause::Negated } else { Clause::Nothing }
    }

    /// "The left, no, the right window".
    fn corrected(&self, words: &[Word], mood: Mood) -> Option<Meaning> {
        let (at, length) = (1..words.len()).find_map(|at| {
            let found =
                self.matcher.templates.correction.iter().filter(|phrase| starts(phrase, &words[at..]));
            found.map(Vec::len).max().map(|length| (at, length))
        })?;
        let after = &words[at + length..];
        if after.is_empty() {
            return None;
        }
        if let Clause::Means(Meaning::Calls(calls)) = self.clause(after, 0, true)
            && let [call] = calls.as_slice()
            // A number alone is no correction of a window's height to a cabin's temperature.
            && self.tags(after).has("obj") | (call.function == "assistant.control")
        {
            return Some(Meaning::Calls(calls));
        }
        let merged = self.tags(&words[..at]).corrected_by(self.tags(after));
        rules::meaning(self.matcher, &merged, mood, 0)
    }

    fn free(&self, words: &[Word]) -> Option<Meaning> {
        let Matcher { templates, words: language, replies, .. } = self.matcher;
        // "Please" at the end is no part of a name.
        let end =
            words.iter().rposition(|word| !language.polite.end.contains(&word.norm)).map_or(0, |at| at + 1);
        let words = &words[..end];
        'next: for free in &templates.free {
            let Some(captured) = free.pattern.matches(words, &language.titles) else { continue };
            let mut call = Call { function: free.function.clone(), slots: free.slots.clone() };
            for (slot, (from, to)) in captured {
                let raw = &self.spoken[words[from].from.0..words[to - 1].from.1];
                let text = raw.join(" ");
                let bare = language.bare(&text);
                if slot == "contact" && language.who.contains(&bare) {
                    return Some(Meaning::Ask(replies.question(&slot)));
                }
                if bare.is_empty() || slot != "text" && language.nobody.contains(&bare) {
                    continue 'next;
                }
                let article = raw.len() > 1 && language.is_article(&raw[0]);
                let text = if article && slot != "text" { raw[1..].join(" ") } else { text };
                call.slots.push((slot, text));
            }
            return Some(rules::checked(self.matcher, vec![call]));
        }
        None
    }

    /// What is no command: for the dialogue, or not said to us, or half a command.
    fn other(&self, templates: &Templates, words: &[Word]) -> Understood {
        let Some(first) = words.first() else { return Understood::Reject };
        let tagged = self.tags(words);
        let language = &self.matcher.words;
        let asks = language.questions.contains(&first.norm)
            && words.get(1).is_none_or(|word| word.norm != language.not);
        troika_safety::fulfils![SR_VOI_014];
        if tagged.has("neg") && !asks || starts_any(&templates.reported, words) {
            return Understood::Reject;
        }
        let (rest, mood) = self.stripped(words);
        let asked = rest.len() < words.len();
        let opener = rest.first().is_some_and(|word| templates.dialogue.contains(&word.norm))
            || templates.dialogue.contains(&first.norm);
        match mood {
            Mood::Question => Understood::Dialogue,
            Mood::Command if opener => Understood::Dialogue,
            Mood::Command if tagged.has("obj") && tagged.stray.is_empty() => {
                Understood::Ask(self.matcher.replies.which_act.clone())
            }
            Mood::Command if asked => Understood::Dialogue,
            _ => Understood::Reject,
        }
    }
}

fn starts(phrase: &[String], words: &[Word]) -> bool {
    phrase.len() <= words.len() && phrase.iter().zip(words).all(|(a, b)| *a == b.norm)
}

/// Whether one of the phrases stands anywhere in the words.
fn starts_any(phrases: &[Vec<String>], words: &[Word]) -> bool {
    (0..words.len()).any(|at| phrases.iter().any(|phrase| starts(phrase, &words[at..])))
}
