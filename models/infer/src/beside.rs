//! Two networks of one name, to be compared: a candidate in the place of the one in use, and another network beside one that runs, on the
//! same inputs. For judging a network before anybody relies on it; a system that drives uses neither.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use troika_tflite::Exact;

use crate::{
    exchange::{Candidate, Place, Refusal},
    golden::Agreement,
    network::{Network, NetworkError, Outputs, RunError},
    passport::Format,
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
    /// Of the runs that were far apart: see [`Store::beside_judged`].
    pub far: Far,
}

/// Runs in which two networks were further apart than allowed, and how far each was from the same network in `f64`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Far {
    /// How many.
    pub runs: u64,
    /// How many of them were computed in `f64`: all of a network that comes as `.tflite` and is the same file on both sides, else none.
    pub judged: u64,
    /// The greatest difference from `f64` of the store's own network; infinite where it made no number.
    pub own: f32,
    /// The same of the other store's.
    pub other: f32,
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

    /// Notes a run that was far apart, and how far each side was from `f64`.
    fn add_far(&self, model: &str, judged: Option<[f32; 2]>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let far = &mut all.entry(model.to_owned()).or_default().far;
        far.runs += 1;
        if let Some([own, other]) = judged {
            (far.judged, far.own, far.other) = (far.judged + 1, far.own.max(own), far.other.max(other));
        }
    }
}

/// What a store's networks run beside.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    other: Arc<Store>,
    differences: Differences,
    /// Further apart is far.
    allowed: f32,
}

impl Beside {
    /// Puts the other store's network of this name beside `network`, where that is another one.
    pub(crate) fn join(&self, own: &Store, name: &str, network: Network) -> Result<Network, StoreError> {
        let (passport, other) = (own.passport(name)?, self.other.passport(name)?);
        let kernels = own.kernels != self.other.kernels;
        if passport.sha256 == other.sha256 && !kernels {
            return Ok(network);
        }
        let one = passport.sha256 == other.sha256 && passport.format == Format::Tflite;
        let exact = if one && self.allowed.is_finite() { Some(exact(own, name)?) } else { None };
        Ok(network.beside(Shadow {
            network: self.other.network(name)?,
            model: name.to_owned(),
            differences: self.differences.clone(),
            inputs: Vec::new(),
            allowed: self.allowed,
            exact,
        }))
    }
}

/// The network `name` in `f64`.
fn exact(store: &Store, name: &str) -> Result<Exact, StoreError> {
    Exact::read(&store.load_bytes(name)?)
        .map_err(|reason| StoreError::Network { name: name.to_owned(), reason: reason.into() })
}

/// A network that sees what another one sees.
pub(crate) struct Shadow {
    network: Network,
    model: String,
    differences: Differences,
    inputs: Vec<Vec<f32>>,
    allowed: f32,
    exact: Option<Exact>,
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
        let mut most = 0f32;
        for (index, spec) in self.network.outputs().iter().enumerate() {
            let off = greatest(outputs.get(index), other.get(index));
            self.differences.add(&self.model, u64::from(index == 0), off, &spec.name);
            most = most.max(off);
        }
        if most > self.allowed {
            let exact = self.exact.as_ref().and_then(|exact| exact.run(&inputs));
            let judged = exact.map(|exact| [outputs, &other].map(|made| from_exact(made, &exact)));
            self.differences.add_far(&self.model, judged);
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

/// The greatest difference of a run from the same in `f64`; infinite where there is no number, or not as many.
fn from_exact(made: &Outputs, exact: &[Vec<f64>]) -> f32 {
    let mut most = 0f64;
    for (index, exact) in exact.iter().enumerate() {
        let made = made.get(index);
        if made.len() != exact.len() {
            return f32::INFINITY;
        }
        let apart = made.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).abs());
        // As above.
        most = apart.fold(most, |most, off| if off.is_nan() { f64::INFINITY } else { most.max(off) });
    }
    most as f32
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
        self.beside_judged(other, f32::INFINITY)
    }

    /// The same, and where an output of one run is further from the other's than `allowed`, the run is computed in `f64` too
    /// ([`troika_tflite::Exact`]), which tells how far each is off by itself. That takes some tenths of a second.
    #[must_use]
    pub fn beside_judged(&self, other: Store, allowed: f32) -> (Store, Differences) {
        let differences = Differences::default();
        let mut store = self.clone();
        store.beside = Some(Beside { other: Arc::new(other), differences: differences.clone(), allowed });
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
