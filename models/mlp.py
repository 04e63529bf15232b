"""A small multilayer perceptron in numpy, for the heads that are trained here: Adam, label smoothing, softmax, and its ONNX form.

Seeded and single-threaded enough to give the same weights on the same machine; other BLAS libraries round otherwise, so a
passport's sha256 is that of the committed file, not of any machine's run.
"""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


class Mlp:
    """Fully connected layers with ReLU between them; the answers are probabilities."""

    def __init__(self, sizes, seed):
        random = np.random.default_rng(seed)
        self.weights = [
            (random.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32), np.zeros(b, np.float32))
            for a, b in zip(sizes, sizes[1:])
        ]

    def forward(self, x):
        """All activations, the last being the logits."""
        made = [x]
        for i, (w, b) in enumerate(self.weights):
            x = x @ w + b
            if i + 1 < len(self.weights):
                x = np.maximum(x, 0)
            made.append(x)
        return made

    def predict(self, x):
        return softmax(self.forward(np.asarray(x, np.float32))[-1])

    def train(self, draw, steps, rate=3e-3, decay=1e-4, smoothing=0.05):
        """`draw(step)` gives a batch: features and class numbers."""
        m = [[np.zeros_like(p) for p in layer] for layer in self.weights]
        v = [[np.zeros_like(p) for p in layer] for layer in self.weights]
        for step in range(1, steps + 1):
            x, y = draw(step)
            made = self.forward(x)
            classes = made[-1].shape[1]
            target = np.full((len(y), classes), smoothing / classes, np.float32)
            target[np.arange(len(y)), y] += 1 - smoothing
            back = (softmax(made[-1]) - target) / len(y)
            now = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
            for i in reversed(range(len(self.weights))):
                w, _ = self.weights[i]
                grads = (made[i].T @ back + decay * w, back.sum(0))
                if i:
                    back = (back @ w.T) * (made[i] > 0)
                for k, g in enumerate(grads):
                    m[i][k] = 0.9 * m[i][k] + 0.1 * g
                    v[i][k] = 0.999 * v[i][k] + 0.001 * g * g
                    step_size = (m[i][k] / (1 - 0.9**step)) / (np.sqrt(v[i][k] / (1 - 0.999**step)) + 1e-8)
                    self.weights[i][k][...] -= (now * step_size).astype(np.float32)
        return self

    def save(self, path, name, source):
        """As ONNX: input `features` [1, n], output `probabilities` [1, classes]."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        nodes, tensors, at = [], [], "features"
        for i, (w, b) in enumerate(self.weights):
            tensors += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
            nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], [f"z{i}"]))
            at = f"z{i}"
            if i + 1 < len(self.weights):
                nodes.append(helper.make_node("Relu", [at], [f"a{i}"]))
                at = f"a{i}"
        nodes.append(helper.make_node("Softmax", [at], ["probabilities"], axis=1))
        sizes = self.weights[0][0].shape[0], self.weights[-1][1].shape[0]
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, sizes[0]])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, sizes[1]])],
            tensors,
        )
        opset = [helper.make_opsetid("", 13)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=7, producer_name=f"troika {source}")
        onnx.checker.check_model(model)
        onnx.save(model, path)


def starts(said, none, votes, of, release=6, quiet=9):
    """How often a gesture starts in a row of frames, as the node's debounce has it: told in `votes` of the last `of` frames; over
    when it was not told for `release` frames; nothing starts for `quiet` frames after it."""
    count, active, last, free = 0, none, 0, 0
    for i in range(len(said)):
        window = said[max(0, i + 1 - of) : i + 1]
        if active != none:
            last = i if said[i] == active else last
            if i - last >= release:
                active, free = none, i + quiet
        elif i >= free and said[i] != none and (window == said[i]).sum() >= votes:
            count, active, last = count + 1, said[i], i
    return count
