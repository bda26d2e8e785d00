"""Networks to measure with: random weights, fixed seed, two classes.

    make_networks.py OUT_DIR [NAME ...]

Needs torch, torchvision, onnx, onnxscript (requirements-engines.txt). Writes <name>.onnx
and its card <name>.toml: small (about 50 million multiplications at 224 px), resnet18,
googlenet (the paper's Inception v1), resnet50, mobilenet_v3_small. Any other network of
torchvision.models is made when it is named.
"""

import functools
import pathlib
import sys

import torch
import torchvision
from torch import nn

CARD = """file = "{name}.onnx"
window = 224
mpp = 0.25
layout = "nchw"
range = "unit"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
channels = "rgb"
classes = ["normal", "tumor"]
positive = "tumor"
activation = "softmax"
"""


def small():
    layers, width = [], 3
    for out in (16, 32, 64, 128):
        layers += [nn.Conv2d(width, out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        width = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2))


def pictures(count):
    """Smooth, and of many colours, as tissue is."""
    return nn.functional.interpolate(torch.randn(count, 3, 28, 28), 224, mode="bilinear") + torch.randn(count, 3, 1, 1)


def settle(network):
    """Normalisation learns its figures, so that no activation dies out, and the last
    layer is scaled, so that scores differ: alike ones would hide what an engine does."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    network.train()
    for _ in range(5):
        network(pictures(8))
    network.eval()
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if linear:
        logits = network(pictures(16))
        scale = 2 / (logits[:, 1] - logits[:, 0]).std()
        linear[-1].weight *= scale
        linear[-1].bias.copy_(linear[-1].bias * scale - (logits * scale).mean(0))
    return network


def main(out, *names):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    makers = {
        "small": small,
        "resnet18": lambda: torchvision.models.resnet18(num_classes=2),
        "googlenet": lambda: torchvision.models.googlenet(num_classes=2, aux_logits=False, init_weights=False),
        **{name: functools.partial(torchvision.models.get_model, name, num_classes=2) for name in ("resnet50", "mobilenet_v3_small")},
    }
    for name in names or makers:
        make = makers.get(name) or functools.partial(torchvision.models.get_model, name, num_classes=2)
        torch.manual_seed(1)
        with torch.no_grad():
            network = settle(make())
        torch.onnx.export(
            network, torch.zeros(1, 3, 224, 224), out / f"{name}.onnx", dynamo=False, opset_version=17,
            input_names=["input"], output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}},
        )
        (out / f"{name}.toml").write_text(CARD.format(name=name))
        print(out / f"{name}.onnx")


if __name__ == "__main__":
    main(*sys.argv[1:])
