//! Parts of an ONNX graph. A VITS export is one graph with random numbers and lengths that follow from the data in its midst; cut
//! there, each part is a plain network, and what lies between is done by us.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb;

/// ONNX's numbers of element types (`TensorProto.DataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32 = 1,
    I64 = 7,
}

/// A tensor that a part begins with.
pub(super) type Input = (&'static str, Element);

/// The part between tensors: all nodes that the outputs need, back to the inputs.
///
/// # Errors
/// When it has no such output, or needs an input that is not among these: the name of the tensor.
pub(super) fn cut(
    model: &pb::ModelProto,
    inputs: &[Input],
    outputs: &[&str],
) -> Result<pb::ModelProto, String> {
    let whole = model.graph.as_ref().ok_or("no graph in it")?;
    let made_by: HashMap<&str, usize> = whole
        .node
        .iter()
        .enumerate()
        .flat_map(|(index, node)| node.output.iter().map(move |output| (output.as_str(), index)))
        .collect();
    let constants: HashSet<&str> = whole.initializer.iter().map(|constant| constant.name.as_str()).collect();
    let begins: HashSet<&str> = inputs.iter().map(|(name, _)| *name).collect();
    let mut wanted: Vec<&str> = outputs.to_vec();
    let (mut seen, mut nodes) = (HashSet::new(), HashSet::new());
    while let Some(name) = wanted.pop() {
        if name.is_empty() || begins.contains(name) || !seen.insert(name) {
            continue;
        }
        match made_by.get(name) {
            Some(&index) if nodes.insert(index) => {
                wanted.extend(whole.node[index].input.iter().map(String::as_str));
            }
            Some(_) => {}
            None if constants.contains(name) => {}
            None => return Err(format!("the graph has no tensor '{name}' that this part could begin with")),
        }
    }
    let mut part = pb::GraphProto {
        name: whole.name.clone(),
        node: whole
            .node
            .iter()
            .enumerate()
            .filter(|(index, _)| nodes.contains(index))
            .map(|(_, node)| node.clone())
            .collect(),
        initializer: whole
            .initializer
            .iter()
            .filter(|constant| seen.contains(constant.name.as_str()))
            .cloned()
            .collect(),
        input: inputs.iter().map(|(name, element)| value(name, *element)).collect(),
        output: outputs.iter().map(|name| value(name, Element::F32)).collect(),
        ..pb::GraphProto::default()
    };
    let in_nodes = part.node.iter_mut().flat_map(|node| &mut node.attribute).filter_map(|one| one.t.as_mut());
    in_nodes.chain(&mut part.initializer).for_each(bound_ends);
    Ok(pb::ModelProto {
        ir_version: model.ir_version,
        opset_import: model.opset_import.clone(),
        graph: Some(part),
        ..pb::ModelProto::default()
    })
}

/// "To the end" is the greatest number of 64 bits in a slice's ends. Beside a length that tract computes, it makes of it -1, which is one
/// too few; the greatest of 32 bits it knows everywhere.
fn bound_ends(constant: &mut pb::TensorProto) {
    const TO_THE_END: i64 = i64::MAX;
    const KNOWN: i64 = i32::MAX as i64;
    if constant.data_type != Element::I64 as i32 {
        return;
    }
    for number in constant.raw_data.as_chunks_mut::<8>().0 {
        if *number == TO_THE_END.to_le_bytes() {
            *number = KNOWN.to_le_bytes();
        }
    }
    for number in constant.int64_data.iter_mut().filter(|number| **number == TO_THE_END) {
        *number = KNOWN;
    }
}

fn value(name: &str, element: Element) -> pb::ValueInfoProto {
    let tensor = pb::type_proto::Tensor { elem_type: element as i32, shape: None };
    let ty =
        pb::TypeProto { value: Some(pb::type_proto::Value::TensorType(tensor)), ..pb::TypeProto::default() };
    pb::ValueInfoProto { name: name.to_owned(), r#type: Some(ty), ..pb::ValueInfoProto::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
        pb::NodeProto {
            op_type: op.to_owned(),
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            ..pb::NodeProto::default()
        }
    }

    /// x → a → b → y, and a constant.
    fn chain() -> pb::ModelProto {
        let graph = pb::GraphProto {
            node: vec![node("Relu", &["x"], "a"), node("Add", &["a", "c"], "b"), node("Neg", &["b"], "y")],
            initializer: vec![pb::TensorProto { name: "c".to_owned(), ..pb::TensorProto::default() }],
            input: vec![value("x", Element::F32)],
            output: vec![value("y", Element::F32)],
            ..pb::GraphProto::default()
        };
        pb::ModelProto { graph: Some(graph), ..pb::ModelProto::default() }
    }

    #[test]
    fn a_part_has_the_nodes_and_constants_between_its_ends() {
        let part = cut(&chain(), &[("a", Element::F32)], &["b"]).expect("cuts").graph.expect("a graph");
        let ops: Vec<&str> = part.node.iter().map(|node| node.op_type.as_str()).collect();
        assert_eq!((ops, part.initializer.len()), (vec!["Add"], 1));
        let part = cut(&chain(), &[("b", Element::F32)], &["y"]).expect("cuts").graph.expect("a graph");
        assert_eq!((part.node.len(), part.initializer.len()), (1, 0));
    }

    #[test]
    fn to_the_end_is_a_number_that_tract_knows() {
        let (greatest, known) = (i64::MAX, i64::from(i32::MAX));
        let mut raw = [3, greatest].map(i64::to_le_bytes).concat();
        let mut constant = pb::TensorProto {
            data_type: Element::I64 as i32,
            raw_data: raw.clone(),
            int64_data: vec![greatest, 3],
            ..pb::TensorProto::default()
        };
        bound_ends(&mut constant);
        raw[8..].copy_from_slice(&known.to_le_bytes());
        assert_eq!((constant.raw_data, constant.int64_data), (raw, vec![known, 3]));
    }

    #[test]
    fn an_end_that_the_graph_does_not_have_is_told() {
        assert!(cut(&chain(), &[("x", Element::F32)], &["z"]).expect_err("no z").contains("'z'"));
        assert!(cut(&chain(), &[("b", Element::F32)], &["a"]).expect_err("x is missing").contains("'x'"));
    }
}
