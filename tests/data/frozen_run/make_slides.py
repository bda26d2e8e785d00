"""The slides of tests/data/frozen_run: pieces of synthetic slides in few colours, so that
they are small when packed.

    slidegrid synth --out synth --slides 2 --seed 7 --size 1200
    python make_slides.py synth input
"""

import sys
from pathlib import Path

import openslide
from PIL import Image, ImageFilter

synth, out = Path(sys.argv[1]), Path(sys.argv[2])
for source, name, box in [
    ("demo_tumor_001", "first", (200, 200, 1080, 1000)),
    ("demo_normal_002", "second", (100, 300, 820, 940)),
]:
    slide = openslide.OpenSlide(str(synth / "slides" / f"{source}.tif"))
    piece = slide.read_region((0, 0), 0, slide.dimensions).convert("RGB").crop(box)
    width, height = piece.size
    small = piece.resize((width // 4, height // 4), Image.BOX).filter(ImageFilter.MedianFilter(3))
    few = small.quantize(8, dither=Image.Dither.NONE)
    few.resize((width, height), Image.NEAREST).save(out / f"{name}.png", optimize=True)
(out / "broken.png").write_bytes((out / "first.png").read_bytes()[:3000])
