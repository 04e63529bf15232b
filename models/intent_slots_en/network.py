"""The network: words and their letters in, one look at all of them, an intent and its slots out. JAX for training, ONNX for driving."""

import json

import jax
import jax.numpy as jnp
import numpy as np

from lines import MOST

# Letter groups of a word that are looked up, at most; longer words lose their last ones.
GROUPS = 16
BUCKETS = 4096
WORD, LETTERS, WIDTH, LAYERS, HEADS, MARKS = 96, 48, 128, 3, 4, 5


def fnv(text):
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def groups(word):
    """Buckets (1..BUCKETS) of a word's groups of 3 and 4 letters, edges marked, and of the word itself; filled with 0."""
    framed = f"<{word}>"
    found = [fnv(framed)]
    for size in (3, 4):
        found += [fnv(framed[i:i + size]) for i in range(len(framed) - size + 1)]
    found = [1 + value % BUCKETS for value in found[:GROUPS]]
    return found + [0] * (GROUPS - len(found))


def encode(vocabulary, toks, focus):
    """The network's inputs for one utterance."""
    word = np.zeros(MOST, np.int32)
    letters = np.zeros((MOST, GROUPS), np.int32)
    marks = np.zeros((MOST, MARKS), np.float32)
    mask = np.zeros(MOST, np.float32)
    for i, (norm, number, _, _, pause) in enumerate(toks[:MOST]):
        mask[i] = 1
        if number:
            # Of a number its size matters, not its digits.
            value = float(norm)
            word[i] = 1
            marks[i, 1] = np.tanh(value / 50)
            marks[i, 4] = np.tanh(value / 6)
        else:
            word[i] = vocabulary.get(norm, 0)
            letters[i] = groups(norm)
        marks[i, 0] = number
        marks[i, 2] = pause
        marks[i, 3] = focus[i]
    return word, letters, marks, mask


def start(schema, table, seed):
    """Weights before training; `table` [words, WORD] stays as it is."""
    key = iter(jax.random.split(jax.random.PRNGKey(seed), 64))

    def dense(a, b, scale=1.0):
        return {"w": jax.random.normal(next(key), (a, b)) * scale / np.sqrt(a), "b": jnp.zeros(b)}

    norm = lambda: {"g": jnp.ones(WIDTH), "b": jnp.zeros(WIDTH)}
    layer = lambda: {"n1": norm(), "qkv": dense(WIDTH, 3 * WIDTH), "out": dense(WIDTH, WIDTH, 0.5), "n2": norm(),
                     "up": dense(WIDTH, 2 * WIDTH), "down": dense(2 * WIDTH, WIDTH, 0.5)}
    choices = sum(len(values) for values in schema.choices.values())
    return {
        "letters": jax.random.normal(next(key), (BUCKETS + 1, LETTERS)) * 0.3,
        "unknown": jnp.zeros((2, WORD)),
        "place": jax.random.normal(next(key), (MOST, WIDTH)) * 0.1,
        "in": dense(WORD + LETTERS + MARKS, WIDTH),
        # Three neighbours to each side of a word, before any word looks at any other.
        "near": {"w": jax.random.normal(next(key), (3, WIDTH, WIDTH)) / np.sqrt(3 * WIDTH), "b": jnp.zeros(WIDTH)},
        "layers": [layer() for _ in range(LAYERS)],
        "norm": norm(),
        "pool": dense(WIDTH, HEADS),
        "join": dense(WIDTH * HEADS, WIDTH * 2),
        "intent": dense(WIDTH * 2, len(schema.intents)),
        "choices": dense(WIDTH * 2, choices),
        "cuts": dense(WIDTH, 1),
        "at": dense(WIDTH, len(schema.numbers) + 2 * len(schema.spans)),
        "ask": dense(WIDTH * 2, len(schema.numbers) * len(schema.constants)),
    }


def normed(p, x):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(var + 1e-5) * p["g"] + p["b"]


def apply(p, table, word, letters, marks, mask, schema, key=None, drop=0.0):
    """Logits of all heads for a batch. With a key, parts are dropped as in training."""
    keys = iter(jax.random.split(key, 32)) if key is not None else None

    def dropped(x, rate=drop):
        if keys is None:
            return x
        return x * jax.random.bernoulli(next(keys), 1 - rate, x.shape) / (1 - rate)

    lin = lambda q, x: x @ q["w"] + q["b"]
    known = jnp.concatenate([p["unknown"], table], 0)[word]
    spelt = (p["letters"] * (jnp.arange(BUCKETS + 1) > 0)[:, None])[letters].sum(-2)
    spelt = spelt / jnp.maximum((letters > 0).sum(-1, keepdims=True), 1)
    if keys is not None:
        # A word is known by its meaning or by its letters: neither alone is leant on.
        known = known * jax.random.bernoulli(next(keys), 0.92, known.shape[:-1] + (1,))
        spelt = spelt * jax.random.bernoulli(next(keys), 0.92, spelt.shape[:-1] + (1,))
    x = lin(p["in"], jnp.concatenate([known, spelt, marks], -1)) * mask[..., None]
    before = jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    after = jnp.pad(x, ((0, 0), (0, 1), (0, 0)))[:, 1:]
    w = p["near"]["w"]
    x = x + jax.nn.relu(before @ w[0] + x @ w[1] + after @ w[2] + p["near"]["b"])
    x = dropped(x + p["place"][: x.shape[1]]) * mask[..., None]
    away = (mask[:, None, None, :] - 1) * 1e4
    for layer in p["layers"]:
        q, k, v = jnp.split(lin(layer["qkv"], normed(layer["n1"], x)), 3, -1)
        split = lambda t: t.reshape(t.shape[0], t.shape[1], HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)
        scores = split(q) @ split(k).transpose(0, 1, 3, 2) / np.sqrt(WIDTH // HEADS) + away
        seen = (jax.nn.softmax(scores, -1) @ split(v)).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + dropped(lin(layer["out"], seen))
        x = x + dropped(lin(layer["down"], jax.nn.relu(lin(layer["up"], normed(layer["n2"], x)))))
    x = normed(p["norm"], x)
    # What is not in the segment that is asked about is context, not content.
    inside = mask * marks[..., 3]
    weight = jax.nn.softmax(lin(p["pool"], x) + (inside[..., None] - 1) * 1e4, 1)
    pooled = jnp.einsum("bth,btd->bhd", weight, x).reshape(x.shape[0], -1)
    pooled = dropped(jax.nn.relu(lin(p["join"], pooled)), 0.3 if keys is not None else 0.0)
    at = jnp.swapaxes(lin(p["at"], x), 1, 2) + (inside[:, None, :] - 1) * 1e4
    n = len(schema.numbers)
    constants = lin(p["ask"], pooled).reshape(x.shape[0], n, -1)
    # Only a number can be a slot's number.
    numbers = at[:, :n] + (marks[:, None, :, 0] - 1) * 1e4
    # Constants come behind all places, also where a batch of short utterances has fewer.
    numbers = jnp.pad(numbers, ((0, 0), (0, 0), (0, MOST - x.shape[1])), constant_values=-1e4)
    return {
        "intent": lin(p["intent"], pooled),
        "choices": lin(p["choices"], pooled),
        "cuts": lin(p["cuts"], x)[..., 0],
        "numbers": jnp.concatenate([numbers, constants], -1),
        "spans": at[:, n:],
        # For heads that the product does not have (snips.py).
        "pooled": pooled,
        "words": x,
    }


def save(path, p, table, vocabulary, schema, temperature):
    """As ONNX, one utterance a run; the table's bytes are int8 with a scale a column, what a reader needs is in the metadata."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, tensors, count = [], [], [0]

    def const(value, name=None):
        count[0] += 1
        name = name or f"c{count[0]}"
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(kind, *inputs, **attributes):
        count[0] += 1
        out = f"{kind.lower()}{count[0]}"
        nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    f32 = lambda x: np.asarray(x, np.float32)
    i64 = lambda *x: np.asarray(x, np.int64)
    lin = lambda q, x: op("Add", op("MatMul", x, const(f32(q["w"]))), const(f32(q["b"])))

    def small(matrix, ids):
        matrix = f32(matrix)
        scale = np.abs(matrix).max(0) / 127 + 1e-9
        rows = op("Gather", const(np.round(matrix / scale).astype(np.int8)), ids, axis=0)
        return op("Mul", op("Cast", rows, to=TensorProto.FLOAT), const(f32(scale)))

    def norm(q, x):
        centred = op("Sub", x, op("ReduceMean", x, axes=[-1], keepdims=1))
        var = op("ReduceMean", op("Mul", centred, centred), axes=[-1], keepdims=1)
        scaled = op("Div", centred, op("Sqrt", op("Add", var, const(f32(1e-5)))))
        return op("Add", op("Mul", scaled, const(f32(q["g"]))), const(f32(q["b"])))

    # Indices come as floats, so that every input of every network here is of one type.
    index = lambda name: op("Cast", name, to=TensorProto.INT64)
    known = small(np.concatenate([p["unknown"], table], 0), index("word"))
    letters = f32(p["letters"]).copy()
    letters[0] = 0
    spelt = op("ReduceSum", small(letters, index("letters")), const(i64(1)), keepdims=0)
    spelt = op("Mul", spelt, "per_group")
    column = op("Unsqueeze", "mask", const(i64(1)))
    x = op("Mul", lin(p["in"], op("Concat", known, spelt, "marks", axis=-1)), column)
    gone = const(np.zeros((1, WIDTH), np.float32))
    rows = lambda first, end: op("Slice", x, const(i64(first)), const(i64(end)), const(i64(0)))
    before = op("Concat", gone, rows(0, MOST - 1), axis=0)
    after = op("Concat", rows(1, MOST), gone, axis=0)
    w = f32(p["near"]["w"])
    near = op("Add", op("Add", op("MatMul", before, const(w[0])), op("MatMul", x, const(w[1]))),
              op("Add", op("MatMul", after, const(w[2])), const(f32(p["near"]["b"]))))
    x = op("Mul", op("Add", op("Add", x, op("Relu", near)), const(f32(p["place"]))), column)
    far = const(f32(1e4))
    less = lambda flags: op("Mul", op("Sub", flags, const(f32(1.0))), far)
    away = op("Unsqueeze", less("mask"), const(i64(0, 1)))
    size = WIDTH // HEADS
    for layer in p["layers"]:
        w, b = np.split(f32(layer["qkv"]["w"]), 3, 1), np.split(f32(layer["qkv"]["b"]), 3)
        inner = norm(layer["n1"], x)
        split = []
        for part in range(3):
            y = op("Add", op("MatMul", inner, const(w[part])), const(b[part]))
            y = op("Reshape", y, const(i64(MOST, HEADS, size)))
            split.append(op("Transpose", y, perm=[1, 2, 0] if part == 1 else [1, 0, 2]))
        scores = op("Add", op("Mul", op("MatMul", split[0], split[1]), const(f32(size ** -0.5))), away)
        seen = op("Transpose", op("MatMul", op("Softmax", scores, axis=-1), split[2]), perm=[1, 0, 2])
        x = op("Add", x, lin(layer["out"], op("Reshape", seen, const(i64(MOST, WIDTH)))))
        x = op("Add", x, lin(layer["down"], op("Relu", lin(layer["up"], norm(layer["n2"], x)))))
    x = norm(p["norm"], x)
    row = lambda i: op("Squeeze", op("Slice", "marks", const(i64(i)), const(i64(i + 1)), const(i64(1))), const(i64(1)))
    inside = op("Mul", "mask", row(3))
    pool = op("Add", lin(p["pool"], x), op("Unsqueeze", less(inside), const(i64(1))))
    weight = op("Softmax", op("Transpose", pool, perm=[1, 0]), axis=-1)
    pooled = op("Reshape", op("MatMul", weight, x), const(i64(1, WIDTH * HEADS)))
    pooled = op("Relu", lin(p["join"], pooled))
    at = op("Add", op("Transpose", lin(p["at"], x), perm=[1, 0]), op("Unsqueeze", less(inside), const(i64(0))))
    n, heads = len(schema.numbers), len(schema.numbers) + 2 * len(schema.spans)
    part = lambda first, end: op("Slice", at, const(i64(first)), const(i64(end)), const(i64(0)))
    constants = op("Reshape", lin(p["ask"], pooled), const(i64(n, len(schema.constants))))
    numbers = op("Add", part(0, n), op("Unsqueeze", less(row(0)), const(i64(0))))
    outputs = {
        "intent": (op("Reshape", lin(p["intent"], pooled), const(i64(len(schema.intents)))), [len(schema.intents)]),
        "choices": (op("Reshape", lin(p["choices"], pooled), const(i64(-1))), [sum(map(len, schema.choices.values()))]),
        "cuts": (op("Reshape", lin(p["cuts"], x), const(i64(MOST))), [MOST]),
        "numbers": (op("Concat", numbers, constants, axis=1), [n, MOST + len(schema.constants)]),
        "spans": (part(n, heads), [heads - n, MOST]),
    }
    for name, (made, _) in outputs.items():
        nodes.append(helper.make_node("Identity", [made], [name]))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "intent_slots_en",
        [info("word", TensorProto.FLOAT, [MOST]), info("letters", TensorProto.FLOAT, [MOST, GROUPS]),
         info("per_group", TensorProto.FLOAT, [MOST, 1]), info("marks", TensorProto.FLOAT, [MOST, MARKS]),
         info("mask", TensorProto.FLOAT, [MOST])],
        [info(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="train.py")
    told = {
        "vocabulary": "\n".join(sorted(vocabulary, key=vocabulary.get)),
        "schema": json.dumps({
            "intents": schema.intents, "choices": list(schema.choices.items()), "numbers": list(schema.numbers),
            "spans": list(schema.spans), "constants": schema.constants, "buckets": BUCKETS, "temperature": temperature}),
    }
    helper.set_model_props(model, told)
    onnx.checker.check_model(model)
    onnx.save(model, path)
