//! Whisper weights from CTranslate2's file to the GGML file that whisper.cpp reads. Pure but for reading the two files and
//! writing the third; the same input gives the same bytes, so the result's sha256 is known before it is made.
//!
//! What changes on the way: fused projections are split (self-attention into query, key, value; cross-attention into
//! key, value; Whisper's key has no bias, the fused one holds zeros), convolution biases become columns, matrices stay
//! f16 and everything else becomes f32. What a CTranslate2 file lacks is made here: the mel filter bank (Slaney's, as
//! Whisper was trained with) and the vocabulary in raw bytes (the file has GPT-2's printable stand-ins).

mod ct2;
mod mel;
mod vocabulary;

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

pub use ct2::Ct2Error;
use ct2::{Model, Tensor};

/// Why a conversion failed. Nothing is left at the output path then.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: io::Error,
    },
    /// The weights are no CTranslate2 Whisper file that we know.
    #[error("not a CTranslate2 Whisper model: {0}")]
    Model(#[from] Ct2Error),
    /// The vocabulary is not the model's.
    #[error("vocabulary: {0}")]
    Vocabulary(String),
}

/// GGML's magic number, `ggml` read as a little-endian integer.
const MAGIC: u32 = 0x6767_6d6c;
/// GGML's name for "matrices in f16".
const FTYPE_F16: i32 = 1;
/// Samples in Whisper's window at 16 kHz (25 ms), so 201 frequency bins.
const FFT: usize = 400;

/// Bands of the mel filter bank: Whisper has 80 or 128. The bank is made here, 201 numbers for each.
const MOST_MELS: usize = 256;

/// Converts `model_bin` (CTranslate2, format 6, f16 or f32) with its `vocabulary` (one token a line) and writes `out`, by way of a file
/// beside it that is renamed at the end.
///
/// # Errors
/// When a file cannot be read or written, or is not what it should be.
pub fn convert(model_bin: &Path, vocabulary: &Path, out: &Path) -> Result<(), ConvertError> {
    let told = |path: &Path| {
        let path = path.display().to_string();
        move |reason| ConvertError::File { path, reason }
    };
    let weights = fs::read(model_bin).map_err(told(model_bin))?;
    let words = fs::read_to_string(vocabulary).map_err(told(vocabulary))?;
    let bytes = convert_bytes(&weights, &words)?;
    let part = out.with_extension("part");
    let written = fs::File::create(&part).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    if let Err(reason) = written.and_then(|()| fs::rename(&part, out)) {
        let _ = fs::remove_file(&part);
        return Err(told(out)(reason));
    }
    Ok(())
}

/// As [`convert`], from and to memory.
///
/// # Errors
/// When the weights or the vocabulary are not what they should be.
pub fn convert_bytes(weights: &[u8], vocabulary: &str) -> Result<Vec<u8>, ConvertError> {
    let model = Model::parse(weights)?;
    let mut out = Ggml(Vec::with_capacity(weights.len() + weights.len() / 8));
    let embeddings = model.tensor("decoder/embeddings/weight")?;
    let [vocab, state] = embeddings.dims2()?;
    let [audio_ctx, _] = model.tensor("encoder/position_encodings/encodings")?.dims2()?;
    let [text_ctx, _] = model.tensor("decoder/position_encodings/encodings")?.dims2()?;
    let mels = model.tensor("encoder/conv1/weight")?.dims.get(1).copied().unwrap_or(0);
    if !(1..=MOST_MELS).contains(&mels) {
        return Err(Ct2Error::Shape("encoder/conv1/weight".to_owned()).into());
    }
    let (encoder_layers, decoder_layers) = (model.layers("encoder"), model.layers("decoder"));
    let heads = model.scalar_i16("encoder/num_heads")?;
    let text_heads = model.scalar_i16("decoder/num_heads")?;
    let tokens = vocabulary::tokens(vocabulary, vocab).map_err(ConvertError::Vocabulary)?;

    out.0.extend(MAGIC.to_le_bytes());
    for number in
        [vocab, audio_ctx, state, heads, encoder_layers, text_ctx, state, text_heads, decoder_layers, mels]
    {
        out.int(number);
    }
    out.0.extend(FTYPE_F16.to_le_bytes());
    out.int(mels);
    out.int(FFT / 2 + 1);
    for weight in mel::filters(mels, FFT) {
        out.0.extend(weight.to_le_bytes());
    }
    out.int(tokens.len());
    for token in &tokens {
        out.int(token.len());
        out.0.extend(token);
    }

    for side in ["encoder", "decoder"] {
        let positions = model.tensor(&format!("{side}/position_encodings/encodings"))?;
        out.tensor(&format!("{side}.positional_embedding"), &positions, Keep::F32);
    }
    for conv in ["conv1", "conv2"] {
        out.tensor(
            &format!("encoder.{conv}.weight"),
            &model.tensor(&format!("encoder/{conv}/weight"))?,
            Keep::F16,
        );
        let bias = model.tensor(&format!("encoder/{conv}/bias"))?;
        out.tensor(&format!("encoder.{conv}.bias"), &bias.as_column(), Keep::F32);
    }
    out.tensor("decoder.token_embedding.weight", &embeddings, Keep::F16);
    for (side, layers, end) in [("encoder", encoder_layers, "ln_post"), ("decoder", decoder_layers, "ln")] {
        out.norm(&model, &format!("{side}/layer_norm"), &format!("{side}.{end}"))?;
        for layer in 0..layers {
            let (from, to) = (format!("{side}/layer_{layer}"), format!("{side}.blocks.{layer}"));
            out.attention(&model, &format!("{from}/self_attention"), &format!("{to}.attn"), true)?;
            if side == "decoder" {
                out.attention(&model, &format!("{from}/attention"), &format!("{to}.cross_attn"), false)?;
            }
            out.norm(&model, &format!("{from}/ffn/layer_norm"), &format!("{to}.mlp_ln"))?;
            out.linear(&model, &format!("{from}/ffn/linear_0"), &format!("{to}.mlp.0"))?;
            out.linear(&model, &format!("{from}/ffn/linear_1"), &format!("{to}.mlp.2"))?;
        }
    }
    Ok(out.0)
}

/// How a tensor is stored.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    F32,
    F16,
}

/// The file as it grows.
struct Ggml(Vec<u8>);

impl Ggml {
    fn int(&mut self, number: usize) {
        // Every count of a Whisper model is far below 2^31; the parser bounds them by the file's length.
        self.0.extend((number as i32).to_le_bytes());
    }

    fn tensor(&mut self, name: &str, tensor: &Tensor<'_>, keep: Keep) {
        self.int(tensor.dims.len());
        self.int(name.len());
        self.int(usize::from(keep == Keep::F16));
        for dim in tensor.dims.iter().rev() {
            self.int(*dim);
        }
        self.0.extend(name.as_bytes());
        match keep {
            Keep::F32 => tensor.f32s().for_each(|value| self.0.extend(value.to_le_bytes())),
            Keep::F16 => tensor.f16s().for_each(|bits| self.0.extend(bits.to_le_bytes())),
        }
    }

    fn linear(&mut self, model: &Model<'_>, from: &str, to: &str) -> Result<(), Ct2Error> {
        self.tensor(&format!("{to}.weight"), &model.tensor(&format!("{from}/weight"))?, Keep::F16);
        self.tensor(&format!("{to}.bias"), &model.tensor(&format!("{from}/bias"))?, Keep::F32);
        Ok(())
    }

    fn norm(&mut self, model: &Model<'_>, from: &str, to: &str) -> Result<(), Ct2Error> {
        self.tensor(&format!("{to}.weight"), &model.tensor(&format!("{from}/gamma"))?, Keep::F32);
        self.tensor(&format!("{to}.bias"), &model.tensor(&format!("{from}/beta"))?, Keep::F32);
        Ok(())
    }

    /// An attention block; the fused projections are split.
    fn attention(&mut self, model: &Model<'_>, from: &str, to: &str, own: bool) -> Result<(), Ct2Error> {
        self.norm(model, &format!("{from}/layer_norm"), &format!("{to}_ln"))?;
        // Self-attention: linear_0 = query, key, value; cross-attention: linear_0 = query, linear_1 = key, value.
        let fused: &[(&str, &[&str])] = if own {
            &[("linear_0", &["query", "key", "value"]), ("linear_1", &["out"])]
        } else {
            &[("linear_0", &["query"]), ("linear_1", &["key", "value"]), ("linear_2", &["out"])]
        };
        for (linear, parts) in fused {
            let weight = model.tensor(&format!("{from}/{linear}/weight"))?;
            let bias = model.tensor(&format!("{from}/{linear}/bias"))?;
            for (index, part) in parts.iter().enumerate() {
                self.tensor(&format!("{to}.{part}.weight"), &weight.part(index, parts.len())?, Keep::F16);
                if *part != "key" {
                    self.tensor(&format!("{to}.{part}.bias"), &bias.part(index, parts.len())?, Keep::F32);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
