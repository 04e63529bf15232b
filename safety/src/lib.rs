//! What belongs here: the requirements as constants, so that contracts, code and tests name them and an unknown id does not
//! compile. The texts live in `requirements/*.toml`; nothing here runs.

/// One numbered requirement. Only this crate makes them, from `requirements/*.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    id: &'static str,
    goal: &'static str,
    text: &'static str,
    rationale: &'static str,
    source: &'static str,
    verification: Verification,
    evidence: &'static str,
}

/// How a requirement is shown to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// By tests that say so with [`verifies!`].
    Test,
    /// By an analysis that is written down.
    Analysis,
    /// By somebody who looked.
    Inspection,
}

/// A safety goal: what the requirements of one file are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// For example `SG-2`.
    pub id: &'static str,
    /// The goal's sentence.
    pub text: &'static str,
    /// Why.
    pub rationale: &'static str,
    /// What the item is brought to when a fault threatens the goal.
    pub safe_state: &'static str,
    /// How long that may take, in the numbers of the requirements that it names. Of the item: how long a vehicle can bear it is the vehicle's.
    pub fault_tolerant_time: &'static str,
}

impl Requirement {
    /// The id as written in the file, for example `SR-DMS-001`.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// The requirement's sentence.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// The goal's id.
    pub const fn goal(&self) -> &'static str {
        self.goal
    }

    /// Why it is required.
    pub const fn rationale(&self) -> &'static str {
        self.rationale
    }

    /// Where it is from: a paragraph, a paper, the item definition.
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// How it is shown to hold.
    pub const fn verification(&self) -> Verification {
        self.verification
    }

    /// The file of the analysis or inspection; empty where tests verify it.
    pub const fn evidence(&self) -> &'static str {
        self.evidence
    }
}

include!(concat!(env!("OUT_DIR"), "/requirements.rs"));

/// Said in a test's body: the requirements that it verifies. `cargo xtask trace` reads it; an unknown id does not compile.
///
/// ```text
/// #[test]
/// fn a_step_that_faults_publishes_the_fall_back_in_the_same_tick() {
///     troika_safety::verifies![SR_TIM_003];
///     // ...
/// }
/// ```
#[macro_export]
macro_rules! verifies {
    ($($id:ident),+ $(,)?) => {
        const _: &[$crate::Requirement] = &[$($crate::$id),+];
    };
}

/// Said in the code that fulfils a requirement, as near as can be to the lines that decide it: in the body of a function, or above what does
/// it. What whoever doubts the requirement has to read begins there. `cargo xtask trace` reads it, and refuses one in a test.
///
/// ```text
/// fn lapsed(&self, now: Time) -> bool {
///     troika_safety::fulfils![SR_ATT_003];
///     // ...
/// }
/// ```
#[macro_export]
macro_rules! fulfils {
    ($($id:ident),+ $(,)?) => {
        const _: &[$crate::Requirement] = &[$($crate::$id),+];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_has_a_fault_tolerant_time_of_requirements_that_there_are() {
        for goal in GOALS {
            let words = goal.fault_tolerant_time.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let ids: Vec<&str> = words.filter(|word| word.starts_with("SR-")).collect();
            assert!(!ids.is_empty(), "{}: its time names no requirement", goal.id);
            for id in ids {
                assert!(ALL.iter().any(|one| one.id() == id), "{}: there is no {id}", goal.id);
            }
        }
    }

    #[test]
    fn every_requirement_has_an_id_and_a_sentence() {
        assert!(ALL.len() >= 10, "{} requirements", ALL.len());
        for requirement in ALL {
            assert!(requirement.id().starts_with("SR-"), "{}", requirement.id());
            assert!(requirement.text().contains("shall"), "{}: no shall", requirement.id());
        }
    }
}
