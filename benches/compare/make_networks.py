"""Networks to measure with: random weights, fixed seed, two classes.

    make_networks.py OUT_DIR [NAME ...]

Needs torch, torchvision, onnx. Writes <name>.onnx and its card <name>.toml:
small (about 50 million multiplications at 224 px), resnet18, googlenet. Any other
network of torchvision.models is made when it is named.
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


def main(out, *names):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    makers = {
        "small": small,
        "resnet18": lambda: torchvision.models.resnet18(num_classes=2),
        "googlenet": lambda: torchvision.models.googlenet(num_classes=2, aux_logits=False, init_weights=False),
    }
    for name in names or makers:
        make = makers.get(name) or functools.partial(torchvision.models.get_model, name, num_classes=2)
        torch.manual_seed(1)
        network = make().train()
        with torch.no_grad():
            # Normalisation learns its figures, so that no activation dies out.
            for _ in range(5):
                network(torch.randn(4, 3, 224, 224))
        torch.onnx.export(
            network.eval(), torch.zeros(1, 3, 224, 224), out / f"{name}.onnx", dynamo=False, opset_version=17,
            input_names=["input"], output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}},
        )
        (out / f"{name}.toml").write_text(CARD.format(name=name))
        print(out / f"{name}.onnx")


if __name__ == "__main__":
    main(*sys.argv[1:])
