"""Writes what split_grp.py of HPC_DPAI writes, for a synthetic slide.

Usage: make_legacy.py SLIDE.h5 WIDTH HEIGHT

Also writes SLIDE.npy, the index's nine dimensions. Pixel (x, y), channel c is
(7 x + 13 y + 101 c + x y) mod 251; outside the slide it is black, as an RGBA
read without its alpha is.
"""

import sys

import h5py
import numpy as np

path, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TILE, SIDE, PER_GROUP = 224, 448, 3


def read_region(x0, y0):
    y, x, c = np.meshgrid(
        np.arange(y0, y0 + SIDE), np.arange(x0, x0 + SIDE), np.arange(3), indexing="ij"
    )
    image = ((x * 7 + y * 13 + c * 101 + x * y) % 251).astype(np.uint8)
    image[(x < 0) | (y < 0) | (x >= width) | (y >= height)] = 0
    return image


def start(tile, side):
    first = 0 if tile == 0 else tile * TILE - TILE // 2
    return side - SIDE + 1 if first + SIDE > side else first


rows, cols = height // TILE, width // TILE
tiles = [(col, row) for row in range(rows) for col in range(cols)]
with h5py.File(path, "w") as file:
    for k, at in enumerate(range(0, len(tiles), PER_GROUP), 1):
        places = [(c, r, start(c, width), start(r, height), SIDE) for c, r in tiles[at : at + PER_GROUP]]
        group = file.create_group(f"t{k}")
        group.create_dataset("img", data=np.stack([read_region(p[2], p[3]) for p in places]))
        group.create_dataset("coord", data=np.array(places, dtype=np.int64))
np.save(path[:-3] + ".npy", np.array([rows, cols, 3, 0, cols, 0, rows, rows, cols], dtype=np.int64))
