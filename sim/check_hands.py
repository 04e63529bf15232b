#!/usr/bin/env python3
"""Does MediaPipe's own graph find the rendered hands, where the truth says that they are, and where the gesture node does?

    python3.11 -m venv V && V/bin/pip install mediapipe==0.10.14 'numpy<2' pillow
    cargo run -p troika-sim --example render_hand -- stills FOLDER
    cargo run -p troika-gesture --example points -- FOLDER          # optional: what the gesture node sees in them
    V/bin/python sim/check_hands.py FOLDER... [--video] [--full] [--detail]

For each held shape: the share of hands found, of those found the share whose handedness is right, and the mean distance of
MediaPipe's 21 landmarks from the truth as a share of the palm's size in the picture (wrist to middle knuckle, but at least
1.4 times the palm's width, since a palm seen from its end has no length). "Found" means within that error of 0.5: a "hand"
found elsewhere counts as missed. The lite model is the one that the passports pin; --full takes the other one. With --video
the pictures are a camera's frames and both sides follow the hand from one to the next (`render_hand scenario`, `points
FOLDER --video`). Where `points` was run, the same of the node, and how far its points are from MediaPipe's on the hands that
both found.
"""

import argparse
import collections
import json
import pathlib

import mediapipe as mp
import numpy as np
from PIL import Image

# By `GestureTruth.gesture`. A still without a gesture is the relaxed shape.
SHAPES = ["relaxed", "open_palm", "fist", "point", "thumb_up", "thumb_down", "ok", "swipe_left", "swipe_right"]
SHAPES += ["rotate_cw", "rotate_ccw"]
# A hand found this far from the truth, palm sizes, is another one.
FOUND = 0.5


def palm_size(points):
    """Pixels: the palm's length or its width, whichever is seen larger."""
    return max(np.linalg.norm(points[9] - points[0]), 1.4 * np.linalg.norm(points[17] - points[5]))


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def nearest(hands, truth, points, size):
    """Of these hands (points, side) the one nearest to the truth: error, whether its side is right, points; None: not found."""
    seen = [(np.linalg.norm(p - points, axis=1).mean() / size, side == truth["hand"], p) for p, side in hands]
    best = min(seen, key=lambda one: one[0], default=None)
    return best if best is not None and best[0] < FOUND else None


def of_mediapipe(hands, image):
    height, width = image.shape[:2]
    result = hands.process(image)
    for marks, side in zip(result.multi_hand_landmarks or [], result.multi_handedness or []):
        # MediaPipe names the hand as if the picture were mirrored; ours is not.
        name = {"Left": "right", "Right": "left"}[side.classification[0].label]
        yield np.array([[m.x * width - 0.5, m.y * height - 0.5] for m in marks.landmark]), name


def look(folder, args):
    """Each whole hand of a folder: its truth, its points, its palm's size, what MediaPipe and what the node found of it."""
    hands = mp.solutions.hands.Hands(
        static_image_mode=not args.video, max_num_hands=2, model_complexity=1 if args.full else 0
    )
    file = folder / "ours.jsonl"
    ours = {line["file"]: line for line in lines(file)} if file.exists() else None
    for truth in lines(folder / "truth.jsonl"):
        # Every frame is looked at, since in a video the next one depends on it.
        image = np.asarray(Image.open(folder / truth["file"]).convert("RGB"))
        theirs = list(of_mediapipe(hands, image))
        if truth["in_frame"] < 1.0:
            continue
        points = np.array(truth["landmarks"])
        size = palm_size(points)
        found = [nearest(theirs, truth, points, size), None]
        if ours is not None:
            line = ours[truth["file"]]
            own = [(np.array(line["points"]), line["hand"])] if line["points"] else []
            found[1] = nearest(own, truth, points, size)
        if args.detail:
            for who, one in zip(("MediaPipe", "node"), found if ours is not None else found[:1]):
                if one is None or not one[1]:
                    what = "other hand" if one else "not found"
                    print(who, folder / truth["file"], truth["person"], truth["hand"], truth["light"], what)
        yield truth, points, size, found, ours is not None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path, nargs="+")
    parser.add_argument("--video", action="store_true", help="the pictures are one camera's frames")
    parser.add_argument("--full", action="store_true", help="the full landmark model instead of the lite one")
    parser.add_argument("--detail", action="store_true", help="a line for each hand not found, errors by landmark")
    parser.add_argument("--below", type=float, default=0.0, help="fail when a smaller share of all hands is found")
    args = parser.parse_args()
    rows, lights = collections.defaultdict(list), collections.defaultdict(list)
    all_rows = [one for folder in args.folder for one in look(folder, args)]
    for row in all_rows:
        rows[SHAPES[row[0]["gesture"]]].append(row)
        lights[row[0]["light"]].append(row)
    for table in (rows, lights, {"all": all_rows}):
        print(f"{'':12} {'hands':>6} {'found':>6} {'side':>6} {'error':>6}   node: found side error; apart, pixels")
        for name, some in table.items():
            print(f"{name:12} {summary(some)}")
    apart = [distances(row) for row in all_rows if None not in row[3]]
    if apart:
        palms = [mean / row[2] for (mean, _), row in zip(apart, (row for row in all_rows if None not in row[3]))]
        print(f"the node's points from MediaPipe's, on {len(apart)} hands that both found, of the palm's size:")
        print("  mean {:.3f}, median {:.3f}, 95 % {:.3f}".format(np.mean(palms), *np.percentile(palms, (50, 95))))
        print("  pixels: mean {:.1f}; the furthest point of a hand: median {:.1f}, 95 % {:.1f}".format(
            np.mean([mean for mean, _ in apart]), *np.percentile([most for _, most in apart], (50, 95))))
    if args.detail:
        by_landmark(all_rows)
    share = np.mean([row[3][0] is not None for row in all_rows])
    if share < args.below:
        raise SystemExit(f"found {share:.3f} of the hands, fewer than {args.below}")


def distances(row):
    """Pixels between the node's points and MediaPipe's: the mean, the largest."""
    apart = np.linalg.norm(row[3][1][2] - row[3][0][2], axis=1)
    return apart.mean(), apart.max()


def by_landmark(rows):
    """MediaPipe's offsets from the truth, for what is systematic."""
    offsets = [(points, (found[0][2] - points) / size, size) for _, points, size, found, _ in rows if found[0]]
    errors = np.mean([np.linalg.norm(offset, axis=1) for _, offset, _ in offsets], axis=0)
    print("error by landmark", " ".join(f"{n}:{e:.3f}" for n, e in enumerate(errors)))
    along = np.mean([in_palm(p, o, s) for p, o, s in offsets], axis=0)
    for n, (x, y) in enumerate(along):
        print(f"  {n}: towards the thumb's side {x:+.3f}, towards the fingers {y:+.3f}")


def in_palm(points, offset, size):
    """Offsets along the palm's axes in the picture, for what is systematic."""
    y = points[9] - points[0]
    y = y / max(np.linalg.norm(y), 1e-6)
    x = np.array([-y[1], y[0]])
    if (points[5] - points[17]) @ x < 0:
        x = -x
    return np.stack([offset @ x, offset @ y], axis=1)


def summary(rows):
    text = f"{len(rows):6d} {shares([row[3][0] for row in rows])}"
    if any(row[4] for row in rows):
        both = [distances(row)[0] for row in rows if None not in row[3]]
        text += f"   node: {shares([row[3][1] for row in rows])} {np.mean(both) if both else float('nan'):6.1f}"
    return text


def shares(found):
    seen = [one for one in found if one is not None]
    side, error = (np.mean([one[k] for one in seen]) if seen else float("nan") for k in (1, 0))
    return f"{len(seen) / len(found):6.3f} {side:6.3f} {error:6.3f}"


if __name__ == "__main__":
    main()
