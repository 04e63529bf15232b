"""The same network on SNIPS's own split (`train.py --snips`): intent accuracy and slot-F1, beside the published figures.

The trunk is the product's; two heads of its own: an intent of seven, and a BIO tag a word. Entities count when their words and their
kind are exactly right (conlleval). Words are those of the data, cut at spaces.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lines
import network
from lines import MOST

KINDS = ("AddToPlaylist", "BookRestaurant", "GetWeather", "PlayMusic", "RateBook", "SearchCreativeWork", "SearchScreeningEvent")


def read(data, split, tags, grow):
    """[(tokens, tag numbers, intent)]; `tags` grows while training is read."""
    from train import snips as rows

    out = []
    for intent, kind in enumerate(KINDS):
        for _, parts in rows(data, split, kind):
            words, marks = [], []
            for slot, text in parts:
                for i, word in enumerate(text.split()):
                    words.append(word.lower())
                    tag = "O" if slot is None else ("B-" if i == 0 else "I-") + slot
                    if grow:
                        tags.setdefault(tag, len(tags))
                    marks.append(tags.get(tag, 0))
            words, marks = words[:MOST], marks[:MOST]
            out.append(([(w, False, 0, 0, False) for w in words], marks, intent))
    return out


def entities(names, marks):
    """{(kind, first, end)} of a line of tags."""
    out, kind, first = set(), None, 0
    for i, name in enumerate([names[m] for m in marks] + ["O"]):
        if kind and (not name.startswith("I-") or name[2:] != kind):
            out.add((kind, first, i))
            kind = None
        if name.startswith("B-") or (name.startswith("I-") and kind is None):
            kind, first = name[2:], i
    return out


def main(args, word_table):
    schema = lines.Schema(args.catalogue)
    tags = {"O": 0}
    train, test = read(args.data, "train", tags, True), read(args.data, "validate", tags, False)
    names = list(tags)
    vocabulary, table = word_table(args.smollm, sorted({w[0] for toks, _, _ in train for w in toks}))
    table = jnp.asarray(table)
    weights = network.start(schema, table, args.seed)
    keys = jax.random.split(jax.random.PRNGKey(args.seed + 1), 2)
    weights = {"trunk": weights, "intent": jax.random.normal(keys[0], (2 * network.WIDTH, len(KINDS))) * 0.05,
               "tags": jax.random.normal(keys[1], (network.WIDTH, len(names))) * 0.05}
    print(f"{len(train)} lines to train on, {len(test)} to measure on, {len(names)} tags, {len(vocabulary)} words")

    def inputs_of(part, length):
        return [np.stack(x)[:, :length] for x in zip(*(network.encode(vocabulary, t, [1] * len(t)) for t, _, _ in part))]

    def forward(p, inputs, key=None):
        out = network.apply(p["trunk"], table, *inputs, schema, key, drop=0.15)
        return out["pooled"] @ p["intent"], out["words"] @ p["tags"]

    def loss(p, inputs, goal, marks, key):
        intent, tag = forward(p, inputs, key)
        lost = optax.softmax_cross_entropy_with_integer_labels
        return lost(intent, goal).mean() + (lost(tag, marks) * inputs[3]).sum() / inputs[3].sum() * 4

    random, size = np.random.default_rng(args.seed), 64
    steps = args.epochs * (len(train) // (4 * size)) * 4
    optimiser = optax.chain(optax.clip_by_global_norm(1.0),
                            optax.adamw(optax.warmup_cosine_decay_schedule(0.0, 1.5e-3, steps // 20, steps, 1e-5), weight_decay=0.02))
    state, average, key = optimiser.init(weights), weights, jax.random.PRNGKey(args.seed)

    @jax.jit
    def step(weights, state, average, inputs, goal, marks, key):
        grads = jax.grad(loss)(weights, inputs, goal, marks, key)
        updates, state = optimiser.update(grads, state, weights)
        weights = optax.apply_updates(weights, updates)
        return weights, state, jax.tree.map(lambda a, w: 0.995 * a + 0.005 * w, average, weights)

    run = jax.jit(forward)

    def measure():
        right, hits, got, wanted = 0, 0, 0, 0
        for at in range(0, len(test), size):
            part = test[at:at + size]
            full = part + [part[0]] * (size - len(part))
            intent, tag = (np.asarray(x) for x in run(average, inputs_of(full, MOST)))
            for i, (toks, marks, kind) in enumerate(part):
                right += intent[i].argmax() == kind
                a, b = entities(names, tag[i, : len(toks)].argmax(-1)), entities(names, marks)
                hits, got, wanted = hits + len(a & b), got + len(a), wanted + len(b)
        return right / len(test), 2 * hits / (got + wanted)

    from train import LENGTHS

    began = time.time()
    for epoch in range(args.epochs):
        order = random.permutation(len(train))
        for at in range(0, len(order) - 4 * size + 1, 4 * size):
            picked = sorted((train[i] for i in order[at:at + 4 * size]), key=lambda row: len(row[0]))
            for quarter in random.permutation(4):
                part = picked[quarter * size:(quarter + 1) * size]
                length = next(n for n in LENGTHS if n >= max(len(t) for t, _, _ in part))
                marks = np.zeros((size, length), np.int32)
                for i, (_, m, _) in enumerate(part):
                    marks[i, : len(m)] = m
                key, sub = jax.random.split(key)
                weights, state, average = step(weights, state, average, inputs_of(part, length), np.array([k for _, _, k in part]), marks, sub)
        if epoch % 2 == 1 or epoch + 1 == args.epochs:
            intent, f1 = measure()
            print(f"epoch {epoch + 1}: intent accuracy {intent:.4f}, slot F1 {f1:.4f}, {time.time() - began:.0f} s", flush=True)
