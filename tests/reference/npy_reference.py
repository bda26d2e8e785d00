"""Writes the .npy files that src/export/npy.rs is tested with (numpy 2.4.6)."""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "npy"
HERE.mkdir(exist_ok=True)
a = np.array([[0.0, 0.5, -1.25], [np.finfo("f4").max, 1e-30, 1.0]], "<f4")
np.save(HERE / "f4_2x3.npy", a)
with open(HERE / "f4_2x3_v2.npy", "wb") as file:
    np.lib.format.write_array(file, a, version=(2, 0))
np.save(HERE / "f4_2x1x2.npy", np.arange(4, dtype="<f4").reshape(2, 1, 2))
np.save(HERE / "i8_9.npy", np.array([985, 434, 3, 42, 424, 57, 927, 871, -383], "<i8"))
np.save(HERE / "f4_fortran.npy", np.asfortranarray(a))
np.save(HERE / "f8_2x2.npy", np.eye(2))
np.save(HERE / "big_endian.npy", a.astype(">f4"))
np.save(HERE / "record.npy", np.zeros((2, 2), [("x", "<f4")]))
