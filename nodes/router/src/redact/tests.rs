use std::sync::LazyLock;

use proptest::prelude::*;
use troika_kit::Time;

use super::*;
use crate::{
    privacy::may_leave,
    request::{Privacy, Request, Task},
};

const CONTACTS: [&str; 4] = ["Anna Lindqvist", "Jürgen Weiß", "Mehmet Öz", "O'Brien"];

/// Its patterns are compiled once: a thousand times take a minute.
fn redactor() -> &'static Redactor {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&CONTACTS, true).unwrap());
    &REDACTOR
}

fn redacted(text: &str) -> String {
    redactor().redact(&mut Vault::new(), text)
}

#[test]
fn names_that_the_vehicle_knows_are_replaced_whole_and_by_their_parts_in_any_case() {
    troika_safety::verifies![SR_RTE_002];
    assert_eq!(redacted("Find a café near Anna Lindqvist."), "Find a café near [NAME_1].");
    assert_eq!(redacted("is anna on the way to mehmet"), "is [NAME_1] on the way to [NAME_2]");
    assert_eq!(redacted("JÜRGEN, and Mrs O'Brien"), "[NAME_1], and [NAME_2]");
    assert_eq!(redacted("the annals of Annapolis"), "the annals of Annapolis");
}

#[test]
fn a_name_is_known_in_the_spellings_of_recognisers_and_in_its_genitive() {
    for text in ["to Jurgen Weiss now", "to Juergen Weiss now", "to mehmet oz now", "to Annas now"] {
        assert_eq!(redacted(text), "to [NAME_1] now", "{text}");
    }
    assert_eq!(redacted("Anna's house"), "[NAME_1]'s house");
}

#[test]
fn how_far_and_how_long_is_no_address() {
    for text in [
        "is it a 2 hour drive",
        "after 20 km of gravel road",
        "on the road 5 minutes",
        "the long way 12 kilometres",
        "noch 10 Minuten auf dem Weg",
    ] {
        assert_eq!(redacted(text), text);
    }
    assert_eq!(redacted("to 4 Rose Court please"), "to [ADDRESS_1] please");
}

#[test]
fn a_name_that_is_announced_is_replaced_although_nobody_knows_it() {
    assert_eq!(redacted("take me to Dr. Petrosyan please"), "take me to [NAME_1] please");
    assert_eq!(
        redacted("my name is Kofi Boateng and I want coffee"),
        "my name is [NAME_1] and I want coffee"
    );
    assert_eq!(redacted("zu Herrn Yilmaz in der Altstadt"), "zu [NAME_1] in der Altstadt");
}

#[test]
fn phone_numbers_are_replaced_written_or_spoken_and_times_are_not() {
    troika_safety::verifies![SR_RTE_002];
    for text in [
        "call +49 (171) 555-0134 now",
        "call 0171 5550134 now",
        "call 555.0134.99 now",
        "call zero one seven one five five five now",
        "call plus four nine one seven one double five now",
        "call null eins sieben eins fünf fünf now",
    ] {
        assert_eq!(redacted(text), "call [PHONE_1] now", "{text}");
    }
    for text in ["arrive by 8:30", "within 12 km and under 20 euros", "two or three stops", "exit 114"] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn mail_addresses_are_replaced_written_or_spelt() {
    troika_safety::verifies![SR_RTE_002];
    assert_eq!(redacted("mail k.boateng+x@post.example.org"), "mail [EMAIL_1]");
    assert_eq!(redacted("it is kofi dot boateng at post dot org"), "it is [EMAIL_1]");
    assert_eq!(redacted("stop at Lindholm at noon"), "stop at Lindholm at noon");
}

#[test]
fn a_street_with_a_house_number_is_replaced_where_the_policy_says_so() {
    troika_safety::verifies![SR_RTE_002];
    let texts =
        ["drive to 12b Old Mill Lane", "fahr in die Lindenstraße 14a", "drive to Harbour Road number 7"];
    for text in texts {
        assert!(redacted(text).contains("[ADDRESS_1]"), "{}", redacted(text));
        assert!(!redacted(text).contains(|c: char| c.is_ascii_digit() && c != '1'), "{}", redacted(text));
    }
    let kept = Redactor::new(&CONTACTS, false).unwrap().redact(&mut Vault::new(), texts[0]);
    assert_eq!(kept, texts[0]);
    assert_eq!(redacted("is Market Street closed"), "is Market Street closed");
}

#[test]
fn the_same_words_have_the_same_placeholder_through_a_conversation() {
    let (redactor, mut vault) = (redactor(), Vault::new());
    assert_eq!(redactor.redact(&mut vault, "to Anna"), "to [NAME_1]");
    assert_eq!(redactor.redact(&mut vault, "Mehmet, then Anna"), "[NAME_2], then [NAME_1]");
    assert_eq!(vault.len(), 2);
}

#[test]
fn a_placeholder_in_pieces_is_put_back_and_ordinary_text_is_not_held() {
    troika_safety::verifies![SR_RTE_002];
    let (redactor, mut vault) = (redactor(), Vault::new());
    redactor.redact(&mut vault, "to Anna Lindqvist, 0171 5550134");
    let mut restorer = Restorer::new(&vault);
    let pieces = ["Sure: ", "[NA", "M", "E_1", "] at ", "[phone_1]", " [1] [NAMES] ok"];
    let said: Vec<_> = pieces.iter().map(|piece| restorer.push(piece)).collect();
    assert_eq!(said, ["Sure: ", "", "", "", "Anna Lindqvist at ", "0171 5550134", " [1] [NAMES] ok"]);
    assert_eq!(restorer.finish(), "");
}

#[test]
fn a_stream_that_ends_within_a_placeholder_says_what_was_left() {
    let (redactor, mut vault) = (redactor(), Vault::new());
    redactor.redact(&mut vault, "to Anna");
    let mut restorer = Restorer::new(&vault);
    assert_eq!(restorer.push("go to [NAM"), "go to ");
    assert_eq!(restorer.finish(), "[NAM");
}

#[test]
fn a_conversation_with_too_many_names_leaks_none_of_them() {
    let mut vault = Vault::new();
    let redactor = redactor();
    for n in 0..MOST_ENTRIES + 20 {
        let text = redactor.redact(&mut vault, &format!("mail user{n}@example.org"));
        assert!(!text.contains("user"), "{text}");
    }
    assert_eq!(vault.len(), MOST_ENTRIES);
}

/// Words with something personal in them, and the personal thing.
fn canaries() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["Anna Lindqvist", "anna", "LINDQVIST", "Jürgen", "Mehmet Öz", "o'brien"]);
    prop_oneof![
        name.prop_map(str::to_owned),
        "[a-z]{3,8}\\.[a-z]{2,8}@[a-z]{3,8}\\.(com|org|de)",
        "\\+49 1[567][0-9] [0-9]{7}",
        "0[0-9]{3}/[0-9]{5,7}",
        "(one|two|three|four) (five|six) (seven|eight) (nine|zero) (one|two) (three|four)",
        "[1-9][0-9]{0,2} [A-Z][a-z]{3,7} (Street|Road|Lane)",
    ]
}

proptest! {
    /// The canary test: whatever stands around it, nothing personal is in what is sent.
    #[test]
    fn what_is_personal_is_not_in_what_is_sent(
        before in "(please |find a place near |[a-z]{1,9} ){0,3}",
        canary in canaries(),
        after in "(, thanks| before noon|\\.| [a-z]{1,9}){0,2}",
    ) {
        troika_safety::verifies![SR_RTE_002];
        let request = Request {
            id: "1".into(),
            conversation: String::new(),
            text: format!("{before}{canary}{after}"),
            task: Task::Navigation,
            privacy: Privacy::Public,
            has_image: false,
            complexity: None,
            asked: Time::ZERO,
            deadline: None,
        };
        let permit = may_leave(&request, Privacy::Public).unwrap();
        let mut vault = Vault::new();
        let sent = Outbound::of(permit, redactor(), &mut vault);
        prop_assert!(!sent.text().contains(&canary), "{} of {canary}", sent.text());
        prop_assert!(redactor().find(sent.text()).iter().all(|(_, kind)| *kind == Personal::Lookalike), "{}", sent.text());
    }

    #[test]
    fn what_was_redacted_reads_as_before_once_restored_however_it_is_cut(
        text in "(\\PC{0,12}|Anna |\\[NAME_1\\]|\\[NA|0171 5550134|a\\.b@c\\.de ){0,8}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        troika_safety::verifies![SR_RTE_002];
        let mut vault = Vault::new();
        let redacted = redactor().redact(&mut vault, &text);
        let ends: Vec<usize> =
            redacted.char_indices().map(|(at, _)| at).chain([redacted.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| ends[cut.index(ends.len())]).collect();
        cuts.extend([0, redacted.len()]);
        cuts.sort_unstable();
        let mut restorer = Restorer::new(&vault);
        let mut said: String = cuts.windows(2).map(|two| restorer.push(&redacted[two[0]..two[1]])).collect();
        said.push_str(&restorer.finish());
        prop_assert_eq!(said, text);
    }

    #[test]
    fn without_anything_personal_a_stream_passes_as_it_is(pieces in prop::collection::vec("\\PC{0,10}", 0..10)) {
        let mut restorer = Restorer::new(&Vault::new());
        for piece in &pieces {
            prop_assert_eq!(&restorer.push(piece), piece);
        }
    }
}

#[test]
fn what_is_sent_is_what_was_said_without_what_is_personal() {
    troika_safety::verifies![SR_RTE_002];
    let request = Request {
        id: "1".into(),
        conversation: String::new(),
        text: "a table for two near Anna".into(),
        task: Task::Navigation,
        privacy: Privacy::Public,
        has_image: false,
        complexity: None,
        asked: Time::ZERO,
        deadline: None,
    };
    let permit = may_leave(&request, Privacy::Public).unwrap();
    let mut vault = Vault::new();
    assert!(vault.is_empty());
    assert_eq!(Outbound::of(permit, redactor(), &mut vault).text(), "a table for two near [NAME_1]");
    assert!(!vault.is_empty());
}

#[test]
fn names_of_many_languages_are_known_without_their_signs() {
    troika_safety::verifies![SR_RTE_002];
    for (name, written) in [
        ("Ağca", "Agca"),
        ("Željko", "Zeljko"),
        ("Åse", "Ase"),
        ("José", "Jose"),
        ("Müller", "Mueller"),
        ("Müller", "Muller"),
        ("Sørensen", "Sorensen"),
        ("Çelik", "Celik"),
        ("Íñigo", "Inigo"),
        ("Şahin", "Sahin"),
        ("Groß", "Gross"),
        ("Jäger", "Jaeger"),
        ("Jäger", "Jager"),
        ("Böll", "Boell"),
        ("Zoë", "Zoe"),
        ("Ágnes", "Agnes"),
        ("Čapek", "Capek"),
        ("Šimon", "Simon"),
        ("İnci", "Inci"),
        ("Yıldız", "Yildiz"),
        ("Übel", "Uebel"),
        ("Ünal", "Unal"),
        ("Øster", "Oster"),
    ] {
        let redactor = Redactor::new(&[name], false).unwrap();
        assert_eq!(
            redactor.redact(&mut Vault::new(), &format!("to {written} now")),
            "to [NAME_1] now",
            "{name}"
        );
    }
    let short = Redactor::new(&["Mo Ali Li"], false).unwrap();
    assert_eq!(
        short.redact(&mut Vault::new(), "mo, ali and li"),
        "mo, [NAME_1] and li",
        "three letters are a name's part"
    );
}

#[test]
fn of_two_that_overlap_all_is_replaced_as_the_longer_one() {
    let kinds = |text: &str| -> Vec<_> {
        redactor().find(text).into_iter().map(|(range, kind)| (text[range].to_owned(), kind)).collect()
    };
    assert_eq!(kinds("mail anna@example.org"), [("anna@example.org".to_owned(), Personal::Email)]);
    assert_eq!(kinds("Dr. Anna Lindqvist"), [("Dr. Anna Lindqvist".to_owned(), Personal::Name)]);
    assert_eq!(kinds("Anna, Mehmet").len(), 2, "what only follows is another");
    // Six figures are a phone number, five a postcode; the signs after it are none of it.
    assert_eq!(kinds("call 123456, please"), [("123456".to_owned(), Personal::Phone)]);
    assert_eq!(kinds("in 12345"), []);
    assert_eq!(kinds("plus one two three four five"), [], "five");
    assert_eq!(kinds("one two three four five 6")[0].1, Personal::Phone);
}

#[test]
fn words_that_look_like_a_placeholder_are_replaced_and_no_placeholder_is_one_that_was_said() {
    let (redactor, mut vault) = (redactor(), Vault::new());
    let text = redactor.redact(&mut vault, "is [NAME_1] Anna");
    let mut restorer = Restorer::new(&vault);
    assert_eq!(text, "is [TEXT_1] [NAME_2]");
    assert_eq!(restorer.push("[name_2] and [TEXT_1]"), "Anna and [NAME_1]");
    let labels: Vec<_> =
        [Personal::Email, Personal::Phone, Personal::Address, Personal::Name, Personal::Lookalike]
            .map(Personal::label)
            .into();
    assert_eq!(labels, ["EMAIL", "PHONE", "ADDRESS", "NAME", "TEXT"]);
}
