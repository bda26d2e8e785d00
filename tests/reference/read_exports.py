"""Opens exports with the readers they are for, and compares them with the
heatmaps and patch files they were made of: values, and where they are on the slide.

Usage: read_exports.py FOLDER

FOLDER has heatmaps/NAME.h5 and beside them whatever was exported, patches/NAME.h5
and coords/. Prints, as JSON, how many files of each kind were checked.
"""

import collections
import csv
import gzip
import json
import math
import os
import sys
import uuid
import xml.etree.ElementTree as ET

import h5py
import numpy as np
import ome_zarr.io
import ome_zarr.reader
import openslide
import shapely.geometry
import tifffile
import zarr
from ome_zarr_models.v05 import Image as OmeZarrImage
from PIL import Image

CHECKED = collections.Counter()


class Heatmap:
    def __init__(self, path):
        with h5py.File(path) as file:
            self.score = file["score"][()]
            self.all = file["classes"][()] if "classes" in file else None
            at = dict(file.attrs)
        self.stem = os.path.join(os.path.dirname(path), os.path.basename(path)[: -len(".h5")])
        self.name = os.path.basename(self.stem)
        self.classes = [c.decode() for c in at["classes"]]
        self.positive = int(at["positive"])
        self.pitch = float(at["stride"]) * float(at["downsample"])
        self.window = float(at["window"]) * float(at["downsample"])
        self.width, self.height = int(at["level0_width"]), int(at["level0_height"])
        mpp = float(at["mpp_x"]) / float(at["downsample"])
        self.mpp = None if math.isnan(mpp) else mpp


def same(a, b):
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def largest_of_four(level):
    rows, cols = level.shape
    padded = np.full((rows + rows % 2, cols + cols % 2), np.nan, level.dtype)
    padded[:rows, :cols] = level
    four = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
    return np.fmax.reduce(np.fmax.reduce(four, axis=3), axis=1)


def shown_points(pixels, extent, pitch, points):
    """For each pixel over the extent, the points nearest to its middle: two where
    both are as near."""
    middles = (np.arange(pixels) + 0.5) * extent / pixels
    off = np.abs(np.arange(points)[None, :] * pitch - middles[:, None])
    return [np.flatnonzero(row <= row.min() + 1e-9 * extent) for row in off]


def check_cover(h, picture, what):
    """That each pixel of a picture over the whole slide has the value of a nearest
    point, and that a point's pixels surround its place evenly."""
    rows, cols = h.score.shape
    height, width = picture.shape
    down = shown_points(height, h.height, h.pitch, rows)
    across = shown_points(width, h.width, h.pitch, cols)
    first = h.score[np.ix_([d[0] for d in down], [a[0] for a in across])]
    last = h.score[np.ix_([d[-1] for d in down], [a[-1] for a in across])]
    match = lambda a: (a == picture) | (np.isnan(a) & np.isnan(picture))
    assert np.all(match(first) | match(last)), f"{what}: a pixel shows a point not nearest to it"
    if h.pitch < 2:
        return
    # Scores made for this are all different: a pixel's tells its point.
    points = np.argwhere(~np.isnan(h.score))
    values = h.score[tuple(points.T)]
    order = np.argsort(values)
    ys, xs = np.nonzero(~np.isnan(picture))
    of_point = order[np.searchsorted(values[order], picture[ys, xs])] if len(order) else order
    counts = np.bincount(of_point, minlength=len(points))
    assert counts.all(), f"{what}: point {points[counts == 0][:1]} is shown by no pixel"
    inner = np.all((points > 0) & (points < np.array([rows, cols]) - 2), axis=1)
    for axis, (at, extent, pixels) in enumerate(
        [(ys, h.height, height), (xs, h.width, width)]
    ):
        side = extent / pixels
        middle = np.bincount(of_point, weights=at, minlength=len(points)) / counts
        off = (middle + 0.5) * side - points[:, axis] * h.pitch
        assert np.all(np.abs(off[inner]) <= 0.51 * side), f"{what}: shifted along axis {axis}"

def check_asap(h, path):
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        pages = list(tiff.pages)
        base = pages[0]
        quotient = h.width // base.imagewidth
        assert quotient == h.height // base.imagelength, "ASAP would refuse it"
        assert quotient == 1 or 2 * quotient <= h.pitch
        widths = [page.imagewidth for page in pages]
        assert all(a > b for a, b in zip(widths, widths[1:])), widths
        for number, page in enumerate(pages):
            assert page.compression == 32946 and page.photometric == 1
            assert page.dtype == np.float32 and page.samplesperpixel == 1
            assert (page.tilewidth, page.tilelength) == (512, 512)
            assert page.subfiletype == (1 if number else 0)
            assert (page.tags[340].value, page.tags[341].value) == (0.0, 1.0)
            assert "xml" not in page.description.lower() and "dicom" not in page.description.lower()
            if h.mpp is None:
                assert 282 not in page.tags
            else:
                assert page.tags[296].value == 3
                for tag, size, extent in (
                    (282, page.imagewidth, h.width),
                    (283, page.imagelength, h.height),
                ):
                    top, bottom = page.tags[tag].value
                    um = 10_000 * bottom / top
                    assert math.isclose(um, h.mpp * extent / size, rel_tol=1e-5)
        levels = [page.asarray() for page in pages]
    assert not any(np.isnan(level).any() for level in levels)
    for fine, coarse in zip(levels, levels[1:]):
        assert same(largest_of_four(fine), coarse)
    # Scores made for this are above 0: 0 is what was not scored.
    check_cover(h, np.where(levels[0] == 0, np.nan, levels[0]), path)
    check_openslide(path, [level.shape for level in levels])


def check_openslide(path, shapes):
    """OpenSlide takes tiled TIFFs of any samples, but reads pixels of at most 16
    bits: sizes and levels are right, pixels are an error and not nonsense."""
    with openslide.OpenSlide(path) as slide:
        assert slide.properties["openslide.vendor"] == "generic-tiff"
        assert slide.dimensions == shapes[0][::-1]
        assert slide.level_dimensions == tuple(shape[::-1] for shape in shapes)
        try:
            slide.read_region((0, 0), 0, (1, 1))
        except openslide.OpenSlideError as error:
            assert "32-bit" in str(error), error
        else:
            raise AssertionError("OpenSlide reads floats now: the manual says it does not")


def check_ome_tiff(h, path):
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff and tiff.is_ome and len(tiff.pages) == 1
        series = tiff.series[0]
        assert series.axes == "YX"
        levels = [level.asarray() for level in series.levels]
        assert len(levels) == 1 + len(tiff.pages[0].subifds or ())
        assert all(level.pages[0].is_tiled for level in series.levels)
        xml = tiff.ome_metadata
    assert same(levels[0], h.score)
    for fine, coarse in zip(levels, levels[1:]):
        assert same(largest_of_four(fine), coarse)
    assert max(levels[-1].shape) <= 512
    ns = {"ome": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}
    pixels = ET.fromstring(xml).find(".//ome:Pixels", ns)
    assert (int(pixels.get("SizeY")), int(pixels.get("SizeX"))) == h.score.shape
    assert pixels.get("Type") == "float"
    plane = pixels.find("ome:Plane", ns)
    if h.mpp is None:
        assert pixels.get("PhysicalSizeX") is None and plane is None
    else:
        for axis in "XY":
            size = float(pixels.get(f"PhysicalSize{axis}"))
            assert math.isclose(size, h.mpp * h.pitch, rel_tol=1e-9)
            assert pixels.get(f"PhysicalSize{axis}Unit") == "\u00b5m"
            # The corner of the first pixel: its middle is the slide's corner.
            assert math.isclose(float(plane.get(f"Position{axis}")), -size / 2)
    channel = pixels.find("ome:Channel", ns)
    assert channel.get("Name") == h.classes[h.positive]
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == h.score.shape[::-1]


def check_ome_zarr(h, path):
    group = zarr.open_group(path, mode="r", zarr_format=3)
    OmeZarrImage.from_zarr(group)
    (image,) = group.attrs["ome"]["multiscales"]
    assert group.attrs["ome"]["version"] == "0.5"
    assert [axis["name"] for axis in image["axes"]] == ["y", "x"]
    unit = "micrometer" if h.mpp else None
    assert all(axis.get("unit") == unit for axis in image["axes"])
    (node,) = list(ome_zarr.reader.Reader(ome_zarr.io.parse_url(path))())
    levels = [np.asarray(level) for level in node.data]
    assert same(levels[0], h.score)
    for fine, coarse in zip(levels, levels[1:]):
        assert same(largest_of_four(fine), coarse)
    assert max(levels[-1].shape) <= 256
    um = h.mpp or 1.0
    for number, dataset in enumerate(image["datasets"]):
        array = group[dataset["path"]]
        assert array.metadata.dimension_names == ("y", "x")
        assert np.isnan(array.metadata.fill_value)
        scale, translation = dataset["coordinateTransformations"]
        assert scale["type"] == "scale" and translation["type"] == "translation"
        # Middles of pixels: of the first the mean place of the points it stands for.
        middle = np.mean(np.arange(2**number)) * h.pitch * um
        assert np.allclose(translation["translation"], middle)
        assert np.allclose(scale["scale"], h.pitch * um * 2**number)
    files = sum(len(names) for _, _, names in os.walk(path))
    shards = math.ceil(h.score.shape[0] / 2048) * math.ceil(h.score.shape[1] / 2048)
    assert files <= 1 + len(levels) + 2 * shards + len(levels), f"{files} files"


def check_geojson(h, path):
    text = gzip.open(path, "rt", encoding="utf-8").read()

    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    collection = json.loads(text, parse_constant=refuse)
    assert collection["type"] == "FeatureCollection"
    ids = set()
    places = {}
    for feature in collection["features"]:
        assert feature["type"] == "Feature"
        ids.add(uuid.UUID(feature["id"]))
        polygon = shapely.geometry.shape(feature["geometry"])
        assert polygon.geom_type == "Polygon" and polygon.is_valid and polygon.area > 0
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1] and len(ring) == 5
        properties = feature["properties"]
        assert properties["objectType"] == "tile" and "objectType" not in feature
        assert properties["classification"]["name"] == h.classes[h.positive]
        ((name, score),) = properties["measurements"].items()
        assert name == "prob_" + h.classes[h.positive]
        places[polygon.bounds] = score
    assert len(ids) == len(collection["features"]) == len(places)
    expected = {}
    for row, col in np.argwhere(h.score >= 0.5):
        x, y, half = col * h.pitch, row * h.pitch, h.pitch / 2
        bounds = (max(x - half, 0), max(y - half, 0), min(x + half, h.width), min(y + half, h.height))
        expected[tuple(round(b, 2) for b in bounds)] = h.score[row, col]
    places = {tuple(round(b, 2) for b in bounds): np.float32(s) for bounds, s in places.items()}
    compare(places, expected)


def compare(found, expected):
    """Places rounded to hundredths, which fall either way."""
    assert len(found) == len(expected)
    for (a, value_a), (b, value_b) in zip(sorted(found.items()), sorted(expected.items())):
        assert np.allclose(a, b, atol=0.021) and value_a == value_b, (a, b)


def check_csv(h, path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
        file.seek(0)
        header = next(csv.reader(file))
    shown = range(len(h.classes)) if h.all is not None else [h.positive]
    assert header == ["minx", "miny", "width", "height"] + ["prob_" + h.classes[c] for c in shown]
    assert len(rows) == np.count_nonzero(~np.isnan(h.score))
    before = (-1, -1)
    for row in rows:
        width = float(row["width"])
        assert math.isclose(width, h.window, abs_tol=1e-3) and row["height"] == row["width"]
        x, y = float(row["minx"]) + h.window / 2, float(row["miny"]) + h.window / 2
        point = (round(x / h.pitch), round(y / h.pitch))
        assert abs(x - point[0] * h.pitch) < 2e-3 and abs(y - point[1] * h.pitch) < 2e-3
        assert point > before, "x is slow, y is fast"
        before = point
        for c in shown:
            value = np.float32(row["prob_" + h.classes[c]])
            plane = h.score if h.all is None else h.all[:, :, c]
            assert value == plane[point[1], point[0]]


def check_deepzoom(h, path):
    root = ET.parse(path).getroot()
    size = root.find("{http://schemas.microsoft.com/deepzoom/2008}Size")
    width, height = int(size.get("Width")), int(size.get("Height"))
    tile, overlap = int(root.get("TileSize")), int(root.get("Overlap"))
    assert overlap == 0 and root.get("Format") == "png"
    assert h.width // width == h.height // height
    folder = path[: -len(".dzi")] + "_files"
    highest = math.ceil(math.log2(max(width, height))) if max(width, height) > 1 else 0
    assert sorted(map(int, os.listdir(folder))) == list(range(highest + 1))
    for level in range(highest, -1, -1):
        scale = 2 ** (highest - level)
        w, hh = math.ceil(width / scale), math.ceil(height / scale)
        picture = np.zeros((hh, w, 4), np.uint8)
        names = set(os.listdir(os.path.join(folder, str(level))))
        for column in range(math.ceil(w / tile)):
            for row in range(math.ceil(hh / tile)):
                name = f"{column}_{row}.png"
                names.remove(name)
                part = np.array(Image.open(os.path.join(folder, str(level), name)))
                top, left = row * tile, column * tile
                assert part.shape == (min(tile, hh - top), min(tile, w - left), 4)
                picture[top : top + tile, left : left + tile] = part
        assert not names, f"tiles beyond the edge: {names}"
        if level == highest:
            check_colours(h, picture, path)


def check_colours(h, picture, what):
    """Opaque where a nearest point is scored; brighter green for a higher score, as
    viridis has it."""
    rows, cols = h.score.shape
    down = [d[0] for d in shown_points(picture.shape[0], h.height, h.pitch, rows)]
    across = [a[0] for a in shown_points(picture.shape[1], h.width, h.pitch, cols)]
    score = h.score[np.ix_(down, across)]
    alpha = picture[..., 3]
    assert set(np.unique(alpha)) <= {0, 255}
    assert np.array_equal(alpha == 255, ~np.isnan(score)), what
    order = np.argsort(score[alpha == 255], kind="stable")
    green = picture[..., 1][alpha == 255][order].astype(int)
    assert np.all(np.diff(green) >= -1), what


def check_coords(folder, name):
    with h5py.File(os.path.join(folder, "patches", name + ".h5")) as file:
        mask, at = file["tissue"][()], dict(file.attrs)
    tile, downsample = float(at["tile"]), float(at["downsample"])
    expected = [
        [round(col * tile * downsample), round(row * tile * downsample)]
        for row, col in np.argwhere(mask)
    ]
    side = round(tile * downsample)
    clam = os.path.join(folder, "coords", name + ".h5")
    # As CLAM's Whole_Slide_Bag_FP does it.
    with h5py.File(clam, "r") as file:
        dset = file["coords"]
        patch_level = dset.attrs["patch_level"]
        patch_size = dset.attrs["patch_size"]
        assert patch_level == 0 and patch_size == side
        assert len(dset) == len(expected) and dset.maxshape == (None, 2)
        assert [list(coord) for coord in dset[:]] == expected
        assert list(dset.attrs["level_dim"]) == [at["level0_width"], at["level0_height"]]
        assert list(dset.attrs["downsample"]) == [1.0, 1.0]
        assert dset.attrs["name"] == name and "save_path" in dset.attrs
        assert "downsampled_level_dim" in dset.attrs
    CHECKED["clam"] += 1
    trident = os.path.join(folder, "coords", name + "_patches.h5")
    if not os.path.exists(trident):
        return
    # As TRIDENT's read_coords and its patcher do it.
    with h5py.File(trident, "r") as file:
        attrs = dict(file["coords"].attrs)
        coords = file["coords"][:]
    assert coords.tolist() == expected and coords.dtype == np.int64
    size, src = attrs["patch_size"], attrs["level0_magnification"]
    dst = attrs["target_magnification"]
    assert round(size * (src / dst)) == attrs["patch_size_level0"] == side
    assert attrs["overlap"] == 0 and attrs["name"] == name and "savetodir" in attrs
    assert (attrs["level0_width"], attrs["level0_height"]) == (at["level0_width"], at["level0_height"])
    CHECKED["trident"] += 1


FORMATS = {
    "asap": ("_likelihood_map.tif", check_asap),
    "ome-tiff": (".ome.tif", check_ome_tiff),
    "ome-zarr": (".ome.zarr", check_ome_zarr),
    "geojson": (".geojson.gz", check_geojson),
    "csv": (".csv", check_csv),
    "deepzoom": (".dzi", check_deepzoom),
}


def main(folder):
    heatmaps = os.path.join(folder, "heatmaps")
    for name in sorted(os.listdir(heatmaps)) if os.path.isdir(heatmaps) else []:
        if not name.endswith(".h5"):
            continue
        heatmap = Heatmap(os.path.join(heatmaps, name))
        for kind, (suffix, check) in FORMATS.items():
            path = heatmap.stem + suffix
            if os.path.exists(path):
                try:
                    check(heatmap, path)
                except Exception:
                    print(f"{kind} of {name}: {heatmap.score.shape} of pitch {heatmap.pitch}, "
                          f"slide {heatmap.width} x {heatmap.height}", file=sys.stderr)
                    raise
                CHECKED[kind] += 1
    patches = os.path.join(folder, "patches")
    for name in sorted(os.listdir(patches)) if os.path.isdir(patches) else []:
        check_coords(folder, name[: -len(".h5")])
    print(json.dumps(CHECKED))


main(sys.argv[1])
