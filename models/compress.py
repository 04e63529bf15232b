#!/usr/bin/env python3
"""Makes variants of networks that may be smaller or faster, each a folder that `troika models gate` judges and `troika models swap` takes.

    pip install ai-edge-litert==2.3.0 onnx==1.19.1 onnxruntime==1.31.1 flatbuffers==25.12.19 numpy==2.4.6
    models/compress.py STORE/by-name OUT [NAME[-VARIANT] ...]

Variants, where a network can have them:

- fp16: weights stored as half floats. Half the file; widened at load, but where a run reads each once: models/tflite keeps those as they are.
- int8: weights rounded to 8 bits, one scale an output channel, and widened at load. A quarter of an ONNX file; `.tflite` constants stay half
  floats, which is all that models/tflite widens. The same speed.
- pruned: an eighth of the channels that lead from one layer to one other alone, those with the smallest weights. What a channel without
  weights would say, its bias through what follows, is folded into the next layer's bias.
- nhwc: of an ONNX network of convolutions and dense layers, the same network as `.tflite`, which models/tflite runs on kernels of its own. Of
  eye_state it is the one in use, made of `eye_state.onnx`, which train.py writes.

No variant is trained again, and none of a fetched network is kept here: whoever wants one runs this.
"""

import argparse
import hashlib
import pathlib
import re
import tomllib

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as tfl
import flatbuffers
from onnx import TensorProto, helper, numpy_helper

import make_golden

SMALL = 64  # weights; what is smaller stays as it is
PRUNED = 1 / 8
HERE = pathlib.Path(__file__).parent


def int8(values, axis):
    """Rounded to 8 bits, symmetric, one scale for each index of `axis`: the integers and the scales, which broadcast."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scale = np.abs(values).max(others, keepdims=True) / 127
    scale = np.where(scale == 0, 1, scale).astype(np.float32)
    return np.clip(np.round(values / scale), -127, 127).astype(np.int8), scale


# ONNX


class Onnx:
    def __init__(self, path):
        self.model = onnx.load(path)
        self.weights = {t.name: numpy_helper.to_array(t).copy() for t in self.model.graph.initializer}

    def users(self, tensor):
        return [node for node in self.model.graph.node if tensor in node.input]

    def maker(self, tensor):
        return next((node for node in self.model.graph.node if tensor in node.output), None)

    def axis_out(self, name):
        """Of a layer's weights, the axis of its outputs."""
        node = self.users(name)[0]
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return 0 if node.op_type == "Conv" or transposed else self.weights[name].ndim - 1

    def layers(self):
        of = ("Conv", "Gemm", "MatMul", "Gather")
        return [n for n, w in self.weights.items() if w.dtype == np.float32 and w.size >= SMALL and w.ndim > 1
                and all(u.op_type in of for u in self.users(n))]  # fmt: skip

    def stored(self, variant):
        """Weights that are widened when the network is loaded."""
        widen, kept = [], []
        for name, values in self.weights.items():
            if name not in self.layers():
                kept.append(numpy_helper.from_array(values, name))
            elif variant == "fp16":
                kept.append(numpy_helper.from_array(values.astype(np.float16), f"{name}.f16"))
                widen.append(helper.make_node("Cast", [f"{name}.f16"], [name], to=TensorProto.FLOAT))
            else:
                rounded, scale = int8(values, self.axis_out(name))
                kept += [numpy_helper.from_array(rounded, f"{name}.i8"), numpy_helper.from_array(scale, f"{name}.scale")]
                widen += [helper.make_node("Cast", [f"{name}.i8"], [f"{name}.wide"], to=TensorProto.FLOAT),
                          helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name])]  # fmt: skip
        return self.made(kept, widen)

    def made(self, kept, first=()):
        graph = self.model.graph
        nodes = [*first, *graph.node]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(nodes)
        graph.initializer.extend(kept)
        onnx.checker.check_model(self.model)
        return self.model.SerializeToString()

    def pruned(self):
        """Channels from one dense or convolutional layer over a ReLU to one other."""
        found = 0
        for relu in [n for n in self.model.graph.node if n.op_type == "Relu"]:
            before, after, flat = self.maker(relu.input[0]), self.users(relu.output[0]), False
            if len(after) == 1 and after[0].op_type == "Flatten":
                after, flat = self.users(after[0].output[0]), True
            if before.op_type == "Add":
                product = next((m for m in map(self.maker, before.input) if m is not None and m.op_type == "MatMul"), None)
                bias = next((i for i in before.input if i in self.weights), None)
                weights = product.input[1] if product is not None else None
            else:
                weights, bias = (before.input[1], before.input[2]) if before.op_type in ("Conv", "Gemm") else (None, None)
            if weights not in self.weights or bias not in self.weights:
                continue
            nexts = [self.next_of(node) for node in after]
            if not nexts or None in nexts:
                continue
            found += self.cut(weights, bias, nexts, flat)
        return self.made([numpy_helper.from_array(v, n) for n, v in self.weights.items()]) if found else None

    def next_of(self, node):
        """The weights and the bias of a layer that a channel leads to."""
        if node.op_type in ("Conv", "Gemm") and len(node.input) == 3:
            names = node.input[1], node.input[2]
        elif node.op_type == "MatMul" and len(self.users(node.output[0])) == 1:
            add = self.users(node.output[0])[0]
            names = node.input[1], next((i for i in add.input if i in self.weights), None)
        else:
            return None
        return names if all(n in self.weights for n in names) else None

    def cut(self, weights, bias, nexts, flat):
        out = self.axis_out(weights)
        rows = np.moveaxis(self.weights[weights], out, 0).reshape(self.weights[weights].shape[out], -1)
        count = len(rows)
        less = int(count * PRUNED)
        if not less:
            return 0
        into = {}
        for name, _ in nexts:
            axis = 1 - self.axis_out(name) if self.weights[name].ndim == 2 else 1
            columns = np.moveaxis(self.weights[name], axis, 0)
            # Behind a Flatten a channel is a run of numbers.
            into[name] = (axis, columns.reshape(count, -1, columns[0].size) if flat else columns.reshape(count, 1, -1))
        size = np.linalg.norm(rows, axis=1) * sum(np.linalg.norm(c.reshape(count, -1), axis=1) for _, c in into.values())
        keep = np.sort(np.argsort(size)[less:])
        gone = np.setdiff1d(np.arange(count), keep)
        says = np.maximum(self.weights[bias], 0)
        for name, after in nexts:
            axis, columns = into[name]
            whole = np.moveaxis(self.weights[name], axis, 0)
            outputs = self.weights[after].size
            lost = columns[gone].sum(1) if flat else columns[gone, 0]
            # The axis of outputs comes first in what is left of a convolution's or a dense layer's weights.
            lost = lost.reshape(len(gone), outputs, -1).sum(2)
            self.weights[after] = self.weights[after] + says[gone] @ lost
            kept = columns[keep].reshape(-1, *whole.shape[1:])
            self.weights[name] = np.ascontiguousarray(np.moveaxis(kept, 0, axis))
        self.weights[weights] = np.take(self.weights[weights], keep, out)
        self.weights[bias] = self.weights[bias][keep]
        return less


# .tflite


def code(model, op):
    one = model.operatorCodes[op.opcodeIndex]
    return max(one.builtinCode, one.deprecatedBuiltinCode)


def packed(model):
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


B = tfl.BuiltinOperator


class Tflite:
    def __init__(self, path):
        self.model = tfl.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
        self.graph = self.model.subgraphs[0]
        # A DEQUANTIZE of a constant widens it: whoever wants the values goes to what it reads.
        self.source = {op.outputs[0]: op.inputs[0] for op in self.graph.operators if code(self.model, op) == B.DEQUANTIZE}

    def values(self, tensor):
        one = self.graph.tensors[self.source.get(tensor, tensor)]
        data = self.model.buffers[one.buffer].data
        if data is None or one.type not in (tfl.TensorType.FLOAT32, tfl.TensorType.FLOAT16):
            return None
        kind = np.float32 if one.type == tfl.TensorType.FLOAT32 else np.float16
        return np.frombuffer(bytes(data), kind).reshape(one.shape).astype(np.float32)

    def set(self, tensor, values, kind=None):
        for at in {tensor, self.source.get(tensor, tensor)}:
            self.graph.tensors[at].shape = np.array(values.shape, np.int32)
        one = self.graph.tensors[self.source.get(tensor, tensor)]
        if kind is not None:
            one.type = kind
        wide = one.type == tfl.TensorType.FLOAT32
        buffer = tfl.BufferT()
        buffer.data = np.frombuffer(values.astype(np.float32 if wide else np.float16).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        one.buffer = len(self.model.buffers) - 1

    def layers(self):
        of = (B.CONV_2D, B.DEPTHWISE_CONV_2D, B.FULLY_CONNECTED)
        names = {op.inputs[1]: code(self.model, op) for op in self.graph.operators if code(self.model, op) in of}
        return {t: c for t, c in names.items() if self.values(t) is not None and self.values(t).size >= SMALL}

    def opcode(self, wanted):
        for index, one in enumerate(self.model.operatorCodes):
            if max(one.builtinCode, one.deprecatedBuiltinCode) == wanted:
                return index
        one = tfl.OperatorCodeT()
        one.builtinCode, one.deprecatedBuiltinCode, one.version = wanted, min(wanted, 127), 3 if wanted == B.DEQUANTIZE else 1
        self.model.operatorCodes.append(one)
        return len(self.model.operatorCodes) - 1

    def fp16(self):
        """None where every layer is stored so already."""
        wide = [t for t in self.layers() if t not in self.source]
        if not wide:
            return None
        first = []
        for tensor in wide:
            values, half = self.values(tensor), tfl.TensorT()
            half.name, half.shape, half.type = f"half{tensor}", self.graph.tensors[tensor].shape, tfl.TensorType.FLOAT16
            self.graph.tensors.append(half)
            op = tfl.OperatorT()
            op.opcodeIndex, op.inputs, op.outputs = self.opcode(B.DEQUANTIZE), [len(self.graph.tensors) - 1], [tensor]
            op.builtinOptionsType = 0
            first.append(op)
            self.source[tensor] = len(self.graph.tensors) - 1
            self.set(tensor, values)
            self.graph.tensors[tensor].buffer = 0
        self.graph.operators = first + self.graph.operators
        return self.packed()

    def int8(self):
        self.fp16()
        for tensor, kind in self.layers().items():
            rounded, scale = int8(self.values(tensor), 3 if kind == B.DEPTHWISE_CONV_2D else 0)
            self.set(tensor, rounded * scale)
        return self.packed()

    def packed(self):
        # Buffers that nothing names any more would stay in the file.
        used = sorted({0} | {t.buffer for t in self.graph.tensors} | {m.buffer for m in self.model.metadata or []})
        place = {old: new for new, old in enumerate(used)}
        self.model.buffers = [self.model.buffers[old] for old in used]
        for named in [*self.graph.tensors, *(self.model.metadata or [])]:
            named.buffer = place[named.buffer]
        return packed(self.model)

    def users(self, tensor):
        return [op for op in self.graph.operators if tensor in op.inputs]

    def pruned(self):
        """The inner channels of bottlenecks: a 1x1 convolution, a depthwise one, a 1x1 convolution."""
        found = 0
        for first in [op for op in self.graph.operators if code(self.model, op) == B.CONV_2D]:
            chain, tensor = [first], first.outputs[0]
            while len(after := self.users(tensor)) == 1 and tensor not in list(self.graph.outputs):
                chain.append(after[0])
                if code(self.model, after[0]) not in (B.PRELU, B.DEPTHWISE_CONV_2D):
                    break
                tensor = after[0].outputs[0]
            kinds = [code(self.model, op) for op in chain[1:-1]]
            if len(chain) > 2 and code(self.model, chain[-1]) == B.CONV_2D and B.DEPTHWISE_CONV_2D in kinds:
                found += self.cut(chain)
        return self.packed() if found else None

    def cut(self, chain):
        first, *middle, last = chain
        count = self.values(first.inputs[1]).shape[0]
        # Kernels work on eight channels at a time: a rest of fewer costs as much as eight.
        less = max(round(count * PRUNED / 8) * 8, 8)
        size, says = np.ones(count), self.values(first.inputs[2])
        for op in chain:
            weights = np.moveaxis(self.values(op.inputs[1]), 0 if op is first else -1, 0)
            if code(self.model, op) != B.PRELU:
                size *= np.linalg.norm(weights.reshape(count, -1), axis=1)
            if op is last:
                continue
            if code(self.model, op) == B.PRELU:
                says = np.where(says < 0, says * weights.reshape(count), says)
            elif code(self.model, op) == B.DEPTHWISE_CONV_2D:
                says = says * weights.reshape(count, -1).sum(1) + self.values(op.inputs[2])
            activation = getattr(op.builtinOptions, "fusedActivationFunction", 0)
            limits = {0: (-np.inf, np.inf), 1: (0, np.inf), 2: (-1, 1), 3: (0, 6)}[activation]
            says = np.clip(says, *limits)
        keep = np.sort(np.argsort(size)[less:])
        gone = np.setdiff1d(np.arange(count), keep)
        weights = self.values(last.inputs[1])
        self.set(last.inputs[2], self.values(last.inputs[2]) + weights[..., gone].sum((1, 2)) @ says[gone])
        self.set(last.inputs[1], weights[..., keep])
        for op in [first, *middle]:
            for at in op.inputs[1:]:
                self.set(at, np.take(self.values(at), keep, 0 if op is first else -1))
            out = self.graph.tensors[op.outputs[0]]
            out.shape = np.array([*out.shape[:-1], len(keep)], np.int32)
        return less


def nhwc(passport, net):
    """An ONNX network of convolutions and dense layers in a row, with heads at the end, as `.tflite`."""
    model, graph = tfl.ModelT(), tfl.SubGraphT()
    model.version, model.description, model.operatorCodes, model.metadata = 3, f"{passport['name']}, NHWC", [], []
    model.buffers, model.subgraphs = [tfl.BufferT()], [graph]
    graph.tensors, graph.operators, graph.name = [], [], passport["name"]
    made = Tflite.__new__(Tflite)
    made.model, made.graph, made.source = model, graph, {}

    def tensor(name, shape, values=None):
        one = tfl.TensorT()
        one.name, one.shape, one.type, one.buffer = name, np.array(shape, np.int32), tfl.TensorType.FLOAT32, 0
        if values is not None:
            one.type = tfl.TensorType.INT32 if values.dtype == np.int32 else tfl.TensorType.FLOAT32
            one.buffer = len(model.buffers)
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            model.buffers.append(buffer)
        graph.tensors.append(one)
        return len(graph.tensors) - 1

    def operator(kind, inputs, name, shape, options=None, options_type=0):
        op = tfl.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = made.opcode(kind), inputs, [tensor(name, shape)]
        op.builtinOptions, op.builtinOptionsType = options, options_type
        graph.operators.append(op)
        return op.outputs[0]

    def reshape(at, shape):
        options = tfl.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        sizes = tensor("shape", [len(shape)], np.array(shape, np.int32))
        return operator(B.RESHAPE, [at, sizes], "reshaped", shape, options, tfl.BuiltinOptions.ReshapeOptions)

    [given] = passport["input"]
    graph.inputs = [tensor(given["name"], given["shape"])]
    _, channels, height, width = given["shape"]
    if channels != 1:
        return None
    # Of one channel both layouts are the same numbers.
    places = {given["name"]: reshape(graph.inputs[0], [1, height, width, 1])}
    pictures = {given["name"]: (height, width, 1)}
    for node in net.model.graph.node:
        at = places.get(node.input[0])
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv":
            h, w, _ = pictures[node.input[0]]
            weights, (top, left, bottom, right) = net.weights[node.input[1]], attributes["pads"]
            (kh, kw), (sh, sw) = attributes["kernel_shape"], attributes["strides"]
            h, w = h + top + bottom, w + left + right
            borders = tensor("borders", [4, 2], np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
            channels = graph.tensors[at].shape[3]
            at = operator(B.PAD, [at, borders], "padded", [1, h, w, channels], tfl.PadOptionsT(), tfl.BuiltinOptions.PadOptions)
            options = tfl.Conv2DOptionsT()
            options.padding, options.strideH, options.strideW = tfl.Padding.VALID, sh, sw
            options.dilationHFactor = options.dilationWFactor = 1
            h, w, channels = (h - kh) // sh + 1, (w - kw) // sw + 1, len(weights)
            weights = weights.transpose(0, 2, 3, 1)
            inputs = [at, tensor("weights", weights.shape, weights), tensor("bias", [channels], net.weights[node.input[2]])]
            at = operator(B.CONV_2D, inputs, node.output[0], [1, h, w, channels], options, tfl.BuiltinOptions.Conv2DOptions)
            pictures[node.output[0]] = (h, w, channels)
        elif node.op_type == "Relu":
            at = operator(B.RELU, [at], node.output[0], graph.tensors[at].shape)
        elif node.op_type == "Flatten":
            at = reshape(at, [1, int(np.prod(graph.tensors[at].shape))])
        elif node.op_type == "Gemm":
            weights = net.weights[node.input[1]]
            weights = weights if attributes.get("transB") else weights.T
            if (picture := pictures.get(node.input[0])) is not None:
                h, w, c = picture
                weights = weights.reshape(-1, c, h, w).transpose(0, 2, 3, 1).reshape(len(weights), -1)
            inputs = [at, tensor("weights", weights.shape, weights), tensor("bias", [len(weights)], net.weights[node.input[2]])]
            options, of = tfl.FullyConnectedOptionsT(), tfl.BuiltinOptions.FullyConnectedOptions
            at = operator(B.FULLY_CONNECTED, inputs, node.output[0], [1, len(weights)], options, of)
        elif node.op_type == "Sigmoid":
            at = operator(B.LOGISTIC, [at], node.output[0], graph.tensors[at].shape)
        else:
            return None
        if node.op_type in ("Relu", "Flatten") and node.input[0] in pictures:
            pictures[node.output[0]] = pictures[node.input[0]]
        places[node.output[0]] = at
    graph.outputs = [places[output["name"]] for output in passport["output"]]
    return packed(model)


# Folders


def variants(passport, path):
    """The name, the format and the bytes of each."""
    if passport["format"] == "onnx":
        for variant in ("fp16", "int8"):
            net = Onnx(path)
            yield variant, "onnx", net.stored(variant) if net.layers() else None
        yield "pruned", "onnx", Onnx(path).pruned()
        if len(passport["input"]) == 1 and len(passport["input"][0]["shape"]) == 4:
            yield "nhwc", "tflite", nhwc(passport, Onnx(path))
        return
    for variant in ("fp16", "int8"):
        yield variant, "tflite", getattr(Tflite(path), variant)()
    trained = HERE / passport["name"] / f"{passport['name']}.onnx"
    if trained.exists():
        yield "nhwc", "tflite", nhwc(passport, Onnx(trained))
        pruned = Onnx(trained)
        yield "pruned", "tflite", nhwc(passport, pruned) if pruned.pruned() else None
    else:
        yield "pruned", "tflite", Tflite(path).pruned()


def write(folder, passport, text, kind, data):
    """A candidate's folder: the file, its passport, and the golden outputs that the usual runtimes compute of it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{passport['name']}.{kind}"
    (folder / file).write_bytes(data)
    reference = "LiteRT 2.3.0" if kind == "tflite" else "onnxruntime 1.31.1"
    for key, value in {
        "format": f'"{kind}"', "file": f'"{file}"', "sha256": f'"{hashlib.sha256(data).hexdigest()}"', "size": len(data),
        "reference": f'"{reference}"',
    }.items():  # fmt: skip
        # `file` is the network's the first time, and the golden outputs' the second.
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text, count=1)
    (folder / "model.toml").write_text(text)
    new = tomllib.loads(text)
    run, kept = make_golden.runner(new, folder / file), []
    for seed in range(1, make_golden.CASES + 1):
        for spec, output in zip(new["output"], run(make_golden.inputs(new["input"], seed)), strict=True):
            assert list(output.shape) == spec["shape"], (folder, spec["name"], output.shape)
            kept.append(output.ravel()[:: -(-output.size // make_golden.KEPT) | 1].astype("<f4"))
    (folder / new["golden"]["file"]).write_bytes(np.concatenate(kept).tobytes())


OURS = ("eye_state", "gesture_static", "gesture_motion", "intent_slots_en", "blink_drowsiness")
FETCHED = ("face_detection_short_range", "face_landmark", "iris_landmark", "palm_detection_lite", "hand_landmark_lite")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=pathlib.Path, help="models by their names: `by-name` in the folder that `troika models list` ends with")
    parser.add_argument("out", type=pathlib.Path, help="where the variants go, a folder for each")
    parser.add_argument("wanted", nargs="*", help="NETWORK or NETWORK-VARIANT; all by default")
    arguments = parser.parse_args()
    store, out, wanted = arguments.store, arguments.out, arguments.wanted
    if not store.is_dir():
        parser.error(f"there is no folder {store}: `troika models pull --set test` makes it")
    for one in wanted:
        if one.split("-")[0] not in OURS + FETCHED:
            parser.error(f"no network is called {one}; there are {', '.join(OURS + FETCHED)}")
    made = 0
    for name in OURS + FETCHED:
        if wanted and not any(one.split("-")[0] == name for one in wanted):
            continue
        text = (HERE / name / "model.toml").read_text()
        passport = tomllib.loads(text)
        path = store / passport["file"]
        path = path if path.exists() else HERE / name / passport["file"]
        for variant, kind, data in variants(passport, path):
            if wanted and name not in wanted and f"{name}-{variant}" not in wanted:
                continue
            if data is None:
                print(f"{name}-{variant}: it has none")
                continue
            write(out / f"{name}-{variant}", passport, text, kind, data)
            made += 1
            print(f"{name}-{variant}: {len(data)} bytes for {passport['size']}")
    if not made:
        parser.error("there is no such variant")


if __name__ == "__main__":
    main()
