#!/usr/bin/env python3
"""Makes the small networks in tests/data/models and their expected scores.

    python tests/reference/make_models.py

Needs numpy, onnx and onnxruntime. Weights are drawn from a fixed seed, inputs
from the integer formula in `windows`, which the Rust tests repeat, so only the
expected scores are stored (`expected.json`: onnxruntime's raw outputs followed
by the card's activation in float64).
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

OUT = Path(__file__).resolve().parent.parent / "data" / "models"
WINDOWS = 5
rng = np.random.default_rng(20230901)


def windows(n, window, layout):
    """Pixel of window i, row y, column x, channel c, in 0..1 as float32; later windows are brighter."""
    i, y, x, c = np.ogrid[0:n, 0:window, 0:window, 0:3]
    byte = (i * 53 + y * 7 + x * 11 + c * 61 + (x * y) % 17 * 5) % (51 * (i + 1))
    a = byte.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(a.transpose(0, 3, 1, 2)) if layout == "nchw" else a


def weights(name, *shape, scale=None):
    scale = scale or (2.0 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
    return numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)


def conv_net(classes, pads, activation=None, tail="gemm"):
    """Two convolutions, a pool, a mean and a linear head."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", kernel_shape=[3, 3], strides=[2, 2], pads=[pads] * 4),
        node("Relu", ["c1"], ["r1"], "relu1"),
        node("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p1", "w2", "b2"], ["c2"], "conv2", kernel_shape=[3, 3], pads=[pads] * 4),
        node("Relu", ["c2"], ["r2"], "relu2"),
    ]
    inits = [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 12, 8, 3, 3), weights("b2", 12)]
    if tail == "conv":
        nodes += [
            node("GlobalAveragePool", ["r2"], ["g"], "mean"),
            node("Conv", ["g", "w3", "b3"], ["y"], "head", kernel_shape=[1, 1]),
        ]
        inits += [weights("w3", classes, 12, 1, 1), weights("b3", classes)]
    else:
        nodes += [
            node("GlobalAveragePool", ["r2"], ["g"], "mean"),
            node("Flatten", ["g"], ["f"], "flat"),
            node("Gemm", ["f", "w3", "b3"], ["z" if activation else "y"], "head", transB=1),
        ]
        inits += [weights("w3", classes, 12, scale=1.0), weights("b3", classes)]
        if activation:
            nodes.append(node(activation, ["z"], ["y"], "activation"))
    return nodes, inits


def half(inits):
    return [numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float16), t.name) for t in inits]


def save(name, nodes, inits, window, outputs, *, batch="N", layout="nchw", dtype=TensorProto.FLOAT,
         opset=13, card=None, extra_inputs=(), domains=(), list_initialisers=False, size=None):
    """Writes `name`.onnx, and `name`.toml unless `card` is None."""
    side = size or window
    shape = [batch, 3, side, side] if layout == "nchw" else [batch, side, side, 3]
    inputs = [helper.make_tensor_value_info("x", dtype, shape), *extra_inputs]
    if list_initialisers:
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in inits]
    outs = [helper.make_tensor_value_info(n, dtype, [batch, *s]) for n, s in outputs]
    graph = helper.make_graph(nodes, name, inputs, outs, inits)
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="slidegrid tests")
    data = model.SerializeToString(deterministic=True)
    path = OUT / f"{name}.onnx"
    path.write_bytes(data)
    if card is not None:
        write_card(name, window, layout, hashlib.sha256(data).hexdigest(), **card)
    return path


def write_card(name, window, layout, sha256, classes, positive, activation, mpp="0.5", extra=""):
    text = f'''file = "{name}.onnx"
sha256 = "{sha256}"
window = {window}
mpp = {mpp}
layout = "{layout}"
range = "unit"
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
channels = "rgb"
classes = {json.dumps(classes)}
positive = "{positive}"
activation = "{activation}"
{extra}'''
    (OUT / f"{name}.toml").write_text(text)


def activate(raw, activation):
    raw = raw.astype(np.float64).reshape(raw.shape[0], -1)
    if activation == "softmax":
        e = np.exp(raw - raw.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-raw))
    return raw


def expected(path, window, layout, activation, batch=None, output=None, dtype=np.float32):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = windows(WINDOWS, window, layout).astype(dtype)
    step = batch or WINDOWS
    rows = []
    for i in range(0, WINDOWS, step):
        part = x[i:i + step]
        padded = np.zeros((step, *x.shape[1:]), dtype)
        padded[:len(part)] = part
        rows.append(session.run(output and [output], {"x": padded})[0][:len(part)])
    return activate(np.concatenate(rows), activation).tolist()


def centre(window):
    """[1 - v, v], v = (R + 256 G + 65536 B) / 2^24 of the pixel at (window/2, window/2).

    With `range = "byte"` every v is exact in float32, so is 1 - v: a score tells
    which pixel was looked at.
    """
    node = helper.make_node
    half_px = window // 2
    i64 = lambda name, v: numpy_helper.from_array(np.array(v, np.int64), name)
    nodes = [
        node("Slice", ["x", "start", "end", "axes"], ["pixel"], "centre"),
        node("Flatten", ["pixel"], ["flat"], "flat"),
        node("MatMul", ["flat", "weigh"], ["v"], "weigh_channels"),
        node("Sub", ["one", "v"], ["u"], "complement"),
        node("Concat", ["u", "v"], ["y"], "both", axis=1),
    ]
    weigh = np.array([[1.0], [256.0], [65536.0]], np.float32) / np.float32(2**24)
    inits = [
        i64("start", [half_px, half_px]), i64("end", [half_px + 1, half_px + 1]), i64("axes", [2, 3]),
        numpy_helper.from_array(weigh, "weigh"), numpy_helper.from_array(np.array([[1.0]], np.float32), "one"),
    ]
    return nodes, inits


def mean():
    """[1 - m, m], m = mean over the window of (R + G + B) / 3."""
    node = helper.make_node
    nodes = [
        node("GlobalAveragePool", ["x"], ["g"], "mean"),
        node("Flatten", ["g"], ["flat"], "flat"),
        node("MatMul", ["flat", "third"], ["m"], "channels"),
        node("Sub", ["one", "m"], ["u"], "complement"),
        node("Concat", ["u", "m"], ["y"], "both", axis=1),
    ]
    inits = [
        numpy_helper.from_array(np.full((3, 1), 1 / 3, np.float32), "third"),
        numpy_helper.from_array(np.array([[1.0]], np.float32), "one"),
    ]
    return nodes, inits


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    two = dict(classes=["normal", "tumor"], positive="tumor")
    table = {}

    def case(name, nodes, inits, window, shape, card, *, batch=None, layout="nchw", dtype=TensorProto.FLOAT, **kw):
        path = save(name, nodes, inits, window, [("y", shape)], batch=batch or "N", layout=layout, dtype=dtype,
                    card=card, **kw)
        np_dtype = np.float16 if dtype == TensorProto.FLOAT16 else np.float32
        table[name] = expected(path, window, layout, card["activation"], batch, dtype=np_dtype)

    softmax, none, sigmoid = ({"activation": a, **two} for a in ("softmax", "none", "sigmoid"))
    case("padded", *conv_net(2, 1), 64, [2], softmax)
    case("valid", *conv_net(2, 0), 64, [2], softmax)
    case("batch1", *conv_net(2, 1), 32, [2], softmax, batch=1)
    case("batch4", *conv_net(2, 1), 32, [2], softmax, batch=4)
    case("three", *conv_net(3, 1), 32, [3],
         dict(classes=["stroma", "tumor", "other"], positive="tumor", activation="softmax"))
    case("softmax_inside", *conv_net(2, 1, "Softmax"), 32, [2], none)
    case("sigmoid_single", *conv_net(1, 1), 32, [1],
         dict(classes=["tumor"], positive="tumor", activation="sigmoid"))
    case("spatial_output", *conv_net(2, 1, tail="conv"), 32, [2, 1, 1], softmax)
    case("listed_initialisers", *conv_net(2, 1), 32, [2], softmax, list_initialisers=True)

    nodes, inits = conv_net(2, 1)
    case("half", nodes, half(inits), 32, [2], softmax, dtype=TensorProto.FLOAT16)

    nodes, inits = conv_net(2, 1)
    nodes[0].input[0] = "turned"
    nodes.insert(0, helper.make_node("Transpose", ["x"], ["turned"], "turn", perm=[0, 3, 1, 2]))
    case("nhwc", nodes, inits, 32, [2], softmax, layout="nhwc")

    nodes, inits = conv_net(2, 1)
    path = save("two_outputs", nodes, inits, 32, [("f", [12]), ("y", [2])],
                card=dict(**softmax, extra='output = "y"\n'))
    table["two_outputs"] = expected(path, 32, "nchw", "softmax", output="y")

    for window in (32, 224):
        name = f"centre{window}"
        case(name, *centre(window), window, [2], none)
        card = OUT / f"{name}.toml"
        card.write_text(card.read_text().replace('range = "unit"', 'range = "byte"').replace("mpp = 0.5", 'mpp = "level0"'))
    case("mean32", *mean(), 32, [2], none)

    # Networks that must be refused.
    nodes, inits = conv_net(2, 1)
    nodes.insert(1, helper.make_node("Sharpen", ["c1"], ["s1"], "sharpen1", domain="org.example"))
    nodes[2].input[0] = "s1"
    save("unknown_operator", nodes, inits, 32, [("y", [2])], domains=["org.example"], card=softmax)

    nodes, inits = conv_net(2, 1)
    nodes.append(helper.make_node("Add", ["y", "age"], ["aged"], "add_age"))
    save("two_inputs", nodes, inits, 32, [("aged", [2])], card=softmax,
         extra_inputs=[helper.make_tensor_value_info("age", TensorProto.FLOAT, ["N", 1])])

    # log(0 * mean): -inf, the sort of thing a broken export does.
    nodes, inits = mean()
    nodes[-1].input[1] = "log"
    nodes.insert(-1, helper.make_node("Log", ["zero"], ["log"], "log"))
    nodes.insert(-2, helper.make_node("Mul", ["m", "nought"], ["zero"], "mul"))
    inits.append(numpy_helper.from_array(np.array([[0.0]], np.float32), "nought"))
    save("infinite", nodes, inits, 32, [("y", [2])], card=none)

    # Last, so that the weights of the others stay.
    case("odd", *conv_net(2, 0), 51, [2], softmax)

    # Networks that must be run window by window.
    nodes, inits = conv_net(2, 1)
    linear = next(node for node in nodes if node.op_type == "Gemm")
    inits.append(numpy_helper.from_array(np.array([1, -1], np.int64), "one_row"))
    nodes.insert(nodes.index(linear), helper.make_node("Reshape", [linear.input[0], "one_row"], ["row"], "bake"))
    linear.input[0] = "row"
    save("baked_batch", nodes, inits, 32, [("y", [2])], card=softmax)
    save("float_for_dynamic", *conv_net(2, 1), 32, [("y", [2])], card=softmax)
    quantize_dynamic(OUT / "float_for_dynamic.onnx", OUT / "dynamic.onnx", weight_type=QuantType.QUInt8)
    for path in OUT.glob("float_for_dynamic.*"):
        path.unlink()
    digest = hashlib.sha256((OUT / "dynamic.onnx").read_bytes()).hexdigest()
    write_card("dynamic", 32, "nchw", digest, **softmax)

    (OUT / "expected.json").write_text(json.dumps(table, indent=1) + "\n")
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, numpy {np.__version__}")
    for path in sorted(OUT.iterdir()):
        print(f"{path.stat().st_size:8d} {path.name}")


if __name__ == "__main__":
    main()
