"""Windows of a group of patches as f32, prepared as the model card says.

    windows.py PATCHES.h5 GROUP STRIDE COUNT OUT.f32

Writes the first COUNT windows, [count, 3, 224, 224], raw little-endian.
Card: rgb, unit range, mean .5, std .25, as make_networks.py makes it.
"""

import sys

import h5py
import numpy as np

WINDOW = 224


def main(path, group, stride, count, out):
    stride, count = int(stride), int(count)
    with h5py.File(path) as file:
        tile = int(file.attrs["tile"])
        stored = file[f"t{group}"]
        images, coord, tissue = stored["img"], stored["coord"][:], stored["tissue"][:]
        windows = []
        for image, (tile_col, tile_row, *_), mask in zip(images, coord, tissue):
            side = mask.shape[0] * tile
            left, top = int(tile_col) * tile, int(tile_row) * tile
            for y in range(-top % stride, side, stride):
                for x in range(-left % stride, side, stride):
                    if mask[y // tile, x // tile]:
                        windows.append(image[y : y + WINDOW, x : x + WINDOW])
            if len(windows) >= count:
                break
    array = np.stack(windows[:count]).transpose(0, 3, 1, 2).astype(np.float32)
    ((array / 255 - 0.5) / 0.25).astype("<f4").tofile(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
