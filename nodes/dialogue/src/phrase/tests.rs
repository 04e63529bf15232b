use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::{
    grounded::{Facts, grounded},
    navigation::{FindPlaces, Navigation, Situation},
    reply::Reply,
    session::Tools as _,
    told::Call,
    town::{Kind, Town},
};

static WORDS: LazyLock<Words> = LazyLock::new(Words::english);
static TOWN: LazyLock<Town> = LazyLock::new(Town::brellin);

/// What Jonas, who stands there, is told of these calls; and all of it as text, with what was asked for.
fn told_to(situation: Situation, calls: &[Call]) -> (Vec<Told>, String) {
    let tools = Navigation::new(TOWN.clone(), situation);
    let mut text = String::new();
    let told = calls.iter().enumerate().map(|(at, call)| {
        let call = call.tool_call(&at.to_string());
        let result = tools.call(&call).unwrap_or_default();
        [&call.arguments, " ", &result, " "].iter().for_each(|part| text.push_str(part));
        Told::read(&call, &result)
    });
    (told.collect(), text)
}

/// On the Old Bridge at 14:30.
const BRIDGE: Situation = Situation { east_m: 0.0, north_m: 0.0, minute_of_day: 14 * 60 + 30 };

fn find(kind: Kind, near: Option<&str>) -> Call {
    Call::Find(FindPlaces { kind, near: near.map(Into::into) })
}

#[test]
fn results_are_said_in_one_to_three_sentences() {
    let say = |say, calls: &[Call], brief| phrase(&WORDS, say, &told_to(BRIDGE, calls).0, brief);
    let cafe = find(Kind::Cafe, None);
    assert_eq!(
        say(Say::Nearest, std::slice::from_ref(&cafe), false),
        "The nearest cafe is Platform Nine Coffee on Station Avenue, 1 kilometre away, about 2 minutes by car. \
         There are also Cafe Anker and Old Mill Cafe."
    );
    assert_eq!(
        say(Say::Nearest, std::slice::from_ref(&cafe), true),
        "Platform Nine Coffee, about 2 minutes away."
    );
    assert_eq!(
        say(Say::Another(1), &[cafe], false),
        "The next is Cafe Anker on Harbour Street, 0.9 kilometres away, about 2 minutes by car. There is also Old Mill Cafe."
    );
    assert_eq!(
        say(Say::Nearest, &[find(Kind::Pharmacy, Some("Station Chargers"))], false),
        "The pharmacy closest to there is Linden Pharmacy on Linden Road, right there. There is also Market Pharmacy."
    );
    assert_eq!(
        say(Say::Way, &[Call::route("Saint Anne's Hospital")], false),
        "It's 1.3 kilometres to Saint Anne's Hospital, about 2 minutes. Take Old Bridge, then turn right into River Road, \
         then turn left into Hospital Way."
    );
    assert_eq!(
        say(Say::Way, &[Call::route("Saint Anne's Hospital")], true),
        "It's about 2 minutes to Saint Anne's Hospital. Take Old Bridge."
    );
    assert_eq!(
        say(Say::When, &[Call::eta("Brellin Airport")], false),
        "You'd be at Brellin Airport at 14:35, in about 5 minutes."
    );
    assert_eq!(
        say(Say::HowFar, &[Call::eta("Brellin Airport")], true),
        "It's 4 kilometres to Brellin Airport."
    );
    assert_eq!(say(Say::Nearest, &[], false), "");
    assert_eq!(say(Say::Way, &[Call::route("Nowhere")], false), "Sorry, that is not on the map.");
    let there = Situation { east_m: 200.0, ..BRIDGE };
    let told = told_to(there, &[Call::route("Museum of Salt")]).0;
    assert_eq!(phrase(&WORDS, Say::Way, &told, false), "You are at Museum of Salt already.");
}

#[test]
fn what_was_looked_for_and_what_was_asked_of_it_are_one_answer() {
    let (told, _) = told_to(BRIDGE, &[find(Kind::Cafe, None), Call::route("Platform Nine Coffee")]);
    assert_eq!(
        phrase(&WORDS, Say::Way, &told, false),
        "The nearest cafe is Platform Nine Coffee, 1 kilometre away, about 2 minutes. Take Old Bridge, then go straight on along Station Avenue."
    );
}

fn continued(so_far: &str, calls: &[Call]) -> String {
    continue_from(&WORDS, so_far, &told_to(BRIDGE, calls).0, false)
}

#[test]
fn an_open_sentence_is_finished_by_what_it_ends_with() {
    let cafe = [find(Kind::Cafe, None)];
    let also = " There are also Cafe Anker and Old Mill Cafe.";
    for (so_far, rest) in [
        (
            "The nearest cafe is Platform Ni",
            "Nine Coffee on Station Avenue, 1 kilometre away, about 2 minutes by car.",
        ),
        (
            "The nearest cafe is ",
            "Platform Nine Coffee. It's on Station Avenue, 1 kilometre away, about 2 minutes by car.",
        ),
        ("Platform Nine Coffee is on Stat", "Station Avenue. It's 1 kilometre away, about 2 minutes by car."),
        ("Platform Nine Coffee is on Station ", "Avenue, 1 kilometre away, about 2 minutes by car."),
        (
            "Platform Nine Coffee on Station Avenue is just 1 ",
            "kilometre by road. It's about 2 minutes by car.",
        ),
        ("Platform Nine Coffee on Station Avenue is 1 kilometre away and takes about ", "2 minutes."),
        ("Platform Nine Coffee on Station Avenue, ", "1 kilometre away, about 2 minutes by car."),
        (
            "I would say, all in ",
            "… There is Platform Nine Coffee on Station Avenue, 1 kilometre away, about 2 minutes by car.",
        ),
        (
            "Sure! ",
            "There is Platform Nine Coffee on Station Avenue, 1 kilometre away, about 2 minutes by car.",
        ),
    ] {
        assert_eq!(continued(so_far, &cafe), format!("{rest}{also}"), "{so_far}");
    }
    let way = [Call::route("Saint Anne's Hospital")];
    for (so_far, rest) in [
        (
            "It's 1.3 kilometres, 2 minutes. Take ",
            "Old Bridge, then turn right into River Road, then turn left into Hospital Way.",
        ),
        (
            "It's 1.3 km, 2 minutes. Take Old Bridge and turn ",
            "right into River Road, then turn left into Hospital Way.",
        ),
        (
            "It's 1.3 km, two minutes. Take Old Bridge, then ",
            "turn right into River Road, then turn left into Hospital Way.",
        ),
        (
            "It's 1.3 km, two minutes. Take Old Bridge, right into River ",
            "Road, then turn left into Hospital Way.",
        ),
        (
            "It's 1.3 km, two minutes. Take Old Bridge. ",
            "Then turn right into River Road, then turn left into Hospital Way.",
        ),
    ] {
        assert_eq!(continued(so_far, &way), rest, "{so_far}");
    }
    let eta = [Call::eta("Brellin Airport")];
    for (so_far, rest) in [
        ("You would arrive at ", "14:35. It's 4 kilometres away, about 5 minutes by car."),
        ("It takes about ", "5 minutes. You'd be there at 14:35."),
        ("It takes five minutes, so you would be there at 2:35. ", ""),
        ("It takes five minutes, so you would be there at 2:35. Have a good ", "trip."),
    ] {
        assert_eq!(continued(so_far, &eta), rest, "{so_far}");
    }
}

#[test]
fn without_results_an_open_sentence_is_told_to_be_lost() {
    assert_eq!(continued("Inflation is when ", &[]), "… I lost the connection there.");
    assert_eq!(continued("Inflation is when prices rise. ", &[]), "");
    assert_eq!(continued("", &[]), "");
}

/// Answers as talkative models give them, to the same results.
fn answers(told: &[Told]) -> Vec<String> {
    let mut all: Vec<String> = [false, true].map(|brief| phrase(&WORDS, usual(told), told, brief)).into();
    match told.last().expect("told") {
        Told::Found { found, .. } => {
            let [first, others @ ..] = found.places.as_slice() else { return all };
            let (name, street, km, minutes) = (&first.name, &first.street, first.distance_km, first.minutes);
            let also = others.iter().map(|place| place.name.as_str()).collect::<Vec<_>>().join(" or ");
            let also =
                if also.is_empty() { String::new() } else { format!(" Otherwise you could try {also}.") };
            all.push(format!("Good idea! The closest one is {name}, on {street}. It's only {km} km away, so you'd be there in about {minutes} minutes.{also} Enjoy your break!"));
            all.push(format!("You will find {name} on {street} – that is {km} kilometers from here, {minutes} min by car.{also} Shall I guide you there?"));
            all.push(format!(
                "On {street}, {minutes} minutes from here, there is {name}: {km} km in all.{also}"
            ));
            let each: Vec<String> = found
                .places
                .iter()
                .map(|place| {
                    format!(
                        "{} on {} ({} km, {} minutes)",
                        place.name, place.street, place.distance_km, place.minutes
                    )
                })
                .collect();
            all.push(format!("I found these: {}. Let me know which one you like.", each.join("; ")));
        }
        Told::Way(way) => {
            let (to, km, minutes) = (&way.to, way.distance_km, way.minutes);
            let streets: Vec<&str> = way.steps.iter().map(|step| step.street.as_str()).collect();
            let Some(first) = streets.first() else { return all };
            let turns: Vec<String> = way
                .steps
                .iter()
                .skip(1)
                .map(|step| {
                    format!(" Then go {:?} into {}.", step.turn.expect("a turn"), step.street)
                        .to_lowercase()
                        .replace(&step.street.to_lowercase(), &step.street)
                        .replace(" then", " Then")
                })
                .collect();
            all.push(format!("Sure! {to} is {km} km from here, about {minutes} minutes. First take {first}.{} Drive safely!", turns.concat()));
            all.push(format!(
                "Of course. Follow {} and you are at {to} in {minutes} minutes, after {km} kilometres.",
                streets.join(", then ")
            ));
        }
        Told::Arrival(arrival) => {
            let (to, km, minutes, at) = (&arrival.to, arrival.distance_km, arrival.minutes, &arrival.arrival);
            all.push(format!("If you leave now, you will arrive at {to} at {at}. The drive is {km} km and takes about {minutes} minutes. Have a good trip!"));
            all.push(format!("That's {minutes} minutes, so around {at}. It is {km} kilometres to {to}."));
        }
        Told::Refused => {}
    }
    all
}

/// The words of a text as they are counted here: numbers with their points and colons, everything else in lower case.
fn counted(text: &str) -> Vec<String> {
    let apart = |sign: char| !(sign.is_alphanumeric() || matches!(sign, '.' | ':' | '\''));
    let words = text.split(apart).map(|word| word.trim_matches(['.', ':', '\'']).to_lowercase());
    words
        .filter(|word| !word.is_empty())
        .map(|word| match word.as_str() {
            "km" | "kilometre" | "kilometres" | "kilometer" | "kilometers" => "km".into(),
            "min" | "minute" | "minutes" => "min".into(),
            _ => word,
        })
        .collect()
}

fn count(text: &[String], fact: &[String]) -> usize {
    text.windows(fact.len()).filter(|there| *there == fact).count()
}

/// What the results hold, each as it can be counted, with how often it is there.
fn facts_of(told: &[Told]) -> Vec<String> {
    let mut facts = Vec::new();
    for told in told {
        match told {
            Told::Found { found, .. } => {
                for place in &found.places {
                    facts.extend([
                        place.name.clone(),
                        place.street.clone(),
                        format!("{} km", place.distance_km),
                        format!("{} min", place.minutes),
                    ]);
                }
            }
            Told::Way(way) => {
                facts.extend([
                    way.to.clone(),
                    format!("{} km", way.distance_km),
                    format!("{} min", way.minutes),
                ]);
                facts.extend(way.steps.iter().map(|step| step.street.clone()));
            }
            Told::Arrival(at) => facts.extend([
                at.to.clone(),
                format!("{} km", at.distance_km),
                format!("{} min", at.minutes),
                at.arrival.clone(),
            ]),
            Told::Refused => {}
        }
    }
    facts
}

/// What must be heard in the end.
fn due_of(told: &[Told]) -> Vec<String> {
    match told.last().expect("told") {
        Told::Found { found, .. } => {
            let Some(first) = found.places.first() else { return Vec::new() };
            let mut due: Vec<String> = found.places.iter().map(|place| place.name.clone()).collect();
            due.push(first.street.clone());
            if first.minutes > 0 {
                due.extend([format!("{} km", first.distance_km), format!("{} min", first.minutes)]);
            }
            due
        }
        Told::Way(way) if way.minutes > 0 => {
            let streets = way.steps.iter().map(|step| step.street.clone());
            streets.chain([format!("{} km", way.distance_km), format!("{} min", way.minutes)]).collect()
        }
        Told::Arrival(at) if at.minutes > 0 => vec![at.arrival.clone(), format!("{} min", at.minutes)],
        _ => Vec::new(),
    }
}

/// Holds every cut of every answer against what must be and what must not be.
fn every_cut_is_finished(situation: Situation, calls: &[Call]) -> Result<usize, String> {
    let (told, text) = told_to(situation, calls);
    let named = Facts::from_text(&text);
    let all = |facts: Vec<String>| -> Vec<Vec<String>> { facts.iter().map(|fact| counted(fact)).collect() };
    let (facts, due) = (all(facts_of(&told)), all(due_of(&told)));
    let mut cuts = 0;
    for (number, answer) in answers(&told).into_iter().enumerate() {
        let brief = number == 1;
        let told_by_it = counted(&answer);
        // A fact that two places share may be told of both.
        let most = |fact: &Vec<String>| {
            let shared = facts.iter().filter(|other| count(other, fact) > 0).count();
            shared.max(count(&told_by_it, fact))
        };
        let most: Vec<usize> = facts.iter().map(most).collect();
        for cut in (0..=answer.len()).filter(|at| answer.is_char_boundary(*at)) {
            let so_far = &answer[..cut];
            let stands = whole_words(so_far);
            let rest = continue_from(&WORDS, so_far, &told, brief);
            let whole = format!("{stands}{rest}");
            let wrong =
                |what: String| Err(format!("{what}\nanswer: {answer}\nstands: {stands}|\nrest: {rest}"));
            if let Err(error) = grounded(&rest, &named) {
                return wrong(format!("{error}"));
            }
            let heard = counted(&whole);
            if let Some((fact, _)) = facts.iter().zip(&most).find(|(fact, most)| count(&heard, fact) > **most)
            {
                return wrong(format!("{fact:?} is told twice"));
            }
            if !brief && let Some(lost) = due.iter().find(|fact| count(&heard, fact) == 0) {
                return wrong(format!("{lost:?} is never told"));
            }
            if !whole.trim_end().ends_with(['.', '!', '?', '…']) {
                return wrong("it does not end".into());
            }
            if rest.contains("  ") || rest.contains(" ,") || rest.contains("..") || rest.contains('{') {
                return wrong("it is badly put".into());
            }
            cuts += 1;
        }
    }
    Ok(cuts)
}

#[test]
fn an_answer_cut_at_every_byte_is_finished_with_nothing_lost_nothing_twice_and_nothing_made_up() {
    let mut cuts = 0;
    let edge = Situation { east_m: -1890.0, north_m: 690.0, minute_of_day: 23 * 60 + 57 };
    for situation in [BRIDGE, edge] {
        for kind in [Kind::Cafe, Kind::Fuel, Kind::Pharmacy, Kind::Museum] {
            cuts += every_cut_is_finished(situation, &[find(kind, None)]).expect("finished");
        }
        for near in ["Brellin Airport", "Old Mill Cafe"] {
            cuts += every_cut_is_finished(situation, &[find(Kind::Parking, Some(near))]).expect("finished");
        }
        for to in [
            "Saint Anne's Hospital",
            "Brellin Airport",
            "Forest Lodge",
            "Hotel Queen's Bridge",
            "Church Hill Park",
        ] {
            cuts += every_cut_is_finished(situation, &[Call::route(to)]).expect("finished");
            cuts += every_cut_is_finished(situation, &[Call::eta(to)]).expect("finished");
        }
    }
    assert!(cuts > 10_000, "{cuts}");
    println!("{cuts} cuts");
}

#[test]
fn the_dialogue_puts_the_end_behind_the_beginning_as_it_is() {
    let (told, text) = told_to(BRIDGE, &[find(Kind::Cafe, None)]);
    for answer in answers(&told) {
        for cut in (1..answer.len()).filter(|at| answer.is_char_boundary(*at)) {
            let mut reply = Reply::default();
            reply.know(Facts::from_text(&text));
            reply.cloud(&answer[..cut]);
            reply.ready(None);
            let so_far = reply.so_far();
            assert_eq!(so_far, whole_words(&answer[..cut]));
            reply.hand_over();
            let rest = continue_from(&WORDS, &so_far, &told, false);
            reply.local(&rest);
            reply.ready(None);
            reply.finish(false);
            assert_eq!(reply.left_out().repeated, 0, "{so_far}|{rest}");
            if reply.left_out().ungrounded == 0 {
                assert_eq!(reply.said(), format!("{so_far}{rest}"));
            } else {
                // What is left out is the cloud's own beginning of a sentence, with a name of its own.
                let open = so_far.rsplit(['.', '!', '?']).next().expect("a sentence").to_owned();
                assert!(grounded(&open, &Facts::from_text(&text)).is_err(), "{so_far}|{rest}");
            }
        }
    }
}

fn anywhere() -> impl Strategy<Value = Situation> {
    (-3000.0..3300.0f64, -1500.0..1100.0f64, 0u32..1440)
        .prop_map(|(east_m, north_m, minute_of_day)| Situation { east_m, north_m, minute_of_day })
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let places = TOWN.places().len();
    let name = |at: usize| TOWN.places()[at].name.clone();
    prop_oneof![
        (0usize..13, prop::option::of(0..places))
            .prop_map(move |(kind, near)| vec![find(Kind::ALL[kind], near.map(name).as_deref())]),
        (0..places).prop_map(move |at| vec![Call::route(&name(at))]),
        (0..places).prop_map(move |at| vec![Call::eta(&name(at))]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_told_wherever_it_is_said_as_it_is(situation in anywhere(), calls in calls(), brief: bool, at in 0usize..3) {
        let (told, text) = told_to(situation, &calls);
        for say in [Say::Nearest, Say::Another(at), Say::Way, Say::HowLong, Say::When, Say::HowFar] {
            let said = phrase(&WORDS, say, &told, brief);
            prop_assert_eq!(grounded(&said, &Facts::from_text(&text)), Ok(()), "{}", said);
            let mut sentences = Sentences::default();
            sentences.push(&format!("{said} "));
            let count = std::iter::from_fn(|| sentences.whole()).count() + usize::from(!sentences.rest().trim().is_empty());
            prop_assert!((1..=4).contains(&count), "{}", said);
        }
    }

    #[test]
    fn whatever_was_told_every_cut_of_it_is_finished(situation in anywhere(), calls in calls()) {
        if let Err(wrong) = every_cut_is_finished(situation, &calls) {
            return Err(TestCaseError::fail(wrong));
        }
    }

    #[test]
    fn any_text_is_gone_on_from_without_harm(text in "(?s).{0,80}", tail in "(The|is|on|Old|Station|4|1.5|km|,|turn|right|into| ){0,12}") {
        let (told, text_of) = told_to(BRIDGE, &[find(Kind::Cafe, None), Call::route("Cafe Anker")]);
        let rest = continue_from(&WORDS, &format!("{text} {tail}"), &told, false);
        prop_assert_eq!(grounded(&rest, &Facts::from_text(&text_of)), Ok(()), "{}", rest);
    }
}

/// Two look-ups, from two places: each length and time is told from where it is, no place that was not meant is named, and a sentence whose end is
/// not known is left.
#[test]
fn what_is_near_to_somewhere_else_is_told_from_there_wherever_the_answer_is_cut() {
    let here = Situation { east_m: -200.0, north_m: 0.0, minute_of_day: 600 };
    for (kind, near, whole) in [
        (
            Kind::Restaurant,
            "Brellin Airport",
            "Good idea! Close to your way to Brellin Airport there is Lotus Garden on Station Avenue, 2.3 kilometres from there. The drive to \
             Brellin Airport itself takes about 5 minutes. Enjoy your meal and let me know if you need more. ",
        ),
        (
            Kind::Charging,
            "Saint Anne's Hospital",
            "The nearest charging station to there is Station Chargers on Station Avenue, 0.4 kilometres from there. You will arrive at Saint \
             Anne's Hospital at 10:02, after a drive of about 2 minutes. Have a safe trip! ",
        ),
    ] {
        let (told, _) = told_to(here, &[find(kind, Some(near)), Call::eta(near)]);
        let Some(Told::Found { found, .. }) = told.first() else { panic!("{told:?}") };
        let (first, other) = (&found.places[0], &found.places[1]);
        let from_there = [
            format!("{} kilometres", first.distance_km),
            format!("{} minute by", first.minutes),
            format!("{} minutes by", first.minutes),
        ];
        for (cut, _) in whole.match_indices(' ') {
            let rest = continue_from(&WORDS, &whole[..=cut], &told, false);
            let all = format!("{}{rest}", &whole[..=cut]);
            assert!(!rest.contains(other.name.as_str()) && !rest.contains(" here"), "{all}");
            assert!(!rest.contains("safely") && !all.contains("there is 4"), "{all}");
            // Its own time by car may be the same as that from there.
            let of_another =
                |sentence: &str| sentence.contains(&format!("{near} is")) || sentence.contains("The drive");
            for sentence in all.split_inclusive(". ").filter(|sentence| !of_another(sentence)) {
                let measured = from_there.iter().any(|fact| sentence.contains(fact.as_str()));
                assert!(
                    !measured
                        || sentence.contains("from there")
                        || sentence.contains(&format!("from {near}")),
                    "{all}"
                );
            }
        }
    }
}
