"""Pictures stored in every way that writers choose, for tests/it/slide/kinds.rs.

    python tests/reference/slide_kinds.py FOLDER

Writes the files by tifffile and Pillow, and prints a JSON list: for each file its name and
either `rgb` (the name of a file with the expected pixels, u8 [row, col, rgb], over white),
`size` [rows, cols], `tolerance` in grey levels and, where it is stated, `mpp`; or `refused`, words that
the refusal must hold.
"""

import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

folder = Path(sys.argv[1])
made = []
RESOLUTION = dict(resolution=(20000, 20000), resolutionunit=3)  # 0.5 um per px


def texture(rows, cols, seed):
    random = np.random.default_rng(seed)
    coarse = random.integers(90, 250, (rows // 20 + 2, cols // 20 + 2, 3)).astype(np.uint8)
    fine = Image.fromarray(coarse).resize((cols, rows), Image.BICUBIC)
    return np.asarray(fine).copy()


def reduced(picture, factor):
    rows, cols = (side // factor * factor for side in picture.shape[:2])
    cells = picture[:rows, :cols].reshape(rows // factor, factor, cols // factor, factor, 3)
    return cells.mean((1, 3)).round().astype(np.uint8)


def shows(name, rgb, tolerance=0, mpp=0.5):
    rgb.astype(np.uint8).tofile(folder / f"{name}.rgb")
    made.append(dict(name=name, rgb=f"{name}.rgb", size=rgb.shape[:2], tolerance=tolerance, mpp=mpp))


def refused(name, *words):
    made.append(dict(name=name, refused=words))


def write(name, data, **options):
    tifffile.imwrite(folder / name, data, **{"photometric": "rgb", **RESOLUTION, **options})


def tiffs(picture, form, layout):
    """`form` names the layout: strips or tiles."""
    for compression in ("deflate", "lzw", "packbits"):
        write(f"{compression}_{form}.tif", picture, compression=compression, **layout)
        shows(f"{compression}_{form}.tif", picture)
    write(f"jpeg2000_{form}.tif", picture, compression="jpeg2000", **layout)
    refused(f"jpeg2000_{form}.tif", "JPEG 2000", "convert")
    write(f"jpeg_{form}.tif", picture, compression="jpeg", **layout)
    shows(f"jpeg_{form}.tif", tifffile.imread(folder / f"jpeg_{form}.tif"), tolerance=4)
    write(f"big_endian_{form}.tif", picture, byteorder=">", **layout)
    shows(f"big_endian_{form}.tif", picture)
    write(f"planar_{form}.tif", picture.transpose(2, 0, 1).copy(), planarconfig="separate", **layout)
    shows(f"planar_{form}.tif", picture)
    write(f"sixteen_bits_{form}.tif", picture.astype(np.uint16) * 257, **layout)
    shows(f"sixteen_bits_{form}.tif", picture)
    write(f"float_{form}.tif", picture.astype(np.float32) / 255, **layout)
    shows(f"float_{form}.tif", picture)
    grey = picture[..., 0]
    write(f"white_is_zero_{form}.tif", 255 - grey, photometric="miniswhite", **layout)
    shows(f"white_is_zero_{form}.tif", np.dstack([grey] * 3))

    alpha = np.full(grey.shape, 255, np.uint8)
    alpha[: len(alpha) // 3, :100] = 0
    alpha[len(alpha) // 3 : len(alpha) // 2, :100] = 128
    part = alpha[..., None] / 255.0
    over_white = np.round(picture * part + 255 * (1 - part))
    straight = np.dstack([picture, alpha])
    write(f"straight_{form}.tif", straight, extrasamples=["unassalpha"], **layout)
    shows(f"straight_{form}.tif", over_white, tolerance=1)
    premultiplied = np.dstack([np.round(picture * part).astype(np.uint8), alpha])
    write(f"premultiplied_{form}.tif", premultiplied, extrasamples=["assocalpha"], **layout)
    shows(f"premultiplied_{form}.tif", over_white, tolerance=1)


def pages(picture, form, layout):
    def chain(name, *pages):
        with tifffile.TiffWriter(folder / name) as file:
            for page, options in pages:
                file.write(page, photometric="rgb", metadata=None, **options, **RESOLUTION)

    small, smaller = reduced(picture, 2), reduced(picture, 4)
    name = f"unmarked_pyramid_{form}.tif"
    chain(name, (picture, layout), (small, layout), (smaller, layout))
    shows(name, picture)
    name = f"thumbnail_first_{form}.tif"
    chain(name, (smaller, dict(subfiletype=1, rowsperstrip=16)), (picture, layout))
    shows(name, picture)
    name = f"tiled_thumbnail_first_{form}.tif"
    chain(name, (smaller, dict(subfiletype=1, tile=(64, 64))), (picture, layout))
    shows(name, picture)
    chain(f"scenes_{form}.tif", (picture, layout), (picture[:-60, :-40], layout))
    refused(f"scenes_{form}.tif", "several pictures", "page=0")
    chain(f"twins_{form}.tif", (picture, layout), (picture, layout))
    refused(f"twins_{form}.tif", "2 pictures")


def ome_and_imagej(picture):
    def ome(name, data, axes, photometric="rgb", **options):
        metadata = dict(axes=axes, PhysicalSizeX=0.5, PhysicalSizeY=0.5)
        tifffile.imwrite(folder / name, data, photometric=photometric, metadata=metadata, **options)

    for form, layout in (("tiles", dict(tile=(64, 64))), ("strips", dict(rowsperstrip=32))):
        ome(f"{form}.ome.tif", picture, "YXS", **layout)
        shows(f"{form}.ome.tif", picture)
        channels = picture.transpose(2, 0, 1).copy()
        ome(f"channels_{form}.ome.tif", channels, "CYX", "minisblack", **layout)
        refused(f"channels_{form}.ome.tif", "3 channels", "pages")
        ome(f"planes_{form}.ome.tif", np.stack([picture] * 3), "ZYXS", **layout)
        refused(f"planes_{form}.ome.tif", "3 focal planes")
        with tifffile.TiffWriter(folder / f"scenes_{form}.ome.tif") as file:
            for scene in (picture, picture[:-50]):
                file.write(scene, photometric="rgb", metadata=dict(axes="YXS"), **layout)
        refused(f"scenes_{form}.ome.tif", "several images")
    nanometres = dict(axes="YXS", PhysicalSizeX=250, PhysicalSizeXUnit="nm", PhysicalSizeY=250, PhysicalSizeYUnit="nm")
    tifffile.imwrite(folder / "nanometres.ome.tif", picture, photometric="rgb", metadata=nanometres)
    shows("nanometres.ome.tif", picture, mpp=0.25)
    tifffile.imwrite(folder / "stack.tif", np.stack([picture[..., 0]] * 5), imagej=True, metadata=dict(axes="ZYX"))
    refused("stack.tif", "5 focal planes")
    tifffile.imwrite(folder / "imagej.tif", picture, imagej=True, resolution=(2, 2), metadata=dict(unit="micron"))
    shows("imagej.tif", picture)


def pictures(picture):
    for name, options in (("a.jpg", dict(quality=95)), ("progressive.jpg", dict(quality=95, progressive=True))):
        Image.fromarray(picture).save(folder / name, dpi=(50800, 50800), **options)
        shows(name, np.asarray(Image.open(folder / name)), tolerance=4)
    Image.fromarray(picture).quantize(64).save(folder / "palette.png", dpi=(50800, 50800))
    shows("palette.png", np.asarray(Image.open(folder / "palette.png").convert("RGB")))


def sparse(picture):
    """Tiles of plain glass have no bytes, in tiles of JPEG and of Deflate."""
    tile = 64
    rows, cols = (side // tile * tile for side in picture.shape[:2])
    glass = picture[:rows, :cols].copy()
    empty = lambda row, col: (row // tile + col // tile) % 3 == 0
    for row in range(0, rows, tile):
        for col in range(0, cols, tile):
            if empty(row, col):
                glass[row : row + tile, col : col + tile] = 255

    def jpeg(part):
        stream = io.BytesIO()
        Image.fromarray(part).save(stream, "JPEG", quality=95, subsampling=0)
        return stream.getvalue()

    import zlib

    for compression, encode in (("jpeg", jpeg), ("deflate", lambda part: zlib.compress(part.tobytes()))):
        def tiles():
            for row in range(0, rows, tile):
                for col in range(0, cols, tile):
                    part = np.ascontiguousarray(glass[row : row + tile, col : col + tile])
                    yield b"" if empty(row, col) else encode(part)

        name = f"sparse_{compression}.tif"
        photometric = "ycbcr" if compression == "jpeg" else "rgb"
        options = dict(subsampling=(1, 1)) if compression == "jpeg" else {}
        with tifffile.TiffWriter(folder / name) as file:
            file.write(tiles(), shape=glass.shape, dtype=np.uint8, tile=(tile, tile), photometric=photometric,
                       compression=compression, metadata=None, **options, **RESOLUTION)
        shows(name, glass, tolerance=6 if compression == "jpeg" else 0)


def mirax(picture, tile=64, levels=2):
    """The least that makes a MIRAX slide, after https://openslide.org/formats/mirax/."""
    rows, cols = picture.shape[0] // (2 * tile), picture.shape[1] // (2 * tile)
    picture = picture[: rows * 2 * tile, : cols * 2 * tile]
    rows, cols = 2 * rows, 2 * cols
    parts = folder / "slide"
    parts.mkdir()
    identity = "0123456789ABCDEF0123456789ABCDEF"
    data, entries = b"", []
    for level in range(levels):
        factor = 2**level
        shown = reduced(picture, factor) if level else picture
        entries.append([])
        for row in range(0, rows, factor):
            for col in range(0, cols, factor):
                top, left = row * tile // factor, col * tile // factor
                stream = io.BytesIO()
                part = np.ascontiguousarray(shown[top : top + tile, left : left + tile])
                Image.fromarray(part).save(stream, "JPEG", quality=97, subsampling=0)
                entries[-1].append((row * cols + col, len(data), stream.tell(), 0))
                data += stream.getvalue()
    (parts / "Data0000.dat").write_bytes(data)
    ini = ["[GENERAL]", "SLIDE_VERSION = 01.02", f"SLIDE_ID = {identity}", f"IMAGENUMBER_X = {cols}", f"IMAGENUMBER_Y = {rows}",
           "OBJECTIVE_MAGNIFICATION = 20", "CameraImageDivisionsPerSide = 1", "[HIERARCHICAL]",
           "INDEXFILE = Index.dat", "HIER_COUNT = 1", "HIER_0_NAME = Slide zoom level",
           f"HIER_0_COUNT = {levels}"]
    for level in range(levels):
        ini += [f"HIER_0_VAL_{level} = ZoomLevel_{level}", f"HIER_0_VAL_{level}_SECTION = LEVEL_{level}"]
    ini += ["NONHIER_COUNT = 0", "[DATAFILE]", "FILE_COUNT = 1", "FILE_0 = Data0000.dat"]
    for level in range(levels):
        um = 0.5 * 2**level
        ini += [f"[LEVEL_{level}]", f"IMAGE_CONCAT_FACTOR = {min(level, 1)}", "OVERLAP_X = 0", "OVERLAP_Y = 0",
                f"MICROMETER_PER_PIXEL_X = {um}", f"MICROMETER_PER_PIXEL_Y = {um}",
                "IMAGE_FILL_COLOR_BGR = 16777215", f"DIGITIZER_WIDTH = {tile}",
                f"DIGITIZER_HEIGHT = {tile}", "IMAGE_FORMAT = JPEG"]
    (parts / "Slidedat.ini").write_bytes("\r\n".join(ini + [""]).encode())
    # Version, identity, two roots of trees; a list of records, which point to pages of entries.
    start = 5 + len(identity)
    lists, records = start + 8, start + 8 + 4 * levels
    at = records + 8 * levels
    index = b"01.02" + identity.encode() + struct.pack("<ii", lists, lists)
    index += b"".join(struct.pack("<i", records + 8 * level) for level in range(levels))
    bodies = b""
    for page in entries:
        index += struct.pack("<ii", 0, at + len(bodies))
        bodies += struct.pack("<ii", len(page), 0) + b"".join(struct.pack("<iiii", *entry) for entry in page)
    (parts / "Index.dat").write_bytes(index + bodies)
    for name in ("slide.mrxs", "alone.mrxs"):
        Image.fromarray(picture[::4, ::4]).save(folder / name, "JPEG")
    shows("slide.mrxs", picture, tolerance=12)
    refused("alone.mrxs", "missing", "folder")


picture = texture(311, 430, 3)
for form, layout in (("strips", dict(rowsperstrip=32)), ("tiles", dict(tile=(64, 64)))):
    tiffs(picture, form, layout)
    pages(picture, form, layout)
ome_and_imagej(picture)
pictures(picture)
sparse(picture)
mirax(texture(384, 512, 4))
print(json.dumps(made))
