#!/usr/bin/env python3
"""Megapixels per second of one core: slidegrid against Python, in turns.

    cargo build --release --examples
    benches/compare/colour.py TEMPLATE IMAGE [--repeats 5] [--seconds 2]

Needs the Python of tests/requirements.txt. IMAGE should have the size of a
patch (448 or 1120 px). Macenko and Reinhard are compared with torchstain's NumPy
back end (without its pictures of single stains); Vahadane with StainTools'
algorithm, spams.trainDL and spams.lasso where spams is installed (pip install
spams-bin), which stops its dictionary after a second wherever it is, as
StainTools lets it. Python runs on one thread. Prints a Markdown table; ratios
are medians of pairs.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/reference"))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import stains  # noqa: E402

cv2.setNumThreads(1)


class Spams(stains.Vahadane):
    def stains(self, standard):
        import spams

        tissue = (cv2.cvtColor(standard, cv2.COLOR_RGB2LAB)[..., 0] / 255 < 0.8).reshape(-1)
        pixels = np.asfortranarray(stains.density(standard)[tissue].T)
        found = spams.trainDL(
            X=pixels, K=2, lambda1=0.1, mode=2, modeD=0, posAlpha=True, posD=True, verbose=False, numThreads=1
        ).T
        if found[0, 0] < found[1, 0]:
            found = found[[1, 0]]
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def amounts(self, standard, vectors):
        import spams

        pixels = np.asfortranarray(stains.density(standard).T)
        vectors = np.asfortranarray(vectors.T)
        return spams.lasso(X=pixels, D=vectors, mode=2, lambda1=0.01, pos=True, numThreads=1).toarray().T


def normalizer(method, template):
    """What a Python user would call once a patch."""
    if method == "macenko":
        fitted = stains.NumpyMacenkoNormalizer()
        fitted.fit(template)
        return lambda rgb: fitted.normalize(rgb, stains=False)
    fitted = stains.Reinhard() if method == "reinhard" else Spams()
    fitted.fit(template)
    return fitted.normalize


def python_speed(call, rgb, seconds):
    call(rgb)
    # Processor time on both sides: other programs on the machine do not count.
    started, busy, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < seconds:
        call(rgb)
        count += 1
    return count * rgb.shape[0] * rgb.shape[1] / 1e6 / (time.process_time() - busy)


def own_speed(program, args, method, scope):
    words = [program, args.template, args.image, method, scope, str(args.seconds)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("template")
    parser.add_argument("image")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--program", default=ROOT / "target/release/examples/normalize")
    args = parser.parse_args()
    template, rgb = stains.read(args.template), stains.read(args.image)
    print(f"{rgb.shape[1]} x {rgb.shape[0]} px, load {os.getloadavg()[0]:.1f}, MP/s of one core, median of {args.repeats}\n")
    print("| method | Python | scope patch | ratio | scope slide | ratio | slide / torchstain Macenko |")
    print("|---|---|---|---|---|---|---|")
    torchstain = None
    for method in ("macenko", "reinhard", "vahadane"):
        call = normalizer(method, template)
        runs = []
        for _ in range(args.repeats):
            python = python_speed(call, rgb, args.seconds)
            runs.append((python, *(own_speed(args.program, args, method, scope) for scope in ("patch", "slide"))))
        python, patch, slide = (statistics.median(column) for column in zip(*runs))
        ratios = [statistics.median(run[i] / run[0] for run in runs) for i in (1, 2)]
        torchstain = torchstain or python
        print(
            f"| {method} | {python:.2f} | {patch:.0f} | {ratios[0]:.1f} | {slide:.0f} | {ratios[1]:.1f} | {slide / torchstain:.0f} |"
        )


if __name__ == "__main__":
    main()
