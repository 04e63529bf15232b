//! From what was understood to the tool that answers it.

use crate::{
    navigation::FindPlaces,
    told::Call,
    town::{Kind, Town},
    words::{Slot, Template, Words},
};

use super::{
    Before, Plan, Say, Want,
    heard::{Earlier, Heard, Near, alike},
};

/// Names in one sentence that can be listened to.
const MOST_NAMES: usize = 3;
/// Kinds of places in one sentence.
const MOST_KINDS: usize = 6;

/// Where somebody wants to go.
enum To {
    Place(String),
    FirstOf(FindPlaces),
    Nowhere,
    Ask(String),
}

pub(super) fn plan(words: &Words, town: &Town, before: &Before, heard: &Heard) -> Option<Plan> {
    let asks = Asks { words, town, before };
    if heard.places.len() > 1 || heard.kinds.len() > 1 {
        return None;
    }
    let before_want = match before.want {
        // "And to the airport?", after a search.
        Some(Want::Find) if heard.to_it => Some(Want::Route),
        other => other,
    };
    let want = heard.want.or(if heard.kinds.is_empty() || heard.to_it { before_want } else { None });
    let ask_back = |say: String, want: Want| Some(Plan::AskBack { say, want });
    if let Some(unknown) = &heard.unknown {
        return ask_back(asks.unknown(unknown), want.unwrap_or(Want::Route));
    }
    let near = match asks.near(heard) {
        Ok(near) => near?,
        Err(say) => return ask_back(say, Want::Find),
    };
    if let Some(plan) = asks.of_the_list(heard, want) {
        return plan;
    }
    let to = asks.to(heard, want, near)?;
    let Some(want) = want else {
        return match to {
            To::FirstOf(find) => Some(Plan::call(Call::Find(find), Say::Nearest)),
            To::Place(name) => Some(Plan::call(Call::route(&name), Say::Way)),
            To::Ask(say) => ask_back(say, Want::Route),
            To::Nowhere => None,
        };
    };
    match (to, want) {
        (To::Ask(say), want) => ask_back(say, want),
        (To::Nowhere, _) => None,
        (To::Place(name), Want::Find | Want::Route) => Some(Plan::call(Call::route(&name), Say::Way)),
        (To::Place(name), want) => Some(Plan::call(Call::eta(&name), say(want))),
        (To::FirstOf(find), Want::Find) => Some(Plan::call(Call::Find(find), Say::Nearest)),
        // What is found is told with its distance from where it was looked for.
        (To::FirstOf(find), Want::HowFar | Want::HowLong) if find.near.is_none() => {
            Some(Plan::call(Call::Find(find), Say::Nearest))
        }
        (To::FirstOf(find), want) => {
            Some(Plan::Call { call: Call::Find(find), then: Some(want), say: say(want) })
        }
    }
}

fn say(want: Want) -> Say {
    match want {
        Want::Find => Say::Nearest,
        Want::Route => Say::Way,
        Want::HowLong => Say::HowLong,
        Want::When => Say::When,
        Want::HowFar => Say::HowFar,
    }
}

struct Asks<'a> {
    words: &'a Words,
    town: &'a Town,
    before: &'a Before,
}

impl Asks<'_> {
    /// What a search is near to. Ok(None): it goes back to something that was not said.
    fn near(&self, heard: &Heard) -> Result<Option<Option<String>>, String> {
        Ok(match &heard.near {
            None | Some(Near::Here) => Some(None),
            Some(Near::Back) => self.before.place.clone().map(Some),
            Some(Near::Place(at)) => self.town.places().get(*at).map(|place| Some(place.name.clone())),
            Some(Near::Kind(kind)) => Some(Some(self.the(*kind)?)),
            Some(Near::Unknown(what)) => return Err(self.unknown(what)),
        })
    }

    /// The one of this kind that is meant.
    fn the(&self, kind: Kind) -> Result<String, String> {
        let all: Vec<&str> = self.all(kind);
        let named = self.before.place.as_deref().filter(|name| all.contains(name));
        match (named, all.as_slice()) {
            (Some(name), _) => Ok(name.to_owned()),
            (None, [name]) => Ok((*name).to_owned()),
            (None, []) => Err(self.unknown(&self.one(kind))),
            (None, _) => {
                let given =
                    [(Slot::Kind, self.one(kind)), (Slot::Names, self.list(&all, &self.words.say.or))];
                Err(fill(self.words.ask_back.which.get_ref(), &given))
            }
        }
    }

    fn all(&self, kind: Kind) -> Vec<&str> {
        self.town
            .places()
            .iter()
            .filter(|place| place.kind == kind)
            .map(|place| place.name.as_str())
            .collect()
    }

    fn one(&self, kind: Kind) -> String {
        self.words.kind(kind).map(|kind| kind.one.clone()).unwrap_or_default()
    }

    /// The next, the second, the last of the places that were found. Some(None): there were none.
    fn of_the_list(&self, heard: &Heard, want: Option<Want>) -> Option<Option<Plan>> {
        let earlier = heard.earlier.filter(|earlier| *earlier != Earlier::Named)?;
        let (search, found) = match &self.before.search {
            Some((search, found)) if !found.is_empty() => (search, found),
            _ => return Some(None),
        };
        if !heard.places.is_empty() {
            return Some(None);
        }
        // "Another pharmacy" after a cafe is a search of its own.
        if heard.kinds.first().is_some_and(|kind| *kind != search.kind) {
            return if earlier == Earlier::Next { None } else { Some(None) };
        }
        let at = match earlier {
            Earlier::Nth(at) => at,
            Earlier::Last => found.len() - 1,
            _ => self.before.at + 1,
        };
        let Some(name) = found.get(at) else {
            let names: Vec<&str> = found.iter().map(String::as_str).collect();
            let given = [(Slot::Names, self.list(&names, &self.words.say.and))];
            let say = fill(self.words.ask_back.only.get_ref(), &given);
            return Some(Some(Plan::AskBack { say, want: want.unwrap_or(Want::Find) }));
        };
        Some(Some(match want {
            _ if earlier == Earlier::Next => Plan::call(Call::Find(search.clone()), Say::Another(at)),
            None | Some(Want::Find | Want::Route) => Plan::call(Call::route(name), Say::Way),
            Some(want) => Plan::call(Call::eta(name), say(want)),
        }))
    }

    fn to(&self, heard: &Heard, want: Option<Want>, near: Option<String>) -> Option<To> {
        let place = heard.places.first().and_then(|at| self.town.places().get(*at));
        match (place, heard.kinds.first()) {
            // A place with something near it, or of another kind, says more than is understood.
            (Some(place), None) if near.is_none() => Some(To::Place(place.name.clone())),
            (Some(place), Some(kind)) if near.is_none() && place.kind == *kind => {
                Some(To::Place(place.name.clone()))
            }
            (Some(_), _) => None,
            (None, Some(kind)) => {
                let find = FindPlaces { kind: *kind, near };
                let looks = matches!(want, None | Some(Want::Find));
                if looks || heard.any_one || find.near.is_some() {
                    return Some(To::FirstOf(find));
                }
                Some(self.the(*kind).map_or_else(To::Ask, To::Place))
            }
            (None, None) => {
                let near_what = heard.near.is_some().then(|| self.before.search.clone()).flatten();
                if let Some((search, _)) = near_what {
                    return Some(To::FirstOf(FindPlaces { kind: search.kind, near }));
                }
                // "How long would that take": of what was named. A question that names nothing is none.
                let goes_back = heard.near.is_none() && heard.want.is_some();
                match &self.before.place {
                    Some(name) if goes_back => Some(To::Place(name.clone())),
                    _ => Some(To::Nowhere),
                }
            }
        }
    }

    /// There is no such place; there is that.
    fn unknown(&self, what: &str) -> String {
        let said: Vec<&str> = what.split(' ').collect();
        let like = self.town.places().iter().filter(|place| {
            let shares = |name: &Vec<String>| {
                name.iter().any(|word| word.len() > 2 && said.iter().any(|said| alike(said, word)))
            };
            place.names().any(|name| shares(&name))
        });
        let like: Vec<&str> = like.take(MOST_NAMES).map(|place| place.name.as_str()).collect();
        let kinds = kinds(self.words, self.town);
        let mut streets = self.town.streets().iter();
        let street = streets.find(|street| self.words.heard(street).iter().eq(said.iter()));
        if let Some(street) = street {
            let given = [
                (Slot::What, street.to_string()),
                (Slot::Town, self.town.name().to_owned()),
                (Slot::Names, self.list(&kinds, &self.words.say.or)),
            ];
            return fill(self.words.ask_back.street.get_ref(), &given);
        }
        let (template, names) = if like.is_empty() {
            (&self.words.ask_back.unknown, self.list(&kinds, &self.words.say.or))
        } else {
            (&self.words.ask_back.did_you_mean, self.list(&like, &self.words.say.and))
        };
        let given =
            [(Slot::What, what.to_owned()), (Slot::Town, self.town.name().to_owned()), (Slot::Names, names)];
        fill(template.get_ref(), &given)
    }

    fn list(&self, names: &[&str], last: &str) -> String {
        self.words.list(names, last)
    }
}

/// Some kinds of places that the map has, in the plural.
pub(super) fn kinds<'a>(words: &'a Words, town: &Town) -> Vec<&'a str> {
    let is_there = |kind: &Kind| town.places().iter().any(|place| place.kind == *kind);
    let there = Kind::ALL.into_iter().filter(is_there);
    there.filter_map(|kind| Some(words.kind(kind)?.many.as_str())).take(MOST_KINDS).collect()
}

fn fill(template: &Template, given: &[(Slot, String)]) -> String {
    let given: Vec<(Slot, &str)> = given.iter().map(|(slot, value)| (*slot, value.as_str())).collect();
    template.say(&given)
}
