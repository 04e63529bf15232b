//! Two networks of one name, to be compared: a candidate in the place of the one in use, and another network beside one that runs, on the
//! same inputs. For judging a network before anybody relies on it; a system that drives uses neither.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    exchange::{Candidate, Place, Refusal},
    golden::Agreement,
    network::{Network, NetworkError, Outputs, RunError},
    store::{Store, StoreError},
};

/// How far the outputs of two networks were apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// Runs that were compared.
    pub runs: u64,
    /// The greatest absolute difference of two numbers; infinite where one of them was none.
    pub max_abs: f32,
    /// The output that has it.
    pub output: String,
}

/// The differences by model, of all networks of a store ([`Store::beside`]) together. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Differences(Arc<Mutex<BTreeMap<String, Difference>>>);

impl Differences {
    /// So far.
    pub fn get(&self) -> BTreeMap<String, Difference> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, model: &str, runs: u64, max_abs: f32, output: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.entry(model.to_owned()).or_default();
        one.runs += runs;
        if max_abs > one.max_abs || one.output.is_empty() {
            (one.max_abs, one.output) = (max_abs, output.to_owned());
        }
    }
}

/// What a store's networks run beside.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    other: Arc<Store>,
    differences: Differences,
}

impl Beside {
    /// Puts the other store's network of this name beside `network`, where that is another one.
    pub(crate) fn join(&self, own: &Store, name: &str, network: Network) -> Result<Network, StoreError> {
        let (passport, other) = (own.passport(name)?, self.other.passport(name)?);
        let kernels = own.kernels != self.other.kernels;
        if passport.sha256 == other.sha256 && !kernels {
            return Ok(network);
        }
        let network_beside = self.other.network(name)?;
        let (model, differences) = (name.to_owned(), self.differences.clone());
        Ok(network.beside(Shadow { network: network_beside, model, differences, inputs: Vec::new() }))
    }
}

/// A network that sees what another one sees.
pub(crate) struct Shadow {
    network: Network,
    model: String,
    differences: Differences,
    inputs: Vec<Vec<f32>>,
}

impl Shadow {
    /// Keeps the inputs of the run that begins.
    pub(crate) fn take(&mut self, inputs: &[&[f32]]) {
        self.inputs.resize_with(inputs.len(), Vec::new);
        for (kept, input) in self.inputs.iter_mut().zip(inputs) {
            kept.clear();
            kept.extend_from_slice(input);
        }
    }

    /// Runs on them, whole, and notes how far its outputs are from these.
    pub(crate) fn compare(&mut self, outputs: &Outputs) -> Result<(), RunError> {
        let inputs: Vec<&[f32]> = self.inputs.iter().map(Vec::as_slice).collect();
        let other = self.network.run(&inputs)?;
        for (index, spec) in self.network.outputs().iter().enumerate() {
            let off = greatest(outputs.get(index), other.get(index));
            self.differences.add(&self.model, u64::from(index == 0), off, &spec.name);
        }
        Ok(())
    }
}

/// The greatest difference; infinite where there is no number, or not as many.
fn greatest(one: &[f32], other: &[f32]) -> f32 {
    if one.len() != other.len() {
        return f32::INFINITY;
    }
    let apart = one.iter().zip(other).map(|(a, b)| (a - b).abs());
    // A NaN compares with nothing: it must not pass as small.
    apart.fold(0.0, |most, off| if off.is_nan() { f32::INFINITY } else { most.max(off) })
}

impl Store {
    /// A store of its own that has the candidate in the place of the model of its name, and how well that computes its golden outputs.
    /// The candidate is held to all that a running system holds one to ([`crate::Exchange::examine`]).
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn with_candidate(&self, candidate: Candidate) -> Result<(Store, Agreement), Refusal> {
        let used = self.passport(&candidate.passport().name)?;
        if !used.is_network() {
            return Err(NetworkError::Format(used.format).into());
        }
        let place = Place {
            model: used.name.clone(),
            inputs: used.inputs.clone(),
            outputs: used.outputs.clone(),
            parts: 1,
            kernels: self.kernels,
            tolerance: used.golden.as_ref().map(|golden| golden.max_abs_error),
        };
        let (_, agreement) = place.examine(&candidate)?;
        let mut store = self.replaced(candidate.passport().clone());
        store.candidates.retain(|one| one.passport().name != place.model);
        store.candidates.push(Arc::new(candidate));
        Ok((store, agreement))
    }

    /// The same store, whose every network also runs `other`'s network of its name on each of its inputs, where that is another one: the
    /// outputs are its own, and how far the other's are from them is kept. The runs take as long as both.
    #[must_use]
    pub fn beside(&self, other: Store) -> (Store, Differences) {
        let differences = Differences::default();
        let mut store = self.clone();
        store.beside = Some(Beside { other: Arc::new(other), differences: differences.clone() });
        (store, differences)
    }

    pub(crate) fn candidate(&self, name: &str) -> Option<&Candidate> {
        self.candidates.iter().map(AsRef::as_ref).find(|one| one.passport().name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_far_from_everything() {
        assert_eq!(greatest(&[1.0, -2.0], &[1.5, -2.25]), 0.5);
        assert_eq!(greatest(&[1.0, f32::NAN], &[1.0, f32::NAN]), f32::INFINITY);
        assert_eq!(greatest(&[1.0], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(greatest(&[], &[]), 0.0);
    }
}
