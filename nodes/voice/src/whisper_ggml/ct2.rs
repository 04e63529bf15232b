//! CTranslate2's model file, format 6: names, shapes and bytes. Every length is checked against the file's end, so a
//! truncated or wrong file is an error and nothing is allocated for it.

use std::collections::HashMap;

/// What is wrong with a CTranslate2 file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ct2Error {
    /// The file ends before its content does.
    #[error("the file ends before its content does")]
    Truncated,
    /// Another format or another kind of model.
    #[error("{0}")]
    Kind(String),
    /// A weight that Whisper has is not there.
    #[error("no weight '{0}'")]
    Missing(String),
    /// A weight has a shape or type that Whisper's does not have.
    #[error("weight '{0}' has an unexpected shape or type")]
    Shape(String),
}

/// The element types that are read here.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Dtype {
    F32,
    F16,
    Other,
}

/// A named weight, still in the file's bytes.
#[derive(Debug, Clone)]
pub(super) struct Tensor<'a> {
    name: String,
    pub(super) dims: Vec<usize>,
    dtype: Dtype,
    bytes: &'a [u8],
}

/// All weights of a file.
pub(super) struct Model<'a>(HashMap<String, Tensor<'a>>);

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Ct2Error> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Ct2Error::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn uint(&mut self, bytes: usize) -> Result<usize, Ct2Error> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte)))
    }

    /// Length in two bytes, then the text with its zero byte.
    fn string(&mut self) -> Result<String, Ct2Error> {
        let length = self.uint(2)?;
        let text = self.take(length)?;
        Ok(String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text)).into_owned())
    }
}

impl<'a> Model<'a> {
    pub(super) fn parse(file: &'a [u8]) -> Result<Model<'a>, Ct2Error> {
        let mut reader = Reader(file);
        let version = reader.uint(4)?;
        if version != 6 {
            return Err(Ct2Error::Kind(format!("format {version}, not 6")));
        }
        let spec = reader.string()?;
        if spec != "WhisperSpec" {
            return Err(Ct2Error::Kind(format!("a '{}'", spec.escape_default())));
        }
        let _revision = reader.uint(4)?;
        let count = reader.uint(4)?;
        let mut weights = HashMap::new();
        for _ in 0..count {
            let name = reader.string()?;
            let rank = reader.uint(1)?;
            let dims = (0..rank).map(|_| reader.uint(4)).collect::<Result<Vec<_>, _>>()?;
            let dtype = match reader.uint(1)? {
                0 => Dtype::F32,
                4 => Dtype::F16,
                _ => Dtype::Other,
            };
            let length = reader.uint(4)?;
            let bytes = reader.take(length)?;
            let size = match dtype {
                Dtype::F32 => Some(4),
                Dtype::F16 => Some(2),
                Dtype::Other => None,
            };
            // No weight is empty; and with a 0 among them the others would be bounded by nothing.
            if dims.contains(&0) {
                return Err(Ct2Error::Shape(name));
            }
            let wanted = size.map(|size| dims.iter().try_fold(size, |all: usize, dim| all.checked_mul(*dim)));
            if wanted.is_some_and(|wanted| wanted != Some(length)) {
                return Err(Ct2Error::Shape(name));
            }
            weights.insert(name.clone(), Tensor { name, dims, dtype, bytes });
        }
        Ok(Model(weights))
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Tensor<'a>, Ct2Error> {
        let tensor = self.0.get(name).ok_or_else(|| Ct2Error::Missing(name.to_owned()))?;
        if tensor.dtype == Dtype::Other || tensor.dims.is_empty() {
            return Err(Ct2Error::Shape(name.to_owned()));
        }
        Ok(tensor.clone())
    }

    pub(super) fn scalar_i16(&self, name: &str) -> Result<usize, Ct2Error> {
        let tensor = self.0.get(name).ok_or_else(|| Ct2Error::Missing(name.to_owned()))?;
        match tensor.bytes {
            [low, high] => Ok(usize::from(u16::from_le_bytes([*low, *high]))),
            _ => Err(Ct2Error::Shape(name.to_owned())),
        }
    }

    /// How many layers a side has.
    pub(super) fn layers(&self, side: &str) -> usize {
        (0..).take_while(|n| self.0.contains_key(&format!("{side}/layer_{n}/ffn/linear_0/weight"))).count()
    }
}

impl<'a> Tensor<'a> {
    pub(super) fn dims2(&self) -> Result<[usize; 2], Ct2Error> {
        self.dims.as_slice().try_into().map_err(|_| Ct2Error::Shape(self.name.clone()))
    }

    /// A vector as a column of one number a row.
    pub(super) fn as_column(&self) -> Tensor<'a> {
        let mut column = self.clone();
        column.dims.push(1);
        column
    }

    /// The `index`th of `count` equal slices of the rows.
    pub(super) fn part(&self, index: usize, count: usize) -> Result<Tensor<'a>, Ct2Error> {
        let rows = self.dims[0];
        if !rows.is_multiple_of(count) {
            return Err(Ct2Error::Shape(self.name.clone()));
        }
        let length = self.bytes.len() / count;
        let mut part = self.clone();
        part.dims[0] = rows / count;
        part.bytes = &self.bytes[index * length..(index + 1) * length];
        Ok(part)
    }

    pub(super) fn f32s(&self) -> Box<dyn Iterator<Item = f32> + 'a> {
        match self.dtype {
            Dtype::F32 => {
                Box::new(self.bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
            }
            _ => Box::new(self.bytes.chunks_exact(2).map(|b| f16_to_f32(u16::from_le_bytes([b[0], b[1]])))),
        }
    }

    pub(super) fn f16s(&self) -> Box<dyn Iterator<Item = u16> + 'a> {
        match self.dtype {
            Dtype::F16 => Box::new(self.bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]))),
            _ => Box::new(self.f32s().map(f32_to_f16)),
        }
    }
}

/// IEEE 754 half to single: exact.
pub(super) fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let (exponent, mantissa) = (u32::from(half >> 10) & 0x1f, u32::from(half) & 0x3ff);
    match exponent {
        0 => {
            // Subnormal: mantissa x 2^-24.
            let value = mantissa as f32 * (1.0 / 16_777_216.0);
            if sign == 0 { value } else { -value }
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | mantissa << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | mantissa << 13),
    }
}

/// IEEE 754 single to half, to nearest even.
pub(super) fn f32_to_f16(single: f32) -> u16 {
    let bits = single.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let (exponent, mantissa) = ((bits >> 23 & 0xff) as i32 - 112, bits & 0x7f_ffff);
    if bits & 0x7f80_0000 == 0x7f80_0000 {
        return sign | 0x7c00 | if mantissa != 0 { 0x200 } else { 0 };
    }
    if exponent >= 0x1f {
        return sign | 0x7c00;
    }
    let (full, shift) = if exponent <= 0 {
        if exponent < -10 {
            return sign;
        }
        (mantissa | 0x80_0000, (14 - exponent) as u32)
    } else {
        ((exponent as u32) << 23 | mantissa, 13)
    };
    let (kept, rest, half) = (full >> shift, full & ((1 << shift) - 1), 1 << (shift - 1));
    // A carry out of the mantissa rightly raises the exponent.
    sign | (kept + u32::from(rest > half || rest == half && kept & 1 == 1)) as u16
}
