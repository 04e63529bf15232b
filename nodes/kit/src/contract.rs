//! A node's contract: when it runs, how long it may take, who cares. Sound by construction: an unsound one does not
//! compile when it is a `const`.

use core::time::Duration;

use troika_safety::Requirement;

/// How much a miss matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A miss is a fault: the fall-back is published and the supervisor told. Runs at real-time priority.
    Hard,
    /// A miss is counted and told; the result is still of use.
    Firm,
    /// As soon as the machine allows.
    Best,
}

/// What starts a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The period's timer.
    Period,
    /// A new message on the named input port; its arrival at the host is the release. Without one for three periods the
    /// step runs anyway, so that silence is noticed.
    Input(&'static str),
}

/// The numbers of a [`Contract`], before they are checked.
#[derive(Debug, Clone, Copy)]
pub struct ContractSpec {
    /// The node's kind, for example `driver_state`.
    pub node: &'static str,
    /// What starts a step.
    pub wake: Wake,
    /// Time between releases; for [`Wake::Input`], the input's expected period.
    pub period: Duration,
    /// From release to the output having left.
    pub deadline: Duration,
    /// Execution time that one step may use.
    pub budget: Duration,
    /// How much a miss matters.
    pub class: Class,
    /// The requirements that the node carries.
    pub requirements: &'static [Requirement],
}

/// A sound contract: `0 < budget <= deadline <= period`.
#[derive(Debug, Clone, Copy)]
pub struct Contract(ContractSpec);

impl Contract {
    /// Checks the numbers. That SR-TIM-001 is checked when a contract is compiled is shown by the example below, which must not compile; the tests
    /// of this file show that tightening keeps to it.
    ///
    /// # Panics
    /// When they are unsound; in a `const` that is a compile error:
    /// ```compile_fail
    /// use troika_kit::*;
    /// const BAD: Contract = Contract::new(ContractSpec {
    ///     node: "bad",
    ///     wake: Wake::Period,
    ///     period: Duration::from_millis(10),
    ///     deadline: Duration::from_millis(20), // after the next release
    ///     budget: Duration::from_millis(1),
    ///     class: Class::Firm,
    ///     requirements: &[],
    /// });
    /// let _ = BAD;
    /// ```
    pub const fn new(spec: ContractSpec) -> Contract {
        troika_safety::fulfils![SR_TIM_001];
        assert!(spec.budget.as_nanos() > 0, "a contract's budget is over zero");
        assert!(
            spec.budget.as_nanos() <= spec.deadline.as_nanos(),
            "a contract's budget is at most its deadline"
        );
        assert!(
            spec.deadline.as_nanos() <= spec.period.as_nanos(),
            "a contract's deadline is at most its period"
        );
        Contract(spec)
    }

    /// The same contract with tighter numbers (a system file may tighten, never loosen). `None` keeps a number.
    pub fn tighten(
        self,
        period: Option<Duration>,
        deadline: Option<Duration>,
        budget: Option<Duration>,
    ) -> Result<Contract, ContractError> {
        troika_safety::fulfils![SR_TIM_016];
        let spec = ContractSpec {
            period: period.unwrap_or(self.0.period),
            deadline: deadline.unwrap_or(self.0.deadline),
            budget: budget.unwrap_or(self.0.budget),
            ..self.0
        };
        if spec.period > self.0.period {
            return Err(ContractError::Loosened("period"));
        }
        if spec.deadline > self.0.deadline {
            return Err(ContractError::Loosened("deadline"));
        }
        if spec.budget > self.0.budget {
            return Err(ContractError::Loosened("budget"));
        }
        if spec.budget.is_zero() || spec.budget > spec.deadline || spec.deadline > spec.period {
            return Err(ContractError::Unsound);
        }
        Ok(Contract(spec))
    }

    /// The numbers.
    pub const fn spec(&self) -> &ContractSpec {
        &self.0
    }

    /// A step that starts more than this after its release is *late*: min(0.2 x period, 5 ms).
    pub fn late_after(&self) -> Duration {
        (self.0.period / 5).min(Duration::from_millis(5))
    }

    /// A step that would start more than this after its release is *too late*: min(period, 50 ms).
    pub fn too_late_after(&self) -> Duration {
        self.0.period.min(Duration::from_millis(50))
    }
}

/// A tightening that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The number is larger than in the node's contract.
    #[error("{0} is looser than the node's contract: a system file may only tighten it")]
    Loosened(&'static str),
    /// Not `0 < budget <= deadline <= period`.
    #[error("unsound: budget <= deadline <= period must hold")]
    Unsound,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: Contract = Contract::new(ContractSpec {
        node: "driver_state",
        wake: Wake::Input("image"),
        period: Duration::from_millis(33),
        deadline: Duration::from_millis(33),
        budget: Duration::from_millis(25),
        class: Class::Hard,
        requirements: &[troika_safety::SR_TIM_001],
    });

    #[test]
    fn a_system_file_may_tighten_a_contract() {
        troika_safety::verifies![SR_TIM_016];
        let tight = CAMERA.tighten(None, Some(Duration::from_millis(30)), Some(Duration::from_millis(20)));
        assert_eq!(tight.expect("tighter is sound").spec().deadline, Duration::from_millis(30));
    }

    #[test]
    fn loosening_is_refused_and_names_the_number() {
        troika_safety::verifies![SR_TIM_016];
        let loose = CAMERA.tighten(None, Some(Duration::from_millis(40)), None);
        assert_eq!(loose.err(), Some(ContractError::Loosened("deadline")));
    }

    #[test]
    fn a_tightening_that_leaves_no_room_for_the_budget_is_unsound() {
        troika_safety::verifies![SR_TIM_001, SR_TIM_016];
        let unsound = CAMERA.tighten(None, Some(Duration::from_millis(10)), None);
        assert_eq!(unsound.err(), Some(ContractError::Unsound));
    }

    #[test]
    fn lateness_classes_follow_the_period() {
        troika_safety::verifies![SR_TIM_002];
        assert_eq!(CAMERA.late_after(), Duration::from_millis(5));
        assert_eq!(CAMERA.too_late_after(), Duration::from_millis(33));
    }
}
