"""A Leica SCN slide whose scanned area is a part of its plane, for tests/it/bounds.rs.

    python tests/reference/bounds_slide.py FILE PLANE_WIDTH PLANE_HEIGHT X Y WIDTH HEIGHT

All sizes are level-0 px of 0.5 um. The area at (X, Y) holds a picture without glass; what
OpenSlide shows around it is background. The XML is the least that OpenSlide's reader of Leica
slides asks for (https://openslide.org/formats/leica/).
"""

import sys

import numpy as np
import tifffile
from PIL import Image

NM = 500  # per level-0 px
path = sys.argv[1]
plane_width, plane_height, x, y, width, height = map(int, sys.argv[2:])

random = np.random.default_rng(5)
coarse = random.integers(60, 200, (height // 16, width // 16, 3)).astype(np.uint8)
coarse[..., 1] //= 2  # coloured everywhere
picture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))
levels = [picture, picture[::2, ::2].copy()]
macro = np.full((64, 48, 3), 250, np.uint8)


def image(name, first_page, pictures, view, magnification):
    dimensions = "".join(
        f'<dimension sizeX="{p.shape[1]}" sizeY="{p.shape[0]}" r="{level}" ifd="{first_page + level}"/>'
        for level, p in enumerate(pictures)
    )
    view_width, view_height, view_x, view_y = (side * NM for side in view)
    rows, cols = pictures[0].shape[:2]
    return (
        f'<image name="{name}" uuid="{name}">'
        "<creationDate>2024-01-01T00:00:00Z</creationDate>"
        '<device model="none" version="1"/>'
        f'<pixels sizeX="{cols}" sizeY="{rows}">{dimensions}</pixels>'
        f'<view sizeX="{view_width}" sizeY="{view_height}" offsetX="{view_x}" offsetY="{view_y}" spacingZ="0"/>'
        f"<scanSettings><objectiveSettings><objective>{magnification}</objective></objectiveSettings>"
        "<illuminationSettings><numericalAperture>0.4</numericalAperture>"
        "<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings>"
        "</image>"
    )


xml = (
    '<?xml version="1.0"?>\n'
    '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
    f'<collection name="collection" uuid="collection" sizeX="{plane_width * NM}" sizeY="{plane_height * NM}">'
    "<barcode>none</barcode>"
    + image("macro", 0, [macro], (plane_width, plane_height, 0, 0), 1)
    + image("area", 1, levels, (width, height, x, y), 20)
    + "</collection></scn>"
)
options = dict(tile=(256, 256), photometric="rgb", compression="jpeg", metadata=None, resolutionunit=3)
with tifffile.TiffWriter(path, bigtiff=True) as out:
    out.write(macro, description=xml, resolution=(300, 300), **options)
    for level, pixels in enumerate(levels):
        out.write(pixels, resolution=(20000 / 2**level,) * 2, **options)
