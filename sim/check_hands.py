#!/usr/bin/env python3
"""Does MediaPipe's own graph find the rendered hands, and where the truth says that they are?

    python3.11 -m venv V && V/bin/pip install mediapipe==0.10.14 'numpy<2' pillow
    cargo run -p troika-sim --example render_hand -- stills FOLDER
    V/bin/python sim/check_hands.py FOLDER... [--full] [--detail]

For each held shape: the share of hands found, of those found the share whose handedness is right, and the mean distance of
MediaPipe's 21 landmarks from the truth as a share of the palm's length in the picture (wrist to middle knuckle, but at least
the palm's width, since a palm seen from its end has no length). "Found" means within that error of 0.5: a "hand" found
elsewhere counts as missed. The lite model is the one that the passports pin; --full takes the other one.
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


def palm_size(points):
    """Pixels: the palm's length or its width, whichever is seen larger."""
    return max(np.linalg.norm(points[9] - points[0]), 1.4 * np.linalg.norm(points[17] - points[5]))


def frames(folders):
    for folder in folders:
        for line in (folder / "truth.jsonl").read_text().splitlines():
            yield folder, json.loads(line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path, nargs="+")
    parser.add_argument("--full", action="store_true", help="the full landmark model instead of the lite one")
    parser.add_argument("--detail", action="store_true", help="a line for each hand that is missed, errors by landmark")
    parser.add_argument("--below", type=float, default=0.0, help="fail when a smaller share of all hands is found")
    args = parser.parse_args()
    hands = mp.solutions.hands.Hands(
        static_image_mode=True, max_num_hands=2, model_complexity=1 if args.full else 0
    )
    rows = collections.defaultdict(list)
    lights = collections.defaultdict(list)
    offsets = []
    for folder, truth in frames(args.folder):
        if truth["in_frame"] < 1.0:
            continue
        image = np.asarray(Image.open(folder / truth["file"]).convert("RGB"))
        height, width = image.shape[:2]
        points = np.array(truth["landmarks"])
        size = palm_size(points)
        result = hands.process(image)
        best = None
        for marks, side in zip(result.multi_hand_landmarks or [], result.multi_handedness or []):
            seen = np.array([[m.x * width - 0.5, m.y * height - 0.5] for m in marks.landmark])
            error = np.linalg.norm(seen - points, axis=1).mean() / size
            # MediaPipe names the hand as if the picture were mirrored; ours is not.
            name = {"Left": "right", "Right": "left"}[side.classification[0].label]
            if best is None or error < best[0]:
                best = (error, name == truth["hand"], seen - points)
        found = best is not None and best[0] < 0.5
        row = (found, found and best[1], best[0] if found else np.nan)
        rows[SHAPES[truth["gesture"]]].append(row)
        lights[truth["light"]].append(row)
        if found:
            offsets.append((points, best[2] / size, size))
        if args.detail and not (found and best[1]):
            what = "other hand" if found else ("elsewhere" if best else "missed")
            print(folder / truth["file"], truth["person"], truth["hand"], truth["light"], truth["gesture"], what)
    for table in (rows, lights):
        print(f"{'':12} {'hands':>6} {'found':>6} {'side':>6} {'error':>6}")
        for name, list_ in table.items():
            print(f"{name:12} {summary(list_)}")
    all_rows = [row for list_ in rows.values() for row in list_]
    print(f"{'all':12} {summary(all_rows)}")
    if args.detail and offsets:
        errors = np.mean([np.linalg.norm(o, axis=1) for _, o, _ in offsets], axis=0)
        print("error by landmark", " ".join(f"{n}:{e:.3f}" for n, e in enumerate(errors)))
        along = np.mean([in_palm(p, o, s) for p, o, s in offsets], axis=0)
        for n, (x, y) in enumerate(along):
            print(f"  {n}: towards the thumb's side {x:+.3f}, towards the fingers {y:+.3f}")
    share = np.mean([row[0] for row in all_rows])
    if share < args.below:
        raise SystemExit(f"found {share:.3f} of the hands, fewer than {args.below}")


def in_palm(points, offset, size):
    """Offsets along the palm's axes in the picture, for what is systematic."""
    y = points[9] - points[0]
    y = y / max(np.linalg.norm(y), 1e-6)
    x = np.array([-y[1], y[0]])
    if (points[5] - points[17]) @ x < 0:
        x = -x
    return np.stack([offset @ x, offset @ y], axis=1)


def summary(rows):
    found = [row for row in rows if row[0]]
    side = np.mean([row[1] for row in found]) if found else float("nan")
    error = np.mean([row[2] for row in found]) if found else float("nan")
    return f"{len(rows):6d} {len(found) / len(rows):6.3f} {side:6.3f} {error:6.3f}"


if __name__ == "__main__":
    main()
