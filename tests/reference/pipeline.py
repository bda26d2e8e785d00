"""The pipeline a second time, from its definitions, to compare a run with.

    python tests/reference/pipeline.py RUN [RUN ...]

Each finished run directory is read with h5py and compared, slide by slide,
with what openslide-python (Pillow for pictures), numpy, OpenCV, scikit-image
and onnxruntime make of the same slide (definitions.py): tile mask, every pixel,
coordinate and attribute of every patch, every score, the heatmap. A JSON list
of reports goes to stdout. Versions: tests/requirements.txt.
"""

import csv
import hashlib
import json
import math
import sys
import tomllib
from pathlib import Path

import cv2
import h5py
import numpy as np

sys.dont_write_bytecode = True
from definitions import load_network, open_slide, tissue, working_plane  # noqa: E402


class Report(dict):
    """Figures, and in `problems` what must not be."""

    def expect(self, what, found, expected):
        arrays = isinstance(found, np.ndarray) or isinstance(expected, np.ndarray)
        if not (np.array_equal(found, expected) if arrays else found == expected):
            self["problems"].append(f"{what}: {found}, expected {expected}"[:400])

    def expect_attributes(self, what, found, expected):
        for name, value in expected.items():
            if name not in found:
                self["problems"].append(f"{what}: no attribute {name}")
            elif isinstance(value, float):
                close = np.isclose(found[name], value, rtol=1e-9, atol=0, equal_nan=True)
                self.expect(f"{what} attribute {name} {found[name]} for {value}", bool(close), True)
            else:
                self.expect(f"{what} attribute {name}", texts(found[name]), value)


def texts(value):
    """Texts of an attribute as str: h5py gives those of a fixed length as bytes."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "S":
        return np.char.decode(value, "utf-8")
    return value.decode() if isinstance(value, bytes) else value


def facts(row, config):
    """What the run's settings and the slide alone say."""
    slide, tiling = open_slide(row["path"]), config["tiling"]
    given = config["slides"].get("mpp_of", {}).get(row["name"])
    um = (given,) * 2 if given else slide.um
    if um is None and "mpp" in config["slides"]:
        um = (config["slides"]["mpp"],) * 2
    card = load_network(config["model"]["card"]).card
    target = config["model"].get("mpp", card["mpp"])
    ratio = 1.0 if target == "level0" else target / math.sqrt(um[0] * um[1])
    downsample = 1.0 if abs(ratio - 1) < 0.02 else ratio
    plane, exact = working_plane(row["path"], downsample)
    height, width = plane.shape[:2]
    um = um or (math.nan, math.nan)
    common = {
        "slide": row["name"], "width": width, "height": height,
        "level0_width": slide.levels[0][0], "level0_height": slide.levels[0][1],
        "downsample": downsample, "mpp_x": um[0] * downsample, "mpp_y": um[1] * downsample,
        "window": card["window"], "version": 2,
    }
    return slide, plane, exact, common, tiling["tile"], tiling["block"], card["window"]


def unexplained(stored, means, least):
    """Tiles that no colour within one grey level of theirs puts where they are."""
    possible = np.zeros(stored.shape, bool)
    for step in np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3):
        near = np.clip(means.astype(int) + step, 0, 255).astype(np.uint8)
        hue, saturation, _ = cv2.split(cv2.cvtColor(near, cv2.COLOR_RGB2HSV))
        possible |= ((hue >= least[0]) & (saturation >= least[1])) == stored
    return int((~possible).sum())


def check_mask(report, file, slide, tile, common):
    """Compares /tissue and the thresholds; returns the mask to go on with."""
    rows, cols = (-(-common[side] // tile) for side in ("height", "width"))
    level = slide.coarsest(lambda d: tile * common["downsample"] / d >= 8)
    means, least, mask = tissue(slide, tile, common["downsample"], rows, cols, level)
    stored = file["tissue"][()]
    report.expect("/tissue shape", stored.shape, mask.shape)
    found = [file.attrs["threshold_hue"], file.attrs["threshold_saturation"]]
    means0, _, mask0 = tissue(slide, tile, common["downsample"], rows, cols, 0)
    report |= {
        "mask_level": level, "mask_tiles": mask.size, "tissue_tiles": int(stored.sum()),
        "mask_tiles_differing": int((stored != mask).sum()),
        "mask_tiles_differing_from_level_0": int((stored != mask0).sum()),
        "max_tile_mean_difference_from_level_0": int(abs(means.astype(int) - means0).max()),
    }
    if slide.addressable(level):
        report.expect("thresholds", found, list(least))
        report["mask_tiles_unexplained"] = report["mask_tiles_differing"]
    else:
        # OpenSlide interpolates regions of such levels, so means are off by one.
        report["mask_tiles_unexplained"] = unexplained(stored, means, found)
    return stored


def check_patches(report, file, mask, plane, config, geometry, common):
    """Compares everything in patches/<slide>.h5; the plane as stored in it, in
    a frame of white as wide as a patch."""
    tile, block, window = geometry
    half = (window + 1) // 2
    side = block * tile + 2 * half
    blocks = [(row, col) for row in range(0, mask.shape[0], block)
              for col in range(0, mask.shape[1], block) if mask[row:row + block, col:col + block].any()]
    tiling = config["tiling"]
    budget = int(tiling.get("group_memory_mb", 241) * 10**6)
    per_group = tiling.get("patches_per_group") or max(1, budget // (3 * side * side))
    groups = [blocks[n:n + per_group] for n in range(0, len(blocks), per_group)]
    report.expect_attributes("patches", file.attrs, common | {
        "format": "slidegrid-patches", "tile": tile, "block": block, "groups": len(groups),
        "patches": len(blocks), "tissue_method": config["tissue"]["method"]})
    report.expect("groups", sorted(n for n in file if n[0] == "t" and n[1:].isdigit()),
                  sorted(f"t{n + 1}" for n in range(len(groups))))
    framed = np.pad(plane, ((side, side), (side, side), (0, 0)), constant_values=255)
    stored, largest, differing, checked = framed.copy(), 0, 0, 0
    tiles = np.pad(mask, ((0, block), (0, block)))
    for number, members in enumerate(groups, 1):
        group = file[f"t{number}"]
        image = group["img"]
        report.expect(f"t{number} img type", (image.dtype, image.shape), (np.uint8, (len(members), side, side, 3)))
        report.expect(f"t{number} img filters", image.compression, None if tiling["compression"] == "none" else "gzip")
        coord = [(c, r, c * tile - half, r * tile - half, side) for r, c in members]
        report.expect(f"t{number} coord", group["coord"][()], np.array(coord, np.int64))
        report.expect(f"t{number} coord type", group["coord"].dtype, np.int64)
        report.expect(f"t{number} tissue", group["tissue"][()],
                      np.array([tiles[r:r + block, c:c + block] for r, c in members], np.uint8))
        report.expect(f"t{number} failed", int(group["failed"][()].sum()), 0)
        if len(image) != len(members) or image.shape[1] != side:
            continue
        for index, (_, _, x, y, _) in enumerate(coord):
            here = np.s_[side + y:2 * side + y, side + x:2 * side + x]
            patch = image[index]
            difference = abs(patch.astype(int) - framed[here])
            largest, differing = max(largest, int(difference.max())), differing + int((difference > 0).sum())
            stored[here] = patch
            checked += 1
    report |= {"patches_checked": checked, "pixel_values_differing": differing,
               "max_pixel_difference": largest}
    return framed, stored, side, len(groups)


def check_scores(report, run, name, mask, config, common, classes, groups):
    """Checks which points were scored; their indices, their scores and the
    heatmap they scatter to."""
    stride, tile = config["predict"]["stride"], config["tiling"]["tile"]
    rows, cols = (-(-common[side] // stride) for side in ("height", "width"))
    expected = {(r, c) for r in range(rows) for c in range(cols) if mask[r * stride // tile, c * stride // tile]}
    network = load_network(config["model"]["card"])
    digest = hashlib.sha256(network.file.read_bytes()).hexdigest()
    facts = {"slide": name, "stride": stride, "window": common["window"], "classes": classes,
             "method": "window", "model_sha256": digest, "version": 2}
    points, scores = [], []
    for number in range(1, groups + 1):
        with h5py.File(run / "scores" / name / f"t{number}.h5") as file:
            report.expect_attributes(f"scores t{number}", file.attrs, facts | {
                "format": "slidegrid-scores", "group": number, "windows": len(file["row"])})
            types = [file[item].dtype for item in ("row", "col", "score")]
            report.expect(f"scores t{number} types", types, [np.int32, np.int32, np.float32])
            points += zip(file["row"][()].tolist(), file["col"][()].tolist())
            scores.append(file["score"][()])
            report["engine"] = texts(file.attrs["engine"])
    scores = np.concatenate(scores)
    report["points_misplaced"] = len(expected ^ set(points)) + len(points) - len(set(points))
    positive = classes.index(network.card["positive"])
    scattered = np.full((rows, cols), np.nan, np.float32)
    scattered[tuple(np.array(points).T)] = scores[:, positive]
    with h5py.File(run / "heatmaps" / f"{name}.h5") as file:
        heatmap = file["score"][()]
        report.expect_attributes("heatmap", file.attrs, common | facts | {
            "format": "slidegrid-heatmap", "positive": positive, "windows": len(points),
            "missing_groups": []})
    report.expect("heatmap shape and type", (heatmap.shape, heatmap.dtype), (scattered.shape, np.float32))
    same = (heatmap == scattered) | (np.isnan(heatmap) & np.isnan(scattered))
    report["heatmap_cells_differing"] = int((~same).sum())
    return points, scores


def check(run, row, config):
    report = Report(run=run.name, slide=row["name"], problems=[])
    slide, plane, exact, common, tile, block, window = facts(row, config)
    network = load_network(config["model"]["card"])
    with h5py.File(run / "patches" / f"{row['name']}.h5") as file:
        mask = check_mask(report, file, slide, tile, common)
        framed, stored, frame, groups = check_patches(
            report, file, mask, plane, config, (tile, block, window), common)
    points, scores = check_scores(
        report, run, row["name"], mask, config, common, network.card["classes"], groups)

    def difference(pixels):
        corners = [[n * config["predict"]["stride"] - window // 2 + frame for n in point] for point in points]
        cut = [pixels[y:y + window, x:x + window] for y, x in corners]
        return float(abs(network.scores(cut) - scores).max())

    score_difference = difference(framed)
    report |= {
        "exact_plane": exact, "points_checked": len(points),
        "score_range": [float(scores.min()), float(scores.max())],
        "max_abs_score_difference": score_difference,
        "max_abs_score_difference_on_stored_pixels": score_difference if exact else difference(stored),
    }
    wrong = ("mask_tiles_unexplained", "points_misplaced", "heatmap_cells_differing")
    level = slide.coarsest(lambda downsample: downsample <= common["downsample"] * 1.01)
    report["interpolated"] = not slide.addressable(level)
    # OpenSlide versions round the interpolation of such levels differently.
    pixels_allowed = (1 if report["interpolated"] else 0) if exact else 2
    report["ok"] = bool(
        not report["problems"] and not any(report[name] for name in wrong)
        and report["max_pixel_difference"] <= pixels_allowed
        and report["max_abs_score_difference_on_stored_pixels"] <= 1e-4)
    return report


def main():
    reports = []
    for run in map(Path, sys.argv[1:]):
        config = tomllib.loads((run / "run.toml").read_text())
        with open(run / "slides.csv", newline="") as table:
            reports += [check(run, row, config) for row in csv.DictReader(table)]
    json.dump(reports, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
