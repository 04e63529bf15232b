"""LiteRT and ONNX Runtime on the networks of `cargo xtask bench inference`, one thread, a block of runs at a time.

    inference_peer.py PLAN.json

PLAN lists the networks: `name`, the path of its `.tflite` (or null) and of its `.onnx` (or null), the `shapes` of its inputs, and `cases`,
the path of a file with the inputs of each case, little-endian f32, one input after the other. First a line of JSON with versions; then
every line of standard input is answered by one line of JSON:

    run RUNTIME NAME N      N runs: {"cpu_ms": [...], "wall_ms": [...]}
    outputs RUNTIME NAME C  every output of case C, flat: [[...], ...]

A run is timed as narrowly as the runtime allows: the input lies in its own memory already, the outputs are not copied out.
"""

import importlib.metadata
import json
import platform
import sys
import time

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter


class LiteRt:
    def __init__(self, network):
        self.interpreter = Interpreter(network["tflite"], num_threads=1)
        self.interpreter.allocate_tensors()
        self.run = self.interpreter.invoke

    def take(self, values):
        for detail, value in zip(self.interpreter.get_input_details(), values, strict=True):
            self.interpreter.set_tensor(detail["index"], value)

    def outputs(self):
        return [self.interpreter.get_tensor(d["index"]) for d in self.interpreter.get_output_details()]


class OnnxRuntime:
    def __init__(self, network):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(network["onnx"], options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name)
        self.run = lambda: self.session.run_with_iobinding(self.binding)

    def take(self, values):
        for given, value in zip(self.session.get_inputs(), values, strict=True):
            # Of a conversion the layout may be another; the number of elements is not.
            shape = [d if isinstance(d, int) else s for d, s in zip(given.shape, value.shape, strict=True)]
            self.binding.bind_ortvalue_input(given.name, onnxruntime.OrtValue.ortvalue_from_numpy(value.reshape(shape)))

    def outputs(self):
        return self.binding.copy_outputs_to_cpu()


def cases(network):
    sizes = [int(np.prod(shape)) for shape in network["shapes"]]
    flat = np.fromfile(network["cases"], "<f4").reshape(-1, sum(sizes))
    parts = np.cumsum(sizes)[:-1]
    return [[part.reshape(s).copy() for part, s in zip(np.split(case, parts), network["shapes"])] for case in flat]


def main():
    with open(sys.argv[1]) as plan:
        networks = {network["name"]: network for network in json.load(plan)}
    made = {}

    def runner(runtime, name):
        if (runtime, name) not in made:
            made[runtime, name] = {"litert": LiteRt, "ort": OnnxRuntime}[runtime](networks[name])
            made[runtime, name].take(cases(networks[name])[0])
        return made[runtime, name]

    def say(answer):
        print(json.dumps(answer), flush=True)

    versions = {name: importlib.metadata.version(name) for name in ("ai-edge-litert", "onnxruntime", "numpy")}
    say(versions | {"python": platform.python_version()})
    for line in sys.stdin:
        what, runtime, name, number = line.split()
        one = runner(runtime, name)
        if what == "outputs":
            one.take(cases(networks[name])[int(number)])
            one.run()
            say([np.asarray(output).ravel().tolist() for output in one.outputs()])
            one.take(cases(networks[name])[0])
            continue
        cpu, wall, run = [], [], one.run
        for _ in range(int(number)):
            before, start = time.perf_counter_ns(), time.thread_time_ns()
            run()
            cpu.append((time.thread_time_ns() - start) / 1e6)
            wall.append((time.perf_counter_ns() - before) / 1e6)
        say({"cpu_ms": cpu, "wall_ms": wall})


if __name__ == "__main__":
    main()
