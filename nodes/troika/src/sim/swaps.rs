//! Networks that are offered in the place of running ones while a scenario plays, as `troika models swap` offers them to a running system.

use std::time::Duration;

use anyhow::{Context as _, bail};
use troika_driver_state::{node::DriverStateNode, store};
use troika_host::simulate::Simulation;
use troika_kit::Time;
use troika_models::{Candidate, Offered, Store};
use troika_trial::{Case, Event, Level, Swap, Trouble, What};

use super::stage::{Systems, pass};

/// Of one scenario. The networks are from a store of its own: other scenarios run beside it.
pub(super) struct Swaps<'c> {
    offers: Vec<&'c Trouble>,
    store: Option<Store>,
    made: Vec<(Event<Swap>, Option<Offered>)>,
}

impl<'c> Swaps<'c> {
    /// Those of a scenario, in time's order.
    ///
    /// # Errors
    /// One that could not befall anything there.
    pub(super) fn of(case: &'c Case) -> anyhow::Result<Swaps<'c>> {
        let mut offers: Vec<_> =
            case.troubles.iter().filter(|trouble| trouble.what == What::ModelSwapped).collect();
        offers.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        if offers.iter().any(|trouble| trouble.node.as_deref() != Some("driver_state")) {
            bail!("models are swapped of driver_state alone");
        }
        let others = case.troubles_of("driver_state").any(|trouble| trouble.what != What::ModelSwapped);
        if !offers.is_empty() && (others || case.level != Level::Pixels) {
            bail!(
                "\"model_swapped\" wants `level = \"pixels\"`, and no other trouble of driver_state beside it"
            );
        }
        let store = (!offers.is_empty()).then(Store::open_default).transpose()?;
        Ok(Swaps { offers, store, made: Vec::new() })
    }

    /// The node whose networks are swapped; none where nothing is.
    pub(super) fn driver_state(&self, systems: &Systems) -> anyhow::Result<Option<DriverStateNode>> {
        let Some(store) = &self.store else { return Ok(None) };
        let networks = store::open_all(store)?;
        Ok(Some(DriverStateNode::new(&systems.params("driver_state")?, networks, store::MODEL)?))
    }

    /// Lets time pass until the last of them, and makes each at its time.
    pub(super) fn pass(
        &mut self,
        simulation: &mut Simulation,
        start: Time,
        real_time: bool,
    ) -> anyhow::Result<()> {
        for trouble in std::mem::take(&mut self.offers) {
            pass(simulation, start + Duration::from_secs_f64(trouble.at_s), real_time);
            let made = self.offer(trouble)?;
            self.made.push(made);
        }
        Ok(())
    }

    fn offer(&self, trouble: &Trouble) -> anyhow::Result<(Event<Swap>, Option<Offered>)> {
        let model = trouble.model.clone().unwrap_or_default();
        let exchanges = self.store.iter().flat_map(Store::exchanges).find(|one| one.model() == model);
        let exchange = exchanges.with_context(|| format!("driver_state runs no network {model}"))?;
        let folder = trouble.candidate.as_deref().context("a trouble without a candidate")?;
        let examined = Candidate::read(folder, None).and_then(|candidate| exchange.examine(&candidate));
        let (refused, offered) = match examined {
            Ok((network, _)) => (None, Some(exchange.offer(network))),
            Err(why) => (Some(why.to_string()), None),
        };
        Ok((Event { at: trouble.at_s, value: Swap { model, refused } }, offered))
    }

    /// What became of them.
    pub(super) fn told(self) -> Vec<Event<Swap>> {
        let told = |(mut event, offered): (Event<Swap>, Option<Offered>)| {
            if offered.is_some_and(|offered| !offered.is_taken()) {
                event.value.refused = Some("no step ran the network after it was offered".to_owned());
            }
            event
        };
        self.made.into_iter().map(told).collect()
    }
}
