"""Reference numbers for src/tissue, from OpenCV, scikit-image and SciPy.

    python tests/reference/tissue_reference.py [SLIDE_THUMBNAIL ...]

writes colours.json, otsu.json, morphology.json, methods.json and
coverage.json beside itself. Images named on the command line are added to the
Otsu cases as histograms and to the method cases as crops shrunk to a few
thousand pixels. Made with opencv 5.0.0, scikit-image 0.26.0, scipy 1.17.1,
numpy 2.4.6.
"""

import hashlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import closing, disk, remove_small_holes, remove_small_objects

HERE = Path(__file__).parent
RNG = np.random.default_rng(20231)


def write(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


def rows(array):
    """One string of 0/1 per row."""
    return ["".join("1" if v else "0" for v in row) for row in np.asarray(array)]


def colours():
    axis = np.arange(256, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(4096, 4096, 3)
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    pick = RNG.integers(0, 1 << 24, 300)
    table = np.concatenate(
        [rgb.reshape(-1, 3)[pick], hsv.reshape(-1, 3)[pick], grey.reshape(-1, 1)[pick]], 1)
    write("colours.json", {
        "order": "r slowest, b fastest; hsv interleaved",
        "hsv_sha256": hashlib.sha256(hsv.tobytes()).hexdigest(),
        "grey_sha256": hashlib.sha256(grey.tobytes()).hexdigest(),
        "samples": table.tolist(),
    })


def otsu_case(name, image):
    values, counts = np.unique(image, return_counts=True)
    return {"name": name, "threshold": int(threshold_otsu(image)),
            "histogram": [[int(v), int(n)] for v, n in zip(values, counts)]}


def otsu(images):
    cases = []
    for i in range(240):
        low, high = sorted(RNG.integers(0, 256, 2))
        size = int(RNG.choice([1, 2, 3, 5, 20, 300, 5000]))
        image = RNG.integers(low, high + 1, size, dtype=np.uint8)
        if i % 3 == 0:  # two populations
            centre = RNG.integers(0, 256, 2)[RNG.integers(0, 2, size)]
            image = np.clip(RNG.normal(centre, RNG.integers(1, 30)), 0, 255).astype(np.uint8)
        cases.append(otsu_case(f"random {i}", image.reshape(1, -1)))
    for name, image in images:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        for channel, letter in enumerate("HSV"):
            cases.append(otsu_case(f"{name} {letter}", hsv[..., channel]))
    write("otsu.json", cases)


def fill_enclosed_holes(mask, area):
    """Holes are 4-connected background that does not reach the border."""
    framed = np.pad(mask, area + 1)  # the outside is larger than any hole to fill
    filled = remove_small_holes(framed.astype(bool), max_size=area, connectivity=1)
    return filled[area + 1:-area - 1, area + 1:-area - 1]


def morphology():
    cases = []
    for i in range(24):
        shape = tuple(RNG.integers(1, 28, 2))
        mask = (RNG.random(shape) < RNG.choice([0.15, 0.35, 0.6, 0.8])).astype(np.uint8)
        side, area = int(RNG.choice([1, 3, 5, 7])), int(RNG.integers(1, 12))
        square = np.ones((side, side), np.uint8)
        closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, square)
        assert (closed == closing(mask, square, mode="ignore")).all()
        disc = closing(mask, disk(side // 2), mode="ignore")
        everything = ndimage.binary_fill_holes(mask)
        assert (everything == fill_enclosed_holes(mask, mask.size)).all()
        grey = RNG.integers(0, 256, shape, dtype=np.uint8)
        cases.append({
            "mask": rows(mask), "side": side, "area": area,
            "closed_square": rows(closed), "closed_disc": rows(disc),
            # max_size is the largest that goes: an area below `area` goes.
            "min_area": rows(remove_small_objects(mask.astype(bool), max_size=area - 1, connectivity=2)),
            "filled": rows(fill_enclosed_holes(mask, area)), "filled_all": rows(everything),
            "grey": grey.tolist(),
            "median": cv2.medianBlur(grey, side).tolist() if side > 1 else grey.tolist(),
        })
    write("morphology.json", cases)


def original_mask(image):
    """The published code: Otsu on H and S, inRange, no clean-up."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    low = np.array((threshold_otsu(hsv[..., 0]), threshold_otsu(hsv[..., 1]), 0), np.uint8)
    return low, cv2.inRange(hsv, low, np.array((180, 255, 255), np.uint8)) // 255


def methods(images):
    cases = []
    for name, image in images:
        height, width = image.shape[:2]
        scale = min(1.0, 56 / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        low, mask = original_mask(small)
        hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
        blurred = cv2.medianBlur(hsv[..., 1], 7)
        # CLAM's and WSInfer's recipe: saturation, median 7, fixed threshold, close, areas.
        clam = cv2.morphologyEx((blurred >= 8).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        clam = remove_small_objects(clam.astype(bool), max_size=9, connectivity=2)
        clam = fill_enclosed_holes(clam, 6)
        cases.append({
            "name": name, "rows": size[1], "cols": size[0], "rgb": small.tobytes().hex(),
            "hue": int(low[0]), "saturation": int(low[1]), "otsu_hs": rows(mask),
            "otsu_s": rows(hsv[..., 1] >= low[1]),
            "grey_200": rows(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) <= 200),
            "cleaned": rows(clam),
        })
    write("methods.json", cases)


def overlap(cells, extent, count):
    """[count, cells]: length of each cell inside each unit tile, in cells."""
    edges = np.arange(cells + 1) * extent / cells
    left = np.maximum(edges[None, :-1], np.arange(count)[:, None])
    right = np.minimum(edges[None, 1:], np.arange(count)[:, None] + 1)
    return np.clip(right - left, 0, None)


def coverage():
    cases = []
    for _ in range(12):
        shape = RNG.integers(1, 40, 2)
        mask = (RNG.random(tuple(shape)) < 0.5).astype(np.uint8)
        extent = RNG.uniform(0.2, 12, 2)
        tiles = np.ceil(extent).astype(int)
        down, across = (overlap(int(shape[i]), extent[i], int(tiles[i])) for i in (0, 1))
        covered = down @ mask @ across.T / (down.sum(1)[:, None] * across.sum(1)[None, :])
        cases.append({"mask": rows(mask), "extent": extent.tolist(), "covered": covered.tolist()})
    write("coverage.json", cases)


def synthetic():
    """Pink noise blobs on a nearly white ground: a thumbnail anybody may have."""
    blob = ndimage.gaussian_filter(RNG.normal(size=(48, 40)), 4)
    tissue = blob > np.quantile(blob, 0.7)
    image = np.where(tissue[..., None], (190, 120, 170), (243, 241, 244))
    return np.clip(image + RNG.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    named = [("synthetic", synthetic())]
    for argument in sys.argv[1:]:
        rgba = cv2.imread(argument, cv2.IMREAD_UNCHANGED)
        if rgba.shape[2] == 4:
            alpha = rgba[..., 3:] / 255
            rgba = np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
        named.append((Path(argument).stem, cv2.cvtColor(rgba, cv2.COLOR_BGR2RGB)))
    colours()
    otsu(named)
    morphology()
    methods(named)
    coverage()
