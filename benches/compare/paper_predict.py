"""Predict and stitch of the paper's program, with today's libraries.

    paper_predict.py PATCHES.h5 CARD STRIDE WIDTH HEIGHT HEATMAP.npy

PATCHES.h5 is what patches.py wrote: 448 px around each tissue tile of 224 px. Every
window of a tile goes through onnxruntime on one thread, a row of windows a batch;
the scores of a group are kept as arrays, and put together by numpy in the end. Prints
JSON: windows, and processor seconds of scoring and of stitching, as well as of loading.
"""

import json
import pathlib
import sys
import time
import tomllib

import h5py
import numpy as np
import onnxruntime

TILE, WINDOW = 224, 224


def main(patches, card_path, stride, width, height, out):
    stride, rows, cols = int(stride), -(-int(height) // int(stride)), -(-int(width) // int(stride))
    if TILE % stride:
        sys.exit(f"the paper's program needs a stride that divides {TILE}")
    started = time.process_time()
    card_path = pathlib.Path(card_path)
    card = tomllib.loads(card_path.read_text())
    positive = card["classes"].index(card["positive"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(card_path.parent / card["file"]), options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    scale = np.float32(1 / 255) / np.asarray(card["std"], np.float32)[:, None, None]
    bias = (-np.asarray(card["mean"], np.float32) / np.asarray(card["std"], np.float32))[:, None, None]
    across = TILE // stride
    loaded = time.process_time()
    found = []
    with h5py.File(patches) as file:
        for group in file.values():
            images, coord = group["img"][:], group["coord"][:]
            scores = np.empty((len(images), across, across), np.float32)
            for image, score in zip(images, scores):
                patch = image.transpose(2, 0, 1).astype(np.float32) * scale + bias
                windows = np.lib.stride_tricks.sliding_window_view(patch, (WINDOW, WINDOW), (1, 2))
                windows = windows[:, : TILE : stride, : TILE : stride]
                for row in range(across):
                    batch = np.ascontiguousarray(windows[:, row].transpose(1, 0, 2, 3))
                    logits = session.run(None, {name: batch})[0]
                    if card["activation"] == "softmax":
                        logits = np.exp(logits - logits.max(1, keepdims=True))
                        logits /= logits.sum(1, keepdims=True)
                    score[row] = logits[:, positive]
            found.append((coord, scores))
    scored = time.process_time()
    # Tiles at the right and bottom edge reach beyond the slide.
    heatmap = np.full((rows + across, cols + across), np.nan, np.float32)
    for coord, scores in found:
        for (col, row, *_), score in zip(coord, scores):
            heatmap[row * across : (row + 1) * across, col * across : (col + 1) * across] = score
    np.save(out, heatmap[:rows, :cols])
    windows = int(np.isfinite(heatmap[:rows, :cols]).sum())
    print(json.dumps({"windows": windows, "load_s": loaded - started, "score_s": scored - loaded, "stitch_s": time.process_time() - scored}))


if __name__ == "__main__":
    main(*sys.argv[1:])
