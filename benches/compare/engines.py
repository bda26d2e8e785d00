#!/usr/bin/env python3
"""Engines over networks: the same windows, one core, a process for each.

    engines.py SLIDEGRID WORK CARD [CARD ...] [--repeats 2] [--cpu 0] [--engines NAME ...]

Needs requirements-engines.txt and slidegrid built for release; an engine that does not
load is said to have failed, WORK/programs.log says why. On a synthetic slide, whole tiles
of 224 px at stride 16, 196 windows each, 1 to 7 tiles by the network's cost; a batch is a
row of 14 windows, for FAST one. Engines in Python get the patches that `slidegrid split`
wrote, prepare windows as paper_predict.py does, and count from the second batch on;
WSInfer reads the slide itself, and the seconds of a first batch are taken off. slidegrid's
figures are those of its score files: reading and preparing are in them. `dense` and
`cascade` score a block of 64 tiles, once calibrated. Engines take turns, forth and back.
Every process is bound to one processor. Prints Markdown: windows per second of processor
time, and its share of the peak (the best of numpy's and torch's sgemm); memory and largest
difference from onnxruntime; core-hours for the windows of 399 slides. WORK/results.jsonl
keeps what was measured, and the tables are of all that is in it.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import tomllib

TILE, STRIDE, ACROSS, SIDE = 224, 16, 14, 6000
# Multiply-adds a network may cost an engine, and most tiles.
BUDGET, TILES = 3e11, 7
# 224 px tiles in the tissue's boxes of CAMELYON16's 399 slides, by the index its authors'
# code came with; share of them with tissue, of the one slide whose tiles are public.
CAMELYON16 = 79_262_454 * 0.12 * ACROSS**2
PYTHON = {"onnxruntime": "onnxruntime", "openvino": "OpenVINO", "openvino-bf16": "OpenVINO, bf16", "torch": "PyTorch", "wsinfer": "WSInfer (PyTorch)", "fast": "FAST (OpenVINO)"}
OWN = {f"{method} {engine}": f"slidegrid `{method}`, {engine}" for method, engine in (("window", "ort"), ("window", "openvino"), ("window", "tract"), ("dense", "ort"), ("cascade", "ort"))}
CONFIG = """[model]
card = "{card}"
mpp = "level0"
[tissue]
method = "mask"
mask = "{mask}"
[tiling]
block = {block}
[predict]
stride = 16
method = "{method}"
share = {share}
engine = "ort"
threads = 1
"""


# -- one engine in Python, in a process of its own ---------------------------


def prepared(card):
    import numpy as np

    std = np.asarray(card["std"], np.float32)[:, None, None]
    return np.float32(1 / 255) / std, -np.asarray(card["mean"], np.float32)[:, None, None] / std


def batches(patches, card):
    """Rows of windows, and the lattice points they are at."""
    import h5py
    import numpy as np

    scale, bias = prepared(card)
    with h5py.File(patches) as file:
        for group in (file[f"t{k + 1}"] for k in range(file.attrs["groups"])):
            for image, (col, row, *_) in zip(group["img"][:], group["coord"][:]):
                patch = image.transpose(2, 0, 1).astype(np.float32) * scale + bias
                windows = np.lib.stride_tricks.sliding_window_view(patch, (TILE, TILE), (1, 2))
                windows = windows[:, : TILE : STRIDE, : TILE : STRIDE]
                for at in range(ACROSS):
                    points = [(row * ACROSS + at, col * ACROSS + k) for k in range(ACROSS)]
                    yield np.ascontiguousarray(windows[:, at].transpose(1, 0, 2, 3)), points


def module(path):
    """The network as a module of torch."""
    import onnx
    import onnx2torch

    model = onnx.load(path)
    # Weights that share a value are copied by nodes, which onnx2torch does not follow.
    weights = {weight.name: weight for weight in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in weights]:
        copy = model.graph.initializer.add()
        copy.CopyFrom(weights[node.input[0]])
        copy.name = node.output[0]
        model.graph.node.remove(node)
    return onnx2torch.convert(model).eval()


def runner(engine, path):
    """What turns a batch into the network's output."""
    if engine == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda batch: session.run(None, {name: batch})[0]
    if engine.startswith("openvino"):
        import openvino

        core = openvino.Core()
        model = core.read_model(path)
        model.reshape([ACROSS, 3, TILE, TILE])
        precision = "bf16" if engine.endswith("bf16") else "f32"
        compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision})
        return lambda batch: compiled(batch)[0]
    if engine == "torch":
        import torch

        torch.set_num_threads(1)
        network = module(path).to(memory_format=torch.channels_last)

        def run(batch):
            with torch.inference_mode():
                return network(torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)).numpy()

        return run
    import fast
    import numpy as np

    network = fast.NeuralNetwork.create(str(path), inferenceEngine="OpenVINO")

    def run(batch):
        outputs = []
        for window in batch.transpose(0, 2, 3, 1):
            network.setInputData(0, fast.Image.createFromArray(np.ascontiguousarray(window)))
            outputs.append(np.array(network.runAndGetOutputData(0)).reshape(-1))
        return np.stack(outputs)

    return run


def positive(logits, card):
    import numpy as np

    if card["activation"] == "softmax":
        logits = np.exp(logits - logits.max(1, keepdims=True))
        logits = logits / logits.sum(1, keepdims=True)
    return logits[:, card["classes"].index(card["positive"])]


def by_windows(engine, card_path, patches):
    card = tomllib.loads(card_path.read_text())
    run = runner(engine, card_path.parent / card["file"])
    scores, started, first = {}, None, 0
    for batch, points in batches(patches, card):
        scores.update(zip(points, map(float, positive(run(batch), card))))
        if started is None:
            started, first = time.process_time(), len(points)
    return time.process_time() - started, len(scores) - first, scores


def by_wsinfer(card_path, patches, slide, work):
    """WSInfer on the windows' places; what one batch takes from start to end is taken off."""
    import csv

    import h5py
    import torch
    from wsinfer.modellib.models import LocalModelTorchScript
    from wsinfer.modellib.run_inference import run_inference
    from wsinfer_zoo.client import ModelConfiguration

    class Logarithm(torch.nn.Module):
        def forward(self, scores):
            return scores.log()

    torch.set_num_threads(1)
    card = tomllib.loads(card_path.read_text())
    network = module(card_path.parent / card["file"])
    if card["activation"] == "none":
        # The network ends in a softmax, and WSInfer applies another.
        network = torch.nn.Sequential(network, Logarithm())
    script = work / "wsinfer.pt"
    with torch.no_grad():
        torch.jit.trace(network, torch.zeros(ACROSS, 3, TILE, TILE), check_trace=False).save(script)
    transform = [{"name": "ToTensor"}, {"name": "Normalize", "arguments": {"mean": card["mean"], "std": card["std"]}}]
    config = ModelConfiguration.from_dict(
        {"spec_version": "1.0", "architecture": card_path.stem, "num_classes": 2, "class_names": card["classes"], "name": card_path.stem,
         "patch_size_pixels": TILE, "spacing_um_px": 0.25, "transform": transform}
    )
    model = LocalModelTorchScript(config=config, model_path=str(script))
    points = [point for _, rows in batches(patches, card) for point in rows]
    folder = work / "wsinfer-slides"
    folder.mkdir(exist_ok=True)
    if not (folder / slide.name).exists():
        (folder / slide.name).symlink_to(slide.resolve())
    times = []
    for count in (ACROSS, len(points)):
        results = work / "wsinfer"
        shutil.rmtree(results, ignore_errors=True)
        (results / "patches").mkdir(parents=True)
        with h5py.File(results / "patches" / f"{slide.stem}.h5", "w") as file:
            half = TILE // 2
            file["coords"] = [(int(col) * STRIDE - half, int(row) * STRIDE - half) for row, col in points[:count]]
            file["coords"].attrs.update({"patch_level": 0, "patch_size": TILE, "patch_spacing_um_px": 0.25})
        started = time.process_time()
        run_inference(folder, results, model, batch_size=ACROSS, num_workers=0)
        times.append(time.process_time() - started)
    with open(results / "model-outputs-csv" / f"{slide.stem}.csv") as file:
        scores = [float(row[f"prob_{card['positive']}"]) for row in csv.DictReader(file)]
    return times[1] - times[0], len(points) - ACROSS, dict(zip(points, scores))


def peak():
    """Multiplications and additions a second of one core, in f32: the best of both."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    side, best = 2048, 0.0
    a, b = np.random.default_rng(1).standard_normal((2, side, side), np.float32)
    c, d = torch.from_numpy(a), torch.from_numpy(b)
    for _ in range(6):
        for multiply in (lambda: a @ b, lambda: c @ d):
            started = time.process_time()
            multiply()
            best = max(best, 2 * side**3 / (time.process_time() - started))
    return best


def child(engine, card, patches, slide, work):
    if engine == "peak":
        found = {"peak": peak()}
    else:
        card, work = pathlib.Path(card), pathlib.Path(work)
        if engine == "wsinfer":
            seconds, windows, scores = by_wsinfer(card, patches, pathlib.Path(slide), work)
        else:
            seconds, windows, scores = by_windows(engine, card, patches)
        found = {"cpu_s": seconds, "windows": windows, "scores": [[int(row), int(col), score] for (row, col), score in scores.items()]}
    # Of this program; what getrusage tells may be of the one that started it.
    status = pathlib.Path("/proc/self/status").read_text()
    found["mb"] = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    return found


# -- all of them, in turns ---------------------------------------------------


def multiply_adds(path):
    """Of convolutions and linear layers, for one window."""
    import math

    import onnx

    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in [*graph.value_info, *graph.output]}
    weights = {weight.name: list(weight.dims) for weight in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += math.prod(shapes[node.output[0]][2:]) * math.prod(weights[node.input[1]])
        elif node.op_type in ("Gemm", "MatMul") and node.input[1] in weights:
            total += math.prod(weights[node.input[1]])
    return total


class Bench:
    def __init__(self, args):
        self.args, self.work = args, args.work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.log = open(self.work / "programs.log", "a")
        self.results = self.work / "results.jsonl"
        self.reference = {}

    def call(self, *command):
        """False where the program failed; what it said is in programs.log."""
        bound = lambda: os.sched_setaffinity(0, {self.args.cpu})
        print("$", *command, file=self.log, flush=True)
        return not subprocess.run([str(word) for word in command], stdout=self.log, stderr=self.log, preexec_fn=bound).returncode

    def own(self, *command):
        return self.call(self.args.slidegrid.resolve(), *command)

    def slide(self):
        self.own("synth", "--out", self.work / "synth", "--slides", 1, "--seed", 3, "--size", SIDE, "--tumor-fraction", 1)
        return next((self.work / "synth" / "slides").glob("*.tif"))

    def split(self, name, card, method, block, mask):
        run = self.work / name
        if not run.exists():
            config = self.work / f"{name}.toml"
            config.write_text(CONFIG.format(card=card.resolve(), mask=mask, block=block, method=method, share=str(method != "window").lower()))
            if not self.own("split", "--quiet", "--run", run, "--config", config, self.slide_path):
                sys.exit(f"split failed: {self.log.name}")
            self.own("master", "plan", "--quiet", "--run", run)
        return run

    def tiles(self):
        """The block of 8 x 8 tiles with most tissue: its places."""
        import h5py

        config = self.work / "tissue.toml"
        config.write_text("[tiling]\nwindow = 224\nblock = 8\n[model]\nmpp = \"level0\"\n")
        self.own("split", "--quiet", "--run", self.work / "tissue", "--config", config, self.slide_path)
        with h5py.File(self.work / "tissue" / "patches" / f"{self.slide_path.stem}.h5") as file:
            tissue = file["tissue"][:]
        places = [(row, col) for row in range(0, len(tissue) - 7, 8) for col in range(0, len(tissue[0]) - 7, 8)]
        count, row, col = max((tissue[row : row + 8, col : col + 8].sum(), row, col) for row, col in places)
        print(f"{count} of the block's 64 tiles have tissue", file=sys.stderr)
        return [(row + i // 8, col + i % 8) for i in range(64)]

    def mask(self, tiles):
        """Every such tile is to be scored, and no other."""
        import numpy as np
        from PIL import Image

        count = -(-SIDE // TILE)
        marked = np.zeros((count, count), np.uint8)
        for row, col in tiles:
            marked[row, col] = 255
        path = self.work / f"mask{len(tiles)}.png"
        large = np.kron(marked, np.ones((TILE // 8, TILE // 8), np.uint8))[: SIDE // 8, : SIDE // 8]
        Image.fromarray(large).save(path)
        return path

    def prepare(self, card):
        """Runs to predict in, and the multiply-adds of a window."""
        name, told = card.stem, tomllib.loads(card.read_text())
        cost = multiply_adds(card.parent / told["file"])
        count = max(1, min(TILES, round(BUDGET / cost / ACROSS**2)))
        sample = [self.block[round((i + 0.5) * 64 / count)] for i in range(count)]
        runs = {"window": self.split(f"{name}-window", card, "window", 1, self.mask(sample))}
        # A cascade of random weights has nothing to find.
        for method in ("dense", "cascade")[: 1 + name.startswith("demo")]:
            runs[method] = self.split(f"{name}-{method}", card, method, 8, self.mask(self.block))
        return {"card": card, "macs": cost, "runs": runs}

    def python(self, engine, network):
        out, patches = self.work / "out.json", network and network["runs"]["window"] / "patches" / f"{self.slide_path.stem}.h5"
        out.unlink(missing_ok=True)
        card = network["card"].resolve() if network else ""
        self.call(sys.executable, __file__, "--child", out, engine, card, patches or "", self.slide_path, self.work)
        return json.loads(out.read_text()) if out.exists() else None

    def predicted(self, what, network):
        import h5py

        method, engine = what.split()
        run = network["runs"][method]
        folder = run / "scores" / self.slide_path.stem
        calibrated = method == "window" or (folder / "calibration.json").exists()
        command = ["predict", "--quiet", "--run", run, "--slide", self.slide_path.stem, "--engine", engine, "--threads", 1, "--force"]
        spent = []
        for _ in range(1 if calibrated else 2):
            for file in folder.glob("t*.h5"):
                file.unlink()
            if not self.own(*command):
                return None
            found = {"cpu_s": 0.0, "windows": 0, "mb": 0.0, "scores": []}
            for path in folder.glob("t*.h5"):
                with h5py.File(path) as file:
                    found["cpu_s"] += float(file.attrs["cpu_s"])
                    found["windows"] += int(file.attrs["windows"])
                    found["mb"] = max(found["mb"], float(file.attrs["peak_rss_bytes"]) / 1e6)
                    found["told"] = {key: float(value) for key, value in file.attrs.items() if key.startswith(("dense_", "cascade_")) and not hasattr(value, "__len__")}
                    at = [name.decode() for name in file.attrs["classes"]].index(tomllib.loads(network["card"].read_text())["positive"])
                    found["scores"] += [[int(r), int(c), float(s)] for r, c, s in zip(file["row"][:], file["col"][:], file["score"][:, at])]
            spent.append(found["cpu_s"])
        if len(spent) == 2:
            found["calibrate_s"] = spent[0] - spent[1]
        return found

    def measure(self, engine, network):
        name = network["card"].stem if network else ""
        found = self.python(engine, network) if engine in (*PYTHON, "peak") else self.predicted(engine, network)
        found = found or {"failed": True}
        if "scores" in found:
            scores = {(row, col): score for row, col, score in found.pop("scores")}
            if engine == "onnxruntime":
                self.reference[name] = scores
                found["range"] = [min(scores.values()), max(scores.values())]
            shared = [abs(scores[at] - score) for at, score in self.reference[name].items() if at in scores]
            found.update(compared=len(shared), worst=max(shared), rms=(sum(x * x for x in shared) / len(shared)) ** 0.5)
        found.update(network=name, engine=engine, macs=network and network["macs"], load=os.getloadavg()[0], time=time.time())
        with open(self.results, "a") as file:
            file.write(json.dumps(found) + "\n")
        rate = f"{found['windows'] / found['cpu_s']:.1f} windows/s" if "cpu_s" in found else found
        print(f"{name} {engine}: {rate} (load {found['load']:.1f})", file=sys.stderr, flush=True)

    def run(self):
        self.slide_path = self.slide()
        self.block = self.tiles()
        networks = [self.prepare(card) for card in self.args.cards]
        native = "avx512_bf16" in pathlib.Path("/proc/cpuinfo").read_text()
        engines = [engine for engine in self.args.engines if native or engine != "openvino-bf16"]
        for turn in range(self.args.repeats):
            self.measure("peak", None)
            for network in networks:
                # Scores to compare with come first; then forth and back.
                order = engines[1:] if turn % 2 == 0 else engines[:0:-1]
                for engine in [engines[0], *order]:
                    if engine in PYTHON or engine.split()[0] in network["runs"]:
                        self.measure(engine, network)

    def table(self):
        rows = [json.loads(line) for line in self.results.read_text().splitlines()]
        most = max(row["peak"] for row in rows if "peak" in row)
        rows = [row for row in rows if "peak" not in row]
        names = list(dict.fromkeys(row["network"] for row in rows))
        engines = [engine for engine in {**PYTHON, **OWN} if any(row["engine"] == engine for row in rows)]
        macs = {row["network"]: row["macs"] for row in rows}
        cells = {}
        for name in names:
            for engine in engines:
                runs = [row for row in rows if (row["network"], row["engine"]) == (name, engine)]
                good = [row for row in runs if "cpu_s" in row]
                cells[name, engine] = ("failed" if runs else "", "", "")
                if good:
                    # Dense runs do other arithmetic: their share of the peak would say nothing.
                    rate = statistics.median(row["windows"] / row["cpu_s"] for row in good)
                    share = "" if engine.split()[0] in ("dense", "cascade") else f" ({2 * macs[name] * rate / most:.0%})"
                    memory = max(row["mb"] for row in good)
                    cells[name, engine] = (f"{rate:,.{rate < 100:d}f}{share}", f"{memory:.0f}, {max(row['worst'] for row in good):.0e}".replace("e-0", "e-").replace(", 0e+00", ""), f"{float(f'{CAMELYON16 / rate / 3600:.2g}'):,.0f}")
        loads = [row["load"] for row in rows]
        print(f"peak {most / 1e9:.1f} GFLOP/s, load {min(loads):.1f} to {max(loads):.1f}")
        for name in names:
            of = [row for row in rows if row["network"] == name]
            print(f"{name}: {macs[name] / 1e6:.0f} million multiply-adds, {max(row.get('compared', 0) for row in of)} windows compared, scores {next(row['range'] for row in of if 'range' in row)}")
            for engine in engines:
                runs = [row for row in of if row["engine"] == engine and "cpu_s" in row]
                rates = [f"{row['windows'] / row['cpu_s']:.1f}" for row in runs]
                told = {key: value for row in runs for key, value in (row.get("told") or {}).items()}
                calibrate = [round(row["calibrate_s"], 1) for row in runs if "calibrate_s" in row]
                print(f"  {engine}: {' '.join(rates)}" + (f"; rms {runs[-1]['rms']:.2g}, calibration {calibrate} s, {told}" if told else ""))
        for at, title in enumerate(("windows/s", "MB, largest difference", "core-hours")):
            print(f"\n| {title} | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
            for engine in engines:
                print(f"| {({**PYTHON, **OWN})[engine]} | " + " | ".join(cells[name, engine][at] for name in names) + " |")


def main():
    if sys.argv[1:2] == ["--child"]:
        pathlib.Path(sys.argv[2]).write_text(json.dumps(child(*sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slidegrid", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("cards", type=pathlib.Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=2, help="0: print the tables again")
    parser.add_argument("--cpu", type=int, default=0, help="the processor everything is bound to")
    parser.add_argument("--engines", nargs="+", default=[*PYTHON, *OWN], metavar="NAME", help="onnxruntime comes first")
    args = parser.parse_args()
    bench = Bench(args)
    if args.repeats:
        bench.run()
    bench.table()


if __name__ == "__main__":
    main()
