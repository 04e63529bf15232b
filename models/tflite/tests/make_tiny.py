#!/usr/bin/env python3
"""Makes tests/tiny.tflite, a network of a few kilobytes that uses every operator the reader knows, and tests/tiny.f32: its input,
then what LiteRT gives for it.

    pip install ai-edge-litert==2.3.0 numpy flatbuffers
"""

import pathlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as S
from ai_edge_litert.interpreter import Interpreter

here = pathlib.Path(__file__).parent
random = np.random.default_rng(7)
model, graph = S.ModelT(), S.SubGraphT()
model.version, model.subgraphs, model.operatorCodes = 3, [graph], []
model.buffers = [S.BufferT()]
graph.tensors, graph.operators = [], []


def tensor(shape, data=None):
    t = S.TensorT()
    t.shape, t.name = list(shape), f"t{len(graph.tensors)}".encode()
    t.type = {None: 0, "float32": 0, "float16": 1, "int32": 2}[data.dtype.name if data is not None else None]
    if data is not None:
        b = S.BufferT()
        b.data = np.frombuffer(data.tobytes(), np.uint8)
        model.buffers.append(b)
        t.buffer = len(model.buffers) - 1
    graph.tensors.append(t)
    return len(graph.tensors) - 1


def op(name, inputs, shape, options=None, **fields):
    code = S.OperatorCodeT()
    code.builtinCode = getattr(S.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = {"DEQUANTIZE": 2, "RESIZE_BILINEAR": 3}.get(name, 1)
    model.operatorCodes.append(code)
    o = S.OperatorT()
    o.opcodeIndex, o.inputs, o.outputs = len(model.operatorCodes) - 1, inputs, [tensor(shape)]
    if options:
        o.builtinOptionsType = getattr(S.BuiltinOptions, options)
        o.builtinOptions = getattr(S, options + "T")()
        for key, value in fields.items():
            setattr(o.builtinOptions, key, value)
    graph.operators.append(o)
    return o.outputs[0]


def weights(*shape):
    values = random.normal(0, 0.5, shape)
    return op("DEQUANTIZE", [tensor(shape, values.astype(np.float16))], shape, "DequantizeOptions")


def conv(x, co, ci, k, shape, **fields):
    fields = dict(padding=0, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1, fusedActivationFunction=0) | fields
    return op("CONV_2D", [x, weights(co, k, k, ci), weights(co)], shape, "Conv2DOptions", **fields)


def depthwise(x, c, k, shape, **fields):
    fields = dict(padding=0, strideW=1, strideH=1, depthMultiplier=1, dilationWFactor=1, dilationHFactor=1, fusedActivationFunction=0) | fields
    return op("DEPTHWISE_CONV_2D", [x, weights(1, k, k, c), weights(c)], shape, "DepthwiseConv2DOptions", **fields)


def ints(*values):
    return np.array(values, np.int32)


x = tensor([1, 11, 9, 3])
graph.inputs = [x]
a = conv(x, 20, 3, 3, [1, 6, 5, 20], strideW=2, strideH=2)
a = op("PRELU", [a, weights(1, 1, 20)], [1, 6, 5, 20])
b = depthwise(a, 20, 3, [1, 6, 5, 20], fusedActivationFunction=3)
b = conv(b, 20, 20, 1, [1, 6, 5, 20], padding=1)
b = op("ADD", [a, b], [1, 6, 5, 20], "AddOptions")
b = op("PRELU", [b, weights(1, 1, 20)], [1, 6, 5, 20])
c = conv(b, 7, 20, 2, [1, 3, 3, 7], padding=0, strideW=2, strideH=2, fusedActivationFunction=2)
p = op("MAX_POOL_2D", [b], [1, 3, 3, 20], "Pool2DOptions", padding=0, strideW=2, strideH=2, filterWidth=2, filterHeight=2)
q = op("AVERAGE_POOL_2D", [b], [1, 3, 3, 20], "Pool2DOptions", padding=0, strideW=2, strideH=2, filterWidth=3, filterHeight=3)
c = op("PAD", [c, tensor([4, 2], ints(0, 0, 0, 0, 0, 0, 5, 8).reshape(4, 2))], [1, 3, 3, 20], "PadOptions")
d = op("ADD", [op("MUL", [p, q], [1, 3, 3, 20], "MulOptions"), c], [1, 3, 3, 20], "AddOptions")
e = depthwise(d, 20, 3, [1, 3, 3, 20], dilationWFactor=2, dilationHFactor=2)
e = op("RELU", [e], [1, 3, 3, 20])
f = op("RESIZE_BILINEAR", [e, tensor([2], ints(6, 5))], [1, 6, 5, 20], "ResizeBilinearOptions", halfPixelCenters=True)
f = conv(f, 5, 20, 3, [1, 6, 5, 5], dilationWFactor=2, dilationHFactor=2)
f = op("RELU6", [f], [1, 6, 5, 5])
g = op("RESHAPE", [f, tensor([3], ints(1, 30, 5))], [1, 30, 5])
h = op("RESHAPE", [op("RELU_N1_TO_1", [c], [1, 3, 3, 20]), tensor([3], ints(1, 36, 5))], [1, 36, 5])
joined = op("CONCATENATION", [g, h], [1, 66, 5], "ConcatenationOptions", axis=1)
m = op("MEAN", [d, tensor([2], ints(1, 2))], [1, 20], "ReducerOptions", keepDims=False)
m = op("FULLY_CONNECTED", [m, weights(3, 20), weights(3)], [1, 3], "FullyConnectedOptions")
graph.outputs = [joined, op("LOGISTIC", [m], [1, 3])]

builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
(here / "tiny.tflite").write_bytes(bytes(builder.Output()))
interpreter = Interpreter(str(here / "tiny.tflite"), num_threads=1)
interpreter.allocate_tensors()
value = random.normal(0, 1, (1, 11, 9, 3)).astype(np.float32)
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)
interpreter.invoke()
outputs = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
(here / "tiny.f32").write_bytes(b"".join(v.astype("<f4").tobytes() for v in [value, *outputs]))
print([o.shape for o in outputs], (here / "tiny.tflite").stat().st_size)
