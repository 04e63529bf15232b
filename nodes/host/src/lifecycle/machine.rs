//! ROS 2's life cycle of a node, as `rcl_lifecycle` has it (its `default_state_machine.c`, Jazzy; design.ros2.org, "Managed nodes").
//! Pure. States and transitions have the numbers and names of `lifecycle_msgs`.

use troika_msgs::lifecycle_msgs::{
    State as StateMessage, Transition as TransitionMessage, TransitionDescription,
};

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $id:literal $label:literal,)*) => {
        /// Where a node is in its life: primary states, and the states of a transition that is under way.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum State { $($(#[$doc])* $name = $id,)* }

        impl State {
            /// All of them, in the order of their numbers.
            pub const ALL: &[State] = &[$(State::$name),*];

            /// As in `lifecycle_msgs`.
            pub const fn label(self) -> &'static str {
                match self { $(State::$name => $label,)* }
            }
        }
    };
}

states! {
    /// Not known; nothing is ever in it.
    Unknown = 0 "unknown",
    /// There is nothing of it but its name and its services.
    Unconfigured = 1 "unconfigured",
    /// Made, and on its topics, but it does nothing.
    Inactive = 2 "inactive",
    /// It works.
    Active = 3 "active",
    /// It is over.
    Finalized = 4 "finalized",
    /// To inactive.
    Configuring = 10 "configuring",
    /// To unconfigured.
    CleaningUp = 11 "cleaningup",
    /// To finalized.
    ShuttingDown = 12 "shuttingdown",
    /// To active.
    Activating = 13 "activating",
    /// To inactive.
    Deactivating = 14 "deactivating",
    /// To unconfigured, or to finalized.
    ErrorProcessing = 15 "errorprocessing",
}

impl State {
    /// The state of this number.
    pub fn of(id: u8) -> Option<State> {
        State::ALL.iter().copied().find(|state| *state as u8 == id)
    }

    /// As on the wire.
    pub fn message(self) -> StateMessage {
        StateMessage { id: self as u8, label: self.label().to_owned() }
    }
}

/// One arrow of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// As in `lifecycle_msgs`.
    pub id: u8,
    /// What it is called.
    pub label: &'static str,
    /// Where it begins.
    pub from: State,
    /// Where it ends.
    pub to: State,
}

impl Transition {
    /// As on the wire.
    pub fn message(&self) -> TransitionMessage {
        TransitionMessage { id: self.id, label: self.label.to_owned() }
    }

    /// As on the wire, with its ends.
    pub fn description(&self) -> TransitionDescription {
        TransitionDescription {
            transition: self.message(),
            start_state: self.from.message(),
            goal_state: self.to.message(),
        }
    }
}

/// How what a transition asks of a node went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Success,
    /// Not done, and nothing is changed.
    Failure,
    /// Half done.
    Error,
}

const fn arrow(id: u8, label: &'static str, from: State, to: State) -> Transition {
    Transition { id, label, from, to }
}

/// The whole graph, in the order in which `rcl_lifecycle` gives it.
pub const GRAPH: &[Transition] = {
    use State::{
        Activating, Active, CleaningUp, Configuring, Deactivating, ErrorProcessing, Finalized, Inactive,
        ShuttingDown, Unconfigured,
    };
    const SUCCESS: &str = "transition_success";
    const FAILURE: &str = "transition_failure";
    const ERROR: &str = "transition_error";
    &[
        arrow(1, "configure", Unconfigured, Configuring),
        arrow(10, SUCCESS, Configuring, Inactive),
        arrow(11, FAILURE, Configuring, Unconfigured),
        arrow(12, ERROR, Configuring, ErrorProcessing),
        arrow(2, "cleanup", Inactive, CleaningUp),
        arrow(20, SUCCESS, CleaningUp, Unconfigured),
        arrow(21, FAILURE, CleaningUp, Inactive),
        arrow(22, ERROR, CleaningUp, ErrorProcessing),
        arrow(3, "activate", Inactive, Activating),
        arrow(30, SUCCESS, Activating, Active),
        arrow(31, FAILURE, Activating, Inactive),
        arrow(32, ERROR, Activating, ErrorProcessing),
        arrow(4, "deactivate", Active, Deactivating),
        arrow(40, SUCCESS, Deactivating, Inactive),
        arrow(41, FAILURE, Deactivating, Active),
        arrow(42, ERROR, Deactivating, ErrorProcessing),
        arrow(5, "shutdown", Unconfigured, ShuttingDown),
        arrow(6, "shutdown", Inactive, ShuttingDown),
        arrow(7, "shutdown", Active, ShuttingDown),
        arrow(50, SUCCESS, ShuttingDown, Finalized),
        arrow(51, FAILURE, ShuttingDown, Finalized),
        arrow(52, ERROR, ShuttingDown, ErrorProcessing),
        arrow(60, SUCCESS, ErrorProcessing, Unconfigured),
        arrow(61, FAILURE, ErrorProcessing, Finalized),
        arrow(62, ERROR, ErrorProcessing, Finalized),
    ]
};

/// The transitions that begin in a state.
pub fn available(from: State) -> impl Iterator<Item = &'static Transition> {
    GRAPH.iter().filter(move |transition| transition.from == from)
}

/// What a request asks for in a primary state: by its label if it has one, as rclcpp takes it, else by its number. `None` when it is
/// not to be had from there.
pub fn asked(from: State, wanted: &TransitionMessage) -> Option<&'static Transition> {
    available(from).find(|transition| match wanted.label.as_str() {
        "" => transition.id == wanted.id,
        label => transition.label == label,
    })
}

/// The transition that ends another one's state.
pub fn ended(during: State, how: Outcome) -> Option<&'static Transition> {
    let place = match how {
        Outcome::Success => 0,
        Outcome::Failure => 1,
        Outcome::Error => 2,
    };
    let passing = during as u8 >= State::Configuring as u8;
    passing.then(|| available(during).nth(place)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(id: u8, label: &str) -> TransitionMessage {
        TransitionMessage { id, label: label.to_owned() }
    }

    #[test]
    fn a_request_is_taken_by_its_label_or_else_by_its_number() {
        let id = |from, wanted| asked(from, &wanted).map(|transition| transition.id);
        assert_eq!(id(State::Unconfigured, wanted(1, "")), Some(1));
        assert_eq!(id(State::Unconfigured, wanted(3, "")), None, "not from here");
        assert_eq!(id(State::Inactive, wanted(0, "activate")), Some(3));
        assert_eq!(id(State::Active, wanted(1, "deactivate")), Some(4), "the label counts");
        assert_eq!(id(State::Active, wanted(4, "nonsense")), None);
        for (from, shutdown) in [(State::Unconfigured, 5), (State::Inactive, 6), (State::Active, 7)] {
            assert_eq!(id(from, wanted(0, "shutdown")), Some(shutdown));
        }
        assert_eq!(id(State::Finalized, wanted(1, "")), None);
    }

    #[test]
    fn every_transition_ends_in_each_of_three_ways_and_primary_states_do_not() {
        for state in State::ALL.iter().copied() {
            let ends: Vec<_> = [Outcome::Success, Outcome::Failure, Outcome::Error]
                .into_iter()
                .filter_map(|how| ended(state, how))
                .collect();
            let passing = state as u8 >= 10;
            assert_eq!(ends.len(), if passing { 3 } else { 0 }, "{state:?}");
            if passing {
                let labels: Vec<_> = ends.iter().map(|end| end.label).collect();
                assert_eq!(labels, ["transition_success", "transition_failure", "transition_error"]);
            }
            assert_eq!(State::of(state as u8), Some(state));
        }
        assert_eq!(State::of(5), None);
    }

    #[test]
    fn numbers_are_those_of_the_messages() {
        use StateMessage as S;
        for (state, id) in [
            (State::Unconfigured, S::PRIMARY_STATE_UNCONFIGURED),
            (State::Inactive, S::PRIMARY_STATE_INACTIVE),
            (State::Active, S::PRIMARY_STATE_ACTIVE),
            (State::Finalized, S::PRIMARY_STATE_FINALIZED),
            (State::Configuring, S::TRANSITION_STATE_CONFIGURING),
            (State::CleaningUp, S::TRANSITION_STATE_CLEANINGUP),
            (State::ShuttingDown, S::TRANSITION_STATE_SHUTTINGDOWN),
            (State::Activating, S::TRANSITION_STATE_ACTIVATING),
            (State::Deactivating, S::TRANSITION_STATE_DEACTIVATING),
            (State::ErrorProcessing, S::TRANSITION_STATE_ERRORPROCESSING),
        ] {
            assert_eq!(state as u8, id, "{state:?}");
        }
        let id = |label: &str| GRAPH.iter().find(|one| one.label == label).map(|one| one.id);
        assert_eq!(id("configure"), Some(TransitionMessage::TRANSITION_CONFIGURE));
        assert_eq!(id("cleanup"), Some(TransitionMessage::TRANSITION_CLEANUP));
        assert_eq!(id("activate"), Some(TransitionMessage::TRANSITION_ACTIVATE));
        assert_eq!(id("deactivate"), Some(TransitionMessage::TRANSITION_DEACTIVATE));
        assert_eq!(GRAPH.len(), 25);
    }
}
