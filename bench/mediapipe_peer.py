"""MediaPipe's own Python graphs on the frames that the detectors see: `cargo xtask bench mediapipe` runs this.

    mediapipe_peer.py ROUTER DOMAIN SECONDS

Subscribes to /cabin/camera/image_raw over zenoh, as rmw_zenoh names it, and runs FaceMesh (with irises) and Hands (lite) on the
newest frame. Prints JSON: from a frame's arrival here to both results, milliseconds; frames done and frames that a newer one
replaced while the graphs were busy. `solutions` gives no other way than one frame after the other.
"""

import json
import struct
import sys
import threading
import time

import numpy as np
import zenoh

# The camera renders its pictures before the first one, seconds.
START = 60


def image(cdr):
    """height, width, pixels of a little-endian sensor_msgs/Image in rgb8."""
    at = 4 + 8  # encapsulation, stamp

    def number():
        nonlocal at
        at += -(at - 4) % 4
        (value,) = struct.unpack_from("<I", cdr, at)
        at += 4
        return value

    def text():
        nonlocal at
        length = number()
        value = cdr[at : at + length - 1].decode()
        at += length
        return value

    text()  # frame_id
    height, width = number(), number()
    encoding = text()
    at += 1  # is_bigendian
    number()  # step
    length = number()
    assert encoding == "rgb8" and length == height * width * 3, (encoding, height, width, length)
    return np.frombuffer(cdr, np.uint8, length, at).reshape(height, width, 3)


def opened(config):
    """A session, as soon as there is a router to open it with: the camera's, which starts at the same time."""
    end = time.monotonic() + START
    while True:
        try:
            return zenoh.open(config)
        except zenoh.ZError as why:
            if time.monotonic() > end:
                sys.exit(f"no session within {START} s: {why}")
            time.sleep(0.2)


def main():
    router, domain, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    import mediapipe as mp

    face = mp.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
    hands = mp.solutions.hands.Hands(max_num_hands=1, model_complexity=0)
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([router]))
    newest, replaced, there = None, 0, threading.Condition()

    def arrived(sample):
        nonlocal newest, replaced
        at, data = time.monotonic(), bytes(sample.payload)
        with there:
            replaced += newest is not None
            newest = (at, data)
            there.notify()

    took, faces, found = [], 0, 0
    with opened(config) as session:
        subscriber = session.declare_subscriber(f"{domain}/cabin/camera/image_raw/**", arrived)
        end, warm = None, 30
        while end is None or time.monotonic() < end:
            with there:
                if not there.wait_for(lambda: newest is not None, timeout=START):
                    sys.exit(f"no frame came within {START} s")
                (at, data), newest = newest, None
            pixels = image(data)
            has_face = face.process(pixels).multi_face_landmarks is not None
            has_hand = hands.process(pixels).multi_hand_landmarks is not None
            if warm > 0:  # the graphs load at their first frames
                warm -= 1
                if warm == 0:
                    end, replaced = time.monotonic() + seconds, 0
                continue
            took.append((time.monotonic() - at) * 1e3)
            faces, found = faces + has_face, found + has_hand
        subscriber.undeclare()
    print(json.dumps({"took_ms": took, "replaced": replaced, "faces": faces, "hands": found}))


if __name__ == "__main__":
    main()
