//! The file as it is: tensors, constants and operators with their indices checked, nothing interpreted yet.

use crate::error::ReadError;
use crate::flat::{Bytes, Table, check_limit};

/// Tensors, operators and so on in one file. The largest network that we read has 725 tensors.
const MAX_COUNT: usize = 16_384;
/// Inputs or outputs of one operator. A concatenation has the most; ours join four at most.
const MAX_PORTS: usize = 64;
/// Elements of one tensor: 64 MiB of `f32`, a hundred times the largest that we read.
const MAX_ELEMENTS: usize = 1 << 24;
/// TensorFlow Lite has none of more axes than this that it runs itself.
const MAX_RANK: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    F32,
    F16,
    I32,
    Other(i8),
}

pub(crate) struct TensorInfo<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Type,
    /// The constant's bytes; empty for a tensor that is computed.
    pub(crate) data: &'a [u8],
    pub(crate) sparse: bool,
}

impl TensorInfo<'_> {
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

pub(crate) struct OperatorInfo<'a> {
    /// TensorFlow Lite's `BuiltinOperator`.
    pub(crate) code: i32,
    /// Tensor indices; `None` for an input that is left out.
    pub(crate) inputs: Vec<Option<usize>>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) options: Option<Table<'a>>,
}

pub(crate) struct File<'a> {
    pub(crate) tensors: Vec<TensorInfo<'a>>,
    pub(crate) operators: Vec<OperatorInfo<'a>>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
}

/// Reads the first subgraph, which is the network.
pub(crate) fn open(bytes: &[u8]) -> Result<File<'_>, ReadError> {
    let root = Bytes(bytes).root(b"TFL3")?;
    let codes = root
        .tables(6, MAX_COUNT, "operator codes")?
        .iter()
        // Codes above 127 moved to a wider field; the narrow one then holds 127.
        .map(|t| Ok(i32::from(t.i8(4, "operator code")?).max(t.i32(10, 0, "operator code")?)))
        .collect::<Result<Vec<_>, ReadError>>()?;
    let buffers = root
        .tables(12, MAX_COUNT, "buffers")?
        .iter()
        .map(|t| t.byte_vector(4, "buffer"))
        .collect::<Result<Vec<_>, _>>()?;
    let graphs = root.tables(8, MAX_COUNT, "subgraphs")?;
    let graph = graphs.first().ok_or(ReadError::Missing { what: "the first subgraph" })?;

    let mut tensors = Vec::new();
    for table in graph.tables(4, MAX_COUNT, "tensors")? {
        tensors.push(tensor(&table, &buffers)?);
    }
    let index = |i: i32| match usize::try_from(i) {
        Ok(i) if i < tensors.len() => Ok(i),
        _ => Err(ReadError::BadIndex { what: "tensor", index: i.into() }),
    };
    let mut operators = Vec::new();
    for table in graph.tables(10, MAX_COUNT, "operators")? {
        let code = table.u32(4, "operator code index")?;
        let code = *codes
            .get(code as usize)
            .ok_or(ReadError::BadIndex { what: "operator code", index: code.into() })?;
        let inputs = table.i32_vector(6, MAX_PORTS, "operator inputs")?;
        let inputs = inputs.into_iter().map(|i| if i == -1 { Ok(None) } else { index(i).map(Some) });
        let outputs = table.i32_vector(8, MAX_PORTS, "operator outputs")?;
        operators.push(OperatorInfo {
            code,
            inputs: inputs.collect::<Result<_, _>>()?,
            outputs: outputs.into_iter().map(index).collect::<Result<_, _>>()?,
            options: table.table(12, "operator options")?,
        });
    }
    let list = |slot, what| -> Result<Vec<usize>, ReadError> {
        graph.i32_vector(slot, MAX_PORTS, what)?.into_iter().map(index).collect()
    };
    let (inputs, outputs) = (list(6, "network inputs")?, list(8, "network outputs")?);
    if inputs.is_empty() || outputs.is_empty() {
        return Err(ReadError::Missing { what: "the network's inputs or outputs" });
    }
    Ok(File { tensors, operators, inputs, outputs })
}

fn tensor<'a>(table: &Table<'a>, buffers: &[&'a [u8]]) -> Result<TensorInfo<'a>, ReadError> {
    let mut shape = Vec::new();
    let mut elements = 1usize;
    for dim in table.i32_vector(4, MAX_RANK, "tensor shape")? {
        let dim = usize::try_from(dim).ok().filter(|&d| d > 0);
        let dim = dim.ok_or(ReadError::BadIndex { what: "tensor dimension", index: 0 })?;
        elements = elements.saturating_mul(dim);
        shape.push(dim);
    }
    check_limit("tensor size", elements, MAX_ELEMENTS)?;
    let dtype = match table.i8(6, "tensor type")? {
        0 => Type::F32,
        1 => Type::F16,
        2 => Type::I32,
        other => Type::Other(other),
    };
    let buffer = table.u32(8, "tensor buffer")?;
    let data =
        *buffers.get(buffer as usize).ok_or(ReadError::BadIndex { what: "buffer", index: buffer.into() })?;
    let name = String::from_utf8_lossy(table.byte_vector(10, "tensor name")?).into_owned();
    check_limit("tensor name length", name.len(), 4096)?;
    Ok(TensorInfo { name, shape, dtype, data, sparse: table.table(16, "tensor sparsity")?.is_some() })
}
