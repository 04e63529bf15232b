//! A network that is ready to run: compiled for this machine, its shapes held against the passport.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use thiserror::Error;
use tract_onnx::prelude::*;
use troika_tflite::Kernels;

use crate::beside::Shadow;
use crate::exchange::Exchange;
use crate::parts::Parts;
use crate::passport::{Format, Passport, TensorSpec};

/// Why bytes do not make the network that the passport describes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The `.tflite` file is damaged or needs what we do not have.
    #[error("the .tflite file is refused: {0}")]
    Tflite(troika_tflite::ReadError),
    /// tract does not accept the ONNX file, or cannot compile the network.
    #[error("tract refuses it: {0}")]
    Tract(String),
    /// tract stumbled over it: its code trusts a file more than one that is damaged deserves.
    #[error("tract stumbles over it: {0}")]
    Stumbled(String),
    /// It is not a network.
    #[error("its format is {0:?}, which is not run by tract")]
    Format(Format),
    /// It has another number of inputs or outputs.
    #[error("it has {found} {what}, the passport says {expected}")]
    Count {
        /// Inputs or outputs.
        what: &'static str,
        /// In the file.
        found: usize,
        /// In the passport.
        expected: usize,
    },
    /// A tensor has another shape.
    #[error("{what} `{name}` has the shape {found}, the passport says {expected:?}")]
    Shape {
        /// Input or output.
        what: &'static str,
        /// Its name.
        name: String,
        /// In the file.
        found: String,
        /// In the passport.
        expected: Vec<usize>,
    },
}

// Not thiserror's: the reason is in the words already, and as a source it would be told again behind them.
impl From<troika_tflite::ReadError> for NetworkError {
    fn from(reason: troika_tflite::ReadError) -> Self {
        NetworkError::Tflite(reason)
    }
}

/// Why a run failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Another number of inputs.
    #[error("{found} inputs for {expected}")]
    Count {
        /// Given.
        found: usize,
        /// Expected.
        expected: usize,
    },
    /// An input of another length.
    #[error("input {index} has {found} numbers, {expected} are expected")]
    Length {
        /// Which input.
        index: usize,
        /// Given.
        found: usize,
        /// Expected.
        expected: usize,
    },
    /// An output taken in another length.
    #[error("output {index} has {expected} numbers, {found} are to be written")]
    OutputLength {
        /// Which output.
        index: usize,
        /// Asked for.
        found: usize,
        /// Made.
        expected: usize,
    },
    /// tract failed.
    #[error("tract: {0}")]
    Tract(String),
}

/// A compiled network with its working state. One thread runs it at a time; it starts no thread.
pub struct Network {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    parts: Parts,
    kernels: Kernels,
    /// The greatest difference from its golden outputs that its passport allows.
    tolerance: Option<f32>,
    /// Where its successor may come from.
    exchange: Option<Exchange>,
    /// Another network on the same inputs.
    shadow: Option<Box<Shadow>>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// Compiles `bytes`, and refuses a network whose inputs and outputs are not those of the passport.
    pub fn load(passport: &Passport, bytes: &[u8]) -> Result<Self, NetworkError> {
        Network::load_in_parts(passport, bytes, 1)
    }

    /// The same, cut into at most `parts` parts of about equal work that [`Network::run_part`] runs one by one: for a network that
    /// takes longer than its caller has at a time.
    pub fn load_in_parts(passport: &Passport, bytes: &[u8], parts: usize) -> Result<Self, NetworkError> {
        Network::load_with(passport, bytes, parts, Kernels::Fast)
    }

    /// The same, of the kernels that are named.
    pub fn load_with(
        passport: &Passport,
        bytes: &[u8],
        parts: usize,
        kernels: Kernels,
    ) -> Result<Self, NetworkError> {
        // Nothing that was half done outlives this: the panic of a library on a bad file is an error like any other.
        catch_unwind(AssertUnwindSafe(|| Network::compile(passport, bytes, parts, kernels)))
            .unwrap_or_else(|panic| Err(NetworkError::Stumbled(words(panic.as_ref()))))
    }

    fn compile(
        passport: &Passport,
        bytes: &[u8],
        parts: usize,
        kernels: Kernels,
    ) -> Result<Self, NetworkError> {
        let tract = |e: TractError| NetworkError::Tract(format!("{e:#}"));
        let model = match passport.format {
            Format::Tflite => troika_tflite::read_with(bytes, kernels)?,
            Format::Onnx => troika_tflite::quicken(onnx(passport, bytes)?, kernels).map_err(tract)?,
            other => return Err(NetworkError::Format(other)),
        };
        count("inputs", model.inputs.len(), passport.inputs.len())?;
        count("outputs", model.outputs.len(), passport.outputs.len())?;
        for (i, spec) in passport.inputs.iter().enumerate() {
            shape("input", spec, model.input_fact(i).map_err(tract)?)?;
        }
        for (i, spec) in passport.outputs.iter().enumerate() {
            shape("output", spec, model.output_fact(i).map_err(tract)?)?;
        }
        let parts = model.into_optimized().and_then(|m| Parts::cut(&m, parts)).map_err(tract)?;
        Ok(Network {
            inputs: passport.inputs.clone(),
            outputs: passport.outputs.clone(),
            parts,
            kernels,
            tolerance: passport.golden.as_ref().map(|golden| golden.max_abs_error),
            exchange: None,
            shadow: None,
        })
    }

    /// Lets another network take its place while it runs.
    pub(crate) fn exchangeable(mut self, model: &str) -> (Self, Exchange) {
        let exchange = Exchange::new(model, &self);
        self.exchange = Some(exchange.clone());
        (self, exchange)
    }

    /// Runs another one on each of its inputs.
    pub(crate) fn beside(mut self, shadow: Shadow) -> Self {
        self.shadow = Some(Box::new(shadow));
        self
    }

    /// What it is made of.
    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels
    }

    pub(crate) fn into_parts(self) -> Parts {
        self.parts
    }

    /// See [`crate::passport::Golden::max_abs_error`].
    pub(crate) fn tolerance(&self) -> Option<f32> {
        self.tolerance
    }

    /// How many parts it is in.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Runs once, all parts. Each input is flat, in the order and of the length of its passport. A run that was begun by
    /// [`Network::run_part`] is given up.
    pub fn run(&mut self, inputs: &[&[f32]]) -> Result<Outputs, RunError> {
        self.parts.restart();
        loop {
            if let Some(outputs) = self.run_part(inputs)? {
                return Ok(outputs);
            }
        }
    }

    /// Runs the next part, and gives the outputs after the last one. The inputs are read by the first part only. An error begins
    /// anew.
    pub fn run_part(&mut self, inputs: &[&[f32]]) -> Result<Option<Outputs>, RunError> {
        let tract = |e: TractError| RunError::Tract(format!("{e:#}"));
        if self.parts.at_start() {
            if let Some(exchange) = &self.exchange {
                exchange.take(&mut self.parts);
            }
            if inputs.len() != self.inputs.len() {
                return Err(RunError::Count { found: inputs.len(), expected: self.inputs.len() });
            }
            for (index, (data, spec)) in inputs.iter().zip(&self.inputs).enumerate() {
                if data.len() != spec.len() {
                    return Err(RunError::Length { index, found: data.len(), expected: spec.len() });
                }
                self.parts.set_input(index, Tensor::from_shape(&spec.shape, data).map_err(tract)?.into());
            }
            if let Some(shadow) = &mut self.shadow {
                shadow.take(inputs);
            }
        }
        let Some(made) = self.parts.step().map_err(tract)? else { return Ok(None) };
        for (index, (value, spec)) in made.iter().zip(&self.outputs).enumerate() {
            let found =
                value.try_as_plain_ram().and_then(|v| Ok(v.as_slice::<f32>()?.len())).map_err(tract)?;
            if found != spec.len() {
                return Err(RunError::Length { index, found, expected: spec.len() });
            }
        }
        let outputs = Outputs(made);
        if let Some(shadow) = &mut self.shadow {
            shadow.compare(&outputs)?;
        }
        Ok(Some(outputs))
    }

    /// Gives up a run that [`Network::run_part`] began, if there is one.
    pub fn restart(&mut self) {
        self.parts.restart();
    }
}

/// What a run gave.
#[derive(Debug)]
pub struct Outputs(TVec<TValue>);

impl Outputs {
    /// Output `index`, flat; empty when there is no such output.
    pub fn get(&self, index: usize) -> &[f32] {
        let value = self.0.get(index).and_then(|v| v.as_plain_ram());
        value.and_then(|v| v.as_slice::<f32>().ok()).unwrap_or_default()
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The typed model of an ONNX file, its inputs fixed to the passport's shapes.
fn onnx(passport: &Passport, bytes: &[u8]) -> Result<TypedModel, NetworkError> {
    let tract = |e: TractError| NetworkError::Tract(format!("{e:#}"));
    let mut model = tract_onnx::onnx().model_for_read(&mut &bytes[..]).map_err(tract)?;
    count("inputs", model.inputs.len(), passport.inputs.len())?;
    for (i, spec) in passport.inputs.iter().enumerate() {
        model.set_input_fact(i, f32::fact(&spec.shape).into()).map_err(tract)?;
    }
    model.into_typed().map_err(tract)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}

fn count(what: &'static str, found: usize, expected: usize) -> Result<(), NetworkError> {
    if found == expected { Ok(()) } else { Err(NetworkError::Count { what, found, expected }) }
}

fn shape(what: &'static str, spec: &TensorSpec, fact: &TypedFact) -> Result<(), NetworkError> {
    let same =
        fact.shape.as_concrete() == Some(spec.shape.as_slice()) && fact.datum_type == f32::datum_type();
    if same {
        return Ok(());
    }
    let (name, found) = (spec.name.clone(), format!("{fact:?}"));
    Err(NetworkError::Shape { what, name, found, expected: spec.shape.clone() })
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn a_refused_file_is_told_once() {
        let error = NetworkError::from(troika_tflite::ReadError::NotTflite);
        assert_eq!(error.to_string(), "the .tflite file is refused: not a .tflite file (no TFL3 identifier)");
        // A chain of errors is shown link by link.
        assert!(error.source().is_none());
    }
}
