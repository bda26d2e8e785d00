#!/usr/bin/env python3
"""Train the two demonstration networks on synthetic slides.

    cargo build --release
    pip install -r scripts/requirements-train.txt
    python scripts/train_demo_networks.py --slidegrid target/release/slidegrid --work /tmp/train

Writes configs/models/demo-padded.{onnx,toml}, demo-valid.{onnx,toml} and the
evaluation, configs/models/evaluation.json. Building and running slidegrid
needs none of this: the networks are part of the repository.

Sampling rule (training and evaluation alike). The centre pixel decides the
label: tumor inside a lesion polygon and outside its holes. Centres lie on
tissue (saturation >= 20 of 255 or value < 200 in the picture reduced 8 times,
closed by 5 px) and at least 16 px from every lesion border; nothing else is
left out, so windows that show tumor and normal tissue side by side are in. Of
a tumor slide half the centres are tumor, and a third of the others lie within
200 px of a lesion; of a normal slide all are normal.
"""

import argparse
import hashlib
import json
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import onnxruntime
import openslide
import torch
from PIL import Image, ImageDraw, ImageFilter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

WINDOW = 224
BORDER_PX = 16
REDUCE = 8  # reduction of the picture in which tissue is searched
MEAN, STD = (0.72, 0.55, 0.68), (0.19, 0.23, 0.17)

# name: (seed, slides, size, patches per slide)
TRAIN = {"train": (101, 64, 4000, 80), "train-large": (103, 4, 10000, 240)}
EVALUATE = {"eval": (202, 24, 4000, 80), "eval-large": (204, 2, 10000, 240)}


# ---------------------------------------------------------------- patches


def polygons(xml):
    """[(points [n, 2], is_hole)] of a truth file; none for a normal slide."""
    if not xml.exists():
        return []
    found = []
    for annotation in ElementTree.parse(xml).iter("Annotation"):
        points = [(float(c.get("X")), float(c.get("Y"))) for c in annotation.iter("Coordinate")]
        found.append((np.array(points), annotation.get("PartOfGroup") == "_2"))
    return found


def draw(outlines, size, reduce, border_px=0):
    """1 inside, 0 outside, 2 within border_px of a border; [rows, cols]."""
    image = Image.new("L", size)
    pen = ImageDraw.Draw(image)
    for points, is_hole in outlines:
        pen.polygon([tuple(p / reduce) for p in points], fill=0 if is_hole else 1)
    if border_px:
        for points, _ in outlines:
            ring = [tuple(p / reduce) for p in [*points, points[0]]]
            pen.line(ring, fill=2, width=int(np.ceil(2 * border_px / reduce)) + 1, joint="curve")
    return np.array(image)


def tissue_of(slide):
    """Bool [rows, cols] of the picture reduced REDUCE times."""
    level = slide.get_best_level_for_downsample(REDUCE + 0.5)
    size = slide.level_dimensions[level]
    hsv = np.array(slide.read_region((0, 0), level, size).convert("RGB").convert("HSV"))
    tissue = Image.fromarray((((hsv[..., 1] >= 20) | (hsv[..., 2] < 200)) * 255).astype(np.uint8))
    closed = tissue.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.MinFilter(5))
    return np.array(closed) > 0


def pick(rng, mask, count):
    """count random positions (x, y) at level 0 where mask holds."""
    rows, cols = np.nonzero(mask)
    if len(rows) == 0:
        return np.empty((0, 2), int)
    chosen = rng.integers(0, len(rows), count)
    jitter = rng.integers(0, REDUCE, (count, 2))
    return np.stack([cols[chosen], rows[chosen]], 1) * REDUCE + jitter


def sample_slide(path, count, rng):
    """Patches u8 [n, 224, 224, 3] and labels [n] by the sampling rule."""
    slide = openslide.OpenSlide(str(path))
    tissue = tissue_of(slide)
    outlines = polygons(path.parent.parent / "truth" / f"{path.stem}.xml")
    size = tissue.shape[::-1]
    # One reduced pixel is 8 px wide: keep that much more from the border.
    truth = draw(outlines, size, REDUCE, BORDER_PX + REDUCE)
    near = draw(outlines, size, REDUCE, 200) == 2
    if outlines:
        third = (count - count // 2) // 3
        centres = [
            (pick(rng, tissue & (truth == 1), count // 2), 1),
            (pick(rng, tissue & (truth == 0) & near, third), 0),
            (pick(rng, tissue & (truth == 0), count - count // 2 - third), 0),
        ]
    else:
        centres = [(pick(rng, tissue, count), 0)]
    patches, labels = [], []
    for positions, label in centres:
        for x, y in positions:
            corner = (int(x) - WINDOW // 2, int(y) - WINDOW // 2)
            rgba = slide.read_region(corner, 0, (WINDOW, WINDOW))
            white = Image.new("RGB", rgba.size, (255, 255, 255))
            white.paste(rgba, mask=rgba.getchannel("A"))
            patches.append(np.array(white))
            labels.append(label)
    return patches, labels


def collect(sets, slidegrid, work):
    """Makes the slides of `sets` and samples them: u8 [n, h, w, 3], i64 [n]."""
    patches, labels = [], []
    for name, (seed, slides, size, count) in sets.items():
        out = work / name
        command = [slidegrid, "synth", "--out", out, "--slides", slides, "--seed", seed, "--size", size]
        subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL)
        rng = np.random.default_rng(seed)
        for path in sorted((out / "slides").glob("*.tif")):
            more, truth = sample_slide(path, count, rng)
            patches += more
            labels += truth
    return np.stack(patches), np.array(labels)


# ---------------------------------------------------------------- networks


def block(cin, cout, kernel, stride=1, padding=0, groups=1):
    conv = nn.Conv2d(cin, cout, kernel, stride, padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = block(channels, channels, 3, padding=1)
        conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Sequential(conv, nn.BatchNorm2d(channels))

    def forward(self, x):
        return torch.relu(x + self.second(self.first(x)))


def demo_padded():
    """Zero padding in every 3 x 3 layer, one depthwise and two residual blocks."""
    return nn.Sequential(
        block(3, 12, 3, stride=2, padding=1),  # 112
        block(12, 12, 3, stride=2, padding=1, groups=12),  # 56, depthwise
        block(12, 16, 1),
        block(16, 24, 3, stride=2, padding=1),  # 28
        Residual(24),
        block(24, 32, 3, stride=2, padding=1),  # 14
        Residual(32),
        block(32, 48, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(48, 2),
    )


def demo_valid():
    """No padding anywhere, total stride 16: dense inference is exact."""
    return nn.Sequential(
        block(3, 8, 5, stride=2),  # 110
        block(8, 12, 3),  # 108
        nn.MaxPool2d(2),  # 54
        block(12, 16, 3),  # 52
        nn.MaxPool2d(2),  # 26
        block(16, 32, 3),  # 24
        nn.MaxPool2d(2),  # 12
        block(32, 48, 3),  # 10
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(48, 2),
    )


def mflop(network):
    """2 x multiply-adds of one window, in millions."""
    total = 0

    def count(layer, _, out):
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            per_output = layer.in_channels // layer.groups * layer.kernel_size[0] ** 2
            total += 2 * out.numel() * per_output
        else:
            total += 2 * layer.in_features * layer.out_features

    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, WINDOW, WINDOW))
    for hook in hooks:
        hook.remove()
    return total / 1e6


def normalised(patches):
    """u8 [n, h, w, 3] -> float [n, 3, h, w] as the network wants it."""
    x = torch.from_numpy(patches).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def augmented(x, generator):
    """Flips, quarter turns, and a gain and shift of each colour, per patch."""
    turn = int(torch.randint(4, (1,), generator=generator))
    x = torch.rot90(x, turn, (2, 3))
    if torch.rand(1, generator=generator) < 0.5:
        x = x.flip(3)
    n = x.shape[0]
    gain = 1 + 0.2 * (torch.rand(n, 3, 1, 1, generator=generator) - 0.5)
    shift = 0.5 * (torch.rand(n, 3, 1, 1, generator=generator) - 0.5)
    return x * gain + shift


def train(network, patches, labels, epochs, seed, batch=32):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    weight = torch.tensor([1.0, (labels == 0).sum() / (labels == 1).sum()], dtype=torch.float32)
    loss_of = nn.CrossEntropyLoss(weight=weight, label_smoothing=0.02)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-3)
    steps = epochs * (len(labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=6e-3, total_steps=steps)
    truth = torch.from_numpy(labels)
    for epoch in range(epochs):
        network.train()
        since, total = time.time(), 0.0
        order = torch.randperm(len(labels), generator=generator)
        for at in range(len(labels) // batch):
            chosen = order[at * batch : (at + 1) * batch]
            x = augmented(normalised(patches[chosen.numpy()]), generator)
            loss = loss_of(network(x), truth[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        mean = total / (len(labels) // batch)
        print(f"  epoch {epoch + 1}: loss {mean:.4f}, {time.time() - since:.0f} s", flush=True)


def logits_of(network, patches):
    network.eval()
    with torch.no_grad():
        parts = [network(normalised(patches[at : at + 64])) for at in range(0, len(patches), 64)]
    return torch.cat(parts).numpy()


# ---------------------------------------------------------------- export


def fold(network):
    """Batch normalisation folded into the convolutions before it."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for at in range(len(module) - 1):
                if isinstance(module[at], nn.Conv2d) and isinstance(module[at + 1], nn.BatchNorm2d):
                    module[at] = nn.utils.fuse_conv_bn_eval(module[at], module[at + 1])
                    module[at + 1] = nn.Identity()
    return network


ALLOWED = {"Conv", "Relu", "MaxPool", "GlobalAveragePool", "Gemm", "Add", "Flatten", "Softmax"}


def export(network, path, softmax):
    """Writes the ONNX file, opset 17, plain operators only."""
    network = fold(network.eval())
    if softmax:
        network = nn.Sequential(*network, nn.Softmax(dim=1))
    example = torch.zeros(2, 3, WINDOW, WINDOW)
    torch.onnx.export(
        network.eval(), (example,), str(path), dynamo=False, opset_version=17,
        input_names=["window"], output_names=["probability" if softmax else "logit"],
        dynamic_axes={"window": {0: "batch"}, "probability" if softmax else "logit": {0: "batch"}},
    )
    model = onnx.load(str(path))
    tidy(model.graph)
    found = {node.op_type for node in model.graph.node}
    if not found <= ALLOWED:
        raise SystemExit(f"{path}: operators {found - ALLOWED} are not plain")
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return network


def tidy(graph):
    """Drops Identity nodes that folding left behind."""
    renamed = {}
    for node in [n for n in graph.node if n.op_type == "Identity"]:
        renamed[node.output[0]] = node.input[0]
        graph.node.remove(node)
    for node in graph.node:
        for at, name in enumerate(node.input):
            while name in renamed:
                name = renamed[name]
            node.input[at] = name


CARD = """\
# Demonstration network, trained on synthetic slides only: not for patients.
# scripts/train_demo_networks.py; {parameters} parameters, {mflop:.0f} MFLOP per window.
# Unseen synthetic slides: patch AUC {auc:.4f} ({windows} windows of {slides} slides,
# centres on tissue, at least 16 px from a lesion border). Mean and standard
# deviation of red, green and blue alone reach {baseline:.4f}.
file = "{name}.onnx"
sha256 = "{sha256}"
window = 224
mpp = 0.25
layout = "nchw"
range = "unit"
mean = {mean}
std = {std}
channels = "rgb"
classes = ["normal", "tumor"]
positive = "tumor"
activation = "{activation}"
"""


def color_baseline(patches, labels, test_patches, test_labels):
    """AUC of logistic regression on mean and standard deviation of R, G, B."""

    def features(all_patches):
        flat = all_patches.reshape(len(all_patches), -1, 3)
        return np.array([np.concatenate([p.mean(0), p.std(0)]) for p in flat])

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced"))
    model.fit(features(patches), labels)
    return roc_auc_score(test_labels, model.predict_proba(features(test_patches))[:, 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slidegrid", type=Path, default=Path("target/release/slidegrid"))
    parser.add_argument("--work", type=Path, required=True, help="folder for the slides (about 400 MB)")
    parser.add_argument("--out", type=Path, default=Path("configs/models"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", choices=["demo-padded", "demo-valid"])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    patches, labels = collect(TRAIN, args.slidegrid, args.work)
    test_patches, test_labels = collect(EVALUATE, args.slidegrid, args.work)
    print(f"training {len(labels)} ({labels.sum()} tumor), evaluation {len(test_labels)} ({test_labels.sum()} tumor)")
    baseline = color_baseline(patches, labels, test_patches, test_labels)
    print(f"colour baseline AUC {baseline:.4f}", flush=True)

    report_path = args.out / "evaluation.json"
    report = json.loads(report_path.read_text()) if report_path.exists() else {}
    report["color_baseline_auc"] = round(float(baseline), 4)
    networks = {"demo-valid": (demo_valid, True), "demo-padded": (demo_padded, False)}
    for name, (make, softmax) in networks.items():
        if args.only and name != args.only:
            continue
        torch.manual_seed(1)
        network = make()
        cost = mflop(network)
        print(f"{name}: {cost:.1f} MFLOP", flush=True)
        train(network, patches, labels, args.epochs, seed=1)
        logits = logits_of(network, test_patches)
        score = logits[:, 1] - logits[:, 0]
        auc = roc_auc_score(test_labels, score)
        accuracy = np.mean((score > 0) == (test_labels == 1))

        path = args.out / f"{name}.onnx"
        exported = export(network, path, softmax)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        some = normalised(test_patches[::8])
        with torch.no_grad():
            expected = exported(some).numpy()
        difference = np.abs(session.run(None, {"window": some.numpy()})[0] - expected).max()
        if difference > 1e-5:
            raise SystemExit(f"{path}: onnxruntime differs from torch by {difference}")
        parameters = sum(p.numel() for p in network.parameters())
        slides = sum(part[1] for part in EVALUATE.values())
        card = CARD.format(
            name=name, parameters=parameters, mflop=cost, auc=auc, windows=len(test_labels), slides=slides,
            baseline=baseline, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), mean=list(MEAN), std=list(STD),
            activation="none" if softmax else "softmax",
        )
        (args.out / f"{name}.toml").write_text(card)
        report[name] = {
            "patch_auc": round(float(auc), 4), "accuracy": round(float(accuracy), 4),
            "windows": len(test_labels), "tumor_windows": int(test_labels.sum()),
            "mflop_per_window": round(cost, 1), "parameters": parameters, "onnx_bytes": path.stat().st_size,
            "max_difference_onnxruntime_torch": float(difference),
        }
        report_path.write_text(json.dumps(report, indent=1) + "\n")
        print(f"{name}: {json.dumps(report[name])}", flush=True)


if __name__ == "__main__":
    main()
