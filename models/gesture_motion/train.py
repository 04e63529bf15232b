#!/usr/bin/env python3
"""Trains the head that names a motion from 16 points of a fingertip's or a palm's track, prints its figures, writes it as ONNX.

    pip install numpy==2.4.6 onnx==1.23.2
    models/gesture_motion/train.py --data DIR [--write models/gesture_motion/gesture_motion.onnx]

DIR holds kazuhito/, gestnet/ and farhad/ with the CSV files of the public sets that the card names. A row is a label and 16 points
x, y of a mirrored webcam picture (as the person sees themself), from the first one, each axis in units of the picture's side.

The recorders put a point at the picture's corner whenever the hand was lost or changed its pose; rows with such a jump are left
out (the node's track begins anew there). Rows are neighbouring windows of one track, so nothing is split at random:

- turns: trained on one person, measured on the other, both ways. gestnet's "circle" does not say which way round: what is called
  clockwise is what turns so (of kazuhito's labelled turns every one does).
- swipes: one person alone shows them; measured on the last quarter of that person's rows.

The head that is written is then trained on everything; the figures are those of the runs that left out what they measure.
"""

import argparse
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from mlp import Mlp, starts  # noqa: E402

NAMES = ["none", "swipe left", "swipe right", "clockwise", "counter-clockwise"]
NONE, LEFT, RIGHT, CW, CCW = range(5)
POINTS, PALM, FINGER = 16, 0.0, 1.0
SEED, STEPS, BATCH = 5, 2000, 250
SIZES = (2 * POINTS + 1, 48, 24, len(NAMES))
TOLD = 0.7
# Longer than a hand moves between two frames, picture heights: a lost hand.
JUMP = 0.4
CIRCLE = -1

# Width over height of the picture; of each label what it is, which point was followed, and how many frames lie between two of the
# 16 points. gestnet's circles take two seconds, kazuhito's half a one: the node looks at the last half second of a track, and for
# turns at the last one and a half as well.
SOURCES = {
    "kazuhito": (16 / 9, {0: (NONE, FINGER, (1, 3)), 1: (CW, FINGER, (1,)), 2: (CCW, FINGER, (1,)), 3: (NONE, FINGER, (1,))}),
    "gestnet": (4 / 3, {0: (RIGHT, PALM, (1,)), 1: (LEFT, PALM, (1,)), 2: (NONE, PALM, (1,)), 3: (CIRCLE, FINGER, (3,))}),
    "farhad": (4 / 3, {0: (NONE, FINGER, (1,)), 1: (NONE, FINGER, (1,)), 2: (NONE, FINGER, (1,))}),
}


def turning(x):
    """By how much the direction of the motion turns within a row, degrees, positive clockwise (y is down)."""
    d = x[:, 3:] - x[:, :-3]
    step = np.diff(np.arctan2(d[..., 1], d[..., 0]), axis=1)
    return np.degrees(((step + np.pi) % (2 * np.pi) - np.pi).sum(1))


def tracks(rows):
    """Rows are windows of a track that moved on by one point: the tracks, each with the number of its first row."""
    made, first = [], 0
    for i in range(1, len(rows) + 1):
        follows = i < len(rows) and np.abs((rows[i, :-1] - rows[i, 0]) - (rows[i - 1, 1:] - rows[i - 1, 1])).max() < 0.004
        if not follows:
            points = [rows[first]]
            for k in range(first + 1, i):
                points.append((points[-1][-1] + rows[k, -1] - rows[k, -2])[None])
            made.append((first, np.concatenate(points)))
            first = i
    return made


def load(folder):
    rows, labels, kinds, person, late, original = [], [], [], [], [], []
    for source, (aspect, meanings) in SOURCES.items():
        data = np.loadtxt(folder / source / "point_history.csv", delimiter=",", dtype=np.float32)
        for label, (meaning, kind, strides) in meanings.items():
            here = data[data[:, 0] == label, 1:].reshape(-1, POINTS, 2) * np.array([aspect, 1], np.float32)
            for stride in strides:
                span = (POINTS - 1) * stride
                x, order = [], []
                for first, points in tracks(here):
                    for j in range(len(points) - span):
                        x.append(points[j : j + span + 1 : stride])
                        order.append(first + j + span - (POINTS - 1))
                x, order = np.array(x), np.array(order)
                y = np.full(len(x), meaning)
                whole = np.linalg.norm(np.diff(x, axis=1), axis=2).max(1) < JUMP
                if meaning == CIRCLE:
                    y = np.where(turning(x) > 0, CW, CCW)
                    whole &= np.abs(turning(x)) > 150
                print(f"{source} {label}, every {stride}: {whole.sum()} of {len(x)} windows in {len(tracks(here))} tracks")
                rows.append(x[whole])
                labels.append(y[whole])
                kinds += [kind] * whole.sum()
                person += [source] * whole.sum()
                late.append(order[whole] >= 3 * len(here) // 4)
                original += [label] * whole.sum()
    cat = np.concatenate
    return cat(rows), cat(labels), np.array(kinds, np.float32), np.array(person), cat(late), np.array(original)


def features(x, kind):
    """As `track::features` does: about the mean, in units of the largest coordinate; then 1 for a finger, 0 for a palm."""
    x = x - x.mean(1, keepdims=True)
    x = x / np.maximum(np.abs(x).max((1, 2), keepdims=True), 1e-6)
    return np.concatenate([x.reshape(len(x), -1), kind[:, None]], 1).astype(np.float32)


def turned(x, angle):
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1]], -1)


def paced(x, random):
    """The same path at an uneven pace, some of it cut off at either end."""
    n = len(x)
    start, end = random.uniform(0, 2.5, n), POINTS - 1 - random.uniform(0, 2.5, n)
    t = np.linspace(0, 1, POINTS)[None] ** np.exp(random.uniform(-0.35, 0.35, n))[:, None]
    at = start[:, None] + t * (end - start)[:, None]
    low = np.minimum(at.astype(int), POINTS - 2)
    share = (at - low)[..., None]
    take = lambda i: np.take_along_axis(x, i[..., None], 1)
    return take(low) * (1 - share) + take(low + 1) * share


MIRRORED = np.array([NONE, RIGHT, LEFT, CCW, CW])


def augment(x, y, kind, random):
    n = len(x)
    x, y = paced(x, random), y.copy()
    flip = random.random(n) < 0.5
    x[flip, :, 0] *= -1
    y[flip] = MIRRORED[y[flip]]
    back = random.random(n) < 0.5
    x[back] = x[back, ::-1]
    y[back] = MIRRORED[y[back]]
    swipe = np.isin(y, (LEFT, RIGHT))
    x = turned(x, random.uniform(-1, 1, n) * np.where(swipe, 0.25, np.where(kind == PALM, 0.25, np.pi)))
    # Landmarks shake by about a hundredth of the motion; more on a small one.
    size = np.abs(x - x.mean(1, keepdims=True)).max((1, 2), keepdims=True)
    x = x + random.normal(0, 1, x.shape) * size * random.uniform(0, 0.06, (n, 1, 1))
    return features(x, kind), y


def other_motion(swipes, circles, random, n=12):
    """Motions that nobody recorded and that are no gesture: up and down, there and back, straight with a finger, aimless, at rest,
    an open hand that circles."""
    draw = lambda of: of[random.integers(len(of), size=n)]
    half = np.abs(np.linspace(-1, 1, POINTS))
    walk = np.cumsum(random.normal(0, 1, (n, POINTS, 2)), 1)
    rest = random.normal(0, 1, (n, POINTS, 2))
    sign = np.where(random.random(n) < 0.5, 1, -1)
    upright = turned(draw(swipes), sign * random.uniform(0.8, np.pi / 2, n))
    ends = draw(swipes)
    there_and_back = ends[:, :1] + (ends[:, -1:] - ends[:, :1]) * half[None, :, None] + 0.05 * rest * np.abs(ends).max()
    straight = turned(draw(swipes), random.uniform(-np.pi, np.pi, n))
    made = [
        (upright, PALM), (there_and_back, PALM), (turned(there_and_back, random.uniform(-np.pi, np.pi, n)), FINGER),
        (straight, FINGER), (walk, PALM), (walk, FINGER), (rest, PALM), (rest, FINGER), (draw(circles), PALM),
    ]
    x = np.concatenate([m for m, _ in made])
    kind = np.concatenate([np.full(n, k, np.float32) for _, k in made])
    x = x + random.normal(0, 0.02, x.shape) * np.abs(x).max((1, 2), keepdims=True)
    return features(x, kind), np.full(len(x), NONE)


def fit(x, y, kind, person, seed=SEED, steps=STEPS):
    random = np.random.default_rng(seed)
    groups = [
        [g for p in sorted(set(person)) for k in (PALM, FINGER) if len(g := np.flatnonzero((y == c) & (person == p) & (kind == k)))]
        for c in range(len(NAMES))
    ]
    swipes = x[np.isin(y, (LEFT, RIGHT))]
    circles = x[np.isin(y, (CW, CCW))]

    def draw(_):
        take = np.concatenate([random.choice(g, BATCH // len(groups) // len(gs) + 1) for gs in groups for g in gs])
        real, others = augment(x[take], y[take], kind[take], random), other_motion(swipes, circles, random)
        return np.concatenate([real[0], others[0]]), np.concatenate([real[1], others[1]])

    return Mlp(SIZES, seed).train(draw, steps)


def goes_its_way(x, y):
    """A row of a swipe in which the hand does go that way (the windows before and after the stroke carry its label too)."""
    net = x[:, -1, 0] - x[:, 0, 0]
    extent = np.ptp(x[..., 0], 1)
    right = np.where(y == RIGHT, net, -net)
    return ~np.isin(y, (LEFT, RIGHT)) | (right > 0.6 * extent) & (extent > 0.1)


def figures(title, head, x, y, kind):
    p = head.predict(features(x, kind))
    said = np.where(p.max(1) >= TOLD, p.argmax(1), NONE)
    print(title)
    for c, name in enumerate(NAMES):
        is_it, says_it = y == c, said == c
        if not is_it.any():
            continue
        right = (is_it & says_it).sum()
        wrong = ~np.isin(said[is_it], (c, NONE))
        precision = f"{right / says_it.sum():.3f}" if says_it.any() else "  -  "
        print(f"  {name:18s} n {is_it.sum():5d}  recall {right / is_it.sum():.3f}  told as another {wrong.mean():.3f}  precision {precision}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    x, y, kind, person, late, original = load(args.data)
    sound = goes_its_way(x, y)
    turn = np.isin(y, (CW, CCW))
    for out in ("kazuhito", "gestnet"):
        train = ~((person == out) & (kind == FINGER)) & ~late_of_swipes(y, late) & sound
        head = fit(x[train], y[train], kind[train], person[train])
        test = (person == out) & (kind == FINGER)
        figures(f"finger of {out}, never seen", head, x[test], y[test], kind[test])
        idle = test & (y == NONE)
        if idle.any():
            p = head.predict(features(x[idle], kind[idle]))
            said = np.where(p.max(1) >= TOLD, p.argmax(1), NONE)
            false = sum(starts(said[original[idle] == label], NONE, 3, 5) for label in set(original[idle]))
            print(f"  false gestures after the debounce: {false} in {idle.sum() / 30:.0f} s of windows that show none")
    train = ~late & sound
    head = fit(x[train], y[train], kind[train], person[train])
    test = late & (kind == PALM)
    figures("palm, one person, the last quarter by time", head, x[test], y[test], kind[test])
    test &= sound
    figures("the same, without windows in which the hand does not go the label's way", head, x[test], y[test], kind[test])
    test = late & (person == "farhad")
    figures("farhad's zoom, the last quarter by time", head, x[test], y[test], kind[test])
    if args.write:
        fit(x[sound], y[sound], kind[sound], person[sound]).save(args.write, "gesture_motion", "gesture_motion/train.py")
        print(f"wrote {args.write}")


def late_of_swipes(y, late):
    return late & np.isin(y, (LEFT, RIGHT))


if __name__ == "__main__":
    main()
