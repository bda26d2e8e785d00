"""Small random networks, one a family of operators, for the dense rewriting.

    dense_networks.py make DIR      writes DIR/<name>.onnx and <name>.toml
    dense_networks.py check DIR     compares DIR/<name>-<stride>.onnx, made dense by
                                    `slidegrid densify --stride <stride>`, with the
                                    network run window by window

`check` prints one JSON object: name-stride -> largest difference over all outputs of
three images; for networks that pad, see `against_itself`.
Nothing here shares code with slidegrid.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

CARD = """file = "{name}.onnx"
window = {window}
mpp = "level0"
layout = "{layout}"
range = "unit"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
channels = "rgb"
classes = ["normal", "tumor"]
positive = "tumor"
activation = "none"
"""


class Net:
    """Nodes in a row; weights of a fixed seed."""

    def __init__(self, name, window, layout="nchw", opset=17):
        self.name, self.window, self.layout, self.opset = name, window, layout, opset
        self.rng = np.random.default_rng(sum(map(ord, name)))
        self.nodes, self.weights, self.count = [], [], 0
        self.x = "image"

    def weight(self, *shape, scale=None, values=None):
        self.count += 1
        name = f"w{self.count}"
        if values is None:
            fan = max(1, int(np.prod(shape[1:])))
            values = self.rng.normal(0, scale or (2 / fan) ** 0.5, shape)
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def ints(self, *values):
        self.count += 1
        name = f"i{self.count}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.int64), name))
        return name

    def scalar(self, value):
        self.count += 1
        name = f"i{self.count}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, np.int64), name))
        return name

    def node(self, op, *inputs, **attributes):
        self.count += 1
        out = f"t{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], **attributes))
        self.x = out
        return out

    def conv(self, i, o, k, stride=1, pad=0, dilation=1, group=1, x=None):
        return self.node(
            "Conv", x or self.x, self.weight(o, i // group, k, k), self.weight(o, scale=0.1), kernel_shape=[k, k],
            strides=[stride] * 2, pads=[pad] * 4, dilations=[dilation] * 2, group=group,
        )

    def relu(self):
        return self.node("Relu", self.x)

    def pool(self, op, k, stride, pad=0, x=None, **more):
        return self.node(op, x or self.x, kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4, **more)

    def head(self, channels, flatten=True):
        self.node("GlobalAveragePool", self.x)
        if flatten:
            self.node("Flatten", self.x, axis=1)
        return self.gemm(channels, 2)

    def gemm(self, i, o):
        return self.node("Gemm", self.x, self.weight(o, i), self.weight(o, scale=0.1), transB=1)

    def save(self, folder):
        side = self.window
        shape = ["N", 3, side, side] if self.layout == "nchw" else ["N", side, side, 3]
        self.nodes[-1].output[0] = "scores"
        graph = helper.make_graph(
            self.nodes, self.name, [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])], self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, folder / f"{self.name}.onnx")
        (folder / f"{self.name}.toml").write_text(CARD.format(name=self.name, window=side, layout=self.layout))


def exact_networks():
    """Without padding: the dense outputs are the windows' own."""
    nets = []

    def net(name, window, **more):
        nets.append(Net(name, window, **more))
        return nets[-1]

    n = net("plain", 64)
    n.conv(3, 6, 5, 2), n.relu(), n.conv(6, 8, 3), n.relu(), n.pool("MaxPool", 2, 2), n.conv(8, 8, 3), n.relu(), n.pool("MaxPool", 2, 2)
    n.conv(8, 12, 3), n.relu(), n.head(12), n.node("Softmax", n.x, axis=1)

    # Kernels of odd size and strides of 3: maps that do not divide.
    n = net("odd", 70)
    n.conv(3, 5, 4, 3), n.relu(), n.pool("MaxPool", 3, 2), n.conv(5, 7, 2), n.node("Sigmoid", n.x), n.head(7)

    # Strided branches of other kernels, joined: their lengths differ by one.
    n = net("residual", 66)
    n.conv(3, 8, 3, 2), n.relu()
    x = n.x
    n.conv(8, 8, 1, 2, x=x), n.relu()
    left = n.conv(8, 8, 1, 1)
    right = n.conv(8, 8, 1, 2, x=x)
    n.node("Add", left, right), n.relu()
    x = n.x
    a = n.conv(8, 4, 2, 2, x=x)
    b = n.pool("MaxPool", 2, 2, x=x)
    c = n.pool("AveragePool", 2, 2, x=x)
    d = n.conv(8, 3, 1, 2, x=x)
    n.node("Concat", a, b, c, d, axis=1), n.conv(23, 6, 1, 2), n.head(6)

    n = net("grouped", 48)
    n.conv(3, 9, 3, 2, group=3), n.node("HardSwish", n.x), n.conv(9, 9, 3, 2, group=9), n.node("LeakyRelu", n.x, alpha=0.1)
    n.conv(9, 6, 1), n.node("Clip", n.x, n.weight(values=0.0), n.weight(values=6.0)), n.conv(6, 6, 3, dilation=2), n.head(6)

    n = net("normalised", 50)
    n.conv(3, 6, 3, 2)
    n.node("BatchNormalization", n.x, *(n.weight(6, values=v) for v in (n.rng.uniform(0.5, 2, 6), n.rng.normal(0, 1, 6), n.rng.normal(0, 1, 6), n.rng.uniform(0.5, 2, 6))))
    n.node("PRelu", n.x, n.weight(values=n.rng.uniform(0, 0.5, (6, 1, 1))))
    n.node("Mul", n.x, n.weight(values=n.rng.uniform(0.5, 2, (1, 6, 1, 1)))), n.node("Add", n.weight(values=0.3), n.x)
    n.pool("AveragePool", 3, 2), n.conv(6, 4, 3), n.node("Dropout", n.x), n.node("Identity", n.x)
    n.node("ReduceMean", n.x, axes=[2, 3], keepdims=0), n.gemm(4, 2)

    # Fully connected layers on the whole map, as VGG's.
    n = net("connected", 44)
    n.conv(3, 6, 3, 2), n.relu(), n.pool("MaxPool", 2, 2), n.conv(6, 5, 3, 2), n.relu(), n.node("Flatten", n.x)
    n.gemm(5 * 16, 11), n.relu(), n.gemm(11, 2)

    n = net("reshaped", 44)
    n.conv(3, 6, 3, 2), n.relu(), n.pool("MaxPool", 2, 2), n.conv(6, 5, 3, 2), n.relu()
    x = n.x
    batch = n.node("Gather", n.node("Shape", x), n.scalar(0), axis=0)
    shape = n.node("Concat", n.node("Unsqueeze", batch, n.ints(0)), n.ints(-1), axis=0)
    n.node("Reshape", x, shape), n.node("MatMul", n.x, n.weight(80, 2, scale=0.1)), n.node("Add", n.x, n.weight(2))

    # A head that is not linear: the mean has to be taken before it.
    n = net("bent_head", 60)
    n.conv(3, 4, 3, 2), n.relu(), n.conv(4, 6, 3, 2), n.relu(), n.node("GlobalAveragePool", n.x), n.node("Flatten", n.x)
    n.gemm(6, 12), n.node("HardSwish", n.x), n.gemm(12, 2)

    n = net("maximum_head", 52)
    n.conv(3, 4, 3, 2), n.relu(), n.conv(4, 6, 3, 2), n.node("GlobalMaxPool", n.x), n.node("Flatten", n.x), n.gemm(6, 2)

    # Ends in a map of one element, without any pooling over all of it.
    n = net("convolved_away", 30)
    n.conv(3, 6, 5, 2), n.relu(), n.conv(6, 6, 3, 2), n.relu(), n.conv(6, 8, 6), n.relu(), n.conv(8, 2, 1), n.node("Flatten", n.x)

    n = net("pooled_by_size", 46)
    n.conv(3, 6, 3, 2), n.relu(), n.conv(6, 8, 3, 2), n.relu(), n.pool("AveragePool", 10, 1), n.conv(8, 2, 1), n.node("Flatten", n.x)

    # TensorFlow's order.
    n = net("channels_last", 40, layout="nhwc")
    n.node("Transpose", n.x, perm=[0, 3, 1, 2]), n.conv(3, 6, 3, 2), n.relu(), n.conv(6, 4, 3, 2), n.node("Transpose", n.x, perm=[0, 2, 3, 1])
    n.node("Mul", n.x, n.weight(4)), n.node("ReduceMean", n.x, axes=[1, 2], keepdims=0)
    n.node("MatMul", n.x, n.weight(4, 2)), n.node("Add", n.x, n.weight(2)), n.node("Softmax", n.x, axis=-1)

    n = net("channels_last_flat", 30, layout="nhwc")
    n.node("Transpose", n.x, perm=[0, 3, 1, 2]), n.conv(3, 6, 3, 2), n.relu(), n.conv(6, 4, 3, 2), n.node("Transpose", n.x, perm=[0, 2, 3, 1])
    n.node("Reshape", n.x, n.ints(-1, 4 * 36)), n.node("MatMul", n.x, n.weight(4 * 36, 2, scale=0.1))

    # Old operator sets: softmax over all that follows, dropout as an identity.
    n = net("old", 48, opset=11)
    n.conv(3, 5, 3, 2), n.relu(), n.pool("MaxPool", 3, 2), n.conv(5, 6, 3, 2), n.node("GlobalAveragePool", n.x), n.node("Flatten", n.x)
    n.gemm(6, 2), n.node("Softmax", n.x, axis=1)

    # torchvision's transform_input: channels taken out, scaled, put back.
    n = net("channels_apart", 40)
    parts = []
    for channel in range(3):
        n.node("Unsqueeze", n.node("Gather", "image", n.scalar(channel), axis=1), n.ints(1))
        parts.append(n.node("Add", n.node("Mul", n.x, n.weight(values=0.9 + channel)), n.weight(values=0.1 * channel)))
    n.node("Concat", *parts, axis=1), n.conv(3, 6, 3, 2), n.relu(), n.conv(6, 6, 3, 3), n.head(6)

    # Channels divided, joined, shuffled in groups and cut, as ShuffleNet's.
    n = net("shuffled", 40)
    n.conv(3, 12, 3, 2), n.relu()
    left, right = f"{n.x}_left", f"{n.x}_right"
    n.nodes.append(helper.make_node("Split", [n.x, n.ints(4, 8)], [left, right], axis=1))
    n.conv(8, 8, 1, x=right), n.relu()
    n.node("Concat", left, n.x, axis=1)
    x = n.x
    sizes = [n.node("Gather", n.node("Shape", x), n.scalar(at), axis=0) for at in range(4)]
    each = n.node("Div", sizes[1], n.scalar(4))
    first, channels, each, rows, cols = (n.node("Unsqueeze", size, n.ints(0)) for size in (sizes[0], sizes[1], each, sizes[2], sizes[3]))
    n.node("Reshape", x, n.node("Concat", first, n.ints(4), each, rows, cols, axis=0)), n.node("Transpose", n.x, perm=[0, 2, 1, 3, 4])
    y = n.x
    n.node("Reshape", y, n.node("Concat", first, channels, rows, cols, axis=0))
    x = n.x
    a = n.node("Slice", x, n.ints(0), n.ints(5), n.ints(1))
    b = n.conv(7, 4, 3, 2, x=n.node("Slice", x, n.ints(5), n.ints(2**31), n.ints(1)))
    n.node("Concat", n.conv(5, 3, 3, 2, x=a), b, axis=1), n.head(7)

    # A long mean, made of short ones.
    n = net("wide_mean", 80)
    n.conv(3, 4, 3, 2), n.relu(), n.conv(4, 4, 3), n.head(4), n.node("Tanh", n.x)
    return nets


def padded_networks():
    """With padding: the same where the window's own border does not matter."""
    nets = []

    def net(name, window, **more):
        nets.append(Net(name, window, **more))
        return nets[-1]

    n = net("padded", 64)
    n.conv(3, 6, 7, 2, 3), n.relu(), n.pool("MaxPool", 3, 2, 1), n.conv(6, 6, 3, 1, 1), n.relu(), n.conv(6, 8, 3, 2, 1), n.relu(), n.head(8)

    n = net("ceiled", 64)
    n.conv(3, 6, 3, 2), n.relu(), n.pool("MaxPool", 3, 2, ceil_mode=1), n.conv(6, 8, 3), n.relu(), n.pool("MaxPool", 3, 2, ceil_mode=1), n.pool("AveragePool", 3, 1, 1), n.head(8)

    n = net("resnet", 64)
    n.conv(3, 6, 7, 2, 3), n.relu(), n.pool("MaxPool", 3, 2, 1)
    for i, o in ((6, 6), (6, 8), (8, 10)):
        x, stride = n.x, 1 if i == o else 2
        n.conv(i, o, 3, stride, 1, x=x), n.relu()
        left = n.conv(o, o, 3, 1, 1)
        right = x if i == o else n.conv(i, o, 1, stride, x=x)
        n.node("Add", left, right), n.relu()
    n.head(10)

    n = net("excited", 64)
    n.conv(3, 8, 3, 2, 1), n.relu()
    x = n.x
    n.node("GlobalAveragePool", x), n.conv(8, 3, 1), n.relu(), n.conv(3, 8, 1)
    n.node("Mul", n.node("HardSigmoid", n.x), x), n.conv(8, 8, 3, 2, 1), n.relu()
    x = n.x
    n.node("Flatten", n.node("ReduceMean", x, axes=[2, 3], keepdims=0)), n.gemm(8, 8), n.node("Sigmoid", n.x)
    n.node("Mul", x, n.node("Reshape", n.x, n.ints(0, 8, 1, 1))), n.head(8)

    n = net("same", 64)
    n.node("Conv", n.x, n.weight(6, 3, 3, 3), kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"), n.relu()
    n.node("Pad", n.x, n.ints(0, 0, 1, 0, 0, 0, 1, 0)), n.conv(6, 6, 3, 2), n.head(6)
    return nets


def refused_networks():
    """Nodes without a dense form, to be named."""
    nets = []

    def net(name, window, **more):
        nets.append(Net(name, window, **more))
        return nets[-1]

    n = net("refused", 32)
    n.conv(3, 4, 3, 2), n.node("InstanceNormalization", n.x, n.weight(4), n.weight(4)), n.node("Slice", n.x, n.ints(1), n.ints(-1), n.ints(2))
    n.node("Einsum", n.x, equation="nchw->nc"), n.gemm(4, 2)
    return nets


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for net in exact_networks() + padded_networks() + refused_networks():
        net.save(folder)


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options)


def window_of(folder, name):
    card = (folder / f"{name}.toml").read_text()
    return int(card.split("window = ")[1].split("\n")[0]), '"nhwc"' in card


class Dense:
    """A network made dense."""

    def __init__(self, path, window, last):
        self.session, self.window, self.last = session(path), window, last
        meta = self.session.get_modelmeta().custom_metadata_map
        self.stride, self.reach = int(meta["slidegrid_stride"]), int(meta["slidegrid_reach"])
        self.exact = meta["slidegrid_exact"] == "true"
        assert int(meta["slidegrid_window"]) == window
        self.input = self.session.get_inputs()[0]
        self.side = next((s for s in self.input.shape if isinstance(s, int) and s > 3), None)

    def grid(self, pixels):
        """[2, rows, cols] of [3, rows, cols]."""
        given = pixels.transpose(1, 2, 0) if self.last else pixels
        grid = self.session.run(None, {self.input.name: np.ascontiguousarray(given[None])})[0][0]
        count = (pixels.shape[1] - self.window) // self.stride + 1
        assert grid.shape == (2, count, count), (grid.shape, count)
        return grid

    def inner(self, side):
        """Outputs that the border of an image of this side does not reach, as a slice."""
        count = (side - self.window) // self.stride + 1
        side = self.window + (count - 1) * self.stride  # what is beyond is cut off
        fine = [i for i in range(count) if i * self.stride >= self.reach and i * self.stride + self.window + self.reach <= side]
        return slice(fine[0], fine[-1] + 1)


def random_image(side):
    return np.random.default_rng(side).random((3, side, side), np.float32) * 4 - 2


def against_windows(dense, single):
    """Largest difference from the network run window by window, and how many."""
    worst, outputs, window, stride = 0.0, 0, dense.window, dense.stride
    for side in [dense.side] if dense.side else [window, window + 3 * stride, window + 5 * stride + 7]:
        pixels = random_image(side)
        grid = dense.grid(pixels)
        for r in range(grid.shape[1]):
            for c in range(grid.shape[2]):
                crop = pixels[:, r * stride : r * stride + window, c * stride : c * stride + window][None]
                crop = crop.transpose(0, 2, 3, 1) if dense.last else crop
                own = single.run(None, {single.get_inputs()[0].name: np.ascontiguousarray(crop)})[0]
                worst = max(worst, float(np.abs(own.reshape(2) - grid[:, r, c]).max()))
                outputs += 1
    return worst, outputs


def against_itself(dense, finest):
    """With padding there is no exact answer. But where the border does not reach, the
    surroundings do not matter, and a stride with dilations gives what a stride
    without them gives."""
    side = dense.window + 2 * dense.reach + 6 * dense.stride
    pixels, inner = random_image(side), dense.inner(side)
    grid = dense.grid(pixels)[:, inner, inner]
    frame = 2 * dense.stride
    framed = np.full((3, side + 2 * frame, side + 2 * frame), 1.7, np.float32)
    framed[:, frame : frame + side, frame : frame + side] = pixels
    moved = slice(inner.start + 2, inner.stop + 2)
    worst = float(np.abs(grid - dense.grid(framed)[:, moved, moved]).max())
    times = dense.stride // finest.stride
    other = finest.grid(pixels)[:, ::times, ::times][:, inner, inner]
    return max(worst, float(np.abs(grid - other).max())), grid[0].size


def check(folder):
    report, families = {}, {}
    for path in sorted(folder.glob("*-*.onnx")):
        name = path.stem.rsplit("-", 1)[0]
        dense = Dense(path, *window_of(folder, name))
        assert path.stem == f"{name}-{dense.stride}"
        families.setdefault(name, []).append(dense)
    for name, family in families.items():
        single = session(folder / f"{name}.onnx")
        finest = min(family, key=lambda dense: dense.stride)
        for dense in family:
            worst, outputs = against_windows(dense, single) if dense.exact else against_itself(dense, finest)
            report[f"{name}-{dense.stride}"] = {"exact": dense.exact, "reach": dense.reach, "worst": worst, "outputs": outputs}
    print(json.dumps(report))


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]))
