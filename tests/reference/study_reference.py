"""Reference numbers for src/metrics, from scikit-image, SciPy, scikit-learn and MONAI.

    python tests/reference/study_reference.py MONAI_DIR

writes study.json beside itself. MONAI_DIR is an unpacked monai wheel (`pip
download --no-deps monai`): its own files metrics/froc.py, apps/pathology/utils.py
and the class ProbNMS of transforms/post/array.py are run as they are. They are
loaded alone, with an empty stand-in for torch, of which they only ask whether an
array is one of its tensors: all their arithmetic is NumPy's.
Made with monai 1.6.1, scikit-image 0.26.0, scikit-learn 1.9.1, scipy 1.17.1,
numpy 2.4.6.
"""

import ast
import json
import sys
import types
import warnings
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.measure import grid_points_in_poly, label, regionprops
from skimage.segmentation import clear_border
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score, jaccard_score, roc_auc_score

HERE = Path(__file__).parent
RNG = np.random.default_rng(16)


def monai_parts(root):
    """MONAI's functions, from its files."""
    root = Path(root) / "monai"

    class Tensor:
        pass

    torch = types.ModuleType("torch")
    torch.Tensor = Tensor
    sys.modules["torch"] = torch
    for name in ("monai", "monai.transforms", "monai.transforms.post", "monai.transforms.post.array", "monai.utils", "monai.config"):
        sys.modules[name] = types.ModuleType(name)

    def optional_import(name):
        module = __import__(name, fromlist=["_"])
        return module, True

    sys.modules["monai.utils"].optional_import = optional_import
    sys.modules["monai.config"].NdarrayOrTensor = object

    array = (root / "transforms/post/array.py").read_text()
    nms = next(n for n in ast.parse(array).body if isinstance(n, ast.ClassDef) and n.name == "ProbNMS")
    nms.bases = []
    nms.body = [n for n in nms.body if not isinstance(n, ast.Assign)]
    scope = {"np": np, "torch": torch, "unravel_index": np.unravel_index}
    code = "from __future__ import annotations\n" + ast.unparse(nms)
    exec(compile(code, "ProbNMS", "exec"), scope)
    sys.modules["monai.transforms.post.array"].ProbNMS = scope["ProbNMS"]

    parts = {}
    for file in ("metrics/froc.py", "apps/pathology/utils.py"):
        exec(compile((root / file).read_text(), file, "exec"), parts)
    parts["ProbNMS"] = scope["ProbNMS"]
    return types.SimpleNamespace(**{k: v for k, v in parts.items() if not k.startswith("__")})


def rows(mask):
    return ["".join("1" if v else "0" for v in row) for row in np.asarray(mask)]


def runs(mask):
    """Rows of start-end,start-end, joined by semicolons; ends excluded."""
    out = []
    for row in np.asarray(mask, int):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
        out.append(",".join(f"{a}-{b}" for a, b in edges.reshape(-1, 2)))
    return ";".join(out)


def blobs(shape, sigma, share):
    field = ndimage.gaussian_filter(RNG.normal(size=shape), sigma)
    return field > np.quantile(field, 1 - share)


def region_cases():
    masks = [RNG.random((9, 11)) < p for p in (0.1, 0.3, 0.5, 0.8)]
    masks += [blobs((24, 31), s, p) for s in (0.7, 1.5, 3) for p in (0.2, 0.4, 0.6)]
    ring = np.zeros((15, 15), bool)
    ring[2:12, 3:13] = True
    ring[5:8, 6:9] = False
    ring[0, 0] = True
    masks += [ring, np.eye(9, dtype=bool), np.fliplr(np.eye(8, dtype=bool)), np.ones((1, 7), bool)]
    cases = []
    for mask in masks:
        labels = label(mask, connectivity=2)
        regions = []
        for region in regionprops(labels):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                regions.append({
                    "area": int(region.area), "bbox": [int(v) for v in region.bbox],
                    "centroid": [float(v) for v in region.centroid],
                    "eccentricity": float(region.eccentricity),
                    "major_axis": float(region.axis_major_length),
                    "convex_area": int(region.area_convex), "extent": float(region.extent),
                    "solidity": float(region.solidity),
                })
        cases.append({
            "mask": rows(mask), "regions": regions, "labels": labels.tolist(),
            "filled": rows(ndimage.binary_fill_holes(mask)), "inside": rows(clear_border(mask)),
        })
    return cases


def pipeline_features(heatmap, tissue, threshold, clear):
    """The features as the paper's script takes them (features of a region
    that does not exist: 0, and the shares whether or not there is a region)."""
    shares = [(heatmap > t).sum() / tissue for t in (0.5, 0.6, 0.7, 0.8, 0.9)]
    sums = [np.clip(heatmap - t, 0, None).sum() / tissue for t in (0.5, 0.6, 0.7, 0.8, 0.9)]
    mask = heatmap > threshold
    if clear:
        mask = clear_border(mask)
    regions = regionprops(label(mask), intensity_image=heatmap)
    local = []
    largest = second = None
    for region in regions:
        if largest is None or region.area > largest.area:
            largest = region
    for region in regions:
        if region.area < largest.area and (second is None or region.area > second.area):
            second = region
    for region in (largest, second):
        if region is None:
            local += [0.0] * 10
            continue
        r0, c0, r1, c1 = region.bbox
        local += [region.area, region.eccentricity, region.extent, region.area_bbox,
                  region.axis_major_length, region.intensity_max, region.intensity_min,
                  region.intensity_mean, (r1 - r0) / (c1 - c0), region.solidity]
    return [float(v) for v in shares + sums + local]


def heatmaps():
    yield np.zeros((12, 13))
    yield np.full((12, 13), 0.25)
    yield np.ones((5, 6))
    for sigma in (0.6, 1.2, 2.5, 4):
        for _ in range(3):
            field = ndimage.gaussian_filter(RNG.normal(size=(40, 33)), sigma)
            field = (field - field.min()) / (field.max() - field.min())
            yield field


def feature_cases():
    cases = []
    for field in heatmaps():
        levels = np.rint(field * 64).astype(int)
        # As the heatmaps are: f32.
        heatmap = (levels / 64).astype(np.float32).astype(np.float64)
        tissue = int(heatmap.size // 2)
        taken = [
            {"threshold": t, "clear": c, "features": pipeline_features(heatmap, tissue, t, c)}
            for t in (0.5, 0.6, 0.9) for c in (False, True)
        ]
        cases.append({"levels": levels.tolist(), "tissue": tissue, "taken": taken})
    return cases


def disc(mask, y, x, radius):
    yy, xx = np.mgrid[: mask.shape[0], : mask.shape[1]]
    mask |= (yy - y) ** 2 + (xx - x) ** 2 <= radius**2


LEVEL, SPACING = 5, 0.243


def froc_slides(monai, kind):
    """Masks at level 5 and detections, level-0 px."""
    slides = []
    for number in range(6):
        mask = np.zeros((150, 170), bool)
        if kind != "no-hits" and number % 3 == 2:
            # Normal, in the middle one without detections at all.
            pass
        elif kind == "touching":
            disc(mask, 60, 50, 20)
            disc(mask, 60, 50 + 20 * 2 + 5 + number * 4, 20)
            disc(mask, 120, 120, 15)
        elif kind == "itc":
            for i, radius in enumerate((3, 9, 12, 13, 14, 22)):
                disc(mask, 30 + 80 * (i // 3), 25 + 55 * (i % 3), radius + number % 2)
        elif kind == "holes":
            disc(mask, 70, 80, 45)
            hole = np.zeros_like(mask)
            disc(hole, 70, 80, 25)
            mask &= ~hole
        else:
            mask = blobs(mask.shape, 7, 0.25)
        count = 0 if number == 5 else int(RNG.integers(4, 30))
        y, x = RNG.integers(0, 150 * 32, count), RNG.integers(0, 170 * 32, count)
        if kind == "no-hits":
            y, x = y[:0], x[:0]
        # 64ths: the same number as f32, which MONAI makes of lesions' scores.
        score = RNG.integers(1, 65, len(y)) / 64
        if kind == "ties":
            score = RNG.integers(1, 4, len(y)) / 4
        slides.append((mask, score, x, y))
    return slides


def froc_cases(monai):
    cases = []
    for kind in ("touching", "itc", "holes", "blobs", "ties", "no-hits"):
        fp_all, tp_all, targets, described = [], [], 0, []
        slides = froc_slides(monai, kind)
        for mask, score, x, y in slides:
            spacing = SPACING * 2**LEVEL
            fp, tp, found, lesions = list(score), [], 0, []
            if mask.any():
                labels = monai.compute_multi_instance_mask(mask.astype(int), 75 / (spacing * 2))
                itc = monai.compute_isolated_tumor_cells(labels, (200 + 75) / spacing)
                fp, tp, found = monai.compute_fp_tp_probs(
                    score, y, x, labels, labels_to_exclude=itc, resolution_level=LEVEL)
                axes = [float(r.axis_major_length) * spacing for r in regionprops(labels)]
                lesions = [{"axis_um": a, "itc": i + 1 in itc} for i, a in enumerate(axes)]
            fp_all += list(fp)
            tp_all += list(tp)
            targets += found
            described.append({
                "size": mask.shape, "runs": runs(mask), "score": score.tolist(), "x": x.tolist(), "y": y.tolist(),
                "lesions": lesions, "false_positives": len(fp), "to_find": int(found),
            })
        fps, sens = monai.compute_froc_curve_data(
            np.array(fp_all), np.array(tp_all), targets, len(slides))
        cases.append({
            "kind": kind, "slides": described, "fps": fps.tolist(), "sensitivity": sens.tolist(),
            "score": float(monai.compute_froc_score(fps, sens)),
        })
    return cases


def nms_cases(monai):
    cases = []
    for sigma in (0, 1, 2):
        for box in (2, 6, 10):
            field = RNG.normal(size=(25, 31))
            field = ndimage.gaussian_filter(field, sigma) if sigma else field
            levels = np.rint(64 * (field - field.min()) / (field.max() - field.min())).astype(int)
            found = monai.ProbNMS(prob_threshold=0.5, box_size=box)(levels / 64)
            cases.append({
                "levels": levels.tolist(), "radius": box // 2,
                "detections": [[float(s), int(y), int(x)] for s, y, x in found],
            })
    return cases


def paper_variance(x):
    """script_auc.R: kernel over negatives (rows) and positives (columns)."""
    n, m = x.shape
    msa = m * x.mean(1).var(ddof=1)
    msb = n * x.mean(0).var(ddof=1)
    mst = x.var(ddof=1)
    ev = ((n * m - 1) * mst - (n - 1) * msa - (m - 1) * msb) / ((n - 1) * (m - 1))
    return (msa + msb - ev) / (m * n)


def delong_covariance(truth, readings):
    """DeLong et al. 1988, by placement values."""
    v10, v01 = [], []
    for scores in readings:
        p, q = scores[truth], scores[~truth]
        kernel = (p[:, None] > q[None]) + 0.5 * (p[:, None] == q[None])
        v10.append(kernel.mean(1))
        v01.append(kernel.mean(0))
    return np.cov(v10) / truth.sum() + np.cov(v01) / (~truth).sum()


def auc_cases():
    cases = []
    for n, levels in ((12, 5), (40, 8), (129, 50), (129, 3)):
        truth = RNG.random(n) < 0.4
        truth[:4] = [True, True, False, False]
        readings = [np.rint(levels * (RNG.random(n) + shift * truth)) / levels for shift in (0.6, 0.3)]
        kernels = [0.5 * (np.sign(r[truth][None] - r[~truth][:, None]) + 1) for r in readings]
        covariance = delong_covariance(truth, readings)
        cases.append({
            "truth": truth.astype(int).tolist(), "readings": [r.tolist() for r in readings],
            "auc": [float(roc_auc_score(truth, r)) for r in readings],
            "sd": [float(np.sqrt(paper_variance(k))) for k in kernels],
            "delong_sd": [float(np.sqrt(covariance[i, i])) for i in range(2)],
            "difference_sd": float(np.sqrt(paper_variance(kernels[0] - kernels[1]))),
            "difference_delong_sd": float(np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])),
        })
    return cases


def overlap_cases():
    cases = []
    for _ in range(4):
        truth = blobs((14, 17), 2, 0.3)
        levels = RNG.integers(0, 65, truth.shape)
        levels[truth] = np.minimum(64, levels[truth] + 20)
        thresholds = [0.25, 0.5, 0.75, 0.9375]
        predicted = [(levels / 64 >= t).ravel() for t in thresholds]
        labels, drawn = RNG.integers(0, 4, (2, 14, 17))
        cases.append({
            "truth": rows(truth), "levels": levels.tolist(), "thresholds": thresholds,
            "dice": [float(f1_score(truth.ravel(), p)) for p in predicted],
            "iou": [float(jaccard_score(truth.ravel(), p)) for p in predicted],
            "labels": labels.tolist(), "drawn": drawn.tolist(),
            "class_dice": f1_score(drawn.ravel(), labels.ravel(), average=None).tolist(),
            "class_iou": jaccard_score(drawn.ravel(), labels.ravel(), average=None).tolist(),
        })
    return cases


def raster_cases():
    cases = []
    for count in (3, 4, 7, 12, 30):
        ring = RNG.random((count, 2)) * [60, 44] - [5, 2]
        # Pixel (r, c) is sampled at (r + 1/2, c + 1/2); skimage wants (row, col).
        inside = grid_points_in_poly((40, 50), ring[:, ::-1] - 0.5)
        cases.append({"ring": ring.tolist(), "mask": rows(inside)})
    return cases


def forest_case():
    def slides(n):
        truth = RNG.random(n) < 0.5
        x = RNG.normal(size=(n, 30))
        x[:, :12] += 0.7 * truth[:, None]
        return x, truth

    (x, truth), (other, other_truth) = slides(120), slides(80)
    rng_scores = []
    for seed in (1, 2):
        forest = RandomForestClassifier(300, max_depth=20, max_features=10, random_state=seed)
        rng_scores.append(forest.fit(x, truth).predict_proba(other)[:, 1])
    return {
        "train": np.round(x, 6).tolist(), "truth": truth.astype(int).tolist(),
        "test": np.round(other, 6).tolist(), "test_truth": other_truth.astype(int).tolist(),
        "scores": rng_scores[0].tolist(), "other_seed": rng_scores[1].tolist(),
    }


if __name__ == "__main__":
    monai = monai_parts(sys.argv[1])
    text = json.dumps({
        "regions": region_cases(), "features": feature_cases(), "froc": froc_cases(monai),
        "nms": nms_cases(monai), "auc": auc_cases(), "overlap": overlap_cases(),
        "raster": raster_cases(), "forest": forest_case(),
    }, separators=(",", ":"))
    (HERE / "study.json").write_text(text + "\n")
