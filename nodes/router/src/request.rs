//! What is asked, as the router sees it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{Duration, Time};
use troika_msgs::troika::DialogueRequest;

/// What kind of task it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Not told; answered in the vehicle.
    Unknown,
    /// Windows, climate, seats, media: carried out, not talked about.
    VehicleFunction,
    /// One or two sentences.
    ShortAnswer,
    /// Places, routes, times of arrival.
    Navigation,
    /// Anything else, at length.
    Dialogue,
}

/// How private it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// May leave; names, numbers and addresses in it are replaced all the same.
    Public,
    /// Not told: stays.
    Unknown,
    /// Who the driver knows: stays.
    Contacts,
    /// What they write to each other: stays.
    Messages,
    /// What the cabin's cameras see: stays.
    CabinImage,
    /// How the driver is: stays.
    DriverState,
}

impl Task {
    /// Every one.
    pub const ALL: [Task; 5] =
        [Task::Unknown, Task::VehicleFunction, Task::ShortAnswer, Task::Navigation, Task::Dialogue];

    /// `DialogueRequest.task`; what is none is unknown.
    pub fn from_code(code: u8) -> Task {
        match code {
            DialogueRequest::VEHICLE_FUNCTION => Task::VehicleFunction,
            DialogueRequest::SHORT_ANSWER => Task::ShortAnswer,
            DialogueRequest::NAVIGATION => Task::Navigation,
            DialogueRequest::DIALOGUE => Task::Dialogue,
            _ => Task::Unknown,
        }
    }

    /// `DialogueRequest.task`.
    pub fn code(self) -> u8 {
        match self {
            Task::Unknown => DialogueRequest::TASK_UNKNOWN,
            Task::VehicleFunction => DialogueRequest::VEHICLE_FUNCTION,
            Task::ShortAnswer => DialogueRequest::SHORT_ANSWER,
            Task::Navigation => DialogueRequest::NAVIGATION,
            Task::Dialogue => DialogueRequest::DIALOGUE,
        }
    }
}

impl Privacy {
    /// Every one.
    pub const ALL: [Privacy; 6] = [
        Privacy::Public,
        Privacy::Unknown,
        Privacy::Contacts,
        Privacy::Messages,
        Privacy::CabinImage,
        Privacy::DriverState,
    ];

    /// `DialogueRequest.privacy`; what is none is unknown.
    pub fn from_code(code: u8) -> Privacy {
        match code {
            DialogueRequest::PUBLIC => Privacy::Public,
            DialogueRequest::CONTACTS => Privacy::Contacts,
            DialogueRequest::MESSAGES => Privacy::Messages,
            DialogueRequest::CABIN_IMAGE => Privacy::CabinImage,
            DialogueRequest::DRIVER_STATE => Privacy::DriverState,
            _ => Privacy::Unknown,
        }
    }

    /// `DialogueRequest.privacy`.
    pub fn code(self) -> u8 {
        match self {
            Privacy::Public => DialogueRequest::PUBLIC,
            Privacy::Unknown => DialogueRequest::PRIVACY_UNKNOWN,
            Privacy::Contacts => DialogueRequest::CONTACTS,
            Privacy::Messages => DialogueRequest::MESSAGES,
            Privacy::CabinImage => DialogueRequest::CABIN_IMAGE,
            Privacy::DriverState => DialogueRequest::DRIVER_STATE,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// Turns that belong together.
    pub conversation: String,
    /// The words.
    pub text: String,
    /// What kind of task it is.
    pub task: Task,
    /// What was said of its privacy. Its words may say more ([`crate::privacy`]).
    pub privacy: Privacy,
    /// An image belongs to it.
    pub has_image: bool,
    /// 0..1; none: to be estimated from the words.
    pub complexity: Option<f64>,
    /// When it was asked.
    pub asked: Time,
    /// From then to the first words of the answer; none: the policy's.
    pub deadline: Option<Duration>,
}

impl Request {
    /// Of a message. A stamp that is unset, or later than its arrival, reads as `received`.
    pub fn from_message(message: &DialogueRequest, received: Time) -> Request {
        let stamp = Time::from(message.header.stamp.clone());
        let deadline = Duration::from(message.deadline.clone());
        Request {
            id: message.request_id.clone(),
            conversation: message.conversation_id.clone(),
            text: message.text.clone(),
            task: Task::from_code(message.task),
            privacy: Privacy::from_code(message.privacy),
            has_image: message.has_image,
            complexity: Some(f64::from(message.complexity)).filter(|c| (0.0..=1.0).contains(c)),
            asked: if stamp == Time::ZERO || stamp > received { received } else { stamp },
            deadline: (!deadline.is_zero()).then_some(deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_none_is_unknown_and_the_others_come_back() {
        Task::ALL.into_iter().for_each(|task| assert_eq!(Task::from_code(task.code()), task));
        Privacy::ALL.into_iter().for_each(|privacy| assert_eq!(Privacy::from_code(privacy.code()), privacy));
        assert_eq!((Task::from_code(99), Privacy::from_code(99)), (Task::Unknown, Privacy::Unknown));
    }

    #[test]
    fn a_message_without_numbers_has_none() {
        let received = Time::from_stamp(50, 0);
        let message = DialogueRequest { complexity: f32::NAN, ..DialogueRequest::default() };
        let request = Request::from_message(&message, received);
        assert_eq!((request.complexity, request.asked, request.deadline), (None, received, None));
        assert_eq!(request.privacy, Privacy::Unknown);
    }

    #[test]
    fn what_a_message_says_is_taken_and_a_stamp_after_its_arrival_is_none() {
        let received = Time::from_stamp(50, 0);
        let stamped = |at: Time| {
            let mut message = DialogueRequest {
                complexity: 1.0,
                has_image: true,
                request_id: "7".into(),
                conversation_id: "c".into(),
                text: "where".into(),
                deadline: Duration::from_millis(1_500).into(),
                ..DialogueRequest::default()
            };
            message.header.stamp = at.into();
            Request::from_message(&message, received)
        };
        let before = Time::from_stamp(49, 0);
        let request = stamped(before);
        assert_eq!((request.asked, stamped(received).asked), (before, received));
        assert_eq!(stamped(Time::from_stamp(51, 0)).asked, received);
        assert_eq!((request.complexity, request.deadline), (Some(1.0), Some(Duration::from_millis(1_500))));
        assert_eq!(
            (&*request.id, &*request.conversation, &*request.text, request.has_image),
            ("7", "c", "where", true)
        );
    }
}
