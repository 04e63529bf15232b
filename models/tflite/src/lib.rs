//! Builds a tract model from a `.tflite` flatbuffer.
//!
//! [`read`] takes the bytes of a file and gives a [`TypedModel`] that any tract plan runs. It covers the float networks that
//! TensorFlow Lite stores as `f32`, or as fp16 constants behind DEQUANTIZE, which it widens once when the file is read. The
//! layout stays NHWC from end to end. Convolutions, PReLU, pooling, padding and resizing are operators of our own (see the
//! `ops` module, which also says why); additions and activations are fused into the kernel before them.
//!
//! [`Exact`] is the same network in `f64`, for judging the others.
//!
//! [`quicken`] puts the same operators, and some for lists of vectors, into a model that tract read from elsewhere.
//!
//! A damaged file gives a [`ReadError`]: every offset is checked, nothing panics, and memory is bounded by a small multiple of
//! the file's length. Quantised, sparse, dynamic and control-flow networks are refused by name.

mod error;
mod exact;
mod file;
mod flat;
mod fuse;
mod graph;
mod operators;
mod ops;
mod plain;
mod quicken;

use tract_core::internal::*;

pub use error::ReadError;
pub use exact::Exact;
use graph::{Graph, Work};
pub use ops::Isa;
use ops::Kernel;
pub use quicken::quicken;

/// What a network is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// Operators of ours, fused, in the widest vectors that this processor has.
    #[default]
    Fast,
    /// The same in vectors of this kind, or in the widest below it that this processor has: for measuring and testing each.
    UpTo(Isa),
    /// tract-core's own convolutions and activations, one by one: two to ten times slower, and computed by other code.
    Plain,
}

impl Kernels {
    /// The instructions of our operators (a plain network has some too); never any that this processor has not.
    pub(crate) fn isa(self) -> Isa {
        match self {
            Kernels::UpTo(isa) => isa.min(Isa::detect()),
            Kernels::Fast | Kernels::Plain => Isa::detect(),
        }
    }
}

/// Reads the network in `bytes`. Inputs and outputs keep the order of the file.
pub fn read(bytes: &[u8]) -> Result<TypedModel, ReadError> {
    read_with(bytes, Kernels::Fast)
}

/// The same, of the kernels that are named. Their outputs differ by rounding.
pub fn read_with(bytes: &[u8], kernels: Kernels) -> Result<TypedModel, ReadError> {
    let file = file::open(bytes)?;
    let graph = graph::interpret(&file, bytes.len(), kernels)?;
    build(&graph)
}

/// Wires the interpreted graph into tract.
fn build(graph: &Graph) -> Result<TypedModel, ReadError> {
    let file = graph.file;
    let mut model = TypedModel::default();
    let mut wires: Vec<Option<OutletId>> = vec![None; file.tensors.len()];
    for &input in &file.inputs {
        let info = &file.tensors[input];
        if info.dtype != file::Type::F32 {
            return Err(ReadError::Missing { what: "an input of f32" });
        }
        wires[input] = Some(model.add_source(info.name.clone(), f32::fact(&info.shape))?);
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        let mut inputs: TVec<OutletId> = tvec!();
        for &input in &node.inputs {
            inputs.push(wire(&mut model, graph, &mut wires, input)?);
        }
        let shape: TVec<usize> = file.tensors[node.output].shape.iter().copied().collect();
        // tract wants unique names; the file does not promise them.
        let name = format!("{index}.{}", file.tensors[node.output].name);
        let op: Box<dyn TypedOp> = match &node.work {
            Work::Plain(plain) => {
                wires[node.output] = Some(plain.wire(&mut model, &name, inputs[0], &shape)?);
                continue;
            }
            Work::Kernel(Kernel::Activate(activation, _)) if graph.kernels == Kernels::Plain => {
                wires[node.output] = Some(plain::activate(&mut model, &name, activation, inputs[0])?);
                continue;
            }
            Work::Kernel(kernel) => {
                Box::new(ops::Nhwc { kernel: kernel.clone(), isa: graph.isa, output: shape })
            }
            Work::Add => Box::new(tract_core::ops::math::add()),
            Work::Mul => Box::new(tract_core::ops::math::mul()),
            Work::Logistic => Box::new(tract_core::ops::nn::sigmoid()),
            Work::Reshape => Box::new(tract_core::ops::array::FiniteReshape { shape }),
            Work::Concat(axis) => Box::new(tract_core::ops::array::TypedConcat { axis: *axis }),
        };
        let made = model.wire_node(name, op, &inputs)?;
        wires[node.output] = made.first().copied();
    }
    let mut outputs = Vec::new();
    for &output in &file.outputs {
        outputs.push(wires[output].ok_or(ReadError::Missing { what: "the operator that makes an output" })?);
    }
    for (&outlet, &tensor) in outputs.iter().zip(&file.outputs) {
        model.set_outlet_label(outlet, file.tensors[tensor].name.clone())?;
    }
    model.select_output_outlets(&outputs)?;
    Ok(model)
}

/// The outlet that carries `tensor`, made now if it is a constant.
fn wire(
    model: &mut TypedModel,
    graph: &Graph,
    wires: &mut [Option<OutletId>],
    tensor: usize,
) -> Result<OutletId, ReadError> {
    if let Some(outlet) = wires[tensor] {
        return Ok(outlet);
    }
    let info = &graph.file.tensors[tensor];
    let values =
        graph.constant(tensor)?.ok_or(ReadError::Missing { what: "the operator that makes an input" })?;
    let constant = Tensor::from_shape(&info.shape, &values.0)?;
    let outlet = model.add_const(format!("const.{tensor}.{}", info.name), constant)?;
    wires[tensor] = Some(outlet);
    Ok(outlet)
}
