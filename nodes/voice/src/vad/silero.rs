//! Silero's voice activity network (`silero_vad_openvino_16k.onnx`) in tract: 512 new samples with the 64 before them in, the
//! probability of speech out, a state in between.

use std::{path::Path, sync::Arc};

use tract_onnx::prelude::*;

/// New samples a frame: 32 ms.
pub const FRAME: usize = 512;
/// Samples of the frame before that the network sees again.
const CONTEXT: usize = 64;
const STATE: [usize; 3] = [2, 1, 128];

/// Why the network cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VadError {
    /// It cannot be loaded.
    #[error("voice activity model {path}: {why}")]
    Load {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// A run failed.
    #[error("voice activity model: {0}")]
    Run(String),
}

/// The network with its state.
pub struct Silero {
    plan: Arc<TypedSimplePlan>,
    state: Tensor,
    context: [f32; CONTEXT],
}

impl Silero {
    /// Loads it.
    ///
    /// # Errors
    /// When the file is not there, damaged, or another network.
    pub fn load(path: &Path) -> Result<Silero, VadError> {
        let told = |why: String| VadError::Load { path: path.display().to_string(), why };
        let load = || -> TractResult<Arc<TypedSimplePlan>> {
            tract_onnx::onnx()
                .model_for_path(path)?
                .with_input_fact(0, f32::fact([1, CONTEXT + FRAME]).into())?
                .with_input_fact(1, f32::fact(STATE).into())?
                .into_optimized()?
                .into_runnable()
        };
        let plan = load().map_err(|error| told(format!("{error:#}")))?;
        let outputs = plan.model().outputs.len();
        if outputs != 2 {
            return Err(told(format!("{outputs} outputs, not 2: another network?")));
        }
        let state = Tensor::zero::<f32>(&STATE).map_err(|error| told(error.to_string()))?;
        Ok(Silero { plan, state, context: [0.0; CONTEXT] })
    }

    /// The probability that this frame is speech.
    ///
    /// # Errors
    /// When the run fails.
    pub fn probability(&mut self, frame: &[f32; FRAME]) -> Result<f32, VadError> {
        let mut input = [0.0; CONTEXT + FRAME];
        input[..CONTEXT].copy_from_slice(&self.context);
        input[CONTEXT..].copy_from_slice(frame);
        self.context.copy_from_slice(&frame[FRAME - CONTEXT..]);
        let mut run = || -> TractResult<f32> {
            let input = Tensor::from_shape(&[1, CONTEXT + FRAME], &input)?;
            let mut outputs = self.plan.run(tvec!(input.into(), self.state.clone().into()))?;
            self.state = outputs.remove(1).into_tensor();
            let probability = outputs.remove(0);
            let probability = probability.try_as_plain_ram()?.as_slice::<f32>()?.first().copied();
            Ok(probability.unwrap_or(0.0))
        };
        run().map_err(|error| VadError::Run(format!("{error:#}")))
    }

    /// Forgets what it heard.
    pub fn reset(&mut self) {
        self.context = [0.0; CONTEXT];
        if let Ok(zero) = Tensor::zero::<f32>(&STATE) {
            self.state = zero;
        }
    }
}
