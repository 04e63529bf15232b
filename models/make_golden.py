#!/usr/bin/env python3
"""Makes `models/<name>/golden.f32`: what LiteRT (or ONNX Runtime) gives for the inputs that `models/infer/src/golden.rs` describes.

    pip install ai-edge-litert==2.3.0 onnxruntime==1.31.1 numpy
    models/make_golden.py STORE/by-name [NAME ...]
"""

import pathlib
import sys
import tomllib

import numpy as np

CASES, KEPT, WINDOW = 4, 1021, 64


def inputs(specs, seed):
    state, made = seed, []
    for spec in specs:
        count = int(np.prod(spec["shape"]))
        values = np.empty(count, np.uint64)
        for i in range(count):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            values[i] = state >> 8
        if seed % 2 == 0:  # the running mean of the last 64, in integers
            sums = np.concatenate(([0], np.cumsum(values))).astype(np.uint64)
            first = np.maximum(np.arange(count) - (WINDOW - 1), 0)
            lengths = (np.arange(count) + 1 - first).astype(np.uint64)
            values = (sums[np.arange(count) + 1] - sums[first]) // lengths
        low, high = (np.float32(v) for v in spec.get("range", [0.0, 1.0]))
        unit = values.astype(np.float32) / np.float32(16777216.0)
        made.append((low + (high - low) * unit).astype(np.float32).reshape(spec["shape"]))
    return made


def runner(passport, path):
    if passport["format"] == "tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()

        def run(values):
            for detail, value in zip(interpreter.get_input_details(), values):
                interpreter.set_tensor(detail["index"], value)
            interpreter.invoke()
            return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]

        return run
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return lambda values: session.run(None, dict(zip(names, values)))


def main():
    cache, wanted = pathlib.Path(sys.argv[1]), set(sys.argv[2:])
    for file in sorted(pathlib.Path(__file__).parent.glob("*/model.toml")):
        passport = tomllib.loads(file.read_text())
        if "golden" not in passport or (wanted and passport["name"] not in wanted):
            continue
        path = cache / passport["file"]
        run = runner(passport, path if path.exists() else file.parent / passport["file"])
        kept = []
        for seed in range(1, CASES + 1):
            for spec, output in zip(passport["output"], run(inputs(passport["input"], seed)), strict=True):
                assert list(output.shape) == spec["shape"], (passport["name"], spec["name"], output.shape)
                kept.append(output.ravel()[:: -(-output.size // KEPT) | 1].astype("<f4"))
        golden = file.parent / passport["golden"]["file"]
        golden.write_bytes(np.concatenate(kept).tobytes())
        print(f"{passport['name']}: {golden.stat().st_size} bytes")


if __name__ == "__main__":
    main()
