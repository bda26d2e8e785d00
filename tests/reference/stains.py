"""Stain normalisation a second time, for tests/it/normalize.

    python tests/reference/stains.py FOLDER

FOLDER holds template.png, pictures NAME.png and what slidegrid made of each,
NAME.METHOD.png, by its own estimate; and colours.png with colours.lab.json and
colours.standard.png. Prints a JSON report: for each picture and method, the
share of pixels that lie within one grey level of the reference in every
channel, and the angles between the stains found.

Macenko and Reinhard: torchstain's NumPy back end. Vahadane: as StainTools, with
OpenCV, and scikit-learn's dictionary learning carried on by scipy. L*a*b*: scikit-image.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.optimize import minimize
from skimage import color
from sklearn.decomposition import DictionaryLearning
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer, NumpyReinhardNormalizer


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def standardized(rgb, percentile=95):
    """StainTools' LuminosityStandardizer."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    light = lab[..., 0].astype(float)
    lab[..., 0] = np.clip(255 * light / np.percentile(light, percentile), 0, 255).astype(np.uint8)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def density(rgb):
    return np.maximum(-np.log(np.maximum(rgb, 1) / 255), 1e-6).reshape(-1, 3)


class Vahadane:
    """StainTools' StainNormalizer("vahadane") after its LuminosityStandardizer.

    spams.trainDL stops after a second wherever it is; scikit-learn goes on to
    the same minimum. Its time grows with the pixels: it gets SAMPLE of them,
    and scipy goes on from there with all.
    """

    SAMPLE = 1500

    def stains(self, standard):
        tissue = (cv2.cvtColor(standard, cv2.COLOR_RGB2LAB)[..., 0] / 255 < 0.8).reshape(-1)
        pixels = density(standard)[tissue]
        found = self.refined(pixels, self.learned(np.random.default_rng(0).permutation(pixels)[: self.SAMPLE]))
        return found if found[0, 0] > found[1, 0] else found[[1, 0]]

    @staticmethod
    def learned(pixels):
        start = np.array([[0.55, 0.75, 0.35], [0.2, 0.9, 0.3]])
        learned = DictionaryLearning(
            n_components=2,
            alpha=0.1,
            max_iter=300,
            tol=1e-9,
            fit_algorithm="cd",
            positive_code=True,
            positive_dict=True,
            dict_init=start / np.linalg.norm(start, axis=1, keepdims=True),
            code_init=np.full((len(pixels), 2), 0.5),
            random_state=0,
        ).fit(pixels)
        return learned.components_

    def refined(self, pixels, start, penalty=0.1):
        """Minimises the dictionary's cost over unit vectors in the positive octant."""

        def cost(flat):
            length = np.linalg.norm(flat.reshape(2, 3), axis=1, keepdims=True)
            stains = flat.reshape(2, 3) / length
            amounts = self.lasso(pixels, stains, penalty)
            rest = pixels - amounts @ stains
            value = (0.5 * (rest**2).sum() + penalty * amounts.sum()) / len(pixels)
            slope = -amounts.T @ rest / len(pixels)
            slope -= (slope * stains).sum(axis=1, keepdims=True) * stains
            return value, (slope / length).reshape(-1)

        found = minimize(
            cost, start.reshape(-1), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 6, options={"gtol": 1e-8, "ftol": 1e-14}
        )
        stains = found.x.reshape(2, 3)
        return stains / np.linalg.norm(stains, axis=1, keepdims=True)

    def amounts(self, standard, stains):
        return self.lasso(density(standard), stains, 0.01)

    @staticmethod
    def lasso(pixels, stains, penalty):
        """min |x - a S|^2 / 2 + penalty sum(a), a >= 0, by coordinate descent."""
        gram, corr = stains @ stains.T, pixels @ stains.T - penalty
        amounts = np.zeros_like(corr)
        for _ in range(300):
            before = amounts.copy()
            for k in (0, 1):
                rest = corr[:, k] - gram[k, 1 - k] * amounts[:, 1 - k]
                amounts[:, k] = np.maximum(rest / gram[k, k], 0)
            if np.abs(amounts - before).max() < 1e-9:
                break
        return amounts

    def measure(self, rgb):
        standard = standardized(rgb)
        stains = self.stains(standard)
        amounts = self.amounts(standard, stains)
        return stains, amounts, np.percentile(amounts, 99, axis=0)

    def fit(self, rgb):
        self.target, _, self.strength = self.measure(rgb)

    def normalize(self, rgb):
        self.source, amounts, strength = self.measure(rgb)
        amounts *= self.strength / strength
        return (255 * np.exp(-amounts @ self.target)).reshape(rgb.shape).astype(np.uint8)


class Macenko:
    def fit(self, rgb):
        self.normalizer = NumpyMacenkoNormalizer()
        self.normalizer.fit(rgb)

    def normalize(self, rgb):
        own = NumpyMacenkoNormalizer()
        own.fit(rgb)
        self.source = own.HERef.T
        return self.normalizer.normalize(rgb, stains=False)[0]


class Reinhard:
    source = None

    def fit(self, rgb):
        self.normalizer = NumpyReinhardNormalizer()
        self.normalizer.fit(rgb)

    def normalize(self, rgb):
        return self.normalizer.normalize(rgb)


def degrees(a, b):
    cosine = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def compare(folder, case, reference):
    name, method = case["name"], case["method"]
    expected = reference.normalize(read(folder / f"{name}.png"))
    found = read(folder / f"{name}.{method}.png")
    worst = np.abs(expected.astype(int) - found.astype(int)).max(axis=-1)
    angles = []
    if reference.source is not None:
        angles = [degrees(np.array(a), b) for a, b in zip(case["stains"], reference.source)]
    return {
        "name": name,
        "method": method,
        "within_one": float((worst <= 1).mean()),
        "mean": float(worst.mean()),
        "worst": int(worst.max()),
        "angles_deg": angles,
    }


def compare_colours(folder):
    rgb = read(folder / "colours.png")
    stored = json.loads((folder / "colours.lab.json").read_text())
    lab = np.array(stored["lab"]).reshape(-1, 3)
    expected = color.rgb2lab(rgb).reshape(-1, 3)
    back = np.array(stored["back"]).reshape(-1, 3)
    standard = read(folder / "colours.standard.png").astype(int)
    difference = np.abs(standard - standardized(rgb).astype(int))
    return {
        "lab": float(np.abs(lab - expected).max()),
        "back": float(np.abs(back - color.lab2rgb(expected)).max()),
        "standard_within_one": float((difference <= 1).mean()),
        "standard_differing": float((difference > 0).mean()),
    }


def main():
    folder = Path(sys.argv[1])
    cases = json.loads((folder / "cases.json").read_text())
    references = {"macenko": Macenko(), "reinhard": Reinhard(), "vahadane": Vahadane()}
    for reference in references.values():
        reference.fit(read(folder / "template.png"))
    report = [compare(folder, case, references[case["method"]]) for case in cases]
    print(json.dumps({"cases": report, "colours": compare_colours(folder)}))


if __name__ == "__main__":
    main()
