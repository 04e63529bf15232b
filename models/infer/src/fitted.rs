//! A network whose sizes a node was written for: held against them when it is opened, so that a run has nothing left to find out.

use thiserror::Error;

use crate::{Network, Outputs, RunError, Store, StoreError};

/// What a node reads and writes: the model and how many numbers go in and come out.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    /// The passport's name in the store.
    pub model: &'static str,
    /// In how many pieces it is to run.
    pub pieces: usize,
    /// Numbers of the one input.
    pub input: usize,
    /// Numbers of each output that is read: the first ones of the network, which may have more.
    pub outputs: &'static [usize],
}

/// Why it is not to be had.
#[derive(Debug, Error)]
pub enum FitError {
    /// The store refused it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its passport and its bytes agree, but it is not the network that the node is written for.
    #[error("{model}: {what} has {found} numbers, this node is written for {expected}")]
    Other {
        /// The model.
        model: &'static str,
        /// Which tensor.
        what: &'static str,
        /// Numbers in the passport.
        found: usize,
        /// Numbers that the node reads or writes.
        expected: usize,
    },
}

/// A network with one input, that fits.
pub struct Fitted(Network);

impl Fitted {
    /// Opens it.
    ///
    /// # Errors
    /// The store refuses it, or its sizes are others.
    pub fn open(store: &Store, fit: Fit) -> Result<Fitted, FitError> {
        let network = store.network_in_parts(fit.model, fit.pieces)?;
        let mismatch = |what, found, expected| FitError::Other { model: fit.model, what, found, expected };
        let [one] = network.inputs() else {
            return Err(mismatch("the list of inputs", network.inputs().len(), 1));
        };
        if one.len() != fit.input {
            return Err(mismatch("the input", one.len(), fit.input));
        }
        if network.outputs().len() < fit.outputs.len() {
            return Err(mismatch("the list of outputs", network.outputs().len(), fit.outputs.len()));
        }
        for (spec, expected) in network.outputs().iter().zip(fit.outputs) {
            if spec.len() != *expected {
                return Err(mismatch("an output", spec.len(), *expected));
            }
        }
        Ok(Fitted(network))
    }

    /// Runs it whole. `outputs` are the first ones of the network, each of exactly its size.
    ///
    /// # Errors
    /// The run failed, or `outputs` are of other sizes.
    pub fn run(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), RunError> {
        write(&self.0.run(&[input])?, outputs)
    }

    /// Runs the next piece; true when that was the last, and the outputs are written. The input is read by the first.
    ///
    /// # Errors
    /// As [`Fitted::run`]; the next call then begins anew.
    pub fn run_part(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<bool, RunError> {
        let Some(made) = self.0.run_part(&[input])? else { return Ok(false) };
        write(&made, outputs).map(|()| true)
    }

    /// Gives up a run that was begun.
    pub fn restart(&mut self) {
        self.0.restart();
    }
}

fn write(made: &Outputs, outputs: &mut [&mut [f32]]) -> Result<(), RunError> {
    for (index, output) in outputs.iter_mut().enumerate() {
        let values = made.get(index);
        if values.len() != output.len() {
            return Err(RunError::OutputLength { index, found: output.len(), expected: values.len() });
        }
        output.copy_from_slice(values);
    }
    Ok(())
}
