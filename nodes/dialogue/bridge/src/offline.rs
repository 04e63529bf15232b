//! Answers about the way without a model: what the planner understands is asked of the map's tools and put into words, and an answer of
//! the cloud that broke off after its tools had told is finished from what they told. What it says is true of the map, and at once there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use troika_dialogue::{
    Before, Navigation, Plan, Planner, Told, Tools,
    chat::{Message, ToolCall, ToolSpec},
    phrase::{continue_from, phrase, tells_of, usual},
};

use crate::local::{Known, Offline, asked};

/// The map, and what was said before.
pub struct OnTheMap {
    planner: Planner,
    navigation: Navigation,
    before: Arc<Mutex<Before>>,
}

/// The map's tools, which remember what they told, whoever called them: "take me there" may follow on an answer of the cloud.
pub struct Remembering {
    navigation: Navigation,
    before: Arc<Mutex<Before>>,
}

impl Tools for Remembering {
    fn specs(&self) -> Vec<ToolSpec> {
        self.navigation.specs()
    }

    fn call(&self, call: &ToolCall) -> Result<String, String> {
        let result = self.navigation.call(call)?;
        let mut before = lock(&self.before);
        before.not_planned();
        before.told(&Told::read(call, &result));
        Ok(result)
    }
}

fn lock(before: &Mutex<Before>) -> MutexGuard<'_, Before> {
    before.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OnTheMap {
    /// With a planner of the same map as the tools'.
    pub fn new(planner: Planner, navigation: Navigation) -> OnTheMap {
        OnTheMap { planner, navigation, before: Arc::default() }
    }

    /// The same map's tools, for the models.
    pub fn tools(&self) -> Remembering {
        Remembering { navigation: self.navigation.clone(), before: self.before.clone() }
    }
}

impl Offline for OnTheMap {
    fn answer(&self, messages: &[Message], so_far: &str, brief: bool) -> Known {
        let mut before = lock(&self.before);
        if !messages.iter().any(|message| matches!(message, Message::Assistant(_))) {
            *before = Before::default();
        }
        let Some(question) = asked(messages) else { return Known::Nothing };
        let told = Told::all(messages);
        let words = self.planner.words();
        if !told.is_empty() {
            // Whether what the tools told is all that was asked for is not known of a question that is not understood: the first of three look-ups
            // would pass for the answer. Where the answer has begun to tell of it, the cloud had called what it wanted.
            let understood = self.planner.plan(&before, question).is_some();
            told.iter().for_each(|one| before.told(one));
            if !understood && !tells_of(words, so_far, &told) {
                return Known::Unsure;
            }
            return Known::Rest(match so_far.trim() {
                "" => phrase(words, usual(&told), &told, brief),
                _ => continue_from(words, so_far, &told, brief),
            });
        }
        if !so_far.trim().is_empty() {
            return Known::Nothing;
        }
        let Some(plan) = self.planner.plan(&before, question) else {
            before.not_planned();
            return Known::Nothing;
        };
        before.planned(&plan);
        let say = match &plan {
            Plan::AskBack { say, .. } => return Known::Rest(say.clone()),
            Plan::Call { say, .. } => *say,
        };
        let told = plan.carry_out(|call| self.navigation.call(call));
        told.iter().for_each(|one| before.told(one));
        match phrase(words, say, &told, brief) {
            nothing if nothing.is_empty() => Known::Nothing,
            text => Known::Rest(text),
        }
    }

    fn part(&self, question: &str) -> Option<String> {
        let plan = self.planner.named(question)?;
        let Plan::Call { say, .. } = plan else { return None };
        let told = plan.carry_out(|call| self.navigation.call(call));
        let mut before = lock(&self.before);
        before.planned(&plan);
        told.iter().for_each(|one| before.told(one));
        let what = phrase(self.planner.words(), say, &told, false);
        (!what.is_empty()).then(|| self.planner.part(&what))
    }

    fn help(&self) -> Option<String> {
        Some(self.planner.help())
    }
}

#[cfg(test)]
mod tests {
    use troika_dialogue::{Situation, Town, Words, chat::ToolCall};

    use super::*;

    fn on_the_map() -> OnTheMap {
        let here = Situation { east_m: -200.0, north_m: 0.0, minute_of_day: 600 };
        let planner = Planner::new(Words::english(), Town::brellin());
        OnTheMap::new(planner, Navigation::new(Town::brellin(), here))
    }

    fn rest(known: Known) -> Option<String> {
        if let Known::Rest(text) = known { Some(text) } else { None }
    }

    fn asked(text: &str) -> Vec<Message> {
        vec![Message::System("short".into()), Message::User(text.into())]
    }

    #[test]
    fn a_question_about_the_way_is_answered_from_the_map_and_what_follows_on_it_too() {
        let map = on_the_map();
        let first = rest(map.answer(&asked("where is the nearest cafe"), "", false)).expect("planned");
        assert!(first.contains("Cafe"), "{first}");
        let mut messages = asked("where is the nearest cafe");
        messages.extend([Message::Assistant(first), Message::User("how long would that take".into())]);
        let second = rest(map.answer(&messages, "", false)).expect("it follows");
        assert!(second.contains("minute"), "{second}");
        assert_eq!(map.answer(&asked("who painted the mona lisa"), "", false), Known::Nothing);
        assert_eq!(map.answer(&asked("why is the sky blue"), "The sky is ", false), Known::Nothing);
    }

    #[test]
    fn of_a_question_that_nobody_answers_what_the_map_knows_is_told_as_a_part() {
        let map = on_the_map();
        let said = map
            .part("where can I eat something vegetarian on the way to the airport")
            .expect("a kind is named");
        assert!(
            said.starts_with("I cannot answer all of that") && said.contains("The nearest restaurant is"),
            "{said}"
        );
        let said = map.part("is Brellin Airport crowded in summer").expect("a place is named");
        assert!(said.contains("Brellin Airport"), "{said}");
        assert_eq!(map.part("who painted the mona lisa"), None);
        assert!(map.help().expect("told").contains("cafes"));
    }

    #[test]
    fn what_the_cloud_asked_the_tools_is_followed_on_too() {
        let map = on_the_map();
        rest(map.answer(&asked("where is the nearest cafe"), "", false)).expect("planned");
        let arguments = "{\"to\":\"Museum of Salt\"}".to_owned();
        map.tools().call(&ToolCall { id: "a".into(), name: "eta".into(), arguments }).expect("it is there");
        let mut messages = asked("and the museum");
        messages.extend([Message::Assistant("In 5 minutes.".into()), Message::User("take me there".into())]);
        let answer = rest(map.answer(&messages, "", false)).expect("it follows");
        assert!(answer.contains("Museum of Salt"), "{answer}");
    }

    #[test]
    fn an_answer_that_was_cut_is_finished_from_what_the_tools_told() {
        let map = on_the_map();
        let call =
            ToolCall { id: "a".into(), name: "find_places".into(), arguments: "{\"kind\":\"cafe\"}".into() };
        let result = map.navigation.call(&call).expect("cafes");
        let mut messages = asked("is there a cafe near");
        messages.extend([Message::Calls(vec![call]), Message::Tool { id: "a".into(), result }]);
        let whole = rest(map.answer(&messages, "", false)).expect("told");
        assert!(whole.contains("Cafe"), "{whole}");
        let so_far = "There is a cafe not far from here. The ";
        let rest = rest(map.answer(&messages, so_far, false)).expect("finished");
        assert!(rest.contains("Cafe") && !rest.contains("not far from here"), "{rest}");
    }

    /// What the cloud's stand-in asks and says of where to eat on the way, cut anywhere: no place is named by itself, none is left out, and no
    /// length is told from elsewhere than it is.
    #[test]
    fn a_question_that_is_not_understood_is_finished_where_the_answer_has_begun_and_not_before() {
        let map = on_the_map();
        let question = "where can I eat on the way to the airport";
        let call = |id: &str, name: &str, arguments: &str| ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
        };
        let calls = [
            call("a", "find_places", "{\"kind\":\"restaurant\",\"near\":\"Brellin Airport\"}"),
            call("b", "eta", "{\"to\":\"Brellin Airport\"}"),
        ];
        let told = |count: usize| {
            let mut messages = asked(question);
            for call in &calls[..count] {
                let result = map.navigation.call(call).expect("it is on the map");
                messages.extend([
                    Message::Calls(vec![call.clone()]),
                    Message::Tool { id: call.id.clone(), result },
                ]);
            }
            messages
        };
        // Something was found; whether the way was asked for too is not known.
        assert_eq!(map.answer(&told(1), "", false), Known::Unsure);
        assert_eq!(map.answer(&told(1), "Good idea! ", false), Known::Unsure);
        let found = Told::all(&told(2));
        let Some(Told::Found { found, .. }) = found.first() else { panic!("{found:?}") };
        let (first, km) = (&found.places[0], found.places[0].distance_km);
        let whole = format!(
            "Good idea! Close to your way to Brellin Airport there is {} on {}, {km} kilometres from there. The drive to Brellin Airport \
             itself takes about 5 minutes. ",
            first.name, first.street
        );
        for (cut, _) in whole.match_indices(' ') {
            let so_far = &whole[..=cut];
            let known = map.answer(&told(2), so_far, false);
            if !so_far.contains("Brellin Airport") {
                assert_eq!(known, Known::Unsure, "{so_far}");
                continue;
            }
            let rest = rest(known).expect("finished");
            let all = format!("{so_far}{rest}");
            assert!(all.contains(first.name.as_str()), "{all}");
            assert!(!all.contains("kilometres by road"), "{all}");
            assert!(!all.contains("to Brellin Airport Road"), "{all}");
            for sentence in all.split_inclusive(['.', '!', '?', '…']) {
                let bare = sentence.trim().trim_end_matches('.');
                let only_a_name =
                    found.places.iter().any(|place| bare.trim_start_matches("The ") == place.name);
                assert!(!only_a_name, "{all}");
            }
        }
    }
}
