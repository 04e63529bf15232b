//! What the search for chains asks a model.

use std::collections::HashSet;

use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::einsum::EinSum;

/// The shape of a tensor of `f32`, where it is fixed and there is something in it.
pub(crate) fn concrete(fact: &TypedFact) -> Option<TVec<usize>> {
    let shape = fact.shape.as_concrete()?;
    (fact.datum_type == f32::datum_type() && !shape.contains(&0)).then(|| shape.into())
}

/// A chain as far as it was followed.
#[derive(Clone)]
pub(crate) struct Trail<'m> {
    pub(crate) model: &'m TypedModel,
    /// Where it must not go: other chains.
    taken: &'m HashSet<usize>,
    /// All of it, the last one at the end.
    pub(crate) nodes: Vec<usize>,
}

impl<'m> Trail<'m> {
    pub(crate) fn from(model: &'m TypedModel, taken: &'m HashSet<usize>, node: &TypedNode) -> Self {
        Trail { model, taken, nodes: vec![node.id] }
    }

    /// Where it is.
    pub(crate) fn outlet(&self) -> OutletId {
        OutletId::new(self.nodes.last().copied().unwrap_or_default(), 0)
    }

    /// Shape of what it gives, where that is `f32`.
    pub(crate) fn shape(&self) -> Option<TVec<usize>> {
        concrete(self.model.outlet_fact(self.outlet()).ok()?)
    }

    /// The operator that alone reads what it gives.
    pub(crate) fn reader(&self) -> Option<&'m TypedNode> {
        let outlet = self.outlet();
        match self.model.outlet_successors(outlet) {
            [one] if !self.model.outputs.contains(&outlet) && !self.taken.contains(&one.node) => {
                Some(self.model.node(one.node))
            }
            _ => None,
        }
    }

    /// Goes on to `node`.
    pub(crate) fn follow(&mut self, node: &TypedNode) {
        self.nodes.push(node.id);
    }

    /// The next operator, where it is a binary one of this kind; and what else it reads.
    pub(crate) fn binary<O: tract_core::ops::binary::BinMiniOp>(&self) -> Option<(&'m TypedNode, OutletId)> {
        let next = self.reader()?;
        let other = other::<O>(next, self.outlet())?;
        concrete(&next.outputs[0].fact)?;
        Some((next, other))
    }

    /// The next operator, where it is a binary one of this kind whose other input is one number.
    pub(crate) fn by_number<O: tract_core::ops::binary::BinMiniOp>(&self) -> Option<(&'m TypedNode, f32)> {
        let (next, other) = self.binary::<O>()?;
        // Nothing is spread over further axes by it.
        let same = concrete(&next.outputs[0].fact)? == self.shape()?;
        match values(self.model, other)?.as_slice() {
            [one] if same => Some((next, *one)),
            _ => None,
        }
    }
}

/// What a binary operator of this kind reads beside `one`.
pub(crate) fn other<O: tract_core::ops::binary::BinMiniOp>(
    node: &TypedNode,
    one: OutletId,
) -> Option<OutletId> {
    let op = node.op_as::<TypedBinOp>()?;
    if !op.0.is::<O>() || op.1.is_some() {
        return None;
    }
    match node.inputs.as_slice() {
        [a, b] if *a == one && *b != one => Some(*b),
        [a, b] if *b == one && *a != one => Some(*a),
        _ => None,
    }
}

/// The numbers of a constant of `f32`.
pub(crate) fn values(model: &TypedModel, outlet: OutletId) -> Option<Vec<f32>> {
    let constant = model.outlet_fact(outlet).ok()?.konst.as_ref()?;
    let plain = constant.try_as_plain_ram().ok()?;
    Some(plain.as_slice::<f32>().ok()?.to_vec())
}

/// The numbers of a constant that is the same for each vector of `n` of a tensor of this shape: one for each place.
pub(crate) fn places(model: &TypedModel, outlet: OutletId, shape: &[usize], n: usize) -> Option<Vec<f32>> {
    let values = values(model, outlet)?;
    let own = concrete(model.outlet_fact(outlet).ok()?)?;
    if let [one] = values.as_slice() {
        return Some(vec![*one; n]);
    }
    // The last axes, as many as make a vector.
    let mut first = shape.len();
    while shape[first..].iter().product::<usize>() < n && first > 0 {
        first -= 1;
    }
    let same = own.len() == shape.len()
        && shape[first..].iter().product::<usize>() == n
        && own[first..] == shape[first..]
        && own[..first].iter().all(|axis| *axis == 1);
    same.then_some(values)
}

/// A product of matrices as einsum has it: `a` is `[rows][depth]`, `b` is `[depth][columns]` or, turned, `[columns][depth]`.
pub(crate) struct Product {
    pub(crate) a: OutletId,
    pub(crate) b: OutletId,
    pub(crate) turned: bool,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
}

/// The product that this operator makes, with a constant for `b`.
pub(crate) fn product(model: &TypedModel, node: &TypedNode) -> Option<Product> {
    let [first, second] = node.inputs.as_slice() else { return None };
    values(model, *second)
        .and_then(|_| product_of(model, node, [0, 1]))
        .or_else(|| values(model, *first).and_then(|_| product_of(model, node, [1, 0])))
}

fn product_of(model: &TypedModel, node: &TypedNode, order: [usize; 2]) -> Option<Product> {
    let op = node.op_as::<EinSum>().filter(|op| op.q_params.is_none())?;
    let [a, b] = order.map(|i| node.inputs[i]);
    let shapes = [concrete(model.outlet_fact(a).ok()?)?, concrete(model.outlet_fact(b).ok()?)?];
    let out = concrete(&node.outputs[0].fact)?;
    if op.operating_dt != f32::datum_type() {
        return None;
    }
    let (inputs, outputs) = op.axes.to_strs();
    // Axes of one number are of no account.
    let long = |axes: &str, shape: &[usize]| -> Vec<(char, usize)> {
        axes.chars().zip(shape.iter().copied()).filter(|(_, n)| *n != 1).collect()
    };
    let [in_a, in_b] = [0, 1].map(|i| long(&inputs[order[i]], &shapes[i]));
    let in_c = long(outputs.first()?, &out);
    let has = |axes: &[(char, usize)], axis: &(char, usize)| axes.contains(axis);
    let (rows, depth_a): (Vec<_>, Vec<_>) = in_a.iter().partition(|axis| has(&in_c, axis));
    let (columns, depth_b): (Vec<_>, Vec<_>) = in_b.iter().partition(|axis| has(&in_c, axis));
    let joined = |one: &[(char, usize)], two: &[(char, usize)]| [one, two].concat();
    let turned = in_b != joined(&depth_b, &columns);
    let sound = depth_a == depth_b
        && in_a == joined(&rows, &depth_a)
        && (!turned || in_b == joined(&columns, &depth_b))
        && in_c == joined(&rows, &columns);
    let size = |axes: &[(char, usize)]| axes.iter().map(|(_, n)| n).product();
    sound.then(|| Product { a, b, turned, rows: size(&rows), depth: size(&depth_a), columns: size(&columns) })
}
