"""Features, detections and FROC with scikit-image and SciPy: the program one
would write, after the published scripts of the challenge and of the paper.

    study.py make DIR SIDE     a heatmap SIDE x SIDE (.npy) and its truth (.png)
    study.py run DIR           measures them; prints results and CPU seconds as JSON

Importing the libraries is not counted.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.measure import label, regionprops

# um per point: stride 16 at 0.25.
SPACING = 4.0
# Pictures of 6,000 px are no bombs.
Image.MAX_IMAGE_PIXELS = None


def make(folder, side):
    """Smooth lesions and specks, on tissue that covers a disc."""
    rng = np.random.default_rng(7)
    small = ndimage.zoom(rng.normal(size=(side // 100 + 4,) * 2), 100, order=1)[:side, :side]
    fine = ndimage.gaussian_filter(rng.normal(size=(side, side)).astype(np.float32), 2)
    truth = small > np.quantile(small[::7, ::7], 0.97)
    score = 0.55 * ndimage.gaussian_filter(truth.astype(np.float32), 3) + 0.25 + 1.3 * fine
    score = np.clip(score, 0, 1).astype(np.float32)
    yy, xx = np.ogrid[:side, :side]
    outside = (yy - side / 2) ** 2 + (xx - side / 2) ** 2 > (0.48 * side) ** 2
    score[outside] = 0
    truth[outside] = False
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "slide.npy", score)
    Image.fromarray(truth.astype(np.uint8) * 255).save(folder / "slide.png")


def features(heatmap, tissue):
    values = [(heatmap > t).sum() / tissue for t in (0.5, 0.6, 0.7, 0.8, 0.9)]
    values += [np.clip(heatmap - t, 0, None).sum() / tissue for t in (0.5, 0.6, 0.7, 0.8, 0.9)]
    regions = regionprops(label(heatmap > 0.5), intensity_image=heatmap)
    areas = np.array([region.area for region in regions])
    largest = int(areas.argmax())
    smaller = np.where(areas < areas[largest], areas, -1)
    for region in (regions[largest], regions[int(smaller.argmax())]):
        r0, c0, r1, c1 = region.bbox
        values += [region.area, region.eccentricity, region.extent, region.area_bbox,
                   region.axis_major_length, region.intensity_max, region.intensity_min,
                   region.intensity_mean, (r1 - r0) / (c1 - c0), region.solidity]
    return [float(v) for v in values]


def detections(heatmap):
    regions = regionprops(label(heatmap > 0.9), intensity_image=heatmap)
    return [(float(r.intensity_mean), *map(float, r.centroid)) for r in regions]


def froc(found, truth):
    distance = ndimage.distance_transform_edt(255 - truth)
    filled = ndimage.binary_fill_holes(distance < 75 / (SPACING * 2))
    labels = label(filled, connectivity=2)
    itc = {r.label for r in regionprops(labels) if r.axis_major_length < 275 / SPACING}
    lesions = np.zeros(labels.max())
    false_positives = []
    for score, y, x in found:
        # Detections are written as whole level-0 px, 16 to a point.
        hit = labels[round(y * 16) // 16, round(x * 16) // 16]
        if hit == 0:
            false_positives.append(score)
        elif hit not in itc:
            lesions[hit - 1] = max(lesions[hit - 1], score)
    false_positives = np.array(false_positives)
    thresholds = np.unique(np.concatenate([false_positives, lesions]))[1:]
    fps = [(false_positives >= t).sum() for t in thresholds] + [0]
    sens = [(lesions >= t).sum() / (len(lesions) - len(itc)) for t in thresholds] + [0]
    score = np.mean(np.interp((0.25, 0.5, 1, 2, 4, 8), fps[::-1], sens[::-1]))
    return {"score": float(score), "lesions": len(lesions) - len(itc),
            "false_positives": len(false_positives)}


def run(folder):
    times = {}

    def timed(name, work):
        start = time.process_time()
        value = work()
        times[name] = time.process_time() - start
        return value

    heatmap = timed("load", lambda: np.load(folder / "slide.npy"))
    values = timed("features", lambda: features(heatmap, heatmap.size))
    found = timed("detect", lambda: detections(heatmap))
    truth = timed("load truth", lambda: np.asarray(Image.open(folder / "slide.png")))
    curve = timed("froc", lambda: froc(found, truth))
    print(json.dumps({"cpu_s": times, "features": values, "froc": curve}))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        run(Path(sys.argv[2]))
