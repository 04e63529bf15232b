//! The kernels of this room in a model that tract made of another file, ONNX for one: chains of its operators become one kernel each
//! (see `chains`), all else stays as it is.
//!
//! Convolutions of pictures are NCHW there and NHWC here: a picture is turned where it goes in, and back where something else reads it.

mod chains;
mod matched;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use tract_core::internal::*;
use tract_core::ops::change_axes::AxisOp;
use tract_core::ops::source::TypedSource;

use crate::Kernels;
use crate::ops::{Isa, Nhwc};
use chains::{Found, Layout};

/// The same model with kernels of ours wherever they can do what a chain of its operators does; of `f32` and of shapes that are fixed. Inputs
/// and outputs stay as they are, outputs differ by rounding. With [`Kernels::Plain`] it is given back untouched.
///
/// # Errors
/// tract does not accept the model.
pub fn quicken(model: TypedModel, kernels: Kernels) -> TractResult<TypedModel> {
    if kernels == Kernels::Plain {
        return Ok(model);
    }
    let isa = kernels.isa();
    let model = model.into_decluttered()?;
    let (found, inside) = chains::all(&model, isa)?;
    let target = TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() };
    let mut walk = Walk { model: &model, isa, target, made: HashMap::new(), turned: HashMap::new() };
    for input in &model.inputs {
        let node = model.node(input.node);
        let outlet = walk.target.add_source(node.name.clone(), node.outputs[input.slot].fact.clone())?;
        walk.made.insert(*input, outlet);
    }
    for id in model.eval_order()? {
        match found.get(&id) {
            Some(one) => walk.kernel(id, one)?,
            None if inside.contains(&id) || model.node(id).op_is::<TypedSource>() => {}
            None => walk.copy(id)?,
        }
    }
    let outputs = model.outputs.iter().map(|o| walk.outlet(*o)).collect::<TractResult<Vec<_>>>()?;
    for (from, to) in model.outputs.iter().zip(&outputs) {
        if let Some(label) = model.outlet_label(*from) {
            walk.target.set_outlet_label(*to, label.to_owned())?;
        }
    }
    let mut target = walk.target;
    target.select_output_outlets(&outputs)?;
    target.properties.clone_from(&model.properties);
    Ok(target)
}

/// A model that is being made of another one.
struct Walk<'m> {
    model: &'m TypedModel,
    isa: Isa,
    target: TypedModel,
    /// What is there of the other one's outlets.
    made: HashMap<OutletId, OutletId>,
    /// Of pictures, what is there as NHWC.
    turned: HashMap<OutletId, OutletId>,
}

impl Walk<'_> {
    fn copy(&mut self, id: usize) -> TractResult<()> {
        let node = self.model.node(id);
        let inputs = node.inputs.iter().map(|o| self.outlet(*o)).collect::<TractResult<TVec<_>>>()?;
        let made = self.target.wire_node(node.name.clone(), node.op.clone(), &inputs)?;
        for (slot, outlet) in made.into_iter().enumerate() {
            self.made.insert(OutletId::new(id, slot), outlet);
        }
        Ok(())
    }

    fn kernel(&mut self, last: usize, found: &Found) -> TractResult<()> {
        let picture = found.layout == Layout::Picture;
        let inputs = found.inputs.iter().map(|o| if picture { self.picture(*o) } else { self.outlet(*o) });
        let inputs = inputs.collect::<TractResult<TVec<_>>>()?;
        let node = self.model.node(last);
        let mut output = chains::concrete(&node.outputs[0].fact).context("a shape that is not fixed")?;
        if picture {
            output[1..].rotate_left(1);
        }
        let op = Nhwc { kernel: found.kernel.clone(), isa: self.isa, output };
        let made = self.target.wire_node(node.name.clone(), op, &inputs)?[0];
        let map = if picture { &mut self.turned } else { &mut self.made };
        map.insert(OutletId::new(last, 0), made);
        Ok(())
    }

    /// An outlet as the other model has it.
    fn outlet(&mut self, of: OutletId) -> TractResult<OutletId> {
        if let Some(made) = self.made.get(&of) {
            return Ok(*made);
        }
        let picture = *self.turned.get(&of).context("an operator before its input")?;
        let made = self.turn(of, "nchw", AxisOp::Move(3, 1), picture)?;
        self.made.insert(of, made);
        Ok(made)
    }

    /// A picture as NHWC.
    fn picture(&mut self, of: OutletId) -> TractResult<OutletId> {
        if let Some(made) = self.turned.get(&of) {
            return Ok(*made);
        }
        let outlet = self.outlet(of)?;
        let made = self.turn(of, "nhwc", AxisOp::Move(1, 3), outlet)?;
        self.turned.insert(of, made);
        Ok(made)
    }

    fn turn(&mut self, of: OutletId, to: &str, axes: AxisOp, outlet: OutletId) -> TractResult<OutletId> {
        let name = format!("{}.{}.{to}", self.model.node(of.node).name, of.slot);
        Ok(self.target.wire_node(name, axes, &[outlet])?[0])
    }
}
