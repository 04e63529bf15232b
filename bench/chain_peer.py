"""MediaPipe's own Python graphs on the frames of `cargo xtask bench chain`, a block at a time.

    chain_peer.py FRAMES.rgb WIDTH HEIGHT

FRAMES holds the frames one after the other, rgb8. First a line of JSON, {"frames": N}; then each line of standard input, a number of frames,
is answered by one: the processor time of this process for FaceMesh (with irises) and for Hands (lite), milliseconds of each frame, and how
many faces and hands were found. The frames begin again at their end.
"""

import json
import sys
import time

import numpy as np


def main():
    file, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    frames = np.fromfile(file, np.uint8).reshape(-1, height, width, 3)
    import mediapipe as mp

    face = mp.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
    hands = mp.solutions.hands.Hands(max_num_hands=1, model_complexity=0)
    print(json.dumps({"frames": len(frames)}), flush=True)
    at = 0
    for line in sys.stdin:
        told = {"face_ms": [], "hand_ms": [], "faces": 0, "hands": 0}
        for _ in range(int(line)):
            frame = frames[at % len(frames)]
            at += 1
            begin = time.process_time_ns()
            seen = face.process(frame)
            between = time.process_time_ns()
            held = hands.process(frame)
            told["hand_ms"].append((time.process_time_ns() - between) / 1e6)
            told["face_ms"].append((between - begin) / 1e6)
            told["faces"] += bool(seen.multi_face_landmarks)
            told["hands"] += bool(held.multi_hand_landmarks)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
