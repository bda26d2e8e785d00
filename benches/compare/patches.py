"""The straightforward program `slidegrid split` is compared with.

Writes the paper's patches, 448 px around each tissue tile of 224 px, in
contiguous groups of 400: one region read a patch, one HDF5 write a group.
Tissue is not sought: the mask of a patch file of slidegrid is taken.

    patches.py SLIDE PATCHES.h5 OUT.h5 [--system-openslide]
"""

import sys

if "--system-openslide" in sys.argv:
    # The distribution's library instead of the one the wheel brings.
    sys.modules["openslide_bin"] = None

import h5py
import numpy as np
import openslide

TILE, PATCH, GROUP = 224, 448, 400


def main(slide_path, tissue_path, out_path):
    with h5py.File(tissue_path) as file:
        rows, cols = np.nonzero(file["tissue"][:])
    halo = (PATCH - TILE) // 2
    with openslide.OpenSlide(slide_path) as slide, h5py.File(out_path, "w") as out:
        for start in range(0, len(rows), GROUP):
            tiles = list(zip(rows[start : start + GROUP], cols[start : start + GROUP]))
            images = np.empty((len(tiles), PATCH, PATCH, 3), np.uint8)
            coord = np.empty((len(tiles), 5), np.int64)
            for index, (row, col) in enumerate(tiles):
                x, y = int(col) * TILE - halo, int(row) * TILE - halo
                region = slide.read_region((x, y), 0, (PATCH, PATCH))
                images[index] = np.asarray(region.convert("RGB"))
                coord[index] = col, row, x, y, PATCH
            group = out.create_group(f"t{start // GROUP + 1}")
            group.create_dataset("img", data=images)
            group.create_dataset("coord", data=coord)
    print(f"OpenSlide {openslide.__library_version__}, {len(rows)} patches", file=sys.stderr)


if __name__ == "__main__":
    main(*[argument for argument in sys.argv[1:] if not argument.startswith("--")])
