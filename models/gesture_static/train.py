#!/usr/bin/env python3
"""Trains the head that names a hand pose from 21 landmarks, prints its figures on persons that it has not seen, writes it as ONNX.

    pip install numpy==2.4.6 onnx==1.23.2
    models/gesture_static/train.py --data DIR [--write models/gesture_static/gesture_static.onnx]

DIR holds kazuhito/, gestnet/, farhad/ and kinivi/ with the CSV files of the public sets that the card names. A row is a label
and 21 points x, y of a mirrored webcam picture (as the person sees themself): from the wrist, in units of the largest coordinate.

Rows are neighbouring video frames, so nothing is split at random. A source is a person: each person with at least one class
that somebody else shows too is left out in turn, and the classes that one person alone shows (thumbs, ok) are measured on the
last quarter of that person's rows. The head that is written is then trained on everything; the figures are those of the runs
that left out what they are measured on.
"""

import argparse
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from mlp import Mlp, starts  # noqa: E402

NAMES = ["none", "open palm", "fist", "point", "thumb up", "thumb down", "ok"]
NONE, OPEN, FIST, POINT, UP, DOWN, OK = range(7)
SEED, STEPS, BATCH = 11, 2000, 256
SIZES = (44, 64, 32, len(NAMES))
# A pose is told when its probability is at least this (`Config::min_probability` of the node).
TOLD = 0.7

# file, then what each of its labels is. Looked at one by one: farhad's "advance" is a fist and "down" an index finger that
# points up; its other commands, and two to four fingers, are poses that mean nothing here.
SOURCES = {
    "kazuhito": ("keypoint.csv", {0: OPEN, 1: FIST, 2: POINT}),
    "gestnet": ("keypoint.csv", {0: OPEN, 1: POINT, 2: NONE, 3: NONE, 4: NONE, 5: UP, 6: DOWN}),
    "farhad": ("keypoint.csv", {0: NONE, 1: FIST, 2: NONE, 3: NONE, 4: NONE, 5: POINT, 6: NONE}),
    "kinivi": ("keypoint_ok.csv", {3: OK}),
}
# The classes that one person alone shows.
SINGLE = {UP, DOWN, OK}


def load(folder):
    rows, labels, person, late, original = [], [], [], [], []
    for source, (file, classes) in SOURCES.items():
        data = np.loadtxt(folder / source / file, delimiter=",", dtype=np.float32)
        for label, meaning in classes.items():
            here = data[data[:, 0] == label, 1:].reshape(-1, 21, 2)
            rows.append(here)
            labels += [meaning] * len(here)
            person += [source] * len(here)
            late += [i >= 3 * len(here) // 4 for i in range(len(here))]
            original += [label] * len(here)
    return np.concatenate(rows), np.array(labels), np.array(person), np.array(late), np.array(original)


def features(x):
    """As `pose::features` does: the hand turned so that the middle finger's base is straight above the wrist, in units of its
    largest coordinate; then where that finger pointed before, as x and y (down)."""
    x = x - x[:, :1]
    along = x[:, 9] / np.maximum(np.linalg.norm(x[:, 9], axis=1, keepdims=True), 1e-6)
    upright = np.stack([x @ np.stack([-along[:, 1], along[:, 0]], -1)[..., None], x @ -along[..., None]], -1)[:, :, 0]
    upright = upright / np.maximum(np.abs(upright).max((1, 2), keepdims=True), 1e-6)
    return np.concatenate([upright.reshape(len(x), 42), along], 1).astype(np.float32)


def turned(x, angle):
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1]], -1)


def augment(x, y, random):
    """Either hand, turned, seen at a slant, with shaking points."""
    n = len(x)
    x, y = x.copy(), y.copy()
    x[random.random(n) < 0.5, :, 0] *= -1
    # A thumb up whose picture stands on its head is a thumb down of the other hand.
    over = (random.random(n) < 0.5) & np.isin(y, (UP, DOWN))
    x[over, :, 1] *= -1
    y[over] = UP + DOWN - y[over]
    # Thumbs mean what they point at; the other poses are the same whichever way up.
    most = np.where(np.isin(y, (UP, DOWN)), 0.4, np.pi)
    x = turned(x, random.uniform(-1, 1, n) * most)
    axis = random.uniform(-np.pi, np.pi, n)
    x = turned(x, axis)
    x[..., 0] *= random.uniform(0.6, 1.0, n)[:, None]
    x = turned(x, -axis)
    x = x / np.abs(x).max((1, 2), keepdims=True)
    x += random.normal(0, 1, x.shape) * random.uniform(0.0, 0.03, n)[:, None, None]
    return features(x), y


def fit(x, y, person, seed=SEED, steps=STEPS):
    """Each person's share of a class counts alike, so that 1,500 frames of one do not outweigh 250 of another."""
    random = np.random.default_rng(seed)
    groups = [np.flatnonzero((y == c) & (person == p)) for c in range(len(NAMES)) for p in sorted(set(person))]
    by_class = [[g for g in groups if len(g) and y[g[0]] == c] for c in range(len(NAMES))]
    by_class = [g for g in by_class if g]
    people = [np.flatnonzero(person == p) for p in sorted(set(person))]

    def draw(_):
        take = []
        for groups in by_class:
            for g in groups:
                take.append(random.choice(g, BATCH // len(by_class) // len(groups) + 1))
        take = np.concatenate(take)
        made, named = augment(x[take], y[take], random)
        # Half-way from one pose to another, of one person, is no gesture.
        a, b = [], []
        for own in people:
            a.append(random.choice(own, 8))
            b.append(random.choice(own, 8))
        a, b = np.concatenate(a), np.concatenate(b)
        differ = y[a] != y[b]
        a, b = a[differ], b[differ]
        share = random.uniform(0.4, 0.6, len(a))[:, None, None]
        between, nothing = augment(share * x[a] + (1 - share) * x[b], np.full(len(a), NONE), random)
        return np.concatenate([made, between]), np.concatenate([named, nothing])

    return Mlp(SIZES, seed).train(draw, steps)


def told(head, x):
    """What the node would take a row for: the best pose if it is sure enough."""
    p = head.predict(features(x))
    best = p.argmax(1)
    return np.where(p.max(1) >= TOLD, best, NONE)


def figures(title, said, y):
    """Of each pose: how many frames of it are told as it, and how many frames told as it are it."""
    print(title)
    for c, name in enumerate(NAMES):
        is_it, says_it = y == c, said == c
        if not is_it.any():
            continue
        right = (is_it & says_it).sum()
        wrong = (~np.isin(said[is_it], (c, NONE))).sum()
        precision = f"{right / says_it.sum():.3f}" if says_it.any() else "  -  "
        print(f"  {name:11s} n {is_it.sum():5d}  recall {right / is_it.sum():.3f}  told as another {wrong / is_it.sum():.3f}  precision {precision}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    x, y, person, late, original = load(args.data)
    for out in ("kazuhito", "gestnet", "farhad"):
        test = (person == out) & ~np.isin(y, list(SINGLE))
        train = person != out
        head = fit(x[train], y[train], person[train])
        said = told(head, x[test])
        figures(f"person {out} never seen", said, y[test])
        for label in sorted(set(original[test])):
            these = original[test] == label
            spread = ", ".join(f"{NAMES[c]} {np.mean(said[these] == c):.2f}" for c in range(len(NAMES)) if (said[these] == c).any())
            print(f"      label {label} ({NAMES[y[test][these][0]]}): {spread}")
        idle = y[test] == NONE
        if idle.any():
            false = sum(starts(said[original[test] == label], NONE, 6, 8) for label in set(original[test][idle]))
            print(f"      false gestures after the debounce: {false} in {idle.sum() / 30:.0f} s of frames that show none")
    test = late & np.isin(y, list(SINGLE))
    head = fit(x[~test], y[~test], person[~test])
    figures("one person each, the last quarter by time", told(head, x[test]), y[test])
    if args.write:
        fit(x, y, person).save(args.write, "gesture_static", "gesture_static/train.py")
        print(f"wrote {args.write}")


if __name__ == "__main__":
    main()
