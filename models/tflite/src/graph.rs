//! From operators of the file to kernels of ours: constants folded, shapes checked against the file's own, and chains fused.

use std::sync::Arc;

use crate::Kernels;
use crate::error::ReadError;
use crate::file::{File, OperatorInfo, Type};
use crate::flat::{Table, check_limit};
use crate::operators::*;
use crate::ops::{Activation, Conv, Depthwise, Floats, Isa, Kernel, Pad, Pool, PoolKind, Resize, Window};
use crate::plain::Plain;

/// Bytes of constants after folding, for each byte of the file: fp16 doubles, and kernels are filled up to whole vectors. Many
/// tensors may name one buffer, so the file's length alone bounds nothing.
const MAX_GROWTH: usize = 64;

/// Multiplications of one run. Our largest network does 0.4 thousand million; a damaged file must not hang its caller.
const MAX_WORK: usize = 1 << 33;
/// Numbers in a picture with its border of zeros, which is made at each run.
const MAX_PADDED: usize = 1 << 24;

/// One step of the network.
#[derive(Debug)]
pub(crate) enum Work {
    /// One of our kernels. The first input is the image, a second one is added before the activation.
    Kernel(Kernel),
    /// A convolution of tract-core's own.
    Plain(Box<Plain>),
    Add,
    Mul,
    Logistic,
    Reshape,
    Concat(usize),
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) work: Work,
    /// Tensors of the file.
    pub(crate) inputs: Vec<usize>,
    pub(crate) output: usize,
}

pub(crate) struct Graph<'f, 'a> {
    pub(crate) file: &'f File<'a>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) isa: Isa,
    pub(crate) kernels: Kernels,
    /// Constants that a DEQUANTIZE made, by tensor.
    folded: Vec<Option<Floats>>,
    budget: usize,
    work: usize,
}

/// The operator that is being read; makes its errors.
struct Reading<'o, 'a> {
    index: usize,
    op: &'o OperatorInfo<'a>,
}

impl<'a> Reading<'_, 'a> {
    fn inconsistent(&self, why: impl Into<String>) -> ReadError {
        ReadError::Inconsistent { index: self.index, why: why.into() }
    }
    fn unsupported(&self, detail: &str) -> ReadError {
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        ReadError::Unsupported { index: self.index, name: name(self.op.code), detail }
    }
    fn input(&self, i: usize) -> Result<usize, ReadError> {
        self.op
            .inputs
            .get(i)
            .copied()
            .flatten()
            .ok_or_else(|| self.inconsistent(format!("input {i} is missing")))
    }
    fn output(&self) -> Result<usize, ReadError> {
        match self.op.outputs.as_slice() {
            [one] => Ok(*one),
            _ => Err(self.inconsistent("one output is expected")),
        }
    }
    fn options(&self) -> Result<&Table<'a>, ReadError> {
        self.op.options.as_ref().ok_or_else(|| self.inconsistent("its options are missing"))
    }
    /// A size of 1 or more, small enough that products of two of them stay far from overflow.
    fn size(&self, slot: usize, default: i32, what: &'static str) -> Result<usize, ReadError> {
        let value = self.options()?.i32(slot, default, what)?;
        usize::try_from(value)
            .ok()
            .filter(|v| (1..=4096).contains(v))
            .ok_or_else(|| self.inconsistent(format!("{what} is {value}")))
    }
    fn activation(&self, slot: usize) -> Result<Activation, ReadError> {
        Ok(match self.options()?.i8(slot, "activation")? {
            0 => Activation::None,
            1 => Activation::Relu,
            2 => Activation::ReluN1To1,
            3 => Activation::Relu6,
            other => return Err(self.unsupported(&format!("fused activation {other}"))),
        })
    }
    fn same(&self, slot: usize) -> Result<bool, ReadError> {
        match self.options()?.i8(slot, "padding")? {
            0 => Ok(true),
            1 => Ok(false),
            other => Err(self.inconsistent(format!("padding {other}"))),
        }
    }
}

/// Interprets every operator and fuses what can be.
pub(crate) fn interpret<'f, 'a>(
    file: &'f File<'a>,
    file_len: usize,
    kernels: Kernels,
) -> Result<Graph<'f, 'a>, ReadError> {
    let folded = vec![None; file.tensors.len()];
    let budget = file_len.saturating_mul(MAX_GROWTH);
    let isa = kernels.isa();
    let mut graph = Graph { file, nodes: Vec::new(), isa, kernels, folded, budget, work: MAX_WORK };
    for (index, op) in file.operators.iter().enumerate() {
        let reading = Reading { index, op };
        if let Some((work, inputs)) = graph.operator(&reading)? {
            graph.nodes.push(Node { work, inputs, output: reading.output()? });
        }
    }
    if kernels != Kernels::Plain {
        graph.fuse();
    }
    Ok(graph)
}

impl Graph<'_, '_> {
    fn shape(&self, tensor: usize) -> &[usize] {
        &self.file.tensors[tensor].shape
    }
    fn nhwc(&self, r: &Reading, tensor: usize) -> Result<[usize; 4], ReadError> {
        self.shape(tensor)
            .try_into()
            .map_err(|_| r.inconsistent(format!("shape {:?} is not NHWC", self.shape(tensor))))
    }
    fn expect_shape(&self, r: &Reading, tensor: usize, shape: &[usize]) -> Result<(), ReadError> {
        let stated = self.shape(tensor);
        if stated == shape {
            return Ok(());
        }
        Err(r.inconsistent(format!("the file states the output {stated:?}, the operator gives {shape:?}")))
    }
    fn spend(&mut self, r: &Reading, bytes: usize) -> Result<(), ReadError> {
        self.budget = self
            .budget
            .checked_sub(bytes)
            .ok_or_else(|| r.inconsistent("the constants are far larger than the file"))?;
        Ok(())
    }

    /// Counts `each` multiplications for each number of tensor `y`.
    fn work(&mut self, r: &Reading, y: usize, each: usize) -> Result<(), ReadError> {
        let spent = self.file.tensors[y].len().saturating_mul(each);
        self.work = self
            .work
            .checked_sub(spent)
            .ok_or_else(|| r.inconsistent("far more work than any known network"))?;
        Ok(())
    }

    /// The values of a constant tensor, fp16 widened; `None` for one that is computed.
    pub(crate) fn constant(&self, tensor: usize) -> Result<Option<Floats>, ReadError> {
        if let Some(values) = &self.folded[tensor] {
            return Ok(Some(values.clone()));
        }
        let info = &self.file.tensors[tensor];
        if info.data.is_empty() {
            return Ok(None);
        }
        let what = "the values of a constant";
        let size = match info.dtype {
            Type::F32 => 4,
            Type::F16 => 2,
            Type::I32 | Type::Other(_) => return Ok(None),
        };
        if info.sparse || info.data.len() != info.len() * size {
            return Err(ReadError::Missing { what });
        }
        let values: Arc<[f32]> = if size == 4 {
            info.data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        } else {
            info.data.as_chunks::<2>().0.iter().map(|b| f16_to_f32(u16::from_le_bytes(*b))).collect()
        };
        Ok(Some(Floats(values)))
    }
    fn weights(&mut self, r: &Reading, input: usize) -> Result<Floats, ReadError> {
        let tensor = r.input(input)?;
        self.spend(r, self.file.tensors[tensor].len().saturating_mul(4))?;
        self.constant(tensor)?.ok_or_else(|| r.unsupported("weights that are not constant"))
    }
    fn bias(&mut self, r: &Reading, input: usize, channels: usize) -> Result<Floats, ReadError> {
        let bias = match r.op.inputs.get(input).copied().flatten() {
            Some(_) => self.weights(r, input)?,
            None => Floats(vec![0.0; channels].into()),
        };
        if bias.0.len() != channels {
            return Err(r.inconsistent(format!("{} biases for {channels} channels", bias.0.len())));
        }
        Ok(bias)
    }
    fn integers(&self, r: &Reading, input: usize) -> Result<Vec<i32>, ReadError> {
        let info = &self.file.tensors[r.input(input)?];
        if info.dtype != Type::I32 || info.data.len() != info.len() * 4 || info.len() > 64 {
            return Err(r.unsupported("an integer input that is not a short constant"));
        }
        Ok(info.data.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect())
    }

    fn operator(&mut self, r: &Reading) -> Result<Option<(Work, Vec<usize>)>, ReadError> {
        let (x, y) = (r.input(0)?, r.output()?);
        self.work(r, y, 1)?;
        let one = |kernel| Ok(Some((Work::Kernel(kernel), vec![x])));
        match r.op.code {
            DEQUANTIZE => {
                self.spend(r, self.file.tensors[x].len().saturating_mul(4))?;
                let values =
                    self.constant(x)?.ok_or_else(|| r.unsupported("its input is no fp16 constant"))?;
                let shape = self.shape(x).to_vec();
                self.expect_shape(r, y, &shape)?;
                self.folded[y] = Some(values);
                Ok(None)
            }
            CONV_2D => Ok(Some((self.conv(r, x, y)?, vec![x]))),
            DEPTHWISE_CONV_2D => Ok(Some((self.depthwise(r, x, y)?, vec![x]))),
            FULLY_CONNECTED => Ok(Some((self.fully_connected(r, x, y)?, vec![x]))),
            MAX_POOL_2D => one(self.pool(r, x, y, PoolKind::Max)?),
            AVERAGE_POOL_2D => one(self.pool(r, x, y, PoolKind::Average)?),
            MEAN => one(self.mean(r, x, y)?),
            PAD => one(self.pad(r, x, y)?),
            RESIZE_BILINEAR => one(self.resize(r, x, y)?),
            PRELU => {
                let slopes = self.weights(r, 1)?;
                one(self.activate(r, x, y, Activation::PRelu(slopes))?)
            }
            RELU => one(self.activate(r, x, y, Activation::Relu)?),
            RELU_N1_TO_1 => one(self.activate(r, x, y, Activation::ReluN1To1)?),
            RELU6 => one(self.activate(r, x, y, Activation::Relu6)?),
            ADD | MUL => {
                let z = r.input(1)?;
                if self.shape(x) != self.shape(z) || r.activation(4)? != Activation::None {
                    return Err(r.unsupported("broadcasting, or an activation"));
                }
                let shape = self.shape(x).to_vec();
                self.expect_shape(r, y, &shape)?;
                Ok(Some((if r.op.code == ADD { Work::Add } else { Work::Mul }, vec![x, z])))
            }
            LOGISTIC => {
                let shape = self.shape(x).to_vec();
                self.expect_shape(r, y, &shape)?;
                Ok(Some((Work::Logistic, vec![x])))
            }
            RESHAPE => {
                if self.file.tensors[x].len() != self.file.tensors[y].len() {
                    return Err(r.inconsistent("a reshape changes the number of elements"));
                }
                Ok(Some((Work::Reshape, vec![x])))
            }
            CONCATENATION => self.concat(r, x, y).map(Some),
            _ => Err(r.unsupported("")),
        }
    }

    fn window(
        &self,
        r: &Reading,
        x: [usize; 4],
        kernel: [usize; 2],
        dilation: [usize; 2],
    ) -> Result<Window, ReadError> {
        let stride = [r.size(8, 0, "stride")?, r.size(6, 0, "stride")?];
        Window::new(x[0], [x[1], x[2]], kernel, stride, dilation, r.same(4)?)
            .ok_or_else(|| r.inconsistent("its window is larger than the image"))
    }

    fn conv(&mut self, r: &Reading, x: usize, y: usize) -> Result<Work, ReadError> {
        let (image, [co, kh, kw, ci]) = (self.nhwc(r, x)?, self.nhwc(r, r.input(1)?)?);
        let dilation = [r.size(14, 1, "dilation")?, r.size(12, 1, "dilation")?];
        let window = self.window(r, image, [kh, kw], dilation)?;
        if ci != image[3] {
            return Err(r.unsupported("grouped convolution"));
        }
        self.expect_shape(r, y, &[image[0], window.output[0], window.output[1], co])?;
        check_limit("padded picture", window.padded().saturating_mul(ci), MAX_PADDED)?;
        self.work(r, y, (kh * kw).saturating_mul(ci))?;
        let (weights, bias) = (self.weights(r, 1)?, self.bias(r, 2, co)?);
        // The packed copy fills up to 16 output channels.
        self.spend(r, (co.next_multiple_of(16) * kh * kw).saturating_mul(ci * 4))?;
        Ok(self.convolution(window, ci, weights, bias, r.activation(10)?))
    }

    /// A convolution over all channels, of the kernels that were asked for.
    fn convolution(
        &self,
        window: Window,
        channels_in: usize,
        weights: Floats,
        bias: Floats,
        activation: Activation,
    ) -> Work {
        if self.kernels == Kernels::Plain {
            let (channels_out, depthwise) = (bias.0.len(), false);
            let plain = Plain { window, channels_in, channels_out, depthwise, weights, bias, activation };
            return Work::Plain(Box::new(plain));
        }
        let conv = Conv::new(self.isa, window, channels_in, &weights.0, &bias.0, activation);
        Work::Kernel(Kernel::Conv(Box::new(conv)))
    }

    fn depthwise(&mut self, r: &Reading, x: usize, y: usize) -> Result<Work, ReadError> {
        let (image, [one, kh, kw, co]) = (self.nhwc(r, x)?, self.nhwc(r, r.input(1)?)?);
        let dilation = [r.size(16, 1, "dilation")?, r.size(14, 1, "dilation")?];
        let window = self.window(r, image, [kh, kw], dilation)?;
        if one != 1 || co != image[3] {
            return Err(r.unsupported("a depth multiplier above 1"));
        }
        self.expect_shape(r, y, &[image[0], window.output[0], window.output[1], co])?;
        self.work(r, y, kh * kw)?;
        let (weights, bias) = (self.weights(r, 1)?, self.bias(r, 2, co)?);
        let activation = r.activation(12)?;
        if self.kernels == Kernels::Plain {
            let (channels_in, channels_out, depthwise) = (co, co, true);
            let plain = Plain { window, channels_in, channels_out, depthwise, weights, bias, activation };
            return Ok(Work::Plain(Box::new(plain)));
        }
        let depthwise = Depthwise::new(self.isa, window, co, weights, bias, activation);
        Ok(Work::Kernel(Kernel::Depthwise(Box::new(depthwise))))
    }

    fn fully_connected(&mut self, r: &Reading, x: usize, y: usize) -> Result<Work, ReadError> {
        let &[outputs, inputs] = self.shape(r.input(1)?) else {
            return Err(r.inconsistent("weights of two axes"));
        };
        let len = self.file.tensors[x].len();
        if !len.is_multiple_of(inputs) || r.options()?.i8(6, "weights format")? != 0 {
            return Err(r.unsupported("this shape, or a packed weight format"));
        }
        self.expect_shape(r, y, &[len / inputs, outputs])?;
        self.work(r, y, inputs)?;
        let (weights, bias) = (self.weights(r, 1)?, self.bias(r, 2, outputs)?);
        self.spend(r, outputs.next_multiple_of(16).saturating_mul(inputs * 4))?;
        // A row of pixels, one for each vector of the batch.
        let row = [1, len / inputs];
        let window = Window {
            batch: 1,
            input: row,
            output: row,
            kernel: [1; 2],
            stride: [1; 2],
            dilation: [1; 2],
            before: [0; 2],
        };
        Ok(self.convolution(window, inputs, weights, bias, r.activation(4)?))
    }

    fn pool(&mut self, r: &Reading, x: usize, y: usize, kind: PoolKind) -> Result<Kernel, ReadError> {
        let image = self.nhwc(r, x)?;
        let kernel = [r.size(12, 0, "filter height")?, r.size(10, 0, "filter width")?];
        let window = self.window(r, image, kernel, [1, 1])?;
        let channels = image[3];
        self.work(r, y, kernel[0] * kernel[1])?;
        self.expect_shape(r, y, &[image[0], window.output[0], window.output[1], channels])?;
        Ok(Kernel::Pool(Pool { window, channels, kind, activation: r.activation(14)? }))
    }

    /// Over height and width, as an average pool of the whole image.
    fn mean(&mut self, r: &Reading, x: usize, y: usize) -> Result<Kernel, ReadError> {
        let [n, h, w, channels] = self.nhwc(r, x)?;
        let mut axes = self.integers(r, 1)?;
        axes.iter_mut().filter(|a| **a < 0).for_each(|a| *a = a.saturating_add(4));
        axes.sort_unstable();
        if axes != [1, 2] {
            return Err(r.unsupported(&format!("axes {axes:?}")));
        }
        let keep = r.options()?.bool(4, "keep_dims")?;
        let stated: &[usize] = if keep { &[n, 1, 1, channels] } else { &[n, channels] };
        self.expect_shape(r, y, stated)?;
        let window = Window::new(n, [h, w], [h, w], [1, 1], [1, 1], false)
            .ok_or_else(|| r.inconsistent("an empty image"))?;
        Ok(Kernel::Pool(Pool { window, channels, kind: PoolKind::Average, activation: Activation::None }))
    }

    fn pad(&mut self, r: &Reading, x: usize, y: usize) -> Result<Kernel, ReadError> {
        let input = self.nhwc(r, x)?;
        let stated = self.integers(r, 1)?;
        let mut pads = [(0, 0); 4];
        let pairs = stated.as_chunks::<2>().0;
        if pairs.len() != 4 || stated.len() != 8 || stated.iter().any(|p| !(0..=4096).contains(p)) {
            return Err(r.inconsistent(format!("paddings {stated:?}")));
        }
        for (pad, &[before, after]) in pads.iter_mut().zip(pairs) {
            *pad = (before.unsigned_abs() as usize, after.unsigned_abs() as usize);
        }
        let output: [usize; 4] = std::array::from_fn(|a| input[a] + pads[a].0 + pads[a].1);
        self.expect_shape(r, y, &output)?;
        Ok(Kernel::Pad(Pad { input, pads }))
    }

    fn resize(&mut self, r: &Reading, x: usize, y: usize) -> Result<Kernel, ReadError> {
        let [batch, h, w, channels] = self.nhwc(r, x)?;
        let &[oh, ow] = self.integers(r, 1)?.as_slice() else {
            return Err(r.inconsistent("a size of two numbers"));
        };
        let size = |v: i32| usize::try_from(v).ok().filter(|v| (1..=4096).contains(v));
        let (Some(oh), Some(ow)) = (size(oh), size(ow)) else {
            return Err(r.inconsistent("a size out of range"));
        };
        self.expect_shape(r, y, &[batch, oh, ow, channels])?;
        let (align_corners, half_pixel_centers) =
            (r.options()?.bool(8, "align_corners")?, r.options()?.bool(10, "half_pixel_centers")?);
        let (input, output) = ([h, w], [oh, ow]);
        Ok(Kernel::Resize(Resize { batch, channels, input, output, align_corners, half_pixel_centers }))
    }

    fn activate(
        &mut self,
        r: &Reading,
        x: usize,
        y: usize,
        activation: Activation,
    ) -> Result<Kernel, ReadError> {
        let shape = self.shape(x).to_vec();
        self.expect_shape(r, y, &shape)?;
        let channels = shape.last().copied().unwrap_or(1);
        match &activation {
            Activation::PRelu(slopes) if slopes.0.len() != channels => {
                Err(r.unsupported("slopes that are not one a channel"))
            }
            _ => Ok(Kernel::Activate(activation, channels)),
        }
    }

    fn concat(&mut self, r: &Reading, x: usize, y: usize) -> Result<(Work, Vec<usize>), ReadError> {
        let mut shape = self.shape(x).to_vec();
        let axis = r.options()?.i32(4, 0, "axis")?;
        let axis = if axis < 0 { i64::from(axis) + shape.len() as i64 } else { i64::from(axis) };
        let axis = usize::try_from(axis).ok().filter(|&a| a < shape.len());
        let axis = axis.ok_or_else(|| r.inconsistent("its axis is out of range"))?;
        if r.activation(6)? != Activation::None {
            return Err(r.unsupported("an activation"));
        }
        let inputs = (0..r.op.inputs.len()).map(|i| r.input(i)).collect::<Result<Vec<_>, _>>()?;
        shape[axis] = 0;
        for &input in &inputs {
            let part = self.shape(input);
            let fits = part.len() == shape.len() && (0..part.len()).all(|a| a == axis || part[a] == shape[a]);
            if !fits {
                return Err(r.inconsistent("parts of different shapes"));
            }
            shape[axis] += part[axis];
        }
        self.expect_shape(r, y, &shape)?;
        Ok((Work::Concat(axis), inputs))
    }
}

/// IEEE 754 half to single precision, exactly.
fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    match exponent {
        // Subnormal: the fraction counts steps of 2^-24.
        0 => f32::from_bits(sign | (fraction as f32 * 2f32.powi(-24)).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}
