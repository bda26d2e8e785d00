"""Prints what h5py sees in HDF5 files, as JSON: attributes, datasets, values.

Usage: read_formats.py FILE...
"""

import json
import math
import os
import sys

import h5py
import numpy as np


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value


def describe(path):
    datasets = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            datasets[name] = {
                "dtype": str(item.dtype),
                "shape": list(item.shape),
                "chunks": item.chunks,
                "compression": item.compression,
                "values": plain(item[()]),
            }

    with h5py.File(path, "r") as file:
        file.visititems(visit)
        attributes = {name: plain(value) for name, value in file.attrs.items()}
        attributes.pop("writer")
    return {"attributes": attributes, "datasets": datasets}


print(json.dumps({os.path.basename(path): describe(path) for path in sys.argv[1:]}))
