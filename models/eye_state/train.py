"""Trains the network for eye openness and gaze on rendered eye crops and writes it as ONNX.

    cargo run -p troika-driver-state --example eye_set -- eyes 16000
    pip install "jax[cpu]==0.10.2" onnx==1.23.2
    python models/eye_state/train.py eyes models/eye_state/eye_state.onnx

The crops come from the very pipeline that the node runs. Three faces are held out: they are never trained on and every figure
that is printed is theirs. About three minutes on two cores.
"""

import csv
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEIGHT = 48, 32
HELD_OUT = {3, 5, 10}
CHANNELS = (12, 24, 32)
HIDDEN = 32
BATCH = 256
GAZE_UNIT_DEG = 30.0
SEED = 7


def load(folder):
    rows = list(csv.DictReader(open(f"{folder}/labels.csv")))
    crops = np.fromfile(f"{folder}/crops.u8", np.uint8).reshape(-1, HEIGHT, WIDTH)
    assert len(rows) == len(crops), "labels and crops are not of one run"
    return crops, rows


def normalise(x):
    """As `eyes::crop` does: mean 0, deviation 1, weak contrast not blown up."""
    mean = x.mean((-2, -1), keepdims=True)
    deviation = x.std((-2, -1), keepdims=True)
    return (x - mean) / jnp.maximum(deviation, 4.0)


def augment(key, x):
    """One crop (0..255): moved and turned, lit from a side, dull, blurred, noisy, partly covered, now and then inverted."""
    k = jax.random.split(key, 16)
    u = lambda i, low, high, shape=(): jax.random.uniform(k[i], shape, minval=low, maxval=high)
    yy, xx = jnp.meshgrid(jnp.arange(HEIGHT) - HEIGHT / 2 + 0.5, jnp.arange(WIDTH) - WIDTH / 2 + 0.5, indexing="ij")
    angle, size = u(0, -0.14, 0.14), jnp.exp(u(1, -0.14, 0.14, (2,)))
    shift = u(2, -1.0, 1.0, (2,)) * jnp.array([2.2, 3.2])
    sy = (jnp.sin(angle) * xx + jnp.cos(angle) * yy) * size[0] + shift[0] + HEIGHT / 2 - 0.5
    sx = (jnp.cos(angle) * xx - jnp.sin(angle) * yy) * size[1] + shift[1] + WIDTH / 2 - 0.5
    x = jax.scipy.ndimage.map_coordinates(x, [sy, sx], order=1, mode="nearest")
    # Gamma about the crop's own range, then light from a side.
    low, high = x.min(), x.max()
    x = jnp.power((x - low) / jnp.maximum(high - low, 1.0), jnp.exp(u(3, -0.6, 0.6)))
    tilt = u(4, -0.6, 0.6, (2,))
    x = x * (1.0 + tilt[0] * xx / WIDTH + tilt[1] * yy / HEIGHT)
    # A soft spot: glare on glasses, or a shadow.
    spot = jnp.array([u(5, -12.0, 12.0), u(6, -20.0, 20.0)])
    blob = jnp.exp(-((yy - spot[0]) ** 2 + (xx - spot[1]) ** 2) / 2 / u(7, 1.5, 6.0) ** 2)
    x = x + blob * jnp.where(u(8, 0, 1) < 0.3, u(9, -0.6, 0.8), 0.0)
    # Blur by mixing with neighbours, once or twice.
    for i in (10, 11):
        amount = jnp.maximum(u(i, -0.15, 0.3), 0.0)
        near = (jnp.roll(x, 1, 0) + jnp.roll(x, -1, 0) + jnp.roll(x, 1, 1) + jnp.roll(x, -1, 1)) / 4
        x = (1 - 2 * amount) * x + 2 * amount * near
    x = x + jax.random.normal(k[12], x.shape) * u(13, 0.0, 0.09)
    x = jnp.where(u(14, 0, 1) < 0.04, -x, x)
    return x * 120.0


def init(key):
    shapes, before = [], 1
    for channels in CHANNELS:
        shapes += [((channels, before, 3, 3), before * 9)]
        before = channels
    flat = CHANNELS[-1] * (HEIGHT // 8) * (WIDTH // 8)
    shapes += [((HIDDEN, flat), flat), ((1, HIDDEN), HIDDEN), ((2, HIDDEN), HIDDEN)]
    keys = jax.random.split(key, len(shapes))
    return [
        (jax.random.normal(k, s) * np.sqrt(2.0 / fan), jnp.zeros(s[0])) for k, (s, fan) in zip(keys, shapes)
    ]


def forward(params, x):
    """Logit of the openness, and the gaze in the head: to the nose's left in the crop's own sense, and up; 1 is 30 degrees."""
    x = x[:, None]
    for w, b in params[: len(CHANNELS)]:
        x = jax.lax.conv_general_dilated(x, w, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x = jax.nn.relu(x + b[None, :, None, None])
    x = x.reshape(len(x), -1)
    (w1, b1), (w2, b2), (w3, b3) = params[len(CHANNELS) :]
    x = jax.nn.relu(x @ w1.T + b1)
    return (x @ w2.T + b2)[:, 0], x @ w3.T + b3


def loss(params, x, y):
    z, gaze = forward(params, x)
    target, seen = y[:, 1:], y[:, 0] > 0.35  # closed lids hide where an eye looks
    openness = jnp.mean(jax.nn.softplus(z) - y[:, 0] * z)
    away = jnp.mean(seen[:, None] * jnp.sqrt((gaze - target) ** 2 + 0.003))
    return openness + 2.0 * away + 2e-5 * sum(jnp.sum(w * w) for w, _ in params)


@jax.jit
def step(params, m, v, n, rate, key, x, y):
    x = normalise(jax.vmap(augment)(jax.random.split(key, len(x)), x))
    value, grads = jax.value_and_grad(loss)(params, x, y)
    m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
    v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
    params = jax.tree.map(
        lambda p, a, b: p - rate * (a / (1 - 0.9**n)) / (jnp.sqrt(b / (1 - 0.999**n)) + 1e-8), params, m, v
    )
    return params, m, v, value


@jax.jit
def predict(params, x):
    z, gaze = forward(params, normalise(x))
    return jax.nn.sigmoid(z), gaze * GAZE_UNIT_DEG


def train(x, y, epochs):
    params = init(jax.random.key(SEED))
    m = v = jax.tree.map(jnp.zeros_like, params)
    order, key = np.random.default_rng(SEED), jax.random.key(SEED + 1)
    batches = len(x) // BATCH
    n = 0
    for epoch in range(epochs):
        total = 0.0
        shuffled = order.permutation(len(x))
        for i in range(batches):
            n += 1
            key, sub = jax.random.split(key)
            take = shuffled[i * BATCH : (i + 1) * BATCH]
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * n / (epochs * batches)))
            params, m, v, value = step(params, m, v, n, rate, sub, jnp.asarray(x[take], jnp.float32), jnp.asarray(y[take]))
            total += float(value)
        print(f"epoch {epoch + 1}/{epochs}: loss {total / batches:.4f}", flush=True)
    return params


def figures(name, p, y, where=None):
    if where is not None:
        p, y = p[where], y[where]
    if len(y) == 0:
        return
    closed, opened = p[y <= 0.05], p[y >= 0.85]
    print(
        f"{name:34s} n {len(y):5d}  mean error {np.abs(p - y).mean():.3f}"
        f"  closed read < 0.25: {np.mean(closed < 0.25):.4f}  open read > 0.40: {np.mean(opened > 0.40):.4f}"
    )


def export(params, path):
    nodes, weights = [], []
    at = "crop"
    for i, (w, b) in enumerate(params[: len(CHANNELS)]):
        weights += [numpy_helper.from_array(np.asarray(w, np.float32), f"w{i}"), numpy_helper.from_array(np.asarray(b, np.float32), f"b{i}")]
        nodes += [
            helper.make_node("Conv", [at, f"w{i}", f"b{i}"], [f"c{i}"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"c{i}"], [f"r{i}"]),
        ]
        at = f"r{i}"
    nodes.append(helper.make_node("Flatten", [at], ["flat"], axis=1))
    at = "flat"
    for name, (w, b) in zip(("hidden", "open", "gaze"), params[len(CHANNELS) :]):
        weights += [numpy_helper.from_array(np.asarray(w, np.float32), f"{name}.w"), numpy_helper.from_array(np.asarray(b, np.float32), f"{name}.b")]
    nodes += [
        helper.make_node("Gemm", ["flat", "hidden.w", "hidden.b"], ["before"], transB=1),
        helper.make_node("Relu", ["before"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "open.w", "open.b"], ["logit"], transB=1),
        helper.make_node("Sigmoid", ["logit"], ["openness"]),
        helper.make_node("Gemm", ["hidden", "gaze.w", "gaze.b"], ["gaze"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "eye_state",
        [helper.make_tensor_value_info("crop", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])],
        [
            helper.make_tensor_value_info("openness", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("gaze", TensorProto.FLOAT, [1, 2]),
        ],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7, producer_name="troika eye_state/train.py")
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    folder, path = sys.argv[1], sys.argv[2]
    epochs = int(sys.argv[3]) if len(sys.argv) > 3 else 24
    crops, rows = load(folder)
    column = lambda name: np.array([float(r[name]) for r in rows], np.float32)
    identity, y = column("identity").astype(int), column("openness")
    # A left eye is shown mirrored, and its gaze with it.
    side = np.where(column("eye") == 0, 1.0, -1.0)
    gaze = np.stack([side * column("eye_yaw"), column("eye_pitch")], 1).astype(np.float32)
    targets = np.concatenate([y[:, None], gaze / GAZE_UNIT_DEG], 1)
    held = np.isin(identity, sorted(HELD_OUT))
    start = time.time()
    params = train(crops[~held], targets[~held], epochs)
    print(f"trained on {np.sum(~held)} crops of {len(set(identity[~held]))} faces in {time.time() - start:.0f} s")
    p, read = (np.asarray(v) for v in predict(params, jnp.asarray(crops, jnp.float32)))
    pitch, yaw, light = column("eye_pitch"), column("head_yaw"), np.array([r["light"] for r in rows])
    figures("trained faces", p[~held], y[~held])
    figures("held-out faces", p[held], y[held])
    figures("held-out, eyes down > 12 degrees", p, y, held & (pitch < -12))
    figures("held-out, head turned > 20 degrees", p, y, held & (np.abs(yaw) > 20))
    for name in sorted(set(light)):
        figures(f"held-out, {name}", p, y, held & (light == name))
    for face in sorted(HELD_OUT):
        figures(f"held-out face {face}", p, y, identity == face)
    for name, where in (("trained faces", ~held & (y > 0.5)), ("held-out faces", held & (y > 0.5))):
        error = read[where] - gaze[where]
        slope = [np.polyfit(gaze[where, k], read[where, k], 1)[0] for k in (0, 1)]
        print(f"gaze, {name}: median |error| yaw {np.median(np.abs(error[:, 0])):.1f}, pitch {np.median(np.abs(error[:, 1])):.1f} degrees; slope {slope[0]:.2f}, {slope[1]:.2f}")
    export(params, path)


main()
