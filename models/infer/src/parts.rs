//! A compiled graph cut into parts that run one after the other, so that a network which takes longer than a frame can be spread
//! over several. The parts compute what the whole computes, operator for operator.

use std::collections::BTreeMap;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::{
    internal::{Cost, TractErrorContext as _, format_err},
    ops::{konst::Const, source::TypedSource},
};

/// What each number that an operator writes costs beside the multiplications, in multiplications: from tract's times on x86-64
/// for the palm and the hand network, whose element-wise loops take as long as their matrix kernels.
const PER_NUMBER: i64 = 24;

/// The parts, and what they hand over.
pub(crate) struct Parts {
    parts: Vec<Part>,
    /// What is read by a part that did not make it: first the network's inputs.
    held: Vec<Option<TValue>>,
    /// Where the network's outputs are held.
    outputs: Vec<usize>,
    /// The part that runs next.
    next: usize,
}

struct Part {
    state: TypedSimpleState,
    /// Places in `held`, in the order of its inputs.
    reads: Vec<usize>,
    /// Places in `held`, in the order of its outputs.
    writes: Vec<usize>,
    /// Places that nobody reads after it.
    frees: Vec<usize>,
}

impl Parts {
    /// Cuts `model` into at most `wanted` parts of about equal work.
    pub(crate) fn cut(model: &TypedModel, wanted: usize) -> TractResult<Parts> {
        let part_of = assign(model, wanted)?;
        let count = part_of.values().max().map_or(1, |last| last + 1);

        let mut places: Vec<OutletId> = model.inputs.clone();
        let mut place = |outlet: OutletId| {
            places.iter().position(|other| *other == outlet).unwrap_or_else(|| {
                places.push(outlet);
                places.len() - 1
            })
        };
        let mut reads = vec![Vec::new(); count];
        for (node, part) in &part_of {
            for outlet in &model.node(*node).inputs {
                let made_here = part_of.get(&outlet.node) == Some(part) && !model.inputs.contains(outlet);
                if made_here || model.node(outlet.node).op_is::<Const>() {
                    continue;
                }
                let place = place(*outlet);
                if !reads[*part].contains(&place) {
                    reads[*part].push(place);
                }
            }
        }
        let outputs: Vec<usize> = model.outputs.iter().map(|outlet| place(*outlet)).collect();

        let mut parts = Vec::with_capacity(count);
        for (index, reads) in reads.iter().enumerate() {
            let made_here = |place: &usize| {
                *place >= model.inputs.len() && part_of.get(&places[*place].node) == Some(&index)
            };
            let writes: Vec<usize> = (0..places.len()).filter(made_here).collect();
            let outlets = |of: &[usize]| of.iter().map(|place| places[*place]).collect::<Vec<_>>();
            let state = sub_model(model, &outlets(reads), &outlets(&writes))?.into_runnable()?.spawn()?;
            parts.push(Part { state, reads: reads.clone(), writes, frees: Vec::new() });
        }
        for place in (0..places.len()).filter(|place| !outputs.contains(place)) {
            if let Some(last) = parts.iter().rposition(|part| part.reads.contains(&place)) {
                parts[last].frees.push(place);
            }
        }
        Ok(Parts { parts, held: vec![None; places.len()], outputs, next: 0 })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The next step is the first.
    pub(crate) fn at_start(&self) -> bool {
        self.next == 0
    }

    /// Sets an input of the network; the next step must be the first.
    pub(crate) fn set_input(&mut self, index: usize, value: TValue) {
        self.held[index] = Some(value);
    }

    /// Forgets a run that was begun.
    pub(crate) fn restart(&mut self) {
        self.held.iter_mut().for_each(|held| *held = None);
        self.next = 0;
    }

    /// Runs the next part; the outputs after the last. An error begins anew.
    pub(crate) fn step(&mut self) -> TractResult<Option<TVec<TValue>>> {
        let done = self.try_step();
        if done.is_err() {
            self.restart();
        }
        done
    }

    fn try_step(&mut self) -> TractResult<Option<TVec<TValue>>> {
        let Parts { parts, held, outputs, next } = self;
        let part = &mut parts[*next];
        let take =
            |held: &[Option<TValue>], place: &usize| held[*place].clone().context("a part misses its input");
        let inputs = part.reads.iter().map(|place| take(held, place)).collect::<TractResult<TVec<_>>>()?;
        // Here, so that an operator which may work in place finds that it is the only owner.
        part.frees.iter().for_each(|place| held[*place] = None);
        let made = part.state.run(inputs)?;
        for (place, value) in part.writes.iter().zip(made) {
            held[*place] = Some(value);
        }
        *next += 1;
        if *next < parts.len() {
            return Ok(None);
        }
        let made = outputs.iter().map(|place| take(held, place)).collect::<TractResult<TVec<_>>>()?;
        self.restart();
        Ok(Some(made))
    }
}

/// The part of every operator that computes (all but inputs and constants), in the order in which they run.
fn assign(model: &TypedModel, wanted: usize) -> TractResult<BTreeMap<usize, usize>> {
    let mut work = Vec::new();
    for node in model.eval_order()? {
        let it = model.node(node);
        if !it.op_is::<Const>() && !it.op_is::<TypedSource>() {
            work.push((node, cost(model, it)?));
        }
    }
    let total: i64 = work.iter().map(|(_, cost)| cost).sum();
    let mut before = 0;
    let mut part_of = BTreeMap::new();
    for (node, cost) in work {
        // By its middle, so that a large operator goes to the side where most of it lies.
        let part = (before + cost / 2) * wanted as i64 / total.max(1);
        part_of.insert(node, (part as usize).min(wanted.saturating_sub(1)));
        before += cost;
    }
    // Without gaps, where one operator is larger than a part.
    let mut used: Vec<usize> = part_of.values().copied().collect();
    used.sort_unstable();
    used.dedup();
    part_of.values_mut().for_each(|part| *part = used.binary_search(part).unwrap_or_default());
    Ok(part_of)
}

/// What an operator costs, in multiplications.
fn cost(model: &TypedModel, node: &TypedNode) -> TractResult<i64> {
    let written: i64 =
        node.outputs.iter().map(|output| output.fact.shape.as_concrete().map_or(0, volume)).sum();
    let inputs = model.node_input_facts(node.id)?;
    let multiplied: i64 = node
        .op
        .cost(&inputs)?
        .iter()
        .filter(|(what, _)| matches!(what, Cost::FMA(_)))
        .map(|(_, count)| count.to_i64().unwrap_or(0))
        .sum();
    Ok(multiplied + PER_NUMBER * written)
}

fn volume(shape: &[usize]) -> i64 {
    shape.iter().product::<usize>() as i64
}

/// The part of `model` that computes `writes` from `reads`.
fn sub_model(model: &TypedModel, reads: &[OutletId], writes: &[OutletId]) -> TractResult<TypedModel> {
    let mut part = model.clone();
    for outlet in reads {
        let fact = model.outlet_fact(*outlet)?.without_value();
        let node = &mut part.nodes[outlet.node];
        if node.op_is::<TypedSource>() {
            continue;
        }
        if node.outputs.len() != 1 {
            return Err(format_err!("cannot cut after {node}: it has several outputs"));
        }
        node.inputs.clear();
        node.op = Box::new(TypedSource::new(fact));
    }
    part.set_input_outlets(reads)?;
    part.select_output_outlets(writes)?;
    Ok(part)
}
