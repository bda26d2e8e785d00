#!/usr/bin/env python3
"""From slides to heatmaps: a cascade against the paper's program in Python.

    pipeline.py SLIDEGRID CARD COHORT WORK [--stride 16] [--shard I/N] [--set KEY=VALUE ...]

COHORT is a folder that `slidegrid synth` wrote. Slide by slide, in turns, one thread
each: patches.py and paper_predict.py (the heatmap of single windows), then `slidegrid
run` with method cascade, and once more with what --set says. Every process counts from
start to end, by processor time; of `predict` also what its score files say. With
--shard, several of these share the slides of a cohort. Prints a table when all slides
are there, with AUC (largest score of a slide) and FROC of each.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

import h5py
import numpy as np
import openslide

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = """[model]
card = "{card}"
mpp = "level0"
[tiling]
block = 8
[predict]
stride = {stride}
method = "cascade"
engine = "ort"
threads = 1
[stitch]
png = false
"""


def cpu_s(command, out=None):
    """Processor seconds of a program that must succeed."""
    with open(out or os.devnull, "w") as file:
        process = subprocess.Popen([str(word) for word in command], stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed ({process.returncode}): {' '.join(map(str, command))}")
    return usage.ru_utime + usage.ru_stime


def paper(args, slide, work):
    tissue, patches = work / "cascade" / "patches" / f"{slide.stem}.h5", work / "paper.h5"
    split = cpu_s([sys.executable, HERE / "patches.py", slide, tissue, patches])
    width, height = openslide.OpenSlide(slide).dimensions
    said = work / "paper.json"
    heatmap = work / "paper" / f"{slide.stem}.npy"
    heatmap.parent.mkdir(exist_ok=True)
    rest = cpu_s([sys.executable, HERE / "paper_predict.py", patches, args.card, args.stride, width, height, heatmap], said)
    patches.unlink()
    told = json.loads(said.read_text())
    return {"windows": told["windows"], "predict_s": told["score_s"], "all_s": split + rest}


def cascade(args, slide, work, name, sets):
    config = work / f"{name}.toml"
    config.write_text(CONFIG.format(card=args.card.resolve(), stride=args.stride))
    run = work / name
    shutil.rmtree(run, ignore_errors=True)
    command = [args.slidegrid, "run", "--quiet", "--config", config, "--run", run, slide]
    command += [word for item in sets for word in ("--set", item)]
    found = {"all_s": cpu_s(command), "predict_s": 0.0, "mb": 0.0}
    for file in (run / "scores" / slide.stem).glob("t*.h5"):
        with h5py.File(file) as scores:
            found["predict_s"] += float(scores.attrs["cpu_s"])
            found["mb"] = max(found["mb"], float(scores.attrs["peak_rss_bytes"]) / 1e6)
    with h5py.File(run / "heatmaps" / f"{slide.stem}.h5") as heatmap:
        attributes = {key: float(value) for key, value in heatmap.attrs.items() if key.startswith(("cascade_", "dense_p99")) and np.ndim(value) == 0}
        found.update(attributes)
        kept = work / f"{name}-maps" / f"{slide.stem}.npy"
        kept.parent.mkdir(exist_ok=True)
        np.save(kept, heatmap["score"][:])
    exact, ours = np.load(work / "paper" / f"{slide.stem}.npy"), np.load(kept)
    assert (np.isnan(exact) == np.isnan(ours)).all(), slide
    found["detections"] = int((exact > 0.5).sum())
    found["lost"] = int(((exact > 0.5) & ~(ours > 0.5)).sum())
    found["new"] = int((~(exact > 0.5) & (ours > 0.5)).sum())
    found["rms"] = float(np.sqrt(np.nanmean((exact - ours) ** 2)))
    return found


def measure(args, slide, number):
    work = args.work / f"shard{number}"
    work.mkdir(parents=True, exist_ok=True)
    # The tissue that both are to use, and a warm page cache.
    config = work / "warm.toml"
    config.write_text(CONFIG.format(card=args.card.resolve(), stride=args.stride))
    shutil.rmtree(work / "cascade", ignore_errors=True)
    cpu_s([args.slidegrid, "split", "--quiet", "--run", work / "cascade", "--config", config, slide])
    found = {"slide": slide.stem, "paper": paper(args, slide, work)}
    found["cascade"] = cascade(args, slide, work, "cascade", [])
    if args.set:
        found["other"] = cascade(args, slide, work, "other", args.set)
    for kind in ("paper", "cascade-maps", "other-maps"):
        folder = args.work / kind
        folder.mkdir(exist_ok=True)
        made = work / kind / f"{slide.stem}.npy"
        if made.exists():
            made.replace(folder / made.name)
    return found


def accuracy(args, kind):
    """AUC of the largest score and FROC, by `slidegrid study`."""
    truth, out = args.cohort / "truth", args.work / f"{kind}-detections"
    maps = sorted((args.work / kind).glob("*.npy"))
    mpp = float(next(line for line in (args.cohort / "synth.toml").read_text().splitlines() if line.startswith("mpp")).split("=")[1])
    told = {}
    for method in ("nms", "regions"):
        shutil.rmtree(out, ignore_errors=True)
        command = [args.slidegrid, "study", "detect", *maps, "--stride", args.stride, "--mpp", mpp, "--method", method, "--out", out]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
        command = [args.slidegrid, "study", "froc", "--detections", out, "--truth", truth, "--mpp", mpp, "--itc-um", 0, "--bootstrap", 0, "--json"]
        froc = json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout)
        told[method] = froc["score"]
    best = {path.stem: float(np.nanmax(np.load(path))) for path in maps}
    pairs = [(a > b) + 0.5 * (a == b) for x, a in best.items() if "tumor" in x for y, b in best.items() if "normal" in y]
    told["auc"] = float(np.mean(pairs))
    return told


def table(args, found):
    total = lambda kind, key: sum(slide[kind][key] for slide in found)
    windows = total("paper", "windows")
    print(f"{len(found)} slides, {windows} windows; paper: predict {total('paper', 'predict_s'):.1f} s, all {total('paper', 'all_s'):.1f} s; {accuracy(args, 'paper')}")
    for kind in ("cascade", "other"):
        if kind not in found[0]:
            continue
        bounds = [slide[kind].get("cascade_missed_bound", 0) for slide in found]
        refined, audited = total(kind, "cascade_refined"), total(kind, "cascade_audited")
        missed = total(kind, "cascade_missed")
        print(
            f"{kind}: predict {total(kind, 'predict_s'):.1f} s ({total('paper', 'predict_s') / total(kind, 'predict_s'):.1f} times less), "
            f"all {total(kind, 'all_s'):.1f} s ({total('paper', 'all_s') / total(kind, 'all_s'):.1f}); refined {refined / windows:.4f}, "
            f"audited {audited:.0f}, missed {missed:.0f}, bounds up to {max(bounds):.4f}; of {total(kind, 'detections')} detections "
            f"lost {total(kind, 'lost')}, new {total(kind, 'new')}; rms up to {max(slide[kind]['rms'] for slide in found):.4f}; "
            f"peak {max(slide[kind]['mb'] for slide in found):.0f} MB; {accuracy(args, kind + '-maps')}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slidegrid", type=pathlib.Path)
    parser.add_argument("card", type=pathlib.Path)
    parser.add_argument("cohort", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--stride", type=int, default=16)
    parser.add_argument("--shard", default="1/1")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    slides = sorted((args.cohort / "slides").glob("*.tif"))
    number, shards = map(int, args.shard.split("/"))
    args.work.mkdir(parents=True, exist_ok=True)
    for slide in slides[number - 1 :: shards]:
        path = args.work / f"{slide.stem}.json"
        if not path.exists():
            path.write_text(json.dumps(measure(args, slide, number)))
        print(path.read_text(), file=sys.stderr, flush=True)
    made = [args.work / f"{slide.stem}.json" for slide in slides]
    if all(path.exists() for path in made):
        table(args, [json.loads(path.read_text()) for path in made])


if __name__ == "__main__":
    main()
