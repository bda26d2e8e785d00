"""Judges the tissue that a run found, by what was drawn.

    tissue_judge.py RUN --synth DIR         slides of `slidegrid synth --out DIR`
    tissue_judge.py RUN --outlines FOLDER   pictures outlined by hand, FOLDER/<slide>.geojson
    tissue_judge.py RUN ... --only NAME     that slide; may be given again

RUN is a run directory whose slides are split: RUN/slides.csv names them, and of
RUN/patches/<slide>.h5 the tile mask `/tissue` and where the tiles lie are read. A line
per slide:

    tissue   share of the tissue's area that lies in tissue tiles, fat apart   at least 0.98
    fat      the same of fat: told, not judged
    lesion   least share of a lesion's area in tissue tiles                    at least 0.90
    empty    share of the tissue tiles that hold neither tissue nor fat        below 0.05

The bar holds for each slide. Exit 0: all pass; 1: one does not; 2: something is missing.

Truth. `--synth`: DIR/tissue/<slide>.png, a pixel per 16 x 16 px of level 0, 255 tissue, 128
fat, 0 glass; lesions from DIR/truth/<slide>.xml (ASAP), group `_2` is cut out. `--outlines`:
polygons in level-0 px, `properties.classification.name` one of `tissue`, `fat`, `uncertain`
(may be either: a tile on it is not empty, its area is not judged), `lesion`; anything else
(`pen`, `edge`, `dust`) is no tissue. Where they overlap, uncertain wins over tissue and
tissue over fat; within `uncertain_px` of a tissue's edge all is uncertain. A file without
tissue says that a slide has none: then no tile may be marked but on what is uncertain.

Areas are exact, of pixels and polygons as they are laid over the tiles.
"""

import argparse
import csv
import json
import os
import sys
import xml.etree.ElementTree as ElementTree

import h5py
import numpy as np
import shapely
from PIL import Image

MIN_TISSUE = 0.98
MIN_LESION = 0.90
MAX_EMPTY = 0.05

TISSUE, FAT, UNCERTAIN = "tissue", "fat", "uncertain"


class Missing(Exception):
    """Something that is needed is not there."""


class Tiles:
    """The tile mask of one slide, and where its tiles lie at level 0."""

    def __init__(self, path):
        with h5py.File(path, "r") as file:
            attributes = file.attrs
            self.mask = file["tissue"][()] != 0
            self.size = (int(attributes["level0_width"]), int(attributes["level0_height"]))
            self.side = float(attributes["tile"]) * float(attributes["downsample"])
            self.method = attributes["tissue_method"]
        rows, columns = self.mask.shape
        found = (np.ceil(self.size[1] / self.side - 0.01), np.ceil(self.size[0] / self.side - 0.01))
        if abs(found[0] - rows) > 1 or abs(found[1] - columns) > 1:
            raise Missing(f"{path}: {rows} x {columns} tiles of {self.side} px do not cover {self.size}")

    def box(self, row, column):
        """One tile as a rectangle, level-0 px."""
        left, top = column * self.side, row * self.side
        return shapely.box(left, top, left + self.side, top + self.side)

    def areas(self, marked, pixel):
        """Area of the true pixels of `marked` in every tile, in pixels of it. A pixel is
        `pixel` level-0 px wide and high; it counts in each tile by its overlap."""
        along = [
            overlaps(tiles, self.side, pixels, pixel)
            for tiles, pixels in zip(self.mask.shape, marked.shape)
        ]
        return along[0] @ marked.astype(float) @ along[1].T

    def areas_of(self, shape):
        """Area of a shape in every tile."""
        area = np.zeros(self.mask.shape)
        rows, columns = area.shape
        for row in range(rows):
            # A row first: what a tile is cut out of is then small.
            band = shapely.box(0, row * self.side, columns * self.side, (row + 1) * self.side)
            of_row = shape.intersection(band)
            if not of_row.is_empty:
                boxes = [self.box(row, column) for column in range(columns)]
                area[row] = shapely.area(shapely.intersection(of_row, boxes))
        return area


def overlaps(tiles, side, pixels, pixel):
    """[tiles, pixels]: which part of a pixel's length lies in a tile."""
    tile_from = np.arange(tiles)[:, None] * side
    pixel_from = np.arange(pixels)[None, :] * pixel
    low = np.maximum(tile_from, pixel_from)
    high = np.minimum(tile_from + side, pixel_from + pixel)
    return np.clip(high - low, 0, None) / pixel


def asap_lesions(path):
    """The lesions of an ASAP file, exclusions cut out."""
    shapes, cut = [], []
    for annotation in ElementTree.parse(path).getroot().iter("Annotation"):
        points = [
            (int(point.get("Order")), float(point.get("X")), float(point.get("Y")))
            for point in annotation.iter("Coordinate")
        ]
        shape = shapely.make_valid(shapely.Polygon([point[1:] for point in sorted(points)]))
        excluded = annotation.get("PartOfGroup") in ("_2", "Exclusion", "None")
        (cut if excluded else shapes).append(shape)
    holes = shapely.union_all(cut)
    return [shape.difference(holes) for shape in shapes]


def synth_truth(folder, name, tiles):
    """(tissue, fat, uncertain as areas per tile, lesions) of a synthetic slide."""
    path = os.path.join(folder, "tissue", f"{name}.png")
    if not os.path.exists(path):
        raise Missing(f"{path}: no tissue map; `slidegrid synth` with the same settings adds it")
    truth = np.asarray(Image.open(path))
    expected = tuple(-(-side // 16) for side in reversed(tiles.size))
    if truth.shape != expected or not set(np.unique(truth)) <= {0, 128, 255}:
        raise Missing(f"{path}: {truth.shape} px, expected {expected} px of 0, 128 and 255")
    tissue, fat = tiles.areas(truth == 255, 16), tiles.areas(truth == 128, 16)
    xml = os.path.join(folder, "truth", f"{name}.xml")
    lesions = asap_lesions(xml) if os.path.exists(xml) else []
    return tissue, fat, np.zeros_like(tissue), lesions


def outlines(path):
    """Shapes by class of a GeoJSON file, level-0 px, and how exact its edges are, px."""
    with open(path) as file:
        collection = json.load(file)
    shapes = {}
    for feature in collection["features"]:
        name = feature["properties"]["classification"]["name"]
        shape = shapely.make_valid(shapely.geometry.shape(feature["geometry"]))
        shapes.setdefault(name, []).append(shape)
    return shapes, collection["uncertain_px"]


def outlined_truth(path, tiles):
    """As `synth_truth`, of a picture outlined by hand."""
    shapes, band_px = outlines(path)
    slide = shapely.box(0, 0, *tiles.size)
    of_class = lambda name: shapely.union_all(shapes.get(name, []))
    tissue, uncertain = of_class(TISSUE), of_class(UNCERTAIN)
    if band_px > 0:
        # The picture's own border is no edge of the tissue.
        edge = tissue.boundary.difference(slide.exterior.buffer(0.5)).buffer(band_px)
        uncertain = shapely.union_all([uncertain, edge])
    tissue = tissue.difference(uncertain)
    fat = of_class(FAT).difference(shapely.union_all([tissue, uncertain]))
    areas = [tiles.areas_of(shape.intersection(slide)) for shape in (tissue, fat, uncertain)]
    return (*areas, shapes.get("lesion", []))


def lesion_share(lesion, tiles):
    """Which part of a lesion's area lies in tissue tiles."""
    left, top, right, bottom = (int(at // tiles.side) for at in lesion.bounds)
    rows, columns = tiles.mask.shape
    boxes = [
        tiles.box(row, column)
        for row in range(max(top, 0), min(bottom + 1, rows))
        for column in range(max(left, 0), min(right + 1, columns))
        if tiles.mask[row, column]
    ]
    return lesion.intersection(shapely.union_all(boxes)).area / lesion.area


def judge(name, tiles, truth):
    """Prints a slide's line; True when it passes."""
    tissue, fat, uncertain, lesions = truth
    share = lambda area: area[tiles.mask].sum() / area.sum() if area.sum() > 0 else None
    marked = int(tiles.mask.sum())
    empty_tiles = int(((tissue + fat + uncertain)[tiles.mask] < 1e-6).sum())
    empty = empty_tiles / marked if marked else 0.0
    found = share(tissue)
    shares = [lesion_share(lesion, tiles) for lesion in lesions]
    least = min(shares, default=None)
    problems = []
    if found is not None and found < MIN_TISSUE:
        problems.append("tissue left out")
    if least is not None and least < MIN_LESION:
        low = sum(value < MIN_LESION for value in shares)
        problems.append(f"{low} of {len(shares)} lesions left out")
    if empty >= MAX_EMPTY:
        problems.append("empty tiles")
    figure = lambda value: "     -" if value is None else f"{value:6.4f}"
    print(
        f"{name:32} {tiles.method:9} tissue {figure(found)} fat {figure(share(fat))} "
        f"lesion {figure(least)} empty {empty:6.4f} ({empty_tiles} of {marked})  "
        + (", ".join(problems) or "ok")
    )
    return not problems


def registered(run, only):
    """Names and statuses of a run's slides."""
    path = os.path.join(run, "slides.csv")
    if not os.path.exists(path):
        raise Missing(f"{path}: not there; split the slides first")
    with open(path, newline="") as file:
        slides = {row["name"]: row["status"] for row in csv.DictReader(file)}
    unknown = set(only or ()) - set(slides)
    if unknown:
        raise Missing(f"{path}: no slide {', '.join(sorted(unknown))}")
    return {name: status for name, status in slides.items() if not only or name in only}


def judge_slide(options, name, status):
    """True, False, or None where there is nothing to judge by."""
    patches = os.path.join(options.run, "patches", f"{name}.h5")
    outline = os.path.join(options.outlines or "", f"{name}.geojson")
    if options.outlines and not os.path.exists(outline):
        print(f"{name:32} no {outline}: not judged")
        return None
    if not os.path.exists(patches):
        none_to_find = bool(options.outlines) and not outlines(outline)[0].get(TISSUE)
        print(f"{name:32} no patches ({status})  " + ("ok" if none_to_find else "tissue left out"))
        return none_to_find
    tiles = Tiles(patches)
    if options.synth:
        return judge(name, tiles, synth_truth(options.synth, name, tiles))
    return judge(name, tiles, outlined_truth(outline, tiles))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--synth", metavar="DIR")
    source.add_argument("--outlines", metavar="FOLDER")
    parser.add_argument("--only", metavar="NAME", action="append")
    options = parser.parse_args()
    slides = registered(options.run, options.only)
    judged = [judge_slide(options, name, status) for name, status in slides.items()]
    judged = [passed for passed in judged if passed is not None]
    print(f"{sum(judged)} of {len(judged)} slides pass")
    if not judged:
        raise Missing(f"{options.run}: no slide with truth")
    return 0 if all(judged) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Missing as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)
