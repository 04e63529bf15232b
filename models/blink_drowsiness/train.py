#!/usr/bin/env python3
"""Trains the head for drowsiness from blinks on the published blink windows of UTA-RLDD and writes it as ONNX.

    git clone https://github.com/rezaghoddoosian/Early-Drowsiness-Detection    (MIT; commit 2bafc98 was used)
    pip install numpy==2.3.4 onnx==1.23.2
    models/blink_drowsiness/train.py --data FOLDER --train 1,2,3 --test 4,5 --out models/blink_drowsiness/blink_drowsiness.onnx

FOLDER holds `BlinksTest_30_FoldN.npy` and `LabelsTest_30_FoldN.npy`, or the same as `blinks_foldN.npy` and `labels_foldN.npy`.
Folds are by person. Everything is chosen and cross-validated on the folds of `--train`; those of `--test` are scored once
by the head that is written. About fifteen seconds, the same figures on every run.
"""

import argparse
import pathlib

import numpy as np

# Order of the features in the files (`Preprocessing.py` of the source): blink frequency, amplitude, duration, velocity of
# the reopening; each less the mean and over the deviation of the last third of the person's blinks in the alert video.
AMPLITUDE, DURATION, VELOCITY = 1, 2, 3
ALERT, LOW, DROWSY = 0, 5, 10
WINDOW, STRIDE = 30, 2
CLIP = 6.0
# A blink is long two deviations over the person's mean, a reopening slow one under it; both with soft edges.
LONG, SLOW, EDGE = 2.0, -1.0, 4.0
L2 = 0.03
# The log-odds at which the node calls a driver drowsy by the blinks alone.
RAISE = 1.0
SEED = 7


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def load(folder, folds):
    """People: (fold, {level: blinks [n, 4]}). The windows overlap by all but STRIDE blinks and are laid out again in line."""
    people, seen = [], set()
    for fold in folds:
        names = [(f"BlinksTest_30_Fold{fold}.npy", f"LabelsTest_30_Fold{fold}.npy"), (f"blinks_fold{fold}.npy", f"labels_fold{fold}.npy")]
        found = [pair for pair in names if (folder / pair[0]).is_file()]
        if not found:
            raise SystemExit(f"{folder} holds neither {names[0][0]} nor {names[1][0]}")
        blinks, labels = np.load(folder / found[0][0]), np.load(folder / found[0][1]).ravel()
        # A file is person after person, each alert, low vigilance, drowsy: where the label falls, the next one begins.
        starts = [0] + [i for i in range(1, len(labels)) if labels[i] < labels[i - 1]] + [len(labels)]
        for a, b in zip(starts[:-1], starts[1:]):
            person = {}
            for level in (ALERT, LOW, DROWSY):
                windows = blinks[a:b][labels[a:b] == level]
                line = np.concatenate([windows[0]] + [w[-STRIDE:] for w in windows[1:]])
                line = line[np.abs(line).sum(1) > 0]  # a session under 30 blinks is padded with zeros
                # Some videos stand under two people or two levels: the second is left out.
                person[level] = line[:0] if line.tobytes() in seen else line
                seen.add(line.tobytes())
            people.append((fold, person))
    return people


def windows(line):
    count = max(0, (len(line) - WINDOW) // STRIDE + 1)
    return np.stack([line[i * STRIDE : i * STRIDE + WINDOW] for i in range(count)]) if count else np.zeros((0, WINDOW, line.shape[1]))


def samples(people, low, high):
    """Windows, whether they are `high`, whose they are, of which fold."""
    x, y, who, fold = [], [], [], []
    for index, (of, person) in enumerate(people):
        for level, value in ((low, 0), (high, 1)):
            w = windows(person[level])
            x.append(w)
            y += [value] * len(w)
            who += [index] * len(w)
            fold += [of] * len(w)
    return np.concatenate(x), np.array(y), np.array(who), np.array(fold)


def summary(x):
    """What the head sees of a window: mean duration, share of long blinks, share of slow reopenings."""
    z = np.clip(x, -CLIP, CLIP)
    d, v = z[..., DURATION], z[..., VELOCITY]
    return np.stack([d.mean(1), sigmoid(EDGE * (d - LONG)).mean(1), sigmoid(EDGE * (SLOW - v)).mean(1)], 1)


def signed(x):
    """For comparison: the means of amplitude, duration and velocity."""
    return np.clip(x, -CLIP, CLIP)[..., [AMPLITUDE, DURATION, VELOCITY]].mean(1)


def unsigned(x):
    """For comparison: how far the window is from the baseline, whichever way, in all four features."""
    return np.abs(np.clip(x, -CLIP, CLIP)).mean(1)


def weights(y, who):
    """Each person the same, alert and drowsy the same: the head's odds are those at even priors."""
    w = np.zeros(len(y))
    for person, label in set(zip(who, y)):
        of = (who == person) & (y == label)
        w[of] = 1 / of.sum()
    for label in (0, 1):
        w[y == label] /= 2 * w[y == label].sum()
    return w


def fit(x, y, w, monotone=True):
    """Logistic regression by projected gradient: no weight below zero, so a sign of drowsiness never speaks against it."""
    mean, deviation = x.mean(0), x.std(0) + 1e-9
    z, b, c = (x - mean) / deviation, np.zeros(x.shape[1]), 0.0
    for _ in range(3000):
        p = sigmoid(z @ b + c)
        g = w * (p - y)
        b = b - (z.T @ g + L2 * b)
        if monotone:
            b = np.maximum(b, 0)
        c -= g.sum()
    return b / deviation, c - (b * mean / deviation).sum()


def auc(score, y):
    values, where, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[where]
    n1, n0 = (y == 1).sum(), (y == 0).sum()
    return (rank[y == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)


def within(score, y, who):
    """The mean over people of the AUC of their own windows."""
    return np.mean([auc(score[who == k], y[who == k]) for k in set(who) if len(set(y[who == k])) == 2])


def interval(score, y, who, rounds=2000):
    """95 % interval of the AUC over people drawn with replacement (all their windows with them)."""
    random, people, found = np.random.default_rng(SEED), sorted(set(who)), []
    at = {k: np.flatnonzero(who == k) for k in people}
    while len(found) < rounds:
        drawn = np.concatenate([at[k] for k in random.choice(people, len(people))])
        if len(set(y[drawn])) == 2:
            found.append(auc(score[drawn], y[drawn]))
    return np.quantile(found, [0.025, 0.975])


def over(score, y, w):
    """The shares of windows over even odds and over RAISE, each person the same."""
    share = lambda v, t: w[(y == v) & (score > t)].sum() / w[y == v].sum()
    return f"over 0: alert {share(0, 0):.2f}, drowsy {share(1, 0):.2f}; over {RAISE}: alert {share(0, RAISE):.2f}, drowsy {share(1, RAISE):.2f}"


def held_out(people, see, high=DROWSY, low=ALERT, monotone=True):
    """Scores of each fold's windows by a head that was trained (alert against drowsy) on the other folds."""
    x, y, who, fold = samples(people, ALERT, DROWSY)
    xs, ys, whos, folds = samples(people, low, high)
    score = np.zeros(len(ys))
    for of in sorted(set(fold)):
        rest = fold != of
        b, c = fit(see(x[rest]), y[rest], weights(y[rest], who[rest]), monotone)
        score[folds == of] = see(xs[folds == of]) @ b + c
    return score, ys, whos, folds


def recalibrated(line, first):
    """The line against the mean and deviation of these blinks. What the file's own normalisation was falls out."""
    deviation = np.maximum(first.std(0), 0.25)
    return (line - first.mean(0)) / deviation


def calibration(people, head):
    """AUC on what is left of the alert video when the baseline is its first n blinks; the same people in every row."""
    b, c = head
    longest = 60
    fit_for = [p for _, p in people if len(p[ALERT]) >= longest + WINDOW and len(p[DROWSY]) >= WINDOW]
    print(f"baseline from the first n alert blinks; {len(fit_for)} people with {longest + WINDOW} of them; alert windows after blink {longest}")
    for n in (5, 10, 15, 20, 30, 40, 50, 60, "file", "drowsy 40"):
        score, y, who = [], [], []
        for index, person in enumerate(fit_for):
            for level, label in ((ALERT, 0), (DROWSY, 1)):
                line = person[level][longest:] if level == ALERT else person[level]
                if n == "drowsy 40":
                    line = recalibrated(line[40:] if level == DROWSY else line, person[DROWSY][:40])
                elif n != "file":
                    line = recalibrated(line, person[ALERT][:n])
                w = windows(line)
                if len(w):
                    s = summary(w) @ b + c
                    score.append(s)
                    y += [label] * len(s)
                    who += [index] * len(s)
        score, y, who = np.concatenate(score), np.array(y), np.array(who)
        each = weights(y, who)
        print(f"  n = {n}: AUC {auc(score, y):.3f}, within a person {within(score, y, who):.3f}; {over(score, y, each)}")


def uncalibrated(people):
    """AUC of the mean duration in frames. The frames come back from the grid that the durations lie on; that a person's
    shortest blink is 3 frames (start, lowest point, end) is an assumption. Amplitude and velocity do not come back."""
    made = []
    for fold, person in people:
        every = np.concatenate([person[level][:, DURATION] for level in person])
        steps = np.diff(np.unique(np.round(every, 9)))
        steps = steps[steps > 1e-6]
        grid = next(steps.min() / k for k in range(1, 7) if np.abs(steps * k / steps.min() - (steps * k / steps.min()).round()).max() < 0.02)
        frames = {level: (line[:, [DURATION]] - every.min()) / grid + 3 for level, line in person.items()}
        made.append((fold, frames))
    x, y, _, _ = samples(made, ALERT, DROWSY)
    return auc(np.minimum(x[..., 0], 60).mean(1), y)


def export(head, path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    b, c = head
    tensor = lambda name, value: numpy_helper.from_array(np.asarray(value, np.float32), name)
    # (duration, velocity) of each blink to the arguments of the two soft edges.
    edges, offsets = [[EDGE, 0], [0, -EDGE]], [-EDGE * LONG, EDGE * SLOW]
    nodes = [
        helper.make_node("Clip", ["blinks", "low", "high"], ["z"]),
        helper.make_node("MatMul", ["z", "edges"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offsets"], ["moved"]),
        helper.make_node("Sigmoid", ["moved"], ["signs"]),
        helper.make_node("ReduceMean", ["z"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("ReduceMean", ["signs"], ["shares"], axes=[1], keepdims=0),
        helper.make_node("Concat", ["mean", "shares"], ["summary"], axis=1),
        helper.make_node("Gemm", ["summary", "weights", "bias"], ["log_odds"]),
    ]
    constants = [
        tensor("low", -CLIP),
        tensor("high", CLIP),
        tensor("edges", edges),
        tensor("offsets", offsets),
        tensor("weights", [[b[0]], [0], [b[1]], [b[2]]]),
        tensor("bias", [c]),
    ]
    graph = helper.make_graph(
        nodes,
        "blink_drowsiness",
        [helper.make_tensor_value_info("blinks", TensorProto.FLOAT, [1, WINDOW, 2])],
        [helper.make_tensor_value_info("log_odds", TensorProto.FLOAT, [1, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7, producer_name="troika blink_drowsiness/train.py")
    onnx.checker.check_model(model)
    onnx.save(model, path)


def row(name, score, y, who, fold):
    low, high = interval(score, y, who)
    each = ", ".join(f"{auc(score[fold == f], y[fold == f]):.3f}" for f in sorted(set(fold)))
    print(f"{name:52s} AUC {auc(score, y):.3f} [{low:.3f}, {high:.3f}], by fold {each}, within a person {within(score, y, who):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the published windows")
    parser.add_argument("--train", default="1,2,3", help="folds to train and cross-validate on")
    parser.add_argument("--test", default="", help="folds to score once")
    parser.add_argument("--test-data", type=pathlib.Path, help="their folder, if another")
    parser.add_argument("--out", type=pathlib.Path, help="where the ONNX goes")
    args = parser.parse_args()
    people = load(args.data, [int(f) for f in args.train.split(",")])
    x, y, who, fold = samples(people, ALERT, DROWSY)
    print(f"{len(people)} people, {len(y)} windows of {WINDOW} blinks: {np.sum(y == 0)} alert, {np.sum(y == 1)} drowsy")

    print("held-out folds, alert against drowsy:")
    score, ys, whos, folds = held_out(people, summary)
    row("the head", score, ys, whos, folds)
    print(f"  {over(score, ys, weights(ys, whos))}")
    row("means of amplitude, duration and velocity", *held_out(people, signed, monotone=False))
    row("distance from the baseline, all four, no sign", *held_out(people, unsigned, monotone=False))
    print("the same heads on the level between:")
    row("the head, alert against low vigilance", *held_out(people, summary, LOW))
    row("the head, low vigilance against drowsy", *held_out(people, summary, DROWSY, LOW))
    row("no sign, alert against low vigilance", *held_out(people, unsigned, LOW, monotone=False))
    row("no sign, low vigilance against drowsy", *held_out(people, unsigned, DROWSY, LOW, monotone=False))
    print(f"no calibration, mean duration in frames alone: AUC {uncalibrated(people):.3f}")
    row("calibrated, mean duration alone", *held_out(people, lambda x: np.clip(x, -CLIP, CLIP)[..., [DURATION]].mean(1)))

    head = fit(summary(x), y, weights(y, who))
    print("head: mean duration, long blinks, slow reopenings:", np.round(head[0], 3), "bias", round(head[1], 3))
    calibration(people, head)
    if args.test:
        strangers = load(args.test_data or args.data, [int(f) for f in args.test.split(",")])
        xs, ys, whos, folds = samples(strangers, ALERT, DROWSY)
        print(f"test folds: {len(strangers)} people, {len(ys)} windows")
        score = summary(xs) @ head[0] + head[1]
        row("the head, never seen people", score, ys, whos, folds)
        print(f"  {over(score, ys, weights(ys, whos))}")
    if args.out:
        export(head, args.out)


main()
