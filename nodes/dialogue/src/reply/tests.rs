use proptest::prelude::*;

use super::*;
use crate::sentences::words;

const ROUTE: &str = "The Old Mill Cafe is 1.5 km away. Drive along Harbour Street to the bridge. Turn left at the second light, \
                     then keep right. You arrive at 14:35.";

fn continued(cloud: &str, local: impl Fn(&str) -> String) -> (String, LeftOut) {
    let mut reply = Reply::default();
    let mut out = String::new();
    reply.cloud(cloud);
    reply.ready(None).iter().for_each(|text| out.push_str(text));
    let so_far = reply.so_far();
    reply.hand_over();
    for piece in local(&so_far).split_inclusive(' ') {
        reply.local(piece);
        reply.ready(None).iter().for_each(|text| out.push_str(text));
    }
    reply.finish(false).iter().for_each(|text| out.push_str(text));
    assert_eq!(out, reply.said());
    (out, reply.left_out())
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn half_a_word_is_not_spoken_twice() {
    let cloud = "The cafe is open. Drive along Harb";
    let (out, _) = continued(cloud, |so_far| {
        assert_eq!(so_far, "The cafe is open. Drive along ");
        "Harbour Street.".into()
    });
    assert_eq!(out, "The cafe is open. Drive along Harbour Street.");
}

#[test]
fn a_model_that_starts_the_sentence_again_is_heard_once() {
    let (out, _) = continued("The cafe is open. Drive along Harb", |_| {
        "Drive along Harbour Street. Then turn left.".into()
    });
    assert_eq!(out, "The cafe is open. Drive along Harbour Street. Then turn left.");
    let (out, _) = continued("It is open. Drive al", |_| "Drive along Harbour Street.".into());
    assert_eq!(out, "It is open. Drive along Harbour Street.");
}

#[test]
fn a_model_that_starts_from_the_beginning_is_heard_once() {
    let (out, left_out) = continued("It is open. Take the bridge. Turn le", |_| {
        "It is open. Take the bridge. Turn left. Then stop.".into()
    });
    assert_eq!(out, "It is open. Take the bridge. Turn left. Then stop.");
    assert_eq!(left_out.repeated, 2);
}

#[test]
fn an_instruction_that_a_route_has_twice_is_said_twice() {
    let (out, left_out) =
        continued("Turn left. Go straight. Take the bridge. ", |_| "Turn left. You are there.".into());
    assert_eq!(out, "Turn left. Go straight. Take the bridge. Turn left. You are there.");
    assert_eq!(left_out, LeftOut::default());
}

#[test]
fn a_model_that_loops_is_noticed() {
    let (out, left_out) = continued("Take the bridge. ", |_| "The cafe is on the left. ".repeat(5));
    assert_eq!(squeezed(&out), "Take the bridge. The cafe is on the left.");
    assert_eq!((left_out.repeated, left_out.in_a_row), (4, 4));
}

#[test]
fn a_word_that_the_language_doubles_stays() {
    let (out, _) = continued("He had had a very ", |_| "very good coffee.".into());
    assert_eq!(out, "He had had a very very good coffee.");
}

#[test]
fn a_model_that_says_nothing_loses_nothing() {
    let (out, _) = continued("It is open. Take the first", |_| String::new());
    assert_eq!(out, "It is open. Take the ");
}

#[test]
fn a_sentence_that_no_tool_told_is_left_out() {
    troika_safety::verifies![SR_RTE_007];
    let mut reply = Reply::default();
    reply.know(Facts::from_text("Old Mill Cafe, Harbour Street, 1.5 km, 4 minutes"));
    reply.cloud("The Old Mill Cafe is 1.5 km away. ");
    let mut out = reply.ready(None);
    reply.hand_over();
    reply.local(
        "It takes 4 minutes. It takes 9 minutes. Drive along Harbour Street. Drive along Mountain Road. ",
    );
    out.extend(reply.ready(None));
    assert_eq!(
        out.concat(),
        "The Old Mill Cafe is 1.5 km away. It takes 4 minutes. Drive along Harbour Street. "
    );
    assert_eq!(reply.left_out().ungrounded, 2);
}

#[test]
fn a_long_sentence_comes_out_in_parts_when_nothing_else_is_left_to_say() {
    let mut reply = Reply::default();
    reply.cloud("Drive along the old harbour to the bridge, and there at the light tur");
    assert!(reply.ready(None).is_empty());
    assert_eq!(reply.ready(Some(6)), ["Drive along the old harbour to the bridge, "]);
    assert_eq!(reply.so_far(), "Drive along the old harbour to the bridge, and there at the light ");
    reply.hand_over();
    reply.local("and there at the light turn left.");
    assert_eq!(reply.finish(false).concat(), "and there at the light turn left.");
}

#[test]
fn every_cut_of_a_route_is_gone_on_from_exactly() {
    troika_safety::verifies![SR_RTE_004];
    for at in (0..=ROUTE.len()).filter(|at| ROUTE.is_char_boundary(*at)) {
        let (out, left_out) = continued(&ROUTE[..at], |so_far| ROUTE[so_far.len()..].to_owned());
        assert_eq!(squeezed(&out), squeezed(ROUTE), "cut at {at}");
        assert_eq!(left_out, LeftOut::default(), "cut at {at}");
    }
}

/// Sentences that differ in their first word, none with a word twice.
fn reply_text() -> impl Strategy<Value = String> {
    let vocabulary =
        vec!["the", "old", "mill", "bridge", "über", "3.5", "km", "then,", "near", "Straße", "left", "light"];
    let words = prop::sample::subsequence(vocabulary, 1..12).prop_shuffle();
    let sentence = (words, prop::sample::select(vec![".", "!", "?"]));
    prop::collection::vec(sentence, 1..7).prop_map(|sentences| {
        let mut text = String::new();
        for (number, (words, end)) in sentences.into_iter().enumerate() {
            let first = ["Anna", "Berta", "Carla", "Dora", "Emil", "Fritz", "Gustav"][number];
            text.push_str(&format!("{first} {} goes{end} ", words.join(" ")));
        }
        text
    })
}

#[derive(Debug, Clone, Copy)]
enum Habit {
    GoesOn,
    StartsTheSentenceAgain,
    StartsFromTheBeginning,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_sentence_is_lost_and_none_comes_twice_wherever_the_stream_is_cut(
        text in reply_text(),
        at in 0.0f64..1.0,
        dry in prop::option::of(2usize..8),
        piece in 1usize..12,
        habit in prop::sample::select(vec![Habit::GoesOn, Habit::StartsTheSentenceAgain, Habit::StartsFromTheBeginning]),
    ) {
        troika_safety::verifies![SR_RTE_004];
        // A cut of the stream's bytes: what is no whole character has not arrived.
        let mut cut = (at * text.len() as f64) as usize;
        while !text.is_char_boundary(cut) { cut -= 1; }
        let mut reply = Reply::default();
        let mut out = Vec::new();
        let signs: Vec<char> = text[..cut].chars().collect();
        for some in signs.chunks(piece) {
            reply.cloud(&some.iter().collect::<String>());
            out.extend(reply.ready(dry));
        }
        let so_far = reply.so_far();
        prop_assert!(text.starts_with(&so_far));
        reply.hand_over();
        let begins = text[..so_far.len()].match_indices(['.', '!', '?'])
            .map(|(at, _)| at + 2).filter(|at| *at <= so_far.len() && text.as_bytes()[at - 1] == b' ').max().unwrap_or(0);
        let local = match habit {
            Habit::GoesOn => &text[so_far.len()..],
            Habit::StartsTheSentenceAgain => &text[begins..],
            Habit::StartsFromTheBeginning => &text[..],
        };
        let signs: Vec<char> = local.chars().collect();
        for some in signs.chunks(piece) {
            reply.local(&some.iter().collect::<String>());
            out.extend(reply.ready(dry));
        }
        out.extend(reply.finish(false));
        prop_assert_eq!(squeezed(&out.concat()), squeezed(&text));
    }

    #[test]
    fn any_words_of_any_model_keep_their_order_and_do_no_harm(cloud in "(?s).{0,80}", local in "(?s).{0,80}", dry in prop::option::of(1usize..4)) {
        let mut reply = Reply::default();
        reply.cloud(&cloud);
        let mut out = reply.ready(dry);
        reply.hand_over();
        reply.local(&local);
        out.extend(reply.ready(dry));
        out.extend(reply.finish(false));
        prop_assert_eq!(out.concat(), reply.said());
        prop_assert!(words(reply.said()) <= words(&cloud) + words(&local));
    }
}
