"""Writes pillow_bilinear.csv: Pillow's BILINEAR resize of a picture given by a formula.

    python tests/reference/pillow_bilinear.py > tests/reference/pillow_bilinear.csv

Columns: downsample, row, col, red, green, blue of the resized picture.
The box makes output pixel i cover source pixels [i * downsample, (i + 1) * downsample).
"""

import numpy as np
from PIL import Image

ROWS, COLS = 240, 320


def picture():
    row, col, channel = np.meshgrid(
        np.arange(ROWS, dtype=np.uint64),
        np.arange(COLS, dtype=np.uint64),
        np.arange(3, dtype=np.uint64),
        indexing="ij",
    )
    mixed = row * np.uint64(7919) + col * np.uint64(104729) + channel * np.uint64(1299709)
    mixed = (mixed ^ (mixed >> np.uint64(7))) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> np.uint64(48)) & np.uint64(255)).astype(np.uint8)


image = Image.fromarray(picture())
print("downsample,row,col,red,green,blue")
for downsample in (0.8, 1.25, 2.0, 3.3, 7.5):
    width, height = int(COLS / downsample), int(ROWS / downsample)
    box = (0, 0, width * downsample, height * downsample)
    small = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    for row, col in [(0, 0), (2, 3), (5, 11), (9, 20), (17, 7), (20, 30), (25, 33), (28, 38)]:
        print(downsample, row, col, *small[row, col], sep=",")
