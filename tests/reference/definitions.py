"""What the program is defined to compute, in Python: slide, working plane, tissue, network.

Used by pipeline.py. Nothing here is taken from the program; only these choices
that its documentation states are followed: which pyramid level a mean or a
resampling starts from, that a resampled pixel is Pillow's BILINEAR, and how
levels are read that OpenSlide cannot address pixel by pixel.
"""

import math
import tomllib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import openslide
from PIL import Image
from skimage.filters import threshold_otsu

Image.MAX_IMAGE_PIXELS = None


# Slide: pixels of its levels over white, its resolution.

def over_white(rgba):
    rgba = np.asarray(rgba).astype(np.int64)
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    return ((2 * (rgb * alpha + 255 * (255 - alpha)) + 255) // 510).astype(np.uint8)


def shrinkage(level0, level, stated):
    """Level-0 px per level px. OpenSlide states the ratio of the sizes; halving
    2301 px gives 1150 px which are 2 px wide each nonetheless, not 2.0009."""
    whole = round(stated)
    cut = all(n in (n0 // whole, -(-n0 // whole)) for n0, n in zip(level0, level))
    return float(whole) if cut else stated


class Slide:
    def __init__(self, path):
        if Path(path).suffix == ".png":
            self.file, self.um = None, None
            self.picture = over_white(Image.open(path).convert("RGBA"))
            self.levels = [(self.picture.shape[1], self.picture.shape[0], 1.0)]
            return
        self.file = openslide.OpenSlide(path)
        axes = [self.file.properties.get(f"openslide.mpp-{axis}") for axis in "xy"]
        self.um = None if None in axes else tuple(map(float, axes))
        sides = self.file.level_dimensions
        self.levels = [(*side, shrinkage(sides[0], side, stated))
                       for side, stated in zip(sides, self.file.level_downsamples)]

    @lru_cache(maxsize=None)
    def whole(self, level):
        """The whole level, u8 [row, col, rgb]."""
        if self.file is None:
            return self.picture
        return over_white(self.file.read_region((0, 0), level, self.levels[level][:2]))

    @lru_cache(maxsize=None)
    def pixels(self, level):
        """The whole level as regions of it are read. OpenSlide interpolates
        regions of levels that are not addressable, each by what its address is
        off; the program documents to read squares of 128 px there."""
        if self.addressable(level):
            return self.whole(level)
        pixels = self.whole(level).copy()
        scale = self.file.level_downsamples[level]
        for y in range(0, pixels.shape[0], 128):
            for x in range(0, pixels.shape[1], 128):
                address = round(x * scale), round(y * scale)
                square = over_white(self.file.read_region(address, level, (128, 128)))
                inside = pixels[y:y + 128, x:x + 128]
                inside[:] = square[:inside.shape[0], :inside.shape[1]]
        return pixels

    def addressable(self, level):
        """Whether each pixel of a level has an address: OpenSlide takes whole
        level-0 px and divides them by its own idea of the downsample."""
        return self.file is None or self.file.level_downsamples[level].is_integer()

    def coarsest(self, fine_enough):
        found = [n for n, level in enumerate(self.levels) if fine_enough(level[2])]
        return max(found, key=lambda n: self.levels[n][2], default=0)


@lru_cache(maxsize=None)
def open_slide(path):
    return Slide(path)


# Working plane: the slide at the model's resolution.

def triangle(count, scale, limit):
    """[count, limit] weights of a reducing triangle filter."""
    centre = (np.arange(count)[:, None] + 0.5) * scale
    weights = np.clip(1 - abs(np.arange(limit) + 0.5 - centre) / max(scale, 1), 0, None)
    weights[:, -1] += weights.sum(1) == 0  # an output pixel past the last centre
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def reduced(source, scale, width, height):
    """Pillow's BILINEAR; where a last pixel covers the source in part only,
    which Pillow's box cannot say, the same filter written out."""
    rows, cols = (triangle(n, scale, limit) for n, limit in zip((height, width), source.shape))
    plane = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        smooth = rows @ source[..., channel].astype(np.float32) @ cols.T
        plane[..., channel] = np.floor(smooth + 0.5)
    w, h = (min(n, int(limit / scale + 1e-9))
            for n, limit in ((width, source.shape[1]), (height, source.shape[0])))
    box = (0, 0, min(w * scale, source.shape[1]), min(h * scale, source.shape[0]))
    plane[:h, :w] = Image.fromarray(source).resize((w, h), Image.Resampling.BILINEAR, box=box)
    return plane


@lru_cache(maxsize=None)
def working_plane(path, downsample):
    """Pixels u8 [row, col, rgb], and whether they are a level's own."""
    slide = open_slide(path)
    width, height = (max(1, math.ceil(n / downsample - 1e-6)) for n in slide.levels[0][:2])
    level = slide.coarsest(lambda d: d <= 1.01 * downsample)
    scale = downsample / slide.levels[level][2]
    if abs(scale - 1) < 1e-7:
        plane = np.full((height, width, 3), 255, np.uint8)
        own = slide.pixels(level)[:height, :width]
        plane[:own.shape[0], :own.shape[1]] = own
        return plane, True
    return reduced(slide.pixels(level), scale, width, height), False


# Tissue.

def tile_means(pixels, side, rows, cols):
    """Mean colour of the pixels whose centres lie in each tile, half up."""
    def edges(count, limit):
        return [min(limit, math.ceil(n * side - 0.5)) for n in range(count + 1)]
    ys, xs = edges(rows, pixels.shape[0]), edges(cols, pixels.shape[1])
    means = np.empty((rows, cols, 3), np.uint8)
    for r in range(rows):
        for c in range(cols):
            y, x = min(ys[r], pixels.shape[0] - 1), min(xs[c], pixels.shape[1] - 1)
            tile = pixels[y:max(ys[r + 1], y + 1), x:max(xs[c + 1], x + 1)].reshape(-1, 3)
            total = tile.sum(0, dtype=np.int64)
            means[r, c] = (2 * total + len(tile)) // (2 * len(tile))
    return means


def otsu_hs(means):
    hue, saturation, _ = cv2.split(cv2.cvtColor(means, cv2.COLOR_RGB2HSV))
    least = int(threshold_otsu(hue)), int(threshold_otsu(saturation))
    return least, ((hue >= least[0]) & (saturation >= least[1])).astype(np.uint8)


def tissue(slide, tile, downsample, rows, cols, level):
    """Tile means of a level, thresholds and mask they give."""
    side = tile * downsample / slide.levels[level][2]
    means = tile_means(slide.pixels(level), side, rows, cols)
    return means, *otsu_hs(means)


# Model.

class Network:
    def __init__(self, path):
        card = tomllib.loads(Path(path).read_text())
        self.card, self.file = card, Path(path).parent / card["file"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(self.file), options, providers=["CPUExecutionProvider"])

    def prepared(self, windows):
        """u8 [n, row, col, rgb] to the network's input."""
        card, values = self.card, windows.astype(np.float32)
        values = values[..., ::-1] if card["channels"] == "bgr" else values
        values = {"unit": values / 255, "byte": values, "signed": values / 127.5 - 1}[card["range"]]
        values = (values - np.float32(card["mean"])) / np.float32(card["std"])
        values = values.transpose(0, 3, 1, 2) if card["layout"] == "nchw" else values
        return np.ascontiguousarray(values, np.float32)

    def scores(self, windows):
        """[n, classes]"""
        (given,), found = self.session.get_inputs(), []
        for start in range(0, len(windows), 64):
            batch = self.prepared(np.stack(windows[start:start + 64]))
            found.append(self.session.run(None, {given.name: batch})[0].reshape(len(batch), -1))
        raw = np.concatenate(found).astype(np.float64)
        if self.card["activation"] == "sigmoid":
            return 1 / (1 + np.exp(-raw))
        if self.card["activation"] == "softmax":
            raw = np.exp(raw - raw.max(1, keepdims=True))
            return raw / raw.sum(1, keepdims=True)
        return raw


@lru_cache(maxsize=None)
def load_network(path):
    return Network(path)
