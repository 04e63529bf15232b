//! What befalls a node on a virtual clock: its process dies and comes back, its machine is busy, its models are missing.

use anyhow::Context as _;
use troika_host::simulate::{Simulation, Timing};
use troika_kit::{Contract, Done, Duration, Fault, Step, Tick, Time};
use troika_world::absence::Absence;

/// From the death of a process to the first words of who speaks in its place: the watchdog looks every 50 ms.
const NOTICED: Duration = Duration::from_millis(100);

/// From and to, since the start.
type Span = (Duration, Duration);

/// What befalls one node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate {
    /// Its process is gone.
    pub(crate) gone: Vec<Span>,
    /// Each of its steps takes so long.
    pub(crate) slow: Vec<(Span, Duration)>,
    /// It has no models.
    pub(crate) without_models: bool,
    /// Where it is counted what came while its process was gone, if somebody asks.
    pub(crate) absence: Option<Absence>,
}

/// Nothing befalls it.
pub(crate) static NOTHING: Fate =
    Fate { gone: Vec::new(), slow: Vec::new(), without_models: false, absence: None };

impl Fate {
    /// Whether it is nothing.
    pub(crate) fn is_none(&self) -> bool {
        self.gone.is_empty() && self.slow.is_empty() && !self.without_models
    }

    /// How long each step takes.
    pub(crate) fn timing(&self, simulation: &Simulation) -> impl FnMut(u64) -> Timing + 'static {
        let (slow, now, start) = (self.slow.clone(), simulation.reader(), simulation.now());
        move |_| {
            let after = now().since(start);
            let takes = slow.iter().find(|((from, to), _)| (*from..*to).contains(&after));
            Timing { execution: takes.map_or(Duration::ZERO, |(_, takes)| *takes), ..Timing::default() }
        }
    }
}

/// A node whose process may die: meanwhile its stand-in says the fall-back, as the watchdog has it, and then it begins anew.
pub(crate) struct Mortal<S> {
    make: Box<dyn FnMut() -> anyhow::Result<S> + Send>,
    lives: S,
    stand_in: Option<S>,
    gone: Vec<(Time, Time)>,
    dead: bool,
    absence: Absence,
}

impl<S: Step> Mortal<S> {
    /// Made by `make`, at each beginning; `stand_in` speaks for it.
    pub(crate) fn new(
        fate: &Fate,
        start: Time,
        mut make: impl FnMut() -> anyhow::Result<S> + Send + 'static,
        mut stand_in: Option<S>,
    ) -> anyhow::Result<Mortal<S>> {
        let lives = if fate.without_models {
            stand_in.take().context("this kind of node has nothing to say without its models")?
        } else {
            make()?
        };
        let gone = fate.gone.iter().map(|(from, to)| (start + *from, start + *to)).collect();
        let absence = fate.absence.clone().unwrap_or_default();
        Ok(Mortal { make: Box::new(make), lives, stand_in, gone, dead: false, absence })
    }
}

impl<S: Step> Step for Mortal<S> {
    type Inputs = S::Inputs;
    type Outputs = S::Outputs;

    const CONTRACT: Contract = S::CONTRACT;
    const LEVELS: &'static [&'static str] = S::LEVELS;

    fn step(&mut self, tick: &Tick, inputs: &S::Inputs, outputs: &mut S::Outputs) -> Result<Done, Fault> {
        let gone = self.gone.iter().find(|(from, to)| (*from..*to).contains(&tick.now));
        match (gone, &mut self.stand_in) {
            // A fault, so that what the stand-in says is counted as the fall-back that it is.
            (Some((since, _)), Some(_)) if tick.now.since(*since) >= NOTICED => {
                self.dead = true;
                self.absence.count(true);
                Err(Fault::Unavailable("its process"))
            }
            (Some(_), _) => {
                self.dead = true;
                self.absence.count(false);
                Ok(Done::Skipped)
            }
            (None, stand_in) => {
                if std::mem::take(&mut self.dead) {
                    if let Some(stand_in) = stand_in {
                        stand_in.give_way(tick, outputs);
                    }
                    // What could be made once can be made again, unless its files are gone: it stays away then.
                    match (self.make)() {
                        Ok(lives) => self.lives = lives,
                        Err(_) => return Err(Fault::Unavailable("its process")),
                    }
                }
                self.lives.step(tick, inputs, outputs)
            }
        }
    }

    fn fall_back(&mut self, tick: &Tick, fault: &Fault, outputs: &mut S::Outputs) {
        match (self.dead, &mut self.stand_in) {
            (false, _) => self.lives.fall_back(tick, fault, outputs),
            (true, Some(stand_in)) => stand_in.fall_back(tick, fault, outputs),
            (true, None) => {}
        }
    }

    fn give_way(&mut self, tick: &Tick, outputs: &mut S::Outputs) {
        self.lives.give_way(tick, outputs);
    }
}

#[cfg(test)]
mod tests {
    use troika_host::NodeOptions;
    use troika_msgs::troika::{Heartbeat, SafetyState};
    use troika_supervisor::{Config, SupervisorNode};

    use super::*;
    use crate::{
        kind::{Making, Runtime},
        kinds,
    };

    #[test]
    fn a_node_whose_process_is_gone_is_silent_to_the_supervisor_until_it_is_back() {
        troika_safety::verifies![SR_SUP_005];
        let text = "[system]\nname = \"t\"\n[nodes.driver_monitor]\nkind = \"driver_monitor\"\n\
                    [nodes.supervisor]\nkind = \"supervisor\"\n\
                    [nodes.supervisor.params]\nstart_within_s = 2\n\
                    capabilities = { driver_monitoring = { nodes = [\"/driver_monitor\"], critical = true } }\n";
        let mut simulation = Simulation::new().expect("it is there");
        let seconds = Duration::from_secs;
        let fate = Fate { gone: vec![(seconds(10), seconds(20))], ..Fate::default() };
        let making = Making { text, node: "driver_monitor", base: ".".into(), models: None };
        let monitor = kinds::find("driver_monitor").expect("it is a kind");
        let options = NodeOptions::new("driver_monitor");
        monitor.start(&making, options, Runtime::Simulation(&mut simulation, &fate)).expect("it starts");
        let config: Config = crate::system::read_params(text, "supervisor").expect("they are sound");
        let supervisor = SupervisorNode::new(config, ()).expect("they are sound");
        simulation.spawn(supervisor, NodeOptions::new("supervisor")).expect("spawned");
        let beats = simulation.collect::<Heartbeat>("/troika/heartbeat").expect("a topic");
        let states = simulation.collect::<SafetyState>("/safety/state").expect("a topic");
        simulation.run_for(seconds(40));

        let beats = beats.take();
        let of_monitor: Vec<_> = beats.iter().filter(|beat| beat.value.node == "/driver_monitor").collect();
        let begin = simulation.now() - seconds(40);
        let at = |received: Time| received.since(begin);
        let is_gone = |at: Duration| (seconds(10)..seconds(20)).contains(&at);
        assert!(of_monitor.len() > 25 && of_monitor.iter().all(|beat| !is_gone(at(beat.received))));
        let back = of_monitor.iter().find(|beat| at(beat.received) >= seconds(20)).expect("it is back");
        assert_eq!(back.value.sequence, 0, "another process numbers its own");

        let states = states.take();
        let state = |second: u64| {
            let until = states.iter().take_while(|state| at(state.received) <= seconds(second));
            until.last().expect("ten a second").value.state
        };
        assert_eq!(state(9), SafetyState::NOMINAL);
        // The last heartbeat may be 0.9 s old when the process dies, and is missed 2.5 s after it.
        assert_eq!((state(13), state(19)), (SafetyState::SAFE, SafetyState::SAFE));
        assert_eq!(state(39), SafetyState::NOMINAL);
    }
}
