#!/usr/bin/env python3
"""Turns GIMP's patterns (textures) into PNG files, as styles for train_stylizer.

    apt-get download gimp-data gimp-data-extras && for p in gimp-data*.deb; do dpkg-deb -x $p gimp; done
    gimp_patterns.py gimp/usr/share/gimp/2.0/patterns OUT [LEAST]

LEAST (96): patterns whose shorter side is below it, in pixels, are left out. Needs Pillow.
"""

import pathlib
import struct
import sys

from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_pattern(path):
    """Big-endian header: its size, version, width, height, bytes a pixel, 'GPAT', name; then the pixels."""
    data = path.read_bytes()
    header, _, width, height, channels, magic = struct.unpack(">5I4s", data[:24])
    pixels = data[header : header + width * height * channels]
    if magic != b"GPAT" or channels not in MODES:
        raise ValueError(f"'{path}' is no GIMP pattern of 8 bits")
    return Image.frombytes(MODES[channels], (width, height), pixels).convert("RGB")


def main(folder, out, least="96"):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(folder)
    # Named by the whole path, since folders may have patterns of one name.
    images = {"_".join(path.relative_to(folder).with_suffix("").parts): read_pattern(path)
              for path in sorted(folder.rglob("*.pat"))}
    kept = {name: image for name, image in images.items() if min(image.size) >= int(least)}
    for name, image in kept.items():
        image.save(out / f"{name}.png")
    print(f"{len(kept)} of {len(images)} patterns")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
