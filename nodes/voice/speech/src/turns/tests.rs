use super::*;

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn reply(utterance: &str, kind: u8, text: &str) -> VoiceReply {
    VoiceReply { utterance_id: utterance.to_owned(), text: text.to_owned(), kind, ..VoiceReply::default() }
}

fn failure(utterance: &str, text: &str) -> VoiceReply {
    VoiceReply { command_id: format!("{utterance}/0"), ..reply(utterance, VoiceReply::REFUSED, text) }
}

/// All that is to be done now; what is said is shown as its words, a hush as its reason.
fn acts(turns: &mut Turns, now: Time) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(act) = turns.next(now) {
        all.push(match act {
            Act::Say { text, .. } => text,
            Act::Hush(why) => format!("{why:?}"),
        });
    }
    all
}

/// A node that is saying `first`, as number 1.
fn saying(first: &VoiceReply) -> Turns {
    let mut turns = Turns::new(true);
    turns.reply(ms(0), first);
    assert_eq!(acts(&mut turns, ms(0)), std::slice::from_ref(&first.text));
    turns
}

#[test]
fn nothing_is_said_of_what_was_not_for_us() {
    let mut turns = saying(&reply("u1", VoiceReply::COMMAND, "OK: open the trunk."));
    for text in ["", " \n\t "] {
        turns.reply(ms(10), &reply("u2", VoiceReply::REJECTED, text));
    }
    assert_eq!(acts(&mut turns, ms(10)), [] as [&str; 0], "and what is being said goes on");
}

#[test]
fn an_answer_to_a_newer_utterance_takes_the_place_of_the_older_ones() {
    let mut turns = saying(&reply("u1", VoiceReply::DIALOGUE, "The nearest one is."));
    turns.reply(ms(5), &reply("u1", VoiceReply::DIALOGUE, "It has ten places."));
    turns.reply(ms(10), &reply("u2", VoiceReply::REJECTED, "All right, I leave it."));
    assert_eq!(acts(&mut turns, ms(10)), ["Replaced", "All right, I leave it."]);
    turns.said(3);
    assert_eq!(acts(&mut turns, ms(20)), [] as [&str; 0]);
    assert_eq!(turns.dropped(), 1);
}

#[test]
fn sentences_of_one_answer_are_said_one_after_the_other() {
    let mut turns = saying(&reply("u1", VoiceReply::DIALOGUE, "One."));
    turns.reply(ms(5), &reply("u1", VoiceReply::DIALOGUE, "Two."));
    assert_eq!(acts(&mut turns, ms(6)), [] as [&str; 0]);
    turns.said(1);
    assert_eq!(acts(&mut turns, ms(7)), ["Two."]);
}

#[test]
fn what_comes_of_an_answer_that_was_ended_is_not_said() {
    troika_safety::verifies![SR_ATT_002];
    let sentence = |utterance| reply(utterance, VoiceReply::DIALOGUE, "And another.");
    // By the button: between two sentences as well.
    let mut turns = saying(&reply("u1", VoiceReply::DIALOGUE, "One."));
    turns.said(1);
    turns.cancel();
    turns.reply(ms(10), &sentence("u1"));
    assert_eq!(acts(&mut turns, ms(10)), [] as [&str; 0]);
    turns.reply(ms(20), &sentence("u2"));
    assert_eq!(acts(&mut turns, ms(20)), ["And another."], "the next question's answer is said");
    // By somebody who speaks: a sentence was on its way.
    turns.activity(ms(30), true);
    turns.reply(ms(31), &sentence("u2"));
    assert_eq!(acts(&mut turns, ms(31)), ["BargeIn"]);
    turns.activity(ms(500), false);
    assert_eq!(acts(&mut turns, ms(500)), [] as [&str; 0]);
    assert_eq!(turns.dropped(), 2);
    // What became of a command is told all the same.
    turns.reply(ms(600), &failure("u2", "It failed."));
    assert_eq!(acts(&mut turns, ms(600)), ["It failed."]);
}

#[test]
fn a_failure_is_told_after_the_acknowledgement_or_in_its_place() {
    let mut turns = saying(&reply("u1", VoiceReply::COMMAND, "OK: open the trunk."));
    turns.reply(ms(5), &failure("u1", "That did not work."));
    assert_eq!(acts(&mut turns, ms(6)), [] as [&str; 0]);
    turns.said(1);
    assert_eq!(acts(&mut turns, ms(7)), ["That did not work."]);

    let mut turns = saying(&reply("u1", VoiceReply::CONFIRM, "Shall I call Anna?"));
    turns.reply(ms(1), &reply("u1", VoiceReply::COMMAND, "OK: call Anna."));
    turns.reply(ms(2), &failure("u1", "That did not work."));
    turns.said(1);
    assert_eq!(acts(&mut turns, ms(3)), ["That did not work."]);
}

#[test]
fn whoever_speaks_is_not_spoken_over_and_hears_of_a_failure_afterwards() {
    troika_safety::verifies![SR_ATT_002];
    let mut turns = saying(&reply("u1", VoiceReply::COMMAND, "OK: open the trunk."));
    turns.reply(ms(5), &reply("u1", VoiceReply::COMMAND, "And the sunroof."));
    turns.reply(ms(5), &failure("u1", "That did not work."));
    turns.activity(ms(10), true);
    assert_eq!(acts(&mut turns, ms(10)), ["BargeIn"]);
    assert_eq!(acts(&mut turns, ms(3_000)), [] as [&str; 0]);
    turns.activity(ms(3_100), false);
    assert_eq!(acts(&mut turns, ms(3_100)), ["That did not work."]);
}

#[test]
fn a_newer_answer_does_not_drop_a_failure_that_waits() {
    let mut turns = saying(&reply("u1", VoiceReply::COMMAND, "OK."));
    turns.reply(ms(1), &failure("u1", "That did not work."));
    turns.reply(ms(2), &reply("u2", VoiceReply::CONFIRM, "Shall I call Anna?"));
    assert_eq!(acts(&mut turns, ms(3)), ["Replaced", "That did not work."]);
    turns.said(2);
    assert_eq!(acts(&mut turns, ms(4)), ["Shall I call Anna?"]);
}

#[test]
fn a_cancel_is_heeded_before_while_and_after_something_is_said() {
    let mut turns = Turns::new(true);
    turns.cancel();
    assert_eq!(acts(&mut turns, ms(0)), [] as [&str; 0]);
    turns.reply(ms(1), &reply("u1", VoiceReply::COMMAND, "One."));
    turns.cancel();
    assert_eq!(acts(&mut turns, ms(1)), [] as [&str; 0], "before it began");
    turns.reply(ms(2), &reply("u2", VoiceReply::COMMAND, "Two."));
    assert_eq!(acts(&mut turns, ms(2)), ["Two."]);
    turns.reply(ms(3), &failure("u2", "It failed."));
    turns.cancel();
    assert_eq!(acts(&mut turns, ms(3)), ["Cancelled"], "while it was said, and all that waits");
    turns.said(2);
    turns.cancel();
    assert_eq!(acts(&mut turns, ms(4)), [] as [&str; 0], "after its end");
    turns.reply(ms(5), &reply("u3", VoiceReply::COMMAND, "Three."));
    assert_eq!(acts(&mut turns, ms(5)), ["Three."], "and it goes on");
}

#[test]
fn what_ended_as_it_was_broken_off_breaks_off_nothing_else() {
    let mut turns = saying(&reply("u1", VoiceReply::COMMAND, "One."));
    turns.activity(ms(1), true);
    turns.said(1);
    assert_eq!(acts(&mut turns, ms(1)), [] as [&str; 0]);
    turns.activity(ms(2), false);
    turns.reply(ms(3), &reply("u2", VoiceReply::COMMAND, "Two."));
    assert_eq!(acts(&mut turns, ms(3)), ["Two."]);
    turns.said(1);
    turns.reply(ms(4), &reply("u2", VoiceReply::COMMAND, "Three."));
    assert_eq!(acts(&mut turns, ms(4)), [] as [&str; 0], "an old number ends nothing");
}

#[test]
fn a_turn_whose_end_was_lost_does_not_silence_it_for_good() {
    let mut turns = Turns::new(true);
    turns.activity(ms(0), true);
    turns.reply(ms(5_000), &reply("u1", VoiceReply::COMMAND, "One."));
    assert_eq!(acts(&mut turns, ms(13_000)), [] as [&str; 0]);
    assert_eq!(acts(&mut turns, ms(13_001)), ["One."]);
}

#[test]
fn what_waited_too_long_is_not_said_and_a_failure_may_wait_longer() {
    troika_safety::verifies![SR_ATT_003];
    let mut turns = saying(&reply("u1", VoiceReply::CONFIRM, "A long story."));
    turns.reply(ms(0), &reply("u1", VoiceReply::CONFIRM, "And its end."));
    turns.reply(ms(0), &failure("u1", "That did not work."));
    assert_eq!(acts(&mut turns, ms(10_001)), [] as [&str; 0]);
    turns.said(1);
    assert_eq!(acts(&mut turns, ms(10_002)), ["That did not work."]);
    turns.said(3);
    turns.reply(ms(20_000), &reply("u1", VoiceReply::CONFIRM, "On."));
    assert_eq!(acts(&mut turns, ms(20_000)), ["On."]);
    turns.reply(ms(20_000), &failure("u1", "Nor did that."));
    assert_eq!(acts(&mut turns, ms(50_001)), [] as [&str; 0]);
    turns.said(4);
    assert_eq!(acts(&mut turns, ms(50_002)), [] as [&str; 0]);
}

#[test]
fn only_so_many_wait_and_failures_go_last() {
    let mut turns = saying(&reply("u1", VoiceReply::CONFIRM, "0"));
    turns.reply(ms(1), &failure("u1", "failed"));
    for n in 1..=4 {
        turns.reply(ms(1), &reply("u1", VoiceReply::CONFIRM, &n.to_string()));
    }
    let mut said = Vec::new();
    for number in 1..=6 {
        turns.said(number);
        said.extend(acts(&mut turns, ms(2)));
    }
    assert_eq!(said, ["failed", "2", "3", "4"]);
}

#[test]
fn an_answer_that_comes_sentence_by_sentence_is_said_whole() {
    let mut turns = saying(&reply("u1", VoiceReply::DIALOGUE, "0."));
    for n in 1..=20 {
        turns.reply(ms(n), &reply("u1", VoiceReply::DIALOGUE, &format!("{n}.")));
    }
    assert_eq!(acts(&mut turns, ms(30_000)), [] as [&str; 0], "nothing is stale while its beginning is said");
    turns.said(1);
    let whole: Vec<String> = (1..=20).map(|n| format!("{n}.")).collect();
    assert_eq!(acts(&mut turns, ms(30_001)), [whole.join(" ")]);
    // A long one is said in two.
    let long = "A sentence of thirty letters. ".repeat(20);
    turns.reply(ms(30_002), &reply("u1", VoiceReply::DIALOGUE, &long));
    turns.reply(ms(30_002), &reply("u1", VoiceReply::DIALOGUE, &long));
    turns.said(2);
    assert_eq!(acts(&mut turns, ms(30_003)), [long.trim()]);
    turns.said(3);
    assert_eq!(acts(&mut turns, ms(30_004)), [long.trim()]);
}

#[test]
fn without_barge_in_it_does_not_matter_who_speaks() {
    let mut turns = Turns::new(false);
    turns.activity(ms(0), true);
    turns.reply(ms(1), &reply("u1", VoiceReply::COMMAND, "One."));
    assert_eq!(acts(&mut turns, ms(1)), ["One."]);
    turns.activity(ms(2), true);
    assert_eq!(acts(&mut turns, ms(2)), [] as [&str; 0]);
}

#[test]
fn a_text_is_one_line_and_no_longer_than_a_minute() {
    assert_eq!(words(" a\n b\tc\u{7} "), "a b c");
    let long = "One sentence of words. ".repeat(100);
    let said = words(&long);
    assert!(said.chars().count() <= LONGEST_TEXT && said.ends_with("words."), "{}", said.len());
    let endless = "ä".repeat(2 * LONGEST_TEXT);
    assert_eq!(words(&endless).chars().count(), LONGEST_TEXT);
}
