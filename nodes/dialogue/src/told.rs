//! What tools told, read back from the messages of a turn. Pure.

use crate::{
    chat::{Message, ToolCall},
    navigation::{Arrival, EtaTo, FindPlaces, Found, RouteTo, Way},
};

/// What a tool told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Places, best first.
    Found {
        /// What was asked for, where its arguments can be read.
        asked: Option<FindPlaces>,
        /// Them.
        found: Found,
    },
    /// A way.
    Way(Way),
    /// A time of arrival.
    Arrival(Arrival),
    /// Nothing: why not is for a model to read.
    Refused,
}

impl Told {
    /// The result of a call.
    pub fn read(call: &ToolCall, result: &str) -> Told {
        let told = match call.name.as_str() {
            "find_places" => serde_json::from_str(result)
                .map(|found| Told::Found { asked: serde_json::from_str(&call.arguments).ok(), found }),
            "route" => serde_json::from_str(result).map(Told::Way),
            "eta" => serde_json::from_str(result).map(Told::Arrival),
            _ => return Told::Refused,
        };
        told.unwrap_or(Told::Refused)
    }

    /// All results of a turn, in their order.
    pub fn all(messages: &[Message]) -> Vec<Told> {
        let results = |id: &str| {
            messages.iter().find_map(|message| match message {
                Message::Tool { id: of, result } if of == id => Some(result.as_str()),
                _ => None,
            })
        };
        let calls = messages.iter().flat_map(|message| match message {
            Message::Calls(calls) => calls.as_slice(),
            _ => &[],
        });
        calls.filter_map(|call| Some(Told::read(call, results(&call.id)?))).collect()
    }
}

/// A call of a navigation tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Places of a kind.
    Find(FindPlaces),
    /// The way to a place.
    Route(RouteTo),
    /// When the vehicle would be there.
    Eta(EtaTo),
}

impl Call {
    /// The way to there.
    pub fn route(to: &str) -> Call {
        Call::Route(RouteTo { to: to.into() })
    }

    /// When the vehicle would be there.
    pub fn eta(to: &str) -> Call {
        Call::Eta(EtaTo { to: to.into() })
    }

    /// As a model would call it.
    pub fn tool_call(&self, id: &str) -> ToolCall {
        let (name, arguments) = match self {
            Call::Find(asked) => ("find_places", serde_json::to_string(asked)),
            Call::Route(asked) => ("route", serde_json::to_string(asked)),
            Call::Eta(asked) => ("eta", serde_json::to_string(asked)),
        };
        // Strings and names of kinds: there is nothing in them that JSON has no word for.
        ToolCall { id: id.into(), name: name.into(), arguments: arguments.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
        ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
    }

    #[test]
    fn results_are_found_by_their_calls_whatever_their_order() {
        let messages = [
            Message::User("?".into()),
            Message::Calls(vec![
                call("a", "eta", r#"{"to":"X"}"#),
                call("b", "find_places", r#"{"kind":"cafe"}"#),
            ]),
            Message::Tool { id: "b".into(), result: r#"{"places":[]}"#.into() },
            Message::Tool { id: "a".into(), result: r#"{"error":"there is no place \"X\""}"#.into() },
            Message::Calls(vec![call("c", "window.open", "{}")]),
            Message::Tool { id: "c".into(), result: r#"{"places":[]}"#.into() },
        ];
        let told = Told::all(&messages);
        assert_eq!(told.len(), 3);
        assert_eq!(told[0], Told::Refused);
        let Told::Found { asked: Some(asked), found } = &told[1] else { panic!("{told:?}") };
        assert_eq!((asked.kind, found.places.len()), (crate::town::Kind::Cafe, 0));
        assert_eq!(told[2], Told::Refused);
    }

    #[test]
    fn a_call_is_what_the_tool_takes() {
        let call = Call::route("Ferryman's Table").tool_call("1");
        assert_eq!((call.name.as_str(), call.arguments.as_str()), ("route", r#"{"to":"Ferryman's Table"}"#));
        let find = FindPlaces { kind: crate::town::Kind::Cafe, near: None };
        assert_eq!(Call::Find(find).tool_call("1").arguments, r#"{"kind":"cafe"}"#);
    }
}
