//! The kinds of node that a system file can name: what `check` and `graph` need to know of each, and how each is made.
//! The table itself is in `kinds.rs`.

use std::{marker::PhantomData, path::PathBuf};

use anyhow::Context as _;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use troika_host::{
    Host, NodeOptions, StandIn,
    parameters::Declared,
    replay::{Replayer, Replays},
    simulate::Simulation,
};
use troika_kit::{Class, Contract, Fault, PortSpec, Ports, Step, Time};
use troika_models::{Store, StoreError};
use troika_transport::NodeHandle;

use crate::{
    fate::{Fate, Mortal},
    kinds, parameters,
    system::{self, Problem},
};

/// What a node's maker may use besides its parameters.
pub(crate) struct Making<'a> {
    /// The text of the system file; parameters are read from it, so that errors point into it.
    pub text: &'a str,
    /// The node's name in it.
    pub node: &'a str,
    /// The folder that relative paths in parameters start from: the one `troika` was called in.
    pub base: PathBuf,
    /// Where the detectors' networks are from; the process's one store ([`kinds::models`]) where none is named.
    pub models: Option<Store>,
}

impl Making<'_> {
    /// The store of models.
    ///
    /// # Errors
    /// There is no place for models.
    pub(crate) fn models(&self) -> Result<Store, StoreError> {
        self.models.clone().map_or_else(kinds::models, Ok)
    }
}

/// Where nodes run: on threads and the wall clock, or step by step on a virtual one.
pub(crate) enum Runtime<'a> {
    /// Threads.
    Host(&'a mut Host),
    /// Virtual clock, and what befalls the node.
    Simulation(&'a mut Simulation, &'a Fate),
}

impl Runtime<'_> {
    /// On a host with a life cycle: `make` is called again when the node is configured again.
    fn spawn<S: Step>(
        &mut self,
        mut make: impl FnMut() -> anyhow::Result<S> + Send + 'static,
        stand_in: impl FnOnce() -> anyhow::Result<Option<S>>,
        options: NodeOptions,
    ) -> anyhow::Result<()> {
        match self {
            Runtime::Host(host) => {
                host.manage(move || make().map_err(|error| format!("{error:#}")), options)?;
            }
            Runtime::Simulation(simulation, fate) if fate.is_none() => simulation.spawn(make()?, options)?,
            Runtime::Simulation(simulation, fate) => {
                let timing = fate.timing(simulation);
                let mortal = Mortal::new(fate, simulation.now(), make, stand_in()?)?;
                let node = options.full_name();
                simulation.spawn_timed(mortal, options, timing)?;
                // Whoever watches by heartbeats hears none of a process that is gone, whoever speaks in its node's place.
                let passed = simulation.elapsed();
                simulation.gone(&node, fate.gone.iter().map(|(from, to)| (passed + *from, passed + *to)));
            }
        }
        Ok(())
    }
}

/// Speaks for a node whose process cannot.
pub(crate) trait Speaks {
    /// Publishes the node's fall-back.
    fn speak(&mut self, now: Time, why: &Fault);
    /// The node is back: ends what was raised in its place.
    fn give_way(&mut self, now: Time);
}

impl<S: Step> Speaks for StandIn<S> {
    fn speak(&mut self, now: Time, why: &Fault) {
        StandIn::speak(self, now, why);
    }
    fn give_way(&mut self, now: Time) {
        StandIn::give_way(self, now);
    }
}

/// A kind of node.
pub(crate) trait Kind: Sync {
    /// As named in a system file.
    fn name(&self) -> &'static str;
    /// One sentence.
    fn summary(&self) -> &'static str;
    /// Its contract; none for a program of its own, which makes no promise.
    fn contract(&self) -> Option<Contract>;
    /// Its levels, dearest first: see [`Step::LEVELS`].
    fn levels(&self) -> &'static [&'static str] {
        &["full"]
    }
    /// Its input ports.
    fn inputs(&self) -> &'static [PortSpec];
    /// Its output ports.
    fn outputs(&self) -> &'static [PortSpec];
    /// Its parameters, at their defaults; none of a program of its own.
    fn parameters(&self) -> Vec<Declared> {
        Vec::new()
    }
    /// Whether its parameters can be read.
    fn check_params(&self, text: &str, node: &str) -> Result<(), Problem>;
    /// The ports that its parameters switch off.
    fn silent(&self, _text: &str, _node: &str) -> Vec<&'static str> {
        Vec::new()
    }
    /// Locked memory that its step allocates from, MiB, unless the system file says otherwise; 0 is none. A hard node has
    /// some in any case: names in its messages are memory too.
    fn arena_mib(&self) -> usize {
        let hard = self.contract().is_some_and(|contract| contract.spec().class == Class::Hard);
        usize::from(hard)
    }
    /// Makes the node and hands it to the runtime.
    fn start(&self, making: &Making<'_>, options: NodeOptions, runtime: Runtime<'_>) -> anyhow::Result<()>;
    /// As it is made for a run, to do its recorded steps again; none of one that has a device or a thread of its own, so that its steps
    /// are no function of what they are given.
    fn replay(&self, _making: &Making<'_>) -> anyhow::Result<Option<Box<dyn Replays>>> {
        Ok(None)
    }
    /// Who speaks for it when its process cannot; none where nobody waits for it.
    fn stand_in(
        &self,
        _making: &Making<'_>,
        _options: &NodeOptions,
        _handle: &dyn NodeHandle,
    ) -> anyhow::Result<Option<Box<dyn Speaks>>> {
        Ok(None)
    }
    /// The program that runs it, when that is not `troika` itself; it stands beside `troika`.
    fn program(&self) -> Option<&'static str> {
        None
    }
    /// What that program is started with: the node's parameters as it takes them, a JSON object.
    fn settings(&self, _text: &str, node: &str) -> anyhow::Result<serde_json::Value> {
        anyhow::bail!("'{node}' runs in troika itself")
    }
}

/// The ports of these that are not used.
pub(crate) fn unused<const N: usize>(ports: [(bool, &'static str); N]) -> Vec<&'static str> {
    ports.into_iter().filter_map(|(used, port)| (!used).then_some(port)).collect()
}

/// The output ports that a node uses, given the system file's text: those that its parameters do not switch off.
pub(crate) fn live_outputs(
    kind: &'static dyn Kind,
    text: &str,
    node: &str,
) -> impl Iterator<Item = &'static PortSpec> {
    let silent = kind.silent(text, node);
    kind.outputs().iter().filter(move |output| !silent.contains(&output.name))
}

/// A parameter names a file that cannot be used.
pub(crate) fn unusable_file(reason: String) -> Problem {
    Problem::error(reason).help(FROM_WHERE)
}

/// What is most often wrong with a file's name.
pub(crate) const FROM_WHERE: &str = "a relative path starts from the folder that `troika` is called in";

/// A kind that is a [`Step`] with parameters of type `C`.
pub(crate) struct StepKind<C, S> {
    summary: &'static str,
    make: fn(C, &Making<'_>) -> anyhow::Result<S>,
    silent: fn(&C) -> Vec<&'static str>,
    files: fn(&C) -> Result<(), String>,
    example: &'static str,
    arena_mib: usize,
    /// Its steps look at something beside their inputs.
    has_device: bool,
    without_device: Option<fn(C, &Making<'_>) -> anyhow::Result<S>>,
    stand_in: Option<fn(C, &Making<'_>) -> anyhow::Result<S>>,
    types: PhantomData<fn() -> (C, S)>,
}

impl<C, S> StepKind<C, S> {
    /// A kind made by `make` from its parameters.
    pub(crate) const fn new(summary: &'static str, make: fn(C, &Making<'_>) -> anyhow::Result<S>) -> Self {
        StepKind {
            summary,
            make,
            silent: |_| Vec::new(),
            files: |_| Ok(()),
            example: "",
            arena_mib: 0,
            has_device: false,
            without_device: None,
            stand_in: None,
            types: PhantomData,
        }
    }

    /// The same, with the ports that parameters switch off.
    pub(crate) const fn silent(self, silent: fn(&C) -> Vec<&'static str>) -> Self {
        StepKind { silent, ..self }
    }

    /// The same, with how to make one that has its fall-back and nothing that costs: it speaks for the node when its process
    /// cannot.
    pub(crate) const fn stand_in(self, make: fn(C, &Making<'_>) -> anyhow::Result<S>) -> Self {
        StepKind { stand_in: Some(make), ..self }
    }

    /// The same, with an arena: what its step's libraries allocate at each run, and some to spare.
    pub(crate) const fn arena(self, mib: usize) -> Self {
        StepKind { arena_mib: mib, ..self }
    }

    /// The same, of a node whose steps look at a device or a thread of their own: they cannot be done again.
    pub(crate) const fn with_device(self) -> Self {
        StepKind { has_device: true, ..self }
    }

    /// The same, of a node whose device takes part in nothing that it says: how to make one without, whose steps can be done again.
    pub(crate) const fn replayed_by(self, make: fn(C, &Making<'_>) -> anyhow::Result<S>) -> Self {
        StepKind { without_device: Some(make), ..self }
    }

    /// The same, with parameters for its documentation, as TOML, where some must be given.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        StepKind { example, ..self }
    }

    /// The same, with a look at the files that parameters name.
    pub(crate) const fn files(self, files: fn(&C) -> Result<(), String>) -> Self {
        StepKind { files, ..self }
    }
}

impl<C: DeserializeOwned + Serialize + JsonSchema + 'static, S: Step> Kind for StepKind<C, S> {
    fn name(&self) -> &'static str {
        S::CONTRACT.spec().node
    }
    fn summary(&self) -> &'static str {
        self.summary
    }
    fn contract(&self) -> Option<Contract> {
        Some(S::CONTRACT)
    }
    fn levels(&self) -> &'static [&'static str] {
        S::LEVELS
    }
    fn inputs(&self) -> &'static [PortSpec] {
        <S::Inputs as Ports>::SPECS
    }
    fn outputs(&self) -> &'static [PortSpec] {
        <S::Outputs as Ports>::SPECS
    }
    fn parameters(&self) -> Vec<Declared> {
        parameters::of_defaults::<C>(self.example)
    }
    fn check_params(&self, text: &str, node: &str) -> Result<(), Problem> {
        let config = system::read_params::<C>(text, node)?;
        (self.files)(&config).map_err(Problem::error)
    }
    fn silent(&self, text: &str, node: &str) -> Vec<&'static str> {
        system::read_params::<C>(text, node).map_or_else(|_| Vec::new(), |config| (self.silent)(&config))
    }
    fn arena_mib(&self) -> usize {
        self.arena_mib.max(usize::from(S::CONTRACT.spec().class == Class::Hard))
    }
    fn replay(&self, making: &Making<'_>) -> anyhow::Result<Option<Box<dyn Replays>>> {
        if self.has_device {
            return Ok(None);
        }
        let make = self.without_device.unwrap_or(self.make);
        let step = make(system::read_params::<C>(making.text, making.node)?, making)?;
        Ok(Some(Box::new(Replayer::new(step))))
    }
    fn stand_in(
        &self,
        making: &Making<'_>,
        options: &NodeOptions,
        handle: &dyn NodeHandle,
    ) -> anyhow::Result<Option<Box<dyn Speaks>>> {
        let Some(make) = self.stand_in else { return Ok(None) };
        let step = make(system::read_params::<C>(making.text, making.node)?, making)?;
        Ok(Some(Box::new(StandIn::new(step, options, handle)?)))
    }
    fn start(
        &self,
        making: &Making<'_>,
        mut options: NodeOptions,
        mut runtime: Runtime<'_>,
    ) -> anyhow::Result<()> {
        options.parameters = parameters::of_config(&system::read_params::<C>(making.text, making.node)?);
        let (text, node, base) = (making.text.to_owned(), making.node.to_owned(), making.base.clone());
        let models = making.models.clone();
        let make = self.make;
        let again = move || {
            let making = Making { text: &text, node: &node, base: base.clone(), models: models.clone() };
            let config = system::read_params::<C>(&text, &node)?;
            make(config, &making).with_context(|| format!("cannot start node '{node}'"))
        };
        let stand_in = || match self.stand_in {
            Some(make) => make(system::read_params::<C>(making.text, making.node)?, making).map(Some),
            None => Ok(None),
        };
        runtime.spawn(again, stand_in, options)
    }
}
