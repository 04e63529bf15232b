//! Talk that goes on over more than one utterance, and what is not sure.

use super::*;
use crate::tongue::Tongue;

fn calls(answer: &Answer) -> Vec<String> {
    let told = |command: &VehicleCommand| {
        command
            .slots
            .iter()
            .fold(command.function.clone(), |line, slot| format!("{line} {}={}", slot.name, slot.value))
    };
    answer.commands.iter().map(told).collect()
}

#[test]
fn a_question_takes_its_answer() {
    let mut driver = Driver::at(0.0);
    let asked = driver.says("turn on my seat heating");
    assert!(asked.commands.is_empty());
    assert_eq!(asked.replies[0].kind, VoiceReply::CONFIRM);
    assert_eq!(calls(&driver.says("level two")), ["seat.heating seat=driver level=2"]);
}

#[test]
fn in_german_it_asks_answers_and_refuses_in_german() {
    let german = || CommandNode::new(Cascade::new(Matcher::of(Tongue::German), None), false);
    let mut driver = Driver::with(german(), 0.0);
    assert_eq!(driver.says("mach die Sitzheizung an").replies[0].text, "Auf welche Stufe?");
    let answer = driver.says("auf zwei");
    assert_eq!(calls(&answer), ["seat.heating seat=driver level=2"]);
    assert_eq!(answer.replies[0].text, "OK: die Sitzheizung des Fahrers auf 2 stellen.");
    assert_eq!(driver.says("ruf Anna an").replies[0].text, "Soll ich anna anrufen?");
    assert_eq!(calls(&driver.says("Ja, bitte.")), ["phone.call contact=anna"]);
    let mut moving = Driver::with(german(), 50.0);
    let refused = moving.says("mach den Kofferraum auf");
    assert!(refused.commands.is_empty());
    assert_eq!(refused.replies[0].text, "Das geht nicht: nur wenn das Fahrzeug steht.");
}

#[test]
fn an_answer_that_comes_too_late_is_none() {
    let mut driver = Driver::at(0.0);
    driver.says("turn on my seat heating");
    driver.waits(CONFIRM_WITHIN + Duration::from_secs(1));
    assert!(calls(&driver.says("level two")).is_empty());
}

#[test]
fn what_follows_on_the_last_command_is_read_with_it() {
    let mut driver = Driver::at(0.0);
    driver.says("turn on my seat heating to level two");
    assert_eq!(calls(&driver.says("and the passenger's too")), ["seat.heating seat=passenger level=2"]);
    assert_eq!(calls(&driver.says("a bit more")), ["seat.heating seat=passenger level=3"]);
    let answer = driver.says("the other one");
    assert_eq!(calls(&answer), ["seat.heating seat=driver level=3"]);
    assert_eq!(answer.understood[0].chosen, "context");
    driver.waits(super::super::talk::FOLLOW_WITHIN + Duration::from_secs(1));
    assert!(calls(&driver.says("the other one")).is_empty(), "nobody remembers");
}

#[test]
fn a_follow_up_meets_the_gates_as_any_command() {
    troika_safety::verifies![SR_VOI_015];
    let mut driver = Driver::at(0.0);
    assert_eq!(calls(&driver.says("lock the doors")), ["door.lock action=lock"]);
    driver.speed = Some((80.0, Duration::ZERO));
    let undone = driver.says("undo that");
    assert!(undone.commands.is_empty(), "unlocking at 80 km/h");
    assert_eq!(undone.replies[0].kind, VoiceReply::REFUSED);
}

#[test]
fn each_utterance_tells_its_stages_and_the_reason() {
    let told = Driver::at(0.0).says("open the sunroof").understood;
    assert_eq!(told[0].stages, ["templates"]);
    assert_eq!(told[0].meaning, "sunroof.move action=open");
    assert!(!told[0].reason.is_empty());
}

#[test]
fn more_commands_than_anybody_says_are_refused() {
    troika_safety::verifies![SR_VOI_008];
    let mut driver = Driver::at(0.0);
    let mut sent = 0;
    for _ in 0..2 * RATE {
        let answer = driver.says("open the sunroof");
        sent += answer.commands.len();
    }
    assert_eq!(sent, RATE);
    driver.waits(RATE_WITHIN + Duration::from_secs(1));
    assert_eq!(driver.says("open the sunroof").commands.len(), 1);
}

#[test]
fn a_drowsy_driver_is_spoken_to_briefly() {
    troika_safety::verifies![SR_ATT_001];
    let mut driver = Driver::at(0.0);
    driver.drowsy = true;
    assert_eq!(driver.says("open the sunroof").replies[0].text, "OK.");
}

/// Words that the network reads without being sure, whatever its weights: found among what is hard to read.
fn unsure(driver: &mut Driver) -> (Answer, &'static str) {
    const HARD: [&str; 8] = [
        "the music must be more quiet",
        "my passenger is too warm",
        "compressor off, I want every last horsepower",
        "can you play let it go",
        "snib the doors would you",
        "wipers flat out it's stoating down",
        "navigate home and play some rock",
        "boot lid maybe the thing up a touch",
    ];
    for said in HARD {
        let answer = driver.says(said);
        let asked = answer.requests.iter().any(|request| request.task == LanguageRequest::INTERPRET);
        if asked || answer.replies.iter().any(|reply| reply.text.starts_with("Shall I")) {
            return (answer, said);
        }
    }
    panic!("the network is sure of all of {HARD:?}");
}

#[test]
fn what_is_not_sure_is_asked_back_and_a_yes_carries_it_out() {
    let mut driver = Driver::with_network(false);
    let (answer, said) = unsure(&mut driver);
    assert!(answer.commands.is_empty(), "{said}");
    assert_eq!(driver.says("yes").commands.len(), answer.understood[0].meaning.split(" ; ").count());
}

#[test]
fn the_language_models_agreement_carries_it_out_and_its_silence_asks_back() {
    for agrees in [true, false] {
        let mut driver = Driver::with_network(true);
        let (answer, said) = unsure(&mut driver);
        let request = answer.requests[0].clone();
        assert!(answer.replies.is_empty() && answer.commands.is_empty(), "{said}: it waits");
        if agrees {
            driver.language.push(LanguageReply {
                request_id: request.request_id,
                status: LanguageReply::DONE,
                text: answer.understood[0].meaning.clone(),
                ..LanguageReply::default()
            });
            assert!(!driver.waits(Duration::from_millis(20)).commands.is_empty(), "{said}");
        } else {
            let asked = driver.waits(LANGUAGE_WITHIN + Duration::from_millis(20));
            assert!(asked.commands.is_empty());
            assert!(asked.replies[0].text.starts_with("Shall I"), "{said}: {:?}", asked.replies);
        }
    }
}

#[test]
fn what_only_the_language_model_thinks_is_not_done() {
    troika_safety::verifies![SR_VOI_009];
    let mut driver = Driver::with_network(true);
    let (answer, said) = unsure(&mut driver);
    driver.language.push(LanguageReply {
        request_id: answer.requests[0].request_id.clone(),
        status: LanguageReply::DONE,
        text: "trunk.move action=close".to_owned(),
        ..LanguageReply::default()
    });
    let after = driver.waits(Duration::from_millis(20));
    assert!(after.commands.is_empty(), "{said}");
}

#[test]
fn a_yes_to_what_nobody_was_asked_yet_carries_nothing_out() {
    let mut driver = Driver::with_network(true);
    let (_, said) = unsure(&mut driver);
    for _ in 0..2 {
        let early = driver.says("yes");
        assert!(early.commands.is_empty(), "{said}");
    }
    let late = driver.waits(LANGUAGE_WITHIN + Duration::from_millis(20));
    assert!(late.commands.is_empty() && late.replies.is_empty(), "{said}: it was let go");
}

#[test]
fn never_mind_ends_what_waits_for_the_language_model() {
    let mut driver = Driver::with_network(true);
    unsure(&mut driver);
    let ended = driver.says("never mind");
    assert!(ended.commands.is_empty());
    assert_eq!(ended.replies[0].text, Matcher::english().replies().let_go);
}

/// A question, and what the language model says to it.
fn asked(status: u8, confidence: f32) -> (Driver, Answer) {
    let mut driver = Driver::with(CommandNode::new(Cascade::new(Matcher::english(), None), true), 0.0);
    let answer = driver.says("who was Ada Lovelace");
    assert_eq!((answer.requests[0].task, answer.replies.len()), (LanguageRequest::ANSWER, 0));
    driver.language.push(LanguageReply {
        request_id: answer.requests[0].request_id.clone(),
        status,
        confidence,
        text: "She wrote the first program.".to_owned(),
        ..LanguageReply::default()
    });
    let answer = driver.waits(Duration::from_millis(20));
    (driver, answer)
}

#[test]
fn a_question_of_the_world_is_answered_by_the_language_model_where_it_knows() {
    let (_, answer) = asked(LanguageReply::DONE, 0.9);
    assert_eq!(answer.replies[0].kind, VoiceReply::DIALOGUE);
    assert_eq!(answer.replies[0].text, "She wrote the first program.");
    assert!(answer.commands.is_empty());
    for (status, confidence) in [
        (LanguageReply::DONE, ANSWER_FROM - 0.1),
        (LanguageReply::DONE, f32::NAN),
        (LanguageReply::UNAVAILABLE, 0.0),
        (LanguageReply::LATE, 0.9),
    ] {
        assert_eq!(
            asked(status, confidence).1.replies[0].text,
            Matcher::english().replies().unknown,
            "{status} {confidence}"
        );
    }
}

#[test]
fn an_answer_that_does_not_come_is_told_and_who_speaks_on_calls_it_off() {
    let (mut driver, _) = asked(LanguageReply::PARTIAL, 0.9);
    let late = driver.waits(ANSWER_WITHIN + Duration::from_millis(20));
    assert_eq!(late.replies[0].text, Matcher::english().replies().unknown);
    let (mut driver, _) = asked(LanguageReply::PARTIAL, 0.9);
    let next = driver.says("open the sunroof");
    assert_eq!((next.requests[0].task, functions(&next)), (LanguageRequest::CANCEL, vec!["sunroof.move"]));
    assert!(
        driver
            .waits(ANSWER_WITHIN * 2)
            .replies
            .iter()
            .all(|reply| reply.text != Matcher::english().replies().unknown)
    );
}

/// Says it so long after the last words' end.
fn after(driver: &mut Driver, pause: Duration, text: &str) -> Answer {
    driver.waits(pause + Duration::from_secs(1));
    driver.says(text)
}

#[test]
fn what_a_radio_says_amid_its_talk_is_not_carried_out() {
    troika_safety::verifies![SR_VOI_014];
    let breath = Duration::from_millis(600);
    let mut radio = Driver::at(0.0);
    assert_eq!(radio.says("the minister said she was disappointed").replies[0].text, "");
    let answer = after(&mut radio, breath, "lock the doors");
    assert_eq!(functions(&answer), [""; 0]);
    assert_eq!(answer.replies[0].kind, VoiceReply::CONFIRM, "{}", answer.replies[0].text);
    assert!(answer.understood[0].reason.contains("not for us"), "{}", answer.understood[0].reason);
    // Nor is anything said where it is not even sure what was meant.
    let answer = after(&mut radio, breath, "set the temperature");
    assert_eq!((functions(&answer).len(), answer.replies[0].text.as_str()), (0, ""));
}

#[test]
fn ravi_who_breaks_off_to_tell_the_vehicle_is_asked_back_for_once_and_his_yes_holds() {
    let mut ravi = Driver::at(0.0);
    ravi.says("and then she said he would not come");
    let breath = Duration::from_millis(600);
    assert_eq!(functions(&after(&mut ravi, breath, "open the sunroof")), [""; 0]);
    assert_eq!(functions(&after(&mut ravi, breath, "yes")), ["sunroof.move"]);
    assert_eq!(functions(&after(&mut ravi, breath, "close the sunroof")), ["sunroof.move"]);
}

#[test]
fn who_turns_to_the_vehicle_after_a_pause_is_obeyed_at_once() {
    let mut driver = Driver::at(0.0);
    driver.says("and then she said he would not come");
    assert_eq!(functions(&after(&mut driver, Duration::from_secs(2), "open the sunroof")), ["sunroof.move"]);
}
