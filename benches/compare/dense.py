#!/usr/bin/env python3
"""Dense runs against the same network window by window, in onnxruntime, one thread.

    dense.py SLIDEGRID CARD [--stride 16] [--blocks 2 4 8] [--repeats 5]

SLIDEGRID is the program, CARD a model card. For blocks of B tiles of 224 px the
network is made dense (`slidegrid densify`) for the image that `predict` would give
it, margin included; only the block's own windows count. Both take turns, medians of
the repeats; window by window in batches of 8. Prints Markdown rows: windows per
second of processor time, ratio, and for networks without padding the largest difference over a run.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime

BATCH = 8


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)


def densified(args, folder, side):
    out = folder / f"dense{side}.onnx"
    command = [args.slidegrid, "densify", args.card, "--stride", args.stride, "--patch", side, "--out", out]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return session(out)


def seconds(run):
    """Processor time of this thread, on which onnxruntime computes: a busy machine
    disturbs it least."""
    started = time.thread_time()
    run()
    return time.thread_time() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slidegrid", type=pathlib.Path)
    parser.add_argument("card", type=pathlib.Path)
    parser.add_argument("--stride", type=int, default=16)
    parser.add_argument("--blocks", type=int, nargs="*", default=[2, 4, 8])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    card = dict(line.split(" = ", 1) for line in args.card.read_text().split("\n") if " = " in line)
    window = int(card["window"])
    single = session(args.card.parent / card["file"].strip('"'))
    name = single.get_inputs()[0].name
    rng = np.random.default_rng(1)
    windows = rng.standard_normal((BATCH, 3, window, window), np.float32)
    single.run(None, {name: windows})
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        reach = int(densified(args, folder, window).get_modelmeta().custom_metadata_map["slidegrid_reach"])
        for block in args.blocks:
            used = -(-block * 224 // args.stride)
            side = (used + 2 * -(-reach // args.stride) - 1) * args.stride + window
            dense = densified(args, folder, side)
            image = rng.standard_normal((1, 3, side, side), np.float32)
            grid = dense.run(None, {name: image})[0]
            pairs = []
            for _ in range(args.repeats):
                slow = seconds(lambda: single.run(None, {name: windows}))
                pairs.append((BATCH / slow, used * used / seconds(lambda: dense.run(None, {name: image}))))
            ours, theirs = (statistics.median(pair[at] for pair in pairs) for at in (1, 0))
            ratio = statistics.median(b / a for a, b in pairs)
            worst = ""
            if reach == 0:
                places = rng.integers(0, grid.shape[2], (32, 2))
                own = [single.run(None, {name: image[:, :, r * args.stride :, c * args.stride :][:, :, :window, :window]})[0] for r, c in places]
                worst = f"{max(np.abs(o.reshape(-1) - grid[0, :, r, c]).max() for o, (r, c) in zip(own, places)):.1e}"
            print(f"| {args.card.stem} | {args.stride} | {block} | {side} | {reach} | {theirs:.1f} | {ours:.0f} | {ratio:.1f} | {worst} |", flush=True)


if __name__ == "__main__":
    main()
