//! A network in `f64`, operator by operator as their definitions say: what two sets of `f32` kernels are judged by where they disagree. Sums and
//! tensors are `f64`, nothing is fused or reordered; it takes some fifty times as long as the kernels do.

use std::collections::BTreeMap;

use crate::error::ReadError;
use crate::file::Type;
use crate::graph::{Node, Work};
use crate::ops::{Activation, Kernel, Pad, Pool, PoolKind, Resize, Window};
use crate::plain::Plain;
use crate::{Kernels, file, graph};

/// A network of a `.tflite` file, computed in `f64`. Weights and biases are the file's own, which `f64` holds exactly.
#[derive(Debug)]
pub struct Exact {
    nodes: Vec<Node>,
    /// Of every tensor of the file.
    shapes: Vec<Vec<usize>>,
    constants: BTreeMap<usize, Vec<f64>>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

impl Exact {
    /// Reads the network in `bytes`.
    ///
    /// # Errors
    /// As [`crate::read`].
    pub fn read(bytes: &[u8]) -> Result<Exact, ReadError> {
        let file = file::open(bytes)?;
        let mut graph = graph::interpret(&file, bytes.len(), Kernels::Plain)?;
        let mut constants = BTreeMap::new();
        let mut made = file.inputs.clone();
        if made.iter().any(|input| file.tensors[*input].dtype != Type::F32) {
            return Err(ReadError::Missing { what: "an input of f32" });
        }
        for node in &graph.nodes {
            for input in node.inputs.iter().filter(|input| !made.contains(input)) {
                let values = graph.constant(*input)?;
                let values = values.ok_or(ReadError::Missing { what: "the operator that makes an input" })?;
                constants.insert(*input, values.0.iter().map(|v| f64::from(*v)).collect());
            }
            made.push(node.output);
        }
        if file.outputs.iter().any(|output| !made.contains(output)) {
            return Err(ReadError::Missing { what: "the operator that makes an output" });
        }
        let nodes = std::mem::take(&mut graph.nodes);
        let shapes = file.tensors.iter().map(|tensor| tensor.shape.clone()).collect();
        let (inputs, outputs) = (file.inputs.clone(), file.outputs.clone());
        Ok(Exact { nodes, shapes, constants, inputs, outputs })
    }

    /// The outputs, flat, in the order of the file; `None` where the inputs are not as many numbers as the network reads.
    pub fn run(&self, inputs: &[&[f32]]) -> Option<Vec<Vec<f64>>> {
        let mut values = self.constants.clone();
        if inputs.len() != self.inputs.len() {
            return None;
        }
        for (tensor, input) in self.inputs.iter().zip(inputs) {
            if input.len() != self.shapes[*tensor].iter().product() {
                return None;
            }
            values.insert(*tensor, input.iter().map(|v| f64::from(*v)).collect());
        }
        for node in &self.nodes {
            let given = node.inputs.iter().map(|input| values.get(input).map(Vec::as_slice));
            let made = self.compute(node, &given.collect::<Option<Vec<_>>>()?)?;
            values.insert(node.output, made);
        }
        self.outputs.iter().map(|output| values.get(output).cloned()).collect()
    }

    fn compute(&self, node: &Node, inputs: &[&[f64]]) -> Option<Vec<f64>> {
        let &x = inputs.first()?;
        let pairs = || Some(x.iter().zip(*inputs.get(1)?));
        Some(match &node.work {
            Work::Plain(plain) => convolution(plain, x),
            Work::Kernel(Kernel::Pool(k)) => pool(k, x),
            Work::Kernel(Kernel::Pad(k)) => pad(k, x),
            Work::Kernel(Kernel::Resize(k)) => resize(k, x),
            Work::Kernel(Kernel::Activate(activation, channels)) => {
                x.iter().enumerate().map(|(i, v)| activated(activation, *v, i % channels)).collect()
            }
            // Fused kernels, which `Kernels::Plain` has none of.
            Work::Kernel(_) => return None,
            Work::Add => pairs()?.map(|(a, b)| a + b).collect(),
            Work::Mul => pairs()?.map(|(a, b)| a * b).collect(),
            Work::Logistic => x.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect(),
            Work::Reshape => x.to_vec(),
            Work::Concat(axis) => {
                let times = self.shapes[node.output][..*axis].iter().product::<usize>();
                let run =
                    |part: &[f64], i: usize| part[i * (part.len() / times)..][..part.len() / times].to_vec();
                (0..times).flat_map(|i| inputs.iter().flat_map(move |part| run(part, i))).collect()
            }
        })
    }
}

/// What an activation makes of the value of a channel.
pub(crate) fn activated(activation: &Activation, value: f64, channel: usize) -> f64 {
    match activation {
        Activation::None => value,
        Activation::Relu => value.max(0.0),
        Activation::Relu6 => value.clamp(0.0, 6.0),
        Activation::ReluN1To1 => value.clamp(-1.0, 1.0),
        Activation::PRelu(slopes) if value < 0.0 => value * f64::from(slopes.0[channel]),
        Activation::PRelu(_) => value,
        Activation::Leaky { slope, least } => {
            let sloped = if value < 0.0 { value * f64::from(slope.get()) } else { value };
            sloped.max(f64::from(least.get()))
        }
    }
}

/// For each output pixel in turn, its taps: the input pixel's and the kernel element's number.
fn taps(w: &Window) -> impl Iterator<Item = Vec<(usize, usize)>> {
    let [rows, columns] = w.output;
    (0..w.batch * rows * columns).map(move |at| {
        let (n, oy, ox) = (at / columns / rows, at / columns % rows, at % columns);
        let mut taps = Vec::new();
        for ky in w.taps(0, oy) {
            let row = (n * w.input[0] + w.under(0, oy, ky)) * w.input[1];
            taps.extend(w.taps(1, ox).map(|kx| (row + w.under(1, ox, kx), ky * w.kernel[1] + kx)));
        }
        taps
    })
}

fn convolution(p: &Plain, x: &[f64]) -> Vec<f64> {
    let (ci, co, weights) = (p.channels_in, p.channels_out, &p.weights.0);
    let elements = p.window.kernel[0] * p.window.kernel[1];
    let mut y = Vec::new();
    for taps in taps(&p.window) {
        for o in 0..co {
            let mut sum = f64::from(p.bias.0[o]);
            for &(pixel, k) in &taps {
                if p.depthwise {
                    sum += x[pixel * ci + o] * f64::from(weights[k * co + o]);
                } else {
                    let products =
                        x[pixel * ci..][..ci].iter().zip(&weights[(o * elements + k) * ci..][..ci]);
                    sum += products.map(|(x, w)| x * f64::from(*w)).sum::<f64>();
                }
            }
            y.push(activated(&p.activation, sum, o));
        }
    }
    y
}

pub(crate) fn pool(k: &Pool, x: &[f64]) -> Vec<f64> {
    let mut y = Vec::new();
    for taps in taps(&k.window) {
        for channel in 0..k.channels {
            let under = taps.iter().map(|(pixel, _)| x[pixel * k.channels + channel]);
            let value = match k.kind {
                PoolKind::Max => under.fold(f64::NEG_INFINITY, f64::max),
                PoolKind::Average => under.sum::<f64>() / taps.len() as f64,
            };
            y.push(activated(&k.activation, value, channel));
        }
    }
    y
}

fn pad(k: &Pad, x: &[f64]) -> Vec<f64> {
    let output: [usize; 4] = std::array::from_fn(|a| k.input[a] + k.pads[a].0 + k.pads[a].1);
    let mut y = vec![0.0; output.iter().product()];
    for (i, value) in x.iter().enumerate() {
        let (mut rest, mut at, mut step) = (i, 0, 1);
        for a in (0..4).rev() {
            at += (rest % k.input[a] + k.pads[a].0) * step;
            rest /= k.input[a];
            step *= output[a];
        }
        y[at] = *value;
    }
    y
}

pub(crate) fn resize(k: &Resize, x: &[f64]) -> Vec<f64> {
    let source = |axis: usize, at: usize| {
        let (from, to) = (k.input[axis], k.output[axis]);
        let corners = k.align_corners && to > 1;
        let scale = if corners { (from - 1) as f64 / (to - 1) as f64 } else { from as f64 / to as f64 };
        let at = at as f64;
        let centre = if k.half_pixel_centers { (at + 0.5) * scale - 0.5 } else { at * scale };
        let low = (centre.max(0.0) as usize).min(from - 1);
        (low, (low + 1).min(from - 1), (centre - low as f64).max(0.0))
    };
    let mut y = Vec::new();
    for n in 0..k.batch {
        for (top, bottom, down) in (0..k.output[0]).map(|oy| source(0, oy)) {
            for (left, right, across) in (0..k.output[1]).map(|ox| source(1, ox)) {
                let pixel = |row: usize, column: usize| {
                    &x[((n * k.input[0] + row) * k.input[1] + column) * k.channels..]
                };
                let (a, b) = (pixel(top, left), pixel(top, right));
                let (c, d) = (pixel(bottom, left), pixel(bottom, right));
                let mix = |a: f64, b: f64, share: f64| a * (1.0 - share) + b * share;
                y.extend(
                    (0..k.channels).map(|i| mix(mix(a[i], b[i], across), mix(c[i], d[i], across), down)),
                );
            }
        }
    }
    y
}
