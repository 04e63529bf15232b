//! Chains of operators that become one kernel, where nothing else reads what lies between.

use crate::graph::{Graph, Node, Work};
use crate::ops::{Activation, Kernel, Separable};

/// Numbers of a tensor from which on making it costs more than its multiplications: 1 MiB, a second cache.
const LARGE: usize = 1 << 18;

impl Graph<'_, '_> {
    /// Moves an addition and an activation into the kernel before them, where nothing else reads what lies between.
    pub(crate) fn fuse(&mut self) {
        let mut readers = vec![0usize; self.file.tensors.len()];
        let mut count = |tensor: usize| readers[tensor] += 1;
        self.nodes.iter().flat_map(|n| &n.inputs).for_each(|t| count(*t));
        self.file.outputs.iter().for_each(|t| count(*t));

        // The kernel whose output each tensor is, if it may still take something in.
        let mut open: Vec<Option<usize>> = vec![None; self.file.tensors.len()];
        let mut kept: Vec<Node> = Vec::with_capacity(self.nodes.len());
        for node in std::mem::take(&mut self.nodes) {
            let target = match node.work {
                Work::Add => node.inputs.iter().copied().find(|t| {
                    readers[*t] == 1
                        && open[*t].is_some_and(|k| kept[k].inputs.len() == 1 && kept[k].takes_addition())
                }),
                Work::Kernel(Kernel::Activate(..)) => {
                    node.inputs.first().copied().filter(|t| readers[*t] == 1 && open[*t].is_some())
                }
                _ => None,
            };
            let Some((tensor, at)) = target.and_then(|t| Some((t, open[t]?))) else {
                if node.activation_free() {
                    open[node.output] = Some(kept.len());
                }
                kept.push(node);
                continue;
            };
            // The fused kernel runs where the fused operator stood, when both its inputs are there.
            let mut fused =
                std::mem::replace(&mut kept[at], Node { work: Work::Reshape, inputs: Vec::new(), output: 0 });
            open[tensor] = None;
            fused.output = node.output;
            match node.work {
                Work::Add => {
                    let mut other = if node.inputs[0] == tensor { node.inputs[1] } else { node.inputs[0] };
                    // Channels of zeros need not be made to be added.
                    let alone = |n: &&mut Node| n.output == other && readers[other] == 1;
                    if let (Work::Kernel(Kernel::Conv(conv)), Some(padding)) =
                        (&mut fused.work, kept.iter_mut().find(alone))
                        && let Work::Kernel(Kernel::Pad(pad)) = &padding.work
                        && let Some(channels) = pad.channels_alone()
                        && let &[narrow] = padding.inputs.as_slice()
                    {
                        conv.residual_channels = channels;
                        other = narrow;
                        padding.inputs.clear();
                    }
                    fused.inputs.push(other);
                    open[fused.output] = Some(kept.len());
                }
                Work::Kernel(Kernel::Activate(activation, _)) => fused.set_activation(activation),
                _ => {}
            }
            kept.push(fused);
        }
        kept.retain(|n| !n.inputs.is_empty());
        self.nodes = kept;
        self.fuse_borders(&readers);
        self.fuse_separable(&readers);
    }

    /// Leaves borders of zeros to the convolution that alone reads them: it makes them a few rows at a time.
    fn fuse_borders(&mut self, readers: &[usize]) {
        let mut made: Vec<Option<usize>> = vec![None; self.file.tensors.len()];
        for at in 0..self.nodes.len() {
            made[self.nodes[at].output] = Some(at);
            let padded = self.nodes[at].inputs[0];
            let Some(before) = made[padded].filter(|_| readers[padded] == 1) else { continue };
            let Work::Kernel(Kernel::Pad(pad)) = &self.nodes[before].work else { continue };
            let (Some((input, above)), &[image]) = (pad.border_alone(), self.nodes[before].inputs.as_slice())
            else {
                continue;
            };
            let taken = match &mut self.nodes[at].work {
                Work::Kernel(Kernel::Conv(conv)) => conv.take_border(input, above),
                Work::Kernel(Kernel::Depthwise(depthwise)) => depthwise.take_border(input, above),
                _ => false,
            };
            if taken {
                self.nodes[at].inputs[0] = image;
                self.nodes[before].inputs.clear();
            }
        }
        self.nodes.retain(|n| !n.inputs.is_empty());
    }

    /// Makes one kernel of a depthwise convolution and the pointwise one that alone reads it.
    fn fuse_separable(&mut self, readers: &[usize]) {
        let mut made: Vec<Option<usize>> = vec![None; self.file.tensors.len()];
        for at in 0..self.nodes.len() {
            made[self.nodes[at].output] = Some(at);
            let Work::Kernel(Kernel::Conv(pointwise)) = &self.nodes[at].work else { continue };
            let between = self.nodes[at].inputs[0];
            let Some(before) = made[between].filter(|_| readers[between] == 1) else { continue };
            let Work::Kernel(Kernel::Depthwise(depthwise)) = &self.nodes[before].work else { continue };
            // An addition between the two would be a third input.
            let &[image] = self.nodes[before].inputs.as_slice() else { continue };
            let Some(both) = Separable::new(depthwise, pointwise) else { continue };
            self.nodes[before].inputs.clear();
            let expand = made[image].filter(|_| readers[image] == 1 && both.width() >= LARGE);
            let (both, image) = match expand.map(|expand| (&self.nodes[expand], expand)) {
                Some((Node { work: Work::Kernel(Kernel::Conv(conv)), inputs, .. }, expand))
                    if inputs.len() == 1 =>
                {
                    match (both.after(conv), inputs[0]) {
                        (Some(all), image) => {
                            self.nodes[expand].inputs.clear();
                            (all, image)
                        }
                        (None, _) => (both, image),
                    }
                }
                _ => (both, image),
            };
            self.nodes[at].work = Work::Kernel(Kernel::Separable(Box::new(both)));
            self.nodes[at].inputs[0] = image;
        }
        self.nodes.retain(|n| !n.inputs.is_empty());
    }
}

impl Node {
    fn activation(&self) -> Option<&Activation> {
        match &self.work {
            Work::Kernel(Kernel::Conv(k)) => Some(&k.activation),
            Work::Kernel(Kernel::Depthwise(k)) => Some(&k.activation),
            Work::Kernel(Kernel::Pool(k)) => Some(&k.activation),
            _ => None,
        }
    }
    fn activation_free(&self) -> bool {
        self.activation() == Some(&Activation::None)
    }
    fn takes_addition(&self) -> bool {
        matches!(self.work, Work::Kernel(Kernel::Conv(_) | Kernel::Depthwise(_)))
    }
    fn set_activation(&mut self, activation: Activation) {
        match &mut self.work {
            Work::Kernel(Kernel::Conv(k)) => k.activation = activation,
            Work::Kernel(Kernel::Depthwise(k)) => k.activation = activation,
            Work::Kernel(Kernel::Pool(k)) => k.activation = activation,
            _ => {}
        }
    }
}
