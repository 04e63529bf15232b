use troika_dialogue::session::Tools as _;

use super::*;
use crate::tasks::{self, tools};

/// What Ida asked, how it was answered, and whether that is right.
fn judged(task: &str, outcome: Outcome) -> Option<String> {
    let text = format!("task = [{{ id = \"t\", {task} }}]");
    let tasks = tasks::read(&text, &Town::brellin()).expect("a task");
    judge(&tasks[0], &Town::brellin(), &[outcome]).wrong
}

fn called(calls: &[(&str, &str)], said: &str) -> Outcome {
    let calls = calls.iter().map(|(name, arguments)| {
        let call = ToolCall { id: "1".into(), name: (*name).into(), arguments: (*arguments).into() };
        let result = tools().call(&call);
        (call, result)
    });
    Outcome { said: said.into(), calls: calls.collect(), left: false }
}

const CAFE: &str = r#"group = "navigation", sort = "find", turns = [{ ask = "a coffee please", calls = ["find cafe"], tells = ["Platform Nine Coffee", "1 kilometre | 2 minutes"] }]"#;
const FIND: (&str, &str) = ("find_places", r#"{"kind":"cafe"}"#);

#[test]
fn a_right_answer_is_right_however_it_is_worded() {
    for said in [
        "The nearest cafe is Platform Nine Coffee, 1 kilometre away.",
        "Platform Nine Coffee: two minutes by car!",
        "You are 1.0 km from platform nine coffee. There is Cafe Anker too.",
    ] {
        assert_eq!(judged(CAFE, called(&[FIND], said)), None, "{said}");
    }
}

#[test]
fn a_wrong_answer_is_wrong_for_what_is_wrong_with_it() {
    let wrong = |calls: &[(&str, &str)], said: &str| judged(CAFE, called(calls, said)).expect("wrong");
    let good = "Platform Nine Coffee is 1 kilometre away.";
    assert!(wrong(&[], good).contains("was not called"));
    assert!(wrong(&[("find_places", r#"{"kind":"fuel"}"#)], good).contains("was not called"));
    assert!(
        wrong(&[("find_places", r#"{"kind":"cafe","near":"Museum of Salt"}"#)], good)
            .contains("was not called")
    );
    assert!(
        wrong(&[("find_places", r#"{"kind":"cafe","near":"Nowhere"}"#)], good).contains("was not called")
    );
    assert!(wrong(&[FIND], "Cafe Anker is 0.9 kilometres away.").contains("was not said"));
    assert!(wrong(&[FIND], "Platform Nine Coffee is near.").contains("was not said"));
    assert!(
        wrong(&[FIND], "Platform Nine Coffee is 1 kilometre away, or 7 minutes.")
            .contains("7 is told by nothing")
    );
    assert!(
        wrong(&[FIND], "Platform Nine Coffee is 1 kilometre away, beside the Museum of Salt.")
            .contains("Museum of Salt is named")
    );
    assert!(
        wrong(&[FIND], "Platform Nine Coffee is 1 kilometre away; you arrive at 14:40.").contains("14:40")
    );
    assert!(wrong(&[FIND], " ").contains("nothing was said"));
}

#[test]
fn what_is_asked_for_by_order_comparison_and_omission_is_held() {
    let second = r#"group = "navigation", sort = "x", turns = [{ ask = "the second nearest cafe", calls = ["find cafe"], tells = ["Cafe Anker"], first = "Cafe Anker" }]"#;
    assert_eq!(judged(second, called(&[FIND], "It is Cafe Anker.")), None);
    assert!(
        judged(second, called(&[FIND], "It is Platform Nine Coffee, then Cafe Anker."))
            .expect("wrong")
            .contains("not the first")
    );
    let closer = r#"group = "navigation", sort = "x", turns = [{ ask = "what is closer", tells = ["station"], compares = "Brellin Central Station | the station" }]"#;
    let both = [("eta", r#"{"to":"Brellin Airport"}"#), ("eta", r#"{"to":"Brellin Central Station"}"#)];
    assert_eq!(
        judged(closer, called(&both, "Brellin Airport is 4 km away. So the station is closer.")),
        None
    );
    assert!(
        judged(closer, called(&both, "The station is there. Brellin Airport is closer."))
            .expect("wrong")
            .contains("compares")
    );
    let lacks = r#"group = "navigation", sort = "x", turns = [{ ask = "x", tells = ["Cafe Anker"], lacks = "Old Mill Cafe" }]"#;
    assert!(
        judged(lacks, called(&[FIND], "Cafe Anker and Old Mill Cafe.")).expect("wrong").contains("was said")
    );
    let nowhere = r#"group = "navigation", sort = "x", turns = [{ ask = "to the zoo", tells = ["no zoo"], routes_nowhere = true }]"#;
    assert_eq!(judged(nowhere, called(&[("route", r#"{"to":"the zoo"}"#)], "There is no zoo here.")), None);
    let elsewhere = called(
        &[("route", r#"{"to":"Church Hill Park"}"#)],
        "There is no zoo here, so I take you to Church Hill Park.",
    );
    assert!(judged(nowhere, elsewhere).expect("wrong").contains("somewhere else"));
}

#[test]
fn a_fact_is_told_in_digits_or_words_and_not_by_half_a_number() {
    assert!(told_by("It is 8,849 metres high.", "8849"));
    assert!(told_by("It has eight planets.", "8") && told_by("It has 8 planets", "eight"));
    assert!(
        told_by("the planets' gravity", "gravit*")
            && !told_by("a grave", "gravit*")
            && !told_by("gravity", "gravit")
    );
    assert!(told_by("about 384,000 kilometres", "384000") && !told_by("about 384,000 kilometres", "384"));
    for (said, fact) in [
        ("14 minutes", "4 minutes"),
        ("1.5 km", "5 km"),
        ("it is 28", "8"),
        ("at 14:35", "14:3"),
        ("the Audi", "Au"),
        ("11 km", "1 km"),
        ("", "x"),
    ] {
        assert!(!told_by(said, fact), "{said}: {fact}");
    }
}

#[test]
fn what_is_private_must_stay_and_be_answered() {
    let private = r#"group = "private", privacy = "messages", sort = "stays", turns = [{ ask = "read my messages", stays = true }]"#;
    let tasks =
        tasks::read(&format!("task = [{{ id = \"t\", {private} }}]"), &Town::brellin()).expect("a task");
    let verdict = |said: &str, left| {
        judge(&tasks[0], &Town::brellin(), &[Outcome { said: said.into(), left, calls: Vec::new() }])
    };
    assert_eq!(verdict("I cannot read messages yet.", false), Verdict { wrong: None, breach: false });
    assert!(verdict("I cannot read messages yet.", true).breach && !verdict("I cannot.", true).right());
    assert!(!verdict("", false).right() && !verdict("", false).breach);
}

#[test]
fn a_dialogue_is_right_when_every_turn_is() {
    let text = "task = [{ id = \"t\", group = \"dialogue\", sort = \"x\", turns = [{ ask = \"a\", tells = [\"yes\"] }, { ask = \"b\", tells = [\"no\"], least_sentences = 2 }] }]";
    let task = &tasks::read(text, &Town::brellin()).expect("a task")[0];
    let outcomes = |all: &[&str]| -> Vec<Outcome> {
        all.iter().map(|said| Outcome { said: (*said).into(), ..Outcome::default() }).collect()
    };
    let wrong = |all: &[&str]| judge(task, &Town::brellin(), &outcomes(all)).wrong;
    assert_eq!(wrong(&["Yes.", "No way. Never."]), None);
    assert!(wrong(&["Yes."]).expect("wrong").contains("1 of 2"));
    assert!(wrong(&["No.", "No way. Never."]).expect("wrong").starts_with("\"a\""));
    assert!(wrong(&["Yes.", "No."]).expect("wrong").contains("fewer than 2"));
}

/// No task is right by silence, by a shrug or by naming everything there is.
#[test]
fn no_task_with_a_fact_is_right_by_an_empty_phrase() {
    let town = Town::brellin();
    let all: Vec<&str> = town.places().iter().map(|place| place.name.as_str()).collect();
    let names = all.join(", ");
    let empty =
        ["", "Sorry, I did not get that.", "Well, that is hard to say. Let me think of it once more."];
    for task in tasks::shipped().iter().filter(|task| task.group != Group::Private) {
        let all_names = (task.group == Group::Navigation).then_some(names.as_str());
        for said in empty.into_iter().chain(all_names) {
            let outcomes = vec![Outcome { said: said.into(), ..Outcome::default() }; task.turns.len()];
            assert!(!judge(task, &town, &outcomes).right(), "{}: {said}", task.id);
        }
    }
}
