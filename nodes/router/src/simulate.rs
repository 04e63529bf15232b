//! What a policy would do over a recorded link: the tasks of a file, asked one after the other, under four ways to decide. A pure function
//! of trace, tasks, policy, outcome and seed.
//!
//! What becomes of an answer is a model ([`Outcome`], a file): when its words come, from the link; whether it is right, by chance, from what
//! the request needs. The router sees neither: it knows the words of a request and what the link estimator made of the traffic and the
//! probes so far.

mod air;
mod answer;
mod chance;
mod report;
mod run;
mod trace;
mod watch;
mod world;

pub use air::Air;
pub use report::{PolicyReport, Report, Silence};
pub use run::Contender;
pub use trace::{Like, Trace, TraceError};
pub use watch::{Watch, sent};
pub use world::{Outcome, Pace, Tasks};

use troika_dialogue::{Before, Plan, Planner, Town, Words};

use crate::policy::{Policy, PolicyError};

/// What to simulate, beside the traces.
#[derive(Debug, Clone)]
pub struct Simulation {
    tasks: Tasks,
    outcome: Outcome,
    policy: Policy,
    cuts_an_hour: f64,
    seed: u64,
}

/// A simulation that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// The policy names a model of which the outcome says nothing.
    #[error(
        "the policy's model '{0}' is not in the outcome file: add a [[model]] of that name, which says what it does"
    )]
    Model(String),
    /// Not a number of cuts.
    #[error("{0} cuts an hour; it is 0 to 1000")]
    Cuts(f64),
    /// A file.
    #[error(transparent)]
    File(#[from] PolicyError),
}

impl Simulation {
    /// With what ships.
    pub fn built_in() -> Simulation {
        Simulation {
            tasks: Tasks::built_in(),
            outcome: Outcome::built_in(),
            policy: Policy::built_in(),
            cuts_an_hour: 0.0,
            seed: 1,
        }
    }

    /// With these, and with cuts at random times beside those of the trace.
    ///
    /// # Errors
    /// A model of the policy of which the outcome says nothing; no number of cuts.
    pub fn new(
        tasks: Tasks,
        outcome: Outcome,
        policy: Policy,
        cuts_an_hour: f64,
        seed: u64,
    ) -> Result<Simulation, SimulationError> {
        if !(0.0..=1000.0).contains(&cuts_an_hour) {
            return Err(SimulationError::Cuts(cuts_an_hour));
        }
        let names = policy.rules.model.iter().map(|model| &model.get_ref().name);
        if let Some(name) = names.into_iter().find(|name| outcome.model(name).is_none()) {
            return Err(SimulationError::Model(name.clone()));
        }
        Ok(Simulation { tasks, outcome, policy, cuts_an_hour, seed })
    }

    /// All tasks over each trace, under each contender.
    pub fn run(&self, traces: &[Trace]) -> Report {
        let planner = Planner::new(Words::english(), Town::brellin());
        let plans = |ask: &str| matches!(planner.plan(&Before::default(), ask), Some(Plan::Call { .. }));
        let planned: Vec<bool> = self.tasks.task.iter().map(|task| plans(&task.ask)).collect();
        let policies = Contender::ALL.map(|contender| {
            let drives = traces.iter().enumerate().map(|(n, trace)| {
                let setting = run::Setting {
                    tasks: &self.tasks,
                    planned: &planned,
                    outcome: &self.outcome,
                    policy: &self.policy,
                    cuts_an_hour: self.cuts_an_hour,
                    seed: self.seed.wrapping_add(n as u64),
                };
                run::drive(&setting, trace, contender)
            });
            PolicyReport::of(contender, &drives.collect::<Vec<_>>())
        });
        Report::new(self.policy.name(), self.tasks.len(), traces.len(), policies.into())
    }
}

#[cfg(test)]
mod tests;
