//! Why somebody answers: names that stay, to be counted over versions.

/// Why it was decided so, or why a model could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A vehicle function is carried out by the vehicle.
    VehicleFunction,
    /// Its class is private, or not told.
    PrivateClass,
    /// Its words are of private things.
    PrivateWords,
    /// An image belongs to it.
    Image,
    /// What kind of task it is was not told.
    UnknownTask,
    /// The policy keeps this task in the vehicle.
    Policy,
    /// The vehicle is in its safe state.
    SafeState,
    /// Nothing is known of the link.
    LinkUnknown,
    /// There is no link.
    LinkDown,
    /// Too many exchanges fail.
    LinkLossy,
    /// The cloud's first words would come too late, or its words too slowly.
    LinkSlow,
    /// The cloud refuses or fails: its circuit is open.
    CloudUnavailable,
    /// Today's bytes are spent.
    BytesSpent,
    /// Today's money is spent.
    MoneySpent,
    /// The cloud is likelier to answer well.
    CloudBetter,
    /// The model on the vehicle is good enough.
    LocalEnough,
    /// The model on the vehicle is busy or slow now.
    LocalBusy,
    /// There is no model on the vehicle.
    LocalUnavailable,
    /// It stays with whom the conversation is with: the other is hardly better.
    Held,
    /// The time is over before anybody could answer.
    TooLate,
    /// Nobody can answer.
    Nobody,
}

impl Reason {
    /// Every one.
    pub const ALL: [Reason; 21] = [
        Reason::VehicleFunction,
        Reason::PrivateClass,
        Reason::PrivateWords,
        Reason::Image,
        Reason::UnknownTask,
        Reason::Policy,
        Reason::SafeState,
        Reason::LinkUnknown,
        Reason::LinkDown,
        Reason::LinkLossy,
        Reason::LinkSlow,
        Reason::CloudUnavailable,
        Reason::BytesSpent,
        Reason::MoneySpent,
        Reason::CloudBetter,
        Reason::LocalEnough,
        Reason::LocalBusy,
        Reason::LocalUnavailable,
        Reason::Held,
        Reason::TooLate,
        Reason::Nobody,
    ];

    /// Its name in messages and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::VehicleFunction => "vehicle_function",
            Reason::PrivateClass => "private_class",
            Reason::PrivateWords => "private_words",
            Reason::Image => "image",
            Reason::UnknownTask => "unknown_task",
            Reason::Policy => "policy",
            Reason::SafeState => "safe_state",
            Reason::LinkUnknown => "link_unknown",
            Reason::LinkDown => "link_down",
            Reason::LinkLossy => "link_lossy",
            Reason::LinkSlow => "link_slow",
            Reason::CloudUnavailable => "cloud_unavailable",
            Reason::BytesSpent => "bytes_spent",
            Reason::MoneySpent => "money_spent",
            Reason::CloudBetter => "cloud_better",
            Reason::LocalEnough => "local_enough",
            Reason::LocalBusy => "local_busy",
            Reason::LocalUnavailable => "local_unavailable",
            Reason::Held => "held",
            Reason::TooLate => "too_late",
            Reason::Nobody => "nobody",
        }
    }

    /// What it means to who reads it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Reason::VehicleFunction => "it is for the vehicle itself",
            Reason::PrivateClass => "it is private, or it was not said that it is not",
            Reason::PrivateWords => "its words are of private things",
            Reason::Image => "an image belongs to it, and images stay",
            Reason::UnknownTask => "what kind of question it is was not told",
            Reason::Policy => "the policy keeps this kind of question in the vehicle",
            Reason::SafeState => "the vehicle is in its safe state: nothing leaves it",
            Reason::LinkUnknown => {
                "nothing is known of the link now: no exchange was answered for 30 s (`link` has no `endpoint`, or saves the bytes of a link that \
                 may be metered: `metered = \"no\"`), or its node said nothing for a second (it does not run, or the machine is busy)"
            }
            Reason::LinkDown => "there is no link",
            Reason::LinkLossy => {
                "too many exchanges with the cloud fail: does something listen at its `url`?"
            }
            Reason::LinkSlow => "the link is too slow for the time that there is",
            Reason::CloudUnavailable => "the cloud refused or failed a moment ago",
            Reason::BytesSpent => "today's bytes are spent",
            Reason::MoneySpent => "today's money is spent",
            Reason::CloudBetter => "the cloud is likelier to answer well",
            Reason::LocalEnough => "the vehicle is likely to answer as well",
            Reason::LocalBusy => "the vehicle's model is busy",
            Reason::LocalUnavailable => "there is no model on the vehicle that answers",
            Reason::Held => "the conversation stays with who has it",
            Reason::TooLate => "the time is over",
            Reason::Nobody => "nobody can answer",
        }
    }

    /// The one of that name.
    pub fn of(name: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// How often each reason was given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts([u64; Reason::ALL.len()]);

impl Counts {
    /// One more.
    pub fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// Each with its count, those at zero too.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_has_a_name_of_its_own_and_its_own_place() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().enumerate().all(|(n, reason)| *reason as usize == n));
    }

    #[test]
    fn each_reason_is_counted_in_its_own_place_and_found_by_its_name() {
        let mut counts = Counts::default();
        [Reason::LinkSlow, Reason::Held, Reason::LinkSlow]
            .into_iter()
            .for_each(|reason| counts.count(reason));
        let given: Vec<_> = counts.iter().filter(|(_, times)| *times > 0).collect();
        assert_eq!(given, [(Reason::LinkSlow, 2), (Reason::Held, 1)]);
        assert_eq!(counts.iter().count(), Reason::ALL.len());
        assert!(Reason::ALL.into_iter().all(|reason| Reason::of(reason.name()) == Some(reason)));
        assert_eq!(Reason::of("because"), None);
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.in_words()).collect();
        assert!(words.len() == Reason::ALL.len() && words.iter().all(|words| words.contains(' ')));
    }
}
